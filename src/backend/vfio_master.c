/* SPDX-License-Identifier: MIT */
/*
 * A device leaves its container when the last that holds its file lets go, which need not be now: its
 * registers are mapped still, or a child of a fork has the descriptor. Until then it reaches all that is
 * mapped. So bus mastering is switched off first, which mapped registers cannot switch on again.
 */
#include <errno.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <unistd.h>

#include "backend/vfio.h"

/* PCI Local Bus 3.0, 6.2.2: the command register, 16 bits, little-endian. */
static void clear_master(int fd, uint64_t config)
{
	const off_t at = (off_t)(config + PCI_COMMAND);
	unsigned char command[2];

	if (pread(fd, command, sizeof(command), at) != sizeof(command))
		return;
	command[0] &= (unsigned char)~PCI_COMMAND_MASTER;
	/* A device that is gone does not answer, and reaches nothing. */
	(void)!pwrite(fd, command, sizeof(command), at);
}

void phyr_vfio_stop(struct kernel_domain *domain, int fd)
{
	struct vfio_region_info config = {.argsz = sizeof(config),
					  .index = VFIO_PCI_CONFIG_REGION_INDEX};
	int was = errno;

	if (!phyr_kernel_call(domain, fd, VFIO_DEVICE_GET_REGION_INFO, &config))
		clear_master(fd, config.offset);
	errno = was;
}
