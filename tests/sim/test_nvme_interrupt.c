/* SPDX-License-Identifier: MIT */
/*
 * The simulated NVMe controller, and what the function of an interrupt does to it while a command is
 * half carried out: the interrupt tells of a command that Abort or the end of its queue completes.
 */
#include "test_nvme_rig.h"

#define FLUSH     0
#define DELETE_SQ 0
#define ABORT     8
#define NO_OPCODE 0x7f
#define VECTOR    3

#define NEVER     PHYR_SIM_NVME_NEVER
#define UNRELATED 20 /* faults: enough that freed memory of the plan is soon another plan's */

struct meddling {
	struct rig r;
	struct pair p;
	void (*meddle)(struct meddling *m);
	unsigned irqs;
	uint64_t completions; /* when it had meddled */
	uint64_t moved;
};

static struct phyr_sim_nvme_stats stats(struct rig *r)
{
	struct phyr_sim_nvme_stats s;

	phyr_sim_nvme_get_stats(r->dev, &s);
	return s;
}

static uint64_t moved(struct rig *r)
{
	struct phyr_sim_stats s;

	phyr_sim_get_stats(r->sim, &s);
	return s.dma_bytes;
}

static void interrupt(void *arg, unsigned vector)
{
	struct meddling *m = arg;

	if (m->irqs++)
		return;
	m->meddle(m);
	m->completions = stats(&m->r).completions;
	m->moved = moved(&m->r);
}

/* A plan whose last fault but one holds back flushes for ever, and the last one others a while. */
static void plan(struct rig *r, unsigned opcode, uint64_t steps)
{
	struct phyr_sim_nvme_fault f[UNRELATED + 2];

	for (unsigned i = 0; i < UNRELATED; i++)
		f[i] = (struct phyr_sim_nvme_fault){.queue = 60, .steps = steps};
	f[UNRELATED] = (struct phyr_sim_nvme_fault){
		.kind = PHYR_SIM_NVME_DELAY, .queue = 1, .count = UINT64_MAX, .steps = NEVER};
	f[UNRELATED + 1] = (struct phyr_sim_nvme_fault){
		.kind = PHYR_SIM_NVME_DELAY, .queue = 0, .opcode = opcode, .steps = steps};
	assert_int_equal(phyr_sim_nvme_plan(r->dev, f, UNRELATED + 2), 0);
}

/* Two flushes that are held back, and an interrupt that meddles when the first of them ends. */
static void start(struct meddling *m, void (*meddle)(struct meddling *m), unsigned delayed)
{
	*m = (struct meddling){.meddle = meddle};
	rig_start(&m->r, 1 << 20, NULL);
	rig_enable(&m->r, 12);
	pair_create(&m->r, &m->p, 1, 16, VECTOR);
	plan(&m->r, delayed, 5);
	for (unsigned cid = 7; cid < 9; cid++) {
		uint32_t dw[16] = {FLUSH | cid << 16, 1};

		sq_put(&m->p, dw);
	}
	sq_ring(&m->r, &m->p);
	rig_settle(&m->r);
	assert_int_equal(stats(&m->r).held, 2);
	assert_int_equal(phyr_sim_set_irq(m->r.dev, VECTOR, interrupt, m), 0);
}

/* An admin command that ends flushes of queue 1; so many steps are taken. */
static void end_flushes(struct meddling *m, unsigned opcode, unsigned steps)
{
	uint32_t dw[16] = {opcode | 9 << 16};

	dw[10] = opcode == ABORT ? 1 | 7 << 16 : 1;
	sq_put(&m->r.admin, dw);
	sq_ring(&m->r, &m->r.admin);
	rig_steps(&m->r, steps);
}

static void stop(struct meddling *m)
{
	ring_free(&m->r, &m->p.sq);
	ring_free(&m->r, &m->p.cq);
	rig_stop(&m->r);
}

/* Other plans, of which one takes the memory that the first one had. */
static void replace_plan(struct meddling *m)
{
	for (unsigned i = 0; i < 4; i++)
		plan(&m->r, ABORT, 50);
}

/* The fault that hit Abort is carried out to its end, whatever became of its plan. */
static void plan_is_replaced(void **state)
{
	struct meddling m;
	struct cqe cqe;

	start(&m, replace_plan, ABORT);
	end_flushes(&m, ABORT, 5);
	assert_int_equal(m.irqs, 1);
	assert_true(cq_take(&m.p, &cqe));
	assert_int_equal(cqe.cid, 7);
	assert_int_equal(cqe.status, 0x007);
	assert_false(cq_take(&m.r.admin, &cqe));
	rig_steps(&m.r, 1);
	assert_true(cq_take(&m.r.admin, &cqe));
	assert_int_equal(cqe.cid, 9);
	assert_int_equal(cqe.status, 0);
	stop(&m);
}

static void unplug(struct meddling *m)
{
	phyr_sim_nvme_unplug(m->r.dev);
}

/* More register writes than can be posted are carried out at once, the first of them too. */
static void reset(struct meddling *m)
{
	for (unsigned i = 0; i < 300; i++)
		rig_write(&m->r, 0x14, 0);
}

/* Nothing comes after what the interrupt's function did, though its command had work left. */
static void ends_there(void (*meddle)(struct meddling *m), unsigned opcode, unsigned delayed,
		       uint32_t csts)
{
	struct meddling m;
	struct cqe cqe;
	unsigned told;

	start(&m, meddle, delayed);
	told = m.r.irqs[0];
	end_flushes(&m, opcode, 20);
	assert_int_equal(m.irqs, 1);
	assert_true(cq_take(&m.p, &cqe));
	assert_int_equal(cqe.cid, 7);
	assert_false(cq_take(&m.p, &cqe));
	assert_false(cq_take(&m.r.admin, &cqe));
	assert_int_equal(m.r.irqs[0], told);
	assert_int_equal(stats(&m.r).completions, m.completions);
	assert_int_equal(stats(&m.r).held, 0);
	assert_int_equal(moved(&m.r), m.moved);
	assert_int_equal(rig_read(&m.r, 0x1c), csts);
	stop(&m);
}

static void unplugged(void **state)
{
	ends_there(unplug, ABORT, NO_OPCODE, ~0u);
	ends_there(unplug, ABORT, ABORT, ~0u); /* it would be held back */
	ends_there(unplug, DELETE_SQ, NO_OPCODE, ~0u);
}

static void was_reset(void **state)
{
	ends_there(reset, ABORT, NO_OPCODE, 0);
	ends_there(reset, ABORT, ABORT, 0);
	ends_there(reset, DELETE_SQ, NO_OPCODE, 0);
}

static void unplug_first(void *arg, unsigned vector)
{
	struct rig *r = arg;

	r->irqs[vector]++;
	phyr_sim_nvme_unplug(r->dev);
}

/* Of two interrupts that are unmasked at once, the first one's function is the last to be called. */
static void unplugged_between_interrupts(void **state)
{
	struct pair p[2];
	struct rig r;

	rig_start(&r, 1 << 20, NULL);
	rig_enable(&r, 12);
	rig_write(&r, 0x0c, 3 << VECTOR);
	for (unsigned i = 0; i < 2; i++) {
		uint32_t dw[16] = {FLUSH, 1};

		pair_create(&r, &p[i], i + 1, 16, VECTOR + (int)i);
		sq_put(&p[i], dw);
		sq_ring(&r, &p[i]);
	}
	rig_settle(&r);
	assert_int_equal(phyr_sim_set_irq(r.dev, VECTOR, unplug_first, &r), 0);
	rig_write(&r, 0x10, 3 << VECTOR);
	rig_steps(&r, 3);
	assert_int_equal(r.irqs[VECTOR], 1);
	assert_int_equal(r.irqs[VECTOR + 1], 0);
	assert_int_equal(rig_read(&r, 0x1c), ~0u);
	for (unsigned i = 0; i < 2; i++) {
		ring_free(&r, &p[i].sq);
		ring_free(&r, &p[i].cq);
	}
	rig_stop(&r);
}

static void reset_once(void *arg, unsigned vector)
{
	struct meddling *m = arg;

	if (!m->irqs++)
		reset(m);
}

/* A reset in the interrupt that tells of an event forgets that it was told. */
static void reset_when_told(void **state)
{
	struct meddling m = {0};
	struct cqe cqe;

	rig_start(&m.r, 1 << 20, NULL);
	assert_int_equal(phyr_sim_set_irq(m.r.dev, 0, reset_once, &m), 0);
	for (unsigned i = 0; i < 2; i++) {
		uint32_t dw[16] = {ASYNC_EVENT};

		rig_enable(&m.r, 12);
		sq_put(&m.r.admin, dw);
		sq_ring(&m.r, &m.r.admin);
		rig_settle(&m.r);
		rig_doorbell(&m.r, 20, 1); /* of no queue */
		rig_settle(&m.r);
		assert_true(cq_take(&m.r.admin, &cqe));
		assert_int_equal(rig_read(&m.r, 0x1c), i);
	}
	rig_stop(&m.r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plan_is_replaced), cmocka_unit_test(unplugged),
		cmocka_unit_test(was_reset),        cmocka_unit_test(unplugged_between_interrupts),
		cmocka_unit_test(reset_when_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
