/* SPDX-License-Identifier: MIT */
/* The allocator from inside, and excluding several stretches at once, for iommu/. */
#ifndef IOVA_IOVA_H
#define IOVA_IOVA_H

#include <phyr/iova.h>

#include "core/bits.h"
#include "core/env.h"
#include "iova/cache.h"
#include "iova/depot.h"
#include "iova/pool.h"
#include "iova/tree.h"

/* Stretches that an aligned search looks at one by one before it asks for one that surely does. */
#define IOVA_ALIGN_TRIES 16

struct phyr_iova {
	struct phyr_env *env;
	uint64_t start; /* of the range; neither 0 nor ~0 lies in it */
	uint64_t last;
	uint64_t mask; /* granule - 1 */
	unsigned lg2;  /* of the granule */
	bool own_slots;
	unsigned nr_thread_slots;   /* of them: those that are the thread's number */
	uint64_t nr_classes;        /* lengths that are cached: 1 to so many granules; 0: none */
	struct iova_cache **caches; /* one a slot, NULL until it is needed; then the shared one */
	uint64_t reach; /* bytes from start to the end of what was ever allocated; read unlocked */
	uint64_t cache_min;   /* granules that a slot's cache may hold in any case */
	uint64_t depot_from;  /* allocations from which on there is a depot */
	uint64_t cache_bytes; /* memory of the caches; atomic */
	unsigned drains;      /* emptyings of caches under way; atomic */
	bool batches;         /* stretches are freed many at once: caches want a stock */
	/* A line's length: what is read without the lock shares none with what changes under it. */
	uint64_t apart[8];

	struct phyr_lock reserving; /* held while something is reserved; taken before the other */
	uint64_t
		reservations; /* begun and ended; odd: one is under way; read without the lock, too */
	struct phyr_lock lock; /* over all below */
	struct iova_tree tree;
	struct iova_pool pool;
	struct iova_depot depot;
	uint64_t out; /* stretches that are not in the tree: allocated or cached */
	uint64_t out_bytes;
	/* Reserved: what is free in it is neither in the tree nor out. last 0: nothing is. */
	struct phyr_iova_hole held;
	uint64_t holes; /* excluded stretches, joined */
	uint64_t hole_bytes;
	uint64_t depot_hits;
	uint64_t misses;        /* allocations that the tree served */
	uint64_t freed;         /* freed last to depot or tree, if it must still be free; 0: none */
	struct phyr_range late; /* a wrong free found late, to be reported without the lock */
};

/*
 * Take the lock with @more nodes to spare: one for an allocation to be added, two for a hole.
 * Returns 0, or -ENOMEM without the lock.
 */
int phyr_iova_lock_with_room(struct phyr_iova *iova, uint64_t more);

/* phyr_iova_alloc(), but for a caller who has another way: -ENOSPC makes no report. */
int phyr_iova_try_alloc(struct phyr_iova *iova, uint64_t len,
			const struct phyr_iova_request *request, uint64_t *out);

/*
 * phyr_iova_free() for each of them, those of length 0 left out; what does not go into the caller's
 * cache shares the lock.
 */
void phyr_iova_free_many(struct phyr_iova *iova, const struct phyr_range *ranges, size_t nr);

/* Whole granules; 0: more than 64 bits hold. */
static inline uint64_t whole_granules(const struct phyr_iova *iova, uint64_t len)
{
	return len > UINT64_MAX - iova->mask ? 0 : round_up_mask(len, iova->mask);
}

/* place.c: the tree's side, under the lock. */

/* Take a place as wished, else, where alignment is a wish only, any place. 0 or -ENOSPC. */
int phyr_iova_take(struct phyr_iova *iova, const struct wish *wish, bool prefer, uint64_t *out);
/* Count a stretch that was taken out of the tree. */
void phyr_iova_account(struct phyr_iova *iova, uint64_t start, uint64_t size);
/* Free [start, last]; false, and nothing is changed, when it can't be what one call gave. */
bool phyr_iova_release(struct phyr_iova *iova, uint64_t start, uint64_t last);
/* The same for what was cached, of class + 1 granules; what is wrong with it is told later. */
void phyr_iova_return(struct phyr_iova *iova, uint64_t class, uint64_t start);

/*
 * drain.c: emptying all caches into the tree, some stretches a step, those that touch [start, last].
 *
 *   struct iova_drain d = {.start = …, .last = …};
 *   do {
 *           more = phyr_iova_drain_step(iova, &d, room);    negative: no memory, not locked
 *           … try again, under the lock …
 *           phyr_iova_unlock_and_trim(iova);
 *   } while (not yet && more);
 *   phyr_iova_drain_end(iova, &d);
 */
struct iova_drain {
	uint64_t start;
	uint64_t last;
	size_t next;              /* cache after this one */
	struct iova_cache *cache; /* NULL: the depot, and before it nothing */
	uint64_t class;           /* where it stands in it */
	uint64_t index;
	bool begun;
	bool fenced;
};

int phyr_iova_drain_step(struct phyr_iova *iova, struct iova_drain *d, uint64_t room);
void phyr_iova_drain_end(struct phyr_iova *iova, struct iova_drain *d);
/* All that touches [start, last]. */
void phyr_iova_drain(struct phyr_iova *iova, uint64_t start, uint64_t last);

/*
 * reserve.c: what is free, kept from being given out, a part at a time.
 *
 *   struct phyr_iova_hole r = {0, 0};
 *   while (phyr_iova_reserve(iova, span, &r)) {
 *           … [r.start, r.last] is the caller's, and empty …
 *           phyr_iova_unreserve(iova, &r);
 *           r.start = r.last + 1;
 *   }
 */

/*
 * Reserve the first part at or above r->start that has a whole span, a power of two aligned to itself:
 * all that lies between two allocations, with its holes. Where the part ends with the range, what is
 * outside counts as free, too. False: there is none. Else until the end others wait who find no
 * place, or reserve. What is cached is not free: empty the caches before.
 */
bool phyr_iova_reserve(struct phyr_iova *iova, uint64_t span, struct phyr_iova_hole *r);
void phyr_iova_unreserve(struct phyr_iova *iova, const struct phyr_iova_hole *r);

/*
 * For who may have failed for what is reserved:
 *
 *   seen = phyr_iova_reserved_seen(iova);
 *   … try …
 *   if (failed && phyr_iova_reserved_stop(iova, seen)) {
 *           … try again: nothing is reserved …
 *           phyr_iova_reserved_go(iova);
 *   }
 */
static inline uint64_t phyr_iova_reserved_seen(const struct phyr_iova *iova)
{
	return load_acquire(&iova->reservations);
}

/*
 * Wait for the end of what was reserved since then, and let nobody reserve. False: nothing was.
 * Without locks held.
 */
bool phyr_iova_reserved_stop(struct phyr_iova *iova, uint64_t seen);
void phyr_iova_reserved_go(struct phyr_iova *iova);

/* The lowest address that is allocated; ~0: none is. Cost: O(stretches below it). */
uint64_t phyr_iova_first_live(struct phyr_iova *iova);

/* Release the lock, and memory that is not needed any more. */
void phyr_iova_unlock_and_trim(struct phyr_iova *iova);

/* The tree's own operations with nodes from the pool. */
void phyr_iova_add(struct phyr_iova *iova, uint64_t start, uint64_t last, bool hole);
void phyr_iova_drop(struct phyr_iova *iova, struct iova_node *node);
/* Take [start, last], which lies in @node, out of it. */
void phyr_iova_cut(struct phyr_iova *iova, struct iova_node *node, uint64_t start, uint64_t last);

/*
 * phyr_iova_exclude() for several stretches, all or none; the report is made in @call's name.
 */
int phyr_iova_exclude_all(struct phyr_iova *iova, const char *call,
			  const struct phyr_iova_hole *holes, size_t nr);

#endif
