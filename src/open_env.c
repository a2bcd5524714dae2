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
	};
}
