/* SPDX-License-Identifier: MIT */
/* Rows for descriptors: PRPs of requests as they come, and of a GiB. */
#include "bench/bench.h"

#include <stdlib.h>

#define BUILDS 1024

/* List pages that a GiB of 4 KiB entries takes, 511 each. */
#define MAX_LIST_PAGES 600

struct state {
	struct bench_device device;
	struct phyr_prp prp;
	struct phyr_prp_page pages[MAX_LIST_PAGES];
	struct phyr_list list;
	uint64_t builds;
};

static void teardown(void *state)
{
	struct state *s = state;

	phyr_prp_fini(&s->prp);
	bench_device_stop(&s->device);
	phyr_list_fini(&s->list);
	free(s);
}

static int fill(struct phyr_list *list, size_t nr, size_t segments)
{
	phyr_addr_t *pages;
	int err;

	if (segments == 1)
		return phyr_list_append(list, (uint64_t)16 << 30, nr * PHYR_PAGE_SIZE);
	pages = calloc(GIB_PAGES, sizeof(*pages));
	if (!pages)
		return -1;
	bench_scatter(pages, GIB_PAGES);
	err = phyr_list_append_pages(list, pages, nr);
	free(pages);
	return err;
}

#define ARG(pages, segments) ((uintptr_t)(pages) << 32 | (segments))

static void *setup(const struct bench_case *c)
{
	struct state *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	phyr_list_init(&s->list, NULL, NULL);
	s->builds = c->arg >> 32 == GIB_PAGES ? 1 : BUILDS;
	if (bench_device_start(&s->device, true) ||
	    fill(&s->list, c->arg >> 32, c->arg & 0xffffffff)) {
		teardown(s);
		return NULL;
	}
	phyr_prp_init(&s->prp, 12, s->device.pool, s->pages, MAX_LIST_PAGES);
	return s;
}

static void build(void *state)
{
	struct state *s = state;
	struct phyr_cursor cur;

	for (uint64_t i = 0; i < s->builds; i++) {
		phyr_cursor_init(&cur, &s->list);
		if (phyr_prp_build(&s->prp, &cur))
			abort();
		bench_use(s->prp.prp2);
	}
}

#define ROW(name, per, limit, pages, segments, units)                                      \
	{                                                                                  \
		"desc/" name, per, limit, ARG(pages, segments), units, setup, NULL, build, \
			teardown                                                           \
	}

const struct bench_case bench_desc[] = {
	ROW("prp-4k", "call", LIMIT_L1, 1, 1, BUILDS),
	ROW("prp-128k-1seg", "call", LIMIT_L1, 32, 1, BUILDS),
	ROW("prp-128k-32seg", "call", LIMIT_L1, 32, 32, BUILDS),
	ROW("prp-1m-256seg", "call", LIMIT_L1, 256, 256, BUILDS),
	ROW("prp-list-1g-window", "entry", LIMIT_MEMSET, GIB_PAGES, 1, GIB_PAGES),
	ROW("prp-list-1g-list", "entry", LIMIT_MEMSET, GIB_PAGES, GIB_PAGES, GIB_PAGES),
	{.name = NULL},
};
