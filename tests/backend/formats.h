/* SPDX-License-Identifier: MIT */
/*
 * The soft backend on the simulated machine, with tables of any format and shape, for tests that go
 * through all of them. Between the two stands hardware that hands everything on, and keeps what it is
 * told of the table: the walker written from the manuals goes by that.
 */
#ifndef TESTS_BACKEND_FORMATS_H
#define TESTS_BACKEND_FORMATS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <phyr/sim.h>

#include "lib/tenv.h"
#include "sim/walk.h"

#define FMT_MIB    (1ull << 20)
#define FMT_MEMORY (16 * FMT_MIB)

/* A format, and the machine that it is for. */
struct fmt_kind {
	const char *name;
	enum phyr_pgtbl_format format;
	unsigned levels, granule_lg2, oa_bits, bbm;
	unsigned iova_bits; /* that it comes to */
};

extern const struct fmt_kind fmt_kinds[];
extern const unsigned fmt_nr_kinds;

/* The machine, and its IOMMU with an ear at what it is told of tables. */
struct fmt_rig {
	struct phyr_soft_hw hw; /* hands on to real */
	struct phyr_soft_hw *real;
	const struct fmt_kind *kind;
	struct phyr_sim *sim;
	struct phyr_sim_dev *sdev;
	struct tenv t;
	struct phyr_iommu *iommu;
	struct phyr_domain *domain;
	struct sim_regime regime;
	unsigned char *memory;
	struct phyr_list list;
	uint64_t granule, last;
	uint64_t flushes, drop_at; /* counted; the one that is left out, 0: none */
	struct phyr_fault fault;
	unsigned faults;
};

extern struct fmt_rig fmt;

struct fmt_choices {
	bool noncoherent, dirty, force_snoop;
};

/* Make the machine and a domain, with a device attached. */
void fmt_begin(const struct fmt_kind *kind, struct fmt_choices choices);
/* Give all of it back; no table is left. */
void fmt_end(void);

/* A part of the memory at an iova. */
struct fmt_slot {
	uint64_t iova, offset, len; /* len 0: nothing */
};

int fmt_map_for(const struct fmt_slot *slot, unsigned prot);
/* For reading and writing. */
int fmt_map(const struct fmt_slot *slot);
void fmt_unmap(struct fmt_slot *slot);

/* The physical address of a byte of the memory. */
uint64_t fmt_addr_of(uint64_t offset);
/* For struct sim_view. */
bool fmt_read_memory(void *arg, uint64_t addr, uint64_t *entry);

/* The device reads and writes its way through; false: it was blocked somewhere. */
bool fmt_reaches(const struct fmt_slot *slot);

#endif
