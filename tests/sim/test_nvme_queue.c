/* SPDX-License-Identifier: MIT */
/* The simulated NVMe controller: rings, phase, full queues, turns, interrupts, reset in mid-flight. */
#include "test_nvme_rig.h"

#include <string.h>

static void put_flush(struct pair *p, unsigned cid)
{
	uint32_t dw[16] = {0x00 | cid << 16, 1};

	sq_put(p, dw);
}

/* Rings of different sizes, which wrap at different places, over many laps at changing depth. */
static void many_laps(void **state)
{
	unsigned next = 0, done = 0;
	struct pair p = {.qid = 1};
	struct cqe cqe;
	struct rig r;

	rig_start(&r, 1 << 20, NULL);
	rig_enable(&r, 12);
	ring_alloc(&r, &p.sq, 7, 64);
	ring_alloc(&r, &p.cq, 5, 16);
	assert_int_equal(create_cq(&r, 1, 5, p.cq.phys, 1), 0);
	assert_int_equal(create_sq(&r, 1, 7, p.sq.phys, 1 << 16 | 1), 0);
	while (done < 2000) {
		unsigned burst = 1 + done % 6;

		while (next < done + burst)
			put_flush(&p, next++ & 0xffff);
		sq_ring(&r, &p);
		while (done < next) {
			rig_settle(&r);
			assert_true(cq_take(&p, &cqe));
			assert_int_equal(cqe.cid, done & 0xffff);
			assert_int_equal(cqe.sqhd, (done + 1) % 7);
			assert_int_equal(cqe.status, 0);
			done++;
			cq_ring(&r, &p);
		}
	}
	assert_false(cq_take(&p, &cqe));
	rig_stop_io(&r, &p);
}

/* A full completion queue holds commands back; each entry freed lets one through. */
static void full_completion_queue(void **state)
{
	struct pair p = {.qid = 1}, other;
	struct cqe cqe;
	struct rig r;

	rig_start(&r, 1 << 20, NULL);
	rig_enable(&r, 12);
	ring_alloc(&r, &p.sq, 16, 64);
	ring_alloc(&r, &p.cq, 4, 16);
	assert_int_equal(create_cq(&r, 1, 4, p.cq.phys, 1), 0);
	assert_int_equal(create_sq(&r, 1, 16, p.sq.phys, 1 << 16 | 1), 0);
	for (unsigned i = 0; i < 15; i++)
		put_flush(&p, i);
	sq_ring(&r, &p);
	rig_settle(&r);
	for (unsigned i = 0; i < 3; i++)
		assert_true(cq_take(&p, &cqe));
	assert_int_equal(cqe.cid, 2);
	assert_int_equal(cqe.sqhd, 3); /* not fetched either */
	assert_false(cq_take(&p, &cqe));
	pair_create(&r, &other, 2, 8, -1); /* others go on */
	put_flush(&other, 99);
	sq_ring(&r, &other);
	rig_settle(&r);
	assert_true(cq_take(&other, &cqe));
	for (unsigned i = 3; i < 15; i++) {
		assert_false(cq_take(&p, &cqe));
		rig_doorbell(&r, 3, (i - 2) & 3); /* one at a time */
		rig_settle(&r);
		assert_true(cq_take(&p, &cqe));
		assert_int_equal(cqe.cid, i);
	}
	pair_delete(&r, &other);
	rig_stop_io(&r, &p);
}

/* Values that are no place, would overfill the queue, or take what was not posted: ignored. */
static void wrong_doorbells(void **state)
{
	struct cqe cqe;
	struct pair p;
	struct rig r;

	rig_start_io(&r, 1 << 20, NULL, 12, &p, 8);
	for (unsigned i = 0; i < 5; i++)
		put_flush(&p, i);
	rig_doorbell(&r, 2, 8);
	rig_doorbell(&r, 2, 0xffff);
	rig_doorbell(&r, 4, 1); /* queue 2 is not there */
	rig_doorbell(&r, 5, 1);
	rig_doorbell(&r, 2 * 65, 1); /* nor can be */
	rig_doorbell(&r, 0xffff, 1);
	r.regs->write(r.regs, 0x1008, 3, 8); /* doorbells are dwords */
	rig_settle(&r);
	assert_false(cq_take(&p, &cqe));
	rig_doorbell(&r, 2, 5);
	rig_doorbell(&r, 2, 4); /* 7 more: there is room for 2 */
	rig_settle(&r);
	for (unsigned i = 0; i < 5; i++)
		assert_true(cq_take(&p, &cqe));
	assert_false(cq_take(&p, &cqe));
	rig_doorbell(&r, 3, 6); /* 5 were posted */
	rig_doorbell(&r, 3, 8);
	for (unsigned i = 5; i < 10; i++)
		put_flush(&p, i);
	sq_ring(&r, &p);
	rig_settle(&r); /* so the ring still holds 5, and 2 fit */
	assert_true(cq_take(&p, &cqe));
	assert_true(cq_take(&p, &cqe));
	assert_false(cq_take(&p, &cqe));
	cq_ring(&r, &p);
	rig_settle(&r);
	for (unsigned i = 7; i < 10; i++)
		assert_true(cq_take(&p, &cqe));
	assert_int_equal(rig_read(&r, 0x1c), 1);
	rig_stop_io(&r, &p);
}

/* One command a step, and no queue twice before the others had their turn. */
static void queues_take_turns(void **state)
{
	unsigned done[4] = {0};
	struct pair p[3];
	struct cqe cqe;
	struct rig r;

	rig_start(&r, 1 << 20, NULL);
	rig_enable(&r, 12);
	for (unsigned q = 0; q < 3; q++)
		pair_create(&r, &p[q], q + 1, 32, -1);
	for (unsigned q = 0; q < 3; q++) {
		for (unsigned i = 0; i < 20; i++)
			put_flush(&p[q], i);
		sq_ring(&r, &p[q]);
	}
	for (unsigned step = 1; step <= 60; step++) {
		unsigned sum = 0;

		rig_steps(&r, 1);
		for (unsigned q = 0; q < 3; q++) {
			done[q] += cq_take(&p[q], &cqe);
			sum += done[q];
			assert_true(done[q] <= step / 3 + 1);
		}
		assert_int_equal(sum, step);
	}
	for (unsigned q = 0; q < 3; q++)
		pair_delete(&r, &p[q]);
	rig_stop(&r);
}

/* Several submission queues complete into one queue. */
static void shared_completion_queue(void **state)
{
	unsigned seen[3] = {0};
	struct ring extra;
	struct cqe cqe;
	struct pair p, second;
	struct rig r;

	rig_start_io(&r, 1 << 20, NULL, 12, &p, 16);
	ring_alloc(&r, &extra, 16, 64);
	assert_int_equal(create_sq(&r, 2, 16, extra.phys, 1 << 16 | 1), 0);
	second = (struct pair){.qid = 2, .sq = extra};
	for (unsigned i = 0; i < 5; i++) {
		put_flush(&p, i);
		put_flush(&second, i);
	}
	sq_ring(&r, &p);
	sq_ring(&r, &second);
	rig_settle(&r);
	for (unsigned i = 0; i < 10; i++) {
		assert_true(cq_take(&p, &cqe));
		assert_int_equal(cqe.cid, seen[cqe.sqid]);
		assert_int_equal(cqe.sqhd, ++seen[cqe.sqid]);
	}
	assert_int_equal(seen[1], 5);
	assert_int_equal(seen[2], 5);
	assert_int_equal(delete_queue(&r, 0, 2), 0);
	ring_free(&r, &extra);
	rig_stop_io(&r, &p);
}

/* A reset drops what was not fetched, and the same memory serves again. */
static void reset_in_mid_flight(void **state)
{
	struct cqe cqe;
	struct pair p;
	struct rig r;

	rig_start_io(&r, 1 << 20, NULL, 12, &p, 16);
	for (unsigned i = 0; i < 10; i++)
		put_flush(&p, i);
	sq_ring(&r, &p);
	rig_steps(&r, 3);
	for (unsigned i = 0; i < 3; i++)
		assert_true(cq_take(&p, &cqe));
	assert_false(cq_take(&p, &cqe));
	rig_write(&r, 0x14, 0);
	rig_steps(&r, 20);
	assert_int_equal(rig_read(&r, 0x1c), 0);
	assert_false(cq_take(&p, &cqe));
	rig_enable(&r, 12);
	rig_doorbell(&r, 2, 5); /* the queue is gone */
	rig_settle(&r);
	assert_false(cq_take(&p, &cqe));
	ring_free(&r, &p.sq);
	ring_free(&r, &p.cq);
	pair_create(&r, &p, 1, 16, -1);
	put_flush(&p, 7);
	sq_ring(&r, &p);
	rig_settle(&r);
	assert_true(cq_take(&p, &cqe));
	assert_int_equal(cqe.sqhd, 1);
	rig_stop_io(&r, &p);
}

/* An unfetched command of a deleted queue never runs. */
static void delete_drops_commands(void **state)
{
	struct cqe cqe;
	struct pair p;
	struct rig r;

	rig_start_io(&r, 1 << 20, NULL, 12, &p, 16);
	rig_doorbell(&r, 3, 0);
	for (unsigned i = 0; i < 15; i++)
		put_flush(&p, i);
	{
		uint32_t dw[16] = {0x00 | 5 << 16};

		dw[10] = 1;
		sq_put(&r.admin, dw);
	}
	sq_ring(&r, &r.admin);
	sq_ring(&r, &p);
	rig_settle(&r);
	while (cq_take(&p, &cqe))
		assert_true(cqe.cid < 2);
	assert_true(cq_take(&r.admin, &cqe));
	assert_int_equal(cqe.status, 0);
	cq_ring(&r, &r.admin);
	assert_int_equal(delete_queue(&r, 4, 1), 0);
	ring_free(&r, &p.sq);
	ring_free(&r, &p.cq);
	rig_stop(&r);
}

static void flush_once(struct rig *r, struct pair *p)
{
	put_flush(p, 1);
	sq_ring(r, p);
	rig_settle(r);
}

static void interrupts_and_masks(void **state)
{
	struct pair a, b, high, none;
	struct cqe cqe;
	struct rig r;

	rig_start(&r, 1 << 20, NULL);
	rig_enable(&r, 12);
	pair_create(&r, &a, 1, 8, 5);
	assert_int_equal(r.irqs[0], 2); /* the admin queue has vector 0 */
	pair_create(&r, &b, 2, 8, 31);
	pair_create(&r, &high, 3, 8, 40);
	pair_create(&r, &none, 4, 8, -1);
	memset(r.irqs, 0, sizeof(r.irqs));
	flush_once(&r, &a);
	flush_once(&r, &none);
	assert_int_equal(r.irqs[5], 1);
	rig_write(&r, 0x0c, ~0u);
	flush_once(&r, &a);
	flush_once(&r, &b);
	flush_once(&r, &high); /* the mask has 32 bits */
	assert_int_equal(r.irqs[5], 1);
	assert_int_equal(r.irqs[31], 0);
	assert_int_equal(r.irqs[40], 1);
	assert_true(cq_take(&a, &cqe) && cq_take(&a, &cqe));
	cq_ring(&r, &a);
	rig_settle(&r);
	rig_write(&r, 0x10, 1u << 5 | 1u << 31); /* only b still has a reason */
	assert_int_equal(r.irqs[31], 0);         /* not from the register access itself */
	rig_settle(&r);
	assert_int_equal(r.irqs[5], 1);
	assert_int_equal(r.irqs[31], 1);
	rig_write(&r, 0x10, 1u << 31); /* was not masked: nothing new */
	rig_settle(&r);
	assert_int_equal(r.irqs[31], 1);
	flush_once(&r, &a);
	assert_int_equal(r.irqs[5], 2);
	assert_int_equal(r.irqs[0], 0);
	rig_write(&r, 0x10, 1);
	rig_settle(&r);
	assert_int_equal(r.irqs[0], 0);
	pair_delete(&r, &a);
	pair_delete(&r, &b);
	pair_delete(&r, &high);
	pair_delete(&r, &none);
	assert_int_equal(r.irqs[0], 8);
	rig_stop(&r);
}

/* An I/O queue that can't be reached: the command is lost, so the status says fatal. */
static void io_queue_out_of_reach(void **state)
{
	struct pair p;
	struct cqe cqe;
	struct rig r;

	for (unsigned i = 0; i < 2; i++) {
		rig_start(&r, 1 << 20, NULL);
		rig_enable(&r, 12);
		p = (struct pair){.qid = 1};
		ring_alloc(&r, &p.sq, 8, 64);
		ring_alloc(&r, &p.cq, 8, 16);
		assert_int_equal(create_cq(&r, 1, 8, i ? NOT_RAM : p.cq.phys, 1), 0);
		assert_int_equal(create_sq(&r, 1, 8, i ? p.sq.phys : NOT_RAM, 1 << 16 | 1), 0);
		flush_once(&r, &p);
		assert_int_equal(rig_read(&r, 0x1c), 3);
		assert_false(cq_take(&p, &cqe));
		sq_ring(&r, &r.admin);
		rig_settle(&r);
		rig_disable(&r);
		ring_free(&r, &p.sq);
		ring_free(&r, &p.cq);
		rig_stop(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_laps),
		cmocka_unit_test(full_completion_queue),
		cmocka_unit_test(wrong_doorbells),
		cmocka_unit_test(queues_take_turns),
		cmocka_unit_test(shared_completion_queue),
		cmocka_unit_test(reset_in_mid_flight),
		cmocka_unit_test(delete_drops_commands),
		cmocka_unit_test(interrupts_and_masks),
		cmocka_unit_test(io_queue_out_of_reach),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
