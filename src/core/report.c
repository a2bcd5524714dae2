/* SPDX-License-Identifier: MIT */
/* Tell the environment what went wrong. */
#include "core/env.h"

int phyr_env_report(struct phyr_env *env, const struct phyr_report *report)
{
	if (env->report)
		env->report(env, report);
	return report->err;
}
