/* SPDX-License-Identifier: MIT */
/*
 * One page at a time, in as few instructions as it takes: what most calls are about.
 *
 * On the way down a table's entry is compared whole. Less its flags and the distance between physical
 * and CPU addresses, which are one number (struct phyr_pgtbl, bias), it is the table's pointer, and
 * clear below the granule; with any other flag, one that hardware has set included, it is not. Then,
 * and where anything else is out of the ordinary, nothing is done here: the general way sees to it.
 */
#ifndef PGTBL_PAGE_H
#define PGTBL_PAGE_H

#include "list/peek.h"
#include "pgtbl/walk.h"

/* Addresses whose bits lie apart, or a table of which struct phyr_pgtbl says so. */
PGTBL_INLINE bool page_is_unusual(const struct pgtbl_desc *d, const struct phyr_pgtbl *pt)
{
	return d->fold_from || unlikely(pt->unusual);
}

/* Go down a level. False: the entry leads to no table, or to one in an unusual way. */
PGTBL_INLINE bool page_level(const struct pgtbl_desc *d, const struct phyr_pgtbl *pt, uint64_t iova,
			     unsigned level, unsigned top, struct pgtbl_place *at)
{
	const uint64_t below = ((uint64_t)1 << (d->granule_lg2 - d->addr_shift)) - 1;
	const uint64_t flags = desc_table_flags(d, level) - d->table;
	uint64_t e;

	if (level >= d->max_levels || (level >= d->min_levels && level > top))
		return true;
	at->level = level;
	at->e = load_acquire(&at->table[desc_index(d, iova, level)]);
	if (d->addr_shift) {
		e = at->e - d->table;
		at->table = (uint64_t *)(uintptr_t)((e << d->addr_shift) - pt->phys_delta);
	} else {
		e = at->e - pt->bias;
		at->table = (uint64_t *)(uintptr_t)(e - flags);
	}
	return likely((e & below) == flags);
}

/* As low_table(): an entry that is unusual in any way is not followed. */
PGTBL_INLINE uint64_t *page_low(const struct pgtbl_desc *d, const struct phyr_pgtbl *pt,
				uint64_t iova, unsigned *top)
{
	const uint64_t page = desc_size(d, 0) - 1;
	uint64_t e;
	unsigned next;

	*top = pt->top;
	if (!d->grown)
		return pt->root;
	e = load_acquire(pt->root) - pt->bias;
	next = desc_next(d, e);
	if (e & page & ~((uint64_t)7 << d->level_lg2) || next - 1 >= pt->top ||
	    iova >> desc_shift(d, next))
		return pt->root;
	*top = next - 1;
	return (uint64_t *)(uintptr_t)(e & ~page);
}

/* Go down to the table of level 0. False: at.e and at.level are where that ended, at.table is nothing. */
PGTBL_INLINE bool page_table(const struct pgtbl_desc *d, const struct phyr_pgtbl *pt, uint64_t iova,
			     struct pgtbl_place *at)
{
	unsigned top;

	at->table = page_low(d, pt, iova, &top);
	return page_level(d, pt, iova, 5, top, at) && page_level(d, pt, iova, 4, top, at) &&
	       page_level(d, pt, iova, 3, top, at) && page_level(d, pt, iova, 2, top, at) &&
	       page_level(d, pt, iova, 1, top, at);
}

/* Map a range that is one page; false: nothing was done. */
PGTBL_INLINE bool page_map(const struct pgtbl_desc *d, struct phyr_pgtbl *pt, uint64_t iova,
			   struct phyr_cursor *cur, unsigned prot, struct phyr_gather *gather)
{
	const uint64_t page = desc_size(d, 0) - 1;
	struct pgtbl_place at;
	uint64_t addr, *entry;

	if (page_is_unusual(d, pt) || !cursor_is_range(cur, &addr))
		return false;
	if (unlikely(cur->left != desc_size(d, 0) || (addr | iova) & page))
		return false;
	if (unlikely(addr > pt->oa_last || iova > pt->last || !desc_prot_ok(prot)))
		return false;
	if (unlikely(!page_table(d, pt, iova, &at)))
		return false;
	entry = &at.table[desc_index(d, iova, 0)];
	if (unlikely(load_relaxed(entry)))
		return false;
	store_relaxed(entry,
		      desc_encode(d, addr) | pt->leaf_flags[prot] | d->page | d->first | d->last);
	gather->entries++;
	cur->left = 0;
	return true;
}

/* Unmap one page, mapped by itself; false: nothing was done. */
PGTBL_INLINE bool page_unmap(const struct pgtbl_desc *d, struct phyr_pgtbl *pt, uint64_t iova,
			     uint64_t len, struct phyr_gather *gather)
{
	const uint64_t page = desc_size(d, 0) - 1, edges = d->first | d->last;
	struct pgtbl_place at;
	uint64_t *entry;

	if (page_is_unusual(d, pt) || iova > pt->last)
		return false;
	if (unlikely(len != desc_size(d, 0) || iova & page))
		return false;
	if (unlikely(!page_table(d, pt, iova, &at)))
		return false;
	entry = &at.table[desc_index(d, iova, 0)];
	if (unlikely((load_relaxed(entry) & edges) != edges))
		return false;
	store_relaxed(entry, 0);
	pgtbl_gather_add(gather, iova, iova | page);
	return true;
}

/* What iova leads to by a leaf of that size, if it is one. */
PGTBL_INLINE int page_answer(const struct pgtbl_desc *d, uint64_t e, unsigned size_lg2,
			     uint64_t iova, struct phyr_translation *out)
{
	if (unlikely(!(e & d->present)))
		return -ENOENT;
	out->addr = desc_leaf_addr(d, e, size_lg2, iova);
	out->leaf_size = (uint64_t)1 << size_lg2;
	out->prot = desc_leaf_prot(d, e);
	return 0;
}

/* Above level 0 the answer is where the way down ended, unless that was for an unusual table. */
PGTBL_INLINE int translate(const struct pgtbl_desc *d, const struct phyr_pgtbl *pt, uint64_t iova,
			   struct phyr_translation *out)
{
	struct pgtbl_place at;

	if (unlikely(iova > pt->last))
		return -ERANGE;
	if (likely(!page_is_unusual(d, pt) && page_table(d, pt, iova, &at))) {
		at.level = 0;
		at.e = load_acquire(&at.table[desc_index(d, iova, 0)]);
		if (likely(!desc_in_cluster(d, at.e)))
			return page_answer(d, at.e, desc_shift(d, 0), iova, out);
	} else if (page_is_unusual(d, pt) || desc_leads(d, at.e, at.level)) {
		at = lookup(d, pt, iova, 0);
	}
	return page_answer(d, at.e, desc_leaf_lg2(d, at.e, at.level), iova, out);
}

#endif
