/* SPDX-License-Identifier: MIT */
/*
 * The driver on the simulated controller where that does more than it must, or less: commands that it
 * need not have, namespaces, a format, events; and faults by plan.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <phyr/nvme_data.h>
#include <phyr/nvme_spec.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "nvme/rig.h"

#define MIB (UINT64_C(1) << 20)

struct disk {
	struct rig rig;
	struct phyr_nvme_queue *queue;
	struct phyr_nvme_queue *admin;
};

static void disk_init(struct disk *d, struct phyr_sim_nvme_config *config, uint32_t nsid)
{
	struct phyr_nvme_opts opts;

	rig_init(&d->rig, true);
	rig_fast_clock(&d->rig);
	rig_disk(&d->rig, 4 * MIB, config, true);
	opts = rig_opts(&d->rig);
	opts.nsid = nsid;
	rig_open(&d->rig, &opts);
	assert_int_equal(phyr_nvme_queue_create(d->rig.nvme, 8, &d->queue), 0);
	d->admin = phyr_nvme_admin_queue(d->rig.nvme);
	tenv_restart(&d->rig.tenv);
}

static void disk_fini(struct disk *d)
{
	phyr_nvme_queue_destroy(d->queue);
	phyr_nvme_close(d->rig.nvme);
	d->rig.nvme = NULL;
	rig_fini(&d->rig);
}

static struct phyr_nvme_ctrl_stats stats_of(struct disk *d)
{
	struct phyr_nvme_ctrl_stats stats;

	phyr_nvme_get_stats(d->rig.nvme, &stats);
	return stats;
}

static void block_is(struct disk *d, uint64_t lba, unsigned char byte)
{
	unsigned char block[512];

	assert_int_equal(pread(d->rig.fd, block, 512, (off_t)lba * 512), 512);
	for (unsigned i = 0; i < 512; i++)
		assert_int_equal(block[i], byte);
}

static int compare_one(struct disk *d, struct mem *mem, uint64_t lba)
{
	struct phyr_cursor cur = mem_cursor(mem, 0, 512);
	struct ended ended = {0};

	assert_int_equal(phyr_nvme_compare(d->queue, lba, &cur, ended_fn, &ended), 0);
	poll_all(d->queue);
	assert_int_equal(ended.times, 1);
	return ended.err;
}

static void optional_commands(void **state)
{
	const struct phyr_nvme_info *info;
	struct ended ended = {0};
	struct disk d;
	struct mem mem;

	disk_init(&d, NULL, 0);
	info = phyr_nvme_get_info(d.rig.nvme);
	assert_true(info->compare && info->write_zeroes && info->deallocate);
	mem_init(&d.rig, &mem, 4096, 0, PHYR_DMA_BIDIRECTIONAL);
	memset(mem.cpu, 0x5c, 4096);
	assert_int_equal(phyr_nvme_write_sync(d.queue, 40, &mem.map), 0);
	assert_int_equal(compare_one(&d, &mem, 41), 0);
	assert_int_equal(phyr_nvme_write_zeroes(d.queue, 42, 3, ended_fn, &ended), 0);
	poll_all(d.queue);
	assert_int_equal(ended.err, 0);
	block_is(&d, 41, 0x5c);
	block_is(&d, 42, 0);
	block_is(&d, 44, 0);
	block_is(&d, 45, 0x5c);
	assert_int_equal(compare_one(&d, &mem, 44), -EILSEQ);
	assert_int_equal(phyr_nvme_deallocate(d.queue, 45, 1, ended_fn, &ended), 0);
	poll_all(d.queue);
	assert_int_equal(ended.err, 0);
	assert_int_equal(ended.times, 2);
	assert_true(info->zeroes_deallocated);
	block_is(&d, 45, 0);
	block_is(&d, 46, 0x5c);
	mem_fini(&d.rig, &mem);
	disk_fini(&d);
}

static void another_namespace(void **state)
{
	struct phyr_sim_nvme_config config = {.size = sizeof(config), .nr_more = 1};
	struct phyr_sim_nvme_ns more = {.block_lg2 = 12};
	char name[] = "/tmp/phyr-nvme-XXXXXX";
	unsigned char byte = 0;
	struct disk d;
	struct mem mem;

	more.fd = mkstemp(name);
	assert_true(more.fd >= 0);
	unlink(name);
	assert_int_equal(ftruncate(more.fd, MIB), 0);
	config.more = &more;
	disk_init(&d, &config, 2);
	assert_int_equal(phyr_nvme_get_info(d.rig.nvme)->nsid, 2);
	assert_true(phyr_nvme_get_info(d.rig.nvme)->nr_namespaces >= 2);
	assert_int_equal(phyr_nvme_get_info(d.rig.nvme)->block_size, 4096);
	assert_int_equal(phyr_nvme_get_info(d.rig.nvme)->nr_blocks, MIB / 4096);
	mem_init(&d.rig, &mem, 4096, 0, PHYR_DMA_TO_DEVICE);
	memset(mem.cpu, 0x77, 4096);
	assert_int_equal(phyr_nvme_write_sync(d.queue, 3, &mem.map), 0);
	assert_int_equal(phyr_nvme_reset(d.rig.nvme), 0);
	assert_int_equal(phyr_nvme_write_sync(d.queue, 255, &mem.map), 0);
	assert_int_equal(pread(more.fd, &byte, 1, 255 * 4096), 1);
	assert_int_equal(byte, 0x77);
	block_is(&d, 3 * 8, 0);
	mem_fini(&d.rig, &mem);
	disk_fini(&d);
	close(more.fd);
}

/* The format whose blocks are of that size, by what the namespace itself lists. */
static unsigned format_of(struct disk *d, unsigned block_lg2)
{
	struct phyr_nvme_sqe sqe = {.opc = PHYR_NVME_ADMIN_IDENTIFY, .nsid = 1};
	const struct phyr_nvme_id_ns *ns;
	unsigned format = 0;
	struct mem mem;

	mem_init(&d->rig, &mem, 4096, 0, PHYR_DMA_FROM_DEVICE);
	assert_int_equal(phyr_nvme_submit_sync(d->admin, &sqe, &mem.map, NULL), 0);
	ns = (const struct phyr_nvme_id_ns *)mem.cpu;
	while (ns->lbaf[format].lbads != block_lg2)
		assert_true(format++ < ns->nlbaf);
	mem_fini(&d->rig, &mem);
	return format;
}

static void formatted_and_rescanned(void **state)
{
	struct phyr_nvme_sqe sqe = {.opc = PHYR_NVME_ADMIN_FORMAT_NVM, .nsid = 1};
	struct disk d;
	struct mem mem;

	disk_init(&d, NULL, 0);
	mem_init(&d.rig, &mem, 4096, 0, PHYR_DMA_TO_DEVICE);
	assert_int_equal(phyr_nvme_write_sync(d.queue, 0, &mem.map), 0);
	block_is(&d, 0, 0xa5);
	sqe.cdw10 = PHYR_NVME_FORMAT_LBAF(format_of(&d, 12));
	assert_int_equal(phyr_nvme_submit_sync(d.admin, &sqe, NULL, NULL), 0);
	assert_int_equal(phyr_nvme_rescan(d.rig.nvme), 0);
	assert_int_equal(phyr_nvme_get_info(d.rig.nvme)->block_size, 4096);
	assert_int_equal(phyr_nvme_get_info(d.rig.nvme)->nr_blocks, 1024);
	block_is(&d, 0, 0);
	assert_int_equal(phyr_nvme_write_sync(d.queue, 1023, &mem.map), 0);
	block_is(&d, 8191, 0xa5);
	assert_int_equal(phyr_nvme_write_sync(d.queue, 1024, &mem.map), -ERANGE);
	/* A format behind the driver's back: after a reset it is another namespace. */
	sqe.cdw10 = PHYR_NVME_FORMAT_LBAF(format_of(&d, 9));
	assert_int_equal(phyr_nvme_submit_sync(d.admin, &sqe, NULL, NULL), 0);
	assert_int_equal(phyr_nvme_reset(d.rig.nvme), -EIO);
	mem_fini(&d.rig, &mem);
	disk_fini(&d);
}

static void an_event_is_told(void **state)
{
	struct phyr_nvme_sqe config = {.opc = PHYR_NVME_ADMIN_SET_FEATURES,
				       .cdw10 = PHYR_NVME_FEAT_ASYNC_EVENT,
				       .cdw11 = 0x1f};
	struct phyr_nvme_sqe event = {.opc = PHYR_NVME_ADMIN_ASYNC_EVENT};
	struct ended ended = {0};
	struct disk d;

	disk_init(&d, NULL, 0);
	assert_int_equal(phyr_nvme_submit_sync(d.admin, &config, NULL, NULL), 0);
	assert_int_equal(phyr_nvme_submit(d.admin, &event, NULL, ended_fn, &ended), 0);
	assert_int_equal(phyr_nvme_flush_sync(d.queue), 0);
	assert_int_equal(ended.times, 0);
	phyr_sim_nvme_set_temperature(d.rig.sdev, 400);
	for (unsigned i = 0; i < 100 && !ended.times; i++)
		phyr_nvme_poll(d.admin);
	assert_int_equal(ended.times, 1);
	assert_int_equal(ended.err, 0);
	assert_int_equal(PHYR_NVME_AER_TYPE(ended.result), PHYR_NVME_AER_SMART);
	assert_int_equal(PHYR_NVME_AER_INFO(ended.result), PHYR_NVME_AER_SMART_TEMPERATURE);
	disk_fini(&d);
}

/*
 * Faults by plan.
 */

static void plan(struct disk *d, enum phyr_sim_nvme_fault_kind kind, uint64_t steps)
{
	struct phyr_sim_nvme_fault fault = {.kind = kind,
					    .queue = PHYR_SIM_NVME_ANY_IO,
					    .opcode = PHYR_SIM_NVME_ANY,
					    .after = 2,
					    .steps = steps,
					    .status = 0x281};

	assert_int_equal(phyr_sim_nvme_plan(d->rig.sdev, &fault, 1), 0);
}

/* Six reads, of which the plan hits the third. */
static void six(struct disk *d, struct mem *mem, struct ended *ended)
{
	memset(ended, 0, 6 * sizeof(*ended));
	for (unsigned i = 0; i < 6; i++) {
		struct phyr_cursor cur = mem_cursor(mem, i * 512, 512);

		assert_int_equal(phyr_nvme_read(d->queue, i, &cur, ended_fn, &ended[i]), 0);
	}
	poll_all(d->queue);
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(ended[i].times, 1);
	assert_int_equal(ended[0].err, 0);
	assert_int_equal(ended[1].err, 0);
}

static void goes_on(struct disk *d, struct mem *mem)
{
	struct ended ended[6];

	assert_int_equal(phyr_sim_nvme_plan(d->rig.sdev, NULL, 0), 0);
	six(d, mem, ended);
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(ended[i].err, 0);
}

static void faults_by_plan(void **state)
{
	static const struct {
		enum phyr_sim_nvme_fault_kind kind;
		uint64_t steps;
		int hit;   /* what the command that is hit ends with */
		int after; /* and those after it */
		unsigned aborts, resets;
	} faults[] = {
		{PHYR_SIM_NVME_DELAY, 20, 0, 0, 0, 0},
		{PHYR_SIM_NVME_DELAY, PHYR_SIM_NVME_NEVER, -ECANCELED, 0, 1, 0},
		{PHYR_SIM_NVME_REORDER, 0, 0, 0, 0, 0},
		{PHYR_SIM_NVME_STATUS, 0, -EIO, 0, 0, 0},
		{PHYR_SIM_NVME_DROP, 0, -ETIMEDOUT, 0, 1, 1},
		{PHYR_SIM_NVME_FATAL, 0, -ECANCELED, -ECANCELED, 0, 1},
	};
	struct ended ended[6];
	struct disk d;
	struct mem mem;

	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		disk_init(&d, NULL, 0);
		mem_init(&d.rig, &mem, 4096, 0, PHYR_DMA_FROM_DEVICE);
		plan(&d, faults[i].kind, faults[i].steps);
		six(&d, &mem, ended);
		assert_int_equal(ended[2].err, faults[i].hit);
		for (unsigned n = 3; n < 6; n++)
			assert_int_equal(ended[n].err, faults[i].after);
		assert_int_equal(stats_of(&d).aborts, faults[i].aborts);
		assert_int_equal(stats_of(&d).resets, faults[i].resets);
		goes_on(&d, &mem);
		mem_fini(&d.rig, &mem);
		disk_fini(&d);
	}
}

static void gone(void **state)
{
	struct ended ended[6];
	struct disk d;
	struct mem mem;

	disk_init(&d, NULL, 0);
	mem_init(&d.rig, &mem, 4096, 0, PHYR_DMA_FROM_DEVICE);
	plan(&d, PHYR_SIM_NVME_GONE, 0);
	six(&d, &mem, ended);
	for (unsigned n = 2; n < 6; n++)
		assert_int_equal(ended[n].err, -ENODEV);
	assert_int_equal(phyr_nvme_flush_sync(d.queue), -ENODEV);
	assert_int_equal(stats_of(&d).dead, -ENODEV);
	assert_int_equal(stats_of(&d).resets, 0);
	mem_fini(&d.rig, &mem);
	disk_fini(&d);
}

/* Pulled out while nothing runs, and while the controller is made, at each step of it. */
static void gone_at_each_step(void **state)
{
	struct phyr_nvme_queue *queue;
	struct phyr_nvme_opts opts;
	unsigned commands = 0;
	struct rig rig;
	int err = -1;

	for (; err; commands++) {
		struct phyr_sim_nvme_fault fault = {.kind = PHYR_SIM_NVME_GONE,
						    .queue = PHYR_SIM_NVME_ANY,
						    .opcode = PHYR_SIM_NVME_ANY,
						    .after = commands};

		rig_init(&rig, true);
		rig_fast_clock(&rig);
		rig_disk(&rig, MIB, NULL, true);
		assert_int_equal(phyr_sim_nvme_plan(rig.sdev, &fault, 1), 0);
		opts = rig_opts(&rig);
		err = phyr_nvme_open(rig.dev, phyr_sim_dev_regs(rig.sdev), &opts, &rig.nvme);
		assert_true(!err || err == -EIO || err == -ENODEV);
		assert_int_equal(!err, rig.nvme != NULL);
		if (!err) {
			err = phyr_nvme_queue_create(rig.nvme, 4, &queue);
			assert_true(!err || err == -ENODEV);
		}
		if (!err) {
			err = phyr_nvme_flush_sync(queue);
			assert_true(!err || err == -ENODEV);
			phyr_nvme_queue_destroy(queue);
		}
		rig_fini(&rig);
	}
	assert_true(commands > 6); /* identify twice, queues, two to make the queue, flush */
}

/* As a reset of its function does: it is found out at the next look, long before a command is late. */
static void disabled_by_somebody_else(void **state)
{
	struct ended ended[4] = {{0}}, after = {0};
	struct phyr_regs *regs;
	struct disk d;

	disk_init(&d, NULL, 0);
	regs = phyr_sim_dev_regs(d.rig.sdev);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(phyr_nvme_flush(d.queue, ended_fn, &ended[i]), 0);
	regs->write(regs, PHYR_NVME_CC, 0, 4);
	poll_all(d.queue);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(ended[i].times, 1);
		assert_int_equal(ended[i].err, -ECANCELED);
	}
	assert_int_equal(stats_of(&d).resets, 1);
	assert_int_equal(stats_of(&d).aborts, 0);
	assert_non_null(strstr(stats_of(&d).why, "CSTS.RDY"));
	assert_int_equal(phyr_nvme_flush(d.queue, ended_fn, &after), 0);
	poll_all(d.queue);
	assert_int_equal(after.err, 0);
	disk_fini(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(optional_commands),
		cmocka_unit_test(another_namespace),
		cmocka_unit_test(formatted_and_rescanned),
		cmocka_unit_test(an_event_is_told),
		cmocka_unit_test(faults_by_plan),
		cmocka_unit_test(gone),
		cmocka_unit_test(gone_at_each_step),
		cmocka_unit_test(disabled_by_somebody_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
