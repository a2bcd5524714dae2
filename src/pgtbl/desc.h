/* SPDX-License-Identifier: MIT */
/*
 * What sets one hardware format apart from another, as constants.
 *
 * Each format's file has a `static const struct pgtbl_desc` and hands it to functions that are
 * forced inline; the compiler turns every member into an immediate, and nothing of the struct is
 * left in the object file. What is chosen when a table is made (rights, dirty tracking, who snoops)
 * setup() turns into words of struct phyr_pgtbl, so that a walk loads one word for it.
 *
 *   entry = address, coded | table:  flags of a table, and its level
 *                          | leaf:   what prot asks for | its size's code | edge marks
 *
 * A leaf is one entry, or a cluster: 2^c neighbours that the hardware takes as one larger leaf.
 */
#ifndef PGTBL_DESC_H
#define PGTBL_DESC_H

#include "pgtbl/table.h"

#define PGTBL_INLINE static inline __attribute__((always_inline))

struct pgtbl_desc {
	/* Geometry. A table has the granule's size. */
	unsigned granule_lg2;
	unsigned min_levels;
	unsigned max_levels;
	unsigned usual_levels;
	unsigned unused_bits; /* iova bits at the top of a table's span that must stay 0 */
	unsigned iova_bits;   /* and the most there are; 0: 64 */
	unsigned root_lg2;    /* with max_levels, 2^root_lg2 tables lie side by side at the top */
	unsigned max_leaf_level;

	/* An address's place in an entry: shifted to the right; bits from fold_from on lie at fold_to. */
	unsigned oa_bits; /* the widest output address */
	unsigned usual_oa_bits;
	unsigned addr_shift;
	unsigned fold_from; /* 0: none are folded */
	unsigned fold_to;

	/* (entry & table_mask) == table_match: above level 0, it leads to a table. */
	uint64_t table_mask;
	uint64_t table_match;
	uint64_t table; /* flags of an entry that leads to a table */
	unsigned
		level_lg2; /* where it has the level above that table's, match and flags; 0: nowhere */

	/* Flags of leaves. */
	uint64_t leaf;     /* every one */
	uint64_t page;     /* more of them at level 0 */
	uint64_t large;    /* more of them above */
	uint64_t read;     /* more of them for enum phyr_prot */
	uint64_t write;    /* writable, and as if it were written already */
	uint64_t clean;    /* writable, where hardware is to mark what it writes */
	uint64_t no_read;  /* not readable */
	uint64_t no_write; /* not writable */
	uint64_t ram;
	uint64_t mmio;
	uint64_t snoop; /* RAM, where config.force_snoop; 0: there is no such thing */

	/* Bits of a leaf that tell: set, or where they are of inverted, clear. */
	uint64_t present; /* one of these: it is there */
	uint64_t can_read;
	uint64_t can_write;
	uint64_t dirty;    /* written */
	uint64_t accessed; /* hardware sets these, too, where it marks what it writes */
	uint64_t inverted;

	/* Clusters: an entry with all of these bits is part of one. 0: there are none. */
	uint64_t cluster;
	uint64_t cluster_lg2; /* entries, lg2, four bits a level from level 0's up; 0: none there */
	bool cluster_coded; /* instead: each power of two, in the address bits below the leaf's own */
	bool cluster_steps;     /* entries carry their own addresses; else all the same */
	bool break_before_make; /* sizes change in place only where hardware says so (config.bbm) */

	/* Bits that the hardware ignores: in leaves, and in entries that lead to tables. */
	uint64_t first;    /* first entry of a map call */
	uint64_t last;     /* last entry of a map call */
	uint64_t unsynced; /* a table's entry whose line is not yet written back */
	/* The top table's entry 0 may lead to a table that is more than one level below (pgtbl/low.c).
	 * This bit it has until walkers have forgotten that it led lower. 0: no such entries. */
	uint64_t grown;
};

/* Entries of a table, lg2. */
PGTBL_INLINE unsigned desc_index_lg2(const struct pgtbl_desc *d)
{
	return d->granule_lg2 - 3;
}

PGTBL_INLINE unsigned desc_entries(const struct pgtbl_desc *d)
{
	return 1u << desc_index_lg2(d);
}

/* Bytes that an entry covers, log2. */
PGTBL_INLINE unsigned desc_shift(const struct pgtbl_desc *d, unsigned level)
{
	return d->granule_lg2 + level * desc_index_lg2(d);
}

PGTBL_INLINE uint64_t desc_size(const struct pgtbl_desc *d, unsigned level)
{
	return (uint64_t)1 << desc_shift(d, level);
}

/* Entries of the table at a level: more than usual where several lie side by side. */
PGTBL_INLINE unsigned desc_entries_at(const struct pgtbl_desc *d, unsigned level)
{
	bool joined = d->root_lg2 && level == d->max_levels - 1;

	return desc_entries(d) << (joined ? d->root_lg2 : 0);
}

PGTBL_INLINE unsigned desc_index(const struct pgtbl_desc *d, uint64_t iova, unsigned level)
{
	return (unsigned)(iova >> desc_shift(d, level)) & (desc_entries_at(d, level) - 1);
}

PGTBL_INLINE uint64_t desc_encode(const struct pgtbl_desc *d, uint64_t addr)
{
	uint64_t below = ((uint64_t)1 << d->fold_from) - 1;

	if (d->fold_from)
		addr = (addr & below) | addr >> d->fold_from << d->fold_to;
	return addr >> d->addr_shift;
}

/* The bits that addresses take in an entry, but for those that are folded. */
PGTBL_INLINE uint64_t desc_addr_mask(const struct pgtbl_desc *d)
{
	unsigned bits = d->fold_from ? d->fold_from : d->oa_bits;

	return (((uint64_t)1 << bits) - ((uint64_t)1 << d->granule_lg2)) >> d->addr_shift;
}

PGTBL_INLINE uint64_t desc_addr(const struct pgtbl_desc *d, uint64_t e)
{
	uint64_t addr = (e & desc_addr_mask(d)) << d->addr_shift;
	uint64_t folded = ((uint64_t)1 << (d->oa_bits - d->fold_from)) - 1;

	if (d->fold_from)
		addr |= (e >> d->fold_to & folded) << d->fold_from;
	return addr;
}

/* What an entry at a level has of table_mask if it leads to a table. */
PGTBL_INLINE uint64_t desc_table_match(const struct pgtbl_desc *d, unsigned level)
{
	return d->table_match | (d->level_lg2 ? (uint64_t)level << d->level_lg2 : 0);
}

PGTBL_INLINE uint64_t desc_table_flags(const struct pgtbl_desc *d, unsigned level)
{
	return d->table | (d->level_lg2 ? (uint64_t)level << d->level_lg2 : 0);
}

/* For entries above level 0: those at level 0 never lead to a table. */
PGTBL_INLINE bool desc_is_table(const struct pgtbl_desc *d, uint64_t e, unsigned level)
{
	return (e & d->table_mask) == desc_table_match(d, level);
}

/* The level of the table that an entry leads to, counted from 1, where it says so. */
PGTBL_INLINE unsigned desc_next(const struct pgtbl_desc *d, uint64_t e)
{
	return (unsigned)(e >> d->level_lg2) & 7;
}

/* Whether an entry leads to a table that is more than one level below: desc_is_table() is false. */
PGTBL_INLINE bool desc_skips(const struct pgtbl_desc *d, uint64_t e, unsigned level)
{
	return d->grown && e & d->present && desc_next(d, e) - 1 < level - 1;
}

/* Whether it leads to a table at all, and that table's level. */
PGTBL_INLINE bool desc_leads(const struct pgtbl_desc *d, uint64_t e, unsigned level)
{
	return desc_is_table(d, e, level) || desc_skips(d, e, level);
}

PGTBL_INLINE unsigned desc_table_level(const struct pgtbl_desc *d, uint64_t e, unsigned level)
{
	return d->grown ? desc_next(d, e) - 1 : level - 1;
}

/* The table that an entry leads to, as a CPU pointer. */
PGTBL_INLINE uint64_t *desc_table(const struct pgtbl_desc *d, const struct phyr_pgtbl *pt,
				  uint64_t e)
{
	return (uint64_t *)(uintptr_t)(desc_addr(d, e) - pt->phys_delta);
}

PGTBL_INLINE bool desc_is_leaf(const struct pgtbl_desc *d, uint64_t e, unsigned level)
{
	return e & d->present && !(level && desc_leads(d, e, level));
}

/* Entries of a cluster at a level, lg2, of formats that have one size there. */
PGTBL_INLINE unsigned desc_cluster_lg2(const struct pgtbl_desc *d, unsigned level)
{
	return (unsigned)(d->cluster_lg2 >> (4 * level)) & 15;
}

/* Of a leaf's size its level, and its entries, lg2. */
PGTBL_INLINE unsigned desc_size_level(const struct pgtbl_desc *d, unsigned size_lg2)
{
	return (size_lg2 - d->granule_lg2) / desc_index_lg2(d);
}

PGTBL_INLINE unsigned desc_size_cluster(const struct pgtbl_desc *d, unsigned size_lg2)
{
	return d->cluster ? (size_lg2 - d->granule_lg2) % desc_index_lg2(d) : 0;
}

/* A leaf's bits that tell its size. */
PGTBL_INLINE uint64_t desc_size_code(const struct pgtbl_desc *d, unsigned size_lg2)
{
	uint64_t code = size_lg2 >= desc_shift(d, 1) ? d->large : d->page;

	if (!desc_size_cluster(d, size_lg2))
		return code;
	if (d->cluster_coded) /* ones, and a zero below the lowest bit of its address */
		code |= ((uint64_t)1 << (size_lg2 - 1)) - ((uint64_t)1 << d->granule_lg2);
	return code | d->cluster;
}

PGTBL_INLINE bool desc_in_cluster(const struct pgtbl_desc *d, uint64_t e)
{
	return d->cluster && (e & d->cluster) == d->cluster;
}

/* The size of the leaf that an entry at a level is, or is part of. */
PGTBL_INLINE unsigned desc_leaf_lg2(const struct pgtbl_desc *d, uint64_t e, unsigned level)
{
	if (!desc_in_cluster(d, e))
		return desc_shift(d, level);
	if (d->cluster_coded)
		return d->granule_lg2 + 1 + low_bit_u64(~(e >> d->granule_lg2));
	return desc_shift(d, level) + desc_cluster_lg2(d, level);
}

/* Where iova leads by a leaf of that size. */
PGTBL_INLINE uint64_t desc_leaf_addr(const struct pgtbl_desc *d, uint64_t e, unsigned size_lg2,
				     uint64_t iova)
{
	uint64_t inside = ((uint64_t)1 << size_lg2) - 1;

	return (desc_addr(d, e) & ~inside) | (iova & inside);
}

/* From one entry at a level to its neighbour, where addresses go on: how much more it says. */
PGTBL_INLINE uint64_t desc_step(const struct pgtbl_desc *d, unsigned level)
{
	return desc_size(d, level) >> d->addr_shift;
}

/* Whether prot can be asked for. */
PGTBL_INLINE bool desc_prot_ok(unsigned prot)
{
	return prot & (PHYR_READ | PHYR_WRITE) &&
	       !(prot & ~(unsigned)(PHYR_READ | PHYR_WRITE | PHYR_MMIO));
}

PGTBL_INLINE unsigned desc_leaf_prot(const struct pgtbl_desc *d, uint64_t e)
{
	uint64_t can = e ^ d->inverted;

	return (can & d->can_read ? PHYR_READ : 0u) | (can & d->can_write ? PHYR_WRITE : 0u);
}

PGTBL_INLINE bool desc_is_dirty(const struct pgtbl_desc *d, uint64_t e)
{
	return (e ^ d->inverted) & d->dirty;
}

/* A leaf as if nobody had written by it. Of leaves that are not writable nothing changes. */
PGTBL_INLINE uint64_t desc_cleaned(const struct pgtbl_desc *d, uint64_t e)
{
	return (e & ~d->dirty) | (d->inverted & d->dirty);
}

/* A writable leaf as if somebody had. */
PGTBL_INLINE uint64_t desc_dirtied(const struct pgtbl_desc *d, uint64_t e)
{
	return (e & ~d->dirty) | (~d->inverted & d->dirty);
}

/* Of a leaf what is not its address, size or edges: what a leaf of another size would share. */
PGTBL_INLINE uint64_t desc_leaf_rest(const struct pgtbl_desc *d, uint64_t e)
{
	uint64_t folded = (((uint64_t)1 << (d->oa_bits - d->fold_from)) - 1) << d->fold_to;
	uint64_t not = desc_addr_mask(d) | d->page | d->large | d->cluster | d->first | d->last;

	if (d->fold_from)
		not |= folded;
	return e & ~not ;
}

#endif
