/* SPDX-License-Identifier: MIT */
/* The IOMMU: a table a device, walked through caches. */
#ifndef SIM_IOMMU_H
#define SIM_IOMMU_H

#include <phyr/sim.h>
#include <pthread.h>

#include "sim/bitmap.h"
#include "sim/iotlb.h"
#include "sim/walk.h"

/* What the IOMMU knows of a device. */
struct sim_context {
	bool bypass; /* the device is in front of no IOMMU */
	bool has_table;
	struct sim_regime regime; /* of its table */
	phyr_fault_fn *fault;
	void *arg;
};

/* Domain numbers: 16 bits, as VT-d's; 0 is none. */
#define SIM_DOMAINS 65536

/* All that there are. */
#define SIM_FORMATS                                                                  \
	(1u << PHYR_PGTBL_X86_64 | 1u << PHYR_PGTBL_VTDSS | 1u << PHYR_PGTBL_AMDV1 | \
	 1u << PHYR_PGTBL_ARM64_S1 | 1u << PHYR_PGTBL_ARM64_S2 | 1u << PHYR_PGTBL_RISCV64)

struct sim_iommu {
	struct phyr_soft_hw hw;
	pthread_mutex_t lock; /* guards all of it and the devices' contexts */
	unsigned aw_bits;
	unsigned oa_bits;
	unsigned formats;
	unsigned bbm;
	bool noncoherent;
	struct sim_iotlb leaves;   /* leaf entries */
	struct sim_iotlb tables;   /* entries that lead to tables */
	struct sim_bitmap domains; /* numbers that are in use */
	uint64_t hits;
	uint64_t misses;
	uint64_t invalidations;
};

/* The functions of struct sim_iommu's hw. */
extern const struct phyr_soft_hw phyr_sim_iommu_hw;

/* Why settings won't do; NULL: they will. */
const char *phyr_sim_iommu_check(const struct phyr_sim_config *config);

int phyr_sim_iommu_init(struct sim_iommu *iommu, const struct phyr_sim_config *config);
void phyr_sim_iommu_fini(struct sim_iommu *iommu);

/*
 * Where an access of a device's to @iova goes, in a turn. In *len: bytes asked for, and out, how
 * many lie together in physical memory. A blocked access is logged, and told to the domain's
 * handler. 0 or -EFAULT.
 */
int phyr_sim_iommu_translate(struct phyr_sim_dev *sdev, phyr_dma_addr_t iova, unsigned access,
			     phyr_addr_t *addr, uint64_t *len);

/* Log a blocked access, and tell the domain's handler. */
void phyr_sim_iommu_block(struct phyr_sim_dev *sdev, phyr_dma_addr_t iova, unsigned access,
			  enum phyr_fault_reason reason);

void phyr_sim_iommu_stats(struct sim_iommu *iommu, struct phyr_sim_stats *stats);

#endif
