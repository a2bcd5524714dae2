/* SPDX-License-Identifier: MIT */
/* Counters of an object, a cache line for each slot of the environment: threads do not meet there. */
#ifndef CORE_SLOTS_H
#define CORE_SLOTS_H

#include "core/bits.h"
#include "core/env.h"

#define SLOT_LINE 64

/* What an array of lines, one a slot, takes of memory that is aligned as malloc's is. */
static inline size_t slots_size(const struct phyr_env *env)
{
	return ((size_t)env->nr_slots + 1) * SLOT_LINE;
}

/* Memory for the lines, zeroed; NULL: none. */
static inline void *slots_alloc(struct phyr_env *env)
{
	return env_alloc(env, slots_size(env));
}

static inline void slots_free(struct phyr_env *env, void *mem)
{
	env_free(env, mem, slots_size(env));
}

/* The first line in that memory. */
static inline void *slots_lines(void *mem)
{
	return (void *)(uintptr_t)round_up_mask((uintptr_t)mem, SLOT_LINE - 1);
}

#endif
