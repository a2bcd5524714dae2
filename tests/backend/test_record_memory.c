/* SPDX-License-Identifier: MIT */
/*
 * What the record takes of memory: at most 24 bytes a run, at any time from 4,000 runs on, in whichever
 * order they come and go.
 *
 * What the environment was asked for is counted, not what the record says of itself.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "lib/rnd.h"
#include "lib/tenv.h"
#include "record_check.h"

#define NR     100000
#define FROM   4000
#define WINDOW 1000

struct rig {
	struct phyr_env env;
	struct record rec;
	uint64_t bytes; /* that the environment has given */
	uint64_t worst; /* hundredths of a byte a run */
	uint64_t perm[NR];
	struct rnd r;
};

static struct rig rig;

static void *counted_alloc(struct phyr_env *env, size_t size)
{
	rig.bytes += size;
	return calloc(1, size);
}

static void counted_free(struct phyr_env *env, void *obj, size_t size)
{
	rig.bytes -= size;
	free(obj);
}

/* Page blocks count, too, should the record ever take some. */
static void *counted_alloc_pages(struct phyr_env *env, size_t size)
{
	rig.bytes += size;
	return phyr_env_hosted()->alloc_pages(env, size);
}

static void counted_free_pages(struct phyr_env *env, void *pages, size_t size)
{
	rig.bytes -= size;
	phyr_env_hosted()->free_pages(env, pages, size);
}

static void start(const char *name)
{
	rig.env = *phyr_env_hosted();
	rig.env.alloc = counted_alloc;
	rig.env.free = counted_free;
	rig.env.alloc_pages = counted_alloc_pages;
	rig.env.free_pages = counted_free_pages;
	rig.bytes = 0;
	rig.worst = 0;
	rig.r = rnd_start(name);
	for (uint64_t i = 0; i < NR; i++) {
		uint64_t j = rnd_below(&rig.r, i + 1);

		rig.perm[i] = rig.perm[j];
		rig.perm[j] = i;
	}
	phyr_record_init(&rig.rec, &rig.env);
}

static void measure(void)
{
	uint64_t each = rig.rec.nr ? rig.bytes * 100 / rig.rec.nr : 0;

	if (rig.rec.nr >= FROM && each > rig.worst)
		rig.worst = each;
}

static void put(uint64_t page)
{
	struct record_run run = record_run_at((page + 1) << 12, page << 12, 1);

	assert_int_equal(phyr_record_insert(&rig.rec, &run), 0);
	measure();
}

static void take(uint64_t page, uint64_t pages)
{
	uint64_t iova = (page + 1) << 12;

	assert_int_equal(phyr_record_remove(&rig.rec, iova, iova + (pages << 12) - 1), pages);
	measure();
}

/* Hundredths of a byte a run: at the end, and at worst. */
static void end(unsigned at_end, unsigned most)
{
	uint64_t each = rig.rec.nr ? rig.bytes * 100 / rig.rec.nr : 0;

	print_message("# %.2f bytes a run at the end, %.2f at worst\n", (double)each / 100,
		      (double)rig.worst / 100);
	assert_int_equal(rig.bytes, rig.rec.bytes);
	assert_in_range(rig.worst, 1600, most);
	assert_in_range(each, 0, at_end);
	record_check(&rig.rec);
	phyr_record_fini(&rig.rec);
	assert_int_equal(rig.bytes, 0);
}

static void test_up(void **state)
{
	start("up");
	for (uint64_t i = 0; i < NR; i++)
		put(i);
	end(1625, 1900);
}

static void test_down(void **state)
{
	start("down");
	for (uint64_t i = NR; i-- > 0;)
		put(i);
	end(1625, 1900);
}

static void test_random(void **state)
{
	start("random");
	for (uint64_t i = 0; i < NR; i++)
		put(rig.perm[i]);
	end(2400, 2400);
}

/* Windows in any order, each filled upwards. */
static void test_windows(void **state)
{
	start("windows");
	for (uint64_t i = 0; i < NR; i++)
		if (rig.perm[i] % WINDOW == 0)
			for (uint64_t k = 0; k < WINDOW; k++)
				put(rig.perm[i] + k);
	assert_int_equal(rig.rec.nr, NR);
	end(2400, 2400);
}

/* Many windows that grow side by side. */
static void test_side_by_side(void **state)
{
	start("side by side");
	for (uint64_t k = 0; k < WINDOW; k++)
		for (uint64_t i = 0; i < NR / WINDOW; i++)
			put(i * WINDOW + k);
	end(2400, 2400);
}

/* All are there; then they go in any order, and half of them, and come again. */
static void test_churn(void **state)
{
	start("churn");
	for (uint64_t i = 0; i < NR; i++)
		put(i);
	for (unsigned round = 0; round < 4; round++) {
		for (uint64_t i = 0; i < NR / 2; i++)
			take(rig.perm[i], 1);
		for (uint64_t i = 0; i < NR / 2; i++)
			put(rig.perm[i]);
	}
	for (uint64_t i = 0; i < NR; i++)
		take(rig.perm[i], 1);
	assert_int_equal(rig.bytes, 0);
	end(2400, 2400);
}

/* Few runs cost little. */
static void test_few(void **state)
{
	start("few");
	for (uint64_t i = 0; i < 15; i++)
		put(i);
	assert_in_range(rig.bytes, 1, 256);
	take(0, 15);
	assert_int_equal(rig.bytes, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_up),           cmocka_unit_test(test_down),
		cmocka_unit_test(test_random),       cmocka_unit_test(test_windows),
		cmocka_unit_test(test_side_by_side), cmocka_unit_test(test_churn),
		cmocka_unit_test(test_few),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
