/* SPDX-License-Identifier: MIT */
/*
 * Nodes of the record's B+tree, for its two files and their tests.
 *
 * A slot is 16 bytes in leaves and in the nodes above, and its key begins with an iova's page, so that
 * both are searched, shifted and moved by the same code.
 *
 *             63                           19 18  17  16   15 13  12                 0
 *   key       [ iova page                    | length in pages - 1, its low 19 bits   ]
 *   val, leaf [ address page                 |  -  last first prot | length, high 13 ]
 *   val, else [ pointer to the child                                                 ]
 *
 * Above the leaves the key is the lowest page of the child, exactly, and its low bits are 0. So what
 * covers an iova can only be in the last child that begins at or below it.
 *
 * All leaves are at one depth. No node is empty. Nodes have no links to neighbours: they are reached
 * from the parent, which also evens them out.
 */
#ifndef BACKEND_RECORD_NODE_H
#define BACKEND_RECORD_NODE_H

#include "backend/record.h"

#define RECORD_PAGE_SHIFT 19
#define RECORD_LOW        (((uint64_t)1 << RECORD_PAGE_SHIFT) - 1)

/* With malloc's own 8 bytes a node is 4 KiB; a root begins with fewer slots, so that few runs cost
 * little. A node is split when its neighbours have fewer free slots than are spared, and given to them
 * when so many stay free: less moves slots more often, more leaves nodes emptier. Tests build deep
 * trees with small nodes. */
#ifndef RECORD_SLOTS
#define RECORD_SLOTS       255u
#define RECORD_SLOTS_FIRST 15u
#define RECORD_SPARE       8u
#endif

_Static_assert(RECORD_SPARE >= 2, "room is left on both sides when a neighbour takes half of it");
_Static_assert(RECORD_SLOTS_FIRST >= 2, "a root holds both halves of the one before");

struct record_slot {
	uint64_t key;
	uint64_t val;
};

struct record_node {
	uint32_t nr;
	uint32_t cap;
	struct record_slot slot[];
};

static inline uint64_t record_page(const struct record_slot *slot)
{
	return slot->key >> RECORD_PAGE_SHIFT;
}

static inline struct record_node *record_child(const struct record_node *node, unsigned at)
{
	return (struct record_node *)(uintptr_t)node->slot[at].val;
}

static inline bool record_full(const struct record_node *node)
{
	return node->nr == node->cap;
}

/* How many slots begin at or below @page. */
static inline unsigned record_up_to(const struct record_node *node, uint64_t page)
{
	unsigned low = 0, nr = node->nr;

	while (nr) {
		unsigned half = (nr + 1) / 2;

		if (record_page(&node->slot[low + half - 1]) <= page)
			low += half;
		nr -= half;
	}
	return low;
}

/* The child in which @page is, or would be. */
static inline unsigned record_child_at(const struct record_node *node, uint64_t page)
{
	unsigned nr = record_up_to(node, page);

	return nr ? nr - 1 : 0;
}

/* An empty node; NULL: no memory. */
struct record_node *phyr_record_node_alloc(struct record *rec, unsigned cap);
void phyr_record_node_free(struct record *rec, struct record_node *node);

/* Put a slot in at a place, into a node that is not full; take [from, to) out. */
void phyr_record_node_put(struct record_node *node, unsigned at, struct record_slot slot);
void phyr_record_node_cut(struct record_node *node, unsigned from, unsigned to);

/* Let the parent's key be what its child begins with. */
void phyr_record_node_set_key(struct record_node *parent, unsigned at);

/*
 * Make room in a full child, or in a full root, for something at @page; the parent is not full. Slots
 * move to a neighbour, and a node is split when the neighbours are full, too. 0; -ENOMEM.
 */
int phyr_record_node_make_room(struct record *rec, struct record_node *parent, unsigned at,
			       uint64_t page);
int phyr_record_node_grow_root(struct record *rec, uint64_t page);

/* Give a child's slots to its neighbours and free it, if they take them with room to spare. */
void phyr_record_node_give_away(struct record *rec, struct record_node *parent, unsigned at);

#endif
