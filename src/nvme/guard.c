/* SPDX-License-Identifier: MIT */
/*
 * What a driver that was opened to read alone sends, and what it refuses.
 *
 * Nothing in a real controller keeps data from being written, so this does. Of what is passed through
 * it takes what is listed here and nothing else: a command that is unknown, a vendor's or a later
 * specification's, may destroy what it likes. Fused commands, by which a compare could write, were
 * refused before.
 */
#include "nvme/ctrl.h"

#include <phyr/nvme_data.h>

#include "core/bits.h"

#define LSP_CREATE 1u

static const char read_only_hint[] =
	"opened to read alone: phyr_opts.writable, or phyr_nvme_opts.read_only below phyr_open(), "
	"decides";

int phyr_nvme_refuse_write(const struct phyr_nvme *nvme, const char *call, uint64_t lba,
			   uint64_t len)
{
	return phyr_nvme_range_error(nvme, call, -EROFS, lba, len, 0, read_only_hint);
}

/* Base figure 390 and NVM 3.2: reads, and what makes durable what was written before. */
static bool io_is_harmless(const struct phyr_nvme_sqe *sqe)
{
	switch (sqe->opc) {
	case PHYR_NVME_CMD_FLUSH:
	case PHYR_NVME_CMD_READ:
	case PHYR_NVME_CMD_COMPARE:
	case PHYR_NVME_CMD_VERIFY:
	case PHYR_NVME_CMD_RESERVATION_REPORT:
		return true;
	default:
		return false;
	}
}

/* Base 5.27.1: what speaks of interrupts, events and turns alone, and is forgotten by a reset. */
static bool feature_is_harmless(const struct phyr_nvme_sqe *sqe)
{
	if (sqe->cdw10 & PHYR_NVME_FEATURES_SV)
		return false;
	switch (sqe->cdw10 & 0xff) {
	case PHYR_NVME_FEAT_ARBITRATION:
	case PHYR_NVME_FEAT_TEMPERATURE:
	case PHYR_NVME_FEAT_IRQ_COALESCING:
	case PHYR_NVME_FEAT_IRQ_CONFIG:
	case PHYR_NVME_FEAT_ASYNC_EVENT:
	case PHYR_NVME_FEAT_KEEP_ALIVE:
		return true;
	default:
		return false;
	}
}

/* Base 5.16.1.8: the telemetry that a host asks for takes the place of what was kept, over resets, too. */
static bool log_is_harmless(const struct phyr_nvme_sqe *sqe)
{
	return (sqe->cdw10 & 0xff) != PHYR_NVME_LOG_TELEMETRY_HOST ||
	       !(sqe->cdw10 & PHYR_NVME_LOG_LSP(LSP_CREATE));
}

/* Base 5, figure 138. */
static bool admin_is_harmless(const struct phyr_nvme_sqe *sqe)
{
	switch (sqe->opc) {
	case PHYR_NVME_ADMIN_IDENTIFY:
	case PHYR_NVME_ADMIN_GET_FEATURES:
	case PHYR_NVME_ADMIN_ASYNC_EVENT:
	case PHYR_NVME_ADMIN_KEEP_ALIVE:
	case PHYR_NVME_ADMIN_GET_LBA_STATUS:
		return true;
	case PHYR_NVME_ADMIN_GET_LOG_PAGE:
		return log_is_harmless(sqe);
	case PHYR_NVME_ADMIN_SET_FEATURES:
		return feature_is_harmless(sqe);
	default:
		return false;
	}
}

int phyr_nvme_check_harmless(const struct phyr_nvme_queue *queue, const struct phyr_nvme_sqe *sqe)
{
	const struct phyr_nvme *nvme = queue->nvme;

	if (queue == &nvme->admin ? admin_is_harmless(sqe) : io_is_harmless(sqe))
		return 0;
	return env_fail(nvme->env, .err = -EROFS, .call = NVME_SUBMIT_CALL, .index = sqe->opc,
			.index_of = "opcode", .hint = read_only_hint);
}
