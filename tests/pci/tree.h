/* SPDX-License-Identifier: MIT */
/* A folder of devices as sysfs has them, in a temporary place. */
#ifndef TESTS_PCI_TREE_H
#define TESTS_PCI_TREE_H

void tree_make(void);
void tree_remove(void);

/* An NVMe device without IOMMU, driver and node. */
void tree_device(const char *name);
/* Write a device's file; NULL: remove it. */
void tree_file(const char *name, const char *file, const char *text);
void tree_link(const char *name, const char *link, const char *target);
void tree_folder(const char *name, const char *folder);
/* Remove a device. */
void tree_pull(const char *name);

#endif
