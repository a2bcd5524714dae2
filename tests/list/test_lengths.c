/* SPDX-License-Identifier: MIT */
/* Run lengths through a list: what is appended between two single pages comes out as one run, exact. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <phyr/list.h>

#include "lib/rnd.h"
#include "lib/tenv.h"

#define PAGE      ((uint64_t)4096)
#define SINGLE    (5 * PAGE) /* where the single pages lie */
#define LOW       ((uint64_t)1 << 20)
#define ALL       ((uint64_t)1 << 52) /* pages up to 2^64 */
#define MOST      ((uint64_t)1 << 40)
#define NR_RANDOM 200000u
#define CHUNK     1000u /* runs of a list: 2^62 bytes at most */

static const struct phyr_range single = {SINGLE, PAGE};

/* A place anywhere above the single pages, up to the end of memory. */
static struct phyr_range run_of(struct rnd *r, uint64_t pages)
{
	uint64_t page = LOW + rnd_below(r, ALL - LOW - pages + 1);

	return (struct phyr_range){page * PAGE, pages * PAGE};
}

static void assert_next(struct phyr_cursor *cur, const struct phyr_range *want)
{
	struct phyr_range got;

	assert_true(phyr_cursor_next(cur, &got));
	assert_int_equal(got.addr, want->addr);
	assert_int_equal(got.len, want->len);
}

/* A list of the runs, with a single page before and behind each. */
static void check(struct phyr_env *env, const struct phyr_range *runs, unsigned nr)
{
	struct phyr_list list;
	struct phyr_cursor cur;
	struct phyr_range got;
	uint64_t len = PAGE;

	phyr_list_init(&list, env, NULL);
	assert_int_equal(phyr_list_append(&list, single.addr, single.len), 0);
	for (unsigned i = 0; i < nr; i++) {
		assert_int_equal(phyr_list_append(&list, runs[i].addr, runs[i].len), 0);
		assert_int_equal(phyr_list_append(&list, single.addr, single.len), 0);
		len += runs[i].len + PAGE;
	}
	assert_int_equal(list.len, len);
	assert_int_equal(list.nr_runs, 2 * nr + 1);
	phyr_cursor_init(&cur, &list);
	assert_next(&cur, &single);
	for (unsigned i = 0; i < nr; i++) {
		assert_next(&cur, &runs[i]);
		assert_next(&cur, &single);
	}
	assert_false(phyr_cursor_next(&cur, &got));
	phyr_list_fini(&list);
}

static void every_length_to_10000(void **state)
{
	struct rnd r = rnd_start("list/lengths: every one");
	struct phyr_range runs[CHUNK];
	struct tenv t;

	tenv_init(&t, NULL);
	for (uint64_t pages = 1; pages <= 10000; pages += CHUNK) {
		for (unsigned i = 0; i < CHUNK; i++)
			runs[i] = run_of(&r, pages + i);
		check(&t.env, runs, CHUNK);
	}
	tenv_fini(&t);
}

static void random_lengths(void **state)
{
	struct rnd r = rnd_start("list/lengths: random ones");
	struct phyr_range runs[CHUNK];
	struct tenv t;

	tenv_init(&t, NULL);
	for (unsigned done = 0; done < NR_RANDOM; done += CHUNK) {
		for (unsigned i = 0; i < CHUNK; i++)
			runs[i] = run_of(&r, rnd_log(&r, 1, MOST));
		check(&t.env, runs, CHUNK);
	}
	tenv_fini(&t);
}

/* Around each power of two up to the longest, at random places and at the very end of memory. */
static void powers_of_two(void **state)
{
	struct rnd r = rnd_start("list/lengths: powers of two");
	struct phyr_range runs[8];
	struct tenv t;

	tenv_init(&t, NULL);
	for (unsigned lg2 = 1; lg2 <= 40; lg2++) {
		for (unsigned i = 0; i < 6; i++)
			runs[i] = run_of(&r, ((uint64_t)1 << lg2) - 1 + i % 3);
		runs[6] = (struct phyr_range){-(PAGE << lg2), PAGE << lg2};
		runs[7] = run_of(&r, MOST);
		check(&t.env, runs, 8);
	}
	tenv_fini(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_length_to_10000),
		cmocka_unit_test(random_lengths),
		cmocka_unit_test(powers_of_two),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
