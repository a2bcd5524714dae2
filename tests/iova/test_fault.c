/* SPDX-License-Identifier: MIT */
/* Each allocation fails once: every call answers -ENOMEM, has changed nothing and leaks nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "iova/check.h"
#include "lib/tenv.h"

#define K  0x1000ull
#define NR (3 * IOVA_SLAB_NODES)

static void create(void **state)
{
	const struct phyr_iova_hole holes[] = {{0x100000, 0x1fffff}, {0x300000, 0x3fffff}};
	const struct phyr_iova_config config = {.size = sizeof(config),
						.last = ~0ull,
						.granule_lg2 = 12,
						.holes = holes,
						.nr_holes = 2};
	struct phyr_iova *iova = NULL;
	struct tenv t;
	int err;

	tenv_init(&t, NULL);
	for (t.fail_at = 1;; t.fail_at++) {
		tenv_restart(&t);
		err = phyr_iova_create(&t.env, &config, &iova);
		if (!t.failed)
			break;
		assert_int_equal(err, -ENOMEM);
		assert_int_equal(t.last.err, -ENOMEM);
		assert_string_equal(t.last.call, "phyr_iova_create");
		assert_null(iova);
		assert_false(tenv_live(&t));
	}
	assert_int_equal(err, 0);
	assert_true(t.fail_at > 2);
	phyr_iova_destroy(iova);
	tenv_fini(&t);
}

/* One call of three kinds, and what its report must say. */
static int call(struct phyr_iova *iova, unsigned i, struct phyr_report *want)
{
	uint64_t at = ((uint64_t)1 << 40) + 4 * i * K, out = 77;
	int err;

	switch (i % 3) {
	case 0:
		*want = (struct phyr_report){
			.call = "phyr_iova_alloc_at", .iova = at, .len = K, .limit = ~0ull - K};
		return phyr_iova_alloc_at(iova, at, K);
	case 1:
		*want = (struct phyr_report){
			.call = "phyr_iova_exclude", .iova = at, .limit = at + K - 1};
		return phyr_iova_exclude(iova, at, at + K - 1);
	default:
		*want = (struct phyr_report){.call = "phyr_iova_alloc", .len = 1000 * K};
		err = phyr_iova_alloc(iova, 1000 * K, NULL, &out);
		assert_int_equal(out == 77, err != 0);
		return err;
	}
}

static void told(const struct tenv *t, const struct phyr_report *want)
{
	assert_int_equal(t->reports, 1);
	assert_int_equal(t->last.err, -ENOMEM);
	assert_string_equal(t->last.call, want->call);
	assert_int_equal(t->last.iova, want->iova);
	assert_int_equal(t->last.len, want->len);
	assert_int_equal(t->last.limit, want->limit);
}

/*
 * Every call that asks for memory fails first, and then goes through. @first: which kind comes first,
 * so that each is once the one that finds a slab full. Returns the kinds that failed, a bit each.
 */
static unsigned calls_from(unsigned first)
{
	const struct phyr_iova_config config = {
		.size = sizeof(config), .last = ~0ull, .granule_lg2 = 12, .no_cache = true};
	struct phyr_iova_stats before, after;
	struct phyr_iova *iova;
	unsigned failed = 0;
	struct tenv t;

	tenv_init(&t, NULL);
	assert_int_equal(phyr_iova_create(&t.env, &config, &iova), 0);
	t.fail_at = 1;
	for (unsigned i = first; i < NR; i++) {
		struct phyr_report want;
		int err;

		phyr_iova_get_stats(iova, &before);
		tenv_restart(&t);
		err = call(iova, i, &want);
		assert_int_equal(err, t.failed ? -ENOMEM : 0);
		iova_check(iova);
		if (!t.failed)
			continue;
		failed |= 1u << i % 3;
		told(&t, &want);
		phyr_iova_get_stats(iova, &after);
		assert_memory_equal(&before, &after, sizeof(before));
		assert_int_equal(call(iova, i, &want), 0);
	}
	phyr_iova_destroy(iova);
	tenv_fini(&t);
	return failed;
}

static void calls(void **state)
{
	unsigned failed = 0;

	for (unsigned first = 0; first < 6; first++)
		failed |= calls_from(first);
	assert_int_equal(failed, 7);
}

/* With all memory gone, whatever was allocated can still be freed, in the worst order. */
static void free_needs_nothing(void **state)
{
	const struct phyr_iova_config config = {
		.size = sizeof(config), .last = ~0ull, .granule_lg2 = 12, .no_cache = true};
	struct phyr_iova *iova;
	uint64_t addr;
	struct tenv t;

	tenv_init(&t, NULL);
	assert_int_equal(phyr_iova_create(&t.env, &config, &iova), 0);
	for (unsigned i = 0; i < 10 * NR; i++)
		assert_int_equal(phyr_iova_alloc(iova, K, NULL, &addr), 0);
	tenv_restart(&t);
	for (unsigned odd = 0; odd < 2; odd++)
		for (unsigned i = odd; i < 10 * NR; i += 2)
			phyr_iova_free(iova, (i + 1) * K, K);
	assert_int_equal(t.allocs, 0);
	assert_int_equal(t.reports, 0);
	iova_check(iova);
	assert_int_equal(iova->pool.used, 1);
	phyr_iova_destroy(iova);
	tenv_fini(&t);
}

/* The stock's memory fails, once: it is told, nothing has changed, and freeing needs none. */
static void with_a_stock(void **state)
{
	const struct phyr_iova_config config = {
		.size = sizeof(config), .last = ~0ull, .granule_lg2 = 12};
	struct phyr_range many[40];
	struct phyr_iova *iova;
	uint64_t addr = 77;
	struct tenv t;

	tenv_init(&t, NULL);
	assert_int_equal(phyr_iova_create(&t.env, &config, &iova), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(many); i++) {
		many[i].len = K;
		assert_int_equal(phyr_iova_alloc(iova, K, NULL, &many[i].addr), 0);
	}
	tenv_restart(&t);
	phyr_iova_free_many(iova, many, ARRAY_SIZE(many));
	assert_int_equal(t.allocs, 0);
	tenv_restart(&t);
	t.fail_at = 1;
	/* What lies in the magazine goes first. */
	for (unsigned i = 0; !t.failed && i < 4; i++)
		if (phyr_iova_alloc(iova, K, NULL, &addr))
			break;
	assert_true(t.failed);
	assert_int_equal(t.last.err, -ENOMEM);
	assert_int_equal(t.reports, 1);
	iova_check(iova);
	assert_int_equal(phyr_iova_alloc(iova, K, NULL, &addr), 0);
	tenv_restart(&t);
	t.fail_at = 0;
	iova_check(iova);
	phyr_iova_destroy(iova);
	tenv_fini(&t);
}

/* Each allocation fails in turn, those for the caches, too: it is told, and then it goes on. */
static void with_caches(void **state)
{
	const struct phyr_iova_config config = {
		.size = sizeof(config), .last = ~0ull, .granule_lg2 = 12};
	uint64_t addr[NR];
	unsigned failed = 0;

	for (unsigned at = 1; !failed || failed == at - 1; at++) {
		struct phyr_iova *iova;
		bool told_once = false;
		struct tenv t;

		tenv_init(&t, NULL);
		assert_int_equal(phyr_iova_create(&t.env, &config, &iova), 0);
		iova->depot_from = 2;
		tenv_restart(&t);
		t.fail_at = at;
		for (unsigned i = 0; i < NR; i++) {
			int err = phyr_iova_alloc(iova, (1 + i % 100) * K, NULL, &addr[i]);

			assert_int_equal(err, t.failed && !told_once ? -ENOMEM : 0);
			assert_int_equal(t.reports, t.failed);
			told_once = t.failed;
			if (err)
				assert_int_equal(
					phyr_iova_alloc(iova, (1 + i % 100) * K, NULL, &addr[i]),
					0);
			failed += err == -ENOMEM;
		}
		for (unsigned i = 0; i < NR; i++)
			phyr_iova_free(iova, addr[i], (1 + i % 100) * K);
		iova_check(iova);
		assert_int_equal(phyr_iova_first_live(iova), UINT64_MAX);
		iova_check(iova);
		phyr_iova_destroy(iova);
		tenv_fini(&t);
	}
	assert_in_range(failed, 15, 60);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(create),
		cmocka_unit_test(calls),
		cmocka_unit_test(free_needs_nothing),
		cmocka_unit_test(with_a_stock),
		cmocka_unit_test(with_caches),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
