/* SPDX-License-Identifier: MIT */
/* A controller that mixes right answers with wrong ones: what is right. */
#include "nvme/liar.h"

#include <string.h>

/* NVM Express Base 2.0, 3.1.3 and PCIe 3.1.2, written down once more on purpose. */
enum { CAP = 0x00, VS = 0x08, CC = 0x14, CSTS = 0x1c, AQA = 0x24, ASQ = 0x28, ACQ = 0x30 };
enum { RDY = 1, CFS = 2 };
enum { DOORBELLS = 0x1000 };
enum { DELETE_SQ = 0, CREATE_SQ = 1, LOG = 2, DELETE_CQ = 4, CREATE_CQ = 5, IDENTIFY = 6 };
enum { ABORT = 8, SET_FEATURES = 9, GET_FEATURES = 10, ASYNC_EVENT = 12 };

uint32_t liar_get32(const unsigned char *sqe, unsigned offset)
{
	uint32_t v;

	memcpy(&v, sqe + offset, 4);
	return v;
}

uint64_t liar_get64(const unsigned char *sqe, unsigned offset)
{
	uint64_t v;

	memcpy(&v, sqe + offset, 8);
	return v;
}

static uint16_t cid_of(const unsigned char *sqe)
{
	return (uint16_t)(liar_get32(sqe, 0) >> 16);
}

bool liar_runs(const struct liar *e)
{
	return e->cc & 1 && !e->gone;
}

/*
 * Memory.
 */

/* After a lie the driver may rightly believe that memory is its own again. */
void liar_write(struct liar *e, uint64_t addr, const void *from, uint64_t len)
{
	if (e->owns(e->arg, addr, len))
		memcpy((void *)(uintptr_t)addr, from, len);
	else if (!e->lied)
		e->blame(e->arg, "the controller was left with an address that is not memory");
}

/*
 * Registers.
 */

static void set_up_admin(struct liar *e)
{
	struct liar_queue *q = &e->queues[0];

	q->sq = e->asq;
	q->cq = e->acq;
	q->entries = (e->aqa & 0xfff) + 1;
	q->cq_entries = (e->aqa >> 16 & 0xfff) + 1;
	q->phase = 1;
	q->sq_live = q->cq_live = true;
	if (!e->owns(e->arg, q->sq, q->entries * 64) || !e->owns(e->arg, q->cq, q->cq_entries * 16))
		e->blame(e->arg, "an admin queue that is not memory");
}

static void write_cc(struct liar *e, uint32_t value)
{
	bool was = e->cc & 1;

	e->cc = value;
	if (value >> 14 & 3)
		e->csts = (e->csts & ~12u) | 8;
	if (was == (value & 1))
		return;
	memset(e->queues, 0, sizeof(e->queues));
	e->nr_held = 0;
	e->lied = e->scribbled = false;
	e->csts = e->stuck ? e->csts & RDY : 0;
	if (value & 1) {
		e->enables++;
		set_up_admin(e);
		e->csts |= e->deaf ? 0 : RDY;
	}
}

/* The rings that a create command names are known from when it is written: doorbells follow. */
static void note_create(struct liar *e, const unsigned char *sqe)
{
	unsigned qid = liar_get32(sqe, 40) & 0xffff;
	uint32_t entries = (liar_get32(sqe, 40) >> 16) + 1;
	uint64_t base = liar_get64(sqe, 24);
	struct liar_queue *q = &e->queues[qid % LIAR_QUEUES];

	if (!qid || qid >= LIAR_QUEUES || entries > LIAR_ENTRIES)
		e->blame(e->arg, "a queue is created that was not asked for");
	if (sqe[0] == CREATE_CQ) {
		*q = (struct liar_queue){.cq = base, .cq_entries = entries, .phase = 1};
	} else {
		q->sq = base;
		q->entries = entries;
		q->tail = 0;
		q->first = q->nr_todo = 0;
	}
	if (!e->owns(e->arg, base, (uint64_t)entries * (sqe[0] == CREATE_CQ ? 16 : 64)))
		e->blame(e->arg, "a queue that is not memory");
}

static void note_command(struct liar *e, unsigned qid, uint32_t at)
{
	struct liar_queue *q = &e->queues[qid];
	struct liar_cmd *cmd = &q->todo[(q->first + q->nr_todo) % LIAR_ENTRIES];

	if (q->nr_todo == LIAR_ENTRIES)
		e->blame(e->arg, "more commands than a queue has entries");
	if (!e->owns(e->arg, q->sq + (uint64_t)at * 64, 64))
		e->blame(e->arg, "a doorbell of a queue whose memory is gone");
	cmd->qid = (uint16_t)qid;
	memcpy(cmd->sqe, (const void *)(uintptr_t)(q->sq + (uint64_t)at * 64), 64);
	q->nr_todo++;
	if (!qid && (cmd->sqe[0] == CREATE_SQ || cmd->sqe[0] == CREATE_CQ))
		note_create(e, cmd->sqe);
	e->submitted(e->arg, qid, cmd->sqe, e->scribbled || q->cq_tail != q->cq_head);
}

static void doorbell(struct liar *e, uint64_t index, uint32_t value)
{
	struct liar_queue *q = &e->queues[index / 2 % LIAR_QUEUES];

	if (index / 2 >= LIAR_QUEUES)
		e->blame(e->arg, "a doorbell of a queue that cannot be");
	if (index & 1) {
		e->bad_doorbells += value == q->cq_head || value >= q->cq_entries;
		q->cq_head = value;
		return;
	}
	/* It may have forgotten a queue that it said it had. */
	if (q->entries ? value >= q->entries : !e->lied)
		e->blame(e->arg, "a tail that is no entry of the queue");
	for (; q->entries && q->tail != value; q->tail = (q->tail + 1) % q->entries)
		note_command(e, (unsigned)(index / 2), q->tail);
}

static void check_access(struct liar *e, uint64_t offset, unsigned width)
{
	if ((width != 4 && width != 8) || offset % width || offset + width > e->regs.size)
		e->blame(e->arg, "an access outside of the registers, or off their alignment");
}

static void regs_write(struct phyr_regs *regs, uint64_t offset, uint64_t value, unsigned width)
{
	struct liar *e = (struct liar *)regs;

	check_access(e, offset, width);
	switch (offset) {
	case CC:
		write_cc(e, (uint32_t)value);
		break;
	case AQA:
		e->aqa = (uint32_t)value;
		break;
	case ASQ:
		e->asq = value;
		break;
	case ACQ:
		e->acq = value;
		break;
	default:
		if (offset >= DOORBELLS && e->cc & 1)
			doorbell(e, (offset - DOORBELLS) >> e->stride_lg2, (uint32_t)value);
	}
}

static uint64_t all_ones(unsigned width)
{
	return width == 8 ? UINT64_MAX : UINT32_MAX;
}

static uint64_t regs_read(struct phyr_regs *regs, uint64_t offset, unsigned width)
{
	struct liar *e = (struct liar *)regs;

	check_access(e, offset, width);
	if (e->gone)
		return all_ones(width);
	if (e->ones) {
		e->ones--;
		return all_ones(width);
	}
	switch (offset) {
	case CAP:
		e->stride_lg2 = 2 + (e->cap >> 32 & 0xf);
		return e->cap;
	case VS:
		return 0x20000;
	case CC:
		return e->cc;
	case CSTS:
		return e->csts;
	default:
		return 0;
	}
}

/*
 * Commands.
 */

void liar_scribbled(struct liar *e)
{
	e->lied = e->scribbled = true;
	e->scribbled_on(e->arg);
}

void liar_end(struct liar *e, unsigned qid, uint16_t sqid, uint16_t cid, uint16_t status,
	      uint64_t result)
{
	struct liar_queue *q = &e->queues[qid];
	uint64_t cqe[2] = {result, (uint64_t)sqid << 16 | (uint64_t)cid << 32 |
					   (uint64_t)q->phase << 48 | (uint64_t)status << 49};

	if (!q->cq)
		return;
	if (sqid == qid)
		e->answered(e->arg, qid, cid);
	if (q->cq_entries && (q->cq_tail + 1) % q->cq_entries == q->cq_head)
		liar_scribbled(e); /* over what was not taken yet */
	liar_write(e, q->cq + (uint64_t)q->cq_tail * 16, cqe, 16);
	if (++q->cq_tail >= q->cq_entries) {
		q->cq_tail = 0;
		q->phase ^= 1;
	}
}

bool liar_take(struct liar *e, struct liar_cmd *cmd)
{
	unsigned start = whim_below(e->whim, LIAR_QUEUES);

	for (unsigned i = 0; i < LIAR_QUEUES; i++) {
		struct liar_queue *q = &e->queues[(start + i) % LIAR_QUEUES];

		if (!q->nr_todo)
			continue;
		*cmd = q->todo[q->first];
		q->first = (q->first + 1) % LIAR_ENTRIES;
		q->nr_todo--;
		return true;
	}
	return false;
}

/* How many commands were held; the completion of an abort says whether it found its own. */
static uint64_t do_abort(struct liar *e, const unsigned char *sqe)
{
	uint32_t what = liar_get32(sqe, 40);

	for (unsigned i = 0; i < e->nr_held; i++) {
		struct liar_cmd cmd = e->held[i];

		if (cmd.qid != (what & 0xffff) || cid_of(cmd.sqe) != what >> 16)
			continue;
		e->held[i] = e->held[--e->nr_held];
		liar_end(e, cmd.qid, cmd.qid, cid_of(cmd.sqe), 0x07, 0);
		return 0;
	}
	return 1;
}

static void drop_queue(struct liar *e, unsigned qid, bool cq)
{
	struct liar_queue *q = &e->queues[qid % LIAR_QUEUES];
	unsigned kept = 0;

	for (unsigned i = 0; i < e->nr_held; i++)
		if (e->held[i].qid != qid)
			e->held[kept++] = e->held[i];
	e->nr_held = kept;
	if (cq)
		memset(q, 0, sizeof(*q));
	q->nr_todo = 0;
	q->sq = 0;
	q->sq_live = false;
	q->entries = 0;
}

static void do_admin(struct liar *e, const unsigned char *sqe, uint16_t status)
{
	uint32_t cdw10 = liar_get32(sqe, 40);
	bool well = !(status & 0x7ff); /* More, Do Not Retry and a delay do not make it fail */
	uint64_t result = 0;

	if (sqe[0] == IDENTIFY && well && liar_get64(sqe, 24)) /* a caller may pass no data */
		liar_write(e, liar_get64(sqe, 24), (cdw10 & 0xff) == 1 ? e->ctrl : e->ns, 4096);
	if (sqe[0] == SET_FEATURES || sqe[0] == GET_FEATURES)
		result = (LIAR_QUEUES - 2) | (LIAR_QUEUES - 2) << 16;
	if (sqe[0] == ABORT && well)
		result = do_abort(e, sqe);
	if (sqe[0] == CREATE_SQ && well)
		e->queues[cdw10 % LIAR_QUEUES].sq_live = true;
	if (sqe[0] == CREATE_CQ && well)
		e->queues[cdw10 % LIAR_QUEUES].cq_live = true;
	if ((sqe[0] == DELETE_SQ || sqe[0] == DELETE_CQ) && well)
		drop_queue(e, cdw10 & 0xffff, sqe[0] == DELETE_CQ);
	liar_end(e, 0, 0, cid_of(sqe), status, result);
}

void liar_do(struct liar *e, const struct liar_cmd *cmd, uint16_t status)
{
	if (!cmd->qid && cmd->sqe[0] == ASYNC_EVENT && !status && e->nr_held < LIAR_HELD)
		e->held[e->nr_held++] = *cmd; /* until something happens */
	else if (!cmd->qid)
		do_admin(e, cmd->sqe, status);
	else
		liar_end(e, cmd->qid, cmd->qid, cid_of(cmd->sqe), status, 0);
}

void liar_step(struct liar *e)
{
	struct liar_cmd cmd;

	if (!liar_runs(e))
		return;
	e->steps++;
	if (e->temper && whim_one_in(e->whim, e->temper)) {
		e->lies++;
		liar_lie(e);
	} else if (e->csts == RDY && liar_take(e, &cmd)) {
		liar_do(e, &cmd, 0);
	}
}

static void put(unsigned char *data, unsigned offset, unsigned width, uint64_t value)
{
	memcpy(data + offset, &value, width);
}

void liar_init(struct liar *e, struct whim *whim, unsigned temper)
{
	memset(e, 0, sizeof(*e));
	e->regs = (struct phyr_regs){.size = 0x2000, .read = regs_read, .write = regs_write};
	e->whim = whim;
	e->temper = temper;
	/* MQES 62, contiguous queues, TO 0, NVM command set, pages of 4 KiB to 64 KiB. */
	e->cap = (LIAR_ENTRIES - 1) | UINT64_C(1) << 16 | UINT64_C(1) << 37 | UINT64_C(4) << 52;
	memset(e->ctrl + 4, ' ', 68);
	put(e->ctrl, 77, 1, 5);
	put(e->ctrl, 258, 1, 3); /* ACL */
	put(e->ctrl, 259, 1, 3); /* AERL */
	put(e->ctrl, 512, 1, 0x66);
	put(e->ctrl, 513, 1, 0x44);
	put(e->ctrl, 516, 4, 1);
	put(e->ctrl, 520, 2, 0x0d); /* ONCS: compare, DSM, write zeroes */
	put(e->ctrl, 525, 1, 1);
	put(e->ns, 0, 8, 4096);
	put(e->ns, 8, 8, 4096);
	put(e->ns, 130, 1, 9);
}
