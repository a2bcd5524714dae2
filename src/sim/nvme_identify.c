/* SPDX-License-Identifier: MIT */
/*
 * The Identify command: the namespace (NVM 4.1.5.1), the controller, the active list and the
 * namespace's descriptors (Base 5.17.2). Fields that are not set are 0: not there, or not told.
 */
#include "sim/nvme.h"

#include <stdio.h>
#include <string.h>

#define DATA NVME_IDENTIFY_BYTES

static void put_le32(uint8_t *data, unsigned offset, uint32_t value)
{
	value = htole32(value);
	memcpy(data + offset, &value, sizeof(value));
}

static void put_le64(uint8_t *data, unsigned offset, uint64_t value)
{
	value = htole64(value);
	memcpy(data + offset, &value, sizeof(value));
}

/* ASCII strings are left justified and padded with spaces (Base 1.4). */
static void put_ascii(uint8_t *data, unsigned offset, unsigned size, const char *text)
{
	memset(data + offset, ' ', size);
	memcpy(data + offset, text, strnlen(text, size));
}

static void put_serial(uint8_t *data, const uint8_t *uuid)
{
	char text[24];

	snprintf(text, sizeof(text), "PHYR%02X%02X%02X%02X%02X%02X%02X%02X", uuid[8], uuid[9],
		 uuid[10], uuid[11], uuid[12], uuid[13], uuid[14], uuid[15]);
	put_ascii(data, 4, 20, text);
}

/* The name of a subsystem that has a UUID and no domain name (Base 4.5). */
static void put_subnqn(uint8_t *data, const uint8_t *u)
{
	snprintf((char *)data + 768, 256,
		 "nqn.2014-08.org.nvmexpress:uuid:%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-"
		 "%02x%02x%02x%02x%02x%02x",
		 u[0], u[1], u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12],
		 u[13], u[14], u[15]);
}

static void fill_controller(const struct sim_nvme *n, uint8_t *data)
{
	put_serial(data, n->subsystem);
	put_ascii(data, 24, 40, "phyr simulated NVMe controller");
	put_ascii(data, 64, 8, PHYR_VERSION);
	data[77] = (uint8_t)n->mdts;                  /* MDTS */
	put_le32(data, 80, NVME_VS_2_0);              /* VER */
	data[111] = 1;                                /* CNTRLTYPE: I/O controller */
	data[260] = 1 | 1 << 1;                       /* FRMW: one slot, read only */
	data[512] = NVME_SQE_LG2 | NVME_SQE_LG2 << 4; /* SQES: required, largest */
	data[513] = NVME_CQE_LG2 | NVME_CQE_LG2 << 4; /* CQES */
	put_le32(data, 516, 1);                       /* NN */
	data[525] = 1 | 3 << 1;                       /* VWC: present; Flush takes NSID ffffffffh */
	put_subnqn(data, n->subsystem);
}

static void fill_namespace(const struct sim_nvme *n, uint8_t *data)
{
	put_le64(data, 0, n->blocks);            /* NSZE */
	put_le64(data, 8, n->blocks);            /* NCAP */
	put_le64(data, 16, n->blocks);           /* NUSE */
	data[99] = n->read_only;                 /* NSATTR: write protected */
	put_le32(data, 128, n->block_lg2 << 16); /* LBAF0: LBADS, no metadata */
}

/* The identifiers above NSID; there is one namespace, 1. */
static unsigned fill_active_list(uint32_t nsid, uint8_t *data)
{
	if (nsid > NVME_NSID_HIGHEST)
		return NVME_INVALID_NAMESPACE;
	if (nsid < 1)
		put_le32(data, 0, 1);
	return NVME_SUCCESS;
}

static void fill_descriptors(const struct sim_nvme *n, uint8_t *data)
{
	data[0] = NVME_NIDT_UUID;
	data[1] = sizeof(n->uuid);
	memcpy(data + 4, n->uuid, sizeof(n->uuid));
}

static unsigned fill(const struct sim_nvme *n, const struct sim_nvme_cmd *cmd, uint8_t *data)
{
	uint32_t nsid = sim_nvme_cmd_nsid(cmd), cns = cmd->dw[10] & 0xff;

	switch (cns) {
	case NVME_CNS_CONTROLLER:
		fill_controller(n, data);
		return NVME_SUCCESS;
	case NVME_CNS_ACTIVE_LIST:
		return fill_active_list(nsid, data);
	case NVME_CNS_NAMESPACE:
	case NVME_CNS_DESCRIPTORS:
		if (nsid != 1)
			return NVME_INVALID_NAMESPACE;
		if (cns == NVME_CNS_NAMESPACE)
			fill_namespace(n, data);
		else
			fill_descriptors(n, data);
		return NVME_SUCCESS;
	default:
		return NVME_INVALID_FIELD;
	}
}

static unsigned send(struct sim_nvme *n, const struct sim_nvme_cmd *cmd, const uint8_t *data)
{
	struct sim_nvme_prps prps;
	uint64_t addr, len;
	unsigned status;

	phyr_sim_nvme_prps_init(&prps, n, cmd, DATA);
	while (prps.left) {
		status = phyr_sim_nvme_prps_next(&prps, &addr, &len);
		if (status)
			return status;
		if (phyr_sim_dma_write(n->sdev, addr, data, len))
			return NVME_DATA_TRANSFER_ERROR;
		data += len;
	}
	return NVME_SUCCESS;
}

unsigned phyr_sim_nvme_identify(struct sim_nvme *n, const struct sim_nvme_cmd *cmd)
{
	uint8_t data[DATA] __attribute__((aligned(8))) = {0};
	unsigned status = fill(n, cmd, data);

	return status ? status : send(n, cmd, data);
}
