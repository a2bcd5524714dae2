/* SPDX-License-Identifier: MIT */
/* What a seek touches: all blocks lie in an arena that counts the pages that are read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include <phyr/list.h>

#include "lib/rnd.h"
#include "lib/touch.h"

#define PAGE       4096u
#define NR_WORDS   10000000u
#define ARENA_SIZE (NR_WORDS / 509 * PAGE + ((size_t)1 << 20))

/* Page i of the buffer; no two neighbours follow each other. */
static phyr_addr_t page_at(uint64_t i)
{
	return ((i * 0x9e3779b1) & 0xffffffff) << 12;
}

static void build(struct phyr_list *list, struct phyr_env *env)
{
	phyr_addr_t pages[1000];

	phyr_list_init(list, env, NULL);
	for (uint64_t i = 0; i < NR_WORDS; i += 1000) {
		for (unsigned k = 0; k < 1000; k++)
			pages[k] = page_at(i + k);
		assert_int_equal(phyr_list_append_pages(list, pages, 1000), 0);
	}
	assert_int_equal(list->nr_runs, NR_WORDS);
}

static void seek_in_ten_million_words(void **state)
{
	struct rnd r = rnd_start("list/seek");
	struct phyr_list list;
	unsigned most = 0;
	struct touch t;

	touch_init(&t, ARENA_SIZE);
	build(&list, &t.env);
	for (unsigned i = 0; i < 300; i++) {
		uint64_t offset = i ? rnd_below(&r, list.len - PAGE) : list.len - PAGE - 1;
		struct phyr_cursor cur;
		struct phyr_range run;
		unsigned opened;

		touch_start(&t);
		assert_int_equal(phyr_cursor_init_at(&cur, &list, offset, PAGE), 0);
		assert_true(phyr_cursor_next(&cur, &run));
		opened = touch_stop(&t);
		assert_int_equal(run.addr, page_at(offset / PAGE) + offset % PAGE);
		/* Two levels of index and a block: 509 * 256^2 words. */
		assert_in_range(opened, 1, 3);
		most = opened > most ? opened : most;
	}
	printf("# seek in %u words: at most %u pages of 4 KiB touched\n", NR_WORDS, most);
	phyr_list_fini(&list);
	touch_fini(&t);
}

#define NR_RUNS 2600u /* six blocks, and some when each run takes a word */

static struct phyr_range runs[NR_RUNS];

/* Runs of @most pages at most; of each 100 @singles are single pages. */
static void build_runs(struct rnd *r, struct phyr_list *list, uint64_t most, unsigned singles)
{
	uint64_t addr = 0;

	for (unsigned i = 0; i < NR_RUNS; i++) {
		uint64_t pages = rnd_below(r, 100) < singles ? 1 : rnd_log(r, 1, most);

		addr += PAGE * (1 + rnd_below(r, 64));
		runs[i] = (struct phyr_range){addr, pages * PAGE};
		assert_int_equal(phyr_list_append(list, addr, pages * PAGE), 0);
		addr += pages * PAGE;
	}
}

/* Seek to the first, a random and the last byte of each run, and from there to the run after it. */
static void check_runs(struct rnd *r, const struct phyr_list *list)
{
	uint64_t start = 0;

	for (unsigned i = 0; i < NR_RUNS; start += runs[i++].len) {
		uint64_t offsets[] = {0, rnd_below(r, runs[i].len), runs[i].len - 1};

		for (unsigned k = 0; k < 3; k++) {
			uint64_t at = start + offsets[k];
			struct phyr_cursor cur;
			struct phyr_range run;

			assert_int_equal(phyr_cursor_init_at(&cur, list, at, list->len - at), 0);
			assert_true(phyr_cursor_next(&cur, &run));
			assert_int_equal(run.addr, runs[i].addr + offsets[k]);
			assert_int_equal(run.len, runs[i].len - offsets[k]);
			if (i + 1 == NR_RUNS)
				continue;
			assert_true(phyr_cursor_next(&cur, &run));
			assert_int_equal(run.addr, runs[i + 1].addr);
			assert_int_equal(run.len, runs[i + 1].len);
		}
	}
}

/* With what a block notes of its words: exact, too large to be noted, or not needed. */
static void seek_finds_every_run(void **state)
{
	static const uint64_t mosts[] = {
		1, 2, 60, 2048, 5000, (uint64_t)1 << 26, (uint64_t)1 << 32};
	struct rnd r = rnd_start("list/seek: every run");

	for (unsigned i = 0; i < sizeof(mosts) / sizeof(mosts[0]); i++) {
		for (unsigned singles = 0; singles < 100; singles += 33) {
			struct phyr_list list;

			phyr_list_init(&list, NULL, NULL);
			build_runs(&r, &list, mosts[i], singles);
			check_runs(&r, &list);
			phyr_list_fini(&list);
		}
	}
}

/* All blocks of single pages but one, whose odd word is each in turn. */
static void one_long_run_among_single_pages(void **state)
{
	for (unsigned odd = 400; odd < 1300; odd += 7) {
		struct rnd r = {odd + 1};
		struct phyr_list list;

		phyr_list_init(&list, NULL, NULL);
		for (unsigned i = 0; i < NR_RUNS; i++) {
			uint64_t pages = i == odd ? 2 : 1;

			runs[i] = (struct phyr_range){i * (uint64_t)4 * PAGE, pages * PAGE};
			assert_int_equal(phyr_list_append(&list, runs[i].addr, runs[i].len), 0);
		}
		check_runs(&r, &list);
		phyr_list_fini(&list);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(seek_in_ten_million_words),
		cmocka_unit_test(seek_finds_every_run),
		cmocka_unit_test(one_long_run_among_single_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
