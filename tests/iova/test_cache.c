/* SPDX-License-Identifier: MIT */
/* The allocator's caches: what they keep, what they give up and when, and what they see of misuse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "iova/check.h"
#include "lib/rnd.h"
#include "lib/tenv.h"

#define K 0x1000ull
#define M 0x100000ull
#define G 0x40000000ull

static struct tenv t;
static unsigned slot_now;

static unsigned slot_of_test(struct phyr_env *env)
{
	return slot_now;
}

static unsigned nobodys(struct phyr_env *env)
{
	return env->nr_slots;
}

static int init(void **state)
{
	tenv_init(&t, NULL);
	slot_now = 0;
	return 0;
}

/* Slots as the test says, shared ones. */
static int init_slots(void **state)
{
	init(state);
	t.env.slot = slot_of_test;
	t.env.own_slot = NULL;
	t.env.fence_all = NULL;
	t.env.nr_slots = 4;
	return 0;
}

static int fini(void **state)
{
	tenv_fini(&t);
	return 0;
}

static struct phyr_iova *make(uint64_t start, uint64_t last)
{
	const struct phyr_iova_config config = {
		.size = sizeof(config), .start = start, .last = last, .granule_lg2 = 12};
	struct phyr_iova *iova = NULL;

	assert_int_equal(phyr_iova_create(&t.env, &config, &iova), 0);
	tenv_restart(&t);
	return iova;
}

static void end(struct phyr_iova *iova)
{
	iova_check(iova);
	phyr_iova_destroy(iova);
}

static uint64_t get(struct phyr_iova *iova, uint64_t len)
{
	uint64_t addr = 0;

	assert_int_equal(phyr_iova_alloc(iova, len, NULL, &addr), 0);
	return addr;
}

static struct phyr_iova_stats stats_of(struct phyr_iova *iova)
{
	struct phyr_iova_stats stats;

	phyr_iova_get_stats(iova, &stats);
	return stats;
}

/* From a granule to 4 MiB: what was freed is given out again, and nothing is rounded up for it. */
static void each_length(void **state)
{
	struct phyr_iova *iova = make(0, 1024 * G - 1);

	for (uint64_t pages = 1; pages <= 1024; pages++) {
		uint64_t addr = get(iova, pages * K), next = get(iova, pages * K - 1);
		struct phyr_iova_stats before = stats_of(iova), after;

		assert_int_equal(next, addr + pages * K);
		phyr_iova_free(iova, addr, pages * K - 5);
		assert_int_equal(stats_of(iova).cached_bytes, before.cached_bytes + pages * K);
		assert_int_equal(stats_of(iova).live_bytes, before.live_bytes - pages * K);
		assert_int_equal(stats_of(iova).live, before.live - 1);
		assert_int_equal(get(iova, pages * K), addr);
		after = stats_of(iova);
		assert_int_equal(after.cache_hits, before.cache_hits + 1);
		assert_int_equal(after.cache_misses, before.cache_misses);
		assert_int_equal(after.live_bytes, before.live_bytes);
	}
	assert_int_equal(t.reports, 0);
	/* One granule more is too long. */
	phyr_iova_free(iova, get(iova, 4 * M + 1), 4 * M + 1);
	assert_int_equal(stats_of(iova).cached_bytes, 0);
	end(iova);
}

/* Of three that are cached the one that is as wished is given; none: another one. */
static void wishes(void **state)
{
	struct phyr_iova *iova = make(0, 64 * G - 1);
	struct phyr_iova_request r = {.size = sizeof(r)};
	uint64_t a[3], addr;

	for (unsigned i = 0; i < 3; i++)
		a[i] = get(iova, K);
	for (unsigned i = 0; i < 3; i++)
		phyr_iova_free(iova, a[i], K);
	r.align = 2 * K;
	assert_int_equal(phyr_iova_alloc(iova, K, &r, &addr), 0);
	assert_int_equal(addr, 2 * K); /* of K, 2 K, 3 K */
	r.skew = K;
	r.limit = 3 * K - 1;
	assert_int_equal(phyr_iova_alloc(iova, K, &r, &addr), 0);
	assert_int_equal(addr, K);
	/* 3 K is cached and not below the limit; nothing else is. */
	assert_int_equal(phyr_iova_alloc(iova, K, &r, &addr), -ENOSPC);
	assert_int_equal(stats_of(iova).cached_bytes, K);
	r.limit = 0;
	r.align = 0;
	r.skew = 0;
	assert_int_equal(phyr_iova_alloc(iova, K, &r, &addr), 0);
	assert_int_equal(addr, 3 * K);
	end(iova);
}

/* Given addresses, and holes, are found where another slot keeps them; what is elsewhere stays. */
static void fixed_from_another_slot(void **state)
{
	struct phyr_iova *iova = make(0, 64 * G - 1);
	uint64_t a = get(iova, 8 * K), b = get(iova, 8 * K), c = get(iova, 8 * K);

	phyr_iova_free(iova, a, 8 * K);
	phyr_iova_free(iova, b, 8 * K);
	phyr_iova_free(iova, c, 8 * K);
	assert_int_equal(stats_of(iova).cached_bytes, 24 * K);
	slot_now = 3;
	assert_int_equal(phyr_iova_alloc_at(iova, b + K, K), 0);
	assert_int_equal(stats_of(iova).cached_bytes, 16 * K);
	assert_int_equal(phyr_iova_alloc_at(iova, b + K, K), -EEXIST);
	assert_int_equal(phyr_iova_exclude(iova, a, a), 0);
	assert_int_equal(stats_of(iova).cached_bytes, 8 * K);
	assert_int_equal(phyr_iova_exclude(iova, b, c), -EBUSY);
	assert_int_equal(stats_of(iova).live, 1);
	assert_int_equal(phyr_iova_first_live(iova), b + K);
	end(iova);
}

/* What one slot keeps is enough for another, long and unlike, when there is nothing else. */
static void nothing_else_is_left(void **state)
{
	const unsigned nr = 256;
	struct phyr_iova *iova = make(K, (nr + 1) * K - 1);
	uint64_t addr = 77;

	iova->cache_min = nr;
	iova->depot_from = 8;
	for (unsigned i = 0; i < nr; i++) {
		slot_now = i % 3;
		assert_int_equal(get(iova, K), (i + 1) * K);
	}
	for (unsigned i = 0; i < nr; i++) {
		slot_now = i % 3;
		phyr_iova_free(iova, (i + 1) * K, K);
	}
	assert_in_range(stats_of(iova).cached_bytes, 6 * K, nr * K);
	iova_check(iova);
	slot_now = 3;
	assert_int_equal(phyr_iova_alloc(iova, (nr + 1) * K, NULL, &addr), -ENOSPC);
	assert_int_equal(addr, 77);
	assert_int_equal(get(iova, nr * K), K);
	assert_int_equal(stats_of(iova).cached_bytes, 0);
	end(iova);
}

#define THREADS 100 /* more than there are slots */

struct thread {
	pthread_t id;
	struct phyr_iova *iova;
	pthread_barrier_t *barrier;
	uint64_t addr;
};

static void *alloc_then_free(void *arg)
{
	struct thread *th = arg;

	th->addr = get(th->iova, 16 * K);
	pthread_barrier_wait(th->barrier); /* all have a slot, or none is left for them */
	phyr_iova_free(th->iova, th->addr, 16 * K);
	return NULL;
}

/* The threads are gone; what lay in their slots' caches is found, and their slots are used again. */
static void threads_ended(void **state)
{
	const uint64_t all = THREADS * 16 * K;
	struct phyr_iova *iova = make(K, K + all - 1);
	struct thread threads[THREADS];
	pthread_barrier_t barrier;

	if (!t.env.own_slot)
		skip();
	iova->cache_min = 1024;
	pthread_barrier_init(&barrier, NULL, THREADS);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < THREADS; i++) {
			threads[i] = (struct thread){.iova = iova, .barrier = &barrier};
			assert_int_equal(
				pthread_create(&threads[i].id, NULL, alloc_then_free, &threads[i]),
				0);
		}
		for (unsigned i = 0; i < THREADS; i++)
			pthread_join(threads[i].id, NULL);
		/* 63 or 64 with a slot, and three of the shared one's. */
		assert_in_range(stats_of(iova).cached_bytes, 50 * 16 * K, 67 * 16 * K);
		assert_int_equal(stats_of(iova).live, 0);
		iova_check(iova);
		assert_int_equal(get(iova, all), K);
		phyr_iova_free(iova, K, all);
	}
	pthread_barrier_destroy(&barrier);
	end(iova);
}

/* A caller for whom there is no slot of its own shares one, with the others like it. */
static void none_of_its_own(void **state)
{
	struct phyr_iova *iova;
	uint64_t addr;

	t.env.own_slot = nobodys;
	iova = make(0, 64 * G - 1);
	addr = get(iova, 5 * K);
	phyr_iova_free(iova, addr, 5 * K);
	assert_int_equal(stats_of(iova).cached_bytes, 5 * K);
	assert_int_equal(get(iova, 5 * K), addr);
	assert_non_null(iova->caches[t.env.nr_slots]);
	assert_true(iova->caches[t.env.nr_slots]->shared);
	end(iova);
}

static void told(const char *hint_part)
{
	assert_int_equal(t.reports, 1);
	assert_int_equal(t.last.err, -EINVAL);
	assert_string_equal(t.last.call, "phyr_iova_free");
	assert_non_null(strstr(t.last.hint, hint_part));
	tenv_restart(&t);
}

/* What is seen of wrong frees: at once, or when the stretch leaves the cache. */
static void wrong_frees(void **state)
{
	struct phyr_iova *iova = make(0, 64 * G - 1);
	uint64_t a = get(iova, 4 * K), b = get(iova, 4 * K);

	phyr_iova_free(iova, a, 4 * K);
	phyr_iova_free(iova, a, 4 * K);
	told("before");
	phyr_iova_free(iova, b + 4 * K, 4 * K); /* above all that ever was */
	told("not allocated");
	phyr_iova_free(iova, b + 1, 4 * K);
	told("not allocated");
	phyr_iova_free(iova, b, 5 * K); /* past the end of all */
	told("not allocated");
	phyr_iova_free(iova, b, 0);
	told("not allocated");
	assert_int_equal(stats_of(iova).live, 1);

	phyr_iova_free(iova, b, 4 * K);
	phyr_iova_free(iova, b, K); /* of another length: it was freed before */
	assert_int_equal(t.reports, 0);
	phyr_iova_first_live(iova); /* empties the caches */
	told("when it was freed");
	phyr_iova_destroy(iova);
}

static void *free_a_page(void *arg)
{
	struct phyr_iova *iova = ((void **)arg)[0];

	phyr_iova_free(iova, *(uint64_t *)((void **)arg)[1], K);
	return NULL;
}

/* Free a page by a thread that has no magazine to put it in. */
static void free_elsewhere(struct phyr_iova *iova, uint64_t addr)
{
	void *arg[] = {iova, &addr};
	pthread_t id;

	assert_int_equal(pthread_create(&id, NULL, free_a_page, arg), 0);
	pthread_join(id, NULL);
}

/* Such a page goes to the depot or the tree: freed twice is seen, unless it was allocated meanwhile. */
static void freed_twice(void **state)
{
	for (unsigned depot = 0; depot < 2; depot++) {
		struct phyr_iova *iova = make(0, 64 * G - 1);
		uint64_t addr[64];

		iova->depot_from = depot ? 1 : 1000;
		for (unsigned i = 0; i < 64; i++)
			addr[i] = get(iova, K);
		for (unsigned i = 0; i < 2; i++) {
			free_elsewhere(iova, addr[40]);
			assert_int_equal(t.reports, 0);
			assert_int_equal(iova->depot.count, depot);
			free_elsewhere(iova, addr[40]);
			told("before");
			assert_int_equal(stats_of(iova).live, 63);
			assert_int_equal(get(iova, K), addr[40]);
		}
		end(iova);
	}
}

/* In the depot it need not be the last one. */
static void freed_twice_in_turn(void **state)
{
	struct phyr_iova *iova = make(0, 64 * G - 1);
	uint64_t addr[64];

	iova->depot_from = 1;
	for (unsigned i = 0; i < 64; i++)
		addr[i] = get(iova, K);
	for (unsigned i = 0; i < 4; i++)
		free_elsewhere(iova, addr[i]);
	assert_int_equal(t.reports, 0);
	assert_int_equal(iova->depot.count, 4);
	free_elsewhere(iova, addr[1]);
	told("before");
	end(iova);
}

/* The same where the magazine took it under the lock, as somebody visits the cache. */
static void freed_twice_visited(void **state)
{
	struct phyr_iova *iova = make(0, 64 * G - 1);
	uint64_t a = get(iova, K);
	struct iova_cache *cache = iova->caches[0];

	phyr_iova_cache_visit(iova, cache);
	phyr_iova_free(iova, a, K);
	assert_int_equal(t.reports, 0);
	phyr_iova_free(iova, a, K);
	told("before");
	phyr_iova_cache_leave(cache);
	assert_int_equal(stats_of(iova).cached_bytes, K);
	end(iova);
}

/* Nobody uses a cache in passing while it is closed with all, or somebody visits it. */
static void visited(bool own, bool all)
{
	struct phyr_iova *iova = make(0, 64 * G - 1);
	uint64_t a = get(iova, K), b;
	struct iova_cache *cache;

	phyr_iova_free(iova, a, K);
	cache = iova->caches[own ? env_own_slot(&t.env) : 0];
	assert_non_null(cache);
	assert_int_equal(cache->shared, !own);
	if (all)
		phyr_iova_caches_close(iova);
	else
		phyr_iova_cache_visit(iova, cache);
	b = get(iova, K);
	assert_true(a != b);
	assert_int_equal(cache->used, CACHE_ONE + 1);
	if (all)
		phyr_iova_caches_open(iova);
	else
		phyr_iova_cache_leave(cache);
	assert_int_equal(get(iova, K), a);
	end(iova);
}

static void visited_own(void **state)
{
	if (!t.env.own_slot)
		skip();
	visited(true, true);
}

static void visited_shared(void **state)
{
	visited(false, false);
	tenv_restart(&t);
	visited(false, true);
}

/* While caches are emptied nothing goes from one to another, where it would be missed. */
static void drained(void **state)
{
	struct phyr_iova *iova = make(0, 64 * G - 1);
	uint64_t addr[64];

	iova->depot_from = 1;
	for (unsigned i = 0; i < 64; i++)
		addr[i] = get(iova, K);
	iova->drains = 1;
	for (unsigned i = 0; i < 16; i++)
		phyr_iova_free(iova, addr[i], K);
	assert_int_equal(iova->depot.count, 0);
	iova->drains = 0;
	for (unsigned i = 16; i < 32; i++)
		phyr_iova_free(iova, addr[i], K);
	assert_in_range(iova->depot.count, 1, 16);
	end(iova);
}

/* A cache that was emptied stays so until all are: what is freed meanwhile is there for everybody. */
static void emptied_stays_empty(void **state)
{
	struct phyr_iova *iova = make(0, 64 * G - 1);
	uint64_t a = get(iova, K), b = get(iova, K), c;
	struct iova_drain d = {.last = UINT64_MAX};
	int more;

	phyr_iova_free(iova, a, K);
	slot_now = 1;
	c = get(iova, K);
	phyr_iova_free(iova, c, K);
	do {
		more = phyr_iova_drain_step(iova, &d, 0);
		assert_true(more >= 0);
		phyr_iova_unlock_and_trim(iova);
	} while (more);
	assert_int_equal(iova->out, 1);
	slot_now = 0;
	phyr_iova_free(iova, b, K);
	assert_int_equal(iova->out, 0);
	phyr_iova_drain_end(iova, &d);
	a = get(iova, K);
	phyr_iova_free(iova, a, K);
	assert_int_equal(iova->out, 1);
	end(iova);
}

/* However much is freed, caches stay small beside what is live, and each slot's beside all. */
static void bounded(void **state)
{
	const unsigned nr = 20000, max = 1024;
	struct rnd r = rnd_start("iova/cache bounded");
	struct phyr_iova *iova = make(0, 1024 * G - 1);
	struct phyr_range *live = calloc(nr, sizeof(*live));
	struct phyr_iova_stats stats;
	uint64_t most = 0;

	for (unsigned i = 0; i < 20 * nr; i++) {
		struct phyr_range *one = &live[rnd_below(&r, nr)];

		slot_now = (unsigned)rnd_below(&r, 4);
		if (one->len)
			phyr_iova_free(iova, one->addr, one->len);
		/* Short ones come first, then long ones only. */
		one->len = (i < 4 * nr ? rnd_log(&r, 1, 16) : rnd_log(&r, 16, max)) * K;
		one->addr = get(iova, one->len);
		if (i % 1000)
			continue;
		stats = stats_of(iova);
		assert_true(stats.cached_bytes <= stats.live_bytes / 2 + 4 * 16 * M);
		most = stats.meta_bytes > most ? stats.meta_bytes : most;
	}
	iova_check(iova);
	stats = stats_of(iova);
	assert_true(stats.highest < stats.live_bytes + stats.live_bytes / 2);
	for (unsigned i = 0; i < nr; i++)
		if (live[i].len)
			phyr_iova_free(iova, live[i].addr, live[i].len);
	iova_check(iova);
	stats = stats_of(iova);
	printf("# metadata: at most %u KiB with %u live, %u KiB after\n", (unsigned)(most >> 10),
	       nr, (unsigned)(stats.meta_bytes >> 10));
	assert_int_equal(stats.live, 0);
	/* What is left is in the slots, three a length at most, and not more than that in the depot. */
	assert_in_range(iova->out, 1, 4 * 3 * 1024 * 3 / 2);
	assert_true(iova->depot.count <= iova->out / 2);
	assert_true(most < 128 * nr + (1 << 20));
	assert_true(stats.meta_bytes < 1 << 20);
	phyr_iova_first_live(iova); /* empties the caches */
	phyr_iova_free(iova, get(iova, K), K);
	stats = stats_of(iova);
	assert_true(stats.meta_bytes < 256 << 10);
	free(live);
	end(iova);
}

/* Bring a random one of those from i on to place i. */
static void pick(struct rnd *r, struct phyr_range *live, unsigned i, unsigned nr)
{
	unsigned j = i + (unsigned)rnd_below(r, nr - i);
	struct phyr_range one = live[j];

	live[j] = live[i];
	live[i] = one;
}

/* So many of two lengths that the depot wants a second block; it is given back after them. */
static void very_many(void **state)
{
	const unsigned nr = 2u << 17, some = nr / 8;
	struct rnd r = rnd_start("iova/cache very_many");
	struct phyr_iova *iova = make(0, 1024 * G - 1);
	struct phyr_range *live = malloc(nr * sizeof(*live));

	for (unsigned i = 0; i < nr; i++) {
		live[i].len = (2 + i % 2) * K;
		live[i].addr = get(iova, live[i].len);
	}
	for (unsigned i = 0; i < some; i++) {
		pick(&r, live, i, nr);
		phyr_iova_free(iova, live[i].addr, live[i].len);
	}
	iova_check(iova);
	assert_non_null(iova->depot.second[1]);
	assert_true(iova->depot.count > 2u << DEPOT_ROOM_LG2);
	assert_int_equal(phyr_iova_alloc_at(iova, live[0].addr, live[0].len), 0);
	for (unsigned i = 1; i < some; i++)
		live[i].addr = get(iova, live[i].len);
	iova_check(iova);
	assert_int_equal(stats_of(iova).live, nr);
	for (unsigned i = 0; i < nr; i++)
		phyr_iova_free(iova, live[i].addr, live[i].len);
	assert_int_equal(phyr_iova_first_live(iova), UINT64_MAX);
	assert_int_equal(t.reports, 0);
	assert_null(iova->depot.second[1]);
	assert_true(stats_of(iova).meta_bytes < 128 << 10);
	free(live);
	end(iova);
}

/* Whatever the granule; from 16 MiB on there is none below 4 MiB, and no cache. */
static void large_granules(void **state)
{
	for (unsigned lg2 = 12; lg2 <= 30; lg2 += 2) {
		const struct phyr_iova_config config = {
			.size = sizeof(config), .last = ~0ull, .granule_lg2 = lg2};
		struct phyr_iova *iova;
		uint64_t addr;

		assert_int_equal(phyr_iova_create(&t.env, &config, &iova), 0);
		iova->depot_from = 1;
		for (uint64_t n = 1; n <= 2000; n = n * 3 / 2 + 1) {
			addr = get(iova, n << lg2);
			for (unsigned i = 0; i < 5; i++)
				phyr_iova_free(iova, get(iova, n << lg2), n << lg2);
			phyr_iova_free(iova, addr, n << lg2);
			iova_check(iova);
		}
		assert_int_equal(stats_of(iova).cache_hits > 1, lg2 <= 22);
		end(iova);
	}
}

#define TEST(f)       cmocka_unit_test_setup_teardown(f, init, fini)
#define TEST_SLOTS(f) cmocka_unit_test_setup_teardown(f, init_slots, fini)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_length),
		TEST_SLOTS(wishes),
		TEST_SLOTS(fixed_from_another_slot),
		TEST_SLOTS(nothing_else_is_left),
		TEST(threads_ended),
		TEST(none_of_its_own),
		TEST(wrong_frees),
		TEST(freed_twice),
		TEST(freed_twice_in_turn),
		TEST_SLOTS(freed_twice_visited),
		TEST(visited_own),
		TEST_SLOTS(visited_shared),
		TEST(drained),
		TEST_SLOTS(emptied_stays_empty),
		TEST_SLOTS(bounded),
		TEST(very_many),
		TEST(large_granules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
