/* SPDX-License-Identifier: MIT */
/*
 * Second-stage paging entries of Intel Virtualization Technology for Directed I/O, rev. 4.x,
 * sections 3.7 and 9.8 (SS-PML5E, SS-PML4E, SS-PDPE, SS-PDE, SS-PTE); 3, 4 or 5 levels (9.3, AGAW).
 *
 *    63  62  61       52 51    46 45         12  11  10  9 8  7  6    3  2 1 0
 *   | - |res|  ignored  |  res  |   address    |SNP| - |D|A|PS| ignored |X|W|R|
 *
 * - R and W both 0: not present, and nothing else in the entry counts. (X counts only where a
 *   request can ask to execute, which this machine's devices can't.)
 * - What all levels together allow is what an access may do (3.7.1).
 * - PS makes an SS-PDPE or SS-PDE a leaf of 1 GiB or 2 MiB; it is reserved above, and ignored in an
 *   SS-PTE. The address bits inside a large page are reserved.
 * - SNP is there in leaves, since this machine says that it has snoop control; it is reserved in
 *   entries that lead to tables. Memory types are ignored: they are not enabled.
 * - A and D are ignored unless second-stage access/dirty is enabled (SSADE, 9.6): then hardware sets
 *   A in each entry that it uses, and D in the leaf that a write goes through (3.7.2).
 * - Bit 62, and 51 up from the physical address width, are reserved.
 */
#include "sim/walk.h"

#define SS_R      ((uint64_t)1 << 0)
#define SS_W      ((uint64_t)1 << 1)
#define SS_PS     ((uint64_t)1 << 7)
#define SS_A      ((uint64_t)1 << 8)
#define SS_D      ((uint64_t)1 << 9)
#define SS_SNP    ((uint64_t)1 << 11)
#define SS_RES_62 ((uint64_t)1 << 62)
#define SS_ADDR   (((uint64_t)1 << 52) - ((uint64_t)1 << 12))

static bool shape(struct sim_regime *r)
{
	r->width = 12 + 9 * r->table.levels;
	r->ia_bits = r->width;
	return r->granule_lg2 == 12 && r->table.levels >= 3 && r->table.levels <= 5;
}

static uint64_t reserved(const struct sim_regime *r, unsigned level, bool leaf)
{
	uint64_t bits = SS_RES_62 | (SS_ADDR & ~(((uint64_t)1 << r->oa_bits) - 1));

	if (level >= 3)
		bits |= SS_PS;
	/* Inside of a leaf of this level: 4 KiB, 2 MiB, 1 GiB. */
	return bits | (leaf ? ((uint64_t)1 << (12 + 9 * level)) - ((uint64_t)1 << 12) : SS_SNP);
}

static int decode(const struct sim_regime *r, unsigned level, uint64_t index, uint64_t raw,
		  struct sim_entry *out)
{
	bool leaf = level == 0 || (level < 3 && raw & SS_PS);

	if (!(raw & (SS_R | SS_W)))
		return PHYR_FAULT_NOT_PRESENT;
	if (raw & reserved(r, level, leaf))
		return PHYR_FAULT_BAD_ENTRY;
	*out = (struct sim_entry){
		.leaf = leaf,
		.addr = raw & SS_ADDR,
		.lg2 = 12 + 9 * level,
		.next = level - 1,
		.prot = (raw & SS_R ? PHYR_READ : 0) | (raw & SS_W ? PHYR_WRITE : 0),
		.snoop = leaf && raw & SS_SNP,
		.used = r->table.dirty ? raw | SS_A : raw,
		.written = r->table.dirty ? raw | SS_A | SS_D : raw,
	};
	return 0;
}

const struct sim_format phyr_sim_vtdss = {.shape = shape, .decode = decode};
