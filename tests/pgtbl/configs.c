/* SPDX-License-Identifier: MIT */
/* The table of formats and configurations. */
#include "pgtbl/configs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define K(n) ((uint64_t)(n) << 10)
#define M(n) ((uint64_t)(n) << 20)
#define G(n) ((uint64_t)(n) << 30)

#define CASE(name_, granule, iova, oa, sizes_, hitless_, ...)                                    \
	{                                                                                        \
		.name = (name_), .granule_lg2 = (granule), .iova_bits = (iova), .oa_bits = (oa), \
		.sizes = (sizes_), .hitless = (hitless_), .config = {                            \
			.size = sizeof(struct phyr_pgtbl_config),                                \
			__VA_ARGS__                                                              \
		}                                                                                \
	}

/* SDM 3A, 4.5: 4 KiB, 2 MiB, 1 GiB; 47 and 56 bits are the lower halves of 48 and 57. */
#define X86(name, iova, sizes, ...) \
	CASE("x86_64" name, 12, iova, 52, sizes, true, .format = PHYR_PGTBL_X86_64, __VA_ARGS__)
/* VT-d 4.x, 9.8. */
#define VTD(name, iova, sizes, ...) \
	CASE("vtdss" name, 12, iova, 52, sizes, true, .format = PHYR_PGTBL_VTDSS, __VA_ARGS__)
#define THREE (K(4) | M(2) | G(1))

/* AMD IOMMU specification (48882), 2.2.3: every power of two from 4 KiB on. */
#define AMD(name, iova, sizes, ...) \
	CASE("amdv1" name, 12, iova, 52, sizes, true, .format = PHYR_PGTBL_AMDV1, __VA_ARGS__)
#define POWERS (CASE_SIZES_BELOW - K(4))

/* RISC-V privileged, Sv39, Sv48, Sv57, and Svnapot with 64 KiB. Lower halves again. */
#define RV(name, iova, sizes, ...) \
	CASE("riscv64" name, 12, iova, 56, sizes, true, .format = PHYR_PGTBL_RISCV64, __VA_ARGS__)
#define NAPOT (THREE | K(64))

/* DDI 0487, D8.2 and D8.6: pages, blocks, and runs of them by the contiguous hint. */
#define ARM(name, stage, granule, iova, oa, sizes, bbm_, ...)                              \
	CASE("arm64_" name, granule, iova, oa, sizes, (bbm_) == 2,                         \
	     .format = PHYR_PGTBL_ARM64_S##stage, .granule_lg2 = (granule), .bbm = (bbm_), \
	     __VA_ARGS__)
#define ARM4  (THREE | K(64) | M(32) | G(16))
#define ARM16 (K(16) | M(2) | M(32) | G(1))
#define ARM64 (K(64) | M(2) | M(512) | G(16))

/* clang-format off: a line a configuration. */
const struct pgtbl_case pgtbl_cases[] = {
	X86("", 47, THREE, .levels = 0),
	X86("-5", 56, THREE, .levels = 5),
	X86("-4k", 47, K(4), .page_sizes = K(4)),
	X86("-no-1g", 47, K(4) | M(2), .page_sizes = K(4) | M(2)),
	X86("-no-2m", 47, K(4) | G(1), .page_sizes = K(4) | G(1)),
	X86("-dirty", 47, THREE, .dirty = true),
	X86("-5-noncoherent", 56, THREE, .levels = 5, .noncoherent = true),
	VTD("", 48, THREE, .levels = 0),
	VTD("-3", 39, THREE, .levels = 3),
	VTD("-5", 57, THREE, .levels = 5),
	VTD("-snoop", 48, THREE, .force_snoop = true),
	VTD("-dirty", 48, THREE, .dirty = true),
	VTD("-dirty-no-2m", 48, K(4) | G(1), .dirty = true, .page_sizes = K(4) | G(1)),
	VTD("-noncoherent", 48, THREE, .noncoherent = true),
	VTD("-noncoherent-no-2m", 48, K(4) | G(1), .noncoherent = true, .page_sizes = K(4) | G(1)),
	AMD("-1", 21, M(2) - K(4), .levels = 1),
	AMD("-2", 30, G(1) - K(4), .levels = 2),
	AMD("-3", 39, POWERS, .levels = 3),
	AMD("-4", 48, POWERS, .levels = 4),
	AMD("-5", 57, POWERS, .levels = 5),
	AMD("-6", 64, POWERS, .levels = 6),
	AMD("-4-classic", 48, THREE, .levels = 4, .page_sizes = THREE),
	AMD("-4-4k", 48, K(4), .levels = 4, .page_sizes = K(4)),
	AMD("-4-gaps", 48, K(4) | K(32) | M(4) | M(256), .levels = 4,
	    .page_sizes = K(4) | K(32) | M(4) | M(256)),
	AMD("-dirty", 48, POWERS, .levels = 4, .dirty = true),
	AMD("-snoop", 48, POWERS, .levels = 4, .force_snoop = true),
	AMD("-noncoherent", 48, POWERS, .levels = 4, .noncoherent = true),
	AMD("-3-skip", 39, POWERS, .levels = 3, .skip_levels = true),
	AMD("-4-skip", 48, POWERS, .levels = 4, .skip_levels = true),
	AMD("-5-skip-dirty", 57, POWERS, .levels = 5, .skip_levels = true, .dirty = true),
	AMD("-6-skip", 64, POWERS, .levels = 6, .skip_levels = true),
	AMD("-6-skip-4k", 64, K(4), .levels = 6, .skip_levels = true, .page_sizes = K(4)),
	AMD("-6-skip-noncoherent", 64, POWERS, .levels = 6, .skip_levels = true,
	    .noncoherent = true),
	RV("-39", 38, NAPOT, .levels = 3),
	RV("-48", 47, NAPOT, .levels = 4),
	RV("-57", 56, NAPOT, .levels = 5),
	RV("-48-no-napot", 47, THREE, .levels = 4, .page_sizes = THREE),
	RV("-48-dirty", 47, NAPOT, .levels = 4, .dirty = true),
	RV("-48-noncoherent", 47, NAPOT, .levels = 4, .noncoherent = true),
	ARM("s1-4k", 1, 12, 48, 48, ARM4, 2, .levels = 0),
	ARM("s1-4k-bbm1", 1, 12, 48, 48, ARM4, 1, .levels = 0),
	ARM("s1-4k-bbm0", 1, 12, 48, 48, ARM4, 0, .levels = 0),
	ARM("s1-4k-3", 1, 12, 39, 48, ARM4, 2, .levels = 3),
	ARM("s1-4k-lpa2", 1, 12, 48, 52, ARM4, 2, .oa_bits = 52),
	ARM("s1-4k-no-contiguous", 1, 12, 48, 48, THREE, 2, .page_sizes = THREE),
	ARM("s1-4k-dirty", 1, 12, 48, 48, ARM4, 2, .dirty = true),
	ARM("s1-4k-dirty-bbm0", 1, 12, 48, 48, ARM4, 0, .dirty = true),
	ARM("s1-4k-noncoherent", 1, 12, 48, 48, ARM4, 2, .noncoherent = true),
	ARM("s1-16k", 1, 14, 48, 48, ARM16, 2, .levels = 0),
	ARM("s1-16k-bbm0", 1, 14, 48, 48, ARM16, 0, .levels = 0),
	ARM("s1-16k-lpa2", 1, 14, 48, 52, ARM16, 2, .oa_bits = 52),
	ARM("s1-64k", 1, 16, 48, 48, ARM64, 2, .levels = 0),
	ARM("s1-64k-bbm1", 1, 16, 48, 48, ARM64, 1, .levels = 0),
	ARM("s1-64k-lpa", 1, 16, 48, 52, ARM64, 2, .oa_bits = 52),
	ARM("s1-64k-2", 1, 16, 42, 48, ARM64, 2, .levels = 2),
	ARM("s2-4k", 2, 12, 48, 48, ARM4, 2, .levels = 0),
	ARM("s2-4k-bbm1", 2, 12, 48, 48, ARM4, 1, .levels = 0),
	ARM("s2-4k-dirty", 2, 12, 48, 48, ARM4, 2, .dirty = true),
	ARM("s2-4k-noncoherent-bbm0", 2, 12, 48, 48, ARM4, 0, .noncoherent = true),
	ARM("s2-16k", 2, 14, 48, 48, ARM16, 2, .levels = 3),
	ARM("s2-64k", 2, 16, 48, 48, ARM64, 2, .levels = 0),
	ARM("s2-64k-lpa-dirty", 2, 16, 48, 52, ARM64, 2, .oa_bits = 52, .dirty = true),
};
/* clang-format on */
const unsigned pgtbl_nr_cases = sizeof(pgtbl_cases) / sizeof(pgtbl_cases[0]);

const struct pgtbl_case *pgtbl_case(const char *name)
{
	for (unsigned i = 0; i < pgtbl_nr_cases; i++)
		if (!strcmp(pgtbl_cases[i].name, name))
			return &pgtbl_cases[i];
	fprintf(stderr, "no configuration %s\n", name);
	abort();
}

unsigned case_prot(const struct pgtbl_case *c, unsigned prot)
{
	switch (c->config.format) {
	case PHYR_PGTBL_X86_64:
	case PHYR_PGTBL_ARM64_S1:
		return prot | PHYR_READ;
	case PHYR_PGTBL_RISCV64:
		return prot & PHYR_WRITE ? prot | PHYR_READ : prot;
	default:
		return prot;
	}
}

bool case_tells_mmio(const struct pgtbl_case *c)
{
	switch (c->config.format) {
	case PHYR_PGTBL_X86_64:
	case PHYR_PGTBL_ARM64_S1:
	case PHYR_PGTBL_ARM64_S2:
		return true;
	default: /* RAM is snooped, then */
		return c->config.force_snoop;
	}
}

/*
 * The bit that says whether a writable leaf was written: SDM 3A, 4.8, D; VT-d 4.x, 9.8, D; 48882, 2.2.3,
 * D; RISC-V privileged 10.3.1, D; DDI 0487, D8.5: AP[2] at stage 1, which a write clears, S2AP[1] at
 * stage 2, which it sets.
 */
static uint64_t dirty_bit(enum phyr_pgtbl_format format)
{
	switch (format) {
	case PHYR_PGTBL_VTDSS:
		return (uint64_t)1 << 9;
	case PHYR_PGTBL_RISCV64:
	case PHYR_PGTBL_ARM64_S1:
	case PHYR_PGTBL_ARM64_S2:
		return (uint64_t)1 << 7;
	default:
		return (uint64_t)1 << 6;
	}
}

/* Where hardware sets an accessed bit of its own with it: VT-d 9.8, A; 48882, 2.2.3, A. */
static uint64_t accessed_bit(enum phyr_pgtbl_format format)
{
	if (format == PHYR_PGTBL_VTDSS)
		return (uint64_t)1 << 8;
	return format == PHYR_PGTBL_AMDV1 ? (uint64_t)1 << 5 : 0;
}

bool case_is_dirty(const struct pgtbl_case *c, uint64_t entry)
{
	bool set = entry & dirty_bit(c->config.format);

	return c->config.format == PHYR_PGTBL_ARM64_S1 ? !set : set;
}

void case_set_dirty(const struct pgtbl_case *c, uint64_t *entry)
{
	uint64_t bit = dirty_bit(c->config.format);

	__atomic_fetch_or(entry, accessed_bit(c->config.format), __ATOMIC_RELAXED);
	if (c->config.format == PHYR_PGTBL_ARM64_S1)
		__atomic_fetch_and(entry, ~bit, __ATOMIC_RELAXED);
	else
		__atomic_fetch_or(entry, bit, __ATOMIC_RELAXED);
}

uint64_t case_phys_delta(const struct pgtbl_case *c)
{
	return (uint64_t)1 << (c->oa_bits - 1);
}
