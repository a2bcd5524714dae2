/* SPDX-License-Identifier: MIT */
/*
 * The tree of stretches: what is free and what is excluded, by address.
 *
 * A balanced (AVL) tree of disjoint inclusive stretches. Each node knows the longest free stretch
 * in its subtree, so the lowest one that is long enough is found on one way down. What lies between
 * two neighbours of the tree, inside the range, is allocated: an allocation itself has no node.
 *
 *      free      (live)   free   hole      free          addresses go to the right
 *   [0..........]......[.......][....][..........]       two free or two excluded stretches
 *                                                        never touch: they are joined
 *
 * The tree allocates nothing: nodes are its caller's. It takes no lock.
 */
#ifndef IOVA_TREE_H
#define IOVA_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct iova_node {
	uint64_t start;
	uint64_t last;
	uint64_t longest; /* bytes of the longest free stretch in the subtree; 0: none is free */
	struct iova_node *parent;
	struct iova_node *child[2]; /* lower, higher addresses */
	unsigned height;            /* a leaf has 1 */
	bool hole;                  /* excluded for good, not free */
};

struct iova_tree {
	struct iova_node *root;
};

/* Bytes of a stretch. The range leaves out both 0 and ~0, so that it can't wrap. */
static inline uint64_t node_len(const struct iova_node *node)
{
	return node->last - node->start + 1;
}

/* Put a node in; start, last and hole are set, and it overlaps no other. */
void phyr_iova_tree_insert(struct iova_tree *tree, struct iova_node *node);

/*
 * Take a stretch out. Its content may give way to its neighbour's, so no pointer to a node is good
 * afterwards. Returns the node whose memory is free now.
 */
struct iova_node *phyr_iova_tree_erase(struct iova_tree *tree, struct iova_node *node);

/* Change a node's edges, the order of the starts staying as it is. Nodes stay where they are. */
void phyr_iova_tree_resize(struct iova_tree *tree, struct iova_node *node, uint64_t start,
			   uint64_t last);

/* The content of a node in the tree was copied to @to: let the tree point there. */
void phyr_iova_tree_moved(struct iova_tree *tree, struct iova_node *to);

/* The first stretch that ends at or after @addr; NULL: none. */
struct iova_node *phyr_iova_tree_at_or_after(const struct iova_tree *tree, uint64_t addr);

/* Neighbours by address; NULL: none. Before NULL, the end, comes the last stretch. */
struct iova_node *phyr_iova_tree_prev(const struct iova_tree *tree, struct iova_node *node);
struct iova_node *phyr_iova_tree_next(struct iova_node *node);

/* The lowest free stretch of at least @size bytes; and the next such one after @node. */
struct iova_node *phyr_iova_tree_first_fit(const struct iova_tree *tree, uint64_t size);
struct iova_node *phyr_iova_tree_next_fit(struct iova_node *node, uint64_t size);

#endif
