/* SPDX-License-Identifier: MIT */
/*
 * Running out of memory in the simulated NVMe controller: the n-th allocation fails, for every n. The
 * linker sends calloc, realloc and free of what is tested through here.
 */
#include "test_nvme_rig.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void *__real_calloc(size_t nr, size_t size);
void *__real_realloc(void *p, size_t size);
void __real_free(void *p);
void *__wrap_calloc(size_t nr, size_t size);
void *__wrap_realloc(void *p, size_t size);
void __wrap_free(void *p);

static unsigned calls, fail_at; /* 0: none */
static int live;                /* blocks; growing the table of devices is none */

static bool is_nth(void)
{
	return ++calls == fail_at;
}

void *__wrap_calloc(size_t nr, size_t size)
{
	void *p = is_nth() ? NULL : __real_calloc(nr, size);

	live += p != NULL;
	return p;
}

void *__wrap_realloc(void *p, size_t size)
{
	return is_nth() ? NULL : __real_realloc(p, size);
}

void __wrap_free(void *p)
{
	live -= p != NULL;
	__real_free(p);
}

static struct phyr_report last;

static void on_report(struct phyr_env *env, const struct phyr_report *report)
{
	last = *report;
}

static void start(unsigned n)
{
	last = (struct phyr_report){0};
	calls = 0;
	fail_at = n;
}

/* Whether the n-th call was made, and so failed. */
static bool stop(void)
{
	bool failed = fail_at && calls >= fail_at;

	fail_at = 0;
	return failed;
}

static void create(void **state)
{
	struct phyr_sim_nvme_ns more = {.fd = -1};
	struct phyr_sim_nvme_config c = {.size = sizeof(c), .more = &more, .nr_more = 1};
	struct phyr_sim_dev *sdev = NULL;
	unsigned n = 0;
	struct rig r;
	int before, err;

	rig_start(&r, 1 << 20, NULL);
	r.env->report = on_report;
	c.fd = r.fd;
	for (;;) {
		before = live;
		start(++n);
		err = phyr_sim_nvme_create(r.sim, 0x200, &c, &sdev);
		if (!stop())
			break;
		assert_int_equal(err, -ENOMEM);
		assert_int_equal(last.err, -ENOMEM);
		assert_non_null(last.hint);
		assert_null(sdev);
		assert_int_equal(live, before);
	}
	assert_int_equal(err, 0);
	assert_true(n >
		    5); /* controller, namespaces, two rows of queues, device, table of devices */
	phyr_sim_nvme_destroy(sdev);
	assert_int_equal(live, before);
	rig_stop(&r);
}

static void flush_ends(struct rig *r, struct pair *p, unsigned status)
{
	uint32_t dw[16] = {0x5u << 16, 1};

	assert_int_equal(run(r, p, dw).status, status);
}

/* The plan before stays, in its place. */
static void plan(void **state)
{
	struct phyr_sim_nvme_fault f = {.kind = PHYR_SIM_NVME_STATUS,
					.queue = 1,
					.opcode = 0,
					.after = 2,
					.count = 2,
					.status = 0x281};
	const struct phyr_sim_nvme_fault none[2] = {{.opcode = 0x7f}, {.opcode = 0x7f}};
	struct pair p;
	struct rig r;
	int before;

	rig_start_io(&r, 1 << 20, NULL, 12, &p, 16);
	r.env->report = on_report;
	assert_int_equal(phyr_sim_nvme_plan(r.dev, &f, 1), 0);
	flush_ends(&r, &p, 0);
	before = live;
	start(1);
	assert_int_equal(phyr_sim_nvme_plan(r.dev, none, 2), -ENOMEM);
	assert_true(stop());
	assert_string_equal(last.call, "phyr_sim_nvme_plan");
	assert_int_equal(live, before);
	flush_ends(&r, &p, 0);
	flush_ends(&r, &p, 0x281);
	start(2);
	assert_int_equal(phyr_sim_nvme_plan(r.dev, none, 2), 0);
	assert_false(stop());
	assert_int_equal(live, before);
	flush_ends(&r, &p, 0);
	start(1); /* none needs none */
	assert_int_equal(phyr_sim_nvme_plan(r.dev, NULL, 0), 0);
	assert_false(stop());
	assert_int_equal(live, before - 1);
	rig_stop_io(&r, &p);
}

/* Commands, held back ones too, allocate nothing. */
static void commands(void **state)
{
	struct phyr_sim_nvme_fault f = {.kind = PHYR_SIM_NVME_DELAY,
					.queue = PHYR_SIM_NVME_ANY_IO,
					.opcode = PHYR_SIM_NVME_ANY,
					.count = UINT64_MAX};
	uint32_t dw[16];
	struct pair p;
	struct mem m;
	struct rig r;

	rig_start_io(&r, 1 << 20, NULL, 12, &p, 16);
	m = mem_alloc(&r, 4096);
	assert_int_equal(phyr_sim_nvme_plan(r.dev, &f, 1), 0);
	start(1);
	for (unsigned opcode = 0; opcode < 10; opcode++) {
		rw_build(dw, opcode, opcode, 0, 1, phys_of(&r, m.ptr), 0);
		run(&r, &p, dw);
	}
	for (unsigned opcode = 0; opcode < 256; opcode++)
		if (opcode != ASYNC_EVENT)
			admin(&r, opcode, 1, 1, 0, m.ptr);
	assert_false(stop());
	assert_int_equal(calls, 0);
	mem_free(&r, &m);
	ring_free(&r, &p.sq);
	ring_free(&r, &p.cq);
	rig_stop(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(create),
		cmocka_unit_test(plan),
		cmocka_unit_test(commands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
