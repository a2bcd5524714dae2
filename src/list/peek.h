/* SPDX-License-Identifier: MIT */
/*
 * What a cursor gives next, as it lies in memory: for consumers that take much at a time.
 *
 * They look, take what they want from the front, and say how much that was. What is not shown is for
 * phyr_cursor_next().
 */
#ifndef LIST_PEEK_H
#define LIST_PEEK_H

#include <phyr/list.h>

#include "list/word.h"

/* Whether a single range is left, and where it begins; its length is cur->left. */
static inline bool cursor_is_range(const struct phyr_cursor *cur, uint64_t *addr)
{
	*addr = cur->skip;
	return !cur->word;
}

/* The words that come next, all of which are left whole. A span of none goes to the next block. */
static inline size_t cursor_words(struct phyr_cursor *cur, const uint64_t **words)
{
	if (cur->word == cur->stop && (!cur->list || phyr_cursor_span(cur, 0, words)))
		return 0;
	*words = cur->word;
	return (size_t)(cur->stop - cur->word);
}

/* Take the first nr of them, which have so many pages together and each end their run. */
static inline void cursor_take_words(struct phyr_cursor *cur, size_t nr, uint64_t pages)
{
	cur->word += nr;
	cur->left -= pages << PHYR_PAGE_LG2;
}

/* The ranges that come next, from the first byte of the first on; those past cur->left do not count. */
static inline size_t cursor_ranges(const struct phyr_cursor *cur, const struct phyr_range **ranges)
{
	*ranges = cur->next;
	return !cur->word || cur->list || cur->skip || !cur->left ? 0 : cur->nr_next;
}

/* Take the first nr of them, which have so many bytes together. */
static inline void cursor_take_ranges(struct phyr_cursor *cur, size_t nr, uint64_t bytes)
{
	cur->next = (const struct phyr_range *)cur->next + nr;
	cur->nr_next -= nr;
	cur->left -= bytes;
}

#endif
