/* SPDX-License-Identifier: MIT */
/* Format NVM (Base 5.14): other blocks, and all of them zeroes. */
#include "sim/nvme/nvme.h"

unsigned phyr_sim_nvme_format_lg2(const struct sim_nvme_ns *ns, unsigned format)
{
	static const uint8_t lg2[SIM_NVME_FORMATS] = {9, 12, 13, 16};

	if (format >= SIM_NVME_FORMATS || ns->bytes & (((uint64_t)1 << lg2[format]) - 1))
		return 0;
	return lg2[format];
}

/* Where metadata goes (MSET) does not apply: no format has any (NVM 4.1.2). */
static unsigned check(const struct sim_nvme_ns *ns, uint32_t dw10)
{
	if (NVME_FORMAT_SES(dw10) > NVME_SES_USER_DATA)
		return NVME_INVALID_FIELD;
	if (NVME_FORMAT_PI(dw10))
		return NVME_INVALID_FORMAT;
	if (!phyr_sim_nvme_format_lg2(ns, NVME_FORMAT_LBAF(dw10)))
		return NVME_INVALID_FORMAT;
	return ns->read_only ? NVME_WRITE_PROTECTED : NVME_SUCCESS;
}

/* Whether user data is to be erased (SES 1) or may be (SES 0): it is. */
static unsigned format(struct sim_nvme *n, struct sim_nvme_ns *ns, uint32_t dw10)
{
	unsigned lg2 = phyr_sim_nvme_format_lg2(ns, NVME_FORMAT_LBAF(dw10));
	unsigned status = phyr_sim_nvme_zero(ns, 0, ns->bytes, true);

	if (!status)
		status = phyr_sim_nvme_sync_ns(ns);
	if (status || lg2 == ns->block_lg2)
		return status;
	ns->block_lg2 = lg2;
	phyr_sim_nvme_ns_changed(n, ns);
	return NVME_SUCCESS;
}

/* All are looked at before the first is touched. */
static unsigned format_all(struct sim_nvme *n, uint32_t dw10)
{
	unsigned status = NVME_SUCCESS;

	for (uint32_t i = 0; i < n->nr_ns && !status; i++) {
		if (n->ns[i].fd >= 0)
			status = check(&n->ns[i], dw10);
	}
	for (uint32_t i = 0; i < n->nr_ns && !status; i++) {
		if (n->ns[i].fd >= 0)
			status = format(n, &n->ns[i], dw10);
	}
	return status;
}

unsigned phyr_sim_nvme_format(struct sim_nvme *n, const struct sim_nvme_cmd *cmd)
{
	uint32_t nsid = sim_nvme_cmd_nsid(cmd), dw10 = cmd->dw[10];
	struct sim_nvme_ns *ns;
	unsigned status;

	if (nsid == NVME_NSID_ALL)
		return format_all(n, dw10);
	status = phyr_sim_nvme_find_ns(n, nsid, &ns);
	if (!status)
		status = check(ns, dw10);
	return status ? status : format(n, ns, dw10);
}
