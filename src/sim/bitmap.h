/* SPDX-License-Identifier: MIT */
/* A bitmap that finds the next clear bit in O(log n): levels say which words below are full. */
#ifndef SIM_BITMAP_H
#define SIM_BITMAP_H

#include <stdbool.h>
#include <stdint.h>

#define SIM_BITMAP_LEVELS 6

struct sim_bitmap {
	uint64_t nr; /* bits */
	unsigned levels;
	uint64_t *level[SIM_BITMAP_LEVELS]; /* 0: the bits themselves */
};

/* All clear. @nr is 1 to 2^36. 0 or -ENOMEM. */
int phyr_sim_bitmap_init(struct sim_bitmap *map, uint64_t nr);
void phyr_sim_bitmap_fini(struct sim_bitmap *map);

void phyr_sim_bitmap_set(struct sim_bitmap *map, uint64_t i);
void phyr_sim_bitmap_clear(struct sim_bitmap *map, uint64_t i);

/* The first clear bit at or after @from; map->nr when there is none. */
uint64_t phyr_sim_bitmap_next_clear(const struct sim_bitmap *map, uint64_t from);

/* As above, going on at the start when there is none up to the end. */
uint64_t phyr_sim_bitmap_next_clear_wrap(const struct sim_bitmap *map, uint64_t from);

#endif
