/* SPDX-License-Identifier: MIT */
/* Latencies, ns, counted by their two leading parts: 64 steps to each power of two. */
#ifndef IO_HIST_H
#define IO_HIST_H

#include <stdint.h>

#define HIST_STEPS   64
#define HIST_BUCKETS (60 * HIST_STEPS)
#define HIST_LG2     64

struct hist {
	uint64_t count;
	uint64_t max; /* exact */
	uint64_t buckets[HIST_BUCKETS];
};

void hist_add(struct hist *hist, uint64_t ns);
/* Count all that another one has too. */
void hist_merge(struct hist *hist, const struct hist *other);
/* The value below which this share (0 to 1) of all lies, ns. */
uint64_t hist_quantile(const struct hist *hist, double share);

/* By powers of two: counts[i] are those from 2^i to 2^(i+1) - 1; counts[0] has 0 as well. */
struct hist_lg2 {
	uint64_t counts[HIST_LG2];
	unsigned first,
		nr; /* the buckets from the first that has any to the last; nr 0: none has */
};

void hist_by_lg2(const struct hist *hist, struct hist_lg2 *out);

#endif
