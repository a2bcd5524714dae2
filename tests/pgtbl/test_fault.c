/* SPDX-License-Identifier: MIT */
/* Each table allocation of a map fails once: nothing is mapped that was not, nothing is leaked. */
#include <stdio.h>

#include "core/bits.h"
#include "pgtbl/setup.h"

/* A buffer that needs many tables: single pages over several leaf tables, then a long run. */
static void fill(struct phyr_list *list, uint64_t run)
{
	for (unsigned i = 0; i < 1300; i++)
		assert_int_equal(phyr_list_append_page(list, (uint64_t)(2 * i + 2) * PAGE), 0);
	assert_int_equal(phyr_list_append(list, GIB(4), run), 0);
	assert_int_equal(phyr_list_append(list, GIB(8), 3 * PAGE), 0);
}

/* The report names a run of the list, by number and range. */
static void check_run(const struct phyr_list *list, const struct phyr_report *report)
{
	struct phyr_range run = {0, 0};
	struct phyr_cursor cur;

	phyr_cursor_init(&cur, list);
	for (uint64_t i = 0; i <= report->index; i++)
		assert_true(phyr_cursor_next(&cur, &run));
	assert_int_equal(report->addr, run.addr);
	assert_int_equal(report->len, run.len);
}

/* Everything that a failed map has left behind: tables only, and the rolled-back iova to sync. */
static void check_failed(struct setup *s, uint64_t iova, const struct phyr_cursor *cur,
			 const struct phyr_cursor *before)
{
	assert_memory_equal(cur, before, sizeof(*cur));
	assert_int_equal(s->g.entries, 0);
	assert_int_equal(s->t.last.err, -ENOMEM);
	assert_string_equal(s->t.last.call, "phyr_pgtbl_map");
	if (s->g.start <= s->g.last) {
		assert_int_equal(s->g.start, iova & ~(uint64_t)(PAGE - 1));
		assert_int_equal(s->g.last + 1, s->t.last.iova);
	}
}

/* Map with the n-th allocation failing, on a new table; false: there were fewer. */
static bool fails_at(const struct phyr_pgtbl_config *config, uint64_t iova, struct phyr_list *list,
		     uint64_t n)
{
	struct phyr_cursor cur, before;
	struct picture was;
	struct setup s;
	bool failed;

	setup_config(&s, config);
	assert_int_equal(map_range(&s, iova - GIB(1), GIB(16), 3 * PAGE), 0);
	phyr_gather_init(&s.g);
	was = picture_take(&s);
	phyr_cursor_init(&before, list);
	cur = before;
	tenv_restart(&s.t);
	s.t.fail_at = n;
	failed = phyr_pgtbl_map(s.pt, iova, &cur, RW, &s.g) != 0;
	assert_int_equal(failed, s.t.failed);
	if (failed) {
		check_failed(&s, iova, &cur, &before);
		check_run(list, &s.t.last);
		picture_same(&s, &was);
		setup_sync(&s);
		assert_int_equal(phyr_pgtbl_tables(s.pt), walker_tables(&s.w));
		/* The same again, now with memory. */
		s.t.fail_at = 0;
		assert_int_equal(phyr_pgtbl_map(s.pt, iova, &cur, RW, &s.g), 0);
	} else {
		free(was.leaves);
	}
	assert_int_equal(cur.left, 0);
	assert_int_equal(unmap(&s, iova, list->len), 0);
	setup_fini(&s);
	return failed;
}

static void sweep(const struct phyr_pgtbl_config *config, uint64_t iova, uint64_t run)
{
	struct phyr_list list;
	uint64_t n = 1;

	phyr_list_init(&list, NULL, NULL);
	fill(&list, run);
	while (fails_at(config, iova, &list, n))
		n++;
	assert_true(n > 4);
	phyr_list_fini(&list);
}

static void map_without_memory(void **state)
{
	struct phyr_pgtbl_config c = {.size = sizeof(c), .format = PHYR_PGTBL_VTDSS};

	sweep(&c, GIB(2) - 1300 * PAGE, GIB(2));
	sweep(&c, GIB(513) - 3 * PAGE, MIB(40));
	c.page_sizes = PAGE | MIB(2);
	sweep(&c, GIB(2) - 1300 * PAGE, GIB(2));
	c.format = PHYR_PGTBL_X86_64;
	sweep(&c, GIB(512) - 1300 * PAGE, GIB(2));
}

/* A map that fails leaves no tables of its own where what it wrote covered their spans. */
static void rollback_cuts_tables_off(void **state)
{
	struct setup s;

	setup_format(&s, PHYR_PGTBL_VTDSS);
	assert_int_equal(map_range(&s, GIB(3), GIB(3), PAGE), 0);
	assert_int_equal(phyr_pgtbl_tables(s.pt), 4);
	assert_int_equal(map_range(&s, GIB(2), GIB(2) + PAGE, GIB(1) + PAGE), -EEXIST);
	assert_int_equal(phyr_pgtbl_tables(s.pt), 4 + 1 + 512);
	assert_int_equal(s.g.start, GIB(2));
	assert_int_equal(s.g.last, GIB(3) - 1);
	setup_sync(&s);
	assert_int_equal(phyr_pgtbl_tables(s.pt), 4);
	setup_fini(&s);
}

/* Nothing was written before the failure: nothing to invalidate. */
static void nothing_written_nothing_to_sync(void **state)
{
	struct setup s;

	setup_format(&s, PHYR_PGTBL_VTDSS);
	s.t.fail_at = 1;
	tenv_restart(&s.t);
	assert_int_equal(map_range(&s, GIB(3), GIB(3), PAGE), -ENOMEM);
	assert_true(s.g.start > s.g.last);
	s.t.fail_at = 0;
	assert_int_equal(map_range(&s, GIB(3), GIB(3), PAGE), 0);
	assert_int_equal(map_range(&s, GIB(3), GIB(3), PAGE), -EEXIST);
	assert_true(s.g.start > s.g.last);
	setup_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(map_without_memory),
		cmocka_unit_test(rollback_cuts_tables_off),
		cmocka_unit_test(nothing_written_nothing_to_sync),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
