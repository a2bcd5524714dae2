/* SPDX-License-Identifier: MIT */
/*
 * RISC-V Sv39, Sv48 and Sv57 (3, 4 and 5 levels), as an IOMMU's first stage or a processor uses them.
 *
 * RISC-V privileged architecture, "Sv39: Page-Based 39-bit Virtual-Memory System" and its
 * sections of Sv48 and Sv57; Svnapot and Svpbmt in chapters of their own:
 *
 *   63 N | 62:61 PBMT | 60:54 reserved | 53:10 PPN, the address shifted right by 2 | 9:8 RSW |
 *   7 D | 6 A | 5 G | 4 U | 3 X | 2 W | 1 R | 0 V
 *
 * An entry with V and none of R, W, X leads to a table, where D, A and U are reserved, so 0. W without
 * R is reserved, so what may be written may be read. A device's request is a user's unless it says
 * that it is privileged (RISC-V IOMMU, "Process to translate an IOVA"), so U is set. A is set from the
 * start, and with W also D where nobody is to read it: an IOMMU that does not update them faults
 * instead. PBMT is left 0, "as the physical memory's attributes say": Svpbmt need not be there.
 *
 * Svnapot: N with PPN bits 3:0 = 1000 in 16 same entries of level 0 is a leaf of 64 KiB; the only size.
 * The upper canonical half is not mapped. Software has the two bits RSW; first and unsynced share
 * one, as no entry that leads to a table is a leaf.
 */
#include "pgtbl/instance.h"

#define V ((uint64_t)1 << 0)
#define R ((uint64_t)1 << 1)
#define W ((uint64_t)1 << 2)
#define X ((uint64_t)1 << 3)
#define U ((uint64_t)1 << 4)
#define A ((uint64_t)1 << 6)
#define D ((uint64_t)1 << 7)
#define N ((uint64_t)1 << 63)

#define NAPOT_64K (N | (uint64_t)8 << 10)

/* Software's own: RSW. */
#define FIRST    ((uint64_t)1 << 8)
#define LAST     ((uint64_t)1 << 9)
#define UNSYNCED ((uint64_t)1 << 8)

static const struct pgtbl_desc riscv64 = {
	.granule_lg2 = 12,
	.min_levels = 3,
	.max_levels = 5,
	.usual_levels = 4,
	.unused_bits = 1,
	.max_leaf_level = 4,
	.oa_bits = 56,
	.usual_oa_bits = 56,
	.addr_shift = 2,
	.table_mask = V | R | W | X,
	.table_match = V,
	.table = V,
	.leaf = V | U | A,
	.read = R,
	.write = R | W | D,
	.clean = R | W,
	.present = V,
	.can_read = R,
	.can_write = W,
	.dirty = D,
	.cluster = NAPOT_64K,
	.cluster_lg2 = 4,
	.first = FIRST,
	.last = LAST,
	.unsynced = UNSYNCED,
};

PGTBL_INSTANCE(riscv64, &riscv64);
