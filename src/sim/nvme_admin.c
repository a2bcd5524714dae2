/* SPDX-License-Identifier: MIT */
/* Admin commands: queues and features (Base 5). */
#include "sim/nvme.h"

#include "core/bits.h"

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

static unsigned create_cq(struct sim_nvme *n, const struct sim_nvme_cmd *cmd)
{
	uint32_t qid = NVME_CREATE_QID(cmd->dw[10]), vector = NVME_CREATE_IV(cmd->dw[11]);
	unsigned status;

	if (!qid || qid > n->nr_cqs || n->cqs[qid].size)
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
	if (!cqid || cqid > n->nr_cqs)
		return NVME_INVALID_QUEUE_ID;
	return n->cqs[cqid].size ? NVME_SUCCESS : NVME_CQ_INVALID;
}

static unsigned create_sq(struct sim_nvme *n, const struct sim_nvme_cmd *cmd)
{
	uint32_t qid = NVME_CREATE_QID(cmd->dw[10]), cqid = NVME_CREATE_CQID(cmd->dw[11]);
	unsigned status;

	if (!qid || qid > n->nr_sqs || n->sqs[qid].size)
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
static unsigned delete_sq(struct sim_nvme *n, const struct sim_nvme_cmd *cmd)
{
	uint32_t qid = cmd->dw[10] & 0xffff;

	if (!qid || qid > n->max_queues || !n->sqs[qid].size)
		return NVME_INVALID_QUEUE_ID;
	phyr_sim_nvme_end_held(n, qid);
	n->cqs[n->sqs[qid].cqid].nr_sqs--;
	n->sqs[qid] = (struct sim_nvme_sq){0};
	return NVME_SUCCESS;
}

/* Submission queues go first (Base 5.6). */
static unsigned delete_cq(struct sim_nvme *n, const struct sim_nvme_cmd *cmd)
{
	uint32_t qid = cmd->dw[10] & 0xffff;

	if (!qid || qid > n->max_queues || !n->cqs[qid].size)
		return NVME_INVALID_QUEUE_ID;
	if (n->cqs[qid].nr_sqs)
		return NVME_INVALID_QUEUE_DELETION;
	n->cqs[qid] = (struct sim_nvme_cq){0};
	return NVME_SUCCESS;
}

static bool any_io_queue(const struct sim_nvme *n)
{
	for (uint32_t qid = 1; qid <= n->max_queues; qid++) {
		if (n->sqs[qid].size || n->cqs[qid].size)
			return true;
	}
	return false;
}

static uint32_t queues_result(const struct sim_nvme *n)
{
	return (n->nr_sqs - 1) | (n->nr_cqs - 1) << 16;
}

/* Numbers are less one; ffffh is none. Only before the first I/O queue (Base 5.27.1.5). */
static unsigned set_queues(struct sim_nvme *n, uint32_t dw11, uint32_t *result)
{
	uint32_t sqs = dw11 & 0xffff, cqs = dw11 >> 16;

	if (sqs == 0xffff || cqs == 0xffff)
		return NVME_INVALID_FIELD;
	if (any_io_queue(n))
		return NVME_COMMAND_SEQUENCE_ERROR;
	n->nr_sqs = (uint32_t)min_u64(sqs + 1, n->max_queues);
	n->nr_cqs = (uint32_t)min_u64(cqs + 1, n->max_queues);
	*result = queues_result(n);
	return NVME_SUCCESS;
}

/* Without the cache each write is durable when it completes; so is what came before the change. */
static unsigned set_write_cache(struct sim_nvme *n, uint32_t dw11)
{
	bool on = dw11 & NVME_WCE;

	if (n->write_cache && !on) {
		unsigned status = phyr_sim_nvme_sync_all(n);

		if (status)
			return status;
	}
	n->write_cache = on;
	return NVME_SUCCESS;
}

static unsigned set_features(struct sim_nvme *n, const struct sim_nvme_cmd *cmd, uint32_t *result)
{
	if (cmd->dw[10] & NVME_FEATURE_SAVE)
		return NVME_FEATURE_NOT_SAVEABLE;
	switch (NVME_FEATURE_ID(cmd->dw[10])) {
	case NVME_FEATURE_WRITE_CACHE:
		return set_write_cache(n, cmd->dw[11]);
	case NVME_FEATURE_QUEUES:
		return set_queues(n, cmd->dw[11], result);
	default:
		return NVME_INVALID_FIELD;
	}
}

/* ONCS says that there is no Select: only the current value. */
static unsigned get_features(struct sim_nvme *n, const struct sim_nvme_cmd *cmd, uint32_t *result)
{
	if (NVME_FEATURE_SELECT(cmd->dw[10]))
		return NVME_INVALID_FIELD;
	switch (NVME_FEATURE_ID(cmd->dw[10])) {
	case NVME_FEATURE_WRITE_CACHE:
		*result = n->write_cache ? NVME_WCE : 0;
		return NVME_SUCCESS;
	case NVME_FEATURE_QUEUES:
		*result = queues_result(n);
		return NVME_SUCCESS;
	default:
		return NVME_INVALID_FIELD;
	}
}

unsigned phyr_sim_nvme_admin(struct sim_nvme *n, const struct sim_nvme_cmd *cmd, uint32_t *result)
{
	switch (NVME_CDW0_OPC(cmd->dw[0])) {
	case NVME_DELETE_SQ:
		return delete_sq(n, cmd);
	case NVME_CREATE_SQ:
		return create_sq(n, cmd);
	case NVME_DELETE_CQ:
		return delete_cq(n, cmd);
	case NVME_CREATE_CQ:
		return create_cq(n, cmd);
	case NVME_IDENTIFY:
		return phyr_sim_nvme_identify(n, cmd);
	case NVME_ABORT:
		return phyr_sim_nvme_abort(n, cmd, result);
	case NVME_SET_FEATURES:
		return set_features(n, cmd, result);
	case NVME_GET_FEATURES:
		return get_features(n, cmd, result);
	default:
		return NVME_INVALID_OPCODE;
	}
}
