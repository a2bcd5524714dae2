/* SPDX-License-Identifier: MIT */
/*
 * Intel VT-d second stage, 3, 4 and 5 levels: 39, 48 and 57 bits of iova.
 *
 * VT-d 4.x, 3.7 "Second-Stage Translation" and 9.8 "Second-Stage Paging Entries", SS-PML5E to SS-PTE:
 *
 *   63 ignored | 62 reserved | 61:52 ignored | 51:12 address, reserved from the host width on |
 *   11 SNP | 9 D | 8 A | 7 PS | 6 IPAT | 5:3 EMT | 1 W | 0 R
 *
 * There is no present bit: an entry with neither R nor W leads nowhere. R and W are ANDed on the way
 * down, so both are set above the leaves. SNP, in leaves only, is for hardware with snoop control (ECAP
 * bit 7, SC), and never on MMIO. A and D are hardware's to set, where the PASID entry's SSADE says so
 * (9.6), and stay 0; so does the memory type.
 */
#include "pgtbl/instance.h"

#define R   ((uint64_t)1 << 0)
#define W   ((uint64_t)1 << 1)
#define PS  ((uint64_t)1 << 7)
#define A   ((uint64_t)1 << 8)
#define D   ((uint64_t)1 << 9)
#define SNP ((uint64_t)1 << 11)

/* Software's own, of bits 61:52. */
#define FIRST    ((uint64_t)1 << 52)
#define LAST     ((uint64_t)1 << 53)
#define UNSYNCED ((uint64_t)1 << 54)

static const struct pgtbl_desc vtdss = {
	.granule_lg2 = 12,
	.min_levels = 3,
	.max_levels = 5,
	.usual_levels = 4,
	.max_leaf_level = 2,
	.oa_bits = 52,
	.usual_oa_bits = 52,
	.table_mask = R | W | PS,
	.table_match = R | W,
	.table = R | W,
	.large = PS,
	.read = R,
	.write = W,
	.clean = W,
	.snoop = SNP,
	.present = R | W,
	.can_read = R,
	.can_write = W,
	.dirty = D,
	.accessed = A,
	.first = FIRST,
	.last = LAST,
	.unsynced = UNSYNCED,
};

PGTBL_INSTANCE(vtdss, &vtdss);
