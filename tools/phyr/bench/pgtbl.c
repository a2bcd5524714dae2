/* SPDX-License-Identifier: MIT */
/* Rows for page tables: a GiB mapped and unmapped in several ways. */
#include "bench/bench.h"

#include <stdlib.h>

#define GIB    ((uint64_t)1 << 30)
#define AT     (4 * GIB)
#define SINGLE 512

struct state {
	struct phyr_pgtbl *pt;
	struct phyr_list list;
	uint64_t step; /* bytes from one single mapping to the next */
	uint64_t rng;
};

enum what { SCATTERED, MIXED, RUN_4K, RUN_2M, ONE_PAGE };
#define ARG(format, what) ((uintptr_t)(format) << 8 | (what))

static int fill_list(struct phyr_list *list, enum what what)
{
	phyr_addr_t *pages;
	int err = -1;

	if (what == RUN_4K || what == RUN_2M)
		return phyr_list_append(list, 16 * GIB, GIB);
	if (what == ONE_PAGE)
		return phyr_list_append_page(list, 16 * GIB);
	pages = calloc(GIB_PAGES, sizeof(*pages));
	if (pages) {
		if (what == SCATTERED)
			bench_scatter(pages, GIB_PAGES);
		else
			bench_mix(pages, GIB_PAGES);
		err = phyr_list_append_pages(list, pages, GIB_PAGES);
	}
	free(pages);
	return err;
}

static void teardown(void *state)
{
	struct state *s = state;

	phyr_pgtbl_destroy(s->pt);
	phyr_list_fini(&s->list);
	free(s);
}

static void unmap(struct state *s, uint64_t iova, uint64_t len)
{
	struct phyr_gather gather;

	phyr_gather_init(&gather);
	if (phyr_pgtbl_unmap(s->pt, iova, len, &gather, NULL))
		abort();
	phyr_pgtbl_free_gathered(s->pt, &gather);
}

static void map(struct state *s, uint64_t iova)
{
	struct phyr_gather gather;
	struct phyr_cursor cur;

	phyr_gather_init(&gather);
	phyr_cursor_init(&cur, &s->list);
	if (phyr_pgtbl_map(s->pt, iova, &cur, PHYR_READ | PHYR_WRITE, &gather))
		abort();
}

/* Leaf sizes that a row may use; 0: all. */
static uint64_t sizes_for(enum what what)
{
	if (what == RUN_4K)
		return PHYR_PAGE_SIZE;
	return what == RUN_2M ? PHYR_PAGE_SIZE | (uint64_t)2 << 20 : 0;
}

static void *setup(const struct bench_case *c)
{
	enum what what = (enum what)(c->arg & 0xff);
	struct phyr_pgtbl_config config = {.size = sizeof(config),
					   .format = (enum phyr_pgtbl_format)(c->arg >> 8),
					   .page_sizes = sizes_for(what)};
	struct state *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	phyr_list_init(&s->list, NULL, NULL);
	s->step = GIB / SINGLE;
	if (phyr_pgtbl_create(NULL, &config, &s->pt) || fill_list(&s->list, what)) {
		teardown(s);
		return NULL;
	}
	return s;
}

/* The tables go with it: the next map allocates them anew. */
static void unmap_if_mapped(void *state)
{
	struct state *s = state;
	struct phyr_translation t;

	if (!phyr_pgtbl_translate(s->pt, AT, &t))
		unmap(s, AT, GIB);
}

static void map_all(void *state)
{
	map(state, AT);
}

static void map_if_not(void *state)
{
	struct state *s = state;
	struct phyr_translation t;

	if (phyr_pgtbl_translate(s->pt, AT, &t))
		map(s, AT);
}

static void unmap_all(void *state)
{
	unmap(state, AT, GIB);
}

static void map_ones(void *state)
{
	struct state *s = state;

	for (unsigned i = 0; i < SINGLE; i++)
		map(s, AT + i * s->step);
}

static void unmap_ones(void *state)
{
	struct state *s = state;
	struct phyr_translation t;

	if (phyr_pgtbl_translate(s->pt, AT, &t))
		return;
	for (unsigned i = 0; i < SINGLE; i++)
		unmap(s, AT + i * s->step, PHYR_PAGE_SIZE);
}

static void pair_one(void *state)
{
	struct state *s = state;

	for (unsigned i = 0; i < SINGLE; i++) {
		map(s, AT);
		unmap(s, AT, PHYR_PAGE_SIZE);
	}
}

static void translate(void *state)
{
	struct state *s = state;
	struct phyr_translation t;

	for (unsigned i = 0; i < 4096; i++) {
		if (phyr_pgtbl_translate(s->pt, AT + rng_below(&s->rng, GIB), &t))
			abort();
		bench_use(t.addr);
	}
}

static void *setup_mapped(const struct bench_case *c)
{
	struct state *s = setup(c);

	if (s)
		map(s, AT);
	return s;
}

#define ROWS(name, format)                                                                        \
	{"pgtbl/" name "/map-scattered-fresh",                                                    \
	 "entry",                                                                                 \
	 LIMIT_MEMSET,                                                                            \
	 ARG(format, SCATTERED),                                                                  \
	 GIB_PAGES,                                                                               \
	 setup,                                                                                   \
	 unmap_if_mapped,                                                                         \
	 map_all,                                                                                 \
	 teardown},                                                                               \
		{"pgtbl/" name "/map-mixed",                                                      \
		 "page",                                                                          \
		 LIMIT_MEMSET,                                                                    \
		 ARG(format, MIXED),                                                              \
		 GIB_PAGES,                                                                       \
		 setup,                                                                           \
		 unmap_if_mapped,                                                                 \
		 map_all,                                                                         \
		 teardown},                                                                       \
		{"pgtbl/" name "/map-run", "entry",   LIMIT_MEMSET,                               \
		 ARG(format, RUN_4K),      GIB_PAGES, setup,                                      \
		 unmap_if_mapped,          map_all,   teardown},                                  \
		{"pgtbl/" name "/map-2m", "leaf",  LIMIT_MEMSET, ARG(format, RUN_2M), 512, setup, \
		 unmap_if_mapped,         map_all, teardown},                                     \
		{"pgtbl/" name "/unmap-all-freed",                                                \
		 "entry",                                                                         \
		 LIMIT_MEMSET,                                                                    \
		 ARG(format, RUN_4K),                                                             \
		 GIB_PAGES,                                                                       \
		 setup,                                                                           \
		 map_if_not,                                                                      \
		 unmap_all,                                                                       \
		 teardown},                                                                       \
		{"pgtbl/" name "/map-one",                                                        \
		 "call",                                                                          \
		 LIMIT_L1,                                                                        \
		 ARG(format, ONE_PAGE),                                                           \
		 SINGLE,                                                                          \
		 setup,                                                                           \
		 unmap_ones,                                                                      \
		 map_ones,                                                                        \
		 teardown},                                                                       \
		{"pgtbl/" name "/pair-one",                                                       \
		 "pair",                                                                          \
		 LIMIT_L1,                                                                        \
		 ARG(format, ONE_PAGE),                                                           \
		 SINGLE,                                                                          \
		 setup,                                                                           \
		 NULL,                                                                            \
		 pair_one,                                                                        \
		 teardown},                                                                       \
	{                                                                                         \
		"pgtbl/" name "/translate", "call", LIMIT_L1, ARG(format, SCATTERED), 4096,       \
			setup_mapped, NULL, translate, teardown                                   \
	}

const struct bench_case bench_pgtbl[] = {
	ROWS("vtdss", PHYR_PGTBL_VTDSS),
	ROWS("x86_64", PHYR_PGTBL_X86_64),
	{.name = NULL},
};
