/* SPDX-License-Identifier: MIT */
/* An even pace. */
#include "io/pace.h"

/* As long as can be said; two of them and the clock can still be added. */
#define LONGEST_NS (INT64_MAX / 4)

/* What units take at the whole rate, times n, ns. */
static int64_t time_of(const struct pace *pace, unsigned __int128 units, unsigned n)
{
	unsigned __int128 ns = units * 1000000000u / pace->rate;

	return ns > (uint64_t)LONGEST_NS / n ? LONGEST_NS
					     : (int64_t)(units * 1000000000u * n / pace->rate);
}

void pace_init(struct pace *pace, uint64_t rate, unsigned parts, unsigned part, uint64_t units,
	       uint64_t now_ns)
{
	*pace = (struct pace){.rate = rate, .parts = parts, .start_ns = (int64_t)now_ns};
	/* The first part's first I/O is due when that of all of them together is. */
	pace->start_ns += time_of(pace, units, part + 1) - time_of(pace, units, parts);
}

uint64_t pace_wait(struct pace *pace, uint64_t units, uint64_t now_ns)
{
	int64_t now = (int64_t)now_ns;
	int64_t takes = time_of(pace, (unsigned __int128)pace->units + units, pace->parts);
	int64_t due = pace->start_ns + takes;

	if (due > now)
		return (uint64_t)(due - now);
	if (now - due > PACE_SLACK_NS) {
		pace->start_ns = now - PACE_SLACK_NS - time_of(pace, units, pace->parts);
		pace->units = 0;
	}
	return 0;
}

void pace_took(struct pace *pace, uint64_t units)
{
	pace->units += units;
}
