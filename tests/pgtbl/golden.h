/* SPDX-License-Identifier: MIT */
/*
 * Entries bit by bit: what is mapped through the public calls is read from the tables' memory, by a walk
 * that knows no more of a format than where the next table's address is.
 *
 * The constants of these tests are written from the manuals, not from src/pgtbl/fmt. Bits that the hardware
 * ignores are phyr's own, and taken out before comparing.
 */
#ifndef TESTS_PGTBL_GOLDEN_H
#define TESTS_PGTBL_GOLDEN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <phyr/pgtbl.h>

#include "lib/tenv.h"

#define KIB(n) ((uint64_t)(n) << 10)
#define MIB(n) ((uint64_t)(n) << 20)
#define GIB(n) ((uint64_t)(n) << 30)
#define TIB(n) ((uint64_t)(n) << 40)

#define RO PHYR_READ
#define WO PHYR_WRITE
#define RW (PHYR_READ | PHYR_WRITE)

/* Of a format, from its manual. */
struct golden_format {
	uint64_t ignored;                       /* bits that are software's in every entry */
	uint64_t (*table)(uint64_t entry);      /* the physical address of the table it leads to */
	uint64_t (*table_bits)(unsigned level); /* an entry of this level that leads to a table, */
	uint64_t table_mask;                    /* but for the address: in these bits */
};

struct golden {
	const struct golden_format *format;
	struct phyr_pgtbl_config config;
	struct tenv t;
	struct phyr_pgtbl *pt;
	struct phyr_gather g;
};

/* A table of this config; physical addresses of tables are @delta above the CPU's. */
void golden_init(struct golden *s, const struct golden_format *format,
		 const struct phyr_pgtbl_config *config, uint64_t delta);
void golden_fini(struct golden *s);
void golden_map(struct golden *s, uint64_t iova, uint64_t addr, uint64_t len, unsigned prot);

/* The entry of a level that decides about an iova, and all of it; each on the way leads to a table. */
uint64_t golden_raw(struct golden *s, uint64_t iova, unsigned level);
/* That, without what is software's. */
uint64_t golden_entry(struct golden *s, uint64_t iova, unsigned level);

/* Map, and look at one entry of what is mapped. */
struct golden_leaf {
	uint64_t iova, addr, len;
	unsigned prot;
	unsigned level;
	uint64_t at;   /* the iova whose entry it is, above the first */
	uint64_t want; /* that entry */
};
void golden_leaves(struct golden *s, const struct golden_leaf *leaves, unsigned nr);
#define GOLDEN_LEAVES(s, leaves) \
	golden_leaves(s, leaves, (unsigned)(sizeof(leaves) / sizeof((leaves)[0])))

#endif
