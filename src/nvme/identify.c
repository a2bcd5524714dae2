/* SPDX-License-Identifier: MIT */
/*
 * What a controller and its namespace say of themselves, checked: Base 5.17, NVM 4.1.5.1.
 *
 * The device can write the shared buffer at any time, so what is checked is a copy of it.
 */
#include "nvme/ctrl.h"

#include "core/bits.h"
#include "core/mem.h"

/* The most that one command can say with blocks of 512 bytes; it bounds the PRP pages of a slot. */
#define MAX_TRANSFER_LG2 25
#define BLOCK_LG2_MAX    16

#define identify_error(nvme, error, text) \
	env_fail((nvme)->env, .err = (error), .call = (nvme)->call, .hint = (text))

/* Copy a field of ASCII, padded with blanks; what would trouble a terminal becomes a '?'. */
static void copy_text(char *to, const char *from, size_t len)
{
	while (len && (from[len - 1] == ' ' || !from[len - 1]))
		len--;
	for (size_t i = 0; i < len; i++)
		to[i] = (char)(from[i] >= 0x20 && from[i] < 0x7f ? from[i] : '?');
	to[len] = 0;
}

/* SQES and CQES: smallest size in 3:0, largest in 7:4, as powers of two. */
static bool entry_size_fits(uint8_t sizes, unsigned lg2)
{
	return (sizes & 0xfu) <= lg2 && lg2 <= sizes >> 4;
}

/* MDTS counts the smallest pages that the controller has, not those in use: Base figure 275. */
static uint64_t transfer_limit(const struct phyr_nvme *nvme, unsigned mdts)
{
	unsigned lg2 = mdts + 12 + PHYR_NVME_CAP_MPSMIN(nvme->cap);

	return (uint64_t)1 << (mdts && lg2 < MAX_TRANSFER_LG2 ? lg2 : MAX_TRANSFER_LG2);
}

static int take_ctrl(struct phyr_nvme *nvme, const struct phyr_nvme_id_ctrl *id)
{
	if (!entry_size_fits(id->sqes, PHYR_NVME_SQES) ||
	    !entry_size_fits(id->cqes, PHYR_NVME_CQES))
		return identify_error(nvme, -EIO,
				      "the controller's queue entries are not of 64 and 16 bytes");
	if (nvme->opts.nsid > id->nn)
		return identify_error(nvme, -EINVAL,
				      "the controller has no namespace of that number");
	copy_text(nvme->info.model, id->mn, sizeof(id->mn));
	copy_text(nvme->info.serial, id->sn, sizeof(id->sn));
	copy_text(nvme->info.firmware, id->fr, sizeof(id->fr));
	nvme->info.volatile_cache = id->vwc & PHYR_NVME_VWC_PRESENT;
	nvme->info.max_transfer = transfer_limit(nvme, id->mdts);
	return 0;
}

static int take_format(struct phyr_nvme *nvme, const struct phyr_nvme_lbaf *lbaf)
{
	if (lbaf->lbads < PHYR_NVME_LBADS_MIN)
		return identify_error(nvme, -EIO, "the namespace's blocks are under 512 bytes");
	if (lbaf->lbads > BLOCK_LG2_MAX)
		return identify_error(nvme, -EOPNOTSUPP, "the namespace's blocks are over 64 KiB");
	if (lbaf->ms)
		return identify_error(nvme, -EOPNOTSUPP,
				      "the namespace is formatted with metadata");
	nvme->block_lg2 = lbaf->lbads;
	nvme->info.block_size = UINT32_C(1) << lbaf->lbads;
	return 0;
}

static int take_ns(struct phyr_nvme *nvme, const struct phyr_nvme_id_ns *id)
{
	unsigned format = PHYR_NVME_FLBAS_FORMAT(id->flbas, id->nlbaf);
	int err;

	if (!id->nsze)
		return identify_error(nvme, -EIO, "the namespace is not active: it has no blocks");
	if (format > id->nlbaf || format >= ARRAY_SIZE(id->lbaf))
		return identify_error(nvme, -EIO, "the namespace's format is none that it lists");
	err = take_format(nvme, &id->lbaf[format]);
	if (err)
		return err;
	if (id->nsze > UINT64_MAX >> nvme->block_lg2)
		return identify_error(nvme, -EIO, "the namespace says that it is over 2^64 bytes");
	if (nvme->info.block_size > nvme->info.max_transfer)
		return identify_error(nvme, -EIO, "a block is more than the controller transfers");
	nvme->info.nr_blocks = id->nsze;
	return 0;
}

/* Have the device write one kind of identify data, and copy it. */
static int identify(struct phyr_nvme *nvme, void *shared, phyr_dma_addr_t dma, unsigned cns,
		    uint32_t nsid, void *copy)
{
	struct phyr_nvme_sqe sqe = {
		.opc = PHYR_NVME_ADMIN_IDENTIFY, .nsid = nsid, .prp1 = dma, .cdw10 = cns};
	int err;

	mem_set(shared, 0, PHYR_NVME_ID_SIZE);
	err = phyr_nvme_admin(nvme, &sqe, NULL, "the controller failed an identify command");
	if (!err)
		mem_copy(copy, shared, PHYR_NVME_ID_SIZE);
	return err;
}

static int identify_both(struct phyr_nvme *nvme, void *shared, phyr_dma_addr_t dma)
{
	union {
		struct phyr_nvme_id_ctrl ctrl;
		struct phyr_nvme_id_ns ns;
	} id;
	int err;

	err = identify(nvme, shared, dma, PHYR_NVME_CNS_CTRL, 0, &id);
	if (!err)
		err = take_ctrl(nvme, &id.ctrl);
	if (!err)
		err = identify(nvme, shared, dma, PHYR_NVME_CNS_NS, nvme->opts.nsid, &id);
	return err ? err : take_ns(nvme, &id.ns);
}

int phyr_nvme_identify(struct phyr_nvme *nvme)
{
	phyr_dma_addr_t dma;
	void *shared = phyr_dma_alloc(nvme->dev, PHYR_NVME_ID_SIZE, &dma);
	int err;

	if (!shared)
		return identify_error(nvme, -ENOMEM, "no memory for identify data");
	err = identify_both(nvme, shared, dma);
	phyr_dma_free(nvme->dev, PHYR_NVME_ID_SIZE, shared, dma);
	return err;
}
