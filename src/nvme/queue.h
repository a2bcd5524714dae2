/* SPDX-License-Identifier: MIT */
/*
 * A queue: a ring, and a slot for each command that can be in flight.
 *
 * A command's id is its slot's number in the low bits and a count of the slot's commands above, so that
 * a completion that comes twice is not taken for that of the slot's next command. Free slots are a
 * stack. Those in flight are a chain from the oldest to the newest, so that the first whose time is up
 * is found without a search. Commands that ended some other way than by a completion just taken, such
 * as by a reset, lie in a second chain until their functions are called.
 */
#ifndef NVME_QUEUE_H
#define NVME_QUEUE_H

#include <phyr/nvme.h>
#include <phyr/nvme_spec.h>

#include "core/order.h"

/* Leaves 4 bits of a command id for the count: each slot has 15 ids at least. */
#define NVME_DEPTH_MAX 4096

#define NVME_NO_SLOT UINT16_MAX
#define NVME_NO_RUN  UINT32_MAX
#define NVME_LOOK_NS UINT64_C(10000000) /* between looks at CSTS while nothing ends */

/* A submission ring and a completion ring of as many entries, under one id. */
struct nvme_ring {
	struct phyr_nvme_sqe *sq;
	struct phyr_nvme_cqe *cq;
	phyr_dma_addr_t sq_dma;
	phyr_dma_addr_t cq_dma;
	uint64_t sq_bytes; /* allocated */
	uint64_t cq_bytes;
	uint32_t entries;
	uint32_t sq_tail;
	uint32_t cq_head;
	uint32_t cq_told; /* head that the device knows */
	unsigned phase;   /* of entries that are new */
	uint16_t qid;
};

/* A completion, as taken from a ring. */
struct nvme_completion {
	uint64_t result; /* DW0, DW1 */
	uint16_t cid;
	uint16_t sqid;
	uint16_t status;
};

enum nvme_slot_state {
	NVME_FREE,
	NVME_FLYING,
	NVME_ENDED, /* its function is still to be called */
};

struct nvme_slot {
	phyr_nvme_fn *fn;
	void *arg;
	const char *call;
	uint64_t start_ns;
	uint64_t offset; /* on the namespace, bytes: for reports */
	uint64_t len;
	struct phyr_prp prp;        /* keeps its list pages from command to command */
	struct phyr_nvme_done done; /* in state ENDED */
	uint16_t older;             /* neighbours in a chain; free: newer is the next free one */
	uint16_t newer;
	uint16_t cid; /* of its command, or its last one */
	uint8_t state;
	bool timeless; /* an asynchronous event request: it ends when there is an event */
	bool own; /* the driver's, on the admin queue: its function only sets what it is given */
	bool aborted; /* it was late once, and the controller was asked to end it */
	bool late;    /* and once more: the controller is reset for it */
};

struct nvme_chain {
	uint16_t oldest;
	uint16_t newest;
};

struct phyr_nvme_queue {
	struct phyr_nvme *nvme;
	uint32_t run; /* in which the ring was made; NVME_NO_RUN: the device does not know it */
	int fd;       /* eventfd of its vector; -1: no interrupts */
	struct nvme_ring ring;
	struct nvme_slot *slots;
	struct phyr_prp_page *pages; /* of all slots */
	unsigned depth;
	unsigned pages_per_slot;
	/* Commands of callers. Written by its own thread (admin: under the lock), read by any. */
	unsigned in_flight;
	uint16_t id_mask; /* of a command id: the slot's number */
	uint16_t free;
	struct nvme_chain flying;
	struct nvme_chain ended;
	unsigned busy_polls;   /* in a row that found something */
	uint64_t next_look_ns; /* when CSTS is read again */
	bool timing;
	struct phyr_nvme_stats stats;
};

static inline uint16_t nvme_slot_id(const struct phyr_nvme_queue *queue,
				    const struct nvme_slot *slot)
{
	return (uint16_t)(slot - queue->slots);
}

/* The next id of a slot: Base 3.3.3.1 has FFFFh for none. */
static inline uint16_t nvme_next_cid(const struct phyr_nvme_queue *queue,
				     const struct nvme_slot *slot)
{
	uint16_t step = (uint16_t)(queue->id_mask + 1), cid = (uint16_t)(slot->cid + step);

	return cid == UINT16_MAX ? (uint16_t)(cid + step) : cid;
}

static inline void nvme_chain_add(struct phyr_nvme_queue *queue, struct nvme_chain *chain,
				  struct nvme_slot *slot)
{
	uint16_t id = nvme_slot_id(queue, slot);

	slot->older = chain->newest;
	slot->newer = NVME_NO_SLOT;
	if (chain->newest == NVME_NO_SLOT)
		chain->oldest = id;
	else
		queue->slots[chain->newest].newer = id;
	chain->newest = id;
}

static inline void nvme_chain_remove(struct phyr_nvme_queue *queue, struct nvme_chain *chain,
				     struct nvme_slot *slot)
{
	if (slot->older == NVME_NO_SLOT)
		chain->oldest = slot->newer;
	else
		queue->slots[slot->older].newer = slot->newer;
	if (slot->newer == NVME_NO_SLOT)
		chain->newest = slot->older;
	else
		queue->slots[slot->newer].older = slot->older;
}

/* The slot that the next command gets; NULL: all are taken. */
static inline struct nvme_slot *nvme_next_slot(const struct phyr_nvme_queue *queue)
{
	return queue->free == NVME_NO_SLOT ? NULL : &queue->slots[queue->free];
}

static inline void nvme_take_slot(struct phyr_nvme_queue *queue, struct nvme_slot *slot)
{
	queue->free = slot->newer;
	nvme_chain_add(queue, &queue->flying, slot);
	slot->state = NVME_FLYING;
}

static inline void nvme_give_slot_back(struct phyr_nvme_queue *queue, struct nvme_chain *chain,
				       struct nvme_slot *slot)
{
	nvme_chain_remove(queue, chain, slot);
	slot->newer = queue->free;
	queue->free = nvme_slot_id(queue, slot);
	slot->state = NVME_FREE;
}

/* Of a caller's command. */
static inline void nvme_free_slot(struct phyr_nvme_queue *queue, struct nvme_chain *chain,
				  struct nvme_slot *slot)
{
	nvme_give_slot_back(queue, chain, slot);
	count_add(&queue->in_flight, -1u);
	queue->stats.completed++;
}

/* Whether it is time to look for trouble again: not at each poll that finds nothing. */
static inline bool nvme_time_to_look(struct phyr_nvme_queue *queue, uint64_t now)
{
	if (now < queue->next_look_ns)
		return false;
	queue->next_look_ns = now + NVME_LOOK_NS;
	return true;
}

/* slots.c */

/* Slots for depth commands, each with room for a transfer's PRP lists. 0 or -ENOMEM. */
int phyr_nvme_slots_init(struct phyr_nvme_queue *queue, unsigned depth, uint64_t max_transfer);
void phyr_nvme_slots_fini(struct phyr_nvme_queue *queue);
/* End what is in flight without a completion, with @err unless it was late: the device is quiet.
 * The driver's own functions are called, others wait in the chain of what ended. */
void phyr_nvme_slots_lose(struct phyr_nvme_queue *queue, int err);
/* Call the functions of what waits so. @return how many */
unsigned phyr_nvme_slots_tell(struct phyr_nvme_queue *queue);
/* A command of the driver's own has ended: free its slot, call its function. */
void phyr_nvme_slot_end_own(struct phyr_nvme_queue *queue, struct nvme_slot *slot,
			    const struct phyr_nvme_done *done);
/* Put a command that ended where it waits for its function to be called. */
void phyr_nvme_slot_keep(struct phyr_nvme_queue *queue, struct nvme_slot *slot,
			 const struct phyr_nvme_done *done);
/* Take the oldest of those out, free its slot. @return false: there is none */
bool phyr_nvme_slot_unkeep(struct phyr_nvme_queue *queue, struct nvme_slot *copy);
/* The oldest command in flight that has a time limit; NULL: none. */
struct nvme_slot *phyr_nvme_slots_oldest(struct phyr_nvme_queue *queue);

/* vector.c: the eventfds. */

/* Connect the queue's vector to an eventfd, where interrupts are wanted. 0 or -errno, reported. */
int phyr_nvme_vector_init(struct phyr_nvme_queue *queue, const char *call);
void phyr_nvme_vector_fini(struct phyr_nvme_queue *queue);
/* Make the eventfd readable, or not. */
void phyr_nvme_vector_set(const struct phyr_nvme_queue *queue);
void phyr_nvme_vector_clear(const struct phyr_nvme_queue *queue);
/* Let others run, or sleep until an interrupt, when a poll found nothing. */
void phyr_nvme_rest(struct phyr_nvme_queue *queue);

static inline void nvme_poll_once(struct phyr_nvme_queue *queue)
{
	if (!phyr_nvme_poll(queue))
		phyr_nvme_rest(queue);
}

#endif
