/* SPDX-License-Identifier: MIT */
/*
 * What the kernel's two interfaces, VFIO's containers and iommufd, have in common.
 *
 *                      kernel            a backend: its devices, wherever they are attached
 *                        │
 *         ┌──────────────┴─────────┐
 *   kernel_domain            kernel_domain    one iova space: a container, or an IOAS
 *     record: what is mapped where
 *     type->map, type->unmap: one call into the kernel each
 *
 * The record comes first when something is mapped and last when it is unmapped, so an iova is never
 * free in the record while the kernel has something there. No lock is held during a call that maps
 * or unmaps.
 */
#ifndef BACKEND_KERNEL_H
#define BACKEND_KERNEL_H

#include <phyr/backend.h>
#include <phyr/pci.h>

#include "backend/record.h"

/* The highest iova, and user address, that can be written down. */
#define KERNEL_LAST (((uint64_t)1 << RECORD_ADDR_LG2) - 1)

struct kernel_domain;

/* An IOMMU group, on VFIO's containers. Its file is open once, however many devices are. */
struct kernel_group {
	struct kernel_group *next;
	struct kernel_domain *domain;
	int id;
	int fd;
	unsigned nr_devs;
};

struct kernel_dev {
	struct kernel_dev *next;
	struct kernel_domain *domain;
	struct kernel_group *group; /* NULL: iommufd, or the container is somebody else's */
	uint32_t source;
	int fd; /* ours unless the backend's descriptors are somebody else's */
};

/* Why something was refused. */
struct kernel_why {
	int err;
	const char *hint;
};

/* What is different between the two. Errors are the kernel's own, unless said otherwise. */
struct kernel_type {
	const char *no_memory; /* what is said when the kernel finds no memory to map */
	/* The domain's object; 0 or an errno. The backend's lock is not held. */
	int (*open)(struct kernel_domain *domain);
	void (*close)(struct kernel_domain *domain);
	/* With the backend's lock held. Sets dev->fd, where descriptors are our own, and the domain's
	 * aperture. 0, or why->err. */
	int (*attach)(struct kernel_domain *domain, struct kernel_dev *dev,
		      const struct phyr_pci_info *info, struct kernel_why *why);
	void (*detach)(struct kernel_domain *domain, struct kernel_dev *dev);
	int (*map)(struct kernel_domain *domain, const struct phyr_space *space,
		   const struct record_run *run);
	/* done: out, the bytes that the kernel says it unmapped. */
	int (*unmap)(struct kernel_domain *domain, uint64_t iova, uint64_t len, uint64_t *done);
};

struct kernel {
	struct phyr_iommu iommu;
	struct phyr_iommu_caps caps;
	const struct kernel_type *type;
	int fd;        /* iommufd; a container from outside; else -1 */
	uint32_t ioas; /* from outside */
	bool foreign;  /* descriptors are somebody else's: there is one domain, and we close none */

	struct phyr_lock lock; /* what follows, and the kernel's part of attach and detach */
	bool taken;            /* the one domain of a foreign backend is there */
	struct kernel_dev *devs;
	struct kernel_group *groups;
	struct phyr_vfio_dev *given; /* devices of a foreign backend */
	unsigned nr_given;
};

struct kernel_domain {
	struct kernel *kernel;
	int fd; /* container or iommufd */
	uint32_t ioas;
	uint64_t ioctls; /* from any thread */

	struct phyr_lock lock; /* all that follows */
	struct record record;
	struct phyr_aperture aperture; /* page_sizes 0: nothing was attached yet */
	uint64_t granule;              /* the first aperture's: none has a smaller one after it */
	uint64_t limit;                /* mappings that the kernel takes; UINT64_MAX: any number */
	bool live; /* the kernel holds what the record says; false: a container without a group */
};

/* kernel_sys.c: system calls, which leave errno alone. */

/* Open a device file, to read and write, closed on exec. A descriptor or a negative errno. */
int phyr_kernel_open(const char *path);
void phyr_kernel_close(int fd);
/* ioctl(): what it returned, or a negative errno. */
int phyr_kernel_ioctl(int fd, unsigned long request, void *arg);
/* The same for a domain, whose calls are counted. */
int phyr_kernel_call(struct kernel_domain *domain, int fd, unsigned long request, void *arg);
/* Whether a file may be written by its descriptor: it is open for that, and not sealed. True of what is no
 * descriptor, which the kernel says itself. */
bool phyr_kernel_may_write(int fd);
/* Whether locked memory of this process is limited; then *limit is its bytes. */
bool phyr_kernel_memlock(uint64_t *limit);

/* kernel.c */

/* A backend with nothing in it; 0, or reported in the name of call. */
int phyr_kernel_create(struct phyr_env *env, const char *call, const struct kernel_type *type,
		       const char *name, struct kernel **out);
/* Let it have a caller's devices; 0 or -ENOMEM. */
int phyr_kernel_give(struct kernel *kernel, const struct phyr_vfio_dev *devs, unsigned nr);
void phyr_kernel_destroy(struct phyr_iommu *iommu);

/* kernel_attach.c: slots of struct phyr_iommu_ops, as in kernel_map.c and kernel_unmap.c. */
int phyr_kernel_attach(void *ctx, uint32_t source);
void phyr_kernel_detach(void *ctx, uint32_t source);
void phyr_kernel_aperture(void *ctx, struct phyr_aperture *out);
/* What is allowed from now on, and how many mappings the kernel takes. */
void phyr_kernel_allow(struct kernel_domain *domain, const struct phyr_aperture *aperture,
		       uint64_t limit);
/* Fill in why, and return its errno. */
int phyr_kernel_refuse(struct kernel_why *why, int err, const char *hint);

/* kernel_aperture.c */

/* Begin an aperture of the given page sizes, of which those of 4 KiB to 1 GiB are taken. Its granule
 * is at least that of the domain, by whose granules memory is mapped. */
void phyr_kernel_aperture_begin(const struct kernel_domain *domain, struct phyr_aperture *aperture,
				uint64_t page_sizes);
/* Add an allowed range; they come in order. False: they do not, or make no sense. */
bool phyr_kernel_aperture_add(struct phyr_aperture *aperture, uint64_t start, uint64_t last);
/* After the last one; false: there was none that can be used. */
bool phyr_kernel_aperture_end(struct phyr_aperture *aperture);
/* Whether all of [start, last] is allowed. */
bool phyr_kernel_aperture_has(const struct phyr_aperture *aperture, uint64_t start, uint64_t last);

static inline uint64_t kernel_granule(const struct phyr_aperture *aperture)
{
	return aperture->page_sizes & -aperture->page_sizes;
}

/* kernel_map.c */
int phyr_kernel_map(void *ctx, uint64_t iova, const struct phyr_space *space,
		    struct phyr_cursor *cur, unsigned prot, struct phyr_gather *gather);

/* kernel_unmap.c */
int phyr_kernel_unmap(void *ctx, uint64_t iova, uint64_t len, struct phyr_gather *gather);
int phyr_kernel_translate(void *ctx, uint64_t iova, struct phyr_translation *out);
/* Unmap in the kernel what the record has in [start, last], and that alone; by one call where it
 * lies together. What was unmapped is out of the record; what was not keeps nothing else from it. 0 or
 * the first errno. */
int phyr_kernel_unmap_ours(struct kernel_domain *domain, uint64_t start, uint64_t last);
/* One call that unmaps bytes; -EIO: the kernel says another number. */
int phyr_kernel_unmap_bytes(struct kernel_domain *domain, uint64_t iova, uint64_t len,
			    uint64_t bytes);
/* Map again in the kernel all that the record has; 0 or a negative errno, whatever was done. */
int phyr_kernel_replay(struct kernel_domain *domain);

#endif
