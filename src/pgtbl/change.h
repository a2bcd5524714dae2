/* SPDX-License-Identifier: MIT */
/*
 * What changing mapped memory is made of: leaves as a whole, rows of entries, and who may see what when.
 *
 * A leaf is changed by a row: the entries that take the place of its own, in the table that it is in. What
 * they lead to is complete before; each is stored by one exchange, so that a mark which hardware sets
 * meanwhile is in what comes back. A walker sees the old or the new, and both lead to the same memory.
 *
 * Arm's rules for that are narrower (DDI 0487, D8.16.1 "Using break-before-make when updating
 * translation table entries"; FEAT_BBM): unless the hardware is of level 2, entries are made invalid first,
 * invalidated, and then written; of level 1 it takes changes of the contiguous hint alone. Only the valid
 * bit is taken away, so that what the entries held stays there, marks that came in late included.
 */
#ifndef PGTBL_CHANGE_H
#define PGTBL_CHANGE_H

#include "pgtbl/walk.h"

/* Checks of what a call was asked for: 0, or reported -EINVAL or -ERANGE. */
int phyr_pgtbl_cut_check(struct phyr_pgtbl *pt, uint64_t iova);
int phyr_pgtbl_promote_check(struct phyr_pgtbl *pt, uint64_t iova, uint64_t len);
int phyr_pgtbl_dirty_check(struct phyr_pgtbl *pt, uint64_t iova, uint64_t len);
int phyr_pgtbl_reclaim_check(struct phyr_pgtbl *pt, uint64_t iova, uint64_t len);
int phyr_pgtbl_walk_check(struct phyr_pgtbl *pt, uint64_t iova, uint64_t len);
/* Report err, with the hint that goes with it. */
int phyr_pgtbl_cut_fail(struct phyr_pgtbl *pt, uint64_t iova, int err);
int phyr_pgtbl_reclaim_fail(struct phyr_pgtbl *pt, uint64_t iova);
/* Have [start, last] invalidated in the midst of a change. */
void phyr_pgtbl_idle_sync(const struct phyr_pgtbl_idle *idle, uint64_t start, uint64_t last);
/* Give back tables that were never linked in. */
void phyr_pgtbl_free_chain(struct phyr_pgtbl *pt, uint64_t chain);

/* A leaf with all of its entries. */
struct pgtbl_leaf {
	uint64_t *entry; /* the first of them */
	unsigned nr;
	unsigned level;
	unsigned size_lg2;
	uint64_t iova;
	uint64_t last;
	uint64_t addr;
};

/* The leaf that an entry, which holds e, is or is part of. */
PGTBL_INLINE struct pgtbl_leaf leaf_at(const struct pgtbl_desc *d, uint64_t *entry, uint64_t e,
				       unsigned level, uint64_t iova)
{
	unsigned lg2 = desc_leaf_lg2(d, e, level), nr = 1u << (lg2 - desc_shift(d, level));
	uint64_t inside = ((uint64_t)1 << lg2) - 1;

	return (struct pgtbl_leaf){
		.entry = entry - (desc_index(d, iova, level) & (nr - 1)),
		.nr = nr,
		.level = level,
		.size_lg2 = lg2,
		.iova = iova & ~inside,
		.last = iova | inside,
		.addr = desc_leaf_addr(d, e, lg2, iova & ~inside),
	};
}

/* Whether hardware has marked a write in any of a leaf's entries: it may take each for all. */
PGTBL_INLINE bool leaf_is_dirty(const struct pgtbl_desc *d, const struct pgtbl_leaf *leaf)
{
	for (unsigned i = 0; i < leaf->nr; i++)
		if (desc_is_dirty(d, load_relaxed(leaf->entry + i)))
			return true;
	return false;
}

/* What an entry has that a leaf of another size would have, too: rights and memory, not what happened. */
PGTBL_INLINE uint64_t leaf_rest(const struct pgtbl_desc *d, const struct phyr_pgtbl *pt, uint64_t e)
{
	uint64_t rest = desc_leaf_rest(d, e);

	return pt->dirty ? desc_cleaned(d, rest & ~d->accessed) : rest;
}

/* Mark an entry as written, or as not, while hardware may be marking it. */
PGTBL_INLINE void entry_dirty(const struct pgtbl_desc *d, uint64_t *entry)
{
	if (d->inverted & d->dirty)
		fetch_and(entry, ~d->dirty);
	else
		fetch_or(entry, d->dirty);
}

PGTBL_INLINE void entry_clean(const struct pgtbl_desc *d, uint64_t *entry)
{
	if (d->inverted & d->dirty)
		fetch_or(entry, d->dirty);
	else
		fetch_and(entry, ~d->dirty);
}

/* Whether any entry at or below a table's level, up to last, was marked. */
PGTBL_INLINE bool dirty_below(const struct pgtbl_desc *d, const struct phyr_pgtbl *pt,
			      struct pgtbl_walk *w, uint64_t last)
{
	uint64_t e;

	while ((e = walk_to_leaf(d, pt, w, last))) {
		if (desc_is_dirty(d, e))
			return true;
		if (last - w->iova < walk_rest(d, w))
			return false;
		walk_advance(d, pt, w, walk_rest(d, w));
	}
	return false;
}

/* The entry that decides about iova, or the one above it at a level: lookup(), but small, not fast. */
PGTBL_INLINE struct pgtbl_place place_at(const struct pgtbl_desc *d, const struct phyr_pgtbl *pt,
					 uint64_t iova, unsigned level)
{
	struct pgtbl_place at;

	at.table = low_table(d, pt, iova, 0, &at.level);
	if (d->grown && at.level < level) {
		at.table = pt->root;
		at.level = pt->top;
	}
	for (;; at.level--) {
		at.entry = &at.table[desc_index(d, iova, at.level)];
		at.e = load_acquire(at.entry);
		if (at.level <= level)
			return at;
		if (desc_skips(d, at.e, at.level))
			at.e = 0; /* to iova below this one only */
		if (!desc_is_table(d, at.e, at.level))
			return at;
		at.table = desc_table(d, pt, at.e);
	}
}

PGTBL_INLINE bool row_has_table(const struct pgtbl_desc *d, const uint64_t *row, unsigned nr,
				unsigned level)
{
	for (unsigned i = 0; level && i < nr; i++)
		if (desc_is_table(d, load_relaxed(row + i), level))
			return true;
	return false;
}

/* Whether to change entries they must be taken away first; with tables among the old or new ones, or not. */
PGTBL_INLINE bool row_must_break(const struct pgtbl_desc *d, const struct phyr_pgtbl *pt,
				 bool tables)
{
	return d->break_before_make && (pt->bbm == 0 || (pt->bbm == 1 && tables));
}

/* Take entries away: their valid bits. */
PGTBL_INLINE void row_take(const struct pgtbl_desc *d, uint64_t *row, unsigned nr)
{
	for (unsigned i = 0; i < nr; i++)
		fetch_and(row + i, ~d->present);
}

/* Take entries away, which decide about [start, last], and have that invalidated. */
PGTBL_INLINE void row_break(const struct pgtbl_desc *d, struct phyr_pgtbl *pt, uint64_t *row,
			    unsigned nr, const struct phyr_pgtbl_idle *idle, uint64_t start,
			    uint64_t last)
{
	row_take(d, row, nr);
	pgtbl_flush(pt, row, nr);
	phyr_pgtbl_idle_sync(idle, start, last);
}

#endif
