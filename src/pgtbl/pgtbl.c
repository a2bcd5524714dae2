/* SPDX-License-Identifier: MIT */
/* Page tables: create, destroy, and the way from a public call to its format's own. */
#include "pgtbl/fill.h"
#include "pgtbl/fmt.h"

/* Arm's, by granule, and by whether addresses are wider than 48 bits. NULL: no such granule. */
static const struct pgtbl_ops *arm64_ops(bool s2, unsigned granule_lg2, bool wide)
{
	switch (granule_lg2) {
	case 12:
		if (wide)
			return s2 ? &phyr_pgtbl_arm64_s2_4k_lpa2_ops
				  : &phyr_pgtbl_arm64_s1_4k_lpa2_ops;
		return s2 ? &phyr_pgtbl_arm64_s2_4k_ops : &phyr_pgtbl_arm64_s1_4k_ops;
	case 14:
		if (wide)
			return s2 ? &phyr_pgtbl_arm64_s2_16k_lpa2_ops
				  : &phyr_pgtbl_arm64_s1_16k_lpa2_ops;
		return s2 ? &phyr_pgtbl_arm64_s2_16k_ops : &phyr_pgtbl_arm64_s1_16k_ops;
	case 16:
		return s2 ? &phyr_pgtbl_arm64_s2_64k_ops : &phyr_pgtbl_arm64_s1_64k_ops;
	}
	return NULL;
}

/* The format with tables of that size; NULL: there is none. */
static const struct pgtbl_ops *format_ops(const struct phyr_pgtbl_config *config,
					  unsigned granule_lg2)
{
	bool is_4k = granule_lg2 == 12, wide = config->oa_bits > 48;

	switch (config->format) {
	case PHYR_PGTBL_X86_64:
		return is_4k ? &phyr_pgtbl_x86_64_ops : NULL;
	case PHYR_PGTBL_VTDSS:
		return is_4k ? &phyr_pgtbl_vtdss_ops : NULL;
	case PHYR_PGTBL_AMDV1:
		return is_4k ? &phyr_pgtbl_amdv1_ops : NULL;
	case PHYR_PGTBL_ARM64_S1:
		return arm64_ops(false, granule_lg2, wide);
	case PHYR_PGTBL_ARM64_S2:
		return arm64_ops(true, granule_lg2, wide);
	case PHYR_PGTBL_RISCV64:
		return is_4k ? &phyr_pgtbl_riscv64_ops : NULL;
	}
	return NULL;
}

static int say_why(struct phyr_report *why, int err, const char *hint)
{
	*why = (struct phyr_report){.err = err, .hint = hint};
	return err;
}

static int check_config(const struct phyr_pgtbl_config *config, struct phyr_pgtbl *pt,
			struct phyr_report *why)
{
	const char *hint;

	if (!config || config->size != sizeof(*config))
		return say_why(why, -EINVAL, "the configuration's size is not one known here");
	pt->ops = format_ops(config, config->granule_lg2 ? config->granule_lg2 : 12);
	if (!pt->ops)
		return say_why(why, -EINVAL, "unknown format, or it has no such granule_lg2");
	hint = pt->ops->setup(config, pt);
	if (hint)
		return say_why(why, -EINVAL, hint);
	if (config->noncoherent && !pt->env->flush_lines)
		return say_why(why, -EINVAL,
			       "a walker that does not snoop needs the environment's flush_lines");
	return 0;
}

static int make_root(struct phyr_pgtbl *pt, struct phyr_report *why)
{
	uint64_t beyond = 0;

	pt->root = phyr_pgtbl_table_alloc(pt, pt->root_size, &beyond);
	if (pt->root)
		return 0;
	if (!beyond)
		return say_why(why, -ENOMEM, "no memory for the top table");
	*why = (struct phyr_report){
		.err = -ENOMEM,
		.addr = beyond,
		.len = pt->root_size,
		.limit = pt->oa_last,
		.hint = "alloc_pages gave memory for the top table that the hardware does not "
			"reach: it lies above oa_bits",
	};
	return -ENOMEM;
}

int phyr_pgtbl_create_quietly(struct phyr_env *env, const struct phyr_pgtbl_config *config,
			      struct phyr_pgtbl **out, struct phyr_report *why)
{
	struct phyr_pgtbl setup = {.env = env}, *pt;
	int err = check_config(config, &setup, why);

	if (err)
		return err;
	setup.phys_delta = env->phys_delta;
	setup.wide = pgtbl_wide_stores();
	setup.noncoherent = config->noncoherent;
	setup.unusual = setup.noncoherent || setup.granule != setup.table_size;
	err = make_root(&setup, why);
	if (err)
		return err;
	pt = env_alloc(env, sizeof(*pt));
	if (!pt) {
		phyr_pgtbl_table_free(&setup, setup.root, setup.root_size);
		return say_why(why, -ENOMEM, "no memory for the table's description");
	}
	*pt = setup;
	*out = pt;
	return 0;
}

int phyr_pgtbl_create(struct phyr_env *env, const struct phyr_pgtbl_config *config,
		      struct phyr_pgtbl **out)
{
	static const char call[] = "phyr_pgtbl_create";
	struct phyr_report why;
	int err;

	env = env_or_hosted(env);
	err = phyr_env_check(env, call);
	if (err)
		return err;
	err = phyr_pgtbl_create_quietly(env, config, out, &why);
	if (!err)
		return 0;
	why.call = call;
	return phyr_env_report(env, &why);
}

void phyr_pgtbl_destroy(struct phyr_pgtbl *pt)
{
	if (!pt)
		return;
	pt->ops->free_all(pt);
	env_free(pt->env, pt, sizeof(*pt));
}

uint64_t phyr_pgtbl_root(const struct phyr_pgtbl *pt)
{
	return env_to_phys(pt->env, pt->root);
}

unsigned phyr_pgtbl_levels(const struct phyr_pgtbl *pt)
{
	return pt->top + 1;
}

uint64_t phyr_pgtbl_last(const struct phyr_pgtbl *pt)
{
	return pt->last;
}

uint64_t phyr_pgtbl_page_sizes(const struct phyr_pgtbl *pt)
{
	return pt->leaf_sizes;
}

uint64_t phyr_pgtbl_tables(const struct phyr_pgtbl *pt)
{
	return load_relaxed(&pt->tables);
}

int phyr_pgtbl_map(struct phyr_pgtbl *pt, uint64_t iova, struct phyr_cursor *cur, unsigned prot,
		   struct phyr_gather *gather)
{
	return pt->ops->map(pt, iova, cur, prot, gather);
}

int phyr_pgtbl_unmap(struct phyr_pgtbl *pt, uint64_t iova, uint64_t len, struct phyr_gather *gather,
		     struct phyr_list *out)
{
	return pt->ops->unmap(pt, iova, len, gather, out);
}

int phyr_pgtbl_translate(struct phyr_pgtbl *pt, uint64_t iova, struct phyr_translation *out)
{
	return pt->ops->translate(pt, iova, out);
}

enum phyr_pgtbl_change phyr_pgtbl_change(const struct phyr_pgtbl *pt)
{
	return (enum phyr_pgtbl_change)pt->change;
}

int phyr_pgtbl_cut(struct phyr_pgtbl *pt, uint64_t iova, const struct phyr_pgtbl_idle *idle,
		   struct phyr_gather *gather)
{
	return pt->ops->cut(pt, iova, idle, gather);
}

int phyr_pgtbl_promote(struct phyr_pgtbl *pt, uint64_t iova, uint64_t len,
		       const struct phyr_pgtbl_idle *idle, struct phyr_gather *gather,
		       uint64_t *leaves)
{
	return pt->ops->promote(pt, iova, len, idle, gather, leaves);
}

int phyr_pgtbl_dirty(struct phyr_pgtbl *pt, uint64_t iova, uint64_t len, bool clear,
		     phyr_pgtbl_dirty_fn *fn, void *arg, struct phyr_gather *gather)
{
	return pt->ops->dirty(pt, iova, len, clear, fn, arg, gather);
}

int phyr_pgtbl_reclaim(struct phyr_pgtbl *pt, uint64_t iova, uint64_t len,
		       struct phyr_gather *gather)
{
	return pt->ops->reclaim(pt, iova, len, gather);
}

int phyr_pgtbl_walk(struct phyr_pgtbl *pt, uint64_t iova, uint64_t len, phyr_pgtbl_walk_fn *fn,
		    void *arg)
{
	return pt->ops->walk(pt, iova, len, fn, arg);
}

void phyr_gather_init(struct phyr_gather *gather)
{
	*gather = (struct phyr_gather){.start = UINT64_MAX};
}

void phyr_pgtbl_free_gathered(struct phyr_pgtbl *pt, struct phyr_gather *gather)
{
	uint64_t chain = gather->tables;

	if (!chain)
		return;
	gather->tables = 0;
	pt->ops->free(pt, chain);
}
