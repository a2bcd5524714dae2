/* SPDX-License-Identifier: MIT */
/*
 * Mapping for DMA: a device and its limits, mapping in one call and in two steps, single ranges,
 * coherent memory and pools. The names are Linux's with phyr_ in front; so are the meanings.
 *
 * Memory is mapped by whole granules of the IOMMU: what else lies in the first and last granule of a
 * mapping is within the device's reach too.
 *
 * Errors go to the environment's report with the range that is meant. What a lower layer refuses it
 * reports itself, in its own call's name; the call of this header may then report it once more, with
 * what was asked. Such names, and what to look for:
 *
 *   phyr_pgtbl_map     which range of several could not be linked or mapped
 *   phyr_pgtbl_unmap   an unlink, destroy or unmap whose edge is no edge of a link or mapping
 *   phyr_iova_alloc    no memory for a window
 *   phyr_iova_free     phyr_dma_iova_free() was given a window that is not out: a copy of its state
 *                      that was kept too long
 *
 * A list of one's own reports to the environment that phyr_list_init() was given: with
 * phyr_dev_env() that is where these calls report.
 *
 * A space says of what kind memory is, not whose: RAM of another machine, such as the list of a target
 * on another simulated machine, is mapped without a word, and its addresses mean something else here.
 *
 * Threads: calls on different windows, maps and ranges may run at once from any thread. create,
 * destroy and one object's own calls are the caller's to order.
 */
#ifndef PHYR_DMA_H
#define PHYR_DMA_H

#include <phyr/iommu.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Which way data moves. */
enum phyr_dma_dir {
	PHYR_DMA_BIDIRECTIONAL = 0,
	PHYR_DMA_TO_DEVICE = 1,   /**< the device reads memory */
	PHYR_DMA_FROM_DEVICE = 2, /**< the device writes memory; where a format has no write-only
				       entries (x86_64) it can read it too */
};

/** What a device can take; zero it and set size. 0 in a field means no limit. */
struct phyr_limits {
	size_t size;           /**< sizeof(struct phyr_limits) */
	uint64_t dma_mask;     /**< highest dma address: a power of two, at least 4096, minus 1 */
	uint64_t max_seg_size; /**< bytes in one phyr_dma_vec */
	uint64_t seg_boundary; /**< a segment crosses no multiple of this power of two */
	uint32_t max_segments; /**< in one request: phyr_dma_map_next() says -E2BIG to more */
	uint64_t bus_offset;   /**< without an IOMMU, dma address = address + this, modulo 2^64; a
				    multiple of 4096. Behind an IOMMU it means nothing. */
};

/** A device that does DMA. */
struct phyr_dev;

/**
 * Make a device in a domain, and attach it.
 *
 * @param domain  borrowed until phyr_dev_destroy()
 * @param source  its source id
 * @param limits  copied; NULL: none
 * @param out     written on success only
 * @return 0; -EINVAL limits that cannot be (the report's hint says which, its limit the value);
 *         -ENOMEM; as phyr_domain_attach(). The device is not attached on failure.
 */
PHYR_API int phyr_dev_create(struct phyr_domain *domain, uint32_t source,
			     const struct phyr_limits *limits, struct phyr_dev **out);

/** Detach and free it. All that was mapped for it is unmapped by then. NULL is fine. */
PHYR_API void phyr_dev_destroy(struct phyr_dev *dev);

/** Its limits, as given; all 0 but size where none were. Valid as long as the device. */
PHYR_API const struct phyr_limits *phyr_dev_limits(const struct phyr_dev *dev);
/** The domain that it is attached to. */
PHYR_API struct phyr_domain *phyr_dev_domain(struct phyr_dev *dev);
/** The environment that its memory comes from and its reports go to. */
PHYR_API struct phyr_env *phyr_dev_env(struct phyr_dev *dev);

/** As Linux's dma_get_merge_boundary(): runs whose edges lie on it merge; 0 where nothing merges. */
PHYR_API uint64_t phyr_dma_get_merge_boundary(const struct phyr_dev *dev);
/**
 * Most bytes that one mapping can have, when it starts on a granule and nothing else is mapped: the
 * longest stretch of dma addresses within mask and aperture as they were when the device was made.
 */
PHYR_API uint64_t phyr_dma_max_mapping_size(const struct phyr_dev *dev);
/** Most bytes that one mapping should have, for speed; here the same. */
PHYR_API uint64_t phyr_dma_opt_mapping_size(const struct phyr_dev *dev);
/** Whether unmapping does anything, so that what it needs must be kept; false: it can be left out. */
PHYR_API bool phyr_dma_need_unmap(const struct phyr_dev *dev);

/*
 * Two steps: take a window of iova, then link ranges into it.
 */

/*
 * A list in several links, cut where state->addr + offset is a granule's edge (examples/two_steps.c):
 *
 *   granule = phyr_dma_get_merge_boundary(dev) + 1;
 *   cut = n * granule - (state->addr & (granule - 1));     n granules, the first perhaps not whole
 *   phyr_cursor_init_at(&cur, list, 0, cut);
 *   phyr_dma_iova_link_cursor(dev, state, list->space, &cur, 0, dir, 0);
 *   phyr_cursor_init_at(&cur, list, cut, list->len - cut);
 *   phyr_dma_iova_link_cursor(dev, state, list->space, &cur, cut, dir, 0);
 *   phyr_dma_iova_sync(dev, state, 0, list->len);
 */

/** A window. Linux's struct dma_iova_state: 16 bytes, in the caller's request. May be copied. */
struct phyr_dma_iova_state {
	phyr_dma_addr_t
		addr;  /**< iova of the first byte: its offset in a granule is the memory's */
	uint64_t size; /**< bytes; 0: no window */
};

/** Whether the state holds a window. */
PHYR_API bool phyr_dma_use_iova(const struct phyr_dma_iova_state *state);

/**
 * Take a window for size bytes, the first of which will lie at addr.
 *
 * False is no error, and not reported: the device has no iova, or there is none left; map ranges
 * one by one then. Only when the allocator has no memory, it reports that.
 *
 * Cost: one phyr_iova_alloc().
 * @param state  out: the window, or a state of zeroes
 * @param addr   the first address that will be linked at offset 0; its offset in the granule becomes
 *               the window's, its alignment keeps huge pages huge
 * @param size   bytes, not 0
 */
PHYR_API bool phyr_dma_iova_try_alloc(struct phyr_dev *dev, struct phyr_dma_iova_state *state,
				      phyr_addr_t addr, uint64_t size);

/**
 * Link one range into a window.
 *
 * @param space   what addr means, borrowed; NULL: the device's own RAM
 * @param offset  bytes into the window; state->addr + offset and addr lie on the merge boundary
 *                unless offset is 0; the end does too unless this is the window's end
 * @param attrs   0
 *
 * Visible to the device after phyr_dma_iova_sync(). All links of a window have one space, direction
 * and attrs.
 * Cost: one walk; no lock, no allocation where tables exist.
 * @return 0; -EINVAL alignment, length 0, past 2^64, dir, attrs, an address that is a dma list's;
 *         -ERANGE past the window, or none, or an address that the table cannot hold; -EEXIST linked
 *         already;
 *         -EOPNOTSUPP kind of space; -ENOMEM; on kernel backends also -EFAULT, -ENOSPC, -EIO as
 *         phyr_domain_map(). Nothing is linked on failure.
 */
PHYR_API int phyr_dma_iova_link(struct phyr_dev *dev, struct phyr_dma_iova_state *state,
				const struct phyr_space *space, phyr_addr_t addr, uint64_t offset,
				uint64_t size, enum phyr_dma_dir dir, unsigned attrs);

/**
 * Link a whole list into a window, in one walk of the page table.
 *
 * @param offset  as in phyr_dma_iova_link(); the list is one link, whose edges are its two ends
 * Cost: O(words + leaf tables).
 * @return as phyr_dma_iova_link(); -EINVAL also an empty list, or an inner edge off the merge boundary
 */
PHYR_API int phyr_dma_iova_link_list(struct phyr_dev *dev, struct phyr_dma_iova_state *state,
				     const struct phyr_list *list, uint64_t offset,
				     enum phyr_dma_dir dir, unsigned attrs);

/**
 * Link what a cursor has left, as phyr_dma_iova_link_list().
 *
 * @param cur  advanced past it on success, untouched on failure
 * @return as phyr_dma_iova_link_list()
 */
PHYR_API int phyr_dma_iova_link_cursor(struct phyr_dev *dev, struct phyr_dma_iova_state *state,
				       const struct phyr_space *space, struct phyr_cursor *cur,
				       uint64_t offset, enum phyr_dma_dir dir, unsigned attrs);

/**
 * Make what was linked in [offset, offset + size) visible to the device.
 *
 * After the links and before the device is told. One that is forgotten is not noticed where sync has
 * nothing to do, as on the simulated machine: there the device sees links at once.
 *
 * @return 0; -ERANGE past the window, or none; what the backend's sync_map says
 */
PHYR_API int phyr_dma_iova_sync(struct phyr_dev *dev, struct phyr_dma_iova_state *state,
				uint64_t offset, uint64_t size);

/**
 * Take whole links out; the window stays. When it returns, the device can't reach the memory.
 *
 * Cost: one walk and one invalidation, waited for; no allocation.
 * @return 0; -EINVAL size 0, an edge that is no edge of a link, a dir or attrs that there are
 *         not (they are not compared with the link's); -ERANGE past the window, or none.
 *         Nothing changed then. On kernel backends also -EIO as phyr_domain_unmap().
 */
PHYR_API int phyr_dma_iova_unlink(struct phyr_dev *dev, struct phyr_dma_iova_state *state,
				  uint64_t offset, uint64_t size, enum phyr_dma_dir dir,
				  unsigned attrs);

/**
 * Give back a window in which nothing is linked; the state is zeroed. Without a window: nothing.
 *
 * A link at the window's start is noticed: reported (-EBUSY), and nothing changes. Links elsewhere
 * are the caller's to have unlinked.
 */
PHYR_API void phyr_dma_iova_free(struct phyr_dev *dev, struct phyr_dma_iova_state *state);

/**
 * Unlink the first mapped_len bytes and give the window back.
 *
 * @param mapped_len  end of the last link, bytes from the window's start; 0: nothing is linked
 *
 * The state is zeroed. When mapped_len is no link's end, or dir or attrs are none, that is reported
 * and nothing changes, the state neither. A link that begins where mapped_len ends is noticed and
 * reported (-EBUSY): the first mapped_len bytes are unlinked then, the state is kept, and the window
 * with it; unlink the rest, and give it back by phyr_dma_iova_free().
 */
PHYR_API void phyr_dma_iova_destroy(struct phyr_dev *dev, struct phyr_dma_iova_state *state,
				    uint64_t mapped_len, enum phyr_dma_dir dir, unsigned attrs);

/*
 * One range.
 */

/**
 * Map one range by its address.
 *
 * @param addr   need not be aligned; behind an IOMMU the granules around are mapped
 * @param space  what addr means; NULL: the device's own RAM
 * @param attrs  0
 * @param out    the dma address of its first byte; written on success only
 * @return 0; -EINVAL length 0, past 2^64, dir, attrs, an address that is a dma list's; -EOPNOTSUPP
 *         kind of space, or out of the device's reach (a bounce would be needed); -ERANGE an address
 *         that the table cannot hold; -ENOSPC no iova; -ENOMEM; on kernel backends also -EFAULT,
 *         -ENOSPC, -EIO as phyr_domain_map()
 */
PHYR_API int phyr_dma_map_phys(struct phyr_dev *dev, const struct phyr_space *space,
			       phyr_addr_t addr, uint64_t size, enum phyr_dma_dir dir,
			       unsigned attrs, phyr_dma_addr_t *out);

/**
 * Unmap it: the same dma address, size and direction. The device can't reach it afterwards.
 *
 * An edge that is no mapping's edge, or a dir or attrs that there are not, is reported, and nothing
 * changes. To name several mappings that lie together, or a link of a window, is not seen; nor is a
 * direction that is not the mapping's.
 */
PHYR_API void phyr_dma_unmap_phys(struct phyr_dev *dev, phyr_dma_addr_t addr, uint64_t size,
				  enum phyr_dma_dir dir, unsigned attrs);

/*
 * One call for a list.
 */

/** How a list was mapped. */
enum phyr_dma_how {
	PHYR_DMA_NONE = 0, /**< nothing is mapped */
	PHYR_DMA_SAME = 1, /**< the device sees the list as it is */
	PHYR_DMA_WINDOW,   /**< one window */
	PHYR_DMA_RANGES,   /**< each run its own address */
};

/**
 * A mapped list. The caller's memory, valid until phyr_dma_unmap(); not to be copied. Read how.
 *
 * In a ring it lives beside the request's first descriptor, whose place is known before the pieces
 * are counted (examples/my_ring.c).
 */
struct phyr_dma_map {
	const struct phyr_list *src; /**< what was mapped, borrowed */
	enum phyr_dma_how how;
	enum phyr_dma_dir dir;
	unsigned attrs;
	struct phyr_dma_iova_state state; /**< the window, when how says so */
	struct phyr_list list;            /**< the dma list, when it is not src itself */
};

/**
 * Map a list for a device: the common case, one pair with phyr_dma_unmap().
 *
 * Decides itself: the same addresses where the device sees memory as it is; one window behind an
 * IOMMU; each run its own address where one window cannot be had.
 *
 * @param src    borrowed until phyr_dma_unmap()
 * @param attrs  0
 * @param m      out, in any state; on failure it holds nothing
 *
 * A list whose space is a dma list's (an answer of this call) is -EINVAL.
 * Cost: the same addresses O(1); a window one iova allocation, walk and sync, no allocation of memory
 * where tables exist; all others O(runs).
 * @return 0; -EINVAL empty list, dir, attrs, a list of dma addresses; -EOPNOTSUPP kind of space, or
 *         out of the device's reach (a bounce would be needed); -ERANGE an address that the table
 *         cannot hold; -ENOSPC no iova; -ENOMEM; on kernel backends also -EFAULT, -ENOSPC, -EIO as
 *         phyr_domain_map(). Nothing is mapped on failure.
 */
PHYR_API int phyr_dma_map(struct phyr_dev *dev, const struct phyr_list *src, enum phyr_dma_dir dir,
			  unsigned attrs, struct phyr_dma_map *m);

/**
 * Unmap. When it returns, the device can't reach the memory through this mapping.
 *
 * @param m  from phyr_dma_map() for the same device; when it holds nothing, nothing happens
 */
PHYR_API void phyr_dma_unmap(struct phyr_dev *dev, struct phyr_dma_map *m);

/**
 * The answer as a list of dma addresses: src itself, a list of one run, or a full list.
 *
 * @return NULL only when m holds nothing; valid until phyr_dma_unmap()
 */
PHYR_API const struct phyr_list *phyr_dma_map_list(struct phyr_dma_map *m);

/**
 * Start a cursor over part of the answer, for a builder of descriptors.
 *
 * @param cur  out: over dma addresses; written on success only
 * Cost: O(1) in one window; else as phyr_cursor_init_at().
 * @return 0; -EINVAL length 0, or past the end; without a report
 */
PHYR_API int phyr_dma_map_cursor(const struct phyr_dma_map *m, uint64_t offset, uint64_t len,
				 struct phyr_cursor *cur);

/** A piece of a mapped buffer, as the device is given it. */
struct phyr_dma_vec {
	phyr_dma_addr_t addr;
	uint64_t len;
};

/** Where phyr_dma_map_next() is; zeroed: at the start. */
struct phyr_dma_iter {
	struct phyr_cursor cur;
	struct phyr_range rest; /**< of the current run */
	uint32_t nr;            /**< pieces given */
	bool started;
};

/**
 * The next piece, as long as the device's segment limits allow.
 *
 * @param iter  the caller's; zero it to start
 * @param vec   out; written when there is a piece
 * @return 1 a piece; 0 the end; -E2BIG more segments than the device takes (nothing is written)
 */
PHYR_API int phyr_dma_map_next(struct phyr_dev *dev, const struct phyr_dma_map *m,
			       struct phyr_dma_iter *iter, struct phyr_dma_vec *vec);

/*
 * Memory that CPU and device share.
 */

/**
 * Zeroed memory for rings and tables, mapped both ways for as long as it lives.
 *
 * A word that the device writes, such as a descriptor's DONE bit, is read by an atomic load with acquire
 * order: what the device wrote before that word is read after it, not earlier. What the CPU writes is in
 * order before the doorbell; where the device polls instead, the word that it polls is stored last, with
 * release order.
 *
 * @param size  bytes; a block of the next power of two, at least 4096 and a granule, is taken and
 *              aligned to it
 * @param addr  out: its dma address, aligned as the physical address is, but for a bus offset;
 *              written on success only
 * @return the CPU pointer; NULL (see the report): -EINVAL size; -EOPNOTSUPP out of the device's reach,
 *         or a domain that does not take the environment's memory; -ENOSPC no iova; -ENOMEM; on kernel
 *         backends also -EFAULT, -ENOSPC, -EIO as phyr_domain_map()
 */
PHYR_API void *phyr_dma_alloc(struct phyr_dev *dev, uint64_t size, phyr_dma_addr_t *addr);
/**
 * Unmap it and give it back: the same size, pointer and dma address. A NULL pointer is fine.
 *
 * Memory that cannot be unmapped like that is reported and not given back: the device reaches it.
 */
PHYR_API void phyr_dma_free(struct phyr_dev *dev, uint64_t size, void *cpu, phyr_dma_addr_t addr);

/** Small blocks of shared memory, all of one size. */
struct phyr_dma_pool;

/**
 * Make a pool. It takes no shared memory before its first block is asked for.
 *
 * @param dev    borrowed until phyr_dma_pool_destroy()
 * @param size   bytes of a block, up to 4 GiB
 * @param align  power of two, at most size rounded up to one; 0: 8. Blocks of at most a page cross
 *               no page.
 * @param out    written on success only
 * @return 0; -EINVAL size or align; -ENOMEM
 */
PHYR_API int phyr_dma_pool_create(struct phyr_dev *dev, uint64_t size, uint64_t align,
				  struct phyr_dma_pool **out);

/** Give all of its memory back; its blocks are back by then, or that is reported. NULL is fine. */
PHYR_API void phyr_dma_pool_destroy(struct phyr_dma_pool *pool);

/**
 * Take a block. Any thread; a lock held for a few loads and stores, unless the pool must grow.
 *
 * @param addr  out: its dma address, aligned as the block is
 * @return the block, its content undefined; NULL as phyr_dma_alloc(); -EOPNOTSUPP in the report also
 *         where a bus offset is less aligned than the blocks
 */
PHYR_API void *phyr_dma_pool_alloc(struct phyr_dma_pool *pool, phyr_dma_addr_t *addr);

/**
 * Give a block back, with the dma address that it came with. Any thread; never fails.
 *
 * The pool believes nothing that lies in a block: a device may go on writing to it. One that is given
 * back when none is out is reported. A NULL block is fine.
 */
PHYR_API void phyr_dma_pool_free(struct phyr_dma_pool *pool, void *cpu, phyr_dma_addr_t addr);

/** What has been done for a device since it was made; walks and entries are the domain's. */
struct phyr_dev_stats {
	uint64_t links;  /**< links into windows, those of phyr_dma_map() and map_phys included */
	uint64_t how[4]; /**< phyr_dma_map() answers, by enum phyr_dma_how */
	uint64_t mapped_phys; /**< phyr_dma_map_phys() calls */
	uint64_t syncs;       /**< phyr_dma_iova_sync() calls */
};

/**
 * Read the counters. They are kept by slot of the environment: threads that share a slot may lose a
 * count now and then.
 */
PHYR_API void phyr_dev_get_stats(struct phyr_dev *dev, struct phyr_dev_stats *stats);

#ifdef __cplusplus
}
#endif
#endif
