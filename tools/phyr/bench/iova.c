/* SPDX-License-Identifier: MIT */
/* Rows for the iova allocator, with 100,000 allocations live. */
#include "bench/bench.h"

#include <stdlib.h>

#define LIVE  100000
#define PAIRS 1024

struct state {
	struct phyr_iova *iova;
	uint64_t size;
	uint64_t rng;
	struct phyr_range live[LIVE];
};

/* Every page count from 1 to 1024, each power of two as likely as the next. */
static uint64_t random_size(uint64_t *rng)
{
	uint64_t lg2 = rng_below(rng, 10);

	return (((uint64_t)1 << lg2) + rng_below(rng, (uint64_t)1 << lg2)) << PHYR_PAGE_LG2;
}

static void teardown(void *state)
{
	struct state *s = state;

	phyr_iova_destroy(s->iova);
	free(s);
}

static void *setup(const struct bench_case *c)
{
	struct phyr_iova_config config = {.size = sizeof(config),
					  .start = PHYR_PAGE_SIZE,
					  .last = ((uint64_t)1 << 47) - 1,
					  .granule_lg2 = 12};
	struct state *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->size = c->arg;
	if (phyr_iova_create(NULL, &config, &s->iova)) {
		free(s);
		return NULL;
	}
	for (unsigned i = 0; i < LIVE; i++) {
		s->live[i].len = random_size(&s->rng);
		if (phyr_iova_alloc(s->iova, s->live[i].len, NULL, &s->live[i].addr)) {
			teardown(s);
			return NULL;
		}
	}
	return s;
}

static void pair(void *state)
{
	struct state *s = state;
	uint64_t iova;

	for (unsigned i = 0; i < PAIRS; i++) {
		if (phyr_iova_alloc(s->iova, s->size, NULL, &iova))
			abort();
		phyr_iova_free(s->iova, iova, s->size);
	}
}

static void replace(void *state)
{
	struct state *s = state;

	for (unsigned i = 0; i < PAIRS; i++) {
		struct phyr_range *r = &s->live[rng_below(&s->rng, LIVE)];

		phyr_iova_free(s->iova, r->addr, r->len);
		r->len = random_size(&s->rng);
		if (phyr_iova_alloc(s->iova, r->len, NULL, &r->addr))
			abort();
	}
}

const struct bench_case bench_iova[] = {
	{"iova/pair-4k", "pair", LIMIT_L1, 4096, PAIRS, setup, NULL, pair, teardown},
	{"iova/pair-128k", "pair", LIMIT_L1, 131072, PAIRS, setup, NULL, pair, teardown},
	{"iova/pair-1m", "pair", LIMIT_L1, 1048576, PAIRS, setup, NULL, pair, teardown},
	{"iova/replace-100k", "pair", LIMIT_L1, 0, PAIRS, setup, NULL, replace, teardown},
	{.name = NULL},
};
