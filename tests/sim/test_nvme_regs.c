/* SPDX-License-Identifier: MIT */
/* The simulated NVMe controller: properties, enabling, reset, shutdown, creation. */
#define _GNU_SOURCE
#include "test_nvme_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Base 3.1.3: fields taken apart by their bits. */
static void properties_after_power_on(void **state)
{
	struct phyr_sim_nvme_config c = {
		.queue_entries = 300, .mps_min_lg2 = 13, .mps_max_lg2 = 15};
	struct rig r;
	uint64_t cap;

	rig_start(&r, 1 << 20, &c);
	cap = r.regs->read(r.regs, 0, 8);
	assert_int_equal(cap & 0xffff, 299);                             /* MQES */
	assert_int_equal(cap >> 16 & 1, 1);                              /* CQR */
	assert_int_equal(cap >> 17 & 3, 0);                              /* AMS */
	assert_true((cap >> 24 & 0xff) > 0);                             /* TO */
	assert_int_equal(cap >> 32 & 15, 0);                             /* DSTRD */
	assert_int_equal(cap >> 37 & 0xff, 1);                           /* CSS: NVM */
	assert_int_equal(cap >> 48 & 15, 1);                             /* MPSMIN */
	assert_int_equal(cap >> 52 & 15, 3);                             /* MPSMAX */
	assert_int_equal(cap >> 59 & 3, 1);                              /* CRMS: CRWMS */
	assert_int_equal(rig_read(&r, 0x68) & 0xffff, cap >> 24 & 0xff); /* CRTO.CRWMT = CAP.TO */
	assert_int_equal(rig_read(&r, 0), (uint32_t)cap);
	assert_int_equal(rig_read(&r, 4), cap >> 32);
	assert_int_equal(rig_read(&r, 0x08), 0x20000);
	assert_int_equal(rig_read(&r, 0x14), 0);
	assert_int_equal(rig_read(&r, 0x1c), 0);
	assert_int_equal(rig_read(&r, 0x24), 0);
	assert_int_equal(rig_read(&r, 0x38), 0);
	assert_int_equal(rig_read(&r, 0x1000), 0);
	rig_stop(&r);
}

static void accesses_whole_and_by_halves(void **state)
{
	struct rig r;

	rig_start(&r, 1 << 20, NULL);
	r.regs->write(r.regs, 0x28, 0x123456789abcdfffu, 8);
	assert_int_equal(r.regs->read(r.regs, 0x28, 8), 0x123456789abcd000u); /* 11:0 reserved */
	rig_write(&r, 0x34, 0xcafe0001);
	rig_write(&r, 0x30, 0x00ff0fff);
	assert_int_equal(r.regs->read(r.regs, 0x30, 8), 0xcafe000100ff0000u);
	rig_write(&r, 0x24, 0xffffffff);
	assert_int_equal(rig_read(&r, 0x24), 0x0fff0fff);
	rig_write(&r, 0x08, 0);
	rig_write(&r, 0x00, 0);
	assert_int_equal(rig_read(&r, 0x08), 0x20000);
	assert_int_equal(rig_read(&r, 0x00) & 0xffff, 1023);
	rig_write(&r, 0x0c, 0x11);
	rig_write(&r, 0x0c, 0x100);
	rig_write(&r, 0x10, 0x10);
	assert_int_equal(rig_read(&r, 0x0c), 0x101);
	assert_int_equal(rig_read(&r, 0x10), 0x101);
	rig_stop(&r);
}

static void enable_and_disable(void **state)
{
	struct rig r;

	rig_start(&r, 1 << 20, NULL);
	rig_enable(&r, 12);
	assert_int_equal(rig_read(&r, 0x14), 0x00460001);
	rig_write(&r, 0x28, 0x5000); /* the admin queue stays where it is while EN is 1 */
	rig_write(&r, 0x24, 0x00010001);
	rig_write(&r, 0x0c, 0xff);
	assert_int_equal(r.regs->read(r.regs, 0x28, 8), r.admin.sq.phys);
	assert_int_equal(rig_read(&r, 0x24), 31 | 31 << 16);
	rig_write(&r, 0x14, 0x00460000);
	assert_int_equal(rig_read(&r, 0x1c), 1); /* it takes a moment */
	rig_settle(&r);
	assert_int_equal(rig_read(&r, 0x1c), 0);
	assert_int_equal(rig_read(&r, 0x14), 0); /* reset to its default, like the mask */
	assert_int_equal(rig_read(&r, 0x0c), 0);
	assert_int_equal(r.regs->read(r.regs, 0x28, 8), r.admin.sq.phys); /* but not these */
	assert_int_equal(r.regs->read(r.regs, 0x30, 8), r.admin.cq.phys);
	assert_int_equal(rig_read(&r, 0x24), 31 | 31 << 16);
	rig_enable(&r, 16);
	rig_stop(&r);
}

/* Enable with one thing wrong; a reset clears the fatal status. */
static void expect_fatal(struct rig *r, uint32_t aqa, uint64_t asq, uint64_t acq, uint32_t cc)
{
	rig_write(r, 0x24, aqa);
	r->regs->write(r->regs, 0x28, asq, 8);
	r->regs->write(r->regs, 0x30, acq, 8);
	rig_write(r, 0x14, cc);
	rig_settle(r);
	assert_int_equal(rig_read(r, 0x1c), 2);
	rig_disable(r);
}

static void refuses_wrong_configuration(void **state)
{
	struct phyr_sim_nvme_config c = {.mps_min_lg2 = 13, .mps_max_lg2 = 15};
	const uint32_t aqa = 15 | 15 << 16, cc = 0x00460001;
	uint64_t asq, acq;
	struct rig r;

	rig_start(&r, 1 << 20, &c);
	rig_admin_memory(&r, 16);
	asq = r.admin.sq.phys;
	acq = r.admin.cq.phys;
	expect_fatal(&r, aqa, asq, acq, cc | 0 << 7);           /* MPS below MPSMIN */
	expect_fatal(&r, aqa, asq, acq, cc | 4 << 7);           /* above MPSMAX */
	expect_fatal(&r, aqa, asq, acq, cc | 1 << 7 | 6 << 4);  /* CSS not in CAP */
	expect_fatal(&r, aqa, asq, acq, cc | 1 << 7 | 1 << 11); /* AMS likewise */
	expect_fatal(&r, aqa, 0, acq, cc | 1 << 7);
	expect_fatal(&r, aqa, asq, 0, cc | 1 << 7);
	expect_fatal(&r, aqa, asq + 4096, acq, cc | 1 << 7); /* no page of 8 KiB */
	expect_fatal(&r, aqa, asq, acq + 4096, cc | 1 << 7);
	expect_fatal(&r, 0 | 15 << 16, asq, acq, cc | 1 << 7); /* a ring has two entries */
	expect_fatal(&r, 15, asq, acq, cc | 1 << 7);
	rig_enable(&r, 13);
	rig_stop(&r);
}

static void doorbells_before_ready_do_nothing(void **state)
{
	struct rig r;

	rig_start(&r, 1 << 20, NULL);
	rig_doorbell(&r, 0, 1);
	rig_settle(&r);
	rig_enable(&r, 12);
	rig_settle(&r);
	assert_int_equal(rig_read(&r, 0x1c), 1);
	assert_int_equal(r.admin.cq.ptr[14] & 1, 0);
	rig_stop(&r);
}

/* Base 3.6.1. */
static void shutdown_notification(void **state)
{
	static const unsigned kinds[] = {1, 2};
	uint32_t dw[16] = {0x06 | 1 << 16};
	struct cqe cqe;
	struct rig r;

	rig_start(&r, 1 << 20, NULL);
	for (unsigned i = 0; i < 2; i++) {
		rig_enable(&r, 12);
		rig_write(&r, 0x14, 0x00460001 | kinds[i] << 14);
		assert_int_equal(rig_read(&r, 0x1c), 1 | 1 << 2);
		rig_settle(&r);
		assert_int_equal(rig_read(&r, 0x1c), 1 | 2 << 2);
		sq_put(&r.admin, dw);
		sq_ring(&r, &r.admin);
		rig_settle(&r);
		assert_false(cq_take(&r.admin, &cqe));
		rig_disable(&r);
	}
	rig_write(&r, 0x14, 1 << 14); /* also while disabled */
	rig_settle(&r);
	assert_int_equal(rig_read(&r, 0x1c), 2 << 2);
	rig_admin_memory(&r, 32);
	rig_write(&r, 0x14, 0x00460001);
	rig_settle(&r);
	assert_int_equal(rig_read(&r, 0x1c), 1);
	rig_write(&r, 0x14, 0x00460001 | 3 << 14); /* reserved */
	rig_settle(&r);
	assert_int_equal(rig_read(&r, 0x1c), 1);
	rig_stop(&r);
}

/* Base 9.5: what no completion can tell of. */
static void queues_out_of_reach_are_fatal(void **state)
{
	uint32_t dw[16] = {0x06 | 1 << 16};
	struct rig r;

	rig_start(&r, 1 << 20, NULL);
	for (unsigned i = 0; i < 2; i++) {
		rig_admin_memory(&r, 16);
		r.regs->write(r.regs, i ? 0x30 : 0x28, NOT_RAM, 8);
		rig_write(&r, 0x14, 0x00460001);
		rig_settle(&r);
		assert_int_equal(rig_read(&r, 0x1c), 1);
		sq_put(&r.admin, dw);
		sq_ring(&r, &r.admin);
		rig_settle(&r);
		assert_int_equal(rig_read(&r, 0x1c), 3);
		rig_disable(&r);
	}
	rig_enable(&r, 12);
	assert_int_equal(run(&r, &r.admin, dw).status, 0x0b | DNR);
	rig_stop(&r);
}

struct listener {
	struct phyr_report last;
	unsigned reports;
};
static struct listener heard;

static void listen(struct phyr_env *env, const struct phyr_report *report)
{
	heard.last = *report;
	heard.reports++;
}

static void expect_refused(struct phyr_sim *sim, const struct phyr_sim_nvme_config *c)
{
	struct phyr_sim_dev *dev = (void *)1;

	heard.reports = 0;
	assert_int_equal(phyr_sim_nvme_create(sim, 3, c, &dev), -EINVAL);
	assert_ptr_equal(dev, (void *)1);
	assert_int_equal(heard.reports, 1);
	assert_int_equal(heard.last.err, -EINVAL);
	assert_string_equal(heard.last.call, "phyr_sim_nvme_create");
	assert_non_null(heard.last.hint);
}

static void creation_checks_its_settings(void **state)
{
	struct phyr_sim_nvme_config good = {.size = sizeof(good)}, c;
	struct phyr_sim_dev *dev, *none = NULL;
	struct rig r;
	char path[64];
	int fd;

	rig_start(&r, 1 << 20, NULL);
	r.env->report = listen;
	good.fd = r.fd;
#define REFUSED(...) (c = good, __VA_ARGS__, expect_refused(r.sim, &c))
	expect_refused(r.sim, NULL);
	REFUSED(c.size = 8);
	REFUSED(c.block_lg2 = 10);
	REFUSED(c.mdts = 32);
	REFUSED(c.mps_min_lg2 = 11);
	REFUSED(c.mps_max_lg2 = 17);
	REFUSED(c.mps_min_lg2 = 14, c.mps_max_lg2 = 13);
	REFUSED(c.queues = 65536);
	REFUSED(c.queue_entries = 1);
	REFUSED(c.queue_entries = 65537);
	REFUSED(c.fd = -1);
	fd = open("/", O_RDONLY);
	REFUSED(c.fd = fd, c.read_only = true);
	close(fd);
	fd = memfd_create("odd", 0);
	REFUSED(c.fd = fd);
	assert_int_equal(ftruncate(fd, 4096 + 512), 0);
	REFUSED(c.fd = fd, c.block_lg2 = 12);
	assert_int_equal(ftruncate(fd, 511), 0);
	REFUSED(c.fd = fd);
	close(fd);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", r.fd);
	fd = open(path, O_RDONLY);
	REFUSED(c.fd = fd);
	close(fd);
	fd = open(path, O_WRONLY);
	REFUSED(c.fd = fd);
	close(fd);
	fd = open(path, O_RDWR | O_APPEND);
	REFUSED(c.fd = fd);
	c.read_only = true;
	assert_int_equal(phyr_sim_nvme_create(r.sim, 3, &c, &dev), 0);
	assert_int_equal(phyr_sim_nvme_create(r.sim, 3, &good, &none), -EEXIST);
	assert_null(none);
	assert_int_equal(heard.last.err, -EEXIST);
	assert_string_equal(heard.last.call, "phyr_sim_dev_add");
	assert_int_equal(heard.last.index, 3);
	phyr_sim_nvme_destroy(dev);
	close(fd);
	phyr_sim_nvme_destroy(NULL);
	r.env->report = NULL;
	rig_stop(&r);
}

static unsigned allocs, frees, fail_at;
static void *(*base_alloc)(struct phyr_env *env, size_t size);
static void (*base_free)(struct phyr_env *env, void *obj, size_t size);

static void *failing_alloc(struct phyr_env *env, size_t size)
{
	if (allocs + 1 == fail_at)
		return NULL;
	allocs++;
	return base_alloc(env, size);
}

static void counting_free(struct phyr_env *env, void *obj, size_t size)
{
	frees += obj != NULL;
	base_free(env, obj, size);
}

static void creation_without_memory(void **state)
{
	struct phyr_sim_nvme_config c = {.size = sizeof(c)};
	struct phyr_sim_dev *dev;
	struct rig r;
	int err;

	rig_start(&r, 1 << 20, NULL);
	c.fd = r.fd;
	base_alloc = r.env->alloc;
	base_free = r.env->free;
	r.env->alloc = failing_alloc;
	r.env->free = counting_free;
	r.env->report = listen;
	for (fail_at = 1;; fail_at++) {
		allocs = frees = 0;
		dev = NULL;
		err = phyr_sim_nvme_create(r.sim, 3, &c, &dev);
		if (!err)
			break;
		assert_int_equal(err, -ENOMEM);
		assert_int_equal(heard.last.err, -ENOMEM);
		assert_string_equal(heard.last.call, "phyr_sim_nvme_create");
		assert_null(dev);
		assert_int_equal(allocs, frees);
	}
	assert_true(fail_at > 3);
	phyr_sim_nvme_destroy(dev);
	assert_int_equal(allocs, frees);
	r.env->alloc = base_alloc;
	r.env->free = base_free;
	r.env->report = NULL;
	rig_stop(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(properties_after_power_on),
		cmocka_unit_test(accesses_whole_and_by_halves),
		cmocka_unit_test(enable_and_disable),
		cmocka_unit_test(refuses_wrong_configuration),
		cmocka_unit_test(doorbells_before_ready_do_nothing),
		cmocka_unit_test(shutdown_notification),
		cmocka_unit_test(queues_out_of_reach_are_fatal),
		cmocka_unit_test(creation_checks_its_settings),
		cmocka_unit_test(creation_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
