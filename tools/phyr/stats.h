/* SPDX-License-Identifier: MIT */
/* What phyr and a simulated machine count, as one set of numbers to subtract. */
#ifndef STATS_H
#define STATS_H

#include <phyr/phyr.h>
#include <phyr/sim.h>

struct counts {
	uint64_t links; /* into windows, by whatever call */
	uint64_t walks; /* of the page table */
	uint64_t ptes;  /* leaf entries written */
	uint64_t syncs; /* new mappings made visible */
	uint64_t invalidations;
	uint64_t ioctls;     /* calls into the kernel */
	uint64_t iotlb_hits; /* a simulated machine's */
	uint64_t iotlb_misses;
};

struct counts counts_now(struct phyr *p);
struct counts counts_since(const struct counts *before, const struct counts *now);

#endif
