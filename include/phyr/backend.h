/* SPDX-License-Identifier: MIT */
/*
 * Backends: direct (no IOMMU), soft (our tables on hardware that a port or sim provides), vfio and
 * iommufd (the kernel's tables, for devices that Linux lends to a process).
 *
 *                 made by                    a domain is         takes
 *   direct        phyr_direct_create()       nothing             RAM
 *   soft          phyr_soft_create()         a page table        RAM
 *   vfio          phyr_vfio_create()         a VFIO container    USER
 *   iommufd       phyr_iommufd_create()      an IOAS             USER, FD where the kernel has MAP_FILE
 */
#ifndef PHYR_BACKEND_H
#define PHYR_BACKEND_H

#include <phyr/iommu.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * No IOMMU: a device sees memory as it is, plus its bus offset. Takes RAM.
 *
 * @return 0; -EINVAL a member of the env is missing; -ENOMEM
 */
PHYR_API int phyr_direct_create(struct phyr_env *env, struct phyr_iommu **out);

/** A device's table as hardware is told of it. */
struct phyr_soft_table {
	enum phyr_pgtbl_format format;
	unsigned levels;
	uint64_t root;   /**< physical address of the top table */
	uint32_t domain; /**< tag of cached translations; several devices may share it */
	/** Log2 of the smallest page, which is a table's size, too; 0: 12 */
	unsigned granule_lg2;
	/** Iova from 2^ia_bits up is not translated (Arm: 64 - TxSZ); 0: what the levels come to */
	unsigned ia_bits;
	/** Arm: output addresses, bits (TCR.PS); more than 48: the layout for that, as struct
	 *  phyr_pgtbl_config says; 0: the hardware's, 48 at most. Others are told nothing. */
	unsigned oa_bits;
	/** Set dirty bits, and accessed ones: VT-d SSADE, AMD HAD, Arm HA and HD, RISC-V SADE */
	bool dirty;
};

/** What the hardware can do. */
struct phyr_soft_info {
	unsigned formats; /**< OR of 1 << enum phyr_pgtbl_format */
	unsigned levels;  /**< the most levels that it has of any format */
	unsigned oa_bits; /**< physical address width, 56 at most; 0: the format's */
	/** Arm: OR of granules, powers of two; 0: 4 KiB alone */
	uint64_t granules;
	unsigned bbm; /**< Arm: FEAT_BBM's level, as in struct phyr_pgtbl_config */
	bool dirty;   /**< it sets dirty bits when told so, in every format */
	bool snoop;   /**< it has snoop control: tables may force it */
	/** Its walker does not snoop the CPU's caches: tables are written back line by line, before a
	 *  call returns, with the env's flush_lines, which must be there then. */
	bool noncoherent;
	struct phyr_aperture aperture; /**< start, last, page sizes, holes (message interrupts) */
};

/**
 * The hardware that the soft backend drives: a table root per device, and invalidation.
 *
 * The port embeds this struct. Calls come from any thread. The hardware must not cache that an
 * entry is not present: a new mapping is used without any call.
 */
struct phyr_soft_hw {
	/**
	 * Read when the backend is made, and at each attach; the aperture alone may have changed then.
	 */
	void (*get_info)(struct phyr_soft_hw *hw, struct phyr_soft_info *info);
	/** Give a device its table; fault is told of its blocked accesses, with arg first.
	 *  @return 0; -EBUSY it has one; -ENODEV no such device; -ENOMEM; -EINVAL a format or
	 *          levels that get_info() did not say */
	int (*set_table)(struct phyr_soft_hw *hw, uint32_t source,
			 const struct phyr_soft_table *table, phyr_fault_fn *fault, void *arg);
	/** Take a device's table away, if it is this domain's, and forget what was cached for it;
	 *  done when it returns. A device that has none, or another domain's, is left alone. */
	void (*clear_table)(struct phyr_soft_hw *hw, uint32_t source, uint32_t domain);
	/** Forget cached translations and table entries of [start, last]; done when it returns. */
	void (*invalidate)(struct phyr_soft_hw *hw, uint32_t domain, uint64_t start, uint64_t last);
	/** A number for a domain, which no other domain of this hardware has; 0: none is left. */
	uint32_t (*get_domain)(struct phyr_soft_hw *hw);
	/** Take it back; nothing is cached under it any more. */
	void (*put_domain)(struct phyr_soft_hw *hw, uint32_t domain);
};

/** Choices for the soft backend; zero it and set size. */
struct phyr_soft_config {
	size_t size; /**< sizeof(struct phyr_soft_config) */
	/** 0: the first that the hardware has of VT-d second stage, x86-64, AMD, Arm stage 1, Arm stage 2,
	 *  RISC-V */
	enum phyr_pgtbl_format format;
	uint64_t page_sizes; /**< 0: all that the hardware and format have */
	unsigned levels; /**< 0: the format's usual, or the hardware's most where that is less */
	unsigned granule_lg2; /**< Arm: 12, 14 or 16; 0: the format's usual, 12 */
	bool dirty;           /**< devices' writes set dirty bits */
	bool force_snoop;     /**< every access snoops: VT-d second stage and AMD */
};

/**
 * Our own tables on given hardware. Takes RAM.
 *
 * @param env     its page memory must be reachable by the hardware at phys_delta
 * @param hw      borrowed until the backend is destroyed
 * @param config  NULL: defaults
 * @return 0; -EINVAL unknown size, a member of the env that is missing (flush_lines, too, where the
 *         hardware is noncoherent), or page sizes that hardware or format do not have; -EOPNOTSUPP
 *         the hardware lacks the format, levels, granule, dirty bits or snoop control that are asked for,
 *         or its levels and addresses do not go with the format; -ENOMEM
 */
PHYR_API int phyr_soft_create(struct phyr_env *env, struct phyr_soft_hw *hw,
			      const struct phyr_soft_config *config, struct phyr_iommu **out);

/*
 * The kernel's IOMMU. Linux; not in the freestanding archive.
 *
 * The kernel writes the tables and pins the memory that is mapped, for as long as it is mapped; it
 * counts as locked memory (RLIMIT_MEMLOCK) for who has no CAP_IPC_LOCK. Source ids are PCI addresses:
 * segment << 16 | bus << 8 | device << 3 | function (phyr_pci_parse()). A device is bound to vfio-pci
 * (or another VFIO driver), and the process may open its file.
 *
 * A link or map of n runs costs n ioctls, an unlink or unmap one; runs that follow each other in memory
 * are one, whatever they came from. So a mapping a request is dear here: map once, and keep it.
 * Mappings are found again in a record of the backend's own, by which translate answers too; it says as
 * leaf_size what the run would allow, for the kernel does not tell what it wrote. The record takes at most
 * 24 bytes a run from 4,000 runs on; 15 take 248 bytes, and those in between whole blocks of 4 KiB.
 * An unmap invalidates before it returns: gathers stay empty. Blocked accesses are in the kernel's log
 * alone: fault handlers hear nothing.
 *
 * Mappings outlive the devices of their domain, and wait for the next one. Memory is looked at and pinned
 * only while a device is there: one that cannot reach what is mapped, because its memory is gone or its
 * iova is not allowed to the device, is not attached (-EBUSY). The first attach is what allows any iova,
 * and sets the granule; while no device is there afterwards, none is forbidden.
 *
 * Beside the errors of the seam, map and unmap give -EIO for what the kernel says and phyr has no word
 * for; the report's limit is its errno. If a map fails and the kernel then does not undo its first part
 * either, that is reported, too (a second report), and that part keeps its iova. After an unmap that
 * failed with -EIO, devices may still reach the memory. On descriptors from outside, parts of it may be
 * unmapped then, and others not.
 *
 * A child of a fork must not use a backend of its parent.
 */

/**
 * VFIO's containers, type 1 version 2.
 *
 * Each domain is a container. It takes as many mappings as the kernel's vfio_iommu_type1 module allows a
 * container (dma_entry_limit, usually 65535): one that would exceed it is refused before anything is
 * mapped (-ENOSPC; the report has the limit).
 *
 * A group that other drivers have devices of, or that somebody else has open, is not attached (-EBUSY).
 *
 * @param env  NULL: the hosted one
 * @return 0; -EINVAL a member of the env is missing; -ENOENT there is no /dev/vfio/vfio, or nothing behind
 *         it: the vfio module is not there; -EACCES no right to open it; -EOPNOTSUPP no type 1 version 2,
 *         or an interface of another version; -EMFILE, -ENFILE, … as open(2) says; -ENOMEM
 */
PHYR_API int phyr_vfio_create(struct phyr_env *env, struct phyr_iommu **out);

/**
 * iommufd, Linux 6.6 or newer, with devices' own files (/dev/vfio/devices).
 *
 * Each domain is an IOAS of one iommufd, and takes any number of devices.
 *
 * It maps no device's registers by their address. Of files (MAP_FILE, 6.13) it maps those that are memory
 * (memfd, tmpfs, hugetlb), and what VFIO gives out of a BAR as a dma-buf (6.19): -EFAULT for others, past
 * their end, and for a device to write what the descriptor or a seal keeps from being written. Pages that
 * are mapped stay the device's when the file is cut below them; the file has them no more.
 *
 * @param env  NULL: the hosted one
 * @return 0; -EINVAL a member of the env is missing; -ENOENT there is no /dev/iommu, or nothing behind it;
 *         -EACCES no right to open it; -EMFILE, -ENFILE, … as open(2) says; -ENOMEM
 */
PHYR_API int phyr_iommufd_create(struct phyr_env *env, struct phyr_iommu **out);

/** A VFIO device that somebody has opened. */
struct phyr_vfio_dev {
	uint32_t source; /**< its source id */
	int fd;          /**< its descriptor, of VFIO_GROUP_GET_DEVICE_FD or /dev/vfio/devices */
};

/** A container that somebody has set up: a broker, a VMM. Zero it and set size. */
struct phyr_vfio_fds {
	size_t size;                      /**< sizeof(struct phyr_vfio_fds) */
	int container;                    /**< VFIO_SET_IOMMU was done, with type 1 version 2 */
	const struct phyr_vfio_dev *devs; /**< devices of groups that are in it */
	unsigned nr_devs;
};

/**
 * A backend on a container from outside. It has one domain at a time.
 *
 * The descriptors are borrowed until phyr_iommu_destroy(), the array is copied. Who passed descriptors on
 * to this process may close his own, the group's too: a device keeps its group in the container. What others
 * map in the container is theirs: iova that they use is refused with -EEXIST when it is met; keep away from
 * it with phyr_iova_alloc_at() or limits. Others' mappings count, too: that no entry is left for one more is
 * found by the kernel, and what it had mapped is undone. An unmap costs an ioctl for each part of it that
 * lies together, so that what others have in between stays; destroying the domain unmaps all that it
 * mapped. Detaching a device leaves it in the container, which is its owner's: only closing it, by all who
 * have it open, ends its reach.
 *
 * @param fds  read during the call
 * @return 0; -EINVAL size, or a member of the env is missing; -EBADF, -ENOTTY a descriptor that is no
 *         container with an IOMMU; -EOPNOTSUPP another type; -ENOMEM
 */
PHYR_API int phyr_vfio_from_fds(struct phyr_env *env, const struct phyr_vfio_fds *fds,
				struct phyr_iommu **out);

/** An IOAS that somebody has made, of an iommufd to which devices are bound. Zero it and set size. */
struct phyr_iommufd_fds {
	size_t size; /**< sizeof(struct phyr_iommufd_fds) */
	int iommufd;
	uint32_t ioas;
	const struct phyr_vfio_dev *devs; /**< bound to it (VFIO_DEVICE_BIND_IOMMUFD) */
	unsigned nr_devs;
};

/**
 * A backend on an IOAS from outside. It has one domain at a time.
 *
 * Descriptors, arrays and others' mappings as in phyr_vfio_from_fds(). Who passed them on may close his
 * own: the IOAS lives as long as anybody has the iommufd open. Attaching a device attaches it to the IOAS, if
 * it is not yet; detaching detaches it. The IOAS stays.
 *
 * @param fds  read during the call
 * @return 0; -EINVAL size, or a member of the env is missing; -EBADF, -ENOTTY a descriptor that is no
 *         iommufd; -ENOENT no such IOAS; -ENOMEM
 */
PHYR_API int phyr_iommufd_from_fds(struct phyr_env *env, const struct phyr_iommufd_fds *fds,
				   struct phyr_iommu **out);

/**
 * The VFIO descriptor of a device that is attached to a domain of a kernel backend, for phyr_pci_open().
 *
 * @param fd  out: the backend's, valid until the device is detached, so close first what phyr_pci_open() made
 *            of it; written on success only
 * @return 0; -ENODEV it is attached to none; -EOPNOTSUPP the backend is not the kernel's
 */
PHYR_API int phyr_vfio_device_fd(struct phyr_iommu *iommu, uint32_t source, int *fd);

#ifdef __cplusplus
}
#endif
#endif
