/* SPDX-License-Identifier: MIT */
/* Enabling, disabling, shutting down, fatal status. base 3.5.1, 3.6.1, 3.7.2, 9.5. */
#include <string.h>

#include "conformity/nvme/host.h"

/* base 3.1.3.6: RDY is set once EN is, and cleared once EN is. */
static void rdy_follows_en(void **state)
{
	struct host *h = *state;

	host_admin_queues(h, 16);
	assert_int_equal(get32(h, CSTS) & CSTS_RDY, 0);
	host_enable(h);
	host_disable(h);
	host_enable(h);
}

/* base 3.1.3.5: EN cleared, "the controller shall not process commands". */
static void nothing_is_processed_while_disabled(void **state)
{
	struct host *h = *state;
	struct cqe c;

	host_admin_queues(h, 16);
	host_push(h, &h->asq, cmd_identify(h, host_mem(h, PAGE), 1, 0));
	host_ring(h, &h->asq);
	assert_false(host_reap(h, &h->acq, &c));
}

/* base 3.1.3.8 to 3.1.3.10: AQA, ASQ, ACQ "shall not be reset by Controller Reset". */
static void reset_keeps_the_admin_queue_properties(void **state)
{
	struct host *h = *state;
	uint64_t asq = get64(h, ASQ), acq = get64(h, ACQ);
	uint32_t aqa = get32(h, AQA);

	host_disable(h);
	assert_int_equal(get64(h, ASQ), asq);
	assert_int_equal(get64(h, ACQ), acq);
	assert_int_equal(get32(h, AQA), aqa);
}

/* base 3.7.2: the admin queues start again at entry 0, with phase tag 1. */
static void reset_restarts_the_admin_queues(void **state)
{
	struct host *h = *state;

	identify(h, 1, 0);
	host_disable(h);
	memset(h->asq.mem, 0, h->asq.entries * sizeof(struct sqe));
	memset((void *)h->acq.mem, 0, h->acq.entries * sizeof(struct cqe));
	h->asq.tail = h->acq.head = 0;
	host_enable(h);
	identify(h, 1, 0);
	assert_int_equal(h->acq.mem[0].sqhd, 1);
	assert_int_equal(h->acq.mem[0].status & 1, 1);
}

static void restart(struct host *h)
{
	host_disable(h);
	host_admin_queues(h, 16);
	host_enable(h);
}

/* base 3.7.2: "deletes all I/O Submission Queues and I/O Completion Queues". */
static void reset_deletes_io_queues(void **state)
{
	struct host *h = *state;

	restart(h);
	assert_status(host_admin(h, delete_sq(1)), INVALID_QID);
	host_add_cq(h, &h->cq, 1, 64); /* the identifier is free again */
	host_add_sq(h, &h->sq, 1, 64, 1);
	assert_status(host_cmd(h, sqe(.opc = FLUSH, .nsid = 1)), SUCCESS);
}

/* base 3.7.2: outstanding commands are gone; base 5.2: "and shall not return a CQE". */
static void reset_drops_event_requests(void **state)
{
	struct host *h = *state;

	host_push(h, &h->asq, sqe(.opc = ASYNC_EVENT));
	host_ring(h, &h->asq);
	host_disable(h);
	host_idle(h, &h->acq);
	host_admin_queues(h, 16);
	host_enable(h);
	host_idle(h, &h->acq);
}

/* base 3.1.3.5: features that are not saved go back to their defaults. */
static void reset_restores_feature_defaults(void **state)
{
	struct host *h = *state;
	uint32_t before = get_feature(h, F_ARBITRATION, CURRENT, 0);

	assert_status(host_admin(h, cmd_set(F_ARBITRATION, 0, before ^ 1)), SUCCESS);
	assert_int_equal(get_feature(h, F_ARBITRATION, CURRENT, 0), before ^ 1);
	restart(h);
	assert_int_equal(get_feature(h, F_ARBITRATION, CURRENT, 0), before);
}

/* base 3.7.2 and 3.1.3.3: the interrupt mask is reset to 0h. */
static void reset_clears_the_interrupt_mask(void **state)
{
	struct host *h = *state;

	set32(h, INTMS, 1);
	host_disable(h);
	assert_int_equal(get32(h, INTMS), 0);
}

/* base 3.7.2: completions that found no room in a full queue are dropped, too. */
static void reset_empties_a_full_queue(void **state)
{
	struct host *h = *state;
	struct sq sq;
	struct cq cq;

	host_add_cq(h, &cq, 2, 2);
	host_add_sq(h, &sq, 2, 16, 2);
	for (unsigned i = 0; i < 9; i++)
		host_push(h, &sq, sqe(.opc = FLUSH, .nsid = 1));
	host_ring(h, &sq);
	restart(h);
	host_add_cq(h, &cq, 2, 16);
	host_idle(h, &cq);
	host_add_sq(h, &sq, 2, 16, 2);
	host_idle(h, &cq);
	assert_status(host_exec(h, &sq, &cq, sqe(.opc = FLUSH, .nsid = 1)), SUCCESS);
}

/* base 3.1.3.5: completed writes are not lost by a reset. */
static void reset_keeps_completed_writes(void **state)
{
	struct host *h = *state;
	uint8_t *buf = host_mem(h, PAGE), *got = host_mem(h, PAGE);

	fill(buf, PAGE, 1);
	assert_status(host_cmd(h, cmd_rw(h, WRITE, 8, 8, buf)), SUCCESS);
	host_disable(h);
	file_get(h, 1, 8 * 512, got, PAGE);
	assert_memory_equal(buf, got, PAGE);
}

static void shut_down(struct host *h, uint32_t how)
{
	set32(h, CC, h->cc | how);
	host_run(h);
	assert_int_equal(CSTS_SHST(get32(h, CSTS)), 2);
}

/* base 3.6.1, 3.1.3.6: SHN 01b, and SHST comes to 10b. */
static void normal_shutdown_completes(void **state)
{
	shut_down(*state, CC_SHN_NORMAL);
}

/* base 3.6.1: SHN 10b likewise. */
static void abrupt_shutdown_completes(void **state)
{
	shut_down(*state, CC_SHN_ABRUPT);
}

/* base 3.1.3.6: a Controller Reset after a shutdown clears SHST, and then the controller works. */
static void reset_ends_a_shutdown(void **state)
{
	struct host *h = *state;

	shut_down(h, CC_SHN_NORMAL);
	restart(h);
	assert_int_equal(CSTS_SHST(get32(h, CSTS)), 0);
	identify(h, 1, 0);
}

/* base 3.6.1: a normal shutdown makes what was written lasting: another reader finds it. */
static void shutdown_keeps_writes(void **state)
{
	struct host *h = *state;
	uint8_t *buf = host_mem(h, PAGE), *got = host_mem(h, PAGE);

	fill(buf, PAGE, 2);
	assert_status(host_cmd(h, cmd_rw(h, WRITE, 0, 8, buf)), SUCCESS);
	assert_status(host_admin(h, delete_sq(1)), SUCCESS);
	assert_status(host_admin(h, delete_cq(1)), SUCCESS);
	shut_down(h, CC_SHN_NORMAL);
	file_get(h, 1, 0, got, PAGE);
	assert_memory_equal(buf, got, PAGE);
}

/* base 3.1.3.5, 4.1.1: a memory page size other than the smallest is taken, and PRPs follow it. */
static void other_page_sizes_work(void **state)
{
	struct host *h = *state;
	unsigned min = h->cap >> 48 & 15, max = h->cap >> 52 & 15;
	uint8_t *big = host_mem(h, 4 * PAGE);

	if (min == max)
		skip();
	h->cc |= CC_MPS(min + 1);
	host_admin_queues(h, 1024); /* aligned to their size, so to the larger page, too */
	host_enable(h);
	big += (PAGE
		<< min); /* in the middle of a page now: no page is crossed, PRP2 is not used */
	assert_status(host_admin(h, cmd_identify(h, big, 1, 0)), SUCCESS);
	assert_int_equal(le32(big, ID_VER), get32(h, VS));
}

/* base 9.5: queues that can't be reached may set CFS; a Controller Reset then clears it. */
static void fatal_status_ends_with_a_reset(void **state)
{
	struct host *h = *state;

	host_admin_queues(h, 16);
	set64(h, ASQ, NO_MEM);
	set64(h, ACQ, NO_MEM);
	set32(h, CC, h->cc);
	host_run(h);
	host_doorbell_sq(h, 0, 1);
	host_run(h);
	set32(h, CC, 0);
	host_run(h);
	assert_int_equal(get32(h, CSTS) & (CSTS_CFS | CSTS_RDY), 0);
	host_admin_queues(h, 16);
	host_enable(h);
	identify(h, 1, 0);
}

#define off(test) cmocka_unit_test_setup_teardown(test, host_off, host_down)
#define on(test)  cmocka_unit_test_setup_teardown(test, host_on, host_down)
#define io(test)  cmocka_unit_test_setup_teardown(test, host_io, host_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		off(rdy_follows_en),
		off(nothing_is_processed_while_disabled),
		on(reset_keeps_the_admin_queue_properties),
		on(reset_restarts_the_admin_queues),
		io(reset_deletes_io_queues),
		on(reset_drops_event_requests),
		on(reset_restores_feature_defaults),
		on(reset_clears_the_interrupt_mask),
		io(reset_empties_a_full_queue),
		io(reset_keeps_completed_writes),
		on(normal_shutdown_completes),
		io(abrupt_shutdown_completes),
		on(reset_ends_a_shutdown),
		io(shutdown_keeps_writes),
		off(other_page_sizes_work),
		off(fatal_status_ends_with_a_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
