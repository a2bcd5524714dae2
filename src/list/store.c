/* SPDX-License-Identifier: MIT */
/* Blocks of words, and the index over them; see store.h. */
#include "list/store.h"

#include "core/env.h"
#include "core/mem.h"

#define STORE_PAGE 4096
#define FIRST_SIZE 128
#define KIDS_LG2   8
#define NR_KIDS    (1u << KIDS_LG2)

#define SEARCH_STEP 16u

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

/* The only block is less than a page while it grows. */
static void *alloc_first(struct phyr_env *env, size_t size)
{
	return size < STORE_PAGE ? env_alloc(env, size) : env_alloc_pages(env, size);
}

static void free_first(struct phyr_env *env, void *block, size_t size)
{
	if (size == STORE_PAGE)
		env_free_pages(env, block, size);
	else if (size)
		env_free(env, block, size);
}

/* Bytes of the only block; 0: there is none. */
static size_t first_size(const struct phyr_list *list)
{
	return list->nr_blocks ? offsetof(struct block, words) + list->nr_room * sizeof(uint64_t)
			       : 0;
}

/* Words in a block of so many bytes. */
static uint64_t room_of(size_t size)
{
	return (size - offsetof(struct block, words)) / sizeof(uint64_t);
}

/* Move all words to a first block, or to a larger one. */
static int grow_first(struct phyr_list *list)
{
	size_t was = first_size(list), size = was ? 2 * was : FIRST_SIZE;
	struct block *block = alloc_first(list->env, size);

	if (!block)
		return -ENOMEM;
	mem_copy(block->words, store_words(list, list->root), list->nr_words * sizeof(uint64_t));
	free_first(list->env, list->root, was);
	list->root = list->tail = block;
	list->nr_blocks = 1;
	list->nr_room = room_of(size);
	return 0;
}

/* Note in a full block what its first words cover; all of them cover @pages. */
static void set_marks(struct block *block, uint64_t pages)
{
	const uint64_t *word = block->words;
	uint64_t sum = 0;

	for (unsigned i = 0; i < NR_MARKS; i++, word += MARK_WORDS) {
		sum += pages == BLOCK_WORDS ? MARK_WORDS : words_pages(word, MARK_WORDS);
		block->marks[i] = (uint32_t)min_u64(sum, UINT32_MAX);
	}
}

/* Another block after full ones. */
static int add_block(struct phyr_list *list, uint64_t start)
{
	uint64_t nr = list->nr_blocks;
	unsigned levels = levels_of(nr), chain = chain_of(nr, levels);
	struct block *block, *tail = list->tail;
	void *top = chain_alloc(list->env, start, chain, &block);

	if (!top)
		return -ENOMEM;
	if (chain < levels) {
		*kid_of(node_at(list, levels, nr, chain), nr, chain) = (struct kid){start, top};
	} else if (root_grow(list, start, top)) {
		chain_free(list->env, top, chain);
		return -ENOMEM;
	}
	set_marks(tail, start - tail->start);
	tail->next = block;
	list->tail = block;
	list->nr_before = list->nr_room;
	list->nr_room += BLOCK_WORDS;
	list->nr_blocks++;
	return 0;
}

int phyr_store_grow(struct phyr_list *list, uint64_t start)
{
	return list->nr_words < BLOCK_WORDS ? grow_first(list) : add_block(list, start);
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

/* Back to the words in the struct. */
static void drop_first(struct phyr_list *list)
{
	free_first(list->env, list->root, first_size(list));
	list->root = list->tail = NULL;
	list->nr_room = PHYR_LIST_INLINE_WORDS;
	list->nr_blocks = 0;
}

static void drop_blocks(struct phyr_list *list, uint64_t nr_blocks)
{
	struct block *tail;

	while (list->nr_blocks > nr_blocks)
		pop(list);
	tail = block_at(list, nr_blocks - 1);
	tail->next = NULL;
	list->tail = tail;
	list->nr_before = (nr_blocks - 1) * BLOCK_WORDS;
	list->nr_room = nr_blocks * BLOCK_WORDS;
}

void phyr_store_shrink(struct phyr_list *list, uint64_t nr_blocks, uint64_t nr_words)
{
	if (list->nr_blocks > 1)
		drop_blocks(list, max_u64(nr_blocks, 1));
	if (!nr_blocks)
		drop_first(list);
	list->nr_words = nr_words;
}

/* How many of every @step-th of children @first to @end - 1 start at or before @page. */
static inline unsigned count_before(const struct node *node, unsigned first, unsigned end,
				    unsigned step, uint64_t page)
{
	unsigned n = 0;

	for (unsigned i = first; i < end; i += step)
		n += node->kids[i].start <= page;
	return n;
}

/*
 * The last of @nr children that starts at or before @page. Loads that do not wait for each other, and
 * no branch to guess wrong, are faster here than halving.
 */
static unsigned search(const struct node *node, unsigned nr, uint64_t page)
{
	unsigned base = SEARCH_STEP * count_before(node, SEARCH_STEP, nr, SEARCH_STEP, page);
	unsigned end = (unsigned)min_u64(nr, base + SEARCH_STEP);

	return base + count_before(node, base + 1, end, 1, page);
}

/* A block, and the pages that its words start at and end before. */
struct found {
	const struct block *block;
	uint64_t start, end;
};

static struct found seek_block(const struct phyr_list *list, uint64_t page)
{
	unsigned level = levels_of(list->nr_blocks);
	uint64_t after = list->nr_blocks - 1; /* blocks after the first that could be it */
	struct found found = {list->root, 0, 0};

	while (level--) {
		const struct kid *kids = ((const struct node *)(const void *)found.block)->kids;
		unsigned last = (unsigned)min_u64(after >> (level * KIDS_LG2), NR_KIDS - 1);
		unsigned i = search((const struct node *)(const void *)found.block, last + 1, page);

		after -= (uint64_t)i << (level * KIDS_LG2);
		found.start = kids[i].start;
		if (i < last)
			found.end = kids[i + 1].start;
		found.block = kids[i].child;
	}
	return found;
}

/* How many marks of a full block lie at or before the page @skip pages from its start. */
static unsigned marks_before(const struct block *block, uint64_t skip)
{
	unsigned n = 0;

	for (unsigned i = 0; i < NR_MARKS; i++)
		n += (block->marks[i] <= skip) & (block->marks[i] < UINT32_MAX);
	return n;
}

/* The word of a block that holds the page @skip pages from its start. */
static struct place seek_word(const struct phyr_list *list, const struct block *block,
			      uint64_t skip)
{
	const uint64_t *word = store_words(list, block);

	if (block && block->next) {
		unsigned n = marks_before(block, skip);

		word += (size_t)n * MARK_WORDS;
		skip -= n ? block->marks[n - 1] : 0;
	}
	word = words_pass(word, store_words_end(list, block), &skip);
	return (struct place){block, word, skip};
}

struct place phyr_store_seek(const struct phyr_list *list, uint64_t page)
{
	struct found at;

	if (!list->nr_blocks)
		return seek_word(list, NULL, page);
	at = seek_block(list, page);
	/* As many words as pages: all are single. */
	if (at.end - at.start == BLOCK_WORDS)
		return (struct place){at.block, at.block->words + (page - at.start), 0};
	return seek_word(list, at.block, page - at.start);
}

const struct block *phyr_store_first(const struct phyr_list *list)
{
	return list->nr_blocks ? block_at(list, 0) : NULL;
}

uint64_t phyr_store_bytes(const struct phyr_list *list)
{
	uint64_t pages = list->nr_blocks;

	if (pages < 2)
		return first_size(list);
	for (uint64_t nr = list->nr_blocks; nr > 1;) {
		nr = (nr + NR_KIDS - 1) >> KIDS_LG2;
		pages += nr;
	}
	return pages * STORE_PAGE;
}
