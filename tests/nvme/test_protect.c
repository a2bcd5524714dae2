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
	uint64_t logged; /* faults that the machine's log has had */
};

static void on_fault(void *arg, const struct phyr_fault *fault)
{
	struct disk *d = arg;

	d->fault = *fault;
	d->faults++;
}

static void disk_init_scattered(struct disk *d, enum phyr_sim_scatter scatter)
{
	unsigned char data[LEN];

	memset(d, 0, sizeof(*d));
	rig_init_scattered(&d->rig, true, scatter);
	rig_disk(&d->rig, 1 << 20, NULL, true);
	rig_open(&d->rig, NULL);
	assert_int_equal(phyr_nvme_queue_create(d->rig.nvme, 8, &d->queue), 0);
	memset(data, 0x3c, LEN);
	assert_int_equal(pwrite(d->rig.fd, data, LEN, 0), LEN);
}

static void disk_init(struct disk *d)
{
	disk_init_scattered(d, PHYR_SIM_MIXED);
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

/* The log has one fault more than at the last look, and it is this one. */
static void one_more_fault(struct disk *d, uint64_t iova, unsigned access,
			   enum phyr_fault_reason reason)
{
	struct phyr_fault fault;
	uint64_t count;

	fault = last_fault(d, &count);
	assert_int_equal(count, ++d->logged);
	assert_int_equal(fault.source, RIG_SOURCE);
	assert_int_equal(fault.access, access);
	assert_int_equal(fault.reason, reason);
	assert_int_equal(fault.iova, iova);
}

/* A command between block @lba and an iova; it must fail. */
static void fails(struct disk *d, bool write, uint64_t lba, phyr_dma_addr_t iova, uint64_t len)
{
	struct ended ended = {0};
	struct phyr_cursor cur;
	int err;

	phyr_cursor_init_range(&cur, iova, len);
	if (write)
		err = phyr_nvme_write(d->queue, lba, &cur, ended_fn, &ended);
	else
		err = phyr_nvme_read(d->queue, lba, &cur, ended_fn, &ended);
	assert_int_equal(err, 0);
	poll_all(d->queue);
	assert_int_equal(ended.times, 1);
	assert_int_equal(ended.err, -EIO);
	assert_int_equal(ended.status, 0x04); /* Data Transfer Error */
}

/* Read from block 0 to an iova; the command must fail for want of a mapping. */
static void read_fails(struct disk *d, phyr_dma_addr_t iova, uint64_t len, uint64_t fault_at,
		       enum phyr_fault_reason reason)
{
	fails(d, false, 0, iova, len);
	one_more_fault(d, fault_at, PHYR_WRITE, reason);
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

/* Memory that is pinned, all of it in one run of physical pages. */
static void pin_in_one_run(struct disk *d, unsigned char *cpu, struct phyr_list *list)
{
	phyr_list_init(list, &d->rig.tenv.env, phyr_sim_space(d->rig.sim));
	assert_int_equal(phyr_sim_pin(d->rig.sim, cpu, LEN, list), 0);
	assert_int_equal(list->nr_runs, 1);
	memset(cpu, 0xa5, LEN);
}

static void unpin(struct disk *d, struct phyr_list *list)
{
	phyr_sim_unpin(d->rig.sim, list);
	phyr_list_fini(list);
}

/*
 * The page behind the window's memory is pinned and lies behind it physically too: a window one page
 * too long would reach it. Windows may lie side by side: the queue is warm first, so that no PRP
 * list comes to lie there.
 */
static void one_page_past_the_window(void **state)
{
	unsigned char *cpu = aligned_alloc(4096, LEN);
	struct phyr_list all, list;
	struct phyr_translation t;
	struct phyr_dma_map map;
	phyr_dma_addr_t end;
	struct disk d;

	disk_init_scattered(&d, PHYR_SIM_LINEAR);
	the_driver_goes_on(&d);
	pin_in_one_run(&d, cpu, &all);
	phyr_list_init(&list, &d.rig.tenv.env, phyr_sim_space(d.rig.sim));
	assert_int_equal(phyr_sim_pin(d.rig.sim, cpu, LEN - 4096, &list), 0);
	assert_int_equal(phyr_dma_map(d.rig.dev, &list, PHYR_DMA_FROM_DEVICE, 0, &map), 0);
	assert_int_equal(map.how, PHYR_DMA_WINDOW);
	end = map.state.addr + LEN - 4096;
	assert_int_equal(phyr_domain_translate(d.rig.domain, end, &t), -ENOENT);
	read_fails(&d, map.state.addr, LEN, end, PHYR_FAULT_NOT_PRESENT);
	all_are(cpu + LEN - 4096, 4096, 0xa5);
	read_fails(&d, end, 4096, end, PHYR_FAULT_NOT_PRESENT);
	all_are(cpu + LEN - 4096, 4096, 0xa5);
	/* the next command, to the window as it is */
	assert_int_equal(phyr_nvme_read_sync(d.queue, 0, &map), 0);
	all_are(cpu, LEN - 4096, 0x3c);
	all_are(cpu + LEN - 4096, 4096, 0xa5);
	phyr_dma_unmap(d.rig.dev, &map);
	unpin(&d, &list);
	unpin(&d, &all);
	the_driver_goes_on(&d);
	disk_fini(&d);
	free(cpu);
}

/* A window for both ways, linked in two halves, which the IOTLB has seen. */
static void link_halves(struct disk *d, const struct phyr_list *list,
			struct phyr_dma_iova_state *window)
{
	struct phyr_cursor cur;

	assert_true(phyr_dma_iova_try_alloc(d->rig.dev, window, 0, LEN));
	for (unsigned half = 0; half < 2; half++) {
		assert_int_equal(phyr_cursor_init_at(&cur, list, half * LEN / 2, LEN / 2), 0);
		assert_int_equal(phyr_dma_iova_link_cursor(d->rig.dev, window, list->space, &cur,
							   half * LEN / 2, PHYR_DMA_BIDIRECTIONAL,
							   0),
				 0);
	}
	assert_int_equal(phyr_dma_iova_sync(d->rig.dev, window, 0, LEN), 0);
}

/* One transfer of part of a window, waited for. */
static void reads(struct disk *d, uint64_t lba, phyr_dma_addr_t iova, uint64_t len)
{
	struct ended ended = {0};
	struct phyr_cursor cur;

	phyr_cursor_init_range(&cur, iova, len);
	assert_int_equal(phyr_nvme_read(d->queue, lba, &cur, ended_fn, &ended), 0);
	poll_all(d->queue);
	assert_int_equal(ended.times, 1);
	assert_int_equal(ended.err, 0);
}

/* Each way, at the first page and at the last one of what was unlinked. */
static void unlinked_half_fails(struct disk *d, phyr_dma_addr_t iova, const unsigned char *cpu)
{
	phyr_dma_addr_t last = iova + LEN / 2 - 4096;
	unsigned char disk[4096];

	read_fails(d, iova, LEN / 2, iova, PHYR_FAULT_NOT_PRESENT);
	read_fails(d, last, 4096, last, PHYR_FAULT_NOT_PRESENT);
	fails(d, true, 0, iova, LEN / 2);
	one_more_fault(d, iova, PHYR_READ, PHYR_FAULT_NOT_PRESENT);
	fails(d, true, 0, last, 4096);
	one_more_fault(d, last, PHYR_READ, PHYR_FAULT_NOT_PRESENT);
	all_are(cpu, LEN, 0xa5);
	assert_int_equal(pread(d->rig.fd, disk, 4096, 0), 4096);
	all_are(disk, 4096, 0x3c);
}

static void after_unlink(void **state)
{
	unsigned char *cpu = aligned_alloc(4096, LEN);
	struct phyr_dma_iova_state window;
	struct phyr_list list;
	struct disk d;

	disk_init_scattered(&d, PHYR_SIM_LINEAR);
	pin_in_one_run(&d, cpu, &list);
	link_halves(&d, &list, &window);
	reads(&d, 0, window.addr, LEN);
	all_are(cpu, LEN, 0x3c);
	memset(cpu, 0xa5, LEN);
	assert_int_equal(
		phyr_dma_iova_unlink(d.rig.dev, &window, 0, LEN / 2, PHYR_DMA_BIDIRECTIONAL, 0), 0);
	unlinked_half_fails(&d, window.addr, cpu);
	/* the next command, to the half that is still linked */
	reads(&d, 0, window.addr + LEN / 2, LEN / 2);
	all_are(cpu, LEN / 2, 0xa5);
	all_are(cpu + LEN / 2, LEN / 2, 0x3c);
	assert_int_equal(phyr_dma_iova_unlink(d.rig.dev, &window, LEN / 2, LEN / 2,
					      PHYR_DMA_BIDIRECTIONAL, 0),
			 0);
	memset(cpu, 0xa5, LEN);
	read_fails(&d, window.addr + LEN / 2, LEN / 2, window.addr + LEN / 2,
		   PHYR_FAULT_NOT_PRESENT);
	all_are(cpu, LEN, 0xa5);
	phyr_dma_iova_free(d.rig.dev, &window);
	unpin(&d, &list);
	the_driver_goes_on(&d);
	disk_fini(&d);
	free(cpu);
}

static void into_a_window_for_reading(void **state)
{
	struct disk d;
	struct mem mem;

	disk_init(&d);
	mem_init(&d.rig, &mem, LEN, 0, PHYR_DMA_TO_DEVICE);
	read_fails(&d, mem.map.state.addr, LEN, mem.map.state.addr, PHYR_FAULT_PERMISSION);
	all_are(mem.cpu, LEN, 0xa5);
	assert_int_equal(phyr_nvme_read_sync(d.queue, 0, &mem.map), -EINVAL);
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
		cmocka_unit_test(after_unmap),        cmocka_unit_test(one_page_past_the_window),
		cmocka_unit_test(after_unlink),       cmocka_unit_test(into_a_window_for_reading),
		cmocka_unit_test(the_domain_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
