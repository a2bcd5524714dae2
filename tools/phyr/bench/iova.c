/* SPDX-License-Identifier: MIT */
/*
 * Rows for the iova allocator. pair: one length, 100,000 others live. replace: a random live one is
 * freed and another allocated, of every page count from 1 to 1024, where 60 % of the aperture is
 * live; none may fail.
 */
#include "bench/bench.h"

#include <stdlib.h>

#define LIVE     100000
#define PAIRS    1024
#define LEAF_LG2 21 /* what a table of leaves spans */

struct state {
	struct phyr_iova *iova;
	uint64_t size;
	uint64_t rng;
	uint64_t last;                 /* of the aperture */
	struct phyr_iova_stats before; /* it was timed */
	size_t nr;
	struct phyr_range live[];
};

/*
 * Every page count from 1 to 1024, each power of two as likely as the next: 2^i + 1 to 2^(i + 1) pages,
 * or, as often as each of those, a single one.
 */
static uint64_t random_size(uint64_t *rng)
{
	uint64_t lg2 = rng_below(rng, 11), pages = lg2 ? (uint64_t)1 << (lg2 - 1) : 0;

	return (lg2 ? pages + 1 + rng_below(rng, pages) : 1) << PHYR_PAGE_LG2;
}

static void teardown(void *state)
{
	struct state *s = state;

	phyr_iova_destroy(s->iova);
	free(s);
}

static struct state *fill(struct state *s)
{
	struct phyr_iova_config config = {.size = sizeof(config),
					  .start = PHYR_PAGE_SIZE,
					  .last = s->last,
					  .granule_lg2 = PHYR_PAGE_LG2};

	if (phyr_iova_create(NULL, &config, &s->iova)) {
		free(s);
		return NULL;
	}
	for (size_t i = 0; i < s->nr; i++)
		if (phyr_iova_alloc(s->iova, s->live[i].len, NULL, &s->live[i].addr)) {
			teardown(s);
			return NULL;
		}
	return s;
}

/* A state of nr live ones with random lengths; *bytes: all of them. */
static struct state *new_state(size_t nr, uint64_t *bytes)
{
	struct state *s = calloc(1, sizeof(*s) + nr * sizeof(s->live[0]));

	*bytes = 0;
	if (!s)
		return NULL;
	s->nr = nr;
	for (size_t i = 0; i < nr; i++)
		*bytes += s->live[i].len = random_size(&s->rng);
	return s;
}

static void *pair_setup(const struct bench_case *c)
{
	uint64_t bytes;
	struct state *s = new_state(LIVE, &bytes);

	if (!s)
		return NULL;
	s->size = c->arg;
	s->last = ((uint64_t)1 << 47) - 1;
	return fill(s);
}

static void pairs(struct phyr_iova *iova, uint64_t size, unsigned nr)
{
	uint64_t addr;

	for (unsigned i = 0; i < nr; i++) {
		if (phyr_iova_alloc(iova, size, NULL, &addr))
			abort();
		phyr_iova_free(iova, addr, size);
	}
}

static void pair(void *state)
{
	struct state *s = state;

	pairs(s->iova, s->size, PAIRS);
}

static void replace(void *state)
{
	struct state *s = state;

	for (unsigned i = 0; i < PAIRS; i++) {
		struct phyr_range *r = &s->live[rng_below(&s->rng, s->nr)];

		phyr_iova_free(s->iova, r->addr, r->len);
		r->len = random_size(&s->rng);
		if (phyr_iova_alloc(s->iova, r->len, NULL, &r->addr))
			abort();
	}
}

/* Replaced four times over on average before it is timed, so that what is free is scattered. */
static void *replace_setup(const struct bench_case *c)
{
	uint64_t bytes;
	struct state *s = new_state(c->arg, &bytes);

	if (!s)
		return NULL;
	s->last = PHYR_PAGE_SIZE + bytes / 6 * 10 - 1;
	s = fill(s);
	for (size_t i = 0; s && i < 4 * s->nr; i += PAIRS)
		replace(s);
	if (s)
		phyr_iova_get_stats(s->iova, &s->before);
	return s;
}

/* Tables of leaves that the live ones touch. */
static uint64_t leaf_tables(const struct state *s)
{
	uint8_t *touched = calloc((s->last >> LEAF_LG2) + 1, 1);
	uint64_t nr = 0;

	if (!touched)
		abort();
	for (size_t i = 0; i < s->nr; i++)
		for (uint64_t t = s->live[i].addr >> LEAF_LG2;
		     t <= (s->live[i].addr + s->live[i].len - 1) >> LEAF_LG2; t++)
			touched[t] = 1;
	for (uint64_t t = 0; t <= s->last >> LEAF_LG2; t++)
		nr += touched[t];
	free(touched);
	return nr;
}

static void replace_teardown(void *state)
{
	const uint64_t leaf = (uint64_t)1 << LEAF_LG2;
	struct state *s = state;
	struct phyr_iova_stats stats;
	double hits, misses;
	uint64_t ideal;

	phyr_iova_get_stats(s->iova, &stats);
	ideal = (stats.live_bytes + leaf - 1) / leaf;
	bench_note("highest_over_live", (double)stats.highest / (double)stats.live_bytes);
	bench_note("leaf_tables_over_ideal", (double)leaf_tables(s) / (double)ideal);
	bench_note("live_share", (double)stats.live_bytes / (double)stats.total_bytes);
	hits = (double)(stats.cache_hits - s->before.cache_hits);
	misses = (double)(stats.cache_misses - s->before.cache_misses);
	bench_note("hit_share", hits / (hits + misses));
	teardown(s);
}

/* Enough for some ms. */
#define THREAD_PAIRS (1u << 18)

static void thread_pairs(void *state, unsigned thread)
{
	struct state *s = state;

	pairs(s->iova, s->size, THREAD_PAIRS);
}

static void threads_round(void *state)
{
	double one = (double)bench_threads(1, thread_pairs, state);
	double two = (double)bench_threads(2, thread_pairs, state);

	bench_sample(two / (2.0 * THREAD_PAIRS), 2.0 * one / two);
}

#define PAIR(name, size)                                                              \
	{                                                                             \
		name, "pair", LIMIT_L1, size, PAIRS, pair_setup, NULL, pair, teardown \
	}
#define REPLACE(name, nr)                                                                         \
	{                                                                                         \
		name, "pair", LIMIT_L1, nr, PAIRS, replace_setup, NULL, replace, replace_teardown \
	}

const struct bench_case bench_iova[] = {
	PAIR("iova/pair-4k", 4096),
	PAIR("iova/pair-128k", 131072),
	PAIR("iova/pair-1m", 1048576),
	REPLACE("iova/replace-100k", 100000),
	REPLACE("iova/replace-1m", 1000000),
	{"iova/threads-2", "pair", LIMIT_ONE_THREAD, 4096, THREAD_PAIRS, pair_setup, NULL,
	 threads_round, teardown},
	{.name = NULL},
};
