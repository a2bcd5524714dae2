/* SPDX-License-Identifier: MIT */
/* Files, links and folders of sysfs. A device may vanish between any two of these calls. */
#include "pci/sysfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <phyr/pci.h>

const char *phyr_sysfs_devices = "/sys/bus/pci/devices";

int phyr_sysfs_open(uint32_t source)
{
	char name[PHYR_PCI_NAME], path[PATH_MAX];
	int fd;

	phyr_pci_format(source, name);
	snprintf(path, sizeof(path), "%s/%s", phyr_sysfs_devices, name);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	return errno == ENOENT ? -ENODEV : -errno;
}

/* The first line of a file, without its end. */
static int read_line(int dir, const char *file, char *line, size_t size)
{
	int fd = openat(dir, file, O_RDONLY | O_CLOEXEC);
	ssize_t got;
	int err;

	if (fd < 0)
		return -errno;
	got = read(fd, line, size);
	err = got < 0 ? -errno : 0;
	close(fd);
	if (err)
		return err;
	if ((size_t)got == size)
		return -EIO;
	line[got] = '\0';
	line[strcspn(line, "\n")] = '\0';
	return 0;
}

int phyr_sysfs_number(int dir, const char *file, int64_t lowest, int64_t highest, int64_t *out)
{
	char line[32], *end;
	long long value;
	int err = read_line(dir, file, line, sizeof(line));

	if (err)
		return err;
	value = strtoll(line, &end, 0);
	if (end == line || *end || value < lowest || value > highest)
		return -EIO;
	*out = value;
	return 0;
}

static int copy_name(const char *from, char *name, size_t size)
{
	size_t len = strlen(from);

	if (!len || len >= size)
		return -EIO;
	memcpy(name, from, len + 1);
	return 0;
}

int phyr_sysfs_link(int dir, const char *link, char *name, size_t size)
{
	char target[PATH_MAX];
	const char *slash;
	ssize_t len = readlinkat(dir, link, target, sizeof(target));

	if (len < 0)
		return errno == EINVAL ? -EIO : -errno;
	if ((size_t)len == sizeof(target))
		return -EIO;
	target[len] = '\0';
	slash = strrchr(target, '/');
	return copy_name(slash ? slash + 1 : target, name, size);
}

int phyr_sysfs_entry(int dir, const char *folder, const char *prefix, char *name, size_t size)
{
	int fd = openat(dir, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), err = -ENOENT;
	struct dirent *entry;
	DIR *d;

	if (fd < 0)
		return -errno;
	d = fdopendir(fd);
	if (!d) {
		close(fd);
		return -ENOMEM;
	}
	while (err == -ENOENT && (entry = readdir(d)))
		if (!strncmp(entry->d_name, prefix, strlen(prefix)))
			err = copy_name(entry->d_name, name, size);
	closedir(d);
	return err;
}
