/* SPDX-License-Identifier: MIT */
/*
 * PGTBL_INSTANCE(name, desc): the functions of fmt.h for one format.
 *
 * The bodies are in the functions below and in map.h, unmap.h and walk.h, all forced inline with the
 * description as a constant. Fast paths come first; what they leave goes to a function of its own.
 */
#ifndef PGTBL_INSTANCE_H
#define PGTBL_INSTANCE_H

#include "pgtbl/cut.h"
#include "pgtbl/dirty.h"
#include "pgtbl/fmt.h"
#include "pgtbl/map.h"
#include "pgtbl/page.h"
#include "pgtbl/promote.h"
#include "pgtbl/reclaim.h"
#include "pgtbl/unmap.h"
#include "pgtbl/visit.h"

/* Give back a chain of tables with all that is below them; the chain grows while it is eaten. */
PGTBL_INLINE void free_chain(const struct pgtbl_desc *d, struct phyr_pgtbl *pt, uint64_t chain)
{
	while (chain) {
		uint64_t *table = pgtbl_link_table(chain), e;
		unsigned level = pgtbl_link_level(chain);
		size_t size = level == pt->top ? pt->root_size : pt->table_size;
		unsigned from = chain & PGTBL_LINK_INTACT ? 0 : 1;
		bool grown = d->grown && chain & PGTBL_LINK_GROWN;

		chain = chain_next(d, chain);
		for (unsigned i = from; level && i < size / sizeof(e); i++) {
			e = load_relaxed(table + i);
			if (desc_is_table(d, e, level))
				chain_push(d, pt, &chain, desc_table(d, pt, e), level - 1);
		}
		phyr_pgtbl_table_free(pt, table, size);
		if (grown)
			phyr_pgtbl_low_synced(pt);
	}
}

/* Leaf sizes of a format with so many levels. */
PGTBL_INLINE uint64_t leaf_sizes(const struct pgtbl_desc *d, unsigned levels)
{
	uint64_t sizes = 0;

	for (unsigned level = 0; level < levels && level <= d->max_leaf_level; level++) {
		sizes |= desc_size(d, level) << desc_cluster_lg2(d, level) | desc_size(d, level);
		if (d->cluster_coded)
			sizes |= (desc_size(d, level) << desc_index_lg2(d)) - desc_size(d, level);
	}
	return sizes;
}

/* Flags of all leaves that are mapped with prot. */
PGTBL_INLINE uint64_t leaf_flags(const struct pgtbl_desc *d, const struct phyr_pgtbl_config *config,
				 unsigned prot)
{
	uint64_t flags = d->leaf | (prot & PHYR_READ ? d->read : d->no_read);

	if (prot & PHYR_WRITE)
		flags |= config->dirty ? d->clean : d->write;
	else
		flags |= d->no_write;
	if (prot & PHYR_MMIO)
		return flags | d->mmio;
	return flags | d->ram | (config->force_snoop ? d->snoop : 0);
}

/* What the configuration chose, as walks want it. */
PGTBL_INLINE void setup_choices(const struct pgtbl_desc *d, const struct phyr_pgtbl_config *config,
				struct phyr_pgtbl *pt)
{
	bool idle = d->break_before_make && config->bbm < 2;

	for (unsigned prot = 0; prot < ARRAY_SIZE(pt->leaf_flags); prot++)
		pt->leaf_flags[prot] = leaf_flags(d, config, prot);
	pt->bias = pt->env->phys_delta + d->table;
	pt->coded = d->cluster_coded ? d->cluster : 0;
	pt->dirty = config->dirty;
	pt->bbm = (uint8_t)config->bbm;
	pt->change = idle ? PHYR_CHANGE_IDLE : PHYR_CHANGE_HITLESS;
	pt->addr_shift = (uint8_t)d->addr_shift;
	pt->fold_from = (uint8_t)(d->fold_from ? d->fold_from : 63);
	pt->fold_to = (uint8_t)d->fold_to;
	pt->low_flags = d->table;
	pt->low_unsynced = d->unsynced;
	pt->low_grown = d->grown;
	pt->low_level_lg2 = (uint8_t)d->level_lg2;
	pt->skip_levels = config->skip_levels;
}

/* What leaves there are. False: none is left that the hardware and the format both have. */
PGTBL_INLINE bool setup_leaves(const struct pgtbl_desc *d, const struct phyr_pgtbl_config *config,
			       struct phyr_pgtbl *pt)
{
	uint64_t above;

	pt->leaf_sizes = leaf_sizes(d, pt->top + 1) & pt->oa_last;
	if (config->page_sizes)
		pt->leaf_sizes &= config->page_sizes;
	pt->granule = pt->leaf_sizes & -pt->leaf_sizes;
	above = pt->leaf_sizes & ~desc_size(d, 0);
	pt->larger = above ? above & -above : UINT64_MAX;
	return pt->leaf_sizes;
}

/* Highest iova with so many levels. */
PGTBL_INLINE uint64_t setup_last(const struct pgtbl_desc *d, unsigned levels)
{
	unsigned bits = desc_shift(d, levels) - d->unused_bits;

	if (levels == d->max_levels)
		bits += d->root_lg2;
	if (d->iova_bits && bits > d->iova_bits)
		bits = d->iova_bits;
	return bits < 64 ? ((uint64_t)1 << bits) - 1 : UINT64_MAX;
}

/* Returns NULL, or why not. */
PGTBL_INLINE const char *setup(const struct pgtbl_desc *d, const struct phyr_pgtbl_config *config,
			       struct phyr_pgtbl *pt)
{
	unsigned levels = config->levels ? config->levels : d->usual_levels;
	unsigned oa_bits = config->oa_bits ? config->oa_bits : d->usual_oa_bits;

	if (levels < d->min_levels || levels > d->max_levels)
		return "so many levels of tables the format does not have";
	if (oa_bits > d->oa_bits || oa_bits <= d->granule_lg2)
		return "oa_bits is more than the format can write, or not more than the granule's";
	if (config->force_snoop && !d->snoop)
		return "force_snoop: the format cannot make accesses snoop";
	if (config->skip_levels && !d->grown)
		return "skip_levels: the format has no entries that do";
	if (config->bbm > (d->break_before_make ? 2 : 0))
		return "bbm is Arm's, 0 to 2; other formats take 0";
	if (config->dirty && config->noncoherent)
		return "dirty: marks by a walker that does not snoop reach memory that the CPU has "
		       "cached, so they would be read late or be lost";
	pt->oa_last = ((uint64_t)1 << oa_bits) - 1;
	pt->top = levels - 1;
	pt->last = setup_last(d, levels);
	pt->table_size = (uint32_t)1 << d->granule_lg2;
	pt->root_size = pt->table_size << (levels == d->max_levels ? d->root_lg2 : 0);
	setup_choices(d, config, pt);
	if (!setup_leaves(d, config, pt))
		return "page_sizes has none that the format and oa_bits allow";
	return NULL;
}

/* For what several places call and speed does not matter to: once an instance. */
#define PGTBL_NOINLINE __attribute__((noinline))

/* What changes mappings, and looks at them. */
#define PGTBL_INSTANCE_CHANGES(name, desc)                                                        \
	static int name##_cut(struct phyr_pgtbl *pt, uint64_t iova,                               \
			      const struct phyr_pgtbl_idle *idle, struct phyr_gather *gather)     \
	{                                                                                         \
		return cut(desc, pt, iova, idle, gather);                                         \
	}                                                                                         \
                                                                                                  \
	static PGTBL_NOINLINE void name##_promote_make(struct pgtbl_promoter *p,                  \
						       const struct pgtbl_growth *g,              \
						       uint64_t *row, bool broken)                \
	{                                                                                         \
		promote_make(desc, p, g, row, broken);                                            \
	}                                                                                         \
                                                                                                  \
	static PGTBL_NOINLINE void name##_promote_settle(struct pgtbl_promoter *p)                \
	{                                                                                         \
		promote_settle(desc, p, name##_promote_make);                                     \
	}                                                                                         \
                                                                                                  \
	static int name##_promote(struct phyr_pgtbl *pt, uint64_t iova, uint64_t len,             \
				  const struct phyr_pgtbl_idle *idle, struct phyr_gather *gather, \
				  uint64_t *leaves)                                               \
	{                                                                                         \
		struct pgtbl_promoter p = {.pt = pt, .idle = idle, .gather = gather};             \
		int err =                                                                         \
			promote(desc, &p, iova, len, name##_promote_make, name##_promote_settle); \
                                                                                                  \
		if (!err && leaves)                                                               \
			*leaves = p.leaves;                                                       \
		return err;                                                                       \
	}                                                                                         \
                                                                                                  \
	static int name##_dirty(struct phyr_pgtbl *pt, uint64_t iova, uint64_t len, bool clear,   \
				phyr_pgtbl_dirty_fn *fn, void *arg, struct phyr_gather *gather)   \
	{                                                                                         \
		return dirty(desc, pt, iova, len, clear, fn, arg, gather);                        \
	}                                                                                         \
                                                                                                  \
	static int name##_reclaim(struct phyr_pgtbl *pt, uint64_t iova, uint64_t len,             \
				  struct phyr_gather *gather)                                     \
	{                                                                                         \
		return reclaim(desc, pt, iova, len, gather);                                      \
	}                                                                                         \
                                                                                                  \
	static int name##_walk(struct phyr_pgtbl *pt, uint64_t iova, uint64_t len,                \
			       phyr_pgtbl_walk_fn *fn, void *arg)                                 \
	{                                                                                         \
		return visit(desc, pt, iova, len, fn, arg);                                       \
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
	static __attribute__((noinline)) int name##_map_more(                                      \
		struct phyr_pgtbl *pt, uint64_t iova, struct phyr_cursor *cur, unsigned prot,      \
		struct phyr_gather *gather)                                                        \
	{                                                                                          \
		if (likely(map_one(desc, pt, iova, cur, prot, gather)))                            \
			return 0;                                                                  \
		return name##_map_many(pt, iova, cur, prot, gather);                               \
	}                                                                                          \
                                                                                                   \
	int phyr_pgtbl_##name##_map(struct phyr_pgtbl *pt, uint64_t iova, struct phyr_cursor *cur, \
				    unsigned prot, struct phyr_gather *gather)                     \
	{                                                                                          \
		if (page_map(desc, pt, iova, cur, prot, gather))                                   \
			return 0;                                                                  \
		return name##_map_more(pt, iova, cur, prot, gather);                               \
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
	static __attribute__((noinline)) int name##_unmap_more(                                    \
		struct phyr_pgtbl *pt, uint64_t iova, uint64_t len, struct phyr_gather *gather,    \
		struct phyr_list *out)                                                             \
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
	int phyr_pgtbl_##name##_unmap(struct phyr_pgtbl *pt, uint64_t iova, uint64_t len,          \
				      struct phyr_gather *gather, struct phyr_list *out)           \
	{                                                                                          \
		if (!out && page_unmap(desc, pt, iova, len, gather))                               \
			return 0;                                                                  \
		return name##_unmap_more(pt, iova, len, gather, out);                              \
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
	static const char *name##_setup(const struct phyr_pgtbl_config *config,                    \
					struct phyr_pgtbl *pt)                                     \
	{                                                                                          \
		return setup(desc, config, pt);                                                    \
	}                                                                                          \
                                                                                                   \
	PGTBL_INSTANCE_CHANGES(name, desc)                                                         \
                                                                                                   \
	const struct pgtbl_ops phyr_pgtbl_##name##_ops = {                                         \
		.map = phyr_pgtbl_##name##_map,                                                    \
		.unmap = phyr_pgtbl_##name##_unmap,                                                \
		.translate = phyr_pgtbl_##name##_translate,                                        \
		.free = name##_free,                                                               \
		.free_all = name##_free_all,                                                       \
		.setup = name##_setup,                                                             \
		.cut = name##_cut,                                                                 \
		.promote = name##_promote,                                                         \
		.dirty = name##_dirty,                                                             \
		.reclaim = name##_reclaim,                                                         \
		.walk = name##_walk,                                                               \
	}

#endif
