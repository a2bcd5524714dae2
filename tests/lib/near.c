/* SPDX-License-Identifier: MIT */
/*
 * Pages near each other: blocks of a stretch that is reserved once, kept by size when they come back.
 * What is free is filled with rubbish, for no sanitizer watches it.
 */
#include "lib/near.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define STRETCH ((uintptr_t)1 << NEAR_LG2)
#define RUBBISH 0xdb

static struct {
	struct phyr_env env;
	pthread_mutex_t lock;
	uintptr_t next, end;  /* what was never given out */
	void *free[NEAR_LG2]; /* by size, log2; linked through their first words */
} near = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void *take(unsigned lg2)
{
	uintptr_t size = (uintptr_t)1 << lg2, at;
	void *p = near.free[lg2];

	if (p) {
		memcpy(&near.free[lg2], p, sizeof(p));
		return p;
	}
	at = (near.next + size - 1) & ~(size - 1);
	if (at + size > near.end)
		return NULL;
	near.next = at + size;
	return (void *)at;
}

static void *near_alloc_pages(struct phyr_env *env, size_t size)
{
	void *p;

	pthread_mutex_lock(&near.lock);
	p = take((unsigned)__builtin_ctzll(size));
	pthread_mutex_unlock(&near.lock);
	return p ? memset(p, 0, size) : NULL;
}

static void near_free_pages(struct phyr_env *env, void *pages, size_t size)
{
	void **head = &near.free[__builtin_ctzll(size)];

	memset(pages, RUBBISH, size);
	pthread_mutex_lock(&near.lock);
	memcpy(pages, head, sizeof(*head));
	*head = pages;
	pthread_mutex_unlock(&near.lock);
}

static void make(void)
{
	void *p = mmap(NULL, STRETCH, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		abort();
	near.next = (uintptr_t)p;
	near.end = near.next + STRETCH;
	near.env = *phyr_env_hosted();
	near.env.phys_delta = 0 - (uint64_t)near.next;
	near.env.alloc_pages = near_alloc_pages;
	near.env.free_pages = near_free_pages;
}

struct phyr_env *near_env(unsigned oa_bits)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	if (oa_bits >= 48)
		return phyr_env_hosted();
	pthread_once(&once, make);
	return &near.env;
}
