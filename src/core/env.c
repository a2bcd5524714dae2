/* SPDX-License-Identifier: MIT */
/* The environment of an ordinary process. */
#include "core/env.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "core/order.h"
#include "core/pages.h"

_Static_assert(sizeof(pthread_mutex_t) <= sizeof(struct phyr_lock), "a mutex fits a lock");

#define HOSTED_SLOTS 64

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

/* Threads take slots in turn; beyond HOSTED_SLOTS threads they share. */
static unsigned hosted_slot(struct phyr_env *env)
{
	static unsigned next;
	static __thread unsigned mine; /* slot + 1 */

	if (!mine)
		mine = atomic_count_add(&next, 1) % HOSTED_SLOTS + 1;
	return mine - 1;
}

static uint64_t hosted_now_ns(struct phyr_env *env)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

struct phyr_env *phyr_env_hosted(void)
{
	static struct phyr_env env = {
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

	return &env;
}
