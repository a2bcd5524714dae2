/* SPDX-License-Identifier: MIT */
/* Admin commands: one at a time, each waited for. */
#include "nvme/ctrl.h"

static int admin_fail(struct phyr_nvme *nvme, int err, const char *hint)
{
	return phyr_nvme_fail(
		nvme, &(const struct phyr_report){.err = err, .call = nvme->call, .hint = hint});
}

static int admin_wait(struct phyr_nvme *nvme, uint16_t cid, struct nvme_done *done)
{
	uint64_t start = env_now_ns(nvme->env);

	while (!phyr_nvme_ring_pop(&nvme->admin, done)) {
		const char *trouble = phyr_nvme_csts_trouble(nvme);

		if (!nvme_alive(nvme))
			return -EIO;
		if (trouble)
			return admin_fail(nvme, -EIO, trouble);
		if (env_now_ns(nvme->env) - start >= nvme->opts.timeout_ns)
			return admin_fail(nvme, -ETIMEDOUT, "an admin command did not end in time");
		phyr_nvme_pause(nvme);
	}
	phyr_nvme_ring_tell(nvme, &nvme->admin);
	if (done->cid == cid && !done->sqid)
		return 0;
	return admin_fail(nvme, -EIO, "a completion on the admin queue that no command asked for");
}

int phyr_nvme_admin(struct phyr_nvme *nvme, struct phyr_nvme_sqe *sqe, uint32_t *result,
		    const char *hint)
{
	struct nvme_done done;
	int err;

	if (!nvme_alive(nvme))
		return env_fail(nvme->env, .err = -EIO, .call = nvme->call,
				.hint = "the controller failed earlier and is disabled");
	sqe->cid = nvme->admin_cid++ & 0x7fff;
	phyr_nvme_ring_push(nvme, &nvme->admin, sqe);
	err = admin_wait(nvme, sqe->cid, &done);
	if (err)
		return err;
	if (done.status)
		return env_fail(nvme->env, .err = -EIO, .call = nvme->call, .hint = hint);
	if (result)
		*result = done.result;
	return 0;
}

int phyr_nvme_set_queues(struct phyr_nvme *nvme, unsigned wanted, unsigned *granted)
{
	struct phyr_nvme_sqe sqe = {.opc = PHYR_NVME_ADMIN_SET_FEATURES,
				    .cdw10 = PHYR_NVME_FEAT_NUM_QUEUES,
				    .cdw11 = PHYR_NVME_NUM_QUEUES(wanted - 1)};
	uint32_t dw0 = 0;
	int err;

	err = phyr_nvme_admin(nvme, &sqe, &dw0, "the controller refused to grant queues");
	if (err)
		return err;
	*granted = (PHYR_NVME_NSQA(dw0) < PHYR_NVME_NCQA(dw0) ? PHYR_NVME_NSQA(dw0)
							      : PHYR_NVME_NCQA(dw0)) +
		   1;
	return 0;
}

static int delete_queue(struct phyr_nvme *nvme, uint8_t opc, unsigned qid)
{
	struct phyr_nvme_sqe sqe = {.opc = opc, .cdw10 = PHYR_NVME_CDW10_QUEUE(qid, 0)};

	return phyr_nvme_admin(nvme, &sqe, NULL, "the controller refused to delete a queue");
}

static int create_queue(struct phyr_nvme *nvme, uint8_t opc, const struct nvme_ring *ring,
			phyr_dma_addr_t base, uint32_t cdw11)
{
	struct phyr_nvme_sqe sqe = {.opc = opc,
				    .prp1 = base,
				    .cdw10 = PHYR_NVME_CDW10_QUEUE(ring->qid, ring->entries - 1),
				    .cdw11 = PHYR_NVME_CDW11_PC | cdw11};

	return phyr_nvme_admin(nvme, &sqe, NULL, "the controller refused to create a queue");
}

/* A queue that cannot be deleted is one whose memory the device may still use: no way but a reset. */
static int delete_or_fail(struct phyr_nvme *nvme, uint8_t opc, unsigned qid)
{
	int err = delete_queue(nvme, opc, qid);

	if (err)
		admin_fail(nvme, -EIO, "a queue that cannot be deleted: the controller is reset");
	return err;
}

int phyr_nvme_create_rings(struct phyr_nvme *nvme, const struct nvme_ring *ring)
{
	int err;

	err = create_queue(nvme, PHYR_NVME_ADMIN_CREATE_CQ, ring, ring->cq_dma, 0);
	if (err)
		return err;
	err = create_queue(nvme, PHYR_NVME_ADMIN_CREATE_SQ, ring, ring->sq_dma,
			   PHYR_NVME_CDW11_CQID(ring->qid));
	if (err && nvme_alive(nvme))
		delete_or_fail(nvme, PHYR_NVME_ADMIN_DELETE_CQ, ring->qid);
	return err;
}

int phyr_nvme_delete_rings(struct phyr_nvme *nvme, const struct nvme_ring *ring)
{
	int err = delete_or_fail(nvme, PHYR_NVME_ADMIN_DELETE_SQ, ring->qid);

	return err ? err : delete_or_fail(nvme, PHYR_NVME_ADMIN_DELETE_CQ, ring->qid);
}
