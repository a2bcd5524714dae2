/* SPDX-License-Identifier: MIT */
/* The memory of a process, to look at: nothing is held, so nothing of it is for DMA. */
#include <phyr/source.h>

#include <sys/stat.h>
#include <unistd.h>

#include "core/bits.h"
#include "core/env.h"
#include "list/append.h"
#include "source/frames.h"
#include "source/scan.h"

struct phyr_pagemap {
	struct phyr_env *env;
	int fd;
};

const struct phyr_space *phyr_space_seen(void)
{
	static const struct phyr_space space = {.kind = PHYR_KIND_SEEN};

	return &space;
}

static const char *open_hint(int err)
{
	switch (err) {
	case -ESRCH:
		return "no such process, or one without memory of its own";
	case -EACCES:
		return "no right to look into this process: run as its user, or as root with "
		       "CAP_SYS_PTRACE";
	case -EOPNOTSUPP:
		return "there is no /proc/self/pagemap: /proc is not mounted, or the kernel was "
		       "built without it";
	default:
		return "the page map cannot be opened";
	}
}

static bool have_pagemaps(void)
{
	struct stat st;

	return !stat("/proc/self/pagemap", &st);
}

static int open_fail(struct phyr_env *env, int err, pid_t pid)
{
	if (err == -EPERM)
		err = -EACCES;
	else if (err == -ENOENT)
		err = have_pagemaps() ? -ESRCH : -EOPNOTSUPP;
	return env_fail(env, .err = err, .call = "phyr_pagemap_open", .index = (uint64_t)pid,
			.index_of = "process", .hint = open_hint(err));
}

int phyr_pagemap_open(pid_t pid, struct phyr_env *env, struct phyr_pagemap **out)
{
	struct phyr_pagemap *pm;
	int fd, err;

	env = env_or_hosted(env);
	err = phyr_env_check(env, "phyr_pagemap_open");
	if (err)
		return err;
	if (pid < 0)
		return env_fail(env, .err = -EINVAL, .call = "phyr_pagemap_open",
				.hint = "a process's number is above 0; 0 is this process");
	pm = env_alloc(env, sizeof(*pm));
	if (!pm)
		return env_fail(env, .err = -ENOMEM, .call = "phyr_pagemap_open",
				.hint = "no memory for the page map");
	fd = phyr_frames_open(pid);
	if (fd < 0) {
		env_free(env, pm, sizeof(*pm));
		return open_fail(env, fd, pid);
	}
	*pm = (struct phyr_pagemap){.env = env, .fd = fd};
	*out = pm;
	return 0;
}

void phyr_pagemap_close(struct phyr_pagemap *pm)
{
	if (!pm)
		return;
	close(pm->fd);
	env_free(pm->env, pm, sizeof(*pm));
}

static const char *read_hint(int err)
{
	switch (err) {
	case -EPERM:
		return "the kernel hides frame numbers without CAP_SYS_ADMIN: run as root";
	case -ERANGE:
		return "the range runs past the process's last address";
	case -ESRCH:
		return "the process has ended";
	case -ENOMEM:
		return "no memory for the list";
	case -EINVAL:
		return "the list ends off a page, or grows past 2^64 bytes";
	default:
		return "/proc/PID/pagemap cannot be read";
	}
}

static const char *bad_range(uint64_t start, uint64_t len, const struct phyr_list *list)
{
	uint64_t mask = (uint64_t)sysconf(_SC_PAGESIZE) - 1;

	if (!list->space || list->space->kind != PHYR_KIND_SEEN)
		return "the list is not one to look at: make it with phyr_space_seen()";
	if (range_is_bad(start, len))
		return "the length is 0, or the range runs past 2^64";
	if ((start | len) & mask)
		return "start and len are whole pages of the machine";
	return NULL;
}

/* Append one page, or count it. */
static int take(struct phyr_list *list, const struct frame *frame, struct phyr_pagemap_counts *n)
{
	switch (frame->state) {
	case FRAME_HIDDEN:
		return -EPERM;
	case FRAME_SWAPPED:
		n->swapped += frame->len;
		return 0;
	case FRAME_ABSENT:
		n->absent += frame->len;
		return 0;
	default:
		n->present += frame->len;
		return phyr_list_append_quietly(list, frame->addr, frame->len);
	}
}

/* The kernel gives nothing past the last address, and of a process that is no more. */
static int why_nothing(int fd)
{
	struct frames f;
	struct frame first;

	phyr_frames_start(&f, fd, 0, 1);
	return phyr_frames_next(&f, &first) == 1 ? -ERANGE : -ESRCH;
}

static int read_pages(int fd, uint64_t start, uint64_t len, struct phyr_list *list,
		      struct phyr_pagemap_counts *n)
{
	struct frames f;
	struct frame frame;
	int got, err = 0;

	phyr_frames_start(&f, fd, start, len);
	while (!err && (got = phyr_frames_next(&f, &frame)))
		err = got < 0 ? got : take(list, &frame, n);
	return err;
}

/* Holes are not read; but that the process is there, and the range within it, only a read tells. */
static int read_range(int fd, uint64_t start, uint64_t len, struct phyr_list *list,
		      struct phyr_pagemap_counts *n)
{
	uint64_t at = start, end = start + len, page = (uint64_t)sysconf(_SC_PAGESIZE);
	struct stretch there;
	struct scan scan;
	int err = 0;

	phyr_scan_start(&scan, fd, start, len);
	while (!err && phyr_scan_next(&scan, &there)) {
		n->absent += there.start - at;
		at = there.start + there.len;
		err = read_pages(fd, there.start, there.len, list, n);
	}
	if (!err && at != end) {
		n->absent += end - page - at;
		err = read_pages(fd, end - page, page, list, n);
	}
	return err == -ENXIO ? why_nothing(fd) : err;
}

int phyr_pagemap_read(struct phyr_pagemap *pm, uint64_t start, uint64_t len, struct phyr_list *list,
		      struct phyr_pagemap_counts *counts)
{
	static const char call[] = "phyr_pagemap_read";
	const char *bad = bad_range(start, len, list);
	struct phyr_pagemap_counts n = {0};
	struct phyr_list was = *list;
	int err;

	if (bad)
		return env_fail(list->env, .err = -EINVAL, .call = call, .addr = start, .len = len,
				.hint = bad);
	err = read_range(pm->fd, start, len, list, &n);
	if (err) {
		phyr_list_rollback(list, &was);
		return env_fail(list->env, .err = err, .call = call, .addr = start, .len = len,
				.hint = read_hint(err));
	}
	if (counts)
		*counts = n;
	return 0;
}
