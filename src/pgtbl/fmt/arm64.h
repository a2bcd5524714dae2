/* SPDX-License-Identifier: MIT */
/*
 * Arm VMSAv8-64, stages 1 and 2, as an SMMU or a processor uses them: what all granules share.
 *
 * Arm ARM (DDI 0487), D8.3 "Translation table descriptor formats": table, block and page descriptors;
 * SMMUv3 (IHI 0070), 3.4, takes the same. Levels here count from the pages up; Arm's from the top
 * down, to 3.
 *
 *   stage 1 leaf   63 ignored | 62:59 PBHA or ignored | 58:55 software's | 54 UXN | 53 PXN |
 *                  52 Contiguous | 51 DBM | 50 GP | 49 reserved | 47:12 address | 11 nG | 10 AF |
 *                  9:8 SH | 7:6 AP[2:1] | 5 NS | 4:2 AttrIndx | 1 page, not block | 0 valid
 *   stage 2 leaf   54:53 XN | 52 Contiguous | 51 DBM | 11 FnXS | 10 AF | 9:8 SH | 7:6 S2AP |
 *                  5:2 MemAttr; else as above
 *   table          63:59 restrict what is below, 0 | 58:51 ignored | 47:12 address | 1:0 = 11
 *
 * The address has more bits where oa_bits is over 48: with granules of 4 and 16 KiB (FEAT_LPA2,
 * TCR.DS = 1) bits 49:48 have their own place and 51:50 lie in 9:8, where SH is otherwise and TCR says
 * it; with 64 KiB (FEAT_LPA) 51:48 lie in 15:12.
 *
 * AF is set from the start: no access faults. SH is inner shareable for RAM; device memory is always
 * outer shareable, and so it says. No device executes: UXN and PXN, XN = 10 (D8.4.6).
 * Stage 1: AP[1] allows unprivileged accesses, as most devices' are; AP[2] forbids writes; nothing forbids
 * reads (D8.4.1). nG is set, else an entry would serve every ASID. AttrIndx 0 is RAM and 1 is MMIO: MAIR
 * holds 0xff (normal, write-back, allocating) as Attr0 and 0x04 (Device-nGnRE) as Attr1.
 * Stage 2: S2AP[0] allows reads, S2AP[1] writes. MemAttr is 1111 (normal write-back) for RAM and 0001
 * (Device-nGnRE) for MMIO (D8.6.6, without FEAT_S2FWB).
 *
 * Dirty marks (FEAT_HAFDBS, TCR.HD): a leaf with DBM that is not writable becomes writable when it
 * is written by: AP[2] goes clear, S2AP[1] set (D8.5.4, "Dirty state").
 *
 * Contiguous: so many neighbours, aligned, with addresses that go on, are one leaf (D8.7.1):
 *
 *   granule    level 0        level 1        level 2
 *   4 KiB      16: 64 KiB     16: 32 MiB     16: 16 GiB
 *   16 KiB     128: 2 MiB     32: 1 GiB
 *   64 KiB     32: 2 MiB      32: 16 GiB
 *
 * The blocks that FEAT_LPA2 and FEAT_LPA add a level above are not made. 48 bits of iova are the most.
 */
#ifndef PGTBL_FMT_ARM64_H
#define PGTBL_FMT_ARM64_H

#include "pgtbl/instance.h"

#define VALID      ((uint64_t)1 << 0)
#define TABLE      ((uint64_t)1 << 1) /* above level 0 */
#define PAGE       ((uint64_t)1 << 1) /* at level 0 */
#define SH_OUTER   ((uint64_t)2 << 8)
#define SH_INNER   ((uint64_t)3 << 8)
#define AF         ((uint64_t)1 << 10)
#define DBM        ((uint64_t)1 << 51)
#define CONTIGUOUS ((uint64_t)1 << 52)

#define S1_ATTR_MMIO ((uint64_t)1 << 2)
#define S1_AP1       ((uint64_t)1 << 6)
#define S1_AP2       ((uint64_t)1 << 7)
#define S1_NG        ((uint64_t)1 << 11)
#define S1_PXN       ((uint64_t)1 << 53)
#define S1_UXN       ((uint64_t)1 << 54)

#define S2_ATTR_MMIO ((uint64_t)1 << 2)
#define S2_ATTR_RAM  ((uint64_t)15 << 2)
#define S2_READ      ((uint64_t)1 << 6)
#define S2_WRITE     ((uint64_t)1 << 7)
#define S2_XN        ((uint64_t)2 << 53)

/* Software's own, of bits 58:55. */
#define FIRST    ((uint64_t)1 << 55)
#define LAST     ((uint64_t)1 << 56)
#define UNSYNCED ((uint64_t)1 << 57)

#define ARM64_ALL                                                                                \
	.min_levels = 2, .iova_bits = 48, .table_mask = VALID | TABLE,                           \
	.table_match = VALID | TABLE, .table = VALID | TABLE, .page = PAGE, .present = VALID,    \
	.cluster = CONTIGUOUS, .cluster_steps = true, .break_before_make = true, .first = FIRST, \
	.last = LAST, .unsynced = UNSYNCED

#define ARM64_S1                                                                              \
	ARM64_ALL, .leaf = VALID | AF | S1_AP1 | S1_NG | S1_PXN | S1_UXN, .no_write = S1_AP2, \
		   .clean = DBM | S1_AP2, .can_read = VALID, .can_write = DBM | S1_AP2,       \
		   .dirty = S1_AP2, .inverted = S1_AP2

#define ARM64_S2                                                                                 \
	ARM64_ALL, .leaf = VALID | AF | S2_XN, .read = S2_READ, .write = S2_WRITE, .clean = DBM, \
		   .can_read = S2_READ, .can_write = DBM | S2_WRITE, .dirty = S2_WRITE

/* Memory's kind, with and without SH. */
#define ARM64_S1_SH   .ram = SH_INNER, .mmio = SH_OUTER | S1_ATTR_MMIO
#define ARM64_S1_LPA2 .mmio = S1_ATTR_MMIO
#define ARM64_S2_SH   .ram = SH_INNER | S2_ATTR_RAM, .mmio = SH_OUTER | S2_ATTR_MMIO
#define ARM64_S2_LPA2 .ram = S2_ATTR_RAM, .mmio = S2_ATTR_MMIO

#define ARM64_48 .oa_bits = 48, .usual_oa_bits = 48
#define ARM64_52 .oa_bits = 52, .usual_oa_bits = 52, .fold_from = 50, .fold_to = 8

#endif
