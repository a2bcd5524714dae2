/* SPDX-License-Identifier: MIT */
/* The tree of stretches: an AVL tree with parent links, augmented with the longest free stretch. */
#include "iova/tree.h"

#include "core/bits.h"

static unsigned height_of(const struct iova_node *node)
{
	return node ? node->height : 0;
}

static uint64_t longest_of(const struct iova_node *node)
{
	return node ? node->longest : 0;
}

static uint64_t free_len(const struct iova_node *node)
{
	return node->hole ? 0 : node_len(node);
}

/* Compute what a node knows of its subtree from its children. */
static void refresh(struct iova_node *node)
{
	const struct iova_node *low = node->child[0], *high = node->child[1];
	unsigned a = height_of(low), b = height_of(high);

	node->height = 1 + (a > b ? a : b);
	node->longest = max_u64(free_len(node), max_u64(longest_of(low), longest_of(high)));
}

/* Where the tree points to @node: in its parent, or as the root. */
static struct iova_node **link_to(struct iova_tree *tree, const struct iova_node *node)
{
	if (!node->parent)
		return &tree->root;
	return &node->parent->child[node->parent->child[1] == node];
}

/* Let @by, which may be NULL, stand where @node stands. */
static void replace(struct iova_tree *tree, struct iova_node *node, struct iova_node *by)
{
	*link_to(tree, node) = by;
	if (by)
		by->parent = node->parent;
}

/* Let @node sink to side @side of its other child, which comes up and is returned. */
static struct iova_node *rotate(struct iova_tree *tree, struct iova_node *node, unsigned side)
{
	struct iova_node *up = node->child[!side];
	struct iova_node *across = up->child[side];

	replace(tree, node, up);
	node->child[!side] = across;
	if (across)
		across->parent = node;
	up->child[side] = node;
	node->parent = up;
	refresh(node);
	refresh(up);
	return up;
}

/* Refresh a node whose subtrees are balanced and differ in height by 2 at most; balance it. */
static struct iova_node *balance(struct iova_tree *tree, struct iova_node *node)
{
	unsigned low = height_of(node->child[0]), high = height_of(node->child[1]);
	unsigned heavy = high > low;
	struct iova_node *child = node->child[heavy];

	if (low <= high + 1 && high <= low + 1) {
		refresh(node);
		return node;
	}
	if (height_of(child->child[!heavy]) > height_of(child->child[heavy]))
		rotate(tree, child, heavy);
	return rotate(tree, node, !heavy);
}

/* Refresh and balance from @node up to where nothing changes any more. */
static void retrace(struct iova_tree *tree, struct iova_node *node)
{
	for (; node; node = node->parent) {
		unsigned height = node->height;
		uint64_t longest = node->longest;

		node = balance(tree, node);
		if (node->height == height && node->longest == longest)
			return;
	}
}

void phyr_iova_tree_insert(struct iova_tree *tree, struct iova_node *node)
{
	struct iova_node **link = &tree->root, *parent = NULL;

	while (*link) {
		parent = *link;
		link = &parent->child[node->start > parent->start];
	}
	*link = node;
	node->parent = parent;
	node->child[0] = NULL;
	node->child[1] = NULL;
	refresh(node);
	retrace(tree, parent);
}

static struct iova_node *outermost(struct iova_node *node, unsigned side)
{
	while (node->child[side])
		node = node->child[side];
	return node;
}

struct iova_node *phyr_iova_tree_erase(struct iova_tree *tree, struct iova_node *node)
{
	struct iova_node *out = node;

	if (node->child[0] && node->child[1]) {
		out = outermost(node->child[1], 0);
		node->start = out->start;
		node->last = out->last;
		node->hole = out->hole;
	}
	replace(tree, out, out->child[0] ? out->child[0] : out->child[1]);
	retrace(tree, out->parent);
	/* The way up may have ended below the node whose own stretch is another one now. */
	if (out != node)
		retrace(tree, node);
	return out;
}

void phyr_iova_tree_resize(struct iova_tree *tree, struct iova_node *node, uint64_t start,
			   uint64_t last)
{
	node->start = start;
	node->last = last;
	retrace(tree, node);
}

void phyr_iova_tree_moved(struct iova_tree *tree, struct iova_node *to)
{
	struct iova_node **link = &tree->root;

	/* The parent still points to the old place: tell its sides apart by address. */
	if (to->parent)
		link = &to->parent->child[to->start > to->parent->start];
	*link = to;
	if (to->child[0])
		to->child[0]->parent = to;
	if (to->child[1])
		to->child[1]->parent = to;
}

struct iova_node *phyr_iova_tree_at_or_after(const struct iova_tree *tree, uint64_t addr)
{
	struct iova_node *node = tree->root, *found = NULL;

	while (node) {
		bool reaches = node->last >= addr;

		if (reaches)
			found = node;
		node = node->child[!reaches];
	}
	return found;
}

/* The neighbour on one side. */
static struct iova_node *step(struct iova_node *node, unsigned side)
{
	if (node->child[side])
		return outermost(node->child[side], !side);
	while (node->parent && node->parent->child[side] == node)
		node = node->parent;
	return node->parent;
}

struct iova_node *phyr_iova_tree_prev(const struct iova_tree *tree, struct iova_node *node)
{
	if (!node)
		return tree->root ? outermost(tree->root, 1) : NULL;
	return step(node, 0);
}

struct iova_node *phyr_iova_tree_next(struct iova_node *node)
{
	return step(node, 1);
}

/* The lowest fit in a subtree that has one. */
static struct iova_node *lowest_fit(struct iova_node *node, uint64_t size)
{
	for (;;) {
		if (longest_of(node->child[0]) >= size)
			node = node->child[0];
		else if (free_len(node) >= size)
			return node;
		else
			node = node->child[1];
	}
}

struct iova_node *phyr_iova_tree_first_fit(const struct iova_tree *tree, uint64_t size)
{
	return longest_of(tree->root) >= size ? lowest_fit(tree->root, size) : NULL;
}

struct iova_node *phyr_iova_tree_next_fit(struct iova_node *node, uint64_t size)
{
	struct iova_node *from;

	if (longest_of(node->child[1]) >= size)
		return lowest_fit(node->child[1], size);
	for (from = node, node = node->parent; node; from = node, node = node->parent) {
		if (node->child[1] == from)
			continue;
		if (free_len(node) >= size)
			return node;
		if (longest_of(node->child[1]) >= size)
			return lowest_fit(node->child[1], size);
	}
	return NULL;
}
