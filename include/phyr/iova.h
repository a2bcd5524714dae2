/* SPDX-License-Identifier: MIT */
/*
 * The iova allocator: which I/O addresses are taken. It allocates and frees, and nothing else; what
 * must wait for an invalidation waits elsewhere.
 *
 * Threads: every call but create and destroy may be made from any thread at once.
 */
#ifndef PHYR_IOVA_H
#define PHYR_IOVA_H

#include <phyr/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct phyr_iova;

/** An inclusive stretch of addresses: it can reach 2^64 - 1. */
struct phyr_iova_hole {
	uint64_t start;
	uint64_t last;
};

/**
 * What an allocator is made of; zero it and set size.
 *
 * Only granules that lie in [start, last] whole are used, and no granule that a hole touches.
 */
struct phyr_iova_config {
	size_t size;                        /**< sizeof(struct phyr_iova_config) */
	uint64_t start;                     /**< first address that may be given out; 0 never is */
	uint64_t last;                      /**< last one, inclusive; ~0 never is */
	unsigned granule_lg2;               /**< unit of all addresses and sizes, 12 to 30 */
	const struct phyr_iova_hole *holes; /**< never given out; borrowed during create */
	size_t nr_holes;
};

/**
 * @param env  NULL: the hosted one; borrowed until phyr_iova_destroy()
 * @return 0; -EINVAL no usable granule in range, a granule out of range, a hole whose start lies
 *         above its last (the report's index says which), an unknown size, a member of the env that
 *         is missing; -ENOMEM
 */
PHYR_API int phyr_iova_create(struct phyr_env *env, const struct phyr_iova_config *config,
			      struct phyr_iova **out);

/** Give it back. What is still allocated is forgotten. NULL is fine. */
PHYR_API void phyr_iova_destroy(struct phyr_iova *iova);

/** Wishes for one allocation; zero it and set size. */
struct phyr_iova_request {
	size_t size;    /**< sizeof(struct phyr_iova_request) */
	uint64_t limit; /**< last address that may be used, inclusive; 0: the range's own */
	uint64_t align; /**< iova ≡ skew modulo this power of two; 0 or up to a granule: none */
	uint64_t skew;  /**< multiple of the granule, below align */
	bool prefer;    /**< alignment is a wish: rather give another address than -ENOSPC */
};

/**
 * Take a stretch of addresses, a low one.
 *
 * @param len      bytes, rounded up to the granule
 * @param request  NULL: none
 * @param out      first address, a multiple of the granule; written on success only
 *
 * Without an alignment, a place is found whenever there is one. With one it is found whenever
 * len + align - granule bytes are free in one piece below the limit, or one of the 16 lowest free
 * stretches of len bytes has a place; this is the price of a cost that does not grow.
 *
 * Cost: at worst O(log live), whatever the length; with an alignment 18 times that at most.
 * @return 0; -EINVAL length 0 or wishes that contradict themselves; -ENOSPC; -ENOMEM
 */
PHYR_API int phyr_iova_alloc(struct phyr_iova *iova, uint64_t len,
			     const struct phyr_iova_request *request, uint64_t *out);

/**
 * Take a given stretch.
 *
 * @param start  a multiple of the granule
 * @param len    bytes, rounded up to the granule
 *
 * Cost: O(log live).
 * @return 0; -EINVAL start off the granule, length 0; -ERANGE outside the range or part of it is in
 *         a hole; -EEXIST part of it is taken (of the two, what comes first by address); -ENOMEM
 */
PHYR_API int phyr_iova_alloc_at(struct phyr_iova *iova, uint64_t start, uint64_t len);

/**
 * Give a stretch back: all of what one call gave, with the same length (rounded up as then).
 *
 * Allocates nothing and can't fail. Cost: O(log live). Freeing what is not allocated is the
 * caller's error: where it can be seen (part of it is free, excluded or out of range) it is
 * reported as -EINVAL, and nothing is freed.
 */
PHYR_API void phyr_iova_free(struct phyr_iova *iova, uint64_t start, uint64_t len);

/**
 * Never give out [start, last] from now on, nor the rest of the granules it touches; for holes that
 * appear when a device is attached.
 *
 * Cost: O(log live) for each hole that it joins with.
 * @return 0 (parts that are outside or excluded already are passed over); -EINVAL start > last;
 *         -EBUSY part of it is allocated: nothing changed; -ENOMEM
 */
PHYR_API int phyr_iova_exclude(struct phyr_iova *iova, uint64_t start, uint64_t last);

/** A picture of an allocator. */
struct phyr_iova_stats {
	uint64_t live_bytes;  /**< allocated now */
	uint64_t live;        /**< allocations now */
	uint64_t highest;     /**< highest address allocated now or before */
	uint64_t total_bytes; /**< that can be given out at all */
	uint64_t meta_bytes;  /**< memory used for bookkeeping now */
};

/** Count what is allocated now. Cost: constant. */
PHYR_API void phyr_iova_get_stats(struct phyr_iova *iova, struct phyr_iova_stats *stats);

#ifdef __cplusplus
}
#endif
#endif
