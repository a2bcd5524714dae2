/* SPDX-License-Identifier: MIT */
/* Memory of all kinds: the kernel's ways to make it, by its user API (udmabuf.h, dma-heap.h, vfio.h). */
#define _GNU_SOURCE
#include "guest/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/dma-heap.h>
#include <linux/udmabuf.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "guest/rig_kernel.h"

/* struct vfio_device_feature and its data; newer than a system's headers may be: Linux 6.19. */
#define FEATURE_DMA_BUF 11
struct feature_dma_buf {
	uint32_t argsz;
	uint32_t feature;
	uint32_t region;
	uint32_t open_flags;
	uint32_t flags;
	uint32_t nr_ranges;
	uint64_t offset;
	uint64_t len;
};

static bool is_linux(unsigned major, unsigned minor)
{
	unsigned has_major, has_minor;
	struct utsname name;

	assert_int_equal(uname(&name), 0);
	assert_int_equal(sscanf(name.release, "%u.%u", &has_major, &has_minor), 2);
	return has_major > major || (has_major == major && has_minor >= minor);
}

bool memory_files_are_mapped(void)
{
	return rig_kernel_is_iommufd() && is_linux(6, 13);
}

bool memory_bars_are_files(void)
{
	return is_linux(6, 19);
}

int memory_memfd(uint64_t size, unsigned flags)
{
	int fd = memfd_create("memory", MFD_CLOEXEC | MFD_ALLOW_SEALING | flags);

	if (fd < 0)
		return -errno;
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	return fd;
}

int memory_udmabuf(int memfd, uint64_t size)
{
	struct udmabuf_create create = {.memfd = (uint32_t)memfd, .size = size};
	int maker = open("/dev/udmabuf", O_RDWR | O_CLOEXEC), fd;

	if (maker < 0)
		return -errno;
	assert_int_equal(fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	fd = ioctl(maker, UDMABUF_CREATE, &create);
	fd = fd < 0 ? -errno : fd;
	close(maker);
	return fd;
}

int memory_dma_heap(uint64_t size)
{
	struct dma_heap_allocation_data ask = {.len = size, .fd_flags = O_RDWR | O_CLOEXEC};
	int heap = open("/dev/dma_heap/system", O_RDWR | O_CLOEXEC), err;

	if (heap < 0)
		return -errno;
	err = ioctl(heap, DMA_HEAP_IOCTL_ALLOC, &ask) ? -errno : 0;
	close(heap);
	return err ? err : (int)ask.fd;
}

void memory_bar_open(struct memory_bar *bar, struct phyr_iommu *iommu)
{
	bar->source = rig_kernel_source("GUEST_SHM");
	assert_int_equal(phyr_domain_create(iommu, &bar->domain), 0);
	assert_int_equal(phyr_domain_attach(bar->domain, bar->source), 0);
	assert_int_equal(phyr_vfio_device_fd(iommu, bar->source, &bar->device), 0);
	assert_int_equal(phyr_pci_open(iommu->env, bar->device, bar->source, &bar->pci), 0);
	assert_int_equal(phyr_pci_map_bar(bar->pci, 2, &bar->regs), 0);
	assert_non_null(bar->regs->base);
}

void memory_bar_close(struct memory_bar *bar)
{
	phyr_pci_close(bar->pci);
	phyr_domain_detach(bar->domain, bar->source);
	phyr_domain_destroy(bar->domain);
}

int memory_bar_file(const struct memory_bar *bar, uint64_t len)
{
	struct feature_dma_buf ask = {
		.argsz = sizeof(ask),
		.feature = VFIO_DEVICE_FEATURE_GET | FEATURE_DMA_BUF,
		.region = 2,
		.open_flags = O_RDWR | O_CLOEXEC,
		.nr_ranges = 1,
		.len = len,
	};
	int fd = ioctl(bar->device, VFIO_DEVICE_FEATURE, &ask);

	return fd < 0 ? -errno : fd;
}
