/* SPDX-License-Identifier: MIT */
/*
 * Random reads and writes at depth against a copy of the disk in memory.
 *
 * The disk is cut into lanes, one for each command in flight, so that commands never overlap. Each
 * lane writes what it draws into its part of the disk and the copy, and compares what it reads.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "lib/rnd.h"
#include "nvme/rig.h"

#define LANES      12
#define LANE_BYTES (UINT64_C(3) << 20)

struct disk;

struct lane {
	struct disk *disk;
	unsigned char *copy; /* its part of the disk */
	uint64_t start;      /* first byte on the disk */
	struct mem mem;
	uint64_t at, len;
	uint64_t from; /* offset in mem */
	bool reads;
	bool flying;
};

struct disk {
	struct rig rig;
	struct rnd rnd;
	struct phyr_nvme_queue *queue;
	uint64_t block;
	uint64_t max;
	struct lane lanes[LANES];
};

static void lane_ended(void *arg, const struct phyr_nvme_done *done)
{
	struct lane *lane = arg;

	assert_int_equal(done->err, 0);
	assert_true(lane->flying);
	lane->flying = false;
	if (lane->reads)
		assert_memory_equal(lane->mem.cpu + lane->from, lane->copy + lane->at, lane->len);
}

static void draw(struct lane *lane)
{
	struct disk *d = lane->disk;
	uint64_t blocks = rnd_log(&d->rnd, 1, d->max / d->block);

	lane->len = blocks * d->block;
	lane->at = rnd_below(&d->rnd, (LANE_BYTES - lane->len) / d->block + 1) * d->block;
	lane->from = rnd_below(&d->rnd, (lane->mem.len - lane->len) / 4 + 1) * 4;
	lane->reads = rnd_below(&d->rnd, 2);
	for (uint64_t i = 0; i < lane->len && !lane->reads; i += 4) {
		uint32_t v = (uint32_t)rnd_u64(&d->rnd);

		memcpy(lane->mem.cpu + lane->from + i, &v, 4);
		memcpy(lane->copy + lane->at + i, &v, 4);
	}
	if (lane->reads)
		memset(lane->mem.cpu + lane->from, 0xee, lane->len);
}

static void submit(struct lane *lane)
{
	struct phyr_cursor cur;
	struct disk *d = lane->disk;
	uint64_t lba;

	draw(lane);
	lba = (lane->start + lane->at) / d->block;
	cur = mem_cursor(&lane->mem, lane->from, lane->len);
	lane->flying = true;
	assert_int_equal((lane->reads ? phyr_nvme_read : phyr_nvme_write)(d->queue, lba, &cur,
									  lane_ended, lane),
			 0);
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

static void run(struct disk *d, unsigned commands)
{
	while (commands) {
		struct lane *lane = &d->lanes[rnd_below(&d->rnd, LANES)];

		phyr_nvme_poll(d->queue);
		if (!lane->flying) {
			submit(lane);
			commands--;
		}
	}
	poll_all(d->queue);
}

static void model(const char *name, bool stepped, bool iommu, unsigned block_lg2, unsigned page_lg2)
{
	struct phyr_sim_nvme_config config = {.size = sizeof(config), .block_lg2 = block_lg2};
	struct phyr_sim_stats stats;
	struct phyr_nvme_opts opts;
	struct disk d = {.rnd = rnd_start(name)};

	rig_init(&d.rig, stepped);
	rig_disk(&d.rig, LANES * LANE_BYTES, &config, iommu);
	opts = rig_opts(&d.rig);
	opts.page_lg2 = page_lg2;
	rig_open(&d.rig, &opts);
	assert_int_equal(phyr_nvme_queue_create(d.rig.nvme, LANES, &d.queue), 0);
	d.block = phyr_nvme_get_info(d.rig.nvme)->block_size;
	d.max = phyr_nvme_get_info(d.rig.nvme)->max_transfer;
	assert_int_equal(d.block, 1 << block_lg2);
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
	model("nvme/model stepped", true, true, 9, 12);
}

static void threaded_behind_iommu(void **state)
{
	model("nvme/model threaded", false, true, 9, 12);
}

static void threaded_without_iommu(void **state)
{
	model("nvme/model no iommu", false, false, 12, 12);
}

static void large_controller_pages(void **state)
{
	model("nvme/model 64K pages", true, true, 12, 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stepped_behind_iommu),
		cmocka_unit_test(threaded_behind_iommu),
		cmocka_unit_test(threaded_without_iommu),
		cmocka_unit_test(large_controller_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
