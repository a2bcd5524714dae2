/* SPDX-License-Identifier: MIT */
/* Read, Write, Compare and Flush (NVM 3.2, Base 7.1), and which command is whose. */
#include "sim/nvme/nvme.h"

/* MDTS counts in the smallest page (Base 5.17.2.1); NLB alone can't pass 2^32 bytes. */
bool phyr_sim_nvme_exceeds_mdts(const struct sim_nvme *n, uint64_t bytes)
{
	return bytes > (uint64_t)1 << (n->mps_min_lg2 + n->mdts);
}

unsigned phyr_sim_nvme_check_lbas(const struct sim_nvme_ns *ns, uint64_t slba, uint64_t nr)
{
	uint64_t blocks = sim_nvme_blocks(ns);

	return nr > blocks || slba > blocks - nr ? NVME_LBA_OUT_OF_RANGE : NVME_SUCCESS;
}

/* The blocks that a command with data names. */
static unsigned check_range(const struct sim_nvme *n, const struct sim_nvme_ns *ns,
			    const struct sim_nvme_cmd *cmd)
{
	uint64_t nr = NVME_RW_NLB(cmd->dw[12]);

	if (phyr_sim_nvme_exceeds_mdts(n, nr << ns->block_lg2))
		return NVME_INVALID_FIELD;
	return phyr_sim_nvme_check_lbas(ns, sim_nvme_cmd_u64(cmd, 10), nr);
}

static unsigned move(struct sim_nvme *n, const struct sim_nvme_ns *ns,
		     const struct sim_nvme_cmd *cmd, enum sim_nvme_way way)
{
	uint64_t len = (uint64_t)NVME_RW_NLB(cmd->dw[12]) << ns->block_lg2;
	unsigned status = phyr_sim_nvme_move(n, cmd, ns->fd,
					     sim_nvme_cmd_u64(cmd, 10) << ns->block_lg2, len, way);

	if (!status)
		phyr_sim_nvme_count_io(n, NVME_CDW0_OPC(cmd->dw[0]), len);
	return status;
}

/* Read and Compare. Force Unit Access: what is durable is what counts. */
static unsigned read_blocks(struct sim_nvme *n, const struct sim_nvme_ns *ns,
			    const struct sim_nvme_cmd *cmd, enum sim_nvme_way way)
{
	unsigned status = check_range(n, ns, cmd);

	if (!status && cmd->dw[12] & NVME_RW_FUA)
		status = phyr_sim_nvme_sync_ns(ns);
	return status ? status : move(n, ns, cmd, way);
}

/* No directive is supported (Base 8.7). Durable before it completes: with FUA, or without a cache. */
static unsigned write_blocks(struct sim_nvme *n, const struct sim_nvme_ns *ns,
			     const struct sim_nvme_cmd *cmd)
{
	unsigned status;

	if (NVME_RW_DTYPE(cmd->dw[12]))
		return NVME_INVALID_FIELD;
	status = check_range(n, ns, cmd);
	if (status)
		return status;
	if (ns->read_only)
		return NVME_WRITE_PROTECTED;
	status = move(n, ns, cmd, SIM_NVME_WRITE);
	if (!status && (cmd->dw[12] & NVME_RW_FUA || !n->set.write_cache))
		status = phyr_sim_nvme_sync_ns(ns);
	return status;
}

/* May name all namespaces (Identify: VWC). */
static unsigned flush(const struct sim_nvme *n, uint32_t nsid)
{
	struct sim_nvme_ns *ns;
	unsigned status;

	if (nsid == NVME_NSID_ALL)
		return phyr_sim_nvme_sync_all(n);
	status = phyr_sim_nvme_find_ns(n, nsid, &ns);
	return status ? status : phyr_sim_nvme_sync_ns(ns);
}

static bool is_known(unsigned opcode)
{
	switch (opcode) {
	case NVME_FLUSH:
	case NVME_WRITE:
	case NVME_READ:
	case NVME_COMPARE:
	case NVME_WRITE_ZEROES:
	case NVME_DATASET_MANAGEMENT:
		return true;
	default:
		return false;
	}
}

unsigned phyr_sim_nvme_io(struct sim_nvme *n, const struct sim_nvme_cmd *cmd)
{
	unsigned opcode = NVME_CDW0_OPC(cmd->dw[0]), status;
	uint32_t nsid = sim_nvme_cmd_nsid(cmd);
	struct sim_nvme_ns *ns;

	if (!is_known(opcode))
		return NVME_INVALID_OPCODE;
	if (opcode == NVME_FLUSH)
		return flush(n, nsid);
	status = phyr_sim_nvme_find_ns(n, nsid, &ns);
	if (status)
		return status;
	switch (opcode) {
	case NVME_WRITE:
		return write_blocks(n, ns, cmd);
	case NVME_WRITE_ZEROES:
		return phyr_sim_nvme_write_zeroes(n, ns, cmd);
	case NVME_DATASET_MANAGEMENT:
		return phyr_sim_nvme_dsm(n, ns, cmd);
	default:
		return read_blocks(n, ns, cmd,
				   opcode == NVME_READ ? SIM_NVME_READ : SIM_NVME_COMPARE);
	}
}
