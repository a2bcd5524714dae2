/* SPDX-License-Identifier: MIT */
/*
 * A page table as an object: its root, its limits, and what walks leave to slow paths.
 *
 * Everything here is the same for all formats: a table is a granule of 8-byte entries, 0 is an entry
 * that leads nowhere, and bits 0-2 clear are enough for a walker to take it so. Slow paths are out
 * of line, so that the walks themselves hold no indirect call.
 */
#ifndef PGTBL_TABLE_H
#define PGTBL_TABLE_H

#include <phyr/pgtbl.h>

#include "core/bits.h"
#include "core/env.h"
#include "core/order.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "entries are read and written as they lie: a little-endian CPU is needed"
#endif

#define PGTBL_MAX_LEVELS 6

struct pgtbl_ops;

/* Read by every walk, written by create only; but for the count, which has its own cache line. */
struct phyr_pgtbl {
	uint64_t *root;
	uint64_t phys_delta; /* as in the env */
	uint64_t bias;    /* a table's entry, but for what tells its level, less its CPU address */
	uint64_t last;    /* highest iova */
	uint64_t oa_last; /* highest output address */
	uint64_t granule; /* the smallest leaf, bytes */
	uint64_t larger;  /* the smallest that is more than one entry at level 0; 2^64 - 1: none */
	uint64_t leaf_sizes; /* OR of powers of two */
	uint64_t
		coded; /* what each entry of a larger leaf has beside its size's code; 0: no codes */
	unsigned top;  /* level of the root; 0 is the granule's */
	bool wide;     /* 16-byte stores are atomic here */
	bool noncoherent; /* lines that were written must be written back */
	bool unusual;     /* that, or the granule is several entries: nothing for page.h */
	bool dirty;       /* hardware marks leaves that it writes by */
	uint8_t change;   /* enum phyr_pgtbl_change */
	uint8_t bbm;
	uint64_t leaf_flags[8]; /* by enum phyr_prot */
	struct phyr_env *env;
	const struct pgtbl_ops *ops;
	/* For what is out of line, as struct pgtbl_desc has it. */
	uint32_t table_size;
	uint32_t root_size;
	uint8_t addr_shift;
	uint8_t fold_from;
	uint8_t fold_to;
	/* Of formats whose levels can be skipped: flags of a table's entry, its marks, its level's place. */
	uint64_t low_flags;
	uint64_t low_unsynced;
	uint64_t low_grown;
	uint8_t low_level_lg2;
	bool skip_levels;
	uint64_t apart[8];
	uint64_t tables;  /* atomic: tables allocated and not given back */
	unsigned growing; /* atomic: tables put in between that walkers may not know of */
};

/* Entries written in a row and not yet written back, of one table. start NULL: none. */
struct pgtbl_dirty {
	uint64_t *start;
	uint64_t *end;
};

/* Note n entries as written: they join the ones before, or those are written back. */
void phyr_pgtbl_dirty_add_slow(struct phyr_pgtbl *pt, struct pgtbl_dirty *dirty, uint64_t *p,
			       size_t n);
/* Write back what is noted. */
void phyr_pgtbl_dirty_flush_slow(struct phyr_pgtbl *pt, struct pgtbl_dirty *dirty);

static inline void pgtbl_dirty_add(struct phyr_pgtbl *pt, struct pgtbl_dirty *dirty, uint64_t *p,
				   size_t n)
{
	if (unlikely(pt->noncoherent))
		phyr_pgtbl_dirty_add_slow(pt, dirty, p, n);
}

static inline void pgtbl_dirty_flush(struct phyr_pgtbl *pt, struct pgtbl_dirty *dirty)
{
	if (unlikely(pt->noncoherent))
		phyr_pgtbl_dirty_flush_slow(pt, dirty);
}

/* Both at once, for a single piece. */
static inline void pgtbl_flush(struct phyr_pgtbl *pt, uint64_t *p, size_t n)
{
	struct pgtbl_dirty dirty = {p, p + n};

	pgtbl_dirty_flush(pt, &dirty);
}

/*
 * A zeroed table of that many bytes, counted; NULL: no memory, or it lies where no entry can lead.
 * Then *beyond, if asked for, is where it lay; else it is left alone.
 */
uint64_t *phyr_pgtbl_table_alloc(struct phyr_pgtbl *pt, size_t size, uint64_t *beyond);
void phyr_pgtbl_table_free(struct phyr_pgtbl *pt, uint64_t *table, size_t size);

/*
 * Have an empty entry lead to a table. Several threads may do so at once; all get the same table.
 * Returns the entry as it is now, a table's or a leaf's; 0: no memory.
 *
 * A walker that does not snoop sees the new entry only once its line is written back. Until that is
 * done the entry carries the bit unsynced, and every thread that meets it writes the line back
 * itself before it goes on: else its mapping might not be reachable when its map call returns.
 */
uint64_t phyr_pgtbl_table_install(struct phyr_pgtbl *pt, uint64_t *entry, uint64_t flags,
				  uint64_t unsynced);

/* Write back the line of an entry that leads to a table and is unsynced; the entry without the bit. */
uint64_t phyr_pgtbl_table_settle(struct phyr_pgtbl *pt, uint64_t *entry, uint64_t e,
				 uint64_t unsynced);

/*
 * Have the top table's entry 0 lead to a table of at least that level (below the top), and *out be that
 * entry. -ENOMEM, or -EEXIST: it is a leaf. The gather grows as phyr_pgtbl_map() says.
 */
int phyr_pgtbl_low_make(struct phyr_pgtbl *pt, unsigned level, struct phyr_gather *gather,
			uint64_t *out);

/* A table put in between is known to all walkers, or never was put there. */
void phyr_pgtbl_low_synced(struct phyr_pgtbl *pt);

/*
 * Tables that were cut off are linked through their first entry:
 *
 *   link:  | CPU address of a table, from its size up | 0 | level 6..4 | 0 |    0: the end
 *
 * A walker that still comes there by what it has cached sees bits 0-2 clear: not present.
 *
 * A table whose iova stays in use, by a larger leaf, must stay as it is until the invalidation. It is
 * intact: its own link lies spread over its first 64 entries, a bit each, where hardware ignores it.
 */
#define PGTBL_LINK_LEVEL_LG2 4
#define PGTBL_LINK_MASK      0xfff
#define PGTBL_LINK_INTACT    8 /* of a link: the table that it leads to is */
#define PGTBL_LINK_GROWN     128 /* no table: once it is given back, a table put in between is known */
_Static_assert(PGTBL_MAX_LEVELS <= 8, "a level has three bits in a link");

static inline uint64_t pgtbl_link(const uint64_t *table, unsigned level)
{
	return (uint64_t)(uintptr_t)table | (uint64_t)level << PGTBL_LINK_LEVEL_LG2;
}

static inline uint64_t *pgtbl_link_table(uint64_t link)
{
	return (uint64_t *)(uintptr_t)(link & ~(uint64_t)PGTBL_LINK_MASK);
}

static inline unsigned pgtbl_link_level(uint64_t link)
{
	return (unsigned)(link >> PGTBL_LINK_LEVEL_LG2) & 7;
}

/* Have the gather invalidate [start, last], too. */
static inline void pgtbl_gather_add(struct phyr_gather *gather, uint64_t start, uint64_t last)
{
	gather->start = min_u64(gather->start, start);
	gather->last = max_u64(gather->last, last);
}

#endif
