/* SPDX-License-Identifier: MIT */
/* The logs of which log pages, and which commands, there are (Base 5.16.1.1, 5.16.1.6). */
#include "sim/nvme/nvme.h"

#include "core/bits.h"

#define IO_COMMANDS 1024 /* offset of theirs */

struct effect {
	uint8_t opcode;
	uint32_t what; /* but for NVME_IS_SUPPORTED */
};

static const struct effect admin_commands[] = {
	{NVME_DELETE_SQ, NVME_OF_CONTROLLER},
	{NVME_CREATE_SQ, NVME_OF_CONTROLLER},
	{NVME_GET_LOG_PAGE, NVME_OF_CONTROLLER},
	{NVME_DELETE_CQ, NVME_OF_CONTROLLER},
	{NVME_CREATE_CQ, NVME_OF_CONTROLLER},
	{NVME_IDENTIFY, NVME_OF_CONTROLLER},
	{NVME_ABORT, NVME_OF_CONTROLLER},
	{NVME_SET_FEATURES, NVME_OF_CONTROLLER},
	{NVME_GET_FEATURES, NVME_OF_CONTROLLER},
	{NVME_EVENT_REQUEST, NVME_OF_CONTROLLER},
	{NVME_FORMAT, NVME_CHANGES_BLOCKS | NVME_CHANGES_NS | NVME_ALONE_IN_NS | NVME_OF_NAMESPACE},
};

static const struct effect io_commands[] = {
	{NVME_FLUSH, NVME_OF_NAMESPACE},
	{NVME_WRITE, NVME_CHANGES_BLOCKS | NVME_OF_NAMESPACE},
	{NVME_READ, NVME_OF_NAMESPACE},
	{NVME_COMPARE, NVME_OF_NAMESPACE},
	{NVME_WRITE_ZEROES, NVME_CHANGES_BLOCKS | NVME_OF_NAMESPACE},
	{NVME_DATASET_MANAGEMENT, NVME_CHANGES_BLOCKS | NVME_OF_NAMESPACE},
};

static const enum nvme_log log_pages[] = {
	NVME_LOG_SUPPORTED,  NVME_LOG_ERRORS,   NVME_LOG_HEALTH,   NVME_LOG_FIRMWARE,
	NVME_LOG_CHANGED_NS, NVME_LOG_COMMANDS, NVME_LOG_FEATURES, NVME_LOG_MI_COMMANDS,
};

static void fill(uint8_t *data, const struct effect *effects, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		sim_nvme_put32(data, 4 * effects[i].opcode, NVME_IS_SUPPORTED | effects[i].what);
}

void phyr_sim_nvme_fill_commands(uint8_t *data)
{
	fill(data, admin_commands, ARRAY_SIZE(admin_commands));
	fill(data + IO_COMMANDS, io_commands, ARRAY_SIZE(io_commands));
}

void phyr_sim_nvme_fill_log_pages(uint8_t *data)
{
	for (size_t i = 0; i < ARRAY_SIZE(log_pages); i++)
		sim_nvme_put32(data, 4 * log_pages[i], NVME_IS_SUPPORTED);
}
