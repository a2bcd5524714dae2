/* SPDX-License-Identifier: MIT */
/* The even pace of phyr io --rate, on a clock of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/pace.h"
#include "lib/rnd.h"

#define SECOND UINT64_C(1000000000)

/* Begin whatever may begin at now. @return units begun */
static uint64_t begin_all(struct pace *pace, uint64_t now, uint64_t units)
{
	uint64_t sum = 0;

	while (!pace_wait(pace, units, now)) {
		pace_took(pace, units);
		sum += units;
	}
	return sum;
}

static void exactly_the_rate(void **state)
{
	uint64_t now = 12345, begun = 0, end = now + 10 * SECOND, wait;
	struct pace pace;

	pace_init(&pace, 7777, 1, 0, 1, now);
	for (; now < end; now += wait) {
		begun += begin_all(&pace, now, 1);
		wait = pace_wait(&pace, 1, now);
		assert_true(wait > 0);
		/* Never two at once: 7777 a second lie 128584 ns apart, to the rounding. */
		assert_true(wait <= 128585);
	}
	assert_int_equal(begun, 77769); /* the last is due at the end itself */
}

static void waits_end_when_said(void **state)
{
	uint64_t now = 1000, wait;
	struct pace pace;

	pace_init(&pace, 1000, 1, 0, 1, now);
	pace_took(&pace, 5);
	wait = pace_wait(&pace, 2, now);
	assert_int_equal(wait, 7000000);
	assert_int_equal(pace_wait(&pace, 2, now + wait - 1), 1);
	assert_int_equal(pace_wait(&pace, 2, now + wait), 0);
	assert_int_equal(pace_wait(&pace, 1, now + wait), 0);
}

static void no_burst_after_a_gap(void **state)
{
	uint64_t now = 0, begun;
	struct pace pace;

	pace_init(&pace, 1000000, 1, 0, 1, now);
	begin_all(&pace, now, 1);
	now += 60 * SECOND;
	begun = begin_all(&pace, now, 1);
	assert_int_equal(begun, PACE_SLACK_NS / 1000 + 1);
	/* From then on it is the pace that was asked for. */
	assert_int_equal(begin_all(&pace, now + SECOND / 1000, 1), 1000);
}

/* A delay within the slack costs nothing in the long run. */
static void made_up_for(void **state)
{
	struct rnd rnd = rnd_start("tool/pace");
	uint64_t now = 0, begun = 0;
	struct pace pace;

	pace_init(&pace, 100 << 20, 1, 0, 4096, now);
	while (now < 10 * SECOND) {
		begun += begin_all(&pace, now, 4096);
		now += rnd_below(&rnd, PACE_SLACK_NS);
	}
	assert_in_range(begun, (uint64_t)999 << 20, (uint64_t)1001 << 20);
}

static void parts_share_the_rate(void **state)
{
	uint64_t begun[3] = {0}, last = 0, now;
	struct pace pace[3];
	unsigned turns = 0;

	for (unsigned i = 0; i < 3; i++)
		pace_init(&pace[i], 3000, 3, i, 1, 0);
	for (now = 0; now <= SECOND; now += 1000) {
		for (unsigned i = 0; i < 3; i++) {
			uint64_t units = begin_all(&pace[i], now, 1);

			begun[i] += units;
			/* In turn, a third of a millisecond apart: all of them together are even. */
			assert_true(units <= 1);
			assert_true(!units || !turns++ || now - last >= 333000);
			last = units ? now : last;
		}
	}
	assert_int_equal(begun[0], 1000);
	assert_int_equal(begun[1], 1000);
	assert_int_equal(begun[2], 1000);
}

/* However large an I/O is beside the rate, and however it is disturbed: never ahead of it. */
static void never_above(void **state)
{
	struct rnd rnd = rnd_start("tool/pace");

	for (unsigned trial = 0; trial < 200; trial++) {
		uint64_t rate = 1 + rnd_below(&rnd, 10 << 20), sum = 0,
			 now = rnd_below(&rnd, SECOND);
		uint64_t begin = now, len[4];
		unsigned parts = 1 + (unsigned)rnd_below(&rnd, 4);
		struct pace pace[4];

		for (unsigned i = 0; i < parts; i++) {
			pace_init(&pace[i], rate, parts, i, 0, now);
			len[i] = 1 + rnd_below(&rnd, 1 << 20);
		}
		for (unsigned step = 0; step < 200; step++, now += rnd_below(&rnd, SECOND / 10))
			for (unsigned i = 0; i < parts; i++) {
				if (pace_wait(&pace[i], len[i], now))
					continue;
				pace_took(&pace[i], len[i]);
				sum += len[i];
				len[i] = 1 + rnd_below(&rnd, 1 << 20);
				/* To the rounding of a time to a ns. */
				assert_true(sum <= (now - begin + parts) * (double)rate / SECOND);
			}
	}
}

/* Rates and sizes at the ends of what can be said. */
static void extremes(void **state)
{
	struct pace pace;

	pace_init(&pace, 1, 64, 63, 8 << 20, 0);
	assert_int_equal(pace_wait(&pace, 8 << 20, 0), 64 * ((uint64_t)8 << 20) * SECOND);
	pace_init(&pace, 1, 64, 0, 1, 0);
	pace_took(&pace, UINT64_MAX);
	assert_true(pace_wait(&pace, UINT64_MAX, SECOND) > UINT64_C(70) * 365 * 86400 * SECOND);
	pace_init(&pace, UINT64_MAX, 1, 0, 1, 0);
	pace_took(&pace, 8 << 20);
	assert_int_equal(pace_wait(&pace, 8 << 20, 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exactly_the_rate),
		cmocka_unit_test(waits_end_when_said),
		cmocka_unit_test(no_burst_after_a_gap),
		cmocka_unit_test(made_up_for),
		cmocka_unit_test(parts_share_the_rate),
		cmocka_unit_test(never_above),
		cmocka_unit_test(extremes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
