/* SPDX-License-Identifier: MIT */
/*
 * Memory of all kinds in a guest: files of memory, dma-bufs, another device's BAR, for the tests that ask
 * which of it the kernel maps.
 */
#ifndef TESTS_GUEST_MEMORY_H
#define TESTS_GUEST_MEMORY_H

#include <phyr/backend.h>
#include <phyr/pci.h>

/* Whether the guest's backend maps files: iommufd on Linux 6.13 or newer, by the kernel's own version. */
bool memory_files_are_mapped(void);
/* Whether VFIO gives BARs out as files: Linux 6.19 or newer. */
bool memory_bars_are_files(void);

/* A descriptor or a negative errno each. */
int memory_memfd(uint64_t size, unsigned flags);
int memory_udmabuf(int memfd, uint64_t size); /* of a memfd that can't shrink */
int memory_dma_heap(uint64_t size);

/* The ivshmem device, in a domain of its own: only its memory, BAR 2, is wanted. */
struct memory_bar {
	struct phyr_domain *domain;
	struct phyr_pci *pci;
	struct phyr_regs *regs;
	uint32_t source;
	int device; /* its VFIO descriptor */
};

void memory_bar_open(struct memory_bar *bar, struct phyr_iommu *iommu);
void memory_bar_close(struct memory_bar *bar);
/* Its first bytes as a dma-buf; a descriptor or a negative errno. */
int memory_bar_file(const struct memory_bar *bar, uint64_t len);

#endif
