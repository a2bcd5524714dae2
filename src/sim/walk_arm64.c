/* SPDX-License-Identifier: MIT */
/*
 * VMSAv8-64 descriptors of the Arm Architecture Reference Manual, DDI 0487, chapter D8 (D8.2 "The
 * translation process", D8.3 "Translation table descriptor formats", D8.4 "Memory access control",
 * D8.5 "Hardware updates", D8.7 "Contiguous"), as SMMUv3 uses them (IHI 0070, 3.4). Lookup level 3 of
 * the manual is 0 here, and so on upwards.
 *
 *          63  62   59 58  55  54 53  52  51  50 49 48 47      g  15 12  11  10 9  8 7  6 5   2  1  0
 *   leaf  | - | PBHA  | soft |XN |XN|Cont|DBM|res| OA | OA       | OA  |nG |AF|SH |AP |attr  |1 T V|
 *          63   62 61   60 59 58      51  50   48 47      g  15 12  11            2         1  0
 *   table |NS |APTable|XNTable|  ignored  | res  | OA     | OA   | ignored                    |1 1|
 *
 * - V 0: invalid, and nothing else counts. T tells a table from a block; at the last level it is 1. A
 *   block where the granule has none is reserved. (The manual calls what is reserved invalid; here it is
 *   told apart, so that who wrote it hears of it.) Blocks, by granule: 4K 1 GiB and 2 MiB, 16K 32 MiB,
 *   64K 512 MiB; with 52 bits of output also 512 GiB, 64 GiB and 4 TiB.
 * - Output address: 48 bits, 47:g. Above 48: granules of 4K and 16K (TCR.DS) take 49:g and, in bits 9:8,
 *   51:50, and then have no SH; 64K (LPA) takes 51:48 from bits 15:12. What an address has no use for
 *   is RES0, and must be here, nT (bit 16 of a block) among it. An address past the output size is a
 *   fault.
 * - Cont: 16 entries (4K), 128 or 32 (16K, pages or blocks of 32 MiB), 32 (64K) are one leaf, aligned to
 *   its size. At other levels it is reserved here.
 * - Stage 1: AP[1] lets unprivileged accesses through, which a device's are; AP[2] makes them reads only.
 *   APTable forbids the same for all below: bit 61 unprivileged accesses, bit 62 writes. AttrIndx 1 is
 *   device memory where MAIR is set as phyr says. NS and GP are RES0.
 *   Stage 2: S2AP[0] allows reads, S2AP[1] writes. MemAttr[3:2] 00 is device memory, xx00 else is reserved.
 *   Bits 11 and 63:59 of a table are RES0.
 * - SH 01 is reserved.
 * - AF 0: an access flag fault, but where hardware updates it (HA). With HD, DBM makes what is read only a
 *   clean leaf: a write clears AP[2] (stage 1) or sets S2AP[1] (stage 2).
 * - Execution is nothing that a device asks for.
 */
#include "core/bits.h"
#include "sim/walk.h"

#define V        ((uint64_t)1 << 0)
#define T        ((uint64_t)1 << 1)
#define NS       ((uint64_t)1 << 5)
#define MAY_READ ((uint64_t)1 << 6) /* stage 1: AP[1], for users; stage 2: S2AP[0] */
#define S1_RO    ((uint64_t)1 << 7) /* AP[2] */
#define S2_W     ((uint64_t)1 << 7) /* S2AP[1] */
#define AF       ((uint64_t)1 << 10)
#define BIT_11   ((uint64_t)1 << 11) /* nG; RES0 in stage 2 */
#define DBM      ((uint64_t)1 << 51)
#define CONT     ((uint64_t)1 << 52)

#define TABLE_NO_USER  ((uint64_t)1 << 61) /* APTable[0] */
#define TABLE_NO_WRITE ((uint64_t)1 << 62) /* APTable[1] */

static uint64_t field(uint64_t raw, unsigned high, unsigned low)
{
	return raw >> low & (~(uint64_t)0 >> (63 - high + low));
}

/* Bits high down to low, set. */
static uint64_t mask(unsigned high, unsigned low)
{
	return field(~(uint64_t)0, high, low) << low;
}

static bool is_stage2(const struct sim_regime *r)
{
	return r->table.format == PHYR_PGTBL_ARM64_S2;
}

/* Whether addresses are wider than 48 bits, and entries laid out for that. */
static bool is_wide(const struct sim_regime *r)
{
	return r->oa_bits > 48;
}

/* Wide, in granules of 4K and 16K: bits 9:8 are address. */
static bool has_ds(const struct sim_regime *r)
{
	return is_wide(r) && r->granule_lg2 < 16;
}

static unsigned most_levels(const struct sim_regime *r)
{
	if (r->granule_lg2 == 16)
		return 3;
	return r->granule_lg2 == 14 && is_stage2(r) ? 3 : 4; /* VTCR.SL0 has no level 0 for it */
}

/* Iova bits, TxSZ; where nobody says, all that there can be, 48 at most. */
static unsigned input_bits(const struct sim_regime *r)
{
	unsigned all = r->granule_lg2 + r->index_lg2 * r->table.levels;

	if (r->table.ia_bits)
		return r->table.ia_bits;
	/* Three levels of 16K are one bit short of 48: two top tables side by side. */
	if (is_stage2(r) && r->granule_lg2 == 14 && r->table.levels == 3)
		all++;
	return (unsigned)min_u64(all, 48);
}

/* Stage 2 may have up to 16 tables side by side at the top (D8.2, concatenated tables). */
static bool shape(struct sim_regime *r)
{
	unsigned top = sim_span_lg2(r, r->table.levels - 1), most = r->index_lg2;

	if (r->granule_lg2 != 12 && r->granule_lg2 != 14 && r->granule_lg2 != 16)
		return false;
	if (r->table.levels < 2 || r->table.levels > most_levels(r))
		return false;
	r->oa_bits = r->table.oa_bits ? r->table.oa_bits : (unsigned)min_u64(r->oa_bits, 48);
	r->ia_bits = input_bits(r);
	r->width = r->ia_bits;
	if (is_stage2(r))
		most += 4;
	if (r->ia_bits > 48 || r->ia_bits < 25 || r->ia_bits <= top || r->ia_bits > top + most)
		return false;
	r->root_lg2 = (unsigned)max_u64(r->ia_bits - top + 3, 6);
	return r->oa_bits >= 32 && r->oa_bits <= 52;
}

/* The address in a descriptor, from bit @low up. */
static uint64_t address(const struct sim_regime *r, uint64_t raw, unsigned low)
{
	if (has_ds(r))
		return (raw & mask(49, low)) | field(raw, 9, 8) << 50;
	if (is_wide(r))
		return (raw & mask(47, low)) | field(raw, 15, 12) << 48;
	return raw & mask(47, low);
}

/* Between bits 12 and 50, what is no part of an address from bit @low up. */
static uint64_t reserved(const struct sim_regime *r, unsigned low)
{
	uint64_t used = mask(has_ds(r) ? 49 : 47, low);

	if (is_wide(r) && !has_ds(r))
		used |= mask(15, 12);
	return mask(50, 12) & ~used;
}

static bool is_past_output(const struct sim_regime *r, uint64_t addr)
{
	return addr >> r->oa_bits;
}

static int decode_table(const struct sim_regime *r, unsigned level, uint64_t raw,
			struct sim_entry *out)
{
	out->addr = address(r, raw, r->granule_lg2);
	out->next = level - 1;
	out->prot = PHYR_READ | PHYR_WRITE;
	if (raw & reserved(r, r->granule_lg2) || is_past_output(r, out->addr))
		return PHYR_FAULT_BAD_ENTRY;
	if (is_stage2(r))
		return raw & mask(63, 59) ? PHYR_FAULT_BAD_ENTRY : 0;
	if (raw & TABLE_NO_WRITE)
		out->prot &= ~(unsigned)PHYR_WRITE;
	if (raw & TABLE_NO_USER)
		out->prot = 0;
	return 0;
}

static bool can_be_block(const struct sim_regime *r, unsigned level)
{
	unsigned highest = r->granule_lg2 == 12 ? 2 : 1;

	return level <= highest + is_wide(r);
}

/* Log2 of how many entries the contiguous hint makes one leaf; 0: it is reserved. */
static unsigned run_lg2(const struct sim_regime *r, unsigned level)
{
	if (r->granule_lg2 == 12)
		return level <= 2 ? 4 : 0;
	if (r->granule_lg2 == 14)
		return level == 0 ? 7 : level == 1 ? 5 : 0;
	return level <= 1 ? 5 : 0;
}

/* Attributes that are reserved, or make the memory a device's. */
static bool take_attributes(const struct sim_regime *r, uint64_t raw, struct sim_entry *out)
{
	uint64_t attr = field(raw, 5, 2);

	if (!has_ds(r) && field(raw, 9, 8) == 1)
		return false;
	if (!is_stage2(r)) {
		out->device = (attr & 7) == 1;
		return !(raw & NS);
	}
	out->device = attr < 4;
	return !(raw & BIT_11) && (attr < 4 || attr & 3);
}

/* What an access may do, and how hardware marks that it did. */
static void take_access(const struct sim_regime *r, uint64_t raw, struct sim_entry *out)
{
	bool updates = r->table.dirty, tracked = updates && raw & DBM;
	bool write = is_stage2(r) ? raw & S2_W : !(raw & S1_RO);
	bool read = raw & MAY_READ;

	out->used = updates ? raw | AF : raw;
	out->written = out->used;
	if (tracked)
		out->written = is_stage2(r) ? out->used | S2_W : out->used & ~S1_RO;
	write = write || tracked;
	if (!is_stage2(r))
		write = write && read;
	out->prot = (read ? PHYR_READ : 0) | (write ? PHYR_WRITE : 0);
	if (!(raw & AF) && !updates)
		out->prot = 0;
}

static int decode_leaf(const struct sim_regime *r, unsigned level, uint64_t index, uint64_t raw,
		       struct sim_entry *out)
{
	unsigned span_lg2 = sim_span_lg2(r, level), run = raw & CONT ? run_lg2(r, level) : 0;
	uint64_t place = index & (((uint64_t)1 << run) - 1);

	out->leaf = true;
	out->lg2 = span_lg2 + run;
	if (raw & reserved(r, span_lg2) || (raw & CONT && !run))
		return PHYR_FAULT_BAD_ENTRY;
	out->addr = address(r, raw, span_lg2);
	if (is_past_output(r, out->addr) || !take_attributes(r, raw, out))
		return PHYR_FAULT_BAD_ENTRY;
	/* Its place in the run is its place in what the leaf maps. */
	if ((out->addr >> span_lg2 & (((uint64_t)1 << run) - 1)) != place)
		return PHYR_FAULT_BAD_ENTRY;
	out->addr -= place << span_lg2;
	take_access(r, raw, out);
	return 0;
}

static int decode(const struct sim_regime *r, unsigned level, uint64_t index, uint64_t raw,
		  struct sim_entry *out)
{
	if (!(raw & V))
		return PHYR_FAULT_NOT_PRESENT;
	*out = (struct sim_entry){.used = raw, .written = raw};
	if (level && raw & T)
		return decode_table(r, level, raw, out);
	if (level ? !can_be_block(r, level) : !(raw & T))
		return PHYR_FAULT_BAD_ENTRY;
	return decode_leaf(r, level, index, raw, out);
}

const struct sim_format phyr_sim_arm64 = {.shape = shape, .decode = decode};
