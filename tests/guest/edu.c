/* SPDX-License-Identifier: MIT */
/* QEMU's teaching device: registers of its BAR 0, by QEMU docs, specs/edu. */
#include "guest/edu.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <phyr/backend.h>

#define REG_ID  0x00
#define ID      0x010000edu
#define REG_SRC 0x80
#define REG_DST 0x88
#define REG_LEN 0x90
#define REG_CMD 0x98

#define CMD_START     1u
#define CMD_TO_MEMORY 2u

#define BUFFER  0x40000ull /* of the device's own address space */
#define WAIT_MS 5000

#define BAR_SIZE       0x100000
#define CONFIG_COMMAND 4
#define COMMAND_MEMORY 2u
#define COMMAND_MASTER 4u

int edu_open_fd(struct edu *edu, struct phyr_env *env, int fd, uint32_t source)
{
	int err = phyr_pci_open(env, fd, source, &edu->pci);

	if (err)
		return err;
	err = phyr_pci_set_master(edu->pci, true);
	if (!err)
		err = phyr_pci_map_bar(edu->pci, 0, &edu->regs);
	if (!err && phyr_regs_read(edu->regs, REG_ID, 4) != ID)
		err = -ENODEV;
	if (err)
		phyr_pci_close(edu->pci);
	return err;
}

int edu_open(struct edu *edu, struct phyr_env *env, struct phyr_iommu *iommu, uint32_t source)
{
	int fd, err = phyr_vfio_device_fd(iommu, source, &fd);

	return err ? err : edu_open_fd(edu, env, fd, source);
}

/* Memory and bus master, which a driver would switch on: PCI 3.0, 6.2.2, bits 1 and 2. */
static int switch_on(const char *dir)
{
	char path[128];
	uint16_t bits;
	int fd, err = 0;

	snprintf(path, sizeof(path), "%s/config", dir);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (pread(fd, &bits, 2, CONFIG_COMMAND) != 2)
		err = -EIO;
	bits |= COMMAND_MEMORY | COMMAND_MASTER;
	if (!err && pwrite(fd, &bits, 2, CONFIG_COMMAND) != 2)
		err = -EIO;
	close(fd);
	return err;
}

static int map_bar(const char *dir, struct phyr_regs *regs)
{
	char path[128];
	void *p;
	int fd;

	snprintf(path, sizeof(path), "%s/resource0", dir);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	p = mmap(NULL, BAR_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (p == MAP_FAILED)
		return -errno;
	*regs = (struct phyr_regs){.base = p, .size = BAR_SIZE};
	return 0;
}

int edu_open_sysfs(struct edu *edu, const char *device, struct phyr_regs *regs)
{
	char dir[96];
	int err;

	snprintf(dir, sizeof(dir), "/sys/bus/pci/devices/%.32s", device);
	err = switch_on(dir);
	err = err ? err : map_bar(dir, regs);
	if (err)
		return err;
	*edu = (struct edu){.regs = regs};
	if (phyr_regs_read(edu->regs, REG_ID, 4) == ID)
		return 0;
	edu_close(edu);
	return -ENODEV;
}

void edu_close(struct edu *edu)
{
	if (edu->pci)
		phyr_pci_close(edu->pci);
	else
		munmap((void *)edu->regs->base, BAR_SIZE);
}

void edu_start(struct edu *edu, uint64_t addr, uint64_t len, unsigned access)
{
	bool write = access == PHYR_WRITE;

	phyr_regs_write(edu->regs, REG_SRC, write ? BUFFER : addr, 8);
	phyr_regs_write(edu->regs, REG_DST, write ? addr : BUFFER, 8);
	phyr_regs_write(edu->regs, REG_LEN, len, 8);
	phyr_regs_write(edu->regs, REG_CMD, CMD_START | (write ? CMD_TO_MEMORY : 0), 8);
}

bool edu_wait(struct edu *edu)
{
	for (unsigned i = 0; i < WAIT_MS; i++) {
		if (!(phyr_regs_read(edu->regs, REG_CMD, 8) & CMD_START))
			return true;
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
	return false;
}

bool edu_run(struct edu *edu, uint64_t addr, uint64_t len, unsigned access)
{
	edu_start(edu, addr, len, access);
	return edu_wait(edu);
}

bool edu_move(struct edu *edu, const struct edu_page *page, uint64_t addr, void *buf, uint64_t len,
	      unsigned access)
{
	bool ended;

	if (access == PHYR_WRITE) {
		memcpy(page->cpu, buf, len);
		return edu_run(edu, page->iova, len, PHYR_READ) &&
		       edu_run(edu, addr, len, PHYR_WRITE);
	}
	ended = edu_run(edu, addr, len, PHYR_READ) && edu_run(edu, page->iova, len, PHYR_WRITE);
	memcpy(buf, page->cpu, len);
	return ended;
}
