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
#define ARENA_SIZE (NR_WORDS / 510 * PAGE + ((size_t)1 << 20))

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
		/* Two levels of index and a block: 510 * 256^2 words. */
		assert_in_range(opened, 1, 3);
		most = opened > most ? opened : most;
	}
	printf("# seek in %u words: at most %u pages of 4 KiB touched\n", NR_WORDS, most);
	phyr_list_fini(&list);
	touch_fini(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(seek_in_ten_million_words)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
