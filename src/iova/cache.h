/* SPDX-License-Identifier: MIT */
/*
 * Caches: what a slot freed last, by length, so that it is given out again without a lock.
 *
 * There is a magazine for each length from a granule to 4 MiB, a granule apart: nothing is rounded
 * up, so a cached stretch serves just what it was. For the back end (tree.h) cached stretches are
 * out, as allocated ones are.
 *
 *    slot's cache                       depot                        tree
 *   [len 1][len 2]…[len 1024]  <--->  [len 1][len 2]…[len 1024]  <--->  free stretches, joined
 *    3 each, no lock                   some each, one lock
 *   [stock, for many at once]
 *
 * A cache is used by one caller at a time:
 *
 *   - In a slot that is a caller's own (phyr_env.own_slot) that caller says `busy` by a plain store
 *     and looks at `drains` of the allocator; whoever empties caches raises `drains`, fences all
 *     callers, and waits for `busy` to end. The fence is what orders the store and the look: it costs
 *     the one who is rare, and not the owner.
 *   - In a slot that callers share there is a lock, and whoever raised `drains` passes through it; a
 *     caller who is to change the cache under the allocator's lock raises `want` of that cache.
 *
 * While either is up nobody uses the cache in passing, and its content is changed under the
 * allocator's lock only. While `drains` is, nothing is put into any cache, nor into the depot: it
 * stays up until all are empty. So what is free then is found, whoever freed it and wherever, and
 * an allocation fails only when it is nowhere.
 */
#ifndef IOVA_CACHE_H
#define IOVA_CACHE_H

#include "core/bits.h"
#include "core/env.h"
#include "core/order.h"
#include "iova/stock.h"

#define CACHE_MAX_LEN ((uint64_t)4 << 20)
#define CACHE_DEPTH   3

/* Magazines come 32 at a time, 1 KiB, when their first stretch is allocated. */
#define CACHE_BLOCK_LG2 5
#define CACHE_BLOCK     (1u << CACHE_BLOCK_LG2)
#define CACHE_BLOCKS    32

/* A cached stretch in cache.used: granules below, how many above. */
#define CACHE_ONE ((uint64_t)1 << 32)

struct iova_mag {
	uint64_t start[CACHE_DEPTH]; /* the last one comes out first */
	uint64_t nr;
};

struct iova_cache {
	unsigned busy; /* the owner is inside */
	unsigned want; /* visitors, of a shared one */
	uint64_t used; /* CACHE_ONE for each cached stretch, and its granules */
	uint64_t max;  /* granules at most */
	uint64_t hits; /* allocations served */
	struct iova_mag *block[CACHE_BLOCKS];
	struct iova_stock *stock; /* NULL until stretches are freed many at once */

	bool shared;
	unsigned hand; /* magazine from which the next one goes when there are too many granules */
	struct phyr_lock lock;
	void *mem; /* of this */
	void *block_mem[CACHE_BLOCKS];
};

/* A request in the form that a search needs. */
struct wish {
	uint64_t size;  /* bytes, whole granules */
	uint64_t limit; /* last address that may be used */
	uint64_t align; /* power of two, at least a granule */
	uint64_t skew;
};

/* Whether a stretch of the right length is as wished. */
static inline bool wish_fits(const struct wish *wish, uint64_t start)
{
	return !((start - wish->skew) & (wish->align - 1)) && start <= wish->limit &&
	       wish->size - 1 <= wish->limit - start;
}

/* The magazine of granules - 1; NULL: there is none yet. */
static inline struct iova_mag *cache_mag(const struct iova_cache *cache, uint64_t class)
{
	struct iova_mag *block = cache->block[class >> CACHE_BLOCK_LG2];

	return block ? &block[class & (CACHE_BLOCK - 1)] : NULL;
}

static inline uint64_t cache_granules(uint64_t used)
{
	return used & (CACHE_ONE - 1);
}

/* A stock may have half of what the cache may hold: the rest is the magazines'. */
static inline bool cache_may_stock(const struct iova_cache *cache, uint64_t used)
{
	return cache->stock && cache_granules(used) < cache->max / 2;
}

/* Put a stretch into a magazine that has room. */
static inline void cache_push(struct iova_cache *cache, struct iova_mag *mag, uint64_t class,
			      uint64_t start)
{
	mag->start[mag->nr++] = start;
	count_add(&cache->used, CACHE_ONE + class + 1);
}

/* Take the stretch at an index out. */
static inline uint64_t cache_pull(struct iova_cache *cache, struct iova_mag *mag, uint64_t class,
				  uint64_t index)
{
	uint64_t start = mag->start[index];

	mag->nr--;
	for (; index < mag->nr; index++)
		mag->start[index] = mag->start[index + 1];
	count_add(&cache->used, -(CACHE_ONE + class + 1));
	return start;
}

struct phyr_iova;

/* How many caches there can be: one a slot, and one for callers who have no slot of their own. */
static inline size_t cache_count(const struct phyr_env *env)
{
	return (size_t)env->nr_slots + 1;
}

/* Bytes of the pointers to them. */
static inline size_t caches_size(const struct phyr_env *env)
{
	return cache_count(env) * sizeof(void *);
}

/* Be alone in a cache that callers share; NULL: there is none, or somebody visits it. */
struct iova_cache *phyr_iova_cache_enter_shared(struct phyr_iova *iova);

/*
 * Let nobody use a shared cache in passing. Without locks held; waits for the one who is inside.
 * Several may visit at once.
 */
void phyr_iova_cache_visit(struct phyr_iova *iova, struct iova_cache *cache);
void phyr_iova_cache_leave(struct iova_cache *cache);

/* The same for all caches, and those that will be: raise drains; let it down. Waits for nobody. */
void phyr_iova_caches_close(struct phyr_iova *iova);
void phyr_iova_caches_open(struct phyr_iova *iova);
/* Once all are closed and callers were fenced: wait for the one who is inside. Without locks held. */
void phyr_iova_cache_wait(struct phyr_iova *iova, struct iova_cache *cache);

/*
 * The caller's cache, for the caller to change under the allocator's lock; NULL: there is none. A
 * shared one is visited; in one of its own the caller can't be in passing meanwhile, and others
 * change it under the lock only.
 */
struct iova_cache *phyr_iova_cache_visit_mine(struct phyr_iova *iova);

static inline void phyr_iova_cache_leave_mine(struct iova_cache *cache)
{
	if (cache->shared)
		phyr_iova_cache_leave(cache);
}

/* As before; one is made, with a magazine for the class, where there is none. 0 or -ENOMEM. */
int phyr_iova_cache_make_mine(struct phyr_iova *iova, uint64_t class, struct iova_cache **out);

/* Under the lock, for a cache that is visited: what it may hold; letting others go for so many more. */
void phyr_iova_cache_set_max(struct phyr_iova *iova, struct iova_cache *cache);
bool phyr_iova_cache_make_room(struct phyr_iova *iova, struct iova_cache *cache, uint64_t granules);

void phyr_iova_caches_fini(struct phyr_iova *iova);

#endif
