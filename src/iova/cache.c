/* SPDX-License-Identifier: MIT */
/* The slots' caches: the ways in and out of them, and their memory. */
#include "iova/cache.h"

#include "iova/iova.h"

#define LINE            64u
#define CACHE_SHARE_LG2 5
/* Classes looked at for one that can go. */
#define HAND_CLASSES 64
/* Of the stock given back at once. */
#define STOCK_GIVES 4

struct iova_cache *phyr_iova_cache_enter_shared(struct phyr_iova *iova)
{
	unsigned nr = iova->env->nr_slots, slot = iova->own_slots ? nr : env_slot(iova->env);
	struct iova_cache *cache = load_acquire(&iova->caches[slot]);

	if (!cache)
		return NULL;
	env_lock(iova->env, &cache->lock);
	/* Pair with the releases in phyr_iova_cache_leave() and phyr_iova_caches_open(). */
	if (!load_acquire(&cache->want) && !load_acquire(&iova->drains))
		return cache;
	env_unlock(iova->env, &cache->lock);
	return NULL;
}

void phyr_iova_cache_visit(struct phyr_iova *iova, struct iova_cache *cache)
{
	atomic_count_add(&cache->want, 1);
	/* Who was inside has left, and who comes sees that it is wanted. */
	env_lock(iova->env, &cache->lock);
	env_unlock(iova->env, &cache->lock);
}

void phyr_iova_cache_leave(struct iova_cache *cache)
{
	/* Pairs with the acquire in phyr_iova_cache_enter_shared(). */
	__atomic_fetch_sub(&cache->want, 1, __ATOMIC_RELEASE);
}

void phyr_iova_caches_close(struct phyr_iova *iova)
{
	__atomic_fetch_add(&iova->drains, 1, __ATOMIC_SEQ_CST);
}

void phyr_iova_caches_open(struct phyr_iova *iova)
{
	/* Pairs with the acquires in cache_enter_own() and phyr_iova_cache_enter_shared(). */
	__atomic_fetch_sub(&iova->drains, 1, __ATOMIC_RELEASE);
}

void phyr_iova_cache_wait(struct phyr_iova *iova, struct iova_cache *cache)
{
	if (cache->shared) {
		/* Who was inside has left, and who comes sees that it is closed. */
		env_lock(iova->env, &cache->lock);
		env_unlock(iova->env, &cache->lock);
		return;
	}
	/* Pairs with the release in cache_exit_own(). */
	for (unsigned tries = 1; load_acquire(&cache->busy); tries++)
		env_fence_all(iova->env, tries);
}

/* Where the caller's cache stands. */
static struct iova_cache **my_place(struct phyr_iova *iova, bool *own)
{
	unsigned slot = iova->own_slots ? env_own_slot(iova->env) : env_slot(iova->env);

	*own = iova->own_slots && slot < iova->env->nr_slots;
	return &iova->caches[slot];
}

struct iova_cache *phyr_iova_cache_visit_mine(struct phyr_iova *iova)
{
	struct iova_cache *cache;
	bool own;

	if (!iova->nr_classes)
		return NULL;
	cache = load_acquire(my_place(iova, &own));
	if (cache && cache->shared)
		phyr_iova_cache_visit(iova, cache);
	return cache;
}

static struct iova_cache *new_cache(struct phyr_iova *iova, bool shared)
{
	void *mem = env_alloc(iova->env, sizeof(struct iova_cache) + LINE);
	struct iova_cache *cache;

	if (!mem)
		return NULL;
	cache = (void *)(uintptr_t)round_up_mask((uintptr_t)mem, LINE - 1);
	cache->mem = mem;
	cache->shared = shared;
	if (shared && env_lock_init(iova->env, &cache->lock)) {
		env_free(iova->env, mem, sizeof(*cache) + LINE);
		return NULL;
	}
	return cache;
}

static void free_cache(struct phyr_iova *iova, struct iova_cache *cache)
{
	for (unsigned i = 0; i < CACHE_BLOCKS; i++)
		env_free(iova->env, cache->block_mem[i],
			 CACHE_BLOCK * sizeof(struct iova_mag) + LINE);
	env_free(iova->env, cache->stock, sizeof(*cache->stock));
	if (cache->shared)
		env_lock_fini(iova->env, &cache->lock);
	env_free(iova->env, cache->mem, sizeof(*cache) + LINE);
}

/* Make the cache of a place, unless somebody else does meanwhile. 0 or -ENOMEM. */
static int make(struct phyr_iova *iova, struct iova_cache **place, bool shared)
{
	struct iova_cache *cache = new_cache(iova, shared), *none = NULL;
	bool made;

	if (!cache)
		return -ENOMEM;
	/* Under the lock: whoever empties caches finds it, or its callers find that all are closed. */
	env_lock(iova->env, &iova->lock);
	/* Pairs with the acquire loads of the caches. */
	made = compare_exchange(place, &none, cache);
	env_unlock(iova->env, &iova->lock);
	if (!made)
		free_cache(iova, cache);
	else
		atomic_count_add(&iova->cache_bytes, sizeof(*cache) + LINE);
	return 0;
}

static int add_block(struct phyr_iova *iova, struct iova_cache *cache, uint64_t class)
{
	const size_t size = CACHE_BLOCK * sizeof(struct iova_mag) + LINE;
	uint64_t i = class >> CACHE_BLOCK_LG2;
	void *mem = env_alloc(iova->env, size);

	if (!mem)
		return -ENOMEM;
	env_lock(iova->env, &iova->lock);
	if (!cache->block[i]) {
		cache->block_mem[i] = mem;
		/* Looked at without the lock, but used with it only, or when nobody visits. */
		store_relaxed(&cache->block[i],
			      (void *)(uintptr_t)round_up_mask((uintptr_t)mem, LINE - 1));
		mem = NULL;
	}
	env_unlock(iova->env, &iova->lock);
	if (mem)
		env_free(iova->env, mem, size);
	else
		atomic_count_add(&iova->cache_bytes, size);
	return 0;
}

static int add_stock(struct phyr_iova *iova, struct iova_cache *cache)
{
	struct iova_stock *stock = env_alloc(iova->env, sizeof(*stock));

	if (!stock)
		return -ENOMEM;
	stock_init(stock);
	env_lock(iova->env, &iova->lock);
	if (!cache->stock) {
		/* As the blocks are: nobody is in the cache. */
		store_relaxed(&cache->stock, stock);
		stock = NULL;
	}
	env_unlock(iova->env, &iova->lock);
	if (stock)
		env_free(iova->env, stock, sizeof(*stock));
	else
		atomic_count_add(&iova->cache_bytes, sizeof(*stock));
	return 0;
}

int phyr_iova_cache_make_mine(struct phyr_iova *iova, uint64_t class, struct iova_cache **out)
{
	struct iova_cache **place, *cache;
	bool own;
	int err = 0;

	place = my_place(iova, &own);
	if (!load_acquire(place))
		err = make(iova, place, !own);
	if (err)
		return err;
	cache = load_acquire(place);
	if (cache->shared)
		phyr_iova_cache_visit(iova, cache);
	if (!load_relaxed(&cache->block[class >> CACHE_BLOCK_LG2]))
		err = add_block(iova, cache, class);
	if (!err && load_relaxed(&iova->batches) && !load_relaxed(&cache->stock))
		err = add_stock(iova, cache);
	if (err)
		phyr_iova_cache_leave_mine(cache);
	else
		*out = cache;
	return err;
}

/* A 32nd of what is out: so all that is cached stays small beside what is live. */
void phyr_iova_cache_set_max(struct phyr_iova *iova, struct iova_cache *cache)
{
	uint64_t share = iova->out_bytes >> iova->lg2 >> CACHE_SHARE_LG2;

	cache->max = min_u64(max_u64(share, iova->cache_min), CACHE_ONE - 1);
}

static bool has_room(const struct iova_cache *cache, uint64_t granules)
{
	return cache_granules(cache->used) + granules <= cache->max;
}

/* Let some of the stock go. */
static void trim_stock(struct phyr_iova *iova, struct iova_cache *cache, uint64_t granules)
{
	uint64_t class, start;

	for (unsigned i = 0; i < STOCK_GIVES && !has_room(cache, granules); i++) {
		if (!cache->stock || !stock_pop_any(cache->stock, &class, &start))
			return;
		count_add(&cache->used, -(CACHE_ONE + class + 1));
		phyr_iova_depot_put(iova, class, start);
	}
}

bool phyr_iova_cache_make_room(struct phyr_iova *iova, struct iova_cache *cache, uint64_t granules)
{
	phyr_iova_cache_set_max(iova, cache);
	if (granules > cache->max)
		return false;
	trim_stock(iova, cache, granules);
	for (unsigned i = 0; i < HAND_CLASSES && !has_room(cache, granules); i++) {
		uint64_t class = cache->hand;
		struct iova_mag *mag = cache_mag(cache, class);

		cache->hand = class + 1 < iova->nr_classes ? cache->hand + 1 : 0;
		if (mag && mag->nr)
			phyr_iova_depot_put(iova, class, cache_pull(cache, mag, class, 0));
	}
	return has_room(cache, granules);
}

void phyr_iova_caches_fini(struct phyr_iova *iova)
{
	for (size_t i = 0; iova->caches && i < cache_count(iova->env); i++)
		if (iova->caches[i])
			free_cache(iova, iova->caches[i]);
	env_free(iova->env, iova->caches, caches_size(iova->env));
}
