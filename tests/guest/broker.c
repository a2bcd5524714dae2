/* SPDX-License-Identifier: MIT */
/* Devices opened by plain system calls, as a broker or a VMM does it. */
#define _GNU_SOURCE
#include "guest/broker.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* linux/iommufd.h, and what linux/vfio.h has since 6.6; older headers have neither. */
#define BIND_IOMMUFD _IO(VFIO_TYPE, VFIO_BASE + 18)
#define IOAS_ALLOC   _IO(';', 0x81)
#define IOAS_MAP     _IO(';', 0x85)
#define IOAS_UNMAP   _IO(';', 0x86)
#define IOAS_FIXED   1u
#define IOAS_WRITE   2u
#define IOAS_READ    4u

struct bind_iommufd {
	uint32_t argsz, flags;
	int32_t iommufd;
	uint32_t out_devid;
};

struct ioas_alloc {
	uint32_t size, flags, out_ioas_id;
};

struct ioas_map {
	uint32_t size, flags, ioas_id, reserved;
	uint64_t user_va, length, iova;
};

struct ioas_unmap {
	uint32_t size, ioas_id;
	uint64_t iova, length;
};

static int failed(void)
{
	return errno ? -errno : -EIO;
}

static int open_group(struct broker *b, const char *device)
{
	char path[96], link[256] = "";
	const char *number;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group", device);
	if (readlink(path, link, sizeof(link) - 1) < 0)
		return failed();
	number = strrchr(link, '/');
	snprintf(path, sizeof(path), "/dev/vfio/%.16s", number ? number + 1 : link);
	b->group = open(path, O_RDWR | O_CLOEXEC);
	return b->group < 0 ? failed() : 0;
}

static int open_container(struct broker *b, const char *device)
{
	int err;

	b->iommu = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	if (b->iommu < 0)
		return failed();
	err = open_group(b, device);
	if (err)
		return err;
	if (ioctl(b->group, VFIO_GROUP_SET_CONTAINER, &b->iommu) ||
	    ioctl(b->iommu, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU))
		return failed();
	b->device = ioctl(b->group, VFIO_GROUP_GET_DEVICE_FD, device);
	return b->device < 0 ? failed() : 0;
}

static int open_cdev(struct broker *b, const char *device)
{
	char path[96], name[32] = "";
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/vfio-dev", device);
	dir = opendir(path);
	if (!dir)
		return failed();
	while ((entry = readdir(dir)) && !name[0])
		if (!strncmp(entry->d_name, "vfio", 4))
			snprintf(name, sizeof(name), "%.31s", entry->d_name);
	closedir(dir);
	snprintf(path, sizeof(path), "/dev/vfio/devices/%s", name);
	b->device = open(path, O_RDWR | O_CLOEXEC);
	return b->device < 0 ? failed() : 0;
}

static int open_ioas(struct broker *b, const char *device)
{
	struct bind_iommufd bound = {.argsz = sizeof(bound)};
	struct ioas_alloc ioas = {.size = sizeof(ioas)};
	int err;

	b->iommu = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	if (b->iommu < 0)
		return failed();
	err = open_cdev(b, device);
	if (err)
		return err;
	bound.iommufd = b->iommu;
	if (ioctl(b->device, BIND_IOMMUFD, &bound) || ioctl(b->iommu, IOAS_ALLOC, &ioas))
		return failed();
	b->ioas = ioas.out_ioas_id;
	return 0;
}

int broker_open(struct broker *b, bool iommufd, const char *device)
{
	int err;

	*b = (struct broker){.iommufd = iommufd, .iommu = -1, .group = -1, .device = -1};
	err = iommufd ? open_ioas(b, device) : open_container(b, device);
	if (err)
		broker_close(b);
	return err;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void broker_close(struct broker *b)
{
	close_fd(&b->device);
	close_fd(&b->group);
	close_fd(&b->iommu);
}

int broker_map(struct broker *b, uint64_t iova, const void *p, uint64_t len)
{
	struct vfio_iommu_type1_dma_map type1 = {.argsz = sizeof(type1),
						 .flags = VFIO_DMA_MAP_FLAG_READ |
							  VFIO_DMA_MAP_FLAG_WRITE,
						 .vaddr = (uintptr_t)p,
						 .iova = iova,
						 .size = len};
	struct ioas_map ioas = {.size = sizeof(ioas),
				.flags = IOAS_FIXED | IOAS_READ | IOAS_WRITE,
				.ioas_id = b->ioas,
				.user_va = (uintptr_t)p,
				.length = len,
				.iova = iova};
	int err = b->iommufd ? ioctl(b->iommu, IOAS_MAP, &ioas)
			     : ioctl(b->iommu, VFIO_IOMMU_MAP_DMA, &type1);

	return err ? failed() : 0;
}

static uint64_t unmap_type1(struct broker *b, uint32_t flags, uint64_t iova, uint64_t len)
{
	struct vfio_iommu_type1_dma_unmap unmap = {
		.argsz = sizeof(unmap), .flags = flags, .iova = iova, .size = len};

	return ioctl(b->iommu, VFIO_IOMMU_UNMAP_DMA, &unmap) ? 0 : unmap.size;
}

/* It is -ENOENT when there was nothing. */
static uint64_t unmap_ioas(struct broker *b, uint64_t iova, uint64_t len)
{
	struct ioas_unmap unmap = {
		.size = sizeof(unmap), .ioas_id = b->ioas, .iova = iova, .length = len};

	return ioctl(b->iommu, IOAS_UNMAP, &unmap) ? 0 : unmap.length;
}

uint64_t broker_unmap(struct broker *b, uint64_t iova, uint64_t len)
{
	return b->iommufd ? unmap_ioas(b, iova, len) : unmap_type1(b, 0, iova, len);
}

uint64_t broker_unmap_all(struct broker *b)
{
	return b->iommufd ? unmap_ioas(b, 0, UINT64_MAX)
			  : unmap_type1(b, VFIO_DMA_UNMAP_FLAG_ALL, 0, 0);
}

/* Find the capability in what the kernel says of a container. */
static uint64_t left_in(const char *info, uint32_t size, uint32_t offset)
{
	while (offset && offset + sizeof(struct vfio_iommu_type1_info_dma_avail) <= size) {
		struct vfio_iommu_type1_info_dma_avail cap;

		memcpy(&cap, info + offset, sizeof(cap));
		if (cap.header.id == VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL)
			return cap.avail;
		offset = cap.header.next > offset ? cap.header.next : 0;
	}
	return UINT64_MAX;
}

uint64_t broker_left(struct broker *b)
{
	union {
		struct vfio_iommu_type1_info info;
		char bytes[4096];
	} u = {.info.argsz = sizeof(u)};

	if (b->iommufd || ioctl(b->iommu, VFIO_IOMMU_GET_INFO, &u.info) ||
	    !(u.info.flags & VFIO_IOMMU_INFO_CAPS))
		return UINT64_MAX;
	return left_in(u.bytes, sizeof(u), u.info.cap_offset);
}
