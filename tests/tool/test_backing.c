/* SPDX-License-Identifier: MIT */
/* Where phyr layout asks for hugetlb pages, on machines that have them of one size or another. */
#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "layout/layout.h"

FILE *__real_fopen64(const char *path, const char *mode);
FILE *__wrap_fopen64(const char *path, const char *mode);
void *__real_mmap64(void *at, size_t len, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap64(void *at, size_t len, int prot, int flags, int fd, off_t offset);

static char meminfo[128];
static char *asked_at; /* for hugetlb pages; NULL: not asked */
static size_t asked_len;

FILE *__wrap_fopen64(const char *path, const char *mode)
{
	if (strcmp(path, "/proc/meminfo"))
		return __real_fopen64(path, mode);
	return fmemopen(meminfo, strlen(meminfo), "r");
}

/* There need not be any such page: where it was to be is all that is wanted. */
void *__wrap_mmap64(void *at, size_t len, int prot, int flags, int fd, off_t offset)
{
	if (!(flags & MAP_HUGETLB))
		return __real_mmap64(at, len, prot, flags, fd, offset);
	asked_at = at;
	asked_len = len;
	errno = ENOMEM;
	return MAP_FAILED;
}

static void ask(uint64_t page, uint64_t len)
{
	const struct layout_opts opts = {.size = len, .backing = BACKING_HUGETLB};
	struct layout l = {.opts = &opts};

	snprintf(meminfo, sizeof(meminfo),
		 "HugePages_Free: %8u\nHugePages_Rsvd: %8u\nHugepagesize: %10lu kB\n", 9u, 1u,
		 (unsigned long)(page >> 10));
	asked_at = NULL;
	assert_int_equal(layout_map_backing(&l, false), EXIT_FAILED);
	assert_non_null(asked_at);
	assert_int_equal(asked_len, len);
	assert_int_equal((uintptr_t)asked_at % page, 0);
	/* Between pages that nobody may touch. */
	assert_true(asked_at > l.reserved && asked_at + len < l.reserved + l.reserved_len);
	munmap(l.reserved, l.reserved_len);
}

static void on_a_page_of_theirs(void **state)
{
	static const uint64_t pages[] = {64 << 10, 2 << 20, 32 << 20, 1 << 30};

	for (unsigned i = 0; i < 4; i++) {
		ask(pages[i], pages[i]);
		ask(pages[i], 8 * pages[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(on_a_page_of_theirs)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
