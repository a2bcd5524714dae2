/* SPDX-License-Identifier: MIT */
/* An NVMe drive of the guest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include <phyr/backend.h>

#include "guest/disk.h"

#define DEPTH 4

void disk_open(struct disk *disk, struct phyr_domain *domain, uint32_t source)
{
	struct phyr_env *env;
	struct phyr_regs *regs;
	int fd;

	assert_int_equal(phyr_dev_create(domain, source, NULL, &disk->dev), 0);
	env = phyr_dev_env(disk->dev);
	assert_int_equal(phyr_vfio_device_fd(phyr_domain_iommu(domain), source, &fd), 0);
	assert_int_equal(phyr_pci_open(env, fd, source, &disk->pci), 0);
	assert_int_equal(phyr_pci_set_master(disk->pci, true), 0);
	assert_int_equal(phyr_pci_map_bar(disk->pci, 0, &regs), 0);
	assert_int_equal(phyr_nvme_open(disk->dev, regs, NULL, &disk->nvme), 0);
	assert_int_equal(phyr_nvme_queue_create(disk->nvme, DEPTH, &disk->queue), 0);
}

void disk_close(struct disk *disk)
{
	phyr_nvme_queue_destroy(disk->queue);
	phyr_nvme_close(disk->nvme);
	phyr_pci_close(disk->pci);
	phyr_dev_destroy(disk->dev);
}

static void on_done(void *arg, const struct phyr_nvme_done *done)
{
	*(int *)arg = done->err;
}

int disk_move(struct disk *disk, uint64_t lba, uint64_t addr, uint64_t len, unsigned access)
{
	struct phyr_cursor cur;
	int how = 1;

	phyr_cursor_init_range(&cur, addr, len);
	if (access == PHYR_WRITE)
		assert_int_equal(phyr_nvme_read(disk->queue, lba, &cur, on_done, &how), 0);
	else
		assert_int_equal(phyr_nvme_write(disk->queue, lba, &cur, on_done, &how), 0);
	while (how > 0)
		phyr_nvme_poll(disk->queue);
	return how;
}

bool disk_is_pattern(const void *p, uint64_t offset, uint64_t len)
{
	for (uint64_t at = 0; at < len; at += 8) {
		uint64_t word;

		memcpy(&word, (const char *)p + at, 8);
		if (word != (offset + at) / 8)
			return false;
	}
	return true;
}
