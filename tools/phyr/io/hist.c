/* SPDX-License-Identifier: MIT */
/* A histogram of latencies, exact to 1.6 percent. */
#include "io/hist.h"

#include <string.h>

static unsigned lg2_of(uint64_t ns)
{
	return ns ? 63u - (unsigned)__builtin_clzll(ns) : 0;
}

static unsigned bucket_of(uint64_t ns)
{
	unsigned lg2 = lg2_of(ns), bucket;

	if (ns < HIST_STEPS)
		return (unsigned)ns;
	bucket = (lg2 - 5) * HIST_STEPS + (unsigned)(ns >> (lg2 - 6)) - HIST_STEPS;
	return bucket < HIST_BUCKETS ? bucket : HIST_BUCKETS - 1;
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
	hist->buckets[bucket_of(ns)]++;
	hist->count++;
	if (ns > hist->max)
		hist->max = ns;
}

void hist_merge(struct hist *hist, const struct hist *other)
{
	for (unsigned i = 0; i < HIST_BUCKETS; i++)
		hist->buckets[i] += other->buckets[i];
	hist->count += other->count;
	if (other->max > hist->max)
		hist->max = other->max;
}

uint64_t hist_quantile(const struct hist *hist, double share)
{
	uint64_t want = (uint64_t)(share * (double)hist->count), seen = 0;

	for (unsigned i = 0; i < HIST_BUCKETS; i++) {
		seen += hist->buckets[i];
		if (seen > want)
			return bucket_start(i);
	}
	return hist->max;
}

void hist_by_lg2(const struct hist *hist, struct hist_lg2 *out)
{
	memset(out, 0, sizeof(*out));
	for (unsigned i = 0; i < HIST_BUCKETS; i++) {
		unsigned lg2 = lg2_of(bucket_start(i));

		if (!hist->buckets[i])
			continue;
		if (!out->nr)
			out->first = lg2;
		out->nr = lg2 - out->first + 1;
		out->counts[lg2] += hist->buckets[i];
	}
}
