/* SPDX-License-Identifier: MIT */
/* phyr devices: what the system says is used: mounts, swap, holders, loops, interfaces, the screen. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

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
	copy_name(s->by, sizeof(s->by), by);
	return s;
}

static void add_file(struct machine *m, enum use_kind kind, bool block, dev_t dev, const char *by)
{
	struct sign *s;

	if (!node_find(m, block, dev))
		return;
	s = sign_add(m, kind, by);
	if (!s)
		return;
	s->block = block;
	s->dev = dev;
}

static void add_block(struct machine *m, enum use_kind kind, dev_t dev, const char *by)
{
	add_file(m, kind, true, dev, by);
}

/* A path that may be a device's file. */
static void add_path(struct machine *m, enum use_kind kind, const char *path, const char *by)
{
	struct stat st;

	if (path[0] == '/' && !stat(path, &st) && (S_ISBLK(st.st_mode) || S_ISCHR(st.st_mode)))
		add_file(m, kind, S_ISBLK(st.st_mode), st.st_rdev, by);
}

/* A path that was a disk's for somebody: what is not there for us is known by its last name. */
static void add_foreign_path(struct machine *m, enum use_kind kind, char *path, const char *by)
{
	char *gone = strstr(path, " (deleted)");
	const char *slash;

	if (gone)
		*gone = '\0';
	if (!gone && !access(path, F_OK)) {
		add_path(m, kind, path, by);
		return;
	}
	slash = strrchr(path, '/');
	for (size_t i = 0; slash && i < m->nr_nodes; i++)
		if (m->nodes[i].block && !strcmp(m->nodes[i].name, slash + 1))
			add_block(m, kind, m->nodes[i].dev, by);
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
		add_foreign_path(m, USE_LOOP, path, name);
}

/*
 * The kernel's NVMe target, as its folder of configfs says: subsystems/NQN/namespaces/1, or
 * subsystems/NQN/passthru for a whole controller.
 */
#define TARGETS "/sys/kernel/config/nvmet/subsystems"

struct target {
	struct machine *m;
	const char *nqn;
};

static void take_export(const struct target *t, const char *part)
{
	char enable[8], path[PATH_MAX];

	if (file_read(enable, sizeof(enable), TARGETS "/%s/%s/enable", t->nqn, part) ||
	    file_read(path, sizeof(path), TARGETS "/%s/%s/device_path", t->nqn, part))
		return;
	if (!strcmp(enable, "1"))
		add_foreign_path(t->m, USE_EXPORTED, path, t->nqn);
}

static void take_namespace(void *arg, const char *name)
{
	char part[300];

	snprintf(part, sizeof(part), "namespaces/%s", name);
	take_export(arg, part);
}

static void take_target(void *m, const char *nqn)
{
	struct target t = {m, nqn};
	char path[PATH_MAX];

	snprintf(path, sizeof(path), TARGETS "/%s/namespaces", nqn);
	dir_each(path, take_namespace, &t);
	take_export(&t, "passthru");
}

static void add_owned(struct machine *m, enum use_kind kind, uint32_t owner, const char *what)
{
	struct sign *s = sign_add(m, kind, "");

	if (!s)
		return;
	s->by_owner = true;
	s->owner = owner;
	copy_name(s->what, sizeof(s->what), what);
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

/* What becomes a program's is reset when it opens it, and its virtual functions go with that. */
static void read_functions(struct machine *m)
{
	char nr[16];

	for (size_t i = 0; i < m->nr_devices; i++) {
		const struct device *d = &m->devices[i];
		struct sign *s;

		if (file_read(nr, sizeof(nr), "/sys/bus/pci/devices/%s/sriov_numvfs", d->name) ||
		    !strtoul(nr, NULL, 10))
			continue;
		s = sign_add(m, USE_FUNCTIONS, nr);
		if (!s)
			return;
		s->by_owner = true;
		s->owner = d->info.source;
	}
}

void signs_read(struct machine *m)
{
	read_mounts(m);
	read_lines(m, "/proc/swaps", take_swap);
	read_holders(m);
	dir_each("/sys/class/block", take_loop, m);
	dir_each("/sys/class/net", take_interface, m);
	dir_each(TARGETS, take_target, m);
	read_screens(m);
	read_functions(m);
	signs_read_processes(m);
}
