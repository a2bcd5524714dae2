/* SPDX-License-Identifier: MIT */
/* Freeing: into the slot's cache without a lock; else, under the lock, to the depot or the tree. */
#include "iova/fast.h"

static void fail(struct phyr_iova *iova, uint64_t start, uint64_t len, const char *hint)
{
	env_fail(iova->env, .err = -EINVAL, .call = "phyr_iova_free", .len = len, .iova = start,
		 .has_iova = true, .hint = hint);
}

/* Whether it lies, on granules, where something has been allocated, some time. */
static inline bool may_be_live(const struct phyr_iova *iova, uint64_t start, uint64_t len)
{
	uint64_t reach = load_relaxed(&iova->reach), offset = start - iova->start;

	return !(start & iova->mask) && offset < reach && len - 1 < reach - offset;
}

/* What is too long for caches, or has none. */
static void free_to_tree(struct phyr_iova *iova, uint64_t start, uint64_t len)
{
	uint64_t size = round_up_mask(len, iova->mask);
	bool good;

	env_lock(iova->env, &iova->lock);
	good = phyr_iova_release(iova, start, start + (size - 1));
	phyr_iova_unlock_and_trim(iova);
	if (!good)
		fail(iova, start, len, "it is not allocated; nothing was freed");
}

/* A magazine is full: its older ones go. Under the lock, the cache is visited. */
static void spill(struct phyr_iova *iova, struct iova_cache *cache, struct iova_mag *mag,
		  uint64_t class)
{
	while (mag->nr > 1)
		phyr_iova_depot_put(iova, class, cache_pull(cache, mag, class, 0));
}

/* With the lock: whether it is seen, without a way through the tree, that it is free already. */
static bool is_free(const struct phyr_iova *iova, const struct iova_mag *mag, uint64_t class,
		    uint64_t start)
{
	return (mag && cache_holds(mag, start)) || start == iova->freed ||
	       phyr_iova_depot_holds(iova, class, start);
}

/* With the lock: into the caller's cache, once there is room, or the depot. False: it is free. */
static bool put(struct phyr_iova *iova, struct iova_cache *cache, uint64_t class, uint64_t start)
{
	struct iova_mag *mag = cache ? cache_mag(cache, class) : NULL;

	if (is_free(iova, mag, class, start))
		return false;
	if (mag && !load_relaxed(&iova->drains)) {
		if (mag->nr == CACHE_DEPTH)
			spill(iova, cache, mag, class);
		if (phyr_iova_cache_make_room(iova, cache, class + 1)) {
			cache_push(cache, mag, class, start);
			return true;
		}
	}
	phyr_iova_depot_put(iova, class, start);
	iova->freed = start;
	return true;
}

static bool free_under_lock(struct phyr_iova *iova, uint64_t class, uint64_t start)
{
	struct iova_cache *cache = phyr_iova_cache_visit_mine(iova);
	bool good;

	env_lock(iova->env, &iova->lock);
	good = put(iova, cache, class, start);
	phyr_iova_depot_trim(iova);
	phyr_iova_unlock_and_trim(iova);
	if (cache)
		phyr_iova_cache_leave_mine(cache);
	return good;
}

/* Into the caller's cache, in whatever slot it is. */
static enum cache_put put_into_cache(struct phyr_iova *iova, uint64_t class, uint64_t start)
{
	struct iova_cache *cache = cache_enter(iova);
	enum cache_put how;

	if (!cache)
		return CACHE_FULL;
	how = cache_put(cache, class, start);
	cache_exit(iova, cache);
	return how;
}

/* Anything but a free into a hosted thread's own cache. */
static __attribute__((noinline)) void free_slow(struct phyr_iova *iova, uint64_t start,
						uint64_t len)
{
	uint64_t class = (len - 1) >> iova->lg2;
	enum cache_put how;

	if (!may_be_live(iova, start, len)) {
		fail(iova, start, len, "it is not allocated; nothing was freed");
		return;
	}
	if (class >= iova->nr_classes) {
		free_to_tree(iova, start, len);
		return;
	}
	how = put_into_cache(iova, class, start);
	if (how == CACHE_FULL && !free_under_lock(iova, class, start))
		how = CACHE_TWICE;
	if (how == CACHE_TWICE)
		fail(iova, start, len, "it was freed before; nothing was freed");
}

void phyr_iova_free(struct phyr_iova *iova, uint64_t start, uint64_t len)
{
	uint64_t class = (len - 1) >> iova->lg2; /* huge for 0 */
	struct iova_cache *cache = NULL;
	enum cache_put how;

	if (likely(may_be_live(iova, start, len) && class < iova->nr_classes))
		cache = cache_enter_fast(iova);
	if (unlikely(!cache)) {
		free_slow(iova, start, len);
		return;
	}
	how = cache_put(cache, class, start);
	cache_exit_own(cache);
	if (unlikely(how != CACHE_PUT))
		free_slow(iova, start, len);
}
