/* SPDX-License-Identifier: MIT */
/* Random numbers for tests. */
#include "lib/rnd.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct rnd rnd_start(const char *test)
{
	const char *given = getenv("PHYR_TEST_SEED");
	struct timespec ts;
	struct rnd r;

	clock_gettime(CLOCK_REALTIME, &ts);
	r.s = given ? strtoull(given, NULL, 0)
		    : (uint64_t)ts.tv_sec * 1000003 + (uint64_t)ts.tv_nsec;
	printf("# %s: PHYR_TEST_SEED=%" PRIu64 "\n", test, r.s);
	return r;
}

uint64_t rnd_log(struct rnd *r, uint64_t low, uint64_t high)
{
	unsigned a = 63u - (unsigned)__builtin_clzll(low | 1);
	unsigned b = 63u - (unsigned)__builtin_clzll(high | 1);
	uint64_t v;

	do {
		unsigned bit = a + (unsigned)rnd_below(r, b - a + 1);

		v = ((uint64_t)1 << bit) + rnd_below(r, (uint64_t)1 << bit);
	} while (v < low || v > high);
	return v;
}
