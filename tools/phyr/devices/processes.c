/* SPDX-License-Identifier: MIT */
/*
 * phyr devices: which processes have a device's file open, as far as this user may see.
 *
 * A descriptor of VFIO for a device has no file of its own when it came by a group; since Linux 6.17 the
 * kernel tells its device all the same. Before, a process that has one and no file that says which may
 * hold any device.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devices/devices.h"

/* A process, while it is looked at. */
struct process {
	struct machine *m;
	const char *pid;
	char by[64];
	bool told;   /* a file of VFIO that says which device or group */
	bool untold; /* a descriptor of VFIO that does not */
};

static void add_open(struct process *p, bool block, dev_t dev)
{
	const struct node *n = node_find(p->m, block, dev);
	struct sign *s;

	if (!n)
		return;
	p->told |= !strncmp(n->name, "vfio/", 5);
	s = sign_add(p->m, USE_OPEN, p->by);
	if (!s)
		return;
	s->block = block;
	s->dev = dev;
}

/* The device that a descriptor of VFIO is of, by what the kernel tells of descriptors. */
static bool read_owner(const struct process *p, const char *fd, uint32_t *owner)
{
	char path[64], line[PATH_MAX];
	bool found = false;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%.20s/fdinfo/%.20s", p->pid, fd);
	file = fopen(path, "re");
	if (!file)
		return false;
	while (fgets(line, sizeof(line), file)) {
		char *at = strstr(line, "syspath:");

		line[strcspn(line, "\n")] = '\0';
		found |= at && owner_of(at, owner);
	}
	fclose(file);
	return found;
}

static void add_vfio(struct process *p, const char *fd)
{
	uint32_t owner;
	struct sign *s;

	if (!read_owner(p, fd, &owner)) {
		p->untold = true;
		return;
	}
	s = sign_add(p->m, USE_VFIO, p->by);
	if (!s)
		return;
	s->by_owner = true;
	s->owner = owner;
}

static void look_at(void *arg, const char *fd)
{
	struct process *p = arg;
	char path[64], target[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%.20s/fd/%.20s", p->pid, fd);
	if (stat(path, &st))
		return;
	if (S_ISBLK(st.st_mode) || S_ISCHR(st.st_mode))
		add_open(p, S_ISBLK(st.st_mode), st.st_rdev);
	else if (!link_read(target, sizeof(target), "%s", path) &&
		 !strcmp(target, "anon_inode:[vfio-device]"))
		add_vfio(p, fd);
}

static void read_process(void *arg, const char *pid)
{
	struct process p = {.m = arg, .pid = pid};
	char path[64], name[32] = "?";
	struct sign *s;

	if (!isdigit((unsigned char)pid[0]) || strtol(pid, NULL, 10) == getpid())
		return;
	file_read(name, sizeof(name), "/proc/%s/comm", pid);
	snprintf(p.by, sizeof(p.by), "process %.20s (%s)", pid, name);
	snprintf(path, sizeof(path), "/proc/%.20s/fd", pid);
	dir_each(path, look_at, &p);
	if (!p.untold || p.told)
		return;
	s = sign_add(p.m, USE_VFIO, p.by);
	if (s)
		s->any_owner = true;
}

void signs_read_processes(struct machine *m)
{
	dir_each("/proc", read_process, m);
}
