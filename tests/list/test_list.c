/* SPDX-License-Identifier: MIT */
/* Lists: what they come to, what they cost, and every error with its report. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <phyr/list.h>

#include "core/err.h"
#include "lib/tenv.h"

#define PAGE     0x1000u
#define GIB      ((uint64_t)1 << 30)
#define TOP_PAGE (-(uint64_t)PAGE)

static struct tenv t;

static int setup(void **state)
{
	tenv_init(&t, NULL);
	return 0;
}

static int teardown(void **state)
{
	tenv_fini(&t);
	return 0;
}

/* The runs that are left in a cursor. */
static void assert_runs(struct phyr_cursor *cur, const struct phyr_range *runs, size_t nr)
{
	struct phyr_range got[16];
	size_t n;

	assert_int_equal(phyr_cursor_to_ranges(cur, got, 16, &n), 0);
	assert_int_equal(n, nr);
	for (size_t i = 0; i < nr; i++) {
		assert_int_equal(got[i].addr, runs[i].addr);
		assert_int_equal(got[i].len, runs[i].len);
	}
}

static void assert_list(const struct phyr_list *list, const struct phyr_range *runs, size_t nr)
{
	struct phyr_cursor cur;

	phyr_cursor_init(&cur, list);
	assert_runs(&cur, runs, nr);
}

#define ASSERT_LIST(list, ...)                                \
	assert_list(list, (struct phyr_range[]){__VA_ARGS__}, \
		    sizeof((struct phyr_range[]){__VA_ARGS__}) / sizeof(struct phyr_range))

/* One report since the last look, as given. */
static void assert_report(int err, const char *call, uint64_t index, uint64_t addr, uint64_t len)
{
	assert_int_equal(t.reports, 1);
	assert_int_equal(t.last.err, err);
	assert_string_equal(t.last.call, call);
	assert_int_equal(t.last.index, index);
	assert_int_equal(t.last.addr, addr);
	assert_int_equal(t.last.len, len);
	assert_non_null(t.last.hint);
	tenv_restart(&t);
}

static void empty_list(void **state)
{
	struct phyr_list_stats stats;
	struct phyr_cursor cur;
	struct phyr_range run;
	struct phyr_list list;
	size_t nr = 7;

	phyr_list_init(&list, &t.env, NULL);
	phyr_cursor_init(&cur, &list);
	assert_false(phyr_cursor_next(&cur, &run));
	assert_int_equal(phyr_cursor_init_at(&cur, &list, 0, 0), 0);
	assert_false(phyr_cursor_next(&cur, &run));
	assert_int_equal(phyr_cursor_to_ranges(&cur, NULL, 0, &nr), 0);
	assert_int_equal(nr, 0);
	phyr_list_stats(&list, &stats);
	assert_int_equal(stats.runs | stats.words | stats.bytes | stats.pages, 0);
	assert_int_equal(phyr_list_append_pages(&list, NULL, 0), 0);
	assert_int_equal(phyr_list_append_ranges(&list, NULL, 0), 0);
	phyr_list_reset(&list);
	phyr_list_fini(&list);
	/* What was only zeroed holds nothing, either. */
	list = (struct phyr_list){0};
	phyr_list_fini(&list);
}

static void null_env_is_hosted(void **state)
{
	struct phyr_space space = {.kind = PHYR_KIND_FD};
	struct phyr_list list;

	phyr_list_init(&list, NULL, &space);
	assert_ptr_equal(list.env, phyr_env_hosted());
	for (uint64_t i = 0; i < 1000; i++)
		assert_int_equal(phyr_list_append_page(&list, i * 2 * PAGE), 0);
	phyr_list_reset(&list);
	assert_ptr_equal(list.space, &space);
	assert_ptr_equal(list.env, phyr_env_hosted());
	assert_int_equal(list.len, 0);
	assert_int_equal(phyr_list_append(&list, 5, 6), 0);
	ASSERT_LIST(&list, {5, 6});
	phyr_list_fini(&list);
}

/* Appended after what makes a word of it. */
static uint64_t first_word_after(struct phyr_list *list)
{
	assert_int_equal(list->nr_words, 0);
	assert_int_equal(list->nr_runs, 1);
	assert_int_equal(list->len, GIB);
	assert_int_equal(phyr_list_append_page(list, 0x5000), 0);
	assert_int_equal(list->nr_words, 1);
	ASSERT_LIST(list, {3 * GIB, GIB}, {0x5000, PAGE});
	return list->words[0];
}

static void a_gib_is_one_word_however_it_comes(void **state)
{
	uint64_t nr = GIB / PAGE, golden, *pages = malloc(nr * sizeof(*pages));
	struct phyr_list by[5];

	for (unsigned i = 0; i < 5; i++)
		phyr_list_init(&by[i], &t.env, NULL);
	for (uint64_t i = 0; i < nr; i++) {
		pages[i] = 3 * GIB + i * PAGE;
		assert_int_equal(phyr_list_append_page(&by[0], pages[i]), 0);
		assert_int_equal(
			phyr_list_append_ranges(&by[1], &(struct phyr_range){pages[i], PAGE}, 1),
			0);
	}
	assert_int_equal(phyr_list_append_pages(&by[2], pages, nr), 0);
	assert_int_equal(phyr_list_append(&by[3], 3 * GIB, GIB), 0);
	assert_int_equal(phyr_list_append_pages(&by[4], pages, 1), 0);
	assert_int_equal(phyr_list_append_pages(&by[4], pages + 1, nr - 1), 0);
	assert_int_equal(phyr_word_encode(3 * GIB, nr, &golden), 1);
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(first_word_after(&by[i]), golden);
		phyr_list_fini(&by[i]);
	}
	free(pages);
}

static void a_million_scattered_pages(void **state)
{
	uint64_t nr = 1000000, *pages = malloc(nr * sizeof(*pages));
	struct phyr_list_stats stats;
	struct phyr_list one, all;

	phyr_list_init(&one, &t.env, NULL);
	phyr_list_init(&all, &t.env, NULL);
	for (uint64_t i = 0; i < nr; i++) {
		pages[i] = ((i * 0x9e3779b1) & 0xffffff) << 12;
		assert_int_equal(phyr_list_append_page(&one, pages[i]), 0);
	}
	assert_int_equal(phyr_list_append_pages(&all, pages, nr), 0);
	phyr_list_stats(&one, &stats);
	assert_int_equal(stats.runs, nr);
	assert_int_equal(stats.words, nr);
	assert_int_equal(stats.pages, nr);
	assert_int_equal(stats.longest_pages, 1);
	assert_int_equal(stats.runs_by_lg2[0], nr);
	assert_true((stats.bytes + sizeof(one)) * 10 <= nr * 81);
	assert_int_equal(t.live_pages * PAGE, 2 * stats.bytes);
	phyr_list_stats(&all, &stats);
	assert_true((stats.bytes + sizeof(all)) * 10 <= nr * 81);
	phyr_list_fini(&one);
	phyr_list_fini(&all);
	free(pages);
}

static void few_runs_allocate_nothing(void **state)
{
	struct phyr_list list;

	phyr_list_init(&list, &t.env, NULL);
	for (uint64_t i = 0; i <= PHYR_LIST_INLINE_WORDS; i++)
		assert_int_equal(phyr_list_append_page(&list, i * 2 * PAGE), 0);
	assert_int_equal(t.allocs, 0);
	assert_int_equal(phyr_list_append_page(&list, 100 * PAGE), 0);
	assert_int_equal(t.allocs, 1);
	phyr_list_fini(&list);
}

/* Eight bytes a word, in a block twice as large whenever it is full: never much over an array's. */
static void a_short_list_takes_little_memory(void **state)
{
	static const struct {
		uint64_t words, bytes;
	} steps[] = {{8, 0},      {13, 128},   {29, 256},  {61, 512},
		     {125, 1024}, {253, 2048}, {509, 4096}};
	struct phyr_list_stats stats;
	struct phyr_list list;
	unsigned step = 0;

	phyr_list_init(&list, &t.env, NULL);
	for (uint64_t i = 0; i < 510; i++) {
		assert_int_equal(phyr_list_append_page(&list, i * 2 * PAGE), 0);
		step += list.nr_words > steps[step].words;
		phyr_list_stats(&list, &stats);
		assert_int_equal(list.nr_words, i);
		assert_int_equal(stats.bytes, steps[step].bytes);
		assert_int_equal(t.live_objects, stats.bytes && stats.bytes < PAGE);
		assert_int_equal(t.live_pages, stats.bytes == PAGE);
		assert_true(stats.bytes * 10 <= stats.runs * sizeof(struct phyr_range) * 11);
	}
	assert_int_equal(step, 6);
	assert_int_equal(t.allocs, 6);
	phyr_list_reset(&list);
	assert_false(tenv_live(&t));
	phyr_list_fini(&list);
}

/* Words in the struct, in a small block, in a full one, in several: moved with their owner each time. */
static void a_list_may_be_moved(void **state)
{
	static const uint64_t sizes[] = {3, 20, 300, 1200};
	struct phyr_list a, b;

	for (unsigned i = 0; i < 4; i++) {
		struct phyr_cursor cur;
		struct phyr_range run;

		phyr_list_init(&a, &t.env, NULL);
		for (uint64_t k = 0; k < sizes[i]; k++)
			assert_int_equal(phyr_list_append_page(&a, k * 2 * PAGE), 0);
		b = a;
		memset(&a, 0xff, sizeof(a));
		assert_int_equal(phyr_list_append_page(&b, sizes[i] * 2 * PAGE), 0);
		phyr_cursor_init(&cur, &b);
		for (uint64_t k = 0; k <= sizes[i]; k++) {
			assert_true(phyr_cursor_next(&cur, &run));
			assert_int_equal(run.addr, k * 2 * PAGE);
		}
		assert_false(phyr_cursor_next(&cur, &run));
		assert_int_equal(run.len, 0);
		phyr_list_fini(&b);
	}
}

static void stats_count_runs_of_each_size(void **state)
{
	struct phyr_list_stats s;
	struct phyr_list list;

	phyr_list_init(&list, &t.env, NULL);
	assert_int_equal(phyr_list_append(&list, 0x10ff0, 0x10 + PAGE), 0);  /* 2 pages */
	assert_int_equal(phyr_list_append(&list, 2 * GIB, 4097 * PAGE), 0);  /* 2 words */
	assert_int_equal(phyr_list_append(&list, 8 * GIB, 2 * PAGE + 1), 0); /* 3 pages */
	phyr_list_stats(&list, &s);
	assert_int_equal(s.runs, 3);
	assert_int_equal(s.words, 4);
	assert_int_equal(s.bytes, 0);
	assert_int_equal(s.pages, 2 + 4097 + 3);
	assert_int_equal(s.longest_pages, 4097);
	assert_int_equal(s.runs_by_lg2[1], 2);
	assert_int_equal(s.runs_by_lg2[12], 1);
	phyr_list_reset(&list);
	assert_int_equal(phyr_list_append(&list, 1, -(uint64_t)1), 0);
	phyr_list_stats(&list, &s);
	assert_int_equal(s.pages, (uint64_t)1 << 52);
	assert_int_equal(s.runs_by_lg2[52], 1);
	phyr_list_fini(&list);
}

static void header_records_edges_and_the_highest_byte(void **state)
{
	struct phyr_list list;

	phyr_list_init(&list, &t.env, NULL);
	assert_int_equal(phyr_list_append(&list, 0x200fff, 1), 0);
	assert_int_equal(list.gap_mask, 0);
	assert_int_equal(list.last, 0x200fff);
	assert_int_equal(list.first_offset, 0xfff);
	assert_int_equal(phyr_list_append(&list, 0x40000, 0x8000), 0);
	assert_int_equal(list.gap_mask, 0x201000 | 0x40000);
	assert_int_equal(list.last, 0x200fff);
	assert_int_equal(phyr_list_append(&list, 0x10000000, 0x123), 0);
	assert_int_equal(list.gap_mask, 0x201000 | 0x40000 | 0x48000 | 0x10000000);
	assert_int_equal(list.last, 0x10000122);
	assert_int_equal(phyr_list_append(&list, 0x10000123, 1), 0);
	assert_int_equal(list.nr_runs, 3);
	ASSERT_LIST(&list, {0x200fff, 1}, {0x40000, 0x8000}, {0x10000000, 0x124});
	phyr_list_fini(&list);
}

/* Pages that follow a first range which starts inside its page. */
static void pages_join_a_short_start(void **state)
{
	struct phyr_list list;

	phyr_list_init(&list, &t.env, NULL);
	assert_int_equal(phyr_list_append(&list, 0x10ff0, 0x10), 0);
	assert_int_equal(
		phyr_list_append_pages(&list, (phyr_addr_t[]){0x11000, 0x12000, 0x13000}, 3), 0);
	ASSERT_LIST(&list, {0x10ff0, 3 * PAGE + 0x10});
	assert_int_equal(list.open_addr, 0x10ff0);
	assert_int_equal(list.open_len, list.len);
	assert_int_equal(phyr_list_append_page(&list, 0x14000), 0);
	assert_int_equal(phyr_list_append_page(&list, 0x20000), 0);
	ASSERT_LIST(&list, {0x10ff0, 4 * PAGE + 0x10}, {0x20000, PAGE});
	phyr_list_fini(&list);
}

/* Memory up to 2^64 is memory; nothing goes on from there. */
static void the_top_of_the_space(void **state)
{
	struct phyr_list list;
	struct phyr_cursor cur;

	phyr_list_init(&list, &t.env, NULL);
	assert_int_equal(phyr_list_append(&list, TOP_PAGE, PAGE), 0);
	assert_int_equal(list.last, UINT64_MAX);
	assert_int_equal(phyr_list_append_page(&list, 0), 0);
	assert_int_equal(phyr_list_append_pages(&list, (phyr_addr_t[]){TOP_PAGE, 0, PAGE}, 3), 0);
	assert_int_equal(phyr_list_append(&list, -(uint64_t)4096 * PAGE, 4096 * (uint64_t)PAGE), 0);
	assert_int_equal(phyr_list_append(&list, 0, 4096 * PAGE), 0);
	ASSERT_LIST(&list, {TOP_PAGE, PAGE}, {0, PAGE}, {TOP_PAGE, PAGE}, {0, 2 * PAGE},
		    {-(uint64_t)4096 * PAGE, 4096 * PAGE}, {0, 4096 * PAGE});
	assert_int_equal(phyr_cursor_init_ranges(
				 &cur, (struct phyr_range[]){{TOP_PAGE, PAGE}, {0, PAGE}}, 2),
			 0);
	assert_runs(&cur, (struct phyr_range[]){{TOP_PAGE, PAGE}, {0, PAGE}}, 2);
	phyr_list_fini(&list);
}

/* The same by arrays, which name the range or page that is too much. */
static void a_list_of_2_to_the_64_by_arrays(void **state)
{
	const struct phyr_range ranges[] = {{4094, 1}, {4095, 1}};
	const phyr_addr_t page = PAGE;
	struct phyr_list list, was;

	phyr_list_init(&list, &t.env, NULL);
	assert_int_equal(phyr_list_append(&list, 4095, -(uint64_t)4095), 0);
	assert_int_equal(phyr_list_append(&list, 0, 4093), 0);
	assert_int_equal(phyr_list_append(&list, 4093, 1), 0);
	was = list;
	assert_int_equal(phyr_list_append_ranges(&list, ranges, 2), -EINVAL);
	assert_report(-EINVAL, "phyr_list_append_ranges", 0, 4094, 1);
	assert_int_equal(phyr_list_append_pages(&list, &page, 1), -EINVAL);
	assert_report(-EINVAL, "phyr_list_append_pages", 0, PAGE, PAGE);
	assert_memory_equal(&list, &was, sizeof(list));
	phyr_list_fini(&list);
}

/* Runs too long for phyr_word_encode() take as many words as they need. */
static void a_run_of_nearly_everything(void **state)
{
	uint64_t len = -(uint64_t)4095;
	struct phyr_list list;
	struct phyr_cursor cur;

	phyr_list_init(&list, &t.env, NULL);
	assert_int_equal(phyr_list_append(&list, 4095, len), 0);
	assert_int_equal(phyr_list_append(&list, 0, 4094), 0);
	assert_true(list.nr_words > 510);
	ASSERT_LIST(&list, {4095, len}, {0, 4094});
	assert_int_equal(phyr_cursor_init_at(&cur, &list, len - 1, 2), 0);
	assert_runs(&cur, (struct phyr_range[]){{UINT64_MAX, 1}, {0, 1}}, 2);
	assert_int_equal(phyr_cursor_init_at(&cur, &list, len / 2, len / 4), 0);
	assert_runs(&cur, (struct phyr_range[]){{4095 + len / 2, len / 4}}, 1);

	tenv_restart(&t);
	assert_int_equal(phyr_list_append(&list, 4094, 1), -EINVAL);
	assert_report(-EINVAL, "phyr_list_append", 0, 4094, 1);
	phyr_list_fini(&list);
}

static void append_errors(void **state)
{
	static const char call[] = "phyr_list_append";
	struct phyr_list list;

	phyr_list_init(&list, &t.env, NULL);
	assert_int_equal(phyr_list_append(&list, 0x1000, 0), -EINVAL);
	assert_report(-EINVAL, call, 0, 0x1000, 0);
	assert_int_equal(phyr_list_append(&list, TOP_PAGE, PAGE + 1), -EINVAL);
	assert_report(-EINVAL, call, 0, TOP_PAGE, PAGE + 1);
	assert_int_equal(list.len, 0);

	assert_int_equal(phyr_list_append(&list, 0x1000, PAGE), 0);
	assert_int_equal(phyr_list_append(&list, 0x5001, PAGE), -EINVAL);
	assert_report(-EINVAL, call, 0, 0x5001, PAGE);
	assert_int_equal(phyr_list_append(&list, 0x5000, 1), 0);
	assert_int_equal(phyr_list_append(&list, 0x8000, PAGE), -EINVAL);
	assert_report(-EINVAL, call, 0, 0x8000, PAGE);
	ASSERT_LIST(&list, {0x1000, PAGE}, {0x5000, 1});
	phyr_list_fini(&list);
}

static void append_page_errors(void **state)
{
	static const char call[] = "phyr_list_append_page";
	struct phyr_list list;

	phyr_list_init(&list, &t.env, NULL);
	assert_int_equal(phyr_list_append_page(&list, 0x1001), -EINVAL);
	assert_report(-EINVAL, call, 0, 0x1001, PAGE);
	assert_int_equal(phyr_list_append_page(&list, 0x1000), 0);
	assert_int_equal(phyr_list_append_page(&list, 0x8800), -EINVAL);
	assert_report(-EINVAL, call, 0, 0x8800, PAGE);
	assert_int_equal(phyr_list_append(&list, 0x2000, 1), 0);
	assert_int_equal(phyr_list_append_page(&list, 0x8000), -EINVAL);
	assert_report(-EINVAL, call, 0, 0x8000, PAGE);
	ASSERT_LIST(&list, {0x1000, PAGE + 1});

	/* A page follows, but off a page. */
	phyr_list_reset(&list);
	assert_int_equal(phyr_list_append(&list, 0x1800, PAGE), 0);
	assert_int_equal(phyr_list_append_page(&list, 0x2800), -EINVAL);
	assert_report(-EINVAL, call, 0, 0x2800, PAGE);
	assert_int_equal(phyr_list_append_page(&list, 0x9000), -EINVAL);
	assert_report(-EINVAL, call, 0, 0x9000, PAGE);
	phyr_list_fini(&list);
}

static void append_pages_errors(void **state)
{
	static const char call[] = "phyr_list_append_pages";
	phyr_addr_t pages[2000];
	struct phyr_list list;

	phyr_list_init(&list, &t.env, NULL);
	assert_int_equal(phyr_list_append(&list, 0x800, 0x800), 0);
	for (unsigned i = 0; i < 2000; i++)
		pages[i] = (phyr_addr_t)(2 * i + 4) * PAGE;
	for (unsigned bad = 0; bad < 2000; bad += bad < 1030 ? 1 : 97) {
		pages[bad] += 0x10;
		assert_int_equal(phyr_list_append_pages(&list, pages, 2000), -EINVAL);
		assert_report(-EINVAL, call, bad, pages[bad], PAGE);
		pages[bad] -= 0x10;
		ASSERT_LIST(&list, {0x800, 0x800});
		assert_int_equal(t.live_pages, 0);
	}
	assert_int_equal(phyr_list_append(&list, 0x1000, 0x10), 0);
	assert_int_equal(phyr_list_append_pages(&list, pages, 2000), -EINVAL);
	assert_report(-EINVAL, call, 0, pages[0], PAGE);
	phyr_list_fini(&list);

	/* The list's length goes past 2^64 with the second page. */
	phyr_list_init(&list, &t.env, NULL);
	assert_int_equal(phyr_list_append(&list, 2 * PAGE, -(uint64_t)2 * PAGE), 0);
	assert_int_equal(phyr_list_append_pages(&list, pages, 2), -EINVAL);
	assert_report(-EINVAL, call, 1, pages[1], PAGE);
	assert_int_equal(phyr_list_append_pages(&list, pages, 1), 0);
	assert_int_equal(phyr_list_append_page(&list, 0), -EINVAL);
	assert_report(-EINVAL, "phyr_list_append_page", 0, 0, PAGE);
	phyr_list_fini(&list);
}

static void append_ranges_errors(void **state)
{
	static const char call[] = "phyr_list_append_ranges";
	static const struct phyr_range bad[] = {
		{0x800, 0}, {TOP_PAGE, 2 * PAGE}, {0x8010, PAGE}, {PAGE, TOP_PAGE}};
	struct phyr_range ranges[1000];
	struct phyr_list list;

	phyr_list_init(&list, &t.env, NULL);
	assert_int_equal(phyr_list_append(&list, 0x7fff, 1), 0);
	for (unsigned i = 0; i < 1000; i++)
		ranges[i] = (struct phyr_range){(phyr_addr_t)i * 3 * PAGE, 2 * PAGE};
	for (unsigned i = 0; i < 4; i++) {
		struct phyr_range was = ranges[900];

		ranges[900] = bad[i];
		assert_int_equal(phyr_list_append_ranges(&list, ranges, 1000), -EINVAL);
		assert_report(-EINVAL, call, 900, bad[i].addr, bad[i].len);
		ranges[900] = was;
		ASSERT_LIST(&list, {0x7fff, 1});
	}
	ranges[998].len = 1;
	assert_int_equal(phyr_list_append_ranges(&list, ranges, 1000), -EINVAL);
	assert_report(-EINVAL, call, 999, ranges[999].addr, ranges[999].len);
	assert_int_equal(phyr_list_append_ranges(&list, ranges, 999), 0);
	assert_int_equal(list.nr_runs, 1000);
	phyr_list_fini(&list);
}

static void past_the_end_of_a_list(void **state)
{
	struct phyr_slice slice = {0}, untouched = {0};
	struct phyr_cursor cur, was;
	struct phyr_list list;

	memset(&cur, 0x5a, sizeof(cur));
	was = cur;
	phyr_list_init(&list, &t.env, NULL);
	assert_int_equal(phyr_list_append(&list, 0x1234, 1000), 0);
	assert_int_equal(phyr_cursor_init_at(&cur, &list, 1, 1000), -EINVAL);
	assert_int_equal(t.last.limit, 1000);
	assert_report(-EINVAL, "phyr_cursor_init_at", 0, 1, 1000);
	assert_int_equal(phyr_cursor_init_at(&cur, &list, 1001, 0), -EINVAL);
	assert_report(-EINVAL, "phyr_cursor_init_at", 0, 1001, 0);
	assert_int_equal(phyr_cursor_init_at(&cur, &list, 5, UINT64_MAX), -EINVAL);
	assert_report(-EINVAL, "phyr_cursor_init_at", 0, 5, UINT64_MAX);
	assert_memory_equal(&cur, &was, sizeof(cur));
	assert_int_equal(phyr_cursor_init_at(&cur, &list, 1000, 0), 0);

	assert_int_equal(phyr_slice_init(&slice, &list, 0, 0), -EINVAL);
	assert_report(-EINVAL, "phyr_slice_init", 0, 0, 0);
	assert_int_equal(phyr_slice_init(&slice, &list, 999, 2), -EINVAL);
	assert_int_equal(t.last.limit, 1000);
	assert_report(-EINVAL, "phyr_slice_init", 0, 999, 2);
	assert_int_equal(phyr_slice_init(&slice, &list, UINT64_MAX, 2), -EINVAL);
	assert_report(-EINVAL, "phyr_slice_init", 0, UINT64_MAX, 2);
	assert_memory_equal(&slice, &untouched, sizeof(slice));
	assert_int_equal(phyr_slice_init(&slice, &list, 999, 1), 0);
	phyr_list_fini(&list);
}

/* Arrays so long that they are checked many at a time: each place is looked at. */
static void bad_range_in_many(void **state)
{
	static struct phyr_range ranges[300];
	struct phyr_cursor cur;

	for (size_t i = 0; i < 300; i++)
		ranges[i] = (struct phyr_range){(2 * i + 1) * PAGE, PAGE};
	for (size_t i = 0; i < 300; i++) {
		struct phyr_range was = ranges[i];

		ranges[i].len = 0;
		assert_int_equal(phyr_cursor_init_ranges(&cur, ranges, 300), -EINVAL);
		ranges[i] = (struct phyr_range){TOP_PAGE, PAGE + 1};
		assert_int_equal(phyr_cursor_init_ranges(&cur, ranges, 300), -EINVAL);
		ranges[i] = (struct phyr_range){was.addr, 3 * PAGE};
		assert_int_equal(phyr_cursor_init_ranges(&cur, ranges, 300), 0);
		assert_int_equal(cur.left, 302 * PAGE);
		ranges[i] = was;
	}
}

static void bad_range_arrays(void **state)
{
	struct phyr_range ranges[3] = {{0x10, 0x10}, {0x40, 0x10}, {0x80, 0x10}};
	struct phyr_cursor cur, was;

	memset(&cur, 0x5a, sizeof(cur));
	was = cur;
	ranges[1].len = 0;
	assert_int_equal(phyr_cursor_init_ranges(&cur, ranges, 3), -EINVAL);
	ranges[1] = (struct phyr_range){TOP_PAGE, PAGE + 1};
	assert_int_equal(phyr_cursor_init_ranges(&cur, ranges, 3), -EINVAL);
	ranges[1] = (struct phyr_range){0x8, -(uint64_t)0x8};
	assert_int_equal(phyr_cursor_init_ranges(&cur, ranges, 3), -EINVAL);
	assert_memory_equal(&cur, &was, sizeof(cur));
	assert_int_equal(phyr_cursor_init_ranges(&cur, NULL, 0), 0);
	assert_runs(&cur, NULL, 0);
	phyr_cursor_init_range(&cur, 0x123, 0x456);
	was = cur; /* the range travels with the copy */
	assert_runs(&was, (struct phyr_range[]){{0x123, 0x456}}, 1);
	phyr_cursor_init_range(&cur, 0x123, 0);
	assert_runs(&cur, NULL, 0);
}

static void too_little_room_leaves_the_cursor(void **state)
{
	struct phyr_range got[3];
	struct phyr_cursor cur, was;
	struct phyr_list list;
	size_t nr = 77;

	phyr_list_init(&list, &t.env, NULL);
	for (uint64_t i = 0; i < 4; i++)
		assert_int_equal(phyr_list_append_page(&list, i * 2 * PAGE), 0);
	assert_int_equal(phyr_cursor_init_at(&cur, &list, 5, 3 * PAGE), 0);
	was = cur;
	assert_int_equal(phyr_cursor_to_ranges(&cur, got, 3, &nr), -E2BIG);
	assert_int_equal(nr, 77);
	assert_memory_equal(&cur, &was, sizeof(cur));
	assert_runs(
		&cur,
		(struct phyr_range[]){{5, PAGE - 5}, {0x2000, PAGE}, {0x4000, PAGE}, {0x6000, 5}},
		4);
	phyr_list_fini(&list);
}

static void no_more_is_split_off_than_is_left(void **state)
{
	struct phyr_cursor cur, was, head, untouched;

	memset(&head, 0x5a, sizeof(head));
	untouched = head;
	phyr_cursor_init_range(&cur, 0x1000, 10);
	was = cur;
	assert_int_equal(phyr_cursor_split(&cur, 11, &head), -EINVAL);
	assert_int_equal(phyr_cursor_split(&cur, UINT64_MAX, &head), -EINVAL);
	assert_memory_equal(&cur, &was, sizeof(cur));
	assert_memory_equal(&head, &untouched, sizeof(head));
	assert_int_equal(phyr_cursor_split(&cur, 10, &head), 0);
	assert_runs(&head, (struct phyr_range[]){{0x1000, 10}}, 1);
	assert_runs(&cur, NULL, 0);
}

static void listvs_of_nothing_and_of_too_much(void **state)
{
	struct phyr_slice slices[4];
	struct phyr_listv listv = {slices, 0};
	struct phyr_cursor cur;
	struct phyr_list list, none;

	phyr_list_init(&list, &t.env, NULL);
	phyr_list_init(&none, &t.env, NULL);
	assert_int_equal(phyr_list_append(&list, 1, -(uint64_t)1), 0);
	phyr_cursor_init_listv(&cur, &listv);
	assert_runs(&cur, NULL, 0);
	assert_int_equal(phyr_listv_gap_mask(&listv), 0);

	slices[0] = (struct phyr_slice){&none, 0, 0};
	slices[1] = (struct phyr_slice){&list, 7, 5};
	slices[2] = (struct phyr_slice){&none, 0, 0};
	slices[3] = (struct phyr_slice){&list, 0, list.len};
	listv.nr = 3;
	phyr_cursor_init_listv(&cur, &listv);
	assert_runs(&cur, (struct phyr_range[]){{8, 5}}, 1);
	assert_int_equal(phyr_listv_gap_mask(&listv), 0);
	listv.nr = 4;
	assert_int_equal(phyr_listv_len(&listv), UINT64_MAX);
	assert_int_equal(phyr_listv_gap_mask(&listv), 13 | 1);
	phyr_cursor_init_listv(&cur, &listv);
	assert_runs(&cur, (struct phyr_range[]){{8, 5}, {1, UINT64_MAX - 5}}, 2);
	phyr_list_fini(&list);
}

/* Two halves of one long run stay two pieces, wherever its words end. */
static void slices_are_not_joined(void **state)
{
	struct phyr_slice slices[2];
	struct phyr_listv listv = {slices, 2};
	struct phyr_cursor cur;
	struct phyr_list list;

	phyr_list_init(&list, &t.env, NULL);
	assert_int_equal(phyr_list_append(&list, GIB, 4097 * PAGE), 0); /* 4096 and 1 */
	assert_int_equal(phyr_list_append_page(&list, 0), 0);
	for (uint64_t at = 4095; at <= 4097; at++) {
		struct phyr_range runs[] = {
			{GIB, at * PAGE}, {GIB + at * PAGE, (4097 - at) * PAGE}, {0, PAGE}};
		bool whole = at == 4097;

		assert_int_equal(phyr_slice_init(&slices[0], &list, 0, at * PAGE), 0);
		assert_int_equal(
			phyr_slice_init(&slices[1], &list, at * PAGE, list.len - at * PAGE), 0);
		phyr_cursor_init_listv(&cur, &listv);
		runs[whole ? 1 : 2] = (struct phyr_range){0, PAGE};
		assert_runs(&cur, runs, whole ? 2 : 3);
	}
	phyr_list_fini(&list);
}

#define UNIT(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

static void first_addr_is_the_first_bytes(void **state)
{
	struct phyr_list list;

	phyr_list_init(&list, NULL, NULL);
	assert_int_equal(phyr_list_first_addr(&list), 0);
	assert_int_equal(phyr_list_append(&list, 0x10234, 0xdcc), 0);
	assert_int_equal(phyr_list_first_addr(&list), 0x10234);
	for (uint64_t i = 1; i < 2000; i++) {
		assert_int_equal(phyr_list_append_page(&list, 0x100000 + i * 0x2000), 0);
		assert_int_equal(phyr_list_first_addr(&list), 0x10234);
	}
	phyr_list_fini(&list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		UNIT(empty_list),
		UNIT(null_env_is_hosted),
		UNIT(a_gib_is_one_word_however_it_comes),
		UNIT(a_million_scattered_pages),
		UNIT(few_runs_allocate_nothing),
		UNIT(a_short_list_takes_little_memory),
		UNIT(a_list_may_be_moved),
		UNIT(stats_count_runs_of_each_size),
		UNIT(header_records_edges_and_the_highest_byte),
		UNIT(pages_join_a_short_start),
		UNIT(the_top_of_the_space),
		UNIT(a_list_of_2_to_the_64_by_arrays),
		UNIT(a_run_of_nearly_everything),
		UNIT(append_errors),
		UNIT(append_page_errors),
		UNIT(append_pages_errors),
		UNIT(append_ranges_errors),
		UNIT(past_the_end_of_a_list),
		UNIT(bad_range_arrays),
		UNIT(bad_range_in_many),
		UNIT(too_little_room_leaves_the_cursor),
		UNIT(no_more_is_split_off_than_is_left),
		UNIT(listvs_of_nothing_and_of_too_much),
		UNIT(slices_are_not_joined),
		cmocka_unit_test(first_addr_is_the_first_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
