/* SPDX-License-Identifier: MIT */
/* An open device: what the kernel said of it, and what it was asked for. */
#ifndef PCI_DEVICE_H
#define PCI_DEVICE_H

#include <linux/vfio.h>
#include <phyr/pci.h>

#include "core/env.h"
#include "core/order.h"
#include "pci/guard.h"
#include "pci/region.h"

/* BARs, and the expansion ROM. */
#define NR_BARS 7
#define BAR_ROM 6

/* Configuration space: PCI Local Bus 3.0, 6.1. */
#define CONFIG_VENDOR     0x00
#define CONFIG_COMMAND    0x04
#define CONFIG_STATUS     0x06
#define CONFIG_REVISION   0x08
#define CONFIG_BAR        0x10
#define CONFIG_CAPS       0x34
#define COMMAND_MEMORY    0x2u
#define COMMAND_MASTER    0x4u
#define STATUS_CAPS       0x10u
#define BAR_IO            0x1u
#define CONFIG_HEADER_END 0x40

struct bar {
	struct phyr_regs regs;
	struct phyr_pci *pci;
	uint64_t offset; /* of its region, in the descriptor */
	size_t mapped;   /* bytes at regs.base; 0: the kernel reads and writes for us */
	bool made;
	struct guard guard;
};

/* MSI-X, MSI or nothing. */
struct vectors {
	uint32_t index;   /* VFIO_PCI_MSIX_IRQ_INDEX or VFIO_PCI_MSI_IRQ_INDEX */
	unsigned nr;      /* that the device has */
	unsigned enabled; /* that the kernel has given; 0: they are off */
	unsigned connected;
	struct vfio_irq_set *set; /* room to enable them all */
	int32_t *fds;             /* in it: each vector's eventfd, or -1 */
	size_t size;              /* of set, bytes */
};

struct phyr_pci {
	struct phyr_env *env;
	int fd;
	uint32_t source;
	bool can_reset;
	bool has_request; /* the kernel may tell that it wants the device back */
	bool request_on;
	bool gone; /* atomic: a handler sets it on any thread */
	struct region config;
	struct bar bars[NR_BARS];
	struct phyr_lock lock; /* of vectors */
	struct vectors vectors;
};

/* As the public calls, but nothing is reported: 0; -ENODEV; -EIO. */
int phyr_config_get(struct phyr_pci *pci, uint64_t offset, unsigned width, uint32_t *value);
int phyr_config_put(struct phyr_pci *pci, uint64_t offset, unsigned width, uint32_t value);

/* Set and clear bits of the command register, and see that it took. */
int phyr_command_set(struct phyr_pci *pci, uint32_t clear, uint32_t set);

/* Unmap what phyr_pci_map_bar() mapped. */
void phyr_bars_release(struct phyr_pci *pci);

/* Ask what vectors there are, and make room for them: 0; -EIO; -ENOMEM. */
int phyr_vectors_init(struct phyr_pci *pci);
/* Disconnect all, the request among it, and give the room back. */
void phyr_vectors_fini(struct phyr_pci *pci);

static inline int pci_gone(struct phyr_pci *pci)
{
	store_relaxed(&pci->gone, true);
	return -ENODEV;
}

/* What an ioctl or a mapping of the device returned. */
static inline int pci_kernel_error(struct phyr_pci *pci, int err)
{
	return err == ENODEV ? pci_gone(pci) : -err;
}

#define PCI_HINT_GONE                                                                     \
	"the device is gone: it was pulled out, unbound in the kernel, or its registers " \
	"were switched off"

#define pci_fail(pci, ...) \
	env_fail((pci)->env, .index = (pci)->source, .index_of = "device", __VA_ARGS__)

#endif
