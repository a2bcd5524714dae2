/* SPDX-License-Identifier: MIT */
/*
 * VFIO's containers, type 1 version 2.
 *
 *   domain = container ──┬── group 12 ──┬── device 0000:01:00.0
 *   /dev/vfio/vfio       │  /dev/vfio/12└── device 0000:01:00.1
 *                        └── group 17 ───── device 0000:02:00.0
 *
 * A group is all that the IOMMU cannot tell apart, so it is in one container as a whole. The container
 * has an IOMMU, and with it mappings, only while there is a group in it: the kernel forgets them with
 * the last one, and takes them again from our record with the next first one.
 */
#include "backend/vfio.h"

#include <linux/vfio.h>

#include "core/bits.h"
#include "core/env.h"

#define CONTAINER "/dev/vfio/vfio"

/* Whether the container is one, and takes type 1 version 2: 0, or the kernel's errno. */
static int check_container(int fd)
{
	int ret = phyr_kernel_ioctl(fd, VFIO_GET_API_VERSION, NULL);

	if (ret < 0)
		return ret;
	if (ret != VFIO_API_VERSION)
		return -EOPNOTSUPP;
	ret = phyr_kernel_ioctl(fd, VFIO_CHECK_EXTENSION, (void *)(uintptr_t)VFIO_TYPE1v2_IOMMU);
	return ret < 0 ? ret : ret ? 0 : -EOPNOTSUPP;
}

static int vfio_open(struct kernel_domain *domain)
{
	if (domain->kernel->foreign) {
		domain->live = true;
		return 0;
	}
	domain->fd = phyr_kernel_open(CONTAINER);
	return domain->fd < 0 ? domain->fd : 0;
}

static void vfio_close(struct kernel_domain *domain)
{
	if (!domain->kernel->foreign)
		phyr_kernel_close(domain->fd);
}

static int open_device(struct kernel_domain *domain, struct kernel_dev *dev, struct kernel_why *why)
{
	char name[PHYR_PCI_NAME];
	int fd;

	phyr_pci_format(dev->source, name);
	fd = phyr_kernel_call(domain, dev->group->fd, VFIO_GROUP_GET_DEVICE_FD, name);
	if (fd == -ENODEV)
		return phyr_kernel_refuse(why, fd, "it is not bound to a VFIO driver");
	if (fd < 0)
		return phyr_kernel_refuse(why, phyr_vfio_attach_error(fd),
					  "VFIO does not hand it out");
	dev->fd = fd;
	return 0;
}

/* Read what is allowed now. */
static int read_info(struct kernel_domain *domain, struct vfio_info *info, struct kernel_why *why)
{
	int err = phyr_vfio_read_info(domain, info);

	if (err == -ENOMEM)
		return phyr_kernel_refuse(why, err,
					  "the kernel has no memory to say what is allowed");
	if (err)
		return phyr_kernel_refuse(
			why, -EOPNOTSUPP,
			"the kernel does not say which iova are allowed (Linux 5.4 and "
			"newer do), allows none, or says what cannot be");
	return 0;
}

/* Mappings of ours that the container has. */
static uint64_t nr_maps(struct kernel_domain *domain)
{
	struct phyr_env *env = domain->kernel->iommu.env;
	uint64_t nr;

	env_lock(env, &domain->lock);
	nr = domain->live ? domain->record.nr : 0;
	env_unlock(env, &domain->lock);
	return nr;
}

/* Let it hold. had: mappings of ours that the container had when it was read. */
static void allow(struct kernel_domain *domain, const struct vfio_info *info, uint64_t had)
{
	uint64_t left = info->left;

	phyr_kernel_allow(domain, &info->aperture, left == UINT64_MAX ? left : left + had);
}

/* Without a group there is nothing that could forbid an iova. */
static void allow_all(struct kernel_domain *domain)
{
	struct phyr_aperture all;

	phyr_kernel_aperture_begin(domain, &all, domain->aperture.page_sizes | domain->granule);
	phyr_kernel_aperture_add(&all, 0, KERNEL_LAST);
	phyr_kernel_allow(domain, &all, domain->limit);
}

static void set_live(struct kernel_domain *domain, bool live)
{
	struct phyr_env *env = domain->kernel->iommu.env;

	env_lock(env, &domain->lock);
	domain->live = live;
	env_unlock(env, &domain->lock);
}

/* The container has its first group: it takes the mappings that were made before. Only then does what it
 * allows hold: a device that is refused here changes nothing. */
static int come_alive(struct kernel_domain *domain, struct kernel_why *why)
{
	int err = phyr_kernel_replay(domain);

	if (err == -ENOMEM)
		return phyr_kernel_refuse(
			why, err,
			"no memory to map again what is mapped, or none that may be "
			"locked (ulimit -l)");
	if (err)
		return phyr_kernel_refuse(
			why, -EBUSY,
			"what is mapped cannot be mapped again: its memory is gone, or "
			"the device does not allow its iova");
	set_live(domain, true);
	return 0;
}

static int attach_own(struct kernel_domain *domain, struct kernel_dev *dev,
		      const struct phyr_pci_info *info, struct kernel_why *why)
{
	uint64_t had = nr_maps(domain);
	struct vfio_info said;
	int err = phyr_vfio_get_group(domain, info, &dev->group, why);

	if (err)
		return err;
	err = open_device(domain, dev, why);
	if (!err)
		err = read_info(domain, &said, why);
	if (!err && !domain->live)
		err = come_alive(domain, why);
	if (err) {
		phyr_kernel_close(dev->fd);
		phyr_vfio_put_group(domain, dev->group);
		return err;
	}
	allow(domain, &said, had);
	return 0;
}

/* What is allowed may have changed in a container that has a group. 0, or why->err. */
static int allow_again(struct kernel_domain *domain, struct kernel_why *why)
{
	struct vfio_info said;
	int err = read_info(domain, &said, why);

	if (!err)
		allow(domain, &said, nr_maps(domain));
	return err;
}

static int vfio_attach(struct kernel_domain *domain, struct kernel_dev *dev,
		       const struct phyr_pci_info *info, struct kernel_why *why)
{
	if (domain->kernel->foreign)
		return allow_again(domain, why);
	return attach_own(domain, dev, info, why);
}

static void vfio_detach(struct kernel_domain *domain, struct kernel_dev *dev)
{
	struct kernel_why why;

	if (!domain->kernel->foreign) {
		phyr_vfio_stop(domain, dev->fd);
		phyr_kernel_close(dev->fd);
		phyr_vfio_put_group(domain, dev->group);
		if (!phyr_vfio_has_group(domain)) {
			set_live(domain, false);
			allow_all(domain);
			return;
		}
	}
	/* More may be allowed now; if the kernel does not say, what was allowed holds. */
	allow_again(domain, &why);
}

static int vfio_map(struct kernel_domain *domain, const struct phyr_space *space,
		    const struct record_run *run)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = (run->prot & PHYR_READ ? VFIO_DMA_MAP_FLAG_READ : 0) |
			 (run->prot & PHYR_WRITE ? VFIO_DMA_MAP_FLAG_WRITE : 0),
		.vaddr = run->addr,
		.iova = run->iova,
		.size = run->len,
	};
	int ret = phyr_kernel_call(domain, domain->fd, VFIO_IOMMU_MAP_DMA, &map);

	return ret < 0 ? ret : 0;
}

static int vfio_unmap(struct kernel_domain *domain, uint64_t iova, uint64_t len, uint64_t *done)
{
	struct vfio_iommu_type1_dma_unmap unmap = {
		.argsz = sizeof(unmap), .iova = iova, .size = len};
	int ret = phyr_kernel_call(domain, domain->fd, VFIO_IOMMU_UNMAP_DMA, &unmap);

	if (ret < 0)
		return ret;
	*done = unmap.size;
	return 0;
}

static const struct kernel_type vfio_type = {
	.no_memory = "there is no memory in part of it, or it may not be written",
	.open = vfio_open,
	.close = vfio_close,
	.attach = vfio_attach,
	.detach = vfio_detach,
	.map = vfio_map,
	.unmap = vfio_unmap,
};

static const char *create_hint(int err)
{
	switch (err) {
	case -ENOENT:
		return "there is no " CONTAINER ": load the modules vfio and vfio_iommu_type1";
	case -EACCES:
	case -EPERM:
		return "no right to open " CONTAINER;
	case -EOPNOTSUPP:
		return "no type 1 version 2: load the module vfio_iommu_type1";
	default:
		return "VFIO's container cannot be used";
	}
}

/* Whether containers can be had: one is opened to look at. */
static int look(void)
{
	int fd = phyr_kernel_open(CONTAINER), err;

	if (fd == -ENODEV || fd == -ENXIO)
		return -ENOENT; /* the file is there, and nothing behind it */
	if (fd < 0)
		return fd;
	err = check_container(fd);
	phyr_kernel_close(fd);
	return err && err != -ENOMEM ? -EOPNOTSUPP : err;
}

int phyr_vfio_create(struct phyr_env *env, struct phyr_iommu **out)
{
	static const char call[] = "phyr_vfio_create";
	struct kernel *kernel;
	int err;

	env = env_or_hosted(env);
	err = phyr_kernel_create(env, call, &vfio_type, "vfio", &kernel);
	if (err)
		return err;
	err = look();
	if (err) {
		phyr_kernel_destroy(&kernel->iommu);
		return env_fail(env, .err = err, .call = call, .hint = create_hint(err));
	}
	*out = &kernel->iommu;
	return 0;
}

/* A container that has an IOMMU says what it allows; one that has none does not know the question. */
static int look_at(int fd)
{
	struct vfio_iommu_type1_info info = {.argsz = sizeof(info)};
	int err = check_container(fd);

	if (!err)
		err = phyr_kernel_ioctl(fd, VFIO_IOMMU_GET_INFO, &info);
	switch (err) {
	case 0:
	case -EBADF:
	case -EOPNOTSUPP:
	case -ENOMEM:
		return err;
	default:
		return -ENOTTY;
	}
}

static const char *from_fds_hint(int err)
{
	switch (err) {
	case -EINVAL:
		return "set size to sizeof(struct phyr_vfio_fds)";
	case -ENOMEM:
		return "no memory for the backend";
	default:
		return "the descriptor is no container with an IOMMU of type 1 version 2";
	}
}

int phyr_vfio_from_fds(struct phyr_env *env, const struct phyr_vfio_fds *fds,
		       struct phyr_iommu **out)
{
	static const char call[] = "phyr_vfio_from_fds";
	struct kernel *kernel;
	int err;

	env = env_or_hosted(env);
	err = phyr_kernel_create(env, call, &vfio_type, "vfio", &kernel);
	if (err)
		return err;
	if (fds->size != sizeof(*fds))
		err = -EINVAL;
	if (!err)
		err = look_at(fds->container);
	if (!err)
		err = phyr_kernel_give(kernel, fds->devs, fds->nr_devs);
	if (err) {
		phyr_kernel_destroy(&kernel->iommu);
		return env_fail(env, .err = err, .call = call, .hint = from_fds_hint(err));
	}
	kernel->fd = fds->container;
	*out = &kernel->iommu;
	return 0;
}
