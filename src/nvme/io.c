/* SPDX-License-Identifier: MIT */
/*
 * Commands on an I/O queue: submitted, polled for, ended.
 *
 * Everything a device writes is a guess until it is checked. A completion ends a command only when
 * its id is one of a slot in flight; any other one means that the device is not what it says, and
 * the controller is disabled. A slot is free before its function is called, so the function may
 * submit, and poll, again.
 */
#include "nvme/queue.h"

#include "core/bits.h"

#define LOOK_NS        UINT64_C(10000000) /* between looks at CSTS while nothing ends */
#define BUSY_POLLS_MAX 64                 /* polls that find something before time is looked at */

static const char *call_name(unsigned opc)
{
	switch (opc) {
	case PHYR_NVME_CMD_READ:
		return "phyr_nvme_read";
	case PHYR_NVME_CMD_WRITE:
		return "phyr_nvme_write";
	default:
		return "phyr_nvme_flush";
	}
}

/*
 * Slots.
 */

static void take_slot(struct phyr_nvme_queue *queue, struct nvme_slot *slot)
{
	uint16_t id = queue->free;

	queue->free = slot->newer;
	slot->older = queue->newest;
	slot->newer = NVME_NO_SLOT;
	if (queue->newest == NVME_NO_SLOT)
		queue->oldest = id;
	else
		queue->slots[queue->newest].newer = id;
	queue->newest = id;
	queue->in_flight++;
	slot->flying = true;
}

static void free_slot(struct phyr_nvme_queue *queue, struct nvme_slot *slot)
{
	if (slot->older == NVME_NO_SLOT)
		queue->oldest = slot->newer;
	else
		queue->slots[slot->older].newer = slot->newer;
	if (slot->newer == NVME_NO_SLOT)
		queue->newest = slot->older;
	else
		queue->slots[slot->newer].older = slot->older;
	slot->newer = queue->free;
	queue->free = (uint16_t)(slot - queue->slots);
	queue->in_flight--;
	slot->flying = false;
}

/*
 * Submission.
 */

static int range_error(const struct phyr_nvme *nvme, const char *call, int err, uint64_t lba,
		       uint64_t len, uint64_t limit, const char *hint)
{
	return env_fail(nvme->env, .err = err, .call = call, .addr = lba << nvme->block_lg2,
			.len = len, .limit = limit, .hint = hint);
}

static int check_alive(const struct phyr_nvme *nvme, const char *call, uint64_t lba, uint64_t len)
{
	if (likely(nvme_alive(nvme)))
		return 0;
	return range_error(nvme, call, -EIO, lba, len, 0,
			   "the controller failed earlier and is disabled");
}

int phyr_nvme_check_range(const struct phyr_nvme *nvme, const char *call, uint64_t lba,
			  uint64_t len)
{
	uint64_t nr = len >> nvme->block_lg2;

	if (unlikely(!len || len & (nvme->info.block_size - 1)))
		return range_error(nvme, call, -EINVAL, lba, len, nvme->info.block_size,
				   "the length is 0 or no multiple of the logical block");
	if (unlikely(lba > nvme->info.nr_blocks || nr > nvme->info.nr_blocks - lba))
		return range_error(nvme, call, -ERANGE, lba, len, nvme->info.nr_blocks,
				   "past the end of the namespace");
	return 0;
}

/* What can be said of a command before it is built. */
static int check_transfer(const struct phyr_nvme *nvme, const char *call, uint64_t lba,
			  uint64_t len)
{
	int err = check_alive(nvme, call, lba, len);

	if (!err)
		err = phyr_nvme_check_range(nvme, call, lba, len);
	if (!err && unlikely(len > nvme->info.max_transfer))
		err = range_error(nvme, call, -E2BIG, lba, len, nvme->info.max_transfer,
				  "more than one command can transfer: split it");
	return err;
}

static const char *prp_hint(int err)
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

static int build(struct phyr_nvme_queue *queue, struct nvme_slot *slot, struct phyr_cursor *data)
{
	struct phyr_env *env = queue->nvme->env;
	uint64_t start;
	int err;

	if (likely(!queue->timing))
		return phyr_prp_build(&slot->prp, data);
	start = env_now_ns(env);
	err = phyr_prp_build(&slot->prp, data);
	queue->stats.desc_ns += env_now_ns(env) - start;
	return err;
}

static void fly(struct phyr_nvme_queue *queue, struct nvme_slot *slot, struct phyr_nvme_sqe *sqe,
		phyr_nvme_fn *fn, void *arg)
{
	struct phyr_nvme *nvme = queue->nvme;

	sqe->cid = (uint16_t)(slot - queue->slots);
	sqe->nsid = nvme->opts.nsid;
	slot->opc = sqe->opc;
	slot->fn = fn;
	slot->arg = arg;
	slot->start_ns = env_now_ns(nvme->env);
	take_slot(queue, slot);
	queue->stats.submitted++;
	phyr_nvme_ring_push(nvme, &queue->ring, sqe);
}

static int transfer(struct phyr_nvme_queue *queue, uint8_t opc, uint64_t lba,
		    struct phyr_cursor *data, phyr_nvme_fn *fn, void *arg)
{
	struct phyr_nvme *nvme = queue->nvme;
	uint64_t len = data->left;
	struct phyr_nvme_sqe sqe = {.opc = opc};
	struct nvme_slot *slot;
	int err;

	err = check_transfer(nvme, call_name(opc), lba, len);
	if (unlikely(err))
		return err;
	if (queue->free == NVME_NO_SLOT)
		return -EAGAIN;
	slot = &queue->slots[queue->free];
	err = build(queue, slot, data);
	if (unlikely(err))
		return range_error(nvme, call_name(opc), err, lba, len, 0, prp_hint(err));
	slot->offset = lba << nvme->block_lg2;
	slot->len = len;
	sqe.prp1 = slot->prp.prp1;
	sqe.prp2 = slot->prp.prp2;
	sqe.cdw10 = (uint32_t)lba;
	sqe.cdw11 = (uint32_t)(lba >> 32);
	sqe.cdw12 = (uint32_t)(len >> nvme->block_lg2) - 1;
	fly(queue, slot, &sqe, fn, arg);
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
	return transfer(queue, PHYR_NVME_CMD_WRITE, lba, data, fn, arg);
}

int phyr_nvme_flush(struct phyr_nvme_queue *queue, phyr_nvme_fn *fn, void *arg)
{
	struct phyr_nvme_sqe sqe = {.opc = PHYR_NVME_CMD_FLUSH};
	struct nvme_slot *slot;
	int err = check_alive(queue->nvme, call_name(PHYR_NVME_CMD_FLUSH), 0, 0);

	if (unlikely(err))
		return err;
	if (queue->free == NVME_NO_SLOT)
		return -EAGAIN;
	slot = &queue->slots[queue->free];
	slot->offset = slot->len = 0;
	fly(queue, slot, &sqe, fn, arg);
	return 0;
}

/*
 * Completion.
 */

static void end(struct phyr_nvme_queue *queue, struct nvme_slot *slot, int err, uint16_t status)
{
	phyr_nvme_fn *fn = slot->fn;
	void *arg = slot->arg;

	free_slot(queue, slot);
	queue->stats.completed++;
	fn(arg, err, status);
}

/* The controller is disabled: whatever is in flight ends here, the oldest first. */
static unsigned end_dead(struct phyr_nvme_queue *queue)
{
	int err = nvme_dead(queue->nvme);
	unsigned ended = 0;

	if (likely(!err))
		return 0;
	for (; queue->in_flight; ended++)
		end(queue, &queue->slots[queue->oldest], err, 0);
	return ended;
}

static void report_status(const struct phyr_nvme_queue *queue, const struct nvme_slot *slot,
			  const struct nvme_done *done, int err)
{
	env_fail(queue->nvme->env, .err = err, .call = call_name(slot->opc), .index = done->cid,
		 .index_of = "command", .addr = slot->offset, .len = slot->len,
		 .hint = phyr_nvme_status_hint(done->status));
}

/* End the command that a completion names. @return false: it names none that is in flight */
static bool end_done(struct phyr_nvme_queue *queue, const struct nvme_done *done)
{
	struct nvme_slot *slot;
	int err = 0;

	if (unlikely(done->sqid != queue->ring.qid || done->cid >= queue->depth))
		return false;
	slot = &queue->slots[done->cid];
	if (unlikely(!slot->flying))
		return false;
	if (unlikely(done->status)) {
		err = phyr_nvme_status_errno(done->status);
		report_status(queue, slot, done, err);
	}
	end(queue, slot, err, done->status);
	return true;
}

static void fail_stray(struct phyr_nvme_queue *queue, const struct nvme_done *done)
{
	phyr_nvme_fail(queue->nvme,
		       &(const struct phyr_report){
			       .err = -EIO,
			       .call = "phyr_nvme_poll",
			       .index = done->cid,
			       .index_of = "command",
			       .hint = "a completion of a command that is not in flight: "
				       "the controller cannot be trusted and is disabled",
		       });
}

/* A device that completes as fast as functions submit again must not hold its caller for ever. */
static unsigned drain(struct phyr_nvme_queue *queue)
{
	struct nvme_done done;
	unsigned ended = 0;

	while (ended < queue->ring.entries && phyr_nvme_ring_pop(&queue->ring, &done)) {
		if (unlikely(!end_done(queue, &done))) {
			fail_stray(queue, &done);
			return ended + end_dead(queue);
		}
		ended++;
	}
	phyr_nvme_ring_tell(queue->nvme, &queue->ring);
	return ended;
}

static void fail_late(struct phyr_nvme_queue *queue, const struct nvme_slot *slot)
{
	phyr_nvme_fail(queue->nvme, &(const struct phyr_report){
					    .err = -ETIMEDOUT,
					    .call = call_name(slot->opc),
					    .index = (uint64_t)(slot - queue->slots),
					    .index_of = "command",
					    .addr = slot->offset,
					    .len = slot->len,
					    .hint = "a command did not end in time: "
						    "the controller is disabled",
				    });
}

/* Look at the oldest command's time, and now and then whether the controller is still there. */
static unsigned check_time(struct phyr_nvme_queue *queue)
{
	const struct nvme_slot *slot = &queue->slots[queue->oldest];
	struct phyr_nvme *nvme = queue->nvme;
	uint64_t now = env_now_ns(nvme->env);
	const char *trouble;

	if (now - slot->start_ns >= nvme->opts.timeout_ns) {
		fail_late(queue, slot);
	} else if (now >= queue->next_look_ns) {
		queue->next_look_ns = now + LOOK_NS;
		trouble = phyr_nvme_csts_trouble(nvme);
		if (trouble)
			phyr_nvme_fail(nvme, &(const struct phyr_report){.err = -EIO,
									 .call = "phyr_nvme_poll",
									 .hint = trouble});
	}
	return end_dead(queue);
}

/* A poll that found something looks at the time only now and then. */
static bool time_to_look(struct phyr_nvme_queue *queue, unsigned ended)
{
	if (ended && ++queue->busy_polls < BUSY_POLLS_MAX)
		return false;
	queue->busy_polls = 0;
	return queue->in_flight;
}

static unsigned take_or_wait(struct phyr_nvme_queue *queue)
{
	struct phyr_nvme *nvme = queue->nvme;
	unsigned ended = drain(queue);

	if (ended || !queue->in_flight || !nvme->opts.wait)
		return ended;
	nvme->opts.wait(nvme->opts.wait_arg);
	return drain(queue);
}

unsigned phyr_nvme_poll(struct phyr_nvme_queue *queue)
{
	unsigned ended;

	if (unlikely(!nvme_alive(queue->nvme)))
		return end_dead(queue);
	ended = take_or_wait(queue);
	if (time_to_look(queue, ended))
		ended += check_time(queue);
	return ended;
}
