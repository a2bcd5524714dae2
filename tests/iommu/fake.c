/* SPDX-License-Identifier: MIT */
/* A backend that only notes what it is told. */
#include "iommu/fake.h"

#include <string.h>

#include "iommu/refuse.h"

static int fake_domain_create(struct phyr_iommu *iommu, phyr_fault_fn *fault, void *arg, void **ctx)
{
	struct fake *fake = (struct fake *)iommu;

	if (fake->create_err)
		return phyr_iommu_create_failed(iommu->env, fake->create_err);
	fake->fault = fault;
	fake->fault_arg = arg;
	fake->domains++;
	*ctx = fake;
	return 0;
}

static void fake_domain_destroy(void *ctx)
{
	((struct fake *)ctx)->domains--;
}

static int fake_attach(void *ctx, uint32_t source)
{
	struct fake *fake = ctx;

	if (fake->attach_err)
		return phyr_iommu_attach_failed(fake->iommu.env, source, fake->attach_err);
	fake->attached++;
	return 0;
}

static void fake_detach(void *ctx, uint32_t source)
{
	((struct fake *)ctx)->attached--;
}

static void fake_aperture(void *ctx, struct phyr_aperture *out)
{
	*out = ((struct fake *)ctx)->aperture;
}

static int fake_map(void *ctx, uint64_t iova, const struct phyr_space *space,
		    struct phyr_cursor *cur, unsigned prot, struct phyr_gather *gather)
{
	struct fake *fake = ctx;

	fake->calls++;
	*gather = fake->leaves;
	return fake->map_err;
}

static int fake_sync_map(void *ctx, uint64_t iova, uint64_t len)
{
	struct fake *fake = ctx;

	fake->calls++;
	return fake->sync_map_err;
}

static int fake_unmap(void *ctx, uint64_t iova, uint64_t len, struct phyr_gather *gather)
{
	struct fake *fake = ctx;

	fake->calls++;
	*gather = fake->leaves;
	return fake->unmap_err;
}

static int fake_reclaim(void *ctx, uint64_t start, uint64_t last, struct phyr_gather *gather)
{
	struct fake *fake = ctx;

	fake->calls++;
	if (fake->reclaims < 4)
		fake->reclaimed[fake->reclaims] = (struct phyr_iova_hole){start, last};
	fake->reclaims++;
	*gather = fake->leaves;
	return fake->reclaim_err;
}

static void fake_sync(void *ctx, struct phyr_gather *gather)
{
	struct fake *fake = ctx;

	fake->calls++;
	fake->syncs++;
	fake->synced = *gather;
	phyr_gather_init(gather);
}

static void fake_flush_all(void *ctx)
{
}

static int fake_translate(void *ctx, uint64_t iova, struct phyr_translation *out)
{
	((struct fake *)ctx)->calls++;
	out->addr = iova + 1;
	return 0;
}

static void fake_get_stats(void *ctx, struct phyr_iommu_stats *out)
{
	*out = (struct phyr_iommu_stats){.tables = 17,
					 .ioctls = 18,
					 .kernel_maps = 19,
					 .kernel_maps_left = 20,
					 .record_bytes = 21};
}

static const struct phyr_iommu_ops fake_ops = {
	.domain_create = fake_domain_create,
	.domain_destroy = fake_domain_destroy,
	.attach = fake_attach,
	.detach = fake_detach,
	.aperture = fake_aperture,
	.map = fake_map,
	.sync_map = fake_sync_map,
	.unmap = fake_unmap,
	.reclaim = fake_reclaim,
	.sync = fake_sync,
	.flush_all = fake_flush_all,
	.translate = fake_translate,
	.get_stats = fake_get_stats,
};

static void fake_destroy(struct phyr_iommu *iommu)
{
	((struct fake *)iommu)->calls = 1000;
}

void fake_init(struct fake *fake, struct phyr_env *env, bool translates)
{
	memset(fake, 0, sizeof(*fake));
	fake->caps = (struct phyr_iommu_caps){
		.name = "fake", .kinds = 1u << PHYR_KIND_RAM, .translates = translates};
	fake->iommu = (struct phyr_iommu){
		.ops = &fake_ops, .caps = &fake->caps, .env = env, .destroy = fake_destroy};
	fake->aperture = (struct phyr_aperture){
		.last = 0xffffffff,
		.page_sizes = 0x201000,
		.nr_holes = 1,
		.holes = {{0xfee00000, 0xfeefffff}},
	};
	phyr_gather_init(&fake->leaves);
}
