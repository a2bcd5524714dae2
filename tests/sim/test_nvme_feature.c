/* SPDX-License-Identifier: MIT */
/* The simulated NVMe controller: each feature, what it says and what it does. */
#define _GNU_SOURCE
#include "test_nvme_rig.h"

#include <sys/mman.h>
#include <unistd.h>

#define INVALID_FIELD    (0x002 | DNR)
#define INVALID_NS       (0x00b | DNR)
#define NOT_SAVEABLE     (0x10d | DNR)
#define NOT_OF_NAMESPACE (0x10f | DNR)

#define DEFAULT      (1u << 8)
#define SAVED        (2u << 8)
#define CAPABILITIES (3u << 8)

static unsigned set(struct rig *r, uint32_t dw10, uint32_t dw11)
{
	return admin(r, SET_FEATURES, 0, dw10, dw11, NULL).status;
}

static uint32_t get(struct rig *r, uint32_t dw10, uint32_t dw11)
{
	struct cqe cqe = admin(r, GET_FEATURES, 0, dw10, dw11, NULL);

	assert_int_equal(cqe.status, 0);
	return cqe.dw0;
}

/* Of those that are one value: what it is at first, what it is set to, what is said then. */
static const struct {
	uint32_t id, at_first, to, then;
} values[] = {
	{0x01, 0, 0x04030203, 0x04030203},
	{0x02, 0, 0x40, 0x40},
	{0x06, 1, 0, 0},
	{0x08, 0, 0xffff1207, 0x1207},
	{0x0a, 0, 1, 1},
	{0x0b, 0, 0x1ff, 0x1ff},
	{0x07, 63 | 63 << 16, 3, 3},
	{0x04, 343, 0x0140, 0x0140},
};

#define NR_VALUES (sizeof(values) / sizeof(*values))

static void each_value(void **state)
{
	struct rig r;

	rig_start(&r, 1 << 20, NULL);
	rig_enable(&r, 12);
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < NR_VALUES; i++) {
			uint32_t id = values[i].id;

			assert_int_equal(get(&r, id, 0), values[i].at_first);
			assert_int_equal(set(&r, id, values[i].to), 0);
			assert_int_equal(get(&r, id, 0), values[i].then);
			assert_int_equal(get(&r, id | DEFAULT, 0), values[i].at_first);
			assert_int_equal(get(&r, id | SAVED, 0), values[i].at_first);
			assert_int_equal(get(&r, id | CAPABILITIES, 0), 4);
			assert_int_equal(set(&r, id | 1u << 31, values[i].to), NOT_SAVEABLE);
			assert_int_equal(admin(&r, SET_FEATURES, 1, id, values[i].to, NULL).status,
					 NOT_OF_NAMESPACE);
			assert_int_equal(admin(&r, SET_FEATURES, 2, id, values[i].to, NULL).status,
					 INVALID_NS);
			assert_int_equal(
				admin(&r, SET_FEATURES, ~0u, id, values[i].to, NULL).status, 0);
			assert_int_equal(admin(&r, GET_FEATURES, 0, id | 4 << 8, 0, NULL).status,
					 INVALID_FIELD);
		}
		rig_disable(&r); /* a reset gives the defaults back */
		rig_enable(&r, 12);
	}
	rig_stop(&r);
}

static void refused(void **state)
{
	static const uint32_t unknown[] = {0x00, 0x03, 0x0c, 0x0d, 0x0e, 0x10, 0x81, 0xc0, 0xff};
	struct rig r;

	rig_start(&r, 1 << 20, NULL);
	rig_enable(&r, 12);
	for (unsigned i = 0; i < sizeof(unknown) / sizeof(*unknown); i++) {
		assert_int_equal(set(&r, unknown[i], 0), INVALID_FIELD);
		assert_int_equal(admin(&r, GET_FEATURES, 0, unknown[i], 0, NULL).status,
				 INVALID_FIELD);
	}
	assert_int_equal(set(&r, 0x02, 1), INVALID_FIELD);       /* one power state */
	assert_int_equal(set(&r, 0x04, 1 << 16), INVALID_FIELD); /* no such sensor */
	assert_int_equal(set(&r, 0x04, 2 << 20), INVALID_FIELD); /* neither over nor under */
	assert_int_equal(admin(&r, GET_FEATURES, 0, 0x04, 15 << 16, NULL).status, INVALID_FIELD);
	assert_int_equal(set(&r, 0x0b, 1 << 9), INVALID_FIELD); /* no such notice */
	assert_int_equal(set(&r, 0x09, PHYR_SIM_VECTORS), INVALID_FIELD);
	assert_int_equal(admin(&r, GET_FEATURES, 0, 0x09, PHYR_SIM_VECTORS, NULL).status,
			 INVALID_FIELD);
	rig_stop(&r);
}

static void temperature_thresholds(void **state)
{
	struct rig r;

	rig_start(&r, 1 << 20, NULL);
	rig_enable(&r, 12);
	assert_int_equal(get(&r, 0x04, 1 << 20), 0);
	assert_int_equal(set(&r, 0x04, 15 << 16 | 1 << 20 | 280), 0); /* all sensors, under */
	assert_int_equal(get(&r, 0x04, 1 << 20), 280);
	assert_int_equal(get(&r, 0x04, 0), 343);
	assert_int_equal(get(&r, 0x04 | DEFAULT, 1 << 20), 0);
	rig_stop(&r);
}

/* Error recovery is a namespace's own. */
static void of_namespaces(void **state)
{
	struct phyr_sim_nvme_ns more[2] = {{.fd = -1}, {.fd = -1}};
	struct phyr_sim_nvme_config c = {.more = more, .nr_more = 2};
	struct rig r;

	more[0].fd = memfd_create("more", 0);
	assert_int_equal(ftruncate(more[0].fd, 4096), 0);
	rig_start(&r, 1 << 20, &c);
	rig_enable(&r, 12);
	assert_int_equal(admin(&r, GET_FEATURES, 1, 5 | CAPABILITIES, 0, NULL).dw0, 6);
	assert_int_equal(admin(&r, SET_FEATURES, 2, 5, 77, NULL).status, 0);
	assert_int_equal(admin(&r, GET_FEATURES, 2, 5, 0, NULL).dw0, 77);
	assert_int_equal(admin(&r, GET_FEATURES, 2, 5 | DEFAULT, 0, NULL).dw0, 0);
	assert_int_equal(admin(&r, GET_FEATURES, 1, 5, 0, NULL).dw0, 0);
	assert_int_equal(admin(&r, SET_FEATURES, ~0u, 5, 9, NULL).status, 0);
	for (uint32_t nsid = 1; nsid <= 2; nsid++)
		assert_int_equal(admin(&r, GET_FEATURES, nsid, 5, 0, NULL).dw0, 9);
	assert_int_equal(admin(&r, SET_FEATURES, 1, 5, 1 << 16, NULL).status, INVALID_FIELD);
	for (unsigned opcode = SET_FEATURES; opcode <= GET_FEATURES; opcode++) {
		assert_int_equal(admin(&r, opcode, 0, 5, 0, NULL).status, INVALID_NS);
		assert_int_equal(admin(&r, opcode, 4, 5, 0, NULL).status, INVALID_NS);
		assert_int_equal(admin(&r, opcode, 3, 5, 0, NULL).status, INVALID_FIELD);
	}
	assert_int_equal(admin(&r, GET_FEATURES, ~0u, 5, 0, NULL).status, INVALID_NS);
	rig_stop(&r);
	close(more[0].fd);
}

static void put_flushes(struct rig *r, struct pair *p, unsigned nr)
{
	for (unsigned i = 0; i < nr; i++) {
		uint32_t dw[16] = {i << 16, 1};

		sq_put(p, dw);
	}
	sq_ring(r, p);
}

static void take(struct rig *r, struct pair *p, unsigned nr)
{
	struct cqe cqe;

	while (nr--)
		assert_true(cq_take(p, &cqe));
	assert_false(cq_take(p, &cqe));
	cq_ring(r, p);
}

/* A queue's turn lasts for 2^AB commands. */
static void arbitration_burst(void **state)
{
	static const char *const order[] = {"121212121212", "112211221122", "111122221122",
					    "111111222222"};
	static const uint32_t burst[] = {0, 1, 2, 7};
	struct pair p[2];
	struct cqe cqe;
	struct rig r;

	rig_start(&r, 1 << 20, NULL);
	rig_enable(&r, 12);
	pair_create(&r, &p[0], 1, 16, -1);
	pair_create(&r, &p[1], 2, 16, -1);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(set(&r, 1, burst[i]), 0);
		put_flushes(&r, &p[0], 6);
		put_flushes(&r, &p[1], 6);
		for (const char *c = order[i]; *c; c++) {
			rig_steps(&r, 1);
			assert_true(cq_take(&p[*c - '1'], &cqe));
		}
		cq_ring(&r, &p[0]);
		cq_ring(&r, &p[1]);
	}
	pair_delete(&r, &p[0]);
	pair_delete(&r, &p[1]);
	rig_stop(&r);
}

/* THR + 1 completions an interrupt, and one for the rest when there is nothing to do. */
static void coalescing(void **state)
{
	struct pair p;
	struct rig r;

	rig_start(&r, 1 << 20, NULL);
	rig_enable(&r, 12);
	pair_create(&r, &p, 1, 32, 3);
	assert_int_equal(set(&r, 8, 3), 0); /* no time: no waiting */
	put_flushes(&r, &p, 10);
	rig_settle(&r);
	assert_int_equal(r.irqs[3], 10);
	take(&r, &p, 10);
	assert_int_equal(set(&r, 8, 0x0103), 0);
	put_flushes(&r, &p, 10);
	rig_steps(&r, 3);
	assert_int_equal(r.irqs[3], 10);
	rig_steps(&r, 1);
	assert_int_equal(r.irqs[3], 11);
	rig_settle(&r);
	assert_int_equal(r.irqs[3], 13);
	take(&r, &p, 10);
	assert_int_equal(set(&r, 9, 3 | 1 << 16), 0); /* this vector does not wait */
	assert_int_equal(get(&r, 9, 3), 3 | 1 << 16);
	assert_int_equal(get(&r, 9, 4), 4);
	assert_int_equal(get(&r, 9 | DEFAULT, 3), 3);
	put_flushes(&r, &p, 5);
	rig_settle(&r);
	assert_int_equal(r.irqs[3], 18);
	take(&r, &p, 5);
	r.irqs[0] = 0;
	get(&r, 1, 0); /* nor does the admin queue */
	assert_int_equal(r.irqs[0], 1);
	pair_delete(&r, &p);
	rig_stop(&r);
}

/* Waiting ends with the work, even while a command is held back. */
static void coalescing_beside_a_delay(void **state)
{
	const struct phyr_sim_nvme_fault f = {
		.kind = PHYR_SIM_NVME_DELAY, .queue = 1, .opcode = 0, .steps = 50};
	struct pair p;
	struct rig r;

	rig_start(&r, 1 << 20, NULL);
	rig_enable(&r, 12);
	pair_create(&r, &p, 1, 32, 3);
	assert_int_equal(set(&r, 8, 0x01ff), 0);
	assert_int_equal(phyr_sim_nvme_plan(r.dev, &f, 1), 0);
	put_flushes(&r, &p, 3);
	rig_steps(&r, 3);
	assert_int_equal(r.irqs[3], 0);
	rig_steps(&r, 1);
	assert_int_equal(r.irqs[3], 1);
	rig_settle(&r);
	assert_int_equal(r.irqs[3], 2);
	take(&r, &p, 3);
	pair_delete(&r, &p);
	rig_stop(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_value),
		cmocka_unit_test(refused),
		cmocka_unit_test(temperature_thresholds),
		cmocka_unit_test(of_namespaces),
		cmocka_unit_test(arbitration_burst),
		cmocka_unit_test(coalescing),
		cmocka_unit_test(coalescing_beside_a_delay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
