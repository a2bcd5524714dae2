/* SPDX-License-Identifier: MIT */
/* A device told to go where it may not: the command fails, memory stays, the driver goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "nvme/rig.h"

#define LEN UINT64_C(65536)

struct disk {
	struct rig rig;
	struct phyr_nvme_queue *queue;
	struct phyr_fault fault; /* the last that the domain was told of */
	unsigned faults;
};

static void on_fault(void *arg, const struct phyr_fault *fault)
{
	struct disk *d = arg;

	d->fault = *fault;
	d->faults++;
}

static void disk_init(struct disk *d)
{
	unsigned char data[LEN];

	memset(d, 0, sizeof(*d));
	rig_init(&d->rig, true);
	rig_disk(&d->rig, 1 << 20, NULL, true);
	rig_open(&d->rig, NULL);
	assert_int_equal(phyr_nvme_queue_create(d->rig.nvme, 8, &d->queue), 0);
	memset(data, 0x3c, LEN);
	assert_int_equal(pwrite(d->rig.fd, data, LEN, 0), LEN);
}

static void disk_fini(struct disk *d)
{
	phyr_nvme_queue_destroy(d->queue);
	rig_fini(&d->rig);
}

static struct phyr_fault last_fault(struct disk *d, uint64_t *count)
{
	struct phyr_fault faults[PHYR_SIM_FAULT_LOG];
	struct phyr_sim_stats stats;
	size_t nr;

	phyr_sim_read_faults(d->rig.sim, 0, faults, PHYR_SIM_FAULT_LOG, &nr);
	phyr_sim_get_stats(d->rig.sim, &stats);
	*count = stats.faults;
	assert_true(nr > 0);
	return faults[nr - 1];
}

static void all_are(const unsigned char *p, uint64_t len, unsigned char byte)
{
	for (uint64_t i = 0; i < len; i++)
		assert_int_equal(p[i], byte);
}

/* Read LEN bytes from block 0 to an iova; the command must fail for want of a mapping. */
static void read_fails(struct disk *d, phyr_dma_addr_t iova, uint64_t len, uint64_t fault_at,
		       enum phyr_fault_reason reason)
{
	struct ended ended = {0};
	struct phyr_fault fault;
	struct phyr_cursor cur;
	uint64_t count;

	phyr_cursor_init_range(&cur, iova, len);
	assert_int_equal(phyr_nvme_read(d->queue, 0, &cur, ended_fn, &ended), 0);
	poll_all(d->queue);
	assert_int_equal(ended.times, 1);
	assert_int_equal(ended.err, -EIO);
	assert_int_equal(ended.status, 0x04); /* Data Transfer Error */
	fault = last_fault(d, &count);
	assert_int_equal(count, 1);
	assert_int_equal(fault.source, RIG_SOURCE);
	assert_int_equal(fault.access, PHYR_WRITE);
	assert_int_equal(fault.reason, reason);
	assert_int_equal(fault.iova, fault_at);
}

static void the_driver_goes_on(struct disk *d)
{
	struct mem mem;

	mem_init(&d->rig, &mem, LEN, 0, PHYR_DMA_FROM_DEVICE);
	assert_int_equal(phyr_nvme_read_sync(d->queue, 0, &mem.map), 0);
	all_are(mem.cpu, LEN, 0x3c);
	mem_fini(&d->rig, &mem);
}

static void after_unmap(void **state)
{
	phyr_dma_addr_t iova;
	struct disk d;
	struct mem mem;

	disk_init(&d);
	mem_init(&d.rig, &mem, LEN, 0, PHYR_DMA_FROM_DEVICE);
	assert_int_equal(phyr_nvme_read_sync(d.queue, 100, &mem.map), 0); /* the IOTLB knows it */
	iova = mem.map.state.addr;
	phyr_dma_unmap(d.rig.dev, &mem.map);
	memset(mem.cpu, 0xa5, LEN);
	read_fails(&d, iova, LEN, iova, PHYR_FAULT_NOT_PRESENT);
	all_are(mem.cpu, LEN, 0xa5);
	assert_int_equal(phyr_dma_map(d.rig.dev, &mem.list, PHYR_DMA_FROM_DEVICE, 0, &mem.map), 0);
	mem_fini(&d.rig, &mem);
	the_driver_goes_on(&d);
	disk_fini(&d);
}

/* Windows may lie side by side: the queue is warm first, so that no PRP list comes to lie there. */
static void one_page_past_the_window(void **state)
{
	struct phyr_translation t;
	phyr_dma_addr_t iova, end;
	struct disk d;
	struct mem mem;

	disk_init(&d);
	the_driver_goes_on(&d);
	mem_init(&d.rig, &mem, LEN - 4096, 0, PHYR_DMA_FROM_DEVICE);
	assert_int_equal(mem.map.how, PHYR_DMA_WINDOW);
	iova = mem.map.state.addr;
	end = iova + LEN - 4096;
	assert_int_equal(phyr_domain_translate(d.rig.domain, end, &t), -ENOENT);
	read_fails(&d, iova, LEN, end, PHYR_FAULT_NOT_PRESENT);
	mem_fini(&d.rig, &mem);
	the_driver_goes_on(&d);
	disk_fini(&d);
}

static void into_a_window_for_reading(void **state)
{
	struct disk d;
	struct mem mem;

	disk_init(&d);
	mem_init(&d.rig, &mem, LEN, 0, PHYR_DMA_TO_DEVICE);
	read_fails(&d, mem.map.state.addr, LEN, mem.map.state.addr, PHYR_FAULT_PERMISSION);
	all_are(mem.cpu, LEN, 0xa5);
	assert_int_equal(phyr_nvme_read_sync(d.queue, 0, &mem.map), -EIO);
	all_are(mem.cpu, LEN, 0xa5);
	assert_int_equal(phyr_nvme_write_sync(d.queue, 0, &mem.map), 0);
	memset(mem.cpu, 0x3c, LEN);
	assert_int_equal(phyr_nvme_write_sync(d.queue, 0, &mem.map), 0);
	mem_fini(&d.rig, &mem);
	the_driver_goes_on(&d);
	disk_fini(&d);
}

static void the_domain_is_told(void **state)
{
	struct phyr_domain_stats stats;
	struct phyr_cursor cur;
	struct ended ended = {0};
	struct disk d;

	memset(&d, 0, sizeof(d));
	rig_init(&d.rig, true);
	rig_disk(&d.rig, 1 << 20, NULL, true);
	phyr_dev_destroy(d.rig.dev); /* the handler is set while no device is attached */
	phyr_domain_set_fault_handler(d.rig.domain, on_fault, &d);
	assert_int_equal(phyr_dev_create(d.rig.domain, RIG_SOURCE, NULL, &d.rig.dev), 0);
	rig_open(&d.rig, NULL);
	assert_int_equal(phyr_nvme_queue_create(d.rig.nvme, 8, &d.queue), 0);
	phyr_cursor_init_range(&cur, 0x7f0000000000, 4096);
	assert_int_equal(phyr_nvme_write(d.queue, 0, &cur, ended_fn, &ended), 0);
	poll_all(d.queue);
	assert_int_equal(ended.err, -EIO);
	assert_int_equal(d.faults, 1);
	assert_int_equal(d.fault.iova, 0x7f0000000000);
	assert_int_equal(d.fault.access, PHYR_READ);
	phyr_domain_get_stats(d.rig.domain, &stats);
	assert_int_equal(stats.faults, 1);
	disk_fini(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(after_unmap),
		cmocka_unit_test(one_page_past_the_window),
		cmocka_unit_test(into_a_window_for_reading),
		cmocka_unit_test(the_domain_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
