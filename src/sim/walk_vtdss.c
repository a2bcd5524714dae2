/* SPDX-License-Identifier: MIT */
/*
 * Second-stage paging entries of Intel Virtualization Technology for Directed I/O, rev. 4.x,
 * sections 3.7 and 9.8 (SS-PML4E, SS-PDPE, SS-PDE, SS-PTE).
 *
 *    63  62  61       52 51    46 45         12  11  10  9 8  7  6    3  2 1 0
 *   | - |res|  ignored  |  res  |   address    |SNP| - |D|A|PS| ignored |X|W|R|
 *
 * - R and W both 0: not present, and nothing else in the entry counts. (X counts only where a
 *   request can ask to execute, which this machine's devices can't.)
 * - What all levels together allow is what an access may do (3.7.1).
 * - PS makes an SS-PDPE or SS-PDE a leaf of 1 GiB or 2 MiB; it is reserved in an SS-PML4E and
 *   ignored in an SS-PTE. The address bits inside a large page are reserved.
 * - SNP is there in leaves, since this machine says that it has snoop control; it is reserved in
 *   entries that lead to tables. Memory types and A/D are ignored: neither is enabled.
 * - Bit 62, and 51 up from the physical address width, are reserved.
 */
#include "sim/walk.h"

#include "sim/layout.h"

#define SS_R       ((uint64_t)1 << 0)
#define SS_W       ((uint64_t)1 << 1)
#define SS_PS      ((uint64_t)1 << 7)
#define SS_SNP     ((uint64_t)1 << 11)
#define SS_RES_62  ((uint64_t)1 << 62)
#define SS_RES_HAW (((uint64_t)1 << 52) - ((uint64_t)1 << SIM_OA_BITS))
#define SS_ADDR    (((uint64_t)1 << SIM_OA_BITS) - ((uint64_t)1 << 12))

/* Address bits below the alignment of what a leaf of this level maps: 4 KiB, 2 MiB, 1 GiB. */
static uint64_t leaf_low_bits(unsigned level)
{
	return ((uint64_t)1 << (12 + 9 * level)) - ((uint64_t)1 << 12);
}

static uint64_t reserved(unsigned level, bool leaf)
{
	uint64_t bits = SS_RES_62 | SS_RES_HAW;

	if (level >= 3)
		bits |= SS_PS;
	return bits | (leaf ? leaf_low_bits(level) : SS_SNP);
}

int phyr_sim_decode_vtdss(uint64_t entry, unsigned level, struct sim_entry *out)
{
	bool leaf = level == 0 || (level < 3 && entry & SS_PS);

	if (!(entry & (SS_R | SS_W)))
		return PHYR_FAULT_NOT_PRESENT;
	if (entry & reserved(level, leaf))
		return PHYR_FAULT_BAD_ENTRY;
	out->leaf = leaf;
	out->addr = entry & SS_ADDR;
	out->prot = (entry & SS_R ? PHYR_READ : 0) | (entry & SS_W ? PHYR_WRITE : 0);
	return 0;
}
