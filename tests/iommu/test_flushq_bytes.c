/* SPDX-License-Identifier: MIT */
/* The flush queue's bound in bytes: over all slots, by the range, and for what is longer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "iommu/flushq.h"

static int fini(void **state)
{
	fq_fini();
	return 0;
}

/* In one slot: all of it, not one byte more. */
static void exactly(void **state)
{
	fq_init_bytes(64, UINT64_MAX, 10 * PAGE, 0);
	for (unsigned i = 0; i < 5; i++)
		fq_put(2, 1);
	assert_int_equal(f.syncs, 0);
	assert_int_equal(fq_stats().waiting_bytes, 10 * PAGE);
	fq_put(0, 1); /* has no iova: it may wait */
	assert_int_equal(f.syncs, 0);
	fq_put(1, 1);
	assert_int_equal(f.syncs, 1);
	assert_int_equal(fq_stats().bytes, 1);
	assert_int_equal(fq_stats().full + fq_stats().aged + fq_stats().asked, 0);
	assert_int_equal(fq_stats().waiting_bytes, PAGE);
	fq_check();
	/* And so each time. */
	fq_put(9, 0);
	assert_int_equal(f.syncs, 1);
	fq_put(1, 0);
	assert_int_equal(f.syncs, 2);
	assert_int_equal(fq_stats().bytes, 2);
	fq_check();
}

/* All slots together; what others have set aside is a quarter at most. */
static void over_all_slots(void **state)
{
	const uint64_t max = 240;
	uint64_t most = 0;

	fq_init_bytes(1024, UINT64_MAX, max * PAGE, 0);
	for (unsigned i = 0; i < 5000; i++) {
		unsigned syncs = f.syncs;
		uint64_t before = fq_stats().waiting_bytes;

		f.slot = i % 7 % SLOTS;
		fq_put(1 + i % 3, 0);
		fq_check();
		if (f.syncs != syncs)
			assert_true(before > (max - max / 4 - 3) * PAGE);
		most = fq_stats().waiting_bytes > most ? fq_stats().waiting_bytes : most;
	}
	assert_true(most <= max * PAGE);
	assert_int_equal(fq_stats().bytes, f.syncs);
	assert_in_range(f.syncs, 5000 * 2 / max, 5000 * 2 / (max - max / 4 - 3));
}

/* What is longer than all that may wait is invalidated at once, and alone. */
static void longer(void **state)
{
	fq_init_bytes(64, UINT64_MAX, 4 * PAGE, 0);
	fq_put(2, 1);
	fq_put(5, 3);
	assert_int_equal(f.large, 1);
	assert_int_equal(f.syncs, 1);
	assert_int_equal(fq_stats().bytes, 1);
	assert_int_equal(fq_stats().puts, 1);
	fq_check();
	assert_int_equal(fq_stats().waiting_bytes, 2 * PAGE);
	fq_put(4, 0);
	assert_int_equal(f.large, 1);
	assert_int_equal(f.syncs, 2);
	fq_check();
}

/* By itself it leaves seven eighths of a small range to those who want iova. */
static void by_the_range(void **state)
{
	const uint64_t pages = 801; /* page 0 is never given out */

	fq_init_bytes(0, UINT64_MAX, 0, pages * PAGE - 1);
	for (unsigned i = 0; i < 2000; i++) {
		fq_put(5, 0);
		assert_true(fq_stats().waiting_bytes <= 100 * PAGE);
		fq_check();
	}
	assert_int_equal(fq_stats().bytes, f.syncs);
	assert_in_range(f.syncs, 2000 / 20 - 1, 2000 / 14);
}

/* Whoever wants no bound has none. */
static void without(void **state)
{
	fq_init_bytes(1000, UINT64_MAX, UINT64_MAX, 1001 * PAGE - 1);
	for (unsigned i = 0; i < 1000; i++)
		fq_put(1, 0);
	assert_int_equal(f.syncs, 0);
	assert_int_equal(fq_stats().waiting_bytes, 1000 * PAGE);
	phyr_flushq_flush(f.q);
	fq_check();
}

#define TEST(test) cmocka_unit_test_teardown(test, fini)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(exactly),      TEST(over_all_slots), TEST(longer),
		TEST(by_the_range), TEST(without),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
