/* SPDX-License-Identifier: MIT */
/* The third answer of phyr_dma_map(), for its first two. */
#ifndef DMA_MAP_H
#define DMA_MAP_H

#include "dma/refuse.h"

/*
 * Give each run of m->src its own dma address, and write them down in m->list. All or nothing.
 * @return as phyr_dma_map()
 */
int phyr_ranges_map(struct phyr_dev *dev, const struct dma_ask *ask, struct phyr_dma_map *m);

/* Take it back. */
void phyr_ranges_unmap(struct phyr_dev *dev, struct phyr_dma_map *m);

#endif
