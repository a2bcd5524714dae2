/* SPDX-License-Identifier: MIT */
/* A region of a VFIO device: configuration space, a BAR, the expansion ROM. */
#ifndef PCI_REGION_H
#define PCI_REGION_H

#include <stdbool.h>
#include <stdint.h>

struct region {
	uint64_t size;   /* bytes; 0: there is none */
	uint64_t offset; /* where the descriptor has it */
	bool readable;
	bool writable;
	bool mappable; /* all of it */
};

/* Ask for a region: 0; -EIO what the kernel says cannot be; as the ioctl says. */
int phyr_region_get(int fd, uint32_t index, struct region *out);

#endif
