/* SPDX-License-Identifier: MIT */
/* A kernel backend on the fake kernel, with a domain that its first device is attached to. */
#ifndef TESTS_BACKEND_KERNELRIG_H
#define TESTS_BACKEND_KERNELRIG_H

#include <phyr/backend.h>
#include <phyr/source.h>

#include "backend/fakekernel.h"
#include "lib/tenv.h"

#define K     0x1000ull
#define M     0x100000ull
#define RW    (PHYR_READ | PHYR_WRITE)
#define DEV   0x28
#define DEV2  0x38
#define TWIN  0x40 /* it and TWIN2 are of one group */
#define TWIN2 0x41

/* Addresses of memory; the fake kernel does not look at it. */
#define MEMORY 0x10000000ull

struct krig {
	bool vfio; /* else iommufd */
	struct tenv t;
	struct phyr_iommu *iommu;
	struct phyr_domain *domain;
};

/* Make all that; krig_make() makes the backend alone, on a fake kernel that is there. */
void krig_init(struct krig *r, bool vfio);
int krig_make(struct krig *r);
/* The first device is detached if it is attached; fails when anything is left over. */
void krig_fini(struct krig *r);

/* Map one range, or several. */
int krig_map(struct krig *r, uint64_t iova, uint64_t addr, uint64_t len);
int krig_map_ranges(struct krig *r, uint64_t iova, const struct phyr_range *ranges, size_t nr);
int krig_unmap(struct krig *r, uint64_t iova, uint64_t len);
struct phyr_domain_stats krig_stats(struct krig *r);
/* The last report is this one, and the first since the last look. */
void krig_told(struct krig *r, int err, const char *call);
/* Attach a device that is not attached: refused with this error, reported, and without a descriptor. */
void krig_attach_fails(struct krig *r, uint32_t source, int want);
/* Each granule of [iova, iova + len) leads to addr and on, in record and kernel. */
void krig_leads_to(struct krig *r, uint64_t iova, uint64_t addr, uint64_t len, unsigned prot);

#endif
