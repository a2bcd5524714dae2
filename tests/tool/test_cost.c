/* SPDX-License-Identifier: MIT */
/*
 * What phyr layout counts: scatterlists, PRPs and page-table entries of random lists, beside slow and
 * obvious counts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "layout/layout.h"
#include "lib/rnd.h"
#include "sg.h"

#define LIMIT UINT64_C(0xfffff000) /* 4 GiB less a page */

/* Runs of up to 2^max_lg2 pages, no two of which touch. */
static void random_list(struct rnd *r, struct phyr_list *list, unsigned runs, unsigned max_lg2)
{
	uint64_t at = 1 << 20;

	phyr_list_init(list, NULL, NULL);
	for (unsigned i = 0; i < runs; i++) {
		uint64_t pages = rnd_log(r, 1, (uint64_t)1 << max_lg2);

		at += 1 + rnd_below(r, 1024);
		if (!rnd_below(r, 2))
			at = (at + 511) & ~UINT64_C(511);
		assert_int_equal(phyr_list_append(list, at << 12, pages << 12), 0);
		at += pages;
	}
}

static void sg_holds_the_list(void **state)
{
	struct rnd r = rnd_start("sg");

	for (unsigned runs = 1; runs < 700; runs += 1 + (unsigned)rnd_below(&r, 9)) {
		struct phyr_range run = {0, 0};
		struct phyr_cursor cur;
		struct phyr_list list;
		struct sg_table table;
		size_t nr = 0, entries = 0;

		random_list(&r, &list, runs, runs % 3 ? 10 : 22);
		assert_int_equal(sg_alloc(&table, sg_count(&list)), 0);
		sg_fill(&table, &list);
		phyr_cursor_init(&cur, &list);
		for (struct sg_entry *sg = table.first; sg; sg = sg_next(sg), nr++) {
			if (!run.len)
				assert_true(phyr_cursor_next(&cur, &run));
			assert_int_equal(sg_addr(sg, 0), run.addr);
			assert_int_equal(sg->length, run.len < LIMIT ? run.len : LIMIT);
			run.addr += sg->length;
			run.len -= sg->length;
		}
		assert_int_equal(run.len + cur.left, 0);
		assert_int_equal(nr, table.nr);
		for (; nr > 128; nr -= 127)
			entries += 128;
		assert_int_equal(table.entries, entries + nr);
		sg_free(&table);
		phyr_list_fini(&list);
	}
}

/* NVM Express: a list page that does not suffice gives its last entry to the next. */
static void prp_pages(void **state)
{
	static const uint64_t cases[][2] = {{1, 0},    {2, 0},    {3, 1},    {513, 1}, {514, 2},
					    {1024, 2}, {1025, 3}, {1535, 3}, {1536, 4}};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct phyr_list list;
		struct cost cost;

		phyr_list_init(&list, NULL, NULL);
		assert_int_equal(phyr_list_append(&list, 0x100000, cases[i][0] << 12), 0);
		assert_int_equal(cost_prp(&list, &cost), 0);
		assert_int_equal(cost.bytes, 16 + cases[i][1] * 4096);
		assert_int_equal(cost.entries, cases[i][0] + cases[i][1]);
		phyr_list_fini(&list);
	}
}

/* Leaves of 2 MiB that a window has which starts at @skew modulo 2 MiB. */
static uint64_t huge_leaves(const struct phyr_list *list, uint64_t skew)
{
	struct phyr_cursor cur;
	struct phyr_range run;
	uint64_t offset = 0, n = 0;

	phyr_cursor_init(&cur, list);
	for (; phyr_cursor_next(&cur, &run); offset += run.len)
		for (uint64_t at = 0; at < run.len; at += 4096)
			n += !((run.addr + at) & 0x1fffff) && run.len - at >= 0x200000 &&
			     !((skew + offset + at) & 0x1fffff);
	return n;
}

static void leaves_are_as_few_as_can_be(void **state)
{
	struct rnd r = rnd_start("leaves");

	for (unsigned round = 0; round < 30; round++) {
		struct phyr_list list;
		struct leaves leaves;
		uint64_t best = 0;

		random_list(&r, &list, 1 + (unsigned)rnd_below(&r, 12), 12);
		for (uint64_t skew = 0; skew < 512; skew++) {
			uint64_t n = huge_leaves(&list, skew << 12);

			best = n > best ? n : best;
		}
		assert_int_equal(count_leaves(phyr_env_hosted(), &list, &leaves), 0);
		assert_int_equal(leaves.size[0], 4096);
		assert_int_equal(leaves.size[1], 0x200000);
		assert_int_equal(leaves.entries[1], best);
		assert_int_equal(leaves.entries[0], list.len / 4096 - best * 512);
		assert_int_equal(leaves.entries[2], 0);
		phyr_list_fini(&list);
	}
}

/* A gigabyte in one piece among others: its remainder decides, and 2 MiB leaves fill what is beside. */
static void gigabytes(void **state)
{
	const struct phyr_range ranges[] = {
		{0x7000, 0x3000},
		{(UINT64_C(5) << 30) - 0x400000, (UINT64_C(2) << 30) + 0x600000},
		{UINT64_C(1) << 40, 0x1000}};
	struct leaves leaves;
	struct phyr_list list;

	phyr_list_init(&list, NULL, NULL);
	assert_int_equal(phyr_list_append_ranges(&list, ranges, 3), 0);
	assert_int_equal(count_leaves(phyr_env_hosted(), &list, &leaves), 0);
	assert_int_equal(leaves.entries[0], 4);
	assert_int_equal(leaves.entries[1], 3);
	assert_int_equal(leaves.entries[2], 2);
	phyr_list_fini(&list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sg_holds_the_list),
		cmocka_unit_test(prp_pages),
		cmocka_unit_test(leaves_are_as_few_as_can_be),
		cmocka_unit_test(gigabytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
