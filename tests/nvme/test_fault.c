/* SPDX-License-Identifier: MIT */
/* Every allocation of the driver's start fails once: a clean error, nothing left, the next try works. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "nvme/rig.h"

/* @call: which one told that it failed */
static int run(struct rig *rig, struct mem *mem, const char **call)
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
		*call = "phyr_nvme_read";
		err = phyr_nvme_read_sync(queue, 0, &mem->map);
		assert_int_equal(phyr_nvme_in_flight(queue), 0);
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

static void sweep(bool iommu)
{
	struct rig rig;
	struct mem mem;
	uint64_t before;
	unsigned failures = 0;
	const char *call;
	int err;

	rig_init(&rig, true);
	rig_disk(&rig, 9 << 20, NULL, iommu);
	mem_init(&rig, &mem, 9 << 20, 0, PHYR_DMA_FROM_DEVICE);
	before = iova_in_use(&rig);
	for (rig.tenv.fail_at = 1;; rig.tenv.fail_at++, failures++) {
		tenv_restart(&rig.tenv);
		err = run(&rig, &mem, &call);
		if (!rig.tenv.failed)
			break;
		assert_int_equal(err, -ENOMEM);
		assert_true(rig.tenv.reports >= 1);
		assert_int_equal(rig.tenv.last.err, -ENOMEM);
		assert_string_equal(rig.tenv.last.call, call);
		assert_int_equal(iova_in_use(&rig), before);
	}
	assert_int_equal(err, 0);
	assert_true(failures > 10);
	mem_fini(&rig, &mem);
	rig_fini(&rig);
}

static void behind_an_iommu(void **state)
{
	sweep(true);
}

static void without_an_iommu(void **state)
{
	sweep(false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(behind_an_iommu),
		cmocka_unit_test(without_an_iommu),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
