/* SPDX-License-Identifier: MIT */
/* Entries bit by bit, as the manuals have them, and which leaves are chosen. */
#include "pgtbl/setup.h"

/* The entry at an index of the table at phys. */
static uint64_t at(uint64_t phys, unsigned index)
{
	return ((const uint64_t *)(uintptr_t)(phys - PHYS_DELTA))[index];
}

/* The physical address in an entry, bits 51:12 in every format here. */
static uint64_t table_of(uint64_t e)
{
	return e & 0x000ffffffffff000;
}

static void map_prot(struct setup *s, uint64_t iova, uint64_t addr, uint64_t len, unsigned prot)
{
	struct phyr_cursor cur;

	phyr_cursor_init_range(&cur, addr, len);
	assert_int_equal(phyr_pgtbl_map(s->pt, iova, &cur, prot, &s->g), 0);
	assert_int_equal(cur.left, 0);
}

/* VT-d 4.x, 9.8: R is bit 0, W bit 1, PS bit 7. Ours: first bit 52, last bit 53, both ignored. */
static void second_stage_entries(void **state)
{
	/* Indices 1, 2, 3, 4 from the top. */
	const uint64_t iova = (UINT64_C(1) << 39) | (UINT64_C(2) << 30) | (3 << 21) | (4 << 12);
	struct setup s;
	uint64_t l3, l2, l1, l0;

	setup_format(&s, PHYR_PGTBL_VTDSS);
	map_prot(&s, iova, 0x123456789000, 3 * PAGE, RW);
	map_prot(&s, iova + 8 * PAGE, 0xfffffffff000, PAGE, PHYR_READ);
	map_prot(&s, iova + 9 * PAGE, 0x1000, PAGE, PHYR_WRITE);
	l3 = at(phyr_pgtbl_root(s.pt), 1);
	assert_int_equal(l3 & ~0x000ffffffffff000, 0x3);
	l2 = at(table_of(l3), 2);
	assert_int_equal(l2 & ~0x000ffffffffff000, 0x3);
	l1 = at(table_of(l2), 3);
	assert_int_equal(l1 & ~0x000ffffffffff000, 0x3);
	l0 = table_of(l1);
	assert_int_equal(at(l0, 3), 0);
	assert_int_equal(at(l0, 4), 0x0010123456789003);
	assert_int_equal(at(l0, 5), 0x000012345678a003);
	assert_int_equal(at(l0, 6), 0x002012345678b003);
	assert_int_equal(at(l0, 7), 0);
	assert_int_equal(at(l0, 12), 0x0030fffffffff001);
	assert_int_equal(at(l0, 13), 0x0030000000001002);
	setup_fini(&s);
}

static void second_stage_large(void **state)
{
	struct setup s;
	uint64_t l2, l1;

	setup_format(&s, PHYR_PGTBL_VTDSS);
	map_prot(&s, GIB(3), GIB(5), GIB(1), RW);
	map_prot(&s, MIB(2), MIB(6), MIB(4), PHYR_READ);
	l2 = table_of(at(phyr_pgtbl_root(s.pt), 0));
	assert_int_equal(at(l2, 3), 0x0030000140000083);
	l1 = table_of(at(l2, 0));
	assert_int_equal(at(l1, 1), 0x0010000000600081);
	assert_int_equal(at(l1, 2), 0x0020000000800081);
	setup_fini(&s);
}

/* 3 levels: the top table is that of 1 GiB entries. */
static void second_stage_three_levels(void **state)
{
	struct setup s;

	setup_config(&s, &(struct phyr_pgtbl_config){.size = sizeof(struct phyr_pgtbl_config),
						     .format = PHYR_PGTBL_VTDSS,
						     .levels = 3});
	assert_int_equal(phyr_pgtbl_levels(s.pt), 3);
	assert_int_equal(phyr_pgtbl_last(s.pt), 0x7fffffffff);
	map_prot(&s, GIB(511), GIB(7), GIB(1), RW);
	assert_int_equal(at(phyr_pgtbl_root(s.pt), 511), 0x00300001c0000083);
	map_prot(&s, GIB(510) + PAGE, 0x5000, PAGE, RW);
	assert_int_equal(at(table_of(at(table_of(at(phyr_pgtbl_root(s.pt), 510)), 0)), 1),
			 0x0030000000005003);
	setup_fini(&s);
}

/* SDM 3A, 4.5: P bit 0, R/W 1, U/S 2, A 5, D 6, PS 7. */
static void long_mode_entries(void **state)
{
	const uint64_t iova = (UINT64_C(1) << 39) | (UINT64_C(2) << 30) | (3 << 21) | (4 << 12);
	struct setup s;
	uint64_t l3, l2, l1, l0;

	setup_format(&s, PHYR_PGTBL_X86_64);
	assert_int_equal(phyr_pgtbl_last(s.pt), 0x7fffffffffff);
	map_prot(&s, iova, 0x123456789000, 2 * PAGE, RW);
	map_prot(&s, iova + 8 * PAGE, 0xfffffffff000, PAGE, PHYR_READ);
	map_prot(&s, iova + 9 * PAGE, 0x1000, PAGE, PHYR_WRITE);
	map_prot(&s, GIB(3), GIB(5), GIB(1), RW);
	map_prot(&s, GIB(4), MIB(6), MIB(2), PHYR_READ);
	l3 = at(phyr_pgtbl_root(s.pt), 1);
	assert_int_equal(l3 & ~0x000ffffffffff000, 0x27);
	l2 = at(table_of(l3), 2);
	assert_int_equal(l2 & ~0x000ffffffffff000, 0x27);
	l1 = at(table_of(l2), 3);
	assert_int_equal(l1 & ~0x000ffffffffff000, 0x27);
	l0 = table_of(l1);
	assert_int_equal(at(l0, 4), 0x0010123456789067);
	assert_int_equal(at(l0, 5), 0x002012345678a067);
	assert_int_equal(at(l0, 12), 0x0030fffffffff025);
	assert_int_equal(at(l0, 13), 0x0030000000001067);
	l2 = table_of(at(phyr_pgtbl_root(s.pt), 0));
	assert_int_equal(at(l2, 3), 0x00300001400000e7);
	assert_int_equal(at(table_of(at(l2, 4)), 0), 0x00300000006000a5);
	setup_fini(&s);
}

static void translate_is_what_the_walker_sees(struct setup *s, uint64_t iova, uint64_t addr,
					      uint64_t leaf_size, unsigned prot)
{
	struct phyr_translation tr;
	struct leaf leaf;

	assert_int_equal(phyr_pgtbl_translate(s->pt, iova, &tr), 0);
	assert_int_equal(tr.addr, addr);
	assert_int_equal(tr.leaf_size, leaf_size);
	assert_int_equal(tr.prot, prot);
	assert_true(walker_find(&s->w, iova, &leaf));
	assert_int_equal(leaf.addr + (iova - leaf.iova), addr);
	assert_int_equal(leaf.size, leaf_size);
	assert_int_equal(leaf.prot, prot);
}

static void translations(void **state)
{
	struct setup s;

	setup_format(&s, PHYR_PGTBL_VTDSS);
	map_prot(&s, GIB(3), GIB(5), GIB(1), RW);
	map_prot(&s, MIB(2), MIB(6), MIB(2), PHYR_READ);
	map_prot(&s, 0x7000, 0x9000, PAGE, PHYR_WRITE);
	translate_is_what_the_walker_sees(&s, GIB(3) + 0x12345678, GIB(5) + 0x12345678, GIB(1), RW);
	translate_is_what_the_walker_sees(&s, MIB(4) - 1, MIB(8) - 1, MIB(2), PHYR_READ);
	translate_is_what_the_walker_sees(&s, 0x7123, 0x9123, PAGE, PHYR_WRITE);
	setup_fini(&s);
	setup_format(&s, PHYR_PGTBL_X86_64);
	map_prot(&s, 0x7000, 0x9000, PAGE, PHYR_WRITE);
	translate_is_what_the_walker_sees(&s, 0x7fff, 0x9fff, PAGE, RW);
	setup_fini(&s);
}

/* A buffer with its offset in the page: the first and last granules are mapped whole. */
static void offset_in_the_granule(void **state)
{
	struct setup s;
	struct picture p;

	setup_format(&s, PHYR_PGTBL_VTDSS);
	map_prot(&s, 0x10200, 0x55200, 0x1000, RW);
	p = picture_take(&s);
	assert_int_equal(p.nr, 2);
	assert_int_equal(p.leaves[0].iova, 0x10000);
	assert_int_equal(p.leaves[0].addr, 0x55000);
	assert_int_equal(p.leaves[1].iova, 0x11000);
	free(p.leaves);
	assert_int_equal(s.g.entries, 2);
	assert_int_equal(unmap(&s, 0x10200, 0x1000), 0);
	assert_int_equal(s.g.start, 0x10000);
	assert_int_equal(s.g.last, 0x11fff);
	setup_fini(&s);
}

/* 8 MiB that lie as huge pages in the middle: 256 + 3 + 256 entries where iova and address agree. */
static void fewest_entries(void **state)
{
	struct setup s;

	setup_format(&s, PHYR_PGTBL_VTDSS);
	map_prot(&s, GIB(1) + MIB(1), GIB(9) + MIB(3), MIB(8), RW);
	assert_int_equal(s.g.entries, 256 + 3 + 256);
	map_prot(&s, GIB(2), GIB(9) + MIB(3), MIB(8), RW);
	assert_int_equal(s.g.entries, 2 * 256 + 3 + 2048);
	setup_fini(&s);
}

/* 4 KiB, 2 MiB and 1 GiB leaves, up and down again, in one run. */
static void every_size_in_one_run(void **state)
{
	const uint64_t start = GIB(4) - MIB(2) - PAGE, len = 2 * PAGE + 2 * MIB(2) + GIB(1);
	const uint64_t sizes[] = {PAGE, MIB(2), GIB(1), MIB(2), PAGE};
	struct setup s;
	struct picture p;
	uint64_t iova = start;

	setup_format(&s, PHYR_PGTBL_X86_64);
	map_prot(&s, start, start + GIB(32), len, RW);
	p = picture_take(&s);
	assert_int_equal(p.nr, 5);
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(p.leaves[i].iova, iova);
		assert_int_equal(p.leaves[i].addr, iova + GIB(32));
		assert_int_equal(p.leaves[i].size, sizes[i]);
		iova += sizes[i];
	}
	free(p.leaves);
	assert_int_equal(unmap(&s, start, len), 0);
	p = picture_take(&s);
	assert_int_equal(p.nr, 0);
	setup_fini(&s);
}

/* What the hardware does not take is not used; without 4 KiB the granule is larger. */
static void page_sizes_are_kept(void **state)
{
	struct phyr_pgtbl_config c = {.size = sizeof(c), .format = PHYR_PGTBL_VTDSS};
	struct setup s;

	c.page_sizes = KIB(4) | GIB(1);
	setup_config(&s, &c);
	map_prot(&s, GIB(1) - MIB(2), GIB(1) - MIB(2), GIB(1) + MIB(2), RW);
	assert_int_equal(s.g.entries, 512 + 1);
	setup_fini(&s);
	c.page_sizes = MIB(2) | KIB(64);
	setup_config(&s, &c);
	assert_int_equal(phyr_pgtbl_page_sizes(s.pt), MIB(2));
	map_prot(&s, MIB(4) + 0x1234, MIB(8) + 0x1234, MIB(2), RW);
	assert_int_equal(s.g.entries, 2);
	assert_int_equal(unmap(&s, MIB(4) + 0x1234, MIB(2)), 0);
	assert_int_equal(s.g.start, MIB(4));
	assert_int_equal(s.g.last, MIB(8) - 1);
	setup_fini(&s);
}

/* The last page of the iova space, and the highest address. */
static void up_to_the_edge(void **state)
{
	const enum phyr_pgtbl_format formats[] = {PHYR_PGTBL_X86_64, PHYR_PGTBL_VTDSS};
	struct setup s;

	for (unsigned i = 0; i < 2; i++) {
		uint64_t iova;

		setup_format(&s, formats[i]);
		iova = phyr_pgtbl_last(s.pt) - 3 * PAGE + 1;
		map_prot(&s, iova, 0x000fffffffffd000, 3 * PAGE, RW);
		translate_is_what_the_walker_sees(&s, phyr_pgtbl_last(s.pt), 0x000fffffffffffff,
						  PAGE, RW);
		assert_int_equal(unmap(&s, iova, 3 * PAGE), 0);
		map_prot(&s, phyr_pgtbl_last(s.pt) - GIB(2) + 1, 0, GIB(2), RW);
		assert_int_equal(unmap(&s, phyr_pgtbl_last(s.pt) - GIB(2) + 1, GIB(2)), 0);
		setup_fini(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(second_stage_entries),
		cmocka_unit_test(second_stage_large),
		cmocka_unit_test(second_stage_three_levels),
		cmocka_unit_test(long_mode_entries),
		cmocka_unit_test(translations),
		cmocka_unit_test(offset_in_the_granule),
		cmocka_unit_test(fewest_entries),
		cmocka_unit_test(every_size_in_one_run),
		cmocka_unit_test(page_sizes_are_kept),
		cmocka_unit_test(up_to_the_edge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
