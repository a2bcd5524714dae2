/* SPDX-License-Identifier: MIT */
/*
 * The iova allocator: which I/O addresses are taken. It allocates and frees, and nothing else; what
 * must wait for an invalidation waits elsewhere.
 *
 * What was freed is kept by length, from a granule to 4 MiB, a granule apart, in caches: some
 * stretches of each length in each slot of the environment, some hundred where many are freed at
 * once, as a flush queue does; more in a depot that all share. An allocation of the same length
 * takes it from there: in the slot's cache without a lock, if slots are their callers' own
 * (phyr_env.own_slot). Caches are emptied, as far as needed, before a call fails for something that
 * they hold; whose cache it was and whether its thread still runs does not matter. All together
 * hold what is small beside what is live: an eighth of it the depot, a 32nd each slot (or 16 MiB,
 * if that is more and at most a 64th of the range).
 *
 * Threads: every call but create and destroy may be made from any thread at once. While
 * phyr_domain_trim() has a part of what is free, a call that needs it waits.
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
	bool no_cache; /**< keep no caches: slower; each wrong free that can be seen is, at once */
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
 * Take a stretch of addresses: one that was freed lately, else a low one.
 *
 * @param len      bytes, rounded up to the granule
 * @param request  NULL: none
 * @param out      first address, a multiple of the granule; written on success only
 *
 * Without an alignment, a place is found whenever there is one. With one it is found whenever
 * len + align - granule bytes are free in one piece below the limit, or one of the 16 lowest free
 * stretches of len bytes has a place; this is the price of a cost that does not grow. With prefer
 * caches are not emptied for the alignment's sake, only before -ENOSPC.
 *
 * Cost: a few ns when the slot's cache has one; else at worst O(log live), whatever the length; with
 * an alignment 18 times that at most. When nothing else is left, that for each cached stretch.
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
 * Cost: O(log live); where part of it is taken, a look at all that is cached.
 * @return 0; -EINVAL start off the granule, length 0; -ERANGE outside the range or part of it is in
 *         a hole; -EEXIST part of it is taken (of the two, what comes first by address); -ENOMEM
 */
PHYR_API int phyr_iova_alloc_at(struct phyr_iova *iova, uint64_t start, uint64_t len);

/**
 * Give a stretch back: all of what one call gave, with the same length (rounded up as then).
 *
 * Allocates nothing and can't fail. Cost: a few ns when the slot's cache has room, else O(log live).
 *
 * Freeing what is not allocated is the caller's error. Where it can be seen it is reported as
 * -EINVAL, and nothing is freed. Seen at once is what lies off the granule, outside of the range, or
 * above all that was ever allocated; what is longer than 4 MiB and partly free; and what is among
 * the last few of its length that this slot freed, so a second free right after the first by the
 * same thread. Seen when it leaves the caches, maybe much later, is what is partly free in the tree
 * then. **Not seen in time** is any other stretch that is free or has another length: it is cached,
 * and may be given out while its addresses are somebody else's. With
 * phyr_iova_config.no_cache all that is partly free, excluded or out of range is seen at once.
 */
PHYR_API void phyr_iova_free(struct phyr_iova *iova, uint64_t start, uint64_t len);

/**
 * Never give out [start, last] from now on, nor the rest of the granules it touches; for holes that
 * appear when a device is attached.
 *
 * Cost: O(log live) for each hole that it joins with; where part of it is taken, a look at all that is
 * cached.
 * @return 0 (parts that are outside or excluded already are passed over); -EINVAL start > last;
 *         -EBUSY part of it is allocated: nothing changed; -ENOMEM
 */
PHYR_API int phyr_iova_exclude(struct phyr_iova *iova, uint64_t start, uint64_t last);

/** A picture of an allocator. */
struct phyr_iova_stats {
	uint64_t live_bytes;   /**< allocated now */
	uint64_t live;         /**< allocations now */
	uint64_t highest;      /**< highest address allocated now or before */
	uint64_t total_bytes;  /**< that can be given out at all */
	uint64_t meta_bytes;   /**< memory used for bookkeeping now */
	uint64_t cached_bytes; /**< free, and kept in caches */
	uint64_t cache_hits;   /**< allocations that a cache served */
	uint64_t cache_misses; /**< allocations that none did, alloc_at not counted */
};

/**
 * Count what is allocated now; what is cached is not. Exact when no other call is under way. Cost:
 * O(slots).
 */
PHYR_API void phyr_iova_get_stats(struct phyr_iova *iova, struct phyr_iova_stats *stats);

#ifdef __cplusplus
}
#endif
#endif
