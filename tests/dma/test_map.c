/* SPDX-License-Identifier: MIT */
/* Mapping of lists in one call: the three answers. */
#include "rig.h"

#include <string.h>

static uint64_t how(struct rig *r, enum phyr_dma_how h)
{
	struct phyr_dev_stats stats;

	phyr_dev_get_stats(r->dev, &stats);
	return stats.how[h];
}

/* The device sees memory as it is: the answer is the very list, and nothing was done. */
static void same(void **state)
{
	struct phyr_dma_map m;
	struct phyr_list list;
	struct rig r;

	rig_init(&r, &rig_direct);
	rig_list(&r, &list, rig_mixed, 4);
	assert_int_equal(phyr_dma_map(r.dev, &list, PHYR_DMA_BIDIRECTIONAL, 0, &m), 0);
	assert_int_equal(m.how, PHYR_DMA_SAME);
	assert_ptr_equal(phyr_dma_map_list(&m), &list);
	assert_int_equal(r.t.allocs, 0);
	assert_int_equal(how(&r, PHYR_DMA_SAME), 1);
	phyr_dma_unmap(r.dev, &m);
	assert_null(phyr_dma_map_list(&m));
	phyr_list_fini(&list);
	rig_fini(&r);
}

/* Behind an IOMMU: one window, one walk, one sync, and a list of one run when it is asked for. */
static void window(void **state)
{
	struct phyr_domain_stats before, after;
	const struct phyr_list *dma;
	struct phyr_dma_map m;
	struct phyr_list list;
	struct rig r;

	rig_init(&r, &rig_vtdss);
	rig_list(&r, &list, rig_mixed, 4);
	phyr_domain_get_stats(r.domain, &before);
	memset(&m, 0xa5, sizeof(m)); /* in any state */
	assert_int_equal(phyr_dma_map(r.dev, &list, PHYR_DMA_TO_DEVICE, 0, &m), 0);
	phyr_domain_get_stats(r.domain, &after);
	assert_int_equal(m.how, PHYR_DMA_WINDOW);
	assert_int_equal(after.maps - before.maps, 1);
	assert_int_equal(after.map_syncs - before.map_syncs, 1);
	assert_int_equal(after.invalidations - before.invalidations, 0);

	dma = phyr_dma_map_list(&m);
	assert_ptr_equal(dma, phyr_dma_map_list(&m));
	assert_ptr_equal(dma, &m.list);
	assert_int_equal(dma->nr_runs, 1);
	assert_int_equal(dma->len, list.len);
	assert_int_equal(dma->open_addr & 0xfff, 0xe00);
	assert_int_equal(rig_walk(&r, dma->open_addr), 0x10e00);
	assert_int_equal(rig_walk(&r, dma->open_addr + 0x200), 0x30000);
	assert_int_equal(rig_walk(&r, dma->open_addr + 0x2200), 0x20000);
	assert_int_equal(rig_walk(&r, dma->open_addr + 0x3200), 0x8000000);
	assert_int_equal(rig_prot(&r, dma->open_addr), PHYR_READ);
	phyr_dma_unmap(r.dev, &m);
	phyr_domain_get_stats(r.domain, &after);
	assert_int_equal(after.unmaps - before.unmaps, 1);
	assert_int_equal(after.invalidations - before.invalidations, 1);
	assert_int_equal(rig_walk(&r, m.state.addr), UINT64_MAX);
	phyr_dma_unmap(r.dev, &m); /* nothing is mapped any more */
	assert_int_equal(how(&r, PHYR_DMA_WINDOW), 1);
	phyr_list_fini(&list);
	rig_fini(&r);
}

/* Once tables are there, a window costs no allocation of memory. */
static void window_allocates_nothing(void **state)
{
	struct phyr_dma_map m;
	struct phyr_list list;
	struct rig r;

	rig_init(&r, &rig_vtdss);
	rig_list(&r, &list, rig_mixed, 4);
	for (unsigned i = 0; i < 4; i++) {
		if (i == 3)
			tenv_restart(&r.t);
		assert_int_equal(phyr_dma_map(r.dev, &list, PHYR_DMA_TO_DEVICE, 0, &m), 0);
		assert_non_null(phyr_dma_map_list(&m));
		phyr_dma_unmap(r.dev, &m);
	}
	assert_int_equal(r.t.allocs, 0);
	phyr_list_fini(&list);
	rig_fini(&r);
}

/* A bus offset makes a full list of it, in which the runs lie as before. */
static void offset_list(void **state)
{
	static const uint64_t offsets[] = {0x100000000, -(uint64_t)0x10000};

	for (unsigned i = 0; i < 2; i++) {
		struct rig_config c = {.limits = RIG_LIMITS(.bus_offset = offsets[i])};
		struct phyr_cursor src, dst;
		struct phyr_range a, b;
		struct phyr_dma_map m;
		struct phyr_list list;
		struct rig r;

		rig_init(&r, &c);
		rig_list(&r, &list, rig_mixed, 4);
		assert_int_equal(phyr_dma_map(r.dev, &list, PHYR_DMA_FROM_DEVICE, 0, &m), 0);
		assert_int_equal(m.how, PHYR_DMA_RANGES);
		assert_int_equal(phyr_dma_map_list(&m)->nr_runs, 4);
		assert_int_equal(phyr_dma_map_list(&m)->len, list.len);
		phyr_cursor_init(&src, &list);
		phyr_cursor_init(&dst, phyr_dma_map_list(&m));
		while (phyr_cursor_next(&src, &a)) {
			assert_true(phyr_cursor_next(&dst, &b));
			assert_int_equal(b.addr, a.addr + offsets[i]);
			assert_int_equal(b.len, a.len);
		}
		assert_int_equal(how(&r, PHYR_DMA_RANGES), 1);
		phyr_dma_unmap(r.dev, &m);
		phyr_list_fini(&list);
		rig_fini(&r);
	}
}

/* Whether each byte of the source is what the dma list leads to. */
static void check_ranges(struct rig *r, struct phyr_dma_map *m)
{
	struct phyr_range a, b = {0};
	struct phyr_cursor src, dst;

	assert_int_equal(phyr_dma_map_list(m)->len, m->src->len);
	phyr_cursor_init(&src, m->src);
	phyr_cursor_init(&dst, phyr_dma_map_list(m));
	while (phyr_cursor_next(&src, &a)) {
		if (!b.len)
			assert_true(phyr_cursor_next(&dst, &b));
		assert_int_equal(rig_walk(r, b.addr), a.addr);
		assert_int_equal(rig_walk(r, b.addr + a.len - 1), a.addr + a.len - 1);
		b.addr += a.len;
		b.len -= a.len;
	}
}

/* Inner edges inside a granule: each run its own window. */
static void ranges_behind_iommu(void **state)
{
	struct phyr_dma_map m;
	struct phyr_list list;
	struct rig r;

	rig_init(&r, &rig_large);
	rig_list(&r, &list, rig_mixed, 4);
	assert_int_equal(phyr_dma_map(r.dev, &list, PHYR_DMA_TO_DEVICE, 0, &m), 0);
	assert_int_equal(m.how, PHYR_DMA_RANGES);
	check_ranges(&r, &m);
	assert_int_equal(rig_iova(&r), 4 * M2);
	phyr_dma_unmap(r.dev, &m);
	assert_true(rig_idle(&r));
	phyr_list_fini(&list);
	rig_fini(&r);
}

/* Addresses that meet join in the dma list, and yet come apart again when they are unmapped. */
static void ranges_that_meet(void **state)
{
	const struct phyr_range ranges[] = {{5 * M2 - 0x1000, 0x1000},
					    {9 * M2, M2},
					    {3 * M2, M2},
					    {7 * M2, 0x5000},
					    {1 * M2, 0x1000}};
	struct phyr_dma_map m;
	struct phyr_list list;
	struct rig r;

	rig_init(&r, &rig_large);
	rig_list(&r, &list, ranges, 5);
	assert_int_equal(phyr_dma_map(r.dev, &list, PHYR_DMA_TO_DEVICE, 0, &m), 0);
	assert_int_equal(m.how, PHYR_DMA_RANGES);
	assert_true(phyr_dma_map_list(&m)->nr_runs < 5);
	check_ranges(&r, &m);
	phyr_dma_unmap(r.dev, &m);
	assert_true(rig_idle(&r));
	phyr_list_fini(&list);
	rig_fini(&r);
}

/* No stretch is long enough for one window, but each run finds a place. */
static void no_window_is_left(void **state)
{
	struct rig_config c = rig_vtdss;
	struct phyr_dma_iova_state s[8];
	struct phyr_range ranges[4], one = {0x50000, 0x2000};
	struct phyr_dma_map m;
	struct phyr_list list, whole;
	struct rig r;

	c.start = 0x1000;
	c.last = 0x8fff;
	rig_init(&r, &c);
	for (unsigned i = 0; i < 4; i++)
		ranges[i] = (struct phyr_range){0x10000 * (i + 1), 0x1000};
	for (unsigned i = 0; i < 8; i++)
		assert_true(phyr_dma_iova_try_alloc(r.dev, &s[i], 0, 0x1000));
	for (unsigned i = 0; i < 8; i += 2)
		phyr_dma_iova_free(r.dev, &s[i]);
	rig_list(&r, &list, ranges, 4);
	rig_list(&r, &whole, &one, 1);
	assert_int_equal(phyr_dma_map(r.dev, &list, PHYR_DMA_TO_DEVICE, 0, &m), 0);
	assert_int_equal(m.how, PHYR_DMA_RANGES);
	check_ranges(&r, &m);
	phyr_dma_unmap(r.dev, &m);

	/* a single run has no other way */
	assert_int_equal(phyr_dma_map(r.dev, &whole, PHYR_DMA_TO_DEVICE, 0, &m), -ENOSPC);
	assert_report(&r, -ENOSPC, "phyr_dma_map", 0x50000, 0x2000);
	assert_int_equal(m.how, PHYR_DMA_NONE);
	phyr_dma_unmap(r.dev, &m);

	/* with a place less, the fourth run stops it, and the others are taken back */
	assert_true(phyr_dma_iova_try_alloc(r.dev, &s[0], 0, 0x1000));
	assert_int_equal(phyr_dma_map(r.dev, &list, PHYR_DMA_TO_DEVICE, 0, &m), -ENOSPC);
	assert_int_equal(r.t.last.index, 3);
	assert_report(&r, -ENOSPC, "phyr_dma_map", 0x40000, 0x1000);
	assert_int_equal(rig_iova(&r), 5 * 0x1000);
	phyr_dma_iova_free(r.dev, &s[0]);
	for (unsigned i = 1; i < 8; i += 2)
		phyr_dma_iova_free(r.dev, &s[i]);
	phyr_list_fini(&list);
	phyr_list_fini(&whole);
	rig_fini(&r);
}

/* Lists with huge runs get windows in which they stay huge, though they start anywhere. */
static void huge_stays_huge(void **state)
{
	const struct phyr_range ranges[] = {
		{7 * M2 + 0x3000, M2 - 0x3000}, {20 * M2, 2 * M2}, {40 * M2, 0x1000}};
	struct phyr_dma_iova_state odd;
	struct phyr_translation t;
	struct phyr_dma_map m;
	struct phyr_list list;
	struct rig r;

	rig_init(&r, &rig_vtdss);
	rig_list(&r, &list, ranges, 3);
	assert_true(phyr_dma_iova_try_alloc(r.dev, &odd, 0, 0x1000));
	assert_int_equal(phyr_dma_map(r.dev, &list, PHYR_DMA_TO_DEVICE, 0, &m), 0);
	assert_int_equal(m.state.addr & (M2 - 1), 0x3000);
	assert_int_equal(phyr_domain_translate(r.domain, m.state.addr + M2, &t), 0);
	assert_int_equal(t.leaf_size, M2);
	phyr_dma_unmap(r.dev, &m);
	phyr_dma_iova_free(r.dev, &odd);
	phyr_list_fini(&list);
	rig_fini(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same),
		cmocka_unit_test(window),
		cmocka_unit_test(window_allocates_nothing),
		cmocka_unit_test(offset_list),
		cmocka_unit_test(ranges_behind_iommu),
		cmocka_unit_test(ranges_that_meet),
		cmocka_unit_test(no_window_is_left),
		cmocka_unit_test(huge_stays_huge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
