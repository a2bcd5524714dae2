/* SPDX-License-Identifier: MIT */
/*
 * The machine, of its parts.
 *
 * Locks, in the order in which they are taken: a turn (one device at a time), the IOMMU, then any
 * one of memory, tables, faults, queue. Who waits for a turn's end holds nothing.
 */
#ifndef SIM_MACHINE_H
#define SIM_MACHINE_H

#include "core/bits.h"
#include "sim/faults.h"
#include "sim/iommu.h"
#include "sim/memory.h"
#include "sim/tables.h"
#include "sim/turn.h"

struct phyr_sim {
	struct sim_memory memory;
	struct sim_tables tables;
	struct sim_iommu iommu;
	struct sim_faults faults;
	struct sim_turns turns;
	struct phyr_space space;
	struct phyr_sim_dev **devs; /* changed in a turn, with the IOMMU's lock; read with either */
	unsigned nr_devs;
	uint64_t dma_bytes;
};

static inline struct phyr_sim *sim_of_iommu(struct sim_iommu *iommu)
{
	return container_of(iommu, struct phyr_sim, iommu);
}

struct phyr_sim_dev {
	struct phyr_regs regs;
	struct phyr_sim *sim;
	const struct phyr_sim_dev_ops *ops;
	void *priv;
	uint32_t source;
	bool work;                  /* step is due; in a turn */
	struct sim_context context; /* the IOMMU's */
	struct {
		void (*fn)(void *arg, unsigned vector);
		void *arg;
	} irqs[PHYR_SIM_VECTORS];
};

/* Devices in the machine now. */
unsigned phyr_sim_nr_devs(struct phyr_sim *sim);

/* The CPU pointer of a physical address in either stretch, as in struct phyr_space. */
void *phyr_sim_to_cpu(struct phyr_sim *sim, phyr_addr_t addr, uint64_t *len);

#endif
