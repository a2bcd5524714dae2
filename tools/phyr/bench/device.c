/* SPDX-License-Identifier: MIT */
/* A device for rows that map. */
#include "bench/bench.h"

static void hw_info(struct phyr_soft_hw *hw, struct phyr_soft_info *info)
{
	*info = (struct phyr_soft_info){
		.formats = 1u << PHYR_PGTBL_VTDSS,
		.levels = 4,
		.oa_bits = 52,
		.aperture = {.start = 0,
			     .last = ((uint64_t)1 << 48) - 1,
			     .page_sizes = 0x40201000,
			     .nr_holes = 1,
			     .holes = {{0xfee00000, 0xfeefffff}}},
	};
}

static int hw_set(struct phyr_soft_hw *hw, uint32_t source, const struct phyr_soft_table *table,
		  phyr_fault_fn *fault, void *arg)
{
	return 0;
}

static void hw_clear(struct phyr_soft_hw *hw, uint32_t source, uint32_t domain)
{
}

static void hw_invalidate(struct phyr_soft_hw *hw, uint32_t domain, uint64_t start, uint64_t last)
{
}

static uint32_t hw_get_domain(struct phyr_soft_hw *hw)
{
	return 1;
}

static void hw_put_domain(struct phyr_soft_hw *hw, uint32_t domain)
{
}

int bench_device_start(struct bench_device *d, bool direct)
{
	int err;

	d->hw = (struct phyr_soft_hw){hw_info,       hw_set,        hw_clear,
				      hw_invalidate, hw_get_domain, hw_put_domain};
	err = direct ? phyr_direct_create(NULL, &d->iommu)
		     : phyr_soft_create(NULL, &d->hw, NULL, &d->iommu);
	err = err ? err : phyr_domain_create(d->iommu, &d->domain);
	err = err ? err : phyr_dev_create(d->domain, 1, NULL, &d->dev);
	return err ? err : phyr_dma_pool_create(d->dev, 4096, 4096, &d->pool);
}

void bench_device_stop(struct bench_device *d)
{
	phyr_dma_pool_destroy(d->pool);
	phyr_dev_destroy(d->dev);
	phyr_domain_destroy(d->domain);
	phyr_iommu_destroy(d->iommu);
}
