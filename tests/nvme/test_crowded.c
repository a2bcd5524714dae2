/* SPDX-License-Identifier: MIT */
/*
 * Admin commands of the driver's own where many are out and the controller ends none; what is left to
 * callers meanwhile; and queues as deep as can be.
 *
 * All is one thread: who waits for one admin command asks for the next from opts.wait, as another
 * thread would.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "nvme/evil.h"

#define LATE      40
#define CALLERS   24 /* commands that the admin queue takes at once */
#define OWN       7  /* of the driver's beside them */
#define QUEUES    (OWN + 4)
#define WAITS_MAX 500000

/* A controller that allows 256 aborts at once and has gone silent, with commands in flight. */
struct crowd {
	struct evil e;
	struct ended late[LATE];
	struct ended callers[CALLERS + 1];
	struct phyr_nvme_queue *more[QUEUES];
	unsigned nr;     /* of more, asked for */
	unsigned wanted; /* how many are asked for within one another */
	unsigned waits;
	void (*crowded)(struct crowd *c); /* called once all are */
	void (*wait)(void *arg);
	void *wait_arg;
};

static void ask_for_one(struct crowd *c)
{
	unsigned i = c->nr++;

	assert_int_equal(phyr_nvme_queue_create(c->e.nvme, 4, &c->more[i]), 0);
}

/* What never ends fails here. */
static void crowd_wait(void *arg)
{
	struct crowd *c = arg;
	void (*crowded)(struct crowd *) = c->crowded;

	assert_true(c->waits++ < WAITS_MAX);
	c->wait(c->wait_arg);
	if (c->nr && c->nr < c->wanted) {
		ask_for_one(c);
	} else if (c->nr && crowded) {
		c->crowded = NULL;
		crowded(c);
	}
}

static void crowd_open(struct crowd *c, unsigned depth)
{
	struct phyr_nvme_opts opts;

	*c = (struct crowd){.nr = 0};
	evil_init(&c->e);
	fake_put(c->e.fake.ctrl, 258, 1, 255); /* ACL */
	c->e.fake.granted = (QUEUES - 1) | (QUEUES - 1) << 16;
	opts = rig_opts(&c->e.rig);
	opts.queues = QUEUES;
	c->wait = opts.wait;
	c->wait_arg = opts.wait_arg;
	opts.wait = crowd_wait;
	opts.wait_arg = c;
	assert_int_equal(
		phyr_nvme_open(c->e.rig.dev, phyr_sim_dev_regs(c->e.fake.sdev), &opts, &c->e.nvme),
		0);
	assert_int_equal(phyr_nvme_queue_create(c->e.nvme, depth, &c->e.queue), 0);
}

static struct phyr_nvme_ctrl_stats stats_of(struct crowd *c)
{
	struct phyr_nvme_ctrl_stats stats;

	phyr_nvme_get_stats(c->e.nvme, &stats);
	return stats;
}

static void go_silent(struct crowd *c)
{
	c->e.fake.way = c->e.fake.admin_way = FAKE_SILENT;
	c->e.fake.way_once = true;
}

/* Poll until so many are late that no more aborts are sent. */
static void poll_silent(struct crowd *c, struct phyr_nvme_queue *queue)
{
	uint64_t aborts = 0;

	while (!aborts || stats_of(c).aborts > aborts) {
		aborts = stats_of(c).aborts;
		for (unsigned i = 0; i < (aborts ? 2 * LATE : 1); i++)
			phyr_nvme_poll(queue);
	}
	assert_int_equal(stats_of(c).resets, 0);
}

static void crowd_silent(struct crowd *c)
{
	go_silent(c);
	for (unsigned i = 0; i < LATE; i++)
		assert_int_equal(phyr_nvme_flush(c->e.queue, ended_fn, &c->late[i]), 0);
	poll_silent(c, c->e.queue);
}

static void crowd_fini(struct crowd *c)
{
	poll_all(c->e.queue);
	for (unsigned i = 0; i < LATE; i++)
		assert_true(c->late[i].times <= 1);
	assert_int_equal(phyr_nvme_flush_sync(c->e.queue), 0);
	for (unsigned i = 0; i < QUEUES; i++)
		phyr_nvme_queue_destroy(c->more[i]);
	evil_fini(&c->e);
}

static int get_temperature(struct crowd *c, struct ended *ended)
{
	uint32_t sqe[16] = {0x0a};

	sqe[10] = 0x04;
	return phyr_nvme_submit(phyr_nvme_admin_queue(c->e.nvme), sqe, NULL, ended_fn, ended);
}

static void fill_callers(struct crowd *c)
{
	struct phyr_nvme_queue *admin = phyr_nvme_admin_queue(c->e.nvme);

	assert_int_equal(phyr_nvme_in_flight(admin), 0);
	for (unsigned i = 0; i < CALLERS; i++)
		assert_int_equal(get_temperature(c, &c->callers[i]), 0);
	assert_int_equal(get_temperature(c, &c->callers[CALLERS]), -EAGAIN);
	assert_int_equal(phyr_nvme_in_flight(admin), CALLERS);
}

/*
 * A call that needs the admin queue comes to its end, though nobody polls: by a reset.
 */

static void a_queue_is_made(void **state)
{
	struct crowd c;

	crowd_open(&c, LATE);
	crowd_silent(&c);
	ask_for_one(&c);
	assert_int_equal(stats_of(&c).resets, 1);
	crowd_fini(&c);
}

static void an_idle_queue_is_destroyed(void **state)
{
	struct phyr_nvme_queue *idle;
	struct crowd c;

	crowd_open(&c, LATE);
	assert_int_equal(phyr_nvme_queue_create(c.e.nvme, 4, &idle), 0);
	crowd_silent(&c);
	phyr_nvme_queue_destroy(idle);
	assert_int_equal(stats_of(&c).resets, 1);
	crowd_fini(&c);
}

static void is_identified_again(void **state)
{
	struct phyr_nvme_queue *admin;
	struct crowd c;

	crowd_open(&c, LATE);
	admin = phyr_nvme_admin_queue(c.e.nvme);
	go_silent(&c);
	fill_callers(&c);
	poll_silent(&c, admin);
	assert_int_equal(phyr_nvme_rescan(c.e.nvme), 0);
	assert_int_equal(stats_of(&c).resets, 1);
	poll_all(admin);
	assert_int_equal(c.callers[0].times, 1);
	crowd_fini(&c);
}

/* More at once than the driver has slots for: those without wait, and see to it as well. */
static void many_queues_are_made_at_once(void **state)
{
	struct crowd c;

	crowd_open(&c, LATE);
	crowd_silent(&c);
	c.wanted = OWN + 2;
	ask_for_one(&c);
	assert_int_equal(c.nr, OWN + 2);
	assert_int_equal(stats_of(&c).resets, 1);
	crowd_fini(&c);
}

/*
 * What is callers'.
 */

/* Each of theirs has a slot, however many of the driver's are out. */
static void callers_have_their_slots(void **state)
{
	struct phyr_nvme_queue *admin;
	struct crowd c;

	crowd_open(&c, LATE);
	crowd_silent(&c);
	c.wanted = OWN + 2;
	c.crowded = fill_callers;
	ask_for_one(&c);
	assert_null(c.crowded);
	admin = phyr_nvme_admin_queue(c.e.nvme);
	poll_all(admin);
	for (unsigned i = 0; i < CALLERS; i++)
		assert_int_equal(c.callers[i].times, 1);
	assert_int_equal(c.callers[CALLERS].times, 0);
	crowd_fini(&c);
}

static void only_callers_are_counted(void **state)
{
	struct phyr_nvme_stats stats;
	struct phyr_nvme_queue *admin;
	struct crowd c;

	crowd_open(&c, LATE);
	admin = phyr_nvme_admin_queue(c.e.nvme);
	phyr_nvme_queue_get_stats(admin, &stats);
	assert_int_equal(stats.submitted, 0);
	assert_int_equal(stats.completed, 0);
	crowd_silent(&c);
	assert_int_equal(phyr_nvme_in_flight(admin), 0);
	poll_all(c.e.queue);
	assert_int_equal(get_temperature(&c, &c.callers[0]), 0);
	poll_all(admin);
	assert_int_equal(c.callers[0].times, 1);
	phyr_nvme_queue_get_stats(admin, &stats);
	assert_int_equal(stats.submitted, 1);
	assert_int_equal(stats.completed, 1);
	crowd_fini(&c);
}

/*
 * Queues.
 */

static const char *wanted_call;
static unsigned told, told_of_another;

static void hear(struct phyr_env *env, const struct phyr_report *report)
{
	told++;
	told_of_another += strcmp(report->call, wanted_call) != 0;
}

/* An idle queue that the controller refuses after a reset; reports name what made it again. */
static void refused_up(struct evil *e, const char *call)
{
	evil_up(e);
	assert_int_equal(phyr_nvme_reset(e->nvme), 0);
	e->fake.admin_way = FAKE_REFUSE;
	e->fake.status = 0x101;
	wanted_call = call;
	told = told_of_another = 0;
	e->rig.tenv.env.report = hear;
}

static void a_refusal_is_told_of_the_submit(void **state)
{
	struct ended ended = {0};
	struct evil e;

	refused_up(&e, "phyr_nvme_flush");
	assert_int_equal(phyr_nvme_flush(e.queue, ended_fn, &ended), -EIO);
	assert_int_equal(ended.times, 0);
	assert_true(told > 0);
	assert_int_equal(told_of_another, 0);
	evil_fini(&e);
}

static void a_refusal_is_told_of_the_poll(void **state)
{
	struct evil e;

	refused_up(&e, "phyr_nvme_poll");
	assert_int_equal(phyr_nvme_poll(e.queue), 0);
	assert_true(told > 0);
	assert_int_equal(told_of_another, 0);
	evil_fini(&e);
}

/* However deep the controller lets queues be: a slot's ids do not come again at once. */
static void the_deepest_queue_knows_what_ended(void **state)
{
	struct ended ended = {0};
	unsigned depth;
	struct evil e;

	evil_init(&e);
	e.fake.cap |= 0xffff; /* MQES: 65536 entries */
	assert_int_equal(evil_open(&e), 0);
	depth = phyr_nvme_get_info(e.nvme)->max_depth;
	assert_int_equal(phyr_nvme_queue_create(e.nvme, depth, &e.queue), 0);
	e.fake.way = FAKE_AGAIN;
	e.fake.way_once = true;
	assert_int_equal(phyr_nvme_flush_sync(e.queue), 0);
	assert_int_equal(phyr_nvme_flush(e.queue, ended_fn, &ended), 0);
	poll_all(e.queue);
	assert_int_equal(ended.times, 1);
	assert_int_equal(ended.err, -ECANCELED);
	assert_int_equal(e.fake.enables, 2);
	assert_int_equal(depth, 4096);
	evil_fini(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_queue_is_made),
		cmocka_unit_test(an_idle_queue_is_destroyed),
		cmocka_unit_test(is_identified_again),
		cmocka_unit_test(many_queues_are_made_at_once),
		cmocka_unit_test(callers_have_their_slots),
		cmocka_unit_test(only_callers_are_counted),
		cmocka_unit_test(a_refusal_is_told_of_the_submit),
		cmocka_unit_test(a_refusal_is_told_of_the_poll),
		cmocka_unit_test(the_deepest_queue_knows_what_ended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
