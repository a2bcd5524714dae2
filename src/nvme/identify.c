/* SPDX-License-Identifier: MIT */
/*
 * What a controller and its namespace say of themselves, checked: Base 5.17, NVM 4.1.5.1.
 *
 * The device can write the shared buffer at any time, so what is checked is a copy of it.
 */
#include "nvme/ctrl.h"

#include <phyr/nvme_data.h>

#include "core/bits.h"
#include "core/mem.h"

#define BLOCK_LG2_MAX 16

/* RTD3E is not believed beyond reason: Base 3.6.1 has a second where it is 0. */
#define SHUTDOWN_NS_MIN UINT64_C(1000000000)
#define SHUTDOWN_NS_MAX UINT64_C(60000000000)

#define identify_error(nvme, error, text) \
	env_fail((nvme)->env, .err = (error), .call = ask->call, .hint = (text))

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

	return mdts && lg2 < 63 ? min_u64((uint64_t)1 << lg2, NVME_MAX_TRANSFER)
				: NVME_MAX_TRANSFER;
}

static void take_names(struct phyr_nvme_info *info, const struct phyr_nvme_id_ctrl *id)
{
	copy_text(info->model, id->mn, sizeof(id->mn));
	copy_text(info->serial, id->sn, sizeof(id->sn));
	copy_text(info->firmware, id->fr, sizeof(id->fr));
	info->vendor = id->vid;
	info->nr_namespaces = id->nn;
}

static void take_abilities(struct phyr_nvme_info *info, const struct phyr_nvme_id_ctrl *id)
{
	info->volatile_cache = id->vwc & PHYR_NVME_VWC_PRESENT;
	info->compare = id->oncs & PHYR_NVME_ONCS_COMPARE;
	info->write_zeroes = id->oncs & PHYR_NVME_ONCS_WRITE_ZEROES;
	info->deallocate = id->oncs & PHYR_NVME_ONCS_DSM;
}

static uint64_t shutdown_limit(uint32_t rtd3e_us)
{
	return min_u64(max_u64(rtd3e_us * UINT64_C(1000), SHUTDOWN_NS_MIN), SHUTDOWN_NS_MAX);
}

static int take_ctrl(struct phyr_nvme *nvme, const struct nvme_ask *ask,
		     const struct phyr_nvme_id_ctrl *id, struct nvme_identity *out)
{
	if (!entry_size_fits(id->sqes, PHYR_NVME_SQES) ||
	    !entry_size_fits(id->cqes, PHYR_NVME_CQES))
		return identify_error(nvme, -EIO,
				      "the controller's queue entries are not of 64 and 16 bytes");
	if (nvme->opts.nsid > id->nn)
		return identify_error(nvme, -EINVAL,
				      "the controller has no namespace of that number");
	take_names(&out->info, id);
	take_abilities(&out->info, id);
	out->info.nsid = nvme->opts.nsid;
	out->info.max_transfer = transfer_limit(nvme, id->mdts);
	out->max_aborts = (unsigned)min_u64(id->acl + 1u, NVME_ADMIN_ABORTS);
	out->shutdown_ns = shutdown_limit(id->rtd3e);
	return 0;
}

static int take_format(struct phyr_nvme *nvme, const struct nvme_ask *ask,
		       const struct phyr_nvme_lbaf *lbaf, struct nvme_identity *out)
{
	if (lbaf->lbads < PHYR_NVME_LBADS_MIN)
		return identify_error(nvme, -EIO, "the namespace's blocks are under 512 bytes");
	if (lbaf->lbads > BLOCK_LG2_MAX)
		return identify_error(nvme, -EOPNOTSUPP, "the namespace's blocks are over 64 KiB");
	if (lbaf->ms)
		return identify_error(nvme, -EOPNOTSUPP,
				      "the namespace is formatted with metadata");
	out->block_lg2 = lbaf->lbads;
	out->info.block_size = UINT32_C(1) << lbaf->lbads;
	return 0;
}

static int take_ns(struct phyr_nvme *nvme, const struct nvme_ask *ask,
		   const struct phyr_nvme_id_ns *id, struct nvme_identity *out)
{
	unsigned format = PHYR_NVME_FLBAS_FORMAT(id->flbas, id->nlbaf);
	int err;

	if (!id->nsze)
		return identify_error(nvme, -EIO, "the namespace is not active: it has no blocks");
	if (format > id->nlbaf || format >= ARRAY_SIZE(id->lbaf))
		return identify_error(nvme, -EIO, "the namespace's format is none that it lists");
	err = take_format(nvme, ask, &id->lbaf[format], out);
	if (err)
		return err;
	if (id->nsze > UINT64_MAX >> out->block_lg2)
		return identify_error(nvme, -EIO, "the namespace says that it is over 2^64 bytes");
	if (out->info.block_size > out->info.max_transfer)
		return identify_error(nvme, -EIO, "a block is more than the controller transfers");
	out->info.nr_blocks = id->nsze;
	out->info.zeroes_deallocated = PHYR_NVME_DLFEAT_READ(id->dlfeat) == PHYR_NVME_DLFEAT_ZEROES;
	return 0;
}

/* Have the device write one kind of identify data, and copy it. */
static int identify(struct phyr_nvme *nvme, const struct nvme_ask *ask, unsigned cns, uint32_t nsid,
		    void *copy)
{
	struct phyr_nvme_sqe sqe = {
		.opc = PHYR_NVME_ADMIN_IDENTIFY, .nsid = nsid, .prp1 = nvme->id_dma, .cdw10 = cns};
	int err;

	mem_set(nvme->id_page, 0, PHYR_NVME_ID_SIZE);
	err = phyr_nvme_admin(nvme, ask, &sqe, NULL, "the controller failed an identify command");
	if (!err)
		mem_copy(copy, nvme->id_page, PHYR_NVME_ID_SIZE);
	return err;
}

int phyr_nvme_identify(struct phyr_nvme *nvme, const struct nvme_ask *ask,
		       struct nvme_identity *out)
{
	union {
		struct phyr_nvme_id_ctrl ctrl;
		struct phyr_nvme_id_ns ns;
	} id;
	int err;

	*out = (struct nvme_identity){0};
	err = identify(nvme, ask, PHYR_NVME_CNS_CTRL, 0, &id);
	if (!err)
		err = take_ctrl(nvme, ask, &id.ctrl, out);
	if (!err)
		err = identify(nvme, ask, PHYR_NVME_CNS_NS, nvme->opts.nsid, &id);
	return err ? err : take_ns(nvme, ask, &id.ns, out);
}

void phyr_nvme_adopt(struct phyr_nvme *nvme, const struct nvme_identity *id)
{
	struct phyr_nvme_info *info = &nvme->info;
	unsigned queues = info->queues, max_depth = info->max_depth;
	uint32_t page_size = info->page_size;

	*info = id->info;
	info->queues = queues;
	info->max_depth = max_depth;
	info->page_size = page_size;
	nvme->block_lg2 = id->block_lg2;
	nvme->max_aborts = id->max_aborts;
	nvme->shutdown_ns = id->shutdown_ns;
}

/*
 * Again.
 */

static bool any_in_flight(struct phyr_nvme *nvme)
{
	bool any = false;

	env_lock(nvme->env, &nvme->lock);
	for (unsigned i = 0; i < nvme->max_queues; i++)
		any |= nvme->queues[i] && load_relaxed(&nvme->queues[i]->in_flight);
	env_unlock(nvme->env, &nvme->lock);
	return any;
}

/* Slots have room for what could be transferred when they were made. */
static int rescan(struct phyr_nvme *nvme, const struct nvme_ask *ask)
{
	struct nvme_identity id;
	int err = phyr_nvme_identify(nvme, ask, &id);

	if (err)
		return err;
	id.info.max_transfer = min_u64(id.info.max_transfer, nvme->info.max_transfer);
	if (id.info.block_size > id.info.max_transfer)
		return identify_error(nvme, -EIO, "a block is more than the controller transfers");
	phyr_nvme_adopt(nvme, &id);
	return 0;
}

int phyr_nvme_rescan(struct phyr_nvme *nvme)
{
	static const char call[] = "phyr_nvme_rescan";
	struct nvme_ask ask = {.call = call};
	int err;

	if (any_in_flight(nvme))
		return env_fail(nvme->env, .err = -EBUSY, .call = call,
				.hint = "commands are in flight: poll until they have ended");
	do {
		ask.run = phyr_nvme_settle(nvme);
		if (nvme_phase(ask.run) == NVME_DEAD)
			return phyr_nvme_say_dead(nvme, call, 0, 0);
		err = rescan(nvme, &ask);
	} while (err == -ECANCELED);
	return err;
}
