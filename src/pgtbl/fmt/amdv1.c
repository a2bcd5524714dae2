/* SPDX-License-Identifier: MIT */
/*
 * AMD-Vi's own tables (v1, host page tables), 1 to 6 levels: 21, 30, 39, 48, 57 and 64 bits of iova.
 *
 * AMD I/O Virtualization Technology (IOMMU) Specification, document 48882, 2.2.3 "I/O Page Tables
 * for Host Translations", with the fields of page directory and page translation entries:
 *
 *   63 ignored | 62 IW | 61 IR | 60 FC | 59 U | 58:52 reserved | 51:12 address | 11:9 NextLevel |
 *   8:7 ignored | 6 D | 5 A | 4:1 ignored | 0 PR
 *
 * NextLevel of an entry that leads to a table is that table's level, counted from 1; so it is the
 * level of the entry, counted from 0. 0 makes a leaf of the level's own size, 7 one whose size the
 * address says: its lowest clear bit, from bit 12 up, is the highest below the leaf's own address.
 *
 *   NextLevel 7:   address …0 -> 8 KiB   …01 -> 16 KiB   …011 -> 32 KiB   …                (bits 12 up)
 *
 * A leaf of 2^c times the level's own size is 2^c same entries. IR and IW are ANDed on the way down,
 * so both are set above the leaves. FC forces accesses to be coherent, whatever the device asked
 * for. D is hardware's to set where the device table entry's HAD says so, and A as well; both stay 0.
 * A table may be of a level further below, if the iova bits between are 0: entry 0 of the top table leads
 * to such a one where config.skip_levels says so (pgtbl/low.c).
 */
#include "pgtbl/instance.h"

#define PR         ((uint64_t)1 << 0)
#define A          ((uint64_t)1 << 5)
#define D          ((uint64_t)1 << 6)
#define NEXT_LEVEL ((uint64_t)7 << 9)
#define FC         ((uint64_t)1 << 60)
#define IR         ((uint64_t)1 << 61)
#define IW         ((uint64_t)1 << 62)

/* Software's own, of bits 4:1. */
#define FIRST    ((uint64_t)1 << 1)
#define LAST     ((uint64_t)1 << 2)
#define UNSYNCED ((uint64_t)1 << 3)
#define GROWN    ((uint64_t)1 << 4)

static const struct pgtbl_desc amdv1 = {
	.granule_lg2 = 12,
	.min_levels = 1,
	.max_levels = 6,
	.usual_levels = 4,
	.iova_bits = 64,
	.max_leaf_level = 4,
	.oa_bits = 52,
	.usual_oa_bits = 52,
	.table_mask = PR | NEXT_LEVEL,
	.table_match = PR,
	.table = PR | IR | IW,
	.level_lg2 = 9,
	.leaf = PR,
	.read = IR,
	.write = IW,
	.clean = IW,
	.snoop = FC,
	.present = PR,
	.can_read = IR,
	.can_write = IW,
	.dirty = D,
	.accessed = A,
	.cluster = NEXT_LEVEL,
	.cluster_coded = true,
	.grown = GROWN,
	.first = FIRST,
	.last = LAST,
	.unsynced = UNSYNCED,
};

PGTBL_INSTANCE(amdv1, &amdv1);
