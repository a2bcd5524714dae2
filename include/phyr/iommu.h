/* SPDX-License-Identifier: MIT */
/*
 * The IOMMU seam: what a backend must do (struct phyr_iommu_ops), and the domain, one iova space of
 * one or more devices, on top of it.
 *
 * Whoever ports phyr to an IOMMU reads this file alone.
 */
#ifndef PHYR_IOMMU_H
#define PHYR_IOMMU_H

#include <phyr/iova.h>
#include <phyr/pgtbl.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Why an access was blocked. */
enum phyr_fault_reason {
	PHYR_FAULT_NOT_PRESENT = 1, /**< nothing is mapped there */
	PHYR_FAULT_PERMISSION,      /**< mapped, but not for this access */
	PHYR_FAULT_RANGE,           /**< the iova is wider than the table */
	PHYR_FAULT_NO_DOMAIN,       /**< the device is attached to nothing */
	PHYR_FAULT_BAD_ADDRESS,     /**< an entry or table leads to memory that is not there */
	PHYR_FAULT_BAD_ENTRY,       /**< an entry has reserved bits set, or entries contradict */
};

/** A blocked access. */
struct phyr_fault {
	uint32_t source; /**< source id (PCI bus, device, function) of the device */
	unsigned access; /**< PHYR_READ or PHYR_WRITE */
	enum phyr_fault_reason reason;
	phyr_dma_addr_t iova; /**< of the first byte that was blocked */
};

/** A reason as a static word or two, for messages. */
PHYR_API const char *phyr_fault_reason_name(enum phyr_fault_reason reason);

/**
 * Told of blocked accesses; called from whatever thread finds them; must not call back into phyr.
 * The fault is the caller's and gone afterwards.
 */
typedef void phyr_fault_fn(void *arg, const struct phyr_fault *fault);

/** What a backend is; constant for its life. */
struct phyr_iommu_caps {
	const char *name; /**< "soft" */
	unsigned kinds;   /**< OR of 1 << enum phyr_kind */
	bool translates;  /**< false: no iova; dma address = address + the device's bus offset */
	/** What memory of env->alloc_pages is to devices: NULL: RAM, by its physical address; else a
	 *  space of kind USER, in which it has its CPU address. */
	const struct phyr_space *pages;
};

/** What a backend holds for a domain, and has done for it. */
struct phyr_iommu_stats {
	uint64_t tables;           /**< page tables now; 0 where they are the kernel's */
	uint64_t ioctls;           /**< calls into the kernel so far */
	uint64_t kernel_maps;      /**< mappings that the kernel holds now */
	uint64_t kernel_maps_left; /**< how many more it takes; UINT64_MAX: no such limit */
	uint64_t record_bytes;     /**< memory of the backend's own record of them, bytes */
};

/** The most holes that an aperture can have. */
#define PHYR_APERTURE_HOLES 16

/** Which iova a domain may use, as its attached devices and the hardware allow. */
struct phyr_aperture {
	uint64_t start; /**< first, inclusive */
	uint64_t last;  /**< last, inclusive */
	/** Leaf sizes, OR of powers of two; the lowest is the granule, 4 KiB to 1 GiB. 0 where
	 *  nothing is translated. */
	uint64_t page_sizes;
	unsigned nr_holes;
	struct phyr_iova_hole holes[PHYR_APERTURE_HOLES];
};

struct phyr_iommu;

/**
 * The contract of a backend. Every slot is filled. ctx is what domain_create made.
 *
 * map, sync_map, unmap, reclaim, sync and translate are called from any thread at once on disjoint
 * iova, and get_stats at any time; the others never at the same time on one domain. Several domains
 * may be made and used at once. Errors are negative errnos; domain_create, attach, map and unmap report them
 * themselves, to the backend's env, in the name of the public call (phyr_domain_create, …).
 */
struct phyr_iommu_ops {
	/**
	 * Make the backend's part of a domain.
	 * @param fault, arg  where blocked accesses of the domain's devices go
	 * @return 0; -ENOSPC no more domains; -ENOMEM; -EOPNOTSUPP; kernel backends also what open(2)
	 *         says of their file
	 */
	int (*domain_create)(struct phyr_iommu *iommu, phyr_fault_fn *fault, void *arg, void **ctx);
	/** Free it; no device is attached. */
	void (*domain_destroy)(void *ctx);

	/** Let a device use the domain. @return 0; -EBUSY it is attached, here or elsewhere;
	 *  -ENODEV no such device; -EOPNOTSUPP it does not take the domain's table; -ENOMEM; kernel
	 *  backends also what open(2) says of the device's file, and -EIO sysfs says of it what
	 *  cannot be */
	int (*attach)(void *ctx, uint32_t source);
	/** Take it out, if it is attached here (else nothing happens); when this returns, none of
	 *  its accesses goes through the domain. */
	void (*detach)(void *ctx, uint32_t source);
	/** What may be used now; read again after each attach where something is translated. */
	void (*aperture)(void *ctx, struct phyr_aperture *out);

	/**
	 * As phyr_pgtbl_map(). The caller syncs what the gather then holds, failed or not.
	 * @param space  what the cursor's addresses mean, of a kind in caps->kinds; NULL: RAM
	 * @return as phyr_pgtbl_map(); kernel backends also -ERANGE iova that is not allowed, -EFAULT
	 *         memory that is not there or may not be written, -ENOSPC no entry left in the kernel's
	 *         table, -EIO what the kernel says and there is no word for
	 */
	int (*map)(void *ctx, uint64_t iova, const struct phyr_space *space,
		   struct phyr_cursor *cur, unsigned prot, struct phyr_gather *gather);
	/** Make new mappings visible to devices; needed once after any number of maps. Does nothing
	 *  where hardware never caches that an entry is not present. */
	int (*sync_map)(void *ctx, uint64_t iova, uint64_t len);
	/** As phyr_pgtbl_unmap(). Until the gather is synced, devices may reach the memory; a backend
	 *  that invalidates at once leaves nothing in it. Kernel backends also -EIO: the kernel did not
	 *  unmap it, or not all, and devices may still reach the memory. */
	int (*unmap)(void *ctx, uint64_t iova, uint64_t len, struct phyr_gather *gather);
	/**
	 * Take out tables whose whole span lies in [start, last] and maps nothing, into the gather. All
	 * of it is the caller's, iova outside of the aperture included: nobody maps or looks up there
	 * until the gather is synced. last may lie past the tables' last iova. Does nothing where there
	 * are no tables.
	 * @return 0; -EBUSY something is mapped in it: nothing changed
	 */
	int (*reclaim)(void *ctx, uint64_t start, uint64_t last, struct phyr_gather *gather);
	/** Invalidate what the gather holds, wait until that is done, then free its tables; empties
	 *  it. Not called when it holds nothing. */
	void (*sync)(void *ctx, struct phyr_gather *gather);
	/** Invalidate all of the domain and wait; for owners of the seam, phyr itself syncs gathers. */
	void (*flush_all)(void *ctx);

	/** As phyr_pgtbl_translate(); where nothing is translated, as phyr_domain_translate(). */
	int (*translate)(void *ctx, uint64_t iova, struct phyr_translation *out);
	/** What it holds now, and has done. */
	void (*get_stats)(void *ctx, struct phyr_iommu_stats *out);
};

/** A backend's head; the backend embeds it and fills it in. */
struct phyr_iommu {
	const struct phyr_iommu_ops *ops;
	const struct phyr_iommu_caps *caps;
	struct phyr_env *env;                      /**< never NULL */
	void (*destroy)(struct phyr_iommu *iommu); /**< frees the backend */
};

/** Free a backend. No domain of it is left. NULL is fine. */
PHYR_API void phyr_iommu_destroy(struct phyr_iommu *iommu);

/** One iova space: an allocator and a page table. */
struct phyr_domain;

/**
 * @param iommu  borrowed until phyr_domain_destroy()
 * @return 0; -EINVAL a member of the backend's env is missing; -ENOSPC the hardware has no number left
 *         for it, or descriptors from outside are one domain; -ENOMEM; -EOPNOTSUPP not this kind; on
 *         kernel backends also what open(2) says of their file
 */
PHYR_API int phyr_domain_create(struct phyr_iommu *iommu, struct phyr_domain **out);

/**
 * Free a domain; no device is attached any more. NULL is fine.
 *
 * Iova still in use is reported (-EBUSY, index: allocations, len: bytes, iova: the lowest) and forgotten.
 */
PHYR_API void phyr_domain_destroy(struct phyr_domain *domain);

/**
 * Attach a device by its source id.
 *
 * The aperture is read again. The first attach makes the allocator; each later one takes away from
 * it what is new: holes, and what lies outside. That stays so when the device is detached. Attach
 * and detach of one domain are the caller's to order.
 *
 * @return 0; -EBUSY attached already, here or elsewhere, or a new hole, end or granule does not go
 *         with what is in use; -ENODEV no such device; -EOPNOTSUPP hardware and table do not
 *         go together, leave no iova, or have more than PHYR_APERTURE_HOLES holes; -ENOMEM; on kernel
 *         backends also what open(2) says of the device's file, and -EIO sysfs says of it what cannot
 *         be. The device is not attached on failure.
 */
PHYR_API int phyr_domain_attach(struct phyr_domain *domain, uint32_t source);

/**
 * Take a device out; when this returns, none of its accesses goes through. One that is not attached
 * to this domain is left alone.
 */
PHYR_API void phyr_domain_detach(struct phyr_domain *domain, uint32_t source);

/**
 * Who is told of blocked accesses. Set it while no device is attached. Without one (fn NULL) faults
 * go to the environment's report: err -EFAULT, call "fault", index the source id, iova, and a hint
 * that says access and reason.
 */
PHYR_API void phyr_domain_set_fault_handler(struct phyr_domain *domain, phyr_fault_fn *fn,
					    void *arg);

/** The backend under a domain. */
PHYR_API struct phyr_iommu *phyr_domain_iommu(struct phyr_domain *domain);

/** The domain's allocator; NULL until the first attach, and always where nothing is translated. */
PHYR_API struct phyr_iova *phyr_domain_iova(struct phyr_domain *domain);

/** The merge boundary, granule - 1; 0 before the first attach, and where nothing is translated. */
PHYR_API uint64_t phyr_domain_merge_boundary(const struct phyr_domain *domain);

/**
 * Map a cursor at an iova that the caller owns; phyr_domain_sync_map() before the device may use
 * it.
 *
 * @param space  what the cursor's addresses mean; NULL: RAM
 * @return as phyr_pgtbl_map(), nothing mapped on failure, and what was undone is invalidated
 *         already; -EOPNOTSUPP a kind that the backend does not take, or nothing is translated; on
 *         kernel backends also -ERANGE iova that is not allowed, -EFAULT memory that is not there or
 *         may not be written, -ENOSPC no entry left in the kernel's table, -EIO what the kernel says
 *         and there is no word for
 */
PHYR_API int phyr_domain_map(struct phyr_domain *domain, uint64_t iova,
			     const struct phyr_space *space, struct phyr_cursor *cur,
			     unsigned prot);

/**
 * Make what was mapped in [iova, iova + len) visible to devices.
 *
 * @return 0; -EOPNOTSUPP where nothing is translated
 */
PHYR_API int phyr_domain_sync_map(struct phyr_domain *domain, uint64_t iova, uint64_t len);

/**
 * Unmap, leaving the invalidation to the gather: until phyr_domain_sync() the device may still
 * reach the memory.
 *
 * @return as phyr_pgtbl_unmap() without a list, nothing changed on failure; -EOPNOTSUPP as above; on
 *         kernel backends also -EIO the kernel did not unmap it, or not all: devices may still reach
 *         the memory
 */
PHYR_API int phyr_domain_unmap(struct phyr_domain *domain, uint64_t iova, uint64_t len,
			       struct phyr_gather *gather);

/**
 * Invalidate what a gather holds, wait for it, and give back its tables; the gather is empty then.
 * An empty one costs nothing.
 */
PHYR_API void phyr_domain_sync(struct phyr_domain *domain, struct phyr_gather *gather);

/**
 * Give back page tables that map nothing: unmaps of less than a table's span leave it there, for the
 * next map. Their number stays bounded without this, by all iova that was ever in use at once; after
 * it, it is what the iova in use needs. When none is in use, one table is left.
 *
 * The allocator's caches are emptied; then what is free between two allocations is taken, cleared of
 * tables, invalidated if there were any, and freed again, a part at a time. Any thread, at once with
 * all but create, destroy, attach and detach: an allocation that finds no other place waits for the
 * part. What waits in a flush queue is in use: flush before. Who maps at iova that the domain's
 * allocator did not give out does so at another time.
 *
 * Cost: O(free stretches + tables below them), and an invalidation for each part that had tables;
 * nothing but a look where the domain has no tables of its own, or one.
 * @return 0; -EBUSY something is mapped at iova that is not in use (the report says where): the
 *         tables between the two allocations around it stay, others are given back
 */
PHYR_API int phyr_domain_trim(struct phyr_domain *domain);

/**
 * Look an iova up. Where nothing is translated every address leads to itself, in leaves of
 * PHYR_PAGE_SIZE that allow everything. No answer is reported.
 *
 * @return 0; -ENOENT not mapped; -ERANGE past the table's last iova
 */
PHYR_API int phyr_domain_translate(struct phyr_domain *domain, uint64_t iova,
				   struct phyr_translation *out);

/**
 * What a domain has done since it was made, and holds now. What failed is not counted, but for the
 * invalidations it needed. Exact as long as no two threads share a slot of the environment.
 */
struct phyr_domain_stats {
	uint64_t maps;             /**< walks that mapped */
	uint64_t unmaps;           /**< walks that unmapped */
	uint64_t entries;          /**< leaf entries written */
	uint64_t map_syncs;        /**< times that new mappings were made visible */
	uint64_t invalidations;    /**< times that a gather that held something was synced */
	uint64_t tables;           /**< page tables now; 0 where they are the kernel's */
	uint64_t ioctls;           /**< calls into the kernel */
	uint64_t kernel_maps;      /**< mappings that the kernel holds now */
	uint64_t kernel_maps_left; /**< how many more it takes; UINT64_MAX: no such limit */
	uint64_t record_bytes;     /**< memory of the backend's own record of them, bytes */
	uint64_t iova_bytes;       /**< iova in use now, bytes */
	uint64_t faults;           /**< blocked accesses */
};

/** Count what the domain has done and holds, over all threads. */
PHYR_API void phyr_domain_get_stats(struct phyr_domain *domain, struct phyr_domain_stats *stats);

/**
 * A flush queue: what was unmapped waits here, and one invalidation serves all that waits. Iova and
 * cut-off tables are given back only after an invalidation that began after they were put in.
 *
 * **Until then devices may still reach the memory that was unmapped**, by what the hardware has
 * cached. That ends when a slot of the environment is full, or max_bytes wait, and there is one
 * more; with phyr_flushq_flush(); or after max_age_ns, at the next poll, or put that looks at the
 * clock: of a slot's puts after a flush the first and each eighth do. So either the memory stays
 * the caller's until he has flushed, unused for what the device must not see or change; or the
 * device is trusted with what comes there next. Not for devices that are not, nor for memory that
 * its owner takes back.
 *
 * There is no thread and no timer in it: who puts, polls or flushes does the work of all.
 */
struct phyr_flushq;

/** What a flush queue is made of; zero it and set size. */
struct phyr_flushq_config {
	size_t size; /**< sizeof(struct phyr_flushq_config) */
	/** How many wait in each slot of the environment, at most; up to 65536. 0: 256 */
	unsigned entries;
	/** How much iova waits in all slots together, bytes, at most. 0: an eighth of the range that
	 *  the domain's allocator has; UINT64_MAX: as much as there is */
	uint64_t max_bytes;
	/** What is older is flushed as soon as somebody finds out. 0: 10 ms; UINT64_MAX: never */
	uint64_t max_age_ns;
};

/**
 * Make a queue in which nothing waits. It takes entries * 16 bytes for each slot of the
 * environment, rounded up to a power of two of at least 4 KiB.
 *
 * @param domain  borrowed until phyr_flushq_destroy()
 * @param config  read during the call; NULL: defaults
 * @param out     written on success
 * @return 0; -EINVAL unknown size, or entries out of range; -EOPNOTSUPP nothing is translated there;
 *         -ENOMEM
 */
PHYR_API int phyr_flushq_create(struct phyr_domain *domain, const struct phyr_flushq_config *config,
				struct phyr_flushq **out);

/** Flush, and give it back; nobody else uses it any more. NULL is fine. */
PHYR_API void phyr_flushq_destroy(struct phyr_flushq *q);

/**
 * Have iova, and what a gather holds, wait for an invalidation.
 *
 * @param iova, len  as phyr_iova_free() of the domain's allocator takes them, which gets them back;
 *                   len 0: there are none
 * @param gather     from phyr_domain_unmap() of that iova; empty afterwards. If it holds nothing,
 *                   there is nothing to wait for: the iova is given back at once.
 *
 * Can't fail. Any thread. Invalidates and waits for it where a slot is full, max_bytes would be
 * exceeded (what slots have set aside for puts to come counts, at most a quarter of it), or
 * something is too old and it finds out. What alone is longer than max_bytes does not wait: it has
 * an invalidation of its own. Whoever finds no iova left can flush and try again.
 */
PHYR_API void phyr_flushq_put(struct phyr_flushq *q, uint64_t iova, uint64_t len,
			      struct phyr_gather *gather);

/**
 * Flush if something has waited for max_age_ns. Any thread; for who has a timer, or nothing to do.
 *
 * @return after how many ns to call again at the latest; UINT64_MAX: nothing waits, or there is no
 *         max_age_ns
 */
PHYR_API uint64_t phyr_flushq_poll(struct phyr_flushq *q);

/**
 * Invalidate, and wait for it: when this returns, all that was put before the call, by any thread,
 * is given back, and no device reaches it. Any thread. Where nothing waits, nothing is invalidated.
 */
PHYR_API void phyr_flushq_flush(struct phyr_flushq *q);

/** What waits in a queue, and what it has done. Exact while nobody puts or flushes. */
struct phyr_flushq_stats {
	uint64_t waiting; /**< entries that wait now */
	/** Their iova, bytes. It is part of what the domain and its allocator say is in use. */
	uint64_t waiting_bytes;
	/** For how long something has waited, at most; 0: nothing waits, or there is no max_age_ns */
	uint64_t oldest_ns;
	uint64_t puts;  /**< entries so far; what had nothing to wait for is not one */
	uint64_t full;  /**< flushes because a slot was full */
	uint64_t bytes; /**< because max_bytes waited, or one put alone had more */
	uint64_t aged;  /**< because something was too old */
	uint64_t asked; /**< by phyr_flushq_flush() and phyr_flushq_destroy() */
};

/** Count what waits, over all slots. Any thread. */
PHYR_API void phyr_flushq_get_stats(struct phyr_flushq *q, struct phyr_flushq_stats *stats);

#ifdef __cplusplus
}
#endif
#endif
