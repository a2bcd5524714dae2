/* SPDX-License-Identifier: MIT */
/*
 * I/O page tables of the AMD I/O Virtualization Technology (IOMMU) Specification, 48882, rev. 3.x,
 * section 2.2.3 "I/O Page Tables for Host Translations"; its levels 1 to 6 are 0 to 5 here.
 *
 *         63  62 61 60 59 58  52 51          12 11       9 8 7 6 5 4   1  0
 *   PDE  | - |IW|IR|    res     |  next table  |NextLevel |  -  |A|  -  |PR|
 *   PTE  | - |IW|IR|FC|U |  res |  page        | 0 or 7   | - |D|A|  -  |PR|
 *
 * - PR 0: not present, and nothing else in the entry counts.
 * - NextLevel 1 to 6 is the level of the table it leads to, which must be below its own. Where that
 *   skips levels, iova bits that those would have resolved must be 0; else nothing is mapped.
 * - NextLevel 0: a leaf of the level's own size. Address bits inside it are 0. Level 6 has none (the
 *   table of page sizes).
 * - NextLevel 7: a leaf whose size is in the address: the lowest bit that is 0, from bit 12 up, is the
 *   upper half of it: 8 KiB is ...0, 16 KiB is ...01, and so on. It is larger than the level's own
 *   size and smaller than that of the level above, and fills as many entries with the same.
 * - An access may do what IR and IW of all levels allow.
 * - FC: every access snoops; leaves only. U goes into answers to devices that have a TLB, of which
 *   there are none here.
 * - A and D: with HAD in the device table entry, hardware sets A in a leaf that it uses and D in one that
 *   a write goes through.
 * - Iova bits above those of the top level must be 0.
 */
#include "core/bits.h"
#include "sim/walk.h"

#define AMD_PR   ((uint64_t)1 << 0)
#define AMD_A    ((uint64_t)1 << 5)
#define AMD_D    ((uint64_t)1 << 6)
#define AMD_ADDR (((uint64_t)1 << 52) - ((uint64_t)1 << 12))
#define AMD_FC   ((uint64_t)1 << 60)
#define AMD_IR   ((uint64_t)1 << 61)
#define AMD_IW   ((uint64_t)1 << 62)
/* Bits 60:52 of a PDE; 58:52 of a PTE. */
#define AMD_PDE_RES ((uint64_t)0x1ff << 52)
#define AMD_PTE_RES ((uint64_t)0x7f << 52)

#define NEXT_LEVEL_SIZE 7
#define TOP_LEVEL       5

static bool shape(struct sim_regime *r)
{
	r->width = (unsigned)min_u64(12 + 9 * r->table.levels, 64);
	r->ia_bits = r->width;
	return r->granule_lg2 == 12 && r->table.levels >= 1 && r->table.levels <= 6;
}

static int decode_table(const struct sim_regime *r, unsigned level, uint64_t raw,
			struct sim_entry *out)
{
	unsigned next = (raw >> 9 & 7) - 1;

	if (raw & AMD_PDE_RES || next >= level)
		return PHYR_FAULT_BAD_ENTRY;
	out->addr = raw & AMD_ADDR;
	out->next = next;
	return 0;
}

/* The size that is in the address: one bit above its lowest 0, counted from bit 12. */
static unsigned size_in(uint64_t addr)
{
	return 13 + low_bit_u64(~(addr >> 12));
}

static int decode_leaf(const struct sim_regime *r, unsigned level, uint64_t raw,
		       struct sim_entry *out)
{
	bool sized = raw >> 9 & 7;
	unsigned own = 12 + 9 * level;
	uint64_t addr = raw & AMD_ADDR;

	out->leaf = true;
	out->lg2 = sized ? size_in(addr) : own;
	/* The encoding of a size is inside of it. */
	if (sized)
		addr &= ~(((uint64_t)1 << out->lg2) - 1);
	if (raw & AMD_PTE_RES || level == TOP_LEVEL || addr & (((uint64_t)1 << out->lg2) - 1))
		return PHYR_FAULT_BAD_ENTRY;
	if (sized && (out->lg2 <= own || out->lg2 >= own + 9))
		return PHYR_FAULT_BAD_ENTRY;
	out->addr = addr;
	out->snoop = raw & AMD_FC;
	out->used = r->table.dirty ? raw | AMD_A : raw;
	out->written = r->table.dirty ? raw | AMD_A | AMD_D : raw;
	return 0;
}

static int decode(const struct sim_regime *r, unsigned level, uint64_t index, uint64_t raw,
		  struct sim_entry *out)
{
	unsigned next = raw >> 9 & 7;

	if (!(raw & AMD_PR))
		return PHYR_FAULT_NOT_PRESENT;
	if (raw & AMD_ADDR & ~(((uint64_t)1 << r->oa_bits) - 1))
		return PHYR_FAULT_BAD_ENTRY;
	*out = (struct sim_entry){
		.prot = (raw & AMD_IR ? PHYR_READ : 0) | (raw & AMD_IW ? PHYR_WRITE : 0),
		.used = raw,
		.written = raw,
	};
	if (next && next != NEXT_LEVEL_SIZE)
		return decode_table(r, level, raw, out);
	return decode_leaf(r, level, raw, out);
}

const struct sim_format phyr_sim_amdv1 = {.shape = shape, .decode = decode};
