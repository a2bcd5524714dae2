/* SPDX-License-Identifier: MIT */
/* Page tables: create, destroy, and the way from a public call to its format's own. */
#include "pgtbl/fill.h"
#include "pgtbl/fmt.h"

static const struct pgtbl_ops *format_ops(enum phyr_pgtbl_format format)
{
	switch (format) {
	case PHYR_PGTBL_X86_64:
		return &phyr_pgtbl_x86_64_ops;
	case PHYR_PGTBL_VTDSS:
		return &phyr_pgtbl_vtdss_ops;
	}
	return NULL;
}

static int create_fail(struct phyr_env *env, int err, const char *hint)
{
	return env_fail(env, .err = err, .call = "phyr_pgtbl_create", .hint = hint);
}

static int check_config(struct phyr_env *env, const struct phyr_pgtbl_config *config,
			struct phyr_pgtbl *pt)
{
	if (!config || config->size != sizeof(*config))
		return create_fail(env, -EINVAL, "the configuration's size is not one known here");
	pt->ops = format_ops(config->format);
	if (!pt->ops)
		return create_fail(env, -EINVAL, "unknown format");
	if (pt->ops->setup(config, pt))
		return create_fail(env, -EINVAL,
				   "levels, oa_bits or page_sizes that the format does not have");
	return 0;
}

int phyr_pgtbl_create(struct phyr_env *env, const struct phyr_pgtbl_config *config,
		      struct phyr_pgtbl **out)
{
	struct phyr_pgtbl setup = {.env = env_or_hosted(env)}, *pt;
	int err;

	env = setup.env;
	err = phyr_env_check(env, "phyr_pgtbl_create");
	if (!err)
		err = check_config(env, config, &setup);
	if (err)
		return err;
	setup.phys_delta = env->phys_delta;
	setup.wide = pgtbl_wide_stores();
	setup.noncoherent = config->noncoherent && env->flush_lines;
	setup.root = phyr_pgtbl_table_alloc(&setup);
	if (!setup.root)
		return create_fail(env, -ENOMEM, "no memory for the top table");
	pt = env_alloc(env, sizeof(*pt));
	if (!pt) {
		phyr_pgtbl_table_free(&setup, setup.root);
		return create_fail(env, -ENOMEM, "no memory for the table's description");
	}
	*pt = setup;
	*out = pt;
	return 0;
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
