/* SPDX-License-Identifier: MIT */
/*
 * What the kernel's iommufd and VFIO device files understand, as far as phyr asks it: numbers and
 * layouts of the Linux user API (linux/iommufd.h; linux/vfio.h, "VFIO_DEVICE_BIND_IOMMUFD" and on).
 *
 * Declared here because the headers of a system may be older than its kernel. Names are our own, so
 * that newer headers may be included beside. VFIO's containers and groups are old enough to be taken
 * from <linux/vfio.h>.
 */
#ifndef BACKEND_KERNEL_ABI_H
#define BACKEND_KERNEL_ABI_H

#include <stdint.h>
#include <sys/ioctl.h>

/* Both number their calls under the same letter: VFIO from 100, iommufd from 0x80. */
#define ABI_TYPE ';'

/* VFIO, calls of a device's own file; Linux 6.6. */
#define ABI_DEVICE_BIND   _IO(ABI_TYPE, 100 + 18)
#define ABI_DEVICE_ATTACH _IO(ABI_TYPE, 100 + 19)
#define ABI_DEVICE_DETACH _IO(ABI_TYPE, 100 + 20)

struct abi_device_bind {
	uint32_t argsz;
	uint32_t flags;
	int32_t iommufd;
	uint32_t devid; /* out */
};

struct abi_device_attach {
	uint32_t argsz;
	uint32_t flags;
	uint32_t pt_id; /* in: the IOAS; out: the table that the kernel took */
};

struct abi_device_detach {
	uint32_t argsz;
	uint32_t flags;
};

/* iommufd. Each argument begins with its size. */
#define ABI_DESTROY       _IO(ABI_TYPE, 0x80)
#define ABI_IOAS_ALLOC    _IO(ABI_TYPE, 0x81)
#define ABI_IOAS_RANGES   _IO(ABI_TYPE, 0x84)
#define ABI_IOAS_MAP      _IO(ABI_TYPE, 0x85)
#define ABI_IOAS_UNMAP    _IO(ABI_TYPE, 0x86)
#define ABI_IOAS_MAP_FILE _IO(ABI_TYPE, 0x8f) /* Linux 6.13 */

struct abi_destroy {
	uint32_t size;
	uint32_t id;
};

struct abi_ioas_alloc {
	uint32_t size;
	uint32_t flags;
	uint32_t ioas; /* out */
};

struct abi_range {
	uint64_t start;
	uint64_t last;
};

struct abi_ioas_ranges {
	uint32_t size;
	uint32_t ioas;
	uint32_t nr; /* in: room; out: how many there are */
	uint32_t reserved;
	uint64_t ranges;    /* where to */
	uint64_t alignment; /* out: of iova and length of a mapping */
};

#define ABI_MAP_FIXED (1u << 0)
#define ABI_MAP_WRITE (1u << 1)
#define ABI_MAP_READ  (1u << 2)

struct abi_ioas_map {
	uint32_t size;
	uint32_t flags;
	uint32_t ioas;
	uint32_t reserved;
	uint64_t addr;
	uint64_t len;
	uint64_t iova;
};

struct abi_ioas_map_file {
	uint32_t size;
	uint32_t flags;
	uint32_t ioas;
	int32_t fd;
	uint64_t offset;
	uint64_t len;
	uint64_t iova;
};

struct abi_ioas_unmap {
	uint32_t size;
	uint32_t ioas;
	uint64_t iova;
	uint64_t len; /* out: bytes that were mapped */
};

_Static_assert(sizeof(struct abi_device_bind) == 16, "as the kernel has it");
_Static_assert(sizeof(struct abi_device_attach) == 12, "as the kernel has it");
_Static_assert(sizeof(struct abi_device_detach) == 8, "as the kernel has it");
_Static_assert(sizeof(struct abi_destroy) == 8, "as the kernel has it");
_Static_assert(sizeof(struct abi_ioas_alloc) == 12, "as the kernel has it");
_Static_assert(sizeof(struct abi_range) == 16, "as the kernel has it");
_Static_assert(sizeof(struct abi_ioas_ranges) == 32, "as the kernel has it");
_Static_assert(sizeof(struct abi_ioas_map) == 40, "as the kernel has it");
_Static_assert(sizeof(struct abi_ioas_map_file) == 40, "as the kernel has it");
_Static_assert(sizeof(struct abi_ioas_unmap) == 24, "as the kernel has it");

#endif
