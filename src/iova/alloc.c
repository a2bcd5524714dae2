/* SPDX-License-Identifier: MIT */
/*
 * Allocating: from the slot's cache without a lock; else, under the lock, from the depot, the tree,
 * and, when that has no place, from the tree as all caches are emptied into it.
 */
#include "iova/fast.h"

/* NULL, or what is wrong with a request. */
static const char *wrong_request(const struct phyr_iova *iova,
				 const struct phyr_iova_request *request)
{
	if (request->size != sizeof(*request))
		return "set size to sizeof(struct phyr_iova_request)";
	if (request->align & (request->align - 1))
		return "the alignment is no power of two";
	if (request->skew & iova->mask)
		return "the skew is no multiple of the granule";
	if (request->skew && request->skew >= request->align)
		return "the skew is not below the alignment";
	return NULL;
}

static const char *make_wish(const struct phyr_iova *iova, uint64_t len,
			     const struct phyr_iova_request *request, struct wish *wish)
{
	const char *wrong;

	wish->size = whole_granules(iova, len);
	wish->limit = iova->last;
	wish->align = iova->mask + 1;
	wish->skew = 0;
	if (!len)
		return "length 0";
	if (!request)
		return NULL;
	wrong = wrong_request(iova, request);
	if (wrong)
		return wrong;
	wish->align = max_u64(request->align, wish->align);
	wish->skew = request->skew;
	if (request->limit)
		wish->limit = min_u64(request->limit, iova->last);
	return NULL;
}

/* Let the caller's cache have one more of what the depot had. */
static void refill(struct phyr_iova *iova, struct iova_cache *cache, uint64_t class)
{
	const struct wish any = {.limit = UINT64_MAX, .align = 1, .size = 1};
	struct iova_mag *mag = cache ? cache_mag(cache, class) : NULL;
	uint64_t start;

	if (!mag || mag->nr || load_relaxed(&iova->drains) ||
	    cache_granules(cache->used) + class + 1 > cache->max)
		return;
	if (phyr_iova_depot_take(iova, class, &any, &start))
		cache_push(cache, mag, class, start);
}

/* With the lock. The caller's cache, which may be NULL, is visited. */
static int take(struct phyr_iova *iova, struct iova_cache *cache, uint64_t class,
		const struct wish *wish, bool prefer, uint64_t *out)
{
	int err;

	if (class < iova->nr_classes && phyr_iova_depot_take(iova, class, wish, out)) {
		iova->depot_hits++;
		refill(iova, cache, class);
		return 0;
	}
	err = phyr_iova_take(iova, wish, prefer, out);
	iova->misses += !err;
	if (cache)
		phyr_iova_cache_set_max(iova, cache);
	return err;
}

/* Once more and more of the caches is in the tree. */
static int take_as_caches_empty(struct phyr_iova *iova, const struct wish *wish, bool prefer,
				uint64_t *out)
{
	struct iova_drain d = {.last = wish->limit};
	int err, more;

	do {
		more = phyr_iova_drain_step(iova, &d, 1);
		err = more < 0 ? more : phyr_iova_take(iova, wish, prefer, out);
		if (more < 0)
			break;
		iova->misses += !err;
		phyr_iova_unlock_and_trim(iova);
	} while (err == -ENOSPC && more > 0);
	phyr_iova_drain_end(iova, &d);
	return err;
}

static int take_without_waiting(struct phyr_iova *iova, uint64_t class, const struct wish *wish,
				bool prefer, uint64_t *out)
{
	struct iova_cache *cache = NULL;
	int err = 0;

	if (class < iova->nr_classes)
		err = phyr_iova_cache_make_mine(iova, class, &cache);
	if (cache)
		err = phyr_iova_depot_make(iova, class);
	if (!err)
		err = phyr_iova_lock_with_room(iova, 1);
	if (!err) {
		err = take(iova, cache, class, wish, prefer, out);
		env_unlock(iova->env, &iova->lock);
	}
	if (cache)
		phyr_iova_cache_leave_mine(cache);
	if (err == -ENOSPC && iova->nr_classes)
		err = take_as_caches_empty(iova, wish, prefer, out);
	return err;
}

/* What is reserved may be the only place: then, once more after that. */
static int take_long_way(struct phyr_iova *iova, uint64_t class, const struct wish *wish,
			 bool prefer, uint64_t *out)
{
	uint64_t seen = phyr_iova_reserved_seen(iova);
	int err = take_without_waiting(iova, class, wish, prefer, out);

	if (err == -ENOSPC && phyr_iova_reserved_stop(iova, seen)) {
		err = take_without_waiting(iova, class, wish, prefer, out);
		phyr_iova_reserved_go(iova);
	}
	return err;
}

/* From the caller's cache, in whatever slot it is. */
static bool take_from_cache(struct phyr_iova *iova, uint64_t class, const struct wish *wish,
			    uint64_t *out)
{
	struct iova_cache *cache = cache_enter(iova);
	bool hit;

	if (!cache)
		return false;
	hit = cache_take_as(cache, class, wish, out);
	cache_exit(iova, cache);
	return hit;
}

/* Anything but a hit in a hosted thread's own cache. */
static int alloc_any_way(struct phyr_iova *iova, uint64_t len,
			 const struct phyr_iova_request *request, uint64_t *out)
{
	uint64_t class = (len - 1) >> iova->lg2;
	struct wish wish;
	const char *wrong = make_wish(iova, len, request, &wish);

	if (wrong)
		return env_fail(iova->env, .err = -EINVAL, .call = "phyr_iova_alloc", .len = len,
				.hint = wrong);
	if (class < iova->nr_classes && take_from_cache(iova, class, &wish, out))
		return 0;
	return take_long_way(iova, class, &wish, request && request->prefer, out);
}

static int fail(struct phyr_iova *iova, int err, uint64_t len, uint64_t limit, const char *hint)
{
	return env_fail(iova->env, .err = err, .call = "phyr_iova_alloc", .len = len,
			.limit = limit, .hint = hint);
}

int phyr_iova_try_alloc(struct phyr_iova *iova, uint64_t len,
			const struct phyr_iova_request *request, uint64_t *out)
{
	int err = alloc_any_way(iova, len, request, out);

	return err == -ENOMEM ? fail(iova, err, len, 0, NULL) : err;
}

static __attribute__((noinline)) int alloc_slow(struct phyr_iova *iova, uint64_t len,
						const struct phyr_iova_request *request,
						uint64_t *out)
{
	int err = phyr_iova_try_alloc(iova, len, request, out);

	if (err != -ENOSPC)
		return err;
	return fail(iova, err, len, request && request->limit ? request->limit : iova->last,
		    "no free stretch is long enough");
}

/* A hosted thread's magazine was empty: its stock may have some. */
static __attribute__((noinline)) int alloc_from_stock(struct phyr_iova *iova, uint64_t len,
						      uint64_t *out)
{
	uint64_t class = (len - 1) >> iova->lg2;
	struct iova_cache *cache = cache_enter_fast(iova);
	bool hit;

	if (unlikely(!cache))
		return alloc_slow(iova, len, NULL, out);
	hit = cache_has(cache, cache_mag(cache, class), class) && cache_take(cache, class, out);
	cache_exit_own(cache);
	return likely(hit) ? 0 : alloc_slow(iova, len, NULL, out);
}

int phyr_iova_alloc(struct phyr_iova *iova, uint64_t len, const struct phyr_iova_request *request,
		    uint64_t *out)
{
	uint64_t class = (len - 1) >> iova->lg2; /* huge for 0 */
	struct iova_cache *cache;
	bool hit;

	if (unlikely(request || class >= iova->nr_classes))
		return alloc_slow(iova, len, request, out);
	cache = cache_enter_fast(iova);
	if (unlikely(!cache))
		return alloc_slow(iova, len, request, out);
	hit = cache_take(cache, class, out);
	cache_exit_own(cache);
	return likely(hit) ? 0 : alloc_from_stock(iova, len, out);
}
