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

#define THREADS  4
#define GRANULES 4096
#define HELD     64
#define STEPS    20000

struct shared {
	struct tenv t;
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
		err = phyr_iova_alloc(s->iova, range.len, &r, &range.addr);
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

static void *work(void *arg)
{
	struct thread *th = arg;
	struct phyr_iova_stats stats;

	for (unsigned i = 0; i < STEPS; i++) {
		if (th->nr && (th->nr == HELD || rnd_below(&th->r, 2)))
			drop(th);
		else
			take(th);
		if (i % 1000 == 0)
			phyr_iova_get_stats(th->shared->iova, &stats);
		if (i % 5000 == th->me)
			phyr_iova_exclude(th->shared->iova, GRANULES << 12, GRANULES << 12);
	}
	while (th->nr)
		drop(th);
	return NULL;
}

static void no_report(struct phyr_env *env, const struct phyr_report *report)
{
}

static void threads_never_overlap(void **state)
{
	const struct phyr_iova_config config = {.size = sizeof(config),
						.start = 0x1000,
						.last = ((uint64_t)GRANULES << 12) - 1,
						.granule_lg2 = 12};
	struct rnd r = rnd_start("iova/stress");
	static struct shared s;
	static struct thread threads[THREADS];

	tenv_init(&s.t, NULL);
	s.t.env.report = no_report;
	assert_int_equal(phyr_iova_create(&s.t.env, &config, &s.iova), 0);
	for (unsigned i = 0; i < THREADS; i++) {
		threads[i] =
			(struct thread){.shared = &s, .r = {rnd_u64(&r)}, .me = (uint8_t)(i + 1)};
		assert_int_equal(pthread_create(&threads[i].id, NULL, work, &threads[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i].id, NULL);
	assert_int_equal(s.clashes, 0);
	iova_check(s.iova);
	assert_int_equal(s.iova->live, 0);
	assert_int_equal(s.iova->pool.used, 1);
	phyr_iova_destroy(s.iova);
	tenv_fini(&s.t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads_never_overlap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
