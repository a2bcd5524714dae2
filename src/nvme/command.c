/* SPDX-License-Identifier: MIT */
/* What the driver itself has the admin queue do: queues granted, created, deleted. Base 5.4-5.7, 5.27. */
#include "nvme/ctrl.h"

#include "core/bits.h"

int phyr_nvme_set_queues(struct phyr_nvme *nvme, const struct nvme_ask *ask, unsigned wanted,
			 unsigned *granted)
{
	struct phyr_nvme_sqe sqe = {.opc = PHYR_NVME_ADMIN_SET_FEATURES,
				    .cdw10 = PHYR_NVME_FEAT_NUM_QUEUES,
				    .cdw11 = PHYR_NVME_NUM_QUEUES(wanted - 1)};
	uint32_t dw0 = 0, pairs;
	int err;

	err = phyr_nvme_admin(nvme, ask, &sqe, &dw0, "the controller refused to grant queues");
	if (err)
		return err;
	pairs = (uint32_t)min_u64(PHYR_NVME_NSQA(dw0), PHYR_NVME_NCQA(dw0)) + 1;
	*granted = pairs < wanted ? pairs : wanted;
	return 0;
}

static int create_cq(struct phyr_nvme *nvme, const struct nvme_ask *ask,
		     const struct phyr_nvme_queue *queue)
{
	const struct nvme_ring *ring = &queue->ring;
	struct phyr_nvme_sqe sqe = {.opc = PHYR_NVME_ADMIN_CREATE_CQ,
				    .prp1 = ring->cq_dma,
				    .cdw10 = PHYR_NVME_CDW10_QUEUE(ring->qid, ring->entries - 1),
				    .cdw11 = PHYR_NVME_CDW11_PC};

	if (queue->fd >= 0)
		sqe.cdw11 |= PHYR_NVME_CDW11_IEN | PHYR_NVME_CDW11_IV(ring->qid);
	return phyr_nvme_admin(nvme, ask, &sqe, NULL, "the controller refused to create a queue");
}

static int create_sq(struct phyr_nvme *nvme, const struct nvme_ask *ask,
		     const struct phyr_nvme_queue *queue)
{
	const struct nvme_ring *ring = &queue->ring;
	struct phyr_nvme_sqe sqe = {.opc = PHYR_NVME_ADMIN_CREATE_SQ,
				    .prp1 = ring->sq_dma,
				    .cdw10 = PHYR_NVME_CDW10_QUEUE(ring->qid, ring->entries - 1),
				    .cdw11 = PHYR_NVME_CDW11_PC | PHYR_NVME_CDW11_CQID(ring->qid)};

	return phyr_nvme_admin(nvme, ask, &sqe, NULL, "the controller refused to create a queue");
}

/* A queue that cannot be deleted is one whose memory the device may still use: no way but a reset. */
static int delete_queue(struct phyr_nvme *nvme, const struct nvme_ask *ask, uint8_t opc,
			unsigned qid)
{
	struct phyr_nvme_sqe sqe = {.opc = opc, .cdw10 = PHYR_NVME_CDW10_QUEUE(qid, 0)};
	int err =
		phyr_nvme_admin(nvme, ask, &sqe, NULL, "the controller refused to delete a queue");

	if (err == -EIO)
		phyr_nvme_restart(
			nvme, ask->run,
			&(const struct phyr_report){.err = err,
						    .call = ask->call,
						    .hint = "a queue that cannot be deleted: "
							    "the controller is reset"});
	return err;
}

int phyr_nvme_create_rings(struct phyr_nvme *nvme, const struct nvme_ask *ask,
			   const struct phyr_nvme_queue *queue)
{
	int err;

	err = create_cq(nvme, ask, queue);
	if (err)
		return err;
	err = create_sq(nvme, ask, queue);
	if (err == -EIO)
		delete_queue(nvme, ask, PHYR_NVME_ADMIN_DELETE_CQ, queue->ring.qid);
	return err;
}

int phyr_nvme_delete_rings(struct phyr_nvme *nvme, const struct nvme_ask *ask,
			   const struct phyr_nvme_queue *queue)
{
	unsigned qid = queue->ring.qid;
	int err = delete_queue(nvme, ask, PHYR_NVME_ADMIN_DELETE_SQ, qid);

	return err ? err : delete_queue(nvme, ask, PHYR_NVME_ADMIN_DELETE_CQ, qid);
}
