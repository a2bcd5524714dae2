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
	uint64_t *entry = walk_entry(d, w), e = load_acquire(entry);

	never(w->low >= d->max_levels);
	if (!w->low || !desc_leads(d, e, w->low))
		return false;
	if (!walk_covers(d, w, last)) {
		/* Others have a part of a table of leaves; past levels lies what is below iova. */
		if (w->low == 1 || desc_skips(d, e, w->low))
			return false;
		walk_down(w, desc_table(d, pt, e));
		return true;
	}
	store_relaxed(entry, 0);
	pgtbl_dirty_add(pt, lines, entry, 1);
	chain_push(d, pt, &gather->tables, desc_table(d, pt, e), desc_table_level(d, e, w->low));
	pgtbl_gather_add(gather, w->iova, w->iova + (desc_size(d, w->low) - 1));
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
	walk_start(d, &w, pt, start);
	if (walk_to_leaf(d, pt, &w, last))
		return phyr_pgtbl_reclaim_fail(pt, w.iova);
	walk_start(d, &w, pt, start);
	if (low_is_covered(d, pt, start, last))
		walk_start_top(&w, pt, start);
	for (;;) {
		if (reclaim_entry(d, pt, &w, last, &lines, gather))
			continue;
		if (last - w.iova < walk_rest(d, &w))
			break;
		walk_advance(d, pt, &w, walk_rest(d, &w));
	}
	pgtbl_dirty_flush(pt, &lines);
	return 0;
}

#endif
