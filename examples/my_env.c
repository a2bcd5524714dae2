/* SPDX-License-Identifier: MIT */
/* An environment of one's own: an arena instead of malloc, and a page table that is made of it. */
#include <inttypes.h>
#include <phyr/pgtbl.h>
#include <stdio.h>
#include <time.h>

#define ARENA    ((size_t)256 << 10)
#define PHYSICAL 0x80000000u /* where an IOMMU would find the arena */

static char arena[ARENA] __attribute__((aligned(65536)));
static struct my_env {
	struct phyr_env env; /* comes first, so that an env is a my_env */
	size_t used, live;
} my;

/* Zeroes, because nothing is given out twice. */
static void *take(struct phyr_env *env, size_t size, size_t align)
{
	struct my_env *m = (struct my_env *)env;
	size_t at = (m->used + align - 1) & -align;

	if (align > 65536 || at > ARENA || size > ARENA - at)
		return NULL;
	m->used = at + size;
	m->live++;
	return arena + at;
}

static void *my_alloc_pages(struct phyr_env *env, size_t size)
{
	return take(env, size, size);
}

static void *my_alloc(struct phyr_env *env, size_t size)
{
	return take(env, size, 16);
}

static void my_free(struct phyr_env *env, void *p, size_t size)
{
	((struct my_env *)env)->live -= p != NULL;
	(void)size;
}

/* This program has one thread. With more, locks lock, and take() takes one. */
static int my_lock_init(struct phyr_env *env, struct phyr_lock *lock)
{
	(void)env, (void)lock;
	return 0;
}

static void my_lock(struct phyr_env *env, struct phyr_lock *lock)
{
	(void)env, (void)lock;
}

static unsigned my_slot(struct phyr_env *env)
{
	(void)env;
	return 0;
}

static uint64_t my_clock(struct phyr_env *env)
{
	(void)env;
	return 1000 * (uint64_t)clock(); /* page tables ask for no time */
}

static void my_report(struct phyr_env *env, const struct phyr_report *report)
{
	(void)env;
	printf("%s(): error %d: %s\n", report->call, report->err, report->hint);
}

static void look_up(struct phyr_pgtbl *pt, uint64_t iova)
{
	struct phyr_translation t;

	if (phyr_pgtbl_translate(pt, iova, &t))
		printf("0x%" PRIx64 " leads nowhere\n", iova);
	else
		printf("0x%" PRIx64 " leads to 0x%" PRIx64 "\n", iova, t.addr);
}

int main(void)
{
	struct phyr_pgtbl_config config = {
		.size = sizeof(config), .format = PHYR_PGTBL_VTDSS, .page_sizes = 4096};
	struct phyr_gather gather;
	struct phyr_cursor cur;
	struct phyr_pgtbl *pt;

	my.env.alloc_pages = my_alloc_pages, my.env.free_pages = my_free;
	my.env.alloc = my_alloc, my.env.free = my_free;
	my.env.phys_delta = PHYSICAL - (uint64_t)(uintptr_t)arena;
	my.env.lock_init = my_lock_init;
	my.env.lock_fini = my.env.lock = my.env.unlock = my_lock;
	my.env.slot = my_slot, my.env.nr_slots = 1;
	my.env.now_ns = my_clock, my.env.report = my_report;
	if (phyr_pgtbl_create(&my.env, &config, &pt))
		return 1;
	phyr_gather_init(&gather);
	printf("root at 0x%" PRIx64 "\n", phyr_pgtbl_root(pt));
	phyr_cursor_init_range(&cur, 0x40000000, 0x5000);
	phyr_pgtbl_map(pt, 0x10000000, &cur, PHYR_READ | PHYR_WRITE, &gather);
	look_up(pt, 0x10004321);
	phyr_cursor_init_range(&cur, 0, (uint64_t)1 << 30); /* 512 tables: more than there are */
	phyr_pgtbl_map(pt, (uint64_t)1 << 32, &cur, PHYR_READ, &gather);
	look_up(pt, (uint64_t)1 << 32); /* all or nothing */
	phyr_pgtbl_unmap(pt, 0x10000000, 0x5000, &gather, NULL);
	look_up(pt, 0x10004321);
	phyr_pgtbl_free_gathered(pt, &gather); /* once the IOMMU has forgotten gather's iova */
	phyr_pgtbl_destroy(pt);
	return printf("%zu blocks are still out\n", my.live) < 0;
}
