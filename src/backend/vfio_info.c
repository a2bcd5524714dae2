/* SPDX-License-Identifier: MIT */
/*
 * What a container says of itself: a head and a chain of capabilities, each with the offset of the next.
 *
 *   info │ cap_offset ─▶ [id version next│…] ─▶ [id version next│ ranges …] ─▶ 0
 *
 * Nothing of the chain is taken on trust: an offset leads forward and into what was read, a count fits
 * into what is left of it.
 */
#include "backend/vfio.h"

#include <linux/vfio.h>

#include "core/bits.h"
#include "core/err.h"
#include "core/mem.h"

/* More than any chain with as many ranges as an aperture can have. */
#define INFO_BYTES 4096

union info {
	struct vfio_iommu_type1_info head;
	unsigned char bytes[INFO_BYTES];
	uint64_t align;
};

/* Copy len bytes at an offset, which may be a wrong one. */
static bool read_at(const union info *info, uint64_t offset, void *to, uint64_t len)
{
	uint64_t end = info->head.argsz;

	if (offset > end || len > end - offset)
		return false;
	mem_copy(to, info->bytes + offset, len);
	return true;
}

/* Find a capability of version 1; its offset, 0: there is none, or the chain is broken. */
static uint64_t find_cap(const union info *info, unsigned id)
{
	struct vfio_info_cap_header cap;
	uint64_t at = info->head.cap_offset, least = sizeof(info->head);

	if (!(info->head.flags & VFIO_IOMMU_INFO_CAPS))
		return 0;
	while (at >= least && read_at(info, at, &cap, sizeof(cap))) {
		if (cap.id == id && cap.version == 1)
			return at;
		least = at + sizeof(cap);
		at = cap.next;
	}
	return 0;
}

static bool read_ranges(const union info *info, struct phyr_aperture *aperture)
{
	uint64_t at = find_cap(info, VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE);
	struct vfio_iommu_type1_info_cap_iova_range cap;
	struct vfio_iova_range range;

	if (!at || !read_at(info, at, &cap, sizeof(cap)))
		return false;
	at += sizeof(cap);
	for (uint32_t i = 0; i < cap.nr_iovas; i++, at += sizeof(range)) {
		if (!read_at(info, at, &range, sizeof(range)) ||
		    !phyr_kernel_aperture_add(aperture, range.start, range.end))
			return false;
	}
	return phyr_kernel_aperture_end(aperture);
}

static uint64_t read_left(const union info *info)
{
	uint64_t at = find_cap(info, VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL);
	struct vfio_iommu_type1_info_dma_avail cap;

	return at && read_at(info, at, &cap, sizeof(cap)) ? cap.avail : UINT64_MAX;
}

int phyr_vfio_read_info(struct kernel_domain *domain, struct vfio_info *info)
{
	union info said;
	int err;

	mem_set(&said, 0, sizeof(said));
	said.head.argsz = sizeof(said);
	err = phyr_kernel_call(domain, domain->fd, VFIO_IOMMU_GET_INFO, &said);
	if (err < 0)
		return err;
	if (said.head.argsz > sizeof(said) || !(said.head.flags & VFIO_IOMMU_INFO_PGSIZES))
		return -EOPNOTSUPP;
	phyr_kernel_aperture_begin(domain, &info->aperture, said.head.iova_pgsizes);
	if (!info->aperture.page_sizes || !read_ranges(&said, &info->aperture))
		return -EOPNOTSUPP;
	info->left = read_left(&said);
	return 0;
}
