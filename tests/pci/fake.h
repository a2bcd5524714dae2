/* SPDX-License-Identifier: MIT */
/*
 * A VFIO device that is a memfd: regions are pieces of it, so that reading, writing and mapping are real,
 * and truncating it takes mapped registers away. Ioctls are answered here (wrapped at link time, as are
 * the other calls, so that the n-th can fail).
 */
#ifndef TESTS_PCI_FAKE_H
#define TESTS_PCI_FAKE_H

#include <linux/vfio.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/tenv.h"

#define FAKE_STRIDE  ((uint64_t)16 << 20)
#define FAKE_CONFIG  (VFIO_PCI_CONFIG_REGION_INDEX * FAKE_STRIDE)
#define FAKE_VECTORS 64

struct fake_region {
	uint64_t size;
	uint32_t flags;
	char caps[256]; /* what follows the fixed part; offsets count from that */
	uint32_t caps_len;
	uint32_t cap_offset; /* 0: right behind */
};

struct fake {
	int fd;
	uint32_t flags; /* of the device */
	uint32_t num_regions;
	uint32_t num_irqs;
	struct fake_region regions[VFIO_PCI_NUM_REGIONS];
	uint64_t offset_of_config; /* FAKE_CONFIG, but for lies */
	uint32_t short_argsz;      /* what region answers say instead; 0: the truth */
	unsigned nr_vectors[VFIO_PCI_NUM_IRQS];
	uint32_t irq_flags;
	unsigned machine_vectors; /* that it can give at once */
	int irq_on;               /* index of what is enabled; -1: nothing */
	unsigned irq_enabled;
	int32_t fds[FAKE_VECTORS];
	int32_t request; /* eventfd, or -1 */
	unsigned resets;
	int reset_error;
	uint32_t stuck; /* bits of the command register that do not change */

	unsigned calls;   /* system calls since restart */
	unsigned fail_at; /* which fails; 0: none */
	int fail_with;
	bool failed;
};

extern struct fake fake;

/* An NVMe device: BAR 0 of 16 KiB, BAR 1 its upper half, BAR 2 ports, MSI-X with 5 vectors, a ROM. */
void fake_make(void);
void fake_remove(void);
/* Config space and BARs read all ones, as after a removal that the kernel has not noticed. */
void fake_all_ones(void);
/* Mapped registers raise SIGBUS. */
void fake_truncate(void);
void fake_config(uint64_t offset, unsigned width, uint32_t value);
uint32_t fake_config_get(uint64_t offset, unsigned width);
/* One area list as a region's capability. */
void fake_areas(unsigned region, const struct vfio_region_sparse_mmap_area *areas, uint32_t nr);

struct phyr_pci;
struct phyr_pci *fake_open(struct tenv *t);

#endif
