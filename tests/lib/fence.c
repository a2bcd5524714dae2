/* SPDX-License-Identifier: MIT */
/* An environment whose memory is fenced. */
#include "lib/fence.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define ARENA   ((uint64_t)1 << 32)
#define PAGE    ((uint64_t)4096)
#define ALIGN   ((uint64_t)16)
#define PATTERN 0xdb

static struct fence *of(struct phyr_env *env)
{
	return (struct fence *)env;
}

static void die(const char *what, uint64_t a, uint64_t b)
{
	fprintf(stderr, "fence: %s (%#llx, %#llx)\n", what, (unsigned long long)a,
		(unsigned long long)b);
	abort();
}

static uint64_t up(uint64_t n, uint64_t to)
{
	return (n + to - 1) & ~(to - 1);
}

/* Freed blocks are off limits to the sanitizer, too. */
#if defined(__SANITIZE_ADDRESS__)
#define POISONS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POISONS 1
#endif
#endif
#ifdef POISONS
#include <sanitizer/asan_interface.h>
#define poison(start, size)   __asan_poison_memory_region(start, size)
#define unpoison(start, size) __asan_unpoison_memory_region(start, size)
#else
#define poison(start, size)   ((void)0)
#define unpoison(start, size) ((void)0)
#endif

static void *at(uint64_t addr)
{
	return (void *)(uintptr_t)addr;
}

static void check_pattern(const unsigned char *from, uint64_t len, const struct fence_block *b,
			  const char *what)
{
	if (len && (*from != PATTERN || memcmp(from, from + 1, len - 1)))
		die(what, b->start, b->size);
}

static void check_freed(const struct fence_block *b)
{
	unpoison(at(b->base), b->room);
	check_pattern(at(b->base), b->room, b, "written after it was freed");
}

/* Pages that were freed, those of the longest ago; 0 when there are none of that size. */
static uint64_t take_freed(struct fence *f, uint64_t room, uint64_t align)
{
	for (unsigned i = 0; i < f->nr_freed; i++) {
		struct fence_block b = f->freed[i];

		if (b.room != room || b.base & (align - 1))
			continue;
		check_freed(&b);
		memmove(&f->freed[i], &f->freed[i + 1], (--f->nr_freed - i) * sizeof(b));
		return b.base;
	}
	return 0;
}

/* Whole pages with a page of no access behind them, zeroed; 0 when none are left. */
static uint64_t take(struct fence *f, uint64_t room, uint64_t align)
{
	uint64_t arena = (uint64_t)(uintptr_t)f->arena;
	uint64_t base = take_freed(f, room, align);

	if (base) {
		memset(at(base), 0, room);
		return base;
	}
	base = up(arena + f->used, align);
	if (f->nr_blocks + f->nr_freed == FENCE_BLOCKS || base + room + PAGE > arena + ARENA)
		return 0;
	if (mprotect(at(base), room, PROT_READ | PROT_WRITE))
		return 0;
	f->used = base + room + PAGE - arena;
	return base;
}

static void *add(struct fence *f, uint64_t base, uint64_t room, uint64_t start, uint64_t size)
{
	f->blocks[f->nr_blocks++] =
		(struct fence_block){.start = start, .size = size, .base = base, .room = room};
	return at(start);
}

static void *f_alloc_pages(struct phyr_env *env, size_t size)
{
	struct fence *f = of(env);
	uint64_t base;

	if (size < PAGE || size & (size - 1))
		die("alloc_pages of a size that is no power of two of pages", size, 0);
	if (f->fails && f->fails(f->arg))
		return NULL;
	base = take(f, size, size);
	return base ? add(f, base, size, base, size) : NULL;
}

/* At the end of its pages; the bytes that alignment leaves behind it have a pattern. */
static void *f_alloc(struct phyr_env *env, size_t size)
{
	struct fence *f = of(env);
	uint64_t bytes = up(size ? size : 1, ALIGN), room = up(bytes, PAGE), base, start;

	if (f->fails && f->fails(f->arg))
		return NULL;
	base = take(f, room, PAGE);
	if (!base)
		return NULL;
	start = base + room - bytes;
	memset(at(start + size), PATTERN, bytes - size);
	return add(f, base, room, start, size);
}

static void give_back(struct fence *f, void *start, uint64_t size)
{
	struct fence_block *b = f->blocks, *end = b + f->nr_blocks;

	while (b < end && b->start != (uint64_t)(uintptr_t)start)
		b++;
	if (b == end || b->size != size)
		die("free of what is not live, or of another size", (uint64_t)(uintptr_t)start,
		    size);
	check_pattern(at(b->start + b->size), b->base + b->room - b->start - b->size, b,
		      "written past its end");
	if (f->freeing)
		f->freeing(f->arg, b->start, b->size);
	memset(at(b->base), PATTERN, b->room);
	poison(at(b->base), b->room);
	f->freed[f->nr_freed++] = *b;
	*b = f->blocks[--f->nr_blocks];
}

static void f_free(struct phyr_env *env, void *obj, size_t size)
{
	if (obj)
		give_back(of(env), obj, size);
}

static void f_free_pages(struct phyr_env *env, void *pages, size_t size)
{
	give_back(of(env), pages, size);
}

/* One thread: a lock that is held when it is taken is a deadlock. */
static int f_lock_init(struct phyr_env *env, struct phyr_lock *lock)
{
	struct fence *f = of(env);

	if (f->fails && f->fails(f->arg))
		return -ENOMEM;
	lock->opaque[0] = 0;
	f->live_locks++;
	return 0;
}

static void f_lock_fini(struct phyr_env *env, struct phyr_lock *lock)
{
	if (lock->opaque[0])
		die("a lock goes while it is held", 0, 0);
	of(env)->live_locks--;
}

static void f_lock(struct phyr_env *env, struct phyr_lock *lock)
{
	if (lock->opaque[0]++)
		die("a lock is taken twice: deadlock", 0, 0);
}

static void f_unlock(struct phyr_env *env, struct phyr_lock *lock)
{
	if (lock->opaque[0]-- != 1)
		die("a lock is released that is not held", 0, 0);
}

static unsigned f_slot(struct phyr_env *env)
{
	return 0;
}

static void f_report(struct phyr_env *env, const struct phyr_report *report)
{
	of(env)->last = *report;
	of(env)->reports++;
}

void fence_init(struct fence *f)
{
	void *arena =
		mmap(NULL, ARENA, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (arena == MAP_FAILED)
		die("no address space", 0, 0);
	memset(f, 0, sizeof(*f));
	f->arena = arena;
	f->env = (struct phyr_env){
		.alloc_pages = f_alloc_pages,
		.free_pages = f_free_pages,
		.alloc = f_alloc,
		.free = f_free,
		.lock_init = f_lock_init,
		.lock_fini = f_lock_fini,
		.lock = f_lock,
		.unlock = f_unlock,
		.slot = f_slot,
		.nr_slots = 1,
		.report = f_report,
	};
}

/* All of it as it was at first. */
static void sweep(struct fence *f)
{
	for (unsigned i = 0; i < f->nr_freed; i++)
		check_freed(&f->freed[i]);
	madvise(f->arena, f->used, MADV_DONTNEED);
	mprotect(f->arena, f->used, PROT_NONE);
	f->nr_freed = 0;
	f->used = 0;
}

void fence_restart(struct fence *f)
{
	if (f->nr_blocks || f->live_locks)
		die("leaked blocks, locks", f->nr_blocks, f->live_locks);
	if (f->nr_freed > FENCE_BLOCKS / 2 || f->used > ARENA / 16)
		sweep(f);
	f->reports = 0;
	memset(&f->last, 0, sizeof(f->last));
}

void fence_fini(struct fence *f)
{
	fence_restart(f);
	sweep(f);
	munmap(f->arena, ARENA);
}

bool fence_owns(const struct fence *f, uint64_t addr, uint64_t len)
{
	for (unsigned i = f->nr_blocks; i-- > 0;) {
		const struct fence_block *b = &f->blocks[i];

		if (addr >= b->start && addr - b->start < b->size)
			return len <= b->size - (addr - b->start);
	}
	return false;
}
