/* SPDX-License-Identifier: MIT */
/* Pinned memory: its list says where it lies, and there it stays, whatever moves other memory. */
#define _GNU_SOURCE
#include "source/rig.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static struct tenv t;

static int setup(void **state)
{
	tenv_init(&t, NULL);
	return 0;
}

static int teardown(void **state)
{
	tenv_fini(&t);
	return 0;
}

static struct phyr_pin *pin(struct phyr_list *list, void *ptr, size_t len)
{
	struct phyr_pin *out;

	assert_int_equal(phyr_source_pin(list, ptr, len, &out), 0);
	return out;
}

/* The list from @at on says of each byte's page what pagemap says. */
static void assert_lies(const struct phyr_list *list, uint64_t at, const char *ptr, size_t len)
{
	struct phyr_range run = {0, 0};
	struct phyr_cursor cur;

	assert_int_equal(phyr_cursor_init_at(&cur, list, at, len), 0);
	for (size_t off = 0; off < len;) {
		size_t in_page = ((uintptr_t)ptr + off) % PAGE, n = PAGE - in_page;

		if (n > len - off)
			n = len - off;
		if (!run.len)
			assert_true(phyr_cursor_next(&cur, &run));
		assert_int_equal(run.addr, rig_phys(ptr + off) + in_page);
		assert_true(run.len >= n);
		run.addr += n;
		run.len -= n;
		off += n;
	}
	assert_int_equal(run.len, 0);
	assert_int_equal(cur.left, 0);
}

static void the_list_says_where(void **state)
{
	char *buf = rig_map(64 * PAGE, PAGE, false);
	static const size_t places[][2] = {{0, 64 * PAGE}, {100, 3 * PAGE}, {5 * PAGE + 7, 1},
					   {PAGE - 1, 2},  {0, PAGE},       {17, 64 * PAGE - 17}};

	for (unsigned i = 0; i < 6; i++) {
		struct phyr_list list;
		struct phyr_pin *p;

		phyr_list_init(&list, &t.env, phyr_space_phys());
		p = pin(&list, buf + places[i][0], places[i][1]);
		assert_int_equal(list.len, places[i][1]);
		assert_lies(&list, 0, buf + places[i][0], places[i][1]);
		phyr_source_unpin(p);
		phyr_list_fini(&list);
	}
	munmap(buf, 64 * PAGE);
}

static void spaces(void **state)
{
	assert_int_equal(phyr_space_phys()->kind, PHYR_KIND_RAM);
	assert_null(phyr_space_phys()->to_cpu);
	assert_ptr_equal(phyr_space_phys(), phyr_space_phys());
	phyr_source_unpin(NULL);
}

/* Two buffers in one list, and one that goes on in the middle of the page where the first ends. */
static void one_after_another(void **state)
{
	char *buf = rig_map(16 * PAGE, PAGE, true);
	struct phyr_pin *a, *b, *c;
	struct phyr_list list;

	phyr_list_init(&list, &t.env, phyr_space_phys());
	a = pin(&list, buf + 9 * PAGE, 3 * PAGE);
	b = pin(&list, buf, PAGE + 100);
	c = pin(&list, buf + PAGE + 100, PAGE);
	assert_lies(&list, 0, buf + 9 * PAGE, 3 * PAGE);
	assert_lies(&list, 3 * PAGE, buf, 2 * PAGE + 100);
	phyr_source_unpin(a);
	phyr_source_unpin(c);
	phyr_source_unpin(b);
	phyr_list_fini(&list);
	munmap(buf, 16 * PAGE);
}

/* A memfd of 2 MiB mapped again and again: more than io_uring takes in one piece, in little memory. */
static void more_than_a_gib(void **state)
{
	size_t times = 513, len = times * HUGE;
	char *area = rig_map(len, HUGE, false);
	int fd = memfd_create("phyr", MFD_CLOEXEC);
	struct phyr_list list;
	struct phyr_pin *p;

	assert_int_equal(ftruncate(fd, HUGE), 0);
	for (size_t i = 0; i < times; i++)
		assert_true(mmap(area + i * HUGE, HUGE, PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_FIXED, fd, 0) != MAP_FAILED);
	phyr_list_init(&list, &t.env, phyr_space_phys());
	p = pin(&list, area + 5, len - 10);
	assert_int_equal(list.len, len - 10);
	for (size_t i = 1; i < 513; i += 73)
		assert_lies(&list, i * HUGE - 5, area, PAGE);
	phyr_source_unpin(p);
	phyr_list_fini(&list);
	close(fd);
	munmap(area, len);
}

/*
 * A child of a fork shares the parent's pages until one of them writes; whoever writes gets a new
 * page. So an unpinned page of the parent moves at its own write, locked in memory or not; a pinned
 * one stays, for the child got its copy at the fork.
 */
static bool moves_at_fork(char *page)
{
	uint64_t before;
	pid_t child;

	*page = 1;
	before = rig_phys(page);
	child = rig_start_child(NULL, NULL);
	*page = 2;
	rig_end_child(child);
	assert_int_not_equal(rig_phys(page), 0);
	return rig_phys(page) != before;
}

static void fork_and_write(void **state)
{
	char *page = rig_map(PAGE, PAGE, true);
	struct phyr_list list;
	struct phyr_pin *p;

	assert_true(moves_at_fork(page));
	assert_int_equal(mlock(page, PAGE), 0);
	assert_true(moves_at_fork(page)); /* a lock is no pin */
	munlock(page, PAGE);

	phyr_list_init(&list, &t.env, phyr_space_phys());
	p = pin(&list, page, PAGE);
	assert_false(moves_at_fork(page));
	assert_int_equal(phyr_list_first_addr(&list), rig_phys(page));
	phyr_source_unpin(p);
	assert_true(moves_at_fork(page));
	phyr_list_fini(&list);
	munmap(page, PAGE);
}

static void write_all(void *arg)
{
	memset(arg, 7, 16 * PAGE);
}

/* Writes of the child reach its own copy: neither frames nor bytes of the parent change. */
static void the_child_writes(void **state)
{
	char *buf = rig_map(16 * PAGE, PAGE, true);
	struct phyr_list list;
	struct phyr_pin *p;
	pid_t child;

	phyr_list_init(&list, &t.env, phyr_space_phys());
	p = pin(&list, buf, 16 * PAGE);
	child = rig_start_child(write_all, buf);
	assert_lies(&list, 0, buf, 16 * PAGE);
	memset(buf, 2, 16 * PAGE);
	assert_lies(&list, 0, buf, 16 * PAGE);
	rig_end_child(child);
	assert_lies(&list, 0, buf, 16 * PAGE);
	phyr_source_unpin(p);
	phyr_list_fini(&list);
	munmap(buf, 16 * PAGE);
}

/* Small pages where a huge one could lie. */
static char *small_pages(void)
{
	char *area = rig_map(HUGE, HUGE, false);

	assert_int_equal(madvise(area, HUGE, MADV_NOHUGEPAGE), 0);
	memset(area, 1, HUGE);
	assert_int_equal(madvise(area, HUGE, MADV_HUGEPAGE), 0);
	return area;
}

/* Have the kernel put a huge page in the place of small ones; it may want to be asked again. */
static bool collapse(char *area)
{
	uint64_t after[512];
	int err = -1;

	for (unsigned i = 0; i < 5 && err; i++)
		err = madvise(area, HUGE, MADV_COLLAPSE);
	rig_all_phys(area, 512, after);
	for (unsigned i = 0; i < 512 && !err; i++)
		assert_int_equal(after[i], after[0] + i * PAGE);
	return !err;
}

static bool can_collapse(void)
{
	char *area = small_pages();
	bool can = collapse(area);

	munmap(area, HUGE);
	return can;
}

static void collapse_moves_what_is_not_pinned(void **state)
{
	struct phyr_list list;
	struct phyr_pin *p;
	pid_t child;
	char *area;

	if (!can_collapse()) {
		print_message("SKIPPED: no huge page to be had by MADV_COLLAPSE\n");
		skip();
	}
	area = small_pages();
	phyr_list_init(&list, &t.env, phyr_space_phys());
	p = pin(&list, area + 100 * PAGE, PAGE); /* one page of 512 is enough */
	assert_false(collapse(area));
	assert_lies(&list, 0, area + 100 * PAGE, PAGE);
	/* A child that has the pin's descriptor, too, does not keep it. */
	child = rig_start_child(NULL, NULL);
	memset(area, 2, HUGE);
	phyr_source_unpin(p);
	assert_true(collapse(area));
	rig_end_child(child);
	phyr_list_fini(&list);
	munmap(area, HUGE);
}

static void compact(int fd, unsigned rounds)
{
	while (rounds--)
		assert_int_equal(pwrite(fd, "1", 1, 0), 1);
}

/*
 * Fragmented memory: of eight pages one is left, and here and there sixteen together, which are
 * pinned. Compaction moves a part of the others, and no pinned one. How many it moves depends on what
 * the machine has been through, so fresh memory is tried until it is enough.
 */
#define FRAGMENTED 65536
#define LEFT       8
#define EVERY      1024
#define TOGETHER   16
#define ATTEMPTS   8

static char *fragmented(void)
{
	char *area = rig_map(FRAGMENTED * PAGE, PAGE, false);

	assert_int_equal(madvise(area, FRAGMENTED * PAGE, MADV_NOHUGEPAGE), 0);
	for (unsigned i = 0; i < FRAGMENTED; i++)
		area[i * PAGE] = 1;
	for (unsigned i = 0; i < FRAGMENTED; i += LEFT)
		if (i % EVERY >= TOGETHER)
			madvise(area + (i + 1) * PAGE, (LEFT - 1) * PAGE, MADV_DONTNEED);
	return area;
}

/* @return how many pages moved; asserts that they are none that is pinned */
static unsigned try_compaction(int fd, char *area)
{
	static uint64_t before[FRAGMENTED], after[FRAGMENTED];
	static struct phyr_pin *pins[FRAGMENTED / EVERY];
	struct phyr_list list;
	unsigned moved = 0;

	phyr_list_init(&list, &t.env, phyr_space_phys());
	for (unsigned i = 0; i < FRAGMENTED; i += EVERY)
		pins[i / EVERY] = pin(&list, area + i * PAGE, TOGETHER * PAGE);
	rig_all_phys(area, FRAGMENTED, before);
	compact(fd, 5);
	rig_all_phys(area, FRAGMENTED, after);
	for (unsigned i = 0; i < FRAGMENTED; i += EVERY) {
		assert_memory_equal(after + i, before + i, TOGETHER * sizeof(*after));
		assert_lies(&list, i / EVERY * TOGETHER * PAGE, area + i * PAGE, TOGETHER * PAGE);
		phyr_source_unpin(pins[i / EVERY]);
	}
	for (unsigned i = 0; i < FRAGMENTED; i++)
		moved += before[i] && after[i] != before[i];
	phyr_list_fini(&list);
	return moved;
}

static void skip_loudly(const char *why)
{
	print_message("SKIPPED: %s\n", why);
	skip();
}

static void compaction(void **state)
{
	int fd = open("/proc/sys/vm/compact_memory", O_WRONLY);
	unsigned moved = 0;

	if (fd < 0)
		skip_loudly("no /proc/sys/vm/compact_memory");
	for (unsigned i = 0; i < ATTEMPTS && moved < 200; i++) {
		char *area = fragmented();

		moved += try_compaction(fd, area);
		munmap(area, FRAGMENTED * PAGE);
	}
	close(fd);
	print_message("compaction moved %u pages that were not pinned, and no other\n", moved);
	/* One page in nine was pinned: of 200 that may move 22 would have been. */
	if (moved < 200)
		skip_loudly("compaction moved too little to show that pinned pages stay");
}

/* What is only read is the page of zeroes; a pin gives it pages of its own, still zero. */
static void untouched_and_read_only_so_far(void **state)
{
	char *buf = rig_map(4 * PAGE, PAGE, false);
	struct phyr_list list;
	struct phyr_pin *p;

	assert_int_equal(*(volatile char *)buf, 0);
	assert_int_equal(*(volatile char *)(buf + PAGE), 0);
	assert_int_equal(rig_phys(buf), rig_phys(buf + PAGE));
	phyr_list_init(&list, &t.env, phyr_space_phys());
	p = pin(&list, buf, 4 * PAGE);
	assert_lies(&list, 0, buf, 4 * PAGE);
	assert_int_not_equal(rig_phys(buf), rig_phys(buf + PAGE));
	for (unsigned i = 0; i < 4 * PAGE; i++)
		assert_int_equal(buf[i], 0);
	phyr_source_unpin(p);
	phyr_list_fini(&list);
	munmap(buf, 4 * PAGE);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(spaces),
		TEST(the_list_says_where),
		TEST(one_after_another),
		TEST(more_than_a_gib),
		TEST(untouched_and_read_only_so_far),
		TEST(fork_and_write),
		TEST(the_child_writes),
		TEST(collapse_moves_what_is_not_pinned),
		TEST(compaction),
	};
	int skipped = rig_may_pin();

	return skipped ? skipped : cmocka_run_group_tests(tests, NULL, NULL);
}
