/* SPDX-License-Identifier: MIT */
/* What a machine's environment has given out, and the one allocation that fails. */
#include <pthread.h>
#include <string.h>

#include "sim/rig.h"

#define THREADS 4
#define ROUNDS  2000

static void same(struct phyr_sim *sim, uint64_t objects, uint64_t bytes, uint64_t locks)
{
	struct phyr_sim_stats s = rig_stats(sim);

	assert_int_equal(s.objects, objects);
	assert_int_equal(s.object_bytes, bytes);
	assert_int_equal(s.locks, locks);
}

static void what_is_out_is_counted(void **state)
{
	struct phyr_sim *sim = rig_sim(.memory = MIB, .stepped = true);
	struct phyr_env *env = phyr_sim_env(sim);
	struct phyr_lock lock;
	char *a, *b;

	same(sim, 0, 0, 0);
	a = env->alloc(env, 100);
	b = env->alloc(env, 28);
	assert_int_equal(a[0] | a[99] | b[27], 0);
	memset(a, 1, 100);
	same(sim, 2, 128, 0);
	assert_int_equal(env->lock_init(env, &lock), 0);
	env->lock(env, &lock);
	env->unlock(env, &lock);
	same(sim, 2, 128, 1);
	env->free(env, a, 100);
	env->free(env, NULL, 100);
	same(sim, 1, 28, 1);
	env->lock_fini(env, &lock);
	env->free(env, b, 28);
	same(sim, 0, 0, 0);
	assert_int_equal(rig_stats(sim).allocs, 3);
	phyr_sim_destroy(sim);
}

/* Each kind that is counted, in this order; 0, or what it says of a lack of memory. */
static int ask(struct phyr_sim *sim, unsigned kind, void *page)
{
	struct phyr_env *env = phyr_sim_env(sim);
	struct phyr_sim_dev *sdev;
	struct phyr_lock lock;
	struct phyr_list list;
	void *p = NULL;
	int err = 0;

	if (kind == 0) {
		p = env->alloc_pages(env, 2 * PAGE);
		env->free_pages(env, p, 2 * PAGE);
	} else if (kind == 1) {
		p = env->alloc(env, 64);
		env->free(env, p, 64);
	} else if (kind == 2) {
		err = env->lock_init(env, &lock);
		if (!err)
			env->lock_fini(env, &lock);
	} else if (kind == 3) {
		err = rig_pin(sim, page, 1, &list);
		if (!err)
			rig_unpin(sim, &list);
	} else {
		err = phyr_sim_dev_add(sim, &(struct phyr_sim_dev_ops){.mmio_read = NULL}, NULL, 7,
				       &sdev);
		if (!err)
			phyr_sim_dev_remove(sdev);
	}
	return kind < 2 && !p ? -12 : err;
}

#define KINDS 5

/* The nth and no other, whatever it is; then all goes well again. */
static void the_nth_fails(void **state)
{
	struct phyr_sim *sim = rig_sim(.memory = MIB, .stepped = true);
	void *page = rig_map(PAGE);

	for (unsigned n = 1; n <= 2 * KINDS + 1; n++) {
		phyr_sim_fail_alloc(sim, n);
		for (unsigned i = 1; i <= 2 * KINDS; i++) {
			assert_int_equal(phyr_sim_alloc_failed(sim), i > n);
			assert_int_equal(ask(sim, (i - 1) % KINDS, page), i == n ? -12 : 0);
		}
		assert_int_equal(phyr_sim_alloc_failed(sim), n <= 2 * KINDS);
		phyr_sim_fail_alloc(sim, 0);
		assert_false(phyr_sim_alloc_failed(sim));
		for (unsigned kind = 0; kind < KINDS; kind++)
			assert_int_equal(ask(sim, kind, page), 0);
		assert_false(phyr_sim_alloc_failed(sim));
		same(sim, 0, 0, 0);
		assert_int_equal(rig_stats(sim).table_pages + rig_stats(sim).pinned_pages, 0);
		assert_int_equal(rig_stats(sim).devices, 0);
	}
	rig_unmap(page, PAGE);
	phyr_sim_destroy(sim);
}

/* What is told of it. */
static void failures_are_reported(void **state)
{
	struct phyr_sim *sim = rig_sim(.memory = MIB, .stepped = true);
	void *page = rig_map(PAGE);

	phyr_sim_fail_alloc(sim, 1);
	assert_int_equal(ask(sim, 3, page), -12);
	rig_told(-12, "phyr_sim_pin");
	phyr_sim_fail_alloc(sim, 1);
	assert_int_equal(ask(sim, 4, page), -12);
	rig_told(-12, "phyr_sim_dev_add");
	rig_unmap(page, PAGE);
	phyr_sim_destroy(sim);
}

struct crowd {
	struct phyr_sim *sim;
	unsigned failures;
};

static void *allocate(void *arg)
{
	struct crowd *crowd = arg;

	for (unsigned i = 0; i < ROUNDS; i++)
		if (ask(crowd->sim, i % 3, NULL))
			__atomic_add_fetch(&crowd->failures, 1, __ATOMIC_RELAXED);
	return NULL;
}

/* However many threads allocate, one fails, and the counts are exact. */
static void one_thread_is_hit(void **state)
{
	struct crowd crowd = {.sim = rig_sim(.memory = MIB, .stepped = true)};
	pthread_t threads[THREADS];

	for (unsigned round = 1; round <= 3; round++) {
		phyr_sim_fail_alloc(crowd.sim, round * ROUNDS);
		for (unsigned i = 0; i < THREADS; i++)
			assert_int_equal(pthread_create(&threads[i], NULL, allocate, &crowd), 0);
		for (unsigned i = 0; i < THREADS; i++)
			pthread_join(threads[i], NULL);
		assert_int_equal(crowd.failures, round);
		assert_true(phyr_sim_alloc_failed(crowd.sim));
		same(crowd.sim, 0, 0, 0);
		assert_int_equal(rig_stats(crowd.sim).table_pages, 0);
		assert_int_equal(rig_stats(crowd.sim).allocs, round * THREADS * ROUNDS);
	}
	phyr_sim_destroy(crowd.sim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_out_is_counted),
		cmocka_unit_test(the_nth_fails),
		cmocka_unit_test(failures_are_reported),
		cmocka_unit_test(one_thread_is_hit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
