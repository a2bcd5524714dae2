/* SPDX-License-Identifier: MIT */
/*
 * Waiting: for the device, for a reset that another thread is at, for one's turn.
 *
 * Resets that are asked for back to back leave no time in which a queue could be made. So whoever lost
 * a try to one stands in line, and the next one that is asked for waits until the line is empty, for
 * the time that a command has at most. Resets that the driver needs wait for nobody.
 */
#include "nvme/ctrl.h"

#include <sched.h>
#include <time.h>

#define YIELDS       64 /* what ends soon is seen soon */
#define SLEEP_NS     20000L
#define SLEEP_LG2MAX 6 /* 1.28 ms: long beside a switch, short beside what is waited for */
#define TRIES        8

void phyr_nvme_pause(struct phyr_nvme *nvme, unsigned *pauses)
{
	struct timespec sleep = {0};
	unsigned n = *pauses;

	if (nvme->opts.wait) {
		nvme->opts.wait(nvme->opts.wait_arg);
		return;
	}
	if (n < YIELDS + SLEEP_LG2MAX)
		++*pauses;
	if (n < YIELDS) {
		sched_yield();
		return;
	}
	sleep.tv_nsec = SLEEP_NS << (n - YIELDS);
	nanosleep(&sleep, NULL);
}

void phyr_nvme_waiter_ended(void *waiter, const struct phyr_nvme_done *done)
{
	struct nvme_waiter *w = waiter;

	w->done = *done;
	/* Pairs with the acquire in nvme_waited(): the waiter may be gone right after. */
	store_release(&w->ended, true);
}

uint32_t phyr_nvme_settle(struct phyr_nvme *nvme)
{
	/* Pairs with the releases in move(). */
	uint32_t run = load_acquire(&nvme->run), reset = run / NVME_RUN_STEP;
	unsigned pauses = 0;

	while (nvme_under_way(run) && run / NVME_RUN_STEP == reset) {
		phyr_nvme_pause(nvme, &pauses);
		run = load_acquire(&nvme->run);
	}
	return run;
}

static void stand_in_line(struct phyr_nvme *nvme, struct nvme_try *try)
{
	if (!try->in_line)
		atomic_count_add(&nvme->in_line, 1);
	try->in_line = true;
}

int phyr_nvme_try(struct phyr_nvme *nvme, struct nvme_try *try)
{
	while (try->nr < TRIES) {
		if (try->nr++)
			stand_in_line(nvme, try);
		try->run = phyr_nvme_settle(nvme);
		if (!nvme_under_way(try->run))
			return 0;
	}
	return -EAGAIN;
}

void phyr_nvme_tried(struct phyr_nvme *nvme, const struct nvme_try *try)
{
	if (try->in_line)
		atomic_count_sub(&nvme->in_line, 1);
}

/* The number is read before the line is: who stands there by now loses one try more at most. */
uint32_t phyr_nvme_give_way(struct phyr_nvme *nvme)
{
	uint32_t run = load_acquire(&nvme->run);
	unsigned pauses = 0;
	uint64_t start;

	if (!load_relaxed(&nvme->in_line))
		return run;
	start = env_now_ns(nvme->env);
	while (nvme_phase(run) == NVME_RUNNING && load_relaxed(&nvme->in_line) &&
	       env_now_ns(nvme->env) - start < nvme->opts.timeout_ns) {
		phyr_nvme_pause(nvme, &pauses);
		run = load_acquire(&nvme->run);
	}
	return run;
}
