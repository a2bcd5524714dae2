/* SPDX-License-Identifier: MIT */
/* The allocator's life, its memory and its statistics. */
#include "iova/iova.h"

#define GRANULE_LG2_MIN 12
#define GRANULE_LG2_MAX 30

/* Nodes that the tree can need: see pool.h. */
static uint64_t nodes_needed(const struct phyr_iova *iova)
{
	return iova->out + 2 * iova->holes + 1;
}

int phyr_iova_lock_with_room(struct phyr_iova *iova, uint64_t more)
{
	struct iova_slab *slab;

	env_lock(iova->env, &iova->lock);
	while (iova->pool.capacity < nodes_needed(iova) + more) {
		/* The environment is never asked for memory under the lock. */
		env_unlock(iova->env, &iova->lock);
		slab = env_alloc(iova->env, sizeof(*slab));
		if (!slab)
			return -ENOMEM;
		env_lock(iova->env, &iova->lock);
		phyr_iova_pool_push(&iova->pool, slab);
	}
	return 0;
}

void phyr_iova_unlock_and_trim(struct phyr_iova *iova)
{
	struct iova_slab *slab = phyr_iova_pool_pop(&iova->pool, nodes_needed(iova));
	const struct phyr_range late = iova->late;
	size_t size;
	void *block = phyr_iova_depot_close_one(iova, &size);

	iova->late = (struct phyr_range){0, 0};
	env_unlock(iova->env, &iova->lock);
	if (slab)
		env_free(iova->env, slab, sizeof(*slab));
	if (block)
		env_free(iova->env, block, size);
	if (late.len)
		env_fail(iova->env, .err = -EINVAL, .call = "phyr_iova_free", .len = late.len,
			 .iova = late.addr, .has_iova = true,
			 .hint = "it was not allocated when it was freed; nothing was freed");
}

void phyr_iova_add(struct phyr_iova *iova, uint64_t start, uint64_t last, bool hole)
{
	struct iova_node *node = phyr_iova_pool_take(&iova->pool);

	node->start = start;
	node->last = last;
	node->hole = hole;
	phyr_iova_tree_insert(&iova->tree, node);
}

void phyr_iova_drop(struct phyr_iova *iova, struct iova_node *node)
{
	phyr_iova_pool_put(&iova->pool, &iova->tree, phyr_iova_tree_erase(&iova->tree, node));
}

void phyr_iova_cut(struct phyr_iova *iova, struct iova_node *node, uint64_t start, uint64_t last)
{
	uint64_t end = node->last;

	if (node->start == start && end == last) {
		phyr_iova_drop(iova, node);
	} else if (node->start == start) {
		phyr_iova_tree_resize(&iova->tree, node, last + 1, end);
	} else {
		phyr_iova_tree_resize(&iova->tree, node, node->start, start - 1);
		if (end != last)
			phyr_iova_add(iova, last + 1, end, false);
	}
}

/* Set the range: granules that lie in it wholly and hold neither 0 nor ~0. False: there is none. */
static bool set_range(struct phyr_iova *iova, const struct phyr_iova_config *config)
{
	uint64_t mask = iova->mask;
	uint64_t start = max_u64(config->start, 1);
	uint64_t end = round_down_mask(min_u64(config->last, UINT64_MAX - 1) + 1, mask);

	if (start > UINT64_MAX - mask)
		return false;
	start = round_up_mask(start, mask);
	if (start >= end)
		return false;
	iova->start = start;
	iova->last = end - 1;
	return true;
}

/* Make the one free stretch, then the holes in it. */
static int fill(struct phyr_iova *iova, const struct phyr_iova_config *config)
{
	int err = phyr_iova_lock_with_room(iova, 0);

	if (err)
		return env_fail(iova->env, .err = err, .call = "phyr_iova_create");
	phyr_iova_add(iova, iova->start, iova->last, false);
	env_unlock(iova->env, &iova->lock);
	err = phyr_iova_exclude_all(iova, "phyr_iova_create", config->holes, config->nr_holes);
	if (err)
		return err;
	if (iova->hole_bytes == iova->last - iova->start + 1)
		return env_fail(iova->env, .err = -EINVAL, .call = "phyr_iova_create",
				.iova = config->start, .has_iova = true, .limit = config->last,
				.hint = "the holes leave nothing of the range");
	return 0;
}

static int check_config(struct phyr_env *env, const struct phyr_iova_config *config)
{
	if (config->size != sizeof(*config))
		return env_fail(env, .err = -EINVAL, .call = "phyr_iova_create",
				.limit = sizeof(*config),
				.hint = "set size to sizeof(struct phyr_iova_config)");
	if (config->granule_lg2 < GRANULE_LG2_MIN || config->granule_lg2 > GRANULE_LG2_MAX)
		return env_fail(env, .err = -EINVAL, .call = "phyr_iova_create",
				.index = config->granule_lg2, .index_of = "granule_lg2",
				.limit = GRANULE_LG2_MAX, .hint = "granule_lg2 is 12 to 30");
	return 0;
}

/* What caches may hold in any case: 16 MiB, where that is little of the range. */
#define CACHE_MIN_LEN ((uint64_t)16 << 20)
#define CACHE_MIN_LG2 6
/* Live allocations from which on the depot is faster than the tree. */
#define DEPOT_FROM 1024

static int make_caches(struct phyr_iova *iova, const struct phyr_iova_config *config)
{
	uint64_t total = (iova->last - iova->start + 1) >> iova->lg2;

	if (config->no_cache || iova->mask >= CACHE_MAX_LEN)
		return 0;
	iova->caches = env_alloc(iova->env, caches_size(iova->env));
	if (!iova->caches)
		return env_fail(iova->env, .err = -ENOMEM, .call = "phyr_iova_create");
	iova->own_slots = env_has_own_slots(iova->env);
	iova->nr_thread_slots = iova->own_slots ? env_nr_thread_slots(iova->env) : 0;
	iova->nr_classes = CACHE_MAX_LEN >> iova->lg2;
	iova->cache_min = min_u64(CACHE_MIN_LEN >> iova->lg2, total >> CACHE_MIN_LG2);
	iova->depot_from = DEPOT_FROM;
	return 0;
}

/* Everything that needs no memory but the lock's. */
static int setup(struct phyr_iova *iova, const struct phyr_iova_config *config)
{
	int err;

	iova->mask = ((uint64_t)1 << config->granule_lg2) - 1;
	if (!set_range(iova, config))
		return env_fail(iova->env, .err = -EINVAL, .call = "phyr_iova_create",
				.iova = config->start, .has_iova = true, .limit = config->last,
				.hint = "no whole granule lies in the range");
	iova->lg2 = config->granule_lg2;
	err = env_lock_init(iova->env, &iova->lock);
	if (err)
		return env_fail(iova->env, .err = err, .call = "phyr_iova_create");
	err = env_lock_init(iova->env, &iova->reserving);
	if (err)
		env_lock_fini(iova->env, &iova->lock);
	if (err)
		return env_fail(iova->env, .err = err, .call = "phyr_iova_create");
	return 0;
}

int phyr_iova_create(struct phyr_env *env, const struct phyr_iova_config *config,
		     struct phyr_iova **out)
{
	struct phyr_iova *iova;
	int err;

	env = env_or_hosted(env);
	err = phyr_env_check(env, "phyr_iova_create");
	if (!err)
		err = check_config(env, config);
	if (err)
		return err;
	iova = env_alloc(env, sizeof(*iova));
	if (!iova)
		return env_fail(env, .err = -ENOMEM, .call = "phyr_iova_create");
	iova->env = env;
	err = setup(iova, config);
	if (err) {
		env_free(env, iova, sizeof(*iova));
		return err;
	}
	err = make_caches(iova, config);
	if (!err)
		err = fill(iova, config);
	if (err) {
		phyr_iova_destroy(iova);
		return err;
	}
	*out = iova;
	return 0;
}

void phyr_iova_destroy(struct phyr_iova *iova)
{
	struct iova_slab *slab, *prev;

	if (!iova)
		return;
	phyr_iova_caches_fini(iova);
	phyr_iova_depot_fini(iova);
	for (slab = iova->pool.end; slab; slab = prev) {
		prev = slab->prev;
		env_free(iova->env, slab, sizeof(*slab));
	}
	env_lock_fini(iova->env, &iova->reserving);
	env_lock_fini(iova->env, &iova->lock);
	env_free(iova->env, iova, sizeof(*iova));
}

/* What the tree's stretches leave out is allocated, once the caches are empty. */
uint64_t phyr_iova_first_live(struct phyr_iova *iova)
{
	struct iova_node *node;
	uint64_t at;

	phyr_iova_drain(iova, 0, UINT64_MAX);
	env_lock(iova->env, &iova->lock);
	at = iova->start;
	node = phyr_iova_tree_at_or_after(&iova->tree, at);
	while (node && node->start == at) {
		at = node->last + 1;
		node = phyr_iova_tree_next(node);
	}
	env_unlock(iova->env, &iova->lock);
	return at <= iova->last ? at : UINT64_MAX;
}

/* Sum up the slots' caches: those in use change meanwhile. */
static void count_cached(struct phyr_iova *iova, uint64_t *nr, uint64_t *granules, uint64_t *hits)
{
	*nr = iova->depot.count;
	*granules = iova->depot.granules;
	*hits = iova->depot_hits;
	for (size_t i = 0; iova->caches && i < cache_count(iova->env); i++) {
		const struct iova_cache *cache = load_acquire(&iova->caches[i]);
		uint64_t used = cache ? load_relaxed(&cache->used) : 0;

		*nr += used / CACHE_ONE;
		*granules += cache_granules(used);
		*hits += cache ? load_relaxed(&cache->hits) : 0;
	}
}

static uint64_t meta_bytes(const struct phyr_iova *iova)
{
	uint64_t bytes = sizeof(*iova) + load_relaxed(&iova->cache_bytes);

	bytes += iova->pool.capacity / IOVA_SLAB_NODES * sizeof(struct iova_slab);
	if (iova->caches)
		bytes += caches_size(iova->env);
	return bytes + phyr_iova_depot_meta(iova);
}

static uint64_t less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

void phyr_iova_get_stats(struct phyr_iova *iova, struct phyr_iova_stats *stats)
{
	uint64_t nr, granules, hits;

	env_lock(iova->env, &iova->lock);
	count_cached(iova, &nr, &granules, &hits);
	/* Frees of what was not allocated can make the caches look too full for a while. */
	*stats = (struct phyr_iova_stats){
		.live_bytes = less(iova->out_bytes, granules << iova->lg2),
		.live = less(iova->out, nr),
		.highest = iova->reach ? iova->start + (iova->reach - 1) : 0,
		.total_bytes = iova->last - iova->start + 1 - iova->hole_bytes,
		.meta_bytes = meta_bytes(iova),
		.cached_bytes = granules << iova->lg2,
		.cache_hits = hits,
		.cache_misses = iova->misses,
	};
	env_unlock(iova->env, &iova->lock);
}
