/* SPDX-License-Identifier: MIT */
/*
 * Our own page tables on hardware that a port or the simulated machine provides.
 *
 * Each format has its own table of operations, whose map and unmap are the format's walk itself:
 * one indirect call leads from a domain into the walk.
 *
 *   domain ──ops->map──▶ walk of the format          no call into the hardware
 *   domain ──ops->sync─▶ hw->invalidate ──▶ tables of the gather go back
 *
 * Nothing is to be done for a new mapping: hardware here never caches that an entry is not present.
 * One that does (VT-d's caching mode) would need an invalidation in sync_map.
 */
#include <phyr/backend.h>

#include "core/bits.h"
#include "core/env.h"
#include "iommu/refuse.h"
#include "pgtbl/fmt.h"

struct soft {
	struct phyr_iommu iommu;
	struct phyr_soft_hw *hw;
	struct phyr_pgtbl_config table; /* what each domain's table is made of */
};

struct soft_domain {
	struct phyr_pgtbl *pt;
	struct soft *soft;
	phyr_fault_fn *fault;
	void *fault_arg;
	uint32_t id; /* the tag of cached translations, from the hardware */
};

static bool is_arm(enum phyr_pgtbl_format format)
{
	return format == PHYR_PGTBL_ARM64_S1 || format == PHYR_PGTBL_ARM64_S2;
}

static struct soft *soft_of(struct phyr_iommu *iommu)
{
	return container_of(iommu, struct soft, iommu);
}

static void free_domain(struct soft_domain *domain)
{
	struct phyr_soft_hw *hw = domain->soft->hw;

	if (domain->id)
		hw->put_domain(hw, domain->id);
	env_free(domain->soft->iommu.env, domain, sizeof(*domain));
}

static int soft_domain_create(struct phyr_iommu *iommu, phyr_fault_fn *fault, void *arg, void **ctx)
{
	struct soft *soft = soft_of(iommu);
	struct soft_domain *domain = env_alloc(iommu->env, sizeof(*domain));
	struct phyr_report why; /* the domain's report says it */
	int err;

	if (!domain)
		return phyr_iommu_create_failed(iommu->env, -ENOMEM);
	domain->soft = soft;
	domain->fault = fault;
	domain->fault_arg = arg;
	domain->id = soft->hw->get_domain(soft->hw);
	err = domain->id ? phyr_pgtbl_create_quietly(iommu->env, &soft->table, &domain->pt, &why)
			 : -ENOSPC;
	if (err) {
		free_domain(domain);
		return phyr_iommu_create_failed(iommu->env, err);
	}
	*ctx = domain;
	return 0;
}

static void soft_flush_all(void *ctx)
{
	struct soft_domain *domain = ctx;
	struct phyr_soft_hw *hw = domain->soft->hw;

	hw->invalidate(hw, domain->id, 0, UINT64_MAX);
}

static void soft_domain_destroy(void *ctx)
{
	struct soft_domain *domain = ctx;

	/* The id goes to another domain: nothing may be cached under it any more. */
	soft_flush_all(domain);
	phyr_pgtbl_destroy(domain->pt);
	free_domain(domain);
}

static int soft_attach(void *ctx, uint32_t source)
{
	struct soft_domain *domain = ctx;
	struct phyr_soft_hw *hw = domain->soft->hw;
	const struct phyr_soft_table table = {
		.format = domain->soft->table.format,
		.levels = phyr_pgtbl_levels(domain->pt),
		.root = phyr_pgtbl_root(domain->pt),
		.domain = domain->id,
		.granule_lg2 = domain->soft->table.granule_lg2,
		.ia_bits = lg2_u64(phyr_pgtbl_last(domain->pt)) + 1,
		.oa_bits = is_arm(domain->soft->table.format) ? domain->soft->table.oa_bits : 0,
		.dirty = domain->soft->table.dirty,
	};
	int err;

	err = hw->set_table(hw, source, &table, domain->fault, domain->fault_arg);
	if (err == -EINVAL)
		err = -EOPNOTSUPP;
	return err ? phyr_iommu_attach_failed(domain->soft->iommu.env, source, err) : 0;
}

static void soft_detach(void *ctx, uint32_t source)
{
	struct soft_domain *domain = ctx;
	struct phyr_soft_hw *hw = domain->soft->hw;

	hw->clear_table(hw, source, domain->id);
}

static void soft_aperture(void *ctx, struct phyr_aperture *out)
{
	struct soft_domain *domain = ctx;
	struct phyr_soft_hw *hw = domain->soft->hw;
	struct phyr_soft_info info = {0};

	hw->get_info(hw, &info);
	*out = info.aperture;
	out->last = min_u64(out->last, phyr_pgtbl_last(domain->pt));
	out->page_sizes &= phyr_pgtbl_page_sizes(domain->pt);
}

static int soft_sync_map(void *ctx, uint64_t iova, uint64_t len)
{
	return 0;
}

static void soft_sync(void *ctx, struct phyr_gather *gather)
{
	struct soft_domain *domain = ctx;
	struct phyr_soft_hw *hw = domain->soft->hw;

	if (gather->start <= gather->last)
		hw->invalidate(hw, domain->id, gather->start, gather->last);
	phyr_pgtbl_free_gathered(domain->pt, gather);
	phyr_gather_init(gather);
}

static void soft_get_stats(void *ctx, struct phyr_iommu_stats *out)
{
	struct soft_domain *domain = ctx;

	*out = (struct phyr_iommu_stats){.tables = phyr_pgtbl_tables(domain->pt),
					 .kernel_maps_left = UINT64_MAX};
}

static int soft_reclaim(void *ctx, uint64_t start, uint64_t last, struct phyr_gather *gather)
{
	struct phyr_pgtbl *pt = ((struct soft_domain *)ctx)->pt;

	/* A byte less than it is, that of all 64 bits has a length: granules are taken whole. */
	return phyr_pgtbl_reclaim(pt, start, min_u64(last, phyr_pgtbl_last(pt)) - start, gather);
}

#define SOFT_FORMAT(fmt)                                                                          \
	static int soft_##fmt##_map(void *ctx, uint64_t iova, const struct phyr_space *space,     \
				    struct phyr_cursor *cur, unsigned prot,                       \
				    struct phyr_gather *gather)                                   \
	{                                                                                         \
		return phyr_pgtbl_##fmt##_map(((struct soft_domain *)ctx)->pt, iova, cur, prot,   \
					      gather);                                            \
	}                                                                                         \
	static int soft_##fmt##_unmap(void *ctx, uint64_t iova, uint64_t len,                     \
				      struct phyr_gather *gather)                                 \
	{                                                                                         \
		return phyr_pgtbl_##fmt##_unmap(((struct soft_domain *)ctx)->pt, iova, len,       \
						gather, NULL);                                    \
	}                                                                                         \
	static int soft_##fmt##_translate(void *ctx, uint64_t iova, struct phyr_translation *out) \
	{                                                                                         \
		return phyr_pgtbl_##fmt##_translate(((struct soft_domain *)ctx)->pt, iova, out);  \
	}                                                                                         \
	static const struct phyr_iommu_ops soft_##fmt##_ops = {                                   \
		.domain_create = soft_domain_create,                                              \
		.domain_destroy = soft_domain_destroy,                                            \
		.attach = soft_attach,                                                            \
		.detach = soft_detach,                                                            \
		.aperture = soft_aperture,                                                        \
		.map = soft_##fmt##_map,                                                          \
		.sync_map = soft_sync_map,                                                        \
		.unmap = soft_##fmt##_unmap,                                                      \
		.reclaim = soft_reclaim,                                                          \
		.sync = soft_sync,                                                                \
		.flush_all = soft_flush_all,                                                      \
		.translate = soft_##fmt##_translate,                                              \
		.get_stats = soft_get_stats,                                                      \
	}

SOFT_FORMAT(vtdss);
SOFT_FORMAT(x86_64);
SOFT_FORMAT(amdv1);
SOFT_FORMAT(riscv64);
SOFT_FORMAT(arm64_s1_4k);
SOFT_FORMAT(arm64_s1_4k_lpa2);
SOFT_FORMAT(arm64_s1_16k);
SOFT_FORMAT(arm64_s1_16k_lpa2);
SOFT_FORMAT(arm64_s1_64k);
SOFT_FORMAT(arm64_s2_4k);
SOFT_FORMAT(arm64_s2_4k_lpa2);
SOFT_FORMAT(arm64_s2_16k);
SOFT_FORMAT(arm64_s2_16k_lpa2);
SOFT_FORMAT(arm64_s2_64k);

/*
 * The formats, the one that is taken first when nobody chooses first; of each its granules, its usual one
 * first.
 */
static const struct soft_format {
	enum phyr_pgtbl_format format;
	unsigned granule_lg2;
	unsigned levels; /* that come to 48 bits of iova, or nearest */
	const struct phyr_iommu_ops *ops;
	const struct phyr_iommu_ops
		*wide; /* for output addresses of more than 48 bits; NULL: the same */
} formats[] = {
	{PHYR_PGTBL_VTDSS, 12, 4, &soft_vtdss_ops, NULL},
	{PHYR_PGTBL_X86_64, 12, 4, &soft_x86_64_ops, NULL},
	{PHYR_PGTBL_AMDV1, 12, 4, &soft_amdv1_ops, NULL},
	{PHYR_PGTBL_ARM64_S1, 12, 4, &soft_arm64_s1_4k_ops, &soft_arm64_s1_4k_lpa2_ops},
	{PHYR_PGTBL_ARM64_S1, 14, 4, &soft_arm64_s1_16k_ops, &soft_arm64_s1_16k_lpa2_ops},
	{PHYR_PGTBL_ARM64_S1, 16, 3, &soft_arm64_s1_64k_ops, NULL},
	{PHYR_PGTBL_ARM64_S2, 12, 4, &soft_arm64_s2_4k_ops, &soft_arm64_s2_4k_lpa2_ops},
	{PHYR_PGTBL_ARM64_S2, 14, 3, &soft_arm64_s2_16k_ops, &soft_arm64_s2_16k_lpa2_ops},
	{PHYR_PGTBL_ARM64_S2, 16, 3, &soft_arm64_s2_64k_ops, NULL},
	{PHYR_PGTBL_RISCV64, 12, 4, &soft_riscv64_ops, NULL},
};

static const struct phyr_iommu_caps soft_caps = {
	.name = "soft",
	.kinds = 1u << PHYR_KIND_RAM,
	.translates = true,
};

static void soft_destroy(struct phyr_iommu *iommu)
{
	env_free(iommu->env, soft_of(iommu), sizeof(struct soft));
}

/* What the hardware does not have, by a member of the configuration. */
static int not_there(struct soft *soft, uint64_t wanted, const char *what, uint64_t limit,
		     const char *hint)
{
	return env_fail(soft->iommu.env, .err = -EOPNOTSUPP, .call = "phyr_soft_create",
			.index = wanted, .index_of = what, .limit = limit, .hint = hint);
}

static bool has_granule(const struct phyr_soft_info *info, unsigned granule_lg2)
{
	return granule_lg2 == 12 ? !info->granules || info->granules >> 12 & 1
				 : info->granules >> granule_lg2 & 1;
}

/* Whether a row's granule is the one to take: the wanted one, or where none is the format's usual. */
static bool is_granule_wanted(const struct soft_format *f, unsigned wanted)
{
	return wanted ? f->granule_lg2 == wanted : f == formats || f[-1].format != f->format;
}

/* Choose a format that hardware and caller agree on. */
static int choose_format(struct soft *soft, const struct phyr_soft_config *config,
			 const struct phyr_soft_info *info)
{
	bool known = false;

	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		const struct soft_format *f = &formats[i];

		if ((config->format && config->format != f->format) ||
		    !(info->formats >> f->format & 1))
			continue;
		known = true;
		if (!is_granule_wanted(f, config->granule_lg2) ||
		    (is_arm(f->format) && !has_granule(info, f->granule_lg2)))
			continue;
		soft->iommu.ops = info->oa_bits > 48 && f->wide ? f->wide : f->ops;
		soft->table.format = f->format;
		soft->table.granule_lg2 = f->granule_lg2;
		soft->table.levels = (unsigned)min_u64(f->levels, info->levels);
		return 0;
	}
	if (known)
		return not_there(soft, config->granule_lg2 ? config->granule_lg2 : 12,
				 "granule_lg2", info->granules,
				 "the hardware does not have this granule in such a format");
	return not_there(soft, (uint64_t)config->format, "format", info->formats,
			 "the hardware does not walk this format");
}

/* What tables can do that hardware must be able to. */
static int choose_features(struct soft *soft, const struct phyr_soft_config *config,
			   const struct phyr_soft_info *info)
{
	if (config->dirty && !info->dirty)
		return not_there(soft, 0, NULL, 0, "dirty: the hardware does not set dirty bits");
	if (config->force_snoop && !info->snoop)
		return not_there(soft, 0, NULL, 0,
				 "force_snoop: the hardware has no snoop control");
	if (config->levels > info->levels)
		return not_there(soft, config->levels, "levels", info->levels,
				 "the hardware does not have so many levels");
	soft->table.dirty = config->dirty;
	soft->table.force_snoop = config->force_snoop;
	if (config->levels)
		soft->table.levels = config->levels;
	soft->table.bbm = is_arm(soft->table.format) ? info->bbm : 0;
	return 0;
}

static int no_such_table(struct soft *soft, int err, const char *hint)
{
	return env_fail(soft->iommu.env, .err = err, .call = "phyr_soft_create",
			.index = soft->table.levels, .index_of = "levels",
			.addr = soft->table.page_sizes, .limit = soft->table.oa_bits, .hint = hint);
}

/* Whether such tables could be made with other page sizes. */
static bool other_sizes_do(struct soft *soft)
{
	struct phyr_pgtbl_config any = soft->table;
	struct phyr_pgtbl *pt;
	struct phyr_report why;

	any.page_sizes = 0;
	if (phyr_pgtbl_create_quietly(soft->iommu.env, &any, &pt, &why))
		return false;
	phyr_pgtbl_destroy(pt);
	return true;
}

/* Find out whether such tables can be made, by making one. */
static int try_table(struct soft *soft, uint64_t sizes_chosen)
{
	struct phyr_pgtbl *pt;
	struct phyr_report why;
	int err = phyr_pgtbl_create_quietly(soft->iommu.env, &soft->table, &pt, &why);
	uint64_t missing;

	if (err == -EINVAL)
		return no_such_table(soft,
				     sizes_chosen && other_sizes_do(soft) ? -EINVAL : -EOPNOTSUPP,
				     why.hint);
	if (err) {
		why.call = "phyr_soft_create";
		return phyr_env_report(soft->iommu.env, &why);
	}
	missing = sizes_chosen & ~phyr_pgtbl_page_sizes(pt);
	phyr_pgtbl_destroy(pt);
	return missing ? no_such_table(soft, -EINVAL,
				       "the format does not have all of these page sizes")
		       : 0;
}

/* Choose what all tables of this backend are made of. */
static int choose_table(struct soft *soft, const struct phyr_soft_config *config)
{
	struct phyr_soft_info info = {0};
	int err;

	soft->hw->get_info(soft->hw, &info);
	err = choose_format(soft, config, &info);
	if (!err)
		err = choose_features(soft, config, &info);
	if (err)
		return err;
	if (config->page_sizes & ~info.aperture.page_sizes)
		return env_fail(soft->iommu.env, .err = -EINVAL, .call = "phyr_soft_create",
				.addr = config->page_sizes, .limit = info.aperture.page_sizes,
				.hint = "the hardware does not have all of these page sizes");
	if (info.noncoherent && !soft->iommu.env->flush_lines)
		return env_fail(soft->iommu.env, .err = -EINVAL, .call = "phyr_soft_create",
				.hint = "the hardware does not snoop: the environment's "
					"flush_lines is needed");
	soft->table.size = sizeof(soft->table);
	soft->table.oa_bits = info.oa_bits;
	soft->table.noncoherent = info.noncoherent;
	soft->table.page_sizes = config->page_sizes ? config->page_sizes : info.aperture.page_sizes;
	return try_table(soft, config->page_sizes);
}

static int soft_init(struct soft *soft, const struct phyr_soft_config *config)
{
	static const struct phyr_soft_config defaults = {.size = sizeof(defaults)};
	struct phyr_env *env = soft->iommu.env;

	if (!config)
		config = &defaults;
	if (config->size != sizeof(*config))
		return env_fail(env, .err = -EINVAL, .call = "phyr_soft_create",
				.limit = sizeof(*config),
				.hint = "set size to sizeof(struct phyr_soft_config)");
	return choose_table(soft, config);
}

int phyr_soft_create(struct phyr_env *env, struct phyr_soft_hw *hw,
		     const struct phyr_soft_config *config, struct phyr_iommu **out)
{
	struct soft *soft;
	int err;

	env = env_or_hosted(env);
	err = phyr_env_check(env, "phyr_soft_create");
	if (err)
		return err;
	soft = env_alloc(env, sizeof(*soft));
	if (!soft)
		return env_fail(env, .err = -ENOMEM, .call = "phyr_soft_create");
	soft->hw = hw;
	soft->iommu.env = env;
	soft->iommu.caps = &soft_caps;
	soft->iommu.destroy = soft_destroy;
	err = soft_init(soft, config);
	if (err) {
		env_free(env, soft, sizeof(*soft));
		return err;
	}
	*out = &soft->iommu;
	return 0;
}
