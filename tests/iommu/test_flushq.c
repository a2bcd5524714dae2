/* SPDX-License-Identifier: MIT */
/* The flush queue: what waits, until when, and what gets it going; then at random. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

#include "iommu/flushq.h"
#include "lib/rnd.h"

#define MS 1000000ull

static int fini(void **state)
{
	fq_fini();
	return 0;
}

static void nothing_comes_back_before_the_flush(void **state)
{
	struct phyr_flushq_stats stats;

	fq_init(8, UINT64_MAX);
	for (unsigned i = 0; i < 5; i++) {
		f.slot = i % SLOTS;
		fq_put(1 + i, i);
		fq_check();
	}
	assert_int_equal(f.syncs, 0);
	assert_int_equal(fq_stats().waiting, 5);
	assert_int_equal(fq_stats().waiting_bytes, 15 * PAGE);
	phyr_flushq_flush(f.q);
	assert_int_equal(f.syncs, 1);
	fq_check();
	stats = fq_stats();
	assert_int_equal(stats.waiting, 0);
	assert_int_equal(stats.waiting_bytes, 0);
	assert_int_equal(stats.puts, 5);
	assert_int_equal(stats.asked, 1);
	assert_int_equal(stats.full + stats.aged, 0);
	assert_int_equal(f.flush_alls, 0);
}

static void nothing_to_flush_costs_no_invalidation(void **state)
{
	struct phyr_domain_stats stats;

	fq_init(8, MS);
	phyr_flushq_flush(f.q);
	fq_put(1, 0);
	phyr_flushq_flush(f.q);
	phyr_flushq_flush(f.q);
	f.now += 5 * MS;
	assert_int_equal(phyr_flushq_poll(f.q), UINT64_MAX);
	assert_int_equal(f.syncs, 1);
	assert_int_equal(fq_stats().asked, 1);
	phyr_domain_get_stats(f.domain, &stats);
	assert_int_equal(stats.invalidations, 1);
	fq_check();
}

/* What needs no invalidation does not wait: backends whose unmap is synchronous leave nothing. */
static void an_empty_gather_does_not_wait(void **state)
{
	struct phyr_gather gather;
	uint64_t iova;

	fq_init(8, MS);
	phyr_gather_init(&gather);
	assert_int_equal(phyr_iova_alloc(phyr_domain_iova(f.domain), PAGE, NULL, &iova), 0);
	phyr_flushq_put(f.q, iova, PAGE, &gather);
	assert_true(fq_is_free(iova, PAGE));
	phyr_flushq_put(f.q, 0, 0, &gather);
	assert_int_equal(fq_stats().puts, 0);
	assert_int_equal(f.syncs, 0);
}

/* Tables alone wait, too; the iova is somebody else's matter. */
static void gathers_without_iova(void **state)
{
	fq_init(4, UINT64_MAX);
	for (unsigned i = 0; i < 9; i++)
		fq_put(0, 2);
	fq_check();
	assert_int_equal(f.syncs, 2);
	assert_int_equal(fq_stats().waiting, 1);
	assert_int_equal(fq_stats().waiting_bytes, 0);
}

/* A full slot flushes all of them; exactly as many wait as were asked for, a power of two or not. */
static void a_full_slot_flushes(void **state)
{
	const unsigned sizes[] = {1, 2, 3, 5, 8, 300};

	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
		fq_init(sizes[i], UINT64_MAX);
		f.slot = 1;
		fq_put(7, 1);
		f.slot = 2;
		for (unsigned n = 0; n < sizes[i]; n++)
			fq_put(1, 1);
		assert_int_equal(f.syncs, 0);
		fq_put(1, 1);
		assert_int_equal(f.syncs, 1);
		assert_int_equal(fq_stats().full, 1);
		assert_int_equal(fq_stats().waiting, 1);
		fq_check();
		fq_fini();
	}
	fq_init(0, UINT64_MAX);
	for (unsigned n = 0; n < 256; n++)
		fq_put(1, 0);
	assert_int_equal(f.syncs, 0);
	fq_put(1, 0);
	assert_int_equal(f.syncs, 1);
	fq_check();
}

static void a_put_finds_what_is_too_old(void **state)
{
	fq_init(8, MS);
	fq_put(1, 1);
	f.now += MS - 1;
	fq_put(1, 0);
	assert_int_equal(f.syncs, 0);
	assert_int_equal(fq_stats().oldest_ns, MS - 1);
	f.now += 1;
	f.slot = 1;
	fq_put(1, 1);
	assert_int_equal(f.syncs, 1);
	assert_int_equal(fq_stats().aged, 1);
	assert_int_equal(fq_stats().waiting, 0);
	assert_int_equal(fq_stats().oldest_ns, 0);
	fq_check();
	/* The clock starts again with the next one. */
	f.now += 10 * MS;
	fq_put(1, 1);
	assert_int_equal(f.syncs, 1);
	assert_int_equal(fq_stats().oldest_ns, 0);
	f.now += 3;
	assert_int_equal(fq_stats().oldest_ns, 3);
}

static void a_poll_finds_what_is_too_old(void **state)
{
	fq_init(8, MS);
	assert_int_equal(phyr_flushq_poll(f.q), UINT64_MAX);
	fq_put(1, 1);
	assert_int_equal(phyr_flushq_poll(f.q), MS);
	f.now += MS / 2;
	assert_int_equal(phyr_flushq_poll(f.q), MS / 2);
	fq_put(1, 1);
	f.now += MS / 2 - 2;
	assert_int_equal(phyr_flushq_poll(f.q), 2);
	assert_int_equal(f.syncs, 0);
	f.now += 2;
	phyr_flushq_poll(f.q);
	assert_int_equal(f.syncs, 1);
	assert_int_equal(fq_stats().aged, 1);
	assert_int_equal(phyr_flushq_poll(f.q), UINT64_MAX);
	fq_check();
}

/* In a slot that is in use already each eighth put looks at the clock. */
static void each_eighth_put_looks_at_the_clock(void **state)
{
	fq_init(40, MS);
	for (unsigned i = 0; i < 10; i++)
		fq_put(1, 0);
	f.now += MS;
	for (unsigned i = 10; i < 16; i++)
		fq_put(1, 0);
	assert_int_equal(f.syncs, 0);
	fq_put(1, 0);
	assert_int_equal(f.syncs, 1);
	assert_int_equal(fq_stats().aged, 1);
	assert_int_equal(fq_stats().waiting, 0);
	fq_check();
}

/* A clock that another CPU has ahead. */
static void a_clock_that_goes_back(void **state)
{
	fq_init(8, MS);
	fq_put(1, 1);
	f.now -= 1000;
	f.slot = 1;
	fq_put(1, 1);
	assert_int_equal(phyr_flushq_poll(f.q), MS);
	assert_int_equal(fq_stats().oldest_ns, 0);
	assert_int_equal(f.syncs, 0);
	f.now += 1000 + MS;
	phyr_flushq_poll(f.q);
	assert_int_equal(f.syncs, 1);
	fq_check();
}

/* A clock that starts when the machine does: 0 is a time as any. */
static void a_clock_that_starts_at_0(void **state)
{
	fq_init(8, MS);
	f.now = 0;
	fq_put(1, 1);
	assert_int_not_equal(phyr_flushq_poll(f.q), UINT64_MAX);
	f.now = MS + 1;
	phyr_flushq_poll(f.q);
	assert_int_equal(f.syncs, 1);
	assert_int_equal(fq_stats().aged, 1);
	fq_check();
}

static void without_an_age(void **state)
{
	fq_init(8, UINT64_MAX);
	fq_put(1, 1);
	f.now += 1000000 * MS;
	fq_put(1, 1);
	assert_int_equal(phyr_flushq_poll(f.q), UINT64_MAX);
	assert_int_equal(fq_stats().oldest_ns, 0);
	assert_int_equal(f.syncs, 0);
}

/* 10 ms when nothing is said. */
static void default_age(void **state)
{
	fq_init(8, 0);
	fq_put(1, 1);
	f.now += 10 * MS - 1;
	phyr_flushq_poll(f.q);
	assert_int_equal(f.syncs, 0);
	f.now++;
	phyr_flushq_poll(f.q);
	assert_int_equal(f.syncs, 1);
	fq_check();
}

static void destroy_drains(void **state)
{
	fq_init(8, MS);
	for (unsigned i = 0; i < 6; i++) {
		f.slot = i % SLOTS;
		fq_put(2, 1);
	}
	fq_fini();
	assert_int_equal(f.syncs, 1);
	phyr_flushq_destroy(NULL);
}

static void refused(const struct phyr_flushq_config *config, int want)
{
	struct phyr_flushq *q = NULL;

	tenv_restart(&f.t);
	assert_int_equal(phyr_flushq_create(f.domain, config, &q), want);
	assert_null(q);
	assert_int_equal(f.t.reports, 1);
	assert_int_equal(f.t.last.err, want);
	assert_string_equal(f.t.last.call, "phyr_flushq_create");
	assert_non_null(f.t.last.hint);
}

static void bad_configs(void **state)
{
	struct phyr_flushq_config config = {.size = sizeof(config) - 1};
	struct phyr_flushq *q;

	fq_init(8, MS);
	refused(&config, -EINVAL);
	config.size = sizeof(config);
	config.entries = 65537;
	refused(&config, -EINVAL);
	assert_int_equal(f.t.last.limit, 65536);
	config.entries = 65536;
	assert_int_equal(phyr_flushq_create(f.domain, &config, &q), 0);
	phyr_flushq_destroy(q);
	assert_int_equal(phyr_flushq_create(f.domain, NULL, &q), 0);
	phyr_flushq_destroy(q);
}

static void where_nothing_is_translated(void **state)
{
	struct phyr_domain *translated;
	struct fake fake;

	fq_init(8, MS);
	translated = f.domain;
	fake_init(&fake, &f.t.env, false);
	assert_int_equal(phyr_domain_create(&fake.iommu, &f.domain), 0);
	refused(NULL, -EOPNOTSUPP);
	phyr_domain_destroy(f.domain);
	f.domain = translated;
}

/*
 * While a flush goes through the slots somebody else puts into one where it has been already, and flushes.
 * That is not the flush he waits for: it began before he came.
 */
static struct {
	sem_t go, at_the_lock;
	bool flushing, went, given_back;
} late;

static _Thread_local bool is_late;

static void lock_and_tell(struct phyr_env *env, struct phyr_lock *lock)
{
	if (is_late && late.flushing)
		sem_post(&late.at_the_lock);
	f.t.base->lock(f.t.base, lock);
}

static void unlock_and_wait(struct phyr_env *env, struct phyr_lock *lock)
{
	f.t.base->unlock(f.t.base, lock);
	if (is_late || late.went)
		return;
	late.went = true;
	sem_post(&late.go);
	sem_wait(&late.at_the_lock);
}

static void *come_late(void *arg)
{
	struct phyr_iova *space = phyr_domain_iova(f.domain);
	struct phyr_gather gather;
	uint64_t iova = 0;

	is_late = true;
	sem_wait(&late.go);
	phyr_gather_init(&gather);
	if (phyr_iova_alloc(space, PAGE, NULL, &iova))
		abort();
	gather.start = iova;
	gather.last = iova + PAGE - 1;
	phyr_flushq_put(f.q, iova, PAGE, &gather);
	late.flushing = true;
	phyr_flushq_flush(f.q);
	late.flushing = false;
	late.given_back = fq_is_free(iova, PAGE);
	return NULL;
}

static void a_flush_that_began_before_is_not_enough(void **state)
{
	pthread_t other;

	fq_init(8, UINT64_MAX);
	memset(&late, 0, sizeof(late));
	sem_init(&late.go, 0, 0);
	sem_init(&late.at_the_lock, 0, 0);
	fq_put(1, 0);
	assert_int_equal(pthread_create(&other, NULL, come_late, NULL), 0);
	f.t.env.lock = lock_and_tell;
	f.t.env.unlock = unlock_and_wait;
	phyr_flushq_flush(f.q);
	pthread_join(other, NULL);
	assert_true(late.given_back);
	assert_int_equal(f.syncs, 2);
	fq_check();
	sem_destroy(&late.go);
	sem_destroy(&late.at_the_lock);
}

/* Random puts, time, polls and flushes: every invalidation and what follows is checked. */
static void at_random(void **state)
{
	struct rnd r = rnd_start("iommu/flushq");
	struct phyr_flushq_stats stats;

	for (unsigned round = 0; round < 30; round++) {
		fq_init_bytes(1 + (unsigned)rnd_below(&r, 40),
			      rnd_below(&r, 4) ? 1 + rnd_below(&r, 2 * MS) : UINT64_MAX,
			      rnd_below(&r, 2) ? (8 + rnd_below(&r, 40)) * PAGE : 0, 0);
		for (unsigned i = 0; i < 600; i++) {
			unsigned what = (unsigned)rnd_below(&r, 100);

			f.slot = (unsigned)rnd_below(&r, SLOTS);
			f.now += rnd_below(&r, 30000);
			if (what < 2)
				phyr_flushq_flush(f.q);
			else if (what < 6)
				phyr_flushq_poll(f.q);
			else
				fq_put(rnd_below(&r, 9), (unsigned)rnd_below(&r, 3));
			fq_check();
			assert_true(fq_stats().waiting_bytes <= f.max_bytes);
		}
		stats = fq_stats();
		assert_int_equal(stats.full + stats.bytes + stats.aged + stats.asked, f.syncs);
		fq_fini();
	}
}

#define TEST(test) cmocka_unit_test_teardown(test, fini)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_comes_back_before_the_flush),
		TEST(nothing_to_flush_costs_no_invalidation),
		TEST(an_empty_gather_does_not_wait),
		TEST(gathers_without_iova),
		TEST(a_full_slot_flushes),
		TEST(a_put_finds_what_is_too_old),
		TEST(a_poll_finds_what_is_too_old),
		TEST(each_eighth_put_looks_at_the_clock),
		TEST(a_clock_that_goes_back),
		TEST(a_clock_that_starts_at_0),
		TEST(without_an_age),
		TEST(default_age),
		cmocka_unit_test(destroy_drains),
		TEST(bad_configs),
		TEST(where_nothing_is_translated),
		TEST(a_flush_that_began_before_is_not_enough),
		cmocka_unit_test(at_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
