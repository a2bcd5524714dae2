/* SPDX-License-Identifier: MIT */
/*
 * Regions, and how much of each can be mapped.
 *
 * The kernel answers with a fixed part and, behind it, a chain of capabilities, each with the offset of
 * the next. One of them lists the areas that can be mapped where that is not all. None of it is trusted:
 * offsets stay within what was answered, and the walk ends.
 */
#include "pci/region.h"

#include <errno.h>
#include <linux/vfio.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* More than any kernel answers; of a longer answer the fixed part alone is taken. */
#define ANSWER_SIZE 4096

union answer {
	struct vfio_region_info info;
	char bytes[ANSWER_SIZE];
};

/* The capabilities' bytes that are there. */
static size_t answer_len(const union answer *a)
{
	return a->info.argsz <= sizeof(*a) ? a->info.argsz : 0;
}

static bool fits(const union answer *a, size_t at, size_t size)
{
	size_t len = answer_len(a);

	return at >= sizeof(a->info) && at <= len && size <= len - at;
}

/* The offset of a capability; 0: it has none, or the chain makes no sense. */
static size_t find_cap(const union answer *a, uint16_t id)
{
	struct vfio_info_cap_header head;
	size_t at = a->info.cap_offset;

	if (!(a->info.flags & VFIO_REGION_INFO_FLAG_CAPS))
		return 0;
	for (size_t steps = 0; steps < sizeof(*a) / sizeof(head); steps++) {
		if (!fits(a, at, sizeof(head)))
			return 0;
		memcpy(&head, a->bytes + at, sizeof(head));
		if (head.id == id)
			return at;
		at = head.next;
	}
	return 0;
}

/* Where the areas that begin at or before end lead to; end itself: nowhere. */
static uint64_t reach(const union answer *a, size_t areas, uint32_t nr, uint64_t end)
{
	struct vfio_region_sparse_mmap_area area;
	uint64_t next;

	for (uint32_t i = 0; i < nr; i++) {
		memcpy(&area, a->bytes + areas + i * sizeof(area), sizeof(area));
		next = area.offset + area.size; /* one that wraps is below its offset, and end */
		if (area.offset <= end && next > end)
			return next;
	}
	return end;
}

/* Whether the areas, in whatever order, leave nothing out. */
static bool areas_cover(const union answer *a, size_t cap, uint64_t size)
{
	const size_t head = offsetof(struct vfio_region_info_cap_sparse_mmap, areas);
	uint64_t end = 0, was;
	uint32_t nr;

	if (!fits(a, cap, head))
		return false;
	memcpy(&nr, a->bytes + cap + offsetof(struct vfio_region_info_cap_sparse_mmap, nr_areas),
	       sizeof(nr));
	if (nr > ANSWER_SIZE ||
	    !fits(a, cap + head, nr * sizeof(struct vfio_region_sparse_mmap_area)))
		return false;
	do {
		was = end;
		end = reach(a, cap + head, nr, end);
	} while (end < size && end != was);
	return end >= size;
}

static bool can_map(const union answer *a)
{
	size_t cap = find_cap(a, VFIO_REGION_INFO_CAP_SPARSE_MMAP);

	if (!(a->info.flags & VFIO_REGION_INFO_FLAG_MMAP) ||
	    a->info.offset & ((uint64_t)sysconf(_SC_PAGESIZE) - 1))
		return false;
	if (a->info.flags & VFIO_REGION_INFO_FLAG_CAPS && answer_len(a) == 0)
		return false; /* there may be areas that were not read */
	return !cap || areas_cover(a, cap, a->info.size);
}

int phyr_region_get(int fd, uint32_t index, struct region *out)
{
	union answer a = {.info = {.argsz = sizeof(a), .index = index}};
	uint64_t end;

	if (ioctl(fd, VFIO_DEVICE_GET_REGION_INFO, &a) < 0)
		return -errno;
	/* Whole pages are mapped, so the end is rounded up once more. */
	if (a.info.argsz < sizeof(a.info) || a.info.size > INT64_MAX / 2 ||
	    __builtin_add_overflow(a.info.offset, a.info.size, &end) || end > INT64_MAX / 2)
		return -EIO;
	*out = (struct region){
		.size = a.info.size,
		.offset = a.info.offset,
		.readable = a.info.flags & VFIO_REGION_INFO_FLAG_READ,
		.writable = a.info.flags & VFIO_REGION_INFO_FLAG_WRITE,
		.mappable = a.info.size && can_map(&a),
	};
	return 0;
}
