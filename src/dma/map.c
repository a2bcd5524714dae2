/* SPDX-License-Identifier: MIT */
/*
 * Mapping of a list in one call, by the first of three answers that fits:
 *
 *   SAME     the device sees memory as it is: nothing is done, the dma list is the list itself
 *   WINDOW   behind an IOMMU, no inner edge inside a granule: one window, one walk, one sync
 *   RANGES   all others: each run its own dma address, written down in a list
 *
 * What decides is recorded in the list while it is built: its gap mask and its highest address.
 */
#include "dma/map.h"
#include "dma/window.h"

static const char map_call[] = "phyr_dma_map";

static struct dma_ask map_ask(const struct phyr_dma_map *m)
{
	return (struct dma_ask){
		.call = map_call,
		.space = m->src->space,
		.addr = phyr_list_first_addr(m->src),
		.len = m->src->len,
		.dir = m->dir,
		.attrs = m->attrs,
	};
}

static __attribute__((noinline)) int map_refuse(struct phyr_dev *dev, const struct phyr_dma_map *m)
{
	struct dma_ask ask = map_ask(m);

	if (!ask.len)
		return env_fail(dev->env, .err = -EINVAL, .call = map_call,
				.hint = "the list is empty");
	return phyr_dev_refuse(dev, &ask);
}

static __attribute__((noinline)) int map_out_of_reach(struct phyr_dev *dev,
						      const struct phyr_dma_map *m)
{
	struct dma_ask ask = map_ask(m);
	struct phyr_range run = {0};
	struct phyr_cursor cur;
	uint64_t index = 0;

	phyr_cursor_init(&cur, m->src);
	while (phyr_cursor_next(&cur, &run) && run.addr + (run.len - 1) <= dev->mask)
		index++;
	return phyr_dev_refuse_reach(dev, &ask, &run, index);
}

static __attribute__((noinline)) int map_ranges(struct phyr_dev *dev, struct phyr_dma_map *m)
{
	struct dma_ask ask = map_ask(m);
	int err = phyr_ranges_map(dev, &ask, m);

	if (!err)
		m->how = PHYR_DMA_RANGES;
	return err;
}

static int map_direct(struct phyr_dev *dev, struct phyr_dma_map *m)
{
	if (dev->bus_offset)
		return map_ranges(dev, m);
	if (unlikely(m->src->last > dev->mask))
		return map_out_of_reach(dev, m);
	m->how = PHYR_DMA_SAME;
	return 0;
}

/* A list that did not get one window may get one a run; a single run would not fit either. */
static __attribute__((noinline)) int map_no_window(struct phyr_dev *dev, struct phyr_dma_map *m,
						   int err)
{
	struct dma_ask ask = map_ask(m);

	if (err != -ENOSPC)
		return err; /* reported by what failed */
	return m->src->nr_runs > 1 ? map_ranges(dev, m) : phyr_dev_no_window(dev, &ask, 0, err);
}

static int map_window(struct phyr_dev *dev, struct phyr_dma_map *m)
{
	const struct phyr_list *src = m->src;
	struct window_want want = {.size = src->len};
	struct phyr_cursor cur;
	struct window_fill fill = {src->space, &cur, dir_prot(m->dir)};
	int err;

	want.addr = phyr_list_first_addr(src);
	want.align = window_leaf(dev, want.addr, src->len, src->nr_runs);
	err = phyr_window_alloc(dev, &want, &m->state);
	if (unlikely(err))
		return map_no_window(dev, m, err);
	phyr_cursor_init(&cur, src);
	err = phyr_window_fill(dev, &m->state, &fill);
	if (likely(!err))
		m->how = PHYR_DMA_WINDOW;
	return err; /* reported by what failed */
}

int phyr_dma_map(struct phyr_dev *dev, const struct phyr_list *src, enum phyr_dma_dir dir,
		 unsigned attrs, struct phyr_dma_map *m)
{
	int err;

	m->src = src;
	m->how = PHYR_DMA_NONE;
	m->dir = dir;
	m->attrs = attrs;
	m->list.env = dev->env;
	m->list.len = 0; /* no dma list yet */
	if (unlikely(!src->len || !dir_is_good(dir, attrs) || !dev_takes(dev, src->space)))
		return map_refuse(dev, m);
	if (!dev->translates)
		err = map_direct(dev, m);
	else if (likely(!(src->gap_mask & dev->granule_mask)))
		err = map_window(dev, m);
	else
		err = map_ranges(dev, m);
	if (likely(!err))
		count_add(&dev_counts(dev)->how[m->how], 1);
	return err;
}

void phyr_dma_unmap(struct phyr_dev *dev, struct phyr_dma_map *m)
{
	if (m->how == PHYR_DMA_WINDOW) {
		phyr_window_close(dev, "phyr_dma_unmap", &m->state, m->state.size);
		if (m->list.len)
			phyr_list_fini(&m->list);
	} else if (m->how == PHYR_DMA_RANGES) {
		phyr_ranges_unmap(dev, m);
	}
	m->how = PHYR_DMA_NONE;
}

const struct phyr_list *phyr_dma_map_list(struct phyr_dma_map *m)
{
	switch (m->how) {
	case PHYR_DMA_SAME:
		return m->src;
	case PHYR_DMA_WINDOW:
		if (!m->list.len) {
			phyr_list_init(&m->list, m->list.env, &phyr_dma_list_space);
			phyr_list_append(&m->list, m->state.addr, m->state.size);
		}
		return &m->list;
	case PHYR_DMA_RANGES:
		return &m->list;
	default:
		return NULL;
	}
}
