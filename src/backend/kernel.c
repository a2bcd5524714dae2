/* SPDX-License-Identifier: MIT */
/* Kernel backends and their domains: what is there from create to destroy, and statistics. */
#include "backend/kernel.h"

#include <phyr/source.h>

#include "core/bits.h"
#include "core/env.h"
#include "core/mem.h"
#include "core/order.h"
#include "iommu/refuse.h"

static struct kernel *kernel_of(struct phyr_iommu *iommu)
{
	return container_of(iommu, struct kernel, iommu);
}

/* A foreign backend has one domain. */
static bool take_only(struct kernel *kernel)
{
	bool was;

	env_lock(kernel->iommu.env, &kernel->lock);
	was = kernel->taken;
	kernel->taken = true;
	env_unlock(kernel->iommu.env, &kernel->lock);
	return !was;
}

static void leave_only(struct kernel *kernel)
{
	env_lock(kernel->iommu.env, &kernel->lock);
	kernel->taken = false;
	env_unlock(kernel->iommu.env, &kernel->lock);
}

static int create(struct kernel *kernel, struct kernel_domain **out)
{
	struct phyr_env *env = kernel->iommu.env;
	struct kernel_domain *domain = env_alloc(env, sizeof(*domain));
	int err;

	if (!domain)
		return -ENOMEM;
	domain->kernel = kernel;
	domain->fd = kernel->fd;
	domain->ioas = kernel->ioas;
	domain->limit = UINT64_MAX;
	phyr_record_init(&domain->record, env);
	err = env_lock_init(env, &domain->lock);
	if (!err) {
		err = kernel->type->open(domain);
		if (err)
			env_lock_fini(env, &domain->lock);
	}
	if (err)
		env_free(env, domain, sizeof(*domain));
	else
		*out = domain;
	return err;
}

static int create_failed(struct phyr_env *env, int err)
{
	if (err == -ENOMEM)
		return phyr_iommu_create_failed(env, err);
	return env_fail(env, .err = err, .call = "phyr_domain_create",
			.hint = err == -ENOSPC ? "descriptors from outside are one iova space: the "
						 "backend has its domain already"
					       : "the kernel makes no other iova space");
}

static int kernel_domain_create(struct phyr_iommu *iommu, phyr_fault_fn *fault, void *arg,
				void **ctx)
{
	struct kernel *kernel = kernel_of(iommu);
	struct kernel_domain *domain;
	int err;

	if (kernel->foreign && !take_only(kernel))
		return create_failed(iommu->env, -ENOSPC);
	err = create(kernel, &domain);
	if (err) {
		leave_only(kernel);
		return create_failed(iommu->env, err);
	}
	*ctx = domain;
	return 0;
}

static void kernel_domain_destroy(void *ctx)
{
	struct kernel_domain *domain = ctx;
	struct kernel *kernel = domain->kernel;
	struct phyr_env *env = kernel->iommu.env;

	/* Somebody else's iova space lives on: nothing of ours stays in it. */
	if (kernel->foreign)
		phyr_kernel_unmap_ours(domain, 0, KERNEL_LAST);
	kernel->type->close(domain);
	phyr_record_fini(&domain->record);
	env_lock_fini(env, &domain->lock);
	env_free(env, domain, sizeof(*domain));
	leave_only(kernel);
}

/* The kernel invalidates before it answers, so there is nothing to do later. */
static void kernel_sync(void *ctx, struct phyr_gather *gather)
{
	phyr_gather_init(gather);
}

static int kernel_reclaim(void *ctx, uint64_t start, uint64_t last, struct phyr_gather *gather)
{
	return 0;
}

static void kernel_flush_all(void *ctx)
{
}

static int kernel_sync_map(void *ctx, uint64_t iova, uint64_t len)
{
	return 0;
}

static void kernel_get_stats(void *ctx, struct phyr_iommu_stats *out)
{
	struct kernel_domain *domain = ctx;
	struct phyr_env *env = domain->kernel->iommu.env;
	uint64_t nr;

	*out = (struct phyr_iommu_stats){.ioctls = load_relaxed(&domain->ioctls),
					 .kernel_maps_left = UINT64_MAX};
	env_lock(env, &domain->lock);
	nr = domain->record.nr;
	out->kernel_maps = domain->live ? nr : 0;
	if (domain->limit != UINT64_MAX)
		out->kernel_maps_left = domain->limit > nr ? domain->limit - nr : 0;
	out->record_bytes = domain->record.bytes;
	env_unlock(env, &domain->lock);
}

static const struct phyr_iommu_ops kernel_ops = {
	.domain_create = kernel_domain_create,
	.domain_destroy = kernel_domain_destroy,
	.attach = phyr_kernel_attach,
	.detach = phyr_kernel_detach,
	.aperture = phyr_kernel_aperture,
	.map = phyr_kernel_map,
	.sync_map = kernel_sync_map,
	.unmap = phyr_kernel_unmap,
	.reclaim = kernel_reclaim,
	.sync = kernel_sync,
	.flush_all = kernel_flush_all,
	.translate = phyr_kernel_translate,
	.get_stats = kernel_get_stats,
};

int phyr_kernel_create(struct phyr_env *env, const char *call, const struct kernel_type *type,
		       const char *name, struct kernel **out)
{
	struct kernel *kernel;
	int err = phyr_env_check(env, call);

	if (err)
		return err;
	kernel = env_alloc(env, sizeof(*kernel));
	if (!kernel)
		return env_fail(env, .err = -ENOMEM, .call = call);
	err = env_lock_init(env, &kernel->lock);
	if (err) {
		env_free(env, kernel, sizeof(*kernel));
		return env_fail(env, .err = err, .call = call);
	}
	kernel->type = type;
	kernel->fd = -1;
	kernel->caps = (struct phyr_iommu_caps){.name = name,
						.kinds = 1u << PHYR_KIND_USER,
						.translates = true,
						.pages = phyr_space_user()};
	kernel->iommu = (struct phyr_iommu){.ops = &kernel_ops,
					    .caps = &kernel->caps,
					    .env = env,
					    .destroy = phyr_kernel_destroy};
	*out = kernel;
	return 0;
}

int phyr_kernel_give(struct kernel *kernel, const struct phyr_vfio_dev *devs, unsigned nr)
{
	kernel->foreign = true;
	if (!nr)
		return 0;
	kernel->given = env_alloc(kernel->iommu.env, nr * sizeof(devs[0]));
	if (!kernel->given)
		return -ENOMEM;
	mem_copy(kernel->given, devs, nr * sizeof(devs[0]));
	kernel->nr_given = nr;
	return 0;
}

void phyr_kernel_destroy(struct phyr_iommu *iommu)
{
	struct kernel *kernel = kernel_of(iommu);

	if (!kernel->foreign)
		phyr_kernel_close(kernel->fd);
	env_free(iommu->env, kernel->given, kernel->nr_given * sizeof(kernel->given[0]));
	env_lock_fini(iommu->env, &kernel->lock);
	env_free(iommu->env, kernel, sizeof(*kernel));
}
