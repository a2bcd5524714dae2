/* SPDX-License-Identifier: MIT */
/* Every allocation of the driver fails once: a clean error, nothing left, the next try works. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "nvme/rig.h"

/* A transfer each way. */
static const struct way {
	const char *call;
	int (*submit)(struct phyr_nvme_queue *queue, uint64_t lba, struct phyr_cursor *data,
		      phyr_nvme_fn *fn, void *arg);
	int (*sync)(struct phyr_nvme_queue *queue, uint64_t lba, const struct phyr_dma_map *map);
} ways[] = {
	{"phyr_nvme_read", phyr_nvme_read, phyr_nvme_read_sync},
	{"phyr_nvme_write", phyr_nvme_write, phyr_nvme_write_sync},
};

/* A transfer; then one in the next run: a reset needs no memory, so it never fails for want of it. */
static int transfer_and_reset(struct phyr_nvme *nvme, struct phyr_nvme_queue *queue,
			      struct mem *mem, const struct way *way)
{
	int err = way->sync(queue, 0, &mem->map);

	assert_int_equal(phyr_nvme_in_flight(queue), 0);
	if (err)
		return err;
	assert_int_equal(phyr_nvme_reset(nvme), 0);
	err = way->sync(queue, 0, &mem->map);
	assert_int_equal(phyr_nvme_in_flight(queue), 0);
	return err;
}

/* @call: which one told that it failed */
static int run(struct rig *rig, struct mem *mem, const struct way *way, const char **call)
{
	struct phyr_nvme_queue *queue = NULL;
	struct phyr_nvme *nvme = NULL;
	struct phyr_nvme_opts opts = rig_opts(rig);
	int err;

	*call = "phyr_nvme_open";
	err = phyr_nvme_open(rig->dev, phyr_sim_dev_regs(rig->sdev), &opts, &nvme);
	if (err) {
		assert_null(nvme);
	} else {
		*call = "phyr_nvme_queue_create";
		err = phyr_nvme_queue_create(nvme, 16, &queue);
		assert_true(!err == !!queue);
	}
	if (!err) {
		*call = way->call;
		err = transfer_and_reset(nvme, queue, mem, way);
	}
	phyr_nvme_queue_destroy(queue);
	phyr_nvme_close(nvme);
	return err;
}

static uint64_t iova_in_use(struct rig *rig)
{
	struct phyr_domain_stats stats;

	phyr_domain_get_stats(rig->domain, &stats);
	return stats.iova_bytes;
}

static void sweep(bool iommu, const struct way *way)
{
	struct rig rig;
	struct mem mem;
	uint64_t before;
	unsigned failures = 0, transfers = 0;
	const char *call;
	int err;

	rig_init(&rig, true);
	rig_disk(&rig, 9 << 20, NULL, iommu);
	mem_init(&rig, &mem, 9 << 20, 0, PHYR_DMA_BIDIRECTIONAL);
	before = iova_in_use(&rig);
	for (rig.tenv.fail_at = 1;; rig.tenv.fail_at++, failures++) {
		tenv_restart(&rig.tenv);
		err = run(&rig, &mem, way, &call);
		if (!rig.tenv.failed)
			break;
		assert_int_equal(err, -ENOMEM);
		assert_true(rig.tenv.reports >= 1);
		assert_int_equal(rig.tenv.last.err, -ENOMEM);
		assert_string_equal(rig.tenv.last.call, call);
		assert_int_equal(iova_in_use(&rig), before);
		transfers += call == way->call;
	}
	assert_int_equal(err, 0);
	assert_true(failures > 10);
	assert_true(transfers > 0);
	mem_fini(&rig, &mem);
	rig_fini(&rig);
}

static void behind_an_iommu(void **state)
{
	for (unsigned i = 0; i < 2; i++)
		sweep(true, &ways[i]);
}

static void without_an_iommu(void **state)
{
	for (unsigned i = 0; i < 2; i++)
		sweep(false, &ways[i]);
}

/* What a submission that fails leaves: nothing. */
static void refused(struct rig *rig, struct phyr_nvme_queue *queue, const struct way *way,
		    const struct phyr_cursor *cur, const struct phyr_cursor *was)
{
	assert_memory_equal(cur, was, sizeof(*cur));
	assert_int_equal(phyr_nvme_in_flight(queue), 0);
	assert_int_equal(rig->tenv.last.err, -ENOMEM);
	assert_string_equal(rig->tenv.last.call, way->call);
	assert_int_equal(rig->tenv.last.addr, 8 * 512);
	assert_int_equal(rig->tenv.last.len, 1 << 20);
	assert_non_null(rig->tenv.last.hint);
}

/*
 * One command of a controller just opened, whose pool of PRP lists is empty: each of its allocations
 * fails; then the same cursor goes through.
 */
static void submit(struct rig *rig, struct mem *mem, const struct way *way)
{
	struct phyr_nvme_queue *queue;
	struct phyr_cursor cur, was;
	struct ended ended = {0};
	int err;

	rig_open(rig, NULL);
	assert_int_equal(phyr_nvme_queue_create(rig->nvme, 4, &queue), 0);
	was = cur = mem_cursor(mem, 0, 1 << 20);
	for (rig->tenv.fail_at = 1;; rig->tenv.fail_at++) {
		tenv_restart(&rig->tenv);
		err = way->submit(queue, 8, &cur, ended_fn, &ended);
		if (!rig->tenv.failed)
			break;
		assert_int_equal(err, -ENOMEM);
		refused(rig, queue, way, &cur, &was);
	}
	assert_int_equal(err, 0);
	assert_true(rig->tenv.fail_at > 1);
	rig->tenv.fail_at = 0;
	poll_all(queue);
	assert_int_equal(ended.times, 1);
	assert_int_equal(ended.err, 0);
	assert_int_equal(cur.left, 0);
	phyr_nvme_queue_destroy(queue);
	phyr_nvme_close(rig->nvme);
	rig->nvme = NULL;
}

static void submissions(void **state)
{
	static unsigned char disk[1 << 20];
	struct rig rig;
	struct mem mem;

	rig_init(&rig, true);
	rig_disk(&rig, 2 << 20, NULL, true);
	mem_init(&rig, &mem, 1 << 20, 0, PHYR_DMA_BIDIRECTIONAL);
	submit(&rig, &mem, &ways[1]);
	assert_int_equal(pread(rig.fd, disk, 1 << 20, 8 * 512), 1 << 20);
	assert_memory_equal(disk, mem.cpu, 1 << 20);
	memset(mem.cpu, 0, 1 << 20);
	submit(&rig, &mem, &ways[0]);
	assert_memory_equal(disk, mem.cpu, 1 << 20);
	mem_fini(&rig, &mem);
	rig_fini(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(behind_an_iommu),
		cmocka_unit_test(without_an_iommu),
		cmocka_unit_test(submissions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
