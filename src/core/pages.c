/* SPDX-License-Identifier: MIT */
/*
 * Page blocks of an ordinary process.
 *
 * malloc gives page-aligned pages at twice their size and takes the memory back and forth from the
 * system, so single pages, of which lists and tables are made, come from chunks:
 *
 *   | chunk | page | page | page | …      1 MiB, aligned to that: a page's chunk is a mask away
 *
 * The head has a bitmap of free pages. Chunks with one are in a list; a chunk of free pages only is
 * given back, but for KEEP of them. With the address sanitizer every block is
 * malloc's, so that it sees each.
 */
#include "core/pages.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "core/bits.h"

#define PAGE       ((size_t)4096)
#define CHUNK      ((size_t)1 << 20)
#define PAGES      (CHUNK / PAGE)
#define BITS_WORDS (PAGES / 64)
#define KEEP       ((size_t)8)

#if defined(__SANITIZE_ADDRESS__)
#define USE_CHUNKS 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define USE_CHUNKS 0
#endif
#endif
#ifndef USE_CHUNKS
#define USE_CHUNKS 1
#endif

struct chunk {
	struct chunk *prev, *next; /* among chunks with a free page */
	size_t nr_free;
	uint64_t free[BITS_WORDS]; /* page 0 is this head */
};

static struct {
	pthread_mutex_t lock;
	struct chunk *some; /* chunks with a free page */
	size_t nr_empty;    /* chunks with nothing but free pages */
} heap = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void push(struct chunk *chunk)
{
	chunk->prev = NULL;
	chunk->next = heap.some;
	if (chunk->next)
		chunk->next->prev = chunk;
	heap.some = chunk;
}

static void take_out(struct chunk *chunk)
{
	if (chunk->prev)
		chunk->prev->next = chunk->next;
	else
		heap.some = chunk->next;
	if (chunk->next)
		chunk->next->prev = chunk->prev;
}

/* A stretch twice as long has an aligned chunk in it; the rest goes back. */
static struct chunk *map_chunk(void)
{
	char *start =
		mmap(NULL, 2 * CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *chunk;

	if (start == MAP_FAILED)
		return NULL;
	chunk = start + (-(uintptr_t)start & (CHUNK - 1));
	if (chunk != start)
		munmap(start, (size_t)(chunk - start));
	munmap(chunk + CHUNK, (size_t)(start + CHUNK - chunk));
	return (struct chunk *)chunk;
}

static struct chunk *new_chunk(void)
{
	struct chunk *chunk = map_chunk();

	if (!chunk)
		return NULL;
	memset(chunk->free, 0xff, sizeof(chunk->free));
	chunk->free[0] &= ~(uint64_t)1;
	chunk->nr_free = PAGES - 1;
	heap.nr_empty++;
	push(chunk);
	return chunk;
}

static void *take_page(struct chunk *chunk)
{
	unsigned word = 0, bit;

	while (!chunk->free[word])
		word++;
	bit = low_bit_u64(chunk->free[word]);
	chunk->free[word] &= chunk->free[word] - 1;
	heap.nr_empty -= chunk->nr_free == PAGES - 1;
	if (!--chunk->nr_free)
		take_out(chunk);
	return (char *)chunk + (word * 64 + bit) * PAGE;
}

static void give_page(char *page)
{
	struct chunk *chunk = (struct chunk *)((uintptr_t)page & ~(uintptr_t)(CHUNK - 1));
	size_t index = (size_t)(page - (char *)chunk) / PAGE;

	chunk->free[index / 64] |= (uint64_t)1 << (index % 64);
	if (!chunk->nr_free++)
		push(chunk);
	if (chunk->nr_free < PAGES - 1)
		return;
	if (heap.nr_empty == KEEP) {
		take_out(chunk);
		munmap(chunk, CHUNK);
	} else {
		heap.nr_empty++;
	}
}

static void *alloc_page(void)
{
	struct chunk *chunk;
	void *page = NULL;

	pthread_mutex_lock(&heap.lock);
	chunk = heap.some ? heap.some : new_chunk();
	if (chunk)
		page = take_page(chunk);
	pthread_mutex_unlock(&heap.lock);
	return page;
}

static void free_page(void *page)
{
	pthread_mutex_lock(&heap.lock);
	give_page(page);
	pthread_mutex_unlock(&heap.lock);
}

void *phyr_pages_alloc(size_t size)
{
	void *pages = USE_CHUNKS && size == PAGE ? alloc_page() : aligned_alloc(size, size);

	return pages ? memset(pages, 0, size) : NULL;
}

void phyr_pages_free(void *pages, size_t size)
{
	if (USE_CHUNKS && size == PAGE)
		free_page(pages);
	else
		free(pages);
}
