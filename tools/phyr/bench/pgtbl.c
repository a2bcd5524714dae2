/* SPDX-License-Identifier: MIT */
/*
 * Rows for page tables: a GiB mapped and unmapped in several ways, in each format.
 *
 * Tables come from a pool. Where a row wants tables there, they are made by mapping all once; then
 * before each round the lowest tables are filled with zeroes from outside, as if unmapping
 * had kept them. Whatever else prepares a round is not timed either.
 */
#include "bench/bench.h"

#include <stdlib.h>

#include "bench/pool.h"

#define GIB    ((uint64_t)1 << 30)
#define AT     (4 * GIB)
#define TABLE  ((uint64_t)2 << 20) /* bytes under a table of 4 KiB leaves */
#define TABLES (GIB / TABLE)
#define CALLS  4096 /* of rows that map or look up a page a call at random */
#define PART   256  /* entries of an unmap inside of a table */

struct state {
	struct bench_pool pool;
	struct phyr_pgtbl *pt;
	struct phyr_list list;
	struct phyr_range *ranges; /* the list once more, as an array; rows of ranges only */
	size_t nr_ranges;
	phyr_addr_t *pages;        /* a GiB, in the order of the list */
	uint64_t *order;           /* iova of a GiB's pages, shuffled */
	size_t at;                 /* in order */
	struct phyr_gather gather; /* what a round left to be given back */
};

/* What is mapped; the sizes that leaves may have follow from it. */
enum what { SCATTERED, MIXED, SHORT, RUN_4K, RUN_2M };
#define ARG(format, what) ((uintptr_t)(format) << 8 | (what))
#define WHAT(c)           ((enum what)((c)->arg & 0xff))
#define FORMAT(c)         ((enum phyr_pgtbl_format)((c)->arg >> 8))

static void must(int err)
{
	if (err)
		abort();
}

/* Runs of one and of two pages, as many of each, in no order; one more of one. */
#define SHORT_PAIRS (GIB_PAGES / 3)
#define SHORT_WORDS (2 * SHORT_PAIRS + 1)

static void short_runs(phyr_addr_t *pages)
{
	uint64_t rng = 3, at = 16 * GIB, ones = SHORT_PAIRS + 1, twos = SHORT_PAIRS;

	for (size_t i = 0; i < GIB_PAGES; at += (1 + rng_below(&rng, 64)) << PHYR_PAGE_LG2) {
		unsigned two = rng_below(&rng, ones + twos) < twos;

		for (unsigned k = 0; k <= two; k++, at += PHYR_PAGE_SIZE)
			pages[i++] = at;
		twos -= two;
		ones -= !two;
	}
}

static int fill_list(struct state *s, enum what what)
{
	if (what == RUN_4K || what == RUN_2M)
		return phyr_list_append(&s->list, 16 * GIB, GIB);
	if (what == SCATTERED)
		bench_scatter(s->pages, GIB_PAGES);
	else if (what == MIXED)
		bench_mix(s->pages, GIB_PAGES);
	else
		short_runs(s->pages);
	return phyr_list_append_pages(&s->list, s->pages, GIB_PAGES);
}

static void teardown(void *state)
{
	struct state *s = state;

	phyr_pgtbl_destroy(s->pt);
	bench_pool_stop(&s->pool);
	phyr_list_fini(&s->list);
	free(s->ranges);
	free(s->pages);
	free(s->order);
	free(s);
}

/* Leaf sizes that a row may use; 0: all. */
static uint64_t sizes_for(enum what what)
{
	if (what == RUN_4K)
		return PHYR_PAGE_SIZE;
	return what == RUN_2M ? PHYR_PAGE_SIZE | TABLE : 0;
}

static bool start(struct state *s, const struct bench_case *c)
{
	const struct phyr_pgtbl_config config = {
		.size = sizeof(config), .format = FORMAT(c), .page_sizes = sizes_for(WHAT(c))};

	s->pages = calloc(GIB_PAGES, sizeof(*s->pages));
	s->order = calloc(GIB_PAGES, sizeof(*s->order));
	if (!s->pages || !s->order || bench_pool_start(&s->pool))
		return false;
	bench_scatter(s->order, GIB_PAGES);
	for (size_t i = 0; i < GIB_PAGES; i++)
		s->order[i] = AT + ((s->order[i] - 16 * GIB) >> 1);
	return !phyr_pgtbl_create(&s->pool.env, &config, &s->pt) && !fill_list(s, WHAT(c));
}

/* No tables but the top one. */
static void *setup_fresh(const struct bench_case *c)
{
	struct state *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	phyr_list_init(&s->list, NULL, NULL);
	phyr_gather_init(&s->gather);
	if (start(s, c))
		return s;
	teardown(s);
	return NULL;
}

static void map_cursor(struct state *s, uint64_t iova, struct phyr_cursor *cur)
{
	must(phyr_pgtbl_map(s->pt, iova, cur, PHYR_READ | PHYR_WRITE, &s->gather));
}

static void map_list(struct state *s, uint64_t iova)
{
	struct phyr_cursor cur;

	phyr_cursor_init(&cur, &s->list);
	map_cursor(s, iova, &cur);
}

static void map_page(struct state *s, uint64_t iova, phyr_addr_t addr)
{
	struct phyr_cursor cur;

	phyr_cursor_init_range(&cur, addr, PHYR_PAGE_SIZE);
	map_cursor(s, iova, &cur);
}

static void unmap(struct state *s, uint64_t iova, uint64_t len)
{
	must(phyr_pgtbl_unmap(s->pt, iova, len, &s->gather, NULL));
}

static void give_back(void *state)
{
	struct state *s = state;

	phyr_pgtbl_free_gathered(s->pt, &s->gather);
	phyr_gather_init(&s->gather);
}

static bool is_mapped(struct state *s, uint64_t iova)
{
	struct phyr_translation t;

	return !phyr_pgtbl_translate(s->pt, iova, &t);
}

/* Empty the tables of 4 KiB leaves that setup_tables() made. */
static void empty_tables(void *state)
{
	struct state *s = state;

	bench_pool_empty_last(&s->pool, TABLES);
}

static void *setup_tables(const struct bench_case *c)
{
	struct state *s = setup_fresh(c);

	if (s) {
		map_list(s, AT);
		empty_tables(s);
	}
	return s;
}

static void *setup_mapped(const struct bench_case *c)
{
	struct state *s = setup_fresh(c);

	if (s)
		map_list(s, AT);
	return s;
}

static void map_all(void *state)
{
	map_list(state, AT);
}

/* The tables of the GiB go with it. */
static void unmap_if_mapped(void *state)
{
	struct state *s = state;

	if (is_mapped(s, AT))
		unmap(s, AT, GIB);
	give_back(s);
}

static void *setup_ranges(const struct bench_case *c)
{
	struct state *s = setup_tables(c);
	struct phyr_cursor cur;

	if (!s)
		return NULL;
	s->ranges = calloc(GIB_PAGES, sizeof(*s->ranges));
	phyr_cursor_init(&cur, &s->list);
	if (s->ranges && !phyr_cursor_to_ranges(&cur, s->ranges, GIB_PAGES, &s->nr_ranges))
		return s;
	teardown(s);
	return NULL;
}

static void map_ranges(void *state)
{
	struct state *s = state;
	struct phyr_cursor cur;

	must(phyr_cursor_init_ranges(&cur, s->ranges, s->nr_ranges));
	map_cursor(s, AT, &cur);
}

static void map_pages(void *state)
{
	struct state *s = state;

	for (size_t i = 0; i < GIB_PAGES; i++)
		map_page(s, AT + i * PHYR_PAGE_SIZE, s->pages[i]);
}

/* Of the shuffled iova, the next CALLS. */
static const uint64_t *next_calls(struct state *s)
{
	const uint64_t *iova = s->order + s->at;

	s->at = (s->at + CALLS) % GIB_PAGES;
	return iova;
}

static void map_random(void *state)
{
	struct state *s = state;
	const uint64_t *iova = next_calls(s);

	for (size_t i = 0; i < CALLS; i++)
		map_page(s, iova[i], 16 * GIB);
}

/* What the last round mapped; the tables stay. */
static void unmap_random(void *state)
{
	struct state *s = state;
	const uint64_t *iova = s->order + (s->at + GIB_PAGES - CALLS) % GIB_PAGES;

	if (!is_mapped(s, iova[0]))
		return;
	for (size_t i = 0; i < CALLS; i++)
		unmap(s, iova[i], PHYR_PAGE_SIZE);
	give_back(s);
}

static void translate_random(void *state)
{
	struct state *s = state;
	const uint64_t *iova = next_calls(s);
	struct phyr_translation t;

	for (size_t i = 0; i < CALLS; i++) {
		must(phyr_pgtbl_translate(s->pt, iova[i], &t));
		bench_use(t.addr);
	}
}

/* 512 leaves of 2 MiB a call; several calls, since one takes little more than the clock does. */
#define GIBS 16

static void map_gibs(void *state)
{
	for (uint64_t i = 0; i < GIBS; i++)
		map_list(state, AT + i * GIB);
}

static void empty_gibs(void *state)
{
	struct state *s = state;

	bench_pool_empty_last(&s->pool, GIBS);
}

static void *setup_gibs(const struct bench_case *c)
{
	struct state *s = setup_fresh(c);

	if (s) {
		map_gibs(s);
		empty_gibs(s);
	}
	return s;
}

static void map_if_not(void *state)
{
	struct state *s = state;

	give_back(s);
	if (!is_mapped(s, AT))
		map_list(s, AT);
}

static void unmap_all(void *state)
{
	unmap(state, AT, GIB);
}

static void unmap_all_freed(void *state)
{
	unmap(state, AT, GIB);
	give_back(state);
}

static void map_parts_at(struct state *s, uint64_t iova)
{
	const uint64_t len = PART * PHYR_PAGE_SIZE;
	struct phyr_cursor cur;

	for (uint64_t i = 0; i < GIB; i += len) {
		must(phyr_cursor_init_at(&cur, &s->list, i, len));
		map_cursor(s, iova + i, &cur);
	}
}

static void unmap_parts_at(struct state *s, uint64_t iova)
{
	const uint64_t len = PART * PHYR_PAGE_SIZE;

	for (uint64_t i = 0; i < GIB; i += len)
		unmap(s, iova + i, len);
}

static void map_parts(void *state)
{
	struct state *s = state;

	give_back(s);
	if (!is_mapped(s, AT))
		map_parts_at(s, AT);
}

static void unmap_parts(void *state)
{
	unmap_parts_at(state, AT);
}

/* Page i of table i: the same page of all would be about 16 sets of a cache, and its ways. */
#define ONE_STEP (TABLE + PHYR_PAGE_SIZE)

static void map_ones(void *state)
{
	for (unsigned i = 0; i < TABLES; i++)
		map_page(state, AT + i * ONE_STEP, 16 * GIB);
}

static void unmap_ones(void *state)
{
	struct state *s = state;

	if (!is_mapped(s, AT))
		return;
	for (unsigned i = 0; i < TABLES; i++)
		unmap(s, AT + i * ONE_STEP, PHYR_PAGE_SIZE);
	give_back(s);
}

static void pair_one(void *state)
{
	for (unsigned i = 0; i < TABLES; i++) {
		map_page(state, AT, 16 * GIB);
		unmap(state, AT, PHYR_PAGE_SIZE);
	}
}

/* Two threads in one table, each in a GiB of its own: PART pages mapped and unmapped again. */
#define THREAD_PAIRS ((uint64_t)4096)

static void thread_pairs(void *arg, unsigned thread)
{
	const uint64_t len = PART * PHYR_PAGE_SIZE;
	struct state *s = arg;
	struct phyr_gather gather;

	phyr_gather_init(&gather);
	for (uint64_t i = 0; i < THREAD_PAIRS; i++) {
		uint64_t offset = i * len % GIB, iova = AT + thread * GIB + offset;
		struct phyr_cursor cur;

		must(phyr_cursor_init_at(&cur, &s->list, offset, len));
		must(phyr_pgtbl_map(s->pt, iova, &cur, PHYR_READ | PHYR_WRITE, &gather));
		must(phyr_pgtbl_unmap(s->pt, iova, len, &gather, NULL));
	}
}

static void *setup_threads(const struct bench_case *c)
{
	struct state *s = setup_fresh(c);

	for (unsigned i = 0; s && i < BENCH_THREADS; i++) {
		map_parts_at(s, AT + i * GIB);
		unmap_parts_at(s, AT + i * GIB);
	}
	return s;
}

static void threads_round(void *state)
{
	double one = (double)bench_threads(1, thread_pairs, state);
	double two = (double)bench_threads(2, thread_pairs, state);

	bench_sample(two / (double)(2 * THREAD_PAIRS), 2 * one / two);
}

/* Units of rows and what they are held against. */
#define ENTRY "entry", LIMIT_MEMSET
#define PAGE  "page", LIMIT_MEMSET
#define LEAF  "leaf", LIMIT_MEMSET
#define WORD  "word", LIMIT_L1
#define CALL  "call", LIMIT_L1
#define PAIR  "pair", LIMIT_L1

/* As macros above stand for a unit and its limit, these are two arguments in the second turn only. */
#define ROW(...) ROW_OF(__VA_ARGS__)
#define ROW_OF(id, name, unit, limit, what, units, setup, prepare, round)                         \
	{                                                                                         \
		"pgtbl/" name, unit, limit, ARG(id, what), units, setup, prepare, round, teardown \
	}

/* The rows of a format, as a table. */
/* clang-format off */
#define ROWS(f, id) \
	ROW(id, f "/map-scattered", ENTRY, SCATTERED, GIB_PAGES, setup_tables, empty_tables, map_all), \
	ROW(id, f "/map-scattered-fresh", ENTRY, SCATTERED, GIB_PAGES, setup_fresh, unmap_if_mapped, \
	    map_all), \
	ROW(id, f "/map-ranges", ENTRY, SCATTERED, GIB_PAGES, setup_ranges, empty_tables, map_ranges), \
	ROW(id, f "/map-mixed", PAGE, MIXED, GIB_PAGES, setup_tables, empty_tables, map_all), \
	ROW(id, f "/map-short", WORD, SHORT, SHORT_WORDS, setup_tables, empty_tables, map_all), \
	ROW(id, f "/map-random", CALL, SCATTERED, CALLS, setup_tables, unmap_random, map_random), \
	ROW(id, f "/map-run", ENTRY, RUN_4K, GIB_PAGES, setup_tables, empty_tables, map_all), \
	ROW(id, f "/map-2m", LEAF, RUN_2M, GIBS * TABLES, setup_gibs, empty_gibs, map_gibs), \
	ROW(id, f "/unmap-all", ENTRY, RUN_4K, GIB_PAGES, setup_fresh, map_if_not, unmap_all), \
	ROW(id, f "/unmap-all-freed", ENTRY, RUN_4K, GIB_PAGES, setup_fresh, map_if_not, \
	    unmap_all_freed), \
	ROW(id, f "/unmap-partial", ENTRY, SCATTERED, GIB_PAGES, setup_fresh, map_parts, unmap_parts), \
	ROW(id, f "/map-one", CALL, SCATTERED, TABLES, setup_tables, unmap_ones, map_ones), \
	ROW(id, f "/pair-one", PAIR, SCATTERED, TABLES, setup_tables, NULL, pair_one), \
	ROW(id, f "/translate", CALL, SCATTERED, CALLS, setup_mapped, NULL, translate_random), \
	ROW(id, f "/map-old-way", ENTRY, SCATTERED, GIB_PAGES, setup_tables, empty_tables, map_pages)
/* clang-format on */

const struct bench_case bench_pgtbl[] = {
	ROWS("x86_64", PHYR_PGTBL_X86_64),
	ROWS("vtdss", PHYR_PGTBL_VTDSS),
	ROWS("amdv1", PHYR_PGTBL_AMDV1),
	ROWS("arm64", PHYR_PGTBL_ARM64_S1),
	ROWS("riscv64", PHYR_PGTBL_RISCV64),
	{"pgtbl/threads-2", "pair", LIMIT_ONE_THREAD, ARG(PHYR_PGTBL_VTDSS, SCATTERED), 1,
	 setup_threads, NULL, threads_round, teardown},
	{.name = NULL},
};
