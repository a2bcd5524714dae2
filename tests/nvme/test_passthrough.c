/* SPDX-License-Identifier: MIT */
/* Commands that are passed through, and those of the optional ones that have a call of their own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <phyr/nvme_data.h>
#include <phyr/nvme_spec.h>
#include <string.h>

#include "nvme/evil.h"

#define BLOCKS 1000 /* of the fake */

static uint32_t get32(const unsigned char *p)
{
	uint32_t v;

	memcpy(&v, p, 4);
	return v;
}

static uint64_t get64(const unsigned char *p)
{
	uint64_t v;

	memcpy(&v, p, 8);
	return v;
}

/* One report, of that call; then none. */
static void told(struct evil *e, int err, const char *call)
{
	assert_int_equal(e->rig.tenv.reports, 1);
	assert_int_equal(e->rig.tenv.last.err, err);
	assert_string_equal(e->rig.tenv.last.call, call);
	assert_non_null(e->rig.tenv.last.hint);
	tenv_restart(&e->rig.tenv);
}

/*
 * The queue's own.
 */

/* What the caller has a say in arrives as it was; what he has not is the driver's. */
static void an_entry_arrives(void **state)
{
	struct phyr_nvme_done done;
	unsigned char sqe[64];
	struct evil e;
	struct mem mem;

	evil_up(&e);
	mem_init(&e.rig, &mem, 4096, 0x200, PHYR_DMA_TO_DEVICE);
	for (unsigned i = 0; i < 64; i++)
		sqe[i] = (unsigned char)(0xc1 + i);
	sqe[1] = 0;
	memset(sqe + 16, 0, 8);
	assert_int_equal(phyr_nvme_submit_sync(e.queue, sqe, &mem.map, &done), 0);
	assert_int_equal(done.err, 0);
	assert_int_equal(done.status, 0);
	assert_memory_equal(e.fake.last, sqe, 2);
	assert_memory_equal(e.fake.last + 4, sqe + 4, 20);
	assert_memory_equal(e.fake.last + 40, sqe + 40, 24);
	assert_int_equal(get64(e.fake.last + 24), mem.map.state.addr);
	assert_int_equal(get64(e.fake.last + 32), mem.map.state.addr - 0x200 + 4096);
	mem_fini(&e.rig, &mem);
	/* No data: no pointer, whatever was there. */
	assert_int_equal(phyr_nvme_submit_sync(e.queue, sqe, NULL, NULL), 0);
	assert_int_equal(get64(e.fake.last + 24), 0);
	assert_int_equal(get64(e.fake.last + 32), 0);
	assert_int_equal(e.rig.tenv.reports, 0);
	evil_fini(&e);
}

static void entries_are_checked(void **state)
{
	struct phyr_dma_map none = {0};
	struct ended ended = {0};
	unsigned char sqe[64] = {2};
	struct evil e;
	struct mem mem;

	evil_up(&e);
	for (unsigned bit = 0; bit < 8; bit++) {
		sqe[1] = (unsigned char)(1u << bit);
		assert_int_equal(phyr_nvme_submit(e.queue, sqe, NULL, ended_fn, &ended), -EINVAL);
		told(&e, -EINVAL, "phyr_nvme_submit");
	}
	sqe[1] = 0;
	sqe[23] = 1; /* MPTR */
	assert_int_equal(phyr_nvme_submit(e.queue, sqe, NULL, ended_fn, &ended), -EINVAL);
	told(&e, -EINVAL, "phyr_nvme_submit");
	sqe[23] = 0;
	assert_int_equal(phyr_nvme_submit_sync(e.queue, sqe, &none, NULL), -EINVAL);
	told(&e, -EINVAL, "phyr_nvme_submit");
	mem_init(&e.rig, &mem, (1 << 20) + 4096, 0, PHYR_DMA_FROM_DEVICE);
	assert_int_equal(phyr_nvme_submit(e.queue, sqe, &mem.map, ended_fn, &ended), -E2BIG);
	assert_int_equal(e.rig.tenv.last.limit, 1 << 20);
	told(&e, -E2BIG, "phyr_nvme_submit");
	mem_fini(&e.rig, &mem);
	mem_init(&e.rig, &mem, 512, 2, PHYR_DMA_FROM_DEVICE);
	assert_int_equal(phyr_nvme_submit(e.queue, sqe, &mem.map, ended_fn, &ended), -EINVAL);
	assert_int_equal(e.rig.tenv.reports, 2); /* the builder's, with the memory's address */
	mem_fini(&e.rig, &mem);
	assert_int_equal(ended.times, 0);
	assert_int_equal(phyr_nvme_in_flight(e.queue), 0);
	assert_int_equal(e.fake.io_commands, 0);
	evil_fini(&e);
}

static void statuses_and_results_come_back(void **state)
{
	struct phyr_nvme_done done;
	unsigned char sqe[64] = {0x85};
	struct evil e;

	evil_up(&e);
	e.fake.way = FAKE_STATUS;
	e.fake.status = 0x4281; /* DNR */
	assert_int_equal(phyr_nvme_submit_sync(e.queue, sqe, NULL, &done), -EIO);
	assert_int_equal(done.err, -EIO);
	assert_int_equal(done.status, 0x281);
	assert_true(done.dnr);
	told(&e, -EIO, "phyr_nvme_submit");
	e.fake.status = 0x281;
	assert_int_equal(phyr_nvme_submit_sync(e.queue, sqe, NULL, &done), -EIO);
	assert_false(done.dnr);
	evil_fini(&e);
}

static void a_full_queue_says_again(void **state)
{
	struct ended ended = {0};
	unsigned char sqe[64] = {0};
	struct evil e;

	evil_up(&e);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(phyr_nvme_submit(e.queue, sqe, NULL, ended_fn, &ended), 0);
	assert_int_equal(phyr_nvme_submit(e.queue, sqe, NULL, ended_fn, &ended), -EAGAIN);
	assert_int_equal(phyr_nvme_submit_sync(e.queue, sqe, NULL, NULL), 0);
	poll_all(e.queue);
	assert_int_equal(ended.times, 8);
	assert_int_equal(e.rig.tenv.reports, 0);
	evil_fini(&e);
}

/*
 * The admin queue's.
 */

static void the_drivers_own_is_refused(void **state)
{
	static const unsigned char opcodes[] = {0x00, 0x01, 0x04, 0x05, 0x08, 0x7c, 0x09};
	struct phyr_nvme_queue *admin;
	struct ended ended = {0};
	unsigned char sqe[64] = {0};
	struct evil e;

	evil_up(&e);
	admin = phyr_nvme_admin_queue(e.nvme);
	for (size_t i = 0; i < sizeof(opcodes); i++) {
		sqe[0] = opcodes[i];
		sqe[40] = 0x07; /* Number of Queues, where it is Set Features */
		assert_int_equal(phyr_nvme_submit(admin, sqe, NULL, ended_fn, &ended), -EPERM);
		told(&e, -EPERM, "phyr_nvme_submit");
	}
	sqe[40] = 0x06; /* another feature */
	assert_int_equal(phyr_nvme_submit_sync(admin, sqe, NULL, NULL), 0);
	assert_int_equal(ended.times, 0);
	evil_fini(&e);
}

static void identify_is_passed_through(void **state)
{
	struct phyr_nvme_sqe sqe = {.opc = PHYR_NVME_ADMIN_IDENTIFY, .cdw10 = 1};
	struct phyr_nvme_done done;
	struct evil e;
	struct mem mem;

	evil_up(&e);
	mem_init(&e.rig, &mem, 4096, 0, PHYR_DMA_FROM_DEVICE);
	assert_int_equal(
		phyr_nvme_submit_sync(phyr_nvme_admin_queue(e.nvme), &sqe, &mem.map, &done), 0);
	assert_memory_equal(mem.cpu, e.fake.ctrl, 4096);
	sqe = (struct phyr_nvme_sqe){.opc = PHYR_NVME_ADMIN_SET_FEATURES, .cdw10 = 0x0b};
	e.fake.granted = 0x1234; /* what this device answers to any feature */
	assert_int_equal(phyr_nvme_submit_sync(phyr_nvme_admin_queue(e.nvme), &sqe, NULL, &done),
			 0);
	assert_int_equal(done.result, 0x1234);
	sqe.opc = 0xc5; /* which it does not know */
	assert_int_equal(phyr_nvme_submit_sync(phyr_nvme_admin_queue(e.nvme), &sqe, NULL, &done),
			 -EOPNOTSUPP);
	assert_int_equal(done.status, 0x001);
	told(&e, -EOPNOTSUPP, "phyr_nvme_submit");
	mem_fini(&e.rig, &mem);
	evil_fini(&e);
}

/* I/O commands do not belong there, and it outlives its destruction. */
static void the_admin_queue_is_no_io_queue(void **state)
{
	struct phyr_nvme_queue *admin;
	struct ended ended = {0};
	struct phyr_cursor cur;
	struct evil e;

	evil_up(&e);
	admin = phyr_nvme_admin_queue(e.nvme);
	phyr_cursor_init_range(&cur, 0x10000, 512);
	assert_int_equal(phyr_nvme_read(admin, 0, &cur, ended_fn, &ended), -EINVAL);
	told(&e, -EINVAL, "phyr_nvme_read");
	assert_int_equal(phyr_nvme_flush(admin, ended_fn, &ended), -EINVAL);
	told(&e, -EINVAL, "phyr_nvme_flush");
	assert_int_equal(phyr_nvme_write_zeroes(admin, 0, 1, ended_fn, &ended), -EINVAL);
	told(&e, -EINVAL, "phyr_nvme_write_zeroes");
	phyr_nvme_queue_destroy(admin);
	told(&e, -EINVAL, "phyr_nvme_queue_destroy");
	assert_int_equal(ended.times, 0);
	evil_fini(&e);
}

/* Each request for an event ends with one, however late; the rest when the controller is closed. */
static void events_take_their_time(void **state)
{
	struct phyr_nvme_sqe sqe = {.opc = PHYR_NVME_ADMIN_ASYNC_EVENT};
	struct phyr_nvme_queue *admin;
	struct ended ended[4] = {{0}};
	struct evil e;

	evil_up(&e);
	admin = phyr_nvme_admin_queue(e.nvme);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(phyr_nvme_submit(admin, &sqe, NULL, ended_fn, &ended[i]), 0);
	for (unsigned i = 0; i < 50000; i++) /* a day on this clock */
		phyr_nvme_poll(admin);
	assert_int_equal(phyr_nvme_in_flight(admin), 4);
	assert_int_equal(e.fake.aborts, 0);
	fake_event(&e.fake, 0x010203);
	assert_int_equal(phyr_nvme_poll(admin), 1);
	assert_int_equal(ended[3].times, 1);
	assert_int_equal(ended[3].err, 0);
	assert_int_equal(ended[3].result, 0x010203);
	/* They are in nobody's way: an I/O command that is late is found, aborted, and ends. */
	e.fake.way = FAKE_HELD;
	assert_int_equal(phyr_nvme_flush_sync(e.queue), -ECANCELED);
	assert_int_equal(e.fake.aborts, 1);
	evil_fini(&e);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(ended[i].times, 1);
		assert_int_equal(ended[i].err, -ECANCELED);
	}
}

/* However many events are waited for, the driver's own commands have a place. */
static void callers_leave_room(void **state)
{
	struct phyr_nvme_sqe sqe = {.opc = PHYR_NVME_ADMIN_ASYNC_EVENT};
	struct phyr_nvme_queue *admin, *queue;
	struct ended ended = {0};
	unsigned nr = 0;
	struct evil e;

	evil_up(&e);
	admin = phyr_nvme_admin_queue(e.nvme);
	while (!phyr_nvme_submit(admin, &sqe, NULL, ended_fn, &ended))
		nr++;
	assert_int_equal(nr, 16);
	assert_int_equal(phyr_nvme_submit(admin, &sqe, NULL, ended_fn, &ended), -EAGAIN);
	/* Commands that end have room, and what waits for room gets it. */
	sqe.opc = PHYR_NVME_ADMIN_GET_FEATURES;
	while (!phyr_nvme_submit(admin, &sqe, NULL, ended_fn, &ended))
		nr++;
	assert_int_equal(nr, 24);
	sqe.opc = PHYR_NVME_ADMIN_SET_FEATURES;
	assert_int_equal(phyr_nvme_submit_sync(admin, &sqe, NULL, NULL), 0);
	assert_int_equal(phyr_nvme_in_flight(admin), 16);
	tenv_restart(&e.rig.tenv); /* this device knows no Get Features */
	assert_int_equal(phyr_nvme_queue_create(e.nvme, 4, &queue), 0);
	phyr_nvme_queue_destroy(queue);
	assert_int_equal(e.rig.tenv.reports, 0);
	evil_fini(&e);
	assert_int_equal(ended.times, 24);
}

/*
 * Commands with calls of their own.
 */

static void write_zeroes_names_blocks(void **state)
{
	struct ended ended = {0};
	struct evil e;

	evil_init(&e);
	fake_put(e.fake.ns, 0, 8, UINT64_C(1) << 40);
	assert_int_equal(evil_open(&e), 0);
	assert_int_equal(phyr_nvme_queue_create(e.nvme, 8, &e.queue), 0);
	assert_int_equal(
		phyr_nvme_write_zeroes(e.queue, UINT64_C(0x8000000011), 65536, ended_fn, &ended),
		0);
	poll_all(e.queue);
	assert_int_equal(e.fake.last[0], 0x08);
	assert_int_equal(get32(e.fake.last + 4), 1);
	assert_int_equal(get64(e.fake.last + 40), UINT64_C(0x8000000011));
	assert_int_equal(get32(e.fake.last + 48), 65535);
	assert_int_equal(get64(e.fake.last + 24), 0);
	assert_int_equal(phyr_nvme_write_zeroes(e.queue, 0, 65537, ended_fn, &ended), -E2BIG);
	assert_int_equal(e.rig.tenv.last.limit, 65536 * 512);
	told(&e, -E2BIG, "phyr_nvme_write_zeroes");
	assert_int_equal(phyr_nvme_write_zeroes(e.queue, 0, 0, ended_fn, &ended), -EINVAL);
	told(&e, -EINVAL, "phyr_nvme_write_zeroes");
	assert_int_equal(phyr_nvme_write_zeroes(e.queue, UINT64_C(1) << 40, 1, ended_fn, &ended),
			 -ERANGE);
	told(&e, -ERANGE, "phyr_nvme_write_zeroes");
	assert_int_equal(phyr_nvme_write_zeroes(e.queue, 1, UINT64_MAX, ended_fn, &ended), -ERANGE);
	told(&e, -ERANGE, "phyr_nvme_write_zeroes");
	assert_int_equal(ended.times, 1);
	evil_fini(&e);
}

/* The ranges that arrive say what was asked for, one after the other. */
static void expect_ranges(struct evil *e, uint64_t lba, uint64_t nr_blocks)
{
	unsigned nr = (get32(e->fake.last + 40) & 0xff) + 1;

	assert_int_equal(e->fake.last[0], 0x09);
	assert_int_equal(get32(e->fake.last + 44), 4); /* AD */
	for (unsigned i = 0; i < nr; i++) {
		assert_int_equal(get64(e->fake.data + i * 16 + 8), lba);
		assert_int_equal(get32(e->fake.data + i * 16), 0);
		assert_true(get32(e->fake.data + i * 16 + 4) > 0);
		lba += get32(e->fake.data + i * 16 + 4);
		nr_blocks -= get32(e->fake.data + i * 16 + 4);
	}
	assert_int_equal(nr_blocks, 0);
}

static void deallocate_names_ranges(void **state)
{
	static const uint64_t counts[] = {1, 0xffffffff, 0x100000000, 256 * UINT64_C(0xffffffff)};
	struct ended ended = {0};
	struct evil e;

	evil_init(&e);
	fake_put(e.fake.ns, 0, 8, UINT64_C(1) << 42);
	assert_int_equal(evil_open(&e), 0);
	assert_int_equal(phyr_nvme_queue_create(e.nvme, 1, &e.queue), 0);
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		assert_int_equal(phyr_nvme_deallocate(e.queue, 77, counts[i], ended_fn, &ended), 0);
		poll_all(e.queue);
		expect_ranges(&e, 77, counts[i]);
		if (!i) /* the slot is warm */
			tenv_restart(&e.rig.tenv);
	}
	assert_int_equal(e.rig.tenv.allocs, 0);
	assert_int_equal(phyr_nvme_deallocate(e.queue, 0, counts[3] + 1, ended_fn, &ended), -E2BIG);
	told(&e, -E2BIG, "phyr_nvme_deallocate");
	assert_int_equal(phyr_nvme_deallocate(e.queue, 0, 0, ended_fn, &ended), -EINVAL);
	told(&e, -EINVAL, "phyr_nvme_deallocate");
	assert_int_equal(ended.times, 4);
	assert_int_equal(ended.err, 0);
	evil_fini(&e);
}

static void no_memory_for_ranges(void **state)
{
	struct ended ended = {0};
	unsigned failures = 0;
	struct evil e;
	int err;

	evil_up(&e);
	for (e.rig.tenv.fail_at = 1;; e.rig.tenv.fail_at++, failures++) {
		tenv_restart(&e.rig.tenv);
		err = phyr_nvme_deallocate(e.queue, 3, 4, ended_fn, &ended);
		if (!e.rig.tenv.failed)
			break;
		assert_int_equal(err, -ENOMEM);
		assert_string_equal(e.rig.tenv.last.call, "phyr_nvme_deallocate");
		assert_int_equal(e.rig.tenv.last.addr, 3 * 512);
		assert_int_equal(phyr_nvme_in_flight(e.queue), 0);
	}
	e.rig.tenv.fail_at = 0;
	assert_int_equal(err, 0);
	assert_true(failures > 0);
	poll_all(e.queue);
	expect_ranges(&e, 3, 4);
	evil_fini(&e);
}

static void compare_says_what_differs(void **state)
{
	struct ended ended = {0};
	struct phyr_cursor cur;
	struct evil e;
	struct mem mem;

	evil_up(&e);
	mem_init(&e.rig, &mem, 1024, 0, PHYR_DMA_TO_DEVICE);
	cur = mem_cursor(&mem, 0, 1024);
	assert_int_equal(phyr_nvme_compare(e.queue, 5, &cur, ended_fn, &ended), 0);
	assert_int_equal(cur.left, 0);
	poll_all(e.queue);
	assert_int_equal(ended.err, 0);
	assert_int_equal(e.fake.last[0], 0x05);
	assert_int_equal(get64(e.fake.last + 40), 5);
	assert_int_equal(get32(e.fake.last + 48), 1);
	e.fake.way = FAKE_STATUS;
	e.fake.status = 0x285;
	cur = mem_cursor(&mem, 0, 512);
	assert_int_equal(phyr_nvme_compare(e.queue, BLOCKS - 1, &cur, ended_fn, &ended), 0);
	poll_all(e.queue);
	assert_int_equal(ended.err, -EILSEQ);
	told(&e, -EILSEQ, "phyr_nvme_compare");
	cur = mem_cursor(&mem, 0, 1024);
	assert_int_equal(phyr_nvme_compare(e.queue, BLOCKS - 1, &cur, ended_fn, &ended), -ERANGE);
	told(&e, -ERANGE, "phyr_nvme_compare");
	mem_fini(&e.rig, &mem);
	evil_fini(&e);
}

static void what_is_not_there_is_refused(void **state)
{
	const struct phyr_nvme_info *info;
	struct ended ended = {0};
	struct phyr_cursor cur;
	struct evil e;

	evil_init(&e);
	fake_put(e.fake.ctrl, 520, 2, 0xfff2);
	assert_int_equal(evil_open(&e), 0);
	info = phyr_nvme_get_info(e.nvme);
	assert_false(info->compare || info->write_zeroes || info->deallocate);
	assert_int_equal(phyr_nvme_queue_create(e.nvme, 8, &e.queue), 0);
	phyr_cursor_init_range(&cur, 0x10000, 512);
	assert_int_equal(phyr_nvme_compare(e.queue, 0, &cur, ended_fn, &ended), -EOPNOTSUPP);
	told(&e, -EOPNOTSUPP, "phyr_nvme_compare");
	assert_int_equal(phyr_nvme_write_zeroes(e.queue, 0, 1, ended_fn, &ended), -EOPNOTSUPP);
	told(&e, -EOPNOTSUPP, "phyr_nvme_write_zeroes");
	assert_int_equal(phyr_nvme_deallocate(e.queue, 0, 1, ended_fn, &ended), -EOPNOTSUPP);
	told(&e, -EOPNOTSUPP, "phyr_nvme_deallocate");
	assert_int_equal(ended.times, 0);
	evil_fini(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_entry_arrives),
		cmocka_unit_test(entries_are_checked),
		cmocka_unit_test(statuses_and_results_come_back),
		cmocka_unit_test(a_full_queue_says_again),
		cmocka_unit_test(the_drivers_own_is_refused),
		cmocka_unit_test(identify_is_passed_through),
		cmocka_unit_test(the_admin_queue_is_no_io_queue),
		cmocka_unit_test(events_take_their_time),
		cmocka_unit_test(callers_leave_room),
		cmocka_unit_test(write_zeroes_names_blocks),
		cmocka_unit_test(deallocate_names_ranges),
		cmocka_unit_test(no_memory_for_ranges),
		cmocka_unit_test(compare_says_what_differs),
		cmocka_unit_test(what_is_not_there_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
