/* SPDX-License-Identifier: MIT */
/*
 * RISC-V entries. The RISC-V Instruction Set Manual, volume II, "Sv39: Page-Based 39-bit Virtual-Memory
 * System", figure "Sv39 page table entry" (Sv48 and Sv57 the same):
 *
 *   63 N │ 62:61 PBMT │ 60:54 reserved │ 53:10 PPN │ 9:8 RSW │ 7 D │ 6 A │ 5 G │ 4 U │ 3 X │ 2 W │ 1 R │ 0 V
 *
 * R = W = X = 0 leads to a table, and then D, A and U are reserved: 0. W without R is reserved. Svnapot: N
 * set and ppn[3:0] = 1000b is 64 KiB, in 16 entries that are the same. RISC-V IOMMU, "first-stage address
 * translation": a request without a privilege is a user's, so U = 1.
 */
#include "pgtbl/golden.h"

static uint64_t table(uint64_t e)
{
	return e >> 10 << 12;
}

static uint64_t table_bits(unsigned level)
{
	return 0x1;
}

static const struct golden_format riscv64 = {
	.ignored = 0x0000000000000300,
	.table = table,
	.table_bits = table_bits,
	.table_mask = 0xffc00000000000ff,
};

static void init(struct golden *s, unsigned levels, bool dirty)
{
	golden_init(s, &riscv64,
		    &(struct phyr_pgtbl_config){
			    .format = PHYR_PGTBL_RISCV64, .levels = levels, .dirty = dirty},
		    UINT64_C(1) << 55);
}

static const struct golden_leaf pages[] = {
	/* PPN = address >> 12, at bit 10. V R W U A D = 0xd7; V R U A = 0x53. */
	{0x1000, 0x123456789000, 0x1000, RW, 0, 0, 0x0000048d159e24d7},
	{0x3000, 0x00fffffffffff000, 0x1000, RO, 0, 0, 0x003ffffffffffc53},
	/* What may be written may be read. */
	{0x5000, 0x1000, 0x1000, WO, 0, 0, 0x00000000000004d7},
	/* PBMT needs Svpbmt: 0, as the platform's attributes (PMA) say it. */
	{0x7000, 0xfe000000, 0x1000, RW | PHYR_MMIO, 0, 0, 0x000000003f8000d7},
};

/* 64 KiB: N, and 1000b below the address's own 16; each entry alike. */
static const struct golden_leaf napot[] = {
	{0x10000, 0x123456780000, 0x10000, RW, 0, 0, 0x8000048d159e20d7},
	{0x10000, 0, 0, 0, 0, 0x1000, 0x8000048d159e20d7},
	{0x10000, 0, 0, 0, 0, 0xf000, 0x8000048d159e20d7},
	{0x20000, 0xa0000, 0x10000, RO, 0, 0x5000, 0x800000000002a053},
	/* Half of it is not one. */
	{0x30000, 0xb0000, 0x8000, RW, 0, 0x7000, 0x000000000002dcd7},
};

static const struct golden_leaf large[] = {
	{MIB(2), MIB(6), MIB(2), RW, 1, 0, 0x00000000001800d7},
	{MIB(4), MIB(8), MIB(2), RO, 1, 0, 0x0000000000200053},
	{GIB(3), GIB(5), GIB(1), RW, 2, 0, 0x00000000500000d7},
};

static void sv39(void **state)
{
	struct golden s;

	init(&s, 3, false);
	assert_int_equal(phyr_pgtbl_last(s.pt), 0x3fffffffff);
	GOLDEN_LEAVES(&s, pages);
	GOLDEN_LEAVES(&s, napot);
	GOLDEN_LEAVES(&s, large);
	golden_fini(&s);
}

static void sv48(void **state)
{
	static const struct golden_leaf more[] = {
		{GIB(512), GIB(1024), GIB(512), RW, 3, 0, 0x00000040000000d7},
		{TIB(100), 0x5000, 0x1000, RO, 0, 0, 0x0000000000001453},
	};
	struct golden s;

	init(&s, 4, false);
	assert_int_equal(phyr_pgtbl_last(s.pt), 0x7fffffffffff);
	GOLDEN_LEAVES(&s, pages);
	GOLDEN_LEAVES(&s, napot);
	GOLDEN_LEAVES(&s, large);
	GOLDEN_LEAVES(&s, more);
	golden_fini(&s);
}

static void sv57(void **state)
{
	static const struct golden_leaf more[] = {
		{GIB(512), GIB(1024), GIB(512), RW, 3, 0, 0x00000040000000d7},
		{TIB(512), TIB(256), TIB(256), RW, 4, 0, 0x00004000000000d7},
		{TIB(1024), 0x5000, 0x1000, RO, 0, 0, 0x0000000000001453},
	};
	struct golden s;

	init(&s, 5, false);
	assert_int_equal(phyr_pgtbl_last(s.pt), 0xffffffffffffff);
	GOLDEN_LEAVES(&s, pages);
	GOLDEN_LEAVES(&s, napot);
	GOLDEN_LEAVES(&s, large);
	GOLDEN_LEAVES(&s, more);
	golden_fini(&s);
}

/* D clear until hardware sets it; A is there from the start. */
static void dirty(void **state)
{
	static const struct golden_leaf leaves[] = {
		{0x1000, 0x1000, 0x1000, RW, 0, 0, 0x0000000000000457},
		{0x3000, 0x1000, 0x1000, RO, 0, 0, 0x0000000000000453},
		{0x10000, 0xa0000, 0x10000, RW, 0, 0x3000, 0x800000000002a057},
		{MIB(2), MIB(6), MIB(2), RW, 1, 0, 0x0000000000180057},
	};
	struct golden s;

	init(&s, 4, true);
	GOLDEN_LEAVES(&s, leaves);
	golden_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sv39),
		cmocka_unit_test(sv48),
		cmocka_unit_test(sv57),
		cmocka_unit_test(dirty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
