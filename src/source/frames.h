/* SPDX-License-Identifier: MIT */
/* Where a process's pages lie, as /proc/PID/pagemap tells. */
#ifndef SOURCE_FRAMES_H
#define SOURCE_FRAMES_H

#include <phyr/source.h>

enum frame_state {
	FRAME_ABSENT,
	FRAME_SWAPPED, /* or on its way to another frame */
	FRAME_HIDDEN,  /* in memory, and the kernel does not say where */
	FRAME_PRESENT,
};

/* The part of a page that belongs to the range that is read. */
struct frame {
	enum frame_state state;
	phyr_addr_t addr; /* physical, of its first byte; when present */
	uint64_t len;
};

#define FRAMES_AT_ONCE 512

/* A walk over the pages of a range. Caller's memory. */
struct frames {
	int fd;
	uint64_t page; /* bytes of a page of the machine */
	uint64_t at;   /* next byte */
	uint64_t left; /* bytes */
	size_t next, nr;
	uint64_t entries[FRAMES_AT_ONCE];
};

/* Open a process's page map; 0: this process's. A descriptor, or -ENOENT, -ESRCH, … as open(). */
int phyr_frames_open(pid_t pid);

/* Start a walk over [start, start + len), which is not empty and does not pass 2^64. */
void phyr_frames_start(struct frames *f, int fd, uint64_t start, uint64_t len);

/* The next page. 1; 0 at the range's end; -ENXIO there are no pages any more, -EIO. */
int phyr_frames_next(struct frames *f, struct frame *out);

/* Whether the kernel hides frame numbers from who opened this page map of this process. */
bool phyr_frames_hidden(int fd);

#endif
