/* SPDX-License-Identifier: MIT */
/*
 * 4-level paging entries of the Intel SDM, vol. 3A, section 4.5 (tables 4-15 to 4-20), as VT-d's
 * first stage uses them for requests of user privilege (VT-d rev. 4.x, 3.6 and 9.7).
 *
 *    63  62    52 51    46 45         12  11  8  7   6   5   4   3   2   1   0
 *   |XD| ignored |  res  |   address    | ign |PS | D | A |PCD|PWT|U/S|R/W| P |
 *
 * - P 0: not present, and nothing else in the entry counts.
 * - A user access needs U/S at all levels, a write R/W at all levels as well (4.6).
 * - PS makes a PDPTE or PDE a leaf of 1 GiB or 2 MiB; it is reserved in a PML4E, and is the PAT bit
 *   in a PTE. In a large leaf bit 12 is the PAT bit and the address bits above it are reserved.
 * - Bits 51 up from the physical address width are reserved. XD is not: no-execute is enabled.
 *
 * The machine leaves A and D as they are; whoever writes the tables sets them if he wants them set.
 */
#include "sim/walk.h"

#include "sim/layout.h"

#define X86_P      ((uint64_t)1 << 0)
#define X86_RW     ((uint64_t)1 << 1)
#define X86_US     ((uint64_t)1 << 2)
#define X86_PS     ((uint64_t)1 << 7)
#define X86_RES    (((uint64_t)1 << 52) - ((uint64_t)1 << SIM_OA_BITS))
#define X86_ADDR   (((uint64_t)1 << SIM_OA_BITS) - ((uint64_t)1 << 12))
#define X86_BIT_13 ((uint64_t)1 << 13)

static uint64_t reserved(unsigned level, bool leaf)
{
	if (level == 3)
		return X86_RES | X86_PS;
	if (leaf && level)
		return X86_RES | (((uint64_t)1 << (12 + 9 * level)) - X86_BIT_13);
	return X86_RES;
}

static uint64_t address(uint64_t entry, unsigned level, bool leaf)
{
	return entry & X86_ADDR & (leaf ? ~(uint64_t)0 << (12 + 9 * level) : ~(uint64_t)0);
}

int phyr_sim_decode_x86(uint64_t entry, unsigned level, struct sim_entry *out)
{
	bool leaf = level == 0 || (level < 3 && entry & X86_PS);

	if (!(entry & X86_P))
		return PHYR_FAULT_NOT_PRESENT;
	if (entry & reserved(level, leaf))
		return PHYR_FAULT_BAD_ENTRY;
	out->leaf = leaf;
	out->addr = address(entry, level, leaf);
	out->prot = 0;
	if (entry & X86_US)
		out->prot = PHYR_READ | (entry & X86_RW ? PHYR_WRITE : 0);
	return 0;
}
