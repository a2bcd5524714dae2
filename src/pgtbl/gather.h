/* SPDX-License-Identifier: MIT */
/* Gathers from inside: empty ones, and two that become one. */
#ifndef PGTBL_GATHER_H
#define PGTBL_GATHER_H

#include "pgtbl/table.h"

/*
 * Put a chain of cut-off tables in front of another; its end is looked for. None of front may be intact
 * (PGTBL_LINK_INTACT): what a promotion gathered is synced by itself.
 */
static inline uint64_t gather_chain(uint64_t front, uint64_t back)
{
	uint64_t *table, link;

	if (!front || !back)
		return front | back;
	table = pgtbl_link_table(front);
	while ((link = load_relaxed(table)))
		table = pgtbl_link_table(link);
	store_relaxed(table, back);
	return front;
}

/* Have into hold what from holds, too, which is empty then. Cost: O(tables of from). */
static inline void gather_join(struct phyr_gather *into, struct phyr_gather *from)
{
	into->start = min_u64(into->start, from->start);
	into->last = max_u64(into->last, from->last);
	into->tables = gather_chain(from->tables, into->tables);
	into->entries += from->entries;
	*from = (struct phyr_gather){.start = UINT64_MAX};
}

#endif
