/* SPDX-License-Identifier: MIT */
/*
 * The record of what a kernel has mapped: a B+tree of packed runs.
 *
 * An insert makes room on its way down, so that no split has to climb: each node that it leaves is not
 * full. What fails then for want of memory has moved slots and changed no run. A removal cuts whole
 * subtrees between the two paths to its edges, and mends along these alone.
 */
#include "backend/record.h"

#include "backend/record_node.h"
#include "core/bits.h"
#include "core/env.h"

#define PROT_ALL      (PHYR_READ | PHYR_WRITE | PHYR_MMIO)
#define LEN_HIGH_BITS 13
#define LEN_HIGH_MASK (((uint64_t)1 << LEN_HIGH_BITS) - 1)
#define PROT_SHIFT    LEN_HIGH_BITS
#define FIRST_SHIFT   16
#define LAST_SHIFT    17

_Static_assert(PROT_ALL < 1 << (FIRST_SHIFT - PROT_SHIFT), "prot fits its bits");
_Static_assert(RECORD_ADDR_LG2 - PHYR_PAGE_LG2 + RECORD_PAGE_SHIFT == 64, "a page fits its bits");
_Static_assert(RECORD_MAX_LEN >> PHYR_PAGE_LG2 == (uint64_t)1
							  << (RECORD_PAGE_SHIFT + LEN_HIGH_BITS),
	       "a length fits its bits");
_Static_assert(sizeof(struct record_slot) == 16, "what a run costs");

static struct record_slot pack(const struct record_run *run)
{
	uint64_t more = (run->len >> PHYR_PAGE_LG2) - 1;
	uint64_t iova = run->iova >> PHYR_PAGE_LG2, addr = run->addr >> PHYR_PAGE_LG2;

	return (struct record_slot){
		.key = iova << RECORD_PAGE_SHIFT | (more & RECORD_LOW),
		.val = addr << RECORD_PAGE_SHIFT | (uint64_t)run->last << LAST_SHIFT |
		       (uint64_t)run->first << FIRST_SHIFT | (uint64_t)run->prot << PROT_SHIFT |
		       more >> RECORD_PAGE_SHIFT,
	};
}

/* Pages of a run after its first. */
static uint64_t more_pages(const struct record_slot *slot)
{
	return (slot->val & LEN_HIGH_MASK) << RECORD_PAGE_SHIFT | (slot->key & RECORD_LOW);
}

static void unpack(const struct record_slot *slot, struct record_run *run)
{
	*run = (struct record_run){
		.iova = record_page(slot) << PHYR_PAGE_LG2,
		.addr = slot->val >> RECORD_PAGE_SHIFT << PHYR_PAGE_LG2,
		.len = (more_pages(slot) + 1) << PHYR_PAGE_LG2,
		.prot = slot->val >> PROT_SHIFT & PROT_ALL,
		.first = slot->val >> FIRST_SHIFT & 1,
		.last = slot->val >> LAST_SHIFT & 1,
	};
}

/* Whether [at, at + len) lies below the limit; len is at most RECORD_MAX_LEN, and not 0. */
static bool reaches_too_far(uint64_t at, uint64_t len)
{
	uint64_t limit = (uint64_t)1 << RECORD_ADDR_LG2;

	return at >= limit || at + len > limit;
}

static bool fits(const struct record_run *run)
{
	if (((run->iova | run->addr | run->len) & (PHYR_PAGE_SIZE - 1)) || run->prot & ~PROT_ALL)
		return false;
	if (!run->len || run->len > RECORD_MAX_LEN)
		return false;
	return !reaches_too_far(run->iova, run->len) && !reaches_too_far(run->addr, run->len);
}

void phyr_record_init(struct record *rec, struct phyr_env *env)
{
	*rec = (struct record){.env = env};
}

/* Free a subtree; returns its runs. */
static uint64_t free_tree(struct record *rec, struct record_node *node, unsigned level)
{
	uint64_t nr = 0;

	if (level == 1)
		nr = node->nr;
	else
		for (unsigned i = 0; i < node->nr; i++)
			nr += free_tree(rec, record_child(node, i), level - 1);
	phyr_record_node_free(rec, node);
	return nr;
}

void phyr_record_fini(struct record *rec)
{
	if (rec->root)
		free_tree(rec, rec->root, rec->levels);
	phyr_record_init(rec, rec->env);
}

/* The root, with room for @page; it is made if there is none. */
static int ready_root(struct record *rec, uint64_t page)
{
	if (rec->root)
		return record_full(rec->root) ? phyr_record_node_grow_root(rec, page) : 0;
	rec->root = phyr_record_node_alloc(rec, RECORD_SLOTS_FIRST);
	if (!rec->root)
		return -ENOMEM;
	rec->levels = 1;
	return 0;
}

/* The leaf for @page, with room in it. */
static int ready_leaf(struct record *rec, uint64_t page, struct record_node **leaf)
{
	struct record_node *node;
	int err = ready_root(rec, page);

	if (err)
		return err;
	node = rec->root;
	for (unsigned level = rec->levels; level > 1; level--) {
		unsigned at = record_child_at(node, page);

		if (record_full(record_child(node, at))) {
			err = phyr_record_node_make_room(rec, node, at, page);
			if (err)
				return err;
			at = record_child_at(node, page);
		}
		node = record_child(node, at);
	}
	*leaf = node;
	return 0;
}

/* Keys are exact: a new lowest page is told to the nodes above it, which are each the first. */
static void lower_keys(struct record *rec, uint64_t page)
{
	struct record_node *node = rec->root;

	for (unsigned level = rec->levels; level > 1; level--) {
		if (record_page(&node->slot[0]) <= page)
			return;
		node->slot[0].key = page << RECORD_PAGE_SHIFT;
		node = record_child(node, 0);
	}
}

int phyr_record_insert(struct record *rec, const struct record_run *run)
{
	uint64_t page = run->iova >> PHYR_PAGE_LG2;
	struct record_node *leaf;
	struct record_run at;
	int err;

	if (!fits(run))
		return -ERANGE;
	if (phyr_record_next(rec, run->iova, &at) && at.iova < run->iova + run->len)
		return -EEXIST;
	err = ready_leaf(rec, page, &leaf);
	if (err)
		return err;
	phyr_record_node_put(leaf, record_up_to(leaf, page), pack(run));
	rec->nr++;
	lower_keys(rec, page);
	return 0;
}

/* The first slot of a subtree. */
static const struct record_slot *lowest(const struct record_node *node, unsigned level)
{
	while (level-- > 1)
		node = record_child(node, 0);
	return &node->slot[0];
}

/* The slot that covers @page, else the next one; NULL: there is none. */
static const struct record_slot *next_slot(const struct record *rec, uint64_t page)
{
	const struct record_node *node = rec->root, *after = NULL;
	unsigned level, after_level = 0, nr;

	if (!node)
		return NULL;
	for (level = rec->levels; level > 1; level--) {
		unsigned at = record_child_at(node, page);

		if (at + 1 < node->nr) {
			after = record_child(node, at + 1);
			after_level = level - 1;
		}
		node = record_child(node, at);
	}
	nr = record_up_to(node, page);
	if (nr && page - record_page(&node->slot[nr - 1]) <= more_pages(&node->slot[nr - 1]))
		return &node->slot[nr - 1];
	if (nr < node->nr)
		return &node->slot[nr];
	return after ? lowest(after, after_level) : NULL;
}

bool phyr_record_next(const struct record *rec, uint64_t iova, struct record_run *run)
{
	const struct record_slot *slot = next_slot(rec, iova >> PHYR_PAGE_LG2);

	if (slot)
		unpack(slot, run);
	return slot;
}

bool phyr_record_find(const struct record *rec, uint64_t iova, struct record_run *run)
{
	const struct record_slot *slot = next_slot(rec, iova >> PHYR_PAGE_LG2);

	if (!slot || record_page(slot) > iova >> PHYR_PAGE_LG2)
		return false;
	unpack(slot, run);
	return true;
}

/* Take out what begins in pages [first, last]; a node may be left empty, for its parent to free. */
static uint64_t drop(struct record *rec, struct record_node *node, unsigned level, uint64_t first,
		     uint64_t last);

/* The children between two, which go as a whole. */
static uint64_t drop_between(struct record *rec, struct record_node *node, unsigned level,
			     unsigned low, unsigned high)
{
	uint64_t nr = 0;

	for (unsigned at = low + 1; at < high; at++)
		nr += free_tree(rec, record_child(node, at), level - 1);
	phyr_record_node_cut(node, low + 1, high);
	return nr;
}

/* A child from which slots were taken: free it if it is empty, else set its key. */
static void settle(struct record *rec, struct record_node *node, unsigned at)
{
	if (record_child(node, at)->nr) {
		phyr_record_node_set_key(node, at);
		return;
	}
	phyr_record_node_free(rec, record_child(node, at));
	phyr_record_node_cut(node, at, at + 1);
}

/* Where slots were taken around child @at, make three nodes two, or two one. */
static void mend(struct record *rec, struct record_node *node, unsigned at)
{
	unsigned low = at ? at - 1 : 0;

	for (unsigned i = at + 3; i-- > low;)
		if (i < node->nr)
			phyr_record_node_give_away(rec, node, i);
}

static uint64_t drop_children(struct record *rec, struct record_node *node, unsigned level,
			      uint64_t first, uint64_t last)
{
	unsigned low = record_child_at(node, first), high = record_child_at(node, last);
	uint64_t nr = drop(rec, record_child(node, low), level - 1, first, last);

	if (high > low) {
		nr += drop(rec, record_child(node, high), level - 1, first, last);
		nr += drop_between(rec, node, level, low, high);
		settle(rec, node, low + 1);
	}
	settle(rec, node, low);
	mend(rec, node, low);
	return nr;
}

static uint64_t drop(struct record *rec, struct record_node *node, unsigned level, uint64_t first,
		     uint64_t last)
{
	unsigned from, to;

	if (level > 1)
		return drop_children(rec, node, level, first, last);
	from = first ? record_up_to(node, first - 1) : 0;
	to = record_up_to(node, last);
	phyr_record_node_cut(node, from, to);
	return to - from;
}

/* A root without slots goes; one with a single child gives way to it. */
static void lower_root(struct record *rec)
{
	while (rec->levels > 1 && rec->root->nr == 1) {
		struct record_node *child = record_child(rec->root, 0);

		phyr_record_node_free(rec, rec->root);
		rec->root = child;
		rec->levels--;
	}
	if (rec->root->nr)
		return;
	phyr_record_node_free(rec, rec->root);
	rec->root = NULL;
	rec->levels = 0;
}

uint64_t phyr_record_remove(struct record *rec, uint64_t start, uint64_t last)
{
	uint64_t from = (start >> PHYR_PAGE_LG2) + !!(start & (PHYR_PAGE_SIZE - 1));
	uint64_t to = last >> PHYR_PAGE_LG2, nr;
	struct record_run edge;

	/* What reaches out at the end stays, and all that begins before it is in [start, last]. */
	if (phyr_record_find(rec, last, &edge) && edge.iova + (edge.len - 1) > last) {
		if (!edge.iova)
			return 0;
		to = (edge.iova >> PHYR_PAGE_LG2) - 1;
	}
	if (!rec->root || from > to)
		return 0;
	nr = drop(rec, rec->root, rec->levels, from, to);
	rec->nr -= nr;
	lower_root(rec);
	return nr;
}
