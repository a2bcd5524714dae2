/* SPDX-License-Identifier: MIT */
/*
 * What sets one hardware format apart from another, as constants.
 *
 * Each file in fmt/ has one `static const struct pgtbl_desc` and hands it to functions that are
 * forced inline; the compiler turns every member into an immediate, and nothing of the struct is
 * left in the object file.
 */
#ifndef PGTBL_DESC_H
#define PGTBL_DESC_H

#include "pgtbl/table.h"

#define PGTBL_INLINE static inline __attribute__((always_inline))

struct pgtbl_desc {
	unsigned min_levels;
	unsigned max_levels;
	unsigned usual_levels;
	unsigned unused_bits; /* iova bits at the top of a table's span that must stay 0 */
	unsigned max_leaf_level;
	unsigned oa_bits;    /* the widest output address */
	uint64_t table_mask; /* (entry & table_mask) == table_match: it leads to a table */
	uint64_t table_match;
	uint64_t table; /* flags of an entry that leads to a table */
	uint64_t leaf;  /* flags of every leaf */
	uint64_t large; /* more of them above level 0 */
	uint64_t read;  /* more of them for enum phyr_prot */
	uint64_t write;
	uint64_t present;  /* a leaf with none of these is not there */
	uint64_t can_read; /* a leaf with one of these can be read */
	uint64_t can_write;
	/* Bits that the hardware ignores, at every level. */
	uint64_t first;    /* first leaf of a map call */
	uint64_t last;     /* last leaf of a map call */
	uint64_t unsynced; /* a table's entry whose line is not yet written back */
};

#define PGTBL_GRANULE_LG2 12
#define PGTBL_INDEX_LG2   9

/* Bytes that an entry covers, log2. */
PGTBL_INLINE unsigned desc_shift(unsigned level)
{
	return PGTBL_GRANULE_LG2 + level * PGTBL_INDEX_LG2;
}

PGTBL_INLINE uint64_t desc_size(unsigned level)
{
	return (uint64_t)1 << desc_shift(level);
}

PGTBL_INLINE unsigned desc_index(uint64_t iova, unsigned level)
{
	return (unsigned)(iova >> desc_shift(level)) & (PGTBL_ENTRIES - 1);
}

PGTBL_INLINE uint64_t desc_addr_mask(const struct pgtbl_desc *d)
{
	return ((uint64_t)1 << d->oa_bits) - ((uint64_t)1 << PGTBL_GRANULE_LG2);
}

/* For entries above level 0: those at level 0 never lead to a table. */
PGTBL_INLINE bool desc_is_table(const struct pgtbl_desc *d, uint64_t e)
{
	return (e & d->table_mask) == d->table_match;
}

/* The table that an entry leads to, as a CPU pointer. */
PGTBL_INLINE uint64_t *desc_table(const struct pgtbl_desc *d, const struct phyr_pgtbl *pt,
				  uint64_t e)
{
	return (uint64_t *)(uintptr_t)((e & desc_addr_mask(d)) - pt->phys_delta);
}

/* Whether prot can be asked for; what is not here yet is refused with what does not exist. */
PGTBL_INLINE bool desc_prot_ok(unsigned prot)
{
	return prot && !(prot & ~(unsigned)(PHYR_READ | PHYR_WRITE));
}

PGTBL_INLINE uint64_t desc_leaf_flags(const struct pgtbl_desc *d, unsigned prot)
{
	return d->leaf | (prot & PHYR_READ ? d->read : 0) | (prot & PHYR_WRITE ? d->write : 0);
}

PGTBL_INLINE unsigned desc_leaf_prot(const struct pgtbl_desc *d, uint64_t e)
{
	return (e & d->can_read ? PHYR_READ : 0u) | (e & d->can_write ? PHYR_WRITE : 0u);
}

#endif
