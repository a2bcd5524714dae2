/* SPDX-License-Identifier: MIT */
/* The driver on the simulated controller: what it says, what it refuses, what it moves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "nvme/rig.h"

#define MIB (UINT64_C(1) << 20)

struct disk {
	struct rig rig;
	struct phyr_nvme_queue *queue;
};

/* A disk of 16 MiB, stepped, behind the IOMMU, with a queue. */
static void disk_init(struct disk *d, unsigned depth, struct phyr_sim_nvme_config *config)
{
	rig_init(&d->rig, true);
	rig_disk(&d->rig, 16 * MIB, config, true);
	rig_open(&d->rig, NULL);
	assert_int_equal(phyr_nvme_queue_create(d->rig.nvme, depth, &d->queue), 0);
	tenv_restart(&d->rig.tenv);
}

static void disk_fini(struct disk *d)
{
	tenv_restart(&d->rig.tenv);
	phyr_nvme_queue_destroy(d->queue);
	phyr_nvme_close(d->rig.nvme);
	d->rig.nvme = NULL;
	assert_int_equal(d->rig.tenv.reports, 0);
	rig_fini(&d->rig);
}

static void expect_report(struct disk *d, int err, const char *call, uint64_t addr, uint64_t len)
{
	const struct phyr_report *last = &d->rig.tenv.last;

	assert_int_equal(d->rig.tenv.reports, 1);
	assert_int_equal(last->err, err);
	assert_string_equal(last->call, call);
	assert_int_equal(last->addr, addr);
	assert_int_equal(last->len, len);
	assert_non_null(last->hint);
	tenv_restart(&d->rig.tenv);
}

static void info_is_the_controllers(void **state)
{
	struct phyr_sim_nvme_config config = {
		.size = sizeof(config), .mdts = 5, .queues = 7, .queue_entries = 100};
	struct phyr_nvme_opts opts;
	const struct phyr_nvme_info *info;
	struct rig rig;

	rig_init(&rig, true);
	rig_disk(&rig, 16 * MIB, &config, true);
	opts = rig_opts(&rig);
	opts.queues = 50;
	rig_open(&rig, &opts);
	info = phyr_nvme_get_info(rig.nvme);
	assert_int_equal(info->max_transfer, 32 * 4096);
	assert_int_equal(info->page_size, 4096);
	assert_int_equal(info->block_size, 512);
	assert_int_equal(info->nr_blocks, 16 * MIB / 512);
	assert_int_equal(info->queues, 7);
	assert_int_equal(info->max_depth, 99);
	assert_true(strlen(info->model) && strlen(info->serial));
	rig_fini(&rig);
}

static int try_open(struct rig *rig, const struct phyr_nvme_opts *opts)
{
	struct phyr_nvme *nvme = NULL;
	int err;

	tenv_restart(&rig->tenv);
	err = phyr_nvme_open(rig->dev, phyr_sim_dev_regs(rig->sdev), opts, &nvme);
	if (err) {
		assert_null(nvme);
		assert_int_equal(rig->tenv.reports, 1);
		assert_int_equal(rig->tenv.last.err, err);
		assert_string_equal(rig->tenv.last.call, "phyr_nvme_open");
	}
	phyr_nvme_close(nvme);
	return err;
}

static void options_are_checked(void **state)
{
	struct phyr_sim_nvme_config config = {
		.size = sizeof(config), .mps_min_lg2 = 13, .mps_max_lg2 = 15};
	struct phyr_nvme_opts opts;
	struct rig rig;

	rig_init(&rig, true);
	rig_disk(&rig, MIB, &config, true);
#define TRY(...)                       \
	({                             \
		opts = rig_opts(&rig); \
		__VA_ARGS__;           \
		try_open(&rig, &opts); \
	})
	assert_int_equal(TRY(opts.size = 8), -EINVAL);
	assert_int_equal(TRY(opts.page_lg2 = 11), -EINVAL);
	assert_int_equal(TRY(opts.page_lg2 = 17), -EINVAL);
	assert_int_equal(TRY(opts.queues = 65536), -EINVAL);
	assert_int_equal(TRY(opts.nsid = 2), -EINVAL);
	assert_int_equal(TRY(opts.page_lg2 = 12), -EOPNOTSUPP);
	assert_int_equal(TRY(opts.page_lg2 = 16), -EOPNOTSUPP);
	assert_int_equal(TRY(opts.page_lg2 = 15), 0);
	assert_int_equal(TRY(opts.page_lg2 = 0), 0);
#undef TRY
	rig_fini(&rig);
}

static void queue_refused(struct rig *rig, unsigned depth, int err, uint64_t limit)
{
	struct phyr_nvme_queue *none = NULL;

	tenv_restart(&rig->tenv);
	assert_int_equal(phyr_nvme_queue_create(rig->nvme, depth, &none), err);
	assert_null(none);
	assert_int_equal(rig->tenv.reports, 1);
	assert_int_equal(rig->tenv.last.err, err);
	assert_string_equal(rig->tenv.last.call, "phyr_nvme_queue_create");
	assert_int_equal(rig->tenv.last.limit, limit);
}

static void queues_are_counted(void **state)
{
	struct phyr_sim_nvme_config config = {
		.size = sizeof(config), .queues = 2, .queue_entries = 16};
	struct phyr_nvme_queue *queues[2];
	struct phyr_nvme_opts opts;
	struct rig rig;

	rig_init(&rig, true);
	rig_disk(&rig, MIB, &config, true);
	opts = rig_opts(&rig);
	opts.queues = 2;
	rig_open(&rig, &opts);
	queue_refused(&rig, 0, -EINVAL, 15);
	queue_refused(&rig, 16, -EINVAL, 15);
	for (unsigned again = 0; again < 3; again++) {
		assert_int_equal(phyr_nvme_queue_create(rig.nvme, 15, &queues[0]), 0);
		assert_int_equal(phyr_nvme_queue_create(rig.nvme, 1, &queues[1]), 0);
		queue_refused(&rig, 1, -EBUSY, 2);
		phyr_nvme_queue_destroy(queues[0]);
		phyr_nvme_queue_destroy(queues[1]);
	}
	phyr_nvme_queue_destroy(NULL);
	rig_fini(&rig);
}

/* Reads and writes that are refused alike. */
static const struct transfer {
	int (*submit)(struct phyr_nvme_queue *queue, uint64_t lba, struct phyr_cursor *data,
		      phyr_nvme_fn *fn, void *arg);
	int (*sync)(struct phyr_nvme_queue *queue, uint64_t lba, const struct phyr_dma_map *map);
	const char *call, *sync_call;
} transfers[] = {
	{phyr_nvme_read, phyr_nvme_read_sync, "phyr_nvme_read", "phyr_nvme_read_sync"},
	{phyr_nvme_write, phyr_nvme_write_sync, "phyr_nvme_write", "phyr_nvme_write_sync"},
};

static void transfer_refused(struct disk *d, const struct transfer *t, uint64_t lba,
			     struct phyr_cursor cur, int err, uint64_t limit)
{
	struct phyr_cursor was = cur;
	struct ended ended = {0};

	tenv_restart(&d->rig.tenv);
	assert_int_equal(t->submit(d->queue, lba, &cur, ended_fn, &ended), err);
	assert_int_equal(d->rig.tenv.last.limit, limit);
	expect_report(d, err, t->call, lba < UINT64_MAX / 512 ? lba * 512 : UINT64_MAX, was.left);
	assert_memory_equal(&cur, &was, sizeof(cur));
	assert_int_equal(phyr_nvme_in_flight(d->queue), 0);
	assert_int_equal(ended.times, 0);
}

static void refusals_name_the_range(void **state)
{
	struct phyr_cursor none;
	struct disk d;
	struct mem mem;

	disk_init(&d, 4, NULL);
	mem_init(&d.rig, &mem, 2 * MIB, 0, PHYR_DMA_BIDIRECTIONAL);
	phyr_cursor_init_range(&none, 0x1000, 0);
	for (unsigned i = 0; i < 2; i++) {
		const struct transfer *t = &transfers[i];

		transfer_refused(&d, t, 7, none, -EINVAL, 512);
		transfer_refused(&d, t, 7, mem_cursor(&mem, 0, 513), -EINVAL, 512);
		transfer_refused(&d, t, 3, mem_cursor(&mem, 0, MIB + 512), -E2BIG, MIB);
		transfer_refused(&d, t, 16 * MIB / 512 - 1, mem_cursor(&mem, 0, 1024), -ERANGE,
				 16 * MIB);
		transfer_refused(&d, t, UINT64_MAX, mem_cursor(&mem, 0, 512), -ERANGE, 16 * MIB);
		/* Off a dword: the builder of descriptors tells first, with the memory's address. */
		tenv_restart(&d.rig.tenv);
		none = mem_cursor(&mem, 2, 512);
		assert_int_equal(t->submit(d.queue, 9, &none, ended_fn, NULL), -EINVAL);
		assert_int_equal(none.left, 512);
		assert_int_equal(d.rig.tenv.reports, 2);
		d.rig.tenv.reports = 1;
		expect_report(&d, -EINVAL, t->call, 9 * 512, 512);
		phyr_cursor_init_range(&none, 0x1000, 0);
	}
	mem_fini(&d.rig, &mem);
	disk_fini(&d);
}

static void the_last_block_is_a_block(void **state)
{
	struct ended ended = {0};
	struct phyr_cursor cur;
	struct disk d;
	struct mem mem;

	disk_init(&d, 4, NULL);
	mem_init(&d.rig, &mem, 4096, 0, PHYR_DMA_BIDIRECTIONAL);
	cur = mem_cursor(&mem, 0, 512);
	assert_int_equal(phyr_nvme_read(d.queue, 16 * MIB / 512 - 1, &cur, ended_fn, &ended), 0);
	assert_int_equal(cur.left, 0);
	poll_all(d.queue);
	assert_int_equal(ended.times, 1);
	assert_int_equal(ended.err, 0);
	mem_fini(&d.rig, &mem);
	disk_fini(&d);
}

static void sync_refused(struct disk *d, const struct transfer *t, uint64_t lba,
			 const struct phyr_dma_map *map, uint64_t len, int err)
{
	tenv_restart(&d->rig.tenv);
	assert_int_equal(t->sync(d->queue, lba, map), err);
	expect_report(d, err, t->sync_call, lba * 512, len);
	assert_int_equal(phyr_nvme_in_flight(d->queue), 0);
}

/* The calls that wait refuse the whole of it before any part is submitted. */
static void sync_refusals_name_the_whole(void **state)
{
	struct phyr_dma_map unmapped = {0};
	struct mem odd, mem;
	struct disk d;

	disk_init(&d, 4, NULL);
	mem_init(&d.rig, &mem, 2 * MIB, 0, PHYR_DMA_BIDIRECTIONAL);
	mem_init(&d.rig, &odd, 1000, 0, PHYR_DMA_BIDIRECTIONAL);
	for (unsigned i = 0; i < 2; i++) {
		const struct transfer *t = &transfers[i];

		sync_refused(&d, t, 15 * MIB / 512, &mem.map, 2 * MIB, -ERANGE);
		sync_refused(&d, t, 1, &odd.map, 1000, -EINVAL);
		sync_refused(&d, t, 5, &unmapped, 0, -EINVAL);
	}
	mem_fini(&d.rig, &odd);
	sync_refused(&d, &transfers[0], 5, &odd.map, 0, -EINVAL);
	mem_fini(&d.rig, &mem);
	disk_fini(&d);
}

/* The device would read what it may only write, or the other way round: it is not asked to. */
static void sync_looks_at_the_direction(void **state)
{
	struct disk d;
	struct mem in, out, both;

	disk_init(&d, 4, NULL);
	mem_init(&d.rig, &in, 8192, 0, PHYR_DMA_FROM_DEVICE);
	mem_init(&d.rig, &out, 8192, 0, PHYR_DMA_TO_DEVICE);
	mem_init(&d.rig, &both, 8192, 0, PHYR_DMA_BIDIRECTIONAL);
	sync_refused(&d, &transfers[0], 3, &out.map, 8192, -EINVAL);
	sync_refused(&d, &transfers[1], 3, &in.map, 8192, -EINVAL);
	phyr_nvme_read_sync(d.queue, 3, &out.map);
	assert_non_null(strstr(d.rig.tenv.last.hint, "a read writes memory"));
	phyr_nvme_write_sync(d.queue, 3, &in.map);
	assert_non_null(strstr(d.rig.tenv.last.hint, "a write reads memory"));
	assert_int_equal(phyr_nvme_read_sync(d.queue, 3, &in.map), 0);
	assert_int_equal(phyr_nvme_write_sync(d.queue, 3, &out.map), 0);
	assert_int_equal(phyr_nvme_read_sync(d.queue, 3, &both.map), 0);
	assert_int_equal(phyr_nvme_write_sync(d.queue, 3, &both.map), 0);
	mem_fini(&d.rig, &in);
	mem_fini(&d.rig, &out);
	mem_fini(&d.rig, &both);
	disk_fini(&d);
}

/* A cold queue has no PRP lists yet: without memory for them the command is not submitted. */
static void no_memory_for_lists(void **state)
{
	struct ended ended = {0};
	struct phyr_cursor cur;
	struct disk d;
	struct mem mem;

	disk_init(&d, 2, NULL);
	mem_init(&d.rig, &mem, MIB, 0, PHYR_DMA_FROM_DEVICE);
	tenv_restart(&d.rig.tenv);
	d.rig.tenv.fail_at = 1;
	cur = mem_cursor(&mem, 0, MIB);
	assert_int_equal(phyr_nvme_read(d.queue, 4, &cur, ended_fn, &ended), -ENOMEM);
	assert_true(d.rig.tenv.failed);
	assert_int_equal(cur.left, MIB);
	assert_int_equal(phyr_nvme_in_flight(d.queue), 0);
	assert_int_equal(d.rig.tenv.last.err, -ENOMEM);
	assert_string_equal(d.rig.tenv.last.call, "phyr_nvme_read");
	assert_int_equal(d.rig.tenv.last.addr, 4 * 512);
	assert_int_equal(d.rig.tenv.last.len, MIB);
	d.rig.tenv.fail_at = 0;
	assert_int_equal(phyr_nvme_read(d.queue, 4, &cur, ended_fn, &ended), 0);
	poll_all(d.queue);
	assert_int_equal(ended.times, 1);
	assert_int_equal(ended.err, 0);
	mem_fini(&d.rig, &mem);
	disk_fini(&d);
}

/* A bus offset of 4 KiB puts what is aligned in memory off the pages of a 64 KiB controller. */
static void offsets_can_misplace_rings(void **state)
{
	struct phyr_limits limits = {.size = sizeof(limits), .bus_offset = 4096};
	struct phyr_nvme_opts opts;
	struct rig rig;

	rig_init(&rig, true);
	rig_disk(&rig, MIB, NULL, false);
	phyr_dev_destroy(rig.dev);
	assert_int_equal(phyr_dev_create(rig.domain, RIG_SOURCE, &limits, &rig.dev), 0);
	opts = rig_opts(&rig);
	opts.page_lg2 = 16;
	assert_int_equal(try_open(&rig, &opts), -EOPNOTSUPP);
	rig_fini(&rig);
}

/* The machine's memory lies above 4 GiB: a device that does not reach it can have no rings. */
static void rings_out_of_reach(void **state)
{
	struct phyr_limits limits = {.size = sizeof(limits), .dma_mask = UINT32_MAX};
	struct phyr_nvme_opts opts;
	struct phyr_nvme *nvme = NULL;
	struct rig rig;

	rig_init(&rig, true);
	rig_disk(&rig, MIB, NULL, false);
	phyr_dev_destroy(rig.dev);
	assert_int_equal(phyr_dev_create(rig.domain, RIG_SOURCE, &limits, &rig.dev), 0);
	opts = rig_opts(&rig);
	assert_int_equal(phyr_nvme_open(rig.dev, phyr_sim_dev_regs(rig.sdev), &opts, &nvme),
			 -ENOMEM);
	assert_null(nvme);
	assert_true(rig.tenv.reports >= 2);
	assert_int_equal(rig.tenv.last.err, -ENOMEM);
	assert_string_equal(rig.tenv.last.call, "phyr_nvme_open");
	rig_fini(&rig);
}

/* Four reads in a queue of four. */
static void fill_queue(struct disk *d, struct mem *mem, struct ended *ended)
{
	for (unsigned i = 0; i < 4; i++) {
		struct phyr_cursor cur = mem_cursor(mem, 0, 512);

		assert_int_equal(phyr_nvme_read(d->queue, i, &cur, ended_fn, ended), 0);
	}
}

static void a_full_queue_says_again(void **state)
{
	struct phyr_cursor cur;
	struct ended ended = {0};
	struct disk d;
	struct mem mem;

	disk_init(&d, 4, NULL);
	mem_init(&d.rig, &mem, 4096, 0, PHYR_DMA_FROM_DEVICE);
	fill_queue(&d, &mem, &ended);
	cur = mem_cursor(&mem, 0, 512);
	assert_int_equal(phyr_nvme_read(d.queue, 4, &cur, ended_fn, &ended), -EAGAIN);
	assert_int_equal(phyr_nvme_write(d.queue, 4, &cur, ended_fn, &ended), -EAGAIN);
	assert_int_equal(cur.left, 512);
	assert_int_equal(phyr_nvme_flush(d.queue, ended_fn, &ended), -EAGAIN);
	assert_int_equal(d.rig.tenv.reports, 0);
	assert_int_equal(phyr_nvme_in_flight(d.queue), 4);
	/* The waiting calls find their place in a full queue. */
	assert_int_equal(phyr_nvme_read_sync(d.queue, 4, &mem.map), 0);
	poll_all(d.queue);
	fill_queue(&d, &mem, &ended);
	assert_int_equal(phyr_nvme_flush_sync(d.queue), 0);
	poll_all(d.queue);
	assert_int_equal(ended.times, 8);
	mem_fini(&d.rig, &mem);
	disk_fini(&d);
}

struct chain {
	struct phyr_nvme_queue *queue;
	struct mem *mem;
	unsigned left;
};

static void next_of_chain(void *arg, const struct phyr_nvme_done *done)
{
	struct chain *chain = arg;
	struct phyr_cursor cur = mem_cursor(chain->mem, 0, 512);

	assert_int_equal(done->err, 0);
	if (chain->left && chain->left-- % 7 == 0)
		phyr_nvme_poll(chain->queue);
	if (chain->left)
		assert_int_equal(
			phyr_nvme_read(chain->queue, chain->left, &cur, next_of_chain, chain), 0);
}

static void functions_submit_and_poll(void **state)
{
	struct phyr_nvme_stats stats;
	struct chain chain;
	struct disk d;
	struct mem mem;

	disk_init(&d, 1, NULL); /* the only slot must be free when the function runs */
	mem_init(&d.rig, &mem, 4096, 0, PHYR_DMA_FROM_DEVICE);
	chain = (struct chain){d.queue, &mem, 300};
	next_of_chain(&chain, &(struct phyr_nvme_done){0});
	poll_all(d.queue);
	assert_int_equal(chain.left, 0);
	phyr_nvme_queue_get_stats(d.queue, &stats);
	assert_true(stats.submitted > 250);
	assert_int_equal(stats.submitted, stats.completed);
	mem_fini(&d.rig, &mem);
	disk_fini(&d);
}

static void sync_splits(void **state)
{
	struct phyr_sim_nvme_config config = {.size = sizeof(config), .mdts = 2};
	struct mem from, to;
	struct disk d;

	disk_init(&d, 3, &config);
	mem_init(&d.rig, &from, 3 * MIB + 512, 0x204, PHYR_DMA_TO_DEVICE);
	mem_init(&d.rig, &to, 3 * MIB + 512, 0x600, PHYR_DMA_FROM_DEVICE);
	for (uint64_t i = 0; i < from.len; i++)
		from.cpu[i] = (unsigned char)(i * 2654435761u >> 13);
	assert_int_equal(phyr_nvme_write_sync(d.queue, 11, &from.map), 0);
	assert_int_equal(phyr_nvme_flush_sync(d.queue), 0);
	assert_int_equal(phyr_nvme_read_sync(d.queue, 11, &to.map), 0);
	assert_memory_equal(from.cpu, to.cpu, from.len);
	assert_int_equal(pread(d.rig.fd, to.cpu, to.len, 11 * 512), to.len);
	assert_memory_equal(from.cpu, to.cpu, from.len);
	mem_fini(&d.rig, &from);
	mem_fini(&d.rig, &to);
	disk_fini(&d);
}

static void warm_queues_allocate_nothing(void **state)
{
	struct phyr_nvme_stats stats;
	struct disk d;
	struct mem mem;

	disk_init(&d, 8, NULL);
	mem_init(&d.rig, &mem, 8 * MIB, 0, PHYR_DMA_FROM_DEVICE);
	assert_int_equal(phyr_nvme_read_sync(d.queue, 0, &mem.map), 0);
	tenv_restart(&d.rig.tenv);
	phyr_nvme_queue_set_timing(d.queue, true);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(phyr_nvme_read_sync(d.queue, i, &mem.map), 0);
	assert_int_equal(d.rig.tenv.allocs, 0);
	phyr_nvme_queue_get_stats(d.queue, &stats);
	assert_int_equal(stats.submitted, 5 * 8);
	assert_int_equal(stats.completed, 5 * 8);
	assert_true(stats.desc_ns > 0);
	mem_fini(&d.rig, &mem);
	disk_fini(&d);
}

static void statuses_come_back(void **state)
{
	struct phyr_sim_nvme_config config = {.size = sizeof(config), .read_only = true};
	struct ended ended = {0};
	struct phyr_cursor cur;
	struct disk d;
	struct mem mem;

	disk_init(&d, 4, &config);
	mem_init(&d.rig, &mem, 8192, 0, PHYR_DMA_BIDIRECTIONAL);
	cur = mem_cursor(&mem, 0, 8192);
	assert_int_equal(phyr_nvme_write(d.queue, 5, &cur, ended_fn, &ended), 0);
	poll_all(d.queue);
	assert_int_equal(ended.times, 1);
	assert_int_equal(ended.err, -EROFS);
	assert_int_equal(ended.status, 0x20);
	expect_report(&d, -EROFS, "phyr_nvme_write", 5 * 512, 8192);
	assert_int_equal(phyr_nvme_write_sync(d.queue, 5, &mem.map), -EROFS);
	assert_int_equal(phyr_nvme_read_sync(d.queue, 5, &mem.map), 0);
	mem_fini(&d.rig, &mem);
	disk_fini(&d);
}

static void destroy_waits_for_commands(void **state)
{
	struct ended ended = {0};
	struct phyr_cursor cur;
	struct disk d;
	struct mem mem;

	disk_init(&d, 4, NULL);
	mem_init(&d.rig, &mem, 4096, 0, PHYR_DMA_FROM_DEVICE);
	for (unsigned i = 0; i < 4; i++) {
		cur = mem_cursor(&mem, 0, 512);
		assert_int_equal(phyr_nvme_read(d.queue, i, &cur, ended_fn, &ended), 0);
	}
	phyr_nvme_queue_destroy(d.queue);
	assert_int_equal(ended.times, 4);
	assert_int_equal(ended.err, 0);
	mem_fini(&d.rig, &mem);
	rig_fini(&d.rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(info_is_the_controllers),
		cmocka_unit_test(options_are_checked),
		cmocka_unit_test(queues_are_counted),
		cmocka_unit_test(refusals_name_the_range),
		cmocka_unit_test(the_last_block_is_a_block),
		cmocka_unit_test(sync_refusals_name_the_whole),
		cmocka_unit_test(sync_looks_at_the_direction),
		cmocka_unit_test(no_memory_for_lists),
		cmocka_unit_test(offsets_can_misplace_rings),
		cmocka_unit_test(rings_out_of_reach),
		cmocka_unit_test(a_full_queue_says_again),
		cmocka_unit_test(functions_submit_and_poll),
		cmocka_unit_test(sync_splits),
		cmocka_unit_test(warm_queues_allocate_nothing),
		cmocka_unit_test(statuses_come_back),
		cmocka_unit_test(destroy_waits_for_commands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
