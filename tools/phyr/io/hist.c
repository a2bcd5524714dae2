/* SPDX-License-Identifier: MIT */
/* A histogram of latencies, exact to 1.6 percent. */
#include "io/io.h"

static unsigned bucket_of(uint64_t ns)
{
	unsigned lg2;

	if (ns < HIST_STEPS)
		return (unsigned)ns;
	lg2 = 63u - (unsigned)__builtin_clzll(ns);
	return (lg2 - 5) * HIST_STEPS + (unsigned)(ns >> (lg2 - 6)) - HIST_STEPS;
}

static uint64_t bucket_start(unsigned bucket)
{
	unsigned lg2 = bucket / HIST_STEPS + 5;

	if (bucket < HIST_STEPS)
		return bucket;
	return (uint64_t)(HIST_STEPS + bucket % HIST_STEPS) << (lg2 - 6);
}

void hist_add(struct hist *hist, uint64_t ns)
{
	unsigned bucket = bucket_of(ns);

	hist->buckets[bucket < HIST_BUCKETS ? bucket : HIST_BUCKETS - 1]++;
	hist->count++;
}

uint64_t hist_quantile(const struct hist *hist, double share)
{
	uint64_t want = (uint64_t)(share * (double)hist->count), seen = 0;

	for (unsigned i = 0; i < HIST_BUCKETS; i++) {
		seen += hist->buckets[i];
		if (seen > want)
			return bucket_start(i);
	}
	return 0;
}
