/* SPDX-License-Identifier: MIT */
/*
 * A kernel with VFIO's containers and iommufd, for a program whose open, ioctl and close are wrapped
 * (-Wl,--wrap). Its rules are written from what Linux does:
 *
 *   group      open once; its devices are handed out while it is in a container
 *   container  has an IOMMU from VFIO_SET_IOMMU on, and loses it, and all mappings, with its last group;
 *              takes no group that does not allow what is mapped (EINVAL)
 *   type 1     EEXIST over what is mapped, ENOSPC without an entry left, unmaps nothing that it would
 *              have to split
 *   IOAS       the same without entries, and keeps its mappings without a device; unmapping nothing is
 *              ENOENT, attaching a device that does not allow what is mapped EADDRINUSE
 *
 * What breaks a rule that only phyr can break (a group closed before its devices, a wrong descriptor)
 * ends the program. Any call can be made to fail. Threads may call at once.
 */
#ifndef TESTS_FAKEKERNEL_H
#define TESTS_FAKEKERNEL_H

#include <phyr/pci.h>

#include <pthread.h>

#define FK_FIRST_FD 1000 /* descriptors below are the system's own */
#define FK_FILES    64
#define FK_SPACES   16
#define FK_RANGES   200

/* How long the capability is that says how many entries are left: Linux pads it. */
#define FK_LEFT_BYTES 16

struct fk_map {
	uint64_t iova, addr, len;
	unsigned prot; /* enum phyr_prot */
	bool file;     /* addr is an offset into a file */
};

/* One iova space: of a container, or an IOAS. */
struct fk_space {
	bool used;
	bool iommu;          /* mappings go to an IOMMU, so memory is pinned */
	unsigned users;      /* groups in it, devices attached to it */
	struct fk_map *maps; /* by iova */
	uint64_t nr, room;
};

enum fk_kind { FK_FREE, FK_CONTAINER, FK_GROUP, FK_DEVICE, FK_IOMMUFD };

struct fk_file {
	enum fk_kind kind;
	int space; /* container; group: the container's; device: the IOAS it is attached to; or -1 */
	int group; /* group, device */
	int bound; /* device: the iommufd's descriptor */
	uint32_t source;
};

struct fk_dev {
	uint32_t source;
	int group;
	char cdev[16];
	char driver[32];
};

struct fk {
	/* How the machine is made; fk_init() gives a usual one. */
	struct fk_dev devs[4];
	uint64_t page_sizes; /* of type 1; its lowest is an IOAS's alignment */
	struct {
		uint64_t start, last;
	} ranges[FK_RANGES]; /* allowed while a device is there */
	unsigned nr_ranges;
	uint32_t dma_entry_limit;
	uint64_t lock_limit;          /* bytes that may be pinned */
	uint64_t bad_start, bad_last; /* addresses where there is no memory */
	bool map_file;                /* has IOMMU_IOAS_MAP_FILE */
	bool no_type1;                /* VFIO_CHECK_EXTENSION says no */
	int api_version;
	int unviable;       /* the group that is not viable */
	uint64_t unmap_lie; /* unmapped bytes are said to be so many fewer */
	/* Change what VFIO_IOMMU_GET_INFO or IOMMU_IOAS_IOVA_RANGES answers: size bytes. */
	void (*info)(void *buf, size_t size);

	/* Failing calls: open, ioctl, and phyr_pci_find(). */
	uint64_t calls;
	uint64_t fail_at;       /* the n-th call; 0: none */
	uint64_t fail_for;      /* and how many after it */
	unsigned long fail_cmd; /* or each ioctl of this number */
	const char *fail_path;  /* or opening this */
	int fail_err;           /* with this errno */
	bool failed;

	/* What there is. */
	struct fk_space spaces[FK_SPACES];
	struct fk_file files[FK_FILES];
	unsigned open_files;
	uint64_t pinned;
	uint64_t ioctls;
	pthread_mutex_t mutex;
};

extern struct fk fk;

/* A machine of four devices, the last two in one group, and nothing open. */
void fk_init(void);
/* Fails the program when anything is open or mapped. */
void fk_fini(void);
/* All mappings of all spaces. */
uint64_t fk_nr_maps(void);
/* The one that covers an iova of a space, or NULL. */
const struct fk_map *fk_find(int space, uint64_t iova);
/* The one space in use; fails the program when there are none or more. */
int fk_only_space(void);

/* fakekernel_space.c, under the mutex: 0 or an errno. */
int fk_map(struct fk_space *space, const struct fk_map *map, bool type1);
int fk_unmap(struct fk_space *space, uint64_t iova, uint64_t len, bool type1, uint64_t *done);
/* Whether all that is mapped lies in what devices allow. */
bool fk_allows_all(const struct fk_space *space);
/* The space's memory is pinned now, or not any more. */
int fk_pin_all(struct fk_space *space);
void fk_unpin_all(struct fk_space *space);
void fk_forget(struct fk_space *space);

#endif
