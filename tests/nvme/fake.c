/* SPDX-License-Identifier: MIT */
/* A controller that does what it is told to do wrong. */
#include "nvme/fake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

/* Register offsets and bits, NVM Express Base 2.0 section 3.1.3, written down once more on purpose. */
enum { CAP = 0x00, VS = 0x08, CC = 0x14, CSTS = 0x1c, AQA = 0x24, ASQ = 0x28, ACQ = 0x30 };

void fake_put(unsigned char *data, unsigned offset, unsigned width, uint64_t value)
{
	memcpy(data + offset, &value, width);
}

static void reset(struct fake *f)
{
	memset(f->queues, 0, sizeof(f->queues));
	f->events = 0;
	f->csts = f->stuck_ready ? f->csts : 0;
}

static void set_up_admin(struct fake *f)
{
	f->queues[0] = (struct fake_queue){.sq = f->asq,
					   .cq = f->acq,
					   .entries = (f->aqa & 0xfff) + 1,
					   .phase = 1,
					   .live = true,
					   .interrupts = true};
}

static void enable(struct fake *f)
{
	if (f->enables++ && f->way_once)
		f->way = f->admin_way = FAKE_GOOD;
	set_up_admin(f);
	f->csts = f->never_ready ? 0 : f->fatal_enable ? 2 : 1;
	if (f->enabled)
		f->enabled(f);
}

static void write_cc(struct fake *f, uint32_t value)
{
	bool was = f->cc & 1;

	f->cc = value;
	if (was && !(value & 1)) {
		f->disables++;
		reset(f);
	} else if (value & 0xc000) {
		f->shutdowns++;
		f->csts = (f->csts & 1) | (f->never_shut ? 1 : 2) << 2;
	}
	if (!was && value & 1)
		enable(f);
}

static void doorbell(struct fake *f, uint64_t index, uint32_t value)
{
	struct fake_queue *q;

	if (index / 2 >= FAKE_QUEUES)
		return;
	q = &f->queues[index / 2];
	if (!q->live || value >= q->entries)
		f->bad_doorbells++;
	else {
		uint32_t *old = index & 1 ? &q->cq_head : &q->tail;

		f->bad_doorbells += value == *old;
		*old = value;
	}
}

static void strided_doorbell(struct fake *f, uint64_t offset, uint32_t value)
{
	unsigned lg2 = 2 + (f->cap >> 32 & 0xf);

	if (offset & ((UINT64_C(1) << lg2) - 1))
		f->bad_doorbells++;
	else
		doorbell(f, offset >> lg2, value);
}

static void fake_write(void *priv, uint64_t offset, uint64_t value, unsigned width)
{
	struct fake *f = priv;

	switch (offset) {
	case CC:
		write_cc(f, (uint32_t)value);
		break;
	case AQA:
		f->aqa = (uint32_t)value;
		break;
	case ASQ:
		f->asq = value;
		break;
	case ACQ:
		f->acq = value;
		break;
	default:
		if (offset >= 0x1000)
			strided_doorbell(f, offset - 0x1000, (uint32_t)value);
	}
}

static uint64_t fake_read(void *priv, uint64_t offset, unsigned width)
{
	struct fake *f = priv;

	if (f->gone)
		return width == 8 ? UINT64_MAX : UINT32_MAX;
	switch (offset) {
	case CAP:
		return f->cap;
	case VS:
		return 0x20000;
	case CC:
		return f->cc;
	case CSTS:
		return f->csts;
	default:
		return 0;
	}
}

static uint32_t get32(const unsigned char *sqe, unsigned offset)
{
	uint32_t v;

	memcpy(&v, sqe + offset, 4);
	return v;
}

static uint64_t get64(const unsigned char *sqe, unsigned offset)
{
	uint64_t v;

	memcpy(&v, sqe + offset, 8);
	return v;
}

static void complete(struct fake *f, unsigned id, unsigned sqid, uint16_t cid, uint16_t status,
		     uint32_t result, uint16_t head)
{
	struct fake_queue *q = &f->queues[id];
	uint64_t cqe[2] = {result, head | (uint64_t)sqid << 16 | (uint64_t)cid << 32 |
					   (uint64_t)q->phase << 48 | (uint64_t)status << 49};

	phyr_sim_dma_write(f->sdev, q->cq + q->cq_tail * 16, cqe, 16);
	if (++q->cq_tail == q->entries) {
		q->cq_tail = 0;
		q->phase ^= 1;
	}
	if (q->interrupts)
		phyr_sim_irq(f->sdev, q->vector);
}

/* Abort: a command that is held ends, as aborted or well; result 0. One that is not: result 1. */
static uint32_t abort_held(struct fake *f, unsigned id, uint16_t cid)
{
	struct fake_queue *q = &f->queues[id % FAKE_QUEUES];

	f->aborts++;
	for (unsigned i = 0; i < q->nr_held; i++) {
		if (q->held[i] != cid)
			continue;
		q->held[i] = q->held[--q->nr_held];
		complete(f, id, id, cid, f->way == FAKE_SLOW ? 0 : 0x07, 0, (uint16_t)q->head);
		return f->way == FAKE_SLOW;
	}
	return 1;
}

void fake_stray(struct fake *f, unsigned queue, uint16_t cid)
{
	complete(f, queue, queue, cid, 0, 0, (uint16_t)f->queues[queue].head);
}

void fake_event(struct fake *f, uint32_t result)
{
	assert_true(f->events > 0);
	complete(f, 0, 0, f->event_cids[--f->events], 0, result, (uint16_t)f->queues[0].head);
}

/* An admin command done well: its result; *status when it is refused. */
static uint32_t admin(struct fake *f, const unsigned char *sqe, uint16_t *status)
{
	uint32_t cdw10 = get32(sqe, 40);
	unsigned id = cdw10 & 0xffff;

	switch (sqe[0]) {
	case 0x06:
		phyr_sim_dma_write(f->sdev, get64(sqe, 24), id == 1 ? f->ctrl : f->ns, 4096);
		return 0;
	case 0x09:
		return f->granted;
	case 0x08:
		return abort_held(f, id, (uint16_t)(cdw10 >> 16));
	case 0x05: /* completion queue: memory only, until its submission queue comes */
		if (f->queues[id % FAKE_QUEUES].cq)
			*status = 0x101;
		f->queues[id % FAKE_QUEUES].cq = get64(sqe, 24);
		f->queues[id % FAKE_QUEUES].interrupts = get32(sqe, 44) & 2;
		f->queues[id % FAKE_QUEUES].vector = get32(sqe, 44) >> 16;
		return 0;
	case 0x01:
		f->queues[id % FAKE_QUEUES].sq = get64(sqe, 24);
		f->queues[id % FAKE_QUEUES].entries = (cdw10 >> 16) + 1;
		f->queues[id % FAKE_QUEUES].phase = 1;
		f->queues[id % FAKE_QUEUES].live = true;
		return 0;
	case 0x00:
		f->queues[id % FAKE_QUEUES].live = false;
		return 0;
	case 0x04:
		memset(&f->queues[id % FAKE_QUEUES], 0, sizeof(f->queues[0]));
		return 0;
	default:
		*status = 0x01;
		return 0;
	}
}

static void end_command(struct fake *f, unsigned id, enum fake_way way, uint16_t cid,
			uint16_t status, uint32_t result)
{
	uint16_t head = (uint16_t)f->queues[id].head;

	switch (way) {
	case FAKE_SILENT:
		return;
	case FAKE_HELD:
	case FAKE_SLOW:
		f->queues[id].held[f->queues[id].nr_held++ % 64] = cid;
		return;
	case FAKE_UNKNOWN_CID:
		complete(f, id, id, 0xfff0, 0, 0, head);
		return;
	case FAKE_IDLE_CID:
		complete(f, id, id, cid ^ 1, 0, 0, head);
		return;
	case FAKE_DOUBLE:
	case FAKE_OVERRUN:
		if (way == FAKE_OVERRUN || f->io_commands == 1)
			complete(f, id, id, cid, status, result, head);
		complete(f, id, id, cid, status, result, head);
		return;
	case FAKE_AGAIN:
		if (f->io_commands == 2)
			complete(f, id, id, f->first_cid, status, result, head);
		else
			complete(f, id, id, cid, status, result, head);
		f->first_cid = cid;
		return;
	case FAKE_OTHER_SQ:
		complete(f, id, id + 1, cid, status, result, head);
		return;
	case FAKE_BAD_HEAD:
		complete(f, id, id, cid, status, result, 0xffff);
		return;
	case FAKE_STATUS:
	case FAKE_REFUSE:
		complete(f, id, id, cid, f->status, result, head);
		return;
	case FAKE_CFS:
		f->csts |= 2;
		return;
	case FAKE_GONE:
		f->gone = true;
		return;
	default:
		complete(f, id, id, cid, status, result, head);
	}
}

static enum fake_way way_now(struct fake *f, unsigned id)
{
	enum fake_way way;

	if (id && f->good) {
		f->good--;
		return FAKE_GOOD;
	}
	if (id)
		return f->way;
	if (f->admin_good) {
		f->admin_good--;
		return FAKE_GOOD;
	}
	way = f->admin_way;
	if (f->admin_bad && !--f->admin_bad)
		f->admin_way = FAKE_GOOD;
	return way;
}

/* Keep an I/O command, and what it has to say. */
static void look(struct fake *f, const unsigned char *sqe)
{
	f->io_commands++;
	memcpy(f->last, sqe, 64);
	if (sqe[0] & 1 && get64(sqe, 24))
		phyr_sim_dma_read(f->sdev, get64(sqe, 24), f->data, 4096 - get64(sqe, 24) % 4096);
}

static void take(struct fake *f, unsigned id, uint16_t *cids, unsigned *nr)
{
	struct fake_queue *q = &f->queues[id];
	enum fake_way way = way_now(f, id);
	unsigned char sqe[64];
	uint16_t status = 0;
	uint32_t result = 0;

	phyr_sim_dma_read(f->sdev, q->sq + q->head * 64, sqe, 64);
	q->head = (q->head + 1) % q->entries;
	if (id)
		look(f, sqe);
	else if (sqe[0] == 0x0c && way == FAKE_GOOD) {
		f->event_cids[f->events++ % 64] = (uint16_t)(get32(sqe, 0) >> 16);
		return;
	} else if (way != FAKE_REFUSE)
		result = admin(f, sqe, &status);
	if (way == FAKE_LAST_FIRST)
		cids[(*nr)++] = (uint16_t)(get32(sqe, 0) >> 16);
	else
		end_command(f, id, way, (uint16_t)(get32(sqe, 0) >> 16), status, result);
}

static bool fake_step(void *priv)
{
	struct fake *f = priv;
	uint16_t cids[64];

	for (unsigned id = 0; id < FAKE_QUEUES; id++) {
		unsigned nr = 0;

		while (f->queues[id].live && f->csts == 1 && !f->gone &&
		       f->queues[id].head != f->queues[id].tail && nr < 64)
			take(f, id, cids, &nr);
		while (nr)
			end_command(f, id, FAKE_GOOD, cids[--nr], 0, 0);
	}
	return false;
}

static const struct phyr_sim_dev_ops fake_ops = {
	.mmio_read = fake_read,
	.mmio_write = fake_write,
	.step = fake_step,
};

void fake_init(struct fake *fake, struct phyr_sim *sim, uint32_t source)
{
	memset(fake, 0, sizeof(*fake));
	fake->sim = sim;
	/* MQES 63, contiguous queues, TO 0, NVM command set, pages of 4 KiB to 64 KiB. */
	fake->cap = 63 | UINT64_C(1) << 16 | UINT64_C(1) << 37 | UINT64_C(4) << 52;
	fake->granted = 1 | 1 << 16;
	memset(fake->ctrl + 4, ' ', 68);
	memcpy(fake->ctrl + 4, "S1", 2);
	memcpy(fake->ctrl + 24, "fake", 4);
	fake_put(fake->ctrl, 77, 1, 8);
	fake_put(fake->ctrl, 512, 1, 0x66);
	fake_put(fake->ctrl, 513, 1, 0x44);
	fake_put(fake->ctrl, 516, 4, 1);
	fake_put(fake->ctrl, 258, 1, 3);   /* ACL: four aborts */
	fake_put(fake->ctrl, 520, 2, 0xd); /* ONCS: compare, dataset management, write zeroes */
	fake_put(fake->ns, 0, 8, 1000);
	fake_put(fake->ns, 130, 1, 9);
	assert_int_equal(phyr_sim_dev_add(sim, &fake_ops, fake, source, &fake->sdev), 0);
}

void fake_fini(struct fake *fake)
{
	phyr_sim_dev_remove(fake->sdev);
}
