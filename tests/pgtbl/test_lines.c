/* SPDX-License-Identifier: MIT */
/*
 * A walker that does not snoop: it sees a shadow of memory that changes only by lines that were
 * written back. After each call the shadow must lead where the real tables lead.
 */
#include <stdio.h>

#include "core/bits.h"
#include "lib/rnd.h"
#include "pgtbl/setup.h"

#define LINE      64u
#define MAX_PAGES 8192

/* A page of table memory and what the walker has of it, garbage at first. */
struct twin {
	unsigned char *real;
	unsigned char *seen;
};

/* The environment under the test's: its pages have twins, found by address. */
struct shadow {
	struct phyr_env env;
	struct twin twins[MAX_PAGES]; /* a hash table by address */
	uint64_t flushes;
	uint64_t flushed; /* bytes of whole lines */
	size_t last_len;
	/* Called once, before the next flush of less than a table takes effect: another thread's turn. */
	void (*before_flush)(void *arg);
	void *arg;
};

static struct twin *twin_of(struct shadow *sh, const void *p)
{
	uintptr_t page = (uintptr_t)p & ~(uintptr_t)(PAGE - 1);
	size_t i = (page >> 12) * 0x9e3779b97f4a7c15u >> 51;

	while (sh->twins[i % MAX_PAGES].real != (void *)page) {
		if (!sh->twins[i % MAX_PAGES].seen)
			break;
		i++;
	}
	return &sh->twins[i % MAX_PAGES];
}

static void *shadow_alloc(struct phyr_env *env, size_t size)
{
	struct shadow *sh = (struct shadow *)env;
	void *p = aligned_alloc(PAGE, size);
	struct twin *t;

	assert_non_null(p);
	assert_int_equal(size, PAGE);
	memset(p, 0, size);
	t = twin_of(sh, p);
	if (!t->seen) {
		t->real = p;
		t->seen = malloc(PAGE);
		assert_non_null(t->seen);
	}
	memset(t->seen, 0xff, PAGE);
	return p;
}

static void shadow_free(struct phyr_env *env, void *pages, size_t size)
{
	free(pages);
}

static void shadow_flush(struct phyr_env *env, const void *p, size_t len)
{
	struct shadow *sh = (struct shadow *)((struct tenv *)env)->base;
	uintptr_t first = (uintptr_t)p & ~(uintptr_t)(LINE - 1);
	uintptr_t end = ((uintptr_t)p + len + LINE - 1) & ~(uintptr_t)(LINE - 1);

	if (sh->before_flush && len < PAGE) {
		void (*turn)(void *) = sh->before_flush;

		sh->before_flush = NULL;
		turn(sh->arg);
	}
	sh->flushes++;
	sh->flushed += end - first;
	sh->last_len = len;
	for (; first < end; first += LINE) {
		struct twin *t = twin_of(sh, (void *)first);

		assert_non_null(t->seen);
		memcpy(t->seen + first % PAGE, (void *)first, LINE);
	}
}

static const uint64_t *seen_by_walker(void *arg, uint64_t phys)
{
	struct twin *t = twin_of(arg, (void *)(uintptr_t)(phys - PHYS_DELTA));

	assert_non_null(t->seen);
	return (const uint64_t *)t->seen;
}

struct lines {
	struct shadow sh;
	struct setup s;
	struct walker seen;
};

static struct lines *lines_init(enum phyr_pgtbl_format format)
{
	struct lines *l = calloc(1, sizeof(*l));
	struct phyr_pgtbl_config c = {.size = sizeof(c), .format = format, .noncoherent = true};

	assert_non_null(l);
	l->sh.env = *phyr_env_hosted();
	l->sh.env.alloc_pages = shadow_alloc;
	l->sh.env.free_pages = shadow_free;
	tenv_init(&l->s.t, &l->sh.env);
	l->s.t.env.phys_delta = PHYS_DELTA;
	l->s.t.env.flush_lines = shadow_flush;
	assert_int_equal(phyr_pgtbl_create(&l->s.t.env, &c, &l->s.pt), 0);
	walker_init(&l->s.w, &l->s.t.env, format, l->s.pt);
	phyr_gather_init(&l->s.g);
	l->seen = l->s.w;
	l->seen.to_cpu = seen_by_walker;
	l->seen.arg = &l->sh;
	return l;
}

static void lines_fini(struct lines *l)
{
	setup_fini(&l->s);
	for (unsigned i = 0; i < MAX_PAGES; i++)
		free(l->sh.twins[i].seen);
	free(l);
}

/* Each table as the walker sees it is as it is, but for bit 54 of entries that lead to tables. */
static void compare_table(void *arg, uint64_t phys, unsigned level)
{
	struct lines *l = arg;
	const uint64_t *real = l->s.w.to_cpu(l->s.w.arg, phys);
	const uint64_t *seen = seen_by_walker(&l->sh, phys);

	for (unsigned i = 0; i < 512; i++) {
		uint64_t soft = level && !(real[i] & 0x80) ? UINT64_C(1) << 54 : 0;

		assert_int_equal(real[i] & soft, 0);
		assert_int_equal(real[i], seen[i] & ~soft);
	}
}

static void compare(struct lines *l)
{
	assert_int_equal(walker_tables(&l->seen), walker_tables(&l->s.w));
	walker_all(&l->s.w, compare_table, NULL, l);
}

static void count_from_here(struct lines *l)
{
	l->sh.flushes = 0;
	l->sh.flushed = 0;
}

static void exactly_what_was_written(void **state)
{
	struct lines *l = lines_init(PHYR_PGTBL_VTDSS);
	struct phyr_list list;
	struct phyr_cursor cur;

	/* Three tables, the lines of their entries, one leaf. */
	assert_int_equal(map_range(&l->s, GIB(1), GIB(1), PAGE), 0);
	assert_int_equal(l->sh.flushes, 1 + 3 + 3 + 1);
	assert_int_equal(l->sh.flushed, 4 * PAGE + 4 * LINE);
	compare(l);
	count_from_here(l);
	assert_int_equal(map_range(&l->s, GIB(1) + PAGE, GIB(1), PAGE), 0);
	assert_int_equal(l->sh.flushes, 1);
	assert_int_equal(l->sh.last_len, 8);
	compare(l);
	/* Pages one by one and in runs, all in one table: one flush of all their entries. */
	phyr_list_init(&list, NULL, NULL);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(phyr_list_append(&list, (2 + 4 * i) * PAGE, (1 + i % 3) * PAGE),
				 0);
	count_from_here(l);
	phyr_cursor_init(&cur, &list);
	assert_int_equal(phyr_pgtbl_map(l->s.pt, GIB(1) + 8 * PAGE, &cur, RW, &l->s.g), 0);
	assert_int_equal(l->sh.flushes, 1);
	assert_int_equal(l->sh.last_len, list.len / PAGE * 8);
	compare(l);
	count_from_here(l);
	assert_int_equal(unmap(&l->s, GIB(1) + 8 * PAGE, list.len), 0);
	assert_int_equal(l->sh.flushes, 1);
	assert_int_equal(l->sh.last_len, list.len / PAGE * 8);
	compare(l);
	phyr_list_fini(&list);
	lines_fini(l);
}

static void large_leaves_and_cut_off_tables(void **state)
{
	struct lines *l = lines_init(PHYR_PGTBL_X86_64);

	assert_int_equal(map_range(&l->s, GIB(1), GIB(4), MIB(8)), 0);
	compare(l);
	assert_int_equal(map_range(&l->s, GIB(2), GIB(4) + PAGE, GIB(1)), 0);
	compare(l);
	count_from_here(l);
	assert_int_equal(unmap(&l->s, GIB(1), MIB(8)), 0);
	assert_int_equal(l->sh.flushes, 1);
	assert_int_equal(l->sh.last_len, 32);
	compare(l);
	count_from_here(l);
	assert_int_equal(unmap(&l->s, GIB(2), GIB(1)), 0);
	assert_int_equal(l->sh.flushes, 1);
	assert_int_equal(l->sh.last_len, 8);
	compare(l);
	lines_fini(l);
}

static void random_map(struct lines *l, struct rnd *r, uint64_t iova)
{
	struct phyr_list list;
	struct phyr_cursor cur;
	size_t nr = rnd_log(r, 1, 1200);

	phyr_list_init(&list, NULL, NULL);
	while (nr--) {
		uint64_t len = rnd_below(r, 8) ? PAGE : rnd_log(r, 1, 600) * PAGE;

		assert_int_equal(
			phyr_list_append(&list, rnd_below(r, TIB(1)) & ~(PAGE - UINT64_C(1)), len),
			0);
	}
	if (!rnd_below(r, 4))
		l->s.t.fail_at = 1 + rnd_below(r, 3);
	tenv_restart(&l->s.t);
	phyr_cursor_init(&cur, &list);
	if (!phyr_pgtbl_map(l->s.pt, iova, &cur, RW, &l->s.g)) {
		compare(l);
		assert_int_equal(unmap(&l->s, iova, list.len), 0);
	}
	l->s.t.fail_at = 0;
	phyr_list_fini(&list);
}

static void random_calls(void **state)
{
	struct rnd r = rnd_start("pgtbl/lines");
	struct lines *l = lines_init(PHYR_PGTBL_VTDSS);

	assert_int_equal(map_range(&l->s, GIB(1) + 5 * PAGE, GIB(1), PAGE), 0);
	for (unsigned i = 0; i < ROUNDS(400); i++) {
		random_map(l, &r, rnd_below(&r, GIB(1)) & ~(PAGE - UINT64_C(1)));
		compare(l);
		setup_sync(&l->s);
	}
	lines_fini(l);
}

/*
 * One thread has linked tables in and not yet written the lines back when another maps in them. The
 * other's mapping must lead somewhere for the walker when its call returns, not when the first is
 * done.
 */
static void the_other_thread(void *arg)
{
	struct lines *l = arg;
	struct leaf leaf;

	assert_int_equal(map_range(&l->s, GIB(3) + PAGE, GIB(7), PAGE), 0);
	assert_true(walker_find(&l->seen, GIB(3) + PAGE, &leaf));
	assert_int_equal(leaf.addr, GIB(7));
}

static void lines_of_others_are_waited_for(void **state)
{
	/* More and more of the tables on the way are there already. */
	for (unsigned n = 0; n < 3; n++) {
		struct lines *l = lines_init(PHYR_PGTBL_VTDSS);

		if (n > 0)
			assert_int_equal(map_range(&l->s, GIB(511), 0, PAGE), 0);
		if (n > 1)
			assert_int_equal(map_range(&l->s, GIB(4) - PAGE, 0, PAGE), 0);
		l->sh.before_flush = the_other_thread;
		l->sh.arg = l;
		assert_int_equal(map_range(&l->s, GIB(3), GIB(6), PAGE), 0);
		assert_null(l->sh.before_flush);
		compare(l);
		lines_fini(l);
	}
}

/* An environment without the hook says that all walkers snoop: no table for one that does not. */
static void no_hook_no_table(void **state)
{
	struct phyr_pgtbl_config c = {
		.size = sizeof(c), .format = PHYR_PGTBL_VTDSS, .noncoherent = true};
	struct phyr_pgtbl *pt = NULL;
	struct tenv t;

	tenv_init(&t, NULL);
	assert_int_equal(phyr_pgtbl_create(&t.env, &c, &pt), -EINVAL);
	assert_null(pt);
	assert_string_equal(t.last.call, "phyr_pgtbl_create");
	assert_non_null(strstr(t.last.hint, "flush_lines"));
	tenv_fini(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exactly_what_was_written),
		cmocka_unit_test(large_leaves_and_cut_off_tables),
		cmocka_unit_test(random_calls),
		cmocka_unit_test(lines_of_others_are_waited_for),
		cmocka_unit_test(no_hook_no_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
