/* SPDX-License-Identifier: MIT */
/* Questions about data pointers, completions, and memory that is not mapped. */
#include "probe.h"

#include <string.h>

static struct phyr_nvme_sqe read_pages(struct probe *h, unsigned pages)
{
	return rw(h, PHYR_NVME_CMD_READ, 0, pages * PAGE / h->block);
}

static uint64_t *entries(struct probe *h)
{
	return (uint64_t *)(void *)h->list;
}

static void ask_prp1(struct probe *h)
{
	static const unsigned offsets[] = {1, 2, 3, 4, 8, 0x800, 0xffc, 0xfff};

	for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
		struct phyr_nvme_sqe cmd = rw(h, PHYR_NVME_CMD_READ, 0, 1);

		cmd.prp1 += offsets[i];
		cmd.prp2 = h->buf_dma + PAGE;
		tell(h, &h->io, cmd, "prp1.offset.%x", offsets[i]);
	}
}

static void ask_prp2(struct probe *h)
{
	static const unsigned offsets[] = {1, 4, 8, 0x800};

	for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
		struct phyr_nvme_sqe cmd = read_pages(h, 2);

		cmd.prp2 += offsets[i];
		tell(h, &h->io, cmd, "prp2.page.offset.%x", offsets[i]);
		cmd = read_pages(h, 4);
		memmove(h->list + offsets[i], h->list, 64);
		cmd.prp2 += offsets[i];
		tell(h, &h->io, cmd, "prp2.list.offset.%x", offsets[i]);
		cmd = read_pages(h, 4);
		entries(h)[1] += offsets[i];
		tell(h, &h->io, cmd, "list.entry.offset.%x", offsets[i]);
	}
	for (unsigned i = 0; i < 2; i++) {
		struct phyr_nvme_sqe cmd = read_pages(h, i ? 1 : 2);

		cmd.prp2 = i ? 7 : 0;
		tell(h, &h->io, cmd, i ? "prp2.unused.odd" : "prp2.missing");
	}
}

/* A list that begins at the end of a page, and goes on in the next. */
static void ask_chain(struct probe *h)
{
	static const unsigned offsets[] = {0, 4, 8, 0x100};

	for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
		struct phyr_nvme_sqe cmd = read_pages(h, 5);

		entries(h)[510] = h->buf_dma + PAGE;
		entries(h)[511] = h->list_dma + PAGE + offsets[i];
		for (unsigned k = 0; k < 8; k++)
			entries(h)[512 + offsets[i] / 8 + k] =
				h->buf_dma + (2 + k) * (uint64_t)PAGE;
		cmd.prp2 = h->list_dma + 510 * 8;
		tell(h, &h->io, cmd, "chain.offset.%x", offsets[i]);
	}
	for (unsigned last = 3; last < 5; last++) {
		struct phyr_nvme_sqe cmd = read_pages(h, last);

		entries(h)[510] = h->buf_dma + PAGE;
		entries(h)[511] = last == 3 ? h->buf_dma + 2 * PAGE : h->list_dma + PAGE;
		entries(h)[512] = h->buf_dma + 2 * PAGE;
		entries(h)[513] = h->buf_dma + 3 * PAGE;
		cmd.prp2 = h->list_dma + 510 * 8;
		tell(h, &h->io, cmd, "chain.last.entry.of.%u.pages", last);
	}
}

/* With larger pages the whole list is another. */
static void ask_page_size(struct probe *h)
{
	uint32_t cc = GOOD_CC | PHYR_NVME_CC_MPS(1);
	struct phyr_nvme_sqe cmd;

	host_off(h);
	if (!PHYR_NVME_CAP_MPSMAX(h->cap) || !host_enable(h, cc)) {
		say("page.8k not there");
		return;
	}
	tell(h, &h->admin, create_cq(&h->io), "page.8k.create.cq");
	tell(h, &h->admin, create_sq(&h->io, 1), "page.8k.create.sq");
	cmd = read_pages(h, 2);
	cmd.prp2 = 0;
	tell(h, &h->io, cmd, "page.8k.one");
	cmd = read_pages(h, 4);
	cmd.prp2 = h->buf_dma + 2 * PAGE;
	tell(h, &h->io, cmd, "page.8k.two");
	cmd.prp2 = h->buf_dma + 3 * PAGE;
	tell(h, &h->io, cmd, "page.8k.offset.4k");
}

void ask_prp(struct probe *h)
{
	host_io(h);
	ask_prp1(h);
	ask_prp2(h);
	ask_chain(h);
	ask_page_size(h);
}

/* The entry's own fields, around the ring twice. */
static void ask_entries(struct probe *h)
{
	for (unsigned i = 0; i < 2 * IO_SIZE + 2; i++) {
		uint16_t cid = push(h, &h->io, rw(h, PHYR_NVME_CMD_READ, i, 1));
		struct answer a;

		ring(h, &h->io);
		a = take(h, &h->io, true);
		say("entry.%u sqhd=%u sqid=%u cid=%s", i, a.sqhd, a.sqid,
		    a.cid == cid ? "same" : "other");
	}
}

/* The head is told of no more: so many entries come, and the rest when it is. */
static void ask_full(struct probe *h)
{
	unsigned came = 0;

	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < IO_SIZE - 2; i++)
			push(h, &h->io, rw(h, PHYR_NVME_CMD_READ, 0, 1));
		ring(h, &h->io);
		while (take(h, &h->io, false).how == ANSWERED)
			came++;
	}
	say("full.came %u", came);
	ring_cq(h, h->io.id, h->io.head);
	for (came = 0; take(h, &h->io, true).how == ANSWERED;)
		came++;
	say("full.came.when.told %u", came);
}

/* Ids that are out already; commands in flight when the controller is disabled. */
static void ask_odd(struct probe *h)
{
	unsigned came = 0;

	h->cid = 41;
	push(h, &h->io, rw(h, PHYR_NVME_CMD_READ, 0, 1));
	h->cid = 41;
	push(h, &h->io, rw(h, PHYR_NVME_CMD_READ, 1, 1));
	ring(h, &h->io);
	for (struct answer a; (a = take(h, &h->io, true)).how == ANSWERED; came++)
		say("same.id.%u %03x", came, a.status & 0x7ff);
	for (unsigned i = 0; i < 8; i++)
		push(h, &h->io,
		     rw(h, PHYR_NVME_CMD_READ, 0, (uint32_t)(h->max_transfer / h->block)));
	ring(h, &h->io);
	host_off(h);
	say("reset.in.flight csts=%08x", get32(h, PHYR_NVME_CSTS));
	say("reset.then %s", take(h, &h->io, false).how == ANSWERED ? "a completion" : "silence");
	host_io(h);
	tell(h, &h->io, rw(h, PHYR_NVME_CMD_READ, 0, 1), "reset.then.read");
}

void ask_completions(struct probe *h)
{
	host_io(h);
	ask_entries(h);
	ask_full(h);
	host_io(h);
	ask_odd(h);
}

static void ask_unmapped_data(struct probe *h)
{
	struct phyr_nvme_sqe cmd = rw(h, PHYR_NVME_CMD_READ, 0, 1);

	cmd.prp1 = h->nowhere.addr;
	tell(h, &h->io, cmd, "unmapped.read");
	cmd.opc = PHYR_NVME_CMD_WRITE;
	tell(h, &h->io, cmd, "unmapped.write");
	cmd.opc = PHYR_NVME_CMD_COMPARE;
	tell(h, &h->io, cmd, "unmapped.compare");
	cmd = read_pages(h, 2);
	cmd.prp2 = h->nowhere.addr;
	tell(h, &h->io, cmd, "unmapped.second.page");
	cmd = read_pages(h, 4);
	entries(h)[1] = h->nowhere.addr;
	tell(h, &h->io, cmd, "unmapped.list.entry");
	cmd = read_pages(h, 4);
	cmd.prp2 = h->nowhere.addr;
	tell(h, &h->io, cmd, "unmapped.list");
	cmd = sqe(.opc = PHYR_NVME_CMD_DSM, .nsid = 1, .prp1 = h->nowhere.addr,
		  .cdw11 = PHYR_NVME_DSM_AD);
	tell(h, &h->io, cmd, "unmapped.dsm");
	cmd = sqe(.opc = PHYR_NVME_ADMIN_IDENTIFY, .prp1 = h->nowhere.addr,
		  .cdw10 = PHYR_NVME_CNS_CTRL);
	tell(h, &h->admin, cmd, "unmapped.identify");
	tell(h, &h->io, rw(h, PHYR_NVME_CMD_READ, 0, 1), "unmapped.then.read");
}

/* A zero where data was to come from: what an unmapped write leaves. */
static void ask_unmapped_write(struct probe *h)
{
	struct phyr_nvme_sqe cmd;

	memset(h->buf, 0x77, h->block);
	must(h, &h->io, rw(h, PHYR_NVME_CMD_WRITE, 9, 1));
	cmd = rw(h, PHYR_NVME_CMD_WRITE, 9, 1);
	cmd.prp1 = h->nowhere.addr;
	ask(h, &h->io, cmd);
	must(h, &h->io, rw(h, PHYR_NVME_CMD_READ, 9, 1));
	say("unmapped.write.leaves %02x", h->buf[0]);
}

static void ask_unmapped_queues(struct probe *h)
{
	struct phyr_nvme_sqe cmd;

	host_on(h);
	cmd = create_cq(&h->io);
	cmd.prp1 = h->nowhere.addr;
	tell(h, &h->admin, cmd, "unmapped.cq.create");
	tell(h, &h->admin, create_sq(&h->io, 1), "unmapped.cq.create.sq");
	tell(h, &h->io, rw(h, PHYR_NVME_CMD_READ, 0, 1), "unmapped.cq.read");
	host_on(h);
	must(h, &h->admin, create_cq(&h->io));
	cmd = create_sq(&h->io, 1);
	cmd.prp1 = h->nowhere.addr;
	tell(h, &h->admin, cmd, "unmapped.sq.create");
	tell(h, &h->io, rw(h, PHYR_NVME_CMD_READ, 0, 1), "unmapped.sq.read");
	host_off(h);
	set64(h, PHYR_NVME_ASQ, h->nowhere.addr);
	say("unmapped.asq.enable %s", host_enable(h, GOOD_CC) ? "ready" : "not ready");
	say_name("unmapped.asq.command");
	say_answer(ask(h, &h->admin, sqe(.opc = PHYR_NVME_ADMIN_GET_FEATURES, .cdw10 = 1)));
}

void ask_unmapped(struct probe *h)
{
	host_io(h);
	ask_unmapped_data(h);
	host_io(h);
	ask_unmapped_write(h);
	ask_unmapped_queues(h);
}
