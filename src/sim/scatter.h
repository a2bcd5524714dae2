/* SPDX-License-Identifier: MIT */
/* Where newly pinned pages are put. */
#ifndef SIM_SCATTER_H
#define SIM_SCATTER_H

#include "sim/memory.h"

/* What one pin call carries from page to page. */
struct sim_place {
	uint64_t next; /* frame that goes on with the present run */
	uint64_t left; /* pages that the run still wants */
};

/*
 * Take frames for up to @nr pages from @page on; none of them has one. Returns how many lie
 * together from *frame on; 0: no memory is left.
 */
uint64_t phyr_sim_scatter(struct sim_memory *mem, struct sim_place *place, uint64_t page,
			  uint64_t nr, uint64_t *frame);

/* Seed the scattering. */
void phyr_sim_scatter_init(struct sim_memory *mem, uint64_t seed);

#endif
