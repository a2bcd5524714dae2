/* SPDX-License-Identifier: MIT */
/* Commands that are waited for: a whole mapped list, split and kept in flight together. */
#include "nvme/ctrl.h"

#include "core/bits.h"

typedef int submit_fn(struct phyr_nvme_queue *queue, uint64_t lba, struct phyr_cursor *data,
		      phyr_nvme_fn *fn, void *arg);

struct waiter {
	unsigned flying;
	int err; /* the first that there was */
};

static void ended(void *arg, const struct phyr_nvme_done *done)
{
	struct waiter *w = arg;

	w->flying--;
	if (!w->err)
		w->err = done->err;
}

/* What was submitted uses the caller's memory: wait for it even when something failed. */
static int wait_all(struct phyr_nvme_queue *queue, struct waiter *w)
{
	while (w->flying)
		nvme_poll_once(queue);
	return w->err;
}

/* Submit one piece, waiting for a slot. */
static int submit_piece(struct phyr_nvme_queue *queue, submit_fn *submit, uint64_t lba,
			struct phyr_cursor *data, struct waiter *w)
{
	int err;

	while ((err = submit(queue, lba, data, ended, w)) == -EAGAIN && !w->err)
		nvme_poll_once(queue);
	if (!err)
		w->flying++;
	return err;
}

/* A device that is no controller has no queue (phyr_get_queue()), and nobody to report that to. */
static int check_whole(const struct phyr_nvme_queue *queue, const char *call, uint64_t lba,
		       const struct phyr_dma_map *map, enum phyr_dma_dir wrong)
{
	const struct phyr_nvme *nvme;

	if (!queue)
		return -EINVAL;
	nvme = queue->nvme;
	if (map->how == PHYR_DMA_NONE)
		return env_fail(nvme->env, .err = -EINVAL, .call = call,
				.addr = lba << nvme->block_lg2, .hint = "nothing is mapped");
	if (map->dir == wrong)
		return phyr_nvme_range_error(nvme, call, -EINVAL, lba, map->src->len, 0,
					     wrong == PHYR_DMA_TO_DEVICE
						     ? "mapped for the other direction: a read "
						       "writes memory (PHYR_DMA_FROM_DEVICE)"
						     : "mapped for the other direction: a write "
						       "reads memory (PHYR_DMA_TO_DEVICE)");
	return phyr_nvme_check_range(nvme, call, lba, map->src->len);
}

static int transfer_all(struct phyr_nvme_queue *queue, submit_fn *submit, uint64_t lba,
			const struct phyr_dma_map *map)
{
	const struct phyr_nvme *nvme = queue->nvme;
	uint64_t len = map->src->len, n;
	struct waiter w = {0};
	int err = 0;

	for (uint64_t at = 0; at < len && !err && !w.err; at += n) {
		struct phyr_cursor cur;

		n = min_u64(len - at, nvme->info.max_transfer);
		err = phyr_dma_map_cursor(map, at, n, &cur);
		if (!err)
			err = submit_piece(queue, submit, lba + (at >> nvme->block_lg2), &cur, &w);
	}
	wait_all(queue, &w);
	return w.err ? w.err : err;
}

int phyr_nvme_read_sync(struct phyr_nvme_queue *queue, uint64_t lba, const struct phyr_dma_map *map)
{
	int err = check_whole(queue, "phyr_nvme_read_sync", lba, map, PHYR_DMA_TO_DEVICE);

	return err ? err : transfer_all(queue, phyr_nvme_read, lba, map);
}

int phyr_nvme_write_sync(struct phyr_nvme_queue *queue, uint64_t lba,
			 const struct phyr_dma_map *map)
{
	int err = check_whole(queue, "phyr_nvme_write_sync", lba, map, PHYR_DMA_FROM_DEVICE);

	return err ? err : transfer_all(queue, phyr_nvme_write, lba, map);
}

int phyr_nvme_flush_sync(struct phyr_nvme_queue *queue)
{
	struct waiter w = {0};
	int err;

	if (!queue)
		return -EINVAL;
	while ((err = phyr_nvme_flush(queue, ended, &w)) == -EAGAIN)
		nvme_poll_once(queue);
	if (err)
		return err;
	w.flying = 1;
	return wait_all(queue, &w);
}

int phyr_nvme_submit_sync(struct phyr_nvme_queue *queue, const void *sqe64,
			  const struct phyr_dma_map *map, struct phyr_nvme_done *done)
{
	struct nvme_waiter w = {.ended = false};
	int err;

	if (!queue)
		return -EINVAL;
	while ((err = phyr_nvme_submit(queue, sqe64, map, phyr_nvme_waiter_ended, &w)) == -EAGAIN)
		nvme_poll_once(queue);
	if (err)
		return err;
	while (!nvme_waited(&w))
		nvme_poll_once(queue);
	if (done)
		*done = w.done;
	return w.done.err;
}
