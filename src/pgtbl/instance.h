/* SPDX-License-Identifier: MIT */
/*
 * PGTBL_INSTANCE(name, desc): the functions of fmt.h for one format.
 *
 * The bodies are in the functions below and in map.h, unmap.h and walk.h, all forced inline with the
 * description as a constant. Fast paths come first; what they leave goes to a function of its own.
 */
#ifndef PGTBL_INSTANCE_H
#define PGTBL_INSTANCE_H

#include "pgtbl/fmt.h"
#include "pgtbl/map.h"
#include "pgtbl/unmap.h"

PGTBL_INLINE int translate(const struct pgtbl_desc *d, const struct phyr_pgtbl *pt, uint64_t iova,
			   struct phyr_translation *out)
{
	struct pgtbl_place at;
	uint64_t size;

	if (iova > pt->last)
		return -ERANGE;
	at = lookup(d, pt, iova, 0);
	if (!(at.e & d->present))
		return -ENOENT;
	size = desc_size(at.level);
	out->addr = (at.e & desc_addr_mask(d) & ~(size - 1)) | (iova & (size - 1));
	out->leaf_size = size;
	out->prot = desc_leaf_prot(d, at.e);
	return 0;
}

/* Give back a chain of tables with all that is below them; the chain grows while it is eaten. */
PGTBL_INLINE void free_chain(const struct pgtbl_desc *d, struct phyr_pgtbl *pt, uint64_t chain)
{
	while (chain) {
		uint64_t *table = pgtbl_link_table(chain);
		unsigned level = pgtbl_link_level(chain);

		chain = load_relaxed(table);
		for (unsigned i = 1; level && i < PGTBL_ENTRIES; i++)
			if (desc_is_table(d, load_relaxed(table + i)))
				chain_push(d, pt, &chain,
					   desc_table(d, pt, load_relaxed(table + i)), level - 1);
		phyr_pgtbl_table_free(pt, table);
	}
}

/* Leaf sizes of a format with so many levels. */
PGTBL_INLINE uint64_t leaf_sizes(const struct pgtbl_desc *d, unsigned levels)
{
	uint64_t sizes = 0;

	for (unsigned level = 0; level < levels && level <= d->max_leaf_level; level++)
		sizes |= desc_size(level);
	return sizes;
}

PGTBL_INLINE int setup(const struct pgtbl_desc *d, const struct phyr_pgtbl_config *config,
		       struct phyr_pgtbl *pt)
{
	unsigned levels = config->levels ? config->levels : d->usual_levels;
	unsigned oa_bits = config->oa_bits ? config->oa_bits : d->oa_bits;

	if (levels < d->min_levels || levels > d->max_levels || oa_bits > d->oa_bits)
		return -EINVAL;
	pt->leaf_sizes = leaf_sizes(d, levels);
	if (config->page_sizes)
		pt->leaf_sizes &= config->page_sizes;
	if (!pt->leaf_sizes)
		return -EINVAL;
	pt->granule = pt->leaf_sizes & -pt->leaf_sizes;
	if ((uint64_t)1 << oa_bits < pt->granule)
		return -EINVAL;
	pt->oa_last = ((uint64_t)1 << oa_bits) - 1;
	pt->top = levels - 1;
	pt->last = (desc_size(levels) >> d->unused_bits) - 1;
	return 0;
}

#define PGTBL_INSTANCE(name, desc)                                                                 \
	static __attribute__((noinline)) void name##_clear(                                        \
		struct phyr_pgtbl *pt, uint64_t start, uint64_t last, struct phyr_gather *gather)  \
	{                                                                                          \
		clear(desc, pt, start, last, gather);                                              \
	}                                                                                          \
                                                                                                   \
	static __attribute__((noinline)) int name##_map_many(                                      \
		struct phyr_pgtbl *pt, uint64_t iova, struct phyr_cursor *cur, unsigned prot,      \
		struct phyr_gather *gather)                                                        \
	{                                                                                          \
		struct pgtbl_mapper m;                                                             \
		int err;                                                                           \
                                                                                                   \
		map_start(&m, pt, cur, gather);                                                    \
		err = map_all(desc, &m, iova, prot);                                               \
		if (likely(!err))                                                                  \
			map_commit(desc, &m, cur);                                                 \
		else if (m.written)                                                                \
			name##_clear(pt, iova & ~(pt->granule - 1), m.walk.iova - 1, gather);      \
		return err;                                                                        \
	}                                                                                          \
                                                                                                   \
	int phyr_pgtbl_##name##_map(struct phyr_pgtbl *pt, uint64_t iova, struct phyr_cursor *cur, \
				    unsigned prot, struct phyr_gather *gather)                     \
	{                                                                                          \
		if (likely(map_one(desc, pt, iova, cur, prot, gather)))                            \
			return 0;                                                                  \
		return name##_map_many(pt, iova, cur, prot, gather);                               \
	}                                                                                          \
                                                                                                   \
	static __attribute__((noinline)) int name##_unmap_many(                                    \
		struct phyr_pgtbl *pt, uint64_t start, uint64_t last, struct phyr_gather *gather,  \
		struct phyr_list *out)                                                             \
	{                                                                                          \
		int err = unmap_check_edges(desc, pt, start, last);                                \
                                                                                                   \
		if (!err && out)                                                                   \
			err = unmap_read(desc, pt, start, last, out);                              \
		if (!err)                                                                          \
			name##_clear(pt, start, last, gather);                                     \
		return err;                                                                        \
	}                                                                                          \
                                                                                                   \
	int phyr_pgtbl_##name##_unmap(struct phyr_pgtbl *pt, uint64_t iova, uint64_t len,          \
				      struct phyr_gather *gather, struct phyr_list *out)           \
	{                                                                                          \
		const uint64_t mask = pt->granule - 1;                                             \
		uint64_t start = iova & ~mask, last = (iova + (len - 1)) | mask;                   \
                                                                                                   \
		if (unlikely(!len || iova > pt->last || len - 1 > pt->last - iova))                \
			return phyr_pgtbl_unmap_no_range(pt, iova, len);                           \
		if (out || !unmap_one_table(desc, pt, start, last))                                \
			return name##_unmap_many(pt, start, last, gather, out);                    \
		pgtbl_gather_add(gather, start, last);                                             \
		return 0;                                                                          \
	}                                                                                          \
                                                                                                   \
	int phyr_pgtbl_##name##_translate(struct phyr_pgtbl *pt, uint64_t iova,                    \
					  struct phyr_translation *out)                            \
	{                                                                                          \
		return translate(desc, pt, iova, out);                                             \
	}                                                                                          \
                                                                                                   \
	static void name##_free(struct phyr_pgtbl *pt, uint64_t chain)                             \
	{                                                                                          \
		free_chain(desc, pt, chain);                                                       \
	}                                                                                          \
                                                                                                   \
	static void name##_free_all(struct phyr_pgtbl *pt)                                         \
	{                                                                                          \
		uint64_t chain = 0;                                                                \
                                                                                                   \
		chain_push(desc, pt, &chain, pt->root, pt->top);                                   \
		free_chain(desc, pt, chain);                                                       \
	}                                                                                          \
                                                                                                   \
	static int name##_setup(const struct phyr_pgtbl_config *config, struct phyr_pgtbl *pt)     \
	{                                                                                          \
		return setup(desc, config, pt);                                                    \
	}                                                                                          \
                                                                                                   \
	const struct pgtbl_ops phyr_pgtbl_##name##_ops = {                                         \
		.map = phyr_pgtbl_##name##_map,                                                    \
		.unmap = phyr_pgtbl_##name##_unmap,                                                \
		.translate = phyr_pgtbl_##name##_translate,                                        \
		.free = name##_free,                                                               \
		.free_all = name##_free_all,                                                       \
		.setup = name##_setup,                                                             \
	}

#endif
