/* SPDX-License-Identifier: MIT */
/* Creating and deleting I/O queues: what is refused, with which status. base 5.4 to 5.7. */
#include "conformity/nvme/host.h"

#define QUEUES 4

static int setup(void **state)
{
	struct phyr_sim_nvme_config config = {.queues = QUEUES};
	struct host *h = host_create(&config, NULL, 0);

	*state = h;
	host_admin_queues(h, 32);
	host_enable(h);
	host_add_cq(h, &h->cq, 1, 16);
	host_add_sq(h, &h->sq, 1, 16, 1);
	return 0;
}

/* A command to create queue 2, wrong in one place. */
struct row {
	const char *name;
	uint32_t cdw10_and, cdw10_or;
	uint32_t cdw11_and, cdw11_or;
	uint64_t prp1_or;
	unsigned want, or ;
};

#define KEEP 0xffffffffu

static struct sqe bend(struct sqe cmd, const struct row *row)
{
	cmd.cdw10 = (cmd.cdw10 & row->cdw10_and) | row->cdw10_or;
	cmd.cdw11 = (cmd.cdw11 & row->cdw11_and) | row->cdw11_or;
	cmd.prp1 |= row->prp1_or;
	return cmd;
}

/* base 5.4, figures 149 to 152; pcie 3.2 for the vector. */
static const struct row bad_cq[] = {
	{"QID 0", 0xffff0000, 0, KEEP, 0, 0, INVALID_QID, INVALID_QID},
	{"QID in use", 0xffff0000, 1, KEEP, 0, 0, INVALID_QID, INVALID_QID},
	{"QID beyond Number of Queues", 0xffff0000, QUEUES + 1, KEEP, 0, 0, INVALID_QID,
	 INVALID_QID},
	{"QID FFFFh", 0xffff0000, 0xffff, KEEP, 0, 0, INVALID_QID, INVALID_QID},
	{"QSIZE 0: one entry", 0x0000ffff, 0, KEEP, 0, 0, INVALID_QUEUE_SIZE, INVALID_QUEUE_SIZE},
	{"PRP1 off a page", KEEP, 0, KEEP, 0, 0x40, PRP_OFFSET_INVALID, INVALID_FIELD},
	{"vector FFFFh", KEEP, 0, 0x0000ffff, 0xffff0002, 0, INVALID_VECTOR, INVALID_VECTOR},
	{"vector 2048", KEEP, 0, 0x0000ffff, 0x08000002, 0, INVALID_VECTOR, INVALID_VECTOR},
};

static void bad_completion_queues_are_refused(void **state)
{
	struct host *h = *state;
	struct cq cq;

	host_cq_init(h, &cq, 2, 16);
	for (unsigned i = 0; i < sizeof(bad_cq) / sizeof(bad_cq[0]); i++) {
		print_message("  %s\n", bad_cq[i].name);
		assert_either(host_admin(h, bend(create_cq(h, &cq, false, 0), &bad_cq[i])),
			      bad_cq[i].want, bad_cq[i].or);
	}
	assert_status(host_admin(h, create_cq(h, &cq, false, 0)), SUCCESS);
}

/* base 5.5, figures 153 to 157. */
static const struct row bad_sq[] = {
	{"QID 0", 0xffff0000, 0, KEEP, 0, 0, INVALID_QID, INVALID_QID},
	{"QID in use", 0xffff0000, 1, KEEP, 0, 0, INVALID_QID, INVALID_QID},
	{"QID beyond Number of Queues", 0xffff0000, QUEUES + 1, KEEP, 0, 0, INVALID_QID,
	 INVALID_QID},
	{"QID FFFFh", 0xffff0000, 0xffff, KEEP, 0, 0, INVALID_QID, INVALID_QID},
	{"QSIZE 0: one entry", 0x0000ffff, 0, KEEP, 0, 0, INVALID_QUEUE_SIZE, INVALID_QUEUE_SIZE},
	{"PRP1 off a page", KEEP, 0, KEEP, 0, 0x40, PRP_OFFSET_INVALID, INVALID_FIELD},
	{"CQID 0: the admin queue", KEEP, 0, 0x0000ffff, 0, 0, INVALID_QID, CQ_INVALID},
	{"CQID of no queue", KEEP, 0, 0x0000ffff, 3u << 16, 0, CQ_INVALID, CQ_INVALID},
	{"CQID out of range", KEEP, 0, 0x0000ffff, 0xffffu << 16, 0, INVALID_QID, CQ_INVALID},
};

static void bad_submission_queues_are_refused(void **state)
{
	struct host *h = *state;
	struct sq sq;

	host_sq_init(h, &sq, 2, 16);
	for (unsigned i = 0; i < sizeof(bad_sq) / sizeof(bad_sq[0]); i++) {
		print_message("  %s\n", bad_sq[i].name);
		assert_either(host_admin(h, bend(create_sq(h, &sq, 1), &bad_sq[i])), bad_sq[i].want,
			      bad_sq[i].or);
	}
	assert_status(host_admin(h, create_sq(h, &sq, 1)), SUCCESS);
}

/* base 5.4, 5.5: larger than CAP.MQES + 1: Invalid Queue Size. */
static void too_large_queues_are_refused(void **state)
{
	struct host *h = *state;
	uint32_t mqes = h->cap & 0xffff;
	struct sqe cq, sq;

	if (mqes == 0xffff)
		skip();
	cq = sqe(.opc = CREATE_CQ, .prp1 = host_addr(h, host_mem(h, 1 << 20)),
		 .cdw10 = (mqes + 1) << 16 | 2, .cdw11 = 1);
	sq = sqe(.opc = CREATE_SQ, .prp1 = cq.prp1, .cdw10 = cq.cdw10, .cdw11 = 1u << 16 | 1);
	assert_status(host_admin(h, cq), INVALID_QUEUE_SIZE);
	assert_status(host_admin(h, sq), INVALID_QUEUE_SIZE);
}

/* base 5.4, 5.5: PC cleared with CAP.CQR set: Invalid Field in Command. */
static void queues_in_pieces_are_refused(void **state)
{
	struct host *h = *state;
	struct sqe cmd;
	struct cq cq;
	struct sq sq;

	if (!(h->cap >> 16 & 1))
		skip();
	host_cq_init(h, &cq, 2, 16);
	host_sq_init(h, &sq, 2, 16);
	cmd = create_cq(h, &cq, false, 0);
	cmd.cdw11 &= ~1u;
	assert_status(host_admin(h, cmd), INVALID_FIELD);
	cmd = create_sq(h, &sq, 1);
	cmd.cdw11 &= ~1u;
	assert_status(host_admin(h, cmd), INVALID_FIELD);
}

/* base 3.1.3.5: queues before CC.IOCQES and CC.IOSQES are set: Invalid Queue Size. */
static void entry_sizes_come_first(void **state)
{
	struct host *h = *state;
	struct cq cq;

	host_disable(h);
	h->cc = CC_EN;
	host_admin_queues(h, 16);
	host_enable(h);
	host_cq_init(h, &cq, 1, 16);
	assert_status(host_admin(h, create_cq(h, &cq, false, 0)), INVALID_QUEUE_SIZE);
	set32(h, CC, CC_EN | CC_IOCQES);
	assert_status(host_admin(h, create_cq(h, &cq, false, 0)), SUCCESS);
	host_sq_init(h, &h->sq, 1, 16);
	assert_status(host_admin(h, create_sq(h, &h->sq, 1)), INVALID_QUEUE_SIZE);
}

/* base 5.5: QPRIO (CDW11 2:1) is ignored unless weighted round robin is selected. */
static void priority_is_ignored_in_round_robin(void **state)
{
	struct host *h = *state;
	struct sqe cmd;
	struct sq sq;

	host_sq_init(h, &sq, 2, 16);
	cmd = create_sq(h, &sq, 1);
	cmd.cdw11 |= 3u << 1;
	assert_status(host_admin(h, cmd), SUCCESS);
	assert_status(host_exec(h, &sq, &h->cq, sqe(.opc = FLUSH, .nsid = 1)), SUCCESS);
}

/* base 5.6: a completion queue that submission queues use: Invalid Queue Deletion. */
static void used_completion_queue_stays(void **state)
{
	struct host *h = *state;

	assert_status(host_admin(h, delete_cq(1)), INVALID_DELETION);
	assert_status(host_cmd(h, sqe(.opc = FLUSH, .nsid = 1)), SUCCESS);
	assert_status(host_admin(h, delete_sq(1)), SUCCESS);
	assert_status(host_admin(h, delete_cq(1)), SUCCESS);
}

/* base 5.6, 5.7: the admin queues, and queues that are not there: Invalid Queue Identifier. */
static void deleting_no_queue_is_refused(void **state)
{
	static const uint16_t id[] = {0, 2, QUEUES + 1, 0xffff};
	struct host *h = *state;

	for (unsigned i = 0; i < sizeof(id) / sizeof(id[0]); i++) {
		assert_status(host_admin(h, delete_sq(id[i])), INVALID_QID);
		assert_status(host_admin(h, delete_cq(id[i])), INVALID_QID);
	}
}

/* base 5.7: twice the same. */
static void queue_is_deleted_once(void **state)
{
	struct host *h = *state;

	assert_status(host_admin(h, delete_sq(1)), SUCCESS);
	assert_status(host_admin(h, delete_sq(1)), INVALID_QID);
}

/* base 5.4, 5.5: a deleted identifier can be used again; the new queues start at entry 0. */
static void identifiers_can_be_used_again(void **state)
{
	struct host *h = *state;

	for (unsigned i = 0; i < 3; i++) {
		assert_status(host_cmd(h, sqe(.opc = FLUSH, .nsid = 1)), SUCCESS);
		assert_status(host_admin(h, delete_sq(1)), SUCCESS);
		assert_status(host_admin(h, delete_cq(1)), SUCCESS);
		host_add_cq(h, &h->cq, 1, 16);
		host_add_sq(h, &h->sq, 1, 16, 1);
	}
	assert_int_equal(host_cmd(h, sqe(.opc = FLUSH, .nsid = 1)).sqhd, 1);
}

/* base 5.7: nothing more is posted for a queue once its deletion is complete. */
static void deleted_queue_posts_nothing(void **state)
{
	struct host *h = *state;
	unsigned posted = 0;
	struct cqe c;

	for (unsigned i = 0; i < 10; i++)
		host_push(h, &h->sq, sqe(.opc = FLUSH, .nsid = 1));
	host_doorbell_sq(h, 1, h->sq.tail);
	assert_status(host_admin(h, delete_sq(1)), SUCCESS);
	while (host_reap(h, &h->cq, &c)) {
		assert_either(c, SUCCESS, SQ_DELETED);
		posted++;
	}
	assert_true(posted <= 10);
	host_doorbell_sq(h, 1, 12);
	host_idle(h, &h->cq);
	identify(h, 1, 0);
}

/* base 3.3.1: submission and completion queue identifiers need not be equal. */
static void identifiers_of_pairs_may_differ(void **state)
{
	struct host *h = *state;
	struct sq sq;
	struct cq cq;

	host_add_cq(h, &cq, 4, 16);
	host_add_sq(h, &sq, 2, 16, 4);
	assert_status(host_exec(h, &sq, &cq, sqe(.opc = FLUSH, .nsid = 1)), SUCCESS);
}

/* base 3.3.3.1: NSID given to commands that use none (5, figure 138): Invalid Field in Command. */
static void unused_nsid_is_refused(void **state)
{
	static const uint32_t nsid[] = {1, 77, NSID_ALL};
	struct host *h = *state;
	struct cq cq;
	struct sq sq;

	host_cq_init(h, &cq, 2, 16);
	host_sq_init(h, &sq, 2, 16);
	for (unsigned i = 0; i < 3; i++) {
		const struct sqe cmd[] = {
			create_cq(h, &cq, false, 0),
			create_sq(h, &sq, 1),
			delete_sq(1),
			sqe(.opc = ABORT, .cdw10 = 0x12340001),
			sqe(.opc = ASYNC_EVENT),
		};

		for (unsigned k = 0; k < sizeof(cmd) / sizeof(cmd[0]); k++) {
			struct sqe bad = cmd[k];

			bad.nsid = nsid[i];
			assert_status(host_admin(h, bad), INVALID_FIELD);
		}
	}
	assert_status(host_cmd(h, sqe(.opc = FLUSH, .nsid = 1)), SUCCESS);
	assert_status(host_admin(h, create_sq(h, &sq, 2)), CQ_INVALID); /* none was made */
	assert_status(host_admin(h, delete_sq(1)), SUCCESS);
	assert_status(host_admin(h, sqe(.opc = DELETE_CQ, .nsid = 1, .cdw10 = 1)), INVALID_FIELD);
	assert_status(host_admin(h, delete_cq(1)), SUCCESS);
}

#define t(test) cmocka_unit_test_setup_teardown(test, setup, host_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		t(bad_completion_queues_are_refused),
		t(bad_submission_queues_are_refused),
		t(too_large_queues_are_refused),
		t(queues_in_pieces_are_refused),
		t(entry_sizes_come_first),
		t(priority_is_ignored_in_round_robin),
		t(used_completion_queue_stays),
		t(deleting_no_queue_is_refused),
		t(queue_is_deleted_once),
		t(identifiers_can_be_used_again),
		t(deleted_queue_posts_nothing),
		t(identifiers_of_pairs_may_differ),
		t(unused_nsid_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
