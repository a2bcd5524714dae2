/* SPDX-License-Identifier: MIT */
/*
 * Arm entries. Arm ARM DDI 0487, D8.3 "Translation table descriptor formats", VMSAv8-64:
 *
 *   1:0  11 table, or page at level 3; 01 block. 58:55 are software's.
 *   stage 1: 4:2 AttrIndx │ 7:6 AP[2:1] │ 9:8 SH │ 10 AF │ 11 nG │ 51 DBM │ 52 Contiguous │ 53 PXN │ 54 UXN
 *   stage 2: 5:2 MemAttr │ 7:6 S2AP │ 9:8 SH │ 10 AF │ 51 DBM │ 52 Contiguous │ 54:53 XN
 *
 * AP[1] = 1 as devices' requests are unprivileged, AP[2] = 1 is read-only. S2AP: bit 6 read, bit 7 write.
 * SH 11 is inner shareable; device memory has no use for it. Nothing is executed: PXN and UXN; XN = 10.
 * nG = 1: a global entry would serve each ASID of a VMID (SMMUv3, IHI 0070, TLB tagging), so each domain.
 * AttrIndx 0 is normal memory and 1 Device-nGnRE by what MAIR is to hold; MemAttr 1111 and 0001 are those.
 *
 * Output address: 47:12, 47:14, 47:16 by granule; with 64K 51:48 in bits 15:12; with TCR.DS (LPA2) 49:12 or
 * 49:14, and 51:50 in bits 9:8, where SH was. Contiguous: 16 entries; of 16K 128 pages or 32 blocks; of 64K
 * 32; each has its own address. Hardware's dirty state: DBM, and writable-clean is AP[2] = 1, S2AP[1] = 0.
 *
 * The manual counts levels from the top; here 0 is that of pages.
 */
#include "pgtbl/golden.h"

static uint64_t table_4k(uint64_t e)
{
	return e & 0x0000fffffffff000;
}

static uint64_t table_16k(uint64_t e)
{
	return e & 0x0000ffffffffc000;
}

static uint64_t table_64k(uint64_t e)
{
	return (e & 0x0000ffffffff0000) | (e & 0xf000) << 36;
}

static uint64_t table_4k_lpa2(uint64_t e)
{
	return (e & 0x0003fffffffff000) | (e & 0x300) << 42;
}

static uint64_t table_16k_lpa2(uint64_t e)
{
	return (e & 0x0003ffffffffc000) | (e & 0x300) << 42;
}

static uint64_t table_bits(unsigned level)
{
	return 0x3;
}

#define FORMAT(to_table, mask)                                 \
	{                                                      \
		0x0780000000000000, to_table, table_bits, mask \
	}
/* NSTable, APTable, UXNTable, PXNTable, what must be 0 of the address, and the type. */
static const struct golden_format format_4k = FORMAT(table_4k, 0xf807000000000003);
static const struct golden_format format_16k = FORMAT(table_16k, 0xf807000000003003);
static const struct golden_format format_64k = FORMAT(table_64k, 0xf807000000000003);
static const struct golden_format format_4k_lpa2 = FORMAT(table_4k_lpa2, 0xf804000000000003);
static const struct golden_format format_16k_lpa2 = FORMAT(table_16k_lpa2, 0xf804000000003003);

static void run(unsigned stage, const struct golden_format *format,
		const struct phyr_pgtbl_config *base, const struct golden_leaf *leaves, unsigned nr)
{
	struct phyr_pgtbl_config config = *base;
	/* High bits of the tables' own addresses, where the layout has them. */
	uint64_t delta = config.oa_bits > 48 ? 0x000d000000000000 : 0;
	struct golden s;

	config.format = stage == 1 ? PHYR_PGTBL_ARM64_S1 : PHYR_PGTBL_ARM64_S2;
	golden_init(&s, format, &config, delta);
	golden_leaves(&s, leaves, nr);
	golden_fini(&s);
}

#define RUN(stage, format, leaves, ...)                                                            \
	run(stage, format, &(const struct phyr_pgtbl_config){.size = sizeof(size_t), __VA_ARGS__}, \
	    leaves, (unsigned)(sizeof(leaves) / sizeof((leaves)[0])))

static void stage_1_4k(void **state)
{
	static const struct golden_leaf leaves[] = {
		{0x1000, 0x123456789000, 0x1000, RW, 0, 0, 0x0060123456789f43},
		{0x3000, 0xfffffffff000, 0x1000, RO, 0, 0, 0x0060ffffffffffc3},
		/* Nothing forbids reading. */
		{0x5000, 0x1000, 0x1000, WO, 0, 0, 0x0060000000001f43},
		/* 64K, 2M, 32M, 1G, 16G */
		{0x10000, 0x12340000, 0x10000, RW, 0, 0, 0x0070000012340f43},
		{0x10000, 0, 0, 0, 0, 0xf000, 0x007000001234ff43},
		{0x20000, 0x80000, 0xf000, RO, 0, 0xe000, 0x006000000008efc3},
		{MIB(2), 0x123456600000, MIB(2), RW, 1, 0, 0x0060123456600f41},
		{MIB(32), MIB(64), MIB(32), RO, 1, MIB(30), 0x0070000005e00fc1},
		{GIB(1), GIB(5), GIB(1), RW, 2, 0, 0x0060000140000f41},
		{GIB(16), GIB(32), GIB(16), RW, 2, GIB(3), 0x00700008c0000f41},
	};

	RUN(1, &format_4k, leaves, .levels = 4);
	RUN(1, &format_4k, leaves, .levels = 3);
	/* What the hardware does not take is not used. */
	RUN(1, &format_4k,
	    ((struct golden_leaf[]){
		    {0x10000, 0x10000, 0x10000, RW, 0, 0x3000, 0x0060000000013f43}}),
	    .page_sizes = 0x40201000);
}

/* SH is of no account for device memory: inner shareable or not is the same to it. */
static void device_memory(void **state)
{
	static struct golden_format sh_masked[] = {FORMAT(table_4k, 0xf807000000000003),
						   FORMAT(table_16k, 0xf807000000003003),
						   FORMAT(table_64k, 0xf807000000000003)};
	static const struct golden_leaf s1[] = {
		{0x10000, 0xfe010000, 0x10000, RW | PHYR_MMIO, 0, 0, 0x00600000fe010c47},
		{0x30000, 0xfe030000, 0x10000, RO | PHYR_MMIO, 0, 0, 0x00600000fe030cc7},
	};
	static const struct golden_leaf s2[] = {
		{0x10000, 0xfe010000, 0x10000, RW | PHYR_MMIO, 0, 0, 0x00400000fe0104c7},
		{0x30000, 0xfe030000, 0x10000, RO | PHYR_MMIO, 0, 0, 0x00400000fe030447},
	};

	for (unsigned i = 0; i < 3; i++) {
		uint64_t sizes[] = {0x1000, 0x4000, 0x10000};

		sh_masked[i].ignored |= 0x300;
		RUN(1, &sh_masked[i], s1, .granule_lg2 = 12 + 2 * i, .page_sizes = sizes[i]);
		RUN(2, &sh_masked[i], s2, .granule_lg2 = 12 + 2 * i, .page_sizes = sizes[i]);
	}
}

static void stage_1_16k(void **state)
{
	static const struct golden_leaf leaves[] = {
		{0x4000, 0x123456788000, 0x4000, RW, 0, 0, 0x0060123456788f43},
		{0xc000, 0xffffffffc000, 0x4000, RO, 0, 0, 0x0060ffffffffcfc3},
		/* 2M, 32M, 1G */
		{MIB(2), MIB(6), MIB(2), RW, 0, 0x4000, 0x0070000000604f43},
		{MIB(2), 0, 0, 0, 0, 0x1fc000, 0x00700000007fcf43},
		{MIB(32), MIB(96), MIB(32), RW, 1, 0, 0x0060000006000f41},
		{GIB(1), GIB(3), GIB(1), RO, 1, MIB(64), 0x00700000c4000fc1},
	};

	RUN(1, &format_16k, leaves, .granule_lg2 = 14, .levels = 3);
	RUN(1, &format_16k, leaves, .granule_lg2 = 14, .levels = 4);
}

static void stage_1_64k(void **state)
{
	static const struct golden_leaf leaves[] = {
		{0x10000, 0x123456780000, 0x10000, RW, 0, 0, 0x0060123456780f43},
		{0x30000, 0xffffffff0000, 0x10000, RO, 0, 0, 0x0060ffffffff0fc3},
		/* 2M, 512M, 16G */
		{MIB(2), MIB(6), MIB(2), RW, 0, 0x1f0000, 0x00700000007f0f43},
		{MIB(512), GIB(1), MIB(512), RW, 1, 0, 0x0060000040000f41},
		{GIB(16), GIB(32), GIB(16), RO, 1, GIB(1), 0x0070000840000fc1},
	};
	/* 51:48 in bits 15:12 */
	static const struct golden_leaf high[] = {
		{0x10000, 0x000a123456780000, 0x10000, RW, 0, 0, 0x006012345678af43},
		{MIB(2), 0x000f000000600000, MIB(2), RW, 0, 0x10000, 0x007000000061ff43},
		{MIB(512), 0x0001000040000000, MIB(512), RW, 1, 0, 0x0060000040001f41},
	};

	RUN(1, &format_64k, leaves, .granule_lg2 = 16, .levels = 3);
	RUN(1, &format_64k, leaves, .granule_lg2 = 16, .levels = 2);
	RUN(1, &format_64k, leaves, .granule_lg2 = 16, .oa_bits = 52);
	RUN(1, &format_64k, high, .granule_lg2 = 16, .oa_bits = 52);
}

/* 51:50 in bits 9:8; shareability comes from TCR. */
static void stage_1_lpa2(void **state)
{
	static const struct golden_leaf leaves_4k[] = {
		{0x1000, 0x000d123456789000, 0x1000, RW, 0, 0, 0x0061123456789f43},
		{0x3000, 0x0002fffffffff000, 0x1000, RO, 0, 0, 0x0062fffffffffcc3},
		{0x10000, 0x000c000012340000, 0x10000, RW, 0, 0x1000, 0x0070000012341f43},
		{MIB(2), 0x0008123456600000, MIB(2), RW, 1, 0, 0x0060123456600e41},
		{GIB(1), 0x0004000140000000, GIB(1), RW, 2, 0, 0x0060000140000d41},
		/* 16G at most: LPA2's own blocks of 512G, at the level above, are not made. */
		{GIB(512), 0x0004008000000000, GIB(512), RW, 2, GIB(17), 0x0070008440000d41},
	};
	static const struct golden_leaf leaves_16k[] = {
		{0x4000, 0x000d123456788000, 0x4000, RW, 0, 0, 0x0061123456788f43},
		{MIB(2), 0x000c000000600000, MIB(2), RW, 0, 0x4000, 0x0070000000604f43},
		{MIB(32), 0x0008000006000000, MIB(32), RO, 1, 0, 0x0060000006000ec1},
	};

	RUN(1, &format_4k_lpa2, leaves_4k, .oa_bits = 52);
	RUN(1, &format_16k_lpa2, leaves_16k, .granule_lg2 = 14, .oa_bits = 52);
}

static void stage_2(void **state)
{
	static const struct golden_leaf leaves_4k[] = {
		{0x1000, 0x123456789000, 0x1000, RW, 0, 0, 0x00401234567897ff},
		{0x3000, 0xfffffffff000, 0x1000, RO, 0, 0, 0x0040fffffffff77f},
		{0x5000, 0x1000, 0x1000, WO, 0, 0, 0x00400000000017bf},
		{0x10000, 0x12340000, 0x10000, RW, 0, 0xf000, 0x005000001234f7ff},
		{MIB(2), MIB(6), MIB(2), WO, 1, 0, 0x00400000006007bd},
		{GIB(1), GIB(5), GIB(1), RO, 2, 0, 0x004000014000077d},
	};
	/* Two tables side by side at the top. */
	static const struct golden_leaf leaves_16k[] = {
		{0x4000, 0x123456788000, 0x4000, RW, 0, 0, 0x00401234567887ff},
		{TIB(128) + MIB(2), MIB(6), MIB(2), RW, 0, 0x4000, 0x00500000006047ff},
		{TIB(192), MIB(96), MIB(32), RO, 1, 0, 0x004000000600077d},
	};
	static const struct golden_leaf leaves_64k[] = {
		{0x10000, 0x123456780000, 0x10000, WO, 0, 0, 0x00401234567807bf},
		{MIB(2), MIB(6), MIB(2), RW, 0, 0x1f0000, 0x00500000007f07ff},
		{MIB(512), GIB(1), MIB(512), RW, 1, 0, 0x00400000400007fd},
	};
	static const struct golden_leaf lpa2[] = {
		{0x1000, 0x000d123456789000, 0x1000, RW, 0, 0, 0x00411234567897ff},
		{0x3000, 0x0002fffffffff000, 0x1000, RO, 0, 0, 0x0042fffffffff47f},
	};
	static const struct golden_leaf lpa[] = {
		{0x10000, 0x000a123456780000, 0x10000, RW, 0, 0, 0x004012345678a7ff},
	};

	RUN(2, &format_4k, leaves_4k, .levels = 4);
	RUN(2, &format_4k, leaves_4k, .levels = 3);
	RUN(2, &format_16k, leaves_16k, .granule_lg2 = 14);
	RUN(2, &format_64k, leaves_64k, .granule_lg2 = 16);
	RUN(2, &format_4k_lpa2, lpa2, .oa_bits = 52);
	RUN(2, &format_64k, lpa, .granule_lg2 = 16, .oa_bits = 52);
}

static void dirty(void **state)
{
	static const struct golden_leaf s1[] = {
		{0x1000, 0x1000, 0x1000, RW, 0, 0, 0x0068000000001fc3},
		{0x3000, 0x1000, 0x1000, RO, 0, 0, 0x0060000000001fc3},
		{0x10000, 0x20000, 0x10000, RW, 0, 0x1000, 0x0078000000021fc3},
		{MIB(2), MIB(6), MIB(2), RW, 1, 0, 0x0068000000600fc1},
	};
	static const struct golden_leaf s2[] = {
		{0x1000, 0x1000, 0x1000, RW, 0, 0, 0x004800000000177f},
		{0x3000, 0x1000, 0x1000, RO, 0, 0, 0x004000000000177f},
		{MIB(2), MIB(6), MIB(2), RW, 1, 0, 0x004800000060077d},
	};

	RUN(1, &format_4k, s1, .dirty = true);
	RUN(2, &format_4k, s2, .dirty = true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stage_1_4k),   cmocka_unit_test(device_memory),
		cmocka_unit_test(stage_1_16k),  cmocka_unit_test(stage_1_64k),
		cmocka_unit_test(stage_1_lpa2), cmocka_unit_test(stage_2),
		cmocka_unit_test(dirty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
