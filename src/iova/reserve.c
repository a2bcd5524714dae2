/* SPDX-License-Identifier: MIT */
/*
 * Keeping what is free from being given out for a while, for who has something to do there alone.
 *
 * What is reserved at once is all that lies between two allocations, holes included: only so can a
 * table be given back whose span has a hole in it.
 *
 *      (live)  free   hole      free     (live)  free
 *   ..........[......][....][..........]........[....]...
 *             '------- at once --------'
 *
 * Free stretches leave the tree meanwhile, and the holes stay in it. An allocation that finds no
 * other place waits for the end: it fails only when nothing is free, reserved or not.
 */
#include "iova/iova.h"

/* Stretches that are looked at under the lock, but for those that are reserved. */
#define LOOKS 64

/* All that touches a stretch on its high side. */
static uint64_t end_of(struct iova_node *node, bool *any_free)
{
	uint64_t last;

	do {
		last = node->last;
		*any_free |= !node->hole;
		node = phyr_iova_tree_next(node);
	} while (node && node->start == last + 1);
	return last;
}

/* Whether a whole span lies in it, as a table would; beyond the range's ends nothing is in use. */
static bool has_span(const struct phyr_iova *iova, const struct phyr_iova_hole *r, uint64_t span)
{
	uint64_t start = r->start == iova->start ? 0 : r->start;
	uint64_t last = r->last == iova->last ? UINT64_MAX : r->last;

	if (start > UINT64_MAX - (span - 1))
		return false;
	start = round_up_mask(start, span - 1);
	return start <= last && last - start >= span - 1;
}

/* Under the lock: the next one at or above r->start. 1: found; 0: there is none; -EAGAIN: not yet. */
static int find(const struct phyr_iova *iova, uint64_t span, struct phyr_iova_hole *r)
{
	uint64_t from = r->start;

	for (unsigned i = 0; i < LOOKS; i++) {
		struct iova_node *node = phyr_iova_tree_at_or_after(&iova->tree, from);
		bool any_free = false;

		if (!node)
			return 0;
		r->start = node->start;
		r->last = end_of(node, &any_free);
		if (any_free && has_span(iova, r, span))
			return 1;
		from = r->last + 1;
	}
	r->start = from;
	return -EAGAIN;
}

/* Under the lock: take what is free of it out of the tree. */
static void reserve(struct phyr_iova *iova, const struct phyr_iova_hole *r)
{
	struct iova_node *node;
	uint64_t at = r->start;

	while ((node = phyr_iova_tree_at_or_after(&iova->tree, at)) && node->start <= r->last) {
		at = node->last + 1;
		if (!node->hole)
			phyr_iova_drop(iova, node);
	}
	iova->held = *r;
	/* Pairs with the acquires in phyr_iova_reserved_seen() and phyr_iova_reserved_stop(). */
	store_release(&iova->reservations, iova->reservations + 1);
}

bool phyr_iova_reserve(struct phyr_iova *iova, uint64_t span, struct phyr_iova_hole *r)
{
	int found;

	env_lock(iova->env, &iova->reserving);
	do {
		env_lock(iova->env, &iova->lock);
		found = find(iova, span, r);
		if (found > 0)
			reserve(iova, r);
		env_unlock(iova->env, &iova->lock);
	} while (found == -EAGAIN);
	if (!found)
		env_unlock(iova->env, &iova->reserving);
	return found;
}

/* Under the lock. What is given back counts as allocated then; what was reserved does not. */
static void give_back(struct phyr_iova *iova, uint64_t start, uint64_t last)
{
	store_relaxed(&iova->out, iova->out + 1);
	iova->out_bytes += last - start + 1;
	phyr_iova_release(iova, start, last);
}

void phyr_iova_unreserve(struct phyr_iova *iova, const struct phyr_iova_hole *r)
{
	uint64_t at = r->start;

	env_lock(iova->env, &iova->lock);
	iova->held = (struct phyr_iova_hole){0, 0};
	while (at <= r->last) {
		const struct iova_node *node = phyr_iova_tree_at_or_after(&iova->tree, at);
		bool inside = node && node->start <= r->last;
		uint64_t end = inside ? node->start - 1 : r->last;

		if (inside && node->start <= at) {
			at = node->last + 1; /* a hole */
			continue;
		}
		give_back(iova, at, end);
		at = end + 1;
	}
	store_release(&iova->reservations, iova->reservations + 1);
	phyr_iova_unlock_and_trim(iova);
	env_unlock(iova->env, &iova->reserving);
}

bool phyr_iova_reserved_stop(struct phyr_iova *iova, uint64_t seen)
{
	if (!(seen & 1) && load_acquire(&iova->reservations) == seen)
		return false;
	env_lock(iova->env, &iova->reserving);
	return true;
}

void phyr_iova_reserved_go(struct phyr_iova *iova)
{
	env_unlock(iova->env, &iova->reserving);
}
