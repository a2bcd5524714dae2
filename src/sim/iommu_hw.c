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

/* AMD's sixth level is not a whole one. */
static unsigned most_levels(const struct sim_iommu *iommu)
{
	return (iommu->aw_bits - SIM_PAGE_LG2 + 8) / 9;
}

/* Formats whose smallest tables are not too wide: x86-64 paging has 4 levels or more. */
static unsigned formats_of(const struct sim_iommu *iommu)
{
	return iommu->aw_bits < 48 ? iommu->formats & ~(1u << PHYR_PGTBL_X86_64) : iommu->formats;
}

/* Whatever any format has; each leaves out what it has not. AMD's have each power of two. */
static uint64_t page_sizes_of(const struct sim_iommu *iommu)
{
	uint64_t intel = (uint64_t)1 << 12 | (uint64_t)1 << 21 | (uint64_t)1 << 30;

	return iommu->formats & ~(1u << PHYR_PGTBL_VTDSS | 1u << PHYR_PGTBL_X86_64)
		       ? ~(uint64_t)0 << 12
		       : intel;
}

static void get_info(struct phyr_soft_hw *hw, struct phyr_soft_info *info)
{
	const struct sim_iommu *iommu = iommu_of(hw);

	*info = (struct phyr_soft_info){
		.formats = formats_of(iommu),
		.levels = most_levels(iommu),
		.oa_bits = iommu->oa_bits,
		.granules = (uint64_t)1 << 12 | (uint64_t)1 << 14 | (uint64_t)1 << 16,
		.bbm = iommu->bbm,
		.dirty = !iommu->noncoherent,
		.snoop = true,
		.noncoherent = iommu->noncoherent,
		.aperture =
			{
				.start = 0,
				.last = ~(uint64_t)0 >> (64 - iommu->aw_bits),
				.page_sizes = page_sizes_of(iommu),
				.nr_holes = 1,
				.holes = {{SIM_MSI_START, SIM_MSI_LAST}},
			},
	};
}

/* Whether such a table can be walked, and how. Marks are made in memory that is coherent. */
static bool takes(const struct sim_iommu *iommu, const struct phyr_soft_table *table,
		  struct sim_regime *regime)
{
	if ((unsigned)table->format > PHYR_PGTBL_RISCV64 ||
	    !(formats_of(iommu) >> table->format & 1) || table->oa_bits > iommu->oa_bits)
		return false;
	if (table->dirty && iommu->noncoherent)
		return false;
	return !phyr_sim_regime_init(regime, table, iommu->oa_bits, iommu->bbm) &&
	       regime->width <= iommu->aw_bits;
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
	struct sim_regime regime;
	int err = 0;

	if (!takes(iommu, table, &regime))
		return -EINVAL;
	pthread_mutex_lock(&iommu->lock);
	context = find_context(iommu, source);
	if (!context) {
		err = -ENODEV;
	} else if (context->has_table) {
		err = -EBUSY;
	} else {
		context->has_table = true;
		context->regime = regime;
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
	if (context && context->has_table && context->regime.table.domain == domain) {
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
