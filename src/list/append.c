/* SPDX-License-Identifier: MIT */
/*
 * Appending. The last run stays open in the header and grows there; it becomes words when a range
 * comes that does not follow it. So the words depend on the buffer alone, not on how it was appended.
 */
#include "list/append.h"

#include "core/env.h"
#include "list/store.h"

static const char hint_len[] = "the range has no length: leave it out";
static const char hint_wrap[] = "the range goes past 2^64";
static const char hint_total[] = "the list would come to 2^64 bytes or more";
static const char hint_start[] = "only a list's first range may start inside a page";
static const char hint_end[] =
	"what is in the list ends inside a page: nothing but what follows there "
	"in memory can be appended";
static const char hint_memory[] = "no memory for the list's words";

/* One past the open run's last byte; 0 when that is 2^64. */
static inline uint64_t open_end(const struct phyr_list *list)
{
	return list->open_addr + list->open_len;
}

/* Nothing follows a run that ends at 2^64, address 0 neither. */
static inline bool follows(const struct phyr_list *list, phyr_addr_t addr)
{
	return addr && addr == open_end(list);
}

/* Write the open run, which ends on a page, as words. */
static int close_run(struct phyr_list *list)
{
	uint64_t nr_words = list->nr_words, nr_blocks = list->nr_blocks;
	uint64_t addr = word_addr(list->open_addr);
	uint64_t pages = pages_touched(list->open_addr, list->open_len);
	uint64_t start = store_pages(list);

	while (pages) {
		uint64_t word = addr | word_code(pages);

		if (store_full(list) && phyr_store_grow(list, start)) {
			phyr_store_shrink(list, nr_blocks, nr_words);
			return -ENOMEM;
		}
		*store_put(list) = word;
		list->nr_words++;
		addr += word_len(word);
		start += word_pages(word);
		pages -= word_pages(word);
	}
	return 0;
}

static void open_run(struct phyr_list *list, phyr_addr_t addr, uint64_t len)
{
	list->open_addr = addr;
	list->open_len = len;
	list->nr_runs++;
}

/* A range that does not follow the open run: close that, open another. */
static int next_run(struct phyr_list *list, phyr_addr_t addr, uint64_t len)
{
	uint64_t edges = open_end(list) | addr;
	int err;

	if (edges & PAGE_MASK)
		return -EINVAL;
	err = close_run(list);
	if (err)
		return err;
	list->gap_mask |= edges;
	open_run(list, addr, len);
	return 0;
}

int phyr_list_append_quietly(struct phyr_list *list, phyr_addr_t addr, uint64_t len)
{
	if (unlikely(range_is_bad(addr, len) || list->len + len < len))
		return -EINVAL;
	if (unlikely(!list->len)) {
		list->first_offset = addr & PAGE_MASK;
		open_run(list, addr, len);
	} else if (follows(list, addr)) {
		list->open_len += len;
	} else {
		int err = next_run(list, addr, len);

		if (err)
			return err;
	}
	list->len += len;
	list->last = max_u64(list->last, addr + (len - 1));
	return 0;
}

static const char *why(const struct phyr_list *list, phyr_addr_t addr, uint64_t len)
{
	if (!len)
		return hint_len;
	if (range_is_bad(addr, len))
		return hint_wrap;
	if (list->len + len < len)
		return hint_total;
	return addr & PAGE_MASK ? hint_start : hint_end;
}

int phyr_list_append_fail(const struct phyr_list *list, int err, const char *call, uint64_t index,
			  phyr_addr_t addr, uint64_t len)
{
	const char *hint = err == -ENOMEM ? hint_memory : why(list, addr, len);

	return env_fail(list->env, .err = err, .call = call, .index = index, .addr = addr,
			.len = len, .hint = hint);
}

void phyr_list_rollback(struct phyr_list *list, const struct phyr_list *was)
{
	struct phyr_list shrunk;

	phyr_store_shrink(list, was->nr_blocks, was->nr_words);
	shrunk = *list;
	*list = *was;
	/* A first block that grew stays large. */
	list->root = shrunk.root;
	list->tail = shrunk.tail;
	list->nr_room = shrunk.nr_room;
}

int phyr_list_append(struct phyr_list *list, phyr_addr_t addr, uint64_t len)
{
	int err = phyr_list_append_quietly(list, addr, len);

	return likely(!err) ? 0
			    : phyr_list_append_fail(list, err, "phyr_list_append", 0, addr, len);
}

int phyr_list_append_ranges(struct phyr_list *list, const struct phyr_range *ranges, size_t nr)
{
	struct phyr_list was = *list;

	for (size_t i = 0; i < nr; i++) {
		const struct phyr_range *r = &ranges[i];
		int err = phyr_list_append_quietly(list, r->addr, r->len);

		if (unlikely(err)) {
			phyr_list_append_fail(list, err, "phyr_list_append_ranges", i, r->addr,
					      r->len);
			phyr_list_rollback(list, &was);
			return err;
		}
	}
	return 0;
}
