/* SPDX-License-Identifier: MIT */
/* The simulated NVMe controller: asynchronous events, from their requests to their clearing. */
#include "test_nvme_rig.h"

#define EVENT_LIMIT 0x105
#define ABORTED     0x007

/* What completion dword 0 says: type, information, log page. */
#define DOORBELL_REGISTER (0u | 0u << 8 | 1u << 16)
#define DOORBELL_VALUE    (0u | 1u << 8 | 1u << 16)
#define TEMPERATURE       (1u | 1u << 8 | 2u << 16)
#define NS_CHANGED        (2u | 0u << 8 | 4u << 16)

#define ERRORS  1
#define HEALTH  2
#define CHANGED 4
#define RETAIN  (1u << 15)

#define WARNINGS (1u << 1)
#define NOTICES  (1u << 8)

static void request(struct rig *r, unsigned cid)
{
	uint32_t dw[16] = {ASYNC_EVENT | cid << 16};

	sq_put(&r->admin, dw);
	sq_ring(r, &r->admin);
	rig_settle(r);
}

static void none(struct rig *r)
{
	struct cqe cqe;

	rig_settle(r);
	assert_false(cq_take(&r->admin, &cqe));
}

static void told(struct rig *r, unsigned cid, unsigned status, uint32_t event)
{
	struct cqe cqe;

	rig_settle(r);
	assert_true(cq_take(&r->admin, &cqe));
	cq_ring(r, &r->admin);
	assert_int_equal(cqe.cid, cid);
	assert_int_equal(cqe.status, status);
	assert_int_equal(cqe.dw0, event);
	none(r);
}

/* Read a log page, to clear what it is about. */
static void read_log(struct rig *r, struct mem *m, uint32_t log)
{
	assert_int_equal(admin(r, GET_LOG, ~0u, log | 127 << 16, 0, m->ptr).status, 0);
}

static void events(struct rig *r, uint32_t which)
{
	assert_int_equal(admin(r, SET_FEATURES, 0, 0x0b, which, NULL).status, 0);
}

/* A command that brings an event about: it completes first. */
static void causes(struct rig *r, const uint32_t dw[16], unsigned cid, uint32_t event)
{
	struct cqe cqe;

	sq_put(&r->admin, dw);
	sq_ring(r, &r->admin);
	rig_settle(r);
	assert_true(cq_take(&r->admin, &cqe));
	assert_int_equal(cqe.cid, dw[0] >> 16);
	assert_int_equal(cqe.status, 0);
	cq_ring(r, &r->admin);
	told(r, cid, 0, event);
}

static void set_causes(struct rig *r, uint32_t feature, uint32_t value, unsigned cid,
		       uint32_t event)
{
	uint32_t dw[16] = {SET_FEATURES | 0x77 << 16};

	dw[10] = feature;
	dw[11] = value;
	causes(r, dw, cid, event);
}

static void start(struct rig *r, struct mem *m)
{
	rig_start(r, 1 << 20, NULL);
	rig_enable(r, 12);
	*m = mem_alloc(r, 4096);
}

static void stop(struct rig *r, struct mem *m)
{
	mem_free(r, m);
	rig_stop(r);
}

/* Identify: AERL 3. */
static void four_requests(void **state)
{
	struct phyr_sim_nvme_stats stats;
	struct mem m;
	struct rig r;

	start(&r, &m);
	for (unsigned i = 0; i < 4; i++)
		request(&r, i);
	none(&r);
	request(&r, 4);
	told(&r, 4, EVENT_LIMIT, 0);
	rig_doorbell(&r, 2, 1);
	told(&r, 0, 0, DOORBELL_REGISTER); /* the oldest */
	request(&r, 5);
	none(&r);
	phyr_sim_nvme_get_stats(r.dev, &stats);
	assert_int_equal(stats.held, 4);
	rig_disable(&r); /* forgets them */
	rig_enable(&r, 12);
	rig_doorbell(&r, 2, 1);
	none(&r);
	phyr_sim_nvme_get_stats(r.dev, &stats);
	assert_int_equal(stats.held, 0);
	stop(&r, &m);
}

static void wrong_doorbells(void **state)
{
	static const struct {
		unsigned index, value;
		uint32_t event;
	} wrong[] = {
		{2, 1, DOORBELL_REGISTER},      /* tail of a queue that is not there */
		{3, 1, DOORBELL_REGISTER},      /* head likewise */
		{2 * 65, 1, DOORBELL_REGISTER}, /* nor can be */
		{0, 32, DOORBELL_VALUE},        /* no place of the queue */
		{0, 0xffff, DOORBELL_VALUE},    {1, 32, DOORBELL_VALUE},
		{1, 0, DOORBELL_VALUE}, /* written before; set below */
		{0, 0, DOORBELL_VALUE},
	};
	struct mem m;
	struct rig r;

	start(&r, &m);
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		unsigned value = wrong[i].value, head;

		request(&r, i);
		head = r.admin.cq.place;
		if (!value)
			value = wrong[i].index ? head : r.admin.sq.place;
		rig_doorbell(&r, wrong[i].index, value);
		told(&r, i, 0, wrong[i].event);
		read_log(&r, &m, ERRORS);
		assert_int_equal(le(m.ptr, 8), i + 1);
		assert_int_equal(le(m.ptr + 8, 2), 0xffff); /* of no command */
		assert_int_equal(le(m.ptr + 10, 2), 0xffff);
		assert_int_equal(le(m.ptr + 12, 2), 0x002 << 1);
	}
	rig_doorbell(&r, 1, (r.admin.cq.place + 1) % 32); /* takes what was not posted */
	request(&r, 99);
	told(&r, 99, 0, DOORBELL_VALUE); /* it had to wait for the request */
	stop(&r, &m);
}

/* A type is told once until its log page is read without Retain; like events that wait are one. */
static void masked_until_read(void **state)
{
	struct mem m;
	struct rig r;

	start(&r, &m);
	events(&r, WARNINGS);
	request(&r, 1);
	request(&r, 2);
	rig_doorbell(&r, 2, 1);
	told(&r, 1, 0, DOORBELL_REGISTER);
	rig_doorbell(&r, 2, 1);
	rig_doorbell(&r, 0, 99);
	none(&r);
	read_log(&r, &m, ERRORS | RETAIN);
	none(&r);
	read_log(&r, &m, HEALTH); /* another page */
	none(&r);
	phyr_sim_nvme_set_temperature(r.dev, 400); /* another type */
	told(&r, 2, 0, TEMPERATURE);
	request(&r, 3);
	none(&r);
	read_log(&r, &m, ERRORS); /* tells of all, so none is left */
	none(&r);
	rig_doorbell(&r, 0, 99);
	told(&r, 3, 0, DOORBELL_VALUE);
	stop(&r, &m);
}

static void temperature(void **state)
{
	struct mem m;
	struct rig r;

	start(&r, &m);
	request(&r, 1);
	phyr_sim_nvme_set_temperature(r.dev, 343);
	none(&r);                                       /* nobody asked */
	set_causes(&r, 0x0b, WARNINGS, 1, TEMPERATURE); /* it is there already */
	request(&r, 2);
	read_log(&r, &m, HEALTH);
	phyr_sim_nvme_set_temperature(r.dev, 350);
	none(&r); /* it was and stays too warm */
	phyr_sim_nvme_set_temperature(r.dev, 342);
	none(&r);
	phyr_sim_nvme_set_temperature(r.dev, 343);
	told(&r, 2, 0, TEMPERATURE);
	read_log(&r, &m, HEALTH);
	phyr_sim_nvme_set_temperature(r.dev, 300);
	request(&r, 3);
	assert_int_equal(admin(&r, SET_FEATURES, 0, 0x04, 1 << 20 | 299, NULL).status, 0);
	none(&r);
	set_causes(&r, 0x04, 1 << 20 | 300, 3, TEMPERATURE); /* too cold */
	stop(&r, &m);
}

static void namespace_changed(void **state)
{
	struct mem m;
	struct rig r;

	start(&r, &m);
	request(&r, 1);
	assert_int_equal(admin(&r, FORMAT, 1, 1, 0, NULL).status, 0);
	none(&r); /* nobody asked */
	events(&r, NOTICES);
	assert_int_equal(admin(&r, FORMAT, 1, 1, 0, NULL).status, 0);
	none(&r); /* nothing changed */
	causes(&r, (uint32_t[16]){FORMAT | 0x77 << 16, 1}, 1, NS_CHANGED);
	read_log(&r, &m, CHANGED);
	assert_int_equal(le(m.ptr, 8), 1);
	request(&r, 2);
	none(&r);
	stop(&r, &m);
}

/* Abort finds requests, and one that an event has ended is not there any more. */
static void aborted(void **state)
{
	struct cqe cqe;
	struct mem m;
	struct rig r;

	start(&r, &m);
	request(&r, 7);
	request(&r, 8);
	{
		uint32_t dw[16] = {8 | 0x55 << 16};

		dw[10] = 8u << 16;
		sq_put(&r.admin, dw);
	}
	sq_ring(&r, &r.admin);
	rig_settle(&r);
	assert_true(cq_take(&r.admin, &cqe));
	assert_int_equal(cqe.cid, 8);
	assert_int_equal(cqe.status, ABORTED);
	assert_true(cq_take(&r.admin, &cqe));
	assert_int_equal(cqe.cid, 0x55);
	assert_int_equal(cqe.dw0, 0);
	cq_ring(&r, &r.admin);
	rig_doorbell(&r, 2, 1);
	told(&r, 7, 0, DOORBELL_REGISTER);
	assert_int_equal(admin(&r, 8, 0, 7u << 16, 0, NULL).dw0, 1);
	stop(&r, &m);
}

/* An event waits for room in the admin queue's completions, too. */
static void full_completion_queue(void **state)
{
	struct cqe cqe;
	struct mem m;
	struct rig r;

	rig_start(&r, 1 << 20, NULL);
	r.page_lg2 = 12;
	rig_admin_memory(&r, 4);
	rig_write(&r, 0x14, 0x00460001);
	rig_settle(&r);
	m = mem_alloc(&r, 4096);
	request(&r, 1);
	for (unsigned i = 2; i < 5; i++) {
		uint32_t dw[16] = {GET_FEATURES | i << 16};

		dw[10] = 1;
		sq_put(&r.admin, dw);
	}
	sq_ring(&r, &r.admin);
	rig_settle(&r);
	rig_doorbell(&r, 2, 1);
	rig_settle(&r);
	for (unsigned i = 2; i < 5; i++) {
		assert_true(cq_take(&r.admin, &cqe));
		assert_int_equal(cqe.cid, i);
	}
	assert_false(cq_take(&r.admin, &cqe));
	cq_ring(&r, &r.admin);
	told(&r, 1, 0, DOORBELL_REGISTER);
	stop(&r, &m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(four_requests),         cmocka_unit_test(wrong_doorbells),
		cmocka_unit_test(masked_until_read),     cmocka_unit_test(temperature),
		cmocka_unit_test(namespace_changed),     cmocka_unit_test(aborted),
		cmocka_unit_test(full_completion_queue),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
