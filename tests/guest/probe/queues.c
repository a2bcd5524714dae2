/* SPDX-License-Identifier: MIT */
/* Questions about queues: created and deleted wrong, doorbells written wrong. */
#include "probe.h"

#define GET sqe(.opc = PHYR_NVME_ADMIN_GET_FEATURES, .cdw10 = PHYR_NVME_FEAT_ARBITRATION)

static unsigned granted(struct probe *h)
{
	uint32_t dw0 =
		must(h, &h->admin,
		     sqe(.opc = PHYR_NVME_ADMIN_GET_FEATURES, .cdw10 = PHYR_NVME_FEAT_NUM_QUEUES));

	return PHYR_NVME_NCQA(dw0) + 1;
}

static void try_cq(struct probe *h, const char *name, uint32_t cdw10, uint32_t cdw11, uint64_t prp)
{
	struct phyr_nvme_sqe cmd = create_cq(&h->io);

	host_on(h);
	cmd.cdw10 = cdw10;
	cmd.cdw11 = cdw11;
	cmd.prp1 = prp;
	tell(h, &h->admin, cmd, "create.cq.%s", name);
}

static void ask_create_cq(struct probe *h)
{
	uint32_t good = PHYR_NVME_CDW10_QUEUE(1, IO_SIZE - 1), most = PHYR_NVME_CAP_MQES(h->cap);
	uint64_t prp = h->io.cq_dma;

	host_on(h);
	say("queues.granted %u", granted(h));
	try_cq(h, "good", good, 1, prp);
	try_cq(h, "id.0", PHYR_NVME_CDW10_QUEUE(0, IO_SIZE - 1), 1, prp);
	try_cq(h, "id.granted", PHYR_NVME_CDW10_QUEUE(granted(h), IO_SIZE - 1), 1, prp);
	try_cq(h, "id.over", PHYR_NVME_CDW10_QUEUE(granted(h) + 1, IO_SIZE - 1), 1, prp);
	try_cq(h, "id.ffff", PHYR_NVME_CDW10_QUEUE(0xffff, IO_SIZE - 1), 1, prp);
	try_cq(h, "size.1", PHYR_NVME_CDW10_QUEUE(1, 0), 1, prp);
	try_cq(h, "size.2", PHYR_NVME_CDW10_QUEUE(1, 1), 1, prp);
	try_cq(h, "size.over", PHYR_NVME_CDW10_QUEUE(1, most + 1), 1, prp);
	try_cq(h, "size.65536", PHYR_NVME_CDW10_QUEUE(1, 0xffff), 1, prp);
	try_cq(h, "scattered", good, 0, prp);
	try_cq(h, "off.page", good, 1, prp + 0x800);
	try_cq(h, "off.dword", good, 1, prp + 2);
	try_cq(h, "prp.0", good, 1, 0);
	try_cq(h, "reserved", good, 0xfffd, prp);
	try_cq(h, "vector.1", good, PHYR_NVME_CDW11_IV(1) | 3, prp);
	try_cq(h, "vector.63", good, PHYR_NVME_CDW11_IV(63) | 3, prp);
	try_cq(h, "vector.64", good, PHYR_NVME_CDW11_IV(64) | 3, prp);
	try_cq(h, "vector.64.unused", good, PHYR_NVME_CDW11_IV(64) | 1, prp);
	try_cq(h, "vector.2048", good, PHYR_NVME_CDW11_IV(2048) | 3, prp);
	try_cq(h, "vector.ffff", good, PHYR_NVME_CDW11_IV(0xffff) | 3, prp);
	try_cq(h, "twice", good, 1, prp);
	tell(h, &h->admin, create_cq(&h->io), "create.cq.twice.second");
	tell(h, &h->admin, delete_queue(PHYR_NVME_ADMIN_DELETE_CQ, 1), "create.cq.twice.delete");
}

static void try_sq(struct probe *h, const char *name, uint32_t cdw10, uint32_t cdw11, uint64_t prp)
{
	struct phyr_nvme_sqe cmd = create_sq(&h->io, 1);

	host_on(h);
	must(h, &h->admin, create_cq(&h->io));
	cmd.cdw10 = cdw10;
	cmd.cdw11 = cdw11;
	cmd.prp1 = prp;
	tell(h, &h->admin, cmd, "create.sq.%s", name);
}

static void ask_create_sq(struct probe *h)
{
	uint32_t good = PHYR_NVME_CDW10_QUEUE(1, IO_SIZE - 1), most = PHYR_NVME_CAP_MQES(h->cap);
	uint32_t cq1 = PHYR_NVME_CDW11_CQID(1) | 1;
	uint64_t prp = h->io.sq_dma;

	try_sq(h, "good", good, cq1, prp);
	try_sq(h, "id.0", PHYR_NVME_CDW10_QUEUE(0, IO_SIZE - 1), cq1, prp);
	try_sq(h, "id.other", PHYR_NVME_CDW10_QUEUE(2, IO_SIZE - 1), cq1, prp);
	try_sq(h, "id.over", PHYR_NVME_CDW10_QUEUE(granted(h) + 1, IO_SIZE - 1), cq1, prp);
	try_sq(h, "id.ffff", PHYR_NVME_CDW10_QUEUE(0xffff, IO_SIZE - 1), cq1, prp);
	try_sq(h, "size.1", PHYR_NVME_CDW10_QUEUE(1, 0), cq1, prp);
	try_sq(h, "size.over", PHYR_NVME_CDW10_QUEUE(1, most + 1), cq1, prp);
	try_sq(h, "scattered", good, PHYR_NVME_CDW11_CQID(1), prp);
	try_sq(h, "off.page", good, cq1, prp + 0x800);
	try_sq(h, "prp.0", good, cq1, 0);
	try_sq(h, "cq.0", good, 1, prp);
	try_sq(h, "cq.none", good, PHYR_NVME_CDW11_CQID(2) | 1, prp);
	try_sq(h, "cq.over", good, PHYR_NVME_CDW11_CQID(granted(h) + 1) | 1, prp);
	try_sq(h, "cq.ffff", good, PHYR_NVME_CDW11_CQID(0xffff) | 1, prp);
	try_sq(h, "prio.low", good, cq1 | PHYR_NVME_CDW11_QPRIO(3), prp);
	try_sq(h, "reserved", good, cq1 | 0xfff8, prp);
	try_sq(h, "nvm.set.1", good, cq1, prp);
	try_sq(h, "twice", good, cq1, prp);
	tell(h, &h->admin, create_sq(&h->io, 1), "create.sq.twice.second");
}

/* Entry sizes that CC does not say, or says wrong, and queues are created all the same. */
static void ask_entry_sizes(struct probe *h)
{
	static const uint32_t cc[] = {0, PHYR_NVME_CC_IOSQES(5) | PHYR_NVME_CC_IOCQES(4),
				      PHYR_NVME_CC_IOSQES(7) | PHYR_NVME_CC_IOCQES(5),
				      PHYR_NVME_CC_IOSQES(6) | PHYR_NVME_CC_IOCQES(3)};

	for (size_t i = 0; i < sizeof(cc) / sizeof(cc[0]); i++) {
		host_off(h);
		if (!host_enable(h, cc[i])) {
			say("sizes.%06x not enabled", cc[i]);
			continue;
		}
		tell(h, &h->admin, create_cq(&h->io), "sizes.%06x.create.cq", cc[i]);
		host_off(h);
		host_enable(h, cc[i]);
		must(h, &h->admin, GET);
		ask(h, &h->admin, create_cq(&h->io));
		tell(h, &h->admin, create_sq(&h->io, 1), "sizes.%06x.create.sq", cc[i]);
	}
}

static void ask_delete(struct probe *h)
{
	static const struct {
		const char *name;
		uint8_t opc;
		uint16_t id;
	} deletes[] = {
		{"sq.0", PHYR_NVME_ADMIN_DELETE_SQ, 0},
		{"cq.0", PHYR_NVME_ADMIN_DELETE_CQ, 0},
		{"sq.2", PHYR_NVME_ADMIN_DELETE_SQ, 2},
		{"cq.2", PHYR_NVME_ADMIN_DELETE_CQ, 2},
		{"sq.ffff", PHYR_NVME_ADMIN_DELETE_SQ, 0xffff},
		{"cq.ffff", PHYR_NVME_ADMIN_DELETE_CQ, 0xffff},
		{"cq.in.use", PHYR_NVME_ADMIN_DELETE_CQ, 1},
		{"sq.1", PHYR_NVME_ADMIN_DELETE_SQ, 1},
		{"sq.1.again", PHYR_NVME_ADMIN_DELETE_SQ, 1},
		{"cq.1", PHYR_NVME_ADMIN_DELETE_CQ, 1},
		{"cq.1.again", PHYR_NVME_ADMIN_DELETE_CQ, 1},
	};

	host_io(h);
	for (size_t i = 0; i < sizeof(deletes) / sizeof(deletes[0]); i++)
		tell(h, &h->admin, delete_queue(deletes[i].opc, deletes[i].id), "delete.%s",
		     deletes[i].name);
	pair_reset(&h->io);
	tell(h, &h->admin, create_cq(&h->io), "delete.then.create.cq");
	tell(h, &h->admin, create_sq(&h->io, 1), "delete.then.create.sq");
	tell(h, &h->io, rw(h, PHYR_NVME_CMD_READ, 0, 1), "delete.then.read");
}

/* After Number of Queues, ids beyond what was asked for. */
static void ask_number(struct probe *h)
{
	struct phyr_nvme_sqe cmd = create_cq(&h->io);

	host_on(h);
	tell(h, &h->admin,
	     sqe(.opc = PHYR_NVME_ADMIN_SET_FEATURES, .cdw10 = PHYR_NVME_FEAT_NUM_QUEUES,
		 .cdw11 = PHYR_NVME_NUM_QUEUES(1)),
	     "number.2");
	cmd.cdw10 = PHYR_NVME_CDW10_QUEUE(2, IO_SIZE - 1);
	tell(h, &h->admin, cmd, "number.2.create.2");
	cmd.cdw10 = PHYR_NVME_CDW10_QUEUE(3, IO_SIZE - 1);
	tell(h, &h->admin, cmd, "number.2.create.3");
	host_on(h);
	say("number.after.reset %u", granted(h));
}

void ask_queues(struct probe *h)
{
	ask_create_cq(h);
	ask_create_sq(h);
	ask_entry_sizes(h);
	ask_delete(h);
	ask_number(h);
}

static const struct ring_case {
	const char *name;
	bool cq;
	unsigned qid;
	uint32_t value;
} rings[] = {
	{"sq.none", false, 5, 1},
	{"cq.none", true, 5, 1},
	{"sq.far", false, 400, 1},
	{"cq.far", true, 400, 1},
	{"sq.over", false, 1, IO_SIZE},
	{"sq.far.over", false, 1, 0xffff},
	{"cq.over", true, 1, IO_SIZE},
	{"cq.far.over", true, 1, 0xffff},
	{"sq.same", false, 1, 0},
	{"cq.same", true, 1, 0},
	{"cq.ahead", true, 1, 3},
	{"sq.high.half", false, 1, 0x10000},
	{"admin.sq.over", false, 0, ADMIN_SIZE},
	{"admin.cq.over", true, 0, ADMIN_SIZE},
};

/* With an event request out: what is told, and whether the queue goes on. */
static void try_ring(struct probe *h, const struct ring_case *r)
{
	struct answer a;

	host_io(h);
	push(h, &h->admin, sqe(.opc = PHYR_NVME_ADMIN_ASYNC_EVENT));
	ring(h, &h->admin);
	must(h, &h->admin, GET); /* the request is out by now */
	if (r->cq)
		ring_cq(h, r->qid, r->value);
	else
		ring_sq(h, r->qid, r->value);
	a = take(h, &h->admin, true);
	say_name("doorbell.%s", r->name);
	say_answer(a);
	if (a.how == FATAL)
		return;
	tell(h, &h->admin, GET, "doorbell.%s.then.admin", r->name);
	tell(h, &h->io, rw(h, PHYR_NVME_CMD_READ, 0, 1), "doorbell.%s.then.read", r->name);
}

void ask_doorbells(struct probe *h)
{
	for (size_t i = 0; i < sizeof(rings) / sizeof(rings[0]); i++)
		try_ring(h, &rings[i]);
	host_off(h);
	ring_sq(h, 0, 1);
	ring_cq(h, 0, 1);
	say("doorbell.while.disabled csts=%08x", get32(h, PHYR_NVME_CSTS));
	host_on(h);
	tell(h, &h->admin, GET, "doorbell.while.disabled.then.enable");
}
