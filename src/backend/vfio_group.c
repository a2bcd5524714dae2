/* SPDX-License-Identifier: MIT */
/* IOMMU groups: opened with their first device, in the container until the last one goes. */
#include "backend/vfio.h"

#include <linux/vfio.h>
#include <stdio.h>

#include "core/bits.h"
#include "core/env.h"

int phyr_vfio_attach_error(int err)
{
	switch (err) {
	case -EBUSY:
	case -ENODEV:
	case -ENOMEM:
	case -EMFILE:
	case -ENFILE:
		return err;
	default:
		return -EOPNOTSUPP;
	}
}

static int open_failed(const struct phyr_pci_info *info, int err, struct kernel_why *why)
{
	const char *hint = "its group's file, /dev/vfio/GROUP, cannot be opened";

	if (err == -ENOENT)
		hint = info->driver[0]
			       ? "no device of its group is bound to VFIO: bind it to "
				 "vfio-pci instead of the driver it has"
			       : "no device of its group is bound to VFIO: bind it to vfio-pci";
	else if (err == -EBUSY)
		hint = "somebody else has its group open, or a device of it";
	else if (err == -EACCES || err == -EPERM)
		hint = "no right to open its group's file, /dev/vfio/GROUP: let a udev rule give "
		       "it";
	return phyr_kernel_refuse(why, err, hint);
}

static int check_viable(struct kernel_domain *domain, int fd, struct kernel_why *why)
{
	struct vfio_group_status status = {.argsz = sizeof(status)};
	int err = phyr_kernel_call(domain, fd, VFIO_GROUP_GET_STATUS, &status);

	if (err < 0)
		return phyr_kernel_refuse(why, phyr_vfio_attach_error(err),
					  "the group has no status");
	if (!(status.flags & VFIO_GROUP_FLAGS_VIABLE))
		return phyr_kernel_refuse(
			why, -EBUSY,
			"other devices of its group are bound to other drivers: bind "
			"all of the group to vfio-pci, or to none");
	return 0;
}

bool phyr_vfio_has_group(const struct kernel_domain *domain)
{
	const struct kernel_group *group = domain->kernel->groups;

	while (group && group->domain != domain)
		group = group->next;
	return group;
}

/* Put a group into the container; the first one gives it its IOMMU. */
static int enter(struct kernel_domain *domain, int fd, struct kernel_why *why)
{
	int err = phyr_kernel_call(domain, fd, VFIO_GROUP_SET_CONTAINER, &domain->fd);

	if (err == -EINVAL && phyr_vfio_has_group(domain))
		return phyr_kernel_refuse(why, -EBUSY,
					  "what is mapped does not go with what its IOMMU allows");
	if (err < 0)
		return phyr_kernel_refuse(why, phyr_vfio_attach_error(err),
					  "its group does not go with the others in the domain");
	if (phyr_vfio_has_group(domain))
		return 0;
	err = phyr_kernel_call(domain, domain->fd, VFIO_SET_IOMMU,
			       (void *)(uintptr_t)VFIO_TYPE1v2_IOMMU);
	if (err == -EPERM)
		return phyr_kernel_refuse(
			why, -EOPNOTSUPP,
			"the IOMMU does not keep devices' interrupts apart: if that "
			"is wanted, vfio_iommu_type1.allow_unsafe_interrupts=1");
	if (err < 0)
		return phyr_kernel_refuse(why, phyr_vfio_attach_error(err),
					  "the IOMMU driver takes no type 1 version 2");
	return 0;
}

/* NULL: why says it. */
static struct kernel_group *open_group(struct kernel_domain *domain,
				       const struct phyr_pci_info *info, struct kernel_why *why)
{
	struct kernel *kernel = domain->kernel;
	struct kernel_group *group = env_alloc(kernel->iommu.env, sizeof(*group));
	char path[32];
	int err = 0;

	if (!group) {
		phyr_kernel_refuse(why, -ENOMEM, "no memory for the group");
		return NULL;
	}
	snprintf(path, sizeof(path), "/dev/vfio/%d", info->group);
	*group = (struct kernel_group){.domain = domain, .id = info->group};
	group->fd = phyr_kernel_open(path);
	if (group->fd < 0)
		err = open_failed(info, group->fd, why);
	if (!err)
		err = check_viable(domain, group->fd, why);
	if (!err)
		err = enter(domain, group->fd, why);
	if (err) {
		phyr_kernel_close(group->fd);
		env_free(kernel->iommu.env, group, sizeof(*group));
		return NULL;
	}
	group->next = kernel->groups;
	kernel->groups = group;
	return group;
}

int phyr_vfio_get_group(struct kernel_domain *domain, const struct phyr_pci_info *info,
			struct kernel_group **out, struct kernel_why *why)
{
	struct kernel_group *group = domain->kernel->groups;

	if (info->group < 0)
		return phyr_kernel_refuse(
			why, -EOPNOTSUPP,
			"it is behind no IOMMU, or the IOMMU is off (intel_iommu=on "
			"on the kernel's command line)");
	while (group && group->id != info->group)
		group = group->next;
	if (group && group->domain != domain)
		return phyr_kernel_refuse(why, -EBUSY,
					  "a device of its group is attached to another domain");
	if (!group)
		group = open_group(domain, info, why);
	if (!group)
		return why->err;
	group->nr_devs++;
	*out = group;
	return 0;
}

void phyr_vfio_put_group(struct kernel_domain *domain, struct kernel_group *group)
{
	struct kernel *kernel = domain->kernel;
	struct kernel_group **link = &kernel->groups;

	if (--group->nr_devs)
		return;
	while (*link != group)
		link = &(*link)->next;
	*link = group->next;
	phyr_kernel_close(group->fd);
	env_free(kernel->iommu.env, group, sizeof(*group));
}
