/* SPDX-License-Identifier: MIT */
/* Tables: where they come from, how they are linked in, and lines written back. */
#include "pgtbl/table.h"

uint64_t *phyr_pgtbl_table_alloc(struct phyr_pgtbl *pt, size_t size, uint64_t *beyond)
{
	uint64_t *table = env_alloc_pages(pt->env, size);

	if (!table)
		return NULL;
	if (env_to_phys(pt->env, table) > pt->oa_last) {
		if (beyond)
			*beyond = env_to_phys(pt->env, table);
		env_free_pages(pt->env, table, size);
		return NULL;
	}
	if (pt->noncoherent)
		env_flush_lines(pt->env, table, size);
	atomic_count_add(&pt->tables, 1);
	return table;
}

void phyr_pgtbl_table_free(struct phyr_pgtbl *pt, uint64_t *table, size_t size)
{
	env_free_pages(pt->env, table, size);
	atomic_count_sub(&pt->tables, 1);
}

/* As desc_encode(), by what setup() noted; without a fold, no address has the bits from fold_from on. */
static uint64_t encode(const struct phyr_pgtbl *pt, uint64_t addr)
{
	uint64_t below = ((uint64_t)1 << pt->fold_from) - 1;

	return ((addr & below) | addr >> pt->fold_from << pt->fold_to) >> pt->addr_shift;
}

uint64_t phyr_pgtbl_table_install(struct phyr_pgtbl *pt, uint64_t *entry, uint64_t flags,
				  uint64_t unsynced)
{
	uint64_t *table = phyr_pgtbl_table_alloc(pt, pt->table_size, NULL);
	uint64_t seen = 0, made;

	if (!table)
		return 0;
	made = encode(pt, env_to_phys(pt->env, table)) | flags | (pt->noncoherent ? unsynced : 0);
	/* Releases the zeroed table; pairs with the acquire of each load on the way down. */
	if (compare_exchange(entry, &seen, made))
		return made;
	phyr_pgtbl_table_free(pt, table, pt->table_size);
	return seen;
}

/* The entry's line is on its way; whoever is first takes the bit away. */
uint64_t phyr_pgtbl_table_settle(struct phyr_pgtbl *pt, uint64_t *entry, uint64_t e,
				 uint64_t unsynced)
{
	uint64_t seen = e;

	env_flush_lines(pt->env, entry, sizeof(*entry));
	compare_exchange(entry, &seen, e & ~unsynced);
	return e & ~unsynced;
}

void phyr_pgtbl_dirty_flush_slow(struct phyr_pgtbl *pt, struct pgtbl_dirty *dirty)
{
	if (dirty->start)
		env_flush_lines(pt->env, dirty->start,
				(size_t)(dirty->end - dirty->start) * sizeof(uint64_t));
	dirty->start = NULL;
	dirty->end = NULL;
}

void phyr_pgtbl_dirty_add_slow(struct phyr_pgtbl *pt, struct pgtbl_dirty *dirty, uint64_t *p,
			       size_t n)
{
	/* The end of one table may be the start of another in memory: joining them is harmless. */
	if (p != dirty->end) {
		phyr_pgtbl_dirty_flush_slow(pt, dirty);
		dirty->start = p;
	}
	dirty->end = p + n;
}
