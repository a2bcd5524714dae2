/* SPDX-License-Identifier: MIT */
/* Get Log Page (Base 5.16). */
#include "sim/nvme/nvme.h"

#include "core/bits.h"

/* One slot with one revision, which runs. Base 5.16.1.4. */
static void fill_firmware(uint8_t *data)
{
	data[0] = 1;
	sim_nvme_put_ascii(data, 8, 8, PHYR_VERSION);
}

static void fill_changed_ns(const struct sim_nvme *n, uint8_t *data)
{
	unsigned nr = 0;

	for (uint32_t i = 0; i < n->nr_ns; i++) {
		if (n->ns[i].changed)
			sim_nvme_put32(data, 4 * nr++, i + 1);
	}
}

/* @return the page's bytes; 0: there is no such page */
static uint64_t fill(const struct sim_nvme *n, unsigned log, uint8_t *data)
{
	switch (log) {
	case NVME_LOG_SUPPORTED:
		phyr_sim_nvme_fill_log_pages(data);
		return 1024;
	case NVME_LOG_ERRORS:
		phyr_sim_nvme_fill_errors(n, data);
		return 4096;
	case NVME_LOG_HEALTH:
		phyr_sim_nvme_fill_health(n, data);
		return 512;
	case NVME_LOG_FIRMWARE:
		fill_firmware(data);
		return 512;
	case NVME_LOG_CHANGED_NS:
		fill_changed_ns(n, data);
		return 4096;
	case NVME_LOG_COMMANDS:
		phyr_sim_nvme_fill_commands(data);
		return 4096;
	case NVME_LOG_FEATURES:
		phyr_sim_nvme_fill_features(data);
		return 1024;
	case NVME_LOG_MI_COMMANDS: /* none: there is no management interface */
		return 4096;
	default:
		return 0;
	}
}

static void clear_changed(struct sim_nvme *n)
{
	for (uint32_t i = 0; i < n->nr_ns; i++)
		n->ns[i].changed = false;
}

/* All pages are the controller's: a namespace has none of its own (Identify: LPA). */
static bool fields_are_good(const struct sim_nvme *n, const struct sim_nvme_cmd *cmd, uint64_t len)
{
	uint32_t nsid = sim_nvme_cmd_nsid(cmd);

	return (!nsid || nsid == NVME_NSID_ALL) && !(cmd->dw[12] & 3) &&
	       !(cmd->dw[14] & NVME_LOG_BY_INDEX) && !phyr_sim_nvme_exceeds_mdts(n, len);
}

/* What was read counts as read when it has arrived. */
unsigned phyr_sim_nvme_log(struct sim_nvme *n, const struct sim_nvme_cmd *cmd)
{
	uint8_t data[NVME_LOG_BYTES] __attribute__((aligned(8))) = {0};
	uint64_t offset = sim_nvme_cmd_u64(cmd, 12), size, len;
	enum nvme_log log = NVME_LOG_ID(cmd->dw[10]);
	unsigned status;

	len = ((uint64_t)NVME_LOG_NUMDU(cmd->dw[11]) << 16 | NVME_LOG_NUMDL(cmd->dw[10])) * 4 + 4;
	size = fill(n, log, data);
	if (!size)
		return NVME_INVALID_LOG_PAGE;
	if (offset > size || !fields_are_good(n, cmd, len))
		return NVME_INVALID_FIELD;
	status = phyr_sim_nvme_send(n, cmd, data + offset, size - offset, len);
	if (status || NVME_LOG_RETAIN(cmd->dw[10]))
		return status;
	phyr_sim_nvme_clear_events(n, log);
	if (log == NVME_LOG_CHANGED_NS)
		clear_changed(n);
	return NVME_SUCCESS;
}
