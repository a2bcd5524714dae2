/* SPDX-License-Identifier: MIT */
/*
 * Windows as all mapping calls share them: iova for a piece of memory, of which the first byte lies
 * as deep in its granule as the memory does.
 */
#ifndef DMA_WINDOW_H
#define DMA_WINDOW_H

#include "dma/dev.h"

/* What a window is wanted for. */
struct window_want {
	phyr_addr_t addr; /* first byte of the memory */
	uint64_t size;    /* bytes, not 0 */
	uint64_t align;   /* iova ≡ addr modulo this power of two; up to the granule: no wish */
	bool must;        /* rather no window than one that is not aligned */
};

/* What goes into a window. */
struct window_fill {
	const struct phyr_space *space; /* what the cursor's addresses mean */
	struct phyr_cursor *cur;
	unsigned prot;
};

/*
 * The largest leaf that [addr, addr + size) can use when iova ≡ addr modulo it; 1 where that is the
 * granule. Memory in so many runs that such leaves are rare gets no wish either: an aligned window
 * is dearer than any one.
 */
uint64_t phyr_window_leaf_slow(const struct phyr_dev *dev, phyr_addr_t addr, uint64_t size,
			       uint64_t nr_runs);

static inline uint64_t window_leaf(const struct phyr_dev *dev, phyr_addr_t addr, uint64_t size,
				   uint64_t nr_runs)
{
	if (size < (dev->leaves & -dev->leaves) || !dev->leaves)
		return 1;
	return phyr_window_leaf_slow(dev, addr, size, nr_runs);
}

/* Take iova. @return 0; -ENOSPC; -ENOMEM: *state is untouched */
int phyr_window_alloc(struct phyr_dev *dev, const struct window_want *want,
		      struct phyr_dma_iova_state *state);

/* Give the iova back; nothing is mapped there. */
void phyr_window_free(struct phyr_dev *dev, const struct phyr_dma_iova_state *state);

/*
 * Map all of @fill at a window that was taken just now, and make it visible; on failure nothing is
 * mapped and the window is given back, unless what was mapped could not be undone. What fails below
 * reports itself.
 * @return 0; as domain_map(), domain_sync_map()
 */
int phyr_window_fill(struct phyr_dev *dev, const struct phyr_dma_iova_state *window,
		     const struct window_fill *fill);

/*
 * Unmap [addr, addr + len), wait for the invalidation; the iova stays taken.
 * @return 0; -EINVAL, -ERANGE as domain_unmap(): nothing changed; -EIO the kernel's, see there
 */
int phyr_window_unmap(struct phyr_dev *dev, phyr_dma_addr_t addr, uint64_t len);

/* What is said when it fails; @edge unless the kernel did. */
const char *phyr_window_unmap_hint(int err, const char *edge);

/* Whether a link begins @offset bytes into a window that is to be given back; then that is reported. */
bool phyr_window_has_link(struct phyr_dev *dev, const char *call,
			  const struct phyr_dma_iova_state *state, uint64_t offset);

/*
 * Unmap a window that is linked up to @mapped_len, and give its iova back. What can't be unmapped, or
 * is linked behind, is reported and keeps its iova: better lost than mapped under the next owner's
 * feet.
 */
bool phyr_window_close(struct phyr_dev *dev, const char *call,
		       const struct phyr_dma_iova_state *state, uint64_t mapped_len);

#endif
