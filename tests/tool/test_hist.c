/* SPDX-License-Identifier: MIT */
/* The histogram of phyr io's latencies, beside a sorted array of all of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "io/hist.h"
#include "lib/rnd.h"

#define NR 20000

static struct hist hist, other;
static uint64_t values[NR];

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void quantiles_are_near(void **state)
{
	static const double shares[] = {0, 0.01, 0.5, 0.9, 0.99, 0.999, 0.9999};
	struct rnd rnd = rnd_start("tool/hist");

	memset(&hist, 0, sizeof(hist));
	for (unsigned i = 0; i < NR; i++) {
		values[i] = rnd_log(&rnd, 1, UINT64_C(1) << 50);
		hist_add(&hist, values[i]);
	}
	qsort(values, NR, sizeof(values[0]), by_value);
	for (unsigned i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
		uint64_t exact = values[(size_t)(shares[i] * NR)];
		uint64_t got = hist_quantile(&hist, shares[i]);

		assert_in_range(got, exact - exact / 64, exact);
	}
	assert_int_equal(hist.max, values[NR - 1]);
	assert_int_equal(hist_quantile(&hist, 1), hist.max);
}

static void powers_of_two(void **state)
{
	uint64_t counts[HIST_LG2] = {0}, sum = 0;
	struct rnd rnd = rnd_start("tool/hist-lg2");
	struct hist_lg2 lg2;

	memset(&hist, 0, sizeof(hist));
	for (unsigned i = 0; i < NR; i++) {
		uint64_t ns = rnd_log(&rnd, 100, UINT64_C(1) << 40);

		hist_add(&hist, ns);
		counts[63 - __builtin_clzll(ns)]++;
	}
	hist_by_lg2(&hist, &lg2);
	assert_memory_equal(lg2.counts, counts, sizeof(counts));
	assert_int_equal(lg2.first, 6);
	for (unsigned i = lg2.first; i < lg2.first + lg2.nr; i++)
		sum += lg2.counts[i];
	assert_int_equal(sum, NR);
	assert_true(lg2.counts[lg2.first] && lg2.counts[lg2.first + lg2.nr - 1]);
}

static void merged(void **state)
{
	memset(&hist, 0, sizeof(hist));
	memset(&other, 0, sizeof(other));
	hist_add(&hist, 10);
	hist_add(&other, 5000);
	hist_add(&other, 10);
	hist_merge(&hist, &other);
	assert_int_equal(hist.count, 3);
	assert_int_equal(hist.max, 5000);
	assert_int_equal(hist_quantile(&hist, 0.5), 10);
	assert_in_range(hist_quantile(&hist, 0.99), 4922, 5000);
	hist_merge(&other, &(struct hist){0});
	assert_int_equal(other.count, 2);
	assert_int_equal(other.max, 5000);
}

static void edges(void **state)
{
	struct hist_lg2 lg2;

	memset(&hist, 0, sizeof(hist));
	hist_by_lg2(&hist, &lg2);
	assert_int_equal(lg2.nr, 0);
	assert_int_equal(hist_quantile(&hist, 0.5), 0);
	hist_add(&hist, 0);
	hist_add(&hist, UINT64_MAX);
	hist_by_lg2(&hist, &lg2);
	assert_int_equal(lg2.first, 0);
	assert_int_equal(lg2.counts[0], 1);
	assert_int_equal(lg2.counts[lg2.nr - 1], 1);
	assert_int_equal(hist.max, UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quantiles_are_near),
		cmocka_unit_test(powers_of_two),
		cmocka_unit_test(merged),
		cmocka_unit_test(edges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
