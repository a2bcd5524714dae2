/* SPDX-License-Identifier: MIT */
/* The page map from CPU to physical. */
#include "sim/vmap.h"

#include <stdlib.h>

#include "core/err.h"

static unsigned index_at(uint64_t page, unsigned level)
{
	return page >> 9 * level & 511;
}

static void free_node(struct sim_vmap *map, struct sim_vmap_node *node, unsigned level)
{
	if (!node)
		return;
	for (unsigned i = 0; level && i < 512; i++)
		free_node(map, node->child[i], level - 1);
	free(node);
	map->nr_nodes--;
}

void phyr_sim_vmap_fini(struct sim_vmap *map)
{
	free_node(map, map->root, SIM_VMAP_LEVELS - 1);
	map->root = NULL;
}

bool phyr_sim_vmap_find(const struct sim_vmap *map, uint64_t page, uint64_t *frame)
{
	const struct sim_vmap_node *node = map->root;

	if (page >> SIM_VMAP_BITS)
		return false;
	for (unsigned level = SIM_VMAP_LEVELS - 1; node && level; level--)
		node = node->child[index_at(page, level)];
	if (!node || !node->frame[index_at(page, 0)])
		return false;
	*frame = node->frame[index_at(page, 0)] - 1;
	return true;
}

static int add_node(struct sim_vmap *map, struct sim_vmap_node *parent, struct sim_vmap_node **slot)
{
	*slot = calloc(1, sizeof(**slot));
	if (!*slot)
		return -ENOMEM;
	map->nr_nodes++;
	if (parent)
		parent->nr++;
	return 0;
}

/* Free the empty nodes on the way to a page, from the leaf up. */
static void prune(struct sim_vmap *map, uint64_t page)
{
	struct sim_vmap_node **slot[SIM_VMAP_LEVELS], *node;
	unsigned level = SIM_VMAP_LEVELS - 1;

	slot[level] = &map->root;
	while (level && *slot[level]) {
		node = *slot[level--];
		slot[level] = &node->child[index_at(page, level + 1)];
	}
	for (; level < SIM_VMAP_LEVELS; level++) {
		if (!*slot[level])
			continue;
		if ((*slot[level])->nr)
			return;
		free(*slot[level]);
		*slot[level] = NULL;
		map->nr_nodes--;
		if (level + 1 < SIM_VMAP_LEVELS)
			(*slot[level + 1])->nr--;
	}
}

/* The leaf node of a page, made where it is missing; NULL: no memory, nothing is left behind. */
static struct sim_vmap_node *make_leaf(struct sim_vmap *map, uint64_t page)
{
	struct sim_vmap_node **slot = &map->root, *parent = NULL;

	for (unsigned level = SIM_VMAP_LEVELS;;) {
		if (!*slot && add_node(map, parent, slot)) {
			prune(map, page);
			return NULL;
		}
		if (!--level)
			return *slot;
		parent = *slot;
		slot = &parent->child[index_at(page, level)];
	}
}

int phyr_sim_vmap_set(struct sim_vmap *map, uint64_t page, uint64_t frame)
{
	struct sim_vmap_node *leaf = make_leaf(map, page);

	if (!leaf)
		return -ENOMEM;
	leaf->frame[index_at(page, 0)] = frame + 1;
	leaf->nr++;
	return 0;
}

void phyr_sim_vmap_remove(struct sim_vmap *map, uint64_t page)
{
	struct sim_vmap_node *node = map->root;

	for (unsigned level = SIM_VMAP_LEVELS - 1; level; level--)
		node = node->child[index_at(page, level)];
	node->frame[index_at(page, 0)] = 0;
	if (!--node->nr)
		prune(map, page);
}
