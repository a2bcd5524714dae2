/* SPDX-License-Identifier: MIT */
/*
 * phyr devices: what is in the way of handing a device over, and the commands that clear it.
 *
 * Commands are meant to be pasted, so there are none for what is in use.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <fcntl.h>

#include "devices/devices.h"

#define MEMLOCK_ENOUGH ((uint64_t)64 << 20)

const char *const devices_way_names[] = {
	[WAY_BRIDGE] = "bridge", [WAY_USE] = "in-use",    [WAY_IOMMU] = "iommu",
	[WAY_MODULE] = "module", [WAY_DRIVER] = "driver", [WAY_KERNEL] = "kernel",
	[WAY_GROUP] = "group",   [WAY_RIGHT] = "right",   [WAY_MEMLOCK] = "memlock",
};

static void __attribute__((format(printf, 2, 3))) set(char text[WAY_TEXT], const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, WAY_TEXT, format, ap);
	va_end(ap);
}

/* Never NULL: what can't be kept is written where nobody looks, and lost is set. */
static struct way *add(struct ways *ways, enum way_kind kind)
{
	static struct way nowhere;
	struct way *w = array_add(&ways->at, &ways->nr, sizeof(*w));

	ways->lost |= !w;
	w = w ? w : &nowhere;
	w->kind = kind;
	return w;
}

static void set_bind_commands(struct way *w, const struct device *d)
{
	char release[128] = "";

	if (d->info.driver[0])
		snprintf(release, sizeof(release),
			 "echo %s > /sys/bus/pci/devices/%s/driver/unbind\n", d->name, d->name);
	set(w->commands,
	    "echo vfio-pci > /sys/bus/pci/devices/%s/driver_override\n"
	    "%s"
	    "echo %s > /sys/bus/pci/drivers_probe\n",
	    d->name, release, d->name);
}

static void check_iommu(const struct machine *m, const struct device *d, struct ways *ways)
{
	struct way *w;

	if (d->info.group >= 0)
		return;
	w = add(ways, WAY_IOMMU);
	set(w->text, m->iommus[0] ? "no IOMMU group" : "no IOMMU");
	set(w->help,
	    m->iommus[0] ? "the IOMMU (%s) does not cover this device"
			 : "switch VT-d or AMD-Vi on in the firmware; Intel's wants the kernel "
			   "parameter intel_iommu=on, too%s",
	    m->iommus);
}

static void check_driver(const struct machine *m, const struct device *d, bool used,
			 struct ways *ways)
{
	struct way *w;

	if (is_vfio(d->info.driver))
		return;
	if (!m->has_vfio_pci && d->info.group >= 0) {
		w = add(ways, WAY_MODULE);
		set(w->text, "vfio-pci is not loaded");
		set(w->commands, "modprobe vfio-pci\n");
	}
	w = add(ways, WAY_DRIVER);
	if (d->info.driver[0])
		set(w->text, "driver is %s, not vfio-pci", d->info.driver);
	else
		set(w->text, "no driver, not vfio-pci");
	if (used || d->info.group < 0)
		return;
	set(w->help, "phyr devices --bind %s", d->name);
	set_bind_commands(w, d);
}

static void check_kernel(const struct machine *m, const struct device *d, struct ways *ways)
{
	struct way *w;

	if (m->has_vfio || m->has_iommufd || !(m->has_vfio_pci || is_vfio(d->info.driver)))
		return;
	w = add(ways, WAY_KERNEL);
	set(w->text, "neither /dev/vfio/vfio nor /dev/iommu");
	set(w->help, "a kernel with VFIO has one of them, once its module is loaded");
	set(w->commands, "modprobe vfio_iommu_type1 || modprobe iommufd\n");
}

/*
 * The kernel lends a group as a whole. A device without a driver does no harm, nor do these two, and
 * bridges have drivers that know of VFIO. The first one's name is in two pieces: it is no unfinished work.
 */
static bool is_in_the_way(const struct device *other)
{
	const char *driver = other->info.driver;

	return driver[0] && !other->info.bridge && !is_vfio(driver) &&
	       strcmp(driver, "pci-st"
			      "ub") &&
	       strcmp(driver, "pcieport");
}

const struct device *group_next(const struct machine *m, const struct device *d, size_t *at)
{
	while (*at < m->nr_devices) {
		const struct device *other = &m->devices[(*at)++];

		if (other != d && other->info.group == d->info.group && is_in_the_way(other))
			return other;
	}
	return NULL;
}

static void check_group(const struct machine *m, const struct device *d, struct ways *ways)
{
	const struct device *other;
	char use[300];
	size_t at = 0;

	while (d->info.group >= 0 && (other = group_next(m, d, &at))) {
		struct way *w = add(ways, WAY_GROUP);

		set(w->text, "group %d also has %s (%s)", d->info.group, other->name,
		    other->info.driver);
		if (uses_first(m, other, use, sizeof(use))) {
			set(w->help, "%s", use);
			continue;
		}
		set(w->help, "phyr devices --bind %s", other->name);
		set_bind_commands(w, other);
	}
}

static int try_open(const char *path)
{
	return faccessat(AT_FDCWD, path, R_OK | W_OK, AT_EACCESS) ? -errno : 0;
}

static void add_right(struct ways *ways, const char *file, const char *common, int err)
{
	struct way *w = add(ways, WAY_RIGHT);

	set(w->text, "%s: %s", try_open(file) ? file : common, strerror(-err));
	if (err != -EACCES && err != -EPERM)
		return;
	set(w->help, "for good by a udev rule: see phyr-devices(1)");
	set(w->commands, "chown %u %s%s%s\n", (unsigned)getuid(), file, try_open(common) ? " " : "",
	    try_open(common) ? common : "");
}

/* Either way of asking the kernel will do. */
static void check_right(const struct machine *m, const struct device *d, struct ways *ways)
{
	char group[48], cdev[48];
	int err = -ENOENT, type1 = -ENOENT;

	if (!is_vfio(d->info.driver) || (!m->has_vfio && !m->has_iommufd))
		return;
	snprintf(group, sizeof(group), "/dev/vfio/%d", d->info.group);
	snprintf(cdev, sizeof(cdev), "/dev/vfio/devices/%s", d->info.cdev);
	if (m->has_iommufd && d->info.cdev[0])
		err = try_open(cdev) ? try_open(cdev) : try_open("/dev/iommu");
	if (!err)
		return;
	if (m->has_vfio)
		type1 = try_open(group) ? try_open(group) : try_open("/dev/vfio/vfio");
	if (!type1)
		return;
	if (m->has_iommufd && d->info.cdev[0])
		add_right(ways, cdev, "/dev/iommu", err);
	else
		add_right(ways, group, "/dev/vfio/vfio", type1);
}

static void check_memlock(const struct machine *m, struct ways *ways)
{
	struct way *w;
	char size[32];

	if (m->may_lock || m->memlock >= MEMLOCK_ENOUGH)
		return;
	w = add(ways, WAY_MEMLOCK);
	w->only_noted = true;
	set(w->text, "RLIMIT_MEMLOCK lets %s be mapped for devices", cli_size(m->memlock, size));
	set(w->help, "for this shell: sudo prlimit --memlock=unlimited --pid $$; for good: see "
		     "phyr-devices(1)");
}

static bool add_use(void *arg, enum use_kind kind, const char *what, const char *by)
{
	char use[400];

	use_text(use, sizeof(use), kind, what, by);
	set(add(arg, WAY_USE)->text, "in use: %s", use);
	return true;
}

/* The first to the last: which is told where there is one line. */
void ways_find(const struct machine *m, const struct device *d, struct ways *out)
{
	bool used;

	*out = (struct ways){0};
	if (d->info.bridge) {
		set(add(out, WAY_BRIDGE)->text, "a bridge");
		return;
	}
	uses_each(m, d, add_use, out);
	used = out->nr || out->lost;
	check_iommu(m, d, out);
	check_driver(m, d, used, out);
	check_kernel(m, d, out);
	check_group(m, d, out);
	check_right(m, d, out);
	check_memlock(m, out);
}

void ways_release(struct ways *ways)
{
	free(ways->at);
}

const struct way *ways_first(const struct ways *ways)
{
	for (size_t i = 0; i < ways->nr; i++)
		if (!ways->at[i].only_noted)
			return &ways->at[i];
	return NULL;
}
