/* SPDX-License-Identifier: MIT */
/* Queues at work: completions' fields, phase tags, head pointers, doorbells. base 3.3, pcie 3.1.2. */
#include <string.h>

#include "conformity/nvme/host.h"

#define SMALL 4

static struct sqe flush(void)
{
	return sqe(.opc = FLUSH, .nsid = 1);
}

/* base 3.3.3.2: SQID and CID name the command (host_exec() asserts both); DW1 is reserved. */
static void completion_names_its_command(void **state)
{
	struct host *h = *state;
	struct cqe c;

	h->cid = 0x1233; /* any value is the host's to choose */
	c = host_cmd(h, flush());
	assert_int_equal(c.cid, 0x1234);
	assert_int_equal(c.sqid, 1);
}

/* base 3.3.3.2.1: on success DNR and M are 0; without Host Behavior Support's ACRE so is CRD. */
static void success_has_no_other_status_bit(void **state)
{
	struct host *h = *state;

	assert_int_equal(host_cmd(h, flush()).status & ~1u, 0);
	assert_int_equal(host_admin(h, cmd_identify(h, host_mem(h, PAGE), 1, 0)).status & ~1u, 0);
}

/* base 3.3.3.2.1: CRD is reserved while ACRE is 0, for errors, too. */
static void errors_have_no_retry_delay(void **state)
{
	struct host *h = *state;
	struct cqe c = host_cmd(h, sqe(.opc = 0x7e, .nsid = 1));

	assert_status(c, INVALID_OPCODE);
	assert_int_equal(c.status & CQE_CRD, 0);
}

/* base 3.3.3.2.1: DNR says that the same command fails again; an unknown opcode always does. */
static void invalid_opcode_is_not_retried(void **state)
{
	struct host *h = *state;
	struct cqe c = host_cmd(h, sqe(.opc = 0x7e, .nsid = 1));

	assert_int_equal(c.status & CQE_DNR, CQE_DNR);
}

static void small_queues(struct host *h, struct sq *sq, struct cq *cq)
{
	host_add_cq(h, cq, 2, SMALL);
	host_add_sq(h, sq, 2, SMALL, 2);
}

/* base 3.3.3.2.2: phase tag 1 in the first lap, inverted in each further one. */
static void phase_tag_inverts_each_lap(void **state)
{
	struct host *h = *state;
	struct sq sq;
	struct cq cq;

	small_queues(h, &sq, &cq);
	for (unsigned i = 0; i < 4 * SMALL; i++) {
		struct cqe c = host_exec(h, &sq, &cq, flush());

		assert_int_equal(c.status & 1, 1 ^ (i / SMALL & 1));
	}
}

/* base 3.3.3.2.2: entries not posted yet keep what the host put there. */
static void only_one_entry_is_written(void **state)
{
	struct host *h = *state;

	memset((void *)&h->cq.mem[1], 0xa4, 3 * sizeof(struct cqe)); /* phase tags 0 */
	host_cmd(h, flush());
	assert_all(&h->cq.mem[1], 3 * sizeof(struct cqe), 0xa4);
}

/* base 3.3.3.2: SQHD is the head after the command was consumed, and wraps with the queue. */
static void sqhd_follows_the_head(void **state)
{
	struct host *h = *state;
	struct sq sq;
	struct cq cq;

	small_queues(h, &sq, &cq);
	for (unsigned i = 1; i <= 3 * SMALL; i++)
		assert_int_equal(host_exec(h, &sq, &cq, flush()).sqhd, i % SMALL);
}

/* base 3.4: entries are fetched in order; the last completion's SQHD covers all of them. */
static void one_doorbell_for_many_commands(void **state)
{
	struct host *h = *state;
	uint64_t seen = 0;
	uint16_t sqhd = 0;
	struct cqe c;

	for (unsigned i = 0; i < 40; i++)
		host_push(h, &h->sq, flush());
	host_ring(h, &h->sq);
	while (host_reap(h, &h->cq, &c)) {
		unsigned nr = c.cid + 40u - h->cid; /* 1 to 40 */

		assert_in_range(nr, 1, 40);
		assert_int_equal(seen >> nr & 1, 0); /* each once */
		seen |= 1ull << nr;
		assert_true(c.sqhd >= sqhd);
		sqhd = c.sqhd;
	}
	assert_int_equal(seen, (1ull << 41) - 2);
	assert_int_equal(sqhd, 40);
}

/* pcie 3.1.2.1: the difference of two tail writes is what is new, over the wrap as well. */
static void tail_doorbell_wraps(void **state)
{
	struct host *h = *state;
	struct sq sq;
	struct cq cq;
	struct cqe c;

	host_add_cq(h, &cq, 2, 16);
	host_add_sq(h, &sq, 2, SMALL, 2);
	for (unsigned lap = 0; lap < 5; lap++) {
		for (unsigned i = 0; i < SMALL - 1; i++)
			host_push(h, &sq, flush());
		host_ring(h, &sq);
		for (unsigned i = 0; i < SMALL - 1; i++)
			assert_true(host_reap(h, &cq, &c));
		assert_int_equal(c.sqhd, sq.tail);
		host_idle(h, &cq);
	}
}

/* base 3.3.1.5: a full completion queue holds one entry less than its size; the rest waits. */
static void full_completion_queue_waits(void **state)
{
	struct host *h = *state;
	struct sq sq;
	struct cq cq;
	struct cqe c;
	unsigned got = 0;

	host_add_cq(h, &cq, 2, SMALL);
	host_add_sq(h, &sq, 2, 32, 2);
	for (unsigned i = 0; i < 20; i++)
		host_push(h, &sq, flush());
	host_ring(h, &sq);
	assert_int_equal(cq.mem[SMALL - 1].status & 1, 0);
	for (; host_reap(h, &cq, &c); got++)
		host_run(h);
	assert_int_equal(got, 20);
}

/* base 3.3.1: several submission queues on one completion queue; SQID tells whose it is. */
static void queues_share_a_completion_queue(void **state)
{
	struct host *h = *state;
	unsigned seen[3] = {0};
	struct sq sq[3];
	struct cq cq;
	struct cqe c;

	host_add_cq(h, &cq, 5, 32);
	for (uint16_t i = 0; i < 3; i++)
		host_add_sq(h, &sq[i], (uint16_t)(6 + i), 8, 5);
	for (unsigned i = 0; i < 3; i++)
		for (unsigned n = 0; n <= i; n++)
			host_push(h, &sq[i], flush());
	for (unsigned i = 0; i < 3; i++)
		host_ring(h, &sq[i]);
	while (host_reap(h, &cq, &c)) {
		assert_in_range(c.sqid, 6, 8);
		assert_true(c.sqhd <= sq[c.sqid - 6].tail);
		seen[c.sqid - 6]++;
	}
	assert_true(seen[0] == 1 && seen[1] == 2 && seen[2] == 3);
}

/* base 3.3.3.2: a CID is unique within its submission queue only. */
static void queues_may_use_the_same_identifier(void **state)
{
	struct host *h = *state;
	struct cqe a, b;
	struct sq sq;

	host_add_sq(h, &sq, 2, 8, 1);
	h->cid = 99;
	host_push(h, &h->sq, flush());
	h->cid = 99;
	host_push(h, &sq, flush());
	host_doorbell_sq(h, 1, h->sq.tail);
	host_ring(h, &sq);
	assert_true(host_reap(h, &h->cq, &a) && host_reap(h, &h->cq, &b));
	assert_true(a.cid == 100 && b.cid == 100);
	assert_int_equal(a.sqid + b.sqid, 3);
	assert_status(a, SUCCESS);
	assert_status(b, SUCCESS);
}

/* base 3.3.1.4: a queue of the largest size, CAP.MQES + 1. */
static void largest_queue_works(void **state)
{
	struct host *h = *state;
	unsigned entries = (h->cap & 0xffff) + 1;
	struct sq sq;
	struct cq cq;

	if (entries > 0xffff)
		skip();
	host_add_cq(h, &cq, 2, (uint16_t)entries);
	host_add_sq(h, &sq, 2, (uint16_t)entries, 2);
	for (unsigned i = 1; i <= entries + 3; i++)
		assert_int_equal(host_exec(h, &sq, &cq, flush()).sqhd, i % entries);
}

/* base 3.3.1.4: the smallest queue has two entries, so one command at a time. */
static void smallest_queue_works(void **state)
{
	struct host *h = *state;
	struct sq sq;
	struct cq cq;

	host_add_cq(h, &cq, 2, 2);
	host_add_sq(h, &sq, 2, 2, 2);
	for (unsigned i = 1; i <= 7; i++)
		assert_int_equal(host_exec(h, &sq, &cq, flush()).sqhd, i % 2);
}

/* base 3.4.4: commands of the admin queue are taken while I/O queues have some. */
static void admin_commands_are_not_starved(void **state)
{
	struct host *h = *state;
	struct cqe c;

	for (unsigned i = 0; i < 60; i++)
		host_push(h, &h->sq, flush());
	host_push(h, &h->asq, cmd_identify(h, host_mem(h, PAGE), 1, 0));
	host_doorbell_sq(h, 1, h->sq.tail);
	host_ring(h, &h->asq);
	assert_true(host_reap(h, &h->acq, &c));
	assert_status(c, SUCCESS);
	for (unsigned i = 0; i < 60; i++)
		assert_true(host_reap(h, &h->cq, &c));
}

static void admin_of(unsigned entries)
{
	struct host *h = host_create(NULL, NULL, 0);

	host_admin_queues(h, entries);
	host_enable(h);
	for (unsigned i = 1; i <= 2 * entries + 1; i++)
		assert_int_equal(host_admin(h, delete_sq(9)).sqhd, i % entries);
	host_destroy(h);
}

/* base 3.1.3.8: two entries at least. */
static void smallest_admin_queue_works(void **state)
{
	admin_of(2);
}

/* base 3.1.3.8: 4,096 at most, and CAP.MQES does not apply to them. */
static void largest_admin_queue_works(void **state)
{
	admin_of(4096);
}

/* base 3.1.3.8: ASQS and ACQS are two sizes: a short submission queue beside a long completion queue. */
static void admin_queues_may_differ_in_size(void **state)
{
	struct host *h = *state;

	host_sq_init(h, &h->asq, 0, 3);
	host_cq_init(h, &h->acq, 0, 40);
	set32(h, AQA, 39u << 16 | 2);
	set64(h, ASQ, host_addr(h, h->asq.mem));
	set64(h, ACQ, host_addr(h, h->acq.mem));
	host_enable(h);
	for (unsigned i = 1; i <= 100; i++) {
		struct cqe c = host_admin(h, delete_sq(9));

		assert_int_equal(c.sqhd, i % 3);
		assert_int_equal(c.status & 1, 1 ^ ((i - 1) / 40 & 1));
	}
}

#define io(test) cmocka_unit_test_setup_teardown(test, host_io, host_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		io(completion_names_its_command),
		io(success_has_no_other_status_bit),
		io(errors_have_no_retry_delay),
		io(invalid_opcode_is_not_retried),
		io(phase_tag_inverts_each_lap),
		io(only_one_entry_is_written),
		io(sqhd_follows_the_head),
		io(one_doorbell_for_many_commands),
		io(tail_doorbell_wraps),
		io(full_completion_queue_waits),
		io(queues_share_a_completion_queue),
		io(queues_may_use_the_same_identifier),
		io(largest_queue_works),
		io(smallest_queue_works),
		io(admin_commands_are_not_starved),
		cmocka_unit_test_setup_teardown(admin_queues_may_differ_in_size, host_off,
						host_down),
		cmocka_unit_test(smallest_admin_queue_works),
		cmocka_unit_test(largest_admin_queue_works),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
