/* SPDX-License-Identifier: MIT */
/*
 * Single entries against the specifications, by literal bits: VT-d rev. 4.x section 9.8, Intel SDM
 * vol. 3A section 4.5.
 */
#include "sim/rig.h"
#include "sim/walk.h"

#define R   PHYR_READ
#define W   PHYR_WRITE
#define RW  (PHYR_READ | PHYR_WRITE)
#define NP  PHYR_FAULT_NOT_PRESENT
#define BAD PHYR_FAULT_BAD_ENTRY

struct golden {
	uint64_t entry;
	unsigned level;
	int reason;
	bool leaf;
	uint64_t addr;
	unsigned prot;
};

static const struct golden vtdss[] = {
	/* Not present: nothing else counts, not even reserved bits. */
	{0x0000000000000000, 0, NP, 0, 0, 0},
	{0x4fff3ffffffff8f8, 0, NP, 0, 0, 0},
	{0x0000000000000004, 3, NP, 0, 0, 0},
	{0x7fffffffffffffa0, 3, NP, 0, 0, 0},
	/* SS-PTE */
	{0x0000000123456001, 0, 0, true, 0x123456000, R},
	{0x0000000123456002, 0, 0, true, 0x123456000, W},
	{0x0000000123456003, 0, 0, true, 0x123456000, RW},
	{0x00003ffffffff003, 0, 0, true, 0x3ffffffff000, RW},
	{0xbff0000123456fff, 0, 0, true, 0x123456000, RW}, /* all that is ignored, and SNP */
	{0x0000400123456003, 0, BAD, 0, 0, 0},             /* wider than physical addresses */
	{0x0008000123456003, 0, BAD, 0, 0, 0},
	{0x4000000123456003, 0, BAD, 0, 0, 0}, /* bit 62 */
	/* SS-PDE */
	{0x0000000123456003, 1, 0, false, 0x123456000, RW},
	{0xbff0000123456679, 1, 0, false, 0x123456000, R},
	{0x0000000123456803, 1, BAD, 0, 0, 0}, /* SNP leads nowhere but from leaves */
	{0x0000000123400083, 1, 0, true, 0x123400000, RW},
	{0x0000000123400883, 1, 0, true, 0x123400000, RW},
	{0x0000000123401083, 1, BAD, 0, 0, 0}, /* bits 20:12 of a 2 MiB page */
	{0x0000000123500083, 1, BAD, 0, 0, 0},
	/* SS-PDPE */
	{0x0000000123456001, 2, 0, false, 0x123456000, R},
	{0x0000000140000082, 2, 0, true, 0x140000000, W},
	{0x0000000140200083, 2, BAD, 0, 0, 0}, /* bits 29:12 of a 1 GiB page */
	{0x0000000160000083, 2, BAD, 0, 0, 0},
	{0x0000000140001083, 2, BAD, 0, 0, 0},
	/* SS-PML4E */
	{0x0000000123456003, 3, 0, false, 0x123456000, RW},
	{0x0000000123456083, 3, BAD, 0, 0, 0}, /* bit 7 */
	{0x0000000123456803, 3, BAD, 0, 0, 0},
	{0x0000400123456003, 3, BAD, 0, 0, 0},
};

static const struct golden x86[] = {
	{0x0000000000000000, 0, NP, 0, 0, 0},
	{0xfffffffffffffffe, 3, NP, 0, 0, 0},
	/* PTE */
	{0x0000000123456007, 0, 0, true, 0x123456000, RW},
	{0x0000000123456005, 0, 0, true, 0x123456000, R},
	{0x0000000123456003, 0, 0, true, 0x123456000, 0}, /* a supervisor's page */
	{0x0000000123456001, 0, 0, true, 0x123456000, 0},
	{0xfff0000123456fff, 0, 0, true, 0x123456000, RW}, /* XD, keys, PAT, G, A, D, ignored */
	{0x00003ffffffff007, 0, 0, true, 0x3ffffffff000, RW},
	{0x0000400123456007, 0, BAD, 0, 0, 0},
	{0x0008000123456007, 0, BAD, 0, 0, 0},
	/* PDE */
	{0x0000000123456067, 1, 0, false, 0x123456000, RW},
	{0x00000001234000e7, 1, 0, true, 0x123400000, RW},
	{0x0000000123401087, 1, 0, true, 0x123400000, RW}, /* bit 12 is PAT */
	{0x0000000123402087, 1, BAD, 0, 0, 0},             /* bits 20:13 */
	{0x0000000123500087, 1, BAD, 0, 0, 0},
	/* PDPTE */
	{0x0000000123456005, 2, 0, false, 0x123456000, R},
	{0x0000000140001087, 2, 0, true, 0x140000000, RW},
	{0x0000000140002087, 2, BAD, 0, 0, 0}, /* bits 29:13 */
	{0x0000000160000087, 2, BAD, 0, 0, 0},
	/* PML4E */
	{0x0000000123456f27, 3, 0, false, 0x123456000, RW},
	{0x0000000123456087, 3, BAD, 0, 0, 0}, /* bit 7 */
	{0x0000400123456007, 3, BAD, 0, 0, 0},
};

typedef int decode_fn(uint64_t entry, unsigned level, struct sim_entry *out);

static void check(decode_fn *decode, const struct golden *g)
{
	struct sim_entry out = {0};

	if (decode(g->entry, g->level, &out) != g->reason)
		fail_msg("entry %016lx level %u", (unsigned long)g->entry, g->level);
	if (g->reason)
		return;
	assert_int_equal(out.leaf, g->leaf);
	assert_int_equal(out.addr, g->addr);
	assert_int_equal(out.prot, g->prot);
}

static void vtdss_entries(void **state)
{
	for (size_t i = 0; i < sizeof(vtdss) / sizeof(vtdss[0]); i++)
		check(phyr_sim_decode_vtdss, &vtdss[i]);
}

static void x86_entries(void **state)
{
	for (size_t i = 0; i < sizeof(x86) / sizeof(x86[0]); i++)
		check(phyr_sim_decode_x86, &x86[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vtdss_entries),
		cmocka_unit_test(x86_entries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
