/* SPDX-License-Identifier: MIT */
/* I/O queue pairs: made, made again after a reset, deleted. */
#include "nvme/ctrl.h"

static const char create_call[] = "phyr_nvme_queue_create";

#define create_error(nvme, error, text, ...) \
	env_fail((nvme)->env, .err = (error), .call = create_call, .hint = (text), ##__VA_ARGS__)

/*
 * Wait until the device has nothing of the queue in its hands any more, so that memory can go. A
 * command that made or deleted part of it may have failed with no more than a reset to mend that, and
 * with another thread at the reset: so whatever run the queue is of, none may be just stopping.
 */
static void let_go(struct phyr_nvme *nvme)
{
	/* Pairs with the release in move(). */
	uint32_t run = load_acquire(&nvme->run);
	unsigned pauses = 0;

	while (nvme_phase(run) == NVME_STOPPING && load_acquire(&nvme->run) == run)
		phyr_nvme_pause(nvme, &pauses);
}

static void set_place(struct phyr_nvme *nvme, unsigned qid, struct phyr_nvme_queue *queue)
{
	env_lock(nvme->env, &nvme->lock);
	nvme->queues[qid - 1] = queue;
	env_unlock(nvme->env, &nvme->lock);
}

/* Give it an id that is free; 0: there is none. */
static unsigned take_place(struct phyr_nvme *nvme, struct phyr_nvme_queue *queue)
{
	unsigned qid = 0;

	env_lock(nvme->env, &nvme->lock);
	for (unsigned i = 0; !qid && i < nvme->info.queues; i++)
		if (!nvme->queues[i])
			qid = i + 1;
	if (qid)
		nvme->queues[qid - 1] = queue;
	env_unlock(nvme->env, &nvme->lock);
	return qid;
}

/* The device knows nothing of it any more, or is being disabled. */
static void free_queue(struct phyr_nvme_queue *queue, unsigned qid)
{
	struct phyr_nvme *nvme = queue->nvme;

	let_go(nvme);
	set_place(nvme, qid, NULL);
	phyr_nvme_vector_fini(queue);
	phyr_nvme_slots_fini(queue);
	phyr_nvme_ring_fini(nvme, &queue->ring);
	env_free(nvme->env, queue, sizeof(*queue));
}

int phyr_nvme_revive(struct phyr_nvme_queue *queue, uint32_t run, const char *call)
{
	struct phyr_nvme *nvme = queue->nvme;
	struct nvme_ask ask = {call, run};
	int err;

	phyr_nvme_ring_reset(&queue->ring);
	err = phyr_nvme_create_rings(nvme, &ask, queue);
	if (!err)
		queue->run = run;
	if (err == -EIO)
		phyr_nvme_give_up(nvme, run,
				  &(const struct phyr_report){
					  .err = err,
					  .call = call,
					  .index = queue->ring.qid,
					  .index_of = "queue",
					  .hint = "after a reset the controller refused a queue "
						  "that it had"});
	return err ? -ECANCELED : 0;
}

static int join_in(struct phyr_nvme_queue *queue, uint32_t run)
{
	struct phyr_nvme *nvme = queue->nvme;
	struct nvme_ask ask = {create_call, run};
	int err;

	if (nvme_phase(run) == NVME_DEAD)
		return phyr_nvme_say_dead(nvme, create_call, 0, 0);
	phyr_nvme_ring_reset(&queue->ring);
	err = phyr_nvme_create_rings(nvme, &ask, queue);
	if (!err)
		queue->run = run;
	return err == -ETIMEDOUT ? create_error(nvme, err, "the queue was not made in time") : err;
}

/* Have the device know it; a reset on the way is waited for. */
static int join(struct phyr_nvme_queue *queue)
{
	struct phyr_nvme *nvme = queue->nvme;
	struct nvme_try try = {0};
	int err, enough;

	do {
		enough = phyr_nvme_try(nvme, &try);
		err = enough ? enough : join_in(queue, try.run);
	} while (err == -ECANCELED);
	phyr_nvme_tried(nvme, &try);
	return enough ? create_error(nvme, enough,
				     "reset after reset came before the queue was made: try again")
		      : err;
}

static int init_queue(struct phyr_nvme_queue *queue, unsigned depth, unsigned qid)
{
	struct phyr_nvme *nvme = queue->nvme;
	int err;

	/* A ring is full with one entry free: Base 3.3.1.5. */
	err = phyr_nvme_ring_init(nvme, &queue->ring, qid, depth + 1, create_call);
	if (err)
		return err;
	err = phyr_nvme_slots_init(queue, depth, nvme->info.max_transfer);
	if (err)
		return create_error(nvme, err, "no memory for the queue's slots");
	err = phyr_nvme_vector_init(queue, create_call);
	return err ? err : join(queue);
}

static struct phyr_nvme_queue *alloc_queue(struct phyr_nvme *nvme)
{
	struct phyr_nvme_queue *queue = env_alloc(nvme->env, sizeof(*queue));

	if (!queue) {
		create_error(nvme, -ENOMEM, "no memory for the queue");
		return NULL;
	}
	queue->nvme = nvme;
	queue->run = NVME_NO_RUN;
	queue->fd = -1;
	return queue;
}

int phyr_nvme_queue_create(struct phyr_nvme *nvme, unsigned depth, struct phyr_nvme_queue **out)
{
	struct phyr_nvme_queue *queue;
	unsigned qid;
	int err;

	if (!depth || depth > nvme->info.max_depth)
		return create_error(nvme, -EINVAL, "depth is 0 or more than the controller has",
				    .limit = nvme->info.max_depth);
	queue = alloc_queue(nvme);
	if (!queue)
		return -ENOMEM;
	qid = take_place(nvme, queue);
	if (!qid) {
		env_free(nvme->env, queue, sizeof(*queue));
		return create_error(nvme, -EBUSY, "all queue pairs that were granted are in use",
				    .limit = nvme->info.queues);
	}
	err = init_queue(queue, depth, qid);
	if (err)
		free_queue(queue, qid);
	else
		*out = queue;
	return err;
}

void phyr_nvme_queue_destroy(struct phyr_nvme_queue *queue)
{
	struct phyr_nvme *nvme;

	if (!queue)
		return;
	nvme = queue->nvme;
	if (queue == &nvme->admin) {
		env_fail(nvme->env, .err = -EINVAL, .call = "phyr_nvme_queue_destroy",
			 .hint = "the admin queue lives as long as its controller");
		return;
	}
	while (queue->in_flight)
		nvme_poll_once(queue);
	if (queue->run == load_relaxed(&nvme->run))
		phyr_nvme_delete_rings(
			nvme, &(struct nvme_ask){"phyr_nvme_queue_destroy", queue->run}, queue);
	free_queue(queue, queue->ring.qid);
}

/*
 * What it is, and what it has done. The admin queue is everybody's.
 */

static void lock_shared(const struct phyr_nvme_queue *queue)
{
	if (queue == &queue->nvme->admin)
		env_lock(queue->nvme->env, &queue->nvme->lock);
}

static void unlock_shared(const struct phyr_nvme_queue *queue)
{
	if (queue == &queue->nvme->admin)
		env_unlock(queue->nvme->env, &queue->nvme->lock);
}

struct phyr_nvme_queue *phyr_nvme_admin_queue(struct phyr_nvme *nvme)
{
	return &nvme->admin;
}

int phyr_nvme_queue_fd(const struct phyr_nvme_queue *queue)
{
	return queue->fd >= 0 ? queue->fd : -EOPNOTSUPP;
}

unsigned phyr_nvme_in_flight(const struct phyr_nvme_queue *queue)
{
	unsigned in_flight;

	lock_shared(queue);
	in_flight = queue->in_flight;
	unlock_shared(queue);
	return in_flight;
}

void phyr_nvme_queue_set_timing(struct phyr_nvme_queue *queue, bool on)
{
	lock_shared(queue);
	queue->timing = on;
	unlock_shared(queue);
}

void phyr_nvme_queue_get_stats(const struct phyr_nvme_queue *queue, struct phyr_nvme_stats *stats)
{
	lock_shared(queue);
	*stats = queue->stats;
	unlock_shared(queue);
}
