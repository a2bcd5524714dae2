/* SPDX-License-Identifier: MIT */
/*
 * The low table: what the top table's entry 0 leads to, past levels for which all of iova's bits are 0.
 *
 *   top  5  [ x . . . ]                      [ x . . . ]
 *             │                                │
 *        2    │                   grows        └ [ x x . . ]     one compare-exchange; the table
 *             │                  ───────>          │ └ new       put in between is complete before
 *        1    └ [ x . x . ]                        └ [ x . x . ]
 *
 * A walk to iova that it reaches begins there; for all other iova of entry 0 nothing is mapped. So it
 * grows, a level at a time, before anything is mapped above. It is cut off with all of entry 0's span only.
 *
 * Walkers may have cached entry 0 as it was, by which iova that it now leads to is not mapped. So the span
 * is for the gather of whoever grows the table; and for those of others that map in it before that gather
 * is synced, who are told by the entry's bit "grown". It stays until a page in the gather's chain, which is
 * for nothing else, is given back.
 */
#include "pgtbl/table.h"

static unsigned next_level(const struct phyr_pgtbl *pt, uint64_t e)
{
	return (unsigned)(e >> pt->low_level_lg2) & 7;
}

static uint64_t table_flags(const struct phyr_pgtbl *pt, unsigned level)
{
	return pt->low_flags | (uint64_t)(level + 1) << pt->low_level_lg2;
}

/* What entry 0 of the top table decides about. */
static void gather_span(const struct phyr_pgtbl *pt, struct phyr_gather *gather)
{
	unsigned entry_lg2 = lg2_u64(pt->table_size) - 3;
	unsigned shift = lg2_u64(pt->table_size) + pt->top * entry_lg2;

	pgtbl_gather_add(gather, 0, ((uint64_t)1 << shift) - 1);
}

void phyr_pgtbl_low_synced(struct phyr_pgtbl *pt)
{
	uint64_t e;

	__atomic_fetch_sub(&pt->growing, 1, __ATOMIC_ACQ_REL);
	/* Whoever has grown the table to what is read here counted before: then it is not for us. */
	e = load_acquire(pt->root);
	while (e & pt->low_grown && !load_relaxed(&pt->growing))
		if (compare_exchange(pt->root, &e, e & ~pt->low_grown))
			return;
}

/* Put table between the entry, which holds e, and what that leads to. False: the entry has changed. */
static bool link_between(struct phyr_pgtbl *pt, uint64_t e, uint64_t *table)
{
	uint64_t made = env_to_phys(pt->env, table) | table_flags(pt, next_level(pt, e));

	store_relaxed(table, e & ~pt->low_grown);
	pgtbl_flush(pt, table, 1);
	made |= pt->low_grown | (pt->noncoherent ? pt->low_unsynced : 0);
	atomic_count_add(&pt->growing, 1);
	if (compare_exchange(pt->root, &e, made))
		return true;
	phyr_pgtbl_low_synced(pt);
	return false;
}

/* 0, also when another thread was faster; or -ENOMEM. The entry has the bit that asks for its span. */
static int grow(struct phyr_pgtbl *pt, uint64_t e, struct phyr_gather *gather)
{
	uint64_t *table = phyr_pgtbl_table_alloc(pt, pt->table_size, NULL);
	uint64_t *token = table ? phyr_pgtbl_table_alloc(pt, pt->table_size, NULL) : NULL;

	if (token && link_between(pt, e, table)) {
		store_relaxed(token, gather->tables);
		gather->tables = pgtbl_link(token, 0) | PGTBL_LINK_GROWN;
		return 0;
	}
	if (table)
		phyr_pgtbl_table_free(pt, table, pt->table_size);
	if (!token)
		return -ENOMEM;
	phyr_pgtbl_table_free(pt, token, pt->table_size);
	return 0;
}

int phyr_pgtbl_low_make(struct phyr_pgtbl *pt, unsigned level, struct phyr_gather *gather,
			uint64_t *out)
{
	const unsigned first = pt->skip_levels ? level : pt->top - 1;

	for (;;) {
		uint64_t e = load_acquire(pt->root);
		int err;

		if (!e)
			e = phyr_pgtbl_table_install(pt, pt->root, table_flags(pt, first),
						     pt->low_unsynced);
		if (!e)
			return -ENOMEM;
		if (next_level(pt, e) - 1 >= pt->top)
			return -EEXIST;
		if (e & pt->low_unsynced)
			e = phyr_pgtbl_table_settle(pt, pt->root, e, pt->low_unsynced);
		if (e & pt->low_grown)
			gather_span(pt, gather);
		*out = e;
		if (next_level(pt, e) > level)
			return 0;
		err = grow(pt, e, gather);
		if (err)
			return err;
	}
}
