/* SPDX-License-Identifier: MIT */
/* Freeing, one or many: into the slot's cache without a lock; else, under it, to depot or tree. */
#include "iova/fast.h"

/* Freed with the lock taken once. */
#define MANY_A_LOCK 16

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

/*
 * Put one of many in: as the last of its magazine, whose first one goes to the stock. So the last
 * few are where a second free looks for them.
 */
static enum cache_put put_deep(struct iova_cache *cache, uint64_t class, uint64_t start)
{
	struct iova_mag *mag = cache_mag(cache, class);

	if (!mag || likely(mag->nr < CACHE_DEPTH))
		return cache_put(cache, class, start);
	if (unlikely(cache_holds(mag, start)))
		return CACHE_TWICE;
	if (!cache_may_stock(cache, load_relaxed(&cache->used)) ||
	    !stock_push(cache->stock, class, mag->start[0]))
		return CACHE_FULL;
	for (unsigned i = 1; i < CACHE_DEPTH; i++)
		mag->start[i - 1] = mag->start[i];
	mag->start[CACHE_DEPTH - 1] = start;
	count_add(&cache->used, CACHE_ONE + class + 1);
	return CACHE_PUT;
}

/* As many as go into the caller's cache without anything else to do; how many they are. */
static size_t put_some(struct phyr_iova *iova, const struct phyr_range *ranges, size_t nr)
{
	struct iova_cache *cache = iova->nr_classes ? cache_enter(iova) : NULL;
	size_t i;

	if (!cache)
		return 0;
	for (i = 0; i < nr; i++) {
		const struct phyr_range *r = &ranges[i];
		uint64_t class = (r->len - 1) >> iova->lg2;

		if (unlikely(!r->len))
			continue;
		if (unlikely(class >= iova->nr_classes || !may_be_live(iova, r->addr, r->len)))
			break;
		if (unlikely(put_deep(cache, class, r->addr) != CACHE_PUT))
			break;
	}
	cache_exit(iova, cache);
	return i;
}

/* With the lock: any of many. False: it can't be what one call gave, or is free. */
static bool put_any(struct phyr_iova *iova, struct iova_cache *cache, const struct phyr_range *r)
{
	uint64_t class = (r->len - 1) >> iova->lg2;
	uint64_t size = round_up_mask(r->len, iova->mask);

	if (!r->len)
		return true;
	if (!may_be_live(iova, r->addr, r->len))
		return false;
	if (class < iova->nr_classes)
		return put(iova, cache, class, r->addr);
	return phyr_iova_release(iova, r->addr, r->addr + (size - 1));
}

/* Free some of many with the lock taken once; how many they are. */
static size_t put_some_under_lock(struct phyr_iova *iova, const struct phyr_range *ranges,
				  size_t nr)
{
	struct iova_cache *cache = phyr_iova_cache_visit_mine(iova);
	size_t i = 0, most = min_u64(nr, MANY_A_LOCK);
	bool good = true;

	env_lock(iova->env, &iova->lock);
	while (i < most && good)
		good = put_any(iova, cache, &ranges[i++]);
	phyr_iova_depot_trim(iova);
	phyr_iova_unlock_and_trim(iova);
	if (cache)
		phyr_iova_cache_leave_mine(cache);
	if (!good)
		fail(iova, ranges[i - 1].addr, ranges[i - 1].len,
		     "it is not allocated, or was freed before; nothing was freed");
	return i;
}

void phyr_iova_free_many(struct phyr_iova *iova, const struct phyr_range *ranges, size_t nr)
{
	if (!load_relaxed(&iova->batches))
		store_relaxed(&iova->batches, true);
	for (size_t i = 0; i < nr;) {
		i += put_some(iova, &ranges[i], nr - i);
		if (i < nr)
			i += put_some_under_lock(iova, &ranges[i], nr - i);
	}
}
