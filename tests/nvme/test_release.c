/* SPDX-License-Identifier: MIT */
/*
 * A queue's memory is not given back before the controller is stopped, where only a reset makes sure of
 * it and another thread is at that reset.
 *
 * That thread is held at its first register, when it has claimed the reset and the controller still
 * works; it is let go after a number of waits of the thread that wants to give the memory back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <sched.h>

#include "nvme/rig.h"

#define WAITS 200 /* of a thread that waits; one that does not is done long before */

struct held {
	struct phyr_regs regs;
	struct phyr_regs *real;
	struct rig rig;
	struct phyr_nvme *nvme;
	pthread_t maker;
	pthread_t resetter;
	void (*wait)(void *arg);
	void *wait_arg;
	bool due; /* the next wait of the maker's starts the reset */
	bool begun;
	bool reached;
	bool open;
	unsigned waits; /* of the maker's, while the reset is held */
	int err;        /* of the reset */
};

static bool get(const bool *flag)
{
	return __atomic_load_n(flag, __ATOMIC_ACQUIRE);
}

static void set(bool *flag)
{
	__atomic_store_n(flag, true, __ATOMIC_RELEASE);
}

static void hold(struct held *h)
{
	if (!get(&h->begun) || pthread_equal(pthread_self(), h->maker))
		return;
	set(&h->reached);
	while (!get(&h->open))
		sched_yield();
}

static uint64_t held_read(struct phyr_regs *regs, uint64_t offset, unsigned width)
{
	struct held *h = (struct held *)regs;

	hold(h);
	return h->real->read(h->real, offset, width);
}

static void held_write(struct phyr_regs *regs, uint64_t offset, uint64_t value, unsigned width)
{
	struct held *h = (struct held *)regs;

	hold(h);
	h->real->write(h->real, offset, value, width);
}

static void *reset_it(void *arg)
{
	struct held *h = arg;

	h->err = phyr_nvme_reset(h->nvme);
	return NULL;
}

static void begin(struct held *h)
{
	h->due = false;
	set(&h->begun);
	assert_int_equal(pthread_create(&h->resetter, NULL, reset_it, h), 0);
	while (!get(&h->reached))
		sched_yield();
}

static void held_wait(void *arg)
{
	struct held *h = arg;

	if (pthread_equal(pthread_self(), h->maker)) {
		if (h->due)
			begin(h);
		if (get(&h->reached) && ++h->waits == WAITS)
			set(&h->open);
	}
	h->wait(h->wait_arg);
}

/* Faults are of the admin queue. */
static void held_init(struct held *h, const struct phyr_sim_nvme_fault *faults, unsigned nr)
{
	struct phyr_nvme_opts opts;

	*h = (struct held){.regs = {.read = held_read, .write = held_write}};
	rig_init(&h->rig, true);
	rig_disk(&h->rig, 1 << 20, NULL, true);
	opts = rig_opts(&h->rig);
	h->wait = opts.wait;
	h->wait_arg = opts.wait_arg;
	opts.wait = held_wait;
	opts.wait_arg = h;
	h->real = phyr_sim_dev_regs(h->rig.sdev);
	h->regs.size = h->real->size;
	h->maker = pthread_self();
	assert_int_equal(phyr_nvme_open(h->rig.dev, &h->regs, &opts, &h->nvme), 0);
	h->rig.nvme = h->nvme;
	assert_int_equal(phyr_sim_nvme_plan(h->rig.sdev, faults, nr), 0);
}

/* @return whether memory was given back before the reset went on; it goes on now at the latest */
static bool too_early(struct held *h)
{
	bool early = !get(&h->open);

	assert_true(get(&h->begun));
	set(&h->open);
	pthread_join(h->resetter, NULL);
	assert_int_equal(h->err, 0);
	return early;
}

static void works(struct held *h)
{
	struct phyr_nvme_queue *queue;

	assert_int_equal(phyr_nvme_queue_create(h->nvme, 8, &queue), 0);
	assert_int_equal(phyr_nvme_flush_sync(queue), 0);
	phyr_nvme_queue_destroy(queue);
}

static const struct phyr_sim_nvme_fault aborted_sq = {
	.kind = PHYR_SIM_NVME_STATUS, .queue = 0, .opcode = 0x01, .status = 0x07};

/* The controller has the completion queue, and perhaps the submission queue. */
static void create_that_was_aborted(void **state)
{
	struct phyr_nvme_queue *queue = NULL;
	struct held h;

	held_init(&h, &aborted_sq, 1);
	h.due = true;
	assert_int_equal(phyr_nvme_queue_create(h.nvme, 8, &queue), -ETIMEDOUT);
	assert_false(too_early(&h));
	assert_null(queue);
	works(&h);
	rig_fini(&h.rig);
}

/* The submission queue is refused, and then that the completion queue is deleted. */
static void create_that_cannot_be_undone(void **state)
{
	static const struct phyr_sim_nvme_fault refused[] = {
		{.kind = PHYR_SIM_NVME_STATUS, .queue = 0, .opcode = 0x01, .status = 0x101},
		{.kind = PHYR_SIM_NVME_STATUS, .queue = 0, .opcode = 0x04, .status = 0x101},
	};
	struct phyr_nvme_queue *queue = NULL;
	struct held h;

	held_init(&h, refused, 2);
	h.due = true;
	assert_int_equal(phyr_nvme_queue_create(h.nvme, 8, &queue), -EIO);
	assert_false(too_early(&h));
	assert_null(queue);
	works(&h);
	rig_fini(&h.rig);
}

/* A queue that was to be made again is destroyed with its completion queue known. */
static void revival_that_was_cut_off(void **state)
{
	struct phyr_nvme_queue *queue;
	struct held h;

	held_init(&h, NULL, 0);
	assert_int_equal(phyr_nvme_queue_create(h.nvme, 8, &queue), 0);
	assert_int_equal(phyr_nvme_reset(h.nvme), 0);
	assert_int_equal(phyr_sim_nvme_plan(h.rig.sdev, &aborted_sq, 1), 0);
	h.due = true;
	phyr_nvme_poll(queue);
	assert_true(get(&h.reached));
	assert_false(get(&h.open));
	phyr_nvme_queue_destroy(queue);
	assert_false(too_early(&h));
	works(&h);
	rig_fini(&h.rig);
}

/* The same of one that is deleted. */
static void deletion_that_was_aborted(void **state)
{
	static const struct phyr_sim_nvme_fault aborted_delete = {
		.kind = PHYR_SIM_NVME_STATUS, .queue = 0, .opcode = 0x00, .status = 0x07};
	struct phyr_nvme_queue *queue;
	struct held h;

	held_init(&h, &aborted_delete, 1);
	assert_int_equal(phyr_nvme_queue_create(h.nvme, 8, &queue), 0);
	h.due = true;
	phyr_nvme_queue_destroy(queue);
	assert_false(too_early(&h));
	works(&h);
	rig_fini(&h.rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(create_that_was_aborted),
		cmocka_unit_test(create_that_cannot_be_undone),
		cmocka_unit_test(revival_that_was_cut_off),
		cmocka_unit_test(deletion_that_was_aborted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
