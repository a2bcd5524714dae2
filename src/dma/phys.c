/* SPDX-License-Identifier: MIT */
/* Mapping of one range. */
#include "dma/phys.h"

static int map_behind(struct phyr_dev *dev, const struct dma_ask *ask, uint64_t index,
		      uint64_t align, phyr_dma_addr_t *out)
{
	struct window_want want = {ask->addr, ask->len, align, .must = align != 0};
	struct phyr_dma_iova_state window;
	struct phyr_cursor cur;
	struct window_fill fill = {ask->space, &cur, dir_prot(ask->dir)};
	int err;

	if (!align)
		want.align = window_leaf(dev, ask->addr, ask->len, 1);
	err = phyr_window_alloc(dev, &want, &window);
	if (unlikely(err))
		return phyr_dev_no_window(dev, ask, index, err);
	phyr_cursor_init_range(&cur, ask->addr, ask->len);
	err = phyr_window_fill(dev, &window, &fill);
	if (unlikely(err))
		return phyr_dev_map_failed(dev, ask, index, err);
	*out = window.addr;
	return 0;
}

static int map_direct(struct phyr_dev *dev, const struct dma_ask *ask, uint64_t index,
		      phyr_dma_addr_t *out)
{
	struct phyr_range range = {ask->addr, ask->len};

	if (unlikely(!direct_reach(dev, ask->addr, ask->len)))
		return phyr_dev_refuse_reach(dev, ask, &range, index);
	*out = ask->addr + dev->bus_offset;
	return 0;
}

int phyr_phys_map(struct phyr_dev *dev, const struct dma_ask *ask, uint64_t index, uint64_t align,
		  phyr_dma_addr_t *out)
{
	return dev->translates ? map_behind(dev, ask, index, align, out)
			       : map_direct(dev, ask, index, out);
}

bool phyr_phys_unmap(struct phyr_dev *dev, const char *call, phyr_dma_addr_t addr, uint64_t len)
{
	struct phyr_dma_iova_state window = {addr, len};

	return !dev->translates || phyr_window_close(dev, call, &window, len);
}

int phyr_dma_map_phys(struct phyr_dev *dev, const struct phyr_space *space, phyr_addr_t addr,
		      uint64_t size, enum phyr_dma_dir dir, unsigned attrs, phyr_dma_addr_t *out)
{
	struct dma_ask ask = {"phyr_dma_map_phys", space, addr, size, dir, attrs};
	int err;

	if (unlikely(range_is_bad(addr, size)))
		return phyr_dev_refuse_range(dev, &ask);
	if (unlikely(!dir_is_good(dir, attrs) || !dev_takes(dev, space)))
		return phyr_dev_refuse(dev, &ask);
	err = phyr_phys_map(dev, &ask, 0, 0, out);
	if (likely(!err))
		count_add(&dev_counts(dev)->mapped_phys, 1);
	return err;
}

void phyr_dma_unmap_phys(struct phyr_dev *dev, phyr_dma_addr_t addr, uint64_t size,
			 enum phyr_dma_dir dir, unsigned attrs)
{
	static const char call[] = "phyr_dma_unmap_phys";

	if (unlikely(!dir_is_good(dir, attrs)))
		phyr_dev_refuse_dir(dev, call, dir, addr, size);
	else
		phyr_phys_unmap(dev, call, addr, size);
}
