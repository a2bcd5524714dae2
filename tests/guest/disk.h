/* SPDX-License-Identifier: MIT */
/* An NVMe drive of the guest, by phyr's own driver, in a domain of the test's. */
#ifndef TESTS_GUEST_DISK_H
#define TESTS_GUEST_DISK_H

#include <phyr/dma.h>
#include <phyr/nvme.h>
#include <phyr/pci.h>

struct disk {
	struct phyr_dev *dev;
	struct phyr_pci *pci;
	struct phyr_nvme *nvme;
	struct phyr_nvme_queue *queue;
};

/* Attach it to the domain and bring it up; fails the test when it does not come. */
void disk_open(struct disk *disk, struct phyr_domain *domain, uint32_t source);
/* Down, and detached. */
void disk_close(struct disk *disk);

/* Read into, or write from, a dma address, mapped or not; returns how the command ended. */
int disk_move(struct disk *disk, uint64_t lba, uint64_t addr, uint64_t len, unsigned access);

/* Whether memory is what the image has at this byte: each eight bytes are their own number. */
bool disk_is_pattern(const void *p, uint64_t offset, uint64_t len);

#endif
