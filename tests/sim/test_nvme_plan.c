/* SPDX-License-Identifier: MIT */
/* The simulated NVMe controller: faults by plan, and Abort of what they hold back. */
#include "test_nvme_rig.h"

#include <errno.h>
#include <string.h>

#define FLUSH 0
#define WRITE 1
#define READ  2
#define ABORT 8

#define ANY   PHYR_SIM_NVME_ANY
#define NEVER PHYR_SIM_NVME_NEVER

#define plan(r, ...)                                                                             \
	do {                                                                                     \
		const struct phyr_sim_nvme_fault f_[] = {__VA_ARGS__};                           \
		assert_int_equal(phyr_sim_nvme_plan((r)->dev, f_, sizeof(f_) / sizeof(*f_)), 0); \
	} while (0)

static struct phyr_sim_nvme_stats stats(struct rig *r)
{
	struct phyr_sim_nvme_stats s;

	phyr_sim_nvme_get_stats(r->dev, &s);
	return s;
}

static void put(struct pair *p, unsigned opcode, unsigned cid)
{
	uint32_t dw[16] = {opcode | cid << 16, 1};

	sq_put(p, dw);
}

static void submit(struct rig *r, struct pair *p, unsigned first, unsigned nr)
{
	for (unsigned i = 0; i < nr; i++)
		put(p, FLUSH, first + i);
	sq_ring(r, p);
}

/* The completion that is there is the one of @cid. */
static void took(struct rig *r, struct pair *p, unsigned cid, unsigned status)
{
	struct cqe cqe;

	assert_true(cq_take(p, &cqe));
	assert_int_equal(cqe.cid, cid);
	assert_int_equal(cqe.status, status);
	assert_int_equal(cqe.sqid, p->qid);
	cq_ring(r, p);
}

static void none(struct pair *p)
{
	struct cqe cqe;

	assert_false(cq_take(p, &cqe));
}

static void settle_and_took(struct rig *r, struct pair *p, unsigned cid, unsigned status)
{
	rig_settle(r);
	took(r, p, cid, status);
	none(p);
}

/* @return completion dword 0 */
static uint32_t abort_cmd(struct rig *r, unsigned sqid, unsigned cid)
{
	uint32_t dw[16] = {ABORT | 0x4321u << 16};
	struct cqe cqe;

	dw[10] = sqid | cid << 16;
	sq_put(&r->admin, dw);
	sq_ring(r, &r->admin);
	rig_steps(r, 2);
	assert_true(cq_take(&r->admin, &cqe));
	cq_ring(r, &r->admin);
	assert_int_equal(cqe.status, 0);
	assert_int_equal(cqe.cid, 0x4321);
	return cqe.dw0;
}

/* So many steps later, to the step; others overtake it. */
static void delayed(void **state)
{
	struct pair p;
	struct rig r;

	rig_start_io(&r, 1 << 20, NULL, 12, &p, 16);
	plan(&r,
	     {.kind = PHYR_SIM_NVME_DELAY, .queue = 1, .opcode = FLUSH, .after = 1, .steps = 5});
	submit(&r, &p, 0, 4);
	rig_steps(&r, 1);
	took(&r, &p, 0, 0);
	rig_steps(&r, 1); /* fetched */
	none(&p);
	rig_steps(&r, 2);
	took(&r, &p, 2, 0);
	took(&r, &p, 3, 0);
	assert_int_equal(stats(&r).held, 1);
	rig_steps(&r, 2);
	none(&p);
	rig_steps(&r, 1);
	took(&r, &p, 1, 0);
	assert_int_equal(stats(&r).held, 0);
	assert_int_equal(stats(&r).hits[PHYR_SIM_NVME_DELAY], 1);
	submit(&r, &p, 4, 1); /* the plan is spent */
	rig_steps(&r, 1);
	took(&r, &p, 4, 0);
	rig_stop_io(&r, &p);
}

/* A delayed command is carried out when it is fetched. */
static void delayed_data_moves_at_once(void **state)
{
	uint32_t dw[16];
	struct pair p;
	struct mem m;
	struct rig r;

	rig_start_io(&r, 1 << 20, NULL, 12, &p, 16);
	m = mem_alloc(&r, 4096);
	memset(m.ptr, 0xee, 4096);
	plan(&r, {.kind = PHYR_SIM_NVME_DELAY, .queue = ANY, .opcode = READ, .steps = 3});
	rw_build(dw, READ, 9, 0, 8, phys_of(&r, m.ptr), 0);
	sq_put(&p, dw);
	sq_ring(&r, &p);
	rig_steps(&r, 1);
	assert_int_equal(m.ptr[0], 0);
	none(&p);
	settle_and_took(&r, &p, 9, 0);
	mem_free(&r, &m);
	rig_stop_io(&r, &p);
}

/* Those that are due in one order are completed in it, whatever the order they came in. */
static void delays_of_different_length(void **state)
{
	static const unsigned order[] = {2, 0, 1};
	struct pair p;
	struct rig r;

	rig_start_io(&r, 1 << 20, NULL, 12, &p, 16);
	plan(&r, {.kind = PHYR_SIM_NVME_DELAY, .queue = ANY, .opcode = FLUSH, .steps = 20},
	     {.kind = PHYR_SIM_NVME_DELAY, .queue = ANY, .opcode = FLUSH, .steps = 30},
	     {.kind = PHYR_SIM_NVME_DELAY, .queue = ANY, .opcode = FLUSH, .steps = 5});
	submit(&r, &p, 0, 3);
	rig_settle(&r);
	for (unsigned i = 0; i < 3; i++)
		took(&r, &p, order[i], 0);
	rig_stop_io(&r, &p);
}

static void dropped(void **state)
{
	struct pair p;
	struct rig r;

	rig_start_io(&r, 1 << 20, NULL, 12, &p, 16);
	plan(&r, {.kind = PHYR_SIM_NVME_DROP,
		  .queue = PHYR_SIM_NVME_ANY_IO,
		  .opcode = ANY,
		  .after = 1,
		  .count = 2});
	submit(&r, &p, 0, 5);
	rig_settle(&r);
	took(&r, &p, 0, 0);
	took(&r, &p, 3, 0);
	took(&r, &p, 4, 0);
	none(&p);
	assert_int_equal(stats(&r).hits[PHYR_SIM_NVME_DROP], 2);
	assert_int_equal(stats(&r).held, 0);
	assert_int_equal(abort_cmd(&r, 1, 1), 1); /* not found */
	none(&p);
	rig_stop_io(&r, &p);
}

/* Dropped is not carried out. */
static void dropped_write_changes_nothing(void **state)
{
	uint32_t dw[16];
	struct pair p;
	struct mem m;
	struct rig r;

	rig_start_io(&r, 1 << 20, NULL, 12, &p, 16);
	m = mem_alloc(&r, 4096);
	memset(m.ptr, 0xee, 4096);
	for (unsigned i = 0; i < 2; i++) {
		plan(&r, {.kind = i ? PHYR_SIM_NVME_STATUS : PHYR_SIM_NVME_DROP,
			  .queue = ANY,
			  .opcode = WRITE});
		rw_build(dw, WRITE, 9, 0, 8, phys_of(&r, m.ptr), 0);
		sq_put(&p, dw);
		sq_ring(&r, &p);
		rig_settle(&r);
	}
	took(&r, &p, 9, 0); /* the lie */
	none(&p);
	assert_int_equal(rw(&r, &p, READ, 0, 8, phys_of(&r, m.ptr), 0), 0);
	assert_int_equal(m.ptr[0], 0);
	mem_free(&r, &m);
	rig_stop_io(&r, &p);
}

/* Behind the next command of its queue; of a run of them every second one is. */
static void reordered(void **state)
{
	static const unsigned order[] = {1, 0, 3, 2, 5, 4};
	struct pair p, other;
	struct rig r;

	rig_start_io(&r, 1 << 20, NULL, 12, &p, 16);
	pair_create(&r, &other, 2, 16, -1);
	plan(&r, {.kind = PHYR_SIM_NVME_REORDER,
		  .queue = 1,
		  .opcode = ANY,
		  .count = UINT64_MAX,
		  .steps = NEVER});
	submit(&r, &p, 0, 1);
	submit(&r, &other, 50, 1);
	rig_settle(&r);
	none(&p); /* a command of another queue doesn't count */
	took(&r, &other, 50, 0);
	submit(&r, &p, 1, 5);
	rig_settle(&r);
	for (unsigned i = 0; i < 6; i++)
		took(&r, &p, order[i], 0);
	plan(&r, {.kind = PHYR_SIM_NVME_REORDER, .queue = 1, .opcode = ANY, .steps = 7});
	submit(&r, &p, 7, 1);
	rig_steps(&r, 7);
	none(&p);
	settle_and_took(&r, &p, 7, 0); /* none came */
	pair_delete(&r, &other);
	rig_stop_io(&r, &p);
}

/* Also when Abort is what completes the next command, which came first. */
static void reordered_behind_an_aborted_one(void **state)
{
	struct pair p;
	struct rig r;

	rig_start_io(&r, 1 << 20, NULL, 12, &p, 16);
	plan(&r, {.kind = PHYR_SIM_NVME_DELAY, .queue = 1, .opcode = FLUSH, .steps = NEVER},
	     {.kind = PHYR_SIM_NVME_REORDER, .queue = 1, .opcode = FLUSH, .steps = NEVER});
	submit(&r, &p, 7, 2);
	rig_settle(&r);
	none(&p);
	assert_int_equal(abort_cmd(&r, 1, 7), 0);
	took(&r, &p, 7, 0x007);
	settle_and_took(&r, &p, 8, 0);
	assert_int_equal(stats(&r).held, 0);
	rig_stop_io(&r, &p);
}

/* An event request that is told of something completes, too. */
static void reordered_behind_an_event(void **state)
{
	uint32_t dw[16] = {ASYNC_EVENT | 1 << 16};
	struct cqe cqe;
	struct rig r;

	rig_start(&r, 1 << 20, NULL);
	rig_enable(&r, 12);
	sq_put(&r.admin, dw);
	sq_ring(&r, &r.admin);
	rig_settle(&r);
	plan(&r, {.kind = PHYR_SIM_NVME_REORDER, .queue = 0, .opcode = ABORT, .steps = NEVER});
	dw[0] = ABORT | 2 << 16;
	sq_put(&r.admin, dw);
	sq_ring(&r, &r.admin);
	rig_settle(&r);
	none(&r.admin);
	rig_doorbell(&r, 20, 1); /* of no queue */
	rig_settle(&r);
	assert_true(cq_take(&r.admin, &cqe));
	assert_int_equal(cqe.cid, 1);
	took(&r, &r.admin, 2, 0);
	rig_stop(&r);
}

static void wrong_status(void **state)
{
	struct pair p;
	struct rig r;

	rig_start_io(&r, 1 << 20, NULL, 12, &p, 16);
	plan(&r,
	     {.kind = PHYR_SIM_NVME_STATUS,
	      .queue = ANY,
	      .opcode = FLUSH,
	      .status = 0x281 | PHYR_SIM_NVME_DNR},
	     {.kind = PHYR_SIM_NVME_STATUS,
	      .queue = 1,
	      .opcode = ANY,
	      .after = 1,
	      .status = 0x7ff});
	submit(&r, &p, 0, 4);
	rig_settle(&r);
	took(&r, &p, 0, 0x281 | DNR);
	took(&r, &p, 1, 0); /* the second fault did not count what the first took */
	took(&r, &p, 2, 0x7ff);
	took(&r, &p, 3, 0);
	rig_stop_io(&r, &p);
}

/* Nothing more until a reset, which leaves the plan where it was. */
static void fatal(void **state)
{
	struct pair p;
	struct rig r;

	rig_start_io(&r, 1 << 20, NULL, 12, &p, 16);
	plan(&r, {.kind = PHYR_SIM_NVME_FATAL, .queue = 1, .opcode = ANY, .after = 2, .count = 2});
	for (unsigned round = 0; round < 2; round++) {
		unsigned well = round ? 0 : 2;

		submit(&r, &p, 0, 4);
		rig_settle(&r);
		for (unsigned i = 0; i < well; i++)
			took(&r, &p, i, 0);
		none(&p);
		assert_int_equal(rig_read(&r, 0x1c), 3);
		rig_disable(&r);
		rig_enable(&r, 12);
		ring_free(&r, &p.sq);
		ring_free(&r, &p.cq);
		pair_create(&r, &p, 1, 16, -1);
	}
	submit(&r, &p, 0, 4);
	rig_settle(&r);
	took(&r, &p, 0, 0);
	assert_int_equal(stats(&r).hits[PHYR_SIM_NVME_FATAL], 2);
	rig_stop_io(&r, &p);
}

static void is_gone(struct rig *r, struct pair *p)
{
	uint64_t moved;
	struct phyr_sim_stats s;

	phyr_sim_get_stats(r->sim, &s);
	moved = s.dma_bytes;
	for (unsigned offset = 0; offset < 0x2000; offset += 4)
		assert_int_equal(rig_read(r, offset), 0xffffffff);
	assert_true(r->regs->read(r->regs, 0, 8) == UINT64_MAX);
	submit(r, p, 7, 2);
	rig_write(r, 0x14, 0);
	rig_settle(r);
	rig_admin_memory(r, 32);
	rig_write(r, 0x14, 0x00460001);
	rig_settle(r);
	assert_int_equal(rig_read(r, 0x1c), 0xffffffff);
	none(p);
	phyr_sim_get_stats(r->sim, &s);
	assert_int_equal(s.dma_bytes, moved);
	assert_int_equal(stats(r).held, 0);
}

static void pulled_out(void **state)
{
	struct pair p;
	struct rig r;

	for (unsigned by_hand = 0; by_hand < 2; by_hand++) {
		rig_start_io(&r, 1 << 20, NULL, 12, &p, 16);
		plan(&r, {.kind = PHYR_SIM_NVME_DELAY, .queue = 1, .opcode = ANY},
		     {.kind = PHYR_SIM_NVME_GONE, .queue = 1, .opcode = ANY, .after = 1});
		submit(&r, &p, 0, 2);
		rig_steps(&r, 2);
		if (by_hand)
			phyr_sim_nvme_unplug(r.dev);
		else
			submit(&r, &p, 2, 1);
		rig_settle(&r);
		assert_int_equal(stats(&r).hits[PHYR_SIM_NVME_GONE], !by_hand);
		took(&r, &p, 1, 0);
		is_gone(&r, &p);
		ring_free(&r, &p.sq);
		ring_free(&r, &p.cq);
		rig_stop(&r);
	}
}

static void abort_finds_what_is_held(void **state)
{
	struct pair p;
	struct rig r;

	rig_start_io(&r, 1 << 20, NULL, 12, &p, 16);
	plan(&r,
	     {.kind = PHYR_SIM_NVME_DELAY, .queue = 1, .opcode = ANY, .count = 3, .steps = NEVER});
	submit(&r, &p, 0, 4);
	rig_settle(&r); /* what waits for ever is no work */
	took(&r, &p, 3, 0);
	assert_int_equal(abort_cmd(&r, 2, 1), 1);
	assert_int_equal(abort_cmd(&r, 1, 3), 1);
	assert_int_equal(abort_cmd(&r, 0, 1), 1);
	assert_int_equal(abort_cmd(&r, 1, 1), 0);
	took(&r, &p, 1, 0x007);
	assert_int_equal(abort_cmd(&r, 1, 1), 1);
	assert_int_equal(abort_cmd(&r, 1, 0), 0);
	took(&r, &p, 0, 0x007);
	assert_int_equal(stats(&r).held, 1);
	rig_disable(&r);
	assert_int_equal(stats(&r).held, 0);
	rig_enable(&r, 12);
	rig_settle(&r);
	none(&p);
	ring_free(&r, &p.sq);
	ring_free(&r, &p.cq);
	rig_stop(&r);
}

/* Identify: ACL 3. Four Aborts that are held back, and the fifth is one too many. */
static void abort_limit(void **state)
{
	uint32_t dw[16] = {ABORT};
	struct rig r;

	rig_start(&r, 1 << 20, NULL);
	rig_enable(&r, 12);
	plan(&r, {.kind = PHYR_SIM_NVME_DELAY,
		  .queue = 0,
		  .opcode = ABORT,
		  .count = 4,
		  .steps = NEVER});
	for (unsigned i = 0; i < 5; i++) {
		dw[0] = ABORT | i << 16;
		dw[10] = 0x77 << 16 | 1;
		sq_put(&r.admin, dw);
	}
	sq_ring(&r, &r.admin);
	settle_and_took(&r, &r.admin, 4, 0x103);
	rig_stop(&r);
}

/* The end of a queue ends what it holds, one completion each while there is room. */
static void deleted_queue(void **state)
{
	struct ring extra;
	struct pair p = {.qid = 1};
	struct rig r;

	rig_start(&r, 1 << 20, NULL);
	rig_enable(&r, 12);
	ring_alloc(&r, &p.sq, 16, 64);
	ring_alloc(&r, &p.cq, 4, 16);
	ring_alloc(&r, &extra, 16, 64);
	assert_int_equal(create_cq(&r, 1, 4, p.cq.phys, 1), 0);
	assert_int_equal(create_sq(&r, 1, 16, p.sq.phys, 1 << 16 | 1), 0);
	assert_int_equal(create_sq(&r, 2, 16, extra.phys, 1 << 16 | 1), 0);
	plan(&r, {.kind = PHYR_SIM_NVME_DELAY,
		  .queue = PHYR_SIM_NVME_ANY_IO,
		  .opcode = ANY,
		  .count = 6,
		  .steps = NEVER});
	{
		struct pair second = {.qid = 2, .sq = extra};

		submit(&r, &second, 70, 1);
		rig_settle(&r);
	}
	submit(&r, &p, 0, 5);
	rig_settle(&r);
	none(&p);
	assert_int_equal(delete_queue(&r, 0x00, 1), 0);
	for (unsigned i = 0; i < 3; i++) {
		struct cqe cqe;

		assert_true(cq_take(&p, &cqe));
		assert_int_equal(cqe.cid, i);
		assert_int_equal(cqe.status, 0x008);
	}
	cq_ring(&r, &p);
	rig_settle(&r);
	none(&p);
	assert_int_equal(stats(&r).held, 1); /* the other queue's */
	assert_int_equal(delete_queue(&r, 0x00, 2), 0);
	assert_int_equal(stats(&r).held, 0);
	assert_int_equal(delete_queue(&r, 0x04, 1), 0);
	ring_free(&r, &extra);
	ring_free(&r, &p.sq);
	ring_free(&r, &p.cq);
	rig_stop(&r);
}

/* One that is due waits for room; the head doorbell lets it go. */
static void due_with_a_full_queue(void **state)
{
	struct pair p = {.qid = 1};
	struct rig r;

	rig_start(&r, 1 << 20, NULL);
	rig_enable(&r, 12);
	ring_alloc(&r, &p.sq, 16, 64);
	ring_alloc(&r, &p.cq, 3, 16);
	assert_int_equal(create_cq(&r, 1, 3, p.cq.phys, 1), 0);
	assert_int_equal(create_sq(&r, 1, 16, p.sq.phys, 1 << 16 | 1), 0);
	plan(&r, {.kind = PHYR_SIM_NVME_DELAY, .queue = 1, .opcode = ANY, .count = 2, .steps = 4});
	submit(&r, &p, 0, 4);
	rig_settle(&r);
	assert_int_equal(stats(&r).held, 2);
	assert_int_equal(abort_cmd(&r, 1, 1), 1); /* it is ending anyway */
	took(&r, &p, 2, 0);
	took(&r, &p, 3, 0);
	rig_settle(&r);
	took(&r, &p, 0, 0);
	took(&r, &p, 1, 0);
	rig_stop_io(&r, &p);
}

/* At 960 I/O is fetched no more, and Abort still works; at 1024 nothing is. */
static void full_of_held_commands(void **state)
{
	struct pair p;
	struct rig r;

	rig_start_io(&r, 1 << 20, NULL, 12, &p, 1024);
	plan(&r, {.kind = PHYR_SIM_NVME_DELAY,
		  .queue = 1,
		  .opcode = ANY,
		  .count = UINT64_MAX,
		  .steps = NEVER});
	submit(&r, &p, 0, 1000);
	rig_settle(&r);
	assert_int_equal(stats(&r).held, 960);
	none(&p);
	assert_int_equal(abort_cmd(&r, 1, 5), 0);
	took(&r, &p, 5, 0x007);
	rig_settle(&r);
	assert_int_equal(stats(&r).held, 960);
	plan(&r, {.kind = PHYR_SIM_NVME_DELAY,
		  .queue = 0,
		  .opcode = ANY,
		  .count = UINT64_MAX,
		  .steps = NEVER});
	for (unsigned i = 0; i < 3; i++) {
		submit(&r, &r.admin, 0, 25);
		rig_settle(&r);
		assert_int_equal(stats(&r).held, i < 2 ? 985 + 25 * i : 1024);
	}
	none(&r.admin);
	ring_free(&r, &p.sq);
	ring_free(&r, &p.cq);
	rig_stop(&r);
}

/* What a plan may not say; the one before stays. */
static void wrong_plans(void **state)
{
	struct phyr_sim_nvme_fault f = {
		.kind = PHYR_SIM_NVME_STATUS, .queue = ANY, .opcode = FLUSH, .status = 0x285};
	struct phyr_sim_nvme_fault bad = f;
	struct pair p;
	struct rig r;

	rig_start_io(&r, 1 << 20, NULL, 12, &p, 16);
	assert_int_equal(phyr_sim_nvme_plan(r.dev, &f, 1), 0);
	bad.status = 0x800;
	assert_int_equal(phyr_sim_nvme_plan(r.dev, &bad, 1), -EINVAL);
	bad.status = 0x8001;
	assert_int_equal(phyr_sim_nvme_plan(r.dev, &bad, 1), -EINVAL);
	bad = f;
	bad.kind = PHYR_SIM_NVME_FAULT_KINDS;
	assert_int_equal(phyr_sim_nvme_plan(r.dev, &bad, 1), -EINVAL);
	assert_int_equal(phyr_sim_nvme_plan(r.dev, NULL, 1), -EINVAL);
	submit(&r, &p, 0, 2);
	rig_settle(&r);
	took(&r, &p, 0, 0x285);
	took(&r, &p, 1, 0);
	assert_int_equal(phyr_sim_nvme_plan(r.dev, &f, 1), 0);
	assert_int_equal(phyr_sim_nvme_plan(r.dev, NULL, 0), 0);
	submit(&r, &p, 2, 1);
	settle_and_took(&r, &p, 2, 0);
	rig_stop_io(&r, &p);
}

static const char *reported; /* the call that the last report is of */

static void keep_call(struct phyr_env *env, const struct phyr_report *report)
{
	assert_int_equal(report->err, -EINVAL);
	assert_int_equal(report->index, 0x200);
	reported = report->call;
}

/* A device of somebody's own stays as it was, and where it was. */
static void not_an_nvme_controller(void **state)
{
	static uint8_t priv[1 << 20], zeroes[sizeof(priv)];
	static const struct phyr_sim_dev_ops ops;
	struct phyr_sim_nvme_stats stats = {.commands = 77};
	struct phyr_sim_dev *other, *same;
	struct rig r;

	rig_start(&r, 1 << 20, NULL);
	assert_int_equal(phyr_sim_dev_add(r.sim, &ops, priv, 0x200, &other), 0);
	r.env->report = keep_call;
	assert_int_equal(phyr_sim_nvme_plan(other, NULL, 0), -EINVAL);
	assert_string_equal(reported, "phyr_sim_nvme_plan");
	phyr_sim_nvme_get_stats(other, &stats);
	assert_string_equal(reported, "phyr_sim_nvme_get_stats");
	assert_int_equal(stats.commands, 77);
	phyr_sim_nvme_unplug(other);
	assert_string_equal(reported, "phyr_sim_nvme_unplug");
	phyr_sim_nvme_set_temperature(other, 400);
	assert_string_equal(reported, "phyr_sim_nvme_set_temperature");
	phyr_sim_nvme_destroy(other);
	assert_string_equal(reported, "phyr_sim_nvme_destroy");
	assert_memory_equal(priv, zeroes, sizeof(priv));
	r.env->report = NULL;
	assert_int_equal(phyr_sim_dev_add(r.sim, &ops, NULL, 0x200, &same), -EEXIST);
	phyr_sim_dev_remove(other);
	rig_stop(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(delayed),
		cmocka_unit_test(delayed_data_moves_at_once),
		cmocka_unit_test(delays_of_different_length),
		cmocka_unit_test(dropped),
		cmocka_unit_test(dropped_write_changes_nothing),
		cmocka_unit_test(reordered),
		cmocka_unit_test(reordered_behind_an_aborted_one),
		cmocka_unit_test(reordered_behind_an_event),
		cmocka_unit_test(wrong_status),
		cmocka_unit_test(fatal),
		cmocka_unit_test(pulled_out),
		cmocka_unit_test(abort_finds_what_is_held),
		cmocka_unit_test(abort_limit),
		cmocka_unit_test(deleted_queue),
		cmocka_unit_test(due_with_a_full_queue),
		cmocka_unit_test(full_of_held_commands),
		cmocka_unit_test(wrong_plans),
		cmocka_unit_test(not_an_nvme_controller),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
