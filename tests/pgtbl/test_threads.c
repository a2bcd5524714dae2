/* SPDX-License-Identifier: MIT */
/*
 * Threads on disjoint iova that share tables: eight pages of every table for each in turn, and, in
 * another stretch, two megabytes of each four times as many for each. One table of a walker that
 * snoops, one of a walker that does not, whose entries get their lines written back by whoever comes
 * first.
 */
#include <pthread.h>
#include <stdio.h>

#include "core/bits.h"
#include "lib/rnd.h"
#include "pgtbl/setup.h"

#define THREADS 4
#define SMALL   GIB(8)
#define LARGE   GIB(32)

struct worker {
	pthread_t thread;
	struct setup *s;
	struct rnd r;
	unsigned number;
	uint64_t failed; /* line of the first check that did not hold */
};

/* cmocka's asserts are for one thread only. */
#define CHECK(w, what)                          \
	do {                                    \
		if (!(what) && !(w)->failed)    \
			(w)->failed = __LINE__; \
	} while (0)

static void sync(struct worker *w, struct phyr_gather *g)
{
	phyr_pgtbl_free_gathered(w->s->pt, g);
	phyr_gather_init(g);
}

/* What was just mapped is there, nothing else has come in between. */
static void check(struct worker *w, uint64_t iova, uint64_t addr, uint64_t len)
{
	struct phyr_translation tr = {0};
	uint64_t at = rnd_below(&w->r, len);

	CHECK(w, !phyr_pgtbl_translate(w->s->pt, iova + at, &tr));
	CHECK(w, tr.addr == addr + at);
	CHECK(w, tr.prot == RW);
}

static void map_check_unmap(struct worker *w, uint64_t iova, uint64_t addr, uint64_t len,
			    struct phyr_gather *g)
{
	struct phyr_translation tr;
	struct phyr_cursor cur;

	phyr_cursor_init_range(&cur, addr, len);
	CHECK(w, !phyr_pgtbl_map(w->s->pt, iova, &cur, RW, g));
	check(w, iova, addr, len);
	CHECK(w, !phyr_pgtbl_unmap(w->s->pt, iova, len, g, NULL));
	CHECK(w, phyr_pgtbl_translate(w->s->pt, iova, &tr) == -ENOENT);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct phyr_gather g;

	phyr_gather_init(&g);
	for (unsigned i = 0; i < ROUNDS(10000); i++) {
		uint64_t turn = rnd_below(&w->r, 256) * THREADS + w->number;
		uint64_t addr = rnd_below(&w->r, TIB(1)) & ~(MIB(2) - 1);

		/* Pages of tables that all threads install and nobody ever covers. */
		map_check_unmap(w, SMALL + turn * 8 * PAGE, addr, rnd_log(&w->r, 1, 8) * PAGE, &g);
		/* Whole leaf tables, or large leaves in their place. */
		turn = rnd_below(&w->r, 16) * THREADS + w->number;
		map_check_unmap(w, LARGE + turn * MIB(2), addr + (i & 1) * PAGE, MIB(2), &g);
		map_check_unmap(w, LARGE + turn * MIB(2) + 3 * PAGE, addr, 5 * PAGE, &g);
		if (i % 16 == 0)
			sync(w, &g);
	}
	sync(w, &g);
	return NULL;
}

static void no_flush(struct phyr_env *env, const void *p, size_t len)
{
}

static void run(bool noncoherent)
{
	struct phyr_pgtbl_config c = {
		.size = sizeof(c), .format = PHYR_PGTBL_VTDSS, .noncoherent = noncoherent};
	struct rnd r = rnd_start("pgtbl/threads");
	struct worker workers[THREADS];
	struct setup s;

	tenv_init(&s.t, NULL);
	s.t.env.flush_lines = no_flush;
	assert_int_equal(phyr_pgtbl_create(&s.t.env, &c, &s.pt), 0);
	walker_init(&s.w, &s.t.env, c.format, s.pt);
	phyr_gather_init(&s.g);
	for (unsigned i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){.s = &s, .r = {rnd_u64(&r)}, .number = i};
		assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(workers[i].thread, NULL);
		assert_int_equal(workers[i].failed, 0);
	}
	assert_int_equal(phyr_pgtbl_tables(s.pt), walker_tables(&s.w));
	assert_int_equal(s.t.live_pages, walker_tables(&s.w));
	setup_fini(&s);
}

static void snooping(void **state)
{
	run(false);
}

static void not_snooping(void **state)
{
	run(true);
}

/* The race to install the same tables, over and over: all threads start on an empty table at once. */
struct race {
	pthread_barrier_t *barrier;
	struct setup *s;
	unsigned number;
	int err;
};

static void *race(void *arg)
{
	struct race *r = arg;
	struct phyr_cursor cur;
	struct phyr_gather g;

	phyr_gather_init(&g);
	phyr_cursor_init_range(&cur, GIB(1), PAGE);
	pthread_barrier_wait(r->barrier);
	r->err = phyr_pgtbl_map(r->s->pt, GIB(3) + r->number * PAGE, &cur, RW, &g);
	return NULL;
}

static void race_once(bool noncoherent)
{
	struct phyr_pgtbl_config c = {
		.size = sizeof(c), .format = PHYR_PGTBL_X86_64, .noncoherent = noncoherent};
	pthread_barrier_t barrier;
	pthread_t threads[THREADS];
	struct race races[THREADS];
	struct setup s;

	tenv_init(&s.t, NULL);
	s.t.env.flush_lines = no_flush;
	assert_int_equal(phyr_pgtbl_create(&s.t.env, &c, &s.pt), 0);
	walker_init(&s.w, &s.t.env, c.format, s.pt);
	phyr_gather_init(&s.g);
	pthread_barrier_init(&barrier, NULL, THREADS);
	for (unsigned i = 0; i < THREADS; i++) {
		races[i] = (struct race){&barrier, &s, i, 0};
		assert_int_equal(pthread_create(&threads[i], NULL, race, &races[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(races[i].err, 0);
	}
	pthread_barrier_destroy(&barrier);
	assert_int_equal(phyr_pgtbl_tables(s.pt), 4);
	assert_int_equal(s.t.live_pages, 4);
	assert_int_equal(unmap(&s, GIB(3), THREADS * PAGE), 0);
	setup_fini(&s);
}

static void racing_to_install(void **state)
{
	for (unsigned i = 0; i < 200; i++)
		race_once(i & 1);
}

/* The same race with its outcome settled: another thread's call comes in at each allocation in turn. */
struct late {
	struct tenv base; /* under the test's own, so that its allocations are seen here */
	struct setup s;
	uint64_t countdown;
};

static void *late_alloc(struct phyr_env *env, size_t size)
{
	struct late *l = (struct late *)env;
	void *p = phyr_env_hosted()->alloc_pages(phyr_env_hosted(), size);

	if (!--l->countdown)
		assert_int_equal(map_range(&l->s, GIB(3) + PAGE, GIB(7), PAGE), 0);
	return p;
}

static void losing_the_race(void **state)
{
	for (uint64_t n = 1; n <= 3; n++) {
		struct phyr_pgtbl_config c = {.size = sizeof(c), .format = PHYR_PGTBL_VTDSS};
		struct phyr_translation tr;
		struct late l;

		tenv_init(&l.base, NULL);
		l.base.env.alloc_pages = late_alloc;
		l.countdown = n + 1;
		tenv_init(&l.s.t, &l.base.env);
		assert_int_equal(phyr_pgtbl_create(&l.s.t.env, &c, &l.s.pt), 0);
		phyr_gather_init(&l.s.g);
		assert_int_equal(map_range(&l.s, GIB(3), GIB(6), PAGE), 0);
		assert_true(l.countdown > UINT64_MAX - 8);
		assert_int_equal(phyr_pgtbl_tables(l.s.pt), 4);
		assert_int_equal(l.s.t.live_pages, 4);
		assert_int_equal(phyr_pgtbl_translate(l.s.pt, GIB(3), &tr), 0);
		assert_int_equal(tr.addr, GIB(6));
		assert_int_equal(phyr_pgtbl_translate(l.s.pt, GIB(3) + PAGE, &tr), 0);
		assert_int_equal(tr.addr, GIB(7));
		setup_fini(&l.s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(snooping),
		cmocka_unit_test(not_snooping),
		cmocka_unit_test(racing_to_install),
		cmocka_unit_test(losing_the_race),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
