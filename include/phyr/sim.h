/* SPDX-License-Identifier: MIT */
/*
 * The simulated machine: physical memory, an IOMMU that walks page tables in that memory through an
 * IOTLB, and devices, of your own or an NVMe controller over files. It needs no right and no
 * hardware.
 *
 * Its memory is the process's own. What is pinned gets simulated physical pages, scattered as a
 * setting says; what phyr_sim_env() allocates (tables, rings) lies in a second, linear stretch of
 * the same physical address space. Both lie above 4 GiB: no address below that is memory.
 *
 * Threads: any call from any thread at once, but create, destroy, and removing a device that
 * somebody still uses. Devices run one at a time, in the machine's thread.
 */
#ifndef PHYR_SIM_H
#define PHYR_SIM_H

#include <phyr/backend.h>

#ifdef __cplusplus
extern "C" {
#endif

struct phyr_sim;
struct phyr_sim_dev;

/** How the physical pages of pinned memory lie. */
enum phyr_sim_scatter {
	PHYR_SIM_MIXED =
		0,       /**< as anonymous memory: mean run about 7 pages, most runs single pages */
	PHYR_SIM_SINGLE, /**< no two neighbours lie together */
	PHYR_SIM_HUGE,   /**< aligned 2 MiB runs where the virtual address is aligned likewise */
	PHYR_SIM_LINEAR, /**< as long as free memory allows */
};

/** A machine's settings; zero it and set size. */
struct phyr_sim_config {
	size_t size;           /**< sizeof(struct phyr_sim_config) */
	uint64_t memory;       /**< bytes of physical memory that can be pinned at once, whole
					    pages, at most 16 TiB, and a quarter of what oa_bits
					    reach; 0: 64 GiB. Only what is pinned costs
					    anything, but for 8 bytes each 2 MiB. */
	uint64_t table_memory; /**< bytes for tables and rings, whole pages, at most 1 TiB,
					    and half of what oa_bits reach; 0: 4 GiB. Only address space until it is used. */
	enum phyr_sim_scatter scatter;
	uint64_t seed;          /**< of the scattering: the same seed and the same pins give the
					    same physical pages */
	bool stepped;           /**< no thread: devices run in phyr_sim_step() only */
	unsigned iotlb_entries; /**< rounded up to a power of two, at most 2^24; 0: 4096 */
	unsigned aw_bits;       /**< iova width of the IOMMU: 39, 48, 57 or 64; 0: 48 */
	unsigned oa_bits; /**< physical address width that its tables may use, 40 to 52; 0: 46 */
	unsigned formats; /**< OR of 1 << enum phyr_pgtbl_format that it walks; 0: all */
	unsigned bbm;     /**< Arm tables: FEAT_BBM's level, 0 to 2 */
	bool noncoherent; /**< it does not snoop: see phyr_sim_iommu() */
};

/**
 * Make a machine; config NULL: all defaults. It reports nothing by itself: whoever wants to hear of
 * failures of the other calls sets report in phyr_sim_env().
 *
 * @return 0; -EINVAL settings; -ENOMEM memory or address space
 */
PHYR_API int phyr_sim_create(const struct phyr_sim_config *config, struct phyr_sim **out);

/** Stop its devices and free it. Nothing uses its env, space or IOMMU any more. NULL is fine. */
PHYR_API void phyr_sim_destroy(struct phyr_sim *sim);

/**
 * The environment whose page memory lies in the machine: for page tables, rings, coherent memory.
 *
 * Blocks up to 1 GiB. What it gives out is counted (phyr_sim_get_stats()) and fails when asked to
 * (phyr_sim_fail_alloc()); all else is as in phyr_env_hosted(). The caller may set its report and
 * wrap it, but not copy it: its memory finds its machine by the environment's address. An
 * environment of one's own takes phys_delta from it, and hands alloc_pages and free_pages on to it.
 * Memory that was given back is not there for devices and the IOMMU: access to it is a fault.
 */
PHYR_API struct phyr_env *phyr_sim_env(struct phyr_sim *sim);

/** The space of the machine's physical addresses: kind RAM, with a way to CPU pointers. */
PHYR_API const struct phyr_space *phyr_sim_space(struct phyr_sim *sim);

/**
 * The IOMMU, for phyr_soft_create().
 *
 * It walks every format of pgtbl.h as far as aw_bits goes: with 39 VT-d second stage, AMD and RISC-V
 * tables of 3 levels and Arm's of 39 bits; with 48 x86-64 and four levels, too; with 57 five; with 64
 * AMD's six. A table with a reserved bit set is a fault (PHYR_FAULT_BAD_ENTRY), and so are entries that
 * are one leaf together (contiguous, NAPOT, AMD's sizes) and do not agree.
 *
 * It caches leaf entries, whole leaves, and entries that lead to tables, by domain, and serves them until
 * an invalidation names them or their place is needed; what is not present is never cached. Its aperture
 * has a hole where message interrupts are written; that is never translated (PHYR_FAULT_BAD_ADDRESS).
 *
 * With dirty tables it marks an entry before the write that it lets through, and caches that it did: a mark
 * that is taken away without an invalidation is not made again. Other tables' accessed and dirty bits
 * stay as they are.
 *
 * Arm tables that want break-before-make (bbm 0, and 1 where a block becomes a table or a table a block):
 * a leaf in memory while one of another size is still cached for part of it is a TLB conflict
 * (PHYR_FAULT_BAD_ENTRY), found by the next access to either.
 *
 * One that is noncoherent sees of table memory the lines alone that phyr_sim_env()'s flush_lines was called
 * for, at the time of the call, and all ones where there was no call yet. It has no dirty bits then.
 */
PHYR_API struct phyr_soft_hw *phyr_sim_iommu(struct phyr_sim *sim);

/*
 * Memory.
 */

/**
 * Give [ptr, ptr + len) physical pages and append exactly these bytes to a list.
 *
 * A page that is pinned already keeps its physical page and is counted once more. The memory must
 * stay valid until it is unpinned. As long as a physical page is free a pin does not fail for want
 * of one, however they lie; runs get shorter instead, and SINGLE's may touch when nothing else is
 * left.
 *
 * @param list  initialised with phyr_sim_space(); it may hold something already, and where that
 *              ends off a page, ptr goes on with the next byte of it
 * @return 0; -EINVAL len 0, past the end of a process's addresses, another space, an edge off a
 *         page; -ENOMEM no physical page left, or none for the list. Nothing is pinned on failure,
 *         and the list is as it was.
 */
PHYR_API int phyr_sim_pin(struct phyr_sim *sim, void *ptr, uint64_t len, struct phyr_list *list);

/**
 * Unpin what a list holds: one count of each of its pages. The list itself is left as it is.
 *
 * When it returns, no device is still using what is not pinned any more. Pages that are not pinned
 * are passed over, with one report (-ENOENT) for all of them: index, addr and len are the first such
 * range's, limit is how many pages.
 * Whether the memory is still mapped for a device is not looked at: an access of that device is a
 * fault then (PHYR_FAULT_BAD_ADDRESS) unless somebody else pinned the page.
 */
PHYR_API void phyr_sim_unpin(struct phyr_sim *sim, const struct phyr_list *list);

/** The physical address of a pinned byte. @return 0; -ENOENT it is not pinned */
PHYR_API int phyr_sim_to_phys(struct phyr_sim *sim, const void *ptr, phyr_addr_t *out);

/** What a machine holds and has seen. */
struct phyr_sim_stats {
	uint64_t pinned_pages; /**< physical pages in use by pinned memory */
	uint64_t table_pages;  /**< pages out of phyr_sim_env() now */
	uint64_t objects;      /**< small objects out of it now */
	uint64_t object_bytes; /**< and their bytes */
	uint64_t locks;        /**< locks made and not finished */
	uint64_t devices;      /**< devices in the machine now */
	uint64_t allocs;       /**< allocations, ever, as phyr_sim_fail_alloc() counts them */
	uint64_t map_bytes;    /**< memory that the page maps cost now; 0 when nothing is pinned */
	uint64_t
		iotlb_hits; /**< translations served from the cache, one for each piece of an access */
	uint64_t iotlb_misses;  /**< translations that walked tables */
	uint64_t invalidations; /**< calls */
	uint64_t faults;        /**< blocked accesses, ever */
	uint64_t dma_bytes;     /**< moved by devices, or reached for that */
	uint64_t steps;         /**< that devices have taken */
};

/** Each number is exact; together they are of one moment only while nothing runs. */
PHYR_API void phyr_sim_get_stats(struct phyr_sim *sim, struct phyr_sim_stats *stats);

/**
 * Let the nth allocation from now on fail, once.
 *
 * Counted are pages, small objects and locks of phyr_sim_env(), which is what all layers allocate
 * from, and one for each phyr_sim_pin() and phyr_sim_dev_add(). What else a machine allocates for
 * itself is not. A test that goes through a driver's whole life, for n = 1, 2, … until nothing failed
 * any more, has seen every one of its error paths:
 *
 *   for (uint64_t n = 1; failed; n++) {
 *           phyr_sim_fail_alloc(sim, n);
 *           err = open_use_and_close_my_device(sim);
 *           failed = phyr_sim_alloc_failed(sim);
 *           phyr_sim_fail_alloc(sim, 0);
 *           assert(failed || !err);
 *           phyr_sim_get_stats(sim, &stats);
 *           assert(!stats.objects && !stats.locks && !stats.table_pages && !stats.pinned_pages);
 *   }
 *
 * @param nth  counted from 1; 0: none fails
 * Threads: any; which allocation is the nth is certain only while one thread allocates.
 */
PHYR_API void phyr_sim_fail_alloc(struct phyr_sim *sim, uint64_t nth);

/** Whether it has failed since phyr_sim_fail_alloc() was called last. */
PHYR_API bool phyr_sim_alloc_failed(struct phyr_sim *sim);

/**
 * Read the fault log, oldest first. The newest PHYR_SIM_FAULT_LOG are kept.
 *
 * @param from  number of the first fault wanted, counted from 0 since the start
 * @param nr    out: how many were written, up to max
 * @return the number to ask for next time; more than from + *nr: so many were dropped in between
 */
PHYR_API uint64_t phyr_sim_read_faults(struct phyr_sim *sim, uint64_t from,
				       struct phyr_fault *faults, size_t max, size_t *nr);
#define PHYR_SIM_FAULT_LOG 256

/*
 * Devices of your own.
 */

/** A device's behaviour. All run with the machine's device lock held: never two at once. */
struct phyr_sim_dev_ops {
	/** A register is read. @param width 4 or 8. NULL: reads give all ones. */
	uint64_t (*mmio_read)(void *priv, uint64_t offset, unsigned width);
	/** A register is written. NULL: writes are lost. */
	void (*mmio_write)(void *priv, uint64_t offset, uint64_t value, unsigned width);
	/** Do some work, a command or so: whoever reads a register waits for its end.
	 *  @return whether there may be more at once; called again when it says so, or after any
	 *  register write. May be NULL. */
	bool (*step)(void *priv);
};

/**
 * Add a device to the machine.
 *
 * @param ops     borrowed
 * @param source  its source id; one device each
 *
 * A device is there before phyr_dev_create() attaches its source id to a domain.
 * @return 0; -EEXIST the source id is taken; -ENOMEM
 */
PHYR_API int phyr_sim_dev_add(struct phyr_sim *sim, const struct phyr_sim_dev_ops *ops, void *priv,
			      uint32_t source, struct phyr_sim_dev **out);

/**
 * Take it out and free it; no function of it runs any more when this returns. Register writes made
 * before have reached it. Not from its own functions. NULL is fine.
 */
PHYR_API void phyr_sim_dev_remove(struct phyr_sim_dev *sdev);

/** Bytes of registers that a device has. */
#define PHYR_SIM_REGS_SIZE ((uint64_t)1 << 20)

/**
 * Its registers as a driver sees them; valid until it is removed.
 *
 * Writes are posted, as on PCIe: they reach the device in order, before any later read returns, and
 * the writer does not wait for a device that is busy. (A stepped machine carries them out at once.)
 * Accesses past PHYR_SIM_REGS_SIZE, unaligned ones and other widths than 4 and 8 reach nothing:
 * reads give all ones.
 */
PHYR_API struct phyr_regs *phyr_sim_dev_regs(struct phyr_sim_dev *sdev);

/**
 * Whether the device's accesses go through the IOMMU (the start: true). false: a dma address is a
 * physical address, as for a device in front of no IOMMU.
 */
PHYR_API void phyr_sim_dev_set_iommu(struct phyr_sim_dev *sdev, bool behind);

/**
 * DMA by a device, through the IOMMU. Called by the device's own functions; from elsewhere it waits
 * until no device runs.
 *
 * Where both edges lie on 8-byte words, the last word written is visible after all others; up to 64
 * bytes each word is moved whole.
 * @return 0; -EFAULT blocked (the log is told and, behind an IOMMU, the domain's handler; what came
 *         before the blocked page has moved)
 */
PHYR_API int phyr_sim_dma_read(struct phyr_sim_dev *sdev, phyr_dma_addr_t addr, void *buf,
			       uint64_t len);
PHYR_API int phyr_sim_dma_write(struct phyr_sim_dev *sdev, phyr_dma_addr_t addr, const void *buf,
				uint64_t len);

/**
 * Where a device would reach memory, for devices that move data by system calls: checked pieces of
 * [addr, addr + len) for one access. Called by the device's own functions.
 *
 * @param access  PHYR_READ or PHYR_WRITE
 * @param cpu     out: pointer to the first piece, good until the device's function returns: what
 *                unmaps or unpins the memory meanwhile waits for that
 * @return bytes that lie together there, 1 to len (0 for len 0); -EFAULT blocked
 */
PHYR_API int64_t phyr_sim_dma_reach(struct phyr_sim_dev *sdev, phyr_dma_addr_t addr, uint64_t len,
				    unsigned access, void **cpu);

/** Raise an interrupt; by the device. Calls the function set for the vector, if there is one. */
PHYR_API void phyr_sim_irq(struct phyr_sim_dev *sdev, unsigned vector);

/**
 * Who is told of a vector; fn NULL: nobody. Called in the device's thread; it must not block, and
 * may use registers, phyr_sim_nvme_plan(), _unplug(), _set_temperature() and _get_stats(). When this
 * returns, the one before is not called any more.
 *
 * @return 0; -EINVAL vector is PHYR_SIM_VECTORS or more
 */
PHYR_API int phyr_sim_set_irq(struct phyr_sim_dev *sdev, unsigned vector,
			      void (*fn)(void *arg, unsigned vector), void *arg);
#define PHYR_SIM_VECTORS 64

/**
 * Let each device of a stepped machine that has work take one step. Never from a function of a device
 * or of an interrupt: a step would run inside another.
 *
 * @return whether any may have more to do; always false on a machine with a thread
 */
PHYR_API bool phyr_sim_step(struct phyr_sim *sim);

/*
 * An NVMe controller over files.
 */

/** A namespace: a file, under the rules of phyr_sim_nvme_create(). */
struct phyr_sim_nvme_ns {
	int fd;             /**< a regular file, borrowed; its size is the namespace's. -1: nothing,
				 the number stays an inactive namespace id */
	bool read_only;     /**< what would write ends with Namespace is Write Protected */
	unsigned block_lg2; /**< logical block: 9, 12, 13 or 16; 0: 9 */
};

/** Its settings; zero it and set size. */
struct phyr_sim_nvme_config {
	size_t size;                         /**< sizeof(struct phyr_sim_nvme_config) */
	int fd;                              /**< namespace 1, as in struct phyr_sim_nvme_ns */
	bool read_only;                      /**< likewise */
	unsigned block_lg2;                  /**< likewise */
	const struct phyr_sim_nvme_ns *more; /**< namespaces 2 and up, borrowed for the call */
	unsigned nr_more;                    /**< how many, to PHYR_SIM_NVME_NAMESPACES - 1 */
	unsigned mdts;          /**< largest transfer: 2^mdts minimum pages, to 31; 0: 8 (1 MiB) */
	unsigned mps_min_lg2;   /**< smallest controller page, 12 to 16; 0: 12 */
	unsigned mps_max_lg2;   /**< largest; 0: 16 */
	unsigned queues;        /**< I/O queue pairs, to 65535; 0: 64 */
	unsigned queue_entries; /**< entries of a queue at most, 2 to 65536; 0: 1024 */
};
#define PHYR_SIM_NVME_NAMESPACES 1024

/**
 * Add an NVMe controller (NVM Express Base Specification 2.0, NVM Command Set 1.0) with namespaces
 * of files.
 *
 * Data moves straight between a file and memory, at the file's own speed. Each file must be open for
 * reading, unless read_only for writing too and without O_APPEND; until the controller is destroyed
 * it stays open and keeps its size. A file cut short gives reads that fail;
 * a write makes it longer again.
 *
 * @param source  its source id; one device each
 * @param config  copied
 * @return 0; -EINVAL settings, no such file, one file twice, or a size that is no whole number of
 *         blocks, at least one; -EEXIST the source id is taken; -ENOMEM
 */
PHYR_API int phyr_sim_nvme_create(struct phyr_sim *sim, uint32_t source,
				  const struct phyr_sim_nvme_config *config,
				  struct phyr_sim_dev **out);

/**
 * Remove the controller and free it, before its machine is destroyed. NULL is fine. A device that is
 * no NVMe controller is left as it is, with a report (-EINVAL).
 */
PHYR_API void phyr_sim_nvme_destroy(struct phyr_sim_dev *sdev);

/** What a planned fault does to the command that it hits. */
enum phyr_sim_nvme_fault_kind {
	PHYR_SIM_NVME_DELAY, /**< carried out, and completed so many steps later; others may overtake
				    it, and Abort finds it */
	PHYR_SIM_NVME_DROP, /**< fetched, not carried out, never completed; Abort does not find it */
	PHYR_SIM_NVME_REORDER, /**< carried out, and completed after the next command of its queue
				    that completes, or so many steps later when none does. A queue has
				    one such command at a time; the next one is left alone. */
	PHYR_SIM_NVME_STATUS,  /**< not carried out, completed with a status */
	PHYR_SIM_NVME_FATAL, /**< not carried out; CSTS.CFS is set, and nothing more is done until a
				    reset */
	PHYR_SIM_NVME_GONE,  /**< not carried out; the controller is as if pulled out */
	PHYR_SIM_NVME_FAULT_KINDS,
};

#define PHYR_SIM_NVME_ANY    UINT32_MAX       /**< any queue, any opcode */
#define PHYR_SIM_NVME_ANY_IO (UINT32_MAX - 1) /**< any queue but the admin queue */
#define PHYR_SIM_NVME_NEVER  UINT64_MAX       /**< steps: until Abort, deletion or a reset */
#define PHYR_SIM_NVME_DNR    0x4000u          /**< in a status: Do Not Retry */

/** A planned fault: what, of which commands, after how many of them, how often. */
struct phyr_sim_nvme_fault {
	enum phyr_sim_nvme_fault_kind kind;
	uint32_t queue;  /**< submission queue, PHYR_SIM_NVME_ANY or _ANY_IO */
	uint32_t opcode; /**< or PHYR_SIM_NVME_ANY */
	uint64_t after;  /**< commands of that queue and opcode that pass first */
	uint64_t count;  /**< how many are hit then; 0: 1; UINT64_MAX: all */
	uint64_t steps;  /**< DELAY, REORDER: steps of the device; 0: 16; or PHYR_SIM_NVME_NEVER */
	uint16_t
		status; /**< STATUS: type << 8 | code, perhaps | PHYR_SIM_NVME_DNR; 0 is the lie that
			      all went well */
};

/**
 * Replace the plan of faults; nr 0: none any more.
 *
 * A command is hit by the first fault of the plan that is due, and those behind it don't count it.
 * A reset forgets commands that are held back, and leaves the plan where it is. A step is what
 * phyr_sim_step() says; a machine with a thread takes them as fast as it can. The same plan and the
 * same stepped program give the same run. While 960 commands are held back or wait for an event none
 * is fetched from I/O queues; while 1024 are, none from the admin queue either.
 *
 * @param faults  copied
 * Threads: any at once, also while the controller works, and from an interrupt's function.
 * @return 0; -EINVAL no NVMe controller, or a fault of no such kind or status; -ENOMEM. The plan is as
 *         it was on failure.
 */
PHYR_API int phyr_sim_nvme_plan(struct phyr_sim_dev *sdev, const struct phyr_sim_nvme_fault *faults,
				unsigned nr);

/**
 * Pull the controller out, now and for ever: registers read all ones, writes are lost, it does not
 * access memory any more, nor raise interrupts. Commands that it had end nowhere. Any thread, and
 * from an interrupt's function. Another device is left as it is, with a report (-EINVAL).
 */
PHYR_API void phyr_sim_nvme_unplug(struct phyr_sim_dev *sdev);

/**
 * Say how warm the controller is; at the start 310 K. What passes a threshold (feature 04h) shows in
 * the health log, and is told by an asynchronous event where the host asked for that. Any thread.
 * Another device is left as it is, with a report (-EINVAL).
 *
 * @param kelvin  its composite temperature
 */
PHYR_API void phyr_sim_nvme_set_temperature(struct phyr_sim_dev *sdev, uint16_t kelvin);

/** What a controller has done. */
struct phyr_sim_nvme_stats {
	uint64_t commands;                        /**< fetched, ever */
	uint64_t completions;                     /**< posted, ever */
	uint64_t hits[PHYR_SIM_NVME_FAULT_KINDS]; /**< commands that planned faults hit, by kind */
	uint64_t held;                            /**< commands that are held back or wait now */
};

/**
 * Of one moment; any thread. Of another device there is only a report (-EINVAL), and stats stay as
 * they are.
 */
PHYR_API void phyr_sim_nvme_get_stats(struct phyr_sim_dev *sdev, struct phyr_sim_nvme_stats *stats);

#ifdef __cplusplus
}
#endif
#endif
