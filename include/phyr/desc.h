/* SPDX-License-Identifier: MIT */
/*
 * Builders of device words from mapped memory. A builder sees a cursor over dma addresses and the
 * device's page size; nothing of where the addresses come from.
 */
#ifndef PHYR_DESC_H
#define PHYR_DESC_H

#include <phyr/dma.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A PRP list page: a page of the controller, from a pool. */
struct phyr_prp_page {
	uint64_t *cpu;
	phyr_dma_addr_t dma;
};

/**
 * A request's PRP entries, as NVMe Base 2.0 section 4.1.1 has them.
 *
 * pages is the caller's array for the list pages that the request takes; they stay with it, to be
 * used again by the next request, until phyr_prp_fini().
 */
struct phyr_prp {
	uint64_t prp1;
	uint64_t prp2;
	struct phyr_dma_pool *pool;  /**< of blocks of one controller page, aligned to it */
	struct phyr_prp_page *pages; /**< caller's array */
	uint32_t nr_pages;           /**< list pages taken so far */
	uint32_t max_pages;          /**< room in pages */
	uint32_t page_lg2;           /**< controller page: 12 (4 KiB) to 16 (64 KiB) */
};

/**
 * Start a builder; it holds no list page yet.
 *
 * @param page_lg2   CC.MPS + 12, 12 to 16
 * @param pool       of blocks of a controller page, aligned to it; borrowed; its device's environment
 *                   takes the reports. NULL: no lists, two pages at the most, no reports
 * @param pages      room for list pages, borrowed; may be NULL with max_pages 0
 */
PHYR_API void phyr_prp_init(struct phyr_prp *prp, unsigned page_lg2, struct phyr_dma_pool *pool,
			    struct phyr_prp_page *pages, unsigned max_pages);

/** Give the list pages back to the pool; the device has read them. */
PHYR_API void phyr_prp_fini(struct phyr_prp *prp);

/** List pages that len bytes can take at most, wherever they start; UINT32_MAX: that or more. */
PHYR_API unsigned phyr_prp_pages_needed(unsigned page_lg2, uint64_t len);

/**
 * Build the entries of all that a cursor has left.
 *
 * The first address may have any offset that is a multiple of 4 (the dword rule); each inner edge
 * lies on a controller page; the end may lie anywhere. List pages of the request before are written
 * again: the device is done with them.
 *
 * @param cur  over dma addresses; advanced on success, untouched on failure
 * Cost: O(entries); scattered pages go by span, at the speed of a copy. Allocates nothing once there
 * are list pages enough.
 * @return 0; -EINVAL nothing left, dword rule, an inner edge off the controller's page, a pool of
 *         other blocks; -E2BIG more list pages than there is room; -ENOMEM the pool gives none (its
 *         own report comes first). prp1, prp2 are written on success only; list pages that were
 *         taken stay with the builder.
 */
PHYR_API int phyr_prp_build(struct phyr_prp *prp, struct phyr_cursor *cur);

#ifdef __cplusplus
}
#endif
#endif
