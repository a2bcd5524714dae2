/* SPDX-License-Identifier: MIT */
/*
 * The device from inside: what each mapping call reads of it, and the checks that they share.
 *
 * All but the counters is constant once the device is attached, so no call takes a lock here.
 */
#ifndef DMA_DEV_H
#define DMA_DEV_H

#include <phyr/dma.h>

#include "core/bits.h"
#include "core/env.h"
#include "core/order.h"
#include "core/slots.h"
#include "iommu/domain.h"

struct dev_counts {
	uint64_t links;
	uint64_t how[4];
	uint64_t mapped_phys;
	uint64_t syncs;
	uint64_t pad;
};

_Static_assert(sizeof(struct dev_counts) == SLOT_LINE, "a slot's counters are one line");
_Static_assert(sizeof(struct phyr_dma_iova_state) == 16, "a window's state is two words");

struct phyr_dev {
	struct phyr_domain *domain;
	struct phyr_env *env;
	struct dev_counts *counts; /* env->nr_slots of them */
	uint64_t mask;             /* highest dma address; ~0 where the limits have none */
	uint64_t granule_mask;     /* granule - 1; 0 where nothing is translated */
	uint64_t leaves;           /* leaf sizes above the granule; 0: none */
	uint64_t bus_offset;       /* 0 behind an IOMMU */
	uint64_t longest;          /* bytes in the longest stretch of usable dma addresses */
	unsigned kinds;            /* of memory that it can be given, OR of 1 << enum phyr_kind */
	bool translates;
	uint32_t source;
	struct phyr_limits limits;
	void *counts_mem; /* what counts lies in */
};

/* The space of every dma list: only its address means anything. */
extern const struct phyr_space phyr_dma_list_space;

static inline struct dev_counts *dev_counts(struct phyr_dev *dev)
{
	return &dev->counts[env_slot(dev->env)];
}

/* What a device may do with memory that moves this way. */
static inline unsigned dir_prot(enum phyr_dma_dir dir)
{
	static const unsigned char prot[] = {
		[PHYR_DMA_BIDIRECTIONAL] = PHYR_READ | PHYR_WRITE,
		[PHYR_DMA_TO_DEVICE] = PHYR_READ,
		[PHYR_DMA_FROM_DEVICE] = PHYR_WRITE,
	};

	return prot[dir];
}

static inline bool dir_is_good(enum phyr_dma_dir dir, unsigned attrs)
{
	return (unsigned)dir <= PHYR_DMA_FROM_DEVICE && !attrs;
}

/* Whether a device can be given memory of this space. */
static inline bool dev_takes(const struct phyr_dev *dev, const struct phyr_space *space)
{
	unsigned kind = space ? (unsigned)space->kind : PHYR_KIND_RAM;

	return kind <= PHYR_KIND_P2P && dev->kinds >> kind & 1 && space != &phyr_dma_list_space;
}

#endif
