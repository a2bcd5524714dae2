/* SPDX-License-Identifier: MIT */
/* Taking out tables that map nothing: those whose whole span lies in the caller's range. */
#ifndef PGTBL_RECLAIM_H
#define PGTBL_RECLAIM_H

#include "pgtbl/change.h"

/* Look at the walk's entry. Returns whether to go on below it. */
PGTBL_INLINE bool reclaim_entry(const struct pgtbl_desc *d, struct phyr_pgtbl *pt,
				struct pgtbl_walk *w, uint64_t last, struct pgtbl_dirty *lines,
				struct phyr_gather *gather)
{
	uint64_t *entry = walk_entry(d, w), e = load_acquire(entry), size;

	if (!w->low || !desc_is_table(d, e, w->low))
		return false;
	size = desc_size(d, w->low);
	if (w->iova & (size - 1) || last - w->iova < size - 1) {
		if (w->low == 1) /* a table of leaves, of which others have a part */
			return false;
		walk_down(w, desc_table(d, pt, e));
		return true;
	}
	store_relaxed(entry, 0);
	pgtbl_dirty_add(pt, lines, entry, 1);
	chain_push(d, pt, &gather->tables, desc_table(d, pt, e), w->low - 1);
	pgtbl_gather_add(gather, w->iova, w->iova + (size - 1));
	return false;
}

PGTBL_INLINE int reclaim(const struct pgtbl_desc *d, struct phyr_pgtbl *pt, uint64_t iova,
			 uint64_t len, struct phyr_gather *gather)
{
	const uint64_t mask = pt->granule - 1;
	uint64_t start = iova & ~mask, last = (iova + (len - 1)) | mask;
	struct pgtbl_dirty lines = {NULL, NULL};
	int err = phyr_pgtbl_reclaim_check(pt, iova, len);
	struct pgtbl_walk w;

	if (err)
		return err;
	walk_start(&w, pt, start);
	if (walk_to_leaf(d, pt, &w, last))
		return phyr_pgtbl_reclaim_fail(pt, w.iova);
	walk_start(&w, pt, start);
	for (;;) {
		if (reclaim_entry(d, pt, &w, last, &lines, gather))
			continue;
		if (last - w.iova < walk_rest(d, &w))
			break;
		walk_advance(d, &w, walk_rest(d, &w));
	}
	pgtbl_dirty_flush(pt, &lines);
	return 0;
}

#endif
