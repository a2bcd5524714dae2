/* SPDX-License-Identifier: MIT */
/*
 * Nodes for the tree, paid for in advance, so that freeing an address never has to ask for memory.
 *
 * A tree over L allocations and H excluded stretches has at most L + 2 H + 1 nodes: between two
 * free stretches lies an allocation or a hole. So whoever adds an allocation or a hole first makes
 * sure that the pool is large enough for the tree after it; taking one away then always finds its
 * node.
 *
 * Nodes lie in slabs, and those in use lie dense: a node given back is filled with the last one. So
 * the memory follows the need down again, slab by slab, however scattered the frees are.
 */
#ifndef IOVA_POOL_H
#define IOVA_POOL_H

#include "iova/tree.h"

/* With its two links a slab is a little less than a page. */
#define IOVA_SLAB_NODES 72

struct iova_slab {
	struct iova_slab *prev;
	struct iova_slab *next;
	struct iova_node nodes[IOVA_SLAB_NODES];
};

struct iova_pool {
	struct iova_slab *end; /* the last slab */
	struct iova_slab *top; /* the slab of the last node in use */
	unsigned top_used;     /* nodes in use in it */
	uint64_t used;
	uint64_t capacity;
};

/* Add a slab. */
void phyr_iova_pool_push(struct iova_pool *pool, struct iova_slab *slab);

/* Take a slab out that a need of @nodes nodes does not use, one to spare; NULL: there is none. */
struct iova_slab *phyr_iova_pool_pop(struct iova_pool *pool, uint64_t nodes);

/* A node; NULL when all are in use, which can't be where the need was counted. */
struct iova_node *phyr_iova_pool_take(struct iova_pool *pool);

/* Give back a node that the tree has let go; another one may move into its place. */
void phyr_iova_pool_put(struct iova_pool *pool, struct iova_tree *tree, struct iova_node *node);

#endif
