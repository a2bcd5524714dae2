/* SPDX-License-Identifier: MIT */
/* Pinned memory: the page maps both ways, and where new pages are put. */
#ifndef SIM_MEMORY_H
#define SIM_MEMORY_H

#include <phyr/sim.h>
#include <pthread.h>

#include "sim/frames.h"
#include "sim/vmap.h"

struct sim_memory {
	pthread_mutex_t lock; /* taken last: nothing is locked under it */
	struct sim_frames frames;
	struct sim_vmap vmap;
	enum phyr_sim_scatter scatter;
	uint64_t rnd;         /* state of the generator */
	uint64_t base;        /* frame where the scattering starts */
	uint64_t linear_next; /* frame after the last one that was put in line */
};

/* Runs of pinned memory in order, whole pages. */
struct sim_runs {
	struct phyr_range *runs;
	size_t nr;
	size_t room;
};

int phyr_sim_memory_init(struct sim_memory *mem, const struct phyr_sim_config *config);
void phyr_sim_memory_fini(struct sim_memory *mem);

/*
 * Pin whole pages and add where they lie to @runs. 0 or -ENOMEM, and then nothing is pinned and
 * @runs holds nothing of use.
 */
int phyr_sim_memory_pin(struct sim_memory *mem, uint64_t page, uint64_t nr, struct sim_runs *runs);

/* Unpin the pages that [addr, addr + len) touches. Returns how many of them were not pinned. */
uint64_t phyr_sim_memory_unpin(struct sim_memory *mem, phyr_addr_t addr, uint64_t len);

/* The CPU pointer of a physical address, in *len how much lies together; NULL: not pinned. */
void *phyr_sim_memory_to_cpu(struct sim_memory *mem, phyr_addr_t addr, uint64_t *len);

/* The physical address of a byte; false: not pinned. */
bool phyr_sim_memory_to_phys(struct sim_memory *mem, const void *ptr, phyr_addr_t *out);

void phyr_sim_memory_stats(struct sim_memory *mem, struct phyr_sim_stats *stats);

#endif
