/* SPDX-License-Identifier: MIT */
/* Which admin command is whose (Base 5). */
#include "sim/nvme/nvme.h"

/* What the others do with a namespace identifier depends on their fields (Base 5, figure 138). */
static bool takes_nsid(unsigned opcode)
{
	switch (opcode) {
	case NVME_DELETE_SQ:
	case NVME_CREATE_SQ:
	case NVME_DELETE_CQ:
	case NVME_CREATE_CQ:
	case NVME_ABORT:
	case NVME_EVENT_REQUEST:
		return false;
	default:
		return true;
	}
}

unsigned phyr_sim_nvme_admin(struct sim_nvme *n, const struct sim_nvme_cmd *cmd, uint32_t *result)
{
	if (sim_nvme_cmd_nsid(cmd) && !takes_nsid(NVME_CDW0_OPC(cmd->dw[0])))
		return NVME_INVALID_FIELD;
	switch (NVME_CDW0_OPC(cmd->dw[0])) {
	case NVME_DELETE_SQ:
		return phyr_sim_nvme_delete_sq(n, cmd);
	case NVME_CREATE_SQ:
		return phyr_sim_nvme_create_sq(n, cmd);
	case NVME_DELETE_CQ:
		return phyr_sim_nvme_delete_cq(n, cmd);
	case NVME_CREATE_CQ:
		return phyr_sim_nvme_create_cq(n, cmd);
	case NVME_GET_LOG_PAGE:
		return phyr_sim_nvme_log(n, cmd);
	case NVME_IDENTIFY:
		return phyr_sim_nvme_identify(n, cmd);
	case NVME_ABORT:
		return phyr_sim_nvme_abort(n, cmd, result);
	case NVME_SET_FEATURES:
		return phyr_sim_nvme_set_features(n, cmd, result);
	case NVME_GET_FEATURES:
		return phyr_sim_nvme_get_features(n, cmd, result);
	case NVME_EVENT_REQUEST:
		return phyr_sim_nvme_request_event(n);
	case NVME_FORMAT:
		return phyr_sim_nvme_format(n, cmd);
	default:
		return NVME_INVALID_OPCODE;
	}
}
