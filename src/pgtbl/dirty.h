/* SPDX-License-Identifier: MIT */
/* What hardware has marked as written: read, told in order, and taken away where asked for. */
#ifndef PGTBL_DIRTY_H
#define PGTBL_DIRTY_H

#include "pgtbl/change.h"

/* What is to be told, and to whom. Neighbours of one leaf size wait to be told as one. */
struct pgtbl_teller {
	phyr_pgtbl_dirty_fn *fn;
	void *arg;
	uint64_t start;
	uint64_t last;
	unsigned size_lg2; /* 0: nothing waits */
};

/* Tell what waits. */
void phyr_pgtbl_dirty_tell(struct pgtbl_teller *t);

PGTBL_INLINE void teller_add(struct pgtbl_teller *t, uint64_t start, uint64_t last,
			     unsigned size_lg2)
{
	if (t->size_lg2 == size_lg2 && t->last + 1 == start) {
		t->last = last;
		return;
	}
	phyr_pgtbl_dirty_tell(t);
	t->start = start;
	t->last = last;
	t->size_lg2 = size_lg2;
}

/* Take a leaf's marks away. */
PGTBL_INLINE void dirty_clear(const struct pgtbl_desc *d, struct phyr_pgtbl *pt,
			      struct pgtbl_dirty *lines, const struct pgtbl_leaf *leaf,
			      struct phyr_gather *gather)
{
	for (unsigned i = 0; i < leaf->nr; i++)
		if (desc_is_dirty(d, load_relaxed(leaf->entry + i)))
			entry_clean(d, leaf->entry + i);
	pgtbl_dirty_add(pt, lines, leaf->entry, leaf->nr);
	pgtbl_gather_add(gather, leaf->iova, leaf->last);
}

PGTBL_INLINE int dirty(const struct pgtbl_desc *d, struct phyr_pgtbl *pt, uint64_t iova,
		       uint64_t len, bool clear, phyr_pgtbl_dirty_fn *fn, void *arg,
		       struct phyr_gather *gather)
{
	struct pgtbl_teller t = {.fn = fn, .arg = arg};
	struct pgtbl_dirty lines = {NULL, NULL};
	int err = phyr_pgtbl_dirty_check(pt, iova, len);
	uint64_t last = iova + (len - 1), e;
	struct pgtbl_walk w;

	if (err)
		return err;
	walk_start(d, &w, pt, iova);
	while ((e = walk_to_leaf(d, pt, &w, last))) {
		struct pgtbl_leaf leaf = leaf_at(d, walk_entry(d, &w), e, w.low, w.iova);

		if (leaf_is_dirty(d, &leaf)) {
			teller_add(&t, w.iova, min_u64(leaf.last, last), leaf.size_lg2);
			if (clear && leaf.iova >= iova && leaf.last <= last)
				dirty_clear(d, pt, &lines, &leaf, gather);
		}
		if (leaf.last >= last)
			break;
		walk_advance(d, pt, &w, leaf.last - w.iova + 1);
	}
	pgtbl_dirty_flush(pt, &lines);
	phyr_pgtbl_dirty_tell(&t);
	return 0;
}

#endif
