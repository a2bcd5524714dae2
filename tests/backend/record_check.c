/* SPDX-License-Identifier: MIT */
/* Walks a whole record and holds it to what record_node.h says of its tree. */
#include "record_check.h"

#include <stdio.h>
#include <stdlib.h>

#include "backend/record_node.h"

struct walk {
	uint64_t end; /* the first page after the runs so far */
	uint64_t runs;
	uint64_t bytes;
};

static void hold(bool is, const char *what, uint64_t page)
{
	if (is)
		return;
	fprintf(stderr, "record: %s, at page 0x%llx\n", what, (unsigned long long)page);
	abort();
}

/* The length is decoded here once more, from the drawing. */
static void check_leaf(const struct record_node *node, struct walk *walk)
{
	for (unsigned i = 0; i < node->nr; i++) {
		uint64_t page = node->slot[i].key >> 19;
		uint64_t pages =
			((node->slot[i].val & 0x1fff) << 19 | (node->slot[i].key & 0x7ffff)) + 1;

		hold(page >= walk->end, "runs out of order, or overlapping", page);
		walk->end = page + pages;
	}
	walk->runs += node->nr;
}

static void check_node(const struct record_node *node, unsigned level, struct walk *walk)
{
	hold(node->nr, "an empty node", walk->end);
	hold(node->nr <= node->cap, "a node with more slots than it has room for", walk->end);
	walk->bytes += sizeof(*node) + node->cap * sizeof(node->slot[0]);
	if (level == 1) {
		check_leaf(node, walk);
		return;
	}
	for (unsigned i = 0; i < node->nr; i++) {
		const struct record_node *child = record_child(node, i);

		hold(node->slot[i].key == (child->slot[0].key & ~RECORD_LOW),
		     "a key that is not what its child begins with", walk->end);
		check_node(child, level - 1, walk);
	}
}

void record_check(const struct record *rec)
{
	struct walk walk = {0};

	hold(!rec->root == !rec->levels, "levels without a root, or a root without", 0);
	hold(rec->levels < 2 || rec->root->nr > 1, "a root with a single child", 0);
	if (rec->root)
		check_node(rec->root, rec->levels, &walk);
	hold(walk.runs == rec->nr, "the count of runs is wrong", walk.runs);
	hold(walk.bytes == rec->bytes, "the count of bytes is wrong", walk.bytes);
}

struct record_run record_run_at(uint64_t iova, uint64_t addr, uint64_t pages)
{
	return (struct record_run){
		.iova = iova,
		.addr = addr,
		.len = pages << PHYR_PAGE_LG2,
		.prot = PHYR_READ | PHYR_WRITE,
		.first = true,
		.last = true,
	};
}
