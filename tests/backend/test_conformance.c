/* SPDX-License-Identifier: MIT */
/*
 * What every backend must do: the same tests on the simulated machine, for each format of soft and for
 * direct, and in a guest, on Linux's own backends and real devices. Where nothing is translated,
 * mapping is refused and addresses are physical.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "backend/rig.h"
#include "core/bits.h"
#include "core/env.h"

#define K  0x1000ull
#define RW (PHYR_READ | PHYR_WRITE)

static struct rig r;

static int init(void **state)
{
	rig_init(&r, *state);
	rig_attach(&r, r.domain, 0);
	return 0;
}

static int fini(void **state)
{
	rig_detach(&r, r.domain, 0);
	rig_fini(&r);
	return 0;
}

/* Who reports a map or unmap: the table's walk, or, for it has none, a kernel backend. */
static const char *map_call(void)
{
	return r.kind->kernel ? "phyr_domain_map" : "phyr_pgtbl_map";
}

static const char *unmap_call(void)
{
	return r.kind->kernel ? "phyr_domain_unmap" : "phyr_pgtbl_unmap";
}

static void device_belongs_to_one_domain(void **state)
{
	struct phyr_domain *other;

	assert_int_equal(phyr_domain_create(r.iommu, &other), 0);
	assert_int_equal(phyr_domain_attach(other, r.source[0]), -EBUSY);
	phyr_domain_detach(other, r.source[0]); /* which does not have it: nothing changes */
	assert_int_equal(phyr_domain_attach(other, r.source[0]), -EBUSY);
	assert_int_equal(phyr_domain_attach(r.domain, r.source[0]), -EBUSY);
	rig_told(&r, -EBUSY, "phyr_domain_attach");
	assert_int_equal(r.t.last.index, r.source[0]);
	if (r.kind->translates) {
		assert_int_equal(phyr_domain_attach(other, 0xdead), -ENODEV);
		rig_told(&r, -ENODEV, "phyr_domain_attach");
		assert_int_equal(r.t.last.index, 0xdead);
	}
	assert_int_equal(phyr_domain_attach(other, r.source[1]), 0);
	phyr_domain_detach(other, r.source[1]);
	assert_int_equal(phyr_domain_attach(r.domain, r.source[1]), 0);
	phyr_domain_detach(r.domain, r.source[1]);
	phyr_domain_destroy(other);
}

/* Data goes both ways through a mapping that starts and ends inside pages. */
static void data_moves(void **state)
{
	const uint64_t offset = 3 * K + 0x234, len = r.kind->data;
	uint64_t iova = 0;

	assert_int_equal(rig_map(&r, offset, len, RW, &iova), 0);
	rig_leads(&r, iova, offset, len);
	assert_int_equal(rig_write(&r, 0, iova, 5, len), 0);
	assert_true(rig_holds(&r, offset, 5, len));
	assert_int_equal(rig_read(&r, 0, iova, 5, len), 0);
	rig_unmap(&r, iova, len);
	rig_blocked(&r, 0, iova, 64, PHYR_READ, PHYR_FAULT_NOT_PRESENT);
	rig_faults(&r, 1);
}

/* Where nothing is translated, a dma address is a physical one, and mapping is refused. */
static void untranslated_data_moves(void **state)
{
	uint64_t phys = rig_addr(&r, 5 * K);
	struct phyr_translation tr;
	struct phyr_cursor cur;

	assert_int_equal(phyr_domain_translate(r.domain, phys + 9, &tr), 0);
	assert_int_equal(tr.addr, phys + 9);
	assert_int_equal(rig_write(&r, 0, tr.addr, 8, 100), 0);
	assert_true(rig_holds(&r, 5 * K + 9, 8, 100));
	phyr_cursor_init(&cur, &r.list);
	assert_int_equal(phyr_domain_map(r.domain, K, NULL, &cur, RW), -EOPNOTSUPP);
	assert_int_equal(cur.left, r.size);
}

/* The table's end, for devices that can put such addresses on the bus. */
static void faults_at_the_end(uint64_t last)
{
	if (last >= r.kind->device_last)
		return;
	rig_blocked(&r, 0, last, 1, PHYR_READ, PHYR_FAULT_NOT_PRESENT);
	rig_blocked(&r, 0, last + 1, 1, PHYR_READ, PHYR_FAULT_RANGE);
	rig_faults(&r, 5);
}

/* Whether the upper half of what four levels come to is that of addresses with the top bits set. */
static bool lower_half(void)
{
	return r.kind->format == PHYR_PGTBL_X86_64 || r.kind->format == PHYR_PGTBL_RISCV64;
}

static void faults_are_told(void **state)
{
	uint64_t iova;

	assert_int_equal(rig_map(&r, 16 * K, 4 * K, PHYR_READ, &iova), 0);
	memset(r.memory, 0x11, 64 * K);
	rig_blocked(&r, 0, iova + 5, 8, PHYR_WRITE, PHYR_FAULT_PERMISSION);
	rig_blocked(&r, 0, iova + 4 * K, 8, PHYR_WRITE, PHYR_FAULT_NOT_PRESENT);
	rig_blocked(&r, 0, iova - 1, 1, PHYR_READ, PHYR_FAULT_NOT_PRESENT);
	rig_faults(&r, 3);
	faults_at_the_end((1ull << (lower_half() ? 47 : 48)) - 1);
	for (unsigned i = 0; i < 64 * K; i++)
		assert_int_equal(r.memory[i], 0x11);
	rig_unmap(&r, iova, 4 * K);
}

/* A write-only mapping: first-stage tables have none, others have. */
static void write_only(void **state)
{
	uint64_t iova;

	assert_int_equal(rig_map(&r, 0, K, PHYR_WRITE, &iova), 0);
	assert_int_equal(rig_write(&r, 0, iova, 1, 64), 0);
	assert_true(rig_holds(&r, 0, 1, 64));
	if (r.kind->write_only)
		rig_blocked(&r, 0, iova, 64, PHYR_READ, PHYR_FAULT_PERMISSION);
	rig_unmap(&r, iova, K);
}

/* What is mapped stays as it is when something is mapped over it. */
static void mapped_twice_is_refused(void **state)
{
	struct phyr_domain_stats stats, before;
	struct phyr_cursor cur;
	uint64_t iova;

	phyr_domain_get_stats(r.domain, &before);
	assert_int_equal(rig_map(&r, 0, 8 * K, RW, &iova), 0);
	assert_int_equal(phyr_cursor_init_at(&cur, &r.list, 64 * K, 16 * K), 0);
	assert_int_equal(phyr_domain_map(r.domain, iova + 4 * K, r.list.space, &cur, RW), -EEXIST);
	rig_told(&r, -EEXIST, map_call());
	assert_int_equal(r.t.last.iova, iova + 4 * K);
	assert_int_equal(r.t.last.addr, rig_addr(&r, 64 * K));
	assert_int_equal(cur.left, 16 * K);
	rig_leads(&r, iova, 0, 8 * K);
	rig_blocked(&r, 0, iova + 8 * K, 1, PHYR_READ, PHYR_FAULT_NOT_PRESENT);
	assert_int_equal(rig_write(&r, 0, iova, 3, 8 * K), 0);
	assert_true(rig_holds(&r, 0, 3, 8 * K));
	phyr_domain_get_stats(r.domain, &stats);
	assert_int_equal(stats.maps, before.maps + 1);
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
	rig_told(&r, -EINVAL, unmap_call());
	assert_int_equal(r.t.last.iova, iova + 4 * K - 1);
	assert_int_equal(phyr_domain_unmap(r.domain, iova + 4 * K, 4 * K, &gather), -EINVAL);
	assert_int_equal(r.t.last.iova, iova + 4 * K);
	assert_int_equal(phyr_domain_unmap(r.domain, iova, 1ull << 63, &gather), -ERANGE);
	rig_told(&r, -ERANGE, unmap_call());
	assert_int_equal(r.t.last.iova, iova);
	assert_int_equal(r.t.last.len, 1ull << 63);
	assert_true(gather.start > gather.last);
	assert_int_equal(rig_write(&r, 0, iova, 9, 8 * K), 0);
	assert_true(rig_holds(&r, 0, 9, 8 * K));
	rig_unmap(&r, iova, 8 * K);
}

/* What hardware and device allow, asked of the backend itself. */
static void read_aperture(struct phyr_aperture *aperture)
{
	void *ctx;

	assert_int_equal(r.iommu->ops->domain_create(r.iommu, rig_on_fault, &r, &ctx), 0);
	assert_int_equal(r.iommu->ops->attach(ctx, r.source[1]), 0);
	r.iommu->ops->aperture(ctx, aperture);
	r.iommu->ops->detach(ctx, r.source[1]);
	r.iommu->ops->domain_destroy(ctx);
}

/* No address of a hole or outside of hardware and table is given out or mapped. */
static void aperture_is_kept(void **state)
{
	struct phyr_aperture aperture = {0};
	struct phyr_iova *iova = phyr_domain_iova(r.domain);
	struct phyr_translation tr = {7, 8, 9}, was = tr;
	struct phyr_cursor cur;

	read_aperture(&aperture);
	assert_int_equal(phyr_domain_merge_boundary(r.domain), 0xfff);
	assert_int_equal(aperture.nr_holes, 1);
	assert_int_equal(phyr_iova_alloc_at(iova, aperture.holes[0].start, K), -ERANGE);
	assert_int_equal(phyr_iova_alloc_at(iova, aperture.holes[0].last & ~0xfffull, K), -ERANGE);
	assert_int_equal(phyr_iova_alloc_at(iova, aperture.last + 1, K), -ERANGE);
	assert_int_equal(phyr_iova_alloc_at(iova, aperture.last + 1 - K, K), 0);
	phyr_iova_free(iova, aperture.last + 1 - K, K);
	assert_int_equal(phyr_cursor_init_at(&cur, &r.list, 0, 2 * K), 0);
	assert_int_equal(phyr_domain_map(r.domain, aperture.last + 1 - K, r.list.space, &cur, RW),
			 -ERANGE);
	rig_told(&r, -ERANGE, map_call());
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
	assert_int_equal(rig_write(&r, 0, iova, 1, K), 0);
	rig_detach(&r, r.domain, 0);
	r.kind->machine->outside(&r, 0, iova, 64);
	rig_faults(&r, 0);
	assert_true(rig_holds(&r, 0, 1, K));
	rig_attach(&r, r.domain, 0);
	assert_int_equal(rig_write(&r, 0, iova, 2, K), 0);
	assert_true(rig_holds(&r, 0, 2, K));
	rig_unmap(&r, iova, K);
}

/* Devices of one domain share its mappings; those of another do not. */
static void domains_are_apart(void **state)
{
	struct phyr_domain_stats stats;
	struct phyr_domain *other;
	uint64_t iova;

	assert_int_equal(rig_map(&r, 0, K, RW, &iova), 0);
	assert_int_equal(rig_write(&r, 0, iova, 40, K), 0);
	rig_attach(&r, r.domain, 1);
	assert_int_equal(rig_read(&r, 1, iova, 40, K), 0);
	rig_detach(&r, r.domain, 1);

	assert_int_equal(phyr_domain_create(r.iommu, &other), 0);
	rig_attach(&r, other, 1);
	rig_blocked(&r, 1, iova, 1, PHYR_READ, PHYR_FAULT_NOT_PRESENT);
	rig_faults(&r, 0);
	phyr_domain_get_stats(other, &stats);
	assert_int_equal(stats.faults, r.kind->kernel ? 0 : 1);
	rig_detach(&r, other, 1);
	phyr_domain_destroy(other);
	assert_int_equal(rig_read(&r, 0, iova, 40, K), 0);
	rig_unmap(&r, iova, K);
}

/*
 * The planted bug: without the sync of its gather an unmapped page is still reached, through the
 * IOTLB; after the sync it is not. So the tests can see a sync that is left out. The kernel
 * invalidates before its unmap returns: there is nothing to sync, and nothing stale.
 */
static void stale_until_sync(uint64_t iova)
{
	assert_int_equal(rig_write(&r, 0, iova, 99, 2 * K), 0);
	assert_true(rig_holds(&r, 0, 99, 2 * K));
	rig_faults(&r, 0);
}

static void unmap_without_sync_is_seen(void **state)
{
	struct phyr_domain_stats stats;
	struct phyr_translation tr;
	struct phyr_gather gather;
	uint64_t iova;

	assert_int_equal(rig_map(&r, 0, 2 * K, RW, &iova), 0);
	assert_int_equal(rig_write(&r, 0, iova, 99, 2 * K), 0);
	phyr_gather_init(&gather);
	assert_int_equal(phyr_domain_unmap(r.domain, iova, 2 * K, &gather), 0);
	assert_int_equal(phyr_domain_translate(r.domain, iova, &tr), -ENOENT);
	if (r.kind->kernel)
		assert_true(gather.start > gather.last);
	else
		stale_until_sync(iova);
	phyr_domain_sync(r.domain, &gather);
	rig_blocked(&r, 0, iova, 64, PHYR_WRITE, PHYR_FAULT_NOT_PRESENT);
	rig_faults(&r, 1);
	assert_true(rig_holds(&r, 0, 99, 2 * K));
	phyr_domain_get_stats(r.domain, &stats);
	assert_int_equal(stats.invalidations, r.kind->kernel ? 0 : 1);
	phyr_iova_free(phyr_domain_iova(r.domain), iova, 2 * K);
}

#define THREADS 4
#define TURNS   200

/* Maps and unmaps what no other thread does; what is mapped is seen while it is. */
static void *keeps_to_itself(void *arg)
{
	uint64_t offset = (uintptr_t)arg * 16 * K, iova;
	struct phyr_translation tr;

	for (unsigned i = 0; i < TURNS; i++) {
		uint64_t len = (1 + i % 12) * K;

		assert_int_equal(rig_map(&r, offset, len, RW, &iova), 0);
		assert_int_equal(phyr_domain_translate(r.domain, iova + len - 1, &tr), 0);
		assert_int_equal(tr.addr, rig_addr(&r, offset + len - 1));
		rig_unmap(&r, iova, len);
	}
	return NULL;
}

static void threads_map_apart(void **state)
{
	struct phyr_domain_stats stats, before;
	pthread_t threads[THREADS];

	phyr_domain_get_stats(r.domain, &before);
	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, keeps_to_itself, (void *)i), 0);
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	phyr_domain_get_stats(r.domain, &stats);
	assert_int_equal(stats.maps, before.maps + THREADS * TURNS);
	assert_int_equal(stats.unmaps, before.unmaps + THREADS * TURNS);
	assert_int_equal(stats.iova_bytes, before.iova_bytes);
	assert_int_equal(stats.kernel_maps, before.kernel_maps);
}

/* Tables that map nothing go, and those beside them stay: what is mapped is still reached. */
static void empty_tables_go(void **state)
{
	struct phyr_domain_stats before, stats;
	uint64_t keep = 0, iova = 0;

	assert_int_equal(phyr_domain_trim(r.domain), 0);
	phyr_domain_get_stats(r.domain, &before);
	assert_true(before.tables <= 1 || before.iova_bytes); /* a machine may keep a page mapped */
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(rig_map(&r, 0, 8 * K, RW, &keep), 0);
		assert_int_equal(rig_map(&r, 8 * K, 100 * K, RW, &iova), 0);
		assert_int_equal(rig_write(&r, 0, iova, 3, K), 0);
		rig_unmap(&r, iova, 100 * K);
		assert_int_equal(phyr_domain_trim(r.domain), 0);
		assert_int_equal(rig_write(&r, 0, keep, (unsigned char)i, 8 * K), 0);
		assert_true(rig_holds(&r, 0, (unsigned char)i, 8 * K));
		rig_leads(&r, keep, 0, 8 * K);
		rig_unmap(&r, keep, 8 * K);
		phyr_domain_get_stats(r.domain, &stats);
		assert_true(before.tables ? stats.tables > 1 : !stats.tables);
		assert_int_equal(phyr_domain_trim(r.domain), 0);
		phyr_domain_get_stats(r.domain, &stats);
		assert_int_equal(stats.tables, before.tables);
		assert_int_equal(stats.iova_bytes, before.iova_bytes);
	}
}

/* What is mapped at iova that nobody owns is left alone, and said. */
static void mapped_is_not_reclaimed(void **state)
{
	struct phyr_domain_stats before, stats;
	struct phyr_gather gather;
	uint64_t iova = 0;

	assert_int_equal(phyr_domain_trim(r.domain), 0);
	phyr_domain_get_stats(r.domain, &before);
	assert_int_equal(rig_map(&r, 0, 8 * K, RW, &iova), 0);
	phyr_iova_free(phyr_domain_iova(r.domain), iova, 8 * K);
	assert_int_equal(phyr_domain_trim(r.domain), r.kind->kernel ? 0 : -EBUSY);
	if (!r.kind->kernel)
		rig_told(&r, -EBUSY, "phyr_pgtbl_reclaim");
	rig_leads(&r, iova, 0, 8 * K);
	phyr_gather_init(&gather);
	assert_int_equal(phyr_domain_unmap(r.domain, iova, 8 * K, &gather), 0);
	phyr_domain_sync(r.domain, &gather);
	assert_int_equal(phyr_domain_trim(r.domain), 0);
	phyr_domain_get_stats(r.domain, &stats);
	assert_int_equal(stats.tables, before.tables);
}

static void nothing_to_trim(void **state)
{
	assert_int_equal(phyr_domain_trim(r.domain), 0);
}

enum when { BOTH, TRANSLATED, UNTRANSLATED };

static const struct {
	const char *name;
	CMUnitTestFunction test;
	enum when when;
} suite[] = {
	{"device_belongs_to_one_domain", device_belongs_to_one_domain, BOTH},
	{"untranslated_data_moves", untranslated_data_moves, UNTRANSLATED},
	{"data_moves", data_moves, TRANSLATED},
	{"faults_are_told", faults_are_told, TRANSLATED},
	{"write_only", write_only, TRANSLATED},
	{"mapped_twice_is_refused", mapped_twice_is_refused, TRANSLATED},
	{"half_a_map_is_not_unmapped", half_a_map_is_not_unmapped, TRANSLATED},
	{"aperture_is_kept", aperture_is_kept, TRANSLATED},
	{"detached_device_is_blocked", detached_device_is_blocked, TRANSLATED},
	{"domains_are_apart", domains_are_apart, TRANSLATED},
	{"unmap_without_sync_is_seen", unmap_without_sync_is_seen, TRANSLATED},
	{"empty_tables_go", empty_tables_go, TRANSLATED},
	{"mapped_is_not_reclaimed", mapped_is_not_reclaimed, TRANSLATED},
	{"nothing_to_trim", nothing_to_trim, UNTRANSLATED},
	{"threads_map_apart", threads_map_apart, TRANSLATED},
};

/* Tests are those that are filled in: cmocka passes over the rest. */
static struct CMUnitTest tests[ARRAY_SIZE(suite) * RIG_MAX_KINDS];
static char names[ARRAY_SIZE(tests)][64];

static unsigned add_kind(const struct rig_kind *kind, unsigned n)
{
	for (unsigned i = 0; i < ARRAY_SIZE(suite); i++) {
		if (suite[i].when == (kind->translates ? UNTRANSLATED : TRANSLATED))
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
	return cmocka_run_group_tests_name("conformance", tests, NULL, NULL);
}
