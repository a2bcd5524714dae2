/* SPDX-License-Identifier: MIT */
/* Page-table memory from a pool, so that a row times phyr and not an allocator. */
#ifndef BENCH_POOL_H
#define BENCH_POOL_H

#include "bench/bench.h"

#define BENCH_POOL_PAGES ((size_t)1200)

/* Pages come from memory upwards as long as none was given back, then the last given back first. */
struct bench_pool {
	struct phyr_env env; /* the first member */
	char *memory;
	size_t nr_free;
	void *free[BENCH_POOL_PAGES];
};

/* 0 or -1: no memory. */
int bench_pool_start(struct bench_pool *pool);
void bench_pool_stop(struct bench_pool *pool);

/*
 * Fill the last nr pages given out with zeroes, of a pool that was given none back: of a table that
 * was made downwards these are the lowest tables, which so are empty, and stay where they are.
 */
void bench_pool_empty_last(struct bench_pool *pool, size_t nr);

#endif
