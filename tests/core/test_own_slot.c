/* SPDX-License-Identifier: MIT */
/* The hosted environment's slots of one's own: one thread at a time, given back when it ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <string.h>

#include "core/env.h"
#include "lib/tenv.h"

#define THREADS 100

struct thread {
	pthread_t id;
	struct phyr_env *env;
	pthread_barrier_t *barrier;
	unsigned slot, own, again;
};

static void *look(void *arg)
{
	struct thread *th = arg;

	th->own = env_own_slot(th->env);
	th->slot = env_slot(th->env);
	pthread_barrier_wait(th->barrier); /* all run at once */
	th->again = env_own_slot(th->env);
	return NULL;
}

/* So many threads at once; returns how many have a slot of their own. */
static unsigned run(struct phyr_env *env, unsigned nr)
{
	struct thread threads[THREADS];
	pthread_barrier_t barrier;
	bool seen[ENV_HOSTED_SLOTS] = {false};
	unsigned own = 0;

	pthread_barrier_init(&barrier, NULL, nr);
	for (unsigned i = 0; i < nr; i++) {
		threads[i] = (struct thread){.env = env, .barrier = &barrier};
		assert_int_equal(pthread_create(&threads[i].id, NULL, look, &threads[i]), 0);
	}
	for (unsigned i = 0; i < nr; i++)
		pthread_join(threads[i].id, NULL);
	pthread_barrier_destroy(&barrier);
	for (unsigned i = 0; i < nr; i++) {
		assert_int_equal(threads[i].own, threads[i].again);
		assert_true(threads[i].slot < phyr_env_hosted()->nr_slots);
		if (threads[i].own == env->nr_slots)
			continue;
		assert_true(threads[i].own < env->nr_slots && threads[i].own < ENV_HOSTED_SLOTS);
		assert_false(seen[threads[i].own]);
		seen[threads[i].own] = true;
		own++;
	}
	return own;
}

/* Three times over: what ended threads had is there again. This thread has one, too, maybe. */
static void one_thread_at_a_time(void **state)
{
	struct phyr_env *env = phyr_env_hosted();

	if (!env->own_slot)
		skip();
	for (unsigned i = 0; i < 3; i++) {
		assert_in_range(run(env, THREADS), ENV_HOSTED_SLOTS - 1, ENV_HOSTED_SLOTS);
		assert_int_equal(run(env, 10), 10);
	}
}

/* In an environment with other numbers of slots: never one that is not there, or another's. */
static void with_other_counts(void **state)
{
	struct phyr_env env = *phyr_env_hosted();

	if (!env.own_slot)
		skip();
	env.nr_slots = 2;
	assert_in_range(run(&env, THREADS), 1, 2);
	env.nr_slots = 1000;
	assert_in_range(run(&env, THREADS), ENV_HOSTED_SLOTS - 1, ENV_HOSTED_SLOTS);
}

static void fence_comes_back(void **state)
{
	struct phyr_env *env = phyr_env_hosted();

	if (!env->own_slot)
		skip();
	for (unsigned tries = 0; tries < 12; tries++)
		env_fence_all(env, tries);
}

static void own_slot_wants_fence(void **state)
{
	struct tenv t;

	tenv_init(&t, NULL);
	t.env.own_slot = phyr_env_hosted_own_slot;
	t.env.fence_all = NULL;
	assert_int_equal(phyr_env_check(&t.env, "phyr_x"), -EINVAL);
	assert_non_null(strstr(t.last.hint, "fence_all"));
	t.env.own_slot = NULL;
	assert_int_equal(phyr_env_check(&t.env, "phyr_x"), 0);
	assert_false(env_has_own_slots(&t.env));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_thread_at_a_time),
		cmocka_unit_test(with_other_counts),
		cmocka_unit_test(fence_comes_back),
		cmocka_unit_test(own_slot_wants_fence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
