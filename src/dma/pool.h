/* SPDX-License-Identifier: MIT */
/* A pool's facts, for a builder that takes blocks from it. */
#ifndef DMA_POOL_H
#define DMA_POOL_H

#include <phyr/dma.h>

/* Whether every block holds @size bytes and is aligned to it, which is a power of two. */
bool phyr_dma_pool_fits(const struct phyr_dma_pool *pool, uint64_t size);

/* Where what went wrong with its blocks is told. */
struct phyr_env *phyr_dma_pool_env(const struct phyr_dma_pool *pool);

#endif
