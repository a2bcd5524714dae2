/* SPDX-License-Identifier: MIT */
/* Tests of pins: whether this machine lets them be, where pages lie, and children to try things in. */
#define _GNU_SOURCE
#include "source/rig.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int skip_all(const struct tenv *t)
{
	char line[256];

	phyr_report_format(&t->last, line, sizeof(line));
	printf("SKIPPED: not possible here: %s\n", line);
	return 77;
}

int rig_may_pin(void)
{
	static char byte = 1;
	struct phyr_list list;
	struct phyr_pin *pin;
	struct tenv t;
	int err;

	tenv_init(&t, NULL);
	phyr_list_init(&list, &t.env, phyr_space_phys());
	err = phyr_source_pin(&list, &byte, 1, &pin);
	phyr_list_fini(&list);
	if (!err)
		phyr_source_unpin(pin);
	return err == -EPERM || err == -EOPNOTSUPP ? skip_all(&t) : 0;
}

int rig_may_look(void)
{
	uintptr_t at = (uintptr_t)&at & ~(PAGE - 1);
	struct phyr_pagemap *pm;
	struct phyr_list list;
	struct tenv t;
	int err;

	tenv_init(&t, NULL);
	phyr_list_init(&list, &t.env, phyr_space_seen());
	err = phyr_pagemap_open(0, &t.env, &pm);
	if (!err) {
		err = phyr_pagemap_read(pm, at, PAGE, &list, NULL);
		phyr_pagemap_close(pm);
	}
	phyr_list_fini(&list);
	return err == -EPERM || err == -EOPNOTSUPP ? skip_all(&t) : 0;
}

char *rig_map(size_t len, size_t align, bool touched)
{
	char *p = mmap(NULL, len + align, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	size_t before;

	assert_true(p != MAP_FAILED);
	before = -(uintptr_t)p & (align - 1);
	if (before)
		munmap(p, before);
	munmap(p + before + len, align - before);
	if (touched)
		memset(p + before, 1, len);
	return p + before;
}

static bool read_entries(int fd, const void *ptr, size_t pages, uint64_t *out)
{
	bool moving = false;

	assert_int_equal(pread(fd, out, pages * 8, (off_t)((uintptr_t)ptr / PAGE * 8)), pages * 8);
	for (size_t i = 0; i < pages; i++)
		moving |= out[i] >> 62 & 1;
	return !moving;
}

void rig_all_phys(const void *ptr, size_t pages, uint64_t *out)
{
	int fd = open("/proc/self/pagemap", O_RDONLY);

	assert_true(fd >= 0);
	for (unsigned i = 0; i < 1000 && !read_entries(fd, ptr, pages, out); i++)
		usleep(1000);
	close(fd);
	for (size_t i = 0; i < pages; i++)
		out[i] = out[i] >> 63 ? (out[i] & (((uint64_t)1 << 55) - 1)) * PAGE : 0;
}

uint64_t rig_phys(const void *ptr)
{
	uint64_t phys;

	rig_all_phys(ptr, 1, &phys);
	return phys;
}

static int wait_for(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

int rig_in_child(int (*fn)(void *arg), void *arg)
{
	pid_t pid;
	int status;

	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		_exit(fn(arg));
	status = wait_for(pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

pid_t rig_start_child(void (*fn)(void *arg), void *arg)
{
	char ready = 1;
	int pipes[2];
	pid_t pid;

	assert_int_equal(pipe(pipes), 0);
	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (fn)
			fn(arg);
		if (write(pipes[1], &ready, 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(pipes[0], &ready, 1), 1);
	close(pipes[0]);
	close(pipes[1]);
	return pid;
}

void rig_end_child(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_true(WIFSIGNALED(wait_for(pid)));
}

void rig_drop_cap(unsigned cap)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &head, data))
		abort();
	data[cap / 32].effective &= ~(1u << cap % 32);
	if (syscall(SYS_capset, &head, data))
		abort();
}
