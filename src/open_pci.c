/* SPDX-License-Identifier: MIT */
/*
 * Targets "pci:0000:01:00.0": a device that Linux lends to this process, behind the kernel's IOMMU.
 *
 *   open      find it in sysfs, choose and make the backend: nothing of the device is touched
 *   attached  its file is the backend's by now: configuration, bus mastering, registers, vectors
 *
 * Memory is named by its addresses in this process; the backend has the kernel pin what it maps.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <phyr/source.h>

#include "open.h"

#define CLASS_NVME 0x010802 /* PCI Code and ID Assignment 1.11, 1.2: storage, NVM, NVM Express */

/* PCI Local Bus 3.0, 6.1 and 6.2.5.1: base address registers. */
#define NR_BARS         6
#define BAR_CONFIG(bar) (0x10 + 4 * (uint64_t)(bar))
#define BAR_IO          0x1
#define BAR_TYPE        0x6
#define BAR_TYPE_64     0x4

/*
 * What is asked for, and what is there.
 */

/* Every report but that of an address which is none says which device. */
#define pci_error(p, error, text) \
	open_error(p, error, text, .index = (p)->source, .index_of = "device")

/* Options that mean nothing here are refused, rather than passed over. */
static int check_opts(struct phyr *p)
{
	const struct phyr_opts *o = &p->opts;

	if (o->iommu == PHYR_IOMMU_NONE || o->iommu == PHYR_IOMMU_SOFT)
		return pci_error(p, -EOPNOTSUPP,
				 "a real device is behind the kernel's IOMMU: opts->iommu is "
				 "default, vfio or iommufd");
	if (o->sim || o->sim_ops || o->sim_priv)
		return pci_error(
			p, -EINVAL,
			"opts->sim, sim_ops and sim_priv are for a simulated machine: sim:");
	if (o->format)
		return pci_error(p, -EINVAL,
				 "opts->format is for phyr's own page tables: these are the "
				 "kernel's");
	return 0;
}

static int check_driver_opts(struct phyr *p)
{
	const struct phyr_opts *o = &p->opts;

	if (p->has_nvme || !(o->nvme.size || o->depth || o->writable))
		return 0;
	return pci_error(
		p, -EINVAL,
		"the device is no NVMe controller: opts->nvme, depth and writable are for one");
}

/* Variants of vfio-pci for one vendor's devices have its name in theirs. */
static bool is_lent(const struct phyr_pci_info *info)
{
	return info->cdev[0] || strstr(info->driver, "vfio");
}

static int check_device(struct phyr *p, const struct phyr_pci_info *info)
{
	if (info->bridge)
		return pci_error(p, -EOPNOTSUPP, "a bridge is the kernel's to drive");
	if (info->group < 0)
		return pci_error(p, -EOPNOTSUPP,
				 "no IOMMU is over the device: switch VT-d or AMD-Vi on in the "
				 "firmware, and boot Linux with intel_iommu=on");
	if (!is_lent(info))
		return pci_error(p, -EBUSY,
				 info->driver[0]
					 ? "the device has a driver of the kernel: phyr devices "
					   "--bind ADDRESS hands it to vfio-pci, if nothing uses it"
					 : "the device has no driver: phyr devices --bind ADDRESS "
					   "hands it to vfio-pci");
	return 0;
}

static int find_device(struct phyr *p, struct phyr_pci_info *info)
{
	/* What sysfs does not have reports itself. */
	int err = phyr_pci_find(&p->env, p->source, info);

	if (err)
		return err;
	p->has_nvme = info->class_code == CLASS_NVME;
	err = check_driver_opts(p);
	return err ? err : check_device(p, info);
}

/*
 * The backend.
 */

/* 0, or why a file cannot be opened to read and write. */
static int may_open(const char *path)
{
	return faccessat(AT_FDCWD, path, R_OK | W_OK, AT_EACCESS) ? -errno : 0;
}

static bool is_denied(int err)
{
	return err == -EACCES || err == -EPERM;
}

/* Of two files that are both needed; one that is not there says more than one that is denied. */
static int worse(int err, int other)
{
	return !err || (is_denied(err) && other) ? other : err;
}

/* Whether iommufd would do: the kernel has it, the device has a file for it, and both may be opened. */
static int why_no_iommufd(const struct phyr_pci_info *info)
{
	char path[sizeof("/dev/vfio/devices/") + sizeof(info->cdev)];

	if (!info->cdev[0])
		return -ENOENT;
	snprintf(path, sizeof(path), "/dev/vfio/devices/%s", info->cdev);
	return worse(may_open("/dev/iommu"), may_open(path));
}

static int why_no_vfio(const struct phyr_pci_info *info)
{
	char path[32];

	snprintf(path, sizeof(path), "/dev/vfio/%d", info->group);
	return worse(may_open("/dev/vfio/vfio"), may_open(path));
}

/*
 * The best that there is and may be opened. Where rights alone are missing, each backend would name its own
 * files, as if it were the only way: both are named here.
 */
static int choose(struct phyr *p, const struct phyr_pci_info *info, bool *iommufd)
{
	int iommufd_err = why_no_iommufd(info), vfio_err = 0;

	if (is_denied(iommufd_err))
		vfio_err = why_no_vfio(info);
	if (is_denied(vfio_err))
		return pci_error(p, -EACCES,
				 "no right to open /dev/iommu and the device's file under "
				 "/dev/vfio/devices, nor its group's under /dev/vfio: 'phyr "
				 "devices ADDRESS' says what to give");
	/* Without vfio it is iommufd's to say which of its files is denied. */
	*iommufd = !iommufd_err || vfio_err;
	return 0;
}

static int make_backend(struct phyr *p, const struct phyr_pci_info *info)
{
	bool iommufd = p->opts.iommu == PHYR_IOMMU_IOMMUFD;
	int err = p->opts.iommu == PHYR_IOMMU_DEFAULT ? choose(p, info, &iommufd) : 0;

	if (err)
		return err;
	return iommufd ? phyr_iommufd_create(&p->env, &p->iommu)
		       : phyr_vfio_create(&p->env, &p->iommu);
}

static int pci_open(struct phyr *p, const char *what)
{
	struct phyr_pci_info info;
	int err = phyr_pci_parse(what, &p->source);

	if (err)
		return open_error(p, err, "not a PCI address, such as pci:0000:01:00.0");
	err = check_opts(p);
	if (!err)
		err = find_device(p, &info);
	if (err)
		return err;
	p->space = phyr_space_user();
	return make_backend(p, &info);
}

static void pci_close(struct phyr *p)
{
	phyr_iommu_destroy(p->iommu);
}

/*
 * The device.
 */

/* The first BAR that is memory, as the device's own registers say; NR_BARS: none. */
static int find_bar(struct phyr *p, unsigned *bar)
{
	uint32_t value = 0;
	unsigned i;
	int err;

	for (i = 0; i < NR_BARS; i++) {
		err = phyr_pci_config_read(p->pci, BAR_CONFIG(i), 4, &value);
		if (err)
			return err;
		/* One that the device does not have reads 0; one that it has was given an address. */
		if (value && !(value & BAR_IO))
			break;
		i += (value & (BAR_IO | BAR_TYPE)) == BAR_TYPE_64;
	}
	*bar = i;
	return 0;
}

static int map_registers(struct phyr *p)
{
	unsigned bar = 0;
	int err = p->has_nvme ? 0 : find_bar(p, &bar);

	if (err || bar == NR_BARS)
		return err;
	return phyr_pci_map_bar(p->pci, bar, &p->regs);
}

static int pci_attached(struct phyr *p)
{
	int fd = -1;
	int err = phyr_vfio_device_fd(p->iommu, p->source, &fd);

	if (!err)
		err = phyr_pci_open(&p->env, fd, p->source, &p->pci);
	if (!err)
		err = phyr_pci_set_master(p->pci, true);
	if (!err)
		err = map_registers(p);
	if (!err)
		phyr_take_vectors(p, phyr_pci_set_vector_fd, p->pci, phyr_pci_nr_vectors(p->pci));
	return err;
}

static void pci_detaching(struct phyr *p)
{
	phyr_pci_close(p->pci);
}

/*
 * Memory: nothing is held by a list, what is mapped is pinned.
 */

static int pci_pin(struct phyr *p, void *ptr, uint64_t len, struct phyr_list *list)
{
	return phyr_source_append(list, ptr, len);
}

static void pci_unpin(struct phyr *p, const struct phyr_list *list)
{
}

const struct place phyr_place_pci = {
	.name = "pci",
	.open = pci_open,
	.close = pci_close,
	.attached = pci_attached,
	.detaching = pci_detaching,
	.pin = pci_pin,
	.unpin = pci_unpin,
};
