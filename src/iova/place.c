/* SPDX-License-Identifier: MIT */
/*
 * Places in the tree: finding, taking, giving back.
 *
 * The lowest place that fits is taken: low addresses keep the page table small, and what is short
 * lived stays together.
 *
 * With an alignment, a stretch can be long enough and still have no place in it. The first few that
 * are long enough are tried; then one is asked for that is longer by the alignment, which surely
 * has a place. So an aligned request costs no more than a fixed number of ways through the tree,
 * and finds a place whenever a stretch of len + align - granule is free.
 */
#include "iova/iova.h"

/* The lowest place in a free stretch. */
static bool place(const struct iova_node *node, const struct wish *wish, uint64_t *start)
{
	uint64_t off = (wish->skew - node->start) & (wish->align - 1);
	uint64_t last = min_u64(node->last, wish->limit);

	if (node->start > last || off > last - node->start)
		return false;
	if (wish->size - 1 > last - node->start - off)
		return false;
	*start = node->start + off;
	return true;
}

/* Bytes of which any free stretch has a place; 0: more than 64 bits hold. */
static uint64_t surely_enough(const struct phyr_iova *iova, const struct wish *wish)
{
	uint64_t more = wish->align - iova->mask - 1;

	return wish->size > UINT64_MAX - more ? 0 : wish->size + more;
}

static struct iova_node *find(struct phyr_iova *iova, const struct wish *wish, uint64_t *start)
{
	struct iova_node *node = phyr_iova_tree_first_fit(&iova->tree, wish->size);
	uint64_t enough = surely_enough(iova, wish);

	for (unsigned tries = 0; tries < IOVA_ALIGN_TRIES; tries++) {
		/* What comes after the limit need not be tried. */
		if (!node || node->start > wish->limit)
			return NULL;
		if (place(node, wish, start))
			return node;
		node = phyr_iova_tree_next_fit(node, wish->size);
	}
	node = enough ? phyr_iova_tree_first_fit(&iova->tree, enough) : NULL;
	return node && place(node, wish, start) ? node : NULL;
}

void phyr_iova_account(struct phyr_iova *iova, uint64_t start, uint64_t size)
{
	store_relaxed(&iova->out, iova->out + 1);
	iova->out_bytes += size;
	iova->freed = 0; /* it may lie in there now */
	if (start - iova->start + size > iova->reach)
		store_relaxed(&iova->reach, start - iova->start + size);
}

int phyr_iova_take(struct phyr_iova *iova, const struct wish *wish, bool prefer, uint64_t *out)
{
	struct iova_node *node;
	uint64_t start;

	node = wish->size ? find(iova, wish, &start) : NULL;
	if (!node && prefer && wish->size) {
		const struct wish any = {
			.size = wish->size, .limit = wish->limit, .align = iova->mask + 1};

		node = find(iova, &any, &start);
	}
	if (!node)
		return -ENOSPC;
	phyr_iova_cut(iova, node, start, start + (wish->size - 1));
	phyr_iova_account(iova, start, wish->size);
	*out = start;
	return 0;
}

static bool is_free_up_to(const struct iova_node *node, uint64_t start)
{
	return node && !node->hole && node->last + 1 == start;
}

static bool is_free_from(const struct iova_node *node, uint64_t last)
{
	return node && !node->hole && node->start - 1 == last;
}

/*
 * Make [start, last] free and join it with what is free beside it. False: there is no node for it,
 * as pieces of an allocation that are freed one by one have not paid for a node each.
 */
static bool give_back(struct phyr_iova *iova, struct iova_node *prev, struct iova_node *next,
		      uint64_t start, uint64_t last)
{
	bool low = is_free_up_to(prev, start), high = is_free_from(next, last);

	if (low) {
		phyr_iova_tree_resize(&iova->tree, prev, prev->start, high ? next->last : last);
		if (high)
			phyr_iova_drop(iova, next);
	} else if (high) {
		phyr_iova_tree_resize(&iova->tree, next, start, next->last);
	} else if (iova->pool.used < iova->pool.capacity) {
		phyr_iova_add(iova, start, last, false);
	} else {
		return false;
	}
	return true;
}

bool phyr_iova_release(struct phyr_iova *iova, uint64_t start, uint64_t last)
{
	struct iova_node *next = phyr_iova_tree_at_or_after(&iova->tree, start);
	struct iova_node *prev = phyr_iova_tree_prev(&iova->tree, next);

	if (next && next->start <= last)
		return false;
	if (!iova->out || last - start >= iova->out_bytes)
		return false;
	/* What is reserved is free, though not in the tree. */
	if (start <= iova->held.last && last >= iova->held.start)
		return false;
	if (!give_back(iova, prev, next, start, last))
		return false;
	store_relaxed(&iova->out, iova->out - 1);
	iova->out_bytes -= last - start + 1;
	return true;
}

void phyr_iova_return(struct phyr_iova *iova, uint64_t class, uint64_t start)
{
	uint64_t size = (class + 1) << iova->lg2;

	if (!phyr_iova_release(iova, start, start + (size - 1)))
		iova->late = (struct phyr_range){start, size};
}
