/* SPDX-License-Identifier: MIT */
/*
 * Where in a range of addresses a process has pages at all, without a look at each hole.
 *
 * A process may have terabytes of addresses that hold nothing: a sanitizer's shadow, a heap's
 * reserve. The page map has an entry for each page of them; the kernel's own walk passes over page
 * tables that are not there.
 */
#include "source/scan.h"

#include <sys/ioctl.h>
#include <unistd.h>

/* Linux 6.7, PAGEMAP_SCAN(2const); its names are not used, for newer headers have them. */
struct scan_arg {
	uint64_t size, flags;
	uint64_t start, end, walk_end;
	uint64_t vec, vec_len, max_pages;
	uint64_t inverted, mask, anyof_mask, return_mask;
};

#define SCAN       _IOWR('f', 16, struct scan_arg)
#define IS_PRESENT ((uint64_t)1 << 3)
#define IS_SWAPPED ((uint64_t)1 << 4)

/* Shorter holes are read along, in pages: a read for each page costs more than its entries. */
#define SHORT_HOLE 512

void phyr_scan_start(struct scan *s, int fd, uint64_t start, uint64_t len)
{
	s->fd = fd;
	s->page = (uint64_t)sysconf(_SC_PAGESIZE);
	s->at = start;
	s->left = len;
	s->next = s->nr = 0;
}

/* An older kernel, or a range that runs past the last address: all of it is to be read. */
static void take_all(struct scan *s)
{
	s->regions[0] = (struct scan_region){.start = s->at, .end = s->at + s->left};
	s->nr = 1;
	s->left = 0;
}

static void refill(struct scan *s)
{
	struct scan_arg arg = {.size = sizeof(arg),
			       .start = s->at,
			       .end = s->at + s->left,
			       .vec = (uintptr_t)s->regions,
			       .vec_len = SCAN_AT_ONCE,
			       .anyof_mask = IS_PRESENT | IS_SWAPPED,
			       .return_mask = IS_PRESENT | IS_SWAPPED};
	int got = ioctl(s->fd, SCAN, &arg);
	uint64_t walked = arg.walk_end - s->at;

	s->next = 0;
	if (got < 0 || !walked || walked > s->left) {
		take_all(s);
		return;
	}
	s->nr = (size_t)got;
	s->at += walked;
	s->left -= walked;
}

int phyr_scan_next(struct scan *s, struct stretch *out)
{
	struct stretch all = {0, 0};

	while (s->next < s->nr || s->left) {
		const struct scan_region *r = &s->regions[s->next];

		if (s->next == s->nr) {
			refill(s);
			continue;
		}
		if (!all.len)
			all.start = r->start;
		else if (r->start - (all.start + all.len) >= SHORT_HOLE * s->page)
			break;
		all.len = r->end - all.start;
		s->next++;
	}
	if (!all.len)
		return 0;
	*out = all;
	return 1;
}
