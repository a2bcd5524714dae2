/* SPDX-License-Identifier: MIT */
/*
 * Large holes in a process's memory: what is found is the same whether the kernel passes over them or
 * each page is read, and where it can, hardly more is read than is there. The kernel's call is
 * intercepted, to stand for kernels that do not know it, and so are reads, to count.
 */
#define _GNU_SOURCE
#include "source/rig.h"

#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/rnd.h"

#define AREA_PAGES ((size_t)1 << 20)
#define AREA_LEN   (AREA_PAGES * PAGE)

ssize_t __real_pread64(int fd, void *buf, size_t len, off_t offset);
ssize_t __wrap_pread64(int fd, void *buf, size_t len, off_t offset);
int __real_ioctl(int fd, unsigned long request, void *arg);
int __wrap_ioctl(int fd, unsigned long request, void *arg);

static struct tenv t;
static uint64_t entries; /* of page maps, read */
static bool old_kernel, no_scan;

ssize_t __wrap_pread64(int fd, void *buf, size_t len, off_t offset)
{
	ssize_t got = __real_pread64(fd, buf, len, offset);

	entries += got > 0 ? (uint64_t)got / 8 : 0;
	return got;
}

int __wrap_ioctl(int fd, unsigned long request, void *arg)
{
	int got = -1;

	errno = ENOTTY;
	if (!old_kernel)
		got = __real_ioctl(fd, request, arg);
	no_scan |= !old_kernel && got < 0 && errno == ENOTTY;
	return got;
}

static int setup(void **state)
{
	tenv_init(&t, NULL);
	entries = 0;
	return 0;
}

static int teardown(void **state)
{
	tenv_fini(&t);
	return 0;
}

struct seen {
	struct phyr_list list;
	struct phyr_pagemap_counts n;
};

static void look(struct seen *s, bool old, const char *at, size_t len)
{
	struct phyr_pagemap *pm;

	old_kernel = old;
	phyr_list_init(&s->list, &t.env, phyr_space_seen());
	assert_int_equal(phyr_pagemap_open(0, &t.env, &pm), 0);
	assert_int_equal(phyr_pagemap_read(pm, (uintptr_t)at, len, &s->list, &s->n), 0);
	phyr_pagemap_close(pm);
	assert_int_equal(s->n.present + s->n.swapped + s->n.absent, len);
	assert_int_equal(s->n.present, s->list.len);
}

static bool same(const struct seen *a, const struct seen *b)
{
	struct phyr_cursor ca, cb;
	struct phyr_range ra, rb;

	if (memcmp(&a->n, &b->n, sizeof(a->n)))
		return false;
	phyr_cursor_init(&ca, &a->list);
	phyr_cursor_init(&cb, &b->list);
	while (phyr_cursor_next(&ca, &ra) && phyr_cursor_next(&cb, &rb))
		if (ra.addr != rb.addr || ra.len != rb.len)
			return false;
	return true;
}

/* The kernel may move pages between two looks: then look again. */
static void assert_same(const char *at, size_t len)
{
	bool are = false;

	for (unsigned i = 0; i < 50 && !are; i++) {
		struct seen all, scanned;

		look(&all, true, at, len);
		look(&scanned, false, at, len);
		are = same(&all, &scanned);
		phyr_list_fini(&scanned.list);
		phyr_list_fini(&all.list);
	}
	assert_true(are);
}

/* Pieces from one page to 3 MiB, close together and far apart; some of it read only, some dropped. */
static void touch_some(struct rnd *r, char *area)
{
	for (unsigned i = 0; i < 200; i++) {
		size_t at = rnd_below(r, AREA_PAGES - 1024),
		       nr = 1 + rnd_below(r, 1 << rnd_below(r, 10));

		if (rnd_below(r, 8) == 0)
			(void)*(volatile char *)(area + at * PAGE);
		else
			memset(area + at * PAGE, 1, nr * PAGE);
		for (unsigned k = 0; k < 4 && rnd_below(r, 2); k++)
			area[(at + nr + rnd_below(r, 1024 - nr)) * PAGE] = 1;
		if (rnd_below(r, 4) == 0)
			madvise(area + (at + nr / 2) * PAGE, PAGE, MADV_DONTNEED);
	}
}

static void any_holes(void **state)
{
	struct rnd r = rnd_start("source/pagemap_holes");

	for (unsigned round = 0; round < 4; round++) {
		char *area = rig_map(AREA_LEN, PAGE, false);

		if (round % 2)
			madvise(area, AREA_LEN, MADV_NOHUGEPAGE);
		touch_some(&r, area);
		if (round > 1)
			munmap(area + AREA_LEN / 4, PAGE * (1 + rnd_below(&r, 4096)));
		assert_same(area, AREA_LEN);
		for (unsigned i = 0; i < 30; i++) {
			size_t at = rnd_below(&r, AREA_PAGES);

			assert_same(area + at * PAGE,
				    PAGE * (1 + rnd_below(&r, AREA_PAGES - at > 9999
								      ? 9999
								      : AREA_PAGES - at)));
		}
		munmap(area, AREA_LEN);
	}
}

/* More pieces than are told of at once, each beyond a hole that is not read along. */
static void many_far_apart(void **state)
{
	char *area = rig_map(AREA_LEN, PAGE, false);

	madvise(area, AREA_LEN, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < AREA_PAGES; i += 600)
		area[i * PAGE] = 1;
	assert_same(area, AREA_LEN);
	munmap(area, AREA_LEN);
}

static void holes_are_not_read(void **state)
{
	char *area = rig_map(AREA_LEN, HUGE, false);
	struct seen seen;

	madvise(area, AREA_LEN, MADV_NOHUGEPAGE);
	memset(area + AREA_LEN / 2, 1, 100 * PAGE);
	look(&seen, false, area, AREA_LEN);
	assert_int_equal(seen.n.present, 100 * PAGE);
	phyr_list_fini(&seen.list);
	if (no_scan) {
		print_message("SKIPPED: this kernel cannot pass over holes (PAGEMAP_SCAN, 6.7)\n");
		skip();
	}
	print_message("read %lu entries for 100 pages of %zu\n", (unsigned long)entries,
		      AREA_PAGES);
	assert_true(entries <= 1000);
	munmap(area, AREA_LEN);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(any_holes), TEST(many_far_apart),
					   TEST(holes_are_not_read)};
	int skipped = rig_may_look();

	return skipped ? skipped : cmocka_run_group_tests(tests, NULL, NULL);
}
