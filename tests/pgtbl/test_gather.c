/* SPDX-License-Identifier: MIT */
/* Where tables go: cut off, gathered, given back; and what a gather says is to be invalidated. */
#include "pgtbl/setup.h"

static void gather_starts_empty(void **state)
{
	struct phyr_gather g;

	phyr_gather_init(&g);
	assert_true(g.start > g.last);
	assert_int_equal(g.tables, 0);
	assert_int_equal(g.entries, 0);
}

/* A GiB of 4 KiB leaves: one entry emptied, one table cut off with 512 below, none read. */
static void a_gib_is_cut_off(void **state)
{
	struct setup s;
	struct picture p;

	setup_format(&s, PHYR_PGTBL_VTDSS);
	assert_int_equal(map_range(&s, GIB(5), GIB(1) + PAGE, GIB(1)), 0);
	assert_int_equal(s.g.entries, 1u << 18);
	assert_int_equal(phyr_pgtbl_tables(s.pt), 1 + 1 + 1 + 512);
	assert_int_equal(unmap(&s, GIB(5), GIB(1)), 0);
	assert_int_equal(s.g.start, GIB(5));
	assert_int_equal(s.g.last, GIB(6) - 1);
	p = picture_take(&s);
	assert_int_equal(p.nr, 0);
	assert_int_equal(walker_tables(&s.w), 2);
	assert_int_equal(phyr_pgtbl_tables(s.pt), 1 + 1 + 1 + 512);
	setup_sync(&s);
	assert_int_equal(phyr_pgtbl_tables(s.pt), 2);
	assert_int_equal(s.t.live_pages, 2);
	setup_fini(&s);
}

/* One leaf table, all of it, and all but its first or last page. */
static void one_table_is_cut_off(void **state)
{
	struct setup s;

	setup_format(&s, PHYR_PGTBL_VTDSS);
	assert_int_equal(map_range(&s, MIB(2), MIB(2) + PAGE, MIB(2)), 0);
	assert_int_equal(phyr_pgtbl_tables(s.pt), 4);
	assert_int_equal(unmap(&s, MIB(2), MIB(2)), 0);
	assert_int_equal(walker_tables(&s.w), 3);
	setup_sync(&s);
	assert_int_equal(phyr_pgtbl_tables(s.pt), 3);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(map_range(&s, MIB(2) + i * PAGE, MIB(2), MIB(2) - PAGE), 0);
		assert_int_equal(unmap(&s, MIB(2) + i * PAGE, MIB(2) - PAGE), 0);
		assert_int_equal(walker_tables(&s.w), 4);
	}
	setup_fini(&s);
}

/* All of the iova space in one go: nothing but the root is left. */
static void everything_is_cut_off(void **state)
{
	struct setup s;
	uint64_t last;

	setup_format(&s, PHYR_PGTBL_X86_64);
	last = phyr_pgtbl_last(s.pt);
	assert_int_equal(map_range(&s, 0, GIB(1), PAGE), 0);
	assert_int_equal(map_range(&s, TIB(3) + MIB(2), GIB(1), MIB(8)), 0);
	assert_int_equal(map_range(&s, TIB(70), GIB(1) + PAGE, MIB(8)), 0);
	assert_int_equal(map_range(&s, last + 1 - PAGE, GIB(2), PAGE), 0);
	assert_int_equal(unmap(&s, 0, last + 1), 0);
	assert_int_equal(walker_tables(&s.w), 1);
	setup_sync(&s);
	assert_int_equal(phyr_pgtbl_tables(s.pt), 1);
	setup_fini(&s);
}

/* An unmap inside of a span leaves the table; holes between the edges are passed over. */
static void parts_leave_tables(void **state)
{
	struct setup s;

	setup_format(&s, PHYR_PGTBL_VTDSS);
	assert_int_equal(map_range(&s, MIB(2), GIB(1), PAGE), 0);
	assert_int_equal(map_range(&s, MIB(4) - PAGE, GIB(1), PAGE), 0);
	assert_int_equal(map_range(&s, MIB(6) - PAGE, GIB(1), PAGE), 0);
	assert_int_equal(phyr_pgtbl_tables(s.pt), 5);
	assert_int_equal(unmap(&s, MIB(2), PAGE), 0);
	assert_int_equal(unmap(&s, MIB(4) - PAGE, PAGE), 0);
	assert_int_equal(s.g.tables, 0);
	assert_int_equal(walker_tables(&s.w), 5);
	assert_int_equal(map_range(&s, MIB(2), GIB(1), PAGE), 0);
	assert_int_equal(unmap(&s, MIB(2), MIB(4)), 0);
	setup_sync(&s);
	assert_int_equal(phyr_pgtbl_tables(s.pt), 3);
	setup_fini(&s);
}

/* Empty tables in the way of a large leaf are replaced, through the gather, with their iova. */
static void leaf_replaces_empty_tables(void **state)
{
	struct setup s;
	struct picture p;

	setup_format(&s, PHYR_PGTBL_VTDSS);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(map_range(&s, GIB(7) + i * MIB(2), GIB(1), PAGE), 0);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(unmap(&s, GIB(7) + i * MIB(2), PAGE), 0);
	assert_int_equal(phyr_pgtbl_tables(s.pt), 1 + 1 + 1 + 3);
	phyr_gather_init(&s.g);
	assert_int_equal(map_range(&s, GIB(7) + MIB(2), GIB(9), MIB(2)), 0);
	assert_int_equal(s.g.start, GIB(7) + MIB(2));
	assert_int_equal(s.g.last, GIB(7) + MIB(4) - 1);
	setup_sync(&s);
	assert_int_equal(phyr_pgtbl_tables(s.pt), 1 + 1 + 1 + 2);
	assert_int_equal(map_range(&s, GIB(7), GIB(9), GIB(1)), -EEXIST);
	assert_int_equal(s.g.tables, 0);
	assert_int_equal(unmap(&s, GIB(7) + MIB(2), MIB(2)), 0);
	phyr_gather_init(&s.g);
	assert_int_equal(map_range(&s, GIB(7), GIB(9), GIB(1)), 0);
	assert_int_equal(s.g.start, GIB(7));
	assert_int_equal(s.g.last, GIB(8) - 1);
	p = picture_take(&s);
	assert_int_equal(p.nr, 1);
	assert_int_equal(p.leaves[0].size, GIB(1));
	free(p.leaves);
	setup_sync(&s);
	assert_int_equal(phyr_pgtbl_tables(s.pt), 1 + 1);
	setup_fini(&s);
}

/* Tables that were cut off look empty at their first entry, and only there they have changed. */
static void links_are_not_present(void **state)
{
	struct setup s;
	uint64_t link;

	setup_format(&s, PHYR_PGTBL_VTDSS);
	assert_int_equal(map_range(&s, GIB(5), GIB(1) + PAGE, GIB(1)), 0);
	assert_int_equal(unmap(&s, GIB(5), GIB(1)), 0);
	for (link = s.g.tables; link;) {
		const uint64_t *table = (const uint64_t *)(uintptr_t)(link & ~UINT64_C(0xfff));

		assert_int_equal(link & 7, 0);
		assert_int_equal(table[1] & 3, 3);
		link = table[0];
	}
	setup_fini(&s);
}

/* A gather holds several unmaps: the hull of their iova, the tables of all. */
static void gather_collects(void **state)
{
	struct setup s;

	setup_format(&s, PHYR_PGTBL_VTDSS);
	assert_int_equal(map_range(&s, GIB(5), GIB(1) + PAGE, MIB(2)), 0);
	assert_int_equal(map_range(&s, GIB(2), GIB(1), PAGE), 0);
	assert_int_equal(unmap(&s, GIB(5), MIB(2)), 0);
	assert_int_equal(unmap(&s, GIB(2), PAGE), 0);
	assert_int_equal(s.g.start, GIB(2));
	assert_int_equal(s.g.last, GIB(5) + MIB(2) - 1);
	assert_int_equal(s.g.entries, 513);
	setup_sync(&s);
	setup_fini(&s);
}

/* Destroying a table that maps gives back everything, tables at entry 0 included. */
static void destroy_frees_all(void **state)
{
	struct setup s;

	setup_format(&s, PHYR_PGTBL_X86_64);
	assert_int_equal(map_range(&s, 0, PAGE, MIB(6)), 0);
	assert_int_equal(map_range(&s, TIB(5), PAGE, PAGE), 0);
	assert_int_equal(map_range(&s, TIB(5) + GIB(2), GIB(2), GIB(2)), 0);
	setup_fini(&s);
	phyr_pgtbl_destroy(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gather_starts_empty),
		cmocka_unit_test(a_gib_is_cut_off),
		cmocka_unit_test(one_table_is_cut_off),
		cmocka_unit_test(everything_is_cut_off),
		cmocka_unit_test(parts_leave_tables),
		cmocka_unit_test(leaf_replaces_empty_tables),
		cmocka_unit_test(links_are_not_present),
		cmocka_unit_test(gather_collects),
		cmocka_unit_test(destroy_frees_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
