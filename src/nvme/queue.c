/* SPDX-License-Identifier: MIT */
/* I/O queue pairs: made, described, deleted. */
#include "nvme/queue.h"

#define create_error(nvme, error, text, ...)                                                    \
	env_fail((nvme)->env, .err = (error), .call = "phyr_nvme_queue_create", .hint = (text), \
		 ##__VA_ARGS__)

static size_t slots_bytes(const struct phyr_nvme_queue *queue)
{
	return queue->depth * sizeof(struct nvme_slot);
}

static size_t pages_bytes(const struct phyr_nvme_queue *queue)
{
	return (size_t)queue->depth * queue->pages_per_slot * sizeof(struct phyr_prp_page);
}

static int alloc_slots(struct phyr_nvme_queue *queue)
{
	struct phyr_nvme *nvme = queue->nvme;

	queue->pages_per_slot = phyr_prp_pages_needed(nvme->page_lg2, nvme->info.max_transfer);
	queue->slots = env_alloc(nvme->env, slots_bytes(queue));
	if (queue->slots && queue->pages_per_slot)
		queue->pages = env_alloc(nvme->env, pages_bytes(queue));
	return queue->slots && (queue->pages || !queue->pages_per_slot) ? 0 : -ENOMEM;
}

static void init_slots(struct phyr_nvme_queue *queue)
{
	struct phyr_nvme *nvme = queue->nvme;
	unsigned per = queue->pages_per_slot;

	queue->free = queue->oldest = queue->newest = NVME_NO_SLOT;
	for (unsigned i = queue->depth; i-- > 0;) {
		struct nvme_slot *slot = &queue->slots[i];

		phyr_prp_init(&slot->prp, nvme->page_lg2, nvme->prp_pool,
			      per ? queue->pages + (size_t)i * per : NULL, per);
		slot->newer = queue->free;
		queue->free = (uint16_t)i;
	}
}

static void fini_slots(struct phyr_nvme_queue *queue)
{
	struct phyr_env *env = queue->nvme->env;

	if (queue->slots && (queue->pages || !queue->pages_per_slot))
		for (unsigned i = 0; i < queue->depth; i++)
			phyr_prp_fini(&queue->slots[i].prp);
	env_free(env, queue->pages, pages_bytes(queue));
	env_free(env, queue->slots, slots_bytes(queue));
}

/* Wait until whoever is disabling the controller is done, so that memory can go. */
static void settle(struct phyr_nvme *nvme)
{
	while (!nvme_alive(nvme) && !nvme_dead(nvme))
		phyr_nvme_pause(nvme);
}

/* Free the memory: the device knows nothing of it any more, or is disabled. */
static void free_queue(struct phyr_nvme_queue *queue)
{
	struct phyr_nvme *nvme = queue->nvme;

	settle(nvme);
	fini_slots(queue);
	phyr_nvme_ring_fini(nvme, &queue->ring);
	nvme->id_used[queue->ring.qid - 1] = false;
	env_free(nvme->env, queue, sizeof(*queue));
}

static int init_queue(struct phyr_nvme_queue *queue, unsigned qid)
{
	struct phyr_nvme *nvme = queue->nvme;
	int err;

	/* A ring is full with one entry free: Base 3.3.1.5. */
	err = phyr_nvme_ring_init(nvme, &queue->ring, qid, queue->depth + 1);
	if (err)
		return err;
	err = alloc_slots(queue);
	if (err)
		return create_error(nvme, err, "no memory for the queue's slots");
	init_slots(queue);
	return phyr_nvme_create_rings(nvme, &queue->ring);
}

static int make_queue(struct phyr_nvme *nvme, unsigned depth, unsigned qid,
		      struct phyr_nvme_queue **out)
{
	struct phyr_nvme_queue *queue = env_alloc(nvme->env, sizeof(*queue));
	int err;

	if (!queue)
		return create_error(nvme, -ENOMEM, "no memory for the queue");
	nvme->id_used[qid - 1] = true;
	queue->nvme = nvme;
	queue->depth = depth;
	err = init_queue(queue, qid);
	if (err)
		free_queue(queue);
	else
		*out = queue;
	return err;
}

static unsigned free_id(const struct phyr_nvme *nvme)
{
	for (unsigned i = 0; i < nvme->info.queues; i++)
		if (!nvme->id_used[i])
			return i + 1;
	return 0;
}

int phyr_nvme_queue_create(struct phyr_nvme *nvme, unsigned depth, struct phyr_nvme_queue **out)
{
	unsigned qid = free_id(nvme);

	nvme->call = "phyr_nvme_queue_create";
	if (!depth || depth > nvme->info.max_depth)
		return create_error(nvme, -EINVAL, "depth is 0 or more than the controller has",
				    .limit = nvme->info.max_depth);
	if (!qid)
		return create_error(nvme, -EBUSY, "all queue pairs that were granted are in use",
				    .limit = nvme->info.queues);
	return make_queue(nvme, depth, qid, out);
}

void phyr_nvme_queue_destroy(struct phyr_nvme_queue *queue)
{
	struct phyr_nvme *nvme;

	if (!queue)
		return;
	nvme = queue->nvme;
	nvme->call = "phyr_nvme_queue_destroy";
	while (queue->in_flight)
		nvme_poll_once(queue);
	if (nvme_alive(nvme))
		phyr_nvme_delete_rings(nvme, &queue->ring);
	free_queue(queue);
}

unsigned phyr_nvme_in_flight(const struct phyr_nvme_queue *queue)
{
	return queue->in_flight;
}

void phyr_nvme_queue_set_timing(struct phyr_nvme_queue *queue, bool on)
{
	queue->timing = on;
}

void phyr_nvme_queue_get_stats(const struct phyr_nvme_queue *queue, struct phyr_nvme_stats *stats)
{
	*stats = queue->stats;
}
