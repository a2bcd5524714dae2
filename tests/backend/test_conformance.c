/* SPDX-License-Identifier: MIT */
/*
 * What every backend must do, with devices of the simulated machine: the same tests for each format
 * of soft and for direct. Where nothing is translated, mapping is refused and addresses are
 * physical.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "backend/rig.h"
#include "core/bits.h"
#include "core/env.h"

#define K  0x1000ull
#define M  0x100000ull
#define RW (PHYR_READ | PHYR_WRITE)

static const struct rig_kind kinds[] = {
	{"soft vtdss mixed", true, PHYR_PGTBL_VTDSS, PHYR_SIM_MIXED},
	{"soft vtdss huge", true, PHYR_PGTBL_VTDSS, PHYR_SIM_HUGE},
	{"soft x86_64 single", true, PHYR_PGTBL_X86_64, PHYR_SIM_SINGLE},
	{"soft x86_64 linear", true, PHYR_PGTBL_X86_64, PHYR_SIM_LINEAR},
	{"direct", false, (enum phyr_pgtbl_format)0, PHYR_SIM_MIXED},
};

static struct rig r;

static int init(void **state)
{
	rig_init(&r, *state);
	assert_int_equal(phyr_domain_attach(r.domain, RIG_SOURCE), 0);
	return 0;
}

static int fini(void **state)
{
	phyr_domain_detach(r.domain, RIG_SOURCE);
	rig_fini(&r);
	return 0;
}

/* The last report. */
static void told(int err, const char *call)
{
	assert_int_equal(r.t.last.err, err);
	assert_string_equal(r.t.last.call, call);
	assert_non_null(r.t.last.hint);
}

static void device_belongs_to_one_domain(void **state)
{
	struct phyr_domain *other;

	assert_int_equal(phyr_domain_create(r.iommu, &other), 0);
	assert_int_equal(phyr_domain_attach(other, RIG_SOURCE), -EBUSY);
	phyr_domain_detach(other, RIG_SOURCE); /* which does not have it: nothing changes */
	assert_int_equal(phyr_domain_attach(other, RIG_SOURCE), -EBUSY);
	assert_int_equal(phyr_domain_attach(r.domain, RIG_SOURCE), -EBUSY);
	told(-EBUSY, "phyr_domain_attach");
	assert_int_equal(r.t.last.index, RIG_SOURCE);
	if (r.kind->translates) {
		assert_int_equal(phyr_domain_attach(other, 0xdead), -ENODEV);
		told(-ENODEV, "phyr_domain_attach");
		assert_int_equal(r.t.last.index, 0xdead);
	}
	assert_int_equal(phyr_domain_attach(other, RIG_SOURCE + 1), 0);
	phyr_domain_detach(other, RIG_SOURCE + 1);
	assert_int_equal(phyr_domain_attach(r.domain, RIG_SOURCE + 1), 0);
	phyr_domain_detach(r.domain, RIG_SOURCE + 1);
	phyr_domain_destroy(other);
}

/* Each page of a mapping leads to the list's own page. */
static void translates_like_the_list(uint64_t iova, uint64_t offset, uint64_t len)
{
	struct phyr_translation tr;

	for (uint64_t at = 0; at < len; at += K) {
		assert_int_equal(phyr_domain_translate(r.domain, iova + at, &tr), 0);
		assert_int_equal(tr.addr, rig_phys(&r, offset + at));
		assert_int_equal(tr.prot, RW);
	}
}

/* Data goes both ways through a mapping that starts and ends inside pages. */
static void data_moves(void **state)
{
	const uint64_t offset = 3 * K + 0x234, len = 4 * M + 77;
	uint64_t iova = 0;

	assert_int_equal(rig_map(&r, offset, len, RW, &iova), 0);
	translates_like_the_list(iova, offset, len);
	assert_int_equal(rig_write(&r, iova, 5, len), 0);
	assert_true(rig_holds(&r, offset, 5, len));
	assert_int_equal(rig_read(&r, iova, 5, len), 0);
	rig_unmap(&r, iova, len);
	assert_int_equal(rig_read(&r, iova, 5, K), -EFAULT);
	assert_int_equal(r.faults, 1);
}

/* Where nothing is translated, a dma address is a physical one, and mapping is refused. */
static void untranslated_data_moves(void **state)
{
	uint64_t phys = rig_phys(&r, 5 * K);
	struct phyr_translation tr;
	struct phyr_cursor cur;

	assert_int_equal(phyr_domain_translate(r.domain, phys + 9, &tr), 0);
	assert_int_equal(tr.addr, phys + 9);
	assert_int_equal(rig_write(&r, tr.addr, 8, 100), 0);
	assert_true(rig_holds(&r, 5 * K + 9, 8, 100));
	phyr_cursor_init(&cur, &r.list);
	assert_int_equal(phyr_domain_map(r.domain, K, NULL, &cur, RW), -EOPNOTSUPP);
	assert_int_equal(cur.left, RIG_MEMORY);
}

static void expect_fault(int err, uint64_t iova, unsigned access, enum phyr_fault_reason reason)
{
	assert_int_equal(err, -EFAULT);
	assert_int_equal(r.fault.iova, iova);
	assert_int_equal(r.fault.access, access);
	assert_int_equal(r.fault.reason, reason);
	assert_int_equal(r.fault.source, RIG_SOURCE);
	memset(&r.fault, 0, sizeof(r.fault));
}

static void faults_are_told(void **state)
{
	uint64_t iova, last;

	assert_int_equal(rig_map(&r, 16 * K, 4 * K, PHYR_READ, &iova), 0);
	memset(r.memory, 0x11, 64 * K);
	expect_fault(rig_write(&r, iova + 5, 1, 8), iova + 5, PHYR_WRITE, PHYR_FAULT_PERMISSION);
	expect_fault(rig_write(&r, iova + 4 * K, 1, 8), iova + 4 * K, PHYR_WRITE,
		     PHYR_FAULT_NOT_PRESENT);
	expect_fault(rig_read(&r, iova - 1, 1, 8), iova - 1, PHYR_READ, PHYR_FAULT_NOT_PRESENT);
	last = r.kind->format == PHYR_PGTBL_X86_64 ? (1ull << 47) - 1 : (1ull << 48) - 1;
	expect_fault(rig_read(&r, last, 1, 1), last, PHYR_READ, PHYR_FAULT_NOT_PRESENT);
	expect_fault(rig_read(&r, last + 1, 1, 1), last + 1, PHYR_READ, PHYR_FAULT_RANGE);
	for (unsigned i = 0; i < 64 * K; i++)
		assert_int_equal(r.memory[i], 0x11);
	assert_int_equal(r.faults, 5);
	rig_unmap(&r, iova, 4 * K);
}

/* A write-only mapping: x86-64 tables have none, second-stage ones have. */
static void write_only(void **state)
{
	uint64_t iova;

	assert_int_equal(rig_map(&r, 0, K, PHYR_WRITE, &iova), 0);
	assert_int_equal(rig_write(&r, iova, 1, 64), 0);
	if (r.kind->format == PHYR_PGTBL_VTDSS)
		expect_fault(rig_read(&r, iova, 1, 64), iova, PHYR_READ, PHYR_FAULT_PERMISSION);
	rig_unmap(&r, iova, K);
}

/* What is mapped stays as it is when something is mapped over it. */
static void mapped_twice_is_refused(void **state)
{
	struct phyr_domain_stats stats;
	struct phyr_cursor cur;
	uint64_t iova;

	assert_int_equal(rig_map(&r, 0, 8 * K, RW, &iova), 0);
	assert_int_equal(phyr_cursor_init_at(&cur, &r.list, 64 * K, 16 * K), 0);
	assert_int_equal(phyr_domain_map(r.domain, iova + 4 * K, NULL, &cur, RW), -EEXIST);
	told(-EEXIST, "phyr_pgtbl_map");
	assert_int_equal(r.t.last.iova, iova + 4 * K);
	assert_int_equal(r.t.last.addr, rig_phys(&r, 64 * K));
	assert_int_equal(cur.left, 16 * K);
	translates_like_the_list(iova, 0, 8 * K);
	expect_fault(rig_read(&r, iova + 8 * K, 1, 1), iova + 8 * K, PHYR_READ,
		     PHYR_FAULT_NOT_PRESENT);
	assert_int_equal(rig_write(&r, iova, 3, 8 * K), 0);
	assert_true(rig_holds(&r, 0, 3, 8 * K));
	phyr_domain_get_stats(r.domain, &stats);
	assert_int_equal(stats.maps, 1);
	rig_unmap(&r, iova, 8 * K);
}

/* Only edges of maps are edges of unmaps. */
static void half_a_map_is_not_unmapped(void **state)
{
	struct phyr_gather gather;
	uint64_t iova;

	assert_int_equal(rig_map(&r, 0, 8 * K, RW, &iova), 0);
	phyr_gather_init(&gather);
	assert_int_equal(phyr_domain_unmap(r.domain, iova, 4 * K, &gather), -EINVAL);
	told(-EINVAL, "phyr_pgtbl_unmap");
	assert_int_equal(r.t.last.iova, iova + 4 * K - 1);
	assert_int_equal(phyr_domain_unmap(r.domain, iova + 4 * K, 4 * K, &gather), -EINVAL);
	assert_int_equal(r.t.last.iova, iova + 4 * K);
	assert_int_equal(phyr_domain_unmap(r.domain, iova, 1ull << 63, &gather), -ERANGE);
	told(-ERANGE, "phyr_pgtbl_unmap");
	assert_int_equal(r.t.last.iova, iova);
	assert_int_equal(r.t.last.len, 1ull << 63);
	assert_true(gather.start > gather.last);
	assert_int_equal(rig_write(&r, iova, 9, 8 * K), 0);
	rig_unmap(&r, iova, 8 * K);
}

/* No address of a hole or outside of hardware and table is given out or mapped. */
static void aperture_is_kept(void **state)
{
	struct phyr_aperture aperture = {0};
	struct phyr_iova *iova = phyr_domain_iova(r.domain);
	struct phyr_translation tr = {7, 8, 9}, was = tr;
	struct phyr_cursor cur;
	void *ctx;

	assert_int_equal(r.iommu->ops->domain_create(r.iommu, NULL, NULL, &ctx), 0);
	r.iommu->ops->aperture(ctx, &aperture);
	r.iommu->ops->domain_destroy(ctx);
	assert_int_equal(phyr_domain_merge_boundary(r.domain), 0xfff);
	assert_int_equal(aperture.nr_holes, 1);
	assert_int_equal(phyr_iova_alloc_at(iova, aperture.holes[0].start, K), -ERANGE);
	assert_int_equal(phyr_iova_alloc_at(iova, aperture.holes[0].last & ~0xfffull, K), -ERANGE);
	assert_int_equal(phyr_iova_alloc_at(iova, aperture.last + 1, K), -ERANGE);
	assert_int_equal(phyr_iova_alloc_at(iova, aperture.last + 1 - K, K), 0);
	phyr_iova_free(iova, aperture.last + 1 - K, K);
	assert_int_equal(phyr_cursor_init_at(&cur, &r.list, 0, 2 * K), 0);
	assert_int_equal(phyr_domain_map(r.domain, aperture.last + 1 - K, NULL, &cur, RW), -ERANGE);
	told(-ERANGE, "phyr_pgtbl_map");
	assert_int_equal(r.t.last.iova, aperture.last + 1 - K);
	assert_int_equal(r.t.last.len, 2 * K);
	tenv_restart(&r.t);
	assert_int_equal(phyr_domain_translate(r.domain, aperture.last + 1, &tr), -ERANGE);
	assert_int_equal(phyr_domain_translate(r.domain, aperture.last, &tr), -ENOENT);
	assert_memory_equal(&tr, &was, sizeof(tr));
	assert_int_equal(r.t.reports, 0);
}

/* A device that is taken out reaches nothing any more, and comes back to what is mapped. */
static void detached_device_is_blocked(void **state)
{
	uint64_t iova;

	assert_int_equal(rig_map(&r, 0, K, RW, &iova), 0);
	assert_int_equal(rig_write(&r, iova, 1, K), 0);
	phyr_domain_detach(r.domain, RIG_SOURCE);
	assert_int_equal(rig_write(&r, iova, 2, K), -EFAULT);
	assert_int_equal(r.faults, 0);
	assert_true(rig_holds(&r, 0, 1, K));
	assert_int_equal(phyr_domain_attach(r.domain, RIG_SOURCE), 0);
	assert_int_equal(rig_write(&r, iova, 2, K), 0);
	rig_unmap(&r, iova, K);
}

/* Devices of one domain share its mappings; those of another do not. */
static void domains_are_apart(void **state)
{
	struct phyr_domain *other;
	unsigned char byte;
	uint64_t iova;

	assert_int_equal(rig_map(&r, 0, K, RW, &iova), 0);
	assert_int_equal(rig_write(&r, iova, 40, K), 0);
	assert_int_equal(phyr_domain_attach(r.domain, RIG_SOURCE + 1), 0);
	assert_int_equal(phyr_sim_dma_read(r.devs[1], iova, &byte, 1), 0);
	assert_int_equal(byte, 40);
	phyr_domain_detach(r.domain, RIG_SOURCE + 1);

	assert_int_equal(phyr_domain_create(r.iommu, &other), 0);
	assert_int_equal(phyr_domain_attach(other, RIG_SOURCE + 1), 0);
	tenv_restart(&r.t);
	assert_int_equal(phyr_sim_dma_read(r.devs[1], iova, &byte, 1), -EFAULT);
	assert_int_equal(r.t.last.iova, iova);
	assert_int_equal(r.t.last.index, RIG_SOURCE + 1);
	assert_int_equal(r.faults, 0);
	phyr_domain_detach(other, RIG_SOURCE + 1);
	phyr_domain_destroy(other);
	rig_unmap(&r, iova, K);
}

/*
 * The planted bug: without the sync of its gather an unmapped page is still reached, through the
 * IOTLB; after the sync it is not. So the tests can see a sync that is left out.
 */
static void unmap_without_sync_is_seen(void **state)
{
	struct phyr_domain_stats stats;
	struct phyr_translation tr;
	struct phyr_gather gather;
	uint64_t iova;

	assert_int_equal(rig_map(&r, 0, 2 * K, RW, &iova), 0);
	assert_int_equal(rig_write(&r, iova, 1, 2 * K), 0);
	phyr_gather_init(&gather);
	assert_int_equal(phyr_domain_unmap(r.domain, iova, 2 * K, &gather), 0);
	assert_int_equal(phyr_domain_translate(r.domain, iova, &tr), -ENOENT);

	assert_int_equal(rig_write(&r, iova, 99, 2 * K), 0);
	assert_true(rig_holds(&r, 0, 99, 2 * K));
	assert_int_equal(r.faults, 0);

	phyr_domain_sync(r.domain, &gather);
	expect_fault(rig_write(&r, iova, 50, 2 * K), iova, PHYR_WRITE, PHYR_FAULT_NOT_PRESENT);
	assert_true(rig_holds(&r, 0, 99, 2 * K));
	phyr_domain_get_stats(r.domain, &stats);
	assert_int_equal(stats.invalidations, 1);
	assert_int_equal(stats.faults, 1);
	phyr_iova_free(phyr_domain_iova(r.domain), iova, 2 * K);
}

#define ONE(f, i)                                                      \
	{                                                              \
#f " " #i, f, init, fini, (void *)(uintptr_t)&kinds[i] \
	}
#define EACH_SOFT(f) ONE(f, 0), ONE(f, 1), ONE(f, 2), ONE(f, 3)
#define DIRECT(f)    ONE(f, 4)

_Static_assert(ARRAY_SIZE(kinds) == 5, "the macros above have all kinds");

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH_SOFT(device_belongs_to_one_domain),
		DIRECT(device_belongs_to_one_domain),
		DIRECT(untranslated_data_moves),
		EACH_SOFT(data_moves),
		EACH_SOFT(faults_are_told),
		EACH_SOFT(write_only),
		EACH_SOFT(mapped_twice_is_refused),
		EACH_SOFT(half_a_map_is_not_unmapped),
		EACH_SOFT(aperture_is_kept),
		EACH_SOFT(detached_device_is_blocked),
		EACH_SOFT(domains_are_apart),
		EACH_SOFT(unmap_without_sync_is_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
