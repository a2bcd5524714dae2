/* SPDX-License-Identifier: MIT */
/* A queue's slots: made, ended, told. */
#include "nvme/ctrl.h"

#include "core/bits.h"

static size_t slots_bytes(const struct phyr_nvme_queue *queue)
{
	return queue->depth * sizeof(struct nvme_slot);
}

static size_t pages_bytes(const struct phyr_nvme_queue *queue)
{
	return (size_t)queue->depth * queue->pages_per_slot * sizeof(struct phyr_prp_page);
}

static void link_slots(struct phyr_nvme_queue *queue)
{
	const struct phyr_nvme *nvme = queue->nvme;
	unsigned per = queue->pages_per_slot;

	queue->free = NVME_NO_SLOT;
	queue->flying = queue->ended = (struct nvme_chain){NVME_NO_SLOT, NVME_NO_SLOT};
	for (unsigned i = queue->depth; i-- > 0;) {
		struct nvme_slot *slot = &queue->slots[i];

		phyr_prp_init(&slot->prp, nvme->page_lg2, nvme->prp_pool,
			      queue->pages + (size_t)i * per, per);
		slot->cid = (uint16_t)i;
		slot->newer = queue->free;
		queue->free = (uint16_t)i;
	}
}

/* A page at least: deallocate keeps its ranges there. */
int phyr_nvme_slots_init(struct phyr_nvme_queue *queue, unsigned depth, uint64_t max_transfer)
{
	struct phyr_nvme *nvme = queue->nvme;

	queue->depth = depth;
	queue->id_mask = (uint16_t)(pow2_at_least(depth) - 1);
	queue->pages_per_slot =
		(unsigned)max_u64(phyr_prp_pages_needed(nvme->page_lg2, max_transfer), 1);
	queue->slots = env_alloc(nvme->env, slots_bytes(queue));
	queue->pages = env_alloc(nvme->env, pages_bytes(queue));
	if (!queue->slots || !queue->pages) {
		env_free(nvme->env, queue->pages, pages_bytes(queue));
		env_free(nvme->env, queue->slots, slots_bytes(queue));
		queue->slots = NULL;
		return -ENOMEM;
	}
	link_slots(queue);
	return 0;
}

void phyr_nvme_slots_fini(struct phyr_nvme_queue *queue)
{
	struct phyr_env *env = queue->nvme->env;

	if (!queue->slots)
		return;
	for (unsigned i = 0; i < queue->depth; i++)
		phyr_prp_fini(&queue->slots[i].prp);
	env_free(env, queue->pages, pages_bytes(queue));
	env_free(env, queue->slots, slots_bytes(queue));
	queue->slots = NULL;
}

void phyr_nvme_slot_keep(struct phyr_nvme_queue *queue, struct nvme_slot *slot,
			 const struct phyr_nvme_done *done)
{
	nvme_chain_remove(queue, &queue->flying, slot);
	nvme_chain_add(queue, &queue->ended, slot);
	slot->state = NVME_ENDED;
	slot->done = *done;
}

bool phyr_nvme_slot_unkeep(struct phyr_nvme_queue *queue, struct nvme_slot *copy)
{
	struct nvme_slot *slot;

	if (queue->ended.oldest == NVME_NO_SLOT)
		return false;
	slot = &queue->slots[queue->ended.oldest];
	nvme_free_slot(queue, &queue->ended, slot);
	*copy = *slot;
	return true;
}

void phyr_nvme_slot_end_own(struct phyr_nvme_queue *queue, struct nvme_slot *slot,
			    const struct phyr_nvme_done *done)
{
	nvme_give_slot_back(queue, &queue->flying, slot);
	queue->nvme->own_out--;
	slot->fn(slot->arg, done);
}

static void lose(struct phyr_nvme_queue *queue, struct nvme_slot *slot, int err)
{
	struct phyr_nvme_done done = {.err = slot->late ? -ETIMEDOUT : err};

	if (slot->own)
		phyr_nvme_slot_end_own(queue, slot, &done);
	else
		phyr_nvme_slot_keep(queue, slot, &done);
}

void phyr_nvme_slots_lose(struct phyr_nvme_queue *queue, int err)
{
	while (queue->flying.oldest != NVME_NO_SLOT)
		lose(queue, &queue->slots[queue->flying.oldest], err);
}

unsigned phyr_nvme_slots_tell(struct phyr_nvme_queue *queue)
{
	struct nvme_slot slot;
	unsigned told = 0;

	for (; phyr_nvme_slot_unkeep(queue, &slot); told++)
		slot.fn(slot.arg, &slot.done);
	return told;
}

struct nvme_slot *phyr_nvme_slots_oldest(struct phyr_nvme_queue *queue)
{
	uint16_t id = queue->flying.oldest;

	while (id != NVME_NO_SLOT && queue->slots[id].timeless)
		id = queue->slots[id].newer;
	return id == NVME_NO_SLOT ? NULL : &queue->slots[id];
}
