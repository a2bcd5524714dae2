/* SPDX-License-Identifier: MIT */
/* The driver on a controller that lies: what it stands on, and what must hold. */
#include "nvme/ordeal.h"

#include <errno.h>
#include <phyr/backend.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TICK_NS  UINT64_C(10000000)
#define PATIENCE UINT64_C(3000000) /* looks at the clock that one call may take */
#define DATA     (UINT64_C(3) << 20)
#define CANARY   0xc5

static const struct phyr_space ram = {.kind = PHYR_KIND_RAM};

void ordeal_blame(void *arg, const char *what)
{
	struct ordeal *o = arg;

	fprintf(stderr, "ordeal: %s (step %llu)\n", what, (unsigned long long)o->liar.steps);
	abort();
}

static uint64_t now_ns(struct phyr_env *env)
{
	struct ordeal *o = (struct ordeal *)env;

	if (!o->patience--)
		ordeal_blame(o, "a call does not return");
	return o->now += TICK_NS;
}

static bool fails(void *arg)
{
	struct ordeal *o = arg;
	bool fail = o->fails_in && whim_one_in(&o->whim, o->fails_in);

	o->counts.nomem += fail;
	return fail;
}

/* Memory may not go while the controller may use it, as far as it told the truth. */
static void freeing(void *arg, uint64_t start, uint64_t size)
{
	struct ordeal *o = arg;

	if (!liar_runs(&o->liar) || o->liar.lied)
		return;
	for (unsigned i = 0; i < LIAR_QUEUES; i++) {
		const struct liar_queue *q = &o->liar.queues[i];

		ordeal_must(o, !q->sq_live || q->sq < start || q->sq - start >= size);
		ordeal_must(o, !q->cq_live || q->cq < start || q->cq - start >= size);
	}
}

static bool owns(void *arg, uint64_t addr, uint64_t len)
{
	struct ordeal *o = arg;
	uint64_t data = (uint64_t)(uintptr_t)o->data;

	return fence_owns(&o->fence, addr, len) ||
	       (addr >= data && addr - data <= o->len && len <= o->len - (addr - data));
}

/*
 * What a command points to.
 */

/* The next PRP entry: from PRP1, PRP2, or the list that PRP2 points to. */
struct prps {
	uint64_t list, left;
	uint64_t page;
};

static uint64_t next_prp(struct ordeal *o, struct prps *p, bool last)
{
	uint64_t entry;

	ordeal_must(o, fence_owns(&o->fence, p->list, 8));
	memcpy(&entry, (const void *)(uintptr_t)p->list, 8);
	if (!last && !((p->list + 8) & (p->page - 1))) {
		p->list = entry;
		return next_prp(o, p, last);
	}
	p->list += 8;
	return entry;
}

static void check_pages(struct ordeal *o, const unsigned char *sqe, uint64_t at, uint64_t end)
{
	struct prps p = {.list = liar_get64(sqe, 32),
			 .page = phyr_nvme_get_info(o->nvme)->page_size};

	if (end - at <= p.page) {
		ordeal_must(o, at == end || p.list == at);
		return;
	}
	for (; at < end; at += p.page)
		ordeal_must(o, next_prp(o, &p, end - at <= p.page) == at);
}

static void check_data(struct ordeal *o, const unsigned char *sqe)
{
	uint64_t page = phyr_nvme_get_info(o->nvme)->page_size;
	uint64_t at = o->expect_addr, end = at + o->expect_len;

	ordeal_must(o, liar_get64(sqe, 24) == at);
	at = (at | (page - 1)) + 1;
	check_pages(o, sqe, at < end ? at : end, end);
}

static void submitted(void *arg, unsigned qid, const unsigned char *sqe, bool stale)
{
	struct ordeal *o = arg;
	struct ordeal_request *req = o->submitting;

	if (!req || sqe[0] != req->opc || (qid == 0) != (req->queue == ORDEAL_QUEUES))
		return;
	req->told = true;
	req->answered = stale;
	req->qid = (uint16_t)qid;
	req->cid = (uint16_t)(liar_get32(sqe, 0) >> 16);
	req->enables = o->liar.enables;
	if (o->expect_len)
		check_data(o, sqe);
}

static void answered(void *arg, unsigned qid, uint16_t cid)
{
	struct ordeal *o = arg;

	for (unsigned i = 0; i < ORDEAL_REQUESTS; i++)
		if (o->reqs[i].told && o->reqs[i].qid == qid && o->reqs[i].cid == cid)
			o->reqs[i].answered = true;
}

static void scribbled_on(void *arg)
{
	struct ordeal *o = arg;

	for (unsigned i = 0; i < ORDEAL_REQUESTS; i++)
		o->reqs[i].answered = true;
}

/*
 * A controller's time.
 */

static void map_data(struct ordeal *o)
{
	phyr_list_init(&o->list, &o->fence.env, &ram);
	phyr_list_init(&o->small, &o->fence.env, &ram);
	ordeal_must(o, !phyr_list_append(&o->list, (uint64_t)(uintptr_t)o->data, o->len));
	ordeal_must(o, !phyr_list_append(&o->small, (uint64_t)(uintptr_t)o->data, 4096));
	ordeal_must(o, !phyr_dma_map(o->dev, &o->list, PHYR_DMA_BIDIRECTIONAL, 0, &o->map));
	ordeal_must(o, !phyr_dma_map(o->dev, &o->small, PHYR_DMA_BIDIRECTIONAL, 0, &o->small_map));
}

static void unmap_data(struct ordeal *o)
{
	phyr_dma_unmap(o->dev, &o->small_map);
	phyr_dma_unmap(o->dev, &o->map);
	phyr_list_fini(&o->small);
	phyr_list_fini(&o->list);
}

static void start(struct ordeal *o)
{
	static const unsigned tempers[] = {16, 2, 3, 4, 8, 512};
	struct whim *w = &o->whim;

	memset(o->reqs, 0, sizeof(o->reqs));
	memset(o->fds, -1, sizeof(o->fds));
	o->fails_in = 0;
	o->patience = PATIENCE;
	o->submitting = NULL;
	o->expect_len = 0;
	ordeal_must(o, !phyr_direct_create(&o->fence.env, &o->iommu));
	ordeal_must(o, !phyr_domain_create(o->iommu, &o->domain));
	ordeal_must(o, !phyr_dev_create(o->domain, 1, NULL, &o->dev));
	map_data(o);
	o->moody = whim_one_in(w, 2);
	o->fails_in = whim_one_in(w, 4) ? 2 + whim_below(w, 200) : 0;
	liar_init(&o->liar, w, tempers[whim_below(w, 6)]);
	o->liar.owns = owns;
	o->liar.submitted = submitted;
	o->liar.answered = answered;
	o->liar.scribbled_on = scribbled_on;
	o->liar.blame = ordeal_blame;
	o->liar.arg = o;
	if (whim_one_in(w, 4))
		liar_spoil(&o->liar);
}

static void check_canary(struct ordeal *o, const unsigned char *at)
{
	for (uint64_t i = 0; i < ORDEAL_CANARY; i++)
		ordeal_must(o, at[i] == CANARY);
}

static void stop(struct ordeal *o)
{
	for (unsigned i = 0; i < ORDEAL_QUEUES; i++)
		ordeal_destroy(o, i);
	o->patience = PATIENCE;
	phyr_nvme_close(o->nvme);
	o->nvme = NULL;
	for (unsigned i = 0; i < ORDEAL_REQUESTS; i++)
		ordeal_must(o, !o->reqs[i].live);
	unmap_data(o);
	phyr_dev_destroy(o->dev);
	phyr_domain_destroy(o->domain);
	phyr_iommu_destroy(o->iommu);
	fence_restart(&o->fence);
	check_canary(o, o->data - ORDEAL_CANARY);
	check_canary(o, o->data + o->len);
}

void ordeal_run(struct ordeal *o, uint64_t steps)
{
	uint64_t ops = 0;

	start(o);
	while (!whim_over(&o->whim) && o->liar.steps < steps && ops++ < 2 * steps) {
		o->patience = PATIENCE;
		ordeal_op(o);
	}
	stop(o);
}

void ordeal_init(struct ordeal *o)
{
	memset(o, 0, sizeof(*o));
	fence_init(&o->fence);
	o->fence.env.now_ns = now_ns;
	o->fence.fails = fails;
	o->fence.freeing = freeing;
	o->fence.arg = o;
	o->len = DATA;
	o->data = aligned_alloc(4096, DATA + 2 * ORDEAL_CANARY);
	if (!o->data)
		abort();
	memset(o->data, CANARY, DATA + 2 * ORDEAL_CANARY);
	o->data += ORDEAL_CANARY;
}

void ordeal_fini(struct ordeal *o)
{
	free(o->data - ORDEAL_CANARY);
	fence_fini(&o->fence);
}
