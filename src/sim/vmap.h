/* SPDX-License-Identifier: MIT */
/*
 * The page map from CPU to physical: a radix tree over virtual page numbers, five levels of 512, so
 * addresses up to 57 bits. A node exists while it holds something.
 */
#ifndef SIM_VMAP_H
#define SIM_VMAP_H

#include <stdbool.h>
#include <stdint.h>

#define SIM_VMAP_LEVELS 5
#define SIM_VMAP_BITS   (9 * SIM_VMAP_LEVELS) /* of a virtual page number */

struct sim_vmap_node {
	unsigned nr; /* slots in use */
	union {
		struct sim_vmap_node *child[512];
		uint64_t frame[512]; /* frame number + 1; 0: none */
	};
};

struct sim_vmap {
	struct sim_vmap_node *root;
	uint64_t nr_nodes;
};

void phyr_sim_vmap_fini(struct sim_vmap *map);

/* The frame of a virtual page; false: it has none. */
bool phyr_sim_vmap_find(const struct sim_vmap *map, uint64_t page, uint64_t *frame);

/* Set a page's frame; the page has none yet. 0 or -ENOMEM. */
int phyr_sim_vmap_set(struct sim_vmap *map, uint64_t page, uint64_t frame);

/* Forget a page that has a frame, and free the nodes that are empty now. */
void phyr_sim_vmap_remove(struct sim_vmap *map, uint64_t page);

#endif
