/* SPDX-License-Identifier: MIT */
/*
 * The Identify command: the namespace and the controller's limits of the NVM Command Set
 * (NVM 4.1.5); the controller, the active list and the namespace's descriptors (Base 5.17.2).
 * Fields that are not set are 0: not there, or not told.
 */
#include "sim/nvme/nvme.h"

#include <stdio.h>
#include <string.h>

#define DATA NVME_IDENTIFY_BYTES

static void put_serial(uint8_t *data, const uint8_t *uuid)
{
	char text[24];

	snprintf(text, sizeof(text), "PHYR%02X%02X%02X%02X%02X%02X%02X%02X", uuid[8], uuid[9],
		 uuid[10], uuid[11], uuid[12], uuid[13], uuid[14], uuid[15]);
	sim_nvme_put_ascii(data, 4, 20, text);
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

/* Bytes 76 to 511: what it is and does (Base figure 275). */
static void fill_abilities(const struct sim_nvme *n, uint8_t *data)
{
	data[77] = (uint8_t)n->mdts;              /* MDTS */
	sim_nvme_put32(data, 80, NVME_VS_2_0);    /* VER */
	sim_nvme_put32(data, 92, 1 << 8);         /* OAES: Namespace Attribute Notices */
	data[111] = 1;                            /* CNTRLTYPE: I/O controller */
	sim_nvme_put16(data, 256, 1 << 1);        /* OACS: Format NVM */
	data[258] = SIM_NVME_ACL;                 /* ACL */
	data[259] = SIM_NVME_AERL;                /* AERL */
	data[260] = 1 | 1 << 1;                   /* FRMW: one slot, read only */
	data[261] = 1 << 1 | 1 << 2 | 1 << 5;     /* LPA: effects, extended data, what there is */
	data[262] = SIM_NVME_ERRORS - 1;          /* ELPE */
	sim_nvme_put16(data, 266, SIM_NVME_WARM); /* WCTEMP */
	sim_nvme_put16(data, 268, SIM_NVME_CRITICAL); /* CCTEMP */
}

/* Bytes 512 on: queues, namespaces, I/O commands. */
static void fill_io_abilities(const struct sim_nvme *n, uint8_t *data)
{
	data[512] = NVME_SQE_LG2 | NVME_SQE_LG2 << 4; /* SQES: required, largest */
	data[513] = NVME_CQE_LG2 | NVME_CQE_LG2 << 4; /* CQES */
	sim_nvme_put32(data, 516, n->nr_ns);          /* NN */
	/* ONCS: Compare, Dataset Management, Write Zeroes, Save and Select of features */
	sim_nvme_put16(data, 520, 1 | 1 << 2 | 1 << 3 | 1 << 4);
	data[524] = 0;          /* FNA: each namespace by itself, no cryptographic erase */
	data[525] = 1 | 3 << 1; /* VWC: present; Flush takes NSID ffffffffh */
	sim_nvme_put32(data, 540, n->nr_ns); /* MNAN */
}

static void fill_controller(const struct sim_nvme *n, uint8_t *data)
{
	put_serial(data, n->subsystem);
	sim_nvme_put_ascii(data, 24, 40, "phyr simulated NVMe controller");
	sim_nvme_put_ascii(data, 64, 8, PHYR_VERSION);
	fill_abilities(n, data);
	fill_io_abilities(n, data);
	put_subnqn(data, n->subsystem);
}

/* Formats that the file's size leaves no whole number of blocks of have LBADS 0: not there now. */
static void fill_formats(const struct sim_nvme_ns *ns, uint8_t *data)
{
	data[25] = SIM_NVME_FORMATS - 1; /* NLBAF */
	for (unsigned i = 0; i < SIM_NVME_FORMATS; i++) {
		unsigned lg2 = phyr_sim_nvme_format_lg2(ns, i);

		sim_nvme_put32(data, 128 + 4 * i, lg2 << 16); /* LBAF: LBADS, no metadata */
		if (lg2 == ns->block_lg2)
			data[26] = (uint8_t)i; /* FLBAS */
	}
}

/* An identifier that is not in use gives zeroes (NVM 4.1.5.1). */
static unsigned fill_namespace(const struct sim_nvme *n, uint32_t nsid, uint8_t *data)
{
	const struct sim_nvme_ns *ns;

	if (!nsid || nsid > n->nr_ns)
		return NVME_INVALID_NAMESPACE;
	ns = &n->ns[nsid - 1];
	if (ns->fd < 0)
		return NVME_SUCCESS;
	sim_nvme_put64(data, 0, sim_nvme_blocks(ns));  /* NSZE */
	sim_nvme_put64(data, 8, sim_nvme_blocks(ns));  /* NCAP */
	sim_nvme_put64(data, 16, sim_nvme_blocks(ns)); /* NUSE */
	data[33] = 1 | 1 << 3;    /* DLFEAT: reads zeroes; Write Zeroes has DEAC */
	data[99] = ns->read_only; /* NSATTR: write protected */
	fill_formats(ns, data);
	return NVME_SUCCESS;
}

/* The active identifiers above NSID, up to what one page holds. */
static unsigned fill_active_list(const struct sim_nvme *n, uint32_t nsid, uint8_t *data)
{
	unsigned nr = 0;

	if (nsid > NVME_NSID_HIGHEST)
		return NVME_INVALID_NAMESPACE;
	for (; nsid < n->nr_ns && nr < DATA / 4; nsid++) {
		if (n->ns[nsid].fd >= 0)
			sim_nvme_put32(data, 4 * nr++, nsid + 1);
	}
	return NVME_SUCCESS;
}

static unsigned fill_descriptors(const struct sim_nvme *n, uint32_t nsid, uint8_t *data)
{
	struct sim_nvme_ns *ns;
	unsigned status = phyr_sim_nvme_find_ns(n, nsid, &ns);

	if (status)
		return status;
	data[0] = NVME_NIDT_UUID;
	data[1] = sizeof(ns->uuid);
	memcpy(data + 4, ns->uuid, sizeof(ns->uuid));
	return NVME_SUCCESS;
}

/*
 * All fields are 0: there is no Verify and no Write Uncorrectable (VSL, WUSL), Write Zeroes takes
 * all blocks that it can name (WZSL), and Dataset Management takes all ranges, of any size (DMRL,
 * DMRSL, DMSL).
 */
static unsigned fill_command_set(const struct sim_nvme_cmd *cmd)
{
	return NVME_IDENTIFY_CSI(cmd->dw[11]) == NVME_CSI_NVM ? NVME_SUCCESS : NVME_INVALID_FIELD;
}

static bool is_of_controller(enum nvme_cns cns)
{
	return cns == NVME_CNS_CONTROLLER || cns == NVME_CNS_COMMAND_SET_CONTROLLER;
}

static unsigned fill(const struct sim_nvme *n, const struct sim_nvme_cmd *cmd, uint8_t *data)
{
	uint32_t nsid = sim_nvme_cmd_nsid(cmd);
	enum nvme_cns cns = NVME_IDENTIFY_CNS(cmd->dw[10]);

	if (nsid && is_of_controller(cns))
		return NVME_INVALID_FIELD;
	switch (cns) {
	case NVME_CNS_CONTROLLER:
		fill_controller(n, data);
		return NVME_SUCCESS;
	case NVME_CNS_COMMAND_SET_CONTROLLER:
		return fill_command_set(cmd);
	case NVME_CNS_ACTIVE_LIST:
		return fill_active_list(n, nsid, data);
	case NVME_CNS_NAMESPACE:
		return fill_namespace(n, nsid, data);
	case NVME_CNS_DESCRIPTORS:
		return fill_descriptors(n, nsid, data);
	default:
		return NVME_INVALID_FIELD;
	}
}

unsigned phyr_sim_nvme_identify(struct sim_nvme *n, const struct sim_nvme_cmd *cmd)
{
	uint8_t data[DATA] __attribute__((aligned(8))) = {0};
	unsigned status = fill(n, cmd, data);

	return status ? status : phyr_sim_nvme_send(n, cmd, data, DATA, DATA);
}
