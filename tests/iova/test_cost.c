/* SPDX-License-Identifier: MIT */
/*
 * What a call touches: never linear in what is live.
 *
 * All memory of the allocator lies in an arena that counts the pages that are touched. 2 n granules
 * are allocated and every second one is freed, in random order, so that neighbours in the tree lie
 * pages apart; n are live then, and n stretches of a granule are free between them:
 *
 *     | free | live | free | live | … | free | live |  free up to the end
 *       odd    even   odd    even                      two granules and more only here
 *
 * The bound is c log2(n) pages. An AVL tree is 1.44 log2(n) high at most. A search reads a node of
 * each level and perhaps its other child; on the way up both children of each changed node are read,
 * most of them seen on the way down; and a node's memory is filled with the last one's, which has a
 * parent and two children of its own. That makes c = 3. An aligned search tries 16 stretches, which
 * are neighbours here, and then searches again: c = 4. The nodes lie on 14 pages where 1,000
 * are live, so there the bound says little; on some 2,800 where it is 200,000, and a search one by
 * one would touch them all.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "iova/check.h"
#include "lib/rnd.h"
#include "lib/touch.h"

#define K      0x1000ull
#define ROUNDS 80

/* Times log2(n) pages: for a call with no alignment, and for one of up to 18 searches. */
#define PLAIN   3
#define ALIGNED 4

/*
 * With caches a free can move eight stretches on: two of its magazine, each in place of two others, and
 * four that are too many; an allocation takes one, and looks at the caches first (ALIGNED does).
 */
#define CACHED      (8 * PLAIN)
#define CACHE_PAGES 2048

struct cost {
	struct touch touch;
	struct phyr_iova *iova;
	uint64_t nr; /* live: granules 2, 4, … 2 nr */
	unsigned log2;
};

/* Granule i; the first one is 1. */
static uint64_t at(uint64_t i)
{
	return i * K;
}

static uint64_t pages_for(uint64_t nr)
{
	return 2 * (2 * nr / IOVA_SLAB_NODES) + 4 * ROUNDS + CACHE_PAGES;
}

/* The odd granules, in random order. */
static uint64_t *shuffled(struct rnd *r, uint64_t nr)
{
	uint64_t *odd = malloc(nr * sizeof(*odd));

	assert_non_null(odd);
	for (uint64_t i = 0; i < nr; i++) {
		uint64_t k = rnd_below(r, i + 1);

		odd[i] = odd[k];
		odd[k] = 2 * i + 1;
	}
	return odd;
}

static void fragment(struct cost *c, struct rnd *r)
{
	uint64_t *odd = shuffled(r, c->nr), addr;

	for (uint64_t i = 1; i <= 2 * c->nr; i++) {
		assert_int_equal(phyr_iova_alloc(c->iova, K, NULL, &addr), 0);
		assert_int_equal(addr, at(i));
	}
	for (uint64_t i = 0; i < c->nr; i++)
		phyr_iova_free(c->iova, at(odd[i]), K);
	free(odd);
}

static void cost_init(struct cost *c, struct rnd *r, uint64_t nr, bool no_cache)
{
	const struct phyr_iova_config config = {
		.size = sizeof(config), .last = ~0ull, .granule_lg2 = 12, .no_cache = no_cache};

	c->nr = nr;
	c->log2 = 64 - (unsigned)__builtin_clzll(nr - 1);
	touch_init(&c->touch, pages_for(nr) * K);
	assert_int_equal(phyr_iova_create(&c->touch.env, &config, &c->iova), 0);
	fragment(c, r);
	iova_check(c->iova);
}

static void cost_fini(struct cost *c)
{
	struct phyr_iova_stats stats;

	iova_check(c->iova);
	phyr_iova_get_stats(c->iova, &stats);
	assert_int_equal(stats.live, c->nr);
	phyr_iova_destroy(c->iova);
	touch_fini(&c->touch);
}

/* The most pages that one of a kind of calls touched. */
struct most {
	const char *what;
	unsigned bound; /* times log2(n) */
	unsigned pages;
};

static void note(struct cost *c, struct most *most)
{
	unsigned pages = touch_stop(&c->touch);

	assert_in_range(pages, 1, most->bound * c->log2);
	most->pages = pages > most->pages ? pages : most->pages;
}

static void tell(const struct cost *c, const struct most *most)
{
	printf("# %s, %u live: at most %u pages touched, bound %u log2(n) = %u\n", most->what,
	       (unsigned)c->nr, most->pages, most->bound, most->bound * c->log2);
}

static void measured_free(struct cost *c, uint64_t addr, uint64_t len, struct most *most)
{
	touch_start(&c->touch);
	phyr_iova_free(c->iova, addr, len);
	note(c, most);
}

/* An allocation that must come out as told, and its free. */
static void measured_alloc(struct cost *c, uint64_t len, const struct phyr_iova_request *request,
			   uint64_t want, struct most *alloc, struct most *frees)
{
	uint64_t addr = 0;

	touch_start(&c->touch);
	assert_int_equal(phyr_iova_alloc(c->iova, len, request, &addr), 0);
	note(c, alloc);
	assert_int_equal(addr, want);
	measured_free(c, addr, len, frees);
}

/* What fits nowhere below the end, and what fits first of all. */
static void plain(struct cost *c, struct rnd *r)
{
	struct most most = {"alloc", PLAIN, 0}, frees = {"its free", PLAIN, 0};
	uint64_t end = at(2 * c->nr + 1);

	for (unsigned i = 0; i < ROUNDS; i++) {
		measured_alloc(c, (2 + rnd_below(r, 100)) * K, NULL, end, &most, &frees);
		measured_alloc(c, K, NULL, at(1), &most, &frees);
	}
	tell(c, &most);
	tell(c, &frees);
}

/* The free granules are all odd: 16 of them are tried, then a stretch that surely has a place. */
static void aligned(struct cost *c, struct rnd *r)
{
	struct most most = {"aligned alloc", ALIGNED, 0}, frees = {"its free", PLAIN, 0};
	struct phyr_iova_request request = {.size = sizeof(request)};
	uint64_t end = at(2 * c->nr + 1);

	for (unsigned i = 0; i < ROUNDS; i++) {
		request.align = K << (1 + rnd_below(r, 9));
		measured_alloc(c, K, &request, (end + request.align - 1) & -request.align, &most,
			       &frees);
	}
	tell(c, &most);
	tell(c, &frees);
}

/* With a limit past the last live granule, and with one before it, where nothing is found. */
static void limited(struct cost *c, struct rnd *r)
{
	struct most most = {"limited alloc", PLAIN, 0}, none = {"limited to no place", PLAIN, 0},
		    frees = {"its free", PLAIN, 0};
	struct phyr_iova_request request = {.size = sizeof(request)};
	uint64_t end = at(2 * c->nr + 1), addr = 7;

	for (unsigned i = 0; i < ROUNDS; i++) {
		request.limit = end + 2 * K - 1;
		measured_alloc(c, 2 * K, &request, end, &most, &frees);
		request.limit = end - 1 - rnd_below(r, 4) * K;
		touch_start(&c->touch);
		assert_int_equal(phyr_iova_alloc(c->iova, 2 * K, &request, &addr), -ENOSPC);
		note(c, &none);
	}
	assert_int_equal(addr, 7);
	tell(c, &most);
	tell(c, &none);
	tell(c, &frees);
}

/*
 * Anywhere among the stretches: a free granule is taken, which takes its node out, and given back; a
 * live one is freed, which joins three stretches, and is taken back out of the middle.
 */
static void anywhere(struct cost *c, struct rnd *r)
{
	struct most most = {"alloc_at", PLAIN, 0}, frees = {"free", PLAIN, 0};

	for (unsigned i = 0; i < ROUNDS; i++) {
		uint64_t odd = at(2 * rnd_below(r, c->nr) + 1);
		uint64_t even = at(2 * rnd_below(r, c->nr) + 2);

		touch_start(&c->touch);
		assert_int_equal(phyr_iova_alloc_at(c->iova, odd, K), 0);
		note(c, &most);
		measured_free(c, odd, K, &frees);
		measured_free(c, even, K, &frees);
		touch_start(&c->touch);
		assert_int_equal(phyr_iova_alloc_at(c->iova, even, K), 0);
		note(c, &most);
	}
	tell(c, &most);
	tell(c, &frees);
}

static void cost(uint64_t nr)
{
	struct rnd r = rnd_start("iova/cost");
	struct cost c;

	cost_init(&c, &r, nr, true);
	plain(&c, &r);
	aligned(&c, &r);
	limited(&c, &r);
	anywhere(&c, &r);
	cost_fini(&c);
}

/* Any length, any way: the slot's cache, the depot, the tree. */
static void cached_cost(uint64_t nr)
{
	struct most most = {"cached alloc", ALIGNED, 0}, frees = {"cached free", CACHED, 0};
	struct rnd r = rnd_start("iova/cost cached");
	struct phyr_range held[ROUNDS];
	struct cost c;

	cost_init(&c, &r, nr, false);
	for (unsigned i = 0; i < 4 * ROUNDS; i++) {
		struct phyr_range *one = &held[i % ROUNDS];

		if (i >= ROUNDS)
			measured_free(&c, one->addr, one->len, &frees);
		one->len = (1 + rnd_below(&r, 4)) * K;
		touch_start(&c.touch);
		assert_int_equal(phyr_iova_alloc(c.iova, one->len, NULL, &one->addr), 0);
		note(&c, &most);
	}
	tell(&c, &most);
	tell(&c, &frees);
	for (unsigned i = 0; i < ROUNDS; i++)
		phyr_iova_free(c.iova, held[i].addr, held[i].len);
	cost_fini(&c);
}

static void two_hundred_thousand_cached(void **state)
{
	cached_cost(200000);
}

static void a_thousand_live(void **state)
{
	cost(1000);
}

static void two_hundred_thousand_live(void **state)
{
	cost(200000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_thousand_live),
		cmocka_unit_test(two_hundred_thousand_live),
		cmocka_unit_test(two_hundred_thousand_cached),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
