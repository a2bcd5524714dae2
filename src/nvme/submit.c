/* SPDX-License-Identifier: MIT */
/* Commands on their way: what is checked, built and sent, whoever asks for them; and passthrough. */
#include "nvme/ctrl.h"

#include "core/bits.h"
#include "core/mem.h"

/* Blocks in bytes; what no namespace can have is as much as can be said. */
static uint64_t bytes_of(const struct phyr_nvme *nvme, uint64_t nr_blocks)
{
	return nr_blocks <= UINT64_MAX >> nvme->block_lg2 ? nr_blocks << nvme->block_lg2
							  : UINT64_MAX;
}

int phyr_nvme_range_error(const struct phyr_nvme *nvme, const char *call, int err, uint64_t lba,
			  uint64_t len, uint64_t limit, const char *hint)
{
	return env_fail(nvme->env, .err = err, .call = call, .addr = bytes_of(nvme, lba),
			.len = len, .limit = limit, .hint = hint);
}

int phyr_nvme_check_range(const struct phyr_nvme *nvme, const char *call, uint64_t lba,
			  uint64_t len)
{
	uint64_t nr = len >> nvme->block_lg2;

	if (unlikely(!len || len & (nvme->info.block_size - 1)))
		return phyr_nvme_range_error(nvme, call, -EINVAL, lba, len, nvme->info.block_size,
					     "the length is 0 or no multiple of the logical block");
	if (unlikely(lba > nvme->info.nr_blocks || nr > nvme->info.nr_blocks - lba))
		return phyr_nvme_range_error(nvme, call, -ERANGE, lba, len,
					     bytes_of(nvme, nvme->info.nr_blocks),
					     "past the end of the namespace");
	return 0;
}

static int come_back(struct phyr_nvme_queue *queue, const char *call)
{
	struct phyr_nvme *nvme = queue->nvme;
	struct nvme_try try = {0};
	int err;

	do {
		err = phyr_nvme_try(nvme, &try);
		if (!err && nvme_phase(try.run) == NVME_RUNNING)
			err = phyr_nvme_revive(queue, try.run, call);
	} while (err == -ECANCELED);
	phyr_nvme_tried(nvme, &try);
	return err;
}

/*
 * The run has changed since the queue's rings were made. With commands in flight that is for the next
 * poll, which tells of them; without any the queue is made again here.
 */
__attribute__((noinline)) int phyr_nvme_ready_slow(struct phyr_nvme_queue *queue, const char *call,
						   uint64_t offset, uint64_t len)
{
	struct phyr_nvme *nvme = queue->nvme;
	int err = -EAGAIN;

	if (queue == &nvme->admin)
		return env_fail(nvme->env, .err = -EINVAL, .call = call,
				.hint = "the admin queue takes no I/O commands");
	if (!queue->in_flight)
		err = come_back(queue, call);
	if (nvme_phase(load_acquire(&nvme->run)) == NVME_DEAD)
		return phyr_nvme_say_dead(nvme, call, offset, len);
	return err;
}

const char *phyr_nvme_prp_hint(int err)
{
	switch (err) {
	case -EINVAL:
		return "the device cannot describe the buffer: its start is off a dword, or an "
		       "inner edge off the controller's page";
	case -ENOMEM:
		return "no memory for PRP lists";
	default:
		return "the buffer takes more PRP entries than a command has";
	}
}

static int timed_build(struct phyr_nvme_queue *queue, struct nvme_slot *slot,
		       struct phyr_cursor *data)
{
	struct phyr_env *env = queue->nvme->env;
	uint64_t start = env_now_ns(env);
	int err = phyr_prp_build(&slot->prp, data);

	queue->stats.desc_ns += env_now_ns(env) - start;
	return err;
}

int phyr_nvme_build(struct phyr_nvme_queue *queue, struct nvme_slot *slot, struct phyr_cursor *data,
		    struct phyr_nvme_sqe *sqe)
{
	int err = likely(!queue->timing) ? phyr_prp_build(&slot->prp, data)
					 : timed_build(queue, slot, data);

	if (likely(!err)) {
		sqe->prp1 = slot->prp.prp1;
		sqe->prp2 = slot->prp.prp2;
	}
	return err;
}

static inline void fly(struct phyr_nvme_queue *queue, struct nvme_slot *slot,
		       struct phyr_nvme_sqe *sqe, phyr_nvme_fn *fn, void *arg, bool own)
{
	struct phyr_nvme *nvme = queue->nvme;

	sqe->cid = slot->cid = nvme_next_cid(queue, slot);
	slot->fn = fn;
	slot->arg = arg;
	slot->start_ns = env_now_ns(nvme->env);
	slot->own = own;
	slot->timeless = slot->aborted = slot->late = false;
	nvme_take_slot(queue, slot);
	phyr_nvme_ring_push(nvme, &queue->ring, sqe);
}

void phyr_nvme_fly(struct phyr_nvme_queue *queue, struct nvme_slot *slot, struct phyr_nvme_sqe *sqe,
		   phyr_nvme_fn *fn, void *arg)
{
	count_add(&queue->in_flight, 1);
	queue->stats.submitted++;
	fly(queue, slot, sqe, fn, arg, false);
}

void phyr_nvme_fly_own(struct phyr_nvme_queue *queue, struct nvme_slot *slot,
		       struct phyr_nvme_sqe *sqe, phyr_nvme_fn *fn, void *arg)
{
	queue->nvme->own_out++;
	fly(queue, slot, sqe, fn, arg, true);
}

/*
 * Passthrough.
 */

static int submit_error(const struct phyr_nvme *nvme, int err, uint64_t len, uint64_t limit,
			const char *hint)
{
	return env_fail(nvme->env, .err = err, .call = NVME_SUBMIT_CALL, .len = len, .limit = limit,
			.hint = hint);
}

int phyr_nvme_build_map(struct phyr_nvme_queue *queue, struct nvme_slot *slot,
			const struct phyr_dma_map *map, struct phyr_nvme_sqe *sqe)
{
	struct phyr_cursor data;
	int err;

	slot->offset = 0;
	slot->len = map ? map->src->len : 0;
	sqe->prp1 = sqe->prp2 = 0;
	if (!map)
		return 0;
	err = phyr_dma_map_cursor(map, 0, map->src->len, &data);
	if (!err)
		err = phyr_nvme_build(queue, slot, &data, sqe);
	return err ? submit_error(queue->nvme, err, slot->len, 0, phyr_nvme_prp_hint(err)) : 0;
}

/* What would change the driver's queues behind its back; NULL: nothing. */
static const char *forbidden(const struct phyr_nvme_sqe *sqe)
{
	switch (sqe->opc) {
	case PHYR_NVME_ADMIN_DELETE_SQ:
	case PHYR_NVME_ADMIN_CREATE_SQ:
	case PHYR_NVME_ADMIN_DELETE_CQ:
	case PHYR_NVME_ADMIN_CREATE_CQ:
		return "queues are the driver's: phyr_nvme_queue_create() makes one";
	case PHYR_NVME_ADMIN_ABORT:
		return "aborts are the driver's: command ids are, and it aborts what is late";
	case PHYR_NVME_ADMIN_DOORBELL_BUFFER:
		return "doorbells are the driver's: it writes the registers";
	case PHYR_NVME_ADMIN_SET_FEATURES:
		return (sqe->cdw10 & 0xff) == PHYR_NVME_FEAT_NUM_QUEUES
			       ? "the number of queues is the driver's: opts.queues"
			       : NULL;
	default:
		return NULL;
	}
}

static int check_data(const struct phyr_nvme *nvme, const struct phyr_dma_map *map)
{
	if (map->how == PHYR_DMA_NONE)
		return submit_error(nvme, -EINVAL, 0, 0, "nothing is mapped");
	if (map->src->len > nvme->info.max_transfer)
		return submit_error(nvme, -E2BIG, map->src->len, nvme->info.max_transfer,
				    "more than one command can transfer: split it");
	return 0;
}

static int check_passed(const struct phyr_nvme_queue *queue, const struct phyr_nvme_sqe *sqe,
			const struct phyr_dma_map *map)
{
	const struct phyr_nvme *nvme = queue->nvme;
	const char *why = queue == &nvme->admin ? forbidden(sqe) : NULL;

	if (sqe->flags || sqe->mptr)
		return submit_error(nvme, -EINVAL, 0, 0,
				    "fused commands, SGLs and metadata are not supported: flags "
				    "and mptr are 0");
	if (why)
		return submit_error(nvme, -EPERM, 0, 0, why);
	if (nvme->opts.read_only) {
		int err = phyr_nvme_check_harmless(queue, sqe);

		if (err)
			return err;
	}
	return map ? check_data(nvme, map) : 0;
}

static int submit_io(struct phyr_nvme_queue *queue, struct phyr_nvme_sqe *sqe,
		     const struct phyr_dma_map *map, phyr_nvme_fn *fn, void *arg)
{
	struct nvme_slot *slot;
	int err = nvme_ready(queue, NVME_SUBMIT_CALL, 0, 0);

	if (unlikely(err))
		return err;
	slot = nvme_next_slot(queue);
	if (!slot)
		return -EAGAIN;
	slot->call = NVME_SUBMIT_CALL;
	err = phyr_nvme_build_map(queue, slot, map, sqe);
	if (!err)
		phyr_nvme_fly(queue, slot, sqe, fn, arg);
	return err;
}

int phyr_nvme_submit(struct phyr_nvme_queue *queue, const void *sqe64,
		     const struct phyr_dma_map *map, phyr_nvme_fn *fn, void *arg)
{
	struct phyr_nvme_sqe sqe;
	int err;

	mem_copy(&sqe, sqe64, sizeof(sqe));
	err = check_passed(queue, &sqe, map);
	if (err)
		return err;
	if (queue == &queue->nvme->admin)
		return phyr_nvme_admin_submit(queue->nvme, &sqe, map, fn, arg);
	return submit_io(queue, &sqe, map, fn, arg);
}
