/* SPDX-License-Identifier: MIT */
/* QEMU's teaching device: registers of its BAR 0, by QEMU docs, specs/edu. */
#include "guest/edu.h"

#include <errno.h>
#include <time.h>

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

void edu_close(struct edu *edu)
{
	phyr_pci_close(edu->pci);
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
