/* SPDX-License-Identifier: MIT */
/*
 * Write Zeroes and Dataset Management (NVM 3.2.8, 3.2.3). Deallocated blocks read as zeroes, as
 * Identify Namespace says (DLFEAT), whatever the file system can.
 */
#include "sim/nvme/nvme.h"

/* As the host has it: context attributes, which are hints that nothing here heeds; little endian. */
struct range {
	uint32_t attributes;
	uint32_t nr;
	uint64_t slba;
};

static unsigned zero_blocks(const struct sim_nvme_ns *ns, uint64_t slba, uint64_t nr,
			    bool deallocate)
{
	return phyr_sim_nvme_zero(ns, slba << ns->block_lg2, nr << ns->block_lg2, deallocate);
}

/* MDTS is about data that is transferred: here none is. */
unsigned phyr_sim_nvme_write_zeroes(const struct sim_nvme *n, const struct sim_nvme_ns *ns,
				    const struct sim_nvme_cmd *cmd)
{
	uint64_t slba = sim_nvme_cmd_u64(cmd, 10), nr = NVME_RW_NLB(cmd->dw[12]);
	unsigned status = phyr_sim_nvme_check_lbas(ns, slba, nr);

	if (!status && ns->read_only)
		status = NVME_WRITE_PROTECTED;
	if (!status)
		status = zero_blocks(ns, slba, nr, cmd->dw[12] & NVME_RW_DEAC);
	if (!status && (cmd->dw[12] & NVME_RW_FUA || !n->set.write_cache))
		status = phyr_sim_nvme_sync_ns(ns);
	return status;
}

static unsigned take_ranges(struct sim_nvme *n, const struct sim_nvme_ns *ns,
			    const struct sim_nvme_cmd *cmd, struct range *ranges)
{
	size_t nr = NVME_DSM_NR(cmd->dw[10]);
	unsigned status = phyr_sim_nvme_receive(n, cmd, ranges, nr * sizeof(*ranges));

	for (size_t i = 0; i < nr && !status; i++) {
		ranges[i].nr = le32toh(ranges[i].nr);
		ranges[i].slba = le64toh(ranges[i].slba);
		status = phyr_sim_nvme_check_lbas(ns, ranges[i].slba, ranges[i].nr);
	}
	return status;
}

/* All ranges are looked at before the first is touched. */
unsigned phyr_sim_nvme_dsm(struct sim_nvme *n, const struct sim_nvme_ns *ns,
			   const struct sim_nvme_cmd *cmd)
{
	struct range ranges[NVME_DSM_MAX_RANGES] __attribute__((aligned(8)));
	size_t nr = NVME_DSM_NR(cmd->dw[10]);
	unsigned status = take_ranges(n, ns, cmd, ranges);

	if (status || !(cmd->dw[11] & NVME_DSM_DEALLOCATE))
		return status;
	if (ns->read_only)
		return NVME_WRITE_PROTECTED;
	for (size_t i = 0; i < nr && !status; i++) {
		if (ranges[i].nr)
			status = zero_blocks(ns, ranges[i].slba, ranges[i].nr, true);
	}
	return status || n->set.write_cache ? status : phyr_sim_nvme_sync_ns(ns);
}
