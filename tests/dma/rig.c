/* SPDX-License-Identifier: MIT */
/* A device on a backend of choice, with hardware that only counts. */
#include "rig.h"

#include <string.h>

const struct rig_config rig_direct = {0};
const struct rig_config rig_vtdss = {.format = PHYR_PGTBL_VTDSS};
const struct rig_config rig_large = {.format = PHYR_PGTBL_VTDSS, .page_sizes = M2 | G1};

const struct phyr_range rig_mixed[4] = {
	{0x10e00, 0x200},
	{0x30000, 0x2000},
	{0x20000, 0x1000},
	{0x8000000, 0x800},
};

static struct rig_hw *of(struct phyr_soft_hw *hw)
{
	return (struct rig_hw *)hw;
}

static void get_info(struct phyr_soft_hw *hw, struct phyr_soft_info *info)
{
	*info = of(hw)->info;
}

static int set_table(struct phyr_soft_hw *hw, uint32_t source, const struct phyr_soft_table *table,
		     phyr_fault_fn *fault, void *arg)
{
	return of(hw)->attach_err;
}

static void clear_table(struct phyr_soft_hw *hw, uint32_t source, uint32_t domain)
{
}

static void invalidate(struct phyr_soft_hw *hw, uint32_t domain, uint64_t start, uint64_t last)
{
	__atomic_add_fetch(&of(hw)->invalidations, 1, __ATOMIC_RELAXED);
	__atomic_store_n(&of(hw)->start, start, __ATOMIC_RELAXED);
	__atomic_store_n(&of(hw)->last, last, __ATOMIC_RELAXED);
}

static uint32_t get_domain(struct phyr_soft_hw *hw)
{
	return 1;
}

static void put_domain(struct phyr_soft_hw *hw, uint32_t domain)
{
}

static void hw_init(struct rig_hw *hw, const struct rig_config *config)
{
	hw->hw = (struct phyr_soft_hw){get_info,   set_table,  clear_table,
				       invalidate, get_domain, put_domain};
	hw->info = (struct phyr_soft_info){
		.formats = 1u << PHYR_PGTBL_X86_64 | 1u << PHYR_PGTBL_VTDSS,
		.levels = 4,
		.oa_bits = 48,
		.aperture =
			{
				.start = config->start,
				.last = config->last ? config->last : ((uint64_t)1 << 48) - 1,
				.page_sizes = K4 | M2 | G1,
				.nr_holes = 1,
				.holes = {{0xfee00000, 0xfeefffff}},
			},
	};
}

void rig_init_domain(struct rig *r, const struct rig_config *config)
{
	struct phyr_soft_config soft = {
		.size = sizeof(soft), .format = config->format, .page_sizes = config->page_sizes};

	memset(r, 0, sizeof(*r));
	tenv_init(&r->t, NULL);
	hw_init(&r->hw, config);
	if (config->format)
		assert_int_equal(phyr_soft_create(&r->t.env, &r->hw.hw, &soft, &r->iommu), 0);
	else
		assert_int_equal(phyr_direct_create(&r->t.env, &r->iommu), 0);
	assert_int_equal(phyr_domain_create(r->iommu, &r->domain), 0);
}

void rig_init(struct rig *r, const struct rig_config *config)
{
	rig_init_domain(r, config);
	assert_int_equal(phyr_dev_create(r->domain, 0x100,
					 config->limits.size ? &config->limits : NULL, &r->dev),
			 0);
	r->objects = r->t.live_objects;
	r->pages = r->t.live_pages;
}

void rig_fini(struct rig *r)
{
	if (r->dev)
		assert_true(rig_idle(r));
	phyr_dev_destroy(r->dev);
	phyr_domain_destroy(r->domain);
	phyr_iommu_destroy(r->iommu);
	tenv_fini(&r->t);
}

void rig_list(struct rig *r, struct phyr_list *list, const struct phyr_range *ranges, size_t nr)
{
	phyr_list_init(list, &r->t.env, NULL);
	assert_int_equal(phyr_list_append_ranges(list, ranges, nr), 0);
	r->objects = r->t.live_objects;
	r->pages = r->t.live_pages;
	tenv_restart(&r->t);
}

uint64_t rig_iova(struct rig *r)
{
	struct phyr_domain_stats stats;

	phyr_domain_get_stats(r->domain, &stats);
	return stats.iova_bytes;
}

bool rig_idle(struct rig *r)
{
	return !rig_iova(r);
}

uint64_t rig_walk(struct rig *r, uint64_t dma)
{
	struct phyr_translation t;

	return phyr_domain_translate(r->domain, dma, &t) ? UINT64_MAX : t.addr;
}

unsigned rig_prot(struct rig *r, uint64_t dma)
{
	struct phyr_translation t;

	return phyr_domain_translate(r->domain, dma, &t) ? 0 : t.prot;
}
