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
	d.dev = phyr_get_dev(p), d.regs = phyr_get_regs(p);
	phyr_sim_set_irq(r->engine.sdev, 0, driver_interrupt, &d);
	err = use_driver(r, &d, p);
	while (phyr_sim_step(b->opts.sim))
		; /* a device that is not done is not done: what it still does must be right, too */
	phyr_close(p);
	for (unsigned i = 0; i < LEN; i++)
		assert_true(r->before[i] == GUARD && r->behind[i] == GUARD);
	return err;
}

/* A rig for each test. */
static struct rig *rig(bool stepped)
{
	static struct rig r;

	bench_init(&r.bench, stepped);
	for (unsigned i = 0; i < LEN; i++)
		r.from[i] = (char)(i % 251);
	r.engine.fail_at = 0;
	return &r;
}

/* With an IOMMU and without; stepped and in pieces of a page, with a thread and without a limit. */
static void it_copies(void **state)
{
	for (unsigned i = 0; i < 4; i++) {
		struct rig *r = rig(i < 2);

		r->bench.opts.iommu = i % 2 ? PHYR_IOMMU_NONE : PHYR_IOMMU_SOFT;
		r->bench.limits.max_seg_size = i < 2 ? 4096 : 0;
		bench_error(bench_run(&r->bench, life), 0);
		assert_memory_equal(r->to, r->from, LEN);
		phyr_sim_destroy(r->bench.opts.sim);
	}
}

static void each_allocation_fails(void **state)
{
	struct rig *r = rig(true);

	bench_fail_allocations(&r->bench, life);
	phyr_sim_destroy(r->bench.opts.sim);
}

static void addresses_run_out(void **state)
{
	struct rig *r = rig(true);

	bench_few_addresses(&r->bench, life);
	phyr_sim_destroy(r->bench.opts.sim);
}

static void each_step_of_the_device_fails(void **state)
{
	struct rig *r = rig(true);

	for (r->engine.fail_at = 1; bench_run(&r->bench, life); r->engine.fail_at++)
		;
	bench_none(r->engine.steps >= r->engine.fail_at, "failures that the driver does not tell");
	phyr_sim_destroy(r->bench.opts.sim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_copies),
		cmocka_unit_test(each_allocation_fails),
		cmocka_unit_test(addresses_run_out),
		cmocka_unit_test(each_step_of_the_device_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
