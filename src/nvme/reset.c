/* SPDX-License-Identifier: MIT */
/*
 * From one run to the next: Base 3.7.2 (Controller Reset), 3.5.1.
 *
 * Whoever finds the controller broken does all of it, there and then: disable, which ends every access
 * to memory; empty the admin queue; enable; ask again what it is. Each I/O queue catches up when its
 * own thread polls it next (queue.c). Nothing here takes memory, so a reset can't fail for want of it.
 */
#include "nvme/ctrl.h"

#include <string.h>

static int reset_error(struct phyr_nvme *nvme, int err, const char *call, const char *hint)
{
	return env_fail(nvme->env, .err = err, .call = call, .hint = hint);
}

void phyr_nvme_report_enabled(struct phyr_nvme *nvme, const char *call)
{
	reset_error(nvme, -ETIMEDOUT, call,
		    "the controller cannot be disabled: only an IOMMU keeps it from memory now");
}

int phyr_nvme_say_dead(const struct phyr_nvme *nvme, const char *call, uint64_t offset,
		       uint64_t len)
{
	return env_fail(nvme->env, .err = nvme->dead, .call = call, .addr = offset, .len = len,
			.hint = "the controller failed earlier and was given up");
}

/*
 * Threads may sleep on their queues' eventfds. They are woken twice: when what was in flight has ended,
 * though it may take long until the controller is up; and when it is, or is dead. The first does not
 * concern a queue with nothing in flight; the second finds what was submitted too late for the first.
 */
static void wake(const struct phyr_nvme_queue *queue, bool idle)
{
	if (idle || load_relaxed(&queue->in_flight))
		phyr_nvme_vector_set(queue);
}

static void wake_all(struct phyr_nvme *nvme, bool idle)
{
	if (!nvme->opts.interrupts)
		return;
	env_lock(nvme->env, &nvme->lock);
	wake(&nvme->admin, idle);
	for (unsigned i = 0; i < nvme->max_queues; i++)
		if (nvme->queues[i])
			wake(nvme->queues[i], idle);
	env_unlock(nvme->env, &nvme->lock);
}

/* Pairs with the acquires of whoever reads run: what was done before is seen by then. */
static void move(struct phyr_nvme *nvme, uint32_t run)
{
	store_release(&nvme->run, run);
	wake_all(nvme, nvme_phase(run) != NVME_QUIET);
}

int phyr_nvme_bring_up(struct phyr_nvme *nvme, const struct nvme_ask *ask, struct nvme_identity *id,
		       unsigned *granted)
{
	int err = phyr_nvme_enable(nvme);

	if (err)
		return reset_error(nvme, err, ask->call, phyr_nvme_ready_hint(err));
	phyr_nvme_admin_good(nvme, ask->run);
	err = phyr_nvme_identify(nvme, ask, id);
	if (!err)
		err = phyr_nvme_set_queues(nvme, ask, nvme->max_queues, granted);
	return err;
}

/* Whether a controller that was reset is the one that it was. @return what is not, or NULL */
static const char *compare(const struct phyr_nvme *nvme, const struct nvme_identity *id,
			   unsigned granted)
{
	const struct phyr_nvme_info *was = &nvme->info, *is = &id->info;

	if (strcmp(was->serial, is->serial) || strcmp(was->model, is->model))
		return "after a reset the controller has another name";
	if (was->block_size != is->block_size)
		return "after a reset the namespace has blocks of another size";
	if (is->nr_blocks < was->nr_blocks)
		return "after a reset the namespace is smaller";
	if (is->max_transfer < was->max_transfer)
		return "after a reset the controller transfers less in a command";
	if (granted < was->queues)
		return "after a reset the controller grants fewer queues";
	return NULL;
}

/* 0; -ENODEV; -ESTALE it is another one; else it may go better the next time. Reported. */
static int recover(struct phyr_nvme *nvme, const struct nvme_ask *ask)
{
	struct nvme_identity id = {0};
	const char *wrong;
	unsigned granted = 0;
	int err = phyr_nvme_bring_up(nvme, ask, &id, &granted);

	if (err)
		return err;
	wrong = compare(nvme, &id, granted);
	if (!wrong)
		return 0;
	reset_error(nvme, -EIO, ask->call, wrong);
	return -ESTALE;
}

/* Why a controller that misbehaves again and again is not reset once more; NULL: it is. */
static const char *too_often(struct phyr_nvme *nvme)
{
	uint32_t resets = load_relaxed(&nvme->resets_in_row) + 1;

	store_relaxed(&nvme->resets_in_row, resets);
	return resets > nvme->opts.max_resets
		       ? "no command ended well between resets, and opts.max_resets is reached: "
			 "the controller is given up"
		       : NULL;
}

static const char *death_hint(int err)
{
	switch (err) {
	case -ENODEV:
		return "the device is gone";
	case -ETIMEDOUT:
		return "the controller cannot be disabled: "
		       "only an IOMMU keeps it from memory now";
	default:
		return "the controller could not be brought up again and is given up";
	}
}

static int die(struct phyr_nvme *nvme, uint32_t run, int err, const char *call, const char *hint)
{
	hint = hint ? hint : death_hint(err);
	store_relaxed(&nvme->stats.why, hint);
	nvme->dead = err;
	phyr_nvme_admin_lose(nvme, err);
	move(nvme, run + NVME_DEAD);
	return reset_error(nvme, err, call, hint);
}

/* The errno that stays: gone and not to be stopped say so, whatever else is an I/O error. */
static int death_errno(int err)
{
	return err == -ENODEV || err == -ETIMEDOUT ? err : -EIO;
}

/* A try to bring it up failed. @return 0: it is disabled, and another try is worth it; or its death */
static int after_failure(struct phyr_nvme *nvme, int err)
{
	int off = phyr_nvme_disable(nvme);

	if (off)
		return death_errno(off);
	if (err == -ENODEV)
		return err;
	if (err == -ESTALE || too_often(nvme))
		return -EIO;
	store_relaxed(&nvme->stats.why,
		      "the controller could not be brought up after a reset, and was reset again");
	return 0;
}

/* Bring it up, and again what fails once. @return 0 or the errno of its death; it is disabled then,
 * if it can be */
static int bring_back(struct phyr_nvme *nvme, const struct nvme_ask *ask)
{
	int err;

	for (;;) {
		atomic_count_add(&nvme->stats.resets, 1);
		err = recover(nvme, ask);
		if (!err)
			return 0;
		err = after_failure(nvme, err);
		if (err)
			return err;
		phyr_nvme_admin_lose(nvme, -ECANCELED);
	}
}

static int revive_or_die(struct phyr_nvme *nvme, uint32_t run, const char *call)
{
	struct nvme_ask ask = {call, run + NVME_QUIET};
	int err;

	phyr_nvme_admin_lose(nvme, -ECANCELED);
	move(nvme, run + NVME_QUIET);
	err = bring_back(nvme, &ask);
	if (err)
		return die(nvme, run, err, call, NULL);
	phyr_nvme_admin_good(nvme, run + NVME_RUN_STEP);
	wake_all(nvme, true);
	return 0;
}

/* @why: NULL: because it was asked for. @again: bring it up again */
static int restart(struct phyr_nvme *nvme, uint32_t run, const char *call,
		   const struct phyr_report *why, bool again)
{
	const char *enough = NULL;
	int err = phyr_nvme_disable(nvme);

	if (why) {
		store_relaxed(&nvme->stats.why, why->hint);
		phyr_env_report(nvme->env, why);
		enough = again ? too_often(nvme) : why->hint;
	}
	if (err)
		return die(nvme, run, err, call, NULL);
	if (enough)
		return die(nvme, run, -EIO, call, enough);
	return revive_or_die(nvme, run, call);
}

/* Whoever gets hold of a run that is going on may stop it. */
static bool claim(struct phyr_nvme *nvme, uint32_t run)
{
	return nvme_phase(run) == NVME_RUNNING &&
	       compare_exchange(&nvme->run, &run, run + NVME_STOPPING);
}

void phyr_nvme_restart(struct phyr_nvme *nvme, uint32_t run, const struct phyr_report *why)
{
	if (claim(nvme, run))
		restart(nvme, run, why->call, why, true);
}

void phyr_nvme_give_up(struct phyr_nvme *nvme, uint32_t run, const struct phyr_report *why)
{
	if (claim(nvme, run))
		restart(nvme, run, why->call, why, false);
}

int phyr_nvme_reset(struct phyr_nvme *nvme)
{
	static const char call[] = "phyr_nvme_reset";
	uint32_t run = phyr_nvme_give_way(nvme);

	if (claim(nvme, run))
		return restart(nvme, run, call, NULL, true);
	run = phyr_nvme_settle(nvme);
	return nvme_phase(run) == NVME_DEAD ? phyr_nvme_say_dead(nvme, call, 0, 0) : 0;
}
