/* SPDX-License-Identifier: MIT */
/*
 * What a seek touches. All blocks come from one arena; before each seek nothing of the arena may be
 * read, and each page that the seek reads is opened, and counted, by a signal handler.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <phyr/list.h>

#include "lib/rnd.h"

#define PAGE       4096u
#define NR_WORDS   10000000u
#define ARENA_SIZE (NR_WORDS / 510 * PAGE + ((size_t)1 << 20))

static struct arena {
	struct phyr_env env;
	char *base;
	size_t used;
	volatile unsigned opened;
} arena;

static void *arena_alloc(struct phyr_env *env, size_t size)
{
	if (size != PAGE || arena.used + size > ARENA_SIZE)
		return NULL;
	arena.used += size;
	return arena.base + arena.used - size;
}

static void arena_free(struct phyr_env *env, void *pages, size_t size)
{
}

static void open_page(int sig, siginfo_t *info, void *context)
{
	char *page = (char *)((uintptr_t)info->si_addr & ~(uintptr_t)(PAGE - 1));

	if (page < arena.base || page >= arena.base + ARENA_SIZE ||
	    mprotect(page, PAGE, PROT_READ | PROT_WRITE))
		_exit(99);
	arena.opened++;
}

static void arena_init(void)
{
	struct sigaction sa = {.sa_sigaction = open_page, .sa_flags = SA_SIGINFO};

	arena.env = *phyr_env_hosted();
	arena.env.alloc_pages = arena_alloc;
	arena.env.free_pages = arena_free;
	arena.base = mmap(NULL, ARENA_SIZE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_ptr_not_equal(arena.base, MAP_FAILED);
	sigemptyset(&sa.sa_mask);
	assert_int_equal(sigaction(SIGSEGV, &sa, NULL), 0);
}

/* Page i of the buffer; no two neighbours follow each other. */
static phyr_addr_t page_at(uint64_t i)
{
	return ((i * 0x9e3779b1) & 0xffffffff) << 12;
}

static void build(struct phyr_list *list)
{
	phyr_addr_t pages[1000];

	phyr_list_init(list, &arena.env, NULL);
	for (uint64_t i = 0; i < NR_WORDS; i += 1000) {
		for (unsigned k = 0; k < 1000; k++)
			pages[k] = page_at(i + k);
		assert_int_equal(phyr_list_append_pages(list, pages, 1000), 0);
	}
	assert_int_equal(list->nr_runs, NR_WORDS);
}

static void seek_in_ten_million_words(void **state)
{
	struct rnd r = rnd_start("list/seek");
	struct phyr_list list;
	unsigned most = 0;

	arena_init();
	build(&list);
	for (unsigned i = 0; i < 300; i++) {
		uint64_t offset = i ? rnd_below(&r, list.len - PAGE) : list.len - PAGE - 1;
		struct phyr_cursor cur;
		struct phyr_range run;

		assert_int_equal(mprotect(arena.base, ARENA_SIZE, PROT_NONE), 0);
		arena.opened = 0;
		assert_int_equal(phyr_cursor_init_at(&cur, &list, offset, PAGE), 0);
		assert_true(phyr_cursor_next(&cur, &run));
		assert_int_equal(run.addr, page_at(offset / PAGE) + offset % PAGE);
		/* Two levels of index and a block: 510 * 256^2 words. */
		assert_in_range(arena.opened, 1, 3);
		most = arena.opened > most ? arena.opened : most;
	}
	printf("# seek in %u words: at most %u pages of 4 KiB touched\n", NR_WORDS, most);
	assert_int_equal(mprotect(arena.base, ARENA_SIZE, PROT_READ | PROT_WRITE), 0);
	phyr_list_fini(&list);
	munmap(arena.base, ARENA_SIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(seek_in_ten_million_words)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
