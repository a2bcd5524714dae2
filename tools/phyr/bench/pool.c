/* SPDX-License-Identifier: MIT */
/* Page-table memory from a pool: what a kernel's page allocator would give from its own stack. */
#include "bench/pool.h"

#include <stdlib.h>
#include <string.h>

static struct bench_pool *pool_of(struct phyr_env *env)
{
	return (struct bench_pool *)(void *)env;
}

static void *pool_alloc(struct phyr_env *env, size_t size)
{
	struct bench_pool *pool = pool_of(env);
	void *page;

	if (size != PHYR_PAGE_SIZE)
		return phyr_env_hosted()->alloc_pages(env, size);
	if (!pool->nr_free)
		return NULL;
	page = pool->free[--pool->nr_free];
	memset(page, 0, PHYR_PAGE_SIZE);
	return page;
}

static void pool_free(struct phyr_env *env, void *pages, size_t size)
{
	struct bench_pool *pool = pool_of(env);

	if (size != PHYR_PAGE_SIZE)
		phyr_env_hosted()->free_pages(env, pages, size);
	else
		pool->free[pool->nr_free++] = pages;
}

int bench_pool_start(struct bench_pool *pool)
{
	pool->env = *phyr_env_hosted();
	pool->env.alloc_pages = pool_alloc;
	pool->env.free_pages = pool_free;
	pool->memory = aligned_alloc(PHYR_PAGE_SIZE, BENCH_POOL_PAGES * PHYR_PAGE_SIZE);
	if (!pool->memory)
		return -1;
	/* Touched once, so that no row pays for the system's page faults. */
	memset(pool->memory, 1, BENCH_POOL_PAGES * PHYR_PAGE_SIZE);
	for (pool->nr_free = 0; pool->nr_free < BENCH_POOL_PAGES; pool->nr_free++)
		pool->free[pool->nr_free] =
			pool->memory + (BENCH_POOL_PAGES - 1 - pool->nr_free) * PHYR_PAGE_SIZE;
	return 0;
}

void bench_pool_stop(struct bench_pool *pool)
{
	free(pool->memory);
}

void bench_pool_empty_last(struct bench_pool *pool, size_t nr)
{
	size_t out = BENCH_POOL_PAGES - pool->nr_free;

	if (nr > out)
		abort();
	memset(pool->memory + (out - nr) * PHYR_PAGE_SIZE, 0, nr * PHYR_PAGE_SIZE);
}
