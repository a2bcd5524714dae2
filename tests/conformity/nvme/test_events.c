/* SPDX-License-Identifier: MIT */
/* Asynchronous events: limit, what is reported, masking, clearing. base 5.2, 5.27.1.8. */
#include "conformity/nvme/host.h"

#define TYPE(dw0)    ((dw0)&7)
#define INFO(dw0)    ((dw0) >> 8 & 0xff)
#define PAGE_OF(dw0) ((dw0) >> 16 & 0xff)

enum { ERROR_EVENT, SMART_EVENT };
#define INVALID_DOORBELL_VALUE 1  /* of an error event, base figure 145 */
#define TEMPERATURE_THRESHOLD  1  /* of a SMART event, base figure 146 */
#define AEC_TEMPERATURE        2u /* Asynchronous Event Configuration, bit 1 of 7:0 */

static void request(struct host *h)
{
	host_push(h, &h->asq, sqe(.opc = ASYNC_EVENT));
	host_ring(h, &h->asq);
}

/* A tail beyond the queue's end: base figure 145, Invalid Doorbell Write Value. */
static void provoke_error(struct host *h)
{
	host_doorbell_sq(h, 1, h->sq.entries + 7u);
	host_run(h);
}

static uint16_t temperature(struct host *h)
{
	return le16(get_log(h, LOG_SMART, NSID_ALL, 512), 1);
}

/* Makes the composite temperature be above its threshold; the log page's reading clears no event. */
static void provoke_smart(struct host *h)
{
	uint32_t above = temperature(h) - 1u;

	assert_status(host_admin(h, cmd_set(F_TEMPERATURE, 0, above)), SUCCESS);
	host_run(h);
}

static void clear(struct host *h, uint8_t lid, size_t bytes)
{
	get_log(h, lid, NSID_ALL, bytes);
}

static uint32_t expect_event(struct host *h)
{
	struct cqe c;

	host_run(h);
	assert_true(host_reap(h, &h->acq, &c));
	assert_status(c, SUCCESS);
	assert_int_equal(c.dw0 & 0xff0000f8, 0); /* reserved bits, base figure 143 */
	return c.dw0;
}

/* base 5.2: completed "when there is an event"; until then never. */
static void request_waits_for_an_event(void **state)
{
	struct host *h = *state;

	request(h);
	host_idle(h, &h->acq);
	assert_status(host_cmd(h, sqe(.opc = FLUSH, .nsid = 1)), SUCCESS);
	host_idle(h, &h->acq);
}

/* base 5.2, 5.17.2.1: AERL is 0's based; one more: Asynchronous Event Request Limit Exceeded. */
static void requests_have_a_limit(void **state)
{
	struct host *h = *state;
	unsigned limit = identify(h, 1, 0)[ID_AERL] + 1u;
	struct cqe c;

	if (limit > 20)
		skip();
	for (unsigned i = 0; i < limit; i++)
		request(h);
	host_idle(h, &h->acq);
	request(h);
	assert_true(host_reap(h, &h->acq, &c));
	assert_status(c, EVENT_LIMIT);
	assert_int_equal(c.cid, h->cid);
}

/* base 5.2.1, figures 143 to 145: type 0, Invalid Doorbell Write Value, log page 01h. */
static void invalid_tail_is_reported(void **state)
{
	struct host *h = *state;
	uint32_t dw0;

	request(h);
	provoke_error(h);
	dw0 = expect_event(h);
	assert_int_equal(TYPE(dw0), ERROR_EVENT);
	assert_int_equal(INFO(dw0), INVALID_DOORBELL_VALUE);
	assert_int_equal(PAGE_OF(dw0), LOG_ERRORS);
}

/* base figure 145: "out of range": the first value beyond a queue of n entries is n. */
static void tail_at_the_size_is_reported(void **state)
{
	struct host *h = *state;
	uint32_t dw0;

	request(h);
	host_doorbell_sq(h, 1, h->sq.entries);
	dw0 = expect_event(h);
	assert_int_equal(TYPE(dw0), ERROR_EVENT);
	assert_int_equal(INFO(dw0), INVALID_DOORBELL_VALUE);
}

/* base figure 145: a completion queue's head beyond its end likewise. */
static void invalid_head_is_reported(void **state)
{
	struct host *h = *state;
	uint32_t dw0;

	request(h);
	host_doorbell_cq(h, 1, h->cq.entries);
	dw0 = expect_event(h);
	assert_int_equal(TYPE(dw0), ERROR_EVENT);
	assert_int_equal(INFO(dw0), INVALID_DOORBELL_VALUE);
}

/* base figure 145: a head that takes entries from an empty completion queue. */
static void head_past_the_tail_is_reported(void **state)
{
	struct host *h = *state;
	uint32_t dw0;

	request(h);
	host_doorbell_cq(h, 1, 5); /* nothing was posted */
	dw0 = expect_event(h);
	assert_int_equal(TYPE(dw0), ERROR_EVENT);
	assert_int_equal(INFO(dw0), INVALID_DOORBELL_VALUE);
}

/* pcie 3.1.2.1: a doorbell of no queue is undefined; base 5.2: what is told of it is an error event. */
static void doorbell_of_no_queue_does_no_harm(void **state)
{
	struct host *h = *state;
	struct cqe c;

	request(h);
	host_doorbell_sq(h, 9, 1);
	host_doorbell_cq(h, 9, 1);
	host_run(h);
	if (host_reap(h, &h->acq, &c)) {
		assert_int_equal(TYPE(c.dw0), ERROR_EVENT);
		assert_int_equal(INFO(c.dw0), 0); /* Write to Invalid Doorbell Register */
	}
	assert_status(host_cmd(h, sqe(.opc = FLUSH, .nsid = 1)), SUCCESS);
	identify(h, 1, 0);
}

/* base 5.2: an event that finds no request should be kept for the next one. */
static void event_waits_for_a_request(void **state)
{
	struct host *h = *state;

	provoke_error(h);
	host_idle(h, &h->acq);
	request(h);
	assert_int_equal(TYPE(expect_event(h)), ERROR_EVENT);
}

/* base 5.2: once reported, further events of the type are masked until the log page is read. */
static void reported_type_is_masked(void **state)
{
	struct host *h = *state;

	request(h);
	request(h);
	provoke_error(h);
	expect_event(h);
	provoke_error(h);
	host_idle(h, &h->acq);
}

/* base 5.2, 5.16: reading the page with RAE cleared clears the event; the next one is reported. */
static void reading_the_page_clears_the_event(void **state)
{
	struct host *h = *state;

	request(h);
	request(h);
	provoke_error(h);
	expect_event(h);
	clear(h, LOG_ERRORS, 64);
	provoke_error(h);
	assert_int_equal(TYPE(expect_event(h)), ERROR_EVENT);
}

/* base 5.16: with RAE set the event is retained: still masked. */
static void retained_event_stays_masked(void **state)
{
	struct host *h = *state;
	void *buf = host_mem(h, PAGE);

	request(h);
	request(h);
	provoke_error(h);
	expect_event(h);
	assert_status(host_admin(h, cmd_log(h, buf, LOG_ERRORS | LOG_RAE, NSID_ALL, 64)), SUCCESS);
	provoke_error(h);
	host_idle(h, &h->acq);
}

/* base 5.16: "if the command does not complete successfully", the event is retained. */
static void failed_reading_clears_nothing(void **state)
{
	struct host *h = *state;
	struct sqe cmd = cmd_log(h, host_mem(h, PAGE), LOG_ERRORS, NSID_ALL, 64);

	request(h);
	request(h);
	provoke_error(h);
	expect_event(h);
	cmd.prp1 = NO_MEM;
	assert_true(status_of(host_admin(h, cmd)) != SUCCESS);
	provoke_error(h);
	host_idle(h, &h->acq);
}

/* base 5.2: a pending event whose page is read before a request comes is not sent. */
static void cleared_event_is_not_sent(void **state)
{
	struct host *h = *state;

	provoke_error(h);
	clear(h, LOG_ERRORS, 64);
	request(h);
	host_idle(h, &h->acq);
}

/* base 5.2, figure 146: type 1, temperature threshold, log page 02h, when it is enabled. */
static void temperature_is_reported(void **state)
{
	struct host *h = *state;
	uint32_t dw0;

	assert_status(host_admin(h, cmd_set(F_EVENTS, 0, AEC_TEMPERATURE)), SUCCESS);
	request(h);
	provoke_smart(h);
	dw0 = expect_event(h);
	assert_int_equal(TYPE(dw0), SMART_EVENT);
	assert_int_equal(INFO(dw0), TEMPERATURE_THRESHOLD);
	assert_int_equal(PAGE_OF(dw0), LOG_SMART);
}

/* base 5.27.1.8: with its bit cleared the warning sends no event. */
static void disabled_warning_sends_nothing(void **state)
{
	struct host *h = *state;

	assert_status(host_admin(h, cmd_set(F_EVENTS, 0, 0)), SUCCESS);
	request(h);
	provoke_smart(h);
	host_idle(h, &h->acq);
}

/* base 5.2: masking is by type: an error comes while SMART events are masked. */
static void types_are_masked_apart(void **state)
{
	struct host *h = *state;

	assert_status(host_admin(h, cmd_set(F_EVENTS, 0, AEC_TEMPERATURE)), SUCCESS);
	request(h);
	request(h);
	provoke_smart(h);
	assert_int_equal(TYPE(expect_event(h)), SMART_EVENT);
	provoke_error(h);
	assert_int_equal(TYPE(expect_event(h)), ERROR_EVENT);
}

/* base 5.2, 5.16.1.2: the entry is of no command, so SQID and CID are FFFFh; counted from 1. */
static void reported_error_has_an_entry(void **state)
{
	struct host *h = *state;
	const uint8_t *log;

	request(h);
	provoke_error(h);
	expect_event(h);
	log = get_log(h, LOG_ERRORS, NSID_ALL, 64);
	assert_int_equal(le64(log, 0), 1);
	assert_int_equal(le16(log, 8), 0xffff);
	assert_int_equal(le16(log, 10), 0xffff);
}

/* base 5.16.1.2: newest first, the count one more for each; none lost while there is room (ELPE). */
static void newest_error_comes_first(void **state)
{
	struct host *h = *state;
	unsigned room = identify(h, 1, 0)[ID_ELPE] + 1u;
	const uint8_t *log;

	if (room < 2)
		skip();
	for (unsigned i = 0; i < 5; i++)
		provoke_error(h);
	log = get_log(h, LOG_ERRORS, NSID_ALL, room > 64 ? PAGE : 64 * room);
	for (unsigned i = 0; i + 1 < room && i < 63 && le64(log, 64ul * (i + 1)); i++)
		assert_int_equal(le64(log, 64ul * i), le64(log, 64ul * (i + 1)) + 1);
	assert_true(le64(log, 0) >= 1 && le64(log, 0) <= 5);
}

/* base 5.2: a Controller Level Reset drops pending events. */
static void reset_drops_pending_events(void **state)
{
	struct host *h = *state;

	provoke_error(h);
	host_disable(h);
	host_admin_queues(h, 16);
	host_enable(h);
	request(h);
	host_idle(h, &h->acq);
}

#define io(test) cmocka_unit_test_setup_teardown(test, host_io, host_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		io(request_waits_for_an_event),        io(requests_have_a_limit),
		io(invalid_tail_is_reported),          io(tail_at_the_size_is_reported),
		io(invalid_head_is_reported),          io(head_past_the_tail_is_reported),
		io(doorbell_of_no_queue_does_no_harm), io(event_waits_for_a_request),
		io(reported_type_is_masked),           io(reading_the_page_clears_the_event),
		io(retained_event_stays_masked),       io(failed_reading_clears_nothing),
		io(cleared_event_is_not_sent),         io(temperature_is_reported),
		io(disabled_warning_sends_nothing),    io(types_are_masked_apart),
		io(reported_error_has_an_entry),       io(newest_error_comes_first),
		io(reset_drops_pending_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
