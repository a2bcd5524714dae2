/* SPDX-License-Identifier: MIT */
/* Rows for the packed list: build, iterate, seek. */
#include "bench/bench.h"

#include <stdlib.h>

#define SEEK_WORDS ((size_t)1000000)
#define SEEKS      4096

struct state {
	phyr_addr_t *pages;
	struct phyr_list list;
	uint64_t rng;
};

/* A permutation of every other page of 2 GiB, from 16 GiB on. */
void bench_scatter(phyr_addr_t *pages, size_t nr)
{
	uint64_t rng = 1;

	for (size_t i = 0; i < nr; i++)
		pages[i] = ((uint64_t)16 << 30) + ((uint64_t)i << 13);
	for (size_t i = nr - 1; i > 0; i--) {
		size_t k = rng_below(&rng, i + 1);
		phyr_addr_t swap = pages[i];

		pages[i] = pages[k];
		pages[k] = swap;
	}
}

/* Six runs of ten are single pages; the others 1 to 31, log-uniform, and a few of 32 to 63. */
static size_t mixed_run(uint64_t *rng)
{
	uint64_t kind = rng_below(rng, 10);
	unsigned lg2;

	if (kind < 6)
		return 1;
	lg2 = kind == 9 ? 5 : 1 + (unsigned)rng_below(rng, 4);
	return ((size_t)1 << lg2) + rng_below(rng, (uint64_t)1 << lg2);
}

void bench_mix(phyr_addr_t *pages, size_t nr)
{
	uint64_t rng = 2, at = (uint64_t)16 << 30;

	for (size_t i = 0; i < nr;) {
		size_t run = mixed_run(&rng);

		at += (1 + rng_below(&rng, 64)) << PHYR_PAGE_LG2;
		for (; run && i < nr; run--, i++, at += PHYR_PAGE_SIZE)
			pages[i] = at;
	}
}

static void line_up(phyr_addr_t *pages, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		pages[i] = ((uint64_t)16 << 30) + ((uint64_t)i << PHYR_PAGE_LG2);
}

enum layout { SCATTERED, CONTIGUOUS, MIXED };

static void *setup_pages(const struct bench_case *c)
{
	struct state *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	phyr_list_init(&s->list, NULL, NULL);
	s->pages = calloc(SEEK_WORDS, sizeof(*s->pages));
	if (!s->pages) {
		free(s);
		return NULL;
	}
	if (c->arg == SCATTERED)
		bench_scatter(s->pages, SEEK_WORDS);
	else if (c->arg == MIXED)
		bench_mix(s->pages, SEEK_WORDS);
	else
		line_up(s->pages, SEEK_WORDS);
	return s;
}

static void teardown(void *state)
{
	struct state *s = state;

	phyr_list_fini(&s->list);
	free(s->pages);
	free(s);
}

static void *setup_list(const struct bench_case *c)
{
	struct state *s = setup_pages(c);

	if (s && phyr_list_append_pages(&s->list, s->pages, SEEK_WORDS)) {
		teardown(s);
		return NULL;
	}
	return s;
}

/* As many words of the mixed layout. */
static void *setup_mixed_list(const struct bench_case *c)
{
	struct state *s = setup_pages(c);
	uint64_t shift = 0;

	while (s && s->list.nr_words < SEEK_WORDS) {
		for (size_t i = 0; shift && i < SEEK_WORDS; i++)
			s->pages[i] += (uint64_t)1 << 40;
		if (phyr_list_append_pages(&s->list, s->pages, SEEK_WORDS)) {
			teardown(s);
			return NULL;
		}
		shift = 1;
	}
	return s;
}

static void clear(void *state)
{
	struct state *s = state;

	phyr_list_reset(&s->list);
}

static void append_array(void *state)
{
	struct state *s = state;

	bench_use((uint64_t)phyr_list_append_pages(&s->list, s->pages, GIB_PAGES));
}

static void append_one(void *state)
{
	struct state *s = state;

	for (size_t i = 0; i < GIB_PAGES; i++)
		bench_use((uint64_t)phyr_list_append_page(&s->list, s->pages[i]));
}

static void iterate(void *state)
{
	struct state *s = state;
	struct phyr_cursor cur;
	struct phyr_range range;

	phyr_cursor_init(&cur, &s->list);
	while (phyr_cursor_next(&cur, &range))
		__asm__ volatile("" : : "r"(range.addr), "r"(range.len));
}

/* What the spans cost, not what is done with their words. */
static void iterate_spans(void *state)
{
	struct state *s = state;
	struct phyr_cursor cur;
	struct phyr_range range;
	const uint64_t *words;
	uint64_t sum = 0;
	size_t nr;

	phyr_cursor_init(&cur, &s->list);
	for (;;) {
		nr = phyr_cursor_span(&cur, SEEK_WORDS, &words);
		if (nr)
			sum += words[0] ^ words[nr - 1];
		else if (!phyr_cursor_next(&cur, &range))
			break;
	}
	bench_use(sum);
}

static void seek(void *state)
{
	struct state *s = state;
	struct phyr_cursor cur;

	for (unsigned i = 0; i < SEEKS; i++) {
		phyr_cursor_init_at(&cur, &s->list, rng_below(&s->rng, s->list.len), 1);
		bench_use((uintptr_t)cur.word);
	}
}

const struct bench_case bench_list[] = {
	{"list/append-scattered", "page", LIMIT_MEMSET, SCATTERED, GIB_PAGES, setup_pages, clear,
	 append_array, teardown},
	{"list/append-contiguous", "page", LIMIT_MEMSET, CONTIGUOUS, GIB_PAGES, setup_pages, clear,
	 append_array, teardown},
	{"list/append-mixed", "page", LIMIT_MEMSET, MIXED, GIB_PAGES, setup_pages, clear,
	 append_array, teardown},
	{"list/append-one", "page", LIMIT_L1, SCATTERED, GIB_PAGES, setup_pages, clear, append_one,
	 teardown},
	{"list/iterate-scattered", "word", LIMIT_MEMSET, SCATTERED, SEEK_WORDS, setup_list, NULL,
	 iterate, teardown},
	{"list/iterate-spans", "word", LIMIT_MEMSET, SCATTERED, SEEK_WORDS, setup_list, NULL,
	 iterate_spans, teardown},
	{"list/seek", "call", LIMIT_L1, SCATTERED, SEEKS, setup_list, NULL, seek, teardown},
	{"list/seek-mixed", "call", LIMIT_L1, MIXED, SEEKS, setup_mixed_list, NULL, seek, teardown},
	{.name = NULL},
};
