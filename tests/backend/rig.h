/* SPDX-License-Identifier: MIT */
/* A simulated machine with two devices, pinned memory, and one of the backends with a domain. */
#ifndef TESTS_BACKEND_RIG_H
#define TESTS_BACKEND_RIG_H

#include <phyr/backend.h>
#include <phyr/sim.h>

#include "lib/tenv.h"

#define RIG_MEMORY  (8u << 20)
#define RIG_SOURCE  0x0100 /* the first device; the next one has the next id */
#define RIG_DEVICES 2

struct rig_kind {
	const char *name;
	bool translates;
	enum phyr_pgtbl_format format; /* of a backend that translates */
	enum phyr_sim_scatter scatter;
};

struct rig {
	const struct rig_kind *kind;
	struct tenv t; /* on top of the machine's own environment */
	struct phyr_sim *sim;
	struct phyr_sim_dev *devs[RIG_DEVICES];
	struct phyr_iommu *iommu;
	struct phyr_domain *domain;
	unsigned char *memory; /* RIG_MEMORY bytes, aligned to 2 MiB, pinned */
	struct phyr_list list; /* what it is */

	/* The last fault that the domain was told of, and how many. */
	struct phyr_fault fault;
	unsigned faults;
};

/* Two devices that are attached to nothing yet. */
void rig_init(struct rig *rig, const struct rig_kind *kind);
/* The devices are detached; fails the test when anything is left over. */
void rig_fini(struct rig *rig);

/* Map [offset, offset + len) of the memory at an iova that is taken for it. */
int rig_map(struct rig *rig, uint64_t offset, uint64_t len, unsigned prot, uint64_t *iova);
/* Unmap it, sync, and give the iova back. */
void rig_unmap(struct rig *rig, uint64_t iova, uint64_t len);

/* The physical address of a byte of the memory. */
uint64_t rig_phys(struct rig *rig, uint64_t offset);

/* Let the first device write, or read and compare, len bytes of a pattern. 0, or -EFAULT */
int rig_write(struct rig *rig, uint64_t addr, unsigned char first, uint64_t len);
int rig_read(struct rig *rig, uint64_t addr, unsigned char first, uint64_t len);
/* Whether memory holds that pattern. */
bool rig_holds(const struct rig *rig, uint64_t offset, unsigned char first, uint64_t len);

#endif
