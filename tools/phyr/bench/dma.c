/* SPDX-License-Identifier: MIT */
/* Rows for whole requests: reserve, link, sync, build PRPs, unlink, free, strict. */
#include "bench/bench.h"

#include <stdlib.h>

#define CYCLES 256

struct state {
	struct bench_device device;
	struct phyr_dev *dev; /* the device's */
	struct phyr_prp prp;
	struct phyr_prp_page prp_pages[4];
	struct phyr_list list;
	phyr_addr_t *pages; /* the same memory as an array, for the old way */
	phyr_dma_addr_t *mapped;
	size_t nr_pages;
};

static void teardown(void *state)
{
	struct state *s = state;

	phyr_prp_fini(&s->prp);
	bench_device_stop(&s->device);
	phyr_list_fini(&s->list);
	free(s->pages);
	free(s->mapped);
	free(s);
}

#define DIRECT     ((uintptr_t)1 << 32)
#define CONTIGUOUS ((uintptr_t)1 << 33)

static void *setup(const struct bench_case *c)
{
	struct state *s = calloc(1, sizeof(*s));
	phyr_addr_t *all = calloc(GIB_PAGES, sizeof(*all));

	if (!s || !all) {
		free(s);
		free(all);
		return NULL;
	}
	phyr_list_init(&s->list, NULL, NULL);
	s->nr_pages = c->arg & 0xffffffff;
	s->pages = all;
	s->mapped = calloc(s->nr_pages, sizeof(*s->mapped));
	bench_scatter(all, GIB_PAGES);
	for (size_t i = 0; c->arg & CONTIGUOUS && i < s->nr_pages; i++)
		all[i] = all[0] + i * PHYR_PAGE_SIZE;
	if (!s->mapped || bench_device_start(&s->device, c->arg & DIRECT) ||
	    phyr_list_append_pages(&s->list, all, s->nr_pages)) {
		teardown(s);
		return NULL;
	}
	s->dev = s->device.dev;
	phyr_prp_init(&s->prp, 12, s->device.pool, s->prp_pages, 4);
	return s;
}

static void must(int err)
{
	if (err)
		abort();
}

static void cycle(void *state)
{
	struct state *s = state;
	struct phyr_dma_iova_state window;
	struct phyr_cursor cur;

	for (unsigned i = 0; i < CYCLES; i++) {
		if (!phyr_dma_iova_try_alloc(s->dev, &window, s->pages[0], s->list.len))
			abort();
		must(phyr_dma_iova_link_list(s->dev, &window, &s->list, 0, PHYR_DMA_FROM_DEVICE,
					     0));
		must(phyr_dma_iova_sync(s->dev, &window, 0, s->list.len));
		phyr_cursor_init_range(&cur, window.addr, s->list.len);
		must(phyr_prp_build(&s->prp, &cur));
		phyr_dma_iova_destroy(s->dev, &window, s->list.len, PHYR_DMA_FROM_DEVICE, 0);
	}
}

static void cycle_old_way(void *state)
{
	struct state *s = state;
	struct phyr_list dma;
	struct phyr_cursor cur;

	for (unsigned i = 0; i < CYCLES; i++) {
		phyr_list_init(&dma, NULL, NULL);
		for (size_t k = 0; k < s->nr_pages; k++) {
			must(phyr_dma_map_phys(s->dev, NULL, s->pages[k], PHYR_PAGE_SIZE,
					       PHYR_DMA_FROM_DEVICE, 0, &s->mapped[k]));
			must(phyr_list_append_page(&dma, s->mapped[k]));
		}
		phyr_cursor_init(&cur, &dma);
		must(phyr_prp_build(&s->prp, &cur));
		phyr_list_fini(&dma);
		for (size_t k = 0; k < s->nr_pages; k++)
			phyr_dma_unmap_phys(s->dev, s->mapped[k], PHYR_PAGE_SIZE,
					    PHYR_DMA_FROM_DEVICE, 0);
	}
}

static void map_call(void *state)
{
	struct state *s = state;
	struct phyr_dma_map map;

	for (unsigned i = 0; i < CYCLES; i++) {
		must(phyr_dma_map(s->dev, &s->list, PHYR_DMA_FROM_DEVICE, 0, &map));
		bench_use(phyr_dma_map_list(&map)->len);
		phyr_dma_unmap(s->dev, &map);
	}
}

/*
 * Buffers as transparent huge pages make them: aligned 2 MiB pages, no two together; a buffer of
 * 8 MiB begins somewhere in the first. Each cycle takes the next of several.
 */
#define HUGE_PAGE ((uint64_t)2 << 20)
#define THP_LEN   (4 * HUGE_PAGE)
#define THP_LISTS 16

struct thp_state {
	struct bench_device device;
	struct phyr_list lists[THP_LISTS];
	uint64_t fewest; /* leaves that all lists need, each mapped once */
};

static void thp_teardown(void *state)
{
	struct phyr_domain_stats stats = {0};
	struct thp_state *s = state;

	if (s->device.domain)
		phyr_domain_get_stats(s->device.domain, &stats);
	if (stats.maps) {
		bench_note("leaves", (double)stats.entries / (double)stats.maps);
		bench_note("fewest", (double)s->fewest / THP_LISTS);
	}
	bench_device_stop(&s->device);
	for (unsigned i = 0; i < THP_LISTS; i++)
		phyr_list_fini(&s->lists[i]);
	free(s);
}

/* Leaves of 4 KiB and 2 MiB where iova and address agree below 2 MiB. */
static uint64_t thp_fewest(const struct phyr_list *list)
{
	struct phyr_cursor cur;
	struct phyr_range r;
	uint64_t leaves = 0;

	phyr_cursor_init(&cur, list);
	while (phyr_cursor_next(&cur, &r))
		leaves += r.len == HUGE_PAGE ? 1 : r.len >> PHYR_PAGE_LG2;
	return leaves;
}

static int thp_fill(struct phyr_list *list, uint64_t offset)
{
	uint64_t at = (uint64_t)16 << 30, len = HUGE_PAGE - offset, left = THP_LEN;
	int err = 0;

	for (; left && !err;
	     at += 3 * HUGE_PAGE, left -= len, len = left < HUGE_PAGE ? left : HUGE_PAGE) {
		err = phyr_list_append(list, at + offset, len);
		offset = 0;
	}
	return err;
}

static void *thp_setup(const struct bench_case *c)
{
	struct thp_state *s = calloc(1, sizeof(*s));
	uint64_t rng = 4;
	int err;

	if (!s)
		return NULL;
	err = bench_device_start(&s->device, false);
	for (unsigned i = 0; i < THP_LISTS; i++)
		phyr_list_init(&s->lists[i], NULL, NULL);
	for (unsigned i = 0; i < THP_LISTS && !err; i++) {
		err = thp_fill(&s->lists[i], (1 + rng_below(&rng, 511)) << PHYR_PAGE_LG2);
		s->fewest += thp_fewest(&s->lists[i]);
	}
	if (!err)
		return s;
	thp_teardown(s);
	return NULL;
}

static void thp_cycle(void *state)
{
	struct thp_state *s = state;
	struct phyr_dma_iova_state window;
	struct phyr_dev *dev = s->device.dev;

	for (unsigned i = 0; i < THP_LISTS; i++) {
		struct phyr_list *list = &s->lists[i];

		if (!phyr_dma_iova_try_alloc(dev, &window, phyr_list_first_addr(list), list->len))
			abort();
		must(phyr_dma_iova_link_list(dev, &window, list, 0, PHYR_DMA_FROM_DEVICE, 0));
		must(phyr_dma_iova_sync(dev, &window, 0, list->len));
		phyr_dma_iova_destroy(dev, &window, list->len, PHYR_DMA_FROM_DEVICE, 0);
	}
}

const struct bench_case bench_dma[] = {
	{"dma/cycle-4k", "cycle", LIMIT_L1, 1, CYCLES, setup, NULL, cycle, teardown},
	{"dma/cycle-128k-scattered", "cycle", LIMIT_L1, 32, CYCLES, setup, NULL, cycle, teardown},
	{"dma/cycle-128k-contiguous", "cycle", LIMIT_L1, 32 | CONTIGUOUS, CYCLES, setup, NULL,
	 cycle, teardown},
	{"dma/cycle-1m-scattered", "cycle", LIMIT_L1, 256, CYCLES, setup, NULL, cycle, teardown},
	{"dma/cycle-128k-old-way", "cycle", LIMIT_L1, 32, CYCLES, setup, NULL, cycle_old_way,
	 teardown},
	{"dma/cycle-8m-thp", "cycle", LIMIT_L1, 0, THP_LISTS, thp_setup, NULL, thp_cycle,
	 thp_teardown},
	{"dma/map-direct", "pair", LIMIT_L1, 256 | DIRECT, CYCLES, setup, NULL, map_call, teardown},
	{.name = NULL},
};
