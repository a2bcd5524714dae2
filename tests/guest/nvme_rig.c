/* SPDX-License-Identifier: MIT */
/* What a check of the NVMe driver in a guest stands on. */
#include "nvme_rig.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define BYTES ((size_t)SLOTS * SLOT)

uint64_t clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static void print_report(void *arg, const struct phyr_report *report)
{
	char line[512];

	phyr_report_format(report, line, sizeof(line));
	fprintf(stderr, "%s\n", line);
}

struct phyr_opts rig_opts(void)
{
	const char *iommu = getenv("GUEST_IOMMU");

	assert_non_null(iommu);
	return (struct phyr_opts){
		.size = sizeof(struct phyr_opts),
		.iommu = strcmp(iommu, "vfio") ? PHYR_IOMMU_IOMMUFD : PHYR_IOMMU_VFIO,
		.depth = 64,
		.writable = true,
		.nvme.size = sizeof(struct phyr_nvme_opts),
		.report = print_report,
	};
}

const char *rig_target(void)
{
	static char target[64];

	assert_non_null(getenv("GUEST_NVME"));
	snprintf(target, sizeof(target), "pci:%s", getenv("GUEST_NVME"));
	return target;
}

struct phyr_nvme_done rig_admin(struct rig *r, const struct phyr_nvme_sqe *sqe, void *page)
{
	struct phyr_nvme_done done = {0};
	struct phyr_dma_map map;
	struct phyr_list list;

	assert_int_equal(phyr_list_from_user(r->p, page, 4096, &list), 0);
	assert_int_equal(phyr_dma_map(phyr_get_dev(r->p), &list, PHYR_DMA_FROM_DEVICE, 0, &map), 0);
	phyr_nvme_submit_sync(phyr_nvme_admin_queue(r->nvme), sqe, &map, &done);
	phyr_dma_unmap(phyr_get_dev(r->p), &map);
	phyr_list_release(r->p, &list);
	return done;
}

void rig_open(struct rig *r, const struct phyr_opts *opts)
{
	struct phyr_opts defaults = rig_opts();

	*r = (struct rig){0};
	assert_int_equal(phyr_open(rig_target(), opts ? opts : &defaults, &r->p), 0);
	r->nvme = phyr_get_nvme(r->p);
	r->queue = phyr_get_queue(r->p);
	r->info = phyr_nvme_get_info(r->nvme);
	r->mem = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(r->mem != MAP_FAILED);
	assert_int_equal(phyr_list_from_user(r->p, r->mem, BYTES, &r->list), 0);
	assert_int_equal(
		phyr_dma_map(phyr_get_dev(r->p), &r->list, PHYR_DMA_BIDIRECTIONAL, 0, &r->map), 0);
}

void rig_close(struct rig *r)
{
	phyr_dma_unmap(phyr_get_dev(r->p), &r->map);
	phyr_list_release(r->p, &r->list);
	phyr_close(r->p);
	munmap(r->mem, BYTES);
}

static uint64_t *words(const struct rig *r, unsigned slot)
{
	return (uint64_t *)(void *)(r->mem + (size_t)slot * SLOT);
}

static uint64_t word(uint64_t where, unsigned i, bool flipped)
{
	uint64_t number = where * (SLOT / 8) + i;

	return flipped ? ~number : number;
}

void rig_fill(struct rig *r, unsigned slot, uint64_t where, bool flipped)
{
	for (unsigned i = 0; i < SLOT / 8; i++)
		words(r, slot)[i] = word(where, i, flipped);
}

bool rig_holds(const struct rig *r, unsigned slot, uint64_t where, bool flipped)
{
	for (unsigned i = 0; i < SLOT / 8; i++) {
		if (words(r, slot)[i] == word(where, i, flipped))
			continue;
		print_error("slot %llu of the drive, word %u: %#llx\n", (unsigned long long)where,
			    i, (unsigned long long)words(r, slot)[i]);
		return false;
	}
	return true;
}

static void ended(void *arg, const struct phyr_nvme_done *done)
{
	struct io *io = arg;

	io->ended++;
	io->err = done->err;
	io->status = done->status;
}

int io_submit(struct io *io)
{
	struct rig *r = io->rig;
	uint64_t lba = io->where * (SLOT / r->info->block_size);
	struct phyr_cursor cur;

	assert_int_equal(phyr_dma_map_cursor(&r->map, (uint64_t)io->slot * SLOT, SLOT, &cur), 0);
	return io->write ? phyr_nvme_write(r->queue, lba, &cur, ended, io)
			 : phyr_nvme_read(r->queue, lba, &cur, ended, io);
}

static bool all_ended(const struct io *ios, unsigned nr)
{
	for (unsigned i = 0; i < nr; i++)
		if (!ios[i].ended)
			return false;
	return true;
}

void io_wait(struct rig *r, struct io *ios, unsigned nr, unsigned seconds)
{
	uint64_t end = clock_ns() + seconds * 1000 * MS;

	while (!all_ended(ios, nr)) {
		phyr_nvme_poll(r->queue);
		assert_true(clock_ns() < end);
	}
}

static int io_once(struct rig *r, struct io io)
{
	int err;

	while ((err = io_submit(&io)) == -EAGAIN)
		phyr_nvme_poll(r->queue);
	assert_int_equal(err, 0);
	io_wait(r, &io, 1, 30);
	assert_int_equal(io.ended, 1);
	return io.err;
}

void io_do(struct rig *r, unsigned slot, uint64_t where, bool write)
{
	const struct io io = {.rig = r, .slot = slot, .where = where, .write = write};
	int err = io_once(r, io);

	if (err == -ECANCELED)
		err = io_once(r, io);
	assert_int_equal(err, 0);
}

uint32_t rig_command(struct rig *r)
{
	uint32_t command = 0;

	assert_int_equal(phyr_pci_config_read(phyr_get_pci(r->p), PCI_COMMAND, 2, &command), 0);
	return command;
}
