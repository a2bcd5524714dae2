/* SPDX-License-Identifier: MIT */
/*
 * Sv39, Sv48 and Sv57 of the RISC-V Instruction Set Manual, vol. II (Privileged Architecture), chapter
 * "Supervisor-Level ISA", sections "Sv39" to "Sv57" and the chapters of Svnapot and Svpbmt, as the
 * first stage of the RISC-V IOMMU Architecture Specification uses them (section "Process to translate
 * an IOVA"). A request without a process id is one of user privilege.
 *
 *    63 62  61 60  54 53        10 9 8 7 6 5 4 3 2 1 0
 *   |N |PBMT  |  res |    PPN     |RSW|D|A|G|U|X|W|R|V|
 *
 * - V 0: not present, and nothing else in the entry counts.
 * - R, W and X all 0: it leads to a table; D, A, U, PBMT and N are reserved there. Not at level 0.
 * - W without R is reserved. So are bits 60:54, and PBMT 3; PBMT 2 is I/O.
 * - A leaf of a level above 0 whose PPN is not aligned to it is misaligned: a page fault.
 * - N at level 0 with PPN[3:0] = 1000: 16 such entries are one leaf of 64 KiB. Any other use is
 *   reserved.
 * - A device's access needs U; what it may do is R and W of the leaf alone.
 * - A 0, or D 0 and a write: a page fault, but where hardware updates them (SADE of the device context's
 *   translation control): then it sets A, and D on writes.
 * - Iova bits above the top level's must equal its highest bit; only the lower half is translated here.
 * - PPN may name 56 bits of address, whatever the machine has: what is not there is not memory.
 */
#include "sim/walk.h"

#define RV_V    ((uint64_t)1 << 0)
#define RV_R    ((uint64_t)1 << 1)
#define RV_W    ((uint64_t)1 << 2)
#define RV_X    ((uint64_t)1 << 3)
#define RV_U    ((uint64_t)1 << 4)
#define RV_A    ((uint64_t)1 << 6)
#define RV_D    ((uint64_t)1 << 7)
#define RV_RES  ((uint64_t)0x7f << 54)
#define RV_PBMT ((uint64_t)3 << 61)
#define RV_IO   ((uint64_t)2 << 61)
#define RV_N    ((uint64_t)1 << 63)

/* PPN, bits 53:10, as an address. */
static uint64_t address(uint64_t raw)
{
	return (raw >> 10 & (((uint64_t)1 << 44) - 1)) << 12;
}

static bool shape(struct sim_regime *r)
{
	r->width = 12 + 9 * r->table.levels;
	r->ia_bits = r->width - 1;
	return r->granule_lg2 == 12 && r->table.levels >= 3 && r->table.levels <= 5;
}

static int decode_table(unsigned level, uint64_t raw, struct sim_entry *out)
{
	if (!level || raw & (RV_D | RV_A | RV_U | RV_PBMT | RV_N))
		return PHYR_FAULT_BAD_ENTRY;
	out->addr = address(raw);
	out->next = level - 1;
	out->prot = PHYR_READ | PHYR_WRITE;
	return 0;
}

/* What an access may do, by R, W and U; and by A and D, which hardware may set or want set. */
static unsigned prot_of(const struct sim_regime *r, uint64_t raw)
{
	unsigned prot = (raw & RV_R ? PHYR_READ : 0) | (raw & RV_W ? PHYR_WRITE : 0);

	if (!(raw & RV_U) || (!(raw & RV_A) && !r->table.dirty))
		return 0;
	if (!(raw & RV_D) && !r->table.dirty)
		prot &= ~(unsigned)PHYR_WRITE;
	return prot;
}

static int decode_leaf(const struct sim_regime *r, unsigned level, uint64_t raw,
		       struct sim_entry *out)
{
	uint64_t addr = address(raw);
	unsigned lg2 = 12 + 9 * level;

	if (raw & RV_N) {
		if (level || (raw >> 10 & 15) != 8)
			return PHYR_FAULT_BAD_ENTRY;
		lg2 = 16;
		addr &= ~(((uint64_t)1 << lg2) - 1);
	}
	if (addr & (((uint64_t)1 << lg2) - 1) || (raw & RV_PBMT) == RV_PBMT)
		return PHYR_FAULT_BAD_ENTRY;
	*out = (struct sim_entry){
		.leaf = true,
		.addr = addr,
		.lg2 = lg2,
		.prot = prot_of(r, raw),
		.device = (raw & RV_PBMT) == RV_IO,
		.used = r->table.dirty ? raw | RV_A : raw,
		.written = r->table.dirty ? raw | RV_A | RV_D : raw,
	};
	return 0;
}

static int decode(const struct sim_regime *r, unsigned level, uint64_t index, uint64_t raw,
		  struct sim_entry *out)
{
	if (!(raw & RV_V))
		return PHYR_FAULT_NOT_PRESENT;
	if (raw & RV_RES || (raw & (RV_R | RV_W)) == RV_W)
		return PHYR_FAULT_BAD_ENTRY;
	*out = (struct sim_entry){.used = raw, .written = raw};
	return raw & (RV_R | RV_W | RV_X) ? decode_leaf(r, level, raw, out)
					  : decode_table(level, raw, out);
}

const struct sim_format phyr_sim_riscv64 = {.shape = shape, .decode = decode};
