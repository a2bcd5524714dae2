/* SPDX-License-Identifier: MIT */
/* The linear stretch. */
#include "sim/tables.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "core/bits.h"
#include "core/env.h"
#include "core/order.h"
#include "sim/layout.h"

#define REGION_ORDER 9 /* 2 MiB: what goes back to the kernel at once */
#define REGION_PAGES ((uint64_t)1 << REGION_ORDER)
/* As many pages of a region must be dirty before it is worth a system call. */
#define REGION_DIRTY 64

/* The book of a page. next, prev and order are those of the free block that starts with it. */
struct sim_page {
	uint32_t next; /* page + 1; 0: none */
	uint32_t prev;
	uint8_t order;
	bool free;  /* a free block starts here */
	bool dirty; /* may not be zero */
	bool live;  /* given out; read without the lock */
};

static void push(struct sim_tables *t, uint64_t page, unsigned order)
{
	struct sim_page *p = &t->pages[page];
	uint32_t head = t->heads[order];

	p->order = (uint8_t)order;
	p->free = true;
	p->prev = 0;
	p->next = head;
	if (head)
		t->pages[head - 1].prev = (uint32_t)page + 1;
	t->heads[order] = (uint32_t)page + 1;
}

static void take_out(struct sim_tables *t, uint64_t page)
{
	struct sim_page *p = &t->pages[page];

	if (p->prev)
		t->pages[p->prev - 1].next = p->next;
	else
		t->heads[p->order] = p->next;
	if (p->next)
		t->pages[p->next - 1].prev = p->prev;
	p->free = false;
}

/* A free block of an order, split off a larger one if need be; false: there is none. */
static bool get_block(struct sim_tables *t, unsigned order, uint64_t *page)
{
	unsigned have = order;

	while (have < SIM_TABLES_ORDERS && !t->heads[have])
		have++;
	if (have == SIM_TABLES_ORDERS)
		return false;
	*page = t->heads[have] - 1;
	take_out(t, *page);
	while (have-- > order)
		push(t, *page + ((uint64_t)1 << have), have);
	return true;
}

/* Put a block back, joined with its free buddies. Returns the order that it reached. */
static unsigned put_block(struct sim_tables *t, uint64_t page, unsigned order)
{
	for (; order < SIM_TABLES_ORDERS - 1; order++) {
		uint64_t buddy = page ^ (uint64_t)1 << order;

		if (buddy >= t->nr_pages || !t->pages[buddy].free || t->pages[buddy].order != order)
			break;
		take_out(t, buddy);
		page = min_u64(page, buddy);
	}
	push(t, page, order);
	return order;
}

/* Make a block zero, and its pages live. */
static void clean(struct sim_tables *t, uint64_t page, uint64_t nr)
{
	for (uint64_t i = page; i < page + nr; i++) {
		struct sim_page *p = &t->pages[i];

		if (p->dirty)
			memset(t->cpu + i * SIM_PAGE, 0, SIM_PAGE);
		else
			t->dirty[i / REGION_PAGES]++;
		p->dirty = true;
		store_relaxed(&p->live, true);
	}
}

/* Give the memory of a wholly free region back to the kernel, which makes it zero. */
static void drop_region(struct sim_tables *t, uint64_t region)
{
	uint64_t first = region * REGION_PAGES;

	if (t->dirty[region] < REGION_DIRTY ||
	    madvise(t->cpu + first * SIM_PAGE, REGION_PAGES * SIM_PAGE, MADV_DONTNEED))
		return;
	for (uint64_t i = first; i < first + REGION_PAGES; i++)
		t->pages[i].dirty = false;
	t->dirty[region] = 0;
}

static void *alloc_pages(struct phyr_env *env, size_t size)
{
	struct sim_tables *t = container_of(env, struct sim_tables, env);
	uint64_t nr = size / SIM_PAGE, page;
	bool found;

	if (!is_pow2(nr) || size % SIM_PAGE || lg2_u64(nr) >= SIM_TABLES_ORDERS)
		return NULL;
	if (phyr_sim_tables_fails(t))
		return NULL;
	pthread_mutex_lock(&t->lock);
	found = get_block(t, lg2_u64(nr), &page);
	if (found) {
		clean(t, page, nr);
		t->used_pages += nr;
	}
	pthread_mutex_unlock(&t->lock);
	return found ? t->cpu + page * SIM_PAGE : NULL;
}

static void free_pages(struct phyr_env *env, void *pages, size_t size)
{
	struct sim_tables *t = container_of(env, struct sim_tables, env);
	uint64_t nr = size / SIM_PAGE, page;

	if (!pages)
		return;
	page = (uint64_t)((char *)pages - t->cpu) / SIM_PAGE;
	pthread_mutex_lock(&t->lock);
	for (uint64_t i = page; i < page + nr; i++)
		store_relaxed(&t->pages[i].live, false);
	t->used_pages -= nr;
	if (put_block(t, page, lg2_u64(nr)) >= REGION_ORDER)
		for (uint64_t r = page / REGION_PAGES; r * REGION_PAGES < page + nr; r++)
			drop_region(t, r);
	pthread_mutex_unlock(&t->lock);
}

static struct sim_book *book_of(struct phyr_env *env)
{
	return &container_of(env, struct sim_tables, env)->book;
}

/* Each allocation has a number of its own, so that one and no other is the one that fails. */
bool phyr_sim_tables_fails(struct sim_tables *t)
{
	uint64_t number = atomic_count_add(&t->book.allocs, 1) + 1;

	if (number != load_relaxed(&t->book.fail_at))
		return false;
	store_relaxed(&t->book.failed, true);
	return true;
}

static void *alloc_object(struct phyr_env *env, size_t size)
{
	struct sim_tables *t = container_of(env, struct sim_tables, env);
	struct phyr_env *hosted = phyr_env_hosted();
	void *obj = phyr_sim_tables_fails(t) ? NULL : env_alloc(hosted, size);

	if (!obj)
		return NULL;
	atomic_count_add(&t->book.objects, 1);
	atomic_count_add(&t->book.object_bytes, size);
	return obj;
}

static void free_object(struct phyr_env *env, void *obj, size_t size)
{
	if (!obj)
		return;
	atomic_count_sub(&book_of(env)->objects, 1);
	atomic_count_sub(&book_of(env)->object_bytes, size);
	env_free(phyr_env_hosted(), obj, size);
}

static int init_lock(struct phyr_env *env, struct phyr_lock *lock)
{
	struct sim_tables *t = container_of(env, struct sim_tables, env);
	int err = phyr_sim_tables_fails(t) ? -ENOMEM : env_lock_init(phyr_env_hosted(), lock);

	if (!err)
		atomic_count_add(&t->book.locks, 1);
	return err;
}

static void fini_lock(struct phyr_env *env, struct phyr_lock *lock)
{
	atomic_count_sub(&book_of(env)->locks, 1);
	env_lock_fini(phyr_env_hosted(), lock);
}

static void *map_lazily(size_t len)
{
	void *map = mmap(NULL, len, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return map == MAP_FAILED ? NULL : map;
}

/* The stretch's memory, aligned so that each block is aligned to its size. */
static int map_stretch(struct sim_tables *t, uint64_t size)
{
	uint64_t align = min_u64(pow2_at_least(size), SIM_PAGE << (SIM_TABLES_ORDERS - 1));

	t->map_len = size + align;
	t->map = map_lazily(t->map_len);
	if (!t->map)
		return -ENOMEM;
	t->cpu = (char *)(uintptr_t)round_up_mask((uintptr_t)t->map, align - 1);
	return 0;
}

/* Cut all pages into the largest aligned blocks, from the end: the first is given out first. */
static void put_all(struct sim_tables *t)
{
	uint64_t end = t->nr_pages;

	while (end) {
		unsigned order = (unsigned)min_u64(low_bit_u64(end), SIM_TABLES_ORDERS - 1);

		end -= (uint64_t)1 << order;
		push(t, end, order);
	}
}

/* What is no part of the stretch is no table. */
static void flush_lines(struct phyr_env *env, const void *ptr, size_t len)
{
	struct sim_tables *t = container_of(env, struct sim_tables, env);
	uint64_t at = (uint64_t)((uintptr_t)ptr - (uintptr_t)t->cpu), size = t->nr_pages * SIM_PAGE;

	if (at < size)
		phyr_sim_shadow_flush(&t->shadow, t->cpu, at, min_u64(len, size - at));
}

/* All else is as in an ordinary process. */
static void make_env(struct sim_tables *t)
{
	t->env = *phyr_env_hosted();
	t->env.alloc_pages = alloc_pages;
	t->env.free_pages = free_pages;
	t->env.alloc = alloc_object;
	t->env.free = free_object;
	t->env.lock_init = init_lock;
	t->env.lock_fini = fini_lock;
	t->env.phys_delta = t->start - (uint64_t)(uintptr_t)t->cpu;
	t->env.report = NULL;
	if (t->shadow.copy)
		t->env.flush_lines = flush_lines;
}

int phyr_sim_tables_init(struct sim_tables *t, uint64_t start, uint64_t size, bool shadowed)
{
	*t = (struct sim_tables){.start = start, .nr_pages = size / SIM_PAGE};
	pthread_mutex_init(&t->lock, NULL);
	t->pages = map_lazily(t->nr_pages * sizeof(*t->pages));
	t->dirty = calloc((t->nr_pages + REGION_PAGES - 1) / REGION_PAGES, sizeof(*t->dirty));
	if (!t->pages || !t->dirty || map_stretch(t, size) ||
	    (shadowed && phyr_sim_shadow_init(&t->shadow, t->nr_pages * SIM_PAGE))) {
		phyr_sim_tables_fini(t);
		return -ENOMEM;
	}
	put_all(t);
	make_env(t);
	return 0;
}

void phyr_sim_tables_fini(struct sim_tables *t)
{
	if (t->map)
		munmap(t->map, t->map_len);
	if (t->pages)
		munmap(t->pages, t->nr_pages * sizeof(*t->pages));
	free(t->dirty);
	phyr_sim_shadow_fini(&t->shadow);
	pthread_mutex_destroy(&t->lock);
}

static bool is_live(const struct sim_tables *t, uint64_t page)
{
	return page < t->nr_pages && load_relaxed(&t->pages[page].live);
}

void *phyr_sim_tables_to_cpu(const struct sim_tables *t, phyr_addr_t addr, uint64_t *len)
{
	uint64_t at = addr - t->start, have = SIM_PAGE - (addr & (SIM_PAGE - 1));

	if (addr < t->start || !is_live(t, at / SIM_PAGE))
		return NULL;
	while (have < *len && is_live(t, (at + have) / SIM_PAGE))
		have += SIM_PAGE;
	*len = min_u64(*len, have);
	return t->cpu + at;
}

bool phyr_sim_tables_read(const struct sim_tables *t, phyr_addr_t addr, uint64_t *value)
{
	uint64_t at = addr - t->start;

	if (addr < t->start || !is_live(t, at / SIM_PAGE))
		return false;
	/* Pairs with the release store of whoever wrote it: what it leads to is complete. */
	*value = t->shadow.copy ? phyr_sim_shadow_read(&t->shadow, at)
				: load_acquire((const uint64_t *)(t->cpu + at));
	return true;
}

void phyr_sim_tables_stats(struct sim_tables *t, struct phyr_sim_stats *stats)
{
	pthread_mutex_lock(&t->lock);
	stats->table_pages = t->used_pages;
	pthread_mutex_unlock(&t->lock);
	stats->objects = load_relaxed(&t->book.objects);
	stats->object_bytes = load_relaxed(&t->book.object_bytes);
	stats->locks = load_relaxed(&t->book.locks);
	stats->allocs = load_relaxed(&t->book.allocs);
}
