/* SPDX-License-Identifier: MIT */
/* The record of what a kernel has mapped: what each call does, its edges and errors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "backend/record_node.h"
#include "lib/tenv.h"
#include "record_check.h"

#define PAGE ((uint64_t)4096)
#define TOP  ((uint64_t)1 << 57)
#define MOST ((uint64_t)1 << 32) /* pages of the longest run */

struct rig {
	struct tenv t;
	struct record rec;
};

static void rig_init(struct rig *rig)
{
	tenv_init(&rig->t, NULL);
	phyr_record_init(&rig->rec, &rig->t.env);
}

static void rig_fini(struct rig *rig)
{
	record_check(&rig->rec);
	phyr_record_fini(&rig->rec);
	assert_int_equal(rig->rec.nr, 0);
	assert_int_equal(rig->rec.bytes, 0);
	assert_int_equal(rig->t.reports, 0);
	tenv_fini(&rig->t);
}

static int put(struct rig *rig, uint64_t iova, uint64_t pages)
{
	struct record_run run = record_run_at(iova, iova + 7 * PAGE, pages);

	return phyr_record_insert(&rig->rec, &run);
}

static void put_one(struct rig *rig, const struct record_run *run)
{
	assert_int_equal(phyr_record_insert(&rig->rec, run), 0);
}

static bool covers(const struct rig *rig, uint64_t iova)
{
	struct record_run run;

	return phyr_record_find(&rig->rec, iova, &run);
}

static void test_empty(void **state)
{
	struct record_run run;
	struct rig rig;

	rig_init(&rig);
	assert_false(phyr_record_find(&rig.rec, 0, &run));
	assert_false(phyr_record_next(&rig.rec, 0, &run));
	assert_int_equal(phyr_record_remove(&rig.rec, 0, UINT64_MAX), 0);
	assert_int_equal(rig.t.allocs, 0);
	rig_fini(&rig);
}

static void same(const struct record_run *a, const struct record_run *b)
{
	assert_int_equal(a->iova, b->iova);
	assert_int_equal(a->addr, b->addr);
	assert_int_equal(a->len, b->len);
	assert_int_equal(a->prot, b->prot);
	assert_int_equal(a->first, b->first);
	assert_int_equal(a->last, b->last);
}

static void back_and_forth(const struct record_run *run)
{
	struct record_run found;
	struct rig rig;

	rig_init(&rig);
	put_one(&rig, run);
	assert_true(phyr_record_find(&rig.rec, run->iova, &found));
	same(&found, run);
	assert_true(phyr_record_find(&rig.rec, run->iova + run->len - 1, &found));
	same(&found, run);
	assert_false(covers(&rig, run->iova + run->len));
	assert_false(covers(&rig, run->iova - 1));
	assert_true(phyr_record_next(&rig.rec, 0, &found));
	same(&found, run);
	assert_false(phyr_record_next(&rig.rec, run->iova + run->len, &found));
	rig_fini(&rig);
}

/* Each field at both of its ends comes back as it went in. */
static void test_fields(void **state)
{
	static const struct record_run runs[] = {
		{0, 0, PAGE, 0, false, false},
		{0, TOP - PAGE, PAGE, PHYR_READ, true, false},
		{TOP - PAGE, 0, PAGE, PHYR_WRITE, false, true},
		{TOP - PAGE, TOP - PAGE, PAGE, PHYR_MMIO, true, true},
		{0, TOP - (MOST << 12), MOST << 12, PHYR_READ | PHYR_WRITE | PHYR_MMIO, false,
		 true},
		{TOP - (MOST << 12), 0, MOST << 12, PHYR_READ | PHYR_MMIO, true, false},
		{0x123456789a000, 0xfedcba987000, ((uint64_t)1 << 31) + PAGE, PHYR_WRITE, true,
		 true},
	};

	for (unsigned i = 0; i < sizeof(runs) / sizeof(runs[0]); i++)
		back_and_forth(&runs[i]);
}

/* The drawing in record_node.h, bit by bit. */
static void test_golden(void **state)
{
	struct record_run run = {.iova = 0x123456789abc000,
				 .addr = 0x0fedcba98765000,
				 .len = (uint64_t)0xabc12346 << 12,
				 .prot = PHYR_READ | PHYR_MMIO,
				 .first = true};
	struct rig rig;

	rig_init(&rig);
	put_one(&rig, &run);
	assert_int_equal(rig.rec.root->slot[0].key, (uint64_t)0x123456789abc << 19 | 0x12345);
	assert_int_equal(rig.rec.root->slot[0].val,
			 (uint64_t)0xfedcba98765 << 19 | 1 << 16 | 5 << 13 | 0x1578);
	rig_fini(&rig);
}

static void test_range(void **state)
{
	static const struct record_run bad[] = {
		{TOP, 0, PAGE, 3, true, true},
		{0, TOP, PAGE, 3, true, true},
		{TOP - PAGE, 0, 2 * PAGE, 3, true, true},
		{0, TOP - PAGE, 2 * PAGE, 3, true, true},
		{UINT64_MAX - 4095, 0, PAGE, 3, true, true},
		{0, UINT64_MAX - 4095, PAGE, 3, true, true},
		{0, 0, 0, 3, true, true},
		{0, 0, (MOST + 1) << 12, 3, true, true},
		{0, 0, UINT64_MAX - 4095, 3, true, true},
		{1, 0, PAGE, 3, true, true},
		{0, 2048, PAGE, 3, true, true},
		{0, 0, PAGE + 1, 3, true, true},
		{0, 0, PAGE, 8, true, true},
	};
	struct rig rig;

	rig_init(&rig);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(phyr_record_insert(&rig.rec, &bad[i]), -ERANGE);
	assert_int_equal(rig.rec.nr, 0);
	assert_int_equal(rig.t.allocs, 0);
	rig_fini(&rig);
}

static void test_overlap(void **state)
{
	uint64_t at = 0x100000;
	struct rig rig;

	rig_init(&rig);
	assert_int_equal(put(&rig, at, 8), 0);
	assert_int_equal(put(&rig, at, 8), -EEXIST);
	assert_int_equal(put(&rig, at - PAGE, 2), -EEXIST);
	assert_int_equal(put(&rig, at + 7 * PAGE, 2), -EEXIST);
	assert_int_equal(put(&rig, at + 3 * PAGE, 1), -EEXIST);
	assert_int_equal(put(&rig, at - PAGE, 10), -EEXIST);
	assert_int_equal(put(&rig, 0, MOST), -EEXIST);
	assert_int_equal(rig.rec.nr, 1);
	assert_int_equal(put(&rig, at - PAGE, 1), 0);
	assert_int_equal(put(&rig, at + 8 * PAGE, 1), 0);
	assert_int_equal(put(&rig, 0, (at >> 12) - 1), 0);
	assert_int_equal(rig.rec.nr, 4);
	rig_fini(&rig);
}

/* The first and last pages that there are, and a step from run to run. */
static void test_next(void **state)
{
	struct record_run run;
	struct rig rig;

	rig_init(&rig);
	assert_int_equal(put(&rig, 0, 1), 0);
	assert_int_equal(put(&rig, 0x5000, 2), 0);
	run = record_run_at(TOP - PAGE, 0, 1);
	put_one(&rig, &run);
	assert_true(phyr_record_next(&rig.rec, 0xfff, &run) && run.iova == 0);
	assert_true(phyr_record_next(&rig.rec, 0x1000, &run) && run.iova == 0x5000);
	assert_true(phyr_record_next(&rig.rec, 0x6fff, &run) && run.iova == 0x5000);
	assert_true(phyr_record_next(&rig.rec, 0x7000, &run) && run.iova == TOP - PAGE);
	assert_true(phyr_record_next(&rig.rec, TOP - 1, &run) && run.iova == TOP - PAGE);
	assert_false(phyr_record_next(&rig.rec, TOP, &run));
	assert_false(phyr_record_next(&rig.rec, UINT64_MAX, &run));
	assert_false(covers(&rig, UINT64_MAX));
	rig_fini(&rig);
}

/* What reaches out of the range stays, by a byte or by pages, at both of its ends. */
static void test_remove_edges(void **state)
{
	struct rig rig;

	rig_init(&rig);
	for (uint64_t i = 0; i < 4; i++)
		assert_int_equal(put(&rig, i * 4 * PAGE, 4), 0);
	assert_int_equal(phyr_record_remove(&rig.rec, 0, 4 * PAGE - 2), 0);
	assert_int_equal(phyr_record_remove(&rig.rec, 1, 4 * PAGE - 1), 0);
	assert_int_equal(phyr_record_remove(&rig.rec, 5 * PAGE, 6 * PAGE - 1), 0);
	assert_int_equal(phyr_record_remove(&rig.rec, 16 * PAGE, UINT64_MAX), 0);
	assert_int_equal(phyr_record_remove(&rig.rec, 8 * PAGE, 4 * PAGE), 0);
	assert_int_equal(phyr_record_remove(&rig.rec, PAGE, 13 * PAGE), 2);
	assert_true(covers(&rig, 4 * PAGE - 1) && !covers(&rig, 4 * PAGE));
	assert_true(!covers(&rig, 12 * PAGE - 1) && covers(&rig, 12 * PAGE));
	assert_int_equal(phyr_record_remove(&rig.rec, 0, 16 * PAGE - 1), 2);
	assert_int_equal(rig.rec.bytes, 0);
	rig_fini(&rig);
}

static void fill(struct rig *rig, uint64_t first, uint64_t nr)
{
	for (uint64_t i = first; i < first + nr; i++)
		assert_int_equal(put(rig, i * PAGE, 1), 0);
}

/* A window of 70,000 runs between others goes in one call, which allocates nothing. */
static void test_remove_window(void **state)
{
	struct rig rig;

	rig_init(&rig);
	fill(&rig, 0, 100);
	fill(&rig, 80100, 100);
	fill(&rig, 5000, 70000);
	tenv_restart(&rig.t);
	assert_int_equal(phyr_record_remove(&rig.rec, 5000 * PAGE, 75000 * PAGE - 1), 70000);
	assert_int_equal(rig.t.allocs, 0);
	assert_int_equal(rig.rec.nr, 200);
	record_check(&rig.rec);
	assert_true(covers(&rig, 99 * PAGE) && !covers(&rig, 100 * PAGE));
	assert_true(!covers(&rig, 80099 * PAGE) && covers(&rig, 80100 * PAGE));
	fill(&rig, 100, 80000);
	assert_int_equal(rig.rec.nr, 80200);
	rig_fini(&rig);
}

/* The n-th allocation fails, for every n until there are three levels; then the insert is repeated. */
static void test_nomem(void **state)
{
	uint64_t failures = 0;
	struct rig rig;

	rig_init(&rig);
	for (uint64_t i = 0; i < 70000; i++) {
		tenv_restart(&rig.t);
		for (rig.t.fail_at = 1; put(&rig, i * PAGE, 1); rig.t.fail_at++) {
			assert_true(rig.t.failed);
			assert_int_equal(rig.rec.nr, i);
			assert_false(covers(&rig, i * PAGE));
			record_check(&rig.rec);
			failures++;
			tenv_restart(&rig.t);
		}
	}
	assert_int_equal(rig.rec.levels, 3);
	assert_true(failures > 70000 / RECORD_SLOTS);
	rig_fini(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),        cmocka_unit_test(test_fields),
		cmocka_unit_test(test_golden),       cmocka_unit_test(test_range),
		cmocka_unit_test(test_overlap),      cmocka_unit_test(test_next),
		cmocka_unit_test(test_remove_edges), cmocka_unit_test(test_remove_window),
		cmocka_unit_test(test_nomem),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
