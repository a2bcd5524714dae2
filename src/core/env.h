/* SPDX-License-Identifier: MIT */
/* The environment, as the layers call it; and reports. */
#ifndef CORE_ENV_H
#define CORE_ENV_H

#include <phyr/types.h>

#include "core/err.h"

/* What NULL stands for: the hosted one, and nothing in a freestanding build. */
static inline struct phyr_env *env_or_hosted(struct phyr_env *env)
{
#if __STDC_HOSTED__
	return env ? env : phyr_env_hosted();
#else
	return env;
#endif
}

/* Refuse an environment that lacks a member, for call: 0 or a reported -EINVAL, and its hint names it. */
int phyr_env_check(struct phyr_env *env, const char *call);

static inline void *env_alloc_pages(struct phyr_env *env, size_t size)
{
	return env->alloc_pages(env, size);
}

static inline void env_free_pages(struct phyr_env *env, void *pages, size_t size)
{
	env->free_pages(env, pages, size);
}

static inline void *env_alloc(struct phyr_env *env, size_t size)
{
	return env->alloc(env, size);
}

static inline void env_free(struct phyr_env *env, void *obj, size_t size)
{
	env->free(env, obj, size);
}

static inline uint64_t env_to_phys(const struct phyr_env *env, const void *cpu)
{
	return (uint64_t)(uintptr_t)cpu + env->phys_delta;
}

static inline void *env_to_cpu(const struct phyr_env *env, uint64_t phys)
{
	return (void *)(uintptr_t)(phys - env->phys_delta);
}

static inline int env_lock_init(struct phyr_env *env, struct phyr_lock *lock)
{
	return env->lock_init(env, lock);
}

static inline void env_lock_fini(struct phyr_env *env, struct phyr_lock *lock)
{
	env->lock_fini(env, lock);
}

static inline void env_lock(struct phyr_env *env, struct phyr_lock *lock)
{
	env->lock(env, lock);
}

static inline void env_unlock(struct phyr_env *env, struct phyr_lock *lock)
{
	env->unlock(env, lock);
}

static inline unsigned env_slot(struct phyr_env *env)
{
	return env->slot(env);
}

static inline uint64_t env_now_ns(struct phyr_env *env)
{
	return env->now_ns(env);
}

static inline void env_flush_lines(struct phyr_env *env, const void *p, size_t len)
{
	if (env->flush_lines)
		env->flush_lines(env, p, len);
}

/* Tell the environment what went wrong, and return its errno: return env_fail(env, .err = …, …); */
int phyr_env_report(struct phyr_env *env, const struct phyr_report *report);
#define env_fail(env, ...) phyr_env_report(env, &(const struct phyr_report){__VA_ARGS__})

#endif
