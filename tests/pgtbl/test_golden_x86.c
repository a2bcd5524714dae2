/* SPDX-License-Identifier: MIT */
/*
 * Intel's two formats: first and second stage.
 *
 * First stage, x86_64: Intel SDM vol. 3, 4.5.4, tables 4-15 to 4-20, and VT-d specification, 9.7:
 *   0 P │ 1 R/W │ 2 U/S │ 3 PWT │ 4 PCD │ 5 A │ 6 D │ 7 PS │ 51:12 address │ 58:52 ignored │ 63 XD
 * Requests are a user's. PCD and PWT choose entry 3 of the PAT as it is after reset: uncached.
 *
 * Second stage, vtdss: Intel VT-d specification, 9.8, "Second-Stage Paging Entries":
 *   0 R │ 1 W │ 2 X │ 7 PS │ 8 A │ 9 D │ 11 SNP │ 51:12 address │ 61:52 ignored
 * SNP is in leaves; in an entry that leads to a table the bit is ignored.
 */
#include "pgtbl/golden.h"

static uint64_t table(uint64_t e)
{
	return e & 0x000ffffffffff000;
}

static uint64_t first_stage_bits(unsigned level)
{
	return 0x27;
}

static uint64_t second_stage_bits(unsigned level)
{
	return 0x3;
}

static const struct golden_format x86_64 = {
	.ignored = 0x07f0000000000000,
	.table = table,
	.table_bits = first_stage_bits,
	.table_mask = 0xf8000000000000bf,
};

static const struct golden_format vtdss = {
	.ignored = 0x3ff0000000000000,
	.table = table,
	.table_bits = second_stage_bits,
	.table_mask = 0xc000000000000087,
};

static void init(struct golden *s, const struct golden_format *format,
		 struct phyr_pgtbl_config config)
{
	config.format = format == &x86_64 ? PHYR_PGTBL_X86_64 : PHYR_PGTBL_VTDSS;
	golden_init(s, format, &config, UINT64_C(1) << 50);
}

static const struct golden_leaf first[] = {
	{0x1000, 0x0008123456789000, 0x1000, RW, 0, 0, 0x0008123456789067},
	{0x3000, 0x000ffffffffff000, 0x1000, RO, 0, 0, 0x000ffffffffff025},
	/* Nothing forbids reading. */
	{0x5000, 0x1000, 0x1000, WO, 0, 0, 0x0000000000001067},
	{0x7000, 0xfe000000, 0x1000, RW | PHYR_MMIO, 0, 0, 0x00000000fe00007f},
	{0x9000, 0xfe000000, 0x1000, RO | PHYR_MMIO, 0, 0, 0x00000000fe00003d},
	{MIB(2), 0x123456600000, MIB(2), RW, 1, 0, 0x00001234566000e7},
	{MIB(4), MIB(6), MIB(2), RO, 1, 0, 0x00000000006000a5},
	{MIB(6), 0xfe000000, MIB(2), RW | PHYR_MMIO, 1, 0, 0x00000000fe0000ff},
	{GIB(3), GIB(5), GIB(1), RW, 2, 0, 0x00000001400000e7},
};

static void first_stage(void **state)
{
	static const struct golden_leaf more[] = {
		{TIB(512), 0x1000, 0x1000, RW, 0, 0, 0x0000000000001067},
	};
	struct golden s;

	init(&s, &x86_64, (struct phyr_pgtbl_config){.levels = 4});
	GOLDEN_LEAVES(&s, first);
	golden_fini(&s);
	init(&s, &x86_64, (struct phyr_pgtbl_config){.levels = 5});
	GOLDEN_LEAVES(&s, first);
	GOLDEN_LEAVES(&s, more);
	golden_fini(&s);
}

static void first_stage_dirty(void **state)
{
	static const struct golden_leaf leaves[] = {
		{0x1000, 0x1000, 0x1000, RW, 0, 0, 0x0000000000001027},
		{0x3000, 0x1000, 0x1000, RO, 0, 0, 0x0000000000001025},
		{MIB(2), MIB(6), MIB(2), RW, 1, 0, 0x00000000006000a7},
	};
	struct golden s;

	init(&s, &x86_64, (struct phyr_pgtbl_config){.dirty = true});
	GOLDEN_LEAVES(&s, leaves);
	golden_fini(&s);
}

static const struct golden_leaf second[] = {
	{0x1000, 0x0008123456789000, 0x1000, RW, 0, 0, 0x0008123456789003},
	{0x3000, 0x000ffffffffff000, 0x1000, RO, 0, 0, 0x000ffffffffff001},
	{0x5000, 0x1000, 0x1000, WO, 0, 0, 0x0000000000001002},
	{0x7000, 0xfe000000, 0x1000, RW | PHYR_MMIO, 0, 0, 0x00000000fe000003},
	{MIB(2), 0x123456600000, MIB(2), RW, 1, 0, 0x0000123456600083},
	{MIB(4), MIB(6), MIB(2), WO, 1, 0, 0x0000000000600082},
	{GIB(3), GIB(5), GIB(1), RO, 2, 0, 0x0000000140000081},
};

static void second_stage(void **state)
{
	struct golden s;

	for (unsigned levels = 3; levels <= 5; levels++) {
		init(&s, &vtdss, (struct phyr_pgtbl_config){.levels = levels});
		GOLDEN_LEAVES(&s, second);
		if (levels == 5)
			GOLDEN_LEAVES(&s, ((struct golden_leaf[]){{TIB(300), 0x1000, 0x1000, RW, 0,
								   0, 0x0000000000001003}}));
		golden_fini(&s);
	}
}

static void second_stage_forced(void **state)
{
	static const struct golden_leaf leaves[] = {
		{0x1000, 0x1000, 0x1000, RW, 0, 0, 0x0000000000001803},
		{0x3000, 0x1000, 0x1000, RO, 0, 0, 0x0000000000001801},
		{0x5000, 0x1000, 0x1000, WO, 0, 0, 0x0000000000001802},
		/* A device's registers are not snooped. */
		{0x7000, 0xfe000000, 0x1000, RW | PHYR_MMIO, 0, 0, 0x00000000fe000003},
		{MIB(2), MIB(6), MIB(2), RW, 1, 0, 0x0000000000600883},
		{GIB(3), GIB(5), GIB(1), RO, 2, 0, 0x0000000140000881},
	};
	struct golden s;

	for (unsigned levels = 3; levels <= 5; levels++) {
		init(&s, &vtdss, (struct phyr_pgtbl_config){.levels = levels, .force_snoop = true});
		GOLDEN_LEAVES(&s, leaves);
		golden_fini(&s);
	}
}

/* A and D are the hardware's; written 0. */
static void second_stage_dirty(void **state)
{
	struct golden s;

	init(&s, &vtdss, (struct phyr_pgtbl_config){.dirty = true});
	GOLDEN_LEAVES(&s, second);
	golden_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_stage),        cmocka_unit_test(first_stage_dirty),
		cmocka_unit_test(second_stage),       cmocka_unit_test(second_stage_forced),
		cmocka_unit_test(second_stage_dirty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
