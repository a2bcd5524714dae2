/* SPDX-License-Identifier: MIT */
/*
 * Emptying the caches into the tree: the depot first, which needs no waiting, then slot by slot.
 *
 * Each step takes the lock, moves what a short time allows, and returns with the lock held, so that
 * the caller can try what did not go before. All caches are closed meanwhile (cache.h), those that
 * were emptied, too: nothing that is freed or moved can slip past.
 */
#include "iova/iova.h"

/* What a step may cost: a look at a stretch or a class is 1, a way into the tree is MOVE. */
#define BUDGET 256
#define MOVE   16

static bool touches(const struct phyr_iova *iova, const struct iova_drain *d, uint64_t start)
{
	uint64_t size = (d->class + 1) << iova->lg2;

	return start <= d->last && start + (size - 1) >= d->start;
}

/* Move from one class of the depot, from where the last step ended down. */
static int drain_stack(struct phyr_iova *iova, struct iova_drain *d, int left)
{
	const uint32_t *nr = depot_nr(&iova->depot, d->class);

	for (d->index = min_u64(d->index, nr ? *nr : 0); d->index && left > 0; left--) {
		if (!touches(iova, d, *depot_at(&iova->depot, d->class, --d->index)))
			continue;
		phyr_iova_return(iova, d->class, depot_pull(&iova->depot, d->class, d->index));
		left -= MOVE;
	}
	return left;
}

static int drain_mag(struct phyr_iova *iova, struct iova_drain *d, int left)
{
	struct iova_mag *mag = cache_mag(d->cache, d->class);
	uint64_t nr = mag ? mag->nr : 0;

	for (d->index = min_u64(d->index, nr); d->index && left > 0; left--) {
		if (!touches(iova, d, mag->start[--d->index]))
			continue;
		phyr_iova_return(iova, d->class, cache_pull(d->cache, mag, d->class, d->index));
		left -= MOVE;
	}
	return left;
}

/* All of the stock, wherever it lies: it is not in order. */
static int drain_stock(struct phyr_iova *iova, struct iova_drain *d, int left)
{
	uint64_t class, start;

	while (left > 0 && stock_pop_any(d->cache->stock, &class, &start)) {
		count_add(&d->cache->used, -(CACHE_ONE + class + 1));
		phyr_iova_return(iova, class, start);
		left -= MOVE;
	}
	return left;
}

/* One step in the depot or a cache; true: it is done with. */
static bool drain_some(struct phyr_iova *iova, struct iova_drain *d)
{
	int left = BUDGET;

	if (d->cache && d->cache->stock)
		left = drain_stock(iova, d, left);
	while (d->class < iova->nr_classes && left > 0) {
		left = d->cache ? drain_mag(iova, d, left) : drain_stack(iova, d, left);
		if (d->index)
			return false;
		d->index = UINT64_MAX;
		d->class ++;
		left--;
	}
	return d->class == iova->nr_classes;
}

/* The next cache that holds anything, with nobody inside; NULL: none. */
static struct iova_cache *next_cache(struct phyr_iova *iova, struct iova_drain *d)
{
	while (iova->caches && d->next < cache_count(iova->env)) {
		struct iova_cache *cache = load_acquire(&iova->caches[d->next++]);

		if (!cache)
			continue;
		phyr_iova_cache_wait(iova, cache);
		if (load_relaxed(&cache->used))
			return cache;
	}
	return NULL;
}

/* Go on to the next cache, without the lock. False: there is none. */
static bool go_on(struct phyr_iova *iova, struct iova_drain *d)
{
	if (!d->fenced && iova->own_slots)
		env_fence_all(iova->env, 0);
	d->fenced = true;
	d->cache = next_cache(iova, d);
	d->class = 0;
	return d->cache;
}

static void begin(struct phyr_iova *iova, struct iova_drain *d)
{
	phyr_iova_caches_close(iova);
	d->begun = true;
	d->index = UINT64_MAX;
}

int phyr_iova_drain_step(struct phyr_iova *iova, struct iova_drain *d, uint64_t room)
{
	bool first = !d->begun, more;
	int err;

	if (first)
		begin(iova, d);
	more = first || d->class < iova->nr_classes || go_on(iova, d);
	err = phyr_iova_lock_with_room(iova, room);
	if (err)
		return err;
	if (first && !iova->depot.count)
		d->class = iova->nr_classes;
	if (more)
		drain_some(iova, d);
	return more;
}

void phyr_iova_drain_end(struct phyr_iova *iova, struct iova_drain *d)
{
	if (d->begun)
		phyr_iova_caches_open(iova);
}

void phyr_iova_drain(struct phyr_iova *iova, uint64_t start, uint64_t last)
{
	struct iova_drain d = {.start = start, .last = last};
	int more;

	do {
		/* Asks for no room, so it can't fail. */
		more = phyr_iova_drain_step(iova, &d, 0);
		if (more >= 0)
			phyr_iova_unlock_and_trim(iova);
	} while (more > 0);
	phyr_iova_drain_end(iova, &d);
}
