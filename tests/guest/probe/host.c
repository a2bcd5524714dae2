/* SPDX-License-Identifier: MIT */
/* The probe's host: registers, queues, commands, without a look at what is asked. */
#include "probe.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define READY_NS   (5000 * MS)
#define PAIR_BYTES (64u << 10)

_Noreturn void give_up(const char *what, int err)
{
	fflush(stdout);
	fprintf(stderr, "nvme_probe: %s: %s\n", what, strerror(-err));
	exit(1);
}

uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

uint32_t get32(struct probe *h, uint64_t offset)
{
	return (uint32_t)phyr_regs_read(h->regs, offset, 4);
}

uint64_t get64(struct probe *h, uint64_t offset)
{
	return phyr_regs_read(h->regs, offset, 8);
}

void set32(struct probe *h, uint64_t offset, uint32_t value)
{
	phyr_regs_write(h->regs, offset, value, 4);
}

void set64(struct probe *h, uint64_t offset, uint64_t value)
{
	phyr_regs_write(h->regs, offset, value, 8);
}

void relax(struct probe *h)
{
	struct timespec ts = {.tv_nsec = 20000};

	nanosleep(&ts, NULL);
}

bool reg_is(struct probe *h, uint64_t offset, uint32_t mask, uint32_t value)
{
	uint64_t end = now_ns() + READY_NS;

	while ((get32(h, offset) & mask) != value) {
		if (now_ns() > end)
			return false;
		relax(h);
	}
	return true;
}

void host_off(struct probe *h)
{
	set32(h, PHYR_NVME_CC, 0);
	if (!reg_is(h, PHYR_NVME_CSTS, PHYR_NVME_CSTS_RDY, 0))
		give_up("the controller cannot be disabled", -ETIMEDOUT);
	pair_reset(&h->admin);
	pair_reset(&h->io);
	set32(h, PHYR_NVME_AQA,
	      PHYR_NVME_AQA_ASQS(h->admin.entries - 1) | PHYR_NVME_AQA_ACQS(h->admin.entries - 1));
	set64(h, PHYR_NVME_ASQ, h->admin.sq_dma);
	set64(h, PHYR_NVME_ACQ, h->admin.cq_dma);
}

bool host_enable(struct probe *h, uint32_t cc)
{
	uint64_t end = now_ns() + READY_NS;

	set32(h, PHYR_NVME_CC, cc | PHYR_NVME_CC_EN);
	while (!(get32(h, PHYR_NVME_CSTS) & (PHYR_NVME_CSTS_RDY | PHYR_NVME_CSTS_CFS))) {
		if (now_ns() > end)
			return false;
		relax(h);
	}
	return (get32(h, PHYR_NVME_CSTS) & (PHYR_NVME_CSTS_RDY | PHYR_NVME_CSTS_CFS)) ==
	       PHYR_NVME_CSTS_RDY;
}

void host_on(struct probe *h)
{
	host_off(h);
	if (!host_enable(h, GOOD_CC))
		give_up("the controller cannot be enabled", -ETIMEDOUT);
}

void host_io(struct probe *h)
{
	host_on(h);
	must(h, &h->admin, create_cq(&h->io));
	must(h, &h->admin, create_sq(&h->io, h->io.id));
}

void pair_reset(struct pair *q)
{
	memset(q->sq, 0, q->entries * sizeof(*q->sq));
	memset((void *)(uintptr_t)q->cq, 0, q->entries * sizeof(*q->cq));
	q->tail = q->head = q->nr_early = 0;
	q->phase = 1;
}

void pair_make(struct probe *h, struct pair *q, unsigned id, unsigned entries)
{
	*q = (struct pair){.id = id, .entries = entries};
	/* more than they need, to lie on a page of any size that a controller has */
	q->sq = phyr_dma_alloc(h->dev, PAIR_BYTES, &q->sq_dma);
	q->cq = phyr_dma_alloc(h->dev, PAIR_BYTES, &q->cq_dma);
	if (!q->sq || !q->cq)
		give_up("memory for a queue", -ENOMEM);
	pair_reset(q);
}

void pair_free(struct probe *h, struct pair *q)
{
	phyr_dma_free(h->dev, PAIR_BYTES, q->sq, q->sq_dma);
	phyr_dma_free(h->dev, PAIR_BYTES, (void *)(uintptr_t)q->cq, q->cq_dma);
}

uint16_t push(struct probe *h, struct pair *q, struct phyr_nvme_sqe cmd)
{
	cmd.cid = ++h->cid;
	q->sq[q->tail] = cmd;
	q->tail = (q->tail + 1) % q->entries;
	return cmd.cid;
}

static unsigned stride_lg2(const struct probe *h)
{
	return 2 + PHYR_NVME_CAP_DSTRD(h->cap);
}

void ring_sq(struct probe *h, unsigned qid, uint32_t value)
{
	set32(h, PHYR_NVME_SQTDBL(qid, stride_lg2(h)), value);
}

void ring_cq(struct probe *h, unsigned qid, uint32_t value)
{
	set32(h, PHYR_NVME_CQHDBL(qid, stride_lg2(h)), value);
}

void ring(struct probe *h, struct pair *q)
{
	ring_sq(h, q->id, q->tail);
}

static bool came(const struct pair *q)
{
	const volatile struct phyr_nvme_cqe *e = &q->cq[q->head];

	return PHYR_NVME_CQE_P(e->dw2_3) == q->phase;
}

static struct answer read_entry(struct pair *q)
{
	const volatile struct phyr_nvme_cqe *e = &q->cq[q->head];
	uint64_t w = e->dw2_3;

	__sync_synchronize();
	if (++q->head == q->entries) {
		q->head = 0;
		q->phase ^= 1;
	}
	return (struct answer){.how = ANSWERED,
			       .status = PHYR_NVME_CQE_STATUS(w),
			       .dw0 = (uint32_t)e->dw0_1,
			       .sqhd = PHYR_NVME_CQE_SQHD(w),
			       .sqid = PHYR_NVME_CQE_SQID(w),
			       .cid = PHYR_NVME_CQE_CID(w)};
}

/* The next entry of the ring. */
static struct answer take_entry(struct probe *h, struct pair *q, bool told)
{
	uint64_t end = now_ns() + h->quiet_ns;
	struct answer a;

	while (!came(q)) {
		if (get32(h, PHYR_NVME_CSTS) & PHYR_NVME_CSTS_CFS)
			return (struct answer){.how = FATAL};
		if (now_ns() > end)
			return (struct answer){.how = SILENCE};
		relax(h);
	}
	a = read_entry(q);
	if (told)
		ring_cq(h, q->id, q->head);
	return a;
}

struct answer take(struct probe *h, struct pair *q, bool told)
{
	if (!q->nr_early)
		return take_entry(h, q, told);
	q->nr_early--;
	return q->early[q->nr_early];
}

/* What ends before it is kept: an event, mostly. */
struct answer ask(struct probe *h, struct pair *q, struct phyr_nvme_sqe cmd)
{
	uint16_t cid = push(h, q, cmd);
	struct answer a;

	ring(h, q);
	while ((a = take_entry(h, q, true)).how == ANSWERED && a.cid != cid &&
	       q->nr_early < MAX_EARLY)
		q->early[q->nr_early++] = a;
	return a;
}

uint32_t must(struct probe *h, struct pair *q, struct phyr_nvme_sqe cmd)
{
	struct answer a = ask(h, q, cmd);

	if (a.how == ANSWERED && !a.status)
		return a.dw0;
	fprintf(stderr, "opcode %02x, queue %u: ", cmd.opc, q->id);
	fprintf(stderr, a.how == ANSWERED ? "status %04x\n" : "no answer, %04x\n", a.status);
	give_up("a command that every controller has failed", -EIO);
}

struct phyr_nvme_sqe create_cq(const struct pair *q)
{
	return sqe(.opc = PHYR_NVME_ADMIN_CREATE_CQ, .prp1 = q->cq_dma,
		   .cdw10 = PHYR_NVME_CDW10_QUEUE(q->id, q->entries - 1),
		   .cdw11 = PHYR_NVME_CDW11_PC);
}

struct phyr_nvme_sqe create_sq(const struct pair *q, unsigned cqid)
{
	return sqe(.opc = PHYR_NVME_ADMIN_CREATE_SQ, .prp1 = q->sq_dma,
		   .cdw10 = PHYR_NVME_CDW10_QUEUE(q->id, q->entries - 1),
		   .cdw11 = PHYR_NVME_CDW11_PC | PHYR_NVME_CDW11_CQID(cqid));
}

struct phyr_nvme_sqe delete_queue(uint8_t opc, unsigned qid)
{
	return sqe(.opc = opc, .cdw10 = PHYR_NVME_CDW10_QUEUE(qid, 0));
}

/* The list page names the pages of buf from the second on; it holds BUF_BYTES. */
struct phyr_nvme_sqe rw(struct probe *h, uint8_t opc, uint64_t slba, uint32_t blocks)
{
	uint64_t len = (uint64_t)blocks * h->block;
	uint64_t *entries = (uint64_t *)(void *)h->list;

	for (unsigned i = 0; i < PAGE / 8; i++)
		entries[i] = h->buf_dma + (i + 1) * (uint64_t)PAGE;
	return sqe(.opc = opc, .nsid = 1, .prp1 = h->buf_dma,
		   .prp2 = len <= PAGE       ? 0
			   : len <= 2 * PAGE ? entries[0]
					     : h->list_dma,
		   .cdw10 = (uint32_t)slba, .cdw11 = (uint32_t)(slba >> 32),
		   .cdw12 = PHYR_NVME_CDW12_NLB(blocks));
}
