/* SPDX-License-Identifier: MIT */
/* What a backend says of a domain or a device that it does not take, where it has nothing to add. */
#ifndef IOMMU_REFUSE_H
#define IOMMU_REFUSE_H

#include <phyr/iommu.h>

/* Report that phyr_domain_create() fails, and return @err. */
int phyr_iommu_create_failed(struct phyr_env *env, int err);

/* Report that phyr_domain_attach() fails, and return @err. */
int phyr_iommu_attach_failed(struct phyr_env *env, uint32_t source, int err);

#endif
