/* SPDX-License-Identifier: MIT */
/* The machine's limits, measured in the same run as what is held against them. */
#include "bench/bench.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define AREA  ((size_t)2 << 20)
#define CHAIN 256

const char *const limit_names[NR_LIMITS + 1] = {"memset", "copy",  "l1_load",
						"atomic", "clock", "one_thread"};

static char *to, *from;
static void *chain[CHAIN];
static uint64_t counter;

int limits_init(void)
{
	to = aligned_alloc(4096, AREA);
	from = aligned_alloc(4096, AREA);
	if (!to || !from)
		return -ENOMEM;
	memset(to, 1, AREA);
	memset(from, 2, AREA);
	for (size_t i = 0; i < CHAIN; i++)
		chain[i] = &chain[(i + 37) % CHAIN];
	return 0;
}

void limits_fini(void)
{
	free(to);
	free(from);
}

static uint64_t work_memset(void)
{
	memset(to, 0, AREA);
	bench_use((uintptr_t)to);
	return AREA / 8;
}

static uint64_t work_copy(void)
{
	memcpy(to, from, AREA);
	bench_use((uintptr_t)to);
	return AREA / 8;
}

static uint64_t work_l1(void)
{
	void **p = chain;

	for (unsigned i = 0; i < 32768; i++)
		p = *p;
	bench_use((uintptr_t)p);
	return 32768;
}

static uint64_t work_atomic(void)
{
	for (unsigned i = 0; i < 8192; i++)
		__atomic_fetch_add(&counter, 1, __ATOMIC_SEQ_CST);
	return 8192;
}

static uint64_t work_clock(void)
{
	for (unsigned i = 0; i < 1024; i++)
		bench_use(now_ns());
	return 1024;
}

double limit_sample(enum limit limit)
{
	static uint64_t (*const work[NR_LIMITS])(void) = {work_memset, work_copy, work_l1,
							  work_atomic, work_clock};
	double best = 1e18;

	/* The least of a few: a limit is what the machine can do when it is let. */
	for (unsigned i = 0; i < 4; i++) {
		uint64_t start = now_ns(), units = work[limit]();
		double ns = (double)(now_ns() - start) / (double)units;

		best = ns < best ? ns : best;
	}
	return best;
}
