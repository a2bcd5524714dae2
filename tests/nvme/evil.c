/* SPDX-License-Identifier: MIT */
/* The driver on a device that does what it is told to do wrong. */
#include "nvme/evil.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

void evil_init(struct evil *e)
{
	rig_init(&e->rig, true);
	fake_init(&e->fake, e->rig.sim, RIG_SOURCE);
	rig_fast_clock(&e->rig);
	rig_attach(&e->rig, true);
	e->nvme = NULL;
	e->queue = NULL;
	tenv_restart(&e->rig.tenv);
}

void evil_fini(struct evil *e)
{
	phyr_nvme_queue_destroy(e->queue);
	phyr_nvme_close(e->nvme);
	e->queue = NULL;
	e->nvme = NULL;
	assert_int_equal(e->fake.cc & 1, 0);
	rig_detach(&e->rig);
	fake_fini(&e->fake);
	e->rig.iommu = NULL;
	e->rig.domain = NULL;
	e->rig.dev = NULL;
	rig_fini(&e->rig);
}

int evil_open(struct evil *e)
{
	struct phyr_nvme_opts opts = rig_opts(&e->rig);

	opts.queues = 2;
	return phyr_nvme_open(e->rig.dev, phyr_sim_dev_regs(e->fake.sdev), &opts, &e->nvme);
}

void evil_up(struct evil *e)
{
	evil_init(e);
	assert_int_equal(evil_open(e), 0);
	assert_int_equal(phyr_nvme_queue_create(e->nvme, 8, &e->queue), 0);
	tenv_restart(&e->rig.tenv);
}

void watch(struct watched *w, const struct fake *fake)
{
	*w = (struct watched){.fake = fake, .disables = fake->disables};
}

void watched_fn(void *arg, const struct phyr_nvme_done *done)
{
	struct watched *w = arg;

	if (done->err && !done->status && done->err != -ENODEV)
		assert_true(w->fake->disables > w->disables || w->fake->stuck_ready);
	ended_fn(&w->ended, done);
}

void evil_works(struct evil *e)
{
	assert_int_equal(phyr_nvme_flush_sync(e->queue), 0);
}

struct phyr_nvme_ctrl_stats evil_stats(struct evil *e)
{
	struct phyr_nvme_ctrl_stats stats;

	phyr_nvme_get_stats(e->nvme, &stats);
	return stats;
}

void evil_fill(struct evil *e, struct watched *w, unsigned nr)
{
	for (unsigned i = 0; i < nr; i++) {
		watch(&w[i], &e->fake);
		assert_int_equal(phyr_nvme_flush(e->queue, watched_fn, &w[i]), 0);
	}
}

void watched_ended(const struct watched *w, unsigned nr, int err)
{
	for (unsigned i = 0; i < nr; i++) {
		assert_int_equal(w[i].ended.times, 1);
		assert_int_equal(w[i].ended.err, err);
	}
}
