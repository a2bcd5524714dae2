/* SPDX-License-Identifier: MIT */
/*
 * An I/O queue: a ring, and a slot for each command that can be in flight.
 *
 * A slot's number is its command's id. Free slots are a stack; those in flight are a chain from the
 * oldest to the newest, so that the first whose time is up is found without a search.
 */
#ifndef NVME_QUEUE_H
#define NVME_QUEUE_H

#include <sched.h>

#include "nvme/ctrl.h"

#define NVME_NO_SLOT UINT16_MAX

struct nvme_slot {
	phyr_nvme_fn *fn;
	void *arg;
	uint64_t start_ns;
	uint64_t offset; /* on the namespace, bytes: for reports */
	uint64_t len;
	struct phyr_prp prp; /* keeps its list pages from command to command */
	uint16_t older; /* in flight: neighbours in the chain; free: newer is the next free one */
	uint16_t newer;
	uint8_t opc;
	bool flying;
};

struct phyr_nvme_queue {
	struct phyr_nvme *nvme;
	struct nvme_ring ring;
	struct nvme_slot *slots;
	struct phyr_prp_page *pages; /* of all slots */
	unsigned depth;
	unsigned pages_per_slot;
	unsigned in_flight;
	uint16_t free;
	uint16_t oldest;
	uint16_t newest;
	unsigned busy_polls;   /* in a row that found something */
	uint64_t next_look_ns; /* when CSTS is read again */
	bool timing;
	struct phyr_nvme_stats stats;
};

/* Check a transfer's length and place on the namespace. 0, -EINVAL or -ERANGE, reported for @call. */
int phyr_nvme_check_range(const struct phyr_nvme *nvme, const char *call, uint64_t lba,
			  uint64_t len);

/* Poll, and let others run when nothing has ended. */
static inline void nvme_poll_once(struct phyr_nvme_queue *queue)
{
	if (!phyr_nvme_poll(queue) && !queue->nvme->opts.wait)
		sched_yield();
}

#endif
