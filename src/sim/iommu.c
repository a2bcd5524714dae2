/* SPDX-License-Identifier: MIT */
/*
 * The IOMMU. An access goes
 *
 *   leaf cache ──hit──▶ address
 *       └─miss─▶ table cache, nearest level ─▶ entries in memory, level by level ─▶ both caches
 *
 * Both caches go on serving what they hold until an invalidation names it, so a driver that changes
 * its tables and does not invalidate is served the past, and one that frees a table too early has
 * it walked by hardware after that.
 */
#include "sim/iommu.h"

#include "core/bits.h"
#include "core/env.h"
#include "core/order.h"
#include "sim/layout.h"
#include "sim/machine.h"
#include "sim/walk.h"

#define DEFAULT_ENTRIES 4096
#define TABLES_SHARE    8 /* one entry of the table cache to so many of the leaf cache */

/* A walk under way: which table is next, and what the levels above allow. */
struct walk {
	struct phyr_sim_dev *sdev;
	uint64_t iova;
	uint64_t turn;
	unsigned level; /* of @addr's table; of the leaf when it is found */
	uint64_t addr;
	unsigned prot;
};

static unsigned lg2_of(unsigned level)
{
	return SIM_PAGE_LG2 + 9 * level;
}

static bool read_entry(struct phyr_sim *sim, uint64_t addr, uint64_t *entry)
{
	uint64_t len = sizeof(*entry);
	uint64_t *cpu = phyr_sim_to_cpu(sim, addr, &len);

	if (!cpu)
		return false;
	/* Pairs with the release store of whoever wrote the entry: the table below is complete. */
	*entry = load_acquire(cpu);
	return true;
}

/* Start at the lowest table that is cached for the iova, else at the root. */
static void begin_walk(struct sim_iommu *iommu, struct walk *w)
{
	const struct phyr_soft_table *table = &w->sdev->context.table;
	struct sim_iotlb_entry *e =
		phyr_sim_iotlb_find(&iommu->tables, table->domain, w->iova, w->turn);

	if (e) {
		w->level = (e->lg2 - SIM_PAGE_LG2) / 9 - 1;
		w->addr = e->addr;
		w->prot = e->prot;
		return;
	}
	w->level = table->levels - 1;
	w->addr = table->root;
	w->prot = PHYR_READ | PHYR_WRITE;
}

static void cache(struct sim_iotlb *tlb, const struct walk *w, unsigned lg2)
{
	phyr_sim_iotlb_insert(tlb, &(struct sim_iotlb_entry){
					   .tag = w->iova >> lg2,
					   .addr = w->addr,
					   .turn = w->turn,
					   .domain = w->sdev->context.table.domain,
					   .lg2 = (uint8_t)lg2,
					   .prot = (uint8_t)w->prot,
				   });
}

static int decode(enum phyr_pgtbl_format format, uint64_t entry, unsigned level,
		  struct sim_entry *out)
{
	return format == PHYR_PGTBL_X86_64 ? phyr_sim_decode_x86(entry, level, out)
					   : phyr_sim_decode_vtdss(entry, level, out);
}

/* Read entries down to a leaf. 0 or the reason why there is none. */
static int walk_tables(struct sim_iommu *iommu, struct walk *w)
{
	struct sim_entry entry;
	uint64_t raw, index;
	int reason;

	for (;; w->level--) {
		index = w->iova >> lg2_of(w->level) & 511;
		if (!read_entry(sim_of_iommu(iommu), w->addr + index * sizeof(raw), &raw))
			return PHYR_FAULT_BAD_ADDRESS;
		reason = decode(w->sdev->context.table.format, raw, w->level, &entry);
		if (reason)
			return reason;
		w->addr = entry.addr;
		w->prot &= entry.prot;
		if (entry.leaf)
			return 0;
		cache(&iommu->tables, w, lg2_of(w->level));
	}
}

/* Highest iova that a context can translate. */
static uint64_t last_of(const struct phyr_soft_table *table)
{
	if (table->format == PHYR_PGTBL_X86_64)
		return ((uint64_t)1 << 47) - 1; /* the lower canonical half */
	return ((uint64_t)1 << lg2_of(table->levels)) - 1;
}

/* Why an iova is never looked up; 0: it is. */
static int refuse(const struct sim_context *context, uint64_t iova)
{
	if (!context->has_table)
		return PHYR_FAULT_NO_DOMAIN;
	if (iova > last_of(&context->table))
		return PHYR_FAULT_RANGE;
	if (iova >= SIM_MSI_START && iova <= SIM_MSI_LAST)
		return PHYR_FAULT_BAD_ADDRESS;
	return 0;
}

static int walk_and_cache(struct sim_iommu *iommu, struct walk *w, unsigned access)
{
	int reason;

	begin_walk(iommu, w);
	reason = walk_tables(iommu, w);
	if (reason)
		return reason;
	if ((w->prot & access) != access)
		return PHYR_FAULT_PERMISSION;
	cache(&iommu->leaves, w, lg2_of(w->level));
	return 0;
}

/* Translate, with the lock held: 0, or a reason. */
static int look_up(struct sim_iommu *iommu, struct walk *w, unsigned access, phyr_addr_t *addr,
		   uint64_t *len)
{
	struct sim_iotlb_entry *e;
	uint64_t mask;
	int reason = refuse(&w->sdev->context, w->iova);

	if (reason)
		return reason;
	e = phyr_sim_iotlb_find(&iommu->leaves, w->sdev->context.table.domain, w->iova, w->turn);
	if (e) {
		iommu->hits++;
		if ((e->prot & access) != access)
			return PHYR_FAULT_PERMISSION;
		w->addr = e->addr;
		mask = ((uint64_t)1 << e->lg2) - 1;
	} else {
		iommu->misses++;
		reason = walk_and_cache(iommu, w, access);
		if (reason)
			return reason;
		mask = ((uint64_t)1 << lg2_of(w->level)) - 1;
	}
	*addr = w->addr + (w->iova & mask);
	*len = min_u64(*len, mask + 1 - (w->iova & mask));
	return 0;
}

void phyr_sim_iommu_block(struct phyr_sim_dev *sdev, phyr_dma_addr_t iova, unsigned access,
			  enum phyr_fault_reason reason)
{
	struct sim_iommu *iommu = &sdev->sim->iommu;
	struct phyr_fault fault = {
		.source = sdev->source, .access = access, .reason = reason, .iova = iova};
	struct sim_context context;

	phyr_sim_faults_add(&sdev->sim->faults, &fault);
	pthread_mutex_lock(&iommu->lock);
	context = sdev->context;
	pthread_mutex_unlock(&iommu->lock);
	/* clear_table waits for the end of this turn, so the handler is still there. */
	if (!context.bypass && context.has_table && context.fault)
		context.fault(context.arg, &fault);
}

int phyr_sim_iommu_translate(struct phyr_sim_dev *sdev, phyr_dma_addr_t iova, unsigned access,
			     phyr_addr_t *addr, uint64_t *len)
{
	struct sim_iommu *iommu = &sdev->sim->iommu;
	struct walk w = {.sdev = sdev, .iova = iova, .turn = phyr_sim_turn_now(sdev->sim)};
	int reason = 0;

	pthread_mutex_lock(&iommu->lock);
	if (sdev->context.bypass)
		*addr = iova;
	else
		reason = look_up(iommu, &w, access, addr, len);
	pthread_mutex_unlock(&iommu->lock);
	if (!reason)
		return 0;
	phyr_sim_iommu_block(sdev, iova, access, reason);
	return -EFAULT;
}

int phyr_sim_iommu_init(struct sim_iommu *iommu, const struct phyr_sim_config *config)
{
	unsigned entries = config->iotlb_entries ? config->iotlb_entries : DEFAULT_ENTRIES;

	*iommu = (struct sim_iommu){
		.hw = phyr_sim_iommu_hw,
		.aw_bits = config->aw_bits ? config->aw_bits : 48,
	};
	if (phyr_sim_bitmap_init(&iommu->domains, SIM_DOMAINS))
		return -ENOMEM;
	if (phyr_sim_iotlb_init(&iommu->leaves, entries))
		goto no_leaves;
	if (phyr_sim_iotlb_init(&iommu->tables, (unsigned)max_u64(entries / TABLES_SHARE, 4)))
		goto no_tables;
	pthread_mutex_init(&iommu->lock, NULL);
	return 0;

no_tables:
	phyr_sim_iotlb_fini(&iommu->leaves);
no_leaves:
	phyr_sim_bitmap_fini(&iommu->domains);
	return -ENOMEM;
}

void phyr_sim_iommu_fini(struct sim_iommu *iommu)
{
	phyr_sim_bitmap_fini(&iommu->domains);
	phyr_sim_iotlb_fini(&iommu->leaves);
	phyr_sim_iotlb_fini(&iommu->tables);
	pthread_mutex_destroy(&iommu->lock);
}

void phyr_sim_iommu_stats(struct sim_iommu *iommu, struct phyr_sim_stats *stats)
{
	pthread_mutex_lock(&iommu->lock);
	stats->iotlb_hits = iommu->hits;
	stats->iotlb_misses = iommu->misses;
	stats->invalidations = iommu->invalidations;
	pthread_mutex_unlock(&iommu->lock);
}
