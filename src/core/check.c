/* SPDX-License-Identifier: MIT */
/* Whether an environment is whole: asked once, by what is made with it. */
#include "core/env.h"

/* What is wrong with the first member that is not filled in; NULL: nothing. */
static const char *what_is_missing(const struct phyr_env *env)
{
	if (!env->alloc_pages)
		return "the environment's alloc_pages is NULL";
	if (!env->free_pages)
		return "the environment's free_pages is NULL";
	if (!env->alloc)
		return "the environment's alloc is NULL";
	if (!env->free)
		return "the environment's free is NULL";
	if (!env->lock_init)
		return "the environment's lock_init is NULL";
	if (!env->lock_fini)
		return "the environment's lock_fini is NULL";
	if (!env->lock)
		return "the environment's lock is NULL";
	if (!env->unlock)
		return "the environment's unlock is NULL";
	if (!env->slot)
		return "the environment's slot is NULL";
	if (!env->now_ns)
		return "the environment's now_ns is NULL";
	if (env->own_slot && !env->fence_all)
		return "the environment's own_slot wants fence_all, which is NULL";
	if (!env->nr_slots)
		return "the environment's nr_slots is 0; the least is 1";
	return NULL;
}

int phyr_env_check(struct phyr_env *env, const char *call)
{
	const char *hint;

	if (!env) /* in a freestanding build, where nothing stands for NULL */
		return -EINVAL;
	hint = what_is_missing(env);
	return hint ? env_fail(env, .err = -EINVAL, .call = call, .hint = hint) : 0;
}
