/* SPDX-License-Identifier: MIT */
/*
 * The admin queue: a queue like others, but under the controller's lock, because the driver's own
 * commands and everybody's meet there.
 *
 * The driver's own are told under the lock, as soon as their completion is seen by whichever thread:
 * their functions do no more than to store it. A caller's commands are put aside, and told without the
 * lock, by a thread that polls this queue.
 */
#include "nvme/ctrl.h"

#include "core/bits.h"

static void lock(struct phyr_nvme *nvme)
{
	env_lock(nvme->env, &nvme->lock);
}

static void unlock(struct phyr_nvme *nvme)
{
	env_unlock(nvme->env, &nvme->lock);
}

int phyr_nvme_admin_init(struct phyr_nvme *nvme, const char *call)
{
	struct phyr_nvme_queue *queue = &nvme->admin;
	int err;

	queue->nvme = nvme;
	queue->run = NVME_NO_RUN;
	nvme->admin_run = NVME_NO_RUN;
	err = phyr_nvme_ring_init(nvme, &queue->ring, 0, NVME_ADMIN_DEPTH + 1, call);
	if (err)
		return err;
	err = phyr_nvme_slots_init(queue, NVME_ADMIN_DEPTH, NVME_MAX_TRANSFER);
	if (err)
		return env_fail(nvme->env, .err = err, .call = call,
				.hint = "no memory for the admin queue's slots");
	return phyr_nvme_vector_init(queue, call);
}

void phyr_nvme_admin_fini(struct phyr_nvme *nvme)
{
	struct phyr_nvme_queue *queue = &nvme->admin;

	if (!queue->nvme)
		return;
	phyr_nvme_vector_fini(queue);
	phyr_nvme_slots_fini(queue);
	phyr_nvme_ring_fini(nvme, &queue->ring);
}

void phyr_nvme_admin_lose(struct phyr_nvme *nvme, int err)
{
	lock(nvme);
	phyr_nvme_slots_lose(&nvme->admin, err);
	phyr_nvme_ring_reset(&nvme->admin.ring);
	nvme->admin_run = NVME_NO_RUN;
	nvme->bad = NULL;
	unlock(nvme);
}

void phyr_nvme_admin_good(struct phyr_nvme *nvme, uint32_t run)
{
	lock(nvme);
	nvme->admin_run = run;
	/* Pairs with the acquires of whoever reads run. */
	store_release(&nvme->run, run);
	unlock(nvme);
}

/*
 * Completions.
 */

static void end_one(struct phyr_nvme *nvme, const struct nvme_completion *completion)
{
	struct phyr_nvme_queue *queue = &nvme->admin;
	struct nvme_slot *slot = phyr_nvme_slot_of(queue, completion);
	struct phyr_nvme_done done;

	if (!slot) {
		nvme->bad = "a completion on the admin queue that no command asked for: "
			    "the controller cannot be trusted and is reset";
		return;
	}
	done = phyr_nvme_how_ended(queue, slot, completion);
	if (slot->own)
		phyr_nvme_slot_end_own(queue, slot, &done);
	else
		phyr_nvme_slot_keep(queue, slot, &done);
}

/* A device that completes without end must not hold its caller for ever. */
static void take_locked(struct phyr_nvme *nvme)
{
	struct phyr_nvme_queue *queue = &nvme->admin;
	struct nvme_completion completion;
	unsigned n = 0;

	if (nvme->admin_run == NVME_NO_RUN)
		return;
	while (n++ < queue->ring.entries && !nvme->bad &&
	       phyr_nvme_ring_pop(&queue->ring, &completion))
		end_one(nvme, &completion);
	phyr_nvme_ring_tell(nvme, &queue->ring);
}

const char *phyr_nvme_admin_take(struct phyr_nvme *nvme)
{
	const char *bad;

	lock(nvme);
	take_locked(nvme);
	bad = nvme->bad;
	unlock(nvme);
	return bad;
}

static bool unkeep(struct phyr_nvme *nvme, struct nvme_slot *slot)
{
	bool any;

	lock(nvme);
	any = phyr_nvme_slot_unkeep(&nvme->admin, slot);
	unlock(nvme);
	return any;
}

static unsigned tell(struct phyr_nvme *nvme)
{
	struct nvme_slot slot;
	unsigned told = 0;

	for (; told < NVME_ADMIN_DEPTH && unkeep(nvme, &slot); told++)
		slot.fn(slot.arg, &slot.done);
	return told;
}

/*
 * Commands.
 */

static unsigned events_waited_for(const struct phyr_nvme_queue *queue)
{
	unsigned nr = 0;

	for (unsigned i = 0; i < queue->depth; i++)
		nr += queue->slots[i].state == NVME_FLYING && queue->slots[i].timeless;
	return nr;
}

/* Some slots are kept for the driver's own, and some for what ends, whatever events do. */
static struct nvme_slot *slot_for(struct phyr_nvme *nvme, const struct phyr_nvme_sqe *sqe)
{
	struct phyr_nvme_queue *queue = &nvme->admin;

	if (queue->in_flight >= NVME_ADMIN_DEPTH - NVME_ADMIN_OWN)
		return NULL;
	if (sqe->opc == PHYR_NVME_ADMIN_ASYNC_EVENT &&
	    events_waited_for(queue) >= NVME_ADMIN_EVENTS)
		return NULL;
	return nvme_next_slot(queue);
}

/* Under the lock. */
static int send_own(struct phyr_nvme *nvme, const struct nvme_ask *ask, struct phyr_nvme_sqe *sqe,
		    phyr_nvme_fn *fn, void *arg)
{
	struct nvme_slot *slot = nvme_next_slot(&nvme->admin);

	if (nvme->admin_run != ask->run)
		return -ECANCELED;
	if (!slot || nvme->own_out >= NVME_ADMIN_OWN)
		return -EAGAIN;
	slot->call = ask->call;
	slot->offset = slot->len = 0;
	phyr_nvme_fly_own(&nvme->admin, slot, sqe, fn, arg);
	slot->aborted = nvme_phase(ask->run) == NVME_QUIET; /* no second chance there */
	return 0;
}

int phyr_nvme_admin_send(struct phyr_nvme *nvme, const struct nvme_ask *ask,
			 struct phyr_nvme_sqe *sqe, phyr_nvme_fn *fn, void *arg)
{
	int err;

	lock(nvme);
	err = send_own(nvme, ask, sqe, fn, arg);
	unlock(nvme);
	return err;
}

void phyr_nvme_admin_forget(struct phyr_nvme *nvme, const void *arg, phyr_nvme_fn *fn)
{
	lock(nvme);
	for (unsigned i = 0; i < nvme->admin.depth; i++)
		if (nvme->admin.slots[i].arg == arg)
			nvme->admin.slots[i].fn = fn;
	unlock(nvme);
}

/* Not while it is being brought up: it may turn out to be another controller. */
static bool takes_callers(const struct phyr_nvme *nvme)
{
	uint32_t run = load_relaxed(&nvme->run);

	return nvme_phase(run) == NVME_RUNNING && nvme->admin_run == run;
}

static int send_callers(struct phyr_nvme *nvme, struct phyr_nvme_sqe *sqe,
			const struct phyr_dma_map *map, phyr_nvme_fn *fn, void *arg)
{
	struct nvme_slot *slot = slot_for(nvme, sqe);
	int err;

	if (!slot || !takes_callers(nvme))
		return -EAGAIN;
	slot->call = NVME_SUBMIT_CALL;
	err = phyr_nvme_build_map(&nvme->admin, slot, map, sqe);
	if (err)
		return err;
	phyr_nvme_fly(&nvme->admin, slot, sqe, fn, arg);
	slot->timeless = sqe->opc == PHYR_NVME_ADMIN_ASYNC_EVENT;
	return 0;
}

int phyr_nvme_admin_submit(struct phyr_nvme *nvme, struct phyr_nvme_sqe *sqe,
			   const struct phyr_dma_map *map, phyr_nvme_fn *fn, void *arg)
{
	int err;

	if (nvme_phase(load_acquire(&nvme->run)) == NVME_DEAD)
		return phyr_nvme_say_dead(nvme, NVME_SUBMIT_CALL, 0, 0);
	lock(nvme);
	err = send_callers(nvme, sqe, map, fn, arg);
	unlock(nvme);
	return err;
}

/*
 * Abort: Base 5.1. Best effort; whether it found the command is seen by how that one ends.
 */

static void abort_ended(void *arg, const struct phyr_nvme_done *done)
{
	struct phyr_nvme *nvme = arg;

	nvme->aborts_out--;
}

static void abort_locked(struct phyr_nvme *nvme, uint32_t run, uint16_t qid, uint16_t cid)
{
	struct phyr_nvme_sqe sqe = {.opc = PHYR_NVME_ADMIN_ABORT,
				    .cdw10 = PHYR_NVME_CDW10_ABORT(qid, cid)};
	struct nvme_ask ask = {NVME_POLL_CALL, run};

	if (nvme->aborts_out >= nvme->max_aborts || send_own(nvme, &ask, &sqe, abort_ended, nvme))
		return;
	nvme->aborts_out++;
	atomic_count_add(&nvme->stats.aborts, 1);
}

void phyr_nvme_abort(struct phyr_nvme *nvme, uint32_t run, uint16_t qid, uint16_t cid)
{
	lock(nvme);
	take_locked(nvme); /* earlier ones may have ended */
	abort_locked(nvme, run, qid, cid);
	unlock(nvme);
}

/*
 * Looking on.
 */

/* What is wrong with a run, seen from the admin queue. Under the lock. While somebody stops the device
 * nothing ends, and nothing is late for that. */
static bool queue_trouble(struct phyr_nvme *nvme, uint32_t run, const char *call,
			  struct phyr_report *why)
{
	struct nvme_slot *slot = phyr_nvme_slots_oldest(&nvme->admin);
	uint64_t now = env_now_ns(nvme->env);

	if (nvme->admin_run != run || load_relaxed(&nvme->run) != run)
		return false;
	if (nvme->bad) {
		*why = (struct phyr_report){.err = -EIO, .call = call, .hint = nvme->bad};
		return true;
	}
	if (!slot || now - slot->start_ns < nvme->opts.timeout_ns)
		return false;
	if (phyr_nvme_too_late(&nvme->admin, slot, now, why))
		return true;
	abort_locked(nvme, run, 0, slot->cid);
	return false;
}

bool phyr_nvme_admin_trouble(struct phyr_nvme *nvme, uint32_t run, const char *call,
			     struct phyr_report *why)
{
	const char *hint;
	bool any;
	int err;

	lock(nvme);
	any = queue_trouble(nvme, run, call, why);
	unlock(nvme);
	if (any)
		return true;
	err = phyr_nvme_csts_trouble(nvme, &hint);
	if (err)
		*why = (struct phyr_report){.err = err, .call = call, .hint = hint};
	return err;
}

static bool look_now(struct phyr_nvme *nvme)
{
	uint64_t now = env_now_ns(nvme->env);
	bool look;

	lock(nvme);
	look = nvme->bad ||
	       ((nvme->admin.in_flight || nvme->own_out) && nvme_time_to_look(&nvme->admin, now));
	unlock(nvme);
	return look;
}

unsigned phyr_nvme_admin_poll(struct phyr_nvme *nvme)
{
	struct phyr_report why;
	unsigned told;
	uint32_t run;

	phyr_nvme_vector_clear(&nvme->admin);
	run = load_acquire(&nvme->run);
	phyr_nvme_admin_take(nvme);
	told = tell(nvme);
	if (told || nvme_phase(run) != NVME_RUNNING)
		return told;
	if (nvme->opts.wait)
		nvme->opts.wait(nvme->opts.wait_arg);
	phyr_nvme_admin_take(nvme);
	if (look_now(nvme) && phyr_nvme_admin_trouble(nvme, run, NVME_POLL_CALL, &why))
		phyr_nvme_restart(nvme, run, &why);
	return tell(nvme);
}
