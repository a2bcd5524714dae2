/* SPDX-License-Identifier: MIT */
/* An environment for tests, on top of another. */
#include "lib/tenv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Each small object is preceded by its size, so that a free with another one is caught. */
#define HEAD 16

static struct tenv *of(struct phyr_env *env)
{
	return (struct tenv *)env;
}

static bool fails(struct tenv *t)
{
	uint64_t n = __atomic_add_fetch(&t->allocs, 1, __ATOMIC_RELAXED);

	if (n != t->fail_at)
		return false;
	t->failed = true;
	return true;
}

static void die(const char *what, size_t a, size_t b)
{
	fprintf(stderr, "tenv: %s (%zu, %zu)\n", what, a, b);
	abort();
}

static void *t_alloc_pages(struct phyr_env *env, size_t size)
{
	struct tenv *t = of(env);
	void *p;

	if (size < 4096 || size & (size - 1))
		die("alloc_pages of a size that is no power of two of pages", size, 0);
	p = fails(t) ? NULL : t->base->alloc_pages(t->base, size);
	if (p)
		__atomic_add_fetch(&t->live_pages, (int64_t)(size >> 12), __ATOMIC_RELAXED);
	return p;
}

static void t_free_pages(struct phyr_env *env, void *pages, size_t size)
{
	struct tenv *t = of(env);

	__atomic_sub_fetch(&t->live_pages, (int64_t)(size >> 12), __ATOMIC_RELAXED);
	t->base->free_pages(t->base, pages, size);
}

static void *t_alloc(struct phyr_env *env, size_t size)
{
	struct tenv *t = of(env);
	char *p;

	p = fails(t) ? NULL : t->base->alloc(t->base, size + HEAD);
	if (!p)
		return NULL;
	__atomic_add_fetch(&t->live_objects, 1, __ATOMIC_RELAXED);
	memcpy(p, &size, sizeof(size));
	return p + HEAD;
}

static void t_free(struct phyr_env *env, void *obj, size_t size)
{
	struct tenv *t = of(env);
	size_t was;

	if (!obj)
		return;
	memcpy(&was, (char *)obj - HEAD, sizeof(was));
	if (was != size)
		die("free of another size than was allocated", size, was);
	memset((char *)obj - HEAD, 0xdb, size + HEAD);
	__atomic_sub_fetch(&t->live_objects, 1, __ATOMIC_RELAXED);
	t->base->free(t->base, (char *)obj - HEAD, size + HEAD);
}

static int t_lock_init(struct phyr_env *env, struct phyr_lock *lock)
{
	struct tenv *t = of(env);
	int err = fails(t) ? -ENOMEM : t->base->lock_init(t->base, lock);

	if (!err)
		__atomic_add_fetch(&t->live_locks, 1, __ATOMIC_RELAXED);
	return err;
}

static void t_lock_fini(struct phyr_env *env, struct phyr_lock *lock)
{
	__atomic_sub_fetch(&of(env)->live_locks, 1, __ATOMIC_RELAXED);
	of(env)->base->lock_fini(of(env)->base, lock);
}

static void t_lock(struct phyr_env *env, struct phyr_lock *lock)
{
	of(env)->base->lock(of(env)->base, lock);
}

static void t_unlock(struct phyr_env *env, struct phyr_lock *lock)
{
	of(env)->base->unlock(of(env)->base, lock);
}

static unsigned t_slot(struct phyr_env *env)
{
	return of(env)->base->slot(of(env)->base);
}

static void t_fence_all(struct phyr_env *env, unsigned tries)
{
	of(env)->base->fence_all(of(env)->base, tries);
}

static uint64_t t_now_ns(struct phyr_env *env)
{
	return of(env)->base->now_ns(of(env)->base);
}

static void t_report(struct phyr_env *env, const struct phyr_report *report)
{
	of(env)->last = *report;
	__atomic_add_fetch(&of(env)->reports, 1, __ATOMIC_RELAXED);
}

void tenv_init(struct tenv *t, struct phyr_env *base)
{
	memset(t, 0, sizeof(*t));
	t->base = base ? base : phyr_env_hosted();
	t->env = (struct phyr_env){
		.alloc_pages = t_alloc_pages,
		.free_pages = t_free_pages,
		.alloc = t_alloc,
		.free = t_free,
		.phys_delta = t->base->phys_delta,
		.lock_init = t_lock_init,
		.lock_fini = t_lock_fini,
		.lock = t_lock,
		.unlock = t_unlock,
		.slot = t_slot,
		.nr_slots = t->base->nr_slots,
		.now_ns = t_now_ns,
		.report = t_report,
		.own_slot = t->base->own_slot, /* which looks at nr_slots only */
		.fence_all = t->base->fence_all ? t_fence_all : NULL,
	};
}

void tenv_restart(struct tenv *t)
{
	t->allocs = 0;
	t->failed = false;
	t->reports = 0;
	memset(&t->last, 0, sizeof(t->last));
}

bool tenv_live(const struct tenv *t)
{
	return t->live_objects || t->live_pages || t->live_locks;
}

void tenv_fini(struct tenv *t)
{
	if (tenv_live(t))
		die("leaked objects or locks, pages", (size_t)(t->live_objects + t->live_locks),
		    (size_t)t->live_pages);
}
