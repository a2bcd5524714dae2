/* SPDX-License-Identifier: MIT */
/*
 * Random reads and writes at depth against a copy of the disk in memory.
 *
 * The disk is cut into lanes, one for each command in flight, so that commands never overlap. Each
 * lane writes what it draws into its part of the disk and the copy, and compares what it reads; so do
 * the device, where it is told to compare, and zeroes. The controller is reset now and then, delays
 * some completions, drops some: what was cancelled is submitted again as it was.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/rnd.h"
#include "nvme/rig.h"

#define LANES      12
#define LANE_BYTES (UINT64_C(3) << 20)

struct disk;

enum lane_op { READ, WRITE, COMPARE, ZERO, DEALLOCATE, OPS };

struct lane {
	struct disk *disk;
	unsigned char *copy; /* its part of the disk */
	uint64_t start;      /* first byte on the disk */
	struct mem mem;
	uint64_t at, len;
	uint64_t from; /* offset in mem */
	enum lane_op op;
	bool flying;
	bool again; /* it was cancelled */
};

struct disk {
	struct rig rig;
	struct rnd rnd;
	struct phyr_nvme_queue *queue;
	bool resets;
	unsigned cancelled;
	uint64_t block;
	uint64_t max;
	struct lane lanes[LANES];
};

static void lane_ended(void *arg, const struct phyr_nvme_done *done)
{
	struct lane *lane = arg;

	assert_true(lane->flying);
	lane->flying = false;
	if (lane->disk->resets && (done->err == -ECANCELED || done->err == -ETIMEDOUT)) {
		lane->again = true;
		lane->disk->cancelled++;
		return;
	}
	assert_int_equal(done->err, 0);
	if (lane->op == READ)
		assert_memory_equal(lane->mem.cpu + lane->from, lane->copy + lane->at, lane->len);
}

static void draw(struct lane *lane)
{
	struct disk *d = lane->disk;
	uint64_t blocks = rnd_log(&d->rnd, 1, d->max / d->block);

	lane->len = blocks * d->block;
	lane->at = rnd_below(&d->rnd, (LANE_BYTES - lane->len) / d->block + 1) * d->block;
	lane->from = rnd_below(&d->rnd, (lane->mem.len - lane->len) / 4 + 1) * 4;
	lane->op = (enum lane_op)rnd_below(&d->rnd, OPS);
	for (uint64_t i = 0; i < lane->len && lane->op == WRITE; i += 4) {
		uint32_t v = (uint32_t)rnd_u64(&d->rnd);

		memcpy(lane->mem.cpu + lane->from + i, &v, 4);
		memcpy(lane->copy + lane->at + i, &v, 4);
	}
	if (lane->op == READ)
		memset(lane->mem.cpu + lane->from, 0xee, lane->len);
	if (lane->op == COMPARE)
		memcpy(lane->mem.cpu + lane->from, lane->copy + lane->at, lane->len);
	if (lane->op == ZERO || lane->op == DEALLOCATE)
		memset(lane->copy + lane->at, 0, lane->len);
}

static int send(struct lane *lane)
{
	struct phyr_cursor cur = mem_cursor(&lane->mem, lane->from, lane->len);
	struct disk *d = lane->disk;
	uint64_t lba = (lane->start + lane->at) / d->block, nr = lane->len / d->block;

	switch (lane->op) {
	case READ:
		return phyr_nvme_read(d->queue, lba, &cur, lane_ended, lane);
	case WRITE:
		return phyr_nvme_write(d->queue, lba, &cur, lane_ended, lane);
	case COMPARE:
		return phyr_nvme_compare(d->queue, lba, &cur, lane_ended, lane);
	case ZERO:
		return phyr_nvme_write_zeroes(d->queue, lba, nr, lane_ended, lane);
	default:
		return phyr_nvme_deallocate(d->queue, lba, nr, lane_ended, lane);
	}
}

static void submit(struct lane *lane)
{
	int err;

	if (!lane->again)
		draw(lane);
	lane->flying = true;
	err = send(lane);
	lane->again = err;
	lane->flying = !err;
	assert_true(!err || (lane->disk->resets && err == -EAGAIN));
}

static void init_lanes(struct disk *d)
{
	for (unsigned i = 0; i < LANES; i++) {
		struct lane *lane = &d->lanes[i];

		lane->disk = d;
		lane->start = i * LANE_BYTES;
		lane->copy = calloc(1, LANE_BYTES);
		mem_init(&d->rig, &lane->mem, d->max + 8192, rnd_below(&d->rnd, 1024) * 4,
			 PHYR_DMA_BIDIRECTIONAL);
	}
}

/* Commands that end late, and one now and then that does not end: it costs an abort, then a reset. */
static void plan(struct disk *d)
{
	struct phyr_sim_nvme_fault faults[3] = {
		{.kind = PHYR_SIM_NVME_DROP, .after = 60, .count = 1},
		{.kind = PHYR_SIM_NVME_DELAY, .after = 3, .count = 10, .steps = 30},
		{.kind = PHYR_SIM_NVME_REORDER, .after = 2, .count = 20},
	};

	for (unsigned i = 0; i < 3; i++) {
		faults[i].queue = PHYR_SIM_NVME_ANY_IO;
		faults[i].opcode = PHYR_SIM_NVME_ANY;
	}
	assert_int_equal(phyr_sim_nvme_plan(d->rig.sdev, faults, 3), 0);
}

static void trouble(struct disk *d)
{
	if (!d->resets)
		return;
	if (!rnd_below(&d->rnd, 40))
		assert_int_equal(phyr_nvme_reset(d->rig.nvme), 0);
	if (!rnd_below(&d->rnd, 100))
		plan(d);
}

static void run(struct disk *d, unsigned commands)
{
	while (commands || (d->resets && d->cancelled < 10)) {
		struct lane *lane = &d->lanes[rnd_below(&d->rnd, LANES)];

		phyr_nvme_poll(d->queue);
		trouble(d);
		if (!lane->flying) {
			commands -= commands && !lane->again;
			submit(lane);
		}
	}
	/* Until all that was cancelled has ended well, too. */
	for (unsigned i = 0; i < LANES; i++)
		while (d->lanes[i].flying || d->lanes[i].again)
			if (!phyr_nvme_poll(d->queue) && !d->lanes[i].flying)
				submit(&d->lanes[i]);
}

struct how {
	bool stepped, iommu, resets;
	unsigned block_lg2, page_lg2;
};

static void model(const char *name, const struct how *how)
{
	struct phyr_sim_nvme_config config = {.size = sizeof(config), .block_lg2 = how->block_lg2};
	struct phyr_sim_stats stats;
	struct phyr_nvme_opts opts;
	struct disk d = {.rnd = rnd_start(name)};

	rig_init(&d.rig, how->stepped);
	d.resets = how->resets;
	if (how->resets)
		rig_fast_clock(&d.rig);
	rig_disk(&d.rig, LANES * LANE_BYTES, &config, how->iommu);
	opts = rig_opts(&d.rig);
	opts.page_lg2 = how->page_lg2;
	rig_open(&d.rig, &opts);
	assert_int_equal(phyr_nvme_queue_create(d.rig.nvme, LANES, &d.queue), 0);
	d.block = phyr_nvme_get_info(d.rig.nvme)->block_size;
	d.max = phyr_nvme_get_info(d.rig.nvme)->max_transfer;
	assert_int_equal(d.block, 1 << how->block_lg2);
	init_lanes(&d);
	run(&d, 400);
	phyr_sim_get_stats(d.rig.sim, &stats);
	assert_int_equal(stats.faults, 0);
	for (unsigned i = 0; i < LANES; i++) {
		mem_fini(&d.rig, &d.lanes[i].mem);
		free(d.lanes[i].copy);
	}
	phyr_nvme_queue_destroy(d.queue);
	rig_fini(&d.rig);
}

static void stepped_behind_iommu(void **state)
{
	model("nvme/model stepped", &(struct how){true, true, false, 9, 12});
}

static void threaded_behind_iommu(void **state)
{
	model("nvme/model threaded", &(struct how){false, true, false, 9, 12});
}

static void threaded_without_iommu(void **state)
{
	model("nvme/model no iommu", &(struct how){false, false, false, 12, 12});
}

static void large_controller_pages(void **state)
{
	model("nvme/model 64K pages", &(struct how){true, true, false, 12, 16});
}

static void resets_and_faults(void **state)
{
	model("nvme/model resets", &(struct how){true, true, true, 9, 12});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stepped_behind_iommu),   cmocka_unit_test(threaded_behind_iommu),
		cmocka_unit_test(threaded_without_iommu), cmocka_unit_test(large_controller_pages),
		cmocka_unit_test(resets_and_faults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
