/* SPDX-License-Identifier: MIT */
/* Showing a table's entries to a caller, who sees hardware's own words with what they mean beside. */
#ifndef PGTBL_VISIT_H
#define PGTBL_VISIT_H

#include "pgtbl/change.h"

/* Call back; here a walk has no call through a pointer. */
int phyr_pgtbl_walk_tell(phyr_pgtbl_walk_fn *fn, void *arg, const struct phyr_pgtbl_entry *entry);

/* The walk's entry, which holds e. */
PGTBL_INLINE struct phyr_pgtbl_entry visit_entry(const struct pgtbl_desc *d,
						 const struct phyr_pgtbl *pt,
						 const struct pgtbl_walk *w, uint64_t e, bool leaf)
{
	struct phyr_pgtbl_entry entry = {
		.size = desc_size(d, w->low),
		.entry = e,
		.table = (uint64_t)(uintptr_t)w->table[w->low] + pt->phys_delta,
		.index = desc_index(d, w->iova, w->low),
		.level = w->low,
		.leaf = leaf,
	};

	entry.iova = w->iova & ~(entry.size - 1);
	if (leaf) {
		unsigned lg2 = desc_leaf_lg2(d, e, w->low);

		entry.addr = desc_leaf_addr(d, e, lg2, entry.iova);
		entry.leaf_size = (uint64_t)1 << lg2;
		entry.prot = desc_leaf_prot(d, e);
	} else {
		entry.addr = desc_addr(d, e);
	}
	return entry;
}

PGTBL_INLINE int visit(const struct pgtbl_desc *d, struct phyr_pgtbl *pt, uint64_t iova,
		       uint64_t len, phyr_pgtbl_walk_fn *fn, void *arg)
{
	int err = phyr_pgtbl_walk_check(pt, iova, len);
	uint64_t last = iova + (len - 1);
	struct phyr_pgtbl_entry entry;
	struct pgtbl_walk w;

	if (!err)
		walk_start_top(&w, pt, iova);
	while (!err) {
		uint64_t e = load_acquire(walk_entry(d, &w));
		bool skips = w.low && desc_skips(d, e, w.low);
		bool table = w.low && desc_is_table(d, e, w.low);

		if (skips)
			table = !(w.iova >> desc_shift(d, desc_next(d, e)));
		if (skips && !table)
			e = 0;

		if (table || e & d->present) {
			entry = visit_entry(d, pt, &w, e, !table);
			err = phyr_pgtbl_walk_tell(fn, arg, &entry);
		}
		if (table && skips) {
			walk_from(&w, desc_table(d, pt, e), desc_table_level(d, e, w.low), w.iova);
			continue;
		}
		if (table) {
			walk_down(&w, desc_table(d, pt, e));
			continue;
		}
		if (last - w.iova < walk_rest(d, &w))
			break;
		walk_advance(d, pt, &w, walk_rest(d, &w));
	}
	return err;
}

#endif
