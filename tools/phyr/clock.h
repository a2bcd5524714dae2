/* SPDX-License-Identifier: MIT */
/* The clock that everything here is timed by. */
#ifndef CLOCK_H
#define CLOCK_H

#include <phyr/types.h>

static inline uint64_t now_ns(void)
{
	struct phyr_env *env = phyr_env_hosted();

	return env->now_ns(env);
}

#endif
