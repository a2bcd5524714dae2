/* SPDX-License-Identifier: MIT */
/* Rows for what comes after an unmap, on an IOMMU whose invalidation costs nothing: phyr's own part. */
#include "bench/bench.h"

#include <stdlib.h>

#define CALLS 1024

struct state {
	struct bench_device d;
	struct phyr_iova *iova;
	struct phyr_flushq *q;
	uint64_t len;
};

static void teardown(void *state)
{
	struct state *s = state;

	phyr_flushq_destroy(s->q);
	bench_device_stop(&s->d);
	free(s);
}

static void *setup(const struct bench_case *c)
{
	struct state *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->len = c->arg;
	if (bench_device_start(&s->d, false) || phyr_flushq_create(s->d.domain, NULL, &s->q)) {
		teardown(s);
		return NULL;
	}
	s->iova = phyr_domain_iova(s->d.domain);
	return s;
}

static struct phyr_gather gathered(uint64_t iova)
{
	return (struct phyr_gather){.start = iova, .last = iova + PHYR_PAGE_SIZE - 1};
}

/* The queue alone: an entry without iova, and its part of a flush. */
static void put(void *state)
{
	struct state *s = state;

	for (unsigned i = 0; i < CALLS; i++) {
		struct phyr_gather gather = gathered(i * PHYR_PAGE_SIZE);

		phyr_flushq_put(s->q, 0, 0, &gather);
	}
}

/* Iova taken, and given back through the queue. */
static void pair(void *state)
{
	struct state *s = state;
	uint64_t iova;

	for (unsigned i = 0; i < CALLS; i++) {
		struct phyr_gather gather;

		if (phyr_iova_alloc(s->iova, s->len, NULL, &iova))
			abort();
		gather = gathered(iova);
		phyr_flushq_put(s->q, iova, s->len, &gather);
	}
}

/* Iova taken, and given back after an invalidation of its own. */
static void pair_strict(void *state)
{
	struct state *s = state;
	uint64_t iova;

	for (unsigned i = 0; i < CALLS; i++) {
		struct phyr_gather gather;

		if (phyr_iova_alloc(s->iova, s->len, NULL, &iova))
			abort();
		gather = gathered(iova);
		phyr_domain_sync(s->d.domain, &gather);
		phyr_iova_free(s->iova, iova, s->len);
	}
}

const struct bench_case bench_iommu[] = {
	{"iommu/flushq-put", "call", LIMIT_L1, 4096, CALLS, setup, NULL, put, teardown},
	{"iommu/flushq-pair", "pair", LIMIT_L1, 4096, CALLS, setup, NULL, pair, teardown},
	{"iommu/flushq-pair-128k", "pair", LIMIT_L1, 128 << 10, CALLS, setup, NULL, pair, teardown},
	{"iommu/strict-pair", "pair", LIMIT_L1, 4096, CALLS, setup, NULL, pair_strict, teardown},
	{.name = NULL},
};
