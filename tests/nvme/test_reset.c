/* SPDX-License-Identifier: MIT */
/* Commands that are late, controllers that fail, resets: what each command ends with, and what goes on
 * afterwards. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "nvme/evil.h"

/*
 * Late commands.
 */

static void a_late_command_is_aborted(void **state)
{
	struct watched w[8];
	struct evil e;

	evil_up(&e);
	e.fake.good = 7; /* the last of eight */
	e.fake.way = FAKE_HELD;
	evil_fill(&e, w, 8);
	poll_all(e.queue);
	watched_ended(w, 7, 0);
	assert_int_equal(w[7].ended.times, 1);
	assert_int_equal(w[7].ended.err, -ECANCELED);
	assert_int_equal(w[7].ended.status, 0x07);
	assert_int_equal(e.rig.tenv.reports, 1);
	assert_int_equal(e.rig.tenv.last.err, -ECANCELED);
	assert_string_equal(e.rig.tenv.last.call, "phyr_nvme_flush");
	assert_non_null(strstr(e.rig.tenv.last.hint, "in time"));
	assert_string_equal(e.rig.tenv.last.index_of, "command");
	assert_int_equal(e.rig.tenv.last.of, 1);
	assert_int_equal(e.fake.aborts, 1);
	assert_int_equal(evil_stats(&e).aborts, 1);
	assert_int_equal(evil_stats(&e).resets, 0);
	assert_int_equal(e.fake.enables, 1);
	evil_fini(&e);
}

static void it_may_be_faster(void **state)
{
	struct watched w[3];
	struct evil e;

	evil_up(&e);
	e.fake.way = FAKE_SLOW;
	evil_fill(&e, w, 3);
	poll_all(e.queue);
	watched_ended(w, 3, 0);
	assert_int_equal(e.fake.aborts, 3);
	assert_int_equal(e.fake.enables, 1);
	assert_int_equal(e.rig.tenv.reports, 0);
	evil_fini(&e);
}

static void one_that_is_not_found_costs_a_reset(void **state)
{
	struct watched w[8];
	const char *why;
	struct evil e;

	evil_up(&e);
	e.fake.good = 3;
	e.fake.way = FAKE_SILENT;
	e.fake.way_once = true;
	evil_fill(&e, w, 8);
	poll_all(e.queue);
	watched_ended(w, 3, 0);
	watched_ended(w + 3, 1, -ETIMEDOUT);
	watched_ended(w + 4, 4, -ECANCELED);
	assert_int_equal(e.fake.enables, 2);
	assert_int_equal(evil_stats(&e).resets, 1);
	assert_non_null(evil_stats(&e).why);
	assert_int_equal(evil_stats(&e).dead, 0);
	assert_int_equal(e.rig.tenv.reports, 1);
	assert_int_equal(e.rig.tenv.last.err, -ETIMEDOUT);
	evil_works(&e);
	/* A reset that is asked for has no reason of its own. */
	why = evil_stats(&e).why;
	assert_int_equal(phyr_nvme_reset(e.nvme), 0);
	assert_string_equal(evil_stats(&e).why, why);
	evil_fini(&e);
	assert_int_equal(e.fake.bad_doorbells, 0);
}

/* A controller that takes one abort at a time has many ended by aborts all the same. */
static void aborts_one_by_one(void **state)
{
	struct watched w[8];
	struct evil e;

	evil_init(&e);
	fake_put(e.fake.ctrl, 258, 1, 0);
	assert_int_equal(evil_open(&e), 0);
	assert_int_equal(phyr_nvme_queue_create(e.nvme, 8, &e.queue), 0);
	e.fake.way = FAKE_HELD;
	evil_fill(&e, w, 8);
	poll_all(e.queue);
	watched_ended(w, 8, -ECANCELED);
	assert_int_equal(e.fake.aborts, 8);
	assert_int_equal(e.fake.enables, 1);
	evil_fini(&e);
}

/* No more aborts at once than the controller takes, nor than leave the driver slots to go on. */
static void aborts_are_limited(void **state)
{
	static const struct {
		uint8_t acl;
		unsigned aborts;
	} limits[] = {{0, 1}, {2, 3}, {255, 4}};
	struct watched w[8];
	struct evil e;

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		evil_init(&e);
		fake_put(e.fake.ctrl, 258, 1, limits[i].acl);
		assert_int_equal(evil_open(&e), 0);
		assert_int_equal(phyr_nvme_queue_create(e.nvme, 8, &e.queue), 0);
		e.fake.way = e.fake.admin_way = FAKE_SILENT;
		e.fake.way_once = true;
		evil_fill(&e, w, 7);
		poll_all(e.queue);
		assert_int_equal(w[0].ended.err, -ETIMEDOUT);
		watched_ended(w + 1, 6, -ECANCELED);
		assert_int_equal(e.fake.aborts, limits[i].aborts);
		evil_works(&e);
		evil_fini(&e);
	}
}

/*
 * Resets.
 */

/* Nothing of it is told before the poll; what is submitted meanwhile is not taken. */
static void asked_for(void **state)
{
	struct ended ended = {0};
	struct watched w[5];
	struct evil e;

	evil_up(&e);
	e.fake.way = FAKE_SILENT;
	e.fake.way_once = true;
	evil_fill(&e, w, 5);
	assert_int_equal(phyr_nvme_reset(e.nvme), 0);
	assert_int_equal(w[0].ended.times, 0);
	assert_int_equal(phyr_nvme_in_flight(e.queue), 5);
	assert_int_equal(phyr_nvme_flush(e.queue, ended_fn, &ended), -EAGAIN);
	assert_int_equal(phyr_nvme_poll(e.queue), 5);
	watched_ended(w, 5, -ECANCELED);
	evil_works(&e);
	assert_int_equal(evil_stats(&e).resets, 1);
	assert_null(evil_stats(&e).why);
	assert_int_equal(e.rig.tenv.reports, 0);
	assert_int_equal(ended.times, 0);
	evil_fini(&e);
	assert_int_equal(e.fake.bad_doorbells, 0);
}

/* With nothing in flight there is nothing to tell: submitting alone makes the queue again. */
static void an_idle_queue_comes_back_by_itself(void **state)
{
	struct watched w[8];
	struct evil e;

	evil_up(&e);
	for (unsigned round = 0; round < 10; round++) {
		assert_int_equal(phyr_nvme_reset(e.nvme), 0);
		evil_fill(&e, w, 8);
		poll_all(e.queue);
		watched_ended(w, 8, 0);
	}
	assert_int_equal(e.fake.enables, 11);
	assert_int_equal(e.rig.tenv.reports, 0);
	assert_int_equal(phyr_nvme_reset(e.nvme), 0);
	assert_int_equal(phyr_nvme_poll(e.queue), 0);
	evil_works(&e);
	evil_fini(&e);
	assert_int_equal(e.fake.bad_doorbells, 0);
}

/* What the rings say has ended by then did. */
static void what_ended_has_ended(void **state)
{
	struct watched w[8];
	struct evil e;

	evil_up(&e);
	e.fake.good = 5;
	e.fake.way = FAKE_SILENT;
	evil_fill(&e, w, 8);
	phyr_sim_step(e.rig.sim);
	assert_int_equal(phyr_nvme_reset(e.nvme), 0);
	assert_int_equal(phyr_nvme_poll(e.queue), 8);
	watched_ended(w, 5, 0);
	watched_ended(w + 5, 3, -ECANCELED);
	evil_fini(&e);
}

static void fatal_status(void **state)
{
	struct watched w[8];
	struct evil e;

	evil_up(&e);
	e.fake.good = 2;
	e.fake.way = FAKE_CFS;
	e.fake.way_once = true;
	evil_fill(&e, w, 8);
	poll_all(e.queue);
	watched_ended(w, 2, 0);
	watched_ended(w + 2, 6, -ECANCELED);
	assert_int_equal(e.fake.enables, 2);
	assert_int_equal(e.fake.aborts, 0);
	evil_works(&e);
	evil_fini(&e);
}

static bool asks_for_the_way(const struct evil *e)
{
	const char *hint = e->rig.tenv.last.hint;

	assert_non_null(strstr(hint, "CSTS.CFS"));
	return strstr(hint, "phyr_pci_set_master()");
}

/* One that fails while it comes up may not reach memory, and that is said; one that has worked does. */
static void fatal_status_at_the_start(void **state)
{
	struct watched w[2];
	struct evil e;

	for (unsigned enabled = 0; enabled < 2; enabled++) {
		evil_init(&e);
		e.fake.fatal_enable = !enabled;
		e.fake.admin_way = enabled ? FAKE_CFS : e.fake.admin_way;
		assert_int_equal(evil_open(&e), -EIO);
		assert_true(asks_for_the_way(&e));
		evil_fini(&e);
	}
	evil_up(&e);
	e.fake.way = FAKE_CFS;
	e.fake.way_once = true;
	evil_fill(&e, w, 2);
	poll_all(e.queue);
	assert_false(asks_for_the_way(&e));
	evil_fini(&e);
}

/* A function of a command that is lost submits again, polls, and resets once more. */
struct again {
	struct evil *e;
	struct ended first, second;
	bool reset;
};

static void once_more(void *arg, const struct phyr_nvme_done *done)
{
	struct again *a = arg;

	ended_fn(&a->first, done);
	if (a->reset)
		assert_int_equal(phyr_nvme_reset(a->e->nvme), 0);
	while (phyr_nvme_flush(a->e->queue, ended_fn, &a->second) == -EAGAIN)
		phyr_nvme_poll(a->e->queue);
	phyr_nvme_poll(a->e->queue);
}

static void functions_submit_again(void **state)
{
	struct again a[8];
	struct evil e;

	for (unsigned resets = 0; resets < 3; resets++) {
		evil_up(&e);
		e.fake.way = FAKE_SILENT;
		e.fake.way_once = true;
		for (unsigned i = 0; i < 8; i++) {
			a[i] = (struct again){.e = &e, .reset = resets > i % 3};
			assert_int_equal(phyr_nvme_flush(e.queue, once_more, &a[i]), 0);
		}
		assert_int_equal(phyr_nvme_reset(e.nvme), 0);
		poll_all(e.queue);
		for (unsigned i = 0; i < 8; i++) {
			assert_int_equal(a[i].first.times, 1);
			assert_int_equal(a[i].first.err, -ECANCELED);
			assert_int_equal(a[i].second.times, 1);
			assert_true(!a[i].second.err || a[i].second.err == -ECANCELED);
		}
		evil_works(&e);
		evil_fini(&e);
		assert_int_equal(e.fake.bad_doorbells, 0);
	}
}

/* A function of a command that ended well resets: no doorbell is written of a queue that is gone. */
static void resets_all(void *arg, const struct phyr_nvme_done *done)
{
	struct evil *e = arg;

	assert_int_equal(done->err, 0);
	assert_int_equal(phyr_nvme_reset(e->nvme), 0);
}

static void functions_reset(void **state)
{
	struct evil e;

	evil_up(&e);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(phyr_nvme_flush(e.queue, resets_all, &e), 0);
	poll_all(e.queue);
	assert_int_equal(e.fake.enables, 1 + 4);
	evil_works(&e);
	evil_fini(&e);
	assert_int_equal(e.fake.bad_doorbells, 0);
}

/* Two queues: one finds out, the other learns of it when it is polled. */
static void each_queue_in_its_time(void **state)
{
	struct phyr_nvme_queue *other;
	struct watched w[4], v;
	struct evil e;

	evil_up(&e);
	assert_int_equal(phyr_nvme_queue_create(e.nvme, 8, &other), 0);
	e.fake.way = FAKE_SILENT;
	e.fake.way_once = true;
	watch(&v, &e.fake);
	assert_int_equal(phyr_nvme_flush(other, watched_fn, &v), 0);
	evil_fill(&e, w, 4);
	poll_all(e.queue);
	assert_int_equal(w[0].ended.err, -ETIMEDOUT);
	watched_ended(w + 1, 3, -ECANCELED);
	evil_works(&e);
	assert_int_equal(v.ended.times, 0);
	assert_int_equal(phyr_nvme_poll(other), 1);
	assert_int_equal(v.ended.err, -ECANCELED);
	assert_int_equal(phyr_nvme_flush_sync(other), 0);
	/* What the second one says is of the second queue. */
	e.fake.way = FAKE_STATUS;
	e.fake.status = 0x06;
	assert_int_equal(phyr_nvme_flush_sync(other), -EIO);
	assert_string_equal(e.rig.tenv.last.index_of, "command");
	assert_int_equal(e.rig.tenv.last.of, 2);
	e.fake.way = FAKE_GOOD;
	/* One that never learns of it is destroyed all the same. */
	assert_int_equal(phyr_nvme_reset(e.nvme), 0);
	phyr_nvme_queue_destroy(other);
	evil_works(&e);
	assert_int_equal(phyr_nvme_queue_create(e.nvme, 8, &other), 0);
	phyr_nvme_queue_destroy(other);
	evil_fini(&e);
}

/*
 * What another thread sees in the middle of a reset, without a thread: the function that a driver calls
 * when it waits for the device stands for it, and polls the second queue. A device that takes its time
 * to be disabled, and to be enabled, has it called in both.
 */
struct onlooker {
	struct evil e;
	struct phyr_nvme_queue *other;
	struct watched w;
	bool stopping, starting; /* the device is at it, and must be looked at */
	unsigned seen;
};

static void look_on(void *arg)
{
	struct onlooker *o = arg;

	phyr_sim_step(o->e.rig.sim);
	if (o->stopping && !(o->e.fake.cc & 1)) {
		/* It was told to stop and has not: its memory may still be written. */
		assert_int_equal(phyr_nvme_poll(o->other), 0);
		assert_int_equal(phyr_nvme_flush(o->other, ended_fn, NULL), -EAGAIN);
		assert_int_equal(o->w.ended.times, 0);
		o->stopping = false;
		o->seen++;
		o->e.fake.stuck_ready = false;
		o->e.fake.csts = 0;
	} else if (o->starting && o->e.fake.cc & 1 && !o->e.fake.csts) {
		/* It has stopped: what was lost may be told, while there is no queue yet. */
		assert_int_equal(phyr_nvme_poll(o->other), 1);
		assert_int_equal(o->w.ended.times, 1);
		assert_int_equal(o->w.ended.err, -ECANCELED);
		o->starting = false;
		o->seen++;
		o->e.fake.csts = 1;
	}
}

static void nothing_is_told_before_it_stopped(void **state)
{
	struct phyr_nvme_opts opts;
	struct onlooker o = {.seen = 0};
	struct evil *e = &o.e;

	evil_init(e);
	opts = rig_opts(&e->rig);
	opts.queues = 2;
	opts.wait = look_on;
	opts.wait_arg = &o;
	assert_int_equal(
		phyr_nvme_open(e->rig.dev, phyr_sim_dev_regs(e->fake.sdev), &opts, &e->nvme), 0);
	assert_int_equal(phyr_nvme_queue_create(e->nvme, 8, &e->queue), 0);
	assert_int_equal(phyr_nvme_queue_create(e->nvme, 8, &o.other), 0);
	e->fake.way = FAKE_SILENT;
	watch(&o.w, &e->fake);
	assert_int_equal(phyr_nvme_flush(o.other, watched_fn, &o.w), 0);
	e->fake.way_once = e->fake.stuck_ready = e->fake.never_ready = true;
	o.stopping = o.starting = true;
	assert_int_equal(phyr_nvme_reset(e->nvme), 0);
	assert_int_equal(o.seen, 2);
	e->fake.never_ready = false;
	assert_int_equal(phyr_nvme_flush_sync(o.other), 0);
	evil_works(e);
	phyr_nvme_queue_destroy(o.other);
	evil_fini(e);
}

/* A controller that is brought up again may be another one: it gets no command of a caller's before it
 * was looked at. */
struct passer {
	struct evil e;
	bool starting;
	unsigned tries;
	struct ended ended;
};

static void pass_on(void *arg)
{
	unsigned char get[64] = {0x09};
	struct passer *p = arg;

	phyr_sim_step(p->e.rig.sim);
	if (!p->starting || p->e.fake.enables < 2)
		return;
	p->tries++;
	assert_int_equal(
		phyr_nvme_submit(phyr_nvme_admin_queue(p->e.nvme), get, NULL, ended_fn, &p->ended),
		-EAGAIN);
}

static void callers_wait_until_it_is_known(void **state)
{
	struct passer p = {.tries = 0};
	struct phyr_nvme_opts opts;
	struct evil *e = &p.e;

	evil_init(e);
	opts = rig_opts(&e->rig);
	opts.wait = pass_on;
	opts.wait_arg = &p;
	assert_int_equal(
		phyr_nvme_open(e->rig.dev, phyr_sim_dev_regs(e->fake.sdev), &opts, &e->nvme), 0);
	assert_int_equal(phyr_nvme_queue_create(e->nvme, 8, &e->queue), 0);
	p.starting = true;
	assert_int_equal(phyr_nvme_reset(e->nvme), 0);
	p.starting = false;
	assert_true(p.tries >= 3); /* a command each: identify, identify, number of queues */
	assert_int_equal(p.ended.times, 0);
	evil_works(e);
	evil_fini(e);
}

static void destroying_ends_what_is_lost(void **state)
{
	struct watched w[8];
	struct evil e;

	evil_up(&e);
	e.fake.way = FAKE_SILENT;
	evil_fill(&e, w, 8);
	assert_int_equal(phyr_nvme_reset(e.nvme), 0);
	phyr_nvme_queue_destroy(e.queue);
	e.queue = NULL;
	watched_ended(w, 8, -ECANCELED);
	evil_fini(&e);
}

/* A reset takes no memory: not itself, not the queue that is made again, not its next command. */
static void resets_need_no_memory(void **state)
{
	struct phyr_cursor cur;
	struct ended ended = {0};
	struct watched w[8];
	struct evil e;
	struct mem mem;

	evil_up(&e);
	mem_init(&e.rig, &mem, 1 << 20, 0, PHYR_DMA_FROM_DEVICE);
	cur = mem_cursor(&mem, 0, 256 << 10);
	assert_int_equal(phyr_nvme_read(e.queue, 0, &cur, ended_fn, &ended), 0);
	poll_all(e.queue);
	for (unsigned round = 0; round < 4; round++) {
		tenv_restart(&e.rig.tenv);
		e.rig.tenv.fail_at = 1;
		evil_fill(&e, w, 7);
		assert_int_equal(phyr_nvme_reset(e.nvme), 0);
		poll_all(e.queue);
		cur = mem_cursor(&mem, 0, 4096);
		assert_int_equal(phyr_nvme_read(e.queue, 0, &cur, ended_fn, &ended), 0);
		poll_all(e.queue);
		assert_int_equal(e.rig.tenv.allocs, 0);
		e.rig.tenv.fail_at = 0;
	}
	assert_int_equal(ended.times, 5);
	assert_int_equal(ended.err, 0);
	mem_fini(&e.rig, &mem);
	evil_fini(&e);
}

/*
 * The admin queue's commands.
 */

static void admin_commands_end_too(void **state)
{
	struct phyr_nvme_queue *admin;
	unsigned char event[64] = {0x0c}, get[64] = {0x09};
	struct ended ended[3] = {{0}};
	struct evil e;

	evil_up(&e);
	admin = phyr_nvme_admin_queue(e.nvme);
	assert_int_equal(phyr_nvme_submit(admin, event, NULL, ended_fn, &ended[0]), 0);
	phyr_sim_step(e.rig.sim);
	e.fake.admin_way = FAKE_SILENT;
	e.fake.way_once = true;
	assert_int_equal(phyr_nvme_submit(admin, get, NULL, ended_fn, &ended[1]), 0);
	assert_int_equal(phyr_nvme_submit(admin, get, NULL, ended_fn, &ended[2]), 0);
	poll_all(admin);
	assert_int_equal(ended[0].err, -ECANCELED);
	assert_int_equal(ended[1].err, -ETIMEDOUT);
	assert_int_equal(ended[2].err, -ECANCELED);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(ended[i].times, 1);
	assert_int_equal(e.fake.enables, 2);
	assert_int_equal(phyr_nvme_submit_sync(admin, get, NULL, NULL), 0);
	evil_works(&e);
	evil_fini(&e);
}

/* A queue whose creation a reset came into is made in the next run. */
static void a_queue_is_made_in_the_next_run(void **state)
{
	struct phyr_nvme_queue *other = NULL;
	struct evil e;

	evil_up(&e);
	e.fake.admin_way = FAKE_IDLE_CID;
	e.fake.way_once = true;
	assert_int_equal(phyr_nvme_queue_create(e.nvme, 8, &other), 0);
	assert_int_equal(e.fake.enables, 2);
	assert_int_equal(phyr_nvme_flush_sync(other), 0);
	phyr_nvme_queue_destroy(other);
	evil_works(&e);
	evil_fini(&e);
	/* One that an abort ended may be half done: no way but a reset. */
	evil_up(&e);
	e.fake.admin_way = FAKE_HELD;
	e.fake.admin_bad = 1;
	other = NULL;
	assert_int_equal(phyr_nvme_queue_create(e.nvme, 8, &other), -ETIMEDOUT);
	assert_null(other);
	assert_int_equal(e.fake.aborts, 1);
	assert_int_equal(e.fake.enables, 2);
	assert_int_equal(phyr_nvme_queue_create(e.nvme, 8, &other), 0);
	phyr_nvme_queue_destroy(other);
	evil_fini(&e);
	/* One that is late has its time. */
	evil_up(&e);
	e.fake.admin_way = FAKE_SILENT;
	e.fake.way_once = true;
	other = NULL;
	assert_int_equal(phyr_nvme_queue_create(e.nvme, 8, &other), -ETIMEDOUT);
	assert_null(other);
	assert_int_equal(e.fake.enables, 2);
	evil_works(&e);
	evil_fini(&e);
}

/* From the third command on, which is a queue's, the admin queue lies. */
static void lies_about_queues(struct fake *f)
{
	f->admin_good = 3;
	f->admin_way = FAKE_IDLE_CID;
}

/* Resets that the driver needs come into every try: that is told from a device that does not answer. */
static void making_a_queue_has_an_end(void **state)
{
	struct phyr_nvme_queue *other = NULL;
	struct phyr_nvme_opts opts;
	struct ended ended = {0};
	struct evil e;

	evil_init(&e);
	opts = rig_opts(&e.rig);
	opts.queues = 2;
	opts.max_resets = 100;
	assert_int_equal(phyr_nvme_open(e.rig.dev, phyr_sim_dev_regs(e.fake.sdev), &opts, &e.nvme),
			 0);
	assert_int_equal(phyr_nvme_queue_create(e.nvme, 8, &e.queue), 0);
	e.fake.enabled = lies_about_queues;
	e.fake.admin_way = FAKE_IDLE_CID;
	assert_int_equal(phyr_nvme_queue_create(e.nvme, 8, &other), -EAGAIN);
	assert_null(other);
	assert_int_equal(e.rig.tenv.last.err, -EAGAIN);
	assert_string_equal(e.rig.tenv.last.call, "phyr_nvme_queue_create");
	assert_int_equal(evil_stats(&e).resets, 8);
	/* Nor does a submit to a queue that cannot be made again wait for ever. */
	assert_int_equal(phyr_nvme_flush(e.queue, ended_fn, &ended), -EAGAIN);
	assert_int_equal(evil_stats(&e).resets, 16);
	e.fake.enabled = NULL;
	e.fake.admin_way = FAKE_GOOD;
	assert_int_equal(phyr_nvme_queue_create(e.nvme, 8, &other), 0);
	evil_works(&e);
	assert_int_equal(ended.times, 0);
	phyr_nvme_queue_destroy(other);
	evil_fini(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_late_command_is_aborted),
		cmocka_unit_test(it_may_be_faster),
		cmocka_unit_test(one_that_is_not_found_costs_a_reset),
		cmocka_unit_test(aborts_one_by_one),
		cmocka_unit_test(aborts_are_limited),
		cmocka_unit_test(asked_for),
		cmocka_unit_test(an_idle_queue_comes_back_by_itself),
		cmocka_unit_test(what_ended_has_ended),
		cmocka_unit_test(fatal_status),
		cmocka_unit_test(fatal_status_at_the_start),
		cmocka_unit_test(functions_submit_again),
		cmocka_unit_test(functions_reset),
		cmocka_unit_test(each_queue_in_its_time),
		cmocka_unit_test(nothing_is_told_before_it_stopped),
		cmocka_unit_test(callers_wait_until_it_is_known),
		cmocka_unit_test(destroying_ends_what_is_lost),
		cmocka_unit_test(resets_need_no_memory),
		cmocka_unit_test(admin_commands_end_too),
		cmocka_unit_test(a_queue_is_made_in_the_next_run),
		cmocka_unit_test(making_a_queue_has_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
