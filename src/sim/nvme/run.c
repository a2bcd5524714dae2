/* SPDX-License-Identifier: MIT */
/* One command from its queue to its end, as it should be or as the plan of faults has it. */
#include "sim/nvme/nvme.h"

#define DEFAULT_STEPS 16

/* What a command asks for stays wrong; what a fault or the media did may go well next time. */
static unsigned with_dnr(unsigned status)
{
	switch (status) {
	case NVME_SUCCESS:
	case NVME_DATA_TRANSFER_ERROR:
	case NVME_INTERNAL_ERROR:
	case NVME_ABORT_LIMIT_EXCEEDED:
	case NVME_EVENT_LIMIT_EXCEEDED:
	case NVME_WRITE_FAULT:
	case NVME_UNRECOVERED_READ:
		return status;
	default:
		return status | NVME_DNR;
	}
}

/* Fused operations and SGLs are not supported (Base 3.3.3.1; Identify: FUSES, SGLS). */
static unsigned execute(struct sim_nvme *n, uint32_t sqid, const struct sim_nvme_cmd *cmd,
			uint32_t *result)
{
	if (NVME_CDW0_FUSE(cmd->dw[0]) || NVME_CDW0_PSDT(cmd->dw[0]))
		return NVME_INVALID_FIELD;
	return sqid ? phyr_sim_nvme_io(n, cmd) : phyr_sim_nvme_admin(n, cmd, result);
}

/* Carry it out, and complete it at once or later. */
static void carry_out(struct sim_nvme *n, const struct sim_nvme_cmd *cmd,
		      struct sim_nvme_held *done, const struct phyr_sim_nvme_fault *fault)
{
	unsigned status = execute(n, done->sqid, cmd, &done->result);

	if (status == NVME_PENDING) {
		done->event_request = true;
		done->due = PHYR_SIM_NVME_NEVER;
		phyr_sim_nvme_hold(n, done);
		return;
	}
	done->status = (uint16_t)with_dnr(status);
	if (!fault) {
		phyr_sim_nvme_post(n, done);
		return;
	}
	done->reordered = fault->kind == PHYR_SIM_NVME_REORDER;
	done->due = n->now + (fault->steps ? fault->steps : DEFAULT_STEPS);
	if (done->due < n->now)
		done->due = PHYR_SIM_NVME_NEVER;
	phyr_sim_nvme_hold(n, done);
}

void phyr_sim_nvme_pull(struct sim_nvme *n)
{
	n->gone = true;
	n->enabled = false;
	n->nr_held = 0;
	memset(n->coalesced, 0, sizeof(n->coalesced));
}

static void meet_fault(struct sim_nvme *n, const struct sim_nvme_cmd *cmd,
		       struct sim_nvme_held *done, const struct phyr_sim_nvme_fault *fault)
{
	switch (fault->kind) {
	case PHYR_SIM_NVME_STATUS:
		done->status = fault->status;
		phyr_sim_nvme_post(n, done);
		break;
	case PHYR_SIM_NVME_FATAL:
		n->fatal = true;
		break;
	case PHYR_SIM_NVME_GONE:
		phyr_sim_nvme_pull(n);
		break;
	case PHYR_SIM_NVME_DELAY:
	case PHYR_SIM_NVME_REORDER:
		carry_out(n, cmd, done, fault);
		break;
	default:
		break; /* dropped */
	}
}

static bool has_lba(uint32_t sqid, unsigned opcode)
{
	return sqid && opcode != NVME_FLUSH && opcode != NVME_DATASET_MANAGEMENT;
}

static void run_command(struct sim_nvme *n, uint32_t sqid)
{
	struct phyr_sim_nvme_fault fault;
	struct sim_nvme_held done = {.sqid = (uint16_t)sqid};
	struct sim_nvme_cmd cmd;

	if (!phyr_sim_nvme_fetch(n, sqid, &cmd)) {
		n->fatal = true;
		return;
	}
	done.opcode = NVME_CDW0_OPC(cmd.dw[0]);
	done.cid = (uint16_t)NVME_CDW0_CID(cmd.dw[0]);
	done.nsid = sim_nvme_cmd_nsid(&cmd);
	done.lba = has_lba(sqid, done.opcode) ? sim_nvme_cmd_u64(&cmd, 10) : 0;
	if (phyr_sim_nvme_plan_hit(n, sqid, done.opcode, &fault))
		meet_fault(n, &cmd, &done, &fault);
	else
		carry_out(n, &cmd, &done, NULL);
}

static bool has_work(const struct sim_nvme *n)
{
	return n->enabled && !n->fatal &&
	       (phyr_sim_nvme_find_sq(n) <= n->max_queues || phyr_sim_nvme_held_goes_on(n) ||
		phyr_sim_nvme_has_event(n));
}

/* @return whether there was something to do */
static bool run(struct sim_nvme *n)
{
	uint32_t sqid;

	if (phyr_sim_nvme_finish_due(n) || phyr_sim_nvme_tell_event(n))
		return true;
	sqid = phyr_sim_nvme_find_sq(n);
	if (sqid > n->max_queues)
		return false;
	run_command(n, sqid);
	return true;
}

bool phyr_sim_nvme_run_one(struct sim_nvme *n)
{
	bool did = run(n), more = did ? has_work(n) : phyr_sim_nvme_held_goes_on(n);

	if (!did || !more)
		phyr_sim_nvme_raise_coalesced(n);
	return more;
}
