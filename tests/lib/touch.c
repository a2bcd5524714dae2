/* SPDX-License-Identifier: MIT */
/* Which pages a call touches: an arena that is closed before it, opened page by page. */
#include "lib/touch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE ((size_t)4096)

static struct touch *current; /* the handler's */
static struct sigaction before;

/* Page blocks are aligned to a page only: lists and trees of objects ask for no more. */
static void *arena_alloc(struct phyr_env *env, size_t size)
{
	struct touch *t = (struct touch *)env;

	size = (size + PAGE - 1) & ~(PAGE - 1);
	if (size > t->size - t->used)
		return NULL;
	t->used += size;
	return t->base + t->used - size;
}

static void *arena_alloc_pages(struct phyr_env *env, size_t size)
{
	return size == PAGE ? arena_alloc(env, size) : NULL;
}

static void arena_free(struct phyr_env *env, void *obj, size_t size)
{
}

static void open_page(int sig, siginfo_t *info, void *context)
{
	char *page = (char *)((uintptr_t)info->si_addr & ~(uintptr_t)(PAGE - 1));

	if (page < current->base || page >= current->base + current->size ||
	    mprotect(page, PAGE, PROT_READ | PROT_WRITE))
		_exit(99);
	current->opened++;
}

void touch_init(struct touch *t, size_t size)
{
	struct sigaction sa = {.sa_sigaction = open_page, .sa_flags = SA_SIGINFO};

	_Static_assert(offsetof(struct touch, env) == 0, "an environment is its arena");
	*t = (struct touch){.env = *phyr_env_hosted(), .size = size};
	t->env.alloc_pages = arena_alloc_pages;
	t->env.free_pages = arena_free;
	t->env.alloc = arena_alloc;
	t->env.free = arena_free;
	t->base = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_ptr_not_equal(t->base, MAP_FAILED);
	assert_null(current);
	current = t;
	sigemptyset(&sa.sa_mask);
	assert_int_equal(sigaction(SIGSEGV, &sa, &before), 0);
}

void touch_start(struct touch *t)
{
	assert_int_equal(mprotect(t->base, t->size, PROT_NONE), 0);
	t->opened = 0;
}

unsigned touch_stop(struct touch *t)
{
	unsigned opened = t->opened;

	assert_int_equal(mprotect(t->base, t->size, PROT_READ | PROT_WRITE), 0);
	return opened;
}

void touch_fini(struct touch *t)
{
	sigaction(SIGSEGV, &before, NULL);
	current = NULL;
	munmap(t->base, t->size);
}
