/* SPDX-License-Identifier: MIT */
/* Excluding addresses for good. Holes that touch are joined, so that they stay few. */
#include "iova/iova.h"

/* Widen a hole to whole granules and cut it to the range; false: nothing of it is left. */
static bool clip(const struct phyr_iova *iova, const struct phyr_iova_hole *hole, uint64_t *start,
		 uint64_t *last)
{
	*start = max_u64(round_down_mask(hole->start, iova->mask), iova->start);
	*last = min_u64(hole->last | iova->mask, iova->last);
	return *start <= *last;
}

/* Whether anything in [start, last] is allocated: a gap between the tree's stretches. */
static bool in_use(const struct phyr_iova *iova, uint64_t start, uint64_t last)
{
	for (;;) {
		const struct iova_node *node = phyr_iova_tree_at_or_after(&iova->tree, start);

		if (!node || node->start > start)
			return true;
		if (node->last >= last)
			return false;
		start = node->last + 1;
	}
}

/* A stretch in the way of a hole: a hole is swallowed, a free one loses what they share. */
static void make_way(struct phyr_iova *iova, struct iova_node *node, uint64_t *start,
		     uint64_t *last)
{
	if (!node->hole) {
		phyr_iova_cut(iova, node, max_u64(node->start, *start), min_u64(node->last, *last));
		return;
	}
	*start = min_u64(*start, node->start);
	*last = max_u64(*last, node->last);
	iova->holes--;
	iova->hole_bytes -= node_len(node);
	phyr_iova_drop(iova, node);
}

/*
 * The next stretch that a hole at [start, last] shares addresses with, or that is a hole beside it.
 */
static struct iova_node *in_the_way(const struct phyr_iova *iova, uint64_t start, uint64_t last)
{
	struct iova_node *node = phyr_iova_tree_at_or_after(&iova->tree, start - 1);

	if (node && node->last < start && !node->hole)
		node = phyr_iova_tree_next(node);
	if (!node || node->start > last + 1 || (node->start == last + 1 && !node->hole))
		return NULL;
	return node;
}

static void punch(struct phyr_iova *iova, uint64_t start, uint64_t last)
{
	struct iova_node *node;

	while ((node = in_the_way(iova, start, last)))
		make_way(iova, node, &start, &last);
	phyr_iova_add(iova, start, last, true);
	iova->holes++;
	iova->hole_bytes += last - start + 1;
}

/* The index of the first hole that covers what is in use; @nr: none does. */
static size_t first_busy(const struct phyr_iova *iova, const struct phyr_iova_hole *holes,
			 size_t nr)
{
	uint64_t start, last;
	size_t i;

	for (i = 0; i < nr; i++)
		if (clip(iova, &holes[i], &start, &last) && in_use(iova, start, last))
			break;
	return i;
}

static int fail(struct phyr_iova *iova, int err, const char *call,
		const struct phyr_iova_hole *hole, size_t index, const char *hint)
{
	return env_fail(iova->env, .err = err, .call = call, .index = index, .index_of = "hole",
			.iova = hole->start, .has_iova = true, .limit = hole->last, .hint = hint);
}

/* Under the lock: all, or none and the index of the first that covers what is in use. */
static size_t punch_all(struct phyr_iova *iova, const struct phyr_iova_hole *holes, size_t nr)
{
	size_t busy = first_busy(iova, holes, nr);
	uint64_t start, last;

	for (size_t i = 0; busy == nr && i < nr; i++)
		if (clip(iova, &holes[i], &start, &last))
			punch(iova, start, last);
	return busy;
}

/* What caches hold of the holes goes back to the tree, where it is free. */
static void drain(struct phyr_iova *iova, const struct phyr_iova_hole *holes, size_t nr)
{
	uint64_t start, last;

	for (size_t i = 0; i < nr; i++)
		if (clip(iova, &holes[i], &start, &last))
			phyr_iova_drain(iova, start, last);
}

/* All, or none and the index of the first that covers what is in use. Negative: no memory. */
static int exclude(struct phyr_iova *iova, const struct phyr_iova_hole *holes, size_t nr,
		   size_t *busy)
{
	int err;

	*busy = 0;
	for (unsigned tries = 0; tries < 2 && (!tries || *busy < nr); tries++) {
		if (tries)
			drain(iova, holes, nr);
		err = phyr_iova_lock_with_room(iova, 2 * (uint64_t)nr);
		if (err)
			return err;
		*busy = punch_all(iova, holes, nr);
		phyr_iova_unlock_and_trim(iova);
	}
	return 0;
}

int phyr_iova_exclude_all(struct phyr_iova *iova, const char *call,
			  const struct phyr_iova_hole *holes, size_t nr)
{
	uint64_t seen;
	size_t busy;
	int err;

	for (size_t i = 0; i < nr; i++)
		if (holes[i].start > holes[i].last)
			return fail(iova, -EINVAL, call, &holes[i], i, "start lies above last");
	seen = phyr_iova_reserved_seen(iova);
	err = exclude(iova, holes, nr, &busy);
	if (!err && busy < nr && phyr_iova_reserved_stop(iova, seen)) {
		err = exclude(iova, holes, nr, &busy);
		phyr_iova_reserved_go(iova);
	}
	if (err) /* only where there are holes to make room for */
		return fail(iova, err, call, holes, 0, "no memory to write the holes down");
	if (busy < nr)
		return fail(iova, -EBUSY, call, &holes[busy], busy, "part of it is in use");
	return 0;
}

int phyr_iova_exclude(struct phyr_iova *iova, uint64_t start, uint64_t last)
{
	const struct phyr_iova_hole hole = {start, last};

	return phyr_iova_exclude_all(iova, "phyr_iova_exclude", &hole, 1);
}
