/* SPDX-License-Identifier: MIT */
/*
 * phyr devices: which files under /dev belong to which PCI device.
 *
 * /sys/dev/{block,char} link each device number to its place in the tree of devices, and that place
 * names the PCI device. Two kinds lie elsewhere: a disk that could have several paths (NVMe multipath)
 * lies under its subsystem, which links to the controllers; and VFIO's file of a group is nobody's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "devices/devices.h"

/* Where one number leads, while it is looked at. */
struct found {
	struct machine *m;
	bool block;
	unsigned major, minor;
	char path[PATH_MAX];
};

bool owner_of(const char *path, uint32_t *owner)
{
	char part[PHYR_PCI_NAME];
	bool any = false;

	while (*path) {
		size_t len = strcspn(path, "/");

		if (len && len < sizeof(part)) {
			copy_text(part, len + 1, path);
			any |= !phyr_pci_parse(part, owner);
		}
		path += len + (path[len] == '/');
	}
	return any;
}

/* The name below /dev; the kernel's own has ! where there is a slash. */
static void read_name(const struct found *f, char name[64])
{
	const char *folder = f->block ? "block" : "char", *slash = strrchr(f->path, '/');
	char path[64], line[128];
	FILE *file;

	copy_text(name, 64, slash ? slash + 1 : f->path);
	snprintf(path, sizeof(path), "/sys/dev/%s/%u:%u/uevent", folder, f->major, f->minor);
	file = fopen(path, "re");
	if (!file)
		return;
	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, "DEVNAME=", 8)) {
			line[strcspn(line, "\n")] = '\0';
			copy_text(name, 64, line + 8);
		}
	fclose(file);
}

static bool is_partition(const struct found *f)
{
	char text[16];

	return f->block &&
	       !file_read(text, sizeof(text), "/sys/dev/block/%u:%u/partition", f->major, f->minor);
}

static void add_node(const struct found *f, uint32_t owner, int group)
{
	struct machine *m = f->m;
	struct node *n = array_add(&m->nodes, &m->nr_nodes, sizeof(*n));

	if (!n) {
		m->lost = true;
		return;
	}
	read_name(f, n->name);
	n->dev = makedev(f->major, f->minor);
	n->block = f->block;
	n->partition = is_partition(f);
	n->owner = owner;
	n->group = group;
}

/* The subsystem that a path lies in. */
static bool subsystem_of(const char *path, char name[64])
{
	static const char folder[] = "/nvme-subsystem/";
	const char *at = strstr(path, folder);
	size_t len;

	if (!at)
		return false;
	at += sizeof(folder) - 1;
	len = strcspn(at, "/");
	if (!len || len >= 64)
		return false;
	copy_text(name, len + 1, at);
	return true;
}

/* The path into the subsystem is what there is to see of a controller: a link to it. */
static void add_of_controller(void *arg, const char *name)
{
	const struct found *f = arg;
	char subsystem[64], target[PATH_MAX];
	uint32_t owner;

	if (!subsystem_of(f->path, subsystem) ||
	    link_read(target, sizeof(target), "/sys/class/nvme-subsystem/%s/%s", subsystem, name))
		return;
	if (owner_of(target, &owner))
		add_node(f, owner, -1);
}

static void add_of_subsystem(struct found *f)
{
	char subsystem[64], path[128];

	if (!subsystem_of(f->path, subsystem))
		return;
	snprintf(path, sizeof(path), "/sys/class/nvme-subsystem/%s", subsystem);
	dir_each(path, add_of_controller, f);
}

static bool group_of(const char *path, int *group)
{
	static const char folder[] = "/virtual/vfio/";
	const char *at = strstr(path, folder);

	return at && sscanf(at + sizeof(folder) - 1, "%d", group) == 1;
}

static void look(struct found *f, const char *number)
{
	uint32_t owner;
	int group;

	if (sscanf(number, "%u:%u", &f->major, &f->minor) != 2 ||
	    link_read(f->path, sizeof(f->path), "/sys/dev/%s/%s", f->block ? "block" : "char",
		      number))
		return;
	if (owner_of(f->path, &owner))
		add_node(f, owner, -1);
	else if (group_of(f->path, &group))
		add_node(f, 0, group);
	else
		add_of_subsystem(f);
}

static void look_block(void *m, const char *number)
{
	struct found f = {.m = m, .block = true};

	look(&f, number);
}

static void look_char(void *m, const char *number)
{
	struct found f = {.m = m};

	look(&f, number);
}

/*
 * A namespace that two controllers reach is a disk of each where the kernel does not join paths
 * (nvme_core.multipath=N). What is done to one is done to the other, so each is the other's owner's as well.
 */

#define IDENTITY 400

/* Subsystem and namespace, as they name themselves; false: not of an NVMe disk, or it does not say. */
static bool read_identity(const struct node *n, char identity[IDENTITY])
{
	const char *disk = n->partition ? "../" : "";
	unsigned maj = major(n->dev), min = minor(n->dev);
	char nqn[256], wwid[128];

	if (!n->block ||
	    file_read(nqn, sizeof(nqn), "/sys/dev/block/%u:%u/%sdevice/subsysnqn", maj, min,
		      disk) ||
	    file_read(wwid, sizeof(wwid), "/sys/dev/block/%u:%u/%swwid", maj, min, disk))
		return false;
	snprintf(identity, IDENTITY, "%s %s", nqn, wwid);
	return true;
}

static bool has_node(const struct machine *m, dev_t dev, uint32_t owner)
{
	for (size_t i = 0; i < m->nr_nodes; i++)
		if (m->nodes[i].block && m->nodes[i].dev == dev && m->nodes[i].owner == owner)
			return true;
	return false;
}

static void add_owner(struct machine *m, struct node n, uint32_t owner)
{
	struct node *at;

	if (has_node(m, n.dev, owner))
		return;
	at = array_add(&m->nodes, &m->nr_nodes, sizeof(*at));
	m->lost |= !at;
	if (!at)
		return;
	*at = n;
	at->owner = owner;
}

static void add_same_disks(struct machine *m)
{
	char a[IDENTITY], b[IDENTITY];

	for (size_t i = 0, nr = m->nr_nodes; i < nr; i++) {
		if (!read_identity(&m->nodes[i], a))
			continue;
		for (size_t j = 0; j < nr; j++)
			if (m->nodes[j].owner != m->nodes[i].owner &&
			    read_identity(&m->nodes[j], b) && !strcmp(a, b))
				add_owner(m, m->nodes[i], m->nodes[j].owner);
	}
}

void nodes_read(struct machine *m)
{
	dir_each("/sys/dev/block", look_block, m);
	dir_each("/sys/dev/char", look_char, m);
	add_same_disks(m);
}

const struct node *node_find(const struct machine *m, bool block, dev_t dev)
{
	for (size_t i = 0; i < m->nr_nodes; i++)
		if (m->nodes[i].dev == dev && m->nodes[i].block == block)
			return &m->nodes[i];
	return NULL;
}
