/* SPDX-License-Identifier: MIT */
/*
 * Random calls against a slow, obvious model: one byte a granule, searched from its start.
 *
 * A place for an unaligned request must be the model's lowest. An aligned one may only be refused
 * where the header lets it: no stretch of len + align - granule is free below the limit, and, with
 * few stretches, no place at all.
 *
 * With caches a place need not be the lowest, but what is refused is the same; calls come in slots by
 * chance, each its caller's own or shared.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "iova/check.h"
#include "lib/rnd.h"
#include "lib/tenv.h"

#define MANY 100 /* freed at once, at most */

enum { FREE, LIVE, HOLE };

struct live {
	uint64_t at; /* granules from the range's start */
	uint64_t nr;
	uint64_t slack; /* bytes less than whole granules that were asked for */
};

/* How slots are. */
struct slots {
	unsigned nr; /* 0: no caches */
	bool own;    /* each its caller's own, and now and then none is */
};

struct model {
	struct tenv t; /* first: an environment is its model */
	struct rnd r;
	struct slots slots;
	unsigned slot;
	unsigned fences;
	struct phyr_iova *iova;
	unsigned lg2;
	uint64_t base; /* granules: the range's first */
	uint64_t nr;   /* granules in the range */
	uint8_t *state;
	struct live *live;
	uint64_t nr_live;
	uint64_t max_nr;   /* granules of the longest request */
	uint64_t max_live; /* aim */
	uint64_t counts[8];
};

static bool all_are(const struct model *m, uint64_t at, uint64_t nr, uint8_t what)
{
	for (uint64_t i = at; i < at + nr; i++)
		if (m->state[i] != what)
			return false;
	return true;
}

static bool any_is(const struct model *m, uint64_t at, uint64_t nr, uint8_t what)
{
	for (uint64_t i = at; i < at + nr; i++)
		if (m->state[i] == what)
			return true;
	return false;
}

/* Free granules from at on, up to nr. */
static uint64_t free_from(const struct model *m, uint64_t at)
{
	uint64_t i = at;

	while (i < m->nr && m->state[i] == FREE)
		i++;
	return i - at;
}

struct request {
	uint64_t nr;    /* granules wanted */
	uint64_t align; /* in granules, power of two */
	uint64_t skew;
	uint64_t end; /* granules below the limit, from the range's start */
};

/* The lowest place, or m->nr. */
static uint64_t lowest(const struct model *m, const struct request *q)
{
	uint64_t at = 0;

	while (at + q->nr <= q->end) {
		uint64_t n = free_from(m, at);
		uint64_t a = at + ((q->skew - (m->base + at)) & (q->align - 1));

		if (n && a + q->nr <= at + n && a + q->nr <= q->end)
			return a;
		at += n + 1;
	}
	return m->nr;
}

/* Whether the header promises a place. */
static bool promised(const struct model *m, const struct request *q)
{
	uint64_t need = q->nr + q->align - 1, long_enough = 0;

	for (uint64_t at = 0, n; at < m->nr; at += n + 1) {
		n = free_from(m, at);
		long_enough += n >= q->nr;
		if (n >= need && at + need <= q->end)
			return true;
	}
	return long_enough <= IOVA_ALIGN_TRIES && lowest(m, q) < m->nr;
}

static void set(struct model *m, uint64_t at, uint64_t nr, uint8_t what)
{
	memset(m->state + at, what, nr);
}

static void add_live(struct model *m, uint64_t at, uint64_t nr, uint64_t slack)
{
	set(m, at, nr, LIVE);
	m->live[m->nr_live++] = (struct live){at, nr, slack};
}

static uint64_t addr_of(const struct model *m, uint64_t at)
{
	return (m->base + at) << m->lg2;
}

static uint64_t len_of(const struct model *m, uint64_t nr, uint64_t slack)
{
	return (nr << m->lg2) - slack;
}

static uint64_t random_slack(struct model *m)
{
	return rnd_below(&m->r, 2) ? 0 : rnd_below(&m->r, (uint64_t)1 << m->lg2);
}

/* Random wishes, as the call takes them and in the model's terms. */
static void wish(struct model *m, struct request *q, struct phyr_iova_request *ask)
{
	*q = (struct request){.nr = rnd_log(&m->r, 1, m->max_nr), .align = 1, .end = m->nr};
	*ask = (struct phyr_iova_request){.size = sizeof(*ask)};
	if (rnd_below(&m->r, 2)) {
		q->align = (uint64_t)1 << rnd_below(&m->r, 7);
		q->skew = rnd_below(&m->r, q->align);
		ask->align = q->align << m->lg2;
		ask->skew = q->skew << m->lg2;
		ask->prefer = rnd_below(&m->r, 2);
	}
	if (!rnd_below(&m->r, 4)) {
		q->end = rnd_below(&m->r, m->nr + 1);
		ask->limit = addr_of(m, q->end) - 1 + rnd_below(&m->r, (uint64_t)1 << m->lg2);
	}
}

/* Nothing was given: nothing had to be. */
static void check_refusal(const struct model *m, struct request q, bool prefer)
{
	assert_false(promised(m, &q));
	q.align = 1;
	q.skew = 0;
	if (prefer)
		assert_int_equal(lowest(m, &q), m->nr);
}

/* What was given is free, below the limit, and as wished. */
static void check_place(const struct model *m, const struct request *q, uint64_t out, bool prefer)
{
	uint64_t at = (out >> m->lg2) - m->base;

	assert_int_equal(out & (((uint64_t)1 << m->lg2) - 1), 0);
	assert_true(at < m->nr && at + q->nr <= q->end);
	assert_true(all_are(m, at, q->nr, FREE));
	if (((out >> m->lg2) & (q->align - 1)) != q->skew) {
		assert_true(prefer);
		/* For a mere wish caches are not emptied. */
		assert_false(!m->slots.nr && promised(m, q));
	}
	if (q->align == 1 && !m->slots.nr)
		assert_int_equal(at, lowest(m, q));
}

static void do_alloc(struct model *m)
{
	struct phyr_iova_request ask;
	uint64_t slack = random_slack(m), out = 0;
	struct request q;
	int err;

	wish(m, &q, &ask);
	err = phyr_iova_alloc(m->iova, len_of(m, q.nr, slack), &ask, &out);
	m->counts[err ? 1 : 0]++;
	if (err) {
		assert_int_equal(err, -ENOSPC);
		check_refusal(m, q, ask.prefer);
		return;
	}
	check_place(m, &q, out, ask.prefer);
	add_live(m, (out >> m->lg2) - m->base, q.nr, slack);
}

static void do_alloc_at(struct model *m)
{
	uint64_t nr = rnd_log(&m->r, 1, m->max_nr), at = rnd_below(&m->r, m->nr + 2);
	uint64_t slack = random_slack(m), i;
	int want = 0, err;

	if (!m->base && !at)
		at = 1;
	/* What stands in the way first decides. */
	for (i = at; i < at + nr && i < m->nr && m->state[i] == FREE; i++)
		;
	if (at + nr > m->nr)
		want = -ERANGE;
	else if (i < at + nr)
		want = m->state[i] == HOLE ? -ERANGE : -EEXIST;
	err = phyr_iova_alloc_at(m->iova, addr_of(m, at), len_of(m, nr, slack));
	assert_int_equal(err, want);
	m->counts[err ? 3 : 2]++;
	if (!err)
		add_live(m, at, nr, slack);
}

static void do_free(struct model *m)
{
	struct live *one, was;

	if (!m->nr_live)
		return;
	one = &m->live[rnd_below(&m->r, m->nr_live)];
	was = *one;
	*one = m->live[--m->nr_live];
	phyr_iova_free(m->iova, addr_of(m, was.at), len_of(m, was.nr, was.slack));
	assert_int_equal(m->t.reports, 0);
	set(m, was.at, was.nr, FREE);
	m->counts[4]++;
}

/* Many at once, none twice: some of length 0 among them. */
static void do_free_many(struct model *m)
{
	struct phyr_range many[MANY];
	uint64_t nr = rnd_log(&m->r, 1, MANY);

	for (uint64_t i = 0; i < nr; i++) {
		struct live *one, was;

		many[i] = (struct phyr_range){0, 0};
		if (!m->nr_live || !rnd_below(&m->r, 20))
			continue;
		one = &m->live[rnd_below(&m->r, m->nr_live)];
		was = *one;
		*one = m->live[--m->nr_live];
		set(m, was.at, was.nr, FREE);
		many[i].addr = addr_of(m, was.at);
		many[i].len = len_of(m, was.nr, was.slack);
	}
	phyr_iova_free_many(m->iova, many, nr);
	assert_int_equal(m->t.reports, 0);
	m->counts[7]++;
}

static void do_exclude(struct model *m)
{
	uint64_t nr = 1 + rnd_below(&m->r, 4), at = rnd_below(&m->r, m->nr - nr + 1);
	uint64_t in = ((uint64_t)1 << m->lg2) - 1;
	uint64_t start = addr_of(m, at) + rnd_below(&m->r, in + 1);
	uint64_t last = addr_of(m, at + nr - 1) + in;
	int err;

	if (nr > 1)
		last -= rnd_below(&m->r, in + 1);
	err = phyr_iova_exclude(m->iova, start, last);
	assert_int_equal(err, any_is(m, at, nr, LIVE) ? -EBUSY : 0);
	if (!err)
		set(m, at, nr, HOLE);
	m->counts[err ? 6 : 5]++;
}

static void check_stats(struct model *m)
{
	struct phyr_iova_stats stats;
	uint64_t live = 0, holes = 0, first = 0;

	for (uint64_t i = 0; i < m->nr; i++) {
		live += m->state[i] == LIVE;
		holes += m->state[i] == HOLE;
	}
	while (first < m->nr && m->state[first] != LIVE)
		first++;
	assert_int_equal(phyr_iova_first_live(m->iova),
			 first < m->nr ? (m->base + first) << m->lg2 : UINT64_MAX);
	phyr_iova_get_stats(m->iova, &stats);
	assert_int_equal(stats.live, m->nr_live);
	assert_int_equal(stats.live_bytes, live << m->lg2);
	assert_int_equal(stats.total_bytes, (m->nr - holes) << m->lg2);
}

static void one_step(struct model *m)
{
	bool full = m->nr_live >= m->max_live;
	unsigned what = (unsigned)rnd_below(&m->r, 1000);

	tenv_restart(&m->t);
	if (m->slots.nr)
		m->slot = (unsigned)rnd_below(&m->r, m->slots.nr + m->slots.own);
	if (what < (full ? 300u : 500u))
		do_alloc(m);
	else if (what < (full ? 400u : 600u))
		do_alloc_at(m);
	else if (what < (full ? 985u : 995u))
		do_free(m);
	else if (what < 997)
		do_free_many(m);
	else
		do_exclude(m);
}

static void give_all_back(struct model *m)
{
	tenv_restart(&m->t);
	while (m->nr_live)
		do_free(m);
	check_stats(m);
	iova_check(m->iova);
	assert_true(m->iova->pool.used <= 2 * m->iova->holes + 1);
	assert_true(m->iova->pool.capacity <= 2 * m->iova->holes + 1 + 3 * IOVA_SLAB_NODES);
	if (!m->iova->holes)
		assert_int_equal(m->iova->pool.used, 1);
}

static unsigned model_slot(struct phyr_env *env)
{
	struct model *m = (struct model *)env;

	return m->slot;
}

static void model_fence_all(struct phyr_env *env, unsigned tries)
{
	struct model *m = (struct model *)env;

	assert_int_equal(tries, 0); /* nobody else is inside */
	m->fences++;
}

static void set_slots(struct model *m)
{
	m->slot = 0;
	m->t.env.own_slot = m->slots.own ? model_slot : NULL;
	m->t.env.fence_all = m->slots.own ? model_fence_all : NULL;
	m->t.env.slot = model_slot;
	m->t.env.nr_slots = m->slots.nr ? m->slots.nr : 1;
}

/* Small ranges and few allocations use caches as large ones do. */
static void loosen(struct model *m)
{
	m->iova->cache_min = 2 * m->max_nr;
	m->iova->depot_from = rnd_below(&m->r, 2) ? 8 : 1024;
}

/* Returns the allocations that caches served. */
static uint64_t run(struct model *m, unsigned lg2, uint64_t first, uint64_t nr, uint64_t max_nr,
		    uint64_t max_live, unsigned steps)
{
	const struct phyr_iova_config config = {.size = sizeof(config),
						.start = first << lg2,
						.last = ((first + nr) << lg2) - 1,
						.granule_lg2 = lg2,
						.no_cache = !m->slots.nr};
	struct phyr_iova_stats stats;

	m->lg2 = lg2;
	m->base = first;
	m->nr = nr;
	m->max_nr = max_nr;
	m->max_live = max_live;
	m->nr_live = 0;
	m->state = calloc(nr, 1);
	m->live = malloc(nr * sizeof(*m->live));
	tenv_init(&m->t, NULL);
	set_slots(m);
	assert_int_equal(phyr_iova_create(&m->t.env, &config, &m->iova), 0);
	loosen(m);
	for (unsigned i = 0; i < steps; i++) {
		one_step(m);
		if (i % (nr / 4 + 1) == 0) {
			iova_check(m->iova);
			check_stats(m);
		}
	}
	phyr_iova_get_stats(m->iova, &stats);
	give_all_back(m);
	phyr_iova_destroy(m->iova);
	tenv_fini(&m->t);
	free(m->live);
	free(m->state);
	return stats.cache_hits;
}

static const struct slots kinds[] = {
	{0, false}, {1, false}, {1, true}, {2, false}, {2, true}, {64, false}, {64, true},
};
#define NR_KINDS (sizeof(kinds) / sizeof(kinds[0]))

static void small(void **state)
{
	for (unsigned k = 0; k < NR_KINDS; k++) {
		struct model m = {.r = rnd_start("iova/model small"), .slots = kinds[k]};
		uint64_t hits = 0;

		for (unsigned i = 0; i < 24; i++) {
			unsigned lg2 = i & 1 ? 16 : 12;
			/* Ends at ~0, less one granule. */
			uint64_t top = ((uint64_t)1 << (64 - lg2)) - 1;

			hits += run(&m, lg2, i & 2 ? top - 200 : 1, 200, 40, 5 + 2 * i, 5000);
		}
		for (unsigned i = 0; i < 8; i++)
			assert_true(m.counts[i] > 100);
		assert_int_equal(hits > 20, kinds[k].nr != 0);
		assert_int_equal(m.fences > 100, kinds[k].own);
	}
}

static void large(void **state)
{
	for (unsigned k = 0; k < NR_KINDS; k++) {
		struct model m = {.r = rnd_start("iova/model large"), .slots = kinds[k]};

		run(&m, 12, 5, 20000, 300, 1500, 9000);
		run(&m, 16, 1 << 20, 20000, 8, 5000, 12000);
		for (unsigned i = 0; i < 5; i++)
			assert_true(m.counts[i] > 50);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small),
		cmocka_unit_test(large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
