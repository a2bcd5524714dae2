/* SPDX-License-Identifier: MIT */
/*
 * Making an edge. Between two leaves that is a mark on each. Inside a leaf, smaller ones take its place: they
 * are mapped as two map calls would, in a table of their own, whose row then replaces the leaf's:
 *
 *   the leaf's table   [ . . | L L L L | . . ]             [ . . | a b T d | . . ]
 *                                            one by one ──────────^  │
 *   its stand-in       [     | a b T d |     ]                       v
 *                                  └─ [ e e e e f f f f ] complete before
 */
#ifndef PGTBL_CUT_H
#define PGTBL_CUT_H

#include "pgtbl/change.h"
#include "pgtbl/map.h"

/* What is to become of a leaf. */
struct pgtbl_cut {
	struct pgtbl_leaf leaf;
	uint64_t iova;  /* the edge, inside */
	uint64_t flags; /* of the new leaves */
	bool dirty;     /* they are marked as written, as the old one was */
	uint64_t *stand_in;
	size_t stand_in_size;
};

/* Map [start, last] of the leaf in the stand-in, as one call would; edges where first and last say so. */
PGTBL_INLINE int cut_part(const struct pgtbl_desc *d, struct phyr_pgtbl *pt,
			  const struct pgtbl_cut *c, uint64_t start, uint64_t last, bool first_edge,
			  bool last_edge)
{
	uint64_t addr = c->leaf.addr + (start - c->leaf.iova), len = last - start + 1, done;
	struct pgtbl_mapper m = {.pt = pt, .flags = c->flags};
	int err;

	if (!first_edge)
		m.written = c->stand_in;
	walk_from(&m.walk, c->stand_in, c->leaf.level, start);
	for (; len; addr += done, len -= done) {
		done = map_piece(d, &m, addr, len, map_leaf_lg2(pt, m.walk.iova | addr, len), &err);
		if (err)
			return err;
	}
	if (last_edge)
		store_relaxed(m.written, load_relaxed(m.written) | d->last);
	pgtbl_dirty_flush(pt, &m.dirty);
	return 0;
}

/* Fill the stand-in. 0 or -ENOMEM. */
PGTBL_INLINE int cut_build(const struct pgtbl_desc *d, struct phyr_pgtbl *pt, struct pgtbl_cut *c)
{
	const struct pgtbl_leaf *leaf = &c->leaf;
	uint64_t e = load_relaxed(leaf->entry);
	bool first = e & d->first, last = load_relaxed(leaf->entry + leaf->nr - 1) & d->last;
	int err = 0;

	c->flags = leaf_rest(d, pt, e);
	c->dirty = pt->dirty && leaf_is_dirty(d, leaf);
	if (c->dirty)
		c->flags = desc_dirtied(d, c->flags);
	for (unsigned part = 0; part < 2 && !err; part++)
		err = cut_part(d, pt, c, part ? c->iova : leaf->iova,
			       part ? leaf->last : c->iova - 1, part || first, !part || last);
	return err;
}

/* The leaf was marked after it had been read: so are all that took its place. */
PGTBL_INLINE void cut_mark(const struct pgtbl_desc *d, struct phyr_pgtbl *pt,
			   const struct pgtbl_leaf *was)
{
	struct pgtbl_walk w;

	walk_start(d, &w, pt, was->iova);
	while (walk_to_leaf(d, pt, &w, was->last)) {
		entry_dirty(d, walk_entry(d, &w));
		pgtbl_flush(pt, walk_entry(d, &w), 1);
		if (was->last - w.iova < walk_rest(d, &w))
			return;
		walk_advance(d, pt, &w, walk_rest(d, &w));
	}
}

/* Put the row of the stand-in in the leaf's place. Each exchange releases the tables below it. */
PGTBL_INLINE void cut_swap(const struct pgtbl_desc *d, struct phyr_pgtbl *pt,
			   const struct pgtbl_cut *c)
{
	const struct pgtbl_leaf *leaf = &c->leaf;
	const uint64_t *row = c->stand_in + desc_index(d, leaf->iova, leaf->level);
	bool dirty = false;

	for (unsigned i = 0; i < leaf->nr; i++)
		dirty |= desc_is_dirty(d, fetch_swap(leaf->entry + i, load_relaxed(row + i)));
	pgtbl_flush(pt, leaf->entry, leaf->nr);
	if (pt->dirty && dirty && !c->dirty)
		cut_mark(d, pt, leaf);
}

/* 0, -ENOMEM or -EOPNOTSUPP: then the stand-in and all below it is given back. */
PGTBL_INLINE int cut_try(const struct pgtbl_desc *d, struct phyr_pgtbl *pt, struct pgtbl_cut *c,
			 const struct phyr_pgtbl_idle *idle)
{
	const struct pgtbl_leaf *leaf = &c->leaf;
	const uint64_t *row = c->stand_in + desc_index(d, leaf->iova, leaf->level);
	int err = cut_build(d, pt, c);
	bool must_break = row_must_break(d, pt, row_has_table(d, row, leaf->nr, leaf->level));
	uint64_t chain = 0;

	if (!err && must_break && !idle)
		err = -EOPNOTSUPP;
	if (err) {
		chain_push(d, pt, &chain, c->stand_in, leaf->level);
		phyr_pgtbl_free_chain(pt, chain);
		return err;
	}
	if (must_break)
		row_break(d, pt, leaf->entry, leaf->nr, idle, leaf->iova, leaf->last);
	cut_swap(d, pt, c);
	phyr_pgtbl_table_free(pt, c->stand_in, c->stand_in_size);
	return 0;
}

PGTBL_INLINE int cut_leaf(const struct pgtbl_desc *d, struct phyr_pgtbl *pt, struct pgtbl_cut *c,
			  const struct phyr_pgtbl_idle *idle, struct phyr_gather *gather)
{
	int err;

	if (row_must_break(d, pt, false) && !idle)
		return -EOPNOTSUPP;
	c->stand_in_size = c->leaf.level == pt->top ? pt->root_size : pt->table_size;
	c->stand_in = phyr_pgtbl_table_alloc(pt, c->stand_in_size, NULL);
	if (!c->stand_in)
		return -ENOMEM;
	err = cut_try(d, pt, c, idle);
	if (!err)
		pgtbl_gather_add(gather, c->leaf.iova, c->leaf.last);
	return err;
}

/* Whether a place is where a map call begins, or its last byte where one ends. */
PGTBL_INLINE bool cut_begins(const struct pgtbl_desc *d, const struct pgtbl_place *at,
			     uint64_t iova)
{
	return at->e & d->first && !(iova & (desc_size(d, at->level) - 1));
}

PGTBL_INLINE bool cut_ends(const struct pgtbl_desc *d, const struct pgtbl_place *at, uint64_t last)
{
	return at->e & d->last && !(~last & (desc_size(d, at->level) - 1));
}

PGTBL_INLINE void cut_between(const struct pgtbl_desc *d, struct phyr_pgtbl *pt, uint64_t *before,
			      uint64_t *after)
{
	fetch_or(before, d->last);
	pgtbl_flush(pt, before, 1);
	fetch_or(after, d->first);
	pgtbl_flush(pt, after, 1);
}

PGTBL_INLINE int cut(const struct pgtbl_desc *d, struct phyr_pgtbl *pt, uint64_t iova,
		     const struct phyr_pgtbl_idle *idle, struct phyr_gather *gather)
{
	struct pgtbl_cut c = {.iova = iova};
	struct pgtbl_place at, before;
	int err = phyr_pgtbl_cut_check(pt, iova);

	if (err)
		return err;
	at = place_at(d, pt, iova, 0);
	if (cut_begins(d, &at, iova)) /* what lies before may be another thread's */
		return 0;
	before = place_at(d, pt, iova ? iova - 1 : 0, 0);
	if (iova && cut_ends(d, &before, iova - 1))
		return 0;
	if (!desc_is_leaf(d, at.e, at.level))
		return phyr_pgtbl_cut_fail(pt, iova, -ENOENT);
	c.leaf = leaf_at(d, at.entry, at.e, at.level, iova);
	if (c.leaf.iova == iova) {
		cut_between(d, pt, before.entry, at.entry);
		return 0;
	}
	err = cut_leaf(d, pt, &c, idle, gather);
	return err ? phyr_pgtbl_cut_fail(pt, iova, err) : 0;
}

#endif
