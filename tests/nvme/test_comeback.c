/* SPDX-License-Identifier: MIT */
/* What comes back after a reset, and what does not; how often; what is identified again; the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "nvme/evil.h"

/*
 * What comes back, and what does not.
 */

static void other_serial(struct fake *f)
{
	f->ctrl[4] ^= 1;
}

static void other_model(struct fake *f)
{
	f->ctrl[24] ^= 1;
}

static void other_blocks(struct fake *f)
{
	fake_put(f->ns, 130, 1, 12);
}

static void smaller(struct fake *f)
{
	fake_put(f->ns, 0, 8, 999);
}

static void no_namespace(struct fake *f)
{
	fake_put(f->ctrl, 516, 4, 0);
}

static void smaller_transfers(struct fake *f)
{
	fake_put(f->ctrl, 77, 1, 7);
}

static void fewer_queues(struct fake *f)
{
	f->granted = 0;
}

static void fails_identify(struct fake *f)
{
	f->admin_way = FAKE_STATUS;
	f->status = 0x06;
}

static void says_nothing(struct fake *f)
{
	f->admin_way = FAKE_SILENT;
}

static void lies(struct fake *f)
{
	f->admin_way = FAKE_DOUBLE;
	f->io_commands = 1;
}

static void fails_at_once(struct fake *f)
{
	f->csts = 2;
}

static void never_ready(struct fake *f)
{
	f->csts = 0;
}

/* Identify, identify, number of queues: then it refuses what it had before. */
static void refuses_queues(struct fake *f)
{
	f->admin_good = 3;
	f->admin_way = FAKE_STATUS;
	f->status = 0x101;
}

static void it_must_be_what_it_was(void **state)
{
	static void (*const changes[])(struct fake *) = {
		other_serial,      other_model,  other_blocks,   smaller,      no_namespace,
		smaller_transfers, fewer_queues, fails_identify, says_nothing, lies,
		fails_at_once,     never_ready,  refuses_queues,
	};
	struct watched w[4];
	struct evil e;

	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		evil_up(&e);
		e.fake.way = FAKE_SILENT;
		evil_fill(&e, w, 4);
		e.fake.enabled = changes[i];
		assert_int_equal(phyr_nvme_reset(e.nvme), changes[i] == refuses_queues ? 0 : -EIO);
		poll_all(e.queue);
		for (unsigned n = 0; n < 4; n++) {
			assert_int_equal(w[n].ended.times, 1);
			assert_true(w[n].ended.err == -EIO || w[n].ended.err == -ECANCELED);
		}
		assert_int_equal(evil_stats(&e).dead, -EIO);
		assert_int_equal(e.fake.cc & 1, 0);
		assert_true(e.rig.tenv.reports >= 1);
		assert_int_equal(e.rig.tenv.last.err, -EIO);
		e.fake.enabled = NULL;
		assert_int_equal(phyr_nvme_flush_sync(e.queue), -EIO);
		evil_fini(&e);
	}
}

/*
 * What fails to come up once may come up the next time.
 */

static unsigned failing; /* bring-ups, before one that goes well */

static bool fails_now(void)
{
	return failing && failing--;
}

static void loses_one(struct fake *f)
{
	f->admin_good = 1; /* the second identify */
	f->admin_bad = 1;
	f->admin_way = fails_now() ? FAKE_SILENT : FAKE_GOOD;
}

static void fails_one(struct fake *f)
{
	f->admin_bad = 1;
	f->status = 0x06;
	f->admin_way = fails_now() ? FAKE_STATUS : FAKE_GOOD;
}

static void fatal_once(struct fake *f)
{
	f->csts = fails_now() ? 2 : 1;
}

static void late_once(struct fake *f)
{
	f->csts = fails_now() ? 0 : 1;
}

static void a_bad_start_is_tried_again(void **state)
{
	static void (*const changes[])(struct fake *) = {loses_one, fails_one, fatal_once,
							 late_once};
	struct watched w[4];
	struct evil e;

	for (size_t i = 0; i < 2 * sizeof(changes) / sizeof(changes[0]); i++) {
		unsigned tries = 1 + (unsigned)i % 2 * 2; /* the default stands three */

		evil_up(&e);
		e.fake.way = FAKE_SILENT;
		evil_fill(&e, w, 4);
		failing = tries;
		e.fake.enabled = changes[i / 2];
		assert_int_equal(phyr_nvme_reset(e.nvme), 0);
		assert_int_equal(failing, 0);
		assert_int_equal(evil_stats(&e).resets, 1 + tries);
		assert_int_equal(evil_stats(&e).dead, 0);
		assert_non_null(strstr(evil_stats(&e).why, "brought up"));
		assert_int_equal(e.rig.tenv.reports, tries);
		assert_int_equal(e.fake.enables, 2 + tries);
		e.fake.way = FAKE_GOOD;
		poll_all(e.queue);
		watched_ended(w, 4, -ECANCELED);
		evil_works(&e);
		evil_fini(&e);
		assert_int_equal(e.fake.bad_doorbells, 0);
	}
}

/* The reset that the driver needs is one of them. */
static void bad_starts_count(void **state)
{
	struct watched w;
	struct evil e;

	for (unsigned tries = 2; tries < 4; tries++) {
		evil_up(&e);
		e.fake.enabled = loses_one;
		e.fake.way = FAKE_UNKNOWN_CID;
		failing = tries;
		evil_fill(&e, &w, 1);
		poll_all(e.queue);
		assert_int_equal(w.ended.err, tries < 3 ? -ECANCELED : -EIO);
		assert_int_equal(evil_stats(&e).dead, tries < 3 ? 0 : -EIO);
		assert_int_equal(evil_stats(&e).resets, 3);
		evil_fini(&e);
	}
}

static void larger(struct fake *f)
{
	fake_put(f->ns, 0, 8, 2000);
	fake_put(f->ctrl, 77, 1, 9);
	memcpy(f->ctrl + 64, "NEW", 3);
}

/* What grew may be used after a rescan. */
static void it_may_have_grown(void **state)
{
	struct evil e;

	evil_up(&e);
	e.fake.enabled = larger;
	assert_int_equal(phyr_nvme_reset(e.nvme), 0);
	evil_works(&e);
	assert_int_equal(phyr_nvme_get_info(e.nvme)->nr_blocks, 1000);
	assert_int_equal(phyr_nvme_rescan(e.nvme), 0);
	assert_int_equal(phyr_nvme_get_info(e.nvme)->nr_blocks, 2000);
	assert_int_equal(phyr_nvme_get_info(e.nvme)->max_transfer, 1 << 20);
	assert_string_equal(phyr_nvme_get_info(e.nvme)->firmware, "NEW");
	assert_int_equal(phyr_nvme_get_info(e.nvme)->queues, 2);
	assert_int_equal(phyr_nvme_get_info(e.nvme)->max_depth, 63);
	evil_fini(&e);
}

static void stuck_after(struct fake *f)
{
	f->stuck_ready = true;
	f->admin_way = FAKE_STATUS;
	f->status = 0x06;
}

/* It came up, failed, and can't be stopped: only an IOMMU is left. */
static void it_may_not_stop(void **state)
{
	struct evil e;

	evil_up(&e);
	e.fake.enabled = stuck_after;
	assert_int_equal(phyr_nvme_reset(e.nvme), -ETIMEDOUT);
	assert_int_equal(evil_stats(&e).dead, -ETIMEDOUT);
	assert_int_equal(phyr_nvme_flush_sync(e.queue), -ETIMEDOUT);
	e.fake.stuck_ready = false;
	evil_fini(&e);
}

static void it_may_be_gone(void **state)
{
	struct watched w[8];
	struct evil e;

	evil_up(&e);
	e.fake.way = FAKE_SILENT;
	evil_fill(&e, w, 8);
	e.fake.gone = true;
	assert_int_equal(phyr_nvme_reset(e.nvme), -ENODEV);
	poll_all(e.queue);
	watched_ended(w, 8, -ENODEV);
	assert_int_equal(phyr_nvme_flush_sync(e.queue), -ENODEV);
	e.fake.gone = false;
	evil_fini(&e);
}

static unsigned gone_reports;

static void report_gone(struct phyr_env *env, const struct phyr_report *report)
{
	assert_int_equal(report->err, -ENODEV);
	gone_reports++;
}

/* Whoever finds it out, each report has one errno. */
static void gone_is_one_errno(void **state)
{
	struct watched w[8];
	struct evil e;

	evil_up(&e);
	e.fake.way = FAKE_GONE;
	evil_fill(&e, w, 8);
	e.rig.tenv.env.report = report_gone;
	poll_all(e.queue);
	watched_ended(w, 8, -ENODEV);
	assert_int_equal(evil_stats(&e).dead, -ENODEV);
	assert_int_equal(phyr_nvme_flush_sync(e.queue), -ENODEV);
	assert_true(gone_reports >= 2);
	e.fake.gone = false;
	evil_fini(&e);
}

/*
 * How often.
 */

static void one_lie(struct evil *e)
{
	struct watched w;

	e->fake.way = FAKE_UNKNOWN_CID;
	evil_fill(e, &w, 1);
	poll_all(e->queue);
	e->fake.way = FAKE_GOOD;
	assert_int_equal(w.ended.times, 1);
	assert_int_equal(w.ended.err, -ECANCELED);
}

static void good_commands_count(void **state)
{
	unsigned char get[64] = {0x09};
	struct evil e;

	evil_up(&e);
	for (unsigned i = 0; i < 20; i++) {
		one_lie(&e);
		if (i % 3 == 2 && i & 1)
			evil_works(&e);
		else if (i % 3 == 2)
			assert_int_equal(phyr_nvme_submit_sync(phyr_nvme_admin_queue(e.nvme), get,
							       NULL, NULL),
					 0);
	}
	assert_int_equal(evil_stats(&e).resets, 20);
	evil_fini(&e);
}

static void max_resets_is_the_callers(void **state)
{
	struct phyr_nvme_opts opts;
	struct watched w;
	struct evil e;

	for (unsigned max = 1; max < 6; max += 4) {
		evil_init(&e);
		opts = rig_opts(&e.rig);
		opts.max_resets = max;
		assert_int_equal(
			phyr_nvme_open(e.rig.dev, phyr_sim_dev_regs(e.fake.sdev), &opts, &e.nvme),
			0);
		assert_int_equal(phyr_nvme_queue_create(e.nvme, 8, &e.queue), 0);
		for (unsigned i = 0; i < max; i++) {
			assert_int_equal(phyr_nvme_reset(e.nvme), 0); /* does not count */
			one_lie(&e);
		}
		e.fake.way = FAKE_UNKNOWN_CID;
		evil_fill(&e, &w, 1);
		poll_all(e.queue);
		assert_int_equal(w.ended.err, -EIO);
		assert_int_equal(evil_stats(&e).resets, 2 * max);
		evil_fini(&e);
	}
}

/*
 * Rescan, close.
 */

static void rescan_takes_what_is_new(void **state)
{
	struct phyr_nvme_info was;
	struct ended ended = {0};
	struct evil e;

	evil_up(&e);
	e.fake.way = FAKE_HELD;
	assert_int_equal(phyr_nvme_flush(e.queue, ended_fn, &ended), 0);
	assert_int_equal(phyr_nvme_rescan(e.nvme), -EBUSY);
	assert_int_equal(e.rig.tenv.last.err, -EBUSY);
	assert_string_equal(e.rig.tenv.last.call, "phyr_nvme_rescan");
	poll_all(e.queue);
	was = *phyr_nvme_get_info(e.nvme);
	fake_put(e.fake.ns, 130, 1, 12);
	fake_put(e.fake.ns, 0, 8, 0);
	assert_int_equal(phyr_nvme_rescan(e.nvme), -EIO);
	assert_memory_equal(&was, phyr_nvme_get_info(e.nvme), sizeof(was));
	fake_put(e.fake.ns, 0, 8, 125);
	fake_put(e.fake.ns, 33, 1, 1);
	e.fake.way = FAKE_GOOD;
	assert_int_equal(phyr_nvme_rescan(e.nvme), 0);
	assert_int_equal(phyr_nvme_get_info(e.nvme)->block_size, 4096);
	assert_int_equal(phyr_nvme_get_info(e.nvme)->nr_blocks, 125);
	assert_true(phyr_nvme_get_info(e.nvme)->zeroes_deallocated);
	evil_works(&e);
	/* What it is from now on is what it must be after a reset. */
	assert_int_equal(phyr_nvme_reset(e.nvme), 0);
	evil_fini(&e);
}

static void close_shuts_down(void **state)
{
	struct evil e;

	evil_up(&e);
	evil_fini(&e);
	assert_int_equal(e.fake.shutdowns, 1);
	assert_int_equal(e.fake.disables, 1);
	assert_int_equal(e.rig.tenv.reports, 0);
	evil_up(&e);
	e.fake.never_shut = true;
	evil_fini(&e);
	assert_int_equal(e.fake.shutdowns, 1);
	assert_int_equal(e.fake.disables, 1);
	assert_int_equal(e.rig.tenv.reports, 1);
	assert_int_equal(e.rig.tenv.last.err, -ETIMEDOUT);
	assert_string_equal(e.rig.tenv.last.call, "phyr_nvme_close");
}

/* Who reads as gone may be there all the same: it is told to stop before its memory goes. */
static void a_close_of_what_reads_as_gone(void **state)
{
	struct evil e;

	evil_init(&e);
	assert_int_equal(evil_open(&e), 0);
	tenv_restart(&e.rig.tenv);
	e.fake.gone = true;
	phyr_nvme_close(e.nvme);
	e.nvme = NULL;
	assert_int_equal(e.rig.tenv.reports, 0);
	assert_int_equal(e.fake.cc & 1, 0);
	evil_fini(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_must_be_what_it_was),
		cmocka_unit_test(a_bad_start_is_tried_again),
		cmocka_unit_test(bad_starts_count),
		cmocka_unit_test(it_may_have_grown),
		cmocka_unit_test(it_may_not_stop),
		cmocka_unit_test(it_may_be_gone),
		cmocka_unit_test(gone_is_one_errno),
		cmocka_unit_test(good_commands_count),
		cmocka_unit_test(max_resets_is_the_callers),
		cmocka_unit_test(rescan_takes_what_is_new),
		cmocka_unit_test(close_shuts_down),
		cmocka_unit_test(a_close_of_what_reads_as_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
