/* SPDX-License-Identifier: MIT */
/*
 * x86-64 paging, 4 and 5 levels, as a VT-d first-stage table uses it.
 *
 * Intel SDM volume 3A, 4.5 "4-Level Paging and 5-Level Paging", tables 4-15 to 4-20; the same entries
 * in VT-d 4.x, 9.7 "First-Stage Paging Entries":
 *
 *   63 XD | 62:59 key | 58:52 ignored | 51:12 address | 11:9 ignored | 8 G | 7 PS | 6 D | 5 A |
 *   4 PCD | 3 PWT | 2 U/S | 1 R/W | 0 P
 *
 * Remapped requests are user accesses (VT-d 4.x, 3.6), so U/S is set all the way down, and R/W above
 * the leaves, where it is ANDed. A is set from the start, and D, too, where nobody is to read it:
 * hardware then never writes to the table. D goes with R/W, as D without R/W is a shadow stack (SDM
 * 3A, 4.6). There is no write-only. PCD and PWT together are PAT entry 3, uncached at reset (SDM 3A,
 * 12.12); PAT's own bit stays 0. Only the lower canonical half is mapped: iova below 2^47 or 2^56.
 */
#include "pgtbl/instance.h"

#define P   ((uint64_t)1 << 0)
#define RW  ((uint64_t)1 << 1)
#define US  ((uint64_t)1 << 2)
#define PWT ((uint64_t)1 << 3)
#define PCD ((uint64_t)1 << 4)
#define A   ((uint64_t)1 << 5)
#define D   ((uint64_t)1 << 6)
#define PS  ((uint64_t)1 << 7)

/* Software's own, of bits 58:52. */
#define FIRST    ((uint64_t)1 << 52)
#define LAST     ((uint64_t)1 << 53)
#define UNSYNCED ((uint64_t)1 << 54)

static const struct pgtbl_desc x86_64 = {
	.granule_lg2 = 12,
	.min_levels = 4,
	.max_levels = 5,
	.usual_levels = 4,
	.unused_bits = 1,
	.max_leaf_level = 2,
	.oa_bits = 52,
	.usual_oa_bits = 52,
	.table_mask = P | PS,
	.table_match = P,
	.table = P | RW | US | A,
	.leaf = P | US | A,
	.large = PS,
	.write = RW | D,
	.clean = RW,
	.mmio = PCD | PWT,
	.present = P,
	.can_read = P,
	.can_write = RW,
	.dirty = D,
	.first = FIRST,
	.last = LAST,
	.unsynced = UNSYNCED,
};

PGTBL_INSTANCE(x86_64, &x86_64);
