/* SPDX-License-Identifier: MIT */
/*
 * Going through lists, listvs and ranges.
 *
 * The words from cur->word to cur->stop are those that the inline part of phyr_cursor_next() may take
 * without looking at anything else: they lie in one block and, unless this is the last slice, wholly
 * in it. In the last slice cur->left tells where to end. At stop comes one of these: a word that the
 * slice's end cuts, the next block, the open run, the next slice, or the end.
 */
#include <phyr/list.h>

#include "core/env.h"
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

/* Where the words of this block end that lie wholly in the slice. */
static const uint64_t *words_inside(const struct phyr_cursor *cur)
{
	const uint64_t *end = store_words_end(cur->list, block_of(cur));
	uint64_t pages = (left_here(cur) >> PHYR_PAGE_LG2) +
			 (((left_here(cur) & PAGE_MASK) + cur->skip) >> PHYR_PAGE_LG2);
	const uint64_t *word = cur->word;

	if (!cur->later || pages >= block_pages(cur))
		return end;
	while (word < end && pages >= word_pages(*word))
		pages -= word_pages(*word++);
	return word;
}

/* Go to byte @offset of a list, which has it. */
static void enter(struct phyr_cursor *cur, const struct phyr_list *list, uint64_t offset)
{
	uint64_t closed = list->len - list->open_len;
	uint64_t in_page = (offset & PAGE_MASK) + list->first_offset;

	cur->list = list;
	if (offset >= closed) {
		cur->block = list->tail;
		cur->word = cur->stop = store_words_end(list, list->tail);
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
	cur->stop = words_inside(cur);
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
	cur->stop = words_inside(cur);
	return true;
}

/* Count @len bytes as given, or what is left of them in the slice; how many. */
static uint64_t give(struct phyr_cursor *cur, uint64_t len)
{
	len = min_u64(len, left_here(cur));
	cur->left -= len;
	cur->skip = 0;
	/* The inline part tells the end, and a slice's end, by this alone. */
	if (cur->left == cur->later)
		cur->stop = cur->word;
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
	const struct phyr_range *next = cur->next;
	struct phyr_range run = cur->single;

	for (; cur->nr_next && next->addr && next->addr == run.addr + run.len; cur->nr_next--)
		run.len += next++->len;
	run.len = min_u64(run.len, cur->left);
	cur->left -= run.len;
	if (cur->nr_next) {
		cur->single = *next++;
		cur->nr_next--;
	}
	cur->next = next;
	return run;
}

/* Whether it goes through ranges, which have no words. */
static inline bool has_ranges(const struct phyr_cursor *cur)
{
	return !cur->list && !cur->later;
}

__attribute__((noinline)) bool phyr_cursor_next_slow(struct phyr_cursor *cur,
						     struct phyr_range *range)
{
	if (!cur->left)
		return false;
	if (has_ranges(cur))
		*range = give_ranges(cur);
	else
		*range = to_words(cur) ? give_words(cur) : give_open(cur);
	return true;
}

bool phyr_cursor_next_range(struct phyr_cursor *cur, struct phyr_range *range)
{
	return phyr_cursor_next(cur, range);
}

/* How many of @max words are single pages. */
static size_t single_pages(const uint64_t *words, size_t max)
{
	size_t n = 0;

	while (n + 4 <= max &&
	       !((words[n] | words[n + 1] | words[n + 2] | words[n + 3]) & CODE_MASK))
		n += 4;
	while (n < max && !(words[n] & CODE_MASK))
		n++;
	return n;
}

size_t phyr_cursor_span(struct phyr_cursor *cur, size_t max, const uint64_t **words)
{
	size_t nr;

	if (cur->word == cur->stop && (has_ranges(cur) || !to_words(cur)))
		return 0;
	if (cur->skip)
		return 0;
	nr = min_u64(max, (uint64_t)(cur->stop - cur->word));
	nr = single_pages(cur->word, min_u64(nr, cur->left >> PHYR_PAGE_LG2));
	if (!nr)
		return 0;
	*words = cur->word;
	cur->word += nr;
	cur->left -= (uint64_t)nr << PHYR_PAGE_LG2;
	if (!cur->left)
		cur->stop = cur->word;
	return nr;
}

void phyr_cursor_init(struct phyr_cursor *cur, const struct phyr_list *list)
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
}

int phyr_cursor_init_ranges(struct phyr_cursor *cur, const struct phyr_range *ranges, size_t nr)
{
	uint64_t len = 0;

	for (size_t i = 0; i < nr; i++) {
		if (range_is_bad(ranges[i].addr, ranges[i].len) || len + ranges[i].len < len)
			return -EINVAL;
		len += ranges[i].len;
	}
	*cur = (struct phyr_cursor){.left = len};
	if (nr) {
		cur->single = ranges[0];
		cur->next = ranges + 1;
		cur->nr_next = nr - 1;
	}
	return 0;
}

void phyr_cursor_init_range(struct phyr_cursor *cur, phyr_addr_t addr, uint64_t len)
{
	*cur = (struct phyr_cursor){.left = len, .single = {addr, len}};
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
	len = min_u64(len, cur->single.len);
	cur->left -= len;
	cur->single.addr += len;
	cur->single.len -= len;
	if (!cur->single.len && cur->nr_next) {
		cur->single = *(const struct phyr_range *)cur->next;
		cur->next = (const struct phyr_range *)cur->next + 1;
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
		return len;
	}
	cur->word += word;
	return give(cur, here);
}

int phyr_cursor_split(struct phyr_cursor *cur, uint64_t len, struct phyr_cursor *head)
{
	struct phyr_cursor rest = *cur;
	uint64_t done = 0;

	if (len > cur->left)
		return -EINVAL;
	*head = *cur;
	head->left = len;
	head->later = len > left_here(cur) ? len - left_here(cur) : 0;
	if (!len)
		head->stop = head->word;
	while (done < len)
		done += has_ranges(&rest) ? pass_ranges(&rest, len - done)
					  : pass_words(&rest, len - done);
	*cur = rest;
	return 0;
}
