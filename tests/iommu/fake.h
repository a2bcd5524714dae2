/* SPDX-License-Identifier: MIT */
/* A backend that maps nothing: it answers as a test tells it to, and counts what it was asked. */
#ifndef TESTS_IOMMU_FAKE_H
#define TESTS_IOMMU_FAKE_H

#include <phyr/iommu.h>

struct fake {
	struct phyr_iommu iommu;
	struct phyr_iommu_caps caps;

	/* Answers. */
	int create_err;
	int attach_err;
	int map_err;
	int unmap_err;
	int sync_map_err;
	int reclaim_err;
	struct phyr_gather leaves; /* what map, unmap and reclaim add to a gather */
	struct phyr_aperture aperture;

	/* What was asked. */
	unsigned calls;
	unsigned domains;
	unsigned attached;
	unsigned syncs;
	unsigned reclaims;
	struct phyr_iova_hole reclaimed[4]; /* the first ones */
	struct phyr_gather synced;          /* as the last sync found it */
	phyr_fault_fn *fault;
	void *fault_arg;
};

void fake_init(struct fake *fake, struct phyr_env *env, bool translates);

#endif
