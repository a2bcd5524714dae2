/* SPDX-License-Identifier: MIT */
/*
 * 4-level and 5-level paging entries of the Intel SDM, vol. 3A, section 4.5 (tables 4-14 to 4-20), as
 * VT-d's first stage uses them for requests of user privilege (VT-d rev. 4.x, 3.6 and 9.7).
 *
 *    63  62    52 51    46 45         12  11  8  7   6   5   4   3   2   1   0
 *   |XD| ignored |  res  |   address    | ign |PS | D | A |PCD|PWT|U/S|R/W| P |
 *
 * - P 0: not present, and nothing else in the entry counts.
 * - A user access needs U/S at all levels, a write R/W at all levels as well (4.6).
 * - PS makes a PDPTE or PDE a leaf of 1 GiB or 2 MiB; it is reserved in a PML4E and a PML5E, and is
 *   the PAT bit in a PTE. In a large leaf bit 12 is the PAT bit and the address bits above it are
 *   reserved.
 * - PCD and PWT without PAT choose PAT entry 3, which is UC unless somebody changed it (11.12.4).
 * - Bits 51 up from the physical address width are reserved. XD is not: no-execute is enabled.
 * - Only the lower half of canonical addresses is translated here.
 *
 * A and D: where a table is one whose writes are tracked, hardware sets A in each entry it uses and D
 * in the leaf that a write goes through (4.8). Otherwise the machine leaves both as they are; whoever
 * writes the tables sets them if he wants them set.
 */
#include "sim/walk.h"

#define X86_P    ((uint64_t)1 << 0)
#define X86_RW   ((uint64_t)1 << 1)
#define X86_US   ((uint64_t)1 << 2)
#define X86_PWT  ((uint64_t)1 << 3)
#define X86_PCD  ((uint64_t)1 << 4)
#define X86_A    ((uint64_t)1 << 5)
#define X86_D    ((uint64_t)1 << 6)
#define X86_PS   ((uint64_t)1 << 7)
#define X86_ADDR (((uint64_t)1 << 52) - ((uint64_t)1 << 12))
/* PAT: a PTE has it where large leaves have PS. */
#define X86_PAT(level) ((level) ? (uint64_t)1 << 12 : (uint64_t)1 << 7)

static bool shape(struct sim_regime *r)
{
	r->width = 12 + 9 * r->table.levels;
	r->ia_bits = r->width - 1;
	return r->granule_lg2 == 12 && r->table.levels >= 4 && r->table.levels <= 5;
}

static uint64_t reserved(const struct sim_regime *r, unsigned level, bool leaf)
{
	uint64_t bits = X86_ADDR & ~(((uint64_t)1 << r->oa_bits) - 1);

	if (level >= 3)
		return bits | X86_PS;
	if (leaf && level)
		return bits | (((uint64_t)1 << (12 + 9 * level)) - ((uint64_t)1 << 13));
	return bits;
}

static bool is_uncached(uint64_t raw, unsigned level)
{
	return (raw & (X86_PCD | X86_PWT | X86_PAT(level))) == (X86_PCD | X86_PWT);
}

static int decode(const struct sim_regime *r, unsigned level, uint64_t index, uint64_t raw,
		  struct sim_entry *out)
{
	bool leaf = level == 0 || (level < 3 && raw & X86_PS);
	uint64_t marks = r->table.dirty ? X86_A : 0;

	if (!(raw & X86_P))
		return PHYR_FAULT_NOT_PRESENT;
	if (raw & reserved(r, level, leaf))
		return PHYR_FAULT_BAD_ENTRY;
	*out = (struct sim_entry){
		.leaf = leaf,
		.addr = raw & X86_ADDR & ~(leaf && level ? X86_PAT(level) : 0),
		.lg2 = 12 + 9 * level,
		.next = level - 1,
		.device = leaf && is_uncached(raw, level),
		.used = raw | marks,
		.written = raw | (marks ? X86_A | X86_D : 0),
	};
	if (raw & X86_US)
		out->prot = PHYR_READ | (raw & X86_RW ? PHYR_WRITE : 0);
	return 0;
}

const struct sim_format phyr_sim_x86_64 = {.shape = shape, .decode = decode};
