/* SPDX-License-Identifier: MIT */
/* What phyr and the simulated machine count. */
#include "stats.h"

struct counts counts_now(struct phyr *p)
{
	struct phyr_domain_stats domain;
	struct phyr_dev_stats dev;
	struct phyr_sim_stats sim = {0};
	struct counts c;

	phyr_domain_get_stats(phyr_dev_domain(phyr_get_dev(p)), &domain);
	phyr_dev_get_stats(phyr_get_dev(p), &dev);
	if (phyr_get_sim(p))
		phyr_sim_get_stats(phyr_get_sim(p), &sim);
	c = (struct counts){
		.links = dev.links,
		.walks = domain.maps + domain.unmaps,
		.ptes = domain.entries,
		.syncs = domain.map_syncs,
		.invalidations = domain.invalidations,
		.ioctls = domain.ioctls,
		.iotlb_hits = sim.iotlb_hits,
		.iotlb_misses = sim.iotlb_misses,
	};
	return c;
}

struct counts counts_since(const struct counts *before, const struct counts *now)
{
	struct counts d = {
		.links = now->links - before->links,
		.walks = now->walks - before->walks,
		.ptes = now->ptes - before->ptes,
		.syncs = now->syncs - before->syncs,
		.invalidations = now->invalidations - before->invalidations,
		.ioctls = now->ioctls - before->ioctls,
		.iotlb_hits = now->iotlb_hits - before->iotlb_hits,
		.iotlb_misses = now->iotlb_misses - before->iotlb_misses,
	};

	return d;
}
