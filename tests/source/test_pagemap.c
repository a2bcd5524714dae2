/* SPDX-License-Identifier: MIT */
/* Page maps: what of a process is in memory, where, and what is not told. */
#define _GNU_SOURCE
#include "source/rig.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static struct tenv t;
static struct phyr_list list;

static int setup(void **state)
{
	tenv_init(&t, NULL);
	phyr_list_init(&list, &t.env, phyr_space_seen());
	return 0;
}

static int teardown(void **state)
{
	phyr_list_fini(&list);
	tenv_fini(&t);
	return 0;
}

static struct phyr_pagemap *open_it(pid_t pid)
{
	struct phyr_pagemap *pm;

	assert_int_equal(phyr_pagemap_open(pid, &t.env, &pm), 0);
	return pm;
}

/* Whether the list holds the present pages of this process's memory, in order. */
static bool is_list_of(const char *at, size_t len)
{
	struct phyr_range run = {0, 0};
	struct phyr_cursor cur;

	phyr_cursor_init(&cur, &list);
	for (size_t off = 0; off < len; off += PAGE) {
		uint64_t phys = rig_phys(at + off);

		if (!phys)
			continue;
		if (!run.len && !phyr_cursor_next(&cur, &run))
			return false;
		if (run.addr != phys)
			return false;
		run.addr += PAGE;
		run.len -= PAGE;
	}
	return !(run.len + cur.left);
}

/*
 * Look until so much is in memory, and lies where this process sees it if @own. The kernel may move
 * pages at any time, so a first look may be out of date.
 */
static void look(struct phyr_pagemap *pm, const void *at, size_t len, size_t present, bool own)
{
	for (unsigned i = 0; i < 100; i++) {
		struct phyr_pagemap_counts n;

		phyr_list_reset(&list);
		assert_int_equal(phyr_pagemap_read(pm, (uintptr_t)at, len, &list, &n), 0);
		assert_int_equal(n.present + n.swapped + n.absent, len);
		assert_int_equal(list.len, n.present);
		if (n.present == present && (!own || is_list_of(at, len)))
			return;
	}
	fail_msg("a hundred looks, and never %zu bytes where they are", present);
}

static void spaces(void **state)
{
	assert_int_equal(phyr_space_seen()->kind, PHYR_KIND_SEEN);
	assert_null(phyr_space_seen()->to_cpu);
	assert_ptr_equal(phyr_space_seen(), phyr_space_seen());
	phyr_pagemap_close(NULL);
}

/* Present, never touched, dropped again, unmapped, and the page of zeroes. */
static void holes(void **state)
{
	struct phyr_pagemap *pm = open_it(0);
	char *buf = rig_map(1000 * PAGE, PAGE, false);

	assert_int_equal(madvise(buf, 1000 * PAGE, MADV_NOHUGEPAGE), 0);
	memset(buf + 3 * PAGE, 1, 4 * PAGE);
	memset(buf + 990 * PAGE, 1, 10 * PAGE);
	madvise(buf + 4 * PAGE, PAGE, MADV_DONTNEED);
	munmap(buf + 500 * PAGE, PAGE);
	assert_int_equal(*(volatile char *)(buf + 700 * PAGE), 0);
	look(pm, buf, 1000 * PAGE, 14 * PAGE, true);
	look(pm, buf + 500 * PAGE, PAGE, 0, true);
	assert_int_equal(phyr_pagemap_read(pm, (uintptr_t)buf, 3 * PAGE, &list, NULL), 0);
	assert_int_equal(list.len, 0);
	look(pm, buf + 3 * PAGE, 2 * PAGE, PAGE, true);
	assert_int_equal(phyr_pagemap_read(pm, (uintptr_t)buf, 3 * PAGE, &list, NULL), 0);
	assert_int_equal(list.len, PAGE);
	munmap(buf, 1000 * PAGE);
	phyr_pagemap_close(pm);
}

static void huge_pages(void **state)
{
	char *area = rig_map(2 * HUGE, HUGE, true);
	struct phyr_pagemap *pm;

	if (madvise(area, HUGE, MADV_COLLAPSE)) {
		print_message("SKIPPED: no huge page to be had by MADV_COLLAPSE\n");
		skip();
	}
	pm = open_it(0);
	look(pm, area, 2 * HUGE, 2 * HUGE, true);
	assert_int_equal(phyr_list_first_addr(&list) % HUGE, 0);
	look(pm, area + 5 * PAGE, 7 * PAGE, 7 * PAGE, true);
	phyr_pagemap_close(pm);
	munmap(area, 2 * HUGE);
}

struct shared {
	char *shared, *own;
};

static void write_own(void *arg)
{
	struct shared *s = arg;

	memset(s->own, 2, 8 * PAGE);
}

/* What a child shares with us lies where it lies for us; what it wrote for itself does not. */
static void another_process(void **state)
{
	struct shared s = {.own = rig_map(8 * PAGE, PAGE, true)};
	struct phyr_pagemap *pm;
	struct phyr_cursor cur;
	struct phyr_range run;
	pid_t child;

	s.shared = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(s.shared != MAP_FAILED);
	memset(s.shared, 1, 8 * PAGE);
	child = rig_start_child(write_own, &s);
	memset(s.own, 3, 8 * PAGE);
	pm = open_it(child);
	/* The child's own entries of shared memory are not there until it touches it. */
	look(pm, s.shared, 8 * PAGE, 0, false);
	look(pm, s.own, 8 * PAGE, 8 * PAGE, false);
	phyr_cursor_init(&cur, &list);
	for (unsigned i = 0; i < 8;) {
		assert_true(phyr_cursor_next(&cur, &run));
		for (uint64_t at = 0; at < run.len; at += PAGE, i++)
			assert_int_not_equal(run.addr + at, rig_phys(s.own + i * PAGE));
	}
	rig_end_child(child);
	phyr_pagemap_close(pm);
	munmap(s.own, 8 * PAGE);
	munmap(s.shared, 8 * PAGE);
}

static void read_shared(void *arg)
{
	struct shared *s = arg;
	unsigned sum = 0;

	for (unsigned i = 0; i < 8; i++)
		sum += (unsigned char)((volatile char *)s->shared)[i * PAGE];
	if (sum != 8)
		_exit(1);
}

static void shared_memory(void **state)
{
	struct shared s = {NULL, NULL};
	struct phyr_pagemap *pm;
	pid_t child;

	s.shared = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(s.shared != MAP_FAILED);
	memset(s.shared, 1, 8 * PAGE);
	child = rig_start_child(read_shared, &s);
	pm = open_it(child);
	look(pm, s.shared, 8 * PAGE, 8 * PAGE, true);
	rig_end_child(child);
	phyr_pagemap_close(pm);
	munmap(s.shared, 8 * PAGE);
}

static void read_fails(struct phyr_pagemap *pm, struct phyr_list *to, uint64_t at, uint64_t len,
		       int err)
{
	struct phyr_pagemap_counts n = {7, 7, 7};
	struct phyr_list was = *to;

	tenv_restart(&t);
	assert_int_equal(phyr_pagemap_read(pm, at, len, to, &n), err);
	assert_int_equal(t.reports, 1);
	assert_int_equal(t.last.err, err);
	assert_string_equal(t.last.call, "phyr_pagemap_read");
	assert_int_equal(t.last.addr, at);
	assert_int_equal(t.last.len, len);
	assert_non_null(t.last.hint);
	assert_int_equal(n.present + n.swapped + n.absent, 21);
	assert_memory_equal(to, &was, sizeof(was));
}

static void wrong_reads(void **state)
{
	struct phyr_pagemap *pm = open_it(0);
	char *buf = rig_map(4 * PAGE, PAGE, true);
	uint64_t at = (uintptr_t)buf;
	struct phyr_list ram;

	read_fails(pm, &list, at, 0, -EINVAL);
	read_fails(pm, &list, at + 8, PAGE, -EINVAL);
	read_fails(pm, &list, at, PAGE + 8, -EINVAL);
	read_fails(pm, &list, -PAGE, 2 * PAGE, -EINVAL);
	read_fails(pm, &list, (uint64_t)1 << 63, PAGE, -ERANGE);
	read_fails(pm, &list, -PAGE, PAGE, -ERANGE);
	phyr_list_init(&ram, &t.env, phyr_space_phys());
	read_fails(pm, &ram, at, PAGE, -EINVAL);
	phyr_list_init(&ram, &t.env, NULL);
	read_fails(pm, &ram, at, PAGE, -EINVAL);
	assert_int_equal(phyr_list_append(&list, 0x7000, 8), 0);
	read_fails(pm, &list, at, 4 * PAGE, -EINVAL);
	munmap(buf, 4 * PAGE);
	phyr_pagemap_close(pm);
}

static void open_fails(pid_t pid, int err)
{
	struct phyr_pagemap *pm = (void *)&t;

	tenv_restart(&t);
	assert_int_equal(phyr_pagemap_open(pid, &t.env, &pm), err);
	assert_ptr_equal(pm, &t);
	assert_int_equal(t.reports, 1);
	assert_int_equal(t.last.err, err);
	assert_string_equal(t.last.call, "phyr_pagemap_open");
	assert_non_null(t.last.hint);
}

/* A kernel's thread has no memory, nor has a process that is waited for. */
static void wrong_processes(void **state)
{
	siginfo_t info;
	pid_t child = fork();

	if (!child)
		_exit(0);
	assert_int_equal(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
	open_fails(child, -ESRCH);
	assert_int_equal(waitpid(child, NULL, 0), child);
	open_fails(child, -ESRCH);
	t.env.now_ns = NULL;
	open_fails(0, -EINVAL);
	open_fails(-1, -EINVAL);
}

static void it_ends_meanwhile(void **state)
{
	char *buf = rig_map(4 * PAGE, PAGE, true);
	pid_t child = rig_start_child(NULL, NULL);
	struct phyr_pagemap *pm = open_it(child);

	look(pm, buf, 4 * PAGE, 4 * PAGE, false);
	rig_end_child(child);
	read_fails(pm, &list, (uintptr_t)buf, 4 * PAGE, -ESRCH);
	phyr_pagemap_close(pm);
	munmap(buf, 4 * PAGE);
}

/* An ordinary user may not look into root's process, and in its own sees no frame numbers. */
static int as_nobody(void *arg)
{
	uintptr_t at = (uintptr_t)&arg & ~(uintptr_t)(PAGE - 1);
	struct phyr_pagemap *pm;

	if (setgid(65534) || setuid(65534))
		return 1;
	if (phyr_pagemap_open(getppid(), &t.env, &pm) != -EACCES || !t.last.hint)
		return 2;
	tenv_restart(&t);
	rig_drop_cap(RIG_CAP_SYS_ADMIN);
	/* A process that gave up root is not "dumpable", so its own files in /proc are root's. */
	if (phyr_pagemap_open(0, &t.env, &pm) != -EACCES)
		return 3;
	return at == 0;
}

static int without_sys_admin(void *arg)
{
	struct phyr_list *to = arg;
	uintptr_t at = (uintptr_t)&to & ~(uintptr_t)(PAGE - 1);
	struct phyr_pagemap *pm;
	int err;

	rig_drop_cap(RIG_CAP_SYS_ADMIN);
	if (phyr_pagemap_open(0, &t.env, &pm))
		return 1;
	err = phyr_pagemap_read(pm, at, PAGE, to, NULL);
	phyr_pagemap_close(pm);
	return err != -EPERM || to->len || !strstr(t.last.hint, "CAP_SYS_ADMIN");
}

static void rights(void **state)
{
	assert_int_equal(rig_in_child(without_sys_admin, &list), 0);
	if (geteuid()) {
		print_message("SKIPPED: not root, so who may look into whom is not tried\n");
		return;
	}
	assert_int_equal(rig_in_child(as_nobody, NULL), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(spaces),          TEST(holes),
		TEST(huge_pages),      TEST(another_process),
		TEST(shared_memory),   TEST(wrong_reads),
		TEST(wrong_processes), TEST(it_ends_meanwhile),
		TEST(rights),
	};
	int skipped = rig_may_look();

	return skipped ? skipped : cmocka_run_group_tests(tests, NULL, NULL);
}
