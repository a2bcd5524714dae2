/* SPDX-License-Identifier: MIT */
/*
 * Devices of a kernel backend. One list over all its domains, so that a device or group that is in use
 * in another domain is found here, before the kernel says so in fewer words.
 */
#include "backend/kernel.h"

#include "core/bits.h"
#include "core/env.h"
#include "iommu/refuse.h"

#define CALL "phyr_domain_attach"

int phyr_kernel_refuse(struct kernel_why *why, int err, const char *hint)
{
	why->err = err;
	why->hint = hint;
	return err;
}

void phyr_kernel_allow(struct kernel_domain *domain, const struct phyr_aperture *aperture,
		       uint64_t limit)
{
	struct phyr_env *env = domain->kernel->iommu.env;

	env_lock(env, &domain->lock);
	domain->aperture = *aperture;
	domain->limit = limit;
	if (!domain->granule)
		domain->granule = kernel_granule(aperture);
	env_unlock(env, &domain->lock);
}

/* Where a device's entry is linked, or the list's end. Under the lock. */
static struct kernel_dev **find(struct kernel *kernel, uint32_t source)
{
	struct kernel_dev **link = &kernel->devs;

	while (*link && (*link)->source != source)
		link = &(*link)->next;
	return link;
}

/* A device of a foreign backend is one that its owner gave. */
static bool take_given(struct kernel *kernel, struct kernel_dev *dev)
{
	for (unsigned i = 0; i < kernel->nr_given; i++) {
		if (kernel->given[i].source != dev->source)
			continue;
		dev->fd = kernel->given[i].fd;
		return true;
	}
	return false;
}

static int attach_locked(struct kernel_domain *domain, struct kernel_dev *dev,
			 const struct phyr_pci_info *info, struct kernel_why *why)
{
	struct kernel *kernel = domain->kernel;
	struct kernel_dev **link = find(kernel, dev->source);
	int err;

	if (*link)
		return phyr_kernel_refuse(why, -EBUSY,
					  (*link)->domain == domain
						  ? "it is attached to this domain already"
						  : "it is attached to another domain");
	err = kernel->type->attach(domain, dev, info, why);
	if (!err)
		*link = dev;
	return err;
}

static int attach_fail(struct kernel_domain *domain, uint32_t source, const struct kernel_why *why)
{
	return env_fail(domain->kernel->iommu.env, .err = why->err, .call = CALL, .index = source,
			.index_of = "device", .hint = why->hint);
}

static int attach(struct kernel_domain *domain, uint32_t source, const struct phyr_pci_info *info,
		  struct kernel_why *why)
{
	struct kernel *kernel = domain->kernel;
	struct phyr_env *env = kernel->iommu.env;
	struct kernel_dev *dev = env_alloc(env, sizeof(*dev));
	int err;

	if (!dev)
		return phyr_kernel_refuse(why, -ENOMEM, "no memory for the device");
	*dev = (struct kernel_dev){.domain = domain, .source = source, .fd = -1};
	if (kernel->foreign && !take_given(kernel, dev)) {
		err = phyr_kernel_refuse(why, -ENODEV,
					 "it is none of the devices that the backend was given");
	} else {
		env_lock(env, &kernel->lock);
		err = attach_locked(domain, dev, info, why);
		env_unlock(env, &kernel->lock);
	}
	if (err)
		env_free(env, dev, sizeof(*dev));
	return err;
}

int phyr_kernel_attach(void *ctx, uint32_t source)
{
	struct kernel_domain *domain = ctx;
	struct kernel *kernel = domain->kernel;
	struct phyr_pci_info info = {.group = -1};
	struct kernel_why why;
	int err = 0;

	if (!kernel->foreign)
		err = phyr_pci_find(kernel->iommu.env, source, &info);
	if (err)
		phyr_kernel_refuse(&why, err, "there is no such PCI device, or it cannot be read");
	else
		err = attach(domain, source, &info, &why);
	return err ? attach_fail(domain, source, &why) : 0;
}

void phyr_kernel_detach(void *ctx, uint32_t source)
{
	struct kernel_domain *domain = ctx;
	struct kernel *kernel = domain->kernel;
	struct phyr_env *env = kernel->iommu.env;
	struct kernel_dev **link, *dev;

	env_lock(env, &kernel->lock);
	link = find(kernel, source);
	dev = *link;
	if (dev && dev->domain == domain) {
		*link = dev->next;
		kernel->type->detach(domain, dev);
	} else {
		dev = NULL;
	}
	env_unlock(env, &kernel->lock);
	env_free(env, dev, sizeof(*dev));
}

void phyr_kernel_aperture(void *ctx, struct phyr_aperture *out)
{
	struct kernel_domain *domain = ctx;
	struct phyr_env *env = domain->kernel->iommu.env;

	env_lock(env, &domain->lock);
	*out = domain->aperture;
	env_unlock(env, &domain->lock);
}

int phyr_vfio_device_fd(struct phyr_iommu *iommu, uint32_t source, int *fd)
{
	static const char call[] = "phyr_vfio_device_fd";
	struct kernel *kernel = container_of(iommu, struct kernel, iommu);
	const struct kernel_dev *dev;
	int found = -1;

	if (iommu->destroy != phyr_kernel_destroy)
		return env_fail(iommu->env, .err = -EOPNOTSUPP, .call = call, .index = source,
				.index_of = "device",
				.hint = "the backend has no descriptors: it is not the kernel's");
	env_lock(iommu->env, &kernel->lock);
	dev = *find(kernel, source);
	if (dev)
		found = dev->fd;
	env_unlock(iommu->env, &kernel->lock);
	if (!dev)
		return env_fail(iommu->env, .err = -ENODEV, .call = call, .index = source,
				.index_of = "device",
				.hint = "it is attached to no domain of this backend");
	*fd = found;
	return 0;
}
