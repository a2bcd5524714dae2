/* SPDX-License-Identifier: MIT */
/* Devices that lie, stop or vanish: the driver says so, and every command ends once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "lib/rnd.h"
#include "nvme/fake.h"
#include "nvme/rig.h"

struct evil {
	struct rig rig;
	struct fake fake;
	struct phyr_nvme *nvme;
	struct phyr_nvme_queue *queue;
};

/* A clock that goes on by a millisecond whenever it is read: timeouts cost no time. */
static uint64_t fast_clock(struct phyr_env *env)
{
	static uint64_t now;

	return now += 1000000;
}

static void evil_init(struct evil *e)
{
	rig_init(&e->rig, true);
	fake_init(&e->fake, e->rig.sim, RIG_SOURCE);
	e->rig.tenv.env.now_ns = fast_clock;
	rig_attach(&e->rig, true);
	e->nvme = NULL;
	e->queue = NULL;
	tenv_restart(&e->rig.tenv);
}

static void evil_fini(struct evil *e)
{
	phyr_nvme_queue_destroy(e->queue);
	phyr_nvme_close(e->nvme);
	e->queue = NULL;
	e->nvme = NULL;
	assert_int_equal(e->fake.cc & 1, 0);
	rig_detach(&e->rig);
	fake_fini(&e->fake);
	e->rig.iommu = NULL;
	e->rig.domain = NULL;
	e->rig.dev = NULL;
	rig_fini(&e->rig);
}

static int evil_open(struct evil *e)
{
	struct phyr_nvme_opts opts = rig_opts(&e->rig);

	opts.queues = 2;
	return phyr_nvme_open(e->rig.dev, phyr_sim_dev_regs(e->fake.sdev), &opts, &e->nvme);
}

/* A driver that came up on a good device, with a queue of depth 8. */
static void evil_up(struct evil *e)
{
	evil_init(e);
	assert_int_equal(evil_open(e), 0);
	assert_int_equal(phyr_nvme_queue_create(e->nvme, 8, &e->queue), 0);
	tenv_restart(&e->rig.tenv);
}

/* Open must fail with err and say why in one report, and leave the device disabled. */
static void open_fails(struct evil *e, int err)
{
	assert_int_equal(evil_open(e), err);
	assert_null(e->nvme);
	assert_true(e->rig.tenv.reports >= 1);
	assert_int_equal(e->rig.tenv.last.err, err);
	assert_string_equal(e->rig.tenv.last.call, "phyr_nvme_open");
	assert_non_null(e->rig.tenv.last.hint);
	assert_int_equal(e->fake.cc & 1, 0);
	evil_fini(e);
}

static void good_one_opens(void **state)
{
	const struct phyr_nvme_info *info;
	struct evil e;

	evil_up(&e);
	info = phyr_nvme_get_info(e.nvme);
	assert_string_equal(info->model, "fake");
	assert_string_equal(info->serial, "S1");
	assert_int_equal(info->nr_blocks, 1000);
	assert_int_equal(info->max_transfer, 1 << 20);
	assert_int_equal(info->max_depth, 63);
	evil_fini(&e);
	assert_int_equal(e.fake.bad_doorbells, 0);
}

static void registers_that_lie(void **state)
{
	struct evil e;

	evil_init(&e);
	e.fake.gone = true;
	open_fails(&e, -ENODEV);
	evil_init(&e);
	e.fake.cap = UINT64_MAX;
	open_fails(&e, -ENODEV);
	evil_init(&e);
	e.fake.cap = 0;
	open_fails(&e, -EOPNOTSUPP);
	evil_init(&e);
	e.fake.cap &= ~UINT64_C(0xffff); /* MQES 0 */
	open_fails(&e, -EIO);
	evil_init(&e);
	e.fake.cap |= UINT64_C(5) << 48; /* MPSMIN 5, MPSMAX 4 */
	open_fails(&e, -EIO);
	evil_init(&e);
	e.fake.cap |= UINT64_C(0xff) << 48; /* pages of 128 MiB */
	open_fails(&e, -EOPNOTSUPP);
	evil_init(&e);
	e.fake.never_ready = true;
	open_fails(&e, -ETIMEDOUT);
	evil_init(&e);
	e.fake.fatal_enable = true;
	open_fails(&e, -EIO);
	evil_init(&e);
	e.fake.csts = 1;
	e.fake.stuck_ready = true;
	open_fails(&e, -ETIMEDOUT);
	assert_int_equal(e.fake.enables, 0);
}

/* A register file that has nothing but CAP. */
static uint64_t only_cap(struct phyr_regs *regs, uint64_t offset, unsigned width)
{
	assert_int_equal(offset, 0);
	return 63 | UINT64_C(1) << 37;
}

static void no_write(struct phyr_regs *regs, uint64_t offset, uint64_t value, unsigned width)
{
	fail();
}

static void registers_too_short(void **state)
{
	static const uint64_t sizes[] = {0, 8, 0x38, 0x1000, 0x1008, 0x100c};
	struct phyr_regs regs = {.read = only_cap, .write = no_write};
	struct evil e;

	evil_init(&e);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		regs.size = sizes[i];
		tenv_restart(&e.rig.tenv);
		assert_int_equal(phyr_nvme_open(e.rig.dev, &regs, NULL, &e.nvme), -EINVAL);
		assert_int_equal(e.rig.tenv.reports, 1);
		assert_int_equal(e.rig.tenv.last.err, -EINVAL);
		assert_string_equal(e.rig.tenv.last.call, "phyr_nvme_open");
		assert_null(e.nvme);
	}
	evil_fini(&e);
}

static void identify_that_lies(void **state)
{
	static const struct {
		bool ctrl;
		unsigned offset, width;
		uint64_t value;
		int err;
	} lies[] = {
		{false, 0, 8, 0, -EIO},          /* NSZE 0 */
		{false, 0, 8, UINT64_MAX, -EIO}, /* NSZE over 2^64 bytes */
		{false, 0, 8, UINT64_C(1) << 55, -EIO},
		{false, 130, 1, 0, -EIO}, /* LBADS */
		{false, 130, 1, 8, -EIO},
		{false, 130, 1, 17, -EOPNOTSUPP},
		{false, 130, 1, 255, -EOPNOTSUPP},
		{false, 128, 2, 8, -EOPNOTSUPP}, /* metadata */
		{false, 26, 1, 3, -EIO},         /* FLBAS past NLBAF */
		{false, 26, 1, 0xff, -EIO},
		{true, 512, 1, 0x77, -EIO}, /* SQES */
		{true, 513, 1, 0x33, -EIO}, /* CQES */
		{true, 516, 4, 0, -EINVAL}, /* no namespace 1 */
	};
	struct evil e;

	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		evil_init(&e);
		fake_put(lies[i].ctrl ? e.fake.ctrl : e.fake.ns, lies[i].offset, lies[i].width,
			 lies[i].value);
		open_fails(&e, lies[i].err);
	}
	/* A format past those that it lists, though the data there looks like one. */
	evil_init(&e);
	fake_put(e.fake.ns, 128 + 3 * 4 + 2, 1, 9);
	fake_put(e.fake.ns, 26, 1, 3);
	open_fails(&e, -EIO);
	/* 64 formats, the last in use: past the data's formats would be past the array. */
	evil_init(&e);
	fake_put(e.fake.ns, 25, 1, 255);
	fake_put(e.fake.ns, 26, 1, 0x6f);
	open_fails(&e, -EIO);
}

static void mdts_is_bounded(void **state)
{
	static const struct {
		uint8_t mdts;
		uint64_t bytes;
	} values[] = {{0, 32 << 20}, {1, 8192}, {13, 32 << 20}, {52, 32 << 20}, {255, 32 << 20}};
	struct evil e;

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		evil_init(&e);
		fake_put(e.fake.ctrl, 77, 1, values[i].mdts);
		assert_int_equal(evil_open(&e), 0);
		assert_int_equal(phyr_nvme_get_info(e.nvme)->max_transfer, values[i].bytes);
		evil_fini(&e);
	}
	evil_init(&e); /* a block that no command can move */
	fake_put(e.fake.ctrl, 77, 1, 1);
	fake_put(e.fake.ns, 130, 1, 16);
	open_fails(&e, -EIO);
}

static void texts_are_printable(void **state)
{
	struct evil e;

	evil_init(&e);
	memset(e.fake.ctrl + 4, 0xff, 68);
	memcpy(e.fake.ctrl + 24, "a\33[2J", 5);
	assert_int_equal(evil_open(&e), 0);
	assert_memory_equal(phyr_nvme_get_info(e.nvme)->model, "a?[2J???", 8);
	assert_int_equal(strlen(phyr_nvme_get_info(e.nvme)->model), 40);
	assert_int_equal(strlen(phyr_nvme_get_info(e.nvme)->serial), 20);
	assert_int_equal(strlen(phyr_nvme_get_info(e.nvme)->firmware), 8);
	evil_fini(&e);
}

static void grants_are_bounded(void **state)
{
	struct phyr_nvme_opts opts;
	struct evil e;

	for (unsigned i = 0; i < 2; i++) {
		evil_init(&e);
		e.fake.granted = i ? UINT32_MAX : 0x00020000;
		opts = rig_opts(&e.rig);
		opts.queues = 3;
		assert_int_equal(
			phyr_nvme_open(e.rig.dev, phyr_sim_dev_regs(e.fake.sdev), &opts, &e.nvme),
			0);
		assert_int_equal(phyr_nvme_get_info(e.nvme)->queues, i ? 3 : 1);
		evil_fini(&e);
	}
}

/* Each admin command of the start goes wrong in each way. */
static void admin_goes_wrong(void **state)
{
	static const struct {
		enum fake_way way;
		int err;
	} ways[] = {
		{FAKE_SILENT, -ETIMEDOUT}, {FAKE_UNKNOWN_CID, -EIO}, {FAKE_IDLE_CID, -EIO},
		{FAKE_OTHER_SQ, -EIO},     {FAKE_STATUS, -EIO},      {FAKE_CFS, -EIO},
	};
	struct evil e;

	for (unsigned good = 0; good < 3; good++) {
		for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
			evil_init(&e);
			e.fake.admin_good = good;
			e.fake.admin_way = ways[i].way;
			e.fake.status = 0x02;
			open_fails(&e, ways[i].err);
		}
	}
}

static void queue_creation_goes_wrong(void **state)
{
	static const enum fake_way ways[] = {FAKE_SILENT, FAKE_STATUS, FAKE_IDLE_CID, FAKE_CFS};
	struct evil e;
	int err;

	for (unsigned good = 3; good < 6; good++) {
		for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
			evil_init(&e);
			e.fake.admin_good = good;
			e.fake.admin_way = ways[i];
			e.fake.status = 0x02;
			assert_int_equal(evil_open(&e), 0);
			err = phyr_nvme_queue_create(e.nvme, 8, &e.queue);
			if (good == 5) { /* made; it goes wrong when it is deleted */
				assert_int_equal(err, 0);
				phyr_nvme_queue_destroy(e.queue);
				e.queue = NULL;
				assert_int_equal(e.fake.cc & 1, 0);
				err = phyr_nvme_queue_create(e.nvme, 8, &e.queue);
				assert_int_equal(err, -EIO);
			} else {
				assert_int_equal(err, ways[i] == FAKE_SILENT ? -ETIMEDOUT : -EIO);
			}
			assert_int_equal(e.rig.tenv.last.err, err);
			assert_string_equal(e.rig.tenv.last.call, "phyr_nvme_queue_create");
			assert_null(e.queue);
			evil_fini(&e);
		}
	}
}

struct watched {
	struct ended ended;
	const struct fake *fake;
};

/* Whoever is told that a command was given up may use its memory: the device must be off by then. */
static void watched_fn(void *arg, int err, uint16_t status)
{
	struct watched *w = arg;

	if (err && !status)
		assert_int_equal(w->fake->cc & 1, 0);
	ended_fn(&w->ended, err, status);
}

/* Fill the queue, poll until all ended, and check that each did so once and how. */
static void all_end_once(struct evil *e, int err, unsigned nr_ok)
{
	struct watched w[8];
	struct phyr_cursor cur;
	unsigned ok = 0;
	struct mem mem;

	mem_init(&e->rig, &mem, 8192, 0, PHYR_DMA_FROM_DEVICE);
	for (unsigned i = 0; i < 8; i++) {
		w[i] = (struct watched){.fake = &e->fake};
		cur = mem_cursor(&mem, 0, 4096);
		assert_int_equal(phyr_nvme_read(e->queue, i, &cur, watched_fn, &w[i]), 0);
	}
	poll_all(e->queue);
	phyr_nvme_poll(e->queue);
	for (unsigned i = 0; i < 8; i++) {
		assert_int_equal(w[i].ended.times, 1);
		assert_true(w[i].ended.err == err || !w[i].ended.err);
		ok += !w[i].ended.err;
	}
	assert_int_equal(ok, nr_ok);
	mem_fini(&e->rig, &mem);
}

/* A refusal by a controller that is dead. */
static void dead_told(struct evil *e, int err, const char *call, uint64_t addr, uint64_t len)
{
	assert_int_equal(err, -EIO);
	assert_int_equal(e->rig.tenv.last.err, -EIO);
	assert_string_equal(e->rig.tenv.last.call, call);
	assert_int_equal(e->rig.tenv.last.addr, addr);
	assert_int_equal(e->rig.tenv.last.len, len);
	tenv_restart(&e->rig.tenv);
}

/* Whatever is asked of a dead controller fails, and says so. */
static void dead_refuses(struct evil *e)
{
	struct phyr_nvme_queue *none = NULL;
	struct ended ended = {0};
	struct phyr_cursor cur;
	struct mem mem;

	mem_init(&e->rig, &mem, 4096, 0, PHYR_DMA_BIDIRECTIONAL);
	cur = mem_cursor(&mem, 0, 4096);
	dead_told(e, phyr_nvme_read(e->queue, 3, &cur, ended_fn, &ended), "phyr_nvme_read", 3 * 512,
		  4096);
	dead_told(e, phyr_nvme_write(e->queue, 4, &cur, ended_fn, &ended), "phyr_nvme_write",
		  4 * 512, 4096);
	assert_int_equal(cur.left, 4096);
	dead_told(e, phyr_nvme_flush(e->queue, ended_fn, &ended), "phyr_nvme_flush", 0, 0);
	dead_told(e, phyr_nvme_read_sync(e->queue, 5, &mem.map), "phyr_nvme_read", 5 * 512, 4096);
	dead_told(e, phyr_nvme_write_sync(e->queue, 5, &mem.map), "phyr_nvme_write", 5 * 512, 4096);
	dead_told(e, phyr_nvme_flush_sync(e->queue), "phyr_nvme_flush", 0, 0);
	dead_told(e, phyr_nvme_queue_create(e->nvme, 4, &none), "phyr_nvme_queue_create", 0, 0);
	assert_null(none);
	assert_int_equal(ended.times, 0);
	assert_int_equal(phyr_nvme_poll(e->queue), 0);
	mem_fini(&e->rig, &mem);
}

/* It died, as one report said: of a command that took too long, or as a poll found out. */
static void is_dead(struct evil *e, int err)
{
	assert_int_equal(e->fake.cc & 1, 0);
	assert_int_equal(e->rig.tenv.reports, 1);
	assert_int_equal(e->rig.tenv.last.err, err);
	assert_string_equal(e->rig.tenv.last.call,
			    err == -ETIMEDOUT ? "phyr_nvme_read" : "phyr_nvme_poll");
	assert_non_null(e->rig.tenv.last.hint);
	dead_refuses(e);
}

static void completions_that_lie(void **state)
{
	static const struct {
		enum fake_way way;
		unsigned ok; /* commands that end well before the lie is seen */
		int err;
	} ways[] = {
		{FAKE_UNKNOWN_CID, 0, -EIO}, {FAKE_OTHER_SQ, 0, -EIO}, {FAKE_DOUBLE, 1, -EIO},
		{FAKE_CFS, 0, -EIO},         {FAKE_GONE, 0, -EIO},     {FAKE_SILENT, 0, -ETIMEDOUT},
	};
	struct phyr_nvme_opts opts;
	struct evil e;

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		evil_init(&e);
		opts = rig_opts(&e.rig);
		opts.queues = 2;
		assert_int_equal(
			phyr_nvme_open(e.rig.dev, phyr_sim_dev_regs(e.fake.sdev), &opts, &e.nvme),
			0);
		assert_int_equal(phyr_nvme_queue_create(e.nvme, 8, &e.queue), 0);
		tenv_restart(&e.rig.tenv);
		e.fake.way = ways[i].way;
		all_end_once(&e, ways[i].err, ways[i].ok);
		is_dead(&e, ways[i].err);
		evil_fini(&e);
	}
}

static void an_idle_id_is_no_command(void **state)
{
	struct ended ended = {0};
	struct phyr_cursor cur;
	struct evil e;
	struct mem mem;

	evil_up(&e);
	mem_init(&e.rig, &mem, 4096, 0, PHYR_DMA_FROM_DEVICE);
	e.fake.way = FAKE_IDLE_CID;
	cur = mem_cursor(&mem, 0, 4096);
	assert_int_equal(phyr_nvme_read(e.queue, 0, &cur, ended_fn, &ended), 0);
	poll_all(e.queue);
	assert_int_equal(ended.times, 1);
	assert_int_equal(ended.err, -EIO);
	assert_int_equal(ended.status, 0);
	is_dead(&e, -EIO);
	mem_fini(&e.rig, &mem);
	evil_fini(&e);
}

static void a_timeout_names_its_command(void **state)
{
	struct ended ended = {0};
	struct phyr_cursor cur;
	struct evil e;
	struct mem mem;

	evil_up(&e);
	mem_init(&e.rig, &mem, 8192, 0, PHYR_DMA_TO_DEVICE);
	e.fake.way = FAKE_SILENT;
	cur = mem_cursor(&mem, 0, 8192);
	assert_int_equal(phyr_nvme_write(e.queue, 33, &cur, ended_fn, &ended), 0);
	poll_all(e.queue);
	assert_int_equal(ended.times, 1);
	assert_int_equal(ended.err, -ETIMEDOUT);
	assert_string_equal(e.rig.tenv.last.call, "phyr_nvme_write");
	assert_int_equal(e.rig.tenv.last.addr, 33 * 512);
	assert_int_equal(e.rig.tenv.last.len, 8192);
	mem_fini(&e.rig, &mem);
	evil_fini(&e);
}

static void destroy_ends_what_does_not_end(void **state)
{
	struct ended ended = {0};
	struct phyr_cursor cur;
	struct evil e;
	struct mem mem;

	evil_up(&e);
	mem_init(&e.rig, &mem, 4096, 0, PHYR_DMA_FROM_DEVICE);
	e.fake.way = FAKE_SILENT;
	cur = mem_cursor(&mem, 0, 4096);
	assert_int_equal(phyr_nvme_read(e.queue, 0, &cur, ended_fn, &ended), 0);
	phyr_nvme_queue_destroy(e.queue);
	e.queue = NULL;
	assert_int_equal(ended.times, 1);
	assert_int_equal(ended.err, -ETIMEDOUT);
	mem_fini(&e.rig, &mem);
	evil_fini(&e);
}

static void a_controller_that_cannot_be_stopped(void **state)
{
	struct evil e;

	evil_up(&e);
	e.fake.way = FAKE_SILENT;
	e.fake.stuck_ready = true;
	all_end_once(&e, -ETIMEDOUT, 0);
	assert_int_equal(e.rig.tenv.reports, 2); /* the command, and that the device runs on */
	e.fake.stuck_ready = false;
	evil_fini(&e);
}

static void a_close_that_cannot_stop_it(void **state)
{
	struct evil e;

	evil_init(&e);
	assert_int_equal(evil_open(&e), 0);
	tenv_restart(&e.rig.tenv);
	e.fake.stuck_ready = true;
	phyr_nvme_close(e.nvme);
	e.nvme = NULL;
	assert_int_equal(e.rig.tenv.reports, 1);
	assert_int_equal(e.rig.tenv.last.err, -ETIMEDOUT);
	assert_string_equal(e.rig.tenv.last.call, "phyr_nvme_close");
	assert_non_null(e.rig.tenv.last.hint);
	evil_fini(&e);
}

static void harmless_oddities(void **state)
{
	static const enum fake_way ways[] = {FAKE_BAD_HEAD, FAKE_LAST_FIRST};
	struct evil e;

	for (size_t i = 0; i < 2; i++) {
		evil_up(&e);
		e.fake.way = ways[i];
		for (unsigned round = 0; round < 5; round++)
			all_end_once(&e, 0, 8);
		assert_int_equal(e.rig.tenv.reports, 0);
		assert_int_equal(e.fake.io_commands, 40);
		evil_fini(&e);
		assert_int_equal(e.fake.bad_doorbells, 0);
	}
}

/* Completions, identify data and statuses at random: nothing but errors may come of it. */
static void random_devices(void **state)
{
	struct rnd rnd = rnd_start("nvme/hostile random");
	struct evil e;

	for (unsigned round = 0; round < 300; round++) {
		evil_init(&e);
		for (unsigned n = 0; n < 3; n++) {
			unsigned char *data = rnd_below(&rnd, 2) ? e.fake.ctrl : e.fake.ns;

			fake_put(data, (unsigned)rnd_below(&rnd, 530), 1, rnd_u64(&rnd));
		}
		e.fake.granted = (uint32_t)rnd_u64(&rnd);
		e.fake.admin_good = (unsigned)rnd_below(&rnd, 12);
		e.fake.admin_way = (enum fake_way)rnd_below(&rnd, FAKE_GONE + 1);
		e.fake.status = (uint16_t)(1 + rnd_below(&rnd, 0x7ff));
		if (!evil_open(&e) && !phyr_nvme_queue_create(e.nvme, 8, &e.queue)) {
			struct ended ended[8] = {{0}};
			unsigned nr = 0;

			e.fake.way = (enum fake_way)rnd_below(&rnd, FAKE_GONE + 1);
			while (nr < 8 && !phyr_nvme_flush(e.queue, ended_fn, &ended[nr]))
				nr++;
			poll_all(e.queue);
			for (unsigned i = 0; i < nr; i++)
				assert_int_equal(ended[i].times, 1);
		}
		evil_fini(&e);
	}
}

/*
 * Two threads, a queue each, on a device that stops: whoever finds out disables it, and both see all
 * of their commands end.
 */
struct worker {
	struct phyr_nvme_queue *queue;
	struct phyr_cursor cur;
	struct ended ended[8];
	pthread_t thread;
};

static void *work(void *arg)
{
	struct worker *w = arg;

	for (unsigned i = 0; i < 8; i++) {
		struct phyr_cursor cur = w->cur;

		if (phyr_nvme_read(w->queue, i, &cur, ended_fn, &w->ended[i]))
			w->ended[i].times = 99;
	}
	poll_all(w->queue);
	return NULL;
}

static void two_threads_see_it_die(void **state)
{
	struct phyr_nvme_opts opts;
	struct worker workers[2];
	struct evil e;
	struct mem mem;

	rig_init(&e.rig, false);
	fake_init(&e.fake, e.rig.sim, RIG_SOURCE);
	rig_attach(&e.rig, true);
	e.queue = NULL;
	opts = rig_opts(&e.rig);
	opts.queues = 2;
	opts.timeout_ns = 50000000;
	assert_int_equal(phyr_nvme_open(e.rig.dev, phyr_sim_dev_regs(e.fake.sdev), &opts, &e.nvme),
			 0);
	mem_init(&e.rig, &mem, 4096, 0, PHYR_DMA_FROM_DEVICE);
	memset(workers, 0, sizeof(workers));
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(phyr_nvme_queue_create(e.nvme, 8, &workers[i].queue), 0);
		workers[i].cur = mem_cursor(&mem, 0, 4096);
	}
	e.fake.way = FAKE_SILENT;
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
	for (unsigned i = 0; i < 2; i++)
		pthread_join(workers[i].thread, NULL);
	for (unsigned i = 0; i < 16; i++) {
		struct ended *ended = &workers[i / 8].ended[i % 8];

		/* The second thread may have come after the end. */
		assert_true(ended->times == 99 || (ended->times == 1 && ended->err == -ETIMEDOUT));
	}
	mem_fini(&e.rig, &mem);
	for (unsigned i = 0; i < 2; i++)
		phyr_nvme_queue_destroy(workers[i].queue);
	evil_fini(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_one_opens),
		cmocka_unit_test(registers_that_lie),
		cmocka_unit_test(registers_too_short),
		cmocka_unit_test(identify_that_lies),
		cmocka_unit_test(mdts_is_bounded),
		cmocka_unit_test(texts_are_printable),
		cmocka_unit_test(grants_are_bounded),
		cmocka_unit_test(admin_goes_wrong),
		cmocka_unit_test(queue_creation_goes_wrong),
		cmocka_unit_test(completions_that_lie),
		cmocka_unit_test(an_idle_id_is_no_command),
		cmocka_unit_test(a_timeout_names_its_command),
		cmocka_unit_test(destroy_ends_what_does_not_end),
		cmocka_unit_test(a_controller_that_cannot_be_stopped),
		cmocka_unit_test(a_close_that_cannot_stop_it),
		cmocka_unit_test(harmless_oddities),
		cmocka_unit_test(random_devices),
		cmocka_unit_test(two_threads_see_it_die),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
