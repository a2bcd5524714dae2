/* SPDX-License-Identifier: MIT */
/* The domain's life: create, statistics, and the out-of-line twins of domain.h. */
#include "iommu/domain.h"

#include "core/mem.h"
#include "iommu/refuse.h"
#include "iova/iova.h"

void phyr_iommu_destroy(struct phyr_iommu *iommu)
{
	if (iommu)
		iommu->destroy(iommu);
}

static void free_domain(struct phyr_domain *domain)
{
	slots_free(domain->env, domain->counts_mem);
	env_free(domain->env, domain, sizeof(*domain));
}

int phyr_domain_create(struct phyr_iommu *iommu, struct phyr_domain **out)
{
	int err = phyr_env_check(iommu->env, "phyr_domain_create");
	struct phyr_domain *domain;

	if (err)
		return err;
	domain = env_alloc(iommu->env, sizeof(*domain));
	if (!domain)
		return phyr_iommu_create_failed(iommu->env, -ENOMEM);
	domain->ops = iommu->ops;
	domain->env = iommu->env;
	domain->iommu = iommu;
	domain->counts_mem = slots_alloc(domain->env);
	domain->counts = slots_lines(domain->counts_mem);
	if (domain->counts_mem)
		err = iommu->ops->domain_create(iommu, phyr_domain_on_fault, domain, &domain->ctx);
	else
		err = phyr_iommu_create_failed(iommu->env, -ENOMEM);
	if (err) {
		free_domain(domain);
		return err;
	}
	*out = domain;
	return 0;
}

/* Iova that is in use now was never given back: say so, while somebody may still find out whose. */
static void report_leak(struct phyr_domain *domain)
{
	struct phyr_iova_stats left;

	if (!domain->iova)
		return;
	phyr_iova_get_stats(domain->iova, &left);
	if (left.live)
		env_fail(domain->env, .err = -EBUSY, .call = "phyr_domain_destroy",
			 .index = left.live, .index_of = "live allocations", .len = left.live_bytes,
			 .iova = phyr_iova_first_live(domain->iova), .has_iova = true,
			 .hint = "iova still in use: a window, map or coherent memory was not "
				 "given back");
}

void phyr_domain_destroy(struct phyr_domain *domain)
{
	if (!domain)
		return;
	report_leak(domain);
	domain->ops->domain_destroy(domain->ctx);
	phyr_iova_destroy(domain->iova);
	free_domain(domain);
}

void phyr_domain_set_fault_handler(struct phyr_domain *domain, phyr_fault_fn *fn, void *arg)
{
	domain->fault = fn;
	domain->fault_arg = arg;
}

struct phyr_iommu *phyr_domain_iommu(struct phyr_domain *domain)
{
	return domain->iommu;
}

struct phyr_iova *phyr_domain_iova(struct phyr_domain *domain)
{
	return domain->iova;
}

uint64_t phyr_domain_merge_boundary(const struct phyr_domain *domain)
{
	return domain->merge_boundary;
}

int phyr_domain_map(struct phyr_domain *domain, uint64_t iova, const struct phyr_space *space,
		    struct phyr_cursor *cur, unsigned prot)
{
	const struct phyr_iommu_caps *caps = domain->iommu->caps;
	unsigned kind = space ? (unsigned)space->kind : PHYR_KIND_RAM;

	/* Where nothing is translated the backend says so, whatever the kind. */
	if (caps->translates && (kind > PHYR_KIND_SEEN || !(caps->kinds >> kind & 1)))
		return env_fail(domain->env, .err = -EOPNOTSUPP, .call = "phyr_domain_map",
				.iova = iova, .has_iova = true, .len = cur->left,
				.hint = phyr_iommu_kind_hint(space, caps->kinds));
	return domain_map(domain, iova, space, cur, prot);
}

int phyr_domain_sync_map(struct phyr_domain *domain, uint64_t iova, uint64_t len)
{
	return domain_sync_map(domain, iova, len);
}

int phyr_domain_unmap(struct phyr_domain *domain, uint64_t iova, uint64_t len,
		      struct phyr_gather *gather)
{
	return domain_unmap(domain, iova, len, gather);
}

void phyr_domain_sync(struct phyr_domain *domain, struct phyr_gather *gather)
{
	domain_sync(domain, gather);
}

int phyr_domain_translate(struct phyr_domain *domain, uint64_t iova, struct phyr_translation *out)
{
	return domain->ops->translate(domain->ctx, iova, out);
}

static void add_slot(const struct domain_counts *slot, struct phyr_domain_stats *stats)
{
	stats->maps += load_relaxed(&slot->maps);
	stats->unmaps += load_relaxed(&slot->unmaps);
	stats->entries += load_relaxed(&slot->entries);
	stats->map_syncs += load_relaxed(&slot->map_syncs);
	stats->invalidations += load_relaxed(&slot->invalidations);
}

static void add_backend(struct phyr_domain *domain, struct phyr_domain_stats *stats)
{
	struct phyr_iommu_stats backend;

	domain->ops->get_stats(domain->ctx, &backend);
	stats->tables = backend.tables;
	stats->ioctls = backend.ioctls;
	stats->kernel_maps = backend.kernel_maps;
	stats->kernel_maps_left = backend.kernel_maps_left;
	stats->record_bytes = backend.record_bytes;
}

void phyr_domain_get_stats(struct phyr_domain *domain, struct phyr_domain_stats *stats)
{
	struct phyr_iova_stats iova;

	mem_set(stats, 0, sizeof(*stats));
	for (unsigned i = 0; i < domain->env->nr_slots; i++)
		add_slot(&domain->counts[i], stats);
	add_backend(domain, stats);
	stats->faults = load_relaxed(&domain->faults);
	if (!domain->iova)
		return;
	phyr_iova_get_stats(domain->iova, &iova);
	stats->iova_bytes = iova.live_bytes;
}
