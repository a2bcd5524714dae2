/* SPDX-License-Identifier: MIT */
/* Data that is the controller's own, such as identify data, to the host and from it. */
#include "sim/nvme/nvme.h"

#include "core/bits.h"

static bool send_zeroes(struct sim_nvme *n, uint64_t addr, uint64_t len)
{
	static const uint64_t zeroes[NVME_LOG_BYTES / 8];
	bool ok = true;

	for (uint64_t now; ok && len; len -= now, addr += now) {
		now = min_u64(len, sizeof(zeroes));
		ok = !phyr_sim_dma_write(n->sdev, addr, zeroes, now);
	}
	return ok;
}

unsigned phyr_sim_nvme_send(struct sim_nvme *n, const struct sim_nvme_cmd *cmd, const void *data,
			    uint64_t have, uint64_t len)
{
	struct sim_nvme_prps prps;
	const char *from = data;
	uint64_t addr, now;
	unsigned status;

	phyr_sim_nvme_prps_init(&prps, n, cmd, len);
	while (prps.left) {
		status = phyr_sim_nvme_prps_next(&prps, &addr, &len);
		if (status)
			return status;
		now = min_u64(len, have);
		if ((now && phyr_sim_dma_write(n->sdev, addr, from, now)) ||
		    !send_zeroes(n, addr + now, len - now))
			return NVME_DATA_TRANSFER_ERROR;
		from += now;
		have -= now;
	}
	return NVME_SUCCESS;
}

unsigned phyr_sim_nvme_receive(struct sim_nvme *n, const struct sim_nvme_cmd *cmd, void *data,
			       uint64_t len)
{
	struct sim_nvme_prps prps;
	unsigned status;
	char *to = data;
	uint64_t addr;

	phyr_sim_nvme_prps_init(&prps, n, cmd, len);
	while (prps.left) {
		status = phyr_sim_nvme_prps_next(&prps, &addr, &len);
		if (status)
			return status;
		if (phyr_sim_dma_read(n->sdev, addr, to, len))
			return NVME_DATA_TRANSFER_ERROR;
		to += len;
	}
	return NVME_SUCCESS;
}
