/* SPDX-License-Identifier: MIT */
/*
 * Going through lists, listvs and ranges.
 *
 * The words from cur->word to cur->stop are those that the inline part of phyr_cursor_next() may take
 * without looking at anything else: they lie in one block and, from their first page on, wholly in
 * what is left of the list or slice. At stop comes one of these: a word that was begun or that the end
 * cuts, the next block, the open run, the next slice, or the end.
 *
 * A single range has no words at all: its address is cur->skip and its length cur->left. A list of one
 * run is that, too. In an array cur->word and stop are the array, so that they are equal and not NULL.
 */
#include <phyr/list.h>

#include "core/env.h"
#include "list/ranges.h"
#include "list/store.h"

/* Bytes left in the current slice. */
static inline uint64_t left_here(const struct phyr_cursor *cur)
{
	return cur->left - cur->later;
}

static inline const struct block *block_of(const struct phyr_cursor *cur)
{
	return cur->block;
}

/* How many pages the words of the current block cover. */
static uint64_t block_pages(const struct phyr_cursor *cur)
{
	const struct block *block = block_of(cur);
	uint64_t end = block && block->next ? block->next->start : store_pages(cur->list);

	return end - (block ? block->start : 0);
}

/* Set stop: the cursor has come to a block, or its first word begins where the cursor is. */
static void set_stop(struct phyr_cursor *cur)
{
	const uint64_t *end = store_words_end(cur->list, block_of(cur));
	uint64_t pages = left_here(cur) >> PHYR_PAGE_LG2;

	if (cur->skip)
		cur->stop = cur->word;
	else if (pages >= BLOCK_WORDS && pages >= block_pages(cur))
		cur->stop = end;
	else
		cur->stop = words_pass(cur->word, end, &pages);
}

/* Go to byte @offset of a list, which has it. */
static void enter(struct phyr_cursor *cur, const struct phyr_list *list, uint64_t offset)
{
	uint64_t closed = list->len - list->open_len;
	uint64_t in_page = (offset & PAGE_MASK) + list->first_offset;

	cur->list = list;
	if (offset >= closed) {
		cur->block = list->tail;
		cur->word = cur->stop = store_put(list);
		cur->skip = offset - closed;
		return;
	}
	if (offset) {
		struct place at = phyr_store_seek(list, (offset >> PHYR_PAGE_LG2) +
								(in_page >> PHYR_PAGE_LG2));

		cur->block = at.block;
		cur->word = at.word;
		cur->skip = (at.skip_pages << PHYR_PAGE_LG2) + (in_page & PAGE_MASK);
	} else {
		cur->block = phyr_store_first(list);
		cur->word = store_words(list, cur->block);
		cur->skip = list->first_offset;
	}
	set_stop(cur);
}

static void next_slice(struct phyr_cursor *cur)
{
	const struct phyr_slice *slice = cur->next;
	uint64_t len = min_u64(slice->len, cur->left);

	cur->next = slice + 1;
	cur->nr_next--;
	cur->later = cur->left - len;
	if (len)
		enter(cur, slice->list, slice->offset);
}

/* Go to the next words, if words are what comes next. They may begin with one that the slice cuts. */
static bool to_words(struct phyr_cursor *cur)
{
	const struct block *block;

	while (cur->left && cur->left == cur->later)
		next_slice(cur);
	if (!cur->left)
		return false;
	block = block_of(cur);
	if (cur->word != store_words_end(cur->list, block))
		return true;
	if (!block || !block->next)
		return false;
	cur->block = block->next;
	cur->word = block->next->words;
	set_stop(cur);
	return true;
}

/* The word that was begun is given. */
static __attribute__((noinline)) void end_skip(struct phyr_cursor *cur)
{
	cur->skip = 0;
	if (left_here(cur))
		set_stop(cur);
}

/* Count @len bytes as given, or what is left of them in the slice; how many. */
static uint64_t give(struct phyr_cursor *cur, uint64_t len)
{
	len = min_u64(len, left_here(cur));
	cur->left -= len;
	if (cur->left == cur->later)
		cur->stop = cur->word;
	if (unlikely(cur->skip))
		end_skip(cur);
	return len;
}

/* Whether the word that comes next goes on with a run that has come to @end. */
static bool goes_on(struct phyr_cursor *cur, uint64_t end)
{
	return left_here(cur) && end && to_words(cur) && word_addr(*cur->word) == end;
}

/* The words of one run. */
static struct phyr_range give_words(struct phyr_cursor *cur)
{
	uint64_t word = *cur->word++;
	struct phyr_range run = {.addr = word_addr(word) + cur->skip};

	run.len = give(cur, word_len(word) - cur->skip);
	while (word_may_go_on(word) && goes_on(cur, run.addr + run.len)) {
		word = *cur->word++;
		run.len += give(cur, word_len(word));
	}
	return run;
}

static struct phyr_range give_open(struct phyr_cursor *cur)
{
	const struct phyr_list *list = cur->list;
	struct phyr_range run = {.addr = list->open_addr + cur->skip};

	run.len = give(cur, list->open_len - cur->skip);
	return run;
}

static struct phyr_range give_ranges(struct phyr_cursor *cur)
{
	const struct phyr_range *next = cur->next, *end = next + cur->nr_next;
	struct phyr_range run = {next->addr + cur->skip, next->len - cur->skip};

	while (++next < end && next->addr && next->addr == run.addr + run.len)
		run.len += next->len;
	run.len = min_u64(run.len, cur->left);
	cur->left -= run.len;
	cur->skip = 0;
	cur->next = next;
	cur->nr_next = (uint64_t)(end - next);
	return run;
}

static struct phyr_range give_single(struct phyr_cursor *cur)
{
	struct phyr_range run = {cur->skip, cur->left};

	cur->left = 0;
	return run;
}

/* Whether it goes through words; else through ranges. */
static inline bool has_words(const struct phyr_cursor *cur)
{
	return cur->list;
}

struct phyr_range phyr_cursor_next_slow(struct phyr_cursor *cur)
{
	if (!cur->word)
		return give_single(cur);
	if (!cur->left)
		return (struct phyr_range){0, 0};
	if (!has_words(cur))
		return give_ranges(cur);
	return to_words(cur) ? give_words(cur) : give_open(cur);
}

bool phyr_cursor_next_range(struct phyr_cursor *cur, struct phyr_range *range)
{
	return phyr_cursor_next(cur, range);
}

/* How many of @max words are single pages. */
static size_t single_pages(const uint64_t *words, size_t max)
{
	size_t n;

	for (n = 0; max - n >= WORDS_TOGETHER; n += WORDS_TOGETHER)
		if (words_any(words + n) & CODE_MASK)
			break;
	while (n < max && !(words[n] & CODE_MASK))
		n++;
	return n;
}

size_t phyr_cursor_span(struct phyr_cursor *cur, size_t max, const uint64_t **words)
{
	size_t nr;

	if (cur->word == cur->stop && (!has_words(cur) || !to_words(cur)))
		return 0;
	nr = single_pages(cur->word, min_u64(max, (uint64_t)(cur->stop - cur->word)));
	if (!nr)
		return 0;
	*words = cur->word;
	cur->word += nr;
	cur->left -= (uint64_t)nr << PHYR_PAGE_LG2;
	return nr;
}

void phyr_cursor_init_single(struct phyr_cursor *cur, phyr_addr_t addr, uint64_t len)
{
	phyr_cursor_init_range(cur, addr, len);
}

void phyr_cursor_init_list(struct phyr_cursor *cur, const struct phyr_list *list)
{
	*cur = (struct phyr_cursor){.left = list->len};
	if (list->len)
		enter(cur, list, 0);
}

int phyr_cursor_init_at(struct phyr_cursor *cur, const struct phyr_list *list, uint64_t offset,
			uint64_t len)
{
	if (offset > list->len || len > list->len - offset)
		return env_fail(list->env, .err = -EINVAL, .call = "phyr_cursor_init_at",
				.addr = offset, .len = len, .limit = list->len,
				.hint = "past the list's end");
	*cur = (struct phyr_cursor){.left = len};
	if (len)
		enter(cur, list, offset);
	return 0;
}

void phyr_cursor_init_listv(struct phyr_cursor *cur, const struct phyr_listv *listv)
{
	uint64_t len = phyr_listv_len(listv);

	*cur = (struct phyr_cursor){
		.left = len, .later = len, .next = listv->slices, .nr_next = listv->nr};
	while (cur->left && cur->left == cur->later)
		next_slice(cur);
}

int phyr_cursor_init_ranges(struct phyr_cursor *cur, const struct phyr_range *ranges, size_t nr)
{
	uint64_t len;

	if (!ranges_len(ranges, nr, &len))
		return -EINVAL;
	*cur = (struct phyr_cursor){.left = len, .next = ranges, .nr_next = nr};
	cur->word = cur->stop = (const uint64_t *)(const void *)ranges;
	return 0;
}

int phyr_cursor_to_ranges(struct phyr_cursor *cur, struct phyr_range *ranges, size_t max,
			  size_t *nr)
{
	struct phyr_cursor c = *cur;
	struct phyr_range run;
	size_t n = 0;

	while (phyr_cursor_next(&c, &run)) {
		if (n == max)
			return -E2BIG;
		ranges[n++] = run;
	}
	*cur = c;
	*nr = n;
	return 0;
}

/* Pass over @len bytes, at most what lies together here; how many. */
static uint64_t pass_ranges(struct phyr_cursor *cur, uint64_t len)
{
	const struct phyr_range *range = cur->next;

	len = min_u64(len, range->len - cur->skip);
	cur->left -= len;
	cur->skip += len;
	if (cur->skip == range->len) {
		cur->skip = 0;
		cur->next = range + 1;
		cur->nr_next--;
	}
	return len;
}

static uint64_t pass_words(struct phyr_cursor *cur, uint64_t len)
{
	bool word = to_words(cur);
	uint64_t here = (word ? word_len(*cur->word) : cur->list->open_len) - cur->skip;

	if (len < min_u64(here, left_here(cur))) {
		cur->left -= len;
		cur->skip += len;
		cur->stop = cur->word;
		return len;
	}
	cur->word += word;
	return give(cur, here);
}

static void split_single(struct phyr_cursor *cur, uint64_t len, struct phyr_cursor *head)
{
	*head = *cur;
	head->left = len;
	cur->left -= len;
	cur->skip += len;
}

/* Have a copy of a cursor over words or an array end after @len bytes. */
static void cut(struct phyr_cursor *head, uint64_t len)
{
	uint64_t here = left_here(head);

	head->left = len;
	head->later = len > here ? len - here : 0;
	if (!len)
		head->stop = head->word;
	else if (has_words(head) && head->word != head->stop)
		set_stop(head);
}

int phyr_cursor_split(struct phyr_cursor *cur, uint64_t len, struct phyr_cursor *head)
{
	struct phyr_cursor rest = *cur;
	uint64_t done = 0;

	if (len > cur->left)
		return -EINVAL;
	if (!cur->word) {
		split_single(cur, len, head);
		return 0;
	}
	*head = *cur;
	cut(head, len);
	while (done < len)
		done += has_words(&rest) ? pass_words(&rest, len - done)
					 : pass_ranges(&rest, len - done);
	*cur = rest;
	return 0;
}
