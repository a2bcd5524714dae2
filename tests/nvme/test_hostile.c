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
#include "nvme/evil.h"

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

/* What was made of a queue that is refused in the middle is taken back: the next try finds nothing. */
static void half_a_queue_is_taken_back(void **state)
{
	struct evil e;

	for (unsigned good = 3; good < 5; good++) {
		evil_init(&e);
		e.fake.admin_good = good;
		e.fake.admin_bad = 1;
		e.fake.admin_way = FAKE_REFUSE;
		e.fake.status = 0x06;
		assert_int_equal(evil_open(&e), 0);
		assert_int_equal(phyr_nvme_queue_create(e.nvme, 8, &e.queue), -EIO);
		assert_null(e.queue);
		assert_int_equal(phyr_nvme_queue_create(e.nvme, 8, &e.queue), 0);
		assert_int_equal(phyr_nvme_flush_sync(e.queue), 0);
		assert_int_equal(e.fake.enables, 1);
		evil_fini(&e);
	}
}

/* How eight commands ended, of a queue of eight. */
struct tally {
	unsigned ok, late, other;
	int err; /* of the others */
};

/* Fill the queue, poll until all ended, and check that each did so once. */
static struct tally all_end_once(struct evil *e)
{
	struct tally t = {0};
	struct watched w[8];
	struct phyr_cursor cur;
	struct mem mem;

	mem_init(&e->rig, &mem, 8192, 0, PHYR_DMA_FROM_DEVICE);
	for (unsigned i = 0; i < 8; i++) {
		watch(&w[i], &e->fake);
		cur = mem_cursor(&mem, 0, 4096);
		assert_int_equal(phyr_nvme_read(e->queue, i, &cur, watched_fn, &w[i]), 0);
	}
	poll_all(e->queue);
	phyr_nvme_poll(e->queue);
	for (unsigned i = 0; i < 8; i++) {
		int err = w[i].ended.err;

		assert_int_equal(w[i].ended.times, 1);
		t.ok += !err;
		t.late += err == -ETIMEDOUT;
		t.other += err && err != -ETIMEDOUT;
		assert_true(!err || err == -ETIMEDOUT || !t.err || t.err == err);
		t.err = err && err != -ETIMEDOUT ? err : t.err;
	}
	mem_fini(&e->rig, &mem);
	return t;
}

/* A refusal by a controller that is dead. */
static void dead_told(struct evil *e, int err, int death, const char *call, uint64_t addr,
		      uint64_t len)
{
	assert_int_equal(err, death);
	assert_int_equal(e->rig.tenv.last.err, death);
	assert_string_equal(e->rig.tenv.last.call, call);
	assert_int_equal(e->rig.tenv.last.addr, addr);
	assert_int_equal(e->rig.tenv.last.len, len);
	tenv_restart(&e->rig.tenv);
}

/* Whatever is asked of a dead controller fails, and says so. */
static void dead_refuses_io(struct evil *e, int death)
{
	struct ended ended = {0};
	struct phyr_cursor cur;
	struct mem mem;

	mem_init(&e->rig, &mem, 4096, 0, PHYR_DMA_BIDIRECTIONAL);
	cur = mem_cursor(&mem, 0, 4096);
	dead_told(e, phyr_nvme_read(e->queue, 3, &cur, ended_fn, &ended), death, "phyr_nvme_read",
		  3 * 512, 4096);
	dead_told(e, phyr_nvme_write(e->queue, 4, &cur, ended_fn, &ended), death, "phyr_nvme_write",
		  4 * 512, 4096);
	dead_told(e, phyr_nvme_compare(e->queue, 4, &cur, ended_fn, &ended), death,
		  "phyr_nvme_compare", 4 * 512, 4096);
	assert_int_equal(cur.left, 4096);
	dead_told(e, phyr_nvme_flush(e->queue, ended_fn, &ended), death, "phyr_nvme_flush", 0, 0);
	dead_told(e, phyr_nvme_write_zeroes(e->queue, 1, 2, ended_fn, &ended), death,
		  "phyr_nvme_write_zeroes", 512, 1024);
	dead_told(e, phyr_nvme_deallocate(e->queue, 1, 2, ended_fn, &ended), death,
		  "phyr_nvme_deallocate", 512, 1024);
	dead_told(e, phyr_nvme_read_sync(e->queue, 5, &mem.map), death, "phyr_nvme_read", 5 * 512,
		  4096);
	dead_told(e, phyr_nvme_write_sync(e->queue, 5, &mem.map), death, "phyr_nvme_write", 5 * 512,
		  4096);
	dead_told(e, phyr_nvme_flush_sync(e->queue), death, "phyr_nvme_flush", 0, 0);
	assert_int_equal(ended.times, 0);
	assert_int_equal(phyr_nvme_poll(e->queue), 0);
	mem_fini(&e->rig, &mem);
}

static void dead_refuses(struct evil *e, int death)
{
	struct phyr_nvme_queue *none = NULL, *admin = phyr_nvme_admin_queue(e->nvme);
	struct phyr_nvme_ctrl_stats stats;
	unsigned char sqe[64] = {0x0a};

	dead_refuses_io(e, death);
	dead_told(e, phyr_nvme_submit_sync(e->queue, sqe, NULL, NULL), death, "phyr_nvme_submit", 0,
		  0);
	dead_told(e, phyr_nvme_submit_sync(admin, sqe, NULL, NULL), death, "phyr_nvme_submit", 0,
		  0);
	dead_told(e, phyr_nvme_queue_create(e->nvme, 4, &none), death, "phyr_nvme_queue_create", 0,
		  0);
	assert_null(none);
	dead_told(e, phyr_nvme_reset(e->nvme), death, "phyr_nvme_reset", 0, 0);
	dead_told(e, phyr_nvme_rescan(e->nvme), death, "phyr_nvme_rescan", 0, 0);
	phyr_nvme_get_stats(e->nvme, &stats);
	assert_int_equal(stats.dead, death);
	assert_non_null(stats.why);
}

/* Lies that do not end: each costs a reset, until the controller is given up. */
static void liars_are_given_up(void **state)
{
	static const struct {
		enum fake_way way;
		unsigned late;
	} ways[] = {
		{FAKE_UNKNOWN_CID, 0},
		{FAKE_OTHER_SQ, 0},
		{FAKE_CFS, 0},
		{FAKE_SILENT, 1},
	};
	struct phyr_nvme_ctrl_stats stats;
	struct tally t;
	struct evil e;

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		evil_up(&e);
		e.fake.way = ways[i].way;
		for (unsigned round = 1; round <= 4; round++) {
			tenv_restart(&e.rig.tenv);
			t = all_end_once(&e);
			phyr_nvme_get_stats(e.nvme, &stats);
			assert_int_equal(stats.resets, round < 4 ? round : 3);
			assert_int_equal(t.late, ways[i].late);
			assert_int_equal(t.other, 8 - ways[i].late);
			assert_int_equal(t.err, round < 4 ? -ECANCELED : -EIO);
			/* What it did; then that it was once too often. */
			assert_int_equal(e.rig.tenv.reports, round < 4 ? 1 : 2);
		}
		assert_int_equal(e.fake.cc & 1, 0);
		dead_refuses(&e, -EIO);
		evil_fini(&e);
	}
}

static void a_device_that_goes_is_gone(void **state)
{
	struct tally t;
	struct evil e;

	evil_up(&e);
	e.fake.way = FAKE_GONE;
	t = all_end_once(&e);
	assert_int_equal(t.other, 8);
	assert_int_equal(t.err, -ENODEV);
	assert_int_equal(e.rig.tenv.reports, 2);
	dead_refuses(&e, -ENODEV);
	e.fake.gone = false; /* it does not come back */
	dead_refuses(&e, -ENODEV);
	evil_fini(&e);
}

/* One lie, and what ended well by then counts. */
static void a_doubled_completion(void **state)
{
	struct tally t;
	struct evil e;

	evil_up(&e);
	e.fake.way = FAKE_DOUBLE;
	t = all_end_once(&e);
	assert_int_equal(t.ok, 8);
	assert_int_equal(e.fake.enables, 2);
	assert_int_equal(e.rig.tenv.reports, 1);
	assert_string_equal(e.rig.tenv.last.call, "phyr_nvme_poll");
	t = all_end_once(&e);
	assert_int_equal(t.ok, 8);
	assert_int_equal(e.fake.enables, 2);
	evil_fini(&e);
}

/* What comes unasked on the admin queue is seen by whoever polls, that queue or another. */
static void strays_on_the_admin_queue(void **state)
{
	struct ended ended = {0};
	struct evil e;

	evil_up(&e);
	e.fake.way = FAKE_SILENT;
	e.fake.way_once = true;
	assert_int_equal(phyr_nvme_flush(e.queue, ended_fn, &ended), 0);
	fake_stray(&e.fake, 0, 9);
	poll_all(e.queue);
	assert_int_equal(ended.err, -ECANCELED);
	assert_int_equal(e.fake.enables, 2);
	assert_int_equal(phyr_nvme_flush_sync(e.queue), 0);
	fake_stray(&e.fake, 0, 0xffff);
	phyr_nvme_poll(phyr_nvme_admin_queue(e.nvme));
	assert_int_equal(e.fake.enables, 3);
	assert_int_equal(phyr_nvme_flush_sync(e.queue), 0);
	fake_stray(&e.fake, 1, 9); /* and on one where nothing is in flight */
	phyr_nvme_poll(e.queue);
	assert_int_equal(e.fake.enables, 4);
	assert_int_equal(phyr_nvme_flush_sync(e.queue), 0);
	evil_fini(&e);
}

/* A completion that comes twice, when the slot has its next command, is not that command's. */
static void a_completion_from_before(void **state)
{
	struct ended ended = {0};
	struct evil e;

	evil_up(&e);
	e.fake.way = FAKE_AGAIN;
	assert_int_equal(phyr_nvme_flush_sync(e.queue), 0);
	assert_int_equal(phyr_nvme_flush(e.queue, ended_fn, &ended), 0);
	poll_all(e.queue);
	assert_int_equal(ended.times, 1);
	assert_int_equal(ended.err, -ECANCELED);
	assert_int_equal(ended.status, 0);
	assert_int_equal(e.fake.enables, 2);
	evil_fini(&e);
}

/* Ids of commands are all different for as long as 16 bits last, and never FFFFh. */
static void ids_are_used_in_turn(void **state)
{
	static unsigned char seen[65536];
	struct phyr_nvme_queue *queue;
	struct evil e;

	evil_up(&e);
	assert_int_equal(phyr_nvme_queue_create(e.nvme, 1, &queue), 0);
	for (unsigned i = 0; i < 65535; i++) {
		assert_int_equal(phyr_nvme_flush_sync(queue), 0);
		seen[e.fake.last[2] | e.fake.last[3] << 8]++;
	}
	for (unsigned i = 0; i < 65535; i++)
		assert_int_equal(seen[i], 1);
	assert_int_equal(seen[65535], 0);
	phyr_nvme_queue_destroy(queue);
	evil_fini(&e);
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
	assert_int_equal(ended.err, -ECANCELED);
	assert_int_equal(ended.status, 0);
	assert_int_equal(e.fake.enables, 2);
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
	assert_int_equal(e.fake.aborts, 1);
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
	struct tally t;
	struct evil e;

	evil_up(&e);
	e.fake.way = FAKE_SILENT;
	e.fake.stuck_ready = true;
	t = all_end_once(&e);
	assert_int_equal(t.late, 8);
	assert_int_equal(e.rig.tenv.reports, 2); /* the command, and that the device runs on */
	dead_refuses(&e, -ETIMEDOUT);
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

/* Doorbells may lie far apart, so far that the registers have room for few. */
static void doorbells_lie_apart(void **state)
{
	static const struct {
		unsigned stride, queues;
	} ways[] = {{1, 3}, {7, 3}, {14, 3}, {15, 2}};
	struct phyr_nvme_opts opts;
	struct evil e;

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		evil_init(&e);
		e.fake.cap |= (uint64_t)ways[i].stride << 32;
		e.fake.granted = UINT32_MAX;
		opts = rig_opts(&e.rig);
		opts.queues = 3;
		assert_int_equal(
			phyr_nvme_open(e.rig.dev, phyr_sim_dev_regs(e.fake.sdev), &opts, &e.nvme),
			0);
		assert_int_equal(phyr_nvme_get_info(e.nvme)->queues, ways[i].queues);
		assert_int_equal(phyr_nvme_queue_create(e.nvme, 8, &e.queue), 0);
		assert_int_equal(all_end_once(&e).ok, 8);
		evil_fini(&e);
		assert_int_equal(e.fake.bad_doorbells, 0);
	}
}

static void harmless_oddities(void **state)
{
	static const enum fake_way ways[] = {FAKE_BAD_HEAD, FAKE_LAST_FIRST};
	struct evil e;

	for (size_t i = 0; i < 2; i++) {
		evil_up(&e);
		e.fake.way = ways[i];
		for (unsigned round = 0; round < 5; round++)
			assert_int_equal(all_end_once(&e).ok, 8);
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

		/* The second thread may have come after the reset, or after the end. */
		assert_true(ended->times == 99 || ended->times == 1);
		assert_true(ended->times == 99 || ended->err == -ETIMEDOUT ||
			    ended->err == -ECANCELED || ended->err == -EIO);
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
		cmocka_unit_test(half_a_queue_is_taken_back),
		cmocka_unit_test(liars_are_given_up),
		cmocka_unit_test(a_device_that_goes_is_gone),
		cmocka_unit_test(a_doubled_completion),
		cmocka_unit_test(strays_on_the_admin_queue),
		cmocka_unit_test(a_completion_from_before),
		cmocka_unit_test(ids_are_used_in_turn),
		cmocka_unit_test(an_idle_id_is_no_command),
		cmocka_unit_test(a_timeout_names_its_command),
		cmocka_unit_test(destroy_ends_what_does_not_end),
		cmocka_unit_test(a_controller_that_cannot_be_stopped),
		cmocka_unit_test(a_close_that_cannot_stop_it),
		cmocka_unit_test(doorbells_lie_apart),
		cmocka_unit_test(harmless_oddities),
		cmocka_unit_test(random_devices),
		cmocka_unit_test(two_threads_see_it_die),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
