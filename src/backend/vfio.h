/* SPDX-License-Identifier: MIT */
/* VFIO's containers, from inside: groups, and what a container says of itself. */
#ifndef BACKEND_VFIO_H
#define BACKEND_VFIO_H

#include "backend/kernel.h"

/* vfio_group.c, all with the backend's lock held. */

/* What the kernel says of a device that it does not hand out, in the seam's words. */
int phyr_vfio_attach_error(int err);
/* Whether a group is in the domain's container, which has an IOMMU then. */
bool phyr_vfio_has_group(const struct kernel_domain *domain);
/* A device's group, open and in the container. 0, or why->err. */
int phyr_vfio_get_group(struct kernel_domain *domain, const struct phyr_pci_info *info,
			struct kernel_group **out, struct kernel_why *why);
/* A device less. Its descriptor is closed already. */
void phyr_vfio_put_group(struct kernel_domain *domain, struct kernel_group *group);

/* vfio_master.c */

/* Keep a device from memory, whoever else holds its file; before that is closed. */
void phyr_vfio_stop(struct kernel_domain *domain, int fd);

/* vfio_info.c */

struct vfio_info {
	struct phyr_aperture aperture;
	uint64_t left; /* mappings that it takes beside those it has; UINT64_MAX: it does not say */
};

/* Ask it. 0, or what the kernel says; -EOPNOTSUPP: what it says cannot be. */
int phyr_vfio_read_info(struct kernel_domain *domain, struct vfio_info *info);

#endif
