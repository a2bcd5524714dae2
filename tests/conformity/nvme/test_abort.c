/* SPDX-License-Identifier: MIT */
/* Abort, deletion and reset with commands outstanding. base 5.1, 5.7, 3.7.2. */
#include "conformity/nvme/host.h"

#define NOT_ABORTED 1u /* Abort, DW0 bit 0 */

static void hold(struct host *h, uint32_t queue, uint32_t opcode,
		 enum phyr_sim_nvme_fault_kind kind)
{
	struct phyr_sim_nvme_fault fault = {.kind = kind,
					    .queue = queue,
					    .opcode = opcode,
					    .count = UINT64_MAX,
					    .steps = PHYR_SIM_NVME_NEVER};

	assert_int_equal(phyr_sim_nvme_plan(h->dev, &fault, 1), 0);
}

/* Ends that a command held back may have: nothing yet. */
static uint16_t push_held(struct host *h)
{
	uint16_t cid = host_push(h, &h->sq, sqe(.opc = FLUSH, .nsid = 1));

	host_ring(h, &h->sq);
	return cid;
}

/* base 5.1: CID 31:16, SQID 15:0. */
static struct sqe abort_of(uint16_t sqid, uint16_t cid)
{
	return sqe(.opc = ABORT, .cdw10 = (uint32_t)cid << 16 | sqid);
}

/* base 5.1: a command that is not there was not aborted: success, with bit 0 of DW0 set. */
static void unknown_command_is_not_aborted(void **state)
{
	struct host *h = *state;
	struct cqe c = host_admin(h, abort_of(1, 0x4321));

	assert_status(c, SUCCESS);
	assert_int_equal(c.dw0, NOT_ABORTED);
}

/* base 5.1: neither was a command that is complete, or one of another queue. */
static void completed_command_is_not_aborted(void **state)
{
	struct host *h = *state;
	uint16_t cid = host_cmd(h, sqe(.opc = FLUSH, .nsid = 1)).cid;

	assert_int_equal(host_admin(h, abort_of(1, cid)).dw0, NOT_ABORTED);
	host_idle(h, &h->cq);
}

/* base 5.1: a queue that does not exist: nothing to abort (or an error of the command's field). */
static void unknown_queue_has_nothing_to_abort(void **state)
{
	struct host *h = *state;
	struct cqe c = host_admin(h, abort_of(77, 1));

	assert_either(c, SUCCESS, INVALID_FIELD);
	if (status_of(c) == SUCCESS)
		assert_int_equal(c.dw0, NOT_ABORTED);
}

/* base 5.1: bit 0 cleared: the command is complete, with Command Abort Requested, once. */
static void outstanding_command_is_aborted(void **state)
{
	struct host *h = *state;
	uint16_t cid;
	struct cqe c;

	hold(h, 1, FLUSH, PHYR_SIM_NVME_DELAY);
	cid = push_held(h);
	host_idle(h, &h->cq);
	c = host_admin(h, abort_of(1, cid));
	assert_status(c, SUCCESS);
	assert_int_equal(c.dw0, 0);
	assert_true(host_reap(h, &h->cq, &c));
	assert_int_equal(c.cid, cid);
	assert_status(c, ABORT_REQUESTED);
	host_idle(h, &h->cq);
	assert_int_equal(host_admin(h, abort_of(1, cid)).dw0, NOT_ABORTED);
}

/* base 5.1: only the command of that identifier; others stay. */
static void others_are_not_aborted(void **state)
{
	struct host *h = *state;
	uint16_t first, second;
	struct cqe c;

	hold(h, 1, FLUSH, PHYR_SIM_NVME_DELAY);
	first = push_held(h);
	second = push_held(h);
	assert_int_equal(host_admin(h, abort_of(1, second)).dw0, 0);
	assert_true(host_reap(h, &h->cq, &c));
	assert_int_equal(c.cid, second);
	host_idle(h, &h->cq);
	assert_int_equal(host_admin(h, abort_of(1, first)).dw0, 0);
	assert_true(host_reap(h, &h->cq, &c));
	assert_int_equal(c.cid, first);
}

/* base 5.1: aborted at once, its completion comes before Abort's: both go to the admin queue here. */
static void aborted_admin_command_completes_first(void **state)
{
	struct host *h = *state;
	uint16_t cid;
	struct cqe c;

	hold(h, 0, GET_FEATURES, PHYR_SIM_NVME_DELAY);
	cid = host_push(h, &h->asq, cmd_get(F_QUEUES, CURRENT, 0, 0));
	host_ring(h, &h->asq);
	host_idle(h, &h->acq);
	host_push(h, &h->asq, abort_of(0, cid));
	host_ring(h, &h->asq);
	assert_true(host_reap(h, &h->acq, &c));
	assert_int_equal(c.cid, cid);
	assert_status(c, ABORT_REQUESTED);
	assert_true(host_reap(h, &h->acq, &c));
	assert_int_equal(c.cid, h->cid);
	assert_status(c, SUCCESS);
	assert_int_equal(c.dw0, 0);
}

/* base 5.1, 5.2: an Asynchronous Event Request is a command that can be aborted, or not. */
static void event_request_may_be_aborted(void **state)
{
	struct host *h = *state;
	uint16_t cid = host_push(h, &h->asq, sqe(.opc = ASYNC_EVENT));
	struct cqe c;

	host_ring(h, &h->asq);
	host_push(h, &h->asq, abort_of(0, cid));
	host_ring(h, &h->asq);
	assert_true(host_reap(h, &h->acq, &c));
	if (c.cid == cid) {
		assert_status(c, ABORT_REQUESTED);
		assert_true(host_reap(h, &h->acq, &c));
		assert_int_equal(c.dw0, 0);
	} else {
		assert_int_equal(c.dw0, NOT_ABORTED);
	}
	assert_status(c, SUCCESS);
	host_idle(h, &h->acq);
}

/* base 5.1, 5.17.2.1: ACL is 0's based; aborts in excess may end with Abort Command Limit Exceeded. */
static void aborts_in_excess_end_all_the_same(void **state)
{
	struct host *h = *state;
	struct cqe c;

	for (unsigned i = 0; i < 25; i++)
		host_push(h, &h->asq, abort_of(1, (uint16_t)(500 + i)));
	host_ring(h, &h->asq);
	for (unsigned i = 0; i < 25; i++) {
		assert_true(host_reap(h, &h->acq, &c));
		assert_either(c, SUCCESS, ABORT_LIMIT);
	}
	host_idle(h, &h->acq);
}

/* base 5.7: commands of a deleted queue end before its deletion does, with their status or this one. */
static void deletion_ends_outstanding_commands(void **state)
{
	struct host *h = *state;
	unsigned posted = 0;
	struct cqe c;

	hold(h, 1, FLUSH, PHYR_SIM_NVME_DELAY);
	for (unsigned i = 0; i < 5; i++)
		push_held(h);
	assert_status(host_admin(h, delete_sq(1)), SUCCESS);
	for (; host_reap(h, &h->cq, &c); posted++)
		assert_status(c, SQ_DELETED);
	assert_true(posted <= 5); /* the others are complete implicitly */
	host_idle(h, &h->cq);
	assert_status(host_admin(h, delete_cq(1)), SUCCESS);
}

/* base 5: "a full I/O Completion Queue should not delay or stop a Delete I/O Submission Queue command". */
static void full_queue_does_not_stop_admin_commands(void **state)
{
	struct host *h = *state;
	struct sq sq;
	struct cq cq;

	host_add_cq(h, &cq, 2, 2);
	host_add_sq(h, &sq, 2, 16, 2);
	cq.held = true;
	for (unsigned i = 0; i < 10; i++)
		host_push(h, &sq, sqe(.opc = FLUSH, .nsid = 1));
	host_ring(h, &sq);
	identify(h, 1, 0);
	assert_status(host_admin(h, delete_sq(2)), SUCCESS);
	assert_status(host_admin(h, delete_cq(2)), SUCCESS);
	assert_status(host_cmd(h, sqe(.opc = FLUSH, .nsid = 1)), SUCCESS);
}

/* base 3.7.2: what is outstanding at a reset never completes. */
static void reset_forgets_outstanding_commands(void **state)
{
	struct host *h = *state;

	hold(h, 1, FLUSH, PHYR_SIM_NVME_DELAY);
	push_held(h);
	host_disable(h);
	host_idle(h, &h->cq);
	assert_int_equal(phyr_sim_nvme_plan(h->dev, NULL, 0), 0);
	host_admin_queues(h, 32);
	host_enable(h);
	host_idle(h, &h->cq);
	host_io_queues(h);
	assert_status(host_cmd(h, sqe(.opc = FLUSH, .nsid = 1)), SUCCESS);
}

/* base 3.4: commands may complete out of order; SQHD is of when the entry was made. */
static void overtaken_command_keeps_its_identity(void **state)
{
	struct phyr_sim_nvme_fault fault = {
		.kind = PHYR_SIM_NVME_REORDER, .queue = 1, .opcode = FLUSH};
	struct host *h = *state;
	uint16_t first, second;
	struct cqe c;

	assert_int_equal(phyr_sim_nvme_plan(h->dev, &fault, 1), 0);
	first = host_push(h, &h->sq, sqe(.opc = FLUSH, .nsid = 1));
	second = host_push(h, &h->sq, sqe(.opc = FLUSH, .nsid = 1));
	host_ring(h, &h->sq);
	assert_true(host_reap(h, &h->cq, &c));
	assert_int_equal(c.cid, second);
	assert_int_equal(c.sqhd, 2);
	assert_true(host_reap(h, &h->cq, &c));
	assert_int_equal(c.cid, first);
	assert_int_equal(c.sqhd, 2);
}

/* base 9.5: CFS set; a Controller Reset clears it, and commands work again. */
static void fatal_status_needs_a_reset(void **state)
{
	struct host *h = *state;

	hold(h, 1, FLUSH, PHYR_SIM_NVME_FATAL);
	push_held(h);
	assert_int_equal(get32(h, CSTS) & CSTS_CFS, CSTS_CFS);
	host_idle(h, &h->cq);
	assert_int_equal(phyr_sim_nvme_plan(h->dev, NULL, 0), 0);
	host_disable(h);
	assert_int_equal(get32(h, CSTS) & CSTS_CFS, 0);
	host_admin_queues(h, 32);
	host_enable(h);
	host_io_queues(h);
	assert_status(host_cmd(h, sqe(.opc = FLUSH, .nsid = 1)), SUCCESS);
}

#define io(test) cmocka_unit_test_setup_teardown(test, host_io, host_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		io(unknown_command_is_not_aborted),
		io(completed_command_is_not_aborted),
		io(unknown_queue_has_nothing_to_abort),
		io(outstanding_command_is_aborted),
		io(others_are_not_aborted),
		io(aborted_admin_command_completes_first),
		io(event_request_may_be_aborted),
		io(aborts_in_excess_end_all_the_same),
		io(deletion_ends_outstanding_commands),
		io(full_queue_does_not_stop_admin_commands),
		io(reset_forgets_outstanding_commands),
		io(overtaken_command_keeps_its_identity),
		io(fatal_status_needs_a_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
