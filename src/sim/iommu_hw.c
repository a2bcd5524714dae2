/* SPDX-License-Identifier: MIT */
/* The IOMMU as its driver sees it: what it can do, tables of devices, invalidation. */
#include "core/bits.h"
#include "core/err.h"
#include "sim/layout.h"
#include "sim/machine.h"

static struct sim_iommu *iommu_of(struct phyr_soft_hw *hw)
{
	return container_of(hw, struct sim_iommu, hw);
}

static unsigned most_levels(const struct sim_iommu *iommu)
{
	return (iommu->aw_bits - SIM_PAGE_LG2) / 9;
}

static void get_info(struct phyr_soft_hw *hw, struct phyr_soft_info *info)
{
	unsigned aw_bits = iommu_of(hw)->aw_bits;

	*info = (struct phyr_soft_info){
		.formats = 1u << PHYR_PGTBL_VTDSS,
		.levels = most_levels(iommu_of(hw)),
		.oa_bits = SIM_OA_BITS,
		.aperture =
			{
				.start = 0,
				.last = ((uint64_t)1 << aw_bits) - 1,
				.page_sizes =
					(uint64_t)1 << 12 | (uint64_t)1 << 21 | (uint64_t)1 << 30,
				.nr_holes = 1,
				.holes = {{SIM_MSI_START, SIM_MSI_LAST}},
			},
	};
	if (info->levels >= 4)
		info->formats |= 1u << PHYR_PGTBL_X86_64;
}

/* VT-d's second stage has 3 or 4 levels here; x86-64 paging has 4, never 3. */
static bool takes(const struct sim_iommu *iommu, const struct phyr_soft_table *table)
{
	if (table->root & (SIM_PAGE - 1) || table->levels > most_levels(iommu))
		return false;
	if (table->format == PHYR_PGTBL_X86_64)
		return table->levels == 4;
	return table->format == PHYR_PGTBL_VTDSS && table->levels >= 3;
}

static struct sim_context *find_context(struct sim_iommu *iommu, uint32_t source)
{
	struct phyr_sim *sim = sim_of_iommu(iommu);

	for (unsigned i = 0; i < sim->nr_devs; i++)
		if (sim->devs[i]->source == source)
			return &sim->devs[i]->context;
	return NULL;
}

static int set_table(struct phyr_soft_hw *hw, uint32_t source, const struct phyr_soft_table *table,
		     phyr_fault_fn *fault, void *arg)
{
	struct sim_iommu *iommu = iommu_of(hw);
	struct sim_context *context;
	int err = 0;

	if (!takes(iommu, table))
		return -EINVAL;
	pthread_mutex_lock(&iommu->lock);
	context = find_context(iommu, source);
	if (!context) {
		err = -ENODEV;
	} else if (context->has_table) {
		err = -EBUSY;
	} else {
		context->has_table = true;
		context->table = *table;
		context->fault = fault;
		context->arg = arg;
	}
	pthread_mutex_unlock(&iommu->lock);
	return err;
}

/* Drop from both caches; true: accesses of @turn may still use what was dropped. */
static bool drop(struct sim_iommu *iommu, uint32_t domain, uint64_t start, uint64_t last,
		 uint64_t turn)
{
	bool leaf = phyr_sim_iotlb_drop(&iommu->leaves, domain, start, last, turn);

	phyr_sim_iotlb_drop(&iommu->tables, domain, start, last, turn);
	return leaf;
}

static void clear_table(struct phyr_soft_hw *hw, uint32_t source, uint32_t domain)
{
	struct sim_iommu *iommu = iommu_of(hw);
	struct sim_context *context;
	uint64_t turn;

	pthread_mutex_lock(&iommu->lock);
	context = find_context(iommu, source);
	if (context && context->has_table && context->table.domain == domain) {
		context->has_table = false;
		drop(iommu, domain, 0, ~(uint64_t)0, 0);
	}
	turn = phyr_sim_turn_now(sim_of_iommu(iommu));
	pthread_mutex_unlock(&iommu->lock);
	phyr_sim_turn_wait(sim_of_iommu(iommu), turn);
}

static void invalidate(struct phyr_soft_hw *hw, uint32_t domain, uint64_t start, uint64_t last)
{
	struct sim_iommu *iommu = iommu_of(hw);
	uint64_t turn;
	bool in_flight;

	pthread_mutex_lock(&iommu->lock);
	turn = phyr_sim_turn_now(sim_of_iommu(iommu));
	in_flight = drop(iommu, domain, start, last, turn);
	iommu->invalidations++;
	pthread_mutex_unlock(&iommu->lock);
	if (in_flight)
		phyr_sim_turn_wait(sim_of_iommu(iommu), turn);
}

static uint32_t get_domain(struct phyr_soft_hw *hw)
{
	struct sim_iommu *iommu = iommu_of(hw);
	uint64_t domain;

	pthread_mutex_lock(&iommu->lock);
	domain = phyr_sim_bitmap_next_clear(&iommu->domains, 1);
	if (domain == SIM_DOMAINS)
		domain = 0;
	else
		phyr_sim_bitmap_set(&iommu->domains, domain);
	pthread_mutex_unlock(&iommu->lock);
	return (uint32_t)domain;
}

static void put_domain(struct phyr_soft_hw *hw, uint32_t domain)
{
	struct sim_iommu *iommu = iommu_of(hw);

	pthread_mutex_lock(&iommu->lock);
	if (domain < SIM_DOMAINS)
		phyr_sim_bitmap_clear(&iommu->domains, domain);
	pthread_mutex_unlock(&iommu->lock);
}

const struct phyr_soft_hw phyr_sim_iommu_hw = {
	.get_info = get_info,
	.set_table = set_table,
	.clear_table = clear_table,
	.invalidate = invalidate,
	.get_domain = get_domain,
	.put_domain = put_domain,
};
