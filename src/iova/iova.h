/* SPDX-License-Identifier: MIT */
/* The allocator from inside, and excluding several stretches at once, for iommu/. */
#ifndef IOVA_IOVA_H
#define IOVA_IOVA_H

#include <phyr/iova.h>

#include "core/bits.h"
#include "core/env.h"
#include "iova/pool.h"
#include "iova/tree.h"

/* Stretches that an aligned search looks at one by one before it asks for one that surely does. */
#define IOVA_ALIGN_TRIES 16

struct phyr_iova {
	struct phyr_env *env;
	uint64_t start; /* of the range; neither 0 nor ~0 lies in it */
	uint64_t last;
	uint64_t mask; /* granule - 1 */

	struct phyr_lock lock; /* over all below */
	struct iova_tree tree;
	struct iova_pool pool;
	uint64_t live; /* allocations */
	uint64_t live_bytes;
	uint64_t holes; /* excluded stretches, joined */
	uint64_t hole_bytes;
	uint64_t highest;
};

/*
 * Take the lock with @more nodes to spare: one for an allocation to be added, two for a hole.
 * Returns 0, or -ENOMEM without the lock.
 */
int phyr_iova_lock_with_room(struct phyr_iova *iova, uint64_t more);

/* phyr_iova_alloc(), but for a caller who has another way: -ENOSPC makes no report. */
int phyr_iova_try_alloc(struct phyr_iova *iova, uint64_t len,
			const struct phyr_iova_request *request, uint64_t *out);

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
