/* SPDX-License-Identifier: MIT */
/* Controllers that do ten million things wrong, and right ones between, with the driver at work. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "lib/sanitized.h"
#include "nvme/ordeal.h"

#define LIES (tests_sanitized ? UINT64_C(1000000) : UINT64_C(10000000))

static void print(const struct ordeal *o, uint64_t steps, uint64_t lies, uint64_t controllers)
{
	const struct ordeal_counts *c = &o->counts;

	print_message("%llu steps of %llu controllers, %llu of them wrong\n",
		      (unsigned long long)steps, (unsigned long long)controllers,
		      (unsigned long long)lies);
	print_message("%llu commands taken: %llu ended well, %llu with an error; "
		      "%llu refused, %llu not now\n",
		      (unsigned long long)c->taken, (unsigned long long)c->well,
		      (unsigned long long)c->failed, (unsigned long long)c->refused,
		      (unsigned long long)c->full);
	print_message("%llu opens and %llu that failed, %llu queues, %llu resets, %llu rescans, "
		      "%llu interrupts, %llu allocations that failed\n",
		      (unsigned long long)c->opens, (unsigned long long)c->failed_opens,
		      (unsigned long long)c->creates, (unsigned long long)c->resets,
		      (unsigned long long)c->rescans, (unsigned long long)c->interrupts,
		      (unsigned long long)c->nomem);
}

static void every_kind_of_wrong(void **state)
{
	struct rnd rnd = rnd_start("nvme/misbehave");
	uint64_t steps = 0, lies = 0, controllers = 0;
	static struct ordeal o;

	fflush(stdout); /* the seed, before anything aborts */
	ordeal_init(&o);
	while (lies < LIES) {
		o.whim = (struct whim){.rnd = {rnd_u64(&rnd)}};
		ordeal_run(&o, rnd_log(&rnd, 100, 50000));
		steps += o.liar.steps;
		lies += o.liar.lies;
		controllers++;
	}
	print(&o, steps, lies, controllers);
	assert_int_equal(o.counts.taken, o.ended);
	assert_int_equal(o.counts.taken, o.counts.well + o.counts.failed);
	assert_true(o.counts.well && o.counts.failed && o.counts.refused && o.counts.full);
	assert_true(o.counts.opens && o.counts.failed_opens && o.counts.nomem);
	assert_true(o.counts.resets && o.counts.rescans && o.counts.interrupts);
	ordeal_fini(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_of_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
