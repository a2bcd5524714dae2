/* SPDX-License-Identifier: MIT */
/* Why a mapping call says no, as its report: out of line, for none of it is on a good call's way. */
#ifndef DMA_REFUSE_H
#define DMA_REFUSE_H

#include "dma/dev.h"

/* What a mapping call was asked, for its report. */
struct dma_ask {
	const char *call;
	const struct phyr_space *space;
	phyr_addr_t addr; /* first byte */
	uint64_t len;
	enum phyr_dma_dir dir;
	unsigned attrs;
};

/* Report why an ask fails that !dir_is_good() or !dev_takes(), and return the errno. */
int phyr_dev_refuse(struct phyr_dev *dev, const struct dma_ask *ask);

/* Refuse a direction or attributes in calls that name dma addresses and no memory. */
int phyr_dev_refuse_dir(struct phyr_dev *dev, const char *call, enum phyr_dma_dir dir,
			phyr_dma_addr_t addr, uint64_t len);

/* Refuse a range of length 0 or past 2^64: -EINVAL. */
int phyr_dev_refuse_range(struct phyr_dev *dev, const struct dma_ask *ask);

/*
 * Refuse memory that the device's mask does not reach: -EOPNOTSUPP, for a bounce would be needed.
 * @run is the first such, the @index-th of what was asked.
 */
int phyr_dev_refuse_reach(struct phyr_dev *dev, const struct dma_ask *ask,
			  const struct phyr_range *run, uint64_t index);

/* Report that there is no window for the range of @ask, the @index-th; returns @err. */
int phyr_dev_no_window(struct phyr_dev *dev, const struct dma_ask *ask, uint64_t index, int err);

/*
 * Report that the range of @ask, the @index-th of what was asked, could not be mapped; returns @err.
 * Of several ranges in one walk the page table reports itself which one it was.
 */
int phyr_dev_map_failed(struct phyr_dev *dev, const struct dma_ask *ask, uint64_t index, int err);

#endif
