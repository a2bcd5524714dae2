/* SPDX-License-Identifier: MIT */
/*
 * A reset that takes long to stop the device, while another thread makes a queue: its command ends by
 * the reset, and is not late for it.
 *
 * The registers are the simulated controller's, but for a doorbell that is lost, so that the command is
 * in flight when the reset comes, and for a device that takes its time to stop. The clock stands still
 * but for that time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <sched.h>

#include "nvme/rig.h"

#define CC         0x14
#define CSTS       0x1c
#define DOORBELL   0x1000
#define RDY        1u
#define TIMEOUT_NS 1000000u
#define LOOKS      8    /* of the maker, a timeout apart, until it has stopped */
#define WAITS      2000 /* of the resetter, when the maker does not look */

struct slow {
	struct phyr_regs regs;
	struct phyr_regs *real;
	pthread_t maker;
	bool lose; /* the next doorbell of the maker's */
	bool lost;
	bool stopping;
	unsigned looks; /* of the maker's, while it stops */
	unsigned waits; /* of the resetter's */
};

static uint64_t now;

static uint64_t still_clock(struct phyr_env *env)
{
	return __atomic_load_n(&now, __ATOMIC_RELAXED);
}

static bool is_maker(const struct slow *s)
{
	return pthread_equal(pthread_self(), s->maker);
}

static uint64_t slow_read(struct phyr_regs *regs, uint64_t offset, unsigned width)
{
	struct slow *s = (struct slow *)regs;
	uint64_t value = s->real->read(s->real, offset, width);

	if (offset != CSTS || !__atomic_load_n(&s->stopping, __ATOMIC_ACQUIRE))
		return value;
	if (is_maker(s))
		__atomic_add_fetch(&now, TIMEOUT_NS, __ATOMIC_RELAXED);
	if (is_maker(s) ? ++s->looks == LOOKS : ++s->waits == WAITS)
		__atomic_store_n(&s->stopping, false, __ATOMIC_RELEASE);
	return value | RDY;
}

static void slow_write(struct phyr_regs *regs, uint64_t offset, uint64_t value, unsigned width)
{
	struct slow *s = (struct slow *)regs;

	if (offset == DOORBELL && is_maker(s) && s->lose) {
		s->lose = false;
		__atomic_store_n(&s->lost, true, __ATOMIC_RELEASE);
		return;
	}
	if (offset == CC && !(value & 1) && __atomic_load_n(&s->lost, __ATOMIC_ACQUIRE) &&
	    !s->waits)
		__atomic_store_n(&s->stopping, true, __ATOMIC_RELEASE);
	s->real->write(s->real, offset, value, width);
}

struct resetter {
	struct slow *slow;
	struct phyr_nvme *nvme;
	int err;
};

static void *reset_then(void *arg)
{
	struct resetter *r = arg;

	while (!__atomic_load_n(&r->slow->lost, __ATOMIC_ACQUIRE))
		sched_yield();
	r->err = phyr_nvme_reset(r->nvme);
	return NULL;
}

static void a_slow_stop_makes_nothing_late(void **state)
{
	struct slow s = {.regs = {.read = slow_read, .write = slow_write}, .lose = false};
	struct phyr_nvme_queue *queue;
	struct phyr_nvme_opts opts;
	struct resetter r = {.slow = &s};
	struct phyr_nvme_ctrl_stats stats;
	pthread_t thread;
	struct rig rig;

	rig_init(&rig, false);
	rig.tenv.env.now_ns = still_clock;
	rig_disk(&rig, 1 << 20, NULL, true);
	opts = rig_opts(&rig);
	opts.timeout_ns = TIMEOUT_NS;
	s.real = phyr_sim_dev_regs(rig.sdev);
	s.regs.size = s.real->size;
	s.maker = pthread_self();
	assert_int_equal(phyr_nvme_open(rig.dev, &s.regs, &opts, &rig.nvme), 0);
	s.lose = true;
	r.nvme = rig.nvme;
	assert_int_equal(pthread_create(&thread, NULL, reset_then, &r), 0);
	assert_int_equal(phyr_nvme_queue_create(rig.nvme, 4, &queue), 0);
	pthread_join(thread, NULL);
	assert_int_equal(r.err, 0);
	assert_int_equal(s.looks, LOOKS);
	assert_int_equal(phyr_nvme_flush_sync(queue), 0);
	phyr_nvme_get_stats(rig.nvme, &stats);
	assert_int_equal(stats.resets, 1);
	assert_int_equal(stats.aborts, 0);
	phyr_nvme_queue_destroy(queue);
	rig_fini(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_slow_stop_makes_nothing_late),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
