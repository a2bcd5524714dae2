/* SPDX-License-Identifier: MIT */
/* Nodes for the tree: dense in a stack of slabs. */
#include "iova/pool.h"

void phyr_iova_pool_push(struct iova_pool *pool, struct iova_slab *slab)
{
	slab->prev = pool->end;
	slab->next = NULL;
	if (pool->end)
		pool->end->next = slab;
	else
		pool->top = slab;
	pool->end = slab;
	pool->capacity += IOVA_SLAB_NODES;
}

struct iova_slab *phyr_iova_pool_pop(struct iova_pool *pool, uint64_t nodes)
{
	struct iova_slab *slab = pool->end;

	if (nodes < pool->used)
		nodes = pool->used;
	if (pool->capacity < nodes + (uint64_t)2 * IOVA_SLAB_NODES)
		return NULL;
	pool->end = slab->prev;
	pool->end->next = NULL;
	pool->capacity -= IOVA_SLAB_NODES;
	return slab;
}

struct iova_node *phyr_iova_pool_take(struct iova_pool *pool)
{
	if (pool->used == pool->capacity)
		return NULL;
	if (pool->top_used == IOVA_SLAB_NODES) {
		pool->top = pool->top->next;
		pool->top_used = 0;
	}
	pool->used++;
	return &pool->top->nodes[pool->top_used++];
}

void phyr_iova_pool_put(struct iova_pool *pool, struct iova_tree *tree, struct iova_node *node)
{
	struct iova_node *last = &pool->top->nodes[--pool->top_used];

	if (last != node) {
		*node = *last;
		phyr_iova_tree_moved(tree, node);
	}
	pool->used--;
	if (!pool->top_used && pool->top->prev) {
		pool->top = pool->top->prev;
		pool->top_used = IOVA_SLAB_NODES;
	}
}
