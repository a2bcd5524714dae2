/* SPDX-License-Identifier: MIT */
/* What the kernel says of a device in its folder of sysfs: one value a file, or the name of a link. */
#ifndef PCI_SYSFS_H
#define PCI_SYSFS_H

#include <stddef.h>
#include <stdint.h>

/* Where devices' folders lie; tests have a tree of their own. */
extern const char *phyr_sysfs_devices;

/* Open a device's folder: a descriptor, or a negative errno; -ENODEV there is none. */
int phyr_sysfs_open(uint32_t source);

/* Read a number, as strtoll() reads it, from lowest to highest: 0; -ENOENT no such file; -EIO that is
 * not what it holds; as open() and read() say. */
int phyr_sysfs_number(int dir, const char *file, int64_t lowest, int64_t highest, int64_t *out);

/* The last name of where a link leads: 0; -ENOENT no link; -EIO it is longer than size. */
int phyr_sysfs_link(int dir, const char *link, char *name, size_t size);

/* The first name in a folder that begins with prefix: 0; -ENOENT none; -EIO it is longer than size. */
int phyr_sysfs_entry(int dir, const char *folder, const char *prefix, char *name, size_t size);

#endif
