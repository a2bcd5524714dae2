/* SPDX-License-Identifier: MIT */
/* One range at a time, for the calls that map several. */
#ifndef DMA_PHYS_H
#define DMA_PHYS_H

#include "dma/refuse.h"
#include "dma/window.h"

/* Whether a device without an IOMMU reaches a range, which is addr + bus offset for it. */
static inline bool direct_reach(const struct phyr_dev *dev, phyr_addr_t addr, uint64_t len)
{
	uint64_t first = addr + dev->bus_offset, last = first + (len - 1);

	return last >= first && last <= dev->mask;
}

/*
 * Map the range that @ask tells of, checked already; what fails is reported with @index.
 *
 * @align  behind an IOMMU: iova ≡ addr modulo this power of two; 0: as its leaves like it
 * @return 0; -EOPNOTSUPP out of reach; -ENOSPC; -ENOMEM; -ERANGE
 */
int phyr_phys_map(struct phyr_dev *dev, const struct dma_ask *ask, uint64_t index, uint64_t align,
		  phyr_dma_addr_t *out);

/* Unmap it again. False: it was not mapped like that, and stays; that is reported. */
bool phyr_phys_unmap(struct phyr_dev *dev, const char *call, phyr_dma_addr_t addr, uint64_t len);

#endif
