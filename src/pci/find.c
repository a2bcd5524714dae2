/* SPDX-License-Identifier: MIT */
/* Devices as sysfs has them: one by its address, or all of them. */
#include <phyr/pci.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/bits.h"
#include "core/env.h"
#include "pci/sysfs.h"

/* Base class of bridges: PCI Code and ID Assignment 1.11, 1.7. */
#define CLASS_BRIDGE 0x06

struct numbers {
	int64_t vendor, device, subsystem_vendor, subsystem_device, class_code, revision;
};

static int read_numbers(int dir, struct numbers *n)
{
	const struct {
		const char *file;
		int64_t highest;
		int64_t *to;
	} files[] = {
		{"vendor", 0xffff, &n->vendor},
		{"device", 0xffff, &n->device},
		{"subsystem_vendor", 0xffff, &n->subsystem_vendor},
		{"subsystem_device", 0xffff, &n->subsystem_device},
		{"class", 0xffffff, &n->class_code},
		{"revision", 0xff, &n->revision},
	};
	int err = 0;

	for (size_t i = 0; i < ARRAY_SIZE(files) && !err; i++)
		err = phyr_sysfs_number(dir, files[i].file, 0, files[i].highest, files[i].to);
	return err;
}

/* A number that a name ends with, after its prefix. */
static int number_after(const char *name, const char *prefix, int *out)
{
	const char *digits = name + strlen(prefix);
	char *end;
	long value;

	if (*digits < '0' || *digits > '9')
		return -EIO;
	value = strtol(digits, &end, 10);
	if (*end || value > 0x7fffffff)
		return -EIO;
	*out = (int)value;
	return 0;
}

/* No IOMMU, no driver, no file and no node are answers. */
static int none(int err)
{
	return err == -ENOENT ? 0 : err;
}

static int read_group(int dir, int *group)
{
	char name[16];
	int err = phyr_sysfs_link(dir, "iommu_group", name, sizeof(name));

	*group = -1;
	return err ? none(err) : number_after(name, "", group);
}

/* Each VFIO device has an entry; a file under /dev, with a number, only where the kernel makes them. */
static int has_file(int dir, const char *cdev)
{
	char dev[64];

	snprintf(dev, sizeof(dev), "vfio-dev/%s/dev", cdev);
	return faccessat(dir, dev, F_OK, 0) ? -errno : 0;
}

static int read_cdev(int dir, char *cdev, size_t size)
{
	int err = phyr_sysfs_entry(dir, "vfio-dev", "vfio", cdev, size), number;

	if (!err)
		err = number_after(cdev, "vfio", &number);
	if (!err)
		err = has_file(dir, cdev);
	if (err)
		cdev[0] = '\0';
	return none(err);
}

static int read_node(int dir, int *out)
{
	int64_t node = -1;
	int err = phyr_sysfs_number(dir, "numa_node", -1, 0x7fffffff, &node);

	*out = (int)node;
	return none(err);
}

static int read_info(int dir, uint32_t source, struct phyr_pci_info *info)
{
	struct numbers n;
	int err = read_numbers(dir, &n);

	if (err)
		return err;
	*info = (struct phyr_pci_info){
		.source = source,
		.vendor = (uint16_t)n.vendor,
		.device = (uint16_t)n.device,
		.subsystem_vendor = (uint16_t)n.subsystem_vendor,
		.subsystem_device = (uint16_t)n.subsystem_device,
		.class_code = (uint32_t)n.class_code,
		.revision = (uint8_t)n.revision,
		.bridge = n.class_code >> 16 == CLASS_BRIDGE,
	};
	err = read_group(dir, &info->group);
	if (!err)
		err = none(phyr_sysfs_link(dir, "driver", info->driver, sizeof(info->driver)));
	if (!err)
		err = read_cdev(dir, info->cdev, sizeof(info->cdev));
	return err ? err : read_node(dir, &info->numa_node);
}

/* A file that every device has is missing: the device went away meanwhile, or this is no sysfs. */
static int why_missing(uint32_t source)
{
	int dir = phyr_sysfs_open(source);

	if (dir < 0)
		return dir;
	close(dir);
	return -EIO;
}

static int find_quietly(uint32_t source, struct phyr_pci_info *out)
{
	struct phyr_pci_info info = {0};
	int dir = phyr_sysfs_open(source), err;

	if (dir < 0)
		return dir;
	err = read_info(dir, source, &info);
	close(dir);
	if (err == -ENOENT)
		err = why_missing(source);
	if (!err)
		*out = info;
	return err;
}

static int find_fail(struct phyr_env *env, int err, const char *call, uint32_t source)
{
	const char *hint = "sysfs cannot be read: is /sys mounted, and may this process read it?";

	if (err == -ENODEV)
		hint = "there is no such device: lspci -D and phyr devices list those there are";
	else if (err == -EIO)
		hint = "sysfs says of the device what cannot be";
	return env_fail(env, .err = err, .call = call, .index = source, .index_of = "device",
			.hint = hint);
}

int phyr_pci_find(struct phyr_env *env, uint32_t source, struct phyr_pci_info *out)
{
	int err = find_quietly(source, out);

	return err ? find_fail(env_or_hosted(env), err, "phyr_pci_find", source) : 0;
}

/* Source ids, as many as there is room for; and how many there are. */
static int list_sources(uint32_t *sources, size_t room, size_t *nr)
{
	DIR *d = opendir(phyr_sysfs_devices);
	struct dirent *entry;
	uint32_t source;

	if (!d)
		return -errno;
	*nr = 0;
	while ((entry = readdir(d))) {
		if (phyr_pci_parse(entry->d_name, &source))
			continue; /* ., .., segments past 16 bits */
		if (*nr < room)
			sources[*nr] = source;
		++*nr;
	}
	closedir(d);
	return 0;
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static int visit(struct phyr_env *env, const uint32_t *sources, size_t nr, phyr_pci_fn *fn,
		 void *arg)
{
	struct phyr_pci_info info;
	int err = 0;

	for (size_t i = 0; i < nr && !err; i++) {
		err = find_quietly(sources[i], &info);
		if (err == -ENODEV)
			err = 0;
		else if (err)
			find_fail(env, err, "phyr_pci_each", sources[i]);
		else
			err = fn(arg, &info);
	}
	return err;
}

static int each_fail(struct phyr_env *env, int err)
{
	const char *hint = "sysfs cannot be read: is /sys mounted, and may this process read it?";

	if (err == -ENOENT)
		hint = "there is no PCI in this system, or /sys is not mounted";
	else if (err == -ENOMEM)
		hint = "no memory for the list of devices";
	return env_fail(env, .err = err, .call = "phyr_pci_each", .hint = hint);
}

/* Devices that come between the count and the list wait for the next walk. */
int phyr_pci_each(struct phyr_env *env, phyr_pci_fn *fn, void *arg)
{
	size_t room = 0, nr = 0, size;
	uint32_t *sources;
	int err;

	env = env_or_hosted(env);
	err = phyr_env_check(env, "phyr_pci_each");
	if (err)
		return err;
	err = list_sources(NULL, 0, &room);
	if (err)
		return each_fail(env, err);
	size = (room + 1) * sizeof(*sources); /* a system without devices is one, too */
	sources = env_alloc(env, size);
	if (!sources)
		return each_fail(env, -ENOMEM);
	err = list_sources(sources, room, &nr);
	if (err) {
		each_fail(env, err);
	} else {
		nr = min_u64(nr, room);
		qsort(sources, nr, sizeof(*sources), by_value);
		err = visit(env, sources, nr, fn, arg);
	}
	env_free(env, sources, size);
	return err;
}
