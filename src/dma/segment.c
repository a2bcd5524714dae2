/* SPDX-License-Identifier: MIT */
/* A mapped list as a builder of descriptors goes through it: by cursor, or piece by piece. */
#include "dma/dev.h"

static uint64_t map_len(const struct phyr_dma_map *m)
{
	switch (m->how) {
	case PHYR_DMA_SAME:
		return m->src->len;
	case PHYR_DMA_WINDOW:
		return m->state.size;
	case PHYR_DMA_RANGES:
		return m->list.len;
	default:
		return 0;
	}
}

int phyr_dma_map_cursor(const struct phyr_dma_map *m, uint64_t offset, uint64_t len,
			struct phyr_cursor *cur)
{
	uint64_t total = map_len(m);

	if (!len || offset > total || len > total - offset)
		return -EINVAL;
	if (likely(m->how == PHYR_DMA_WINDOW)) {
		phyr_cursor_init_range(cur, m->state.addr + offset, len);
		return 0;
	}
	return phyr_cursor_init_at(cur, m->how == PHYR_DMA_SAME ? m->src : &m->list, offset, len);
}

/* The most bytes that a segment from @addr on can have. */
static uint64_t segment_max(const struct phyr_limits *limits, phyr_dma_addr_t addr)
{
	uint64_t max = limits->max_seg_size ? limits->max_seg_size : UINT64_MAX;

	if (limits->seg_boundary)
		max = min_u64(max, limits->seg_boundary - (addr & (limits->seg_boundary - 1)));
	return max;
}

static bool iter_fill(const struct phyr_dma_map *m, struct phyr_dma_iter *iter)
{
	if (!iter->started) {
		if (phyr_dma_map_cursor(m, 0, map_len(m), &iter->cur))
			return false;
		iter->started = true;
	}
	return iter->rest.len || phyr_cursor_next(&iter->cur, &iter->rest);
}

int phyr_dma_map_next(struct phyr_dev *dev, const struct phyr_dma_map *m,
		      struct phyr_dma_iter *iter, struct phyr_dma_vec *vec)
{
	const struct phyr_limits *limits = &dev->limits;

	if (!iter_fill(m, iter))
		return 0;
	if (unlikely(limits->max_segments && iter->nr == limits->max_segments))
		return env_fail(dev->env, .err = -E2BIG, .call = "phyr_dma_map_next",
				.index = iter->nr, .index_of = "segment", .addr = iter->rest.addr,
				.len = iter->rest.len, .limit = limits->max_segments,
				.hint = "more segments than the device takes: split the request");
	vec->addr = iter->rest.addr;
	vec->len = min_u64(iter->rest.len, segment_max(limits, vec->addr));
	iter->rest.addr += vec->len;
	iter->rest.len -= vec->len;
	iter->nr++;
	return 1;
}
