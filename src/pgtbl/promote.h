/* SPDX-License-Identifier: MIT */
/*
 * Larger leaves in the place of small ones: runs of leaves that lie together are found and given
 * the leaves that one map call would have given them. Edges inside of such a leaf are gone with the
 * entries that had them; at its ends, and between leaves that stay, they stay.
 *
 *   leaves   [e][e][e][e] [e]|[e][e]|[e]...[e][e]|[e]      |  an edge
 *   run                  └──────────────────────────┘      ends where another address comes
 *   becomes               [e]|[    one leaf    ] [e]       where leaf and run allow
 *
 * While devices use the iova, walkers that have cached the way to a table that is replaced go on
 * reading it until the invalidation: it stays as it is, linked in a way that they do not see. One
 * that marks what it writes may do so there when nobody looks any more, so then the new leaf counts
 * as written.
 *
 * Where entries must be broken first, that is done for many leaves, then one sync, then they are
 * made. What a broken entry held it holds still, but for being there; the walk is past it.
 */
#ifndef PGTBL_PROMOTE_H
#define PGTBL_PROMOTE_H

#include "pgtbl/change.h"
#include "pgtbl/map.h"

/* A leaf that is to be. */
struct pgtbl_growth {
	uint64_t iova;
	uint64_t value; /* of its first entry, with the edges of both ends */
	unsigned size_lg2;
};

/* Leaves whose place is broken and that wait for a sync. It lies on the stack: 3 KiB. */
#define PROMOTE_BROKEN 128

struct pgtbl_broken {
	uint64_t start; /* what the sync is to invalidate */
	uint64_t last;
	unsigned nr;
	struct pgtbl_growth leaf[PROMOTE_BROKEN];
};

struct pgtbl_promoter {
	struct phyr_pgtbl *pt;
	const struct phyr_pgtbl_idle *idle;
	struct phyr_gather *gather;
	uint64_t start; /* the range */
	uint64_t last;
	uint64_t leaves;
	struct pgtbl_dirty lines;
	struct pgtbl_broken *broken; /* NULL: the format never breaks */
	struct pgtbl_walk walk;
};

/* promote_make() and promote_settle() of an instance, which are out of line: they are called twice. */
typedef void promote_make_fn(struct pgtbl_promoter *p, const struct pgtbl_growth *g, uint64_t *row,
			     bool broken);
typedef void promote_settle_fn(struct pgtbl_promoter *p);

/* Leaves that lie together. */
struct pgtbl_run {
	uint64_t iova;
	uint64_t last;
	uint64_t addr;
	uint64_t rest;
	uint64_t nr;
};

/* The next leaf that lies in the range whole; the walk is there. */
PGTBL_INLINE bool promote_next(const struct pgtbl_desc *d, struct pgtbl_promoter *p,
			       struct pgtbl_leaf *leaf)
{
	struct pgtbl_walk *w = &p->walk;
	uint64_t e;

	while ((e = walk_to_leaf(d, p->pt, w, p->last))) {
		*leaf = leaf_at(d, walk_entry(d, w), e, w->low, w->iova);
		if (leaf->iova >= p->start && leaf->last <= p->last)
			return true;
		if (leaf->last >= p->last)
			return false;
		walk_advance(d, p->pt, w, leaf->last - w->iova + 1);
	}
	return false;
}

PGTBL_INLINE bool promote_joins(const struct pgtbl_desc *d, const struct pgtbl_promoter *p,
				const struct pgtbl_run *run, const struct pgtbl_leaf *leaf)
{
	uint64_t e = load_relaxed(leaf->entry);

	return leaf->iova == run->last + 1 && leaf->addr == run->addr + (leaf->iova - run->iova) &&
	       leaf_rest(d, p->pt, e) == run->rest;
}

/*
 * The next run; the walk is behind it, or at its last leaf if the range ends there. Behind it, it
 * is in no table that the run may do without: that would be one whose whole span is the run's.
 */
PGTBL_INLINE bool promote_run(const struct pgtbl_desc *d, struct pgtbl_promoter *p,
			      struct pgtbl_run *run)
{
	struct pgtbl_leaf leaf;

	if (!promote_next(d, p, &leaf))
		return false;
	run->iova = leaf.iova;
	run->addr = leaf.addr;
	run->rest = leaf_rest(d, p->pt, load_relaxed(leaf.entry));
	run->nr = 0;
	do {
		run->last = leaf.last;
		run->nr++;
		if (leaf.last == p->last)
			return true;
		walk_advance(d, p->pt, &p->walk, leaf.last - p->walk.iova + 1);
	} while (promote_next(d, p, &leaf) && promote_joins(d, p, run, &leaf));
	return true;
}

/* Whether there is a table for a leaf at that level. One is made where levels are skipped, if it can be. */
PGTBL_INLINE bool promote_reaches(const struct pgtbl_desc *d, const struct pgtbl_promoter *p,
				  uint64_t iova, unsigned level)
{
	uint64_t e;

	if (level >= p->pt->top || iova >> desc_shift(d, p->pt->top))
		return true;
	return !phyr_pgtbl_low_make(p->pt, level, p->gather, &e);
}

/* Whether a leaf of that size may take the place of what is there. */
PGTBL_INLINE bool promote_may(const struct pgtbl_desc *d, const struct pgtbl_promoter *p,
			      uint64_t iova, unsigned size_lg2)
{
	unsigned level = desc_size_level(d, size_lg2);
	bool tables;

	if (d->grown && !promote_reaches(d, p, iova, level))
		return false;
	if (!d->break_before_make || p->idle)
		return true;
	tables = row_has_table(d, place_at(d, p->pt, iova, level).entry,
			       1u << desc_size_cluster(d, size_lg2), level);
	return !row_must_break(d, p->pt, tables);
}

/* The size of the leaf that iova is to have, of which a run has len left. What it has is the least. */
PGTBL_INLINE unsigned promote_size(const struct pgtbl_desc *d, const struct pgtbl_promoter *p,
				   uint64_t iova, uint64_t addr, uint64_t len, unsigned have)
{
	unsigned lg2 = map_leaf_lg2(p->pt, iova | addr, len);

	while (lg2 > have && !promote_may(d, p, iova, lg2))
		lg2 = lg2_u64(p->pt->leaf_sizes & (((uint64_t)1 << lg2) - 1));
	return lg2;
}

/* An entry that led to a table has been replaced. Returns whether what it mapped counts as written. */
PGTBL_INLINE bool promote_table(const struct pgtbl_desc *d, struct pgtbl_promoter *p, uint64_t was,
				unsigned level, uint64_t iova, bool broken)
{
	uint64_t *table = desc_table(d, p->pt, was), last = iova + desc_size(d, level) - 1;
	struct pgtbl_walk w;
	bool dirty;

	walk_from(&w, table, level - 1, iova);
	dirty = p->pt->dirty && (!p->idle || dirty_below(d, p->pt, &w, last));
	if (broken)
		chain_push(d, p->pt, &p->gather->tables, table, level - 1);
	else
		chain_push_intact(d, &p->gather->tables, table, level - 1);
	return dirty;
}

/* The new leaf's entries, one after the other. Returns whether it counts as written. */
PGTBL_INLINE bool promote_swap(const struct pgtbl_desc *d, struct pgtbl_promoter *p,
			       const struct pgtbl_growth *g, uint64_t *row, bool broken)
{
	const unsigned level = desc_size_level(d, g->size_lg2);
	const unsigned nr = 1u << desc_size_cluster(d, g->size_lg2);
	const uint64_t step = nr > 1 && !d->cluster_steps ? 0 : desc_step(d, level);
	bool dirty = false;

	for (unsigned i = 0; i < nr; i++) {
		uint64_t edges = (i ? d->first : 0) | (i + 1 < nr ? d->last : 0), was;

		was = fetch_swap(row + i, (g->value & ~edges) + i * step);
		if (broken)
			was |= d->present;
		if (level && desc_is_table(d, was, level))
			dirty |= promote_table(d, p, was, level,
					       g->iova + ((uint64_t)i << desc_shift(d, level)),
					       broken);
		else
			dirty |= p->pt->dirty && desc_is_dirty(d, was);
	}
	return dirty && desc_leaf_prot(d, g->value) & PHYR_WRITE;
}

/* Put a leaf in the place of all that maps its iova. */
PGTBL_INLINE void promote_make(const struct pgtbl_desc *d, struct pgtbl_promoter *p,
			       const struct pgtbl_growth *g, uint64_t *row, bool broken)
{
	if (promote_swap(d, p, g, row, broken))
		entry_dirty(d, row);
	pgtbl_dirty_add(p->pt, &p->lines, row, 1u << desc_size_cluster(d, g->size_lg2));
	pgtbl_gather_add(p->gather, g->iova, g->iova + ((uint64_t)1 << g->size_lg2) - 1);
	p->leaves++;
}

/* Have all that is broken invalidated, and make the leaves that wait for it. */
PGTBL_INLINE void promote_settle(const struct pgtbl_desc *d, struct pgtbl_promoter *p,
				 promote_make_fn *make)
{
	struct pgtbl_broken *b = p->broken;

	pgtbl_dirty_flush(p->pt, &p->lines);
	phyr_pgtbl_idle_sync(p->idle, b->start, b->last);
	for (unsigned i = 0; i < b->nr; i++) {
		const struct pgtbl_growth *g = &b->leaf[i];

		make(p, g, place_at(d, p->pt, g->iova, desc_size_level(d, g->size_lg2)).entry,
		     true);
	}
	b->nr = 0;
}

/* Break a leaf's row; it is made later. */
PGTBL_INLINE void promote_break(const struct pgtbl_desc *d, struct pgtbl_promoter *p,
				const struct pgtbl_growth *g, uint64_t *row, unsigned nr,
				promote_settle_fn *settle)
{
	struct pgtbl_broken *b = p->broken;

	row_take(d, row, nr);
	pgtbl_dirty_add(p->pt, &p->lines, row, nr);
	if (!b->nr)
		b->start = g->iova;
	b->last = g->iova + ((uint64_t)1 << g->size_lg2) - 1;
	b->leaf[b->nr++] = *g;
	if (b->nr == PROMOTE_BROKEN)
		settle(p);
}

/* One leaf in the place of all that maps its iova: now, or after a sync. */
PGTBL_INLINE void promote_to(const struct pgtbl_desc *d, struct pgtbl_promoter *p,
			     struct pgtbl_growth *g, promote_make_fn *make,
			     promote_settle_fn *settle)
{
	const unsigned level = desc_size_level(d, g->size_lg2);
	const unsigned nr = 1u << desc_size_cluster(d, g->size_lg2);
	uint64_t last = g->iova + ((uint64_t)1 << g->size_lg2) - 1;
	uint64_t *row = place_at(d, p->pt, g->iova, level).entry;

	g->value |= desc_size_code(d, g->size_lg2) | (place_at(d, p->pt, last, 0).e & d->last);
	if (row_must_break(d, p->pt, row_has_table(d, row, nr, level)))
		promote_break(d, p, g, row, nr, settle);
	else
		make(p, g, row, false);
}

PGTBL_INLINE void promote_grow(const struct pgtbl_desc *d, struct pgtbl_promoter *p,
			       const struct pgtbl_run *run, promote_make_fn *make,
			       promote_settle_fn *settle)
{
	uint64_t iova = run->iova, addr = run->addr, len = run->last - run->iova + 1, size;

	for (; len; iova += size, addr += size, len -= size) {
		struct pgtbl_place at = place_at(d, p->pt, iova, 0);
		unsigned have = desc_leaf_lg2(d, at.e, at.level);
		struct pgtbl_growth g = {
			.iova = iova,
			.value = desc_encode(d, addr) | run->rest | (at.e & d->first),
			.size_lg2 = promote_size(d, p, iova, addr, len, have),
		};

		size = (uint64_t)1 << (g.size_lg2 > have ? g.size_lg2 : have);
		if (g.size_lg2 > have)
			promote_to(d, p, &g, make, settle);
	}
}

PGTBL_INLINE int promote(const struct pgtbl_desc *d, struct pgtbl_promoter *p, uint64_t iova,
			 uint64_t len, promote_make_fn *make, promote_settle_fn *settle)
{
	int err = phyr_pgtbl_promote_check(p->pt, iova, len);
	struct pgtbl_broken broken;
	struct pgtbl_run run;

	if (err)
		return err;
	p->start = iova;
	p->last = iova + (len - 1);
	if (d->break_before_make) {
		broken.nr = 0;
		p->broken = &broken; /* cppcheck-suppress autoVariables; it is NULL again below */
	}
	walk_start(d, &p->walk, p->pt, iova);
	while (promote_run(d, p, &run)) {
		if (run.nr > 1)
			promote_grow(d, p, &run, make, settle);
		if (run.last == p->last)
			break;
	}
	if (d->break_before_make && broken.nr)
		settle(p);
	p->broken = NULL;
	pgtbl_dirty_flush(p->pt, &p->lines);
	return 0;
}

#endif
