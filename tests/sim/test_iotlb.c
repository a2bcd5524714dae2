/* SPDX-License-Identifier: MIT */
/*
 * The cache against a plain array: what it finds was entered and not dropped since; what was not
 * dropped it finds, as long as there is plenty of room.
 */
#include "lib/rnd.h"
#include "sim/iotlb.h"
#include "sim/rig.h"

#define ENTRIES 100

struct model {
	struct sim_iotlb tlb;
	struct sim_iotlb_entry entries[ENTRIES]; /* lg2 0: none */
	unsigned nr;
};

static bool overlaps(const struct sim_iotlb_entry *e, uint32_t domain, uint64_t start,
		     uint64_t last)
{
	uint64_t first = e->tag << e->lg2, end = first + ((uint64_t)1 << e->lg2) - 1;

	return e->lg2 && e->domain == domain && first <= last && end >= start;
}

/* The smallest entry for an iova. */
static struct sim_iotlb_entry *slow_find(struct model *m, uint32_t domain, uint64_t iova)
{
	struct sim_iotlb_entry *best = NULL;

	for (unsigned i = 0; i < ENTRIES; i++) {
		struct sim_iotlb_entry *e = &m->entries[i];

		if (overlaps(e, domain, iova, iova) && (!best || e->lg2 < best->lg2))
			best = e;
	}
	return best;
}

static uint64_t random_iova(struct rnd *r)
{
	return rnd_below(r, 3) << 39 | rnd_below(r, 3) << 30 | rnd_below(r, 4) << 21 |
	       rnd_below(r, 6) << 12 | rnd_below(r, 4096);
}

/* Look up; on a miss enter something, as the IOMMU does. */
static void random_access(struct model *m, struct rnd *r, uint64_t turn)
{
	uint32_t domain = (uint32_t)rnd_below(r, 2);
	uint64_t iova = random_iova(r);
	struct sim_iotlb_entry *want = slow_find(m, domain, iova), *got;
	unsigned lg2 = 12 + (unsigned)rnd_below(r, 5) * 5; /* 4 KiB to 4 GiB */

	got = phyr_sim_iotlb_find(&m->tlb, domain, iova, turn);
	assert_int_equal(!got, !want);
	if (want) {
		assert_int_equal(got->addr, want->addr);
		assert_int_equal(got->lg2, want->lg2);
		want->turn = turn;
		return;
	}
	for (unsigned i = 0; i < ENTRIES; i++) {
		struct sim_iotlb_entry *e = &m->entries[i];

		if (e->lg2)
			continue;
		*e = (struct sim_iotlb_entry){.tag = iova >> lg2,
					      .addr = rnd_u64(r),
					      .turn = turn,
					      .domain = domain,
					      .lg2 = (uint8_t)lg2,
					      .prot = 3};
		phyr_sim_iotlb_insert(&m->tlb, e);
		return;
	}
}

/* Dropped entries that were used in this turn make it, and each later drop in it, wait. */
static void random_drop(struct model *m, struct rnd *r, uint64_t turn, bool *lost)
{
	uint32_t domain = (uint32_t)rnd_below(r, 2);
	uint64_t start = random_iova(r), last = start + rnd_log(r, 1, (uint64_t)1 << 40) - 1;

	for (unsigned i = 0; i < ENTRIES; i++) {
		struct sim_iotlb_entry *e = &m->entries[i];

		if (!overlaps(e, domain, start, last))
			continue;
		*lost |= e->turn == turn;
		e->lg2 = 0;
	}
	assert_int_equal(phyr_sim_iotlb_drop(&m->tlb, domain, start, last, turn), *lost);
}

static void finds_what_was_not_dropped(void **state)
{
	struct rnd r = rnd_start("finds_what_was_not_dropped");
	struct model m = {0};
	uint64_t turn = 1;
	bool lost = false;

	/* So many places that no set overflows; the room itself is tested below. */
	assert_int_equal(phyr_sim_iotlb_init(&m.tlb, 1u << 16), 0);
	for (unsigned step = 0; step < 60000; step++) {
		if (rnd_below(&r, 12)) {
			random_access(&m, &r, turn);
		} else {
			random_drop(&m, &r, turn, &lost);
		}
		if (!rnd_below(&r, 30)) {
			turn += 2;
			lost = false;
		}
	}
	phyr_sim_iotlb_drop(&m.tlb, 0, 0, ~(uint64_t)0, 0);
	phyr_sim_iotlb_drop(&m.tlb, 1, 0, ~(uint64_t)0, 0);
	for (unsigned lg2 = 0; lg2 < SIM_IOTLB_SIZES; lg2++)
		assert_int_equal(m.tlb.held[lg2], 0);
	phyr_sim_iotlb_fini(&m.tlb);
}

/* Short of room it forgets, and says so to who drops afterwards; it never makes anything up. */
static void eviction_counts_as_lost(void **state)
{
	struct sim_iotlb tlb;

	assert_int_equal(phyr_sim_iotlb_init(&tlb, 3), 0);
	assert_int_equal(tlb.sets * tlb.ways, 4);
	for (uint64_t i = 0; i < 5; i++)
		phyr_sim_iotlb_insert(&tlb, &(struct sim_iotlb_entry){.tag = i,
								      .addr = i << 12,
								      .turn = 2 * i + 1,
								      .domain = 1,
								      .lg2 = 12});
	assert_null(phyr_sim_iotlb_find(&tlb, 1, 0, 11));
	assert_int_equal(phyr_sim_iotlb_find(&tlb, 1, 0x4000, 11)->addr, 0x4000);
	assert_null(phyr_sim_iotlb_find(&tlb, 2, 0x4000, 11));
	assert_true(phyr_sim_iotlb_drop(&tlb, 2, 0, 0, 1));
	assert_false(phyr_sim_iotlb_drop(&tlb, 2, 0, 0, 11));
	assert_true(phyr_sim_iotlb_drop(&tlb, 1, 0x4fff, 0x4fff, 11));
	phyr_sim_iotlb_fini(&tlb);
}

/*
 * Who walks while a smaller leaf is cached for the iova, whose first write it is, may come to a leaf that
 * is there already: tables changed live. One drop is the end of it.
 */
static void entered_again_it_is_there_once(void **state)
{
	struct sim_iotlb_entry e = {.tag = 5, .addr = 0x1000000, .turn = 1, .domain = 1, .lg2 = 21};
	const uint64_t iova = 5ull << 21;
	struct sim_iotlb tlb;

	assert_int_equal(phyr_sim_iotlb_init(&tlb, 64), 0);
	phyr_sim_iotlb_insert(&tlb, &e);
	e.addr = 0x2000000;
	e.turn = 3;
	phyr_sim_iotlb_insert(&tlb, &e);
	assert_int_equal(tlb.held[21], 1);
	assert_int_equal(phyr_sim_iotlb_find(&tlb, 1, iova, 3)->addr, 0x2000000);
	assert_true(phyr_sim_iotlb_drop(&tlb, 1, iova, iova + 0xfff, 3));
	assert_null(phyr_sim_iotlb_find(&tlb, 1, iova, 3));
	assert_int_equal(tlb.sizes, 0);
	phyr_sim_iotlb_fini(&tlb);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_what_was_not_dropped),
		cmocka_unit_test(eviction_counts_as_lost),
		cmocka_unit_test(entered_again_it_is_there_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
