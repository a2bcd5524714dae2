/* SPDX-License-Identifier: MIT */
/* The environment, as the layers call it; and reports. */
#ifndef CORE_ENV_H
#define CORE_ENV_H

#include <phyr/types.h>

#include "core/err.h"

/* Numbers that threads of the hosted environment have for their own. */
#define ENV_HOSTED_SLOTS 64

#if __STDC_HOSTED__
/* The calling thread's number + 1; 0: not numbered yet; above ENV_HOSTED_SLOTS: it has none. */
extern __thread unsigned phyr_env_thread __attribute__((tls_model("initial-exec")));

/* phyr_env.own_slot of the hosted environment. */
unsigned phyr_env_hosted_own_slot(struct phyr_env *env);

/* How many slots of its own an environment has that are phyr_env_thread - 1. */
static inline unsigned env_nr_thread_slots(const struct phyr_env *env)
{
	if (env->own_slot != phyr_env_hosted_own_slot)
		return 0;
	return env->nr_slots < ENV_HOSTED_SLOTS ? env->nr_slots : ENV_HOSTED_SLOTS;
}

static inline unsigned env_thread_slot(void)
{
	return phyr_env_thread - 1;
}
#else
static inline unsigned env_nr_thread_slots(const struct phyr_env *env)
{
	return 0;
}

static inline unsigned env_thread_slot(void)
{
	return 0;
}
#endif

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

/* Whether callers can have slots of their own: see own_slot. */
static inline bool env_has_own_slots(const struct phyr_env *env)
{
	return env->own_slot && env->fence_all;
}

static inline unsigned env_own_slot(struct phyr_env *env)
{
	return env->own_slot(env);
}

static inline void env_fence_all(struct phyr_env *env, unsigned tries)
{
	env->fence_all(env, tries);
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
