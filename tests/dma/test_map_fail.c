/* SPDX-License-Identifier: MIT */
/* What phyr_dma_map() refuses, and what it reports. */
#include "rig.h"

#include <string.h>

#include "iommu/domain.h"

static void map_fails(struct rig *r, const struct phyr_list *list, enum phyr_dma_dir dir,
		      unsigned attrs, int err, uint64_t addr, uint64_t len)
{
	struct phyr_dma_map m;

	tenv_restart(&r->t);
	memset(&m, 0xa5, sizeof(m));
	assert_int_equal(phyr_dma_map(r->dev, list, dir, attrs, &m), err);
	assert_report(r, err, "phyr_dma_map", addr, len);
	assert_int_equal(m.how, PHYR_DMA_NONE);
	assert_null(phyr_dma_map_list(&m));
	phyr_dma_unmap(r->dev, &m);
	assert_true(rig_idle(r));
}

static void refusals(void **state)
{
	static const enum phyr_kind kinds[] = {PHYR_KIND_USER, PHYR_KIND_FD,   PHYR_KIND_MMIO,
					       PHYR_KIND_P2P,  PHYR_KIND_SEEN, 99};
	const struct rig_config *configs[] = {&rig_direct, &rig_vtdss, &rig_large};

	for (unsigned i = 0; i < 3; i++) {
		struct phyr_list list, empty;
		struct rig r;

		rig_init(&r, configs[i]);
		phyr_list_init(&empty, &r.t.env, NULL);
		rig_list(&r, &list, rig_mixed, 4);
		map_fails(&r, &empty, 0, 0, -EINVAL, 0, 0);
		map_fails(&r, &list, 3, 0, -EINVAL, 0x10e00, list.len);
		map_fails(&r, &list, 0, 1, -EINVAL, 0x10e00, list.len);
		for (unsigned k = 0; k < 6; k++) {
			struct phyr_space space = {.kind = kinds[k]};

			list.space = &space;
			map_fails(&r, &list, 0, 0, -EOPNOTSUPP, 0x10e00, list.len);
		}
		list.space = NULL;
		phyr_list_fini(&list);
		rig_fini(&r);
	}
}

/* A list of dma addresses can't be mapped again, whichever answer it was. */
static void mapped_already(void **state)
{
	struct rig_config shifted = {.limits = RIG_LIMITS(.bus_offset = 0x10000)};
	const struct rig_config *configs[] = {&shifted, &rig_vtdss, &rig_large};

	for (unsigned i = 0; i < 3; i++) {
		const struct phyr_list *dma;
		struct phyr_dma_map m, again;
		struct phyr_cursor cur;
		struct phyr_range run;
		struct phyr_list list;
		struct rig r;

		rig_init(&r, configs[i]);
		rig_list(&r, &list, rig_mixed, 4);
		assert_int_equal(phyr_dma_map(r.dev, &list, 0, 0, &m), 0);
		dma = phyr_dma_map_list(&m);
		phyr_cursor_init(&cur, dma);
		assert_true(phyr_cursor_next(&cur, &run));
		assert_int_equal(phyr_dma_map(r.dev, dma, 0, 0, &again), -EINVAL);
		assert_report(&r, -EINVAL, "phyr_dma_map", run.addr, dma->len);
		phyr_dma_unmap(r.dev, &m);
		phyr_list_fini(&list);
		rig_fini(&r);
	}
}

static void out_of_reach(void **state)
{
	const struct phyr_range ranges[] = {{0xf0000, 0x1000}, {0xfe000, 0x3000}, {0x5000, 0x1000}};
	struct rig_config c = {.limits = RIG_LIMITS(.dma_mask = 0xfffff)};
	struct phyr_list list;
	struct rig r;

	rig_init(&r, &c);
	rig_list(&r, &list, ranges, 3);
	map_fails(&r, &list, 0, 0, -EOPNOTSUPP, 0xfe000, 0x3000);
	map_fails(&r, &list, 0, 0, -EOPNOTSUPP, 0xfe000, 0x3000);
	phyr_list_fini(&list);
	rig_list(&r, &list, (const struct phyr_range[]){{0xff000, 0x1000}}, 1);
	{
		struct phyr_dma_map m;

		assert_int_equal(phyr_dma_map(r.dev, &list, 0, 0, &m), 0); /* to the last byte */
		phyr_dma_unmap(r.dev, &m);
	}
	phyr_list_fini(&list);
	rig_fini(&r);

	/* what the offset takes past the mask, or past 2^64 in its middle */
	c.limits.bus_offset = 0x2000;
	rig_init(&r, &c);
	rig_list(&r, &list, ranges, 3);
	tenv_restart(&r.t);
	map_fails(&r, &list, 0, 0, -EOPNOTSUPP, 0xfe000, 0x3000);
	phyr_list_fini(&list);
	rig_fini(&r);
	c.limits = (struct phyr_limits)RIG_LIMITS(.bus_offset = -(uint64_t)0xff000);
	rig_init(&r, &c);
	rig_list(&r, &list, ranges, 3);
	map_fails(&r, &list, 0, 0, -EOPNOTSUPP, 0xfe000, 0x3000);
	phyr_list_fini(&list);
	rig_fini(&r);
}

/* The index of the run that is out of reach. */
static void out_of_reach_index(void **state)
{
	const struct phyr_range ranges[] = {{0x1000, 0x1000}, {0x3000, 0x1000}, {0xfe000, 0x3000}};
	struct rig_config configs[] = {
		{.limits = RIG_LIMITS(.dma_mask = 0xfffff)},
		{.limits = RIG_LIMITS(.dma_mask = 0xfffff, .bus_offset = 4096)}};

	for (unsigned i = 0; i < 2; i++) {
		struct phyr_dma_map m;
		struct phyr_list list;
		struct rig r;

		rig_init(&r, &configs[i]);
		rig_list(&r, &list, ranges, 3);
		assert_int_equal(phyr_dma_map(r.dev, &list, 0, 0, &m), -EOPNOTSUPP);
		assert_int_equal(r.t.last.index, 2);
		assert_int_equal(r.t.last.limit, 0xfffff);
		assert_report(&r, -EOPNOTSUPP, "phyr_dma_map", 0xfe000, 0x3000);
		phyr_list_fini(&list);
		rig_fini(&r);
	}
}

static int no_sync_map(void *ctx, uint64_t iova, uint64_t len)
{
	return -EIO;
}

/* What was mapped and cannot be made visible is taken back. */
static void sync_map_that_fails(void **state)
{
	const struct phyr_iommu_ops *real;
	struct phyr_iommu_ops ops;
	struct phyr_dma_iova_state s;
	struct phyr_dev_stats stats;
	struct phyr_list list;
	struct phyr_dma_map m;
	struct rig r;
	uint64_t dma;

	rig_init(&r, &rig_vtdss);
	rig_list(&r, &list, rig_mixed, 4);
	real = r.domain->ops;
	ops = *real;
	ops.sync_map = no_sync_map;
	r.domain->ops = &ops;
	assert_int_equal(phyr_dma_map(r.dev, &list, 0, 0, &m), -EIO);
	assert_int_equal(m.how, PHYR_DMA_NONE);
	assert_true(rig_idle(&r));
	assert_int_equal(r.hw.invalidations, 1);
	assert_int_equal(phyr_dma_map_phys(r.dev, NULL, 0x5000, 1, 0, 0, &dma), -EIO);
	assert_report(&r, -EIO, "phyr_dma_map_phys", 0x5000, 1);
	assert_true(rig_idle(&r));
	assert_true(phyr_dma_iova_try_alloc(r.dev, &s, 0, K4));
	assert_int_equal(phyr_dma_iova_sync(r.dev, &s, 0, K4), -EIO);
	phyr_dev_get_stats(r.dev, &stats);
	assert_int_equal(stats.syncs, 0);
	phyr_dma_iova_free(r.dev, &s);
	r.domain->ops = real;
	for (uint64_t at = 0; at < 0x10000; at += K4)
		assert_int_equal(rig_walk(&r, at), UINT64_MAX);
	phyr_list_fini(&list);
	rig_fini(&r);
}

static const struct phyr_iommu_ops *real_ops;

/* A kernel that maps the first page, fails, and then does not take that back either. */
static int maps_half(void *ctx, uint64_t iova, const struct phyr_space *space,
		     struct phyr_cursor *cur, unsigned prot, struct phyr_gather *gather)
{
	struct phyr_cursor first = *cur;

	first.left = K4 - (iova & (K4 - 1));
	assert_int_equal(real_ops->map(ctx, iova, space, &first, prot, gather), 0);
	return -EIO;
}

static int unmaps_nothing(void *ctx, uint64_t iova, uint64_t len, struct phyr_gather *gather)
{
	return -EIO;
}

/* Iova behind which memory still is, is not given out again. */
static void what_stays_mapped_keeps_its_iova(void **state)
{
	struct phyr_gather gather;
	struct phyr_iommu_ops ops;
	struct phyr_list list;
	struct phyr_dma_map m;
	struct rig r;
	uint64_t dma, kept;

	rig_init(&r, &rig_vtdss);
	rig_list(&r, &list, rig_mixed, 4);
	real_ops = r.domain->ops;
	ops = *real_ops;
	ops.map = maps_half;
	r.domain->ops = &ops;
	assert_int_equal(phyr_dma_map(r.dev, &list, 0, 0, &m), -EIO);
	assert_int_equal(m.how, PHYR_DMA_NONE);
	kept = m.state.addr;
	assert_int_equal(rig_iova(&r), (list.len + (kept & (K4 - 1)) + K4 - 1) & -K4);
	r.domain->ops = real_ops;
	assert_int_equal(phyr_dma_map(r.dev, &list, 0, 0, &m), 0);
	assert_int_not_equal(m.state.addr, kept);
	phyr_dma_unmap(r.dev, &m);

	phyr_gather_init(&gather);
	assert_int_equal(phyr_domain_unmap(r.domain, kept, K4 - (kept & (K4 - 1)), &gather), 0);
	phyr_domain_sync(r.domain, &gather);
	phyr_iova_free(phyr_domain_iova(r.domain), kept & -K4, rig_iova(&r));

	/* Nor when what was mapped is not unmapped; what is said then is no word of edges. */
	assert_int_equal(phyr_dma_map_phys(r.dev, NULL, 0x5000, K4, 0, 0, &dma), 0);
	ops = *real_ops;
	ops.unmap = unmaps_nothing;
	r.domain->ops = &ops;
	tenv_restart(&r.t);
	phyr_dma_unmap_phys(r.dev, dma, K4, 0, 0);
	assert_non_null(strstr(r.t.last.hint, "may still reach"));
	assert_report(&r, -EIO, "phyr_dma_unmap_phys", 0, K4);
	assert_int_equal(rig_iova(&r), K4);
	assert_int_equal(
		phyr_dma_iova_unlink(r.dev, &(struct phyr_dma_iova_state){.addr = dma, .size = K4},
				     0, K4, 0, 0),
		-EIO);
	assert_non_null(strstr(r.t.last.hint, "may still reach"));
	assert_report(&r, -EIO, "phyr_dma_iova_unlink", 0, K4);
	r.domain->ops = real_ops;
	phyr_dma_unmap_phys(r.dev, dma, K4, 0, 0);
	phyr_list_fini(&list);
	rig_fini(&r);
}

/* An address that the table can't hold: told by the table, or with its run's number. */
static void address_too_wide(void **state)
{
	const struct phyr_range ranges[] = {{0x10000, 0x1000}, {(uint64_t)1 << 48, 0x1000}};
	const struct rig_config *configs[] = {&rig_vtdss, &rig_large};

	for (unsigned i = 0; i < 2; i++) {
		struct phyr_dma_map m;
		struct phyr_list list;
		struct rig r;

		rig_init(&r, configs[i]);
		rig_list(&r, &list, ranges, 2);
		assert_int_equal(phyr_dma_map(r.dev, &list, 0, 0, &m), -ERANGE);
		assert_int_equal(r.t.last.index, 1);
		assert_report(&r, -ERANGE, i ? "phyr_dma_map" : "phyr_pgtbl_map", (uint64_t)1 << 48,
			      0x1000);
		assert_int_equal(m.how, PHYR_DMA_NONE);
		assert_true(rig_idle(&r));
		phyr_list_fini(&list);
		rig_fini(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refusals),
		cmocka_unit_test(mapped_already),
		cmocka_unit_test(out_of_reach),
		cmocka_unit_test(out_of_reach_index),
		cmocka_unit_test(sync_map_that_fails),
		cmocka_unit_test(what_stays_mapped_keeps_its_iova),
		cmocka_unit_test(address_too_wide),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
