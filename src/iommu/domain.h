/* SPDX-License-Identifier: MIT */
/*
 * The domain from inside: what dma/ reads of it, and its operations inline, so that a call from
 * above makes one indirect call into the backend and no other call on its way there.
 *
 * What dma/ may use: domain_translates(), domain_map(), domain_sync_map(), domain_unmap(),
 * domain_sync(), and of the struct the fields under "read freely". phyr_domain_* are the
 * out-of-line twins.
 */
#ifndef IOMMU_DOMAIN_H
#define IOMMU_DOMAIN_H

#include <phyr/iommu.h>

#include "core/bits.h"
#include "core/env.h"
#include "core/order.h"
#include "core/slots.h"

struct domain_counts {
	uint64_t maps;
	uint64_t unmaps;
	uint64_t entries;
	uint64_t map_syncs;
	uint64_t invalidations;
	uint64_t pad[3];
};

_Static_assert(sizeof(struct domain_counts) == SLOT_LINE, "a slot's counters are one line");

struct phyr_domain {
	/* Read freely. Constant, but for what the first attach sets. */
	const struct phyr_iommu_ops *ops;
	void *ctx;
	struct phyr_env *env;
	struct phyr_iommu *iommu;
	struct phyr_iova *iova;  /* NULL until the first attach, and where nothing is translated */
	uint64_t merge_boundary; /* granule - 1; 0 while there is no iova */
	struct domain_counts *counts; /* env->nr_slots of them */

	/* domain.c and fault.c only. */
	void *counts_mem; /* what counts lies in */
	phyr_fault_fn *fault;
	void *fault_arg;
	uint64_t faults; /* from any thread */
};

/* Whether addresses given to devices are iova: false means dma address = address + bus offset. */
static inline bool domain_translates(const struct phyr_domain *domain)
{
	return domain->iommu->caps->translates;
}

static inline struct domain_counts *domain_counts(struct phyr_domain *domain)
{
	return &domain->counts[env_slot(domain->env)];
}

/* As phyr_gather_init(), inline. */
static inline void gather_none(struct phyr_gather *gather)
{
	*gather = (struct phyr_gather){.start = UINT64_MAX};
}

static inline bool gather_holds_nothing(const struct phyr_gather *gather)
{
	return gather->start > gather->last && !gather->tables;
}

/* Invalidate what a gather holds and wait; an empty one costs nothing. */
static inline void domain_sync(struct phyr_domain *domain, struct phyr_gather *gather)
{
	if (gather_holds_nothing(gather))
		return;
	domain->ops->sync(domain->ctx, gather);
	count_add(&domain_counts(domain)->invalidations, 1);
}

/*
 * As phyr_domain_map(), of a space whose kind the caller has looked at.
 *
 * A map that failed leaves what it rolled back in the gather, and one that put a leaf in place of
 * an empty table leaves that table: both are settled before anybody can reuse the memory.
 */
static inline int domain_map(struct phyr_domain *domain, uint64_t iova,
			     const struct phyr_space *space, struct phyr_cursor *cur, unsigned prot)
{
	struct domain_counts *counts;
	struct phyr_gather gather;
	uint64_t entries;
	int err;

	gather_none(&gather);
	err = domain->ops->map(domain->ctx, iova, space, cur, prot, &gather);
	entries = gather.entries;
	domain_sync(domain, &gather);
	if (unlikely(err))
		return err;
	counts = domain_counts(domain);
	count_add(&counts->maps, 1);
	count_add(&counts->entries, entries);
	return 0;
}

/* As phyr_domain_sync_map(). */
static inline int domain_sync_map(struct phyr_domain *domain, uint64_t iova, uint64_t len)
{
	int err = domain->ops->sync_map(domain->ctx, iova, len);

	if (unlikely(err))
		return err;
	count_add(&domain_counts(domain)->map_syncs, 1);
	return 0;
}

/* As phyr_domain_unmap(). */
static inline int domain_unmap(struct phyr_domain *domain, uint64_t iova, uint64_t len,
			       struct phyr_gather *gather)
{
	int err = domain->ops->unmap(domain->ctx, iova, len, gather);

	if (unlikely(err))
		return err;
	count_add(&domain_counts(domain)->unmaps, 1);
	return 0;
}

/* Where a backend sends blocked accesses; arg is the domain. */
void phyr_domain_on_fault(void *arg, const struct phyr_fault *fault);

#endif
