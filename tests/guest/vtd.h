/* SPDX-License-Identifier: MIT */
/*
 * VT-d hardware behind the soft backend, driven by its registers in legacy mode: a root table, a
 * context table for bus 0, second-stage translation, invalidation and fault records by register.
 * The machine's kernel must leave the IOMMU alone.
 *
 * By the VT-d specification, which the sources name as [VT-d section].
 */
#ifndef TESTS_GUEST_VTD_H
#define TESTS_GUEST_VTD_H

#include <phyr/backend.h>

struct vtd;

/* What a fault record says. */
struct vtd_fault {
	uint16_t source;
	unsigned access;
	unsigned reason; /* [VT-d 7.1.3] */
	uint64_t page;
};

/* [VT-d 7.1.3], those that a test can come to. */
#define VTD_CONTEXT_NOT_PRESENT 0x2
#define VTD_TOO_WIDE            0x4
#define VTD_NO_WRITE            0x5
#define VTD_NO_READ             0x6

/*
 * Take hold of the registers at a physical address, and switch translation on: devices that have
 * no table are blocked from here on.
 *
 * env's pages must be memory that hardware reaches at phys_delta. A negative errno; -ENODEV there
 * is no such hardware, it has no such levels, or it caches what is not present.
 */
struct vtd_config {
	uint64_t registers; /* physical address */
	unsigned levels;    /* of tables, 3 or 4 */
	const uint32_t *sources;
	unsigned nr_sources; /* VTD_DEVICES at most, all of bus 0 */
};

#define VTD_DEVICES 4

int vtd_open(struct phyr_env *env, const struct vtd_config *config, struct vtd **out);
/* Translation is switched off. No domain is left. */
void vtd_close(struct vtd *vtd);

/* For phyr_soft_create(). */
struct phyr_soft_hw *vtd_hw(struct vtd *vtd);

/*
 * Take the oldest fault out of its record, and tell the domain of its device. false: there is none.
 * The reason that the domain is told is as near as the hardware says it.
 */
bool vtd_next_fault(struct vtd *vtd, struct vtd_fault *fault);

/* Invalidate all translations. */
void vtd_forget(struct vtd *vtd);

/* Invalidations done so far: of one range, and of a whole domain. */
void vtd_invalidations(const struct vtd *vtd, unsigned *ranges, unsigned *domains);

#endif
