/* SPDX-License-Identifier: MIT */
/* Reserving what is free: which parts there are, and what others find, or wait for, meanwhile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <unistd.h>

#include "core/order.h"
#include "iova/check.h"
#include "lib/tenv.h"

#define K    0x1000ull
#define M    0x100000ull
#define SPAN (2 * M)

static struct tenv t;
static struct phyr_iova *iova;

static int init(void **state)
{
	const struct phyr_iova_hole hole = {8 * M, 9 * M - 1};
	const struct phyr_iova_config config = {.size = sizeof(config),
						.start = K,
						.last = 32 * M - 1,
						.granule_lg2 = 12,
						.holes = &hole,
						.nr_holes = 1,
						.no_cache = true};

	tenv_init(&t, NULL);
	return phyr_iova_create(&t.env, &config, &iova);
}

static int fini(void **state)
{
	struct phyr_iova_stats stats;

	phyr_iova_get_stats(iova, &stats);
	assert_int_equal(stats.live, 0);
	assert_int_equal(iova->held.last, 0);
	iova_check(iova);
	phyr_iova_destroy(iova);
	tenv_fini(&t);
	return 0;
}

static void take(uint64_t start, uint64_t len)
{
	assert_int_equal(phyr_iova_alloc_at(iova, start, len), 0);
}

static void expect_part(struct phyr_iova_hole *part, uint64_t start, uint64_t last)
{
	assert_true(phyr_iova_reserve(iova, SPAN, part));
	assert_int_equal(part->start, start);
	assert_int_equal(part->last, last);
}

/* Parts end at allocations, not at holes; those that have no whole span are passed over. */
static void parts_lie_between_allocations(void **state)
{
	struct phyr_iova_hole part = {0, 0};

	take(6 * M, M);
	take(11 * M + K, K);
	for (unsigned i = 0; i < 200; i++)
		take(12 * M + i * 2 * K, K);
	expect_part(&part, K, 6 * M - 1);
	phyr_iova_unreserve(iova, &part);
	part.start = part.last + 1;
	expect_part(&part, 7 * M, 11 * M + K - 1);
	phyr_iova_unreserve(iova, &part);
	part.start = part.last + 1;
	expect_part(&part, 12 * M + 399 * K, 32 * M - 1);
	phyr_iova_unreserve(iova, &part);
	part.start = part.last + 1;
	assert_false(phyr_iova_reserve(iova, SPAN, &part));
	for (unsigned i = 0; i < 200; i++)
		phyr_iova_free(iova, 12 * M + i * 2 * K, K);
	phyr_iova_free(iova, 11 * M + K, K);
	phyr_iova_free(iova, 6 * M, M);
}

/* It is neither given out, nor counted as in use; what is freed beside it joins it afterwards. */
static void others_go_elsewhere(void **state)
{
	struct phyr_iova_hole part = {0, 0};
	struct phyr_iova_stats before, now;
	uint64_t addr = 0;

	take(4 * M, M);
	phyr_iova_get_stats(iova, &before);
	expect_part(&part, K, 4 * M - 1);
	phyr_iova_get_stats(iova, &now);
	assert_memory_equal(&now, &before, sizeof(now));
	assert_int_equal(phyr_iova_alloc(iova, K, NULL, &addr), 0);
	assert_int_equal(addr, 5 * M);
	phyr_iova_free(iova, 4 * M, M);
	phyr_iova_unreserve(iova, &part);
	assert_int_equal(phyr_iova_alloc(iova, 5 * M - K, NULL, &part.start), 0);
	assert_int_equal(part.start, K);
	phyr_iova_free(iova, K, 5 * M - K);
	phyr_iova_free(iova, addr, K);
}

/* What is reserved is free: to free it is wrong, and seen. */
static void frees_of_it_are_seen(void **state)
{
	struct phyr_iova_hole part = {0, 0};

	take(30 * M, 2 * M);
	expect_part(&part, K, 30 * M - 1);
	tenv_restart(&t);
	phyr_iova_free(iova, 10 * M, K);
	assert_int_equal(t.reports, 1);
	assert_int_equal(t.last.err, -EINVAL);
	phyr_iova_unreserve(iova, &part);
	phyr_iova_free(iova, 30 * M, 2 * M);
}

struct other {
	pthread_t id;
	int (*call)(void);
	int err;
	unsigned done;
};

static int alloc(void)
{
	uint64_t addr = 0;
	int err = phyr_iova_alloc(iova, 22 * M, NULL, &addr);

	if (!err)
		phyr_iova_free(iova, addr, 22 * M);
	return err;
}

static int alloc_at(void)
{
	int err = phyr_iova_alloc_at(iova, 10 * M, M);

	if (!err)
		phyr_iova_free(iova, 10 * M, M);
	return err;
}

static int exclude(void)
{
	return phyr_iova_exclude(iova, 9 * M, 9 * M + 5);
}

static int alloc_too_much(void)
{
	uint64_t addr;

	return phyr_iova_alloc(iova, 24 * M, NULL, &addr);
}

static void *call(void *arg)
{
	struct other *other = arg;

	other->err = other->call();
	store_release(&other->done, 1);
	return NULL;
}

/* Who finds no place but that waits, and then gets it, or hears that there is none. */
static void who_needs_it_waits(void **state)
{
	static const struct {
		int (*call)(void);
		int err;
	} cases[] = {{alloc, 0}, {alloc_at, 0}, {exclude, 0}, {alloc_too_much, -ENOSPC}};

	for (unsigned i = 0; i < 4; i++) {
		struct other other = {.call = cases[i].call};
		struct phyr_iova_hole part = {0, 0};

		expect_part(&part, K, 32 * M - 1);
		assert_int_equal(pthread_create(&other.id, NULL, call, &other), 0);
		usleep(20000);
		assert_false(load_acquire(&other.done));
		phyr_iova_unreserve(iova, &part);
		pthread_join(other.id, NULL);
		assert_int_equal(other.err, cases[i].err);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, init, fini)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(parts_lie_between_allocations),
		TEST(others_go_elsewhere),
		TEST(frees_of_it_are_seen),
		TEST(who_needs_it_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
