/* SPDX-License-Identifier: MIT */
/*
 * The iova allocator without caches: each promise of its header, each error, and the cost of a large
 * tree. test_cache.c is about caches.
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

#define K 0x1000ull
#define M 0x100000ull

static struct tenv t;

static struct phyr_iova *make(uint64_t start, uint64_t last, unsigned granule_lg2)
{
	const struct phyr_iova_config config = {.size = sizeof(config),
						.start = start,
						.last = last,
						.granule_lg2 = granule_lg2,
						.no_cache = true};
	struct phyr_iova *iova = NULL;

	assert_int_equal(phyr_iova_create(&t.env, &config, &iova), 0);
	tenv_restart(&t);
	return iova;
}

static uint64_t get(struct phyr_iova *iova, uint64_t len)
{
	uint64_t addr = 0;

	assert_int_equal(phyr_iova_alloc(iova, len, NULL, &addr), 0);
	return addr;
}

#define CONFIG(lg2, ...)                                                                   \
	{                                                                                  \
		.size = sizeof(struct phyr_iova_config), .granule_lg2 = (lg2), __VA_ARGS__ \
	}

static void create_refuses(void **state)
{
	const struct phyr_iova_hole all = {0, ~0ull};
	const struct phyr_iova_hole bad[] = {{2 * K, 3 * K}, {6 * K, 6 * K}, {5 * K, 4 * K}};
	const struct {
		struct phyr_iova_config config;
		uint64_t iova, index;
	} cases[] = {
		{{.size = 1, .last = ~0ull, .granule_lg2 = 12}, 0, 0},
		{CONFIG(11, .last = ~0ull), 0, 11},
		{CONFIG(31, .last = ~0ull), 0, 31},
		{CONFIG(12, .start = 8 * K, .last = K), 8 * K, 0},
		{CONFIG(12, .start = 1, .last = 2 * K - 2), 1, 0},
		{CONFIG(12, .last = K - 1), 0, 0},
		{CONFIG(12, .start = ~0ull - 5, .last = ~0ull), ~0ull - 5, 0},
		{CONFIG(12, .start = 0 - K, .last = ~0ull), 0 - K, 0},
		{CONFIG(12, .last = ~0ull, .holes = bad, .nr_holes = 3), 5 * K, 2},
		{CONFIG(12, .start = 7 * K, .last = ~0ull, .holes = &all, .nr_holes = 1), 7 * K, 0},
	};
	struct phyr_iova *iova = (void *)1;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		tenv_restart(&t);
		assert_int_equal(phyr_iova_create(&t.env, &cases[i].config, &iova), -EINVAL);
		assert_ptr_equal(iova, (void *)1);
		assert_int_equal(t.reports, 1);
		assert_string_equal(t.last.call, "phyr_iova_create");
		assert_int_equal(t.last.err, -EINVAL);
		assert_int_equal(t.last.iova, cases[i].iova);
		assert_int_equal(t.last.index, cases[i].index);
		assert_non_null(t.last.hint);
		tenv_fini(&t);
	}
}

static void env_must_be_whole(void **state)
{
	const struct phyr_iova_config config = CONFIG(12, .last = ~0ull);
	struct phyr_iova *iova = NULL;

	t.env.lock_init = NULL;
	assert_int_equal(phyr_iova_create(&t.env, &config, &iova), -EINVAL);
	assert_null(iova);
	assert_string_equal(t.last.call, "phyr_iova_create");
	assert_non_null(strstr(t.last.hint, "lock_init"));
}

static void null_env_is_hosted(void **state)
{
	const struct phyr_iova_config config = {
		.size = sizeof(config), .last = 2 * K - 1, .granule_lg2 = 12};
	struct phyr_iova *iova;
	uint64_t addr;

	assert_int_equal(phyr_iova_create(NULL, &config, &iova), 0);
	assert_ptr_equal(iova->env, phyr_env_hosted());
	assert_int_equal(get(iova, K), K);
	assert_int_equal(phyr_iova_alloc(iova, 1, NULL, &addr), -ENOSPC); /* nobody listens */
	phyr_iova_destroy(iova);
	phyr_iova_destroy(NULL);
}

/* One report since the last look, about addresses. */
static void told(int err, const char *call, uint64_t iova, uint64_t len)
{
	assert_int_equal(t.reports, 1);
	assert_int_equal(t.last.err, err);
	assert_string_equal(t.last.call, call);
	assert_int_equal(t.last.iova, iova);
	assert_int_equal(t.last.len, len);
	assert_non_null(t.last.hint);
	tenv_restart(&t);
}

/* Neither 0 nor ~0 is given out; all between them is. */
static void whole_address_space(void **state)
{
	struct phyr_iova *iova = make(0, ~0ull, 12);
	struct phyr_iova_stats stats;
	uint64_t addr;

	phyr_iova_get_stats(iova, &stats);
	assert_int_equal(stats.total_bytes, 0 - 2 * K);
	assert_int_equal(get(iova, 0 - 2 * K), K);
	phyr_iova_get_stats(iova, &stats);
	assert_int_equal(stats.highest, ~0ull - K);
	assert_int_equal(stats.live_bytes, 0 - 2 * K);
	assert_int_equal(phyr_iova_alloc(iova, 1, NULL, &addr), -ENOSPC);
	phyr_iova_free(iova, K, 0 - 2 * K);
	assert_int_equal(phyr_iova_alloc(iova, 0 - 2 * K + 1, NULL, &addr), -ENOSPC);
	assert_int_equal(phyr_iova_alloc(iova, ~0ull, NULL, &addr), -ENOSPC);
	assert_int_equal(phyr_iova_alloc_at(iova, 0 - 2 * K, K), 0);
	assert_int_equal(phyr_iova_alloc_at(iova, 0 - K, K), -ERANGE);
	assert_int_equal(phyr_iova_alloc_at(iova, 0, K), -ERANGE);
	assert_int_equal(phyr_iova_exclude(iova, 0, ~0ull), -EBUSY);
	phyr_iova_free(iova, 0 - 2 * K, K);
	assert_int_equal(phyr_iova_exclude(iova, 0, ~0ull), 0);
	assert_int_equal(phyr_iova_alloc(iova, 1, NULL, &addr), -ENOSPC);
	iova_check(iova);
	phyr_iova_destroy(iova);
}

/* Allocate in vain; returns the limit that is told. */
static uint64_t alloc_fails(struct phyr_iova *iova, uint64_t len,
			    const struct phyr_iova_request *request, int err)
{
	uint64_t addr = 77, limit;

	assert_int_equal(phyr_iova_alloc(iova, len, request, &addr), err);
	assert_int_equal(addr, 77);
	limit = t.last.limit;
	told(err, "phyr_iova_alloc", 0, len);
	return limit;
}

static void alloc_refuses(void **state)
{
	struct phyr_iova *iova = make(0x10000, 0xfffff, 16);
	struct phyr_iova_request good = {.size = sizeof(good)}, r;

	alloc_fails(iova, 0, NULL, -EINVAL);
	r = good, r.size = 8;
	alloc_fails(iova, 0x123, &r, -EINVAL);
	r = good, r.align = 0x30000;
	alloc_fails(iova, 1, &r, -EINVAL);
	r = good, r.align = 0x40000, r.skew = 0x1000;
	alloc_fails(iova, 2, &r, -EINVAL);
	r = good, r.align = 0x40000, r.skew = 0x40000;
	alloc_fails(iova, 3, &r, -EINVAL);
	r = good, r.skew = 0x10000;
	alloc_fails(iova, 4, &r, -EINVAL);
	r = good, r.limit = 0x1fffe;
	assert_int_equal(alloc_fails(iova, 5, &r, -ENOSPC), 0x1fffe);
	r = good, r.align = 1ull << 63;
	assert_int_equal(alloc_fails(iova, 6, &r, -ENOSPC), 0xfffff);
	assert_int_equal(alloc_fails(iova, ~0ull, NULL, -ENOSPC), 0xfffff);
	iova_check(iova);
	phyr_iova_destroy(iova);
}

static void align_skew_limit_prefer(void **state)
{
	struct phyr_iova *iova = make(0, 16 * M - 1, 12);
	struct phyr_iova_request r = {.size = sizeof(r), .align = 2 * M, .skew = 3 * K};
	uint64_t addr;

	assert_int_equal(phyr_iova_alloc(iova, M, &r, &addr), 0);
	assert_int_equal(addr, 3 * K);
	assert_int_equal(phyr_iova_alloc(iova, 2 * M, &r, &addr), 0);
	assert_int_equal(addr, 2 * M + 3 * K);
	r.limit = 4 * M - 1;
	assert_int_equal(phyr_iova_alloc(iova, K, &r, &addr), -ENOSPC);
	r.prefer = true;
	assert_int_equal(phyr_iova_alloc(iova, K, &r, &addr), 0);
	assert_int_equal(addr, K);
	/* A limit that cuts an allocation off by one byte. */
	r = (struct phyr_iova_request){.size = sizeof(r), .limit = 3 * M + 3 * K - 2};
	assert_int_equal(phyr_iova_alloc(iova, M + 1, &r, &addr), -ENOSPC);
	iova_check(iova);
	phyr_iova_destroy(iova);
}

/*
 * Many stretches are long enough but have no aligned place: the search still ends, and finds one.
 */
static void aligned_among_unaligned(void **state)
{
	struct phyr_iova *iova = make(0, 0xffffffff, 12);
	struct phyr_iova_request r = {.size = sizeof(r), .align = 16 * K};
	uint64_t addr;

	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(phyr_iova_alloc_at(iova, (16 * i + 8) * K, K), 0);
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(phyr_iova_alloc_at(iova, (16 * i + 16) * K, K), 0);
	assert_int_equal(phyr_iova_alloc(iova, 7 * K, &r, &addr), 0);
	assert_int_equal(addr & (16 * K - 1), 0);
	r.limit = 16 * 1000 * K;
	assert_int_equal(phyr_iova_alloc(iova, 7 * K, &r, &addr), -ENOSPC);
	iova_check(iova);
	phyr_iova_destroy(iova);
}

static void at_fails(struct phyr_iova *iova, uint64_t start, uint64_t len, int err)
{
	struct phyr_iova_stats before, after;

	phyr_iova_get_stats(iova, &before);
	assert_int_equal(phyr_iova_alloc_at(iova, start, len), err);
	told(err, "phyr_iova_alloc_at", start, len);
	phyr_iova_get_stats(iova, &after);
	assert_memory_equal(&before, &after, sizeof(before));
}

static void alloc_at_tells_why(void **state)
{
	struct phyr_iova *iova = make(M, 2 * M - 1, 12);

	assert_int_equal(phyr_iova_exclude(iova, M + 16 * K, M + 17 * K - 1), 0);
	assert_int_equal(phyr_iova_alloc_at(iova, M + 8 * K, 2 * K), 0);
	at_fails(iova, M + 1, K, -EINVAL);
	at_fails(iova, M, 0, -EINVAL);
	at_fails(iova, 0, K, -ERANGE);
	at_fails(iova, 2 * M, K, -ERANGE);
	at_fails(iova, 2 * M - K, K + 1, -ERANGE);
	at_fails(iova, M, ~0ull, -ERANGE);
	at_fails(iova, M, 0 - M, -ERANGE);
	at_fails(iova, M + 15 * K, 2 * K, -ERANGE);
	at_fails(iova, M + 16 * K, K, -ERANGE);
	at_fails(iova, M + 7 * K, 2 * K, -EEXIST);
	at_fails(iova, M + 9 * K, K, -EEXIST);
	assert_int_equal(phyr_iova_alloc_at(iova, M + 10 * K, 6 * K), 0);
	at_fails(iova, M + 15 * K, 2 * K, -EEXIST);
	iova_check(iova);
	phyr_iova_destroy(iova);
}

static void exclude_joins_and_refuses(void **state)
{
	const struct phyr_iova_hole two[] = {{20 * K, 21 * K}, {10 * K, 10 * K}};
	struct phyr_iova *iova = make(0, M - 1, 12);
	struct phyr_iova_stats stats;

	assert_int_equal(phyr_iova_exclude(iova, 9, 8), -EINVAL);
	assert_int_equal(t.last.limit, 8);
	told(-EINVAL, "phyr_iova_exclude", 9, 0);
	assert_int_equal(phyr_iova_exclude(iova, 4 * K + 1, 4 * K + 1), 0);
	assert_int_equal(phyr_iova_exclude(iova, 6 * K, 7 * K - 1), 0);
	assert_int_equal(iova->holes, 2);
	assert_int_equal(phyr_iova_exclude(iova, 5 * K, 6 * K), 0);
	assert_int_equal(iova->holes, 1);
	assert_int_equal(phyr_iova_exclude(iova, 4 * K, 7 * K - 1), 0);
	assert_int_equal(phyr_iova_exclude(iova, 2 * M, 3 * M), 0);
	assert_int_equal(phyr_iova_exclude(iova, M - 1, ~0ull), 0);
	phyr_iova_get_stats(iova, &stats);
	assert_int_equal(stats.total_bytes, M - K - 3 * K - K);

	assert_int_equal(phyr_iova_alloc_at(iova, 10 * K, K), 0);
	/* All or none. */
	assert_int_equal(phyr_iova_exclude_all(iova, "x", two, 2), -EBUSY);
	assert_int_equal(t.last.index, 1);
	told(-EBUSY, "x", 10 * K, 0);
	assert_int_equal(phyr_iova_exclude(iova, 9 * K, 10 * K), -EBUSY);
	assert_int_equal(t.last.limit, 10 * K);
	told(-EBUSY, "phyr_iova_exclude", 9 * K, 0);
	assert_int_equal(phyr_iova_alloc_at(iova, 9 * K, K), 0);
	assert_int_equal(phyr_iova_alloc_at(iova, 20 * K, K), 0);
	assert_int_equal(iova->holes, 2);
	iova_check(iova);
	phyr_iova_destroy(iova);
}

static void holes_of_the_config(void **state)
{
	const struct phyr_iova_hole holes[] = {{0xfee00000, 0xfeefffff}, {0, 0xffff}, {1, 2}};
	const struct phyr_iova_config config = {.size = sizeof(config),
						.start = 0,
						.last = 0xffffffff,
						.granule_lg2 = 12,
						.holes = holes,
						.nr_holes = 3};
	struct phyr_iova *iova;

	assert_int_equal(phyr_iova_create(&t.env, &config, &iova), 0);
	assert_int_equal(get(iova, K), 0x10000);
	assert_int_equal(get(iova, 0xfee00000 - 0x11000), 0x11000);
	assert_int_equal(get(iova, K), 0xfef00000);
	iova_check(iova);
	phyr_iova_destroy(iova);
}

/* A wrong free is told and changes nothing. */
static void wrong_frees(void **state)
{
	struct phyr_iova *iova = make(0, M - 1, 12);
	const struct phyr_range wrong[] = {{0, K},     {M, K},     {8 * K, K}, {K, 0},
					   {K + 1, K}, {K, ~0ull}, {K, 5 * K}, {3 * K, K}};
	struct phyr_iova_stats before, after;

	get(iova, 2 * K);
	phyr_iova_get_stats(iova, &before);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		tenv_restart(&t);
		phyr_iova_free(iova, wrong[i].addr, wrong[i].len);
		told(-EINVAL, "phyr_iova_free", wrong[i].addr, wrong[i].len);
		phyr_iova_get_stats(iova, &after);
		assert_memory_equal(&before, &after, sizeof(before));
		iova_check(iova);
	}
	phyr_iova_free(iova, K, K + 1);
	phyr_iova_free(iova, K, 2 * K);
	assert_int_equal(iova->out, 0);
	phyr_iova_destroy(iova);
}

/* Piecewise frees are wrong, but they never lead past the nodes that were paid for. */
static void piecewise_frees_stay_safe(void **state)
{
	struct phyr_iova *iova = make(0, ~0ull, 12);
	const unsigned nr = 4 * IOVA_SLAB_NODES;

	get(iova, 2 * nr * K);
	get(iova, K);
	for (unsigned i = 0; i < nr; i++)
		phyr_iova_free(iova, K + 2 * i * K, K);
	assert_true(iova->pool.used <= iova->pool.capacity);
	phyr_iova_destroy(iova);
}

/*
 * With 100,000 allocations and as many free stretches between them the tree is as flat as AVL
 * promises, and the aligned search takes a fixed number of ways through it.
 */
static void large_tree_is_flat(void **state)
{
	struct rnd r = rnd_start("iova/large_tree_is_flat");
	struct phyr_iova *iova = make(0, (1ull << 48) - 1, 12);
	const unsigned nr = 200000;
	uint64_t *addr = malloc(nr * sizeof(*addr));
	struct phyr_iova_stats stats;

	for (unsigned i = 0; i < nr; i++)
		addr[i] = get(iova, K);
	for (unsigned i = 0; i < nr; i += 2)
		phyr_iova_free(iova, addr[i], K);
	iova_check(iova);
	assert_in_range(iova->pool.used, nr / 2, nr / 2 + 1);
	assert_in_range(iova->tree.root->height, 17, 24); /* 1.44 * log2(100,002) */

	/* What is left goes in random order; the bookkeeping goes with it. */
	for (unsigned i = 1; i < nr; i += 2) {
		unsigned j = i + 2 * (unsigned)rnd_below(&r, (nr - i + 1) / 2);
		uint64_t one = addr[j];

		addr[j] = addr[i];
		phyr_iova_free(iova, one, K);
	}
	iova_check(iova);
	phyr_iova_get_stats(iova, &stats);
	assert_int_equal(stats.live, 0);
	assert_int_equal(stats.highest, (nr + 1) * K - 1);
	assert_int_equal(iova->pool.used, 1);
	assert_true(stats.meta_bytes <= 4 * 4096);
	free(addr);
	phyr_iova_destroy(iova);
}

static int fini(void **state)
{
	tenv_fini(&t);
	return 0;
}

static int init(void **state)
{
	tenv_init(&t, NULL);
	return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, init, fini)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(create_refuses),
		TEST(env_must_be_whole),
		TEST(null_env_is_hosted),
		TEST(whole_address_space),
		TEST(alloc_refuses),
		TEST(align_skew_limit_prefer),
		TEST(aligned_among_unaligned),
		TEST(alloc_at_tells_why),
		TEST(exclude_joins_and_refuses),
		TEST(holes_of_the_config),
		TEST(wrong_frees),
		TEST(piecewise_frees_stay_safe),
		TEST(large_tree_is_flat),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
