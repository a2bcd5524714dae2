/* SPDX-License-Identifier: MIT */
/* Arrays of pages against the same pages one by one, where the steps of the fast path could err. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "model.h"

#define PAGE 4096u
#define MOST 2400

static phyr_addr_t pages[MOST];
static size_t nr;

static void add(phyr_addr_t page)
{
	assert_true(nr < MOST);
	pages[nr++] = page;
}

/* Pages of which none follows another; their upper halves differ too. */
static void add_scattered(size_t n)
{
	for (size_t i = 0; i < n; i++)
		add((phyr_addr_t)(nr * 0x9e3779b97f4a7c15u) >> 8 << 13);
}

static void add_run(phyr_addr_t first, size_t n)
{
	for (size_t i = 0; i < n; i++)
		add(first + i * PAGE);
}

/* After a list of @before pages, so that the end of a block or of the struct comes in turn. */
static void check_after(size_t before)
{
	struct phyr_list by_array, by_one;

	phyr_list_init(&by_array, NULL, NULL);
	phyr_list_init(&by_one, NULL, NULL);
	for (size_t i = 0; i < before; i++) {
		phyr_addr_t addr = ((uint64_t)1 << 50) + 2 * i * PAGE;

		assert_int_equal(phyr_list_append(&by_array, addr, PAGE), 0);
		assert_int_equal(phyr_list_append(&by_one, addr, PAGE), 0);
	}
	for (size_t i = 0; i < nr; i++)
		assert_int_equal(phyr_list_append(&by_one, pages[i], PAGE), 0);
	assert_int_equal(phyr_list_append_pages(&by_array, pages, nr), 0);
	assert_true(lists_same(&by_array, &by_one));
	phyr_list_fini(&by_array);
	phyr_list_fini(&by_one);
}

static void check(void)
{
	static const size_t befores[] = {0, 1, 5, 9, 20, 240, 505, 510};

	for (size_t i = 0; i < sizeof(befores) / sizeof(befores[0]); i++)
		check_after(befores[i]);
	nr = 0;
}

/* Where one word for a run becomes two. */
static void runs_of_about_2048_pages(void **state)
{
	for (size_t len = 2036; len < 2054; len++) {
		for (size_t at = 0; at < 10; at++) {
			add_scattered(at);
			add_run((uint64_t)5 << 40, len);
			add_scattered(11);
			check();
		}
	}
}

/* Nothing follows the last page there is. */
static void runs_to_the_top(void **state)
{
	for (size_t len = 1; len < 20; len++) {
		for (size_t at = 0; at < 18; at++) {
			add_scattered(at);
			add_run(-(uint64_t)len * PAGE, len + 17); /* goes on from 0 */
			add_scattered(9);
			check();
		}
	}
}

static void runs_over_4_gib(void **state)
{
	for (size_t at = 0; at < 20; at++) {
		add_scattered(at);
		add_run(((uint64_t)1 << 32) - PAGE, 2);
		add_scattered(20);
		check();
	}
}

/* Runs with two pages changed about, or one page twice. */
static void runs_that_are_none(void **state)
{
	for (size_t a = 0; a < 20; a++) {
		for (size_t b = 0; b < 20; b++) {
			phyr_addr_t page;

			add_run(0x40000000, 20);
			page = pages[a];
			pages[a] = pages[b];
			if ((a + b) & 1)
				pages[b] = page;
			check();
		}
	}
}

/* The highest page, wherever it is. */
static void the_highest_page(void **state)
{
	for (size_t at = 0; at < 40; at++) {
		add_scattered(40);
		pages[at] = -(uint64_t)PAGE * (at + 1);
		check();
		add_run((uint64_t)7 << 60, at + 1);
		add_scattered(20);
		check();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(runs_of_about_2048_pages), cmocka_unit_test(runs_to_the_top),
		cmocka_unit_test(runs_over_4_gib),          cmocka_unit_test(runs_that_are_none),
		cmocka_unit_test(the_highest_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
