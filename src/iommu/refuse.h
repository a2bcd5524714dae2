/* SPDX-License-Identifier: MIT */
/* What is said of a domain, a device or memory that is not taken, where a backend has nothing to add. */
#ifndef IOMMU_REFUSE_H
#define IOMMU_REFUSE_H

#include <phyr/iommu.h>

/* Report that phyr_domain_create() fails, and return @err. */
int phyr_iommu_create_failed(struct phyr_env *env, int err);

/* Report that phyr_domain_attach() fails, and return @err. */
int phyr_iommu_attach_failed(struct phyr_env *env, uint32_t source, int err);

/* Why memory of a space is not taken where memory of these kinds is. */
const char *phyr_iommu_kind_hint(const struct phyr_space *space, unsigned kinds);

#endif
