/* SPDX-License-Identifier: MIT */
/*
 * phyr's own VT-d tables under an IOMMU that others wrote: what the suite of all backends does not
 * look at. Large leaves, edges of tables, what the hardware says of a blocked access, and what it
 * still does without an invalidation.
 */
#include "guest/rig_own.h"

#include <stdio.h>
#include <string.h>

#include "core/bits.h"

#define K    0x1000ull
#define M    0x100000ull
#define G    (1024 * M)
#define HUGE (2 * M)
#define RW   (PHYR_READ | PHYR_WRITE)
#define N    64

static struct rig r;
static unsigned char *huge;
static uint64_t huge_phys;

static int init(void **state)
{
	rig_init(&r, *state);
	rig_attach(&r, r.domain, 0);
	huge = rig_own_huge(&r, &huge_phys);
	memset(huge, 0, RIG_OWN_HUGE);
	return 0;
}

static int fini(void **state)
{
	rig_detach(&r, r.domain, 0);
	rig_fini(&r);
	return 0;
}

/* An offset of the memory that is in one piece. */
static void map_at(uint64_t iova, uint64_t offset, uint64_t len, unsigned prot)
{
	struct phyr_cursor cur;

	phyr_cursor_init_range(&cur, huge_phys + offset, len);
	assert_int_equal(phyr_domain_map(r.domain, iova, NULL, &cur, prot), 0);
	assert_int_equal(phyr_domain_sync_map(r.domain, iova, len), 0);
}

static void unmap(uint64_t iova, uint64_t len)
{
	struct phyr_gather gather;

	phyr_gather_init(&gather);
	assert_int_equal(phyr_domain_unmap(r.domain, iova, len, &gather), 0);
	phyr_domain_sync(r.domain, &gather);
}

static uint64_t leaf_size(uint64_t iova)
{
	struct phyr_translation tr;

	assert_int_equal(phyr_domain_translate(r.domain, iova, &tr), 0);
	return tr.leaf_size;
}

static bool all(uint64_t offset, unsigned char byte, uint64_t len)
{
	for (uint64_t i = 0; i < len; i++)
		if (huge[offset + i] != byte)
			return false;
	return true;
}

/* A write over an iova lands at an offset, and nowhere beside it. */
static void lands(uint64_t iova, uint64_t offset, unsigned char byte)
{
	rig_own_fill(&r, 0, iova, byte, N);
	assert_true(all(offset, byte, N));
	assert_int_equal(huge[offset + N], 0);
	assert_true(!offset || huge[offset - 1] == 0);
}

static void blocked(uint64_t iova, unsigned access)
{
	rig_blocked(&r, 0, iova, N, access, PHYR_FAULT_PERMISSION);
}

/* A page, two large leaves, a page: each is walked, to its very edges, and not beyond. */
static void large_leaves(void **state)
{
	const uint64_t iova = G + HUGE - K, len = 2 * HUGE + 2 * K;

	map_at(iova, HUGE - K, len, RW);
	assert_int_equal(leaf_size(iova), K);
	assert_int_equal(leaf_size(iova + K), HUGE);
	assert_int_equal(leaf_size(iova + K + HUGE), HUGE);
	assert_int_equal(leaf_size(iova + K + 2 * HUGE), K);
	lands(iova, HUGE - K, 1);
	lands(iova + K + 0x12345, HUGE + 0x12345, 2);
	lands(iova + K + HUGE - N / 2, 2 * HUGE - N / 2, 3);
	lands(iova + K + 2 * HUGE - N, 3 * HUGE - N, 4);
	lands(iova + len - N, 3 * HUGE + K - N, 5);
	blocked(iova - N, PHYR_WRITE);
	blocked(iova + len, PHYR_WRITE);
	unmap(iova, len);
	blocked(iova + K + HUGE, PHYR_READ);
}

static void large_leaf_for_reading(void **state)
{
	const uint64_t iova = 3 * G;

	memset(huge, 0x77, HUGE);
	map_at(iova, 0, HUGE, PHYR_READ);
	assert_int_equal(leaf_size(iova), HUGE);
	assert_true(edu_run(rig_own_edu(&r, 0), iova + 5 * K, N, PHYR_READ));
	blocked(iova + 5 * K, PHYR_WRITE);
	blocked(iova + HUGE - N, PHYR_WRITE);
	assert_true(all(0, 0x77, HUGE));
	unmap(iova, HUGE);
	blocked(iova + 5 * K, PHYR_READ);
}

/* A write over the edge of tables of a level goes on in the next. */
static void edges_of_tables(void **state)
{
	static const uint64_t edges[] = {HUGE, G, 512 * G};
	const unsigned nr = r.kind->levels - 1;

	for (unsigned i = 0; i < nr; i++) {
		const uint64_t iova = edges[i] - K, offset = (i + 1) * 16 * K;

		map_at(iova, offset, 2 * K, RW);
		lands(iova + K - N / 2, offset + K - N / 2, (unsigned char)(i + 1));
		unmap(iova, 2 * K);
		blocked(iova, PHYR_WRITE);
		blocked(iova + K, PHYR_READ);
	}
}

/* Past the table's end: the device can put 40 bits on the bus, tables of 3 levels have 39. */
static void past_the_end(void **state)
{
	struct vtd_fault fault;

	map_at(512 * G - K, 0, K, RW);
	lands(512 * G - N, K - N, 1);
	assert_true(edu_run(rig_own_edu(&r, 0), 512 * G, N, PHYR_WRITE));
	assert_true(vtd_next_fault(rig_own_vtd(&r), &fault));
	assert_int_equal(fault.reason, VTD_TOO_WIDE);
	assert_int_equal(r.fault.reason, PHYR_FAULT_RANGE);
	unmap(512 * G - K, K);
}

/*
 * Planted: without the invalidation a large leaf that is gone is still used, and memory that was
 * given to another is written. With it, it is not.
 */
static void stale_large_leaf(void **state)
{
	const uint64_t iova = 5 * G;
	struct phyr_gather gather;

	map_at(iova, 0, HUGE, RW);
	lands(iova + K, K, 1);
	phyr_gather_init(&gather);
	assert_int_equal(phyr_domain_unmap(r.domain, iova, HUGE, &gather), 0);
	lands(iova + K, K, 2);
	phyr_domain_sync(r.domain, &gather);
	blocked(iova + K, PHYR_WRITE);
	assert_true(all(K, 2, N));
}

/*
 * What is mapped where something was unmapped leads to the new memory at once: pages after a large
 * leaf.
 */
static void another_in_its_place(void **state)
{
	const uint64_t iova = 6 * G;

	map_at(iova, 0, HUGE, RW);
	lands(iova + 3 * K, 3 * K, 1);
	unmap(iova, HUGE);
	for (uint64_t i = 0; i < 512; i++) /* every page of it elsewhere, backwards */
		map_at(iova + i * K, HUGE + (511 - i) * K, K, RW);
	assert_int_equal(leaf_size(iova), K);
	lands(iova + 3 * K, HUGE + 508 * K, 2);
	lands(iova + 511 * K, HUGE, 3);
	assert_true(all(3 * K, 1, N));
	for (uint64_t i = 0; i < 512; i++)
		unmap(iova + i * K, K);
	map_at(iova, 2 * HUGE, HUGE, RW); /* a leaf takes the place of an empty table */
	assert_int_equal(leaf_size(iova), HUGE);
	lands(iova + 3 * K, 2 * HUGE + 3 * K, 4);
	unmap(iova, HUGE);
}

/* A range that the hardware takes is invalidated alone, with the least pages that hold it. */
static void ranges_are_invalidated(void **state)
{
	unsigned ranges, domains, ranges_now, domains_now;

	map_at(G, 0, 5 * K, RW);
	vtd_invalidations(rig_own_vtd(&r), &ranges, &domains);
	unmap(G, 5 * K);
	vtd_invalidations(rig_own_vtd(&r), &ranges_now, &domains_now);
	assert_int_equal(ranges_now, ranges + 1);
	assert_int_equal(domains_now, domains);
}

/* Scattered memory, written at both ends. */
static void scattered(void **state)
{
	static const uint64_t lens[] = {K, 3 * K, 17 * K, 60 * K};

	for (unsigned i = 0; i < 4; i++) {
		const uint64_t offset = i * 20 * K;
		uint64_t iova;

		assert_int_equal(rig_map(&r, offset, lens[i], RW, &iova), 0);
		rig_leads(&r, iova, offset, lens[i]);
		rig_own_fill(&r, 0, iova, 0x21, N);
		rig_own_fill(&r, 0, iova + lens[i] - N, 0x22, N);
		assert_int_equal(r.memory[offset], 0x21);
		assert_int_equal(r.memory[offset + lens[i] - 1], 0x22);
		rig_unmap(&r, iova, lens[i]);
		blocked(iova, PHYR_WRITE);
	}
}

/* Of tables of so many levels; 0: any. */
#define TEST_OF(nr, f)    \
	{                 \
#f, f, nr \
	}
#define TEST(f) TEST_OF(0, f)

static const struct {
	const char *name;
	CMUnitTestFunction test;
	unsigned levels;
} suite[] = {
	TEST(large_leaves),           TEST(large_leaf_for_reading),
	TEST(edges_of_tables),        TEST_OF(3, past_the_end),
	TEST(stale_large_leaf),       TEST(another_in_its_place),
	TEST(ranges_are_invalidated), TEST(scattered),
};

/* Tests are those that are filled in: cmocka passes over the rest. */
static struct CMUnitTest tests[RIG_MAX_KINDS * ARRAY_SIZE(suite)];
static char names[ARRAY_SIZE(tests)][64];

static unsigned add_kind(const struct rig_kind *kind, unsigned n)
{
	for (unsigned i = 0; i < ARRAY_SIZE(suite); i++) {
		if (suite[i].levels && suite[i].levels != kind->levels)
			continue;
		snprintf(names[n], sizeof(names[n]), "%s %s", suite[i].name, kind->name);
		tests[n] = (struct CMUnitTest){names[n], suite[i].test, init, fini, (void *)kind};
		n++;
	}
	return n;
}

int main(void)
{
	unsigned n = 0;

	for (unsigned i = 0; rig_kind(i); i++)
		n = add_kind(rig_kind(i), n);
	return cmocka_run_group_tests_name("own-tables", tests, NULL, NULL);
}
