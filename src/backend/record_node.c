/* SPDX-License-Identifier: MIT */
/*
 * Nodes of the record's B+tree: how they share slots with their neighbours.
 *
 * A full node first evens out with a neighbour, and is split when both are full. At its end it is split
 * so that all but one slot stay together: runs that come in order, up or down, leave full nodes behind.
 * The other way round, three neighbours are made two as soon as two hold it all.
 */
#include "backend/record_node.h"

#include "core/env.h"
#include "core/mem.h"

static size_t size_of(unsigned cap)
{
	return sizeof(struct record_node) + cap * sizeof(struct record_slot);
}

struct record_node *phyr_record_node_alloc(struct record *rec, unsigned cap)
{
	struct record_node *node = env_alloc(rec->env, size_of(cap));

	if (!node)
		return NULL;
	node->nr = 0;
	node->cap = cap;
	rec->bytes += size_of(cap);
	return node;
}

void phyr_record_node_free(struct record *rec, struct record_node *node)
{
	rec->bytes -= size_of(node->cap);
	env_free(rec->env, node, size_of(node->cap));
}

/* Slots of one node, or of two. */
static void copy(struct record_slot *to, const struct record_slot *from, unsigned nr)
{
	mem_move(to, from, nr * sizeof(*to));
}

void phyr_record_node_put(struct record_node *node, unsigned at, struct record_slot slot)
{
	copy(node->slot + at + 1, node->slot + at, node->nr - at);
	node->slot[at] = slot;
	node->nr++;
}

void phyr_record_node_cut(struct record_node *node, unsigned from, unsigned to)
{
	copy(node->slot + from, node->slot + to, node->nr - to);
	node->nr -= to - from;
}

void phyr_record_node_set_key(struct record_node *parent, unsigned at)
{
	parent->slot[at].key = record_child(parent, at)->slot[0].key & ~RECORD_LOW;
}

/* Move the last slots of child @at to the front of the next. */
static void move_up(struct record_node *parent, unsigned at, unsigned nr)
{
	struct record_node *from = record_child(parent, at), *to = record_child(parent, at + 1);

	copy(to->slot + nr, to->slot, to->nr);
	copy(to->slot, from->slot + from->nr - nr, nr);
	to->nr += nr;
	from->nr -= nr;
	phyr_record_node_set_key(parent, at + 1);
}

/* Move the first slots of child @at to the end of the one before. */
static void move_down(struct record_node *parent, unsigned at, unsigned nr)
{
	struct record_node *from = record_child(parent, at), *to = record_child(parent, at - 1);

	copy(to->slot + to->nr, from->slot, nr);
	to->nr += nr;
	phyr_record_node_cut(from, 0, nr);
	if (from->nr)
		phyr_record_node_set_key(parent, at);
}

static unsigned free_slots(const struct record_node *node)
{
	return node->cap - node->nr;
}

/* Free slots of the neighbours; 0 where there is none. */
static unsigned free_below(const struct record_node *parent, unsigned at)
{
	return at ? free_slots(record_child(parent, at - 1)) : 0;
}

static unsigned free_above(const struct record_node *parent, unsigned at)
{
	return at + 1 < parent->nr ? free_slots(record_child(parent, at + 1)) : 0;
}

/* How many slots of a full node stay when it is split for @page; at least one moves. */
static unsigned split_at(const struct record_node *node, uint64_t page)
{
	if (page > record_page(&node->slot[node->nr - 1]))
		return node->nr - 1;
	if (page < record_page(&node->slot[0]))
		return 1;
	return node->nr / 2;
}

static int split(struct record *rec, struct record_node *parent, unsigned at, uint64_t page)
{
	struct record_node *node = record_child(parent, at);
	struct record_node *next = phyr_record_node_alloc(rec, RECORD_SLOTS);
	unsigned stay = split_at(node, page);

	if (!next)
		return -ENOMEM;
	phyr_record_node_put(parent, at + 1, (struct record_slot){0, (uintptr_t)next});
	move_up(parent, at, node->nr - stay);
	return 0;
}

int phyr_record_node_make_room(struct record *rec, struct record_node *parent, unsigned at,
			       uint64_t page)
{
	unsigned below = free_below(parent, at), above = free_above(parent, at);

	if (below < RECORD_SPARE && above < RECORD_SPARE)
		return split(rec, parent, at, page);
	if (below >= above)
		move_down(parent, at, (below + 1) / 2);
	else
		move_up(parent, at, (above + 1) / 2);
	return 0;
}

/* A root begins small; it moves into a node of the usual size. */
static int widen_root(struct record *rec)
{
	struct record_node *root = phyr_record_node_alloc(rec, RECORD_SLOTS);

	if (!root)
		return -ENOMEM;
	copy(root->slot, rec->root->slot, rec->root->nr);
	root->nr = rec->root->nr;
	phyr_record_node_free(rec, rec->root);
	rec->root = root;
	return 0;
}

int phyr_record_node_grow_root(struct record *rec, uint64_t page)
{
	struct record_node *root;
	int err;

	if (rec->root->cap < RECORD_SLOTS)
		return widen_root(rec);
	root = phyr_record_node_alloc(rec, RECORD_SLOTS_FIRST);
	if (!root)
		return -ENOMEM;
	phyr_record_node_put(root, 0, (struct record_slot){0, (uintptr_t)rec->root});
	phyr_record_node_set_key(root, 0);
	err = split(rec, root, 0, page);
	if (err) {
		phyr_record_node_free(rec, root);
		return err;
	}
	rec->root = root;
	rec->levels++;
	return 0;
}

/* Of @nr slots, how many go down so that both neighbours have as many free as each other, or nearly:
 * no more than they have, as both together have more free than @nr. */
static unsigned share_below(unsigned nr, unsigned below, unsigned above)
{
	unsigned even = nr + below > above ? (nr + below - above) / 2 : 0;

	return even < nr ? even : nr;
}

void phyr_record_node_give_away(struct record *rec, struct record_node *parent, unsigned at)
{
	struct record_node *node = record_child(parent, at);
	unsigned below = free_below(parent, at), above = free_above(parent, at);
	unsigned down;

	if (node->nr + RECORD_SPARE > below + above)
		return;
	down = share_below(node->nr, below, above);
	if (down)
		move_down(parent, at, down);
	if (node->nr)
		move_up(parent, at, node->nr);
	phyr_record_node_free(rec, node);
	phyr_record_node_cut(parent, at, at + 1);
}
