/* SPDX-License-Identifier: MIT */
/* What one paging-structure entry says, by format, from the specifications. */
#ifndef SIM_WALK_H
#define SIM_WALK_H

#include <phyr/iommu.h>

/* A present entry, decoded. */
struct sim_entry {
	bool leaf;
	uint64_t addr; /* of the memory that it maps, or of the next table */
	unsigned prot; /* PHYR_READ, PHYR_WRITE: what this entry allows */
};

/*
 * Decode an entry of a level, 0 being the one whose entries map 4 KiB. 0, PHYR_FAULT_NOT_PRESENT or
 * PHYR_FAULT_BAD_ENTRY.
 */
int phyr_sim_decode_vtdss(uint64_t entry, unsigned level, struct sim_entry *out);
int phyr_sim_decode_x86(uint64_t entry, unsigned level, struct sim_entry *out);

#endif
