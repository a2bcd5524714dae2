/* SPDX-License-Identifier: MIT */
/* phyr devices: what the system says is used: mounts, swap, holders, loops, interfaces, the screen. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "devices/devices.h"

#define IFF_UP 1 /* linux/if.h, which does not go with net/if.h */

struct sign *sign_add(struct machine *m, enum use_kind kind, const char *by)
{
	struct sign *s = array_add(&m->signs, &m->nr_signs, sizeof(*s));

	if (!s) {
		m->lost = true;
		return NULL;
	}
	s->kind = kind;
	copy_text(s->by, sizeof(s->by), by);
	return s;
}

static void add_block(struct machine *m, enum use_kind kind, dev_t dev, const char *by)
{
	struct sign *s;

	if (!node_find(m, true, dev))
		return;
	s = sign_add(m, kind, by);
	if (!s)
		return;
	s->block = true;
	s->dev = dev;
}

/* A path that may be a block device. */
static void add_path(struct machine *m, enum use_kind kind, const char *path, const char *by)
{
	struct stat st;

	if (path[0] == '/' && !stat(path, &st) && S_ISBLK(st.st_mode))
		add_block(m, kind, st.st_rdev, by);
}

static bool is_octal(const char *at)
{
	return at[0] == '\\' && at[1] >= '0' && at[1] <= '3' && isdigit((unsigned char)at[2]) &&
	       isdigit((unsigned char)at[3]);
}

/* The kernel writes a space as \040. */
static void unescape(char *text)
{
	char *to = text;

	for (const char *at = text; *at; to++) {
		if (is_octal(at)) {
			*to = (char)((at[1] - '0') << 6 | (at[2] - '0') << 3 | (at[3] - '0'));
			at += 4;
		} else {
			*to = *at++;
		}
	}
	*to = '\0';
}

/* "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw" (proc(5)). */
static void take_mount(struct machine *m, char *line)
{
	char at[PATH_MAX], source[PATH_MAX];
	unsigned major, minor;
	const char *rest = strstr(line, " - ");

	if (sscanf(line, "%*u %*u %u:%u %*s %4095s", &major, &minor, at) != 3)
		return;
	unescape(at);
	add_block(m, USE_MOUNTED, makedev(major, minor), at);
	/* File systems with numbers of their own, as btrfs: what was mounted says it. */
	if (!rest || sscanf(rest, " - %*s %4095s", source) != 1)
		return;
	unescape(source);
	if (!major)
		add_path(m, USE_MOUNTED, source, at);
}

static void read_lines(struct machine *m, const char *path,
		       void (*take)(struct machine *m, char *line))
{
	FILE *file = fopen(path, "re");
	char *line = NULL;
	size_t size = 0;

	if (!file)
		return;
	while (getline(&line, &size, file) >= 0)
		take(m, line);
	m->lost |= ferror(file) && !feof(file);
	free(line);
	fclose(file);
}

static void take_swap(struct machine *m, char *line)
{
	char path[PATH_MAX];

	if (sscanf(line, "%4095s", path) != 1)
		return;
	unescape(path);
	add_path(m, USE_SWAP, path, "");
}

/* Mounts of every mount namespace that there is to see, each once. */
struct namespaces {
	struct machine *m;
	char (*seen)[32];
	size_t nr;
};

static bool is_new(struct namespaces *all, const char *name)
{
	char *text;

	for (size_t i = 0; i < all->nr; i++)
		if (!strcmp(all->seen[i], name))
			return false;
	text = array_add(&all->seen, &all->nr, sizeof(all->seen[0]));
	if (text)
		copy_text(text, sizeof(all->seen[0]), name);
	else
		all->m->lost = true;
	return true;
}

static void read_mounts_of(void *arg, const char *pid)
{
	struct namespaces *all = arg;
	char path[64], name[32];

	if (!isdigit((unsigned char)pid[0]) ||
	    link_name(name, sizeof(name), "/proc/%s/ns/mnt", pid) || !is_new(all, name))
		return;
	snprintf(path, sizeof(path), "/proc/%.20s/mountinfo", pid);
	read_lines(all->m, path, take_mount);
}

static void read_mounts(struct machine *m)
{
	struct namespaces all = {.m = m};
	char name[32];

	if (!link_name(name, sizeof(name), "/proc/self/ns/mnt"))
		is_new(&all, name);
	read_lines(m, "/proc/self/mountinfo", take_mount);
	dir_each("/proc", read_mounts_of, &all);
	free(all.seen);
}

/* What a disk or a part of it is part of: dm-0, md0. */
struct held {
	struct machine *m;
	dev_t dev;
};

static void take_holder(void *arg, const char *name)
{
	const struct held *held = arg;
	char mapper[128], by[200];

	if (file_read(mapper, sizeof(mapper), "/sys/class/block/%s/dm/name", name))
		snprintf(by, sizeof(by), "%s", name);
	else
		snprintf(by, sizeof(by), "%.60s (%s)", name, mapper);
	add_block(held->m, USE_PART, held->dev, by);
}

static void read_holders(struct machine *m)
{
	char path[64];

	for (size_t i = 0; i < m->nr_nodes; i++) {
		struct held held = {m, m->nodes[i].dev};

		if (!m->nodes[i].block)
			continue;
		snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/holders", major(held.dev),
			 minor(held.dev));
		dir_each(path, take_holder, &held);
	}
}

static void take_loop(void *m, const char *name)
{
	char path[PATH_MAX];

	if (!file_read(path, sizeof(path), "/sys/class/block/%s/loop/backing_file", name))
		add_path(m, USE_LOOP, path, name);
}

static void add_owned(struct machine *m, enum use_kind kind, uint32_t owner, const char *what)
{
	struct sign *s = sign_add(m, kind, "");

	if (!s)
		return;
	s->by_owner = true;
	s->owner = owner;
	copy_text(s->what, sizeof(s->what), what);
}

static void take_interface(void *m, const char *name)
{
	char path[PATH_MAX], flags[32];
	uint32_t owner;

	if (link_read(path, sizeof(path), "/sys/class/net/%s", name) || !owner_of(path, &owner) ||
	    file_read(flags, sizeof(flags), "/sys/class/net/%s/flags", name))
		return;
	if (strtoul(flags, NULL, 0) & IFF_UP)
		add_owned(m, USE_UP, owner, name);
}

static void read_screens(struct machine *m)
{
	char text[16];

	for (size_t i = 0; i < m->nr_devices; i++)
		if (!file_read(text, sizeof(text), "/sys/bus/pci/devices/%s/boot_vga",
			       m->devices[i].name) &&
		    !strcmp(text, "1"))
			add_owned(m, USE_SCREEN, m->devices[i].info.source, m->devices[i].name);
}

void signs_read(struct machine *m)
{
	read_mounts(m);
	read_lines(m, "/proc/swaps", take_swap);
	read_holders(m);
	dir_each("/sys/class/block", take_loop, m);
	dir_each("/sys/class/net", take_interface, m);
	read_screens(m);
	signs_read_processes(m);
}
