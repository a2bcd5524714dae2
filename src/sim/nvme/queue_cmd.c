/* SPDX-License-Identifier: MIT */
/* Creating and deleting I/O queues (Base 5.4 to 5.7). */
#include "sim/nvme/nvme.h"

/* A queue's base: contiguous (CAP.CQR), on a page of the controller. Base 5.4, 5.5. */
static unsigned check_queue_memory(const struct sim_nvme *n, const struct sim_nvme_cmd *cmd)
{
	if (!(cmd->dw[11] & NVME_CREATE_PC))
		return NVME_INVALID_FIELD;
	if (sim_nvme_cmd_u64(cmd, 6) & (((uint64_t)1 << n->page_lg2) - 1))
		return NVME_PRP_OFFSET_INVALID;
	return NVME_SUCCESS;
}

/* Also an entry size that CC was not told, or told wrong, is an invalid size (Base 5.4.1, 5.5.1). */
static bool size_is_good(const struct sim_nvme *n, const struct sim_nvme_cmd *cmd,
			 bool entry_size_is_good)
{
	uint32_t entries = NVME_CREATE_QSIZE(cmd->dw[10]) + 1;

	return entries >= 2 && entries <= n->max_entries && entry_size_is_good;
}

unsigned phyr_sim_nvme_create_cq(struct sim_nvme *n, const struct sim_nvme_cmd *cmd)
{
	uint32_t qid = NVME_QUEUE_ID(cmd->dw[10]), vector = NVME_CREATE_IV(cmd->dw[11]);
	unsigned status;

	if (!qid || qid > n->set.nr_cqs || n->cqs[qid].size)
		return NVME_INVALID_QUEUE_ID;
	if (!size_is_good(n, cmd, NVME_CC_IOCQES(n->cc) == NVME_CQE_LG2))
		return NVME_INVALID_QUEUE_SIZE;
	if (vector >= PHYR_SIM_VECTORS)
		return NVME_INVALID_VECTOR;
	status = check_queue_memory(n, cmd);
	if (status)
		return status;
	n->cqs[qid] = (struct sim_nvme_cq){.base = sim_nvme_cmd_u64(cmd, 6),
					   .size = NVME_CREATE_QSIZE(cmd->dw[10]) + 1,
					   .vector = (uint16_t)vector,
					   .interrupts = cmd->dw[11] & NVME_CREATE_IEN,
					   .phase = true};
	return NVME_SUCCESS;
}

/* Which completion queue may be named: Base 5.5, CQID. */
static unsigned check_cqid(const struct sim_nvme *n, uint32_t cqid)
{
	if (!cqid || cqid > n->set.nr_cqs)
		return NVME_INVALID_QUEUE_ID;
	return n->cqs[cqid].size ? NVME_SUCCESS : NVME_CQ_INVALID;
}

unsigned phyr_sim_nvme_create_sq(struct sim_nvme *n, const struct sim_nvme_cmd *cmd)
{
	uint32_t qid = NVME_QUEUE_ID(cmd->dw[10]), cqid = NVME_CREATE_CQID(cmd->dw[11]);
	unsigned status;

	if (!qid || qid > n->set.nr_sqs || n->sqs[qid].size)
		return NVME_INVALID_QUEUE_ID;
	status = check_cqid(n, cqid);
	if (status)
		return status;
	if (!size_is_good(n, cmd, NVME_CC_IOSQES(n->cc) == NVME_SQE_LG2))
		return NVME_INVALID_QUEUE_SIZE;
	status = check_queue_memory(n, cmd);
	if (status)
		return status;
	n->sqs[qid] = (struct sim_nvme_sq){.base = sim_nvme_cmd_u64(cmd, 6),
					   .size = NVME_CREATE_QSIZE(cmd->dw[10]) + 1,
					   .cqid = (uint16_t)cqid};
	n->cqs[cqid].nr_sqs++;
	return NVME_SUCCESS;
}

/* Commands that are held back end; those not fetched yet are dropped, and the host counts them as
 * aborted (Base 5.7). */
unsigned phyr_sim_nvme_delete_sq(struct sim_nvme *n, const struct sim_nvme_cmd *cmd)
{
	uint32_t qid = NVME_QUEUE_ID(cmd->dw[10]);

	if (!qid || qid > n->max_queues || !n->sqs[qid].size)
		return NVME_INVALID_QUEUE_ID;
	phyr_sim_nvme_end_held(n, qid);
	n->cqs[n->sqs[qid].cqid].nr_sqs--;
	n->sqs[qid] = (struct sim_nvme_sq){0};
	return NVME_SUCCESS;
}

/* Submission queues go first (Base 5.6). */
unsigned phyr_sim_nvme_delete_cq(struct sim_nvme *n, const struct sim_nvme_cmd *cmd)
{
	uint32_t qid = NVME_QUEUE_ID(cmd->dw[10]);

	if (!qid || qid > n->max_queues || !n->cqs[qid].size)
		return NVME_INVALID_QUEUE_ID;
	if (n->cqs[qid].nr_sqs)
		return NVME_INVALID_QUEUE_DELETION;
	n->cqs[qid] = (struct sim_nvme_cq){0};
	return NVME_SUCCESS;
}
