/* SPDX-License-Identifier: MIT */
/*
 * Where a list's words lie.
 *
 * Few words lie in the list's struct. Then they are copied to a block of 128 bytes, and on to one
 * twice as large whenever it is full. Once it has 4 KiB it stays, and further words go to blocks of
 * that size, linked in order. Each block says how many pages the words before it cover, and, unless it
 * is the last, how many its first words do at a few places. Over the blocks there is an index, a tree
 * whose nodes have 256 children, so that a seek touches one node a level and one block:
 *
 *            root ─────────┬──────────────┐              level 1
 *              │ start 0   │ start 90112  │ …
 *            node        node           node             level 0
 *            ││└───┐      ││
 *        block─▶block─▶…─▶block─▶…─▶ tail
 *
 * The index is by block number, so its shape, and which children a node has, follow from the number
 * of blocks alone; one block is its own root. Blocks are added and taken away at the end only.
 */
#ifndef LIST_STORE_H
#define LIST_STORE_H

#include <phyr/list.h>

#include "core/bits.h"
#include "list/word.h"

#define BLOCK_WORDS 509
#define NR_MARKS    2
#define MARK_WORDS  170

struct block {
	struct block *next;
	uint64_t start; /* pages that the words of all earlier blocks cover */
	/* Pages that words 0 to (i + 1) * MARK_WORDS - 1 cover; UINT32_MAX: that many or more. */
	uint32_t marks[NR_MARKS]; /* void in the last block */
	uint64_t words[BLOCK_WORDS];
};

/* One word of a list, and how many pages of it lie before the place that was sought. */
struct place {
	const struct block *block; /* NULL: the words lie in the list */
	const uint64_t *word;
	uint64_t skip_pages;
};

/* Make room for a word. @start: pages that all words cover so far. 0 or -ENOMEM, nothing changed. */
int phyr_store_grow(struct phyr_list *list, uint64_t start);

/* Take words away at the end, and blocks until @nr_blocks are left, which hold @nr_words. */
void phyr_store_shrink(struct phyr_list *list, uint64_t nr_blocks, uint64_t nr_words);

/* The word that holds a page, counted over all words; @page is less than they cover. */
struct place phyr_store_seek(const struct phyr_list *list, uint64_t page);

/* The first block, NULL when there is none. */
const struct block *phyr_store_first(const struct phyr_list *list);

/* Bytes of memory that blocks and index take. */
uint64_t phyr_store_bytes(const struct phyr_list *list);

static inline bool store_full(const struct phyr_list *list)
{
	return list->nr_words == list->nr_room;
}

/* Where the next word goes, when there is room. The words in the struct are found anew: it may move. */
static inline uint64_t *store_put(const struct phyr_list *list)
{
	const struct block *tail = list->tail;
	const uint64_t *words = tail ? tail->words : list->words;

	return (uint64_t *)words + (list->nr_words - list->nr_before);
}

/* The words of a block, or of the list's struct when @block is NULL; and their end. */
static inline const uint64_t *store_words(const struct phyr_list *list, const struct block *block)
{
	return block ? block->words : list->words;
}

static inline const uint64_t *store_words_end(const struct phyr_list *list,
					      const struct block *block)
{
	return block && block->next ? block->words + BLOCK_WORDS : store_put(list);
}

/* Pages that all words cover: the bytes before the open run, and those before the first byte. */
static inline uint64_t store_pages(const struct phyr_list *list)
{
	uint64_t bytes = list->len - list->open_len;

	if (!list->nr_words)
		return 0;
	return (bytes >> PHYR_PAGE_LG2) +
	       (((bytes & PAGE_MASK) + list->first_offset) >> PHYR_PAGE_LG2);
}

#endif
