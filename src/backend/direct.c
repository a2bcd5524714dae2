/* SPDX-License-Identifier: MIT */
/*
 * No IOMMU: the device sees memory as it is. Nothing is mapped, so all that maps is refused; what
 * is kept is which device is attached where, so that a driver's mistake shows here as on any
 * backend.
 */
#include <phyr/backend.h>

#include "core/bits.h"
#include "core/env.h"
#include "iommu/refuse.h"

struct direct {
	struct phyr_iommu iommu;
	struct phyr_lock lock;
	struct attached *attached;
};

/* A domain has nothing of its own; its address tells domains apart. */
struct direct_domain {
	struct direct *direct;
};

struct attached {
	struct attached *next;
	struct direct_domain *domain;
	uint32_t source;
};

static struct direct *direct_of(struct phyr_iommu *iommu)
{
	return container_of(iommu, struct direct, iommu);
}

static int direct_domain_create(struct phyr_iommu *iommu, phyr_fault_fn *fault, void *arg,
				void **ctx)
{
	struct direct_domain *domain = env_alloc(iommu->env, sizeof(*domain));

	if (!domain)
		return phyr_iommu_create_failed(iommu->env, -ENOMEM);
	domain->direct = direct_of(iommu);
	*ctx = domain;
	return 0;
}

static void direct_domain_destroy(void *ctx)
{
	struct direct_domain *domain = ctx;

	env_free(domain->direct->iommu.env, domain, sizeof(*domain));
}

/* Where a device's entry is linked, or the list's end. Under the lock. */
static struct attached **find(struct direct *direct, uint32_t source)
{
	struct attached **link = &direct->attached;

	while (*link && (*link)->source != source)
		link = &(*link)->next;
	return link;
}

static int direct_attach(void *ctx, uint32_t source)
{
	struct direct_domain *domain = ctx;
	struct direct *direct = domain->direct;
	struct phyr_env *env = direct->iommu.env;
	struct attached *entry = env_alloc(env, sizeof(*entry)), **link;

	if (!entry)
		return phyr_iommu_attach_failed(env, source, -ENOMEM);
	*entry = (struct attached){.domain = domain, .source = source};
	env_lock(env, &direct->lock);
	link = find(direct, source);
	if (!*link) {
		*link = entry;
		entry = NULL;
	}
	env_unlock(env, &direct->lock);
	if (!entry)
		return 0;
	env_free(env, entry, sizeof(*entry));
	return phyr_iommu_attach_failed(env, source, -EBUSY);
}

static void direct_detach(void *ctx, uint32_t source)
{
	struct direct_domain *domain = ctx;
	struct direct *direct = domain->direct;
	struct attached **link, *entry;

	env_lock(direct->iommu.env, &direct->lock);
	link = find(direct, source);
	entry = *link;
	if (entry && entry->domain == domain)
		*link = entry->next;
	else
		entry = NULL;
	env_unlock(direct->iommu.env, &direct->lock);
	env_free(direct->iommu.env, entry, sizeof(*entry));
}

static void direct_aperture(void *ctx, struct phyr_aperture *out)
{
	*out = (struct phyr_aperture){.last = UINT64_MAX};
}

static int refuse(void *ctx, const char *call, uint64_t iova, uint64_t len)
{
	const struct direct_domain *domain = ctx;

	return env_fail(domain->direct->iommu.env, .err = -EOPNOTSUPP, .call = call, .iova = iova,
			.has_iova = true, .len = len,
			.hint = "there is no IOMMU; the device sees memory as it is");
}

static int direct_map(void *ctx, uint64_t iova, const struct phyr_space *space,
		      struct phyr_cursor *cur, unsigned prot, struct phyr_gather *gather)
{
	return refuse(ctx, "phyr_domain_map", iova, cur->left);
}

static int direct_sync_map(void *ctx, uint64_t iova, uint64_t len)
{
	return refuse(ctx, "phyr_domain_sync_map", iova, len);
}

static int direct_unmap(void *ctx, uint64_t iova, uint64_t len, struct phyr_gather *gather)
{
	return refuse(ctx, "phyr_domain_unmap", iova, len);
}

static int direct_reclaim(void *ctx, uint64_t start, uint64_t last, struct phyr_gather *gather)
{
	return 0;
}

static void direct_sync(void *ctx, struct phyr_gather *gather)
{
	phyr_gather_init(gather);
}

static void direct_flush_all(void *ctx)
{
}

static int direct_translate(void *ctx, uint64_t iova, struct phyr_translation *out)
{
	*out = (struct phyr_translation){
		.addr = iova, .leaf_size = PHYR_PAGE_SIZE, .prot = PHYR_READ | PHYR_WRITE};
	return 0;
}

static void direct_get_stats(void *ctx, struct phyr_iommu_stats *out)
{
	*out = (struct phyr_iommu_stats){.kernel_maps_left = UINT64_MAX};
}

static const struct phyr_iommu_ops direct_ops = {
	.domain_create = direct_domain_create,
	.domain_destroy = direct_domain_destroy,
	.attach = direct_attach,
	.detach = direct_detach,
	.aperture = direct_aperture,
	.map = direct_map,
	.sync_map = direct_sync_map,
	.unmap = direct_unmap,
	.reclaim = direct_reclaim,
	.sync = direct_sync,
	.flush_all = direct_flush_all,
	.translate = direct_translate,
	.get_stats = direct_get_stats,
};

static const struct phyr_iommu_caps direct_caps = {
	.name = "direct",
	.kinds = 1u << PHYR_KIND_RAM,
	.translates = false,
};

static void direct_destroy(struct phyr_iommu *iommu)
{
	struct direct *direct = direct_of(iommu);

	env_lock_fini(iommu->env, &direct->lock);
	env_free(iommu->env, direct, sizeof(*direct));
}

int phyr_direct_create(struct phyr_env *env, struct phyr_iommu **out)
{
	struct direct *direct;
	int err;

	env = env_or_hosted(env);
	err = phyr_env_check(env, "phyr_direct_create");
	if (err)
		return err;
	direct = env_alloc(env, sizeof(*direct));
	if (!direct)
		return env_fail(env, .err = -ENOMEM, .call = "phyr_direct_create");
	direct->iommu = (struct phyr_iommu){
		.ops = &direct_ops, .caps = &direct_caps, .env = env, .destroy = direct_destroy};
	err = env_lock_init(env, &direct->lock);
	if (err) {
		env_free(env, direct, sizeof(*direct));
		return env_fail(env, .err = err, .call = "phyr_direct_create");
	}
	*out = &direct->iommu;
	return 0;
}
