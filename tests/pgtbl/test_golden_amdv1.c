/* SPDX-License-Identifier: MIT */
/*
 * AMD entries. AMD I/O Virtualization Technology (IOMMU) Specification, 48882, 2.2.3 "I/O Page Tables",
 * figures of the PDE and the PTE:
 *
 *   63 ignored │ 62 IW │ 61 IR │ 60 FC │ 59 U │ 58:52 reserved │ 51:12 address │ 11:9 Next Level │
 *   8:7 ignored │ 6 D │ 5 A │ 4:1 ignored │ 0 PR
 *
 * Next Level of a table's entry is the level of the next table, 1 to 6. 0: a page of the entry's own size
 * (4K, 2M, 1G, 512G, 256T). 7: its size is coded in the address: from bit 12 upwards ones, then a 0;
 * 2^(n + 1) bytes, if that 0 is bit n (table "Example Page Size Encodings"). All entries that it covers are
 * the same.
 */
#include "pgtbl/golden.h"

static uint64_t table(uint64_t e)
{
	return e & 0x000ffffffffff000;
}

/* IW, IR, PR, and the level below; the manual counts levels from 1. */
static uint64_t table_bits(unsigned level)
{
	static const uint64_t bits[] = {
		0,
		0x6000000000000201,
		0x6000000000000401,
		0x6000000000000601,
		0x6000000000000801,
		0x6000000000000a01,
	};

	return bits[level];
}

static const struct golden_format amdv1 = {
	.ignored = 0x800000000000019e,
	.table = table,
	.table_bits = table_bits,
	.table_mask = 0x7ff0000000000e61,
};

static void init(struct golden *s, struct phyr_pgtbl_config config)
{
	config.format = PHYR_PGTBL_AMDV1;
	golden_init(s, &amdv1, &config, UINT64_C(1) << 50);
}

static const struct golden_leaf pages[] = {
	{0x1000, 0x0008123456789000, 0x1000, RW, 0, 0, 0x6008123456789001},
	{0x3000, 0x000ffffffffff000, 0x1000, RO, 0, 0, 0x200ffffffffff001},
	{0x5000, 0x1000, 0x1000, WO, 0, 0, 0x4000000000001001},
	{0x7000, 0xfe000000, 0x1000, RW | PHYR_MMIO, 0, 0, 0x60000000fe000001},
};

/* Sizes of level 1: 8K to 1M. */
static const struct golden_leaf sized[] = {
	{0x12000, 0x123456002000, 0x2000, RW, 0, 0, 0x6000123456002e01},
	{0x12000, 0, 0, 0, 0, 0x1000, 0x6000123456002e01},
	{0x14000, 0x4000, 0x4000, RO, 0, 0x3000, 0x2000000000005e01},
	{0x18000, 0x8000, 0x8000, WO, 0, 0x4000, 0x400000000000be01},
	{0x20000, 0x10000, 0x10000, RW, 0, 0xf000, 0x6000000000017e01},
	{0x40000, 0x20000, 0x20000, RW, 0, 0, 0x600000000002fe01},
	{0x80000, 0x40000, 0x40000, RW, 0, 0x3f000, 0x600000000005fe01},
	{0xc0000, 0x1c0000, 0x40000, RW, 0, 0, 0x60000000001dfe01},
	{0x180000, 0x80000, 0x80000, RW, 0, 0, 0x60000000000bfe01},
};

/* Level 2: 2M by itself, 4M to 512M coded. */
static const struct golden_leaf sized_2[] = {
	{MIB(2), 0x123456600000, MIB(2), RW, 1, 0, 0x6000123456600001},
	{MIB(4), 0x123456400000, MIB(4), RW, 1, 0, 0x60001234565ffe01},
	{MIB(4), 0, 0, 0, 1, MIB(2), 0x60001234565ffe01},
	{MIB(8), MIB(8), MIB(8), RO, 1, MIB(6), 0x2000000000bffe01},
	{MIB(512), GIB(1) + MIB(512), MIB(512), RW, 1, MIB(510), 0x600000006ffffe01},
	{MIB(1024) + MIB(1), MIB(3), MIB(1), RW, 0, 0xff000, 0x600000000037fe01},
};

static void sizes_of_level_1(void **state)
{
	struct golden s;

	init(&s, (struct phyr_pgtbl_config){.levels = 1});
	assert_int_equal(phyr_pgtbl_last(s.pt), 0x1fffff);
	GOLDEN_LEAVES(&s, pages);
	GOLDEN_LEAVES(&s, sized);
	golden_fini(&s);
}

static void sizes_of_level_2(void **state)
{
	static const struct golden_leaf leaves[] = {
		{MIB(2), 0x123456600000, MIB(2), RW, 1, 0, 0x6000123456600001},
		{MIB(4), 0x123456400000, MIB(4), RO, 1, MIB(2), 0x20001234565ffe01},
	};
	struct golden s;

	init(&s, (struct phyr_pgtbl_config){.levels = 2});
	assert_int_equal(phyr_pgtbl_last(s.pt), 0x3fffffff);
	GOLDEN_LEAVES(&s, pages);
	GOLDEN_LEAVES(&s, sized);
	GOLDEN_LEAVES(&s, leaves);
	golden_fini(&s);
}

/* 1G by itself, 2G to 256G coded. */
static const struct golden_leaf sized_3[] = {
	{GIB(3), GIB(5), GIB(1), RW, 2, 0, 0x6000000140000001},
	{GIB(4), GIB(6), GIB(2), RW, 2, GIB(1), 0x60000001bffffe01},
	{GIB(256), GIB(256), GIB(256), RO, 2, GIB(255), 0x2000005ffffffe01},
};

static void three_to_five_levels(void **state)
{
	static const uint64_t last[] = {0x7fffffffff, 0xffffffffffff, 0x1ffffffffffffff};
	struct golden s;

	for (unsigned levels = 3; levels <= 5; levels++) {
		init(&s, (struct phyr_pgtbl_config){.levels = levels});
		assert_int_equal(phyr_pgtbl_last(s.pt), last[levels - 3]);
		GOLDEN_LEAVES(&s, pages);
		GOLDEN_LEAVES(&s, sized);
		GOLDEN_LEAVES(&s, sized_2);
		GOLDEN_LEAVES(&s, sized_3);
		golden_fini(&s);
	}
}

/* Level 4: 512G, 1T coded. Level 5: 256T. Up to the last page of 64 bits. */
static void six_levels(void **state)
{
	static const struct golden_leaf leaves[] = {
		{GIB(512), GIB(1024), GIB(512), RW, 3, 0, 0x6000010000000001},
		{TIB(2), TIB(3), TIB(1), RW, 3, GIB(512), 0x6000037ffffffe01},
		{TIB(256), TIB(512), TIB(256), RW, 4, 0, 0x6002000000000001},
		{0xfffffffffffff000, 0x5000, 0x1000, RO, 0, 0, 0x2000000000005001},
		{0x8000000000000000, 0x5000, 0x1000, RO, 0, 0, 0x2000000000005001},
	};
	struct golden s;

	init(&s, (struct phyr_pgtbl_config){.levels = 6});
	assert_int_equal(phyr_pgtbl_last(s.pt), 0xffffffffffffffff);
	GOLDEN_LEAVES(&s, pages);
	GOLDEN_LEAVES(&s, sized_3);
	GOLDEN_LEAVES(&s, leaves);
	golden_fini(&s);
}

/* FC on memory; a device's registers are not snooped. */
static void forced(void **state)
{
	static const struct golden_leaf leaves[] = {
		{0x1000, 0x1000, 0x1000, RW, 0, 0, 0x7000000000001001},
		{0x2000, 0x1000, 0x1000, RO, 0, 0, 0x3000000000001001},
		{0x3000, 0x1000, 0x1000, WO, 0, 0, 0x5000000000001001},
		{0x4000, 0xfe000000, 0x1000, RW | PHYR_MMIO, 0, 0, 0x60000000fe000001},
		{0x10000, 0x10000, 0x10000, RW, 0, 0, 0x7000000000017e01},
		{MIB(2), MIB(6), MIB(2), RW, 1, 0, 0x7000000000600001},
	};
	struct golden s;

	init(&s, (struct phyr_pgtbl_config){.force_snoop = true});
	GOLDEN_LEAVES(&s, leaves);
	golden_fini(&s);
}

/* A and D are the hardware's; written 0. */
static void dirty(void **state)
{
	struct golden s;

	init(&s, (struct phyr_pgtbl_config){.dirty = true});
	GOLDEN_LEAVES(&s, pages);
	GOLDEN_LEAVES(&s, sized);
	golden_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_of_level_1),
		cmocka_unit_test(sizes_of_level_2),
		cmocka_unit_test(three_to_five_levels),
		cmocka_unit_test(six_levels),
		cmocka_unit_test(forced),
		cmocka_unit_test(dirty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
