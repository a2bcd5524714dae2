/* SPDX-License-Identifier: MIT */
/*
 * iommufd, with devices' own files.
 *
 *   backend = iommufd ──┬── domain = IOAS ──┬── device /dev/vfio/devices/vfio0
 *   /dev/iommu          │                   └── device /dev/vfio/devices/vfio1
 *                       └── domain = IOAS
 *
 * A device's file is bound to the iommufd, then attached to an IOAS. Mappings belong to the IOAS: they
 * are there before the first device and after the last.
 */
#include <stdio.h>

#include "backend/kernel.h"
#include "backend/kernel_abi.h"
#include "core/bits.h"
#include "core/env.h"

#define IOMMUFD "/dev/iommu"

/* More ranges than an aperture can have holes between. */
#define MAX_RANGES 128

/* What the kernel says of a device that it does not take, in the seam's words. */
static int attach_error(int err)
{
	switch (err) {
	case -EBUSY:
	case -ENODEV:
	case -ENOMEM:
		return err;
	case -EADDRINUSE:
	case -EFAULT:
		return -EBUSY;
	default:
		return -EOPNOTSUPP;
	}
}

static int iommufd_open(struct kernel_domain *domain)
{
	struct abi_ioas_alloc alloc = {.size = sizeof(alloc)};
	int err;

	domain->live = true;
	if (domain->kernel->foreign)
		return 0;
	err = phyr_kernel_call(domain, domain->fd, ABI_IOAS_ALLOC, &alloc);
	if (err < 0)
		return err == -ENOMEM ? err : -EOPNOTSUPP;
	domain->ioas = alloc.ioas;
	return 0;
}

static void iommufd_close(struct kernel_domain *domain)
{
	struct abi_destroy destroy = {.size = sizeof(destroy), .id = domain->ioas};

	if (!domain->kernel->foreign)
		phyr_kernel_call(domain, domain->fd, ABI_DESTROY, &destroy);
}

/* A granule below a page of 4 KiB is none that an aperture has. 0: the kernel's cannot be. */
static uint64_t page_sizes(uint64_t alignment)
{
	const uint64_t wished = (uint64_t)1 << 30 | (uint64_t)1 << 21;
	uint64_t granule = max_u64(alignment, PHYR_PAGE_SIZE);

	return is_pow2(granule) ? granule | (wished & ~(granule - 1)) : 0;
}

static int take_ranges(const struct kernel_domain *domain, const struct abi_ioas_ranges *said,
		       const struct abi_range *ranges, struct phyr_aperture *aperture)
{
	if (said->nr > MAX_RANGES)
		return -EOPNOTSUPP;
	phyr_kernel_aperture_begin(domain, aperture, page_sizes(said->alignment));
	if (!aperture->page_sizes)
		return -EOPNOTSUPP;
	for (uint32_t i = 0; i < said->nr; i++) {
		if (!phyr_kernel_aperture_add(aperture, ranges[i].start, ranges[i].last))
			return -EOPNOTSUPP;
	}
	return phyr_kernel_aperture_end(aperture) ? 0 : -EOPNOTSUPP;
}

/* Read what is allowed now. */
static int read_ranges(struct kernel_domain *domain, struct kernel_why *why)
{
	struct abi_range ranges[MAX_RANGES] = {{0}}; /* the kernel may say more than it wrote */
	struct abi_ioas_ranges ask = {.size = sizeof(ask),
				      .ioas = domain->ioas,
				      .nr = MAX_RANGES,
				      .ranges = (uintptr_t)ranges};
	struct phyr_aperture aperture;
	int err = phyr_kernel_call(domain, domain->fd, ABI_IOAS_RANGES, &ask);

	if (err == -ENOMEM)
		return phyr_kernel_refuse(why, err,
					  "the kernel has no memory to say what is allowed");
	if (err >= 0)
		err = take_ranges(domain, &ask, ranges, &aperture);
	if (err < 0)
		return phyr_kernel_refuse(
			why, -EOPNOTSUPP,
			"the kernel does not say which iova are allowed, allows none, "
			"or says what cannot be");
	phyr_kernel_allow(domain, &aperture, UINT64_MAX);
	return 0;
}

static int open_failed(const struct phyr_pci_info *info, int err, struct kernel_why *why)
{
	const char *hint = "its file under /dev/vfio/devices cannot be opened";

	if (err == -EACCES || err == -EPERM)
		hint = "no right to open its file under /dev/vfio/devices: let a udev rule give it";
	return phyr_kernel_refuse(why, err, hint);
}

static int open_device(struct kernel_dev *dev, const struct phyr_pci_info *info,
		       struct kernel_why *why)
{
	char path[sizeof("/dev/vfio/devices/") + sizeof(info->cdev)];

	if (!info->cdev[0])
		return phyr_kernel_refuse(
			why, -ENOENT,
			"it has no file under /dev/vfio/devices: bind it to vfio-pci; "
			"a kernel before 6.6, or without CONFIG_VFIO_DEVICE_CDEV, has "
			"backend vfio alone");
	snprintf(path, sizeof(path), "/dev/vfio/devices/%s", info->cdev);
	dev->fd = phyr_kernel_open(path);
	return dev->fd < 0 ? open_failed(info, dev->fd, why) : 0;
}

static int bind(struct kernel_domain *domain, struct kernel_dev *dev, struct kernel_why *why)
{
	struct abi_device_bind bind = {.argsz = sizeof(bind), .iommufd = domain->fd};
	int err = phyr_kernel_call(domain, dev->fd, ABI_DEVICE_BIND, &bind);

	if (err >= 0)
		return 0;
	if (err == -EBUSY)
		return phyr_kernel_refuse(why, err,
					  "somebody else has its group: a device of it or the "
					  "group's file is open, or a driver has one");
	/* Linux has one errno for what is usual and what hardly a machine does. */
	if (err == -EINVAL)
		return phyr_kernel_refuse(
			why, -EBUSY,
			"somebody else has it open (or its IOMMU does not see the CPU's caches)");
	if (err == -EPERM)
		return phyr_kernel_refuse(
			why, -EOPNOTSUPP,
			"the IOMMU does not keep devices' interrupts apart: if that "
			"is wanted, iommufd.allow_unsafe_interrupts=1");
	return phyr_kernel_refuse(why, attach_error(err),
				  "the kernel does not bind it to the iommufd");
}

static int attach_pt(struct kernel_domain *domain, struct kernel_dev *dev, struct kernel_why *why)
{
	struct abi_device_attach attach = {.argsz = sizeof(attach), .pt_id = domain->ioas};
	int err = phyr_kernel_call(domain, dev->fd, ABI_DEVICE_ATTACH, &attach);

	if (err >= 0)
		return 0;
	return phyr_kernel_refuse(
		why, attach_error(err),
		err == -EADDRINUSE || err == -EFAULT
			? "what is mapped does not go with the iova that it allows, or "
			  "its memory is gone"
			: "it does not go with the domain: a device of its group may be "
			  "attached to another, or its IOMMU differs");
}

static void detach_pt(struct kernel_domain *domain, struct kernel_dev *dev)
{
	struct abi_device_detach detach = {.argsz = sizeof(detach)};

	phyr_kernel_call(domain, dev->fd, ABI_DEVICE_DETACH, &detach);
}

static int attach_open(struct kernel_domain *domain, struct kernel_dev *dev, struct kernel_why *why)
{
	int err = attach_pt(domain, dev, why);

	if (err)
		return err;
	err = read_ranges(domain, why);
	if (err)
		detach_pt(domain, dev);
	return err;
}

static int iommufd_attach(struct kernel_domain *domain, struct kernel_dev *dev,
			  const struct phyr_pci_info *info, struct kernel_why *why)
{
	int err;

	if (domain->kernel->foreign)
		return attach_open(domain, dev, why);
	err = open_device(dev, info, why);
	if (err)
		return err;
	err = bind(domain, dev, why);
	if (!err)
		err = attach_open(domain, dev, why);
	if (err)
		phyr_kernel_close(dev->fd);
	return err;
}

static void iommufd_detach(struct kernel_domain *domain, struct kernel_dev *dev)
{
	struct kernel_why why;

	detach_pt(domain, dev);
	if (!domain->kernel->foreign)
		phyr_kernel_close(dev->fd);
	/* More may be allowed now; if the kernel does not say, what was allowed holds. */
	read_ranges(domain, &why);
}

static uint32_t map_flags(unsigned prot)
{
	return ABI_MAP_FIXED | (prot & PHYR_READ ? ABI_MAP_READ : 0) |
	       (prot & PHYR_WRITE ? ABI_MAP_WRITE : 0);
}

static int map_file(struct kernel_domain *domain, int fd, const struct record_run *run)
{
	struct abi_ioas_map_file map = {
		.size = sizeof(map),
		.flags = map_flags(run->prot),
		.ioas = domain->ioas,
		.fd = fd,
		.offset = run->addr,
		.len = run->len,
		.iova = run->iova,
	};

	return phyr_kernel_call(domain, domain->fd, ABI_IOAS_MAP_FILE, &map);
}

static int map_user(struct kernel_domain *domain, const struct record_run *run)
{
	struct abi_ioas_map map = {
		.size = sizeof(map),
		.flags = map_flags(run->prot),
		.ioas = domain->ioas,
		.addr = run->addr,
		.len = run->len,
		.iova = run->iova,
	};

	return phyr_kernel_call(domain, domain->fd, ABI_IOAS_MAP, &map);
}

static int iommufd_map(struct kernel_domain *domain, const struct phyr_space *space,
		       const struct record_run *run)
{
	bool is_file = space && space->kind == PHYR_KIND_FD;
	int ret = is_file ? map_file(domain, space->fd, run) : map_user(domain, run);

	return ret < 0 ? ret : 0;
}

static int iommufd_unmap(struct kernel_domain *domain, uint64_t iova, uint64_t len, uint64_t *done)
{
	struct abi_ioas_unmap unmap = {
		.size = sizeof(unmap), .ioas = domain->ioas, .iova = iova, .len = len};
	int ret = phyr_kernel_call(domain, domain->fd, ABI_IOAS_UNMAP, &unmap);

	if (ret < 0)
		return ret;
	*done = unmap.len;
	return 0;
}

static const struct kernel_type iommufd_type = {
	.no_memory =
		"there is no memory in part of it, it may not be written, or it is a device's, "
		"which iommufd does not map",
	.open = iommufd_open,
	.close = iommufd_close,
	.attach = iommufd_attach,
	.detach = iommufd_detach,
	.map = iommufd_map,
	.unmap = iommufd_unmap,
};

/* Whether the kernel maps files. A call with flags that are none fails, and how is the answer. */
static bool maps_files(int fd)
{
	struct abi_ioas_map_file map = {.size = sizeof(map), .flags = UINT32_MAX, .fd = -1};
	int err = phyr_kernel_ioctl(fd, ABI_IOAS_MAP_FILE, &map);

	return err < 0 && err != -ENOTTY;
}

static void take_fd(struct kernel *kernel, int fd)
{
	kernel->fd = fd;
	if (maps_files(fd))
		kernel->caps.kinds |= 1u << PHYR_KIND_FD;
}

static const char *create_hint(int err)
{
	switch (err) {
	case -ENOENT:
		return "there is no " IOMMUFD
		       ": the kernel has no iommufd (CONFIG_IOMMUFD); backend "
		       "vfio may do";
	case -EACCES:
	case -EPERM:
		return "no right to open " IOMMUFD;
	default:
		return IOMMUFD " cannot be opened";
	}
}

int phyr_iommufd_create(struct phyr_env *env, struct phyr_iommu **out)
{
	static const char call[] = "phyr_iommufd_create";
	struct kernel *kernel;
	int err, fd;

	env = env_or_hosted(env);
	err = phyr_kernel_create(env, call, &iommufd_type, "iommufd", &kernel);
	if (err)
		return err;
	fd = phyr_kernel_open(IOMMUFD);
	if (fd < 0) {
		/* The file is there, and nothing behind it. */
		err = fd == -ENODEV || fd == -ENXIO ? -ENOENT : fd;
		phyr_kernel_destroy(&kernel->iommu);
		return env_fail(env, .err = err, .call = call, .hint = create_hint(err));
	}
	take_fd(kernel, fd);
	*out = &kernel->iommu;
	return 0;
}

/* Whether there is such an IOAS: it says what it allows, or that it is more than there is room for. */
static int look_at(const struct phyr_iommufd_fds *fds)
{
	struct abi_ioas_ranges ask = {.size = sizeof(ask), .ioas = fds->ioas};
	int err = phyr_kernel_ioctl(fds->iommufd, ABI_IOAS_RANGES, &ask);

	if (err >= 0 || err == -EMSGSIZE)
		return 0;
	return err == -EBADF || err == -ENOENT || err == -ENOMEM ? err : -ENOTTY;
}

static const char *from_fds_hint(int err)
{
	switch (err) {
	case -EINVAL:
		return "set size to sizeof(struct phyr_iommufd_fds)";
	case -ENOENT:
		return "the iommufd has no such IOAS";
	case -ENOMEM:
		return "no memory for the backend";
	default:
		return "the descriptor is no iommufd";
	}
}

int phyr_iommufd_from_fds(struct phyr_env *env, const struct phyr_iommufd_fds *fds,
			  struct phyr_iommu **out)
{
	static const char call[] = "phyr_iommufd_from_fds";
	struct kernel *kernel;
	int err;

	env = env_or_hosted(env);
	err = phyr_kernel_create(env, call, &iommufd_type, "iommufd", &kernel);
	if (err)
		return err;
	err = fds->size == sizeof(*fds) ? look_at(fds) : -EINVAL;
	if (!err)
		err = phyr_kernel_give(kernel, fds->devs, fds->nr_devs);
	if (err) {
		phyr_kernel_destroy(&kernel->iommu);
		return env_fail(env, .err = err, .call = call, .hint = from_fds_hint(err));
	}
	take_fd(kernel, fds->iommufd);
	kernel->ioas = fds->ioas;
	*out = &kernel->iommu;
	return 0;
}
