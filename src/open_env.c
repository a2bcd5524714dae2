/* SPDX-License-Identifier: MIT */
/*
 * An open target's environment: its place's, but reports go to who opened it.
 *
 * Each function is handed on with the place's own env, which it may be embedded in.
 */
#include "core/bits.h"
#include "open.h"

static struct phyr *of(struct phyr_env *env)
{
	return container_of(env, struct phyr, env);
}

static void *open_alloc_pages(struct phyr_env *env, size_t size)
{
	return env_alloc_pages(of(env)->base, size);
}

static void open_free_pages(struct phyr_env *env, void *pages, size_t size)
{
	env_free_pages(of(env)->base, pages, size);
}

static void *open_alloc(struct phyr_env *env, size_t size)
{
	return env_alloc(of(env)->base, size);
}

static void open_free(struct phyr_env *env, void *obj, size_t size)
{
	env_free(of(env)->base, obj, size);
}

static int open_lock_init(struct phyr_env *env, struct phyr_lock *lock)
{
	return env_lock_init(of(env)->base, lock);
}

static void open_lock_fini(struct phyr_env *env, struct phyr_lock *lock)
{
	env_lock_fini(of(env)->base, lock);
}

static void open_lock(struct phyr_env *env, struct phyr_lock *lock)
{
	env_lock(of(env)->base, lock);
}

static void open_unlock(struct phyr_env *env, struct phyr_lock *lock)
{
	env_unlock(of(env)->base, lock);
}

static unsigned open_slot(struct phyr_env *env)
{
	return env_slot(of(env)->base);
}

static unsigned open_own_slot(struct phyr_env *env)
{
	return of(env)->base->own_slot(of(env)->base);
}

static void open_fence_all(struct phyr_env *env, unsigned tries)
{
	of(env)->base->fence_all(of(env)->base, tries);
}

static uint64_t open_now_ns(struct phyr_env *env)
{
	return env_now_ns(of(env)->base);
}

static void open_flush_lines(struct phyr_env *env, const void *ptr, size_t len)
{
	env_flush_lines(of(env)->base, ptr, len);
}

static void open_report(struct phyr_env *env, const struct phyr_report *report)
{
	const struct phyr_opts *opts = &of(env)->opts;

	if (opts->report)
		opts->report(opts->report_arg, report);
}

/* The hosted one needs nothing of the environment but nr_slots, and is known to be short. */
static unsigned (*own_slot(const struct phyr_env *base))(struct phyr_env *env)
{
	if (base->own_slot == phyr_env_hosted_own_slot)
		return base->own_slot;
	return base->own_slot ? open_own_slot : NULL;
}

void phyr_env_wrap(struct phyr *p, struct phyr_env *base)
{
	p->base = base;
	p->env = (struct phyr_env){
		.alloc_pages = open_alloc_pages,
		.free_pages = open_free_pages,
		.alloc = open_alloc,
		.free = open_free,
		.phys_delta = base->phys_delta,
		.lock_init = open_lock_init,
		.lock_fini = open_lock_fini,
		.lock = open_lock,
		.unlock = open_unlock,
		.slot = open_slot,
		.nr_slots = base->nr_slots,
		.now_ns = open_now_ns,
		.flush_lines = base->flush_lines ? open_flush_lines : NULL,
		.report = open_report,
		.own_slot = own_slot(base),
		.fence_all = base->fence_all ? open_fence_all : NULL,
	};
}
