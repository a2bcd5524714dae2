/* SPDX-License-Identifier: MIT */
/*
 * A machine with two devices, memory, and one of the backends with a domain: the simulated machine
 * (rig_sim.c), or the one that the test runs in, its kernel and real devices (tests/guest).
 *
 * Tests say what every backend must do. Where machines differ they ask the kind, not the name.
 */
#ifndef TESTS_BACKEND_RIG_H
#define TESTS_BACKEND_RIG_H

#include <phyr/backend.h>
#include <phyr/sim.h>

#include "lib/tenv.h"

#define RIG_DEVICES 2

struct rig;

/* What a machine must do. Devices are numbers below RIG_DEVICES. */
struct rig_machine {
	/* Memory and its list, the devices' source ids, an environment in rig->t. */
	void (*init)(struct rig *rig);
	void (*fini)(struct rig *rig);
	/* The backend of the rig's kind, in rig->t.env; a negative errno as its call says. */
	int (*backend)(struct rig *rig, struct phyr_iommu **out);
	/* After a device was attached, and before it is detached: its registers come and go. */
	void (*attached)(struct rig *rig, struct phyr_domain *domain, unsigned dev);
	void (*detaching)(struct rig *rig, struct phyr_domain *domain, unsigned dev);
	/* Let a device write buf to an address, or read it from there. 0; -EFAULT where that is seen */
	int (*access)(struct rig *rig, unsigned dev, uint64_t addr, void *buf, uint64_t len,
		      unsigned access);
	/* Let a device make an access that is blocked, and find what is told of it; fails the test
	 * when it goes through, or nothing is told. fault->reason is 0 where it is not said; an iova may
	 * be that of the page. */
	void (*blocked)(struct rig *rig, unsigned dev, uint64_t addr, uint64_t len, unsigned access,
			struct phyr_fault *fault);
	/* A device that is attached to another domain, or to none, writes to an address. */
	void (*outside)(struct rig *rig, unsigned dev, uint64_t addr, uint64_t len);
};

struct rig_kind {
	const char *name;
	const struct rig_machine *machine;
	bool translates;
	/* The kernel writes the tables: unmap is synchronous, and faults are in the kernel's log. */
	bool kernel;
	bool write_only;      /* there are mappings that a device may not read */
	uint64_t data;        /* bytes that a test moves when it moves many */
	uint64_t device_last; /* the highest address that a device can put on the bus */

	unsigned levels; /* of tables; 0: the backend's choice */

	/* The simulated machine's. */
	enum phyr_pgtbl_format format; /* of a backend that translates */
	enum phyr_sim_scatter scatter;
};

/* The kinds that the suite runs over, from 0; NULL: no more. */
const struct rig_kind *rig_kind(unsigned i);
#define RIG_MAX_KINDS 16

struct rig {
	const struct rig_kind *kind;
	void *machine; /* the machine's own */
	struct tenv t; /* on top of the machine's own environment */
	uint32_t source[RIG_DEVICES];
	struct phyr_iommu *iommu;
	struct phyr_domain *domain;
	unsigned char *memory; /* size bytes, on a page's edge */
	uint64_t size;         /* at least 128 pages */
	struct phyr_list list; /* what it is, scattered */

	/* The last fault that the domain was told of, and how many. */
	struct phyr_fault fault;
	unsigned faults;
};

/* Two devices that are attached to nothing yet. */
void rig_init(struct rig *rig, const struct rig_kind *kind);
/* The devices are detached; fails the test when anything is left over. */
void rig_fini(struct rig *rig);

/* Attach a device for DMA, and detach it. */
void rig_attach(struct rig *rig, struct phyr_domain *domain, unsigned dev);
void rig_detach(struct rig *rig, struct phyr_domain *domain, unsigned dev);

/* Map [offset, offset + len) of the memory at an iova that is taken for it. */
int rig_map(struct rig *rig, uint64_t offset, uint64_t len, unsigned prot, uint64_t *iova);
/* Unmap it, sync, and give the iova back. */
void rig_unmap(struct rig *rig, uint64_t iova, uint64_t len);

/* The list's address of a byte of the memory. */
uint64_t rig_addr(struct rig *rig, uint64_t offset);

/* Let a device write, or read and compare, len bytes of a pattern. 0; -EFAULT where that is seen */
int rig_write(struct rig *rig, unsigned dev, uint64_t addr, unsigned char first, uint64_t len);
int rig_read(struct rig *rig, unsigned dev, uint64_t addr, unsigned char first, uint64_t len);
/* Whether memory holds that pattern. */
bool rig_holds(const struct rig *rig, uint64_t offset, unsigned char first, uint64_t len);

/* The last report is this one, and has a hint. */
void rig_told(const struct rig *rig, int err, const char *call);
/* Each page of a mapping for reading and writing leads to the list's own page. */
void rig_leads(struct rig *rig, uint64_t iova, uint64_t offset, uint64_t len);

/* An access of a device is blocked at its first byte, and the fault that is told is that one. */
void rig_blocked(struct rig *rig, unsigned dev, uint64_t addr, uint64_t len, unsigned access,
		 enum phyr_fault_reason reason);
/* The domain's handler was told of so many faults so far; of none where the kernel keeps them. */
void rig_faults(const struct rig *rig, unsigned nr);

/* The domain's handler, for further domains that are to tell the rig. */
void rig_on_fault(void *arg, const struct phyr_fault *fault);

#endif
