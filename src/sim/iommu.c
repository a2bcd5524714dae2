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

#define DEFAULT_ENTRIES 4096
#define TABLES_SHARE    8 /* one entry of the table cache to so many of the leaf cache */

/* A translation under way. */
struct look {
	struct phyr_sim_dev *sdev;
	const struct sim_regime *regime;
	uint64_t iova;
	uint64_t turn;
	unsigned access;
	struct sim_step step;
};

static struct phyr_sim *sim_of(const struct look *l)
{
	return l->sdev->sim;
}

/* Tables lie in the linear stretch, as a rule; the IOMMU may see that through a shadow. */
static bool read_entry(void *arg, uint64_t addr, uint64_t *entry)
{
	struct phyr_sim *sim = arg;
	uint64_t len = sizeof(*entry);
	const uint64_t *cpu;

	if (addr >= sim->tables.start)
		return phyr_sim_tables_read(&sim->tables, addr, entry);
	cpu = phyr_sim_to_cpu(sim, addr, &len);
	if (!cpu)
		return false;
	/* Pairs with the release store of whoever wrote the entry: the table below is complete. */
	*entry = load_acquire(cpu);
	return true;
}

/* Let an entry that was just read become @to; false: it is another one now. */
static bool mark(const struct look *l, uint64_t to)
{
	uint64_t len = sizeof(to), was = l->step.raw;
	uint64_t *cpu;

	if (was == to)
		return true;
	cpu = phyr_sim_to_cpu(sim_of(l), l->step.where, &len);
	return cpu && compare_exchange(cpu, &was, to);
}

/* Start at the lowest table that is cached for the iova, else at the root. */
static void begin_walk(struct sim_iommu *iommu, struct look *l)
{
	struct sim_iotlb_entry *e =
		phyr_sim_iotlb_find(&iommu->tables, l->regime->table.domain, l->iova, l->turn);

	phyr_sim_step_begin(l->regime, &l->step);
	if (!e)
		return;
	l->step.level = e->level;
	l->step.table = e->addr;
	l->step.prot = e->prot;
}

/* An entry that leads to a table, by what that table covers: levels may have been skipped. */
static void cache_table(struct sim_iommu *iommu, const struct look *l)
{
	unsigned lg2 = sim_span_lg2(l->regime, l->step.level + 1);
	const struct sim_iotlb_entry entry = {
		.tag = l->iova >> lg2,
		.addr = l->step.table,
		.turn = l->turn,
		.domain = l->regime->table.domain,
		.lg2 = (uint8_t)lg2,
		.prot = (uint8_t)l->step.prot,
		.level = (uint8_t)l->step.level,
	};

	phyr_sim_iotlb_insert(&iommu->tables, &entry);
}

/* Arm tables that want break-before-make for some changes: DDI 0487, D8.14, FEAT_BBM. */
static bool wants_break(const struct sim_iommu *iommu, const struct look *l)
{
	enum phyr_pgtbl_format format = l->regime->table.format;

	return (format == PHYR_PGTBL_ARM64_S1 || format == PHYR_PGTBL_ARM64_S2) && iommu->bbm < 2;
}

/*
 * Whether memory has a leaf of another size now than @e, without an invalidation since: hardware may
 * walk at any time, asked or not, and starts at the root as well as at a table that it has cached.
 * Level 1 lets the contiguous hint change live, but not a block become a table.
 */
static bool was_changed_live(const struct sim_iommu *iommu, const struct look *l,
			     const struct sim_iotlb_entry *e)
{
	const struct sim_view view = {read_entry, sim_of(l)};
	struct sim_leaf leaf;

	if (!wants_break(iommu, l) || phyr_sim_walk(l->regime, &view, l->iova, &leaf))
		return false;
	return leaf.size != (uint64_t)1 << e->lg2 && !(iommu->bbm == 1 && leaf.level == e->level);
}

/* Whether caching @entry makes two of different sizes, or would if all were walked for. */
static bool conflicts(struct sim_iommu *iommu, const struct look *l,
		      const struct sim_iotlb_entry *entry)
{
	return wants_break(iommu, l) &&
	       (phyr_sim_iotlb_conflicts(&iommu->leaves, entry, iommu->bbm == 1) ||
		was_changed_live(iommu, l, entry));
}

static int cache_leaf(struct sim_iommu *iommu, const struct look *l)
{
	const struct sim_entry *leaf = &l->step.entry;
	const struct sim_iotlb_entry entry = {
		.tag = l->iova >> leaf->lg2,
		.addr = leaf->addr,
		.turn = l->turn,
		.domain = l->regime->table.domain,
		.lg2 = (uint8_t)leaf->lg2,
		.prot = (uint8_t)l->step.prot,
		.level = (uint8_t)l->step.level,
		.dirty = l->access == PHYR_WRITE || leaf->written == leaf->used,
	};

	if (conflicts(iommu, l, &entry))
		return PHYR_FAULT_BAD_ENTRY;
	phyr_sim_iotlb_insert(&iommu->leaves, &entry);
	return 0;
}

/* Read entries down to a leaf. 0 or the reason why there is none. */
static int walk_tables(struct sim_iommu *iommu, struct look *l)
{
	const struct sim_view view = {read_entry, sim_of(l)};
	int reason;

	for (;;) {
		reason = phyr_sim_step_read(l->regime, &view, l->iova, &l->step);
		if (reason || l->step.entry.leaf)
			return reason;
		if (!mark(l, l->step.entry.used)) {
			begin_walk(iommu, l);
			continue;
		}
		sim_step_down(&l->step);
		cache_table(iommu, l);
	}
}

/* Walk, mark what was used, and cache the leaf. */
static int walk(struct sim_iommu *iommu, struct look *l)
{
	const struct sim_entry *leaf = &l->step.entry;
	int reason;

	do {
		begin_walk(iommu, l);
		reason = walk_tables(iommu, l);
		if (reason)
			return reason;
		if ((l->step.prot & l->access) != l->access)
			return PHYR_FAULT_PERMISSION;
	} while (!mark(l, l->access == PHYR_WRITE ? leaf->written : leaf->used));
	return cache_leaf(iommu, l);
}

/* Why an iova is never looked up; 0: it is. */
static int refuse(const struct sim_context *context, uint64_t iova)
{
	if (!context->has_table)
		return PHYR_FAULT_NO_DOMAIN;
	if (iova > phyr_sim_regime_last(&context->regime))
		return PHYR_FAULT_RANGE;
	if (iova >= SIM_MSI_START && iova <= SIM_MSI_LAST)
		return PHYR_FAULT_BAD_ADDRESS;
	return 0;
}

/* How far from an iova on, of @len bytes, a leaf translates: its end, or where the message window is. */
static uint64_t reach(uint64_t iova, uint64_t len, uint64_t leaf_size)
{
	len = min_u64(len, leaf_size - (iova & (leaf_size - 1)));
	return iova < SIM_MSI_START ? min_u64(len, SIM_MSI_START - iova) : len;
}

/* What is cached for the access; NULL: it has to walk. */
static struct sim_iotlb_entry *find_leaf(struct sim_iommu *iommu, const struct look *l)
{
	struct sim_iotlb_entry *e =
		phyr_sim_iotlb_find(&iommu->leaves, l->regime->table.domain, l->iova, l->turn);

	if (!e || l->access != PHYR_WRITE || e->dirty || !(e->prot & PHYR_WRITE))
		return e;
	/* The first write through it: the mark is made in memory. */
	phyr_sim_iotlb_forget(&iommu->leaves, e);
	return NULL;
}

/* Translate, with the lock held: 0, or a reason. */
static int look_up(struct sim_iommu *iommu, struct look *l, phyr_addr_t *addr, uint64_t *len)
{
	int reason = refuse(&l->sdev->context, l->iova);
	struct sim_iotlb_entry *e;
	uint64_t inside;

	if (reason)
		return reason;
	e = find_leaf(iommu, l);
	if (e) {
		iommu->hits++;
		if ((e->prot & l->access) != l->access)
			return PHYR_FAULT_PERMISSION;
		if (was_changed_live(iommu, l, e))
			return PHYR_FAULT_BAD_ENTRY;
		l->step.entry.addr = e->addr;
		l->step.entry.lg2 = e->lg2;
	} else {
		iommu->misses++;
		reason = walk(iommu, l);
		if (reason)
			return reason;
	}
	inside = ((uint64_t)1 << l->step.entry.lg2) - 1;
	*addr = l->step.entry.addr + (l->iova & inside);
	*len = reach(l->iova, *len, inside + 1);
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
	struct look l = {.sdev = sdev,
			 .regime = &sdev->context.regime,
			 .iova = iova,
			 .turn = phyr_sim_turn_now(sdev->sim),
			 .access = access};
	int reason = 0;

	pthread_mutex_lock(&iommu->lock);
	if (sdev->context.bypass)
		*addr = iova;
	else
		reason = look_up(iommu, &l, addr, len);
	pthread_mutex_unlock(&iommu->lock);
	if (!reason)
		return 0;
	phyr_sim_iommu_block(sdev, iova, access, reason);
	return -EFAULT;
}

const char *phyr_sim_iommu_check(const struct phyr_sim_config *c)
{
	if (c->aw_bits && c->aw_bits != 39 && c->aw_bits != 48 && c->aw_bits != 57 &&
	    c->aw_bits != 64)
		return "aw_bits: 39, 48, 57 or 64";
	if (c->oa_bits && (c->oa_bits < SIM_OA_BITS_MIN || c->oa_bits > 52))
		return "oa_bits: 40 to 52";
	if (c->formats & ~SIM_FORMATS)
		return "formats: 1 << enum phyr_pgtbl_format each";
	if (c->bbm > 2)
		return "bbm: 0 to 2";
	return NULL;
}

int phyr_sim_iommu_init(struct sim_iommu *iommu, const struct phyr_sim_config *config)
{
	unsigned entries = config->iotlb_entries ? config->iotlb_entries : DEFAULT_ENTRIES;

	*iommu = (struct sim_iommu){
		.hw = phyr_sim_iommu_hw,
		.aw_bits = config->aw_bits ? config->aw_bits : 48,
		.oa_bits = config->oa_bits ? config->oa_bits : SIM_OA_BITS,
		.formats = config->formats ? config->formats : SIM_FORMATS,
		.bbm = config->bbm,
		.noncoherent = config->noncoherent,
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
