/* SPDX-License-Identifier: MIT */
/*
 * The functions of each format, by name: a backend that knows its format calls them directly and
 * spares the indirect call that phyr_pgtbl_map() and its kin make.
 */
#ifndef PGTBL_FMT_H
#define PGTBL_FMT_H

#include <phyr/pgtbl.h>

/*
 * As phyr_pgtbl_create() with a whole environment, but silent: what is wrong goes to *why, whose call
 * is the caller's to fill in.
 */
int phyr_pgtbl_create_quietly(struct phyr_env *env, const struct phyr_pgtbl_config *config,
			      struct phyr_pgtbl **out, struct phyr_report *why);

struct pgtbl_ops {
	int (*map)(struct phyr_pgtbl *pt, uint64_t iova, struct phyr_cursor *cur, unsigned prot,
		   struct phyr_gather *gather);
	int (*unmap)(struct phyr_pgtbl *pt, uint64_t iova, uint64_t len, struct phyr_gather *gather,
		     struct phyr_list *out);
	int (*translate)(struct phyr_pgtbl *pt, uint64_t iova, struct phyr_translation *out);
	/* Give back a chain of cut-off tables, as a gather has it. */
	void (*free)(struct phyr_pgtbl *pt, uint64_t chain);
	/* Give back the root and all below it. */
	void (*free_all)(struct phyr_pgtbl *pt);
	/* Take limits and choices from the configuration; NULL, or what of it cannot be. */
	const char *(*setup)(const struct phyr_pgtbl_config *config, struct phyr_pgtbl *pt);
	int (*cut)(struct phyr_pgtbl *pt, uint64_t iova, const struct phyr_pgtbl_idle *idle,
		   struct phyr_gather *gather);
	int (*promote)(struct phyr_pgtbl *pt, uint64_t iova, uint64_t len,
		       const struct phyr_pgtbl_idle *idle, struct phyr_gather *gather,
		       uint64_t *leaves);
	int (*dirty)(struct phyr_pgtbl *pt, uint64_t iova, uint64_t len, bool clear,
		     phyr_pgtbl_dirty_fn *fn, void *arg, struct phyr_gather *gather);
	int (*reclaim)(struct phyr_pgtbl *pt, uint64_t iova, uint64_t len,
		       struct phyr_gather *gather);
	int (*walk)(struct phyr_pgtbl *pt, uint64_t iova, uint64_t len, phyr_pgtbl_walk_fn *fn,
		    void *arg);
};

/* Each as the member of struct pgtbl_ops, which are as the public functions of the same name. */
#define PGTBL_DECLARE(name)                                                                        \
	extern const struct pgtbl_ops phyr_pgtbl_##name##_ops;                                     \
	int phyr_pgtbl_##name##_map(struct phyr_pgtbl *pt, uint64_t iova, struct phyr_cursor *cur, \
				    unsigned prot, struct phyr_gather *gather);                    \
	int phyr_pgtbl_##name##_unmap(struct phyr_pgtbl *pt, uint64_t iova, uint64_t len,          \
				      struct phyr_gather *gather, struct phyr_list *out);          \
	int phyr_pgtbl_##name##_translate(struct phyr_pgtbl *pt, uint64_t iova,                    \
					  struct phyr_translation *out)

PGTBL_DECLARE(x86_64);
PGTBL_DECLARE(vtdss);
PGTBL_DECLARE(amdv1);
PGTBL_DECLARE(riscv64);
PGTBL_DECLARE(arm64_s1_4k);
PGTBL_DECLARE(arm64_s1_4k_lpa2);
PGTBL_DECLARE(arm64_s1_16k);
PGTBL_DECLARE(arm64_s1_16k_lpa2);
PGTBL_DECLARE(arm64_s1_64k);
PGTBL_DECLARE(arm64_s2_4k);
PGTBL_DECLARE(arm64_s2_4k_lpa2);
PGTBL_DECLARE(arm64_s2_16k);
PGTBL_DECLARE(arm64_s2_16k_lpa2);
PGTBL_DECLARE(arm64_s2_64k);

#endif
