/* SPDX-License-Identifier: MIT */
/* Where a process's pages lie, as /proc/PID/pagemap tells. */
#include "source/frames.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "core/bits.h"

/* Linux, Documentation/admin-guide/mm/pagemap.rst: an entry of 64 bits for each page. */
#define ENTRY_FRAME   (((uint64_t)1 << 55) - 1)
#define ENTRY_SWAPPED ((uint64_t)1 << 62)
#define ENTRY_PRESENT ((uint64_t)1 << 63)

int phyr_frames_open(pid_t pid)
{
	char path[32] = "/proc/self/pagemap";
	int fd;

	if (pid)
		snprintf(path, sizeof(path), "/proc/%ld/pagemap", (long)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

void phyr_frames_start(struct frames *f, int fd, uint64_t start, uint64_t len)
{
	f->fd = fd;
	f->page = (uint64_t)sysconf(_SC_PAGESIZE);
	f->at = start;
	f->left = len;
	f->next = f->nr = 0;
}

static int refill(struct frames *f)
{
	uint64_t first = f->at / f->page, last = (f->at + (f->left - 1)) / f->page;
	uint64_t want = min_u64(last - first + 1, FRAMES_AT_ONCE);
	ssize_t got;

	do
		got = pread(f->fd, f->entries, want * sizeof(f->entries[0]),
			    (off_t)(first * sizeof(f->entries[0])));
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return -EIO;
	f->next = 0;
	f->nr = (size_t)got / sizeof(f->entries[0]);
	return f->nr ? 0 : -ENXIO;
}

static enum frame_state state_of(uint64_t entry)
{
	if (entry & ENTRY_PRESENT)
		return entry & ENTRY_FRAME ? FRAME_PRESENT : FRAME_HIDDEN;
	return entry & ENTRY_SWAPPED ? FRAME_SWAPPED : FRAME_ABSENT;
}

int phyr_frames_next(struct frames *f, struct frame *out)
{
	uint64_t offset = f->at & (f->page - 1), entry;
	int err;

	if (!f->left)
		return 0;
	err = f->next < f->nr ? 0 : refill(f);
	if (err)
		return err;
	entry = f->entries[f->next++];
	out->state = state_of(entry);
	out->addr = (entry & ENTRY_FRAME) * f->page + offset;
	out->len = min_u64(f->left, f->page - offset);
	f->at += out->len;
	f->left -= out->len;
	return 1;
}

bool phyr_frames_hidden(int fd)
{
	struct frames f;
	struct frame here = {.state = FRAME_ABSENT};

	/* The walk itself lies in memory: it has just been written. */
	phyr_frames_start(&f, fd, (uintptr_t)&f, 1);
	return phyr_frames_next(&f, &here) == 1 && here.state == FRAME_HIDDEN;
}
