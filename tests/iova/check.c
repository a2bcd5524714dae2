/* SPDX-License-Identifier: MIT */
/* Checks of an allocator from the inside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "iova/check.h"

struct seen {
	uint64_t nodes;
	uint64_t free_bytes;
	uint64_t holes;
	uint64_t hole_bytes;
	uint64_t cached;
	uint64_t cached_granules;
};

static uint64_t bigger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* Structure, heights and what each node knows of its subtree, from below. */
static void check_node(const struct iova_node *n, const struct iova_node *parent, struct seen *seen)
{
	unsigned h[2] = {0, 0};
	uint64_t longest = n->hole ? 0 : node_len(n);

	assert_ptr_equal(n->parent, parent);
	assert_true(n->start <= n->last);
	for (unsigned i = 0; i < 2; i++) {
		const struct iova_node *c = n->child[i];

		if (!c)
			continue;
		assert_int_equal(c->start > n->start, i);
		check_node(c, n, seen);
		h[i] = c->height;
		longest = bigger(longest, c->longest);
	}
	assert_true(h[0] <= h[1] + 1 && h[1] <= h[0] + 1);
	assert_int_equal(n->height, 1 + bigger(h[0], h[1]));
	assert_int_equal(n->longest, longest);
	seen->nodes++;
	seen->holes += n->hole;
	*(n->hole ? &seen->hole_bytes : &seen->free_bytes) += node_len(n);
}

/* Neighbours: in order, apart, and never two of a kind that touch. */
static void check_order(struct phyr_iova *iova)
{
	struct iova_node *n = phyr_iova_tree_at_or_after(&iova->tree, 0), *next;

	assert_true(!n || n->start >= iova->start);
	for (; n; n = next) {
		next = phyr_iova_tree_next(n);
		assert_int_equal(n->start & iova->mask, 0);
		assert_int_equal((n->last + 1) & iova->mask, 0);
		assert_true(n->last <= iova->last);
		assert_ptr_equal(phyr_iova_tree_prev(&iova->tree, next), n);
		if (!next)
			break;
		assert_true(n->last < next->start);
		assert_false(n->last + 1 == next->start && n->hole == next->hole);
	}
}

/* A cached stretch is out: no stretch of the tree touches it. */
static void check_cached(struct phyr_iova *iova, uint64_t class, uint64_t start, struct seen *seen)
{
	uint64_t size = (class + 1) << iova->lg2;
	const struct iova_node *n = phyr_iova_tree_at_or_after(&iova->tree, start);

	assert_int_equal(start & iova->mask, 0);
	assert_true(!n || n->start > start + (size - 1));
	seen->cached++;
	seen->cached_granules += class + 1;
}

/* Each bundle is spare or in the chain of its class, and only the first of a chain is not full. */
static void check_stock(struct phyr_iova *iova, const struct iova_stock *stock, uint64_t *nr,
			uint64_t *granules, struct seen *seen)
{
	unsigned found = 0;

	for (uint8_t at = stock->spare; at; at = stock->bundle[at - 1].next, found++)
		assert_int_equal(stock->bundle[at - 1].nr, 0);
	for (uint64_t class = 0; class < STOCK_CLASSES; class ++) {
		for (uint8_t at = stock->top[class]; at; at = stock->bundle[at - 1].next) {
			const struct iova_bundle *b = &stock->bundle[at - 1];

			assert_in_range(b->nr, at == stock->top[class] ? 1 : BUNDLE_ROOM,
					BUNDLE_ROOM);
			assert_int_equal(b->class, class);
			for (unsigned i = 0; i < b->nr; i++)
				check_cached(iova, class, b->start[i], seen);
			*nr += b->nr;
			*granules += b->nr * (class + 1);
			found++;
		}
	}
	assert_int_equal(found, STOCK_BUNDLES);
}

static void check_cache(struct phyr_iova *iova, const struct iova_cache *cache, struct seen *seen)
{
	uint64_t nr = 0, granules = 0;

	assert_int_equal(cache->busy, 0);
	assert_int_equal(cache->want, 0);
	for (uint64_t class = 0; class < iova->nr_classes; class ++) {
		const struct iova_mag *mag = cache_mag(cache, class);

		for (uint64_t i = 0; mag && i < mag->nr; i++) {
			check_cached(iova, class, mag->start[i], seen);
			nr++;
			granules += class + 1;
		}
	}
	if (cache->stock)
		check_stock(iova, cache->stock, &nr, &granules, seen);
	assert_int_equal(cache->used, nr * CACHE_ONE + granules);
}

static void check_depot(struct phyr_iova *iova, struct seen *seen)
{
	uint64_t nr = seen->cached, granules = seen->cached_granules;

	for (uint64_t class = 0; class < iova->nr_classes; class ++) {
		const uint32_t *in = depot_nr(&iova->depot, class);

		for (uint64_t i = 0; in && i < *in; i++)
			check_cached(iova, class, *depot_at(&iova->depot, class, i), seen);
	}
	assert_int_equal(iova->depot.count, seen->cached - nr);
	assert_int_equal(iova->depot.granules, seen->cached_granules - granules);
}

static void check_caches(struct phyr_iova *iova, struct seen *seen)
{
	struct phyr_iova_stats stats;

	for (size_t i = 0; iova->caches && i < cache_count(iova->env); i++)
		if (iova->caches[i])
			check_cache(iova, iova->caches[i], seen);
	check_depot(iova, seen);
	phyr_iova_get_stats(iova, &stats);
	assert_int_equal(stats.cached_bytes, seen->cached_granules << iova->lg2);
	assert_int_equal(stats.live, iova->out - seen->cached);
	assert_int_equal(stats.live_bytes, iova->out_bytes - stats.cached_bytes);
}

void iova_check(struct phyr_iova *iova)
{
	struct seen seen = {0};
	uint64_t all = iova->last - iova->start + 1;

	if (iova->tree.root)
		check_node(iova->tree.root, NULL, &seen);
	check_order(iova);
	assert_int_equal(seen.nodes, iova->pool.used);
	assert_int_equal(seen.holes, iova->holes);
	assert_int_equal(seen.hole_bytes, iova->hole_bytes);
	assert_int_equal(seen.free_bytes + seen.hole_bytes + iova->out_bytes, all);
	assert_true(seen.nodes <= iova->out + 2 * iova->holes + 1);
	assert_true(iova->out + 2 * iova->holes + 1 <= iova->pool.capacity);
	assert_int_equal(iova->drains, 0);
	check_caches(iova, &seen);
}
