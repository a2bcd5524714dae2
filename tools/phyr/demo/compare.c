/* SPDX-License-Identifier: MIT */
/* The same buffer mapped the old way, page by page, and with phyr, in one call. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "demo/demo.h"

#define ROUNDS 101

struct way {
	const char *name;
	uint64_t bytes, calls, walks, entries, invalidations, ns;
};

/* Map and unmap each page on its own. */
static int old_cycle(struct demo *d, const struct phyr_list *list, struct sg_table *table,
		     phyr_dma_addr_t *out)
{
	size_t pages = 0;
	int err = 0;

	sg_fill(table, list);
	for (struct sg_entry *sg = table->first; sg; sg = sg_next(sg))
		for (uint64_t at = 0; !err && at < sg->length; at += PHYR_PAGE_SIZE)
			err = phyr_dma_map_phys(d->dev, list->space, sg_addr(sg, at),
						PHYR_PAGE_SIZE, PHYR_DMA_FROM_DEVICE, 0,
						&out[pages++]);
	pages -= err != 0;
	while (pages)
		phyr_dma_unmap_phys(d->dev, out[--pages], PHYR_PAGE_SIZE, PHYR_DMA_FROM_DEVICE, 0);
	return err;
}

static int new_cycle(struct demo *d, const struct phyr_list *list)
{
	struct phyr_dma_map map;
	int err = phyr_dma_map(d->dev, list, PHYR_DMA_FROM_DEVICE, 0, &map);

	if (!err)
		phyr_dma_unmap(d->dev, &map);
	return err;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Take what one cycle added to the counts, and the median time of many. */
static void settle(struct demo *d, struct way *way, uint64_t *times,
		   const struct phyr_domain_stats *was)
{
	struct phyr_domain_stats now;

	phyr_domain_get_stats(d->domain, &now);
	way->calls = (now.maps - was->maps) / ROUNDS;
	way->walks = (now.maps + now.unmaps - was->maps - was->unmaps) / ROUNDS;
	way->entries = (now.entries - was->entries) / ROUNDS;
	way->invalidations = (now.invalidations - was->invalidations) / ROUNDS;
	qsort(times, ROUNDS, sizeof(*times), by_value);
	way->ns = times[ROUNDS / 2];
}

static int measure_old(struct demo *d, const struct phyr_list *list, struct way *way)
{
	phyr_dma_addr_t *out = calloc(list->len / PHYR_PAGE_SIZE, sizeof(*out));
	struct phyr_domain_stats was;
	uint64_t times[ROUNDS];
	struct sg_table table;
	int err = sg_alloc(&table, sg_count(list));

	if (!out)
		err = -ENOMEM;
	way->bytes = table.entries * sizeof(struct sg_entry);
	phyr_domain_get_stats(d->domain, &was);
	for (unsigned i = 0; !err && i < ROUNDS; i++) {
		uint64_t start = now_ns();

		err = old_cycle(d, list, &table, out);
		times[i] = now_ns() - start;
	}
	if (!err)
		settle(d, way, times, &was);
	sg_free(&table);
	free(out);
	return err;
}

static int measure_new(struct demo *d, const struct phyr_list *list, struct way *way)
{
	struct phyr_domain_stats was;
	struct phyr_list_stats st;
	uint64_t times[ROUNDS];
	int err = 0;

	phyr_list_stats(list, &st);
	way->bytes = st.words * sizeof(uint64_t);
	phyr_domain_get_stats(d->domain, &was);
	for (unsigned i = 0; !err && i < ROUNDS; i++) {
		uint64_t start = now_ns();

		err = new_cycle(d, list);
		times[i] = now_ns() - start;
	}
	if (!err)
		settle(d, way, times, &was);
	return err;
}

static void print_line(const char *what, uint64_t old_way, uint64_t with_phyr)
{
	printf("  %-34s %12" PRIu64 " %12" PRIu64, what, old_way, with_phyr);
	if (with_phyr && old_way > with_phyr)
		printf("   %6.1f x", (double)old_way / (double)with_phyr);
	printf("\n");
}

int demo_compare(struct demo *d, const struct phyr_list *list)
{
	struct way a = {.name = "the old way"}, b = {.name = "phyr"};
	int err = measure_old(d, list, &a);

	err = err ? err : measure_new(d, list, &b);
	if (err)
		return err;
	printf("Mapped for a device behind an IOMMU, and unmapped again:\n\n");
	printf("  %-34s %12s %12s\n", "", a.name, b.name);
	print_line("the list, bytes", a.bytes, b.bytes);
	print_line("calls that map", a.calls, b.calls);
	print_line("page-table walks", a.walks, b.walks);
	print_line("entries written", a.entries, b.entries);
	print_line("IOTLB invalidations", a.invalidations, b.invalidations);
	print_line("ns, map and unmap (median)", a.ns, b.ns);
	printf("\n");
	return 0;
}
