/* SPDX-License-Identifier: MIT */
/* Blocks of words, and the index over them; see store.h. */
#include "list/store.h"

#include "core/env.h"
#include "core/mem.h"

#define STORE_PAGE 4096
#define KIDS_LG2   8
#define NR_KIDS    (1u << KIDS_LG2)

struct kid {
	uint64_t start; /* of the first block below */
	void *child;    /* a node, or in level 0 a block */
};

struct node {
	struct kid kids[NR_KIDS];
};

_Static_assert(sizeof(struct block) == STORE_PAGE, "a block is a page");
_Static_assert(sizeof(struct node) == STORE_PAGE, "a node is a page");

/* Levels of nodes over so many blocks, at least one; 0: the root is the block. */
static unsigned levels_of(uint64_t nr_blocks)
{
	unsigned levels = 0;

	while ((nr_blocks - 1) >> (levels * KIDS_LG2))
		levels++;
	return levels;
}

static struct kid *kid_of(struct node *node, uint64_t nr, unsigned level)
{
	return &node->kids[nr >> (level * KIDS_LG2) & (NR_KIDS - 1)];
}

/* The node of a level on the way from the root to block @nr, in an index of @levels. */
static struct node *node_at(const struct phyr_list *list, unsigned levels, uint64_t nr,
			    unsigned level)
{
	struct node *node = list->root;

	while (--levels > level)
		node = kid_of(node, nr, levels)->child;
	return node;
}

static struct block *block_at(const struct phyr_list *list, uint64_t nr)
{
	unsigned levels = levels_of(list->nr_blocks);

	if (!levels)
		return list->root;
	return kid_of(node_at(list, levels, nr, 0), nr, 0)->child;
}

/* How many nodes block @nr brings below the one it hangs from, in an index of @levels. */
static unsigned chain_of(uint64_t nr, unsigned levels)
{
	unsigned chain = 0;

	while (chain < levels && !(nr >> (chain * KIDS_LG2) & (NR_KIDS - 1)))
		chain++;
	return chain;
}

static void chain_free(struct phyr_env *env, void *top, unsigned chain)
{
	while (chain--) {
		void *below = ((struct node *)top)->kids[0].child;

		env_free_pages(env, top, STORE_PAGE);
		top = below;
	}
	if (top)
		env_free_pages(env, top, STORE_PAGE);
}

/* A block below a chain of nodes whose first child it is. */
static void *chain_alloc(struct phyr_env *env, uint64_t start, unsigned chain, struct block **block)
{
	struct node *node;
	void *top = *block = env_alloc_pages(env, STORE_PAGE);

	if (!top)
		return NULL;
	(*block)->start = start;
	for (unsigned i = 0; i < chain; i++) {
		node = env_alloc_pages(env, STORE_PAGE);
		if (!node) {
			chain_free(env, top, i);
			return NULL;
		}
		node->kids[0] = (struct kid){start, top};
		top = node;
	}
	return top;
}

/* A new root over the old one, and @top as its second child. */
static int root_grow(struct phyr_list *list, uint64_t start, void *top)
{
	struct node *root = env_alloc_pages(list->env, STORE_PAGE);

	if (!root)
		return -ENOMEM;
	root->kids[0] = (struct kid){0, list->root};
	root->kids[1] = (struct kid){start, top};
	list->root = root;
	return 0;
}

static int first_block(struct phyr_list *list)
{
	struct block *block = env_alloc_pages(list->env, STORE_PAGE);

	if (!block)
		return -ENOMEM;
	mem_copy(block->words, list->words, sizeof(list->words));
	list->root = list->tail = block;
	list->nr_blocks = 1;
	return 0;
}

int phyr_store_grow(struct phyr_list *list, uint64_t start)
{
	uint64_t nr = list->nr_blocks;
	struct block *block;
	unsigned levels, chain;
	void *top;

	if (!nr)
		return first_block(list);
	levels = levels_of(nr);
	chain = chain_of(nr, levels);
	top = chain_alloc(list->env, start, chain, &block);
	if (!top)
		return -ENOMEM;
	if (chain < levels) {
		*kid_of(node_at(list, levels, nr, chain), nr, chain) = (struct kid){start, top};
	} else if (root_grow(list, start, top)) {
		chain_free(list->env, top, chain);
		return -ENOMEM;
	}
	((struct block *)list->tail)->next = block;
	list->tail = block;
	list->nr_blocks++;
	return 0;
}

/* Take the last of several blocks away; phyr_store_grow() backwards. Leaves the tail behind. */
static void pop(struct phyr_list *list)
{
	uint64_t nr = list->nr_blocks - 1;
	unsigned levels = levels_of(nr);
	unsigned chain = chain_of(nr, levels);
	struct node *root = list->root;

	if (chain < levels) {
		chain_free(list->env, kid_of(node_at(list, levels, nr, chain), nr, chain)->child,
			   chain);
	} else {
		chain_free(list->env, root->kids[1].child, chain);
		list->root = root->kids[0].child;
		env_free_pages(list->env, root, STORE_PAGE);
	}
	list->nr_blocks = nr;
}

void phyr_store_shrink(struct phyr_list *list, uint64_t nr_blocks)
{
	while (list->nr_blocks > nr_blocks && list->nr_blocks > 1)
		pop(list);
	if (nr_blocks) {
		list->tail = block_at(list, nr_blocks - 1);
		((struct block *)list->tail)->next = NULL;
	} else if (list->nr_blocks) {
		env_free_pages(list->env, list->root, STORE_PAGE);
		list->root = list->tail = NULL;
		list->nr_blocks = 0;
	}
}

/* The last of @nr children that starts at or before @page. */
static unsigned search(const struct node *node, unsigned nr, uint64_t page)
{
	unsigned low = 0;

	while (nr > 1) {
		unsigned half = nr / 2;

		low += node->kids[low + half].start <= page ? half : 0;
		nr -= half;
	}
	return low;
}

static const struct block *seek_block(const struct phyr_list *list, uint64_t page)
{
	unsigned level = levels_of(list->nr_blocks);
	uint64_t after = list->nr_blocks - 1; /* blocks after the first that could be it */
	const void *at = list->root;

	while (level--) {
		uint64_t last_kid = after >> (level * KIDS_LG2);
		unsigned i = search(at, (unsigned)min_u64(last_kid, NR_KIDS - 1) + 1, page);

		after -= (uint64_t)i << (level * KIDS_LG2);
		at = ((const struct node *)at)->kids[i].child;
	}
	return at;
}

struct place phyr_store_seek(const struct phyr_list *list, uint64_t page)
{
	const struct block *block = list->nr_blocks ? seek_block(list, page) : NULL;
	const uint64_t *word = store_words(list, block);
	uint64_t skip = page - (block ? block->start : 0);

	while (skip >= word_pages(*word))
		skip -= word_pages(*word++);
	return (struct place){block, word, skip};
}

const struct block *phyr_store_first(const struct phyr_list *list)
{
	return list->nr_blocks ? block_at(list, 0) : NULL;
}

uint64_t phyr_store_bytes(const struct phyr_list *list)
{
	uint64_t pages = list->nr_blocks;

	for (uint64_t nr = list->nr_blocks; nr > 1;) {
		nr = (nr + NR_KIDS - 1) >> KIDS_LG2;
		pages += nr;
	}
	return pages * STORE_PAGE;
}
