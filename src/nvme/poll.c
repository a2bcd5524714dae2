/* SPDX-License-Identifier: MIT */
/*
 * Completions taken, late commands found, what a reset left told.
 *
 * Everything a device writes is a guess until it is checked. A completion ends a command only when
 * its id is that of a slot in flight; any other one means that the device is not what it says, and
 * the controller is reset. A slot is free before its function is called, so the function may submit,
 * and poll, again.
 */
#include "nvme/ctrl.h"

#include "core/bits.h"

#define BUSY_POLLS_MAX 64 /* polls that find something before time is looked at */

struct nvme_slot *phyr_nvme_slot_of(struct phyr_nvme_queue *queue,
				    const struct nvme_completion *done)
{
	struct nvme_slot *slot;

	unsigned id = done->cid & queue->id_mask;

	if (unlikely(done->sqid != queue->ring.qid || id >= queue->depth))
		return NULL;
	slot = &queue->slots[id];
	return likely(slot->state == NVME_FLYING && slot->cid == done->cid) ? slot : NULL;
}

static void report_status(const struct phyr_nvme_queue *queue, const struct nvme_slot *slot,
			  uint16_t status, int err)
{
	bool was_late = slot->aborted && status == PHYR_NVME_SC_ABORT_REQUESTED;

	env_fail(queue->nvme->env, .err = err, .call = slot->call, .index = slot->cid,
		 .index_of = "command", .of = queue->ring.qid, .addr = slot->offset,
		 .len = slot->len,
		 .hint = was_late ? "it did not end in time and was aborted"
				  : phyr_nvme_status_hint(status));
}

/* A command of a caller's that ends well: the controller is worth a reset again. */
static inline void note_good(struct phyr_nvme *nvme, const struct nvme_slot *slot)
{
	if (unlikely(load_relaxed(&nvme->resets_in_row)) && !slot->own)
		store_relaxed(&nvme->resets_in_row, 0);
}

struct phyr_nvme_done phyr_nvme_how_ended(const struct phyr_nvme_queue *queue,
					  const struct nvme_slot *slot,
					  const struct nvme_completion *completion)
{
	struct phyr_nvme_done done = {.status = PHYR_NVME_STATUS_CODE(completion->status),
				      .result = completion->result};

	if (likely(!done.status)) {
		note_good(queue->nvme, slot);
		return done;
	}
	done.err = phyr_nvme_status_errno(done.status);
	done.dnr = completion->status & PHYR_NVME_STATUS_DNR;
	if (!slot->own)
		report_status(queue, slot, done.status, done.err);
	return done;
}

static void end(struct phyr_nvme_queue *queue, struct nvme_slot *slot,
		const struct nvme_completion *completion)
{
	struct phyr_nvme_done done = phyr_nvme_how_ended(queue, slot, completion);
	phyr_nvme_fn *fn = slot->fn;
	void *arg = slot->arg;

	nvme_free_slot(queue, &queue->flying, slot);
	fn(arg, &done);
}

static void restart_stray(struct phyr_nvme_queue *queue, const struct nvme_completion *done)
{
	phyr_nvme_restart(queue->nvme, queue->run,
			  &(const struct phyr_report){
				  .err = -EIO,
				  .call = NVME_POLL_CALL,
				  .index = done->cid,
				  .index_of = "command",
				  .of = queue->ring.qid,
				  .hint = "a completion of a command that is not in flight: "
					  "the controller cannot be trusted and is reset",
			  });
}

/*
 * End what the ring says has ended. A device that completes as fast as functions submit again must
 * not hold its caller for ever. @return false: it says what can't be
 */
static bool take(struct phyr_nvme_queue *queue, unsigned *ended, struct nvme_completion *done)
{
	unsigned n = 0;
	bool good = true;

	while (good && n < queue->ring.entries && phyr_nvme_ring_pop(&queue->ring, done)) {
		struct nvme_slot *slot = phyr_nvme_slot_of(queue, done);

		good = slot;
		if (likely(good)) {
			end(queue, slot, done);
			n++;
		}
	}
	if (n == queue->ring.entries) /* there may be more, and the interrupt was taken */
		phyr_nvme_vector_set(queue);
	*ended += n;
	return good;
}

static void drain(struct phyr_nvme_queue *queue, unsigned *ended)
{
	struct nvme_completion done;

	if (unlikely(!take(queue, ended, &done)))
		restart_stray(queue, &done);
	else if (load_relaxed(&queue->nvme->run) == queue->run) /* a function may have reset it */
		phyr_nvme_ring_tell(queue->nvme, &queue->ring);
}

/*
 * A run that is over.
 */

/* What the rings still hold ended before the device was quiet; the rest did not end. */
static void lose(struct phyr_nvme_queue *queue, uint32_t run)
{
	struct nvme_completion completion;
	struct nvme_slot *slot;

	while (phyr_nvme_ring_pop(&queue->ring, &completion)) {
		struct phyr_nvme_done done;

		slot = phyr_nvme_slot_of(queue, &completion);
		if (!slot)
			break;
		done = phyr_nvme_how_ended(queue, slot, &completion);
		phyr_nvme_slot_keep(queue, slot, &done);
	}
	phyr_nvme_slots_lose(queue, nvme_phase(run) == NVME_DEAD ? queue->nvme->dead : -ECANCELED);
	queue->run = NVME_NO_RUN;
}

/* No function is called before the rings are as they should be: it may submit and poll. */
static __attribute__((noinline)) unsigned poll_slow(struct phyr_nvme_queue *queue)
{
	struct phyr_nvme *nvme = queue->nvme;
	uint32_t run;

	if (queue == &nvme->admin)
		return phyr_nvme_admin_poll(nvme);
	/* Whoever moves the run wakes queues afterwards: emptied before the look, nothing is missed. */
	phyr_nvme_vector_clear(queue);
	/* Pairs with the releases that move it: the device is quiet, or was. */
	run = load_acquire(&nvme->run);
	if (run == queue->run + NVME_STOPPING)
		return 0;
	if (queue->run != NVME_NO_RUN)
		lose(queue, run);
	if (nvme_phase(run) == NVME_RUNNING)
		phyr_nvme_revive(queue, run, NVME_POLL_CALL);
	return phyr_nvme_slots_tell(queue);
}

/*
 * Time.
 */

bool phyr_nvme_too_late(struct phyr_nvme_queue *queue, struct nvme_slot *slot, uint64_t now,
			struct phyr_report *why)
{
	if (!slot->aborted) {
		slot->aborted = true;
		slot->start_ns = now;
		nvme_chain_remove(queue, &queue->flying, slot);
		nvme_chain_add(queue, &queue->flying, slot);
		return false;
	}
	slot->late = true;
	*why = (struct phyr_report){
		.err = -ETIMEDOUT,
		.call = slot->call,
		.index = slot->cid,
		.index_of = "command",
		.of = queue->ring.qid,
		.addr = slot->offset,
		.len = slot->len,
		.hint = "a command did not end in time, nor when it was aborted: "
			"the controller is reset",
	};
	return true;
}

static void check_late(struct phyr_nvme_queue *queue, struct nvme_slot *slot, uint64_t now)
{
	struct phyr_nvme *nvme = queue->nvme;
	struct phyr_report why;

	if (phyr_nvme_too_late(queue, slot, now, &why))
		phyr_nvme_restart(nvme, queue->run, &why);
	else
		phyr_nvme_abort(nvme, queue->run, queue->ring.qid, slot->cid);
}

/* Whether the controller is still there, and what it said on the admin queue: to aborts, or unasked. */
static void look(struct phyr_nvme_queue *queue)
{
	struct phyr_nvme *nvme = queue->nvme;
	struct phyr_report why = {.call = NVME_POLL_CALL};

	why.err = phyr_nvme_csts_trouble(nvme, &why.hint);
	if (!why.err) {
		why.hint = phyr_nvme_admin_take(nvme);
		why.err = why.hint ? -EIO : 0;
	}
	if (why.err)
		phyr_nvme_restart(nvme, queue->run, &why);
}

static unsigned check_time(struct phyr_nvme_queue *queue)
{
	struct phyr_nvme *nvme = queue->nvme;
	struct nvme_slot *slot = phyr_nvme_slots_oldest(queue);
	uint64_t now = env_now_ns(nvme->env);

	if (slot && now - slot->start_ns >= nvme->opts.timeout_ns) {
		check_late(queue, slot, now);
	} else if (nvme_time_to_look(queue, now)) {
		look(queue);
	}
	return load_relaxed(&nvme->run) == queue->run ? phyr_nvme_slots_tell(queue)
						      : poll_slow(queue);
}

/* A poll that found something reads the clock only now and then. */
static bool time_counts(struct phyr_nvme_queue *queue, unsigned ended)
{
	if (ended && ++queue->busy_polls < BUSY_POLLS_MAX)
		return false;
	queue->busy_polls = 0;
	return queue->in_flight;
}

static unsigned take_or_wait(struct phyr_nvme_queue *queue)
{
	struct phyr_nvme *nvme = queue->nvme;
	unsigned ended = 0;

	if (unlikely(queue->fd >= 0))
		phyr_nvme_vector_clear(queue);
	drain(queue, &ended);
	if (ended || !queue->in_flight || !nvme->opts.wait)
		return ended;
	nvme->opts.wait(nvme->opts.wait_arg);
	drain(queue, &ended);
	return ended;
}

unsigned phyr_nvme_poll(struct phyr_nvme_queue *queue)
{
	unsigned ended;

	if (unlikely(load_relaxed(&queue->nvme->run) != queue->run))
		return poll_slow(queue);
	ended = take_or_wait(queue);
	if (time_counts(queue, ended))
		ended += check_time(queue);
	else if (unlikely(load_relaxed(&queue->nvme->run) != queue->run))
		ended += poll_slow(queue);
	return ended;
}
