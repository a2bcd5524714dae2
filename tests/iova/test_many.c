/* SPDX-License-Identifier: MIT */
/* Many freed at once: where they go, that they come back, and what is seen of misuse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "iova/check.h"
#include "lib/rnd.h"
#include "lib/tenv.h"

#define K    0x1000ull
#define M    0x100000ull
#define G    0x40000000ull
#define MANY 256

static struct tenv t;
static struct phyr_iova *iova;
static struct phyr_range many[MANY];
static unsigned slot_now;

static unsigned slot_of_test(struct phyr_env *env)
{
	return slot_now;
}

static void begin(bool no_cache)
{
	const struct phyr_iova_config config = {.size = sizeof(config),
						.last = 64 * G - 1,
						.granule_lg2 = 12,
						.no_cache = no_cache};

	assert_int_equal(phyr_iova_create(&t.env, &config, &iova), 0);
	tenv_restart(&t);
}

static int init(void **state)
{
	tenv_init(&t, NULL);
	begin(false);
	return 0;
}

static int init_slots(void **state)
{
	slot_now = 0;
	tenv_init(&t, NULL);
	t.env.slot = slot_of_test;
	t.env.own_slot = NULL;
	t.env.fence_all = NULL;
	t.env.nr_slots = 2;
	begin(false);
	return 0;
}

static int fini(void **state)
{
	iova_check(iova);
	phyr_iova_destroy(iova);
	tenv_fini(&t);
	return 0;
}

static struct phyr_iova_stats stats_of(void)
{
	struct phyr_iova_stats stats;

	phyr_iova_get_stats(iova, &stats);
	return stats;
}

static void take(unsigned nr, uint64_t len)
{
	for (unsigned i = 0; i < nr; i++) {
		many[i].len = len;
		assert_int_equal(phyr_iova_alloc(iova, len, NULL, &many[i].addr), 0);
	}
}

/* From the second time on all of them come from the slot's cache, the one freed last first. */
static void come_back(void **state)
{
	struct phyr_range before[MANY];
	struct phyr_iova_stats stats;

	for (unsigned round = 0; round < 4; round++) {
		take(MANY, K);
		stats = stats_of();
		phyr_iova_free_many(iova, many, MANY);
		iova_check(iova);
		assert_int_equal(stats_of().live, 0);
	}
	assert_int_equal(stats_of().cached_bytes, MANY * K);
	memcpy(before, many, sizeof(before));
	take(MANY, K);
	for (unsigned i = 0; i < MANY; i++)
		assert_int_equal(many[i].addr, before[MANY - 1 - i].addr);
	assert_int_equal(stats_of().cache_misses, stats.cache_misses);
	assert_int_equal(stats_of().cache_hits, stats.cache_hits + MANY);
	iova_check(iova);
}

/* Lengths by chance, with holes of none between: nothing is lost, and what is cached is bounded. */
static void mixed(void **state)
{
	struct rnd r = rnd_start("iova/many mixed");

	for (unsigned round = 0; round < 200; round++) {
		for (unsigned i = 0; i < MANY; i++) {
			many[i].len = rnd_below(&r, 8) ? rnd_log(&r, 1, 2 * M) : 0;
			if (many[i].len)
				assert_int_equal(
					phyr_iova_alloc(iova, many[i].len, NULL, &many[i].addr), 0);
		}
		phyr_iova_free_many(iova, many, MANY);
		assert_int_equal(stats_of().live, 0);
		assert_true(stats_of().cached_bytes <= 16 * M);
		iova_check(iova);
	}
	assert_int_equal(t.reports, 0);
	assert_int_equal(phyr_iova_first_live(iova), UINT64_MAX);
	assert_int_equal(iova->out, 0);
}

/* The stock takes no more than half of the cache: long ones go back to the tree. */
static void long_ones(void **state)
{
	for (unsigned round = 0; round < 3; round++) {
		take(MANY, M);
		phyr_iova_free_many(iova, many, MANY);
		assert_int_equal(stats_of().live, 0);
		assert_true(stats_of().cached_bytes <= 16 * M);
		iova_check(iova);
	}
	assert_true(stats_of().cached_bytes >= 8 * M);
	/* Single ones of another length have their place nevertheless: the stock makes room. */
	for (unsigned i = 0; i < 6; i++) {
		take(1, (i + 500) * K);
		phyr_iova_free(iova, many[0].addr, many[0].len);
	}
	for (unsigned i = 0; i < 3; i++) {
		uint64_t misses = stats_of().cache_misses;

		take(1, (505 - i) * K);
		assert_int_equal(stats_of().cache_misses, misses);
	}
}

/* What another slot has in stock is found before a call fails. */
static void found_from_another_slot(void **state)
{
	uint64_t addr;

	for (unsigned round = 0; round < 2; round++) {
		take(MANY, K);
		phyr_iova_free_many(iova, many, MANY);
	}
	assert_int_equal(stats_of().cached_bytes, MANY * K);
	slot_now = 1;
	for (unsigned i = 0; i < MANY; i++) {
		assert_int_equal(phyr_iova_alloc_at(iova, many[i].addr, K), 0);
		phyr_iova_free(iova, many[i].addr, K);
	}
	assert_int_equal(phyr_iova_alloc(iova, 64 * G - K, NULL, &addr), 0);
	assert_int_equal(stats_of().cached_bytes, 0);
}

/* With a limit that the magazine's do not keep, the tree is asked; those in stock stay. */
static void with_wishes(void **state)
{
	struct phyr_iova_request r = {.size = sizeof(r), .limit = 4 * G - 1};
	uint64_t addr, misses;

	for (unsigned round = 0; round < 2; round++) {
		take(MANY, 2 * K);
		phyr_iova_free_many(iova, many, MANY);
	}
	misses = stats_of().cache_misses;
	for (unsigned i = 0; i < MANY; i++)
		assert_int_equal(phyr_iova_alloc(iova, 2 * K, &r, &addr), 0);
	assert_int_equal(stats_of().cache_misses, misses);
	assert_int_equal(stats_of().cached_bytes, 0);
}

static void told(void)
{
	assert_int_equal(t.reports, 1);
	assert_int_equal(t.last.err, -EINVAL);
	assert_string_equal(t.last.call, "phyr_iova_free");
	tenv_restart(&t);
}

/* One that is wrong is told, and the others are freed all the same. */
static void wrong_ones(void **state)
{
	for (unsigned round = 0; round < 3; round++) {
		take(MANY, K);
		many[100] = (struct phyr_range){many[7].addr + 1, K};
		phyr_iova_free_many(iova, many, MANY);
		told();
		assert_int_equal(stats_of().live, 1 + round);
		take(MANY, K);
		many[200] = many[199];
		phyr_iova_free_many(iova, many, MANY);
		told();
		assert_int_equal(stats_of().live, 2 + round);
		/* And right after that by a call for one. */
		phyr_iova_free(iova, many[MANY - 2].addr, K);
		told();
		iova_check(iova);
		/* Those that were left out, by what they are: the lowest that are live. */
		while (stats_of().live > round + 1)
			phyr_iova_free(iova, phyr_iova_first_live(iova), K);
	}
}

static void without_caches(void **state)
{
	phyr_iova_destroy(iova);
	begin(true);
	for (unsigned round = 0; round < 2; round++) {
		take(MANY, 3 * K);
		many[9].len = 0;
		phyr_iova_free_many(iova, many, MANY);
		assert_int_equal(stats_of().live, 1 + round);
		assert_int_equal(stats_of().cached_bytes, 0);
	}
	many[0] = (struct phyr_range){60 * G, K};
	phyr_iova_free_many(iova, many, 1);
	told();
}

#define TEST(f)       cmocka_unit_test_setup_teardown(f, init, fini)
#define TEST_SLOTS(f) cmocka_unit_test_setup_teardown(f, init_slots, fini)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(come_back),
		TEST_SLOTS(come_back),
		TEST(mixed),
		TEST_SLOTS(mixed),
		TEST(long_ones),
		TEST_SLOTS(long_ones),
		TEST_SLOTS(found_from_another_slot),
		TEST(with_wishes),
		TEST_SLOTS(with_wishes),
		TEST(wrong_ones),
		TEST_SLOTS(wrong_ones),
		TEST(without_caches),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
