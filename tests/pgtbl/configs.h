/* SPDX-License-Identifier: MIT */
/*
 * Every format in every configuration worth a test, as a table; and what the manuals say of each that a
 * test needs to know. Nothing here comes from src/pgtbl.
 */
#ifndef TESTS_PGTBL_CONFIGS_H
#define TESTS_PGTBL_CONFIGS_H

#include <phyr/pgtbl.h>

/* Leaf sizes that are checked against what the table says it uses: those below 64 GiB. */
#define CASE_SIZES_BELOW ((uint64_t)1 << 36)

struct pgtbl_case {
	const char *name;
	struct phyr_pgtbl_config config;
	unsigned granule_lg2;
	unsigned iova_bits; /* of the highest iova */
	unsigned oa_bits;   /* of the widest address */
	uint64_t sizes;     /* leaf sizes below CASE_SIZES_BELOW that are in use */
	bool hitless;       /* cut and promote change what is in use */
};

extern const struct pgtbl_case pgtbl_cases[];
extern const unsigned pgtbl_nr_cases;

/* A case by its name; the test ends when there is none. */
const struct pgtbl_case *pgtbl_case(const char *name);

/* What is found for a prot that was asked for: formats that cannot forbid reading allow it. */
unsigned case_prot(const struct pgtbl_case *c, unsigned prot);

/* Whether an entry tells device memory from RAM. */
bool case_tells_mmio(const struct pgtbl_case *c);

/* The hardware's mark of a write in one entry of a writable leaf, as it is and set. */
bool case_is_dirty(const struct pgtbl_case *c, uint64_t entry);
void case_set_dirty(const struct pgtbl_case *c, uint64_t *entry);

/* Where tables lie, as far above CPU addresses as the format's addresses reach. */
uint64_t case_phys_delta(const struct pgtbl_case *c);

#endif
