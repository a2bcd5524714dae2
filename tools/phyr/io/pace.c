/* SPDX-License-Identifier: MIT */
/* An even pace. */
#include "io/pace.h"

/* What units take at the whole rate, times n, ns; as long as can be said where it is longer. */
static uint64_t time_of(const struct pace *pace, uint64_t units, unsigned n)
{
	unsigned __int128 ns = (unsigned __int128)units * 1000000000u * n / pace->rate;

	return ns > INT64_MAX ? INT64_MAX : (uint64_t)ns;
}

void pace_init(struct pace *pace, uint64_t rate, unsigned parts, unsigned part, uint64_t units,
	       uint64_t now_ns)
{
	*pace = (struct pace){.rate = rate, .parts = parts, .start_ns = now_ns};
	pace->start_ns += time_of(pace, units, part);
}

uint64_t pace_wait(struct pace *pace, uint64_t now_ns)
{
	uint64_t due = pace->start_ns + time_of(pace, pace->units, pace->parts);

	if (due > now_ns)
		return due - now_ns;
	if (now_ns - due > PACE_SLACK_NS) {
		pace->start_ns = now_ns - PACE_SLACK_NS;
		pace->units = 0;
	}
	return 0;
}

void pace_took(struct pace *pace, uint64_t units)
{
	pace->units += units;
}
