/* SPDX-License-Identifier: MIT */
/* The hosted environment's slots of one's own: one thread at a time, given back when it ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

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

/* From now on the kernel says EPERM to membarrier(2). False: it takes no filter. */
static bool refuse_fence(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_membarrier, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {.len = 4, .filter = code};

	return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
	       !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

#define NO_FILTER 77

/* What @child returns in a process where the fence is refused. */
static void check_refused(int (*child)(void))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (!pid)
		_exit(refuse_fence() ? child() : NO_FILTER);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == NO_FILTER)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

static int has_none(void)
{
	struct phyr_env *env;

	errno = 1234;
	env = phyr_env_hosted();
	return env_has_own_slots(env) || env->own_slot || env->fence_all || errno != 1234;
}

/* Must come first: the environment looks once in a process. */
static void refused_from_the_start(void **state)
{
	check_refused(has_none);
}

static int fences(void)
{
	struct phyr_env *env = phyr_env_hosted();

	errno = 1234;
	for (unsigned tries = 0; tries < 12; tries++)
		env_fence_all(env, tries);
	return errno != 1234;
}

/* A filter that comes later can't make a call fail, wait for ever, or end the process. */
static void refused_later(void **state)
{
	if (!env_has_own_slots(phyr_env_hosted()))
		skip();
	check_refused(fences);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refused_from_the_start), cmocka_unit_test(one_thread_at_a_time),
		cmocka_unit_test(with_other_counts),      cmocka_unit_test(fence_comes_back),
		cmocka_unit_test(refused_later),          cmocka_unit_test(own_slot_wants_fence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
