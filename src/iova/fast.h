/* SPDX-License-Identifier: MIT */
/* The short way: into the caller's cache and out again, for alloc.c and free.c, inlined. */
#ifndef IOVA_FAST_H
#define IOVA_FAST_H

#include "iova/iova.h"

/* Keeps the compiler from moving accesses across; the processor is fenced by the visitor. */
#define compiler_fence() __asm__ volatile("" : : : "memory")

/* Say that a slot of one's own is in use; NULL: all are closed. */
static inline struct iova_cache *cache_enter_own(const struct phyr_iova *iova,
						 struct iova_cache *cache)
{
	store_relaxed(&cache->busy, 1);
	compiler_fence();
	/* Pairs with the release in phyr_iova_caches_open(). */
	if (likely(!load_acquire(&iova->drains)))
		return cache;
	store_release(&cache->busy, 0);
	return NULL;
}

/* Pairs with the acquire in phyr_iova_cache_wait(). */
static inline void cache_exit_own(struct iova_cache *cache)
{
	store_release(&cache->busy, 0);
}

/*
 * The shortest way, with nothing called in between: a hosted thread's own cache. NULL: it must go
 * another way.
 */
static inline struct iova_cache *cache_enter_fast(struct phyr_iova *iova)
{
	unsigned slot = env_thread_slot();
	struct iova_cache *cache;

	if (unlikely(slot >= iova->nr_thread_slots))
		return NULL;
	cache = iova->caches[slot];
	return likely(cache) ? cache_enter_own(iova, cache) : NULL;
}

/* Be alone in the caller's cache; NULL: there is none, or somebody visits it. */
static inline struct iova_cache *cache_enter(struct phyr_iova *iova)
{
	struct iova_cache *cache;
	unsigned slot;

	if (!iova->own_slots)
		return phyr_iova_cache_enter_shared(iova);
	slot = env_own_slot(iova->env);
	if (slot == iova->env->nr_slots)
		return phyr_iova_cache_enter_shared(iova);
	cache = iova->caches[slot];
	return cache ? cache_enter_own(iova, cache) : NULL;
}

static inline void cache_exit(struct phyr_iova *iova, struct iova_cache *cache)
{
	if (cache->shared)
		env_unlock(iova->env, &cache->lock);
	else
		cache_exit_own(cache);
}

/* Fill an empty magazine from the stock, what was freed last on top; false: there is nothing. */
static inline bool cache_refill(struct iova_cache *cache, struct iova_mag *mag, uint64_t class)
{
	uint64_t nr = 0, start[CACHE_DEPTH];

	while (nr < CACHE_DEPTH && stock_pop(cache->stock, class, &start[nr]))
		nr++;
	mag->nr = nr;
	for (uint64_t i = 0; i < nr; i++)
		mag->start[i] = start[nr - 1 - i];
	return nr;
}

/* Whether there is a stretch of class + 1 granules, now in the magazine. */
static inline bool cache_has(struct iova_cache *cache, struct iova_mag *mag, uint64_t class)
{
	if (unlikely(!mag))
		return false;
	return likely(mag->nr) || (cache->stock && cache_refill(cache, mag, class));
}

/* Take any stretch of class + 1 granules. */
static inline bool cache_take(struct iova_cache *cache, uint64_t class, uint64_t *out)
{
	struct iova_mag *mag = cache_mag(cache, class);
	uint64_t nr;

	if (unlikely(!mag || !mag->nr))
		return false;
	nr = mag->nr - 1;
	mag->nr = nr;
	*out = mag->start[nr];
	count_add(&cache->used, -(CACHE_ONE + class + 1));
	count_add(&cache->hits, 1);
	return true;
}

/* The same, as wished. */
static inline bool cache_take_as(struct iova_cache *cache, uint64_t class, const struct wish *wish,
				 uint64_t *out)
{
	struct iova_mag *mag = cache_mag(cache, class);

	for (uint64_t i = cache_has(cache, mag, class) ? mag->nr : 0; i; i--)
		if (wish_fits(wish, mag->start[i - 1])) {
			*out = cache_pull(cache, mag, class, i - 1);
			count_add(&cache->hits, 1);
			return true;
		}
	return false;
}

static inline bool cache_holds(const struct iova_mag *mag, uint64_t start)
{
	for (uint64_t i = 0; i < mag->nr; i++)
		if (unlikely(mag->start[i] == start))
			return true;
	return false;
}

enum cache_put { CACHE_PUT, CACHE_FULL, CACHE_TWICE };

/* Put a stretch of class + 1 granules in. */
static inline enum cache_put cache_put(struct iova_cache *cache, uint64_t class, uint64_t start)
{
	struct iova_mag *mag = cache_mag(cache, class);
	uint64_t used = load_relaxed(&cache->used);

	if (unlikely(!mag))
		return CACHE_FULL;
	if (unlikely(mag->nr && cache_holds(mag, start)))
		return CACHE_TWICE;
	if (unlikely(mag->nr == CACHE_DEPTH || cache_granules(used) + class >= cache->max))
		return CACHE_FULL;
	mag->start[mag->nr++] = start;
	store_relaxed(&cache->used, used + CACHE_ONE + class + 1);
	return CACHE_PUT;
}

#endif
