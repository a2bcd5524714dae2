/* SPDX-License-Identifier: MIT */
/*
 * phyr: memory to a device. This header brings the front door and all the others but sim.h.
 *
 *   phyr_open("sim:disk.img", NULL, &p);                a device, its domain, its backend
 *   phyr_list_from_user(p, buf, len, &list);            memory as physical ranges
 *   phyr_dma_map(phyr_get_dev(p), &list, PHYR_DMA_FROM_DEVICE, 0, &map);
 *   phyr_nvme_read_sync(phyr_get_queue(p), 0, &map);
 *   phyr_dma_unmap(phyr_get_dev(p), &map);
 *   phyr_list_release(p, &list);
 *   phyr_close(p);
 */
#ifndef PHYR_PHYR_H
#define PHYR_PHYR_H

#include <phyr/backend.h>
#include <phyr/desc.h>
#include <phyr/dma.h>
#include <phyr/iommu.h>
#include <phyr/iova.h>
#include <phyr/list.h>
#include <phyr/nvme.h>
#include <phyr/pci.h>
#include <phyr/pgtbl.h>
#include <phyr/source.h>
#include <phyr/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/** An open target: a device with all that is under it. */
struct phyr;
struct phyr_sim;
struct phyr_sim_dev;
struct phyr_sim_dev_ops;

/** Which IOMMU a target gets: sim: default, none or soft; pci: default, vfio or iommufd. */
enum phyr_iommu_choice {
	PHYR_IOMMU_DEFAULT =
		0,          /**< the best that the place has: soft; on pci: iommufd where the kernel
				     has it and its files may be opened, else vfio */
	PHYR_IOMMU_NONE,    /**< none: dma addresses are physical */
	PHYR_IOMMU_SOFT,    /**< phyr's own tables, walked by the simulated IOMMU */
	PHYR_IOMMU_VFIO,    /**< the kernel's, by a VFIO container */
	PHYR_IOMMU_IOMMUFD, /**< the kernel's, by iommufd */
};

/** Choices; zero it and set size. NULL where one is asked for: all defaults. */
struct phyr_opts {
	size_t size; /**< sizeof(struct phyr_opts) */
	enum phyr_iommu_choice iommu;
	enum phyr_pgtbl_format format; /**< soft: table format; 0: VT-d second stage */
	unsigned depth;                /**< of the I/O queue, at most what the device has; 0: 128 */
	bool writable; /**< allow writes; the default is to refuse them: nvme.read_only */
	struct phyr_nvme_opts
		nvme;         /**< size 0: defaults; interrupts are connected by phyr_open() */
	struct phyr_sim *sim; /**< machine to use, borrowed; NULL: one of its own */
	/** Who is told what went wrong, blocked accesses of a device behind an IOMMU among it: from any
	 *  thread that calls phyr, and from the simulated machine's. Must not call phyr. May be NULL. */
	void (*report)(void *arg, const struct phyr_report *report);
	void *report_arg;
	const struct phyr_limits *limits; /**< of the device, copied; NULL: none */
	/** "sim:" only: how a device of one's own behaves (sim.h), borrowed until phyr_close(). NULL: a
	 *  device without registers, to map for and look. */
	const struct phyr_sim_dev_ops *sim_ops;
	void *sim_priv; /**< what the functions of sim_ops are given */
};

/**
 * Open a target.
 *
 * @param target  "sim:FILE": a simulated machine with an NVMe controller over FILE;
 *                "pci:0000:01:00.0": a PCI device that is bound to vfio-pci. Where its class is NVMe
 *                it gets the controller's driver, else its registers are those of its first memory
 *                BAR, and nvme, depth and writable are refused. It may reach what is mapped for it
 *                (bus mastering is on) until phyr_close(). sim, sim_ops, sim_priv and format are
 *                refused.
 *                "sim:" (nothing after the colon): a simulated machine with a device of one's own,
 *                which opts->sim_ops describes. It has no controller and no queue: nvme, depth and
 *                writable are refused there, as sim_ops and sim_priv are with a FILE.
 * @param opts    NULL: defaults
 * @param out     written on success only
 *
 * Any number of targets may be open, on one machine too; the machine outlives them. What a layer below
 * refuses is reported in its own call's name (phyr_dev_create, phyr_domain_attach, phyr_nvme_open,
 * phyr_pci_find, phyr_vfio_create, …).
 * @return 0; -EINVAL target, options or limits, or a FILE whose size is no multiple of 512 bytes; -ENOENT,
 *         -EACCES, … as open() says of FILE; -EOPNOTSUPP kind of target, or one that this library was
 *         built without, an IOMMU that it does not have, or table format; -ENOSPC the machine has no
 *         source id or domain left; -ENOMEM; as phyr_nvme_open(). pci: -ENODEV no such device; -EBUSY it
 *         is not bound to a VFIO driver, its group is not viable, or somebody else has it; -EOPNOTSUPP no
 *         IOMMU is over it, or it is a bridge; -ENOENT the kernel has neither iommufd nor VFIO, or not
 *         the one that was asked for; -EACCES no right to open its files: of iommufd and of vfio, where
 *         either would do; as phyr_vfio_create(), phyr_iommufd_create() and phyr_pci_map_bar(). Nobody
 *         is told of an opts->size that is not known.
 */
PHYR_API int phyr_open(const char *target, const struct phyr_opts *opts, struct phyr **out);

/**
 * Close it: nothing is mapped or in flight any more. NULL is fine.
 *
 * Lists that were not released are reported, and behind an IOMMU mappings, as by
 * phyr_domain_destroy(). Neither is good for anything afterwards.
 */
PHYR_API void phyr_close(struct phyr *p);

/** The device, for every call of dma.h. */
PHYR_API struct phyr_dev *phyr_get_dev(struct phyr *p);
/** The controller; NULL with any device that is none: "sim:", and "pci:" of another class. */
PHYR_API struct phyr_nvme *phyr_get_nvme(struct phyr *p);
/** The I/O queue that phyr_open() made; NULL where there is no controller. The calls of nvme.h that wait
 *  refuse that (-EINVAL); the others must not be given it. */
PHYR_API struct phyr_nvme_queue *phyr_get_queue(struct phyr *p);
/** Its registers, for a driver of one's own; a controller's belong to phyr_get_nvme(). NULL: a PCI device
 *  without a BAR that is memory. */
PHYR_API struct phyr_regs *phyr_get_regs(struct phyr *p);
/** The device itself on a simulated machine, for its DMA and interrupts; NULL on a real one. */
PHYR_API struct phyr_sim_dev *phyr_get_sim_dev(struct phyr *p);
/** The PCI device, for its configuration, BARs, interrupts; NULL on a simulated machine. */
PHYR_API struct phyr_pci *phyr_get_pci(struct phyr *p);
/** The simulated machine under it; NULL on a real one. */
PHYR_API struct phyr_sim *phyr_get_sim(struct phyr *p);

/**
 * Make a list of memory of this process, in the right space for this place, and keep it in place.
 *
 * It is this target's: mapped for its device, and released through it. On one simulated machine all
 * targets have the same memory, so a list may be mapped for the others' devices too. Nobody notices
 * when it is mapped for a device of another machine, where its addresses mean nothing. On a real device
 * it holds the addresses alone: it is the mapping that keeps memory in place, and finds out that there
 * is none.
 *
 * @param list  out: initialised here; given back by phyr_list_release()
 * @return 0; -EINVAL len 0 or wrap; -ENOMEM. On failure the list is empty; releasing it is fine.
 */
PHYR_API int phyr_list_from_user(struct phyr *p, void *ptr, uint64_t len, struct phyr_list *list);

/**
 * Let the memory go and free the list. NULL and an empty list are fine. No mapping of it is left.
 *
 * A list that is not this target's is reported (-EINVAL) and left as it is: one that another target
 * made, on whichever machine, or one more than this target has out.
 *
 * Mappings are not looked at: a device that still reaches for the memory is blocked on a simulated machine
 * (PHYR_FAULT_BAD_ADDRESS), reaches it on a real one, and a mapping that nobody unmaps is reported by
 * phyr_close().
 */
PHYR_API void phyr_list_release(struct phyr *p, struct phyr_list *list);

/** The library's version, "0.1.0". */
PHYR_API const char *phyr_version(void);

#ifdef __cplusplus
}
#endif
#endif
