/* SPDX-License-Identifier: MIT */
/* Interrupts: a queue's eventfd is readable when something may have ended, and not before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "nvme/evil.h"

/* A vector table of the test's own, between the simulated device and the driver. */
struct vectors {
	struct phyr_sim_dev *sdev;
	int fds[4];
	int err; /* what connecting says */
};

static void raise_fd(void *arg, unsigned vector)
{
	uint64_t one = 1;

	if (write(*(int *)arg, &one, sizeof(one)) < 0)
		return;
}

static int connect_vector(void *arg, unsigned vector, int fd)
{
	struct vectors *v = arg;

	assert_true(vector < 4);
	if (v->err && fd >= 0)
		return v->err;
	v->fds[vector] = fd;
	return phyr_sim_set_irq(v->sdev, vector, fd < 0 ? NULL : raise_fd, &v->fds[vector]);
}

static void vectors_init(struct vectors *v, struct phyr_sim_dev *sdev)
{
	*v = (struct vectors){.sdev = sdev, .fds = {-1, -1, -1, -1}};
}

static void none_connected(const struct vectors *v)
{
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(v->fds[i], -1);
}

static struct phyr_nvme_opts with_vectors(struct rig *rig, struct vectors *v)
{
	struct phyr_nvme_opts opts = rig_opts(rig);

	opts.queues = 9;
	opts.interrupts = true;
	opts.set_vector_fd = connect_vector;
	opts.vector_arg = v;
	opts.nr_vectors = 4;
	return opts;
}

static bool readable(int fd)
{
	struct pollfd pfd = {.fd = fd, .events = POLLIN};

	return poll(&pfd, 1, 0) == 1;
}

/* Called once in place of whoever comes between, when the driver empties an eventfd. */
static struct phyr_nvme *reset_at_read;

ssize_t __real_read(int fd, void *buf, size_t size);
ssize_t __wrap_read(int fd, void *buf, size_t size);
ssize_t __wrap_read(int fd, void *buf, size_t size)
{
	struct phyr_nvme *nvme = reset_at_read;

	reset_at_read = NULL;
	if (nvme)
		assert_int_equal(phyr_nvme_reset(nvme), 0);
	return __real_read(fd, buf, size);
}

/* The poll that empties a reset's wake-up must see to what the reset took. */
static void a_reset_in_the_midst_of_a_poll(void **state)
{
	struct phyr_nvme_opts opts;
	struct watched w[2];
	struct vectors v;
	struct evil e;

	evil_init(&e);
	vectors_init(&v, e.fake.sdev);
	opts = with_vectors(&e.rig, &v);
	assert_int_equal(phyr_nvme_open(e.rig.dev, phyr_sim_dev_regs(e.fake.sdev), &opts, &e.nvme),
			 0);
	assert_int_equal(phyr_nvme_queue_create(e.nvme, 8, &e.queue), 0);
	evil_fill(&e, &w[0], 1);
	while (phyr_sim_step(e.rig.sim))
		;
	evil_fill(&e, &w[1], 1);
	reset_at_read = e.nvme;
	assert_int_equal(phyr_nvme_poll(e.queue), 2);
	watched_ended(&w[0], 1, 0);
	watched_ended(&w[1], 1, -ECANCELED);
	evil_works(&e);
	evil_fini(&e);
}

static void options_are_checked(void **state)
{
	struct phyr_nvme_opts opts;
	struct vectors v;
	struct evil e;

	evil_init(&e);
	vectors_init(&v, e.fake.sdev);
	opts = with_vectors(&e.rig, &v);
	opts.set_vector_fd = NULL;
	assert_int_equal(phyr_nvme_open(e.rig.dev, phyr_sim_dev_regs(e.fake.sdev), &opts, &e.nvme),
			 -EINVAL);
	opts = with_vectors(&e.rig, &v);
	opts.nr_vectors = 1;
	assert_int_equal(phyr_nvme_open(e.rig.dev, phyr_sim_dev_regs(e.fake.sdev), &opts, &e.nvme),
			 -EINVAL);
	assert_int_equal(e.rig.tenv.reports, 2);
	assert_string_equal(e.rig.tenv.last.call, "phyr_nvme_open");
	opts = with_vectors(&e.rig, &v);
	v.err = -ENOSPC;
	assert_int_equal(phyr_nvme_open(e.rig.dev, phyr_sim_dev_regs(e.fake.sdev), &opts, &e.nvme),
			 -ENOSPC);
	assert_string_equal(e.rig.tenv.last.call, "phyr_nvme_open");
	none_connected(&v);
	assert_null(e.nvme);
	evil_fini(&e);
}

static void queues_have_vectors(void **state)
{
	struct phyr_nvme_queue *queues[3], *none = NULL;
	struct phyr_nvme_opts opts;
	struct vectors v;
	struct evil e;

	evil_init(&e);
	vectors_init(&v, e.fake.sdev);
	e.fake.granted = UINT32_MAX;
	opts = with_vectors(&e.rig, &v);
	assert_int_equal(phyr_nvme_open(e.rig.dev, phyr_sim_dev_regs(e.fake.sdev), &opts, &e.nvme),
			 0);
	assert_int_equal(phyr_nvme_get_info(e.nvme)->queues, 3);
	assert_int_equal(phyr_nvme_queue_fd(phyr_nvme_admin_queue(e.nvme)), v.fds[0]);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(phyr_nvme_queue_create(e.nvme, 8, &queues[i]), 0);
		assert_int_equal(phyr_nvme_queue_fd(queues[i]), v.fds[i + 1]);
		assert_true(v.fds[i + 1] >= 0);
		assert_true(e.fake.queues[i + 1].interrupts);
		assert_int_equal(e.fake.queues[i + 1].vector, i + 1);
	}
	assert_int_equal(phyr_nvme_queue_create(e.nvme, 8, &none), -EBUSY);
	for (unsigned i = 0; i < 3; i++)
		phyr_nvme_queue_destroy(queues[i]);
	v.err = -EIO;
	assert_int_equal(phyr_nvme_queue_create(e.nvme, 8, &none), -EIO);
	assert_string_equal(e.rig.tenv.last.call, "phyr_nvme_queue_create");
	evil_fini(&e);
	none_connected(&v);
}

static void without_interrupts_there_is_no_fd(void **state)
{
	struct evil e;

	evil_up(&e);
	assert_int_equal(phyr_nvme_queue_fd(e.queue), -EOPNOTSUPP);
	assert_int_equal(phyr_nvme_queue_fd(phyr_nvme_admin_queue(e.nvme)), -EOPNOTSUPP);
	assert_false(e.fake.queues[1].interrupts);
	evil_fini(&e);
}

/* A queue that says itself when it is to be polled. */
static void up(struct evil *e, struct vectors *v)
{
	struct phyr_nvme_opts opts;

	evil_init(e);
	vectors_init(v, e->fake.sdev);
	opts = with_vectors(&e->rig, v);
	opts.wait = NULL;
	/* The start waits for the device, which this test steps alone from then on. */
	opts.wait = rig_opts(&e->rig).wait;
	assert_int_equal(
		phyr_nvme_open(e->rig.dev, phyr_sim_dev_regs(e->fake.sdev), &opts, &e->nvme), 0);
	assert_int_equal(phyr_nvme_queue_create(e->nvme, 8, &e->queue), 0);
	phyr_nvme_poll(e->queue);
	phyr_nvme_poll(phyr_nvme_admin_queue(e->nvme));
}

static void readable_until_polled(void **state)
{
	struct ended ended = {0};
	struct vectors v;
	struct evil e;
	int fd;

	up(&e, &v);
	fd = phyr_nvme_queue_fd(e.queue);
	for (unsigned round = 1; round < 20; round++) {
		assert_false(readable(fd));
		assert_int_equal(phyr_nvme_flush(e.queue, ended_fn, &ended), 0);
		phyr_sim_step(e.rig.sim);
		assert_true(readable(fd));
		assert_int_equal(phyr_nvme_poll(e.queue), 1);
		assert_int_equal(ended.times, round);
	}
	assert_false(readable(fd));
	evil_fini(&e);
}

/* An event makes the admin queue's readable, also when another call took the completion. */
static void events_are_seen(void **state)
{
	unsigned char sqe[64] = {0x0c};
	struct phyr_nvme_queue *admin, *other;
	struct ended ended = {0};
	struct vectors v;
	struct evil e;
	int fd;

	up(&e, &v);
	admin = phyr_nvme_admin_queue(e.nvme);
	fd = phyr_nvme_queue_fd(admin);
	assert_int_equal(phyr_nvme_submit(admin, sqe, NULL, ended_fn, &ended), 0);
	phyr_sim_step(e.rig.sim);
	assert_false(readable(fd));
	fake_event(&e.fake, 0x42);
	assert_true(readable(fd));
	assert_int_equal(phyr_nvme_queue_create(e.nvme, 4, &other), 0);
	assert_int_equal(ended.times, 0);
	assert_true(readable(fd));
	assert_int_equal(phyr_nvme_poll(admin), 1);
	assert_int_equal(ended.times, 1);
	assert_int_equal(ended.result, 0x42);
	phyr_nvme_queue_destroy(other);
	evil_fini(&e);
}

/* Whoever sleeps on a queue learns that the controller was reset; so does the admin queue. */
static void a_reset_wakes(void **state)
{
	struct ended ended[2] = {{0}};
	unsigned char sqe[64] = {0x0c};
	struct phyr_nvme_queue *admin;
	struct vectors v;
	struct evil e;

	up(&e, &v);
	admin = phyr_nvme_admin_queue(e.nvme);
	assert_int_equal(phyr_nvme_submit(admin, sqe, NULL, ended_fn, &ended[0]), 0);
	e.fake.way = FAKE_SILENT;
	assert_int_equal(phyr_nvme_flush(e.queue, ended_fn, &ended[1]), 0);
	phyr_sim_step(e.rig.sim);
	assert_false(readable(phyr_nvme_queue_fd(e.queue)));
	assert_int_equal(phyr_nvme_reset(e.nvme), 0);
	assert_true(readable(phyr_nvme_queue_fd(e.queue)));
	assert_true(readable(phyr_nvme_queue_fd(admin)));
	assert_int_equal(phyr_nvme_poll(admin), 1);
	assert_false(readable(phyr_nvme_queue_fd(admin)));
	assert_int_equal(phyr_nvme_poll(e.queue), 1);
	assert_int_equal(ended[0].err, -ECANCELED);
	assert_int_equal(ended[1].err, -ECANCELED);
	assert_false(readable(phyr_nvme_queue_fd(e.queue)));
	assert_true(e.fake.queues[1].interrupts); /* as it was made */
	evil_fini(&e);
}

/*
 * What a thread that sleeps on a queue sees of another thread's reset: the function that waits for the
 * device stands for it. While the device is stopped a poll empties the eventfd and it stays empty; a
 * queue with commands in flight is woken when they have ended, and all are when the controller is up.
 */
struct sleeper {
	struct evil e;
	struct phyr_nvme_queue *idle;
	struct ended ended;
	bool stopping, starting;
	unsigned seen;
};

static void still(struct phyr_nvme_queue *queue)
{
	assert_int_equal(phyr_nvme_poll(queue), 0);
	assert_false(readable(phyr_nvme_queue_fd(queue)));
}

static void sleep_on(void *arg)
{
	struct sleeper *s = arg;
	int fd;

	phyr_sim_step(s->e.rig.sim);
	if (s->stopping && !(s->e.fake.cc & 1)) {
		fd = phyr_nvme_queue_fd(s->e.queue);
		assert_int_equal(write(fd, &(uint64_t){1}, 8), 8); /* an interrupt from before */
		still(s->e.queue);
		still(s->idle);
		s->stopping = s->e.fake.stuck_ready = false;
		s->e.fake.csts = 0;
		s->seen++;
	} else if (s->starting && s->e.fake.cc & 1 && !s->e.fake.csts) {
		assert_true(readable(phyr_nvme_queue_fd(s->e.queue)));
		assert_false(readable(phyr_nvme_queue_fd(s->idle)));
		assert_int_equal(phyr_nvme_poll(s->e.queue), 1);
		assert_int_equal(s->ended.err, -ECANCELED);
		still(s->e.queue);
		s->starting = false;
		s->e.fake.csts = 1;
		s->seen++;
	}
}

static void a_reset_wakes_as_often_as_needed(void **state)
{
	struct sleeper s = {.seen = 0};
	struct phyr_nvme_opts opts;
	struct vectors v;
	struct evil *e = &s.e;

	evil_init(e);
	vectors_init(&v, e->fake.sdev);
	opts = with_vectors(&e->rig, &v);
	opts.wait = sleep_on;
	opts.wait_arg = &s;
	assert_int_equal(
		phyr_nvme_open(e->rig.dev, phyr_sim_dev_regs(e->fake.sdev), &opts, &e->nvme), 0);
	assert_int_equal(phyr_nvme_queue_create(e->nvme, 8, &e->queue), 0);
	assert_int_equal(phyr_nvme_queue_create(e->nvme, 8, &s.idle), 0);
	still(e->queue);
	still(s.idle);
	e->fake.way = FAKE_SILENT;
	assert_int_equal(phyr_nvme_flush(e->queue, ended_fn, &s.ended), 0);
	e->fake.way_once = e->fake.stuck_ready = e->fake.never_ready = true;
	s.stopping = s.starting = true;
	assert_int_equal(phyr_nvme_reset(e->nvme), 0);
	assert_int_equal(s.seen, 2);
	assert_int_equal(s.ended.times, 1);
	assert_true(readable(phyr_nvme_queue_fd(e->queue)));
	assert_true(readable(phyr_nvme_queue_fd(s.idle)));
	assert_true(readable(phyr_nvme_queue_fd(phyr_nvme_admin_queue(e->nvme))));
	still(e->queue);
	still(s.idle);
	still(phyr_nvme_admin_queue(e->nvme));
	e->fake.never_ready = false;
	phyr_nvme_queue_destroy(s.idle);
	evil_fini(e);
}

/* On a machine with a thread of its own nothing is polled for: calls that wait sleep. */
static void waiting_sleeps(void **state)
{
	struct phyr_nvme_queue *queue;
	struct phyr_nvme_opts opts;
	struct vectors v;
	struct rig rig;
	struct mem mem;
	unsigned char sqe[64] = {0x0a};

	rig_init(&rig, false);
	rig_disk(&rig, 1 << 20, NULL, true);
	vectors_init(&v, rig.sdev);
	opts = with_vectors(&rig, &v);
	rig_open(&rig, &opts);
	assert_int_equal(phyr_nvme_queue_create(rig.nvme, 8, &queue), 0);
	mem_init(&rig, &mem, 1 << 20, 0, PHYR_DMA_BIDIRECTIONAL);
	for (unsigned i = 0; i < 20; i++) {
		memset(mem.cpu, (int)i, mem.len);
		assert_int_equal(phyr_nvme_write_sync(queue, 0, &mem.map), 0);
		memset(mem.cpu, 0xff, mem.len);
		assert_int_equal(phyr_nvme_read_sync(queue, 0, &mem.map), 0);
		assert_int_equal(mem.cpu[mem.len - 1], i);
		assert_int_equal(phyr_nvme_flush_sync(queue), 0);
		sqe[40] = 0x07; /* Get Features, Number of Queues */
		assert_int_equal(
			phyr_nvme_submit_sync(phyr_nvme_admin_queue(rig.nvme), sqe, NULL, NULL), 0);
	}
	mem_fini(&rig, &mem);
	phyr_nvme_queue_destroy(queue);
	phyr_nvme_close(rig.nvme);
	rig.nvme = NULL;
	none_connected(&v);
	rig_fini(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_are_checked),
		cmocka_unit_test(a_reset_in_the_midst_of_a_poll),
		cmocka_unit_test(queues_have_vectors),
		cmocka_unit_test(without_interrupts_there_is_no_fd),
		cmocka_unit_test(readable_until_polled),
		cmocka_unit_test(events_are_seen),
		cmocka_unit_test(a_reset_wakes),
		cmocka_unit_test(a_reset_wakes_as_often_as_needed),
		cmocka_unit_test(waiting_sleeps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
