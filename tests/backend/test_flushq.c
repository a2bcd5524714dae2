/* SPDX-License-Identifier: MIT */
/* The flush queue over the simulated machine's IOMMU, which keeps what it has cached until it is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "backend/rig.h"
#include "core/bits.h"

#define K       0x1000ull
#define RW      (PHYR_READ | PHYR_WRITE)
#define WINDOWS 24
#define WINDOW  (256 * K)
#define SPAN    (512 * K) /* of a table in the formats here */

static struct rig r;
static struct phyr_flushq *q;

static int init(void **state)
{
	const struct phyr_flushq_config config = {
		.size = sizeof(config), .entries = WINDOWS, .max_age_ns = UINT64_MAX};

	rig_init(&r, *state);
	rig_attach(&r, r.domain, 0);
	assert_int_equal(phyr_flushq_create(r.domain, &config, &q), 0);
	return 0;
}

static int fini(void **state)
{
	phyr_flushq_destroy(q);
	rig_detach(&r, r.domain, 0);
	rig_fini(&r);
	return 0;
}

static void unmap_and_put(uint64_t iova, uint64_t len)
{
	struct phyr_gather gather;

	phyr_gather_init(&gather);
	assert_int_equal(phyr_domain_unmap(r.domain, iova, len, &gather), 0);
	phyr_flushq_put(q, iova, len, &gather);
}

/* The device gets there by what is cached until the flush, and not after. */
static void stale_until_the_flush(void **state)
{
	struct phyr_domain_stats stats;
	uint64_t iova, other;

	assert_int_equal(rig_map(&r, 0, 2 * K, RW, &iova), 0);
	assert_int_equal(rig_write(&r, 0, iova, 5, 2 * K), 0);
	unmap_and_put(iova, 2 * K);
	assert_int_equal(rig_write(&r, 0, iova, 99, 2 * K), 0);
	assert_true(rig_holds(&r, 0, 99, 2 * K));
	/* Nobody else gets it meanwhile. */
	assert_int_equal(rig_map(&r, 64 * K, 2 * K, RW, &other), 0);
	assert_true(other + 2 * K <= iova || other >= iova + 2 * K);
	phyr_domain_get_stats(r.domain, &stats);
	assert_int_equal(stats.iova_bytes, 4 * K);

	phyr_flushq_flush(q);
	rig_blocked(&r, 0, iova, 64, PHYR_WRITE, PHYR_FAULT_NOT_PRESENT);
	assert_true(rig_holds(&r, 0, 99, 2 * K));
	phyr_domain_get_stats(r.domain, &stats);
	assert_int_equal(stats.iova_bytes, 2 * K);
	rig_unmap(&r, other, 2 * K);
}

/* Many windows with their tables: one invalidation blocks all of them, what is mapped stays. */
static void one_invalidation_for_many(void **state)
{
	struct phyr_domain_stats before, stats;
	uint64_t iova[WINDOWS], kept;

	assert_int_equal(rig_map(&r, 3 * K, K, RW, &kept), 0);
	for (unsigned i = 0; i < WINDOWS; i++) {
		assert_int_equal(rig_map(&r, 0, WINDOW / (1 + i % 3), RW, &iova[i]), 0);
		assert_int_equal(rig_write(&r, 0, iova[i], (unsigned char)i, K), 0);
	}
	phyr_domain_get_stats(r.domain, &before);
	for (unsigned i = 0; i < WINDOWS; i++) {
		unmap_and_put(iova[i], WINDOW / (1 + i % 3));
		assert_int_equal(rig_write(&r, 0, iova[i], (unsigned char)i, 64), 0);
	}
	phyr_domain_get_stats(r.domain, &stats);
	assert_int_equal(stats.invalidations, before.invalidations);
	assert_int_equal(stats.iova_bytes, before.iova_bytes);
	assert_int_equal(stats.tables, before.tables);
	phyr_flushq_flush(q);
	phyr_domain_get_stats(r.domain, &stats);
	assert_int_equal(stats.invalidations, before.invalidations + 1);
	assert_int_equal(stats.iova_bytes, K);
	for (unsigned i = 0; i < WINDOWS; i++)
		rig_blocked(&r, 0, iova[i], 64, PHYR_WRITE, PHYR_FAULT_NOT_PRESENT);
	assert_int_equal(rig_write(&r, 0, kept, 7, K), 0);
	rig_unmap(&r, kept, K);
}

/* A window of a table's span: its table waits, and goes back with the iova. */
static void tables_wait(void **state)
{
	struct phyr_domain_stats before, stats;
	const uint64_t at = 1ull << 30;
	struct phyr_gather gather;
	struct phyr_cursor cur;

	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(
			phyr_iova_alloc_at(phyr_domain_iova(r.domain), at + i * SPAN, SPAN), 0);
		for (unsigned j = 0; j < SPAN / K; j++) {
			assert_int_equal(phyr_cursor_init_at(&cur, &r.list, j % 16 * K, K), 0);
			assert_int_equal(phyr_domain_map(r.domain, at + i * SPAN + j * K,
							 r.list.space, &cur, RW),
					 0);
		}
	}
	phyr_domain_get_stats(r.domain, &before);
	for (unsigned i = 0; i < 4; i++) {
		phyr_gather_init(&gather);
		assert_int_equal(phyr_domain_unmap(r.domain, at + i * SPAN, SPAN, &gather), 0);
		assert_true(gather.tables != 0);
		phyr_flushq_put(q, at + i * SPAN, SPAN, &gather);
	}
	phyr_domain_get_stats(r.domain, &stats);
	assert_int_equal(stats.tables, before.tables);
	phyr_flushq_flush(q);
	phyr_domain_get_stats(r.domain, &stats);
	assert_int_equal(stats.tables, before.tables - 4);
	assert_int_equal(stats.iova_bytes, 0);
}

static const struct {
	const char *name;
	CMUnitTestFunction test;
} suite[] = {
	{"stale_until_the_flush", stale_until_the_flush},
	{"one_invalidation_for_many", one_invalidation_for_many},
	{"tables_wait", tables_wait},
};

static struct CMUnitTest tests[ARRAY_SIZE(suite) * RIG_MAX_KINDS];
static char names[ARRAY_SIZE(tests)][64];

int main(void)
{
	unsigned n = 0;

	for (unsigned k = 0; rig_kind(k); k++) {
		if (!rig_kind(k)->translates)
			continue;
		for (unsigned i = 0; i < ARRAY_SIZE(suite); i++, n++) {
			snprintf(names[n], sizeof(names[n]), "%s %s", suite[i].name,
				 rig_kind(k)->name);
			tests[n] = (struct CMUnitTest){names[n], suite[i].test, init, fini,
						       (void *)rig_kind(k)};
		}
	}
	return cmocka_run_group_tests_name("flushq", tests, NULL, NULL);
}
