/* SPDX-License-Identifier: MIT */
/*
 * The driver inside: a controller, its rings, its queues.
 *
 *   controller --- admin ring, one command at a time, each waited for
 *        |
 *        +-- queue --- ring + a slot a command: slot number = command id
 *        +-- queue       each used by one thread
 *
 * A controller is alive, failing or dead, and never goes back. Whoever finds it broken moves it from
 * alive to failing, disables it, and only then says dead, with the errno that its commands end with:
 * so a command that is told of its end is one that the device can't touch memory for any more.
 */
#ifndef NVME_CTRL_H
#define NVME_CTRL_H

#include <phyr/nvme.h>
#include <phyr/nvme_spec.h>

#include "core/env.h"
#include "core/order.h"

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
struct nvme_done {
	uint32_t result; /* DW0 */
	uint16_t cid;
	uint16_t sqid;
	uint16_t status;
};

enum { NVME_ALIVE = 0, NVME_FAILING = 1 }; /* or a negative errno: dead */

struct phyr_nvme {
	struct phyr_dev *dev;
	struct phyr_env *env;
	struct phyr_regs *regs;
	struct phyr_nvme_opts opts; /* with the defaults filled in */
	struct phyr_nvme_info info;
	uint64_t cap;
	uint64_t ready_ns;   /* what CAP.TO allows */
	unsigned stride_lg2; /* from one doorbell to the next */
	unsigned page_lg2;
	unsigned block_lg2;
	int state;
	const char *call; /* public call under way on the admin ring, for reports */
	struct nvme_ring admin;
	uint16_t admin_cid;
	struct phyr_dma_pool *prp_pool;
	bool *id_used; /* queue id - 1 */
};

/* ring.c */
int phyr_nvme_ring_init(struct phyr_nvme *nvme, struct nvme_ring *ring, unsigned qid,
			uint32_t entries);
void phyr_nvme_ring_fini(struct phyr_nvme *nvme, struct nvme_ring *ring);
void phyr_nvme_ring_push(struct phyr_nvme *nvme, struct nvme_ring *ring,
			 const struct phyr_nvme_sqe *sqe);
bool phyr_nvme_ring_pop(struct nvme_ring *ring, struct nvme_done *done);
void phyr_nvme_ring_tell(struct phyr_nvme *nvme, struct nvme_ring *ring);

/* ctrl.c */

/* The errno of a dead controller; 0 while it is alive or failing. */
static inline int nvme_dead(const struct phyr_nvme *nvme)
{
	/* Pairs with the release in phyr_nvme_fail(): the device is quiet once this is seen. */
	int state = load_acquire(&nvme->state);

	return state < 0 ? state : 0;
}

static inline bool nvme_alive(const struct phyr_nvme *nvme)
{
	return load_relaxed(&nvme->state) == NVME_ALIVE;
}

/* Disable the controller, then call it dead with why->err; report why. Returns why->err. */
int phyr_nvme_fail(struct phyr_nvme *nvme, const struct phyr_report *why);
/* Why CSTS says that the controller is gone; NULL: it does not. */
const char *phyr_nvme_csts_trouble(struct phyr_nvme *nvme);
/* Let the device, or another thread, get on while there is nothing to do. */
void phyr_nvme_pause(struct phyr_nvme *nvme);

/* admin.c: all return -EIO when the controller fails the command or is dead, or -ETIMEDOUT. */
int phyr_nvme_admin(struct phyr_nvme *nvme, struct phyr_nvme_sqe *sqe, uint32_t *result,
		    const char *hint);
int phyr_nvme_set_queues(struct phyr_nvme *nvme, unsigned wanted, unsigned *granted);
int phyr_nvme_create_rings(struct phyr_nvme *nvme, const struct nvme_ring *ring);
int phyr_nvme_delete_rings(struct phyr_nvme *nvme, const struct nvme_ring *ring);

/* identify.c: fills in info and block_lg2. */
int phyr_nvme_identify(struct phyr_nvme *nvme);

/* status.c: what a status means, in a line. */
const char *phyr_nvme_status_hint(uint16_t status);

#endif
