/* SPDX-License-Identifier: MIT */
/*
 * Unmapping: the edges are checked first, then nothing can fail.
 *
 * Pages within one leaf table are unmap_one_table(): down, look at both edges, store zeros. All else
 * goes once through the range. A table whose whole span is unmapped is cut off, unread, by its entry
 * in the table above:
 *
 *   top   [ . . x x x . ]          x  emptied here
 *             │ │ └────────┐       │  gone through, as the unmap ends inside
 *             │ └ cut off  │
 *         [ . . x x ]  [ x . . . ]
 */
#ifndef PGTBL_UNMAP_H
#define PGTBL_UNMAP_H

#include "list/append.h"
#include "pgtbl/walk.h"

/* Report a length of 0, or an end past the table's last iova; -EINVAL or -ERANGE. */
int phyr_pgtbl_unmap_no_range(struct phyr_pgtbl *pt, uint64_t iova, uint64_t len);
/* Report that an edge is none; -EINVAL. */
int phyr_pgtbl_unmap_no_start(struct phyr_pgtbl *pt, uint64_t iova);
int phyr_pgtbl_unmap_no_end(struct phyr_pgtbl *pt, uint64_t iova);
/* The same as phyr_list_append_quietly(), with a report. */
int phyr_pgtbl_unmap_append(struct phyr_pgtbl *pt, struct phyr_list *out, uint64_t addr,
			    uint64_t len);

/* Unmap level 0 leaves of one table, not all of it; false: nothing done. */
PGTBL_INLINE bool unmap_one_table(const struct pgtbl_desc *d, struct phyr_pgtbl *pt, uint64_t start,
				  uint64_t last)
{
	uint64_t n = ((last - start) >> desc_shift(d, 0)) + 1;
	struct pgtbl_place at = lookup(d, pt, start, 0);

	if (at.level || !(at.e & d->first))
		return false;
	if (likely(n == 1)) {
		if (!(at.e & d->last))
			return false;
		store_relaxed(at.entry, 0);
	} else {
		if (n == desc_entries(d) || desc_index(d, start, 0) + n > desc_entries(d) ||
		    !(load_relaxed(at.entry + n - 1) & d->last))
			return false;
		fill_zero(pt->wide, at.entry, (unsigned)n);
	}
	pgtbl_flush(pt, at.entry, n);
	return true;
}

PGTBL_INLINE int unmap_check_edges(const struct pgtbl_desc *d, struct phyr_pgtbl *pt,
				   uint64_t start, uint64_t last)
{
	struct pgtbl_place at = lookup(d, pt, start, 0);

	if (!(at.e & d->first) || start & (desc_size(d, at.level) - 1))
		return phyr_pgtbl_unmap_no_start(pt, start);
	at = lookup(d, pt, last, 0);
	if (!(at.e & d->last) || ~last & (desc_size(d, at.level) - 1))
		return phyr_pgtbl_unmap_no_end(pt, last);
	return 0;
}

/* Append what [start, last] maps to a list: all or nothing. */
PGTBL_INLINE int unmap_read(const struct pgtbl_desc *d, struct phyr_pgtbl *pt, uint64_t start,
			    uint64_t last, struct phyr_list *out)
{
	struct phyr_list was = *out;
	struct pgtbl_walk w;
	uint64_t e;

	walk_start(d, &w, pt, start);
	while ((e = walk_to_leaf(d, pt, &w, last))) {
		unsigned size_lg2 = desc_leaf_lg2(d, e, w.low);
		uint64_t size = (uint64_t)1 << size_lg2;
		int err = phyr_pgtbl_unmap_append(pt, out, desc_leaf_addr(d, e, size_lg2, w.iova),
						  size);

		if (err) {
			phyr_list_rollback(out, &was);
			return err;
		}
		if (last - w.iova < size)
			break;
		walk_advance(d, pt, &w, size);
	}
	return 0;
}

/* Empty what [iova, last] has in a leaf table. Returns the bytes. */
PGTBL_INLINE uint64_t clear_leaves(const struct pgtbl_desc *d, struct phyr_pgtbl *pt,
				   struct pgtbl_dirty *dirty, const struct pgtbl_walk *w,
				   uint64_t last)
{
	unsigned room = desc_entries(d) - desc_index(d, w->iova, 0);
	uint64_t left = ((last - w->iova) >> desc_shift(d, 0)) + 1;
	unsigned n = (unsigned)min_u64(left, room);
	uint64_t *p = walk_entry(d, w);

	fill_zero(pt->wide, p, n);
	pgtbl_dirty_add(pt, dirty, p, n);
	return (uint64_t)n << desc_shift(d, 0);
}

/* Empty an entry above level 0 that [iova, last] covers. */
PGTBL_INLINE void clear_entry(const struct pgtbl_desc *d, struct phyr_pgtbl *pt,
			      struct pgtbl_dirty *dirty, const struct pgtbl_walk *w, uint64_t last,
			      struct phyr_gather *gather)
{
	uint64_t *entry = walk_entry(d, w);
	uint64_t e = load_acquire(entry);

	if (!e || (desc_skips(d, e, w->low) && !walk_covers(d, w, last)))
		return;
	store_relaxed(entry, 0);
	pgtbl_dirty_add(pt, dirty, entry, 1);
	if (desc_leads(d, e, w->low))
		chain_push(d, pt, &gather->tables, desc_table(d, pt, e),
			   desc_table_level(d, e, w->low));
}

/* The table to go through because [iova, last] has a part of it only; NULL: there is none. */
PGTBL_INLINE uint64_t *clear_below(const struct pgtbl_desc *d, const struct phyr_pgtbl *pt,
				   const struct pgtbl_walk *w, uint64_t last)
{
	uint64_t e;

	if (walk_covers(d, w, last))
		return NULL;
	e = load_acquire(walk_entry(d, w));
	return desc_is_table(d, e, w->low) ? desc_table(d, pt, e) : NULL;
}

/* Empty [start, last], whose edges do not lie inside of leaves. */
PGTBL_INLINE void clear(const struct pgtbl_desc *d, struct phyr_pgtbl *pt, uint64_t start,
			uint64_t last, struct phyr_gather *gather)
{
	struct pgtbl_dirty dirty = {NULL, NULL};
	struct pgtbl_walk w;
	uint64_t *below, done;

	walk_start(d, &w, pt, start);
	if (low_is_covered(d, pt, start, last))
		walk_start_top(&w, pt, start);
	for (;; walk_advance(d, pt, &w, done)) {
		while (w.low && (below = clear_below(d, pt, &w, last)))
			walk_down(&w, below);
		if (w.low) {
			clear_entry(d, pt, &dirty, &w, last, gather);
			done = walk_rest(d, &w);
		} else {
			done = clear_leaves(d, pt, &dirty, &w, last);
		}
		if (last - w.iova < done)
			break;
	}
	pgtbl_dirty_flush(pt, &dirty);
	pgtbl_gather_add(gather, start, last);
}

#endif
