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

const struct bench_case bench_dma[] = {
	{"dma/cycle-4k", "cycle", LIMIT_L1, 1, CYCLES, setup, NULL, cycle, teardown},
	{"dma/cycle-128k-scattered", "cycle", LIMIT_L1, 32, CYCLES, setup, NULL, cycle, teardown},
	{"dma/cycle-128k-contiguous", "cycle", LIMIT_L1, 32 | CONTIGUOUS, CYCLES, setup, NULL,
	 cycle, teardown},
	{"dma/cycle-1m-scattered", "cycle", LIMIT_L1, 256, CYCLES, setup, NULL, cycle, teardown},
	{"dma/cycle-128k-old-way", "cycle", LIMIT_L1, 32, CYCLES, setup, NULL, cycle_old_way,
	 teardown},
	{"dma/map-direct", "pair", LIMIT_L1, 256 | DIRECT, CYCLES, setup, NULL, map_call, teardown},
	{.name = NULL},
};
