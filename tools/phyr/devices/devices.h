/* SPDX-License-Identifier: MIT */
/*
 * phyr devices: which PCI devices there are to hand over, what is in the way, and handing them over.
 *
 * Two tables are read once and joined: the files that devices have (struct node: disks, partitions,
 * sound, displays, VFIO's own) and what is seen to be used (struct sign: mounts, swap, open files, …).
 * A node and a sign of the same device number are a use; a device in use is left alone.
 */
#ifndef DEVICES_DEVICES_H
#define DEVICES_DEVICES_H

#include <limits.h>
#include <stddef.h>
#include <sys/types.h>

#include <phyr/phyr.h>

#include "cli.h"
#include "cmd.h"

#define COMMAND "devices"

enum devices_action {
	ACTION_SHOW,
	ACTION_BIND,
	ACTION_UNBIND,
};

struct devices_opts {
	enum devices_action action;
	uint32_t source;    /* to bind or unbind */
	const char *driver; /* to bind to */
	uint32_t *sources;  /* to show, to be freed; NULL: all */
	size_t nr_sources;
	bool all, verbose, json;
};

/* A file of a device, under /dev. */
struct node {
	char name[64]; /* below /dev */
	dev_t dev;
	bool block, partition;
	int group; /* VFIO's file of a whole group; -1: of one device */
	uint32_t owner;
};

enum use_kind {
	USE_MOUNTED,
	USE_SWAP,
	USE_PART,      /* of an md, a dm, … */
	USE_LOOP,      /* what a loop device lies on */
	USE_EXPORTED,  /* by the kernel's NVMe target, which claims nothing */
	USE_FUNCTIONS, /* virtual ones, which a reset takes away */
	USE_OPEN,      /* in a process */
	USE_VFIO,      /* a descriptor of VFIO in a process, without a file */
	USE_UP,        /* a network interface */
	USE_SCREEN,    /* the firmware's */
};

extern const char *const devices_use_names[];

/* That something is used. */
struct sign {
	enum use_kind kind;
	bool block;
	bool by_owner;  /* dev says nothing */
	bool any_owner; /* of those that are bound to VFIO */
	dev_t dev;
	uint32_t owner;
	char what[64];         /* used; empty: the node's name */
	char by[NAME_MAX + 1]; /* mount point, process, …; cut if longer */
};

struct device {
	struct phyr_pci_info info;
	char name[PHYR_PCI_NAME];
	char iommu[32]; /* "dmar0"; empty: none that has a name */
};

struct machine {
	struct phyr_env env; /* first: its report finds the rest */
	struct cli_reports reports;
	struct device *devices;
	struct node *nodes;
	struct sign *signs;
	size_t nr_devices, nr_nodes, nr_signs;
	char iommus[128]; /* names, with spaces between; empty: none is at work */
	bool has_vfio, has_iommufd, has_vfio_pci;
	bool may_lock;    /* more than memlock */
	uint64_t memlock; /* UINT64_MAX: no limit */
	bool lost;        /* a table is not whole: out of memory */
};

enum way_kind {
	WAY_BRIDGE,
	WAY_USE,
	WAY_IOMMU,
	WAY_MODULE,
	WAY_DRIVER,
	WAY_KERNEL,
	WAY_GROUP,
	WAY_RIGHT,
	WAY_MEMLOCK,
};

extern const char *const devices_way_names[];

#define WAY_TEXT 512

/* What is in the way of handing a device over. */
struct way {
	enum way_kind kind;
	bool only_noted; /* it may do */
	char text[WAY_TEXT];
	char help[WAY_TEXT];     /* what to do about it; may be empty */
	char commands[WAY_TEXT]; /* lines for a shell, as root; may be empty */
};

struct ways {
	struct way *at;
	size_t nr;
	bool lost; /* not whole: out of memory */
};

/* files.c: these return 0 or a negative errno. */

/* A file's text, to its first newline, cut to fit. */
int file_read(char *buf, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
int file_write(const char *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Where a link leads, and the last part of that. */
int link_read(char *buf, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
int link_name(char *buf, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Copy, cut to fit. */
void copy_text(char *to, size_t size, const char *text);
/* Likewise what anybody may have named: UTF-8, with a ? for what is none, and for controls. */
void copy_name(char *to, size_t size, const char *text);
/* The names in a folder, without those that begin with a dot. 0, or what open() said. */
typedef void name_fn(void *arg, const char *name);
int dir_each(const char *path, name_fn *fn, void *arg);
/* One more, of zeroes, at the array's end; NULL: no memory. */
void *array_add(void *array_pointer, size_t *nr, size_t size);

/* machine.c */

/* All of it, or an error that is told of, as exit status. */
int machine_read(struct machine *m);
void machine_release(struct machine *m);
struct device *machine_find(struct machine *m, uint32_t source);
bool is_vfio(const char *driver);

/* nodes.c, signs.c, processes.c */

void nodes_read(struct machine *m);
/* The last PCI device that a path goes through. */
bool owner_of(const char *path, uint32_t *owner);
const struct node *node_find(const struct machine *m, bool block, dev_t dev);
void signs_read(struct machine *m);
struct sign *sign_add(struct machine *m, enum use_kind kind, const char *by);
void signs_read_processes(struct machine *m);

/* uses.c */

/* Called for each use of a device; by whom may be empty. @return false: no more */
typedef bool use_fn(void *arg, enum use_kind kind, const char *what, const char *by);
void uses_each(const struct machine *m, const struct device *d, use_fn *fn, void *arg);
/* As a phrase: "nvme0n1p1 is mounted at /". */
void use_text(char *buf, size_t size, enum use_kind kind, const char *what, const char *by);
/* The first use as a phrase; false: none. */
bool uses_first(const struct machine *m, const struct device *d, char *buf, size_t size);

/* ways.c */

void ways_find(const struct machine *m, const struct device *d, struct ways *out);
void ways_release(struct ways *ways);
/* The first that is not only noted; NULL: ready. */
const struct way *ways_first(const struct ways *ways);
/* The next device of the same group that keeps VFIO from it, from index *at on; NULL: no more. */
const struct device *group_next(const struct machine *m, const struct device *d, size_t *at);

/* claim.c */

/* Whole disks, held so that nothing on them can be mounted or claimed meanwhile. */
struct claims {
	int *fds;
	size_t nr;
};

/* Claim all of a device's disks, or none: an exit status. */
int claims_take(const struct machine *m, const struct device *d, struct claims *out);
void claims_release(struct claims *claims);

/* class.c: a word, or as hexadecimal. */
const char *class_word(uint32_t class_code, char buf[16]);

/* All of these return an exit status, having said what is wrong. */

/* *help: it was printed, and that is all. */
int devices_parse(int argc, char **argv, struct devices_opts *opts, bool *help);
int devices_bind(struct machine *m, struct device *d, const char *driver);
int devices_unbind(struct machine *m, struct device *d);

/* Which of the machine's devices are shown. */
bool devices_is_shown(const struct devices_opts *opts, const struct device *d);
int devices_print(const struct machine *m, const struct devices_opts *opts);
int devices_json(const struct machine *m, const struct devices_opts *opts);

#endif
