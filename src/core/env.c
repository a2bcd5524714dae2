/* SPDX-License-Identifier: MIT */
/* The environment of an ordinary process. */
#include "core/env.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "core/bits.h"
#include "core/order.h"
#include "core/pages.h"

_Static_assert(sizeof(pthread_mutex_t) <= sizeof(struct phyr_lock), "a mutex fits a lock");

#define HOSTED_SLOTS ENV_HOSTED_SLOTS

static void *hosted_alloc_pages(struct phyr_env *env, size_t size)
{
	return phyr_pages_alloc(size);
}

static void hosted_free_pages(struct phyr_env *env, void *pages, size_t size)
{
	phyr_pages_free(pages, size);
}

static void *hosted_alloc(struct phyr_env *env, size_t size)
{
	return calloc(1, size);
}

static void hosted_free(struct phyr_env *env, void *obj, size_t size)
{
	free(obj);
}

static int hosted_lock_init(struct phyr_env *env, struct phyr_lock *lock)
{
	return -pthread_mutex_init((pthread_mutex_t *)lock, NULL);
}

static void hosted_lock_fini(struct phyr_env *env, struct phyr_lock *lock)
{
	pthread_mutex_destroy((pthread_mutex_t *)lock);
}

static void hosted_lock(struct phyr_env *env, struct phyr_lock *lock)
{
	pthread_mutex_lock((pthread_mutex_t *)lock);
}

static void hosted_unlock(struct phyr_env *env, struct phyr_lock *lock)
{
	pthread_mutex_unlock((pthread_mutex_t *)lock);
}

/*
 * A thread's number + 1: the lowest that no thread has, given back when the thread ends. Threads that
 * find all taken share: NONE_LEFT + a number below HOSTED_SLOTS. The static model of thread-local
 * storage, that it is one load away in a shared library, too.
 */
__thread unsigned phyr_env_thread __attribute__((tls_model("initial-exec")));
#define mine      phyr_env_thread
#define NONE_LEFT (HOSTED_SLOTS + 1)

static uint64_t taken; /* bit i: some thread has number i */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t at_exit;

_Static_assert(HOSTED_SLOTS == 64, "a bit for each slot");

/* The last that a thread does with its number; what it calls after that goes without one. */
static void give_number_back(void *arg)
{
	unsigned number = mine - 1;

	mine = NONE_LEFT;
	/* Pairs with the exchange in take_number(): the next owner sees what this one wrote. */
	__atomic_fetch_and(&taken, ~((uint64_t)1 << number), __ATOMIC_RELEASE);
}

static bool take_number(void)
{
	uint64_t was = load_relaxed(&taken), bit;

	do {
		if (!~was)
			return false;
		bit = ~was & (was + 1);
	} while (!compare_exchange(&taken, &was, was | bit));
	mine = low_bit_u64(bit) + 1;
	if (!pthread_setspecific(at_exit, &mine))
		return true;
	give_number_back(NULL);
	return false;
}

static __attribute__((noinline)) void number_thread(void)
{
	static unsigned next;

	if (!take_number())
		mine = NONE_LEFT + atomic_count_add(&next, 1) % HOSTED_SLOTS;
}

static unsigned hosted_slot(struct phyr_env *env)
{
	if (unlikely(!mine))
		number_thread();
	return (mine - 1) % HOSTED_SLOTS;
}

unsigned phyr_env_hosted_own_slot(struct phyr_env *env)
{
	if (unlikely(!mine))
		number_thread();
	return mine < NONE_LEFT && mine <= env->nr_slots ? mine - 1 : env->nr_slots;
}

static bool register_fence(void)
{
	return !syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0);
}

static bool fence(void)
{
	return !syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
}

static void sleep_ns(long ns)
{
	struct timespec left = {.tv_nsec = ns};

	while (nanosleep(&left, &left) && errno == EINTR)
		;
}

/*
 * A process that is a fork may have to register itself again. Where a filter refuses what the kernel
 * granted before, time stands in for the fence: stores leave a processor within microseconds, and an
 * interrupt makes it wait for them. Nothing else is left, as the owners do not fence.
 */
static void fence_anyhow(void)
{
	if (!fence() && !(register_fence() && fence()))
		sleep_ns(10000000);
}

/* Sleep for a moment now and then: who is waited for may have a lower priority. */
static void hosted_fence_all(struct phyr_env *env, unsigned tries)
{
	int saved = errno;

	fence_anyhow();
	if (tries > 8)
		sleep_ns(50000);
	else if (tries)
		sched_yield();
	errno = saved;
}

static uint64_t hosted_now_ns(struct phyr_env *env)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static struct phyr_env hosted = {
	.alloc_pages = hosted_alloc_pages,
	.free_pages = hosted_free_pages,
	.alloc = hosted_alloc,
	.free = hosted_free,
	.lock_init = hosted_lock_init,
	.lock_fini = hosted_lock_fini,
	.lock = hosted_lock,
	.unlock = hosted_unlock,
	.slot = hosted_slot,
	.nr_slots = HOSTED_SLOTS,
	.now_ns = hosted_now_ns,
};

/* Without the key or the fence threads have no numbers of their own. */
static void init_hosted(void)
{
	bool has_key = !pthread_key_create(&at_exit, give_number_back);
	bool has_fence;
	int saved = errno;

	if (!has_key)
		store_relaxed(&taken, UINT64_MAX);
	has_fence = has_key && register_fence();
	errno = saved;
	if (!has_fence)
		return;
	hosted.own_slot = phyr_env_hosted_own_slot;
	hosted.fence_all = hosted_fence_all;
}

struct phyr_env *phyr_env_hosted(void)
{
	pthread_once(&once, init_hosted);
	return &hosted;
}
