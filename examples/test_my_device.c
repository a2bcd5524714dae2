/* SPDX-License-Identifier: MIT */
/* A driver's tests, as docs/testing-your-driver.md tells: copy this, and put your driver in life(). */
#include "my_bench.h"
#include "my_device.h"

#define LEN   ((size_t)20000)
#define GUARD 0x5a

/* What one test works on. An IOMMU blocks no less than a page: guards see what goes less astray. */
struct rig {
	struct bench bench; /* comes first, so that a bench is a rig */
	struct engine engine;
	char from[LEN], before[LEN], to[LEN], behind[LEN];
};

static int use_driver(struct rig *r, struct driver *d, struct phyr *p)
{
	struct phyr_list from, to;
	int err = phyr_list_from_user(p, r->from, LEN, &from);

	if (!err) {
		err = phyr_list_from_user(p, r->to, LEN, &to);
		if (!err)
			err = driver_copy(d, &to, &from);
		phyr_list_release(p, &to);
	}
	phyr_list_release(p, &from);
	return err;
}

static int life(struct bench *b)
{
	struct rig *r = (struct rig *)b;
	struct driver d = {.wait = bench_wait, .wait_arg = b};
	struct phyr *p;
	int err;

	memset(r->before, GUARD, LEN), memset(r->to, 0, LEN), memset(r->behind, GUARD, LEN);
	r->engine = (struct engine){.fail_at = r->engine.fail_at};
	b->opts.sim_ops = &engine_ops, b->opts.sim_priv = &r->engine;
	err = phyr_open("sim:", &b->opts, &p);
	if (err)
		return err;
	r->engine.sdev = phyr_get_sim_dev(p);
	d.dev = phyr_get_dev(p), d.regs = bench_regs(b, p);
	phyr_sim_set_irq(r->engine.sdev, 0, driver_interrupt, &d);
	err = use_driver(r, &d, p);
	while (bench_step(b))
		; /* a device that is not done is not done: what it still does must be right, too */
	phyr_close(p);
	for (unsigned i = 0; i < LEN; i++)
		assert_true(r->before[i] == GUARD && r->behind[i] == GUARD);
	if (!err && !b->complaints && !r->engine.fail_at) /* those are judged by themselves */
		assert_memory_equal(r->to, r->from, LEN);
	return err;
}

static void it_copies(void **state)
{
	bench_conditions(*state, life);
}

static void each_allocation_fails(void **state)
{
	bench_fail_allocations(*state, life);
}

static void addresses_run_out(void **state)
{
	bench_few_addresses(*state, life);
}

static void each_step_of_the_device_fails(void **state)
{
	struct rig *r = *state;

	for (r->engine.fail_at = 1; bench_run(&r->bench, life); r->engine.fail_at++)
		bench_none(r->engine.steps < r->engine.fail_at, "errors without a failure");
	bench_none(r->engine.steps >= r->engine.fail_at, "failures that the driver does not tell");
}

/* A rig for each test. */
static int set_up(void **state)
{
	static struct rig r;

	*state = &r;
	bench_init(&r.bench, 0);
	for (unsigned i = 0; i < LEN; i++)
		r.from[i] = (char)(i % 251);
	r.engine.fail_at = 0;
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		bench_test(it_copies),
		bench_test(each_allocation_fails),
		bench_test(addresses_run_out),
		cmocka_unit_test_setup_teardown(each_step_of_the_device_fails, set_up,
						bench_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
