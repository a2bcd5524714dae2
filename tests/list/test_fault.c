/* SPDX-License-Identifier: MIT */
/* Out of memory: each allocation of each way to append fails once; the list is as it was, and goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "core/err.h"
#include "lib/sanitized.h"
#include "lib/tenv.h"
#include "list/store.h"

#define PAGE 4096u

/* Enough for a second level of the index: 256 blocks of 509 words, and some. */
#define NR 133000u

static phyr_addr_t pages[NR];
static struct phyr_range ranges[NR];
static struct phyr_range page_ranges[NR]; /* the pages again */

static int fill_arrays(void **state)
{
	for (uint64_t i = 0; i < NR; i++) {
		pages[i] = ((i * 0x9e3779b1) & 0xffffff) * PAGE;
		page_ranges[i] = (struct phyr_range){pages[i], PAGE};
		ranges[i] = (struct phyr_range){pages[i] << 4, (i % 7 + 1) * PAGE};
	}
	return 0;
}

/* Everything in a list but where its memory lies. */
static uint64_t digest(const struct phyr_list *list)
{
	const struct block *block = phyr_store_first(list);
	uint64_t sum = list->len ^ list->gap_mask ^ list->last ^ list->open_addr ^ list->open_len;
	uint64_t nr = 0;

	for (;;) {
		for (const uint64_t *w = store_words(list, block);
		     w != store_words_end(list, block); w++, nr++)
			sum = (sum ^ *w) * 0x100000001b3u;
		if (!block || !block->next)
			break;
		block = block->next;
	}
	assert_ptr_equal(block, list->tail);
	assert_int_equal(nr, list->nr_words);
	return sum + list->nr_runs;
}

/* Bytes of the only block. */
static size_t first_size(const struct phyr_list *list)
{
	return list->nr_blocks == 1 ? PAGE - (BLOCK_WORDS - list->nr_room) * sizeof(uint64_t) : 0;
}

/* After a failure: as before, but that an only block may have grown, which may be a page more. */
static void assert_unchanged(const struct phyr_list *list, const struct phyr_list *was,
			     size_t was_size, int64_t more_pages)
{
	struct phyr_list copy = *list;

	assert_true(first_size(list) >= was_size);
	assert_int_equal(more_pages, was_size && was_size < PAGE && first_size(list) == PAGE);
	if (was_size) {
		copy.root = was->root;
		copy.tail = was->tail;
		copy.nr_room = was->nr_room;
	}
	assert_memory_equal(&copy, was, sizeof(copy));
}

/* The list is a prefix of the pages: what seeks and walks give. */
static void assert_pages(const struct phyr_list *list, uint64_t nr)
{
	struct phyr_cursor cur;
	struct phyr_range run;

	phyr_cursor_init(&cur, list);
	for (uint64_t i = 0; i < nr; i++) {
		assert_true(phyr_cursor_next(&cur, &run));
		assert_int_equal(run.addr, pages[i]);
	}
	/* Among them the first page of each block. */
	for (uint64_t i = 0; i < nr; i += 255) {
		assert_int_equal(phyr_cursor_init_at(&cur, list, i * PAGE, PAGE), 0);
		assert_true(phyr_cursor_next(&cur, &run));
		assert_int_equal(run.addr, pages[i]);
	}
}

/* By single calls: the one that fails changes nothing, and passes when there is memory again. */
static void single_calls(void **state)
{
	struct phyr_list list;
	struct tenv t;

	tenv_init(&t, NULL);
	phyr_list_init(&list, &t.env, NULL);
	for (uint64_t i = 0; i < NR; i++) {
		/* Fail every allocation once: at a node or two a block may fail three times. */
		for (unsigned nth = 1;; nth++) {
			struct phyr_list was = list;
			int64_t live = t.live_pages;
			int err;

			tenv_restart(&t);
			t.fail_at = nth;
			err = i & 1 ? phyr_list_append_page(&list, pages[i])
				    : phyr_list_append(&list, pages[i], PAGE);
			if (!t.failed) {
				assert_int_equal(err, 0);
				break;
			}
			assert_int_equal(err, -ENOMEM);
			assert_int_equal(t.reports, 1);
			assert_int_equal(t.last.err, -ENOMEM);
			assert_string_equal(t.last.call,
					    i & 1 ? "phyr_list_append_page" : "phyr_list_append");
			assert_int_equal(t.last.addr, pages[i]);
			assert_int_equal(t.last.len, PAGE);
			assert_int_equal(t.live_pages, live);
			assert_memory_equal(&list, &was, sizeof(list));
		}
	}
	assert_pages(&list, NR);
	phyr_list_fini(&list);
	tenv_fini(&t);
}

/* A run that fills a block and fails at the next: the list is as before, and goes on from there. */
static void goes_on_after_blocks(void **state)
{
	const uint64_t huge = -(uint64_t)(BLOCK_WORDS + 3) * PAGE;
	struct phyr_list list, was;
	struct tenv t;

	tenv_init(&t, NULL);
	phyr_list_init(&list, &t.env, NULL);
	assert_int_equal(phyr_list_append_pages(&list, pages, BLOCK_WORDS), 0);
	assert_int_equal(phyr_list_append(&list, PAGE, huge), 0);
	assert_int_equal(list.nr_words, BLOCK_WORDS);
	was = list;
	tenv_restart(&t);
	t.fail_at = 3; /* a block, a node over it, another block */
	assert_int_equal(phyr_list_append(&list, 0, PAGE), -ENOMEM);
	assert_int_equal(list.nr_before, 0);
	assert_int_equal(list.nr_words, BLOCK_WORDS);
	assert_int_equal(list.nr_blocks, was.nr_blocks);
	t.fail_at = 0;
	assert_int_equal(phyr_list_append(&list, 0, PAGE), 0);
	assert_true(list.nr_words > 2 * BLOCK_WORDS);
	assert_pages(&list, BLOCK_WORDS);
	phyr_list_fini(&list);
	tenv_fini(&t);
}

struct way {
	const char *call;
	int (*append)(struct phyr_list *list, size_t first, size_t nr);
	const struct phyr_range *ranges; /* what it appends */
};

static int by_pages(struct phyr_list *list, size_t first, size_t nr)
{
	return phyr_list_append_pages(list, pages + first, nr);
}

static int by_ranges(struct phyr_list *list, size_t first, size_t nr)
{
	return phyr_list_append_ranges(list, ranges + first, nr);
}

/*
 * An array onto a list that holds @before pieces, the n-th allocation failing for every n: NR takes
 * 270 at the most (262 blocks, the first six times, two nodes and a root over them), so no edge of the
 * index is passed over.
 */
static void sweep(const struct way *way, size_t before)
{
	struct phyr_list list, was;
	uint64_t was_digest;
	struct tenv t;
	size_t was_size;
	int64_t live;
	int err;

	tenv_init(&t, NULL);
	phyr_list_init(&list, &t.env, NULL);
	assert_int_equal(way->append(&list, 0, before), 0);
	for (t.fail_at = 1;; t.fail_at++) {
		was = list;
		was_size = first_size(&list);
		was_digest = digest(&list);
		live = t.live_pages;
		tenv_restart(&t);
		err = way->append(&list, before, NR - before);
		if (!t.failed)
			break;
		assert_int_equal(err, -ENOMEM);
		assert_int_equal(t.reports, 1);
		assert_string_equal(t.last.call, way->call);
		assert_true(t.last.index > 0 || before >= PHYR_LIST_INLINE_WORDS);
		assert_int_equal(t.last.addr, way->ranges[before + t.last.index].addr);
		assert_int_equal(t.last.len, way->ranges[before + t.last.index].len);
		assert_unchanged(&list, &was, was_size, t.live_pages - live);
		assert_int_equal(digest(&list), was_digest);
	}
	assert_int_equal(err, 0);
	assert_in_range(t.fail_at, 1, 271); /* one past the last */
	t.fail_at = 0;
	phyr_list_init(&was, &t.env, NULL);
	assert_int_equal(way->append(&was, 0, NR), 0);
	assert_int_equal(digest(&list), digest(&was));
	phyr_list_fini(&was);
	phyr_list_fini(&list);
	tenv_fini(&t);
}

/* Around the struct's words, each size of the first block, and the index's first level. */
static const size_t befores[] = {
	0,   1,      8,   9,   10,        13,        14,
	15,  29,     30,  31,  62,        126,       253,
	254, 255,    509, 510, 255 * 509, 256 * 509, 256 * 509 + 1,
	511, 130600,
};

static void page_arrays(void **state)
{
	static const struct way way = {"phyr_list_append_pages", by_pages, page_ranges};

	for (size_t i = 0; i < sizeof(befores) / sizeof(befores[0]); i++)
		sweep(&way, befores[i]);
}

static void range_arrays(void **state)
{
	static const struct way way = {"phyr_list_append_ranges", by_ranges, ranges};

	for (size_t i = 0; i < sizeof(befores) / sizeof(befores[0]); i++)
		sweep(&way, befores[i]);
}

/* Full blocks of single pages, by a thousand and less at a time. */
static void fill_blocks(struct phyr_list *list, uint64_t nr_blocks)
{
	uint64_t nr = nr_blocks * BLOCK_WORDS + 1; /* the last page stays open */

	for (uint64_t done = 0; done < nr; done += 1000)
		assert_int_equal(
			phyr_list_append_pages(list, pages, nr - done < 1000 ? nr - done : 1000),
			0);
	assert_int_equal(list->nr_blocks, nr_blocks);
	assert_int_equal(list->nr_words, nr - 1);
}

/*
 * The index gets its third level with block 65,537: a block, two nodes above it, and the root. It
 * takes 270 MB to get there, and several times that with a sanitizer.
 */
static void third_level(void **state)
{
	struct phyr_list list, was;
	uint64_t was_digest;
	struct tenv t;
	int64_t live;

	if (tests_sanitized)
		skip();
	tenv_init(&t, NULL);
	phyr_list_init(&list, &t.env, NULL);
	fill_blocks(&list, 256 * 256);
	was = list;
	was_digest = digest(&list);
	live = t.live_pages;
	for (t.fail_at = 1;; t.fail_at++) {
		tenv_restart(&t);
		if (!phyr_list_append_pages(&list, pages + 1000, 600))
			break;
		assert_int_equal(t.last.err, -ENOMEM);
		assert_int_equal(t.live_pages, live);
		assert_memory_equal(&list, &was, sizeof(list));
	}
	assert_int_equal(t.fail_at, 6); /* those four, and another block */
	phyr_store_shrink(&list, was.nr_blocks, was.nr_words);
	list = was;
	assert_int_equal(digest(&list), was_digest);
	phyr_list_fini(&list);
	tenv_fini(&t);
}

/* A run of many words needs more than one block at once. */
static void one_run_of_many_words(void **state)
{
	struct phyr_list list;
	struct tenv t;

	tenv_init(&t, NULL);
	for (t.fail_at = 1;; t.fail_at++) {
		struct phyr_list was;

		tenv_restart(&t);
		phyr_list_init(&list, &t.env, NULL);
		assert_int_equal(phyr_list_append(&list, PAGE, -(uint64_t)2 * PAGE), 0);
		was = list;
		if (!phyr_list_append(&list, 0, 1))
			break;
		assert_int_equal(t.last.err, -ENOMEM);
		assert_string_equal(t.last.call, "phyr_list_append");
		assert_int_equal(t.last.len, 1);
		/* Words that do not count may have been written. */
		assert_memory_equal(&list, &was, offsetof(struct phyr_list, words));
		assert_false(tenv_live(&t));
		phyr_list_fini(&list);
	}
	assert_int_equal(t.fail_at, 9); /* six times the first block, another, a node over them */
	phyr_list_fini(&list);
	tenv_fini(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(single_calls),          cmocka_unit_test(page_arrays),
		cmocka_unit_test(range_arrays),          cmocka_unit_test(third_level),
		cmocka_unit_test(one_run_of_many_words), cmocka_unit_test(goes_on_after_blocks),
	};

	return cmocka_run_group_tests(tests, fill_arrays, NULL);
}
