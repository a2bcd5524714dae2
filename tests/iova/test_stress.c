/* SPDX-License-Identifier: MIT */
/* Threads allocate and free at once; a byte a granule, owned atomically, shows any overlap. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>

#include "core/order.h"
#include "iova/check.h"
#include "lib/rnd.h"
#include "lib/tenv.h"

#define THREADS     4
#define GRANULES    4096
#define HELD        64
#define STEPS       4000
#define GENERATIONS 4

struct shared {
	struct tenv t; /* first: an environment is its test */
	unsigned nr_slots;
	bool own;
	struct phyr_iova *iova;
	uint8_t owner[GRANULES + 1];
	unsigned clashes;
};

struct thread {
	pthread_t id;
	struct shared *shared;
	struct rnd r;
	uint8_t me;
	unsigned nr;
	struct phyr_range held[HELD];
};

/* Mark granules from one owner to another; whoever meets a third has found an overlap. */
static void mark(struct shared *s, const struct phyr_range *range, uint8_t from, uint8_t to)
{
	for (uint64_t i = range->addr >> 12; i < (range->addr + range->len) >> 12; i++)
		if (__atomic_exchange_n(&s->owner[i], to, __ATOMIC_RELAXED) != from)
			atomic_count_add(&s->clashes, 1);
}

static void take(struct thread *th)
{
	struct phyr_iova_request r = {.size = sizeof(r), .prefer = true};
	struct phyr_range range = {0, (1 + rnd_below(&th->r, 32)) << 12};
	struct shared *s = th->shared;
	int err;

	r.align = (uint64_t)0x1000 << rnd_below(&th->r, 4);
	if (rnd_below(&th->r, 4)) {
		err = phyr_iova_alloc(s->iova, range.len, rnd_below(&th->r, 2) ? &r : NULL,
				      &range.addr);
	} else {
		range.addr = (1 + rnd_below(&th->r, GRANULES)) << 12;
		err = phyr_iova_alloc_at(s->iova, range.addr, range.len);
	}
	if (err)
		return;
	mark(s, &range, 0, th->me);
	th->held[th->nr++] = range;
}

static void drop(struct thread *th)
{
	unsigned i = (unsigned)rnd_below(&th->r, th->nr);
	struct phyr_range range = th->held[i];

	th->held[i] = th->held[--th->nr];
	mark(th->shared, &range, th->me, 0);
	phyr_iova_free(th->shared->iova, range.addr, range.len);
}

/* Have all that is free between some two allocations; there are no holes below the last granule. */
static void reserve(struct thread *th)
{
	struct phyr_iova_hole part = {rnd_below(&th->r, GRANULES) << 12, 0};
	struct phyr_range range;

	if (!rnd_below(&th->r, 4))
		phyr_iova_drain(th->shared->iova, 0, UINT64_MAX);
	if (!phyr_iova_reserve(th->shared->iova, 0x4000, &part))
		return;
	range = (struct phyr_range){part.start, part.last - part.start + 1};
	mark(th->shared, &range, 0, th->me);
	mark(th->shared, &range, th->me, 0);
	phyr_iova_unreserve(th->shared->iova, &part);
}

/* A thread's own environment of mind: slots are shared by all, or hosted ones. */
static unsigned shared_slot(struct phyr_env *env)
{
	static __thread unsigned turn;

	return turn++ % env->nr_slots;
}

/* All that it holds of odd places, at once. */
static void drop_many(struct thread *th)
{
	struct phyr_range many[HELD];
	unsigned nr = 0, left = 0;

	for (unsigned i = 0; i < th->nr; i++) {
		if (i % 2)
			many[nr++] = th->held[i];
		else
			th->held[left++] = th->held[i];
	}
	th->nr = left;
	for (unsigned i = 0; i < nr; i++)
		mark(th->shared, &many[i], th->me, 0);
	phyr_iova_free_many(th->shared->iova, many, nr);
}

static void *work(void *arg)
{
	struct thread *th = arg;
	struct phyr_iova_stats stats;

	for (unsigned i = 0; i < STEPS; i++) {
		if (!rnd_below(&th->r, 50))
			drop_many(th);
		else if (th->nr && (th->nr == HELD || rnd_below(&th->r, 2)))
			drop(th);
		else
			take(th);
		if (i % 1000 == 0)
			phyr_iova_get_stats(th->shared->iova, &stats);
		if (i % 64 == th->me)
			reserve(th);
		if (i % 5000 == th->me)
			phyr_iova_exclude(th->shared->iova, GRANULES << 12, GRANULES << 12);
	}
	/* The rest goes with a later thread: this one's slot is another's then. */
	return NULL;
}

static void no_report(struct phyr_env *env, const struct phyr_report *report)
{
}

static void begin(struct shared *s)
{
	const struct phyr_iova_config config = {.size = sizeof(config),
						.start = 0x1000,
						.last = ((uint64_t)GRANULES << 12) - 1,
						.granule_lg2 = 12};

	tenv_init(&s->t, NULL);
	s->t.env.report = no_report;
	s->t.env.nr_slots = s->nr_slots;
	if (!s->own) {
		s->t.env.slot = shared_slot;
		s->t.env.own_slot = NULL;
	}
	assert_int_equal(phyr_iova_create(&s->t.env, &config, &s->iova), 0);
	s->iova->cache_min = 128;
	s->iova->depot_from = 16;
}

static void end(struct shared *s)
{
	struct phyr_iova_stats stats;

	assert_int_equal(s->clashes, 0);
	iova_check(s->iova);
	phyr_iova_get_stats(s->iova, &stats);
	assert_int_equal(stats.live, 0);
	assert_true(stats.cache_hits > STEPS / 10);
	assert_int_equal(phyr_iova_first_live(s->iova), UINT64_MAX);
	iova_check(s->iova);
	assert_int_equal(s->iova->out, 0);
	assert_int_equal(s->iova->pool.used, 1 + s->iova->holes);
	phyr_iova_destroy(s->iova);
	tenv_fini(&s->t);
}

/* Threads come and go GENERATIONS times; each goes on with what the one before it held. */
static void threads_never_overlap(unsigned nr_slots, bool own)
{
	struct rnd r = rnd_start("iova/stress");
	static struct shared s;
	static struct thread threads[THREADS];

	s = (struct shared){.nr_slots = nr_slots, .own = own};
	begin(&s);
	for (unsigned i = 0; i < THREADS; i++)
		threads[i] =
			(struct thread){.shared = &s, .r = {rnd_u64(&r)}, .me = (uint8_t)(i + 1)};
	for (unsigned g = 0; g < GENERATIONS; g++) {
		for (unsigned i = 0; i < THREADS; i++)
			assert_int_equal(pthread_create(&threads[i].id, NULL, work, &threads[i]),
					 0);
		for (unsigned i = 0; i < THREADS; i++)
			pthread_join(threads[i].id, NULL);
	}
	for (unsigned i = 0; i < THREADS; i++)
		while (threads[i].nr)
			drop(&threads[i]);
	end(&s);
}

static void each_its_slot(void **state)
{
	threads_never_overlap(64, true);
}

/* Two have one of their own, and the others share. */
static void some_without_a_slot(void **state)
{
	threads_never_overlap(2, true);
}

static void one_shared_slot(void **state)
{
	threads_never_overlap(1, false);
}

static void shared_slots(void **state)
{
	threads_never_overlap(3, false);
}

#define PAGES 2 /* that each may hold at once; there are no others */

struct miser {
	pthread_t id;
	struct phyr_iova *iova;
	unsigned refused;
};

/* All that is free, for a moment. */
static void take_all(struct phyr_iova *iova)
{
	struct phyr_iova_hole part = {0, 0};

	phyr_iova_drain(iova, 0, UINT64_MAX);
	while (phyr_iova_reserve(iova, 4096, &part)) {
		phyr_iova_unreserve(iova, &part);
		part.start = part.last + 1;
	}
}

static void *use_up(void *arg)
{
	struct miser *m = arg;
	uint64_t held[PAGES] = {0};

	for (unsigned i = 0; i < 4 * STEPS; i++) {
		uint64_t *one = &held[i * 7 / 3 % PAGES];

		if (*one)
			phyr_iova_free(m->iova, *one, 4096);
		*one = 0;
		if (phyr_iova_alloc(m->iova, 4096, NULL, one))
			m->refused++;
		if (i % 256 == 0)
			take_all(m->iova);
	}
	for (unsigned i = 0; i < PAGES; i++)
		if (held[i])
			phyr_iova_free(m->iova, held[i], 4096);
	return NULL;
}

/* There is a page for each at any time, in whatever caches; it is found though others free and take. */
static void never_refused(unsigned nr_slots, bool own)
{
	const struct phyr_iova_config config = {.size = sizeof(config),
						.start = 4096,
						.last = 4096 * (THREADS * PAGES + 1) - 1,
						.granule_lg2 = 12};
	struct phyr_env env = *phyr_env_hosted();
	struct miser m[THREADS];
	struct phyr_iova *iova;

	env.nr_slots = nr_slots;
	if (!own) {
		env.slot = shared_slot;
		env.own_slot = NULL;
	}
	assert_int_equal(phyr_iova_create(&env, &config, &iova), 0);
	iova->cache_min = 128;
	for (unsigned i = 0; i < THREADS; i++) {
		m[i] = (struct miser){.iova = iova};
		assert_int_equal(pthread_create(&m[i].id, NULL, use_up, &m[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(m[i].id, NULL);
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(m[i].refused, 0);
	iova_check(iova);
	assert_int_equal(phyr_iova_first_live(iova), UINT64_MAX);
	phyr_iova_destroy(iova);
}

static void last_pages(void **state)
{
	never_refused(64, true);
	never_refused(2, true);
	never_refused(3, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_its_slot),   cmocka_unit_test(some_without_a_slot),
		cmocka_unit_test(one_shared_slot), cmocka_unit_test(shared_slots),
		cmocka_unit_test(last_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
