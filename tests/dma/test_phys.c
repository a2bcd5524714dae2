/* SPDX-License-Identifier: MIT */
/* One range by its address. */
#include "rig.h"

#include <string.h>

static int map_ram(struct rig *r, uint64_t addr, uint64_t size, uint64_t *dma)
{
	return phyr_dma_map_phys(r->dev, NULL, addr, size, PHYR_DMA_TO_DEVICE, 0, dma);
}

static void on_direct(void **state)
{
	struct rig_config c = {.limits = RIG_LIMITS(.bus_offset = 0x100000)};
	struct phyr_dev_stats stats;
	uint64_t dma = 1;
	struct rig r;

	rig_init(&r, &rig_direct);
	assert_int_equal(map_ram(&r, 0x12345, 7, &dma), 0);
	assert_int_equal(dma, 0x12345);
	phyr_dma_unmap_phys(r.dev, dma, 7, PHYR_DMA_TO_DEVICE, 0);
	assert_int_equal(map_ram(&r, UINT64_MAX, 1, &dma), 0);
	assert_int_equal(dma, UINT64_MAX);
	phyr_dev_get_stats(r.dev, &stats);
	assert_int_equal(stats.mapped_phys, 2);
	rig_fini(&r);
	rig_init(&r, &c);
	assert_int_equal(map_ram(&r, 0x12345, 7, &dma), 0);
	assert_int_equal(dma, 0x112345);
	rig_fini(&r);
}

/* Unaligned: the granules around it, the address to the byte. */
static void behind_iommu(void **state)
{
	static const uint64_t ranges[][2] = {
		{0x10000, 0x1000}, {0x12345, 7},     {0x12fff, 2},
		{0x10fff, 0x2002}, {5 * M2, 3 * M2}, {5 * M2 + 0x1001, 2 * M2},
	};
	const struct rig_config *configs[] = {&rig_vtdss, &rig_large};

	for (unsigned c = 0; c < 2; c++) {
		struct rig r;

		rig_init(&r, configs[c]);
		for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
			uint64_t addr = ranges[i][0], size = ranges[i][1], dma;

			assert_int_equal(map_ram(&r, addr, size, &dma), 0);
			assert_int_equal(rig_walk(&r, dma), addr);
			assert_int_equal(rig_walk(&r, dma + size - 1), addr + size - 1);
			assert_int_equal(rig_prot(&r, dma), PHYR_READ);
			phyr_dma_unmap_phys(r.dev, dma, size, PHYR_DMA_TO_DEVICE, 0);
			assert_int_equal(rig_walk(&r, dma), UINT64_MAX);
			assert_true(rig_idle(&r));
			assert_int_equal(r.hw.invalidations, i + 1);
		}
		rig_fini(&r);
	}
}

/* Map, and see that a failure leaves nothing and says which range. */
static void fails(struct rig *r, const struct phyr_space *space, uint64_t addr, uint64_t size,
		  enum phyr_dma_dir dir, unsigned attrs, int err)
{
	uint64_t dma = 0x77;

	assert_int_equal(phyr_dma_map_phys(r->dev, space, addr, size, dir, attrs, &dma), err);
	assert_report(r, err, "phyr_dma_map_phys", addr, size);
	assert_int_equal(dma, 0x77);
	assert_true(rig_idle(r));
}

/* The space of the answers of phyr_dma_map(): what is there is mapped already. */
static const struct phyr_space *phyr_dma_list_space(void)
{
	struct rig_config c = {.limits = RIG_LIMITS(.bus_offset = 0x10000)};
	const struct phyr_space *space;
	struct phyr_list list;
	struct phyr_dma_map m;
	struct rig r;

	rig_init(&r, &c);
	rig_list(&r, &list, (const struct phyr_range[]){{0x5000, 0x1000}}, 1);
	assert_int_equal(phyr_dma_map(r.dev, &list, 0, 0, &m), 0);
	space = phyr_dma_map_list(&m)->space;
	phyr_dma_unmap(r.dev, &m);
	phyr_list_fini(&list);
	rig_fini(&r);
	return space;
}

static void refusals(void **state)
{
	static const enum phyr_kind kinds[] = {PHYR_KIND_USER, PHYR_KIND_FD,   PHYR_KIND_MMIO,
					       PHYR_KIND_P2P,  PHYR_KIND_SEEN, 32};
	const struct rig_config *configs[] = {&rig_direct, &rig_vtdss};

	for (unsigned i = 0; i < 2; i++) {
		struct rig r;

		rig_init(&r, configs[i]);
		fails(&r, phyr_dma_list_space(), 0x5000, 8, 0, 0, -EINVAL);
		fails(&r, NULL, 0x5000, 0, 0, 0, -EINVAL);
		fails(&r, NULL, UINT64_MAX - 10, 12, 0, 0, -EINVAL);
		fails(&r, NULL, 0x5000, 8, 3, 0, -EINVAL);
		fails(&r, NULL, 0x5000, 8, 0, 1, -EINVAL);
		for (unsigned k = 0; k < 6; k++) {
			struct phyr_space space = {.kind = kinds[k]};

			fails(&r, &space, 0x5000, 8, 0, 0, -EOPNOTSUPP);
		}
		rig_fini(&r);
	}
}

/* Where memory is named by its addresses in the process, who named no space is told of one. */
static void no_space_for_user_memory(void **state)
{
	static const struct phyr_space fd = {.kind = PHYR_KIND_FD};
	struct phyr_iommu_caps caps;
	struct rig r;
	uint64_t dma;

	rig_init_domain(&r, &rig_vtdss);
	caps = *r.iommu->caps;
	caps.kinds = 1u << PHYR_KIND_USER;
	r.iommu->caps = &caps;
	assert_int_equal(phyr_dev_create(r.domain, 0x100, NULL, &r.dev), 0);
	assert_int_equal(phyr_dma_map_phys(r.dev, &fd, 0x5000, 8, 0, 0, &dma), -EOPNOTSUPP);
	assert_null(strstr(r.t.last.hint, "phyr_space_user()"));
	assert_int_equal(phyr_dma_map_phys(r.dev, NULL, 0x5000, 8, 0, 0, &dma), -EOPNOTSUPP);
	assert_non_null(strstr(r.t.last.hint, "is phyr_space_user()"));
	rig_fini(&r);
}

static void out_of_reach(void **state)
{
	struct rig_config c = {.limits = RIG_LIMITS(.dma_mask = 0xffff)};
	uint64_t dma;
	struct rig r;

	rig_init(&r, &c);
	assert_int_equal(map_ram(&r, 0xfff8, 8, &dma), 0);
	fails(&r, NULL, 0xfff8, 9, 0, 0, -EOPNOTSUPP);
	fails(&r, NULL, 0x10000, 1, 0, 0, -EOPNOTSUPP);
	rig_fini(&r);
	c.limits.bus_offset = -(uint64_t)0x8000;
	rig_init(&r, &c);
	assert_int_equal(map_ram(&r, 0x8000, 0x10000, &dma), 0);
	assert_int_equal(dma, 0);
	fails(&r, NULL, 0x7fff, 1, 0, 0, -EOPNOTSUPP);
	fails(&r, NULL, 0x7ff0, 32, 0, 0, -EOPNOTSUPP);
	fails(&r, NULL, 0x8000, 0x10001, 0, 0, -EOPNOTSUPP);
	rig_fini(&r);
}

static void no_iova(void **state)
{
	struct rig_config c = {.format = PHYR_PGTBL_VTDSS,
			       .limits = RIG_LIMITS(.dma_mask = 0x1fff)};
	uint64_t dma, more = 0x77;
	struct rig r;

	rig_init(&r, &c);
	fails(&r, NULL, 0x5000, 0x1001, 0, 0, -ENOSPC);
	fails(&r, NULL, 0x5fff, 2, 0, 0, -ENOSPC);
	fails(&r, NULL, 0x5fff, UINT64_MAX - 0x5fff, 0, 0, -ENOSPC);
	assert_int_equal(map_ram(&r, 0x5000, 0x1000, &dma), 0);
	assert_int_equal(dma, 0x1000);
	assert_int_equal(map_ram(&r, 0x9000, 0x1000, &more), -ENOSPC);
	assert_int_equal(r.t.last.limit, 0x1fff);
	assert_report(&r, -ENOSPC, "phyr_dma_map_phys", 0x9000, 0x1000);
	assert_int_equal(more, 0x77);
	phyr_dma_unmap_phys(r.dev, dma, 0x1000, 0, 0);
	rig_fini(&r);
}

static void address_too_wide(void **state)
{
	struct rig r;

	rig_init(&r, &rig_vtdss);
	fails(&r, NULL, (uint64_t)1 << 48, 1, 0, 0, -ERANGE);
	fails(&r, NULL, ((uint64_t)1 << 48) - 1, 2, 0, 0, -ERANGE);
	fails(&r, NULL, UINT64_MAX, 1, 0, 0, -ERANGE);
	rig_fini(&r);
}

/* What was not mapped like that stays, and is told of. */
static void unmap_of_what_is_not(void **state)
{
	uint64_t dma;
	struct rig r;

	rig_init(&r, &rig_vtdss);
	assert_int_equal(map_ram(&r, 0x5000, 0x3000, &dma), 0);
	phyr_dma_unmap_phys(r.dev, dma, 0x1000, PHYR_DMA_TO_DEVICE, 0);
	assert_int_equal(r.t.last.iova, dma);
	assert_report(&r, -EINVAL, "phyr_dma_unmap_phys", 0, 0x1000);
	phyr_dma_unmap_phys(r.dev, dma + 0x1000, 0x2000, PHYR_DMA_TO_DEVICE, 0);
	phyr_dma_unmap_phys(r.dev, dma, 0, PHYR_DMA_TO_DEVICE, 0);
	assert_report(&r, -EINVAL, "phyr_dma_unmap_phys", 0, 0);
	assert_int_equal(rig_walk(&r, dma + 0x1000), 0x6000);
	assert_int_equal(rig_iova(&r), 0x3000);
	phyr_dma_unmap_phys(r.dev, dma, 0x3000, PHYR_DMA_TO_DEVICE, 0);
	rig_fini(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(on_direct),        cmocka_unit_test(behind_iommu),
		cmocka_unit_test(refusals),         cmocka_unit_test(no_space_for_user_memory),
		cmocka_unit_test(out_of_reach),     cmocka_unit_test(no_iova),
		cmocka_unit_test(address_too_wide), cmocka_unit_test(unmap_of_what_is_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
