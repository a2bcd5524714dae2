/* SPDX-License-Identifier: MIT */
/* Where in a range of addresses a process has pages at all, without a look at each hole. */
#ifndef SOURCE_SCAN_H
#define SOURCE_SCAN_H

#include <stddef.h>
#include <stdint.h>

#define SCAN_AT_ONCE 128

/* As the kernel writes it: struct page_region. */
struct scan_region {
	uint64_t start, end;
	uint64_t categories;
};

/* A walk over a range of a page map. Caller's memory. */
struct scan {
	int fd;
	uint64_t page; /* bytes of a page of the machine */
	uint64_t at;   /* next byte that the kernel was not asked about */
	uint64_t left; /* bytes */
	size_t next, nr;
	struct scan_region regions[SCAN_AT_ONCE];
};

struct stretch {
	uint64_t start, len;
};

/* Start a walk over [start, start + len): whole pages that do not pass 2^64. */
void phyr_scan_start(struct scan *s, int fd, uint64_t start, uint64_t len);

/*
 * The next stretch in which pages may be in memory or in swap; what lies before and after one was
 * absent. Stretches ascend and do not touch. Where the kernel can't say, all of the rest is one.
 * 1; 0: no more.
 */
int phyr_scan_next(struct scan *s, struct stretch *out);

#endif
