/* SPDX-License-Identifier: MIT */
/* The commands that have a call of their own: NVM 3.2, Base 7.1 (flush). */
#include "nvme/ctrl.h"

#include "core/bits.h"

#define WRITE_ZEROES_MAX UINT64_C(65536) /* NLB has 16 bits, less one */
#define RANGE_MAX        UINT64_C(0xffffffff)

static const char *call_name(unsigned opc)
{
	switch (opc) {
	case PHYR_NVME_CMD_READ:
		return "phyr_nvme_read";
	case PHYR_NVME_CMD_WRITE:
		return "phyr_nvme_write";
	case PHYR_NVME_CMD_COMPARE:
		return "phyr_nvme_compare";
	case PHYR_NVME_CMD_WRITE_ZEROES:
		return "phyr_nvme_write_zeroes";
	case PHYR_NVME_CMD_DSM:
		return "phyr_nvme_deallocate";
	default:
		return "phyr_nvme_flush";
	}
}

static void put_lba(struct phyr_nvme_sqe *sqe, uint64_t lba)
{
	sqe->cdw10 = (uint32_t)lba;
	sqe->cdw11 = (uint32_t)(lba >> 32);
}

/* The slot that a command gets, with its place. 0 or -EAGAIN. */
static int take(struct phyr_nvme_queue *queue, unsigned opc, uint64_t lba, uint64_t len,
		struct nvme_slot **out)
{
	struct nvme_slot *slot = nvme_next_slot(queue);

	if (!slot)
		return -EAGAIN;
	slot->call = call_name(opc);
	slot->offset = lba << queue->nvme->block_lg2;
	slot->len = len;
	*out = slot;
	return 0;
}

/*
 * Commands with data.
 */

/* What can be said of a command before it is built. */
static int check_transfer(struct phyr_nvme_queue *queue, const char *call, uint64_t lba,
			  uint64_t len)
{
	const struct phyr_nvme *nvme = queue->nvme;
	int err = nvme_ready(queue, call, lba << nvme->block_lg2, len);

	if (!err)
		err = phyr_nvme_check_range(nvme, call, lba, len);
	if (!err && unlikely(len > nvme->info.max_transfer))
		err = phyr_nvme_range_error(nvme, call, -E2BIG, lba, len, nvme->info.max_transfer,
					    "more than one command can transfer: split it");
	return err;
}

static int transfer(struct phyr_nvme_queue *queue, uint8_t opc, uint64_t lba,
		    struct phyr_cursor *data, phyr_nvme_fn *fn, void *arg)
{
	struct phyr_nvme *nvme = queue->nvme;
	struct phyr_nvme_sqe sqe = {.opc = opc, .nsid = nvme->opts.nsid};
	uint64_t len = data->left;
	struct nvme_slot *slot;
	int err;

	err = check_transfer(queue, call_name(opc), lba, len);
	if (!err)
		err = take(queue, opc, lba, len, &slot);
	if (unlikely(err))
		return err;
	err = phyr_nvme_build(queue, slot, data, &sqe);
	if (unlikely(err))
		return phyr_nvme_range_error(nvme, call_name(opc), err, lba, len, 0,
					     phyr_nvme_prp_hint(err));
	put_lba(&sqe, lba);
	sqe.cdw12 = (uint32_t)(len >> nvme->block_lg2) - 1;
	phyr_nvme_fly(queue, slot, &sqe, fn, arg);
	return 0;
}

int phyr_nvme_read(struct phyr_nvme_queue *queue, uint64_t lba, struct phyr_cursor *data,
		   phyr_nvme_fn *fn, void *arg)
{
	return transfer(queue, PHYR_NVME_CMD_READ, lba, data, fn, arg);
}

int phyr_nvme_write(struct phyr_nvme_queue *queue, uint64_t lba, struct phyr_cursor *data,
		    phyr_nvme_fn *fn, void *arg)
{
	if (unlikely(queue->nvme->opts.read_only))
		return phyr_nvme_refuse_write(queue->nvme, call_name(PHYR_NVME_CMD_WRITE), lba,
					      data->left);
	return transfer(queue, PHYR_NVME_CMD_WRITE, lba, data, fn, arg);
}

static int lacks(const struct phyr_nvme *nvme, unsigned opc, const char *hint)
{
	return env_fail(nvme->env, .err = -EOPNOTSUPP, .call = call_name(opc), .hint = hint);
}

int phyr_nvme_compare(struct phyr_nvme_queue *queue, uint64_t lba, struct phyr_cursor *data,
		      phyr_nvme_fn *fn, void *arg)
{
	if (!queue->nvme->info.compare)
		return lacks(queue->nvme, PHYR_NVME_CMD_COMPARE,
			     "the controller has no Compare command");
	return transfer(queue, PHYR_NVME_CMD_COMPARE, lba, data, fn, arg);
}

/*
 * Commands without.
 */

int phyr_nvme_flush(struct phyr_nvme_queue *queue, phyr_nvme_fn *fn, void *arg)
{
	struct phyr_nvme_sqe sqe = {.opc = PHYR_NVME_CMD_FLUSH, .nsid = queue->nvme->opts.nsid};
	struct nvme_slot *slot;
	int err = nvme_ready(queue, call_name(PHYR_NVME_CMD_FLUSH), 0, 0);

	if (!err)
		err = take(queue, PHYR_NVME_CMD_FLUSH, 0, 0, &slot);
	if (unlikely(err))
		return err;
	phyr_nvme_fly(queue, slot, &sqe, fn, arg);
	return 0;
}

/* Of a command that changes blocks; their count may be too large to be said in bytes. */
static int check_blocks(struct phyr_nvme_queue *queue, unsigned opc, uint64_t lba, uint64_t nr,
			uint64_t limit)
{
	const struct phyr_nvme *nvme = queue->nvme;
	unsigned lg2 = nvme->block_lg2;
	uint64_t len = nr > UINT64_MAX >> lg2 ? UINT64_MAX - nvme->info.block_size + 1 : nr << lg2;
	int err;

	if (nvme->opts.read_only)
		return phyr_nvme_refuse_write(nvme, call_name(opc), lba, len);
	err = nvme_ready(queue, call_name(opc), lba << lg2, len);
	if (!err)
		err = phyr_nvme_check_range(nvme, call_name(opc), lba, len);
	if (!err && nr > limit)
		err = phyr_nvme_range_error(nvme, call_name(opc), -E2BIG, lba, len, limit << lg2,
					    "more blocks than one command can name: split it");
	return err;
}

int phyr_nvme_write_zeroes(struct phyr_nvme_queue *queue, uint64_t lba, uint64_t nr_blocks,
			   phyr_nvme_fn *fn, void *arg)
{
	struct phyr_nvme *nvme = queue->nvme;
	struct phyr_nvme_sqe sqe = {.opc = PHYR_NVME_CMD_WRITE_ZEROES, .nsid = nvme->opts.nsid};
	struct nvme_slot *slot;
	int err;

	if (!nvme->info.write_zeroes)
		return lacks(nvme, sqe.opc, "the controller has no Write Zeroes command");
	err = check_blocks(queue, sqe.opc, lba, nr_blocks, WRITE_ZEROES_MAX);
	if (!err)
		err = take(queue, sqe.opc, lba, nr_blocks << nvme->block_lg2, &slot);
	if (err)
		return err;
	put_lba(&sqe, lba);
	sqe.cdw12 = PHYR_NVME_CDW12_NLB(nr_blocks);
	phyr_nvme_fly(queue, slot, &sqe, fn, arg);
	return 0;
}

/* The slot's first list page, where the ranges go: it is a page of the controller at least. */
static struct phyr_nvme_dsm_range *range_page(struct nvme_slot *slot)
{
	struct phyr_prp *prp = &slot->prp;

	if (!prp->nr_pages) {
		prp->pages[0].cpu = phyr_dma_pool_alloc(prp->pool, &prp->pages[0].dma);
		prp->nr_pages = prp->pages[0].cpu != NULL;
	}
	return prp->nr_pages ? (struct phyr_nvme_dsm_range *)prp->pages[0].cpu : NULL;
}

/* @return how many ranges */
static unsigned fill_ranges(struct phyr_nvme_dsm_range *ranges, uint64_t lba, uint64_t nr_blocks)
{
	unsigned nr = 0;

	for (uint64_t n; nr_blocks; nr_blocks -= n, lba += n) {
		n = min_u64(nr_blocks, RANGE_MAX);
		ranges[nr++] = (struct phyr_nvme_dsm_range){.nlb = (uint32_t)n, .slba = lba};
	}
	return nr;
}

int phyr_nvme_deallocate(struct phyr_nvme_queue *queue, uint64_t lba, uint64_t nr_blocks,
			 phyr_nvme_fn *fn, void *arg)
{
	struct phyr_nvme *nvme = queue->nvme;
	struct phyr_nvme_sqe sqe = {.opc = PHYR_NVME_CMD_DSM, .nsid = nvme->opts.nsid};
	struct phyr_nvme_dsm_range *ranges;
	struct nvme_slot *slot;
	int err;

	if (!nvme->info.deallocate)
		return lacks(nvme, sqe.opc, "the controller has no Dataset Management command");
	err = check_blocks(queue, sqe.opc, lba, nr_blocks, PHYR_NVME_DSM_NR_MAX * RANGE_MAX);
	if (!err)
		err = take(queue, sqe.opc, lba, nr_blocks << nvme->block_lg2, &slot);
	if (err)
		return err;
	ranges = range_page(slot);
	if (!ranges)
		return phyr_nvme_range_error(nvme, slot->call, -ENOMEM, lba, slot->len, 0,
					     "no memory for the list of ranges");
	sqe.prp1 = slot->prp.pages[0].dma;
	sqe.cdw10 = PHYR_NVME_DSM_NR(fill_ranges(ranges, lba, nr_blocks));
	sqe.cdw11 = PHYR_NVME_DSM_AD;
	phyr_nvme_fly(queue, slot, &sqe, fn, arg);
	return 0;
}
