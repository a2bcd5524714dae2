/* SPDX-License-Identifier: MIT */
/* A folder of devices as sysfs has them, in a temporary place. */
#define _GNU_SOURCE
#include "pci/tree.h"

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pci/sysfs.h"

static char root[] = "/tmp/phyr-pci-XXXXXX";

static void must(int ret, const char *what)
{
	if (ret >= 0)
		return;
	perror(what);
	abort();
}

static const char *path_of(const char *name, const char *file)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s/%s", root, name, file);
	return path;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static void remove_all(const char *path)
{
	must(nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS), path);
}

void tree_make(void)
{
	strcpy(root + strlen(root) - 6, "XXXXXX");
	must(mkdtemp(root) ? 0 : -1, root);
	phyr_sysfs_devices = root;
}

void tree_remove(void)
{
	remove_all(root);
}

void tree_file(const char *name, const char *file, const char *text)
{
	const char *path = path_of(name, file);
	int fd;

	if (!text) {
		must(remove(path), path);
		return;
	}
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	must(fd, path);
	must(write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -1, path);
	close(fd);
}

void tree_link(const char *name, const char *link, const char *target)
{
	must(symlink(target, path_of(name, link)), link);
}

void tree_folder(const char *name, const char *folder)
{
	must(mkdir(path_of(name, folder), 0755), folder);
}

void tree_pull(const char *name)
{
	remove_all(path_of(name, ""));
}

void tree_device(const char *name)
{
	tree_folder(name, "");
	tree_file(name, "vendor", "0x1b36\n");
	tree_file(name, "device", "0x0010\n");
	tree_file(name, "subsystem_vendor", "0x1af4\n");
	tree_file(name, "subsystem_device", "0x1100\n");
	tree_file(name, "class", "0x010802\n");
	tree_file(name, "revision", "0x02\n");
	tree_file(name, "numa_node", "-1\n");
}
