/* SPDX-License-Identifier: MIT */
/* The domain over a backend that says what a test wants: attach, gathers, statistics, faults. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "iommu/domain.h"
#include "iommu/fake.h"
#include "iova/iova.h"
#include "lib/tenv.h"

#define K      0x1000ull
#define SOURCE 0x1234

struct world {
	struct tenv t;
	struct fake fake;
	struct phyr_domain *domain;
};

static struct world w;

static int start(bool translates)
{
	tenv_init(&w.t, NULL);
	fake_init(&w.fake, &w.t.env, translates);
	w.domain = NULL;
	return phyr_domain_create(&w.fake.iommu, &w.domain);
}

static int init(void **state)
{
	return start(true);
}

static int fini(void **state)
{
	phyr_domain_destroy(w.domain);
	assert_int_equal(w.fake.domains, 0);
	tenv_fini(&w.t);
	return 0;
}

static void create_says_what_the_backend_says(void **state)
{
	struct phyr_domain *domain = NULL;

	w.fake.create_err = -EOPNOTSUPP;
	assert_int_equal(phyr_domain_create(&w.fake.iommu, &domain), -EOPNOTSUPP);
	assert_null(domain);
	assert_string_equal(w.t.last.call, "phyr_domain_create");
	assert_int_equal(w.t.last.err, -EOPNOTSUPP);
	w.t.env.alloc_pages = NULL;
	assert_int_equal(phyr_domain_create(&w.fake.iommu, &domain), -EINVAL);
	assert_string_equal(w.t.last.call, "phyr_domain_create");
	assert_non_null(strstr(w.t.last.hint, "alloc_pages"));
	assert_ptr_equal(phyr_domain_iommu(w.domain), &w.fake.iommu);
	phyr_domain_destroy(NULL);
	phyr_iommu_destroy(NULL);
	phyr_iommu_destroy(&w.fake.iommu);
	assert_int_equal(w.fake.calls, 1000);
}

static void first_attach_makes_the_allocator(void **state)
{
	struct phyr_iova *iova;
	uint64_t addr;

	assert_null(phyr_domain_iova(w.domain));
	assert_int_equal(phyr_domain_merge_boundary(w.domain), 0);
	assert_int_equal(phyr_domain_attach(w.domain, SOURCE), 0);
	iova = phyr_domain_iova(w.domain);
	assert_non_null(iova);
	assert_int_equal(phyr_domain_merge_boundary(w.domain), 0xfff);
	assert_int_equal(phyr_iova_alloc(iova, 0xfee00000 - K, NULL, &addr), 0);
	assert_int_equal(addr, K);
	assert_int_equal(phyr_iova_alloc(iova, K, NULL, &addr), 0);
	assert_int_equal(addr, 0xfef00000);
	assert_int_equal(phyr_iova_alloc_at(iova, 1ull << 32, K), -ERANGE);
	phyr_domain_detach(w.domain, SOURCE);
	assert_int_equal(w.fake.attached, 0);
	assert_ptr_equal(phyr_domain_iova(w.domain), iova);
}

static void attach_hands_errors_on(void **state)
{
	static const int errs[] = {-ENODEV, -EBUSY, -EOPNOTSUPP, -ENOMEM};

	for (unsigned i = 0; i < ARRAY_SIZE(errs); i++) {
		w.fake.attach_err = errs[i];
		assert_int_equal(phyr_domain_attach(w.domain, SOURCE), errs[i]);
		assert_string_equal(w.t.last.call, "phyr_domain_attach");
		assert_int_equal(w.t.last.err, errs[i]);
		assert_int_equal(w.t.last.index, SOURCE);
		assert_null(phyr_domain_iova(w.domain));
	}
}

static void refused(int want)
{
	struct phyr_iova *before = phyr_domain_iova(w.domain);
	unsigned attached = w.fake.attached;

	tenv_restart(&w.t);
	assert_int_equal(phyr_domain_attach(w.domain, SOURCE + 1), want);
	assert_int_equal(w.fake.attached, attached);
	assert_string_equal(w.t.last.call, "phyr_domain_attach");
	assert_int_equal(w.t.last.err, want);
	assert_ptr_equal(phyr_domain_iova(w.domain), before);
}

static void unusable_apertures(void **state)
{
	const struct phyr_aperture good = w.fake.aperture;

	w.fake.aperture.page_sizes = 0;
	refused(-EOPNOTSUPP);
	assert_non_null(strstr(w.t.last.hint, "page size"));
	w.fake.aperture = good;
	w.fake.aperture.page_sizes = 1ull << 31;
	refused(-EOPNOTSUPP);
	w.fake.aperture = good;
	w.fake.aperture.nr_holes = PHYR_APERTURE_HOLES + 1;
	refused(-EOPNOTSUPP);
	assert_int_equal(w.t.last.index, PHYR_APERTURE_HOLES + 1);
	assert_int_equal(w.t.last.limit, PHYR_APERTURE_HOLES);
	assert_non_null(strstr(w.t.last.hint, "holes"));
	w.fake.aperture = good;
	w.fake.aperture.start = 0xfee00000;
	w.fake.aperture.last = 0xfeefffff;
	refused(-EOPNOTSUPP);
	assert_int_equal(w.t.last.iova, 0xfee00000);
	assert_int_equal(w.t.last.limit, 0xfeefffff);
	w.fake.aperture = good;
	w.fake.aperture.holes[0].last = 0;
	refused(-EOPNOTSUPP);
	w.fake.aperture = good;
	assert_int_equal(phyr_domain_attach(w.domain, SOURCE), 0);
	w.fake.aperture.holes[0].last = 0;
	refused(-EOPNOTSUPP);
	phyr_domain_detach(w.domain, SOURCE);
}

/* Each way in which a second device can take away what the first one uses. */
static void later_attach_finds_it_in_use(void **state)
{
	const struct phyr_aperture good = w.fake.aperture;
	struct phyr_iova_stats stats;

	assert_int_equal(phyr_domain_attach(w.domain, SOURCE), 0);
	assert_int_equal(phyr_iova_alloc_at(w.domain->iova, 0x100000, K), 0);

	w.fake.aperture.holes[w.fake.aperture.nr_holes++] =
		(struct phyr_iova_hole){0x200000, 0x2fffff};
	w.fake.aperture.holes[w.fake.aperture.nr_holes++] =
		(struct phyr_iova_hole){0x100fff, 0x101000};
	refused(-EBUSY);
	assert_int_equal(w.t.last.index, 2);
	assert_int_equal(w.t.last.iova, 0x100fff);
	w.fake.aperture = good;
	w.fake.aperture.start = 0x101000;
	refused(-EBUSY);
	w.fake.aperture = good;
	w.fake.aperture.last = 0xfffff;
	refused(-EBUSY);
	w.fake.aperture = good;
	w.fake.aperture.page_sizes = 0x200000;
	refused(-EBUSY);
	phyr_iova_get_stats(w.domain->iova, &stats);
	assert_int_equal(stats.total_bytes, (1ull << 32) - 0x1000 - 0x100000);
	phyr_domain_detach(w.domain, SOURCE);
}

static void later_attach_takes_away(void **state)
{
	struct phyr_iova *iova;

	assert_int_equal(phyr_domain_attach(w.domain, SOURCE), 0);
	iova = w.domain->iova;
	w.fake.aperture.holes[1] = (struct phyr_iova_hole){0x200000, 0x2fffff};
	w.fake.aperture.nr_holes = 2;
	w.fake.aperture.start = 0x10000;
	w.fake.aperture.last = 0x7fffffff;
	assert_int_equal(phyr_domain_attach(w.domain, SOURCE + 1), 0);
	assert_int_equal(w.fake.attached, 2);
	assert_int_equal(phyr_iova_alloc_at(iova, 0x200000, K), -ERANGE);
	assert_int_equal(phyr_iova_alloc_at(iova, 0xf000, K), -ERANGE);
	assert_int_equal(phyr_iova_alloc_at(iova, 0x80000000, K), -ERANGE);
	assert_int_equal(phyr_iova_alloc_at(iova, 0x10000, K), 0);
	/* All 64 bits again: what was taken away stays so. */
	w.fake.aperture = (struct phyr_aperture){.last = ~0ull, .page_sizes = 0x1000};
	assert_int_equal(phyr_domain_attach(w.domain, SOURCE + 2), 0);
	assert_int_equal(phyr_iova_alloc_at(iova, 0x200000, K), -ERANGE);
	for (uint32_t i = 0; i < 3; i++)
		phyr_domain_detach(w.domain, SOURCE + i);
}

/* What a failed map rolled back is invalidated when its error returns. */
static void failed_map_is_settled(void **state)
{
	struct phyr_domain_stats stats;
	struct phyr_cursor cur;

	phyr_cursor_init_range(&cur, K, K);
	w.fake.map_err = -EEXIST;
	w.fake.leaves = (struct phyr_gather){.start = 5 * K, .last = 6 * K - 1, .entries = 9};
	assert_int_equal(phyr_domain_map(w.domain, 5 * K, NULL, &cur, PHYR_READ), -EEXIST);
	assert_int_equal(w.fake.syncs, 1);
	assert_int_equal(w.fake.synced.start, 5 * K);
	assert_int_equal(w.fake.synced.last, 6 * K - 1);
	phyr_domain_get_stats(w.domain, &stats);
	assert_int_equal(stats.maps, 0);
	assert_int_equal(stats.entries, 0);
	assert_int_equal(stats.invalidations, 1);

	phyr_gather_init(&w.fake.leaves);
	assert_int_equal(phyr_domain_map(w.domain, 5 * K, NULL, &cur, PHYR_READ), -EEXIST);
	assert_int_equal(w.fake.syncs, 1);
}

/* A table that a leaf has replaced goes back after the map's own invalidation. */
static void map_settles_replaced_tables(void **state)
{
	struct phyr_domain_stats stats;
	struct phyr_cursor cur;

	phyr_cursor_init_range(&cur, K, K);
	w.fake.leaves =
		(struct phyr_gather){.start = 0, .last = 0x1fffff, .tables = 0x7000, .entries = 3};
	assert_int_equal(phyr_domain_map(w.domain, 0, NULL, &cur, PHYR_READ), 0);
	assert_int_equal(w.fake.synced.tables, 0x7000);
	phyr_domain_get_stats(w.domain, &stats);
	assert_int_equal(stats.maps, 1);
	assert_int_equal(stats.entries, 3);
	assert_int_equal(stats.invalidations, 1);
}

/* One call into the backend each, none where there is nothing to do. */
static void one_call_an_operation(void **state)
{
	struct phyr_domain_stats stats;
	struct phyr_translation tr;
	struct phyr_gather gather;
	struct phyr_cursor cur;

	phyr_cursor_init_range(&cur, K, K);
	phyr_gather_init(&gather);
	w.fake.leaves.entries = 2;
	assert_int_equal(phyr_domain_map(w.domain, K, NULL, &cur, PHYR_READ), 0);
	assert_int_equal(w.fake.calls, 1);
	assert_int_equal(phyr_domain_sync_map(w.domain, K, K), 0);
	assert_int_equal(w.fake.calls, 2);
	assert_int_equal(phyr_domain_unmap(w.domain, K, K, &gather), 0);
	assert_int_equal(w.fake.calls, 3);
	phyr_domain_sync(w.domain, &gather);
	assert_int_equal(w.fake.calls, 3);
	gather.start = gather.last = K;
	phyr_domain_sync(w.domain, &gather);
	assert_int_equal(w.fake.calls, 4);
	assert_true(gather.start > gather.last);
	assert_int_equal(phyr_domain_translate(w.domain, 5, &tr), 0);
	assert_int_equal(tr.addr, 6);
	phyr_domain_get_stats(w.domain, &stats);
	assert_int_equal(stats.maps, 1);
	assert_int_equal(stats.entries, 2);
	assert_int_equal(stats.map_syncs, 1);
	assert_int_equal(stats.unmaps, 1);
	assert_int_equal(stats.invalidations, 1);
	assert_int_equal(stats.tables, 17);
	assert_int_equal(stats.ioctls, 18);
	assert_int_equal(stats.kernel_maps, 19);
	assert_int_equal(stats.kernel_maps_left, 20);
	assert_int_equal(stats.record_bytes, 21);
	assert_int_equal(stats.iova_bytes, 0);
}

static void failures_are_not_counted(void **state)
{
	struct phyr_domain_stats stats;
	struct phyr_gather gather;

	phyr_gather_init(&gather);
	w.fake.unmap_err = -EINVAL;
	w.fake.sync_map_err = -EOPNOTSUPP;
	assert_int_equal(phyr_domain_unmap(w.domain, K, K, &gather), -EINVAL);
	assert_int_equal(phyr_domain_sync_map(w.domain, K, K), -EOPNOTSUPP);
	phyr_domain_get_stats(w.domain, &stats);
	assert_int_equal(stats.unmaps, 0);
	assert_int_equal(stats.map_syncs, 0);
}

/* Each slot of the environment counts on its own line; the statistics are the sum. */
static unsigned next_slot;

static unsigned some_slot(struct phyr_env *env)
{
	return next_slot++ % env->nr_slots;
}

static void statistics_add_all_slots(void **state)
{
	struct phyr_domain_stats stats;
	struct phyr_cursor cur;

	w.t.env.slot = some_slot;
	phyr_cursor_init_range(&cur, K, K);
	w.fake.leaves.entries = 1;
	for (unsigned i = 0; i < 200; i++)
		assert_int_equal(phyr_domain_map(w.domain, K, NULL, &cur, PHYR_READ), 0);
	phyr_domain_get_stats(w.domain, &stats);
	assert_int_equal(stats.maps, 200);
	assert_int_equal(stats.entries, 200);
	assert_int_equal((uintptr_t)w.domain->counts % SLOT_LINE, 0);
	assert_true(w.domain->counts[1].maps < 200);
}

static void untranslated(void **state)
{
	phyr_domain_destroy(w.domain);
	assert_int_equal(start(false), 0);
	w.fake.aperture.page_sizes = 0;
	assert_int_equal(phyr_domain_attach(w.domain, SOURCE), 0);
	assert_null(phyr_domain_iova(w.domain));
	assert_int_equal(phyr_domain_merge_boundary(w.domain), 0);
	phyr_domain_detach(w.domain, SOURCE);
}

static void keep_fault(void *arg, const struct phyr_fault *fault)
{
	*(struct phyr_fault *)arg = *fault;
}

static void faults_go_to_handler_or_report(void **state)
{
	struct phyr_fault fault = {.source = SOURCE,
				   .access = PHYR_WRITE,
				   .reason = PHYR_FAULT_PERMISSION,
				   .iova = 0xabc123};
	struct phyr_fault kept = {0};
	struct phyr_domain_stats stats;

	w.fake.fault(w.fake.fault_arg, &fault);
	assert_int_equal(w.t.reports, 1);
	assert_int_equal(w.t.last.err, -EFAULT);
	assert_string_equal(w.t.last.call, "fault");
	assert_int_equal(w.t.last.index, SOURCE);
	assert_true(w.t.last.has_iova);
	assert_int_equal(w.t.last.iova, 0xabc123);
	assert_string_equal(w.t.last.hint,
			    "a device's write was blocked: the mapping does not allow it");
	fault.access = PHYR_READ;
	fault.reason = PHYR_FAULT_NOT_PRESENT;
	w.fake.fault(w.fake.fault_arg, &fault);
	assert_string_equal(w.t.last.hint, "a device's read was blocked: nothing is mapped there");
	fault.reason = (enum phyr_fault_reason)99;
	w.fake.fault(w.fake.fault_arg, &fault);
	assert_string_equal(w.t.last.hint, "a device's read was blocked: the reason is unknown");

	phyr_domain_set_fault_handler(w.domain, keep_fault, &kept);
	w.fake.fault(w.fake.fault_arg, &fault);
	assert_int_equal(w.t.reports, 3);
	assert_int_equal(kept.iova, fault.iova);
	assert_int_equal(kept.source, SOURCE);
	phyr_domain_get_stats(w.domain, &stats);
	assert_int_equal(stats.faults, 4);
}

/* The iova of a driver that forgot to fill it in. */
static void fault_at_zero_says_so(void **state)
{
	const struct phyr_fault fault = {
		.source = SOURCE, .access = PHYR_READ, .reason = PHYR_FAULT_NOT_PRESENT};
	char line[256];

	w.fake.fault(w.fake.fault_arg, &fault);
	assert_true(w.t.last.has_iova);
	phyr_report_format(&w.t.last, line, sizeof(line));
	assert_non_null(strstr(line, "nothing is mapped there"));
	assert_non_null(strstr(line, "at iova 0x0"));
}

static void iova_left_is_reported(void **state)
{
	uint64_t a, b, c;

	assert_int_equal(phyr_domain_attach(w.domain, SOURCE), 0);
	assert_int_equal(phyr_iova_alloc(phyr_domain_iova(w.domain), K, NULL, &a), 0);
	assert_int_equal(phyr_iova_alloc(phyr_domain_iova(w.domain), 3 * K, NULL, &b), 0);
	assert_int_equal(phyr_iova_alloc(phyr_domain_iova(w.domain), 2 * K, NULL, &c), 0);
	phyr_iova_free(phyr_domain_iova(w.domain), a, K);
	phyr_domain_detach(w.domain, SOURCE);
	tenv_restart(&w.t);
	phyr_domain_destroy(w.domain);
	w.domain = NULL;
	assert_int_equal(w.t.reports, 1);
	assert_string_equal(w.t.last.call, "phyr_domain_destroy");
	assert_int_equal(w.t.last.err, -EBUSY);
	assert_int_equal(w.t.last.index, 2);
	assert_int_equal(w.t.last.len, 5 * K);
	assert_int_equal(w.t.last.iova, b < c ? b : c);
}

static void nothing_left_is_not_reported(void **state)
{
	uint64_t a;

	assert_int_equal(phyr_domain_attach(w.domain, SOURCE), 0);
	assert_int_equal(phyr_iova_alloc(phyr_domain_iova(w.domain), K, NULL, &a), 0);
	phyr_iova_free(phyr_domain_iova(w.domain), a, K);
	phyr_domain_detach(w.domain, SOURCE);
	tenv_restart(&w.t);
	phyr_domain_destroy(w.domain);
	w.domain = NULL;
	assert_int_equal(w.t.reports, 0);
}

static void reasons_have_names(void **state)
{
	assert_string_equal(phyr_fault_reason_name(PHYR_FAULT_NOT_PRESENT), "not present");
	assert_string_equal(phyr_fault_reason_name(PHYR_FAULT_PERMISSION), "permission");
	assert_string_equal(phyr_fault_reason_name(PHYR_FAULT_RANGE), "range");
	assert_string_equal(phyr_fault_reason_name(PHYR_FAULT_NO_DOMAIN), "no domain");
	assert_string_equal(phyr_fault_reason_name(PHYR_FAULT_BAD_ADDRESS), "bad address");
	assert_string_equal(phyr_fault_reason_name(PHYR_FAULT_BAD_ENTRY), "bad entry");
	assert_string_equal(phyr_fault_reason_name((enum phyr_fault_reason)0), "unknown");
	assert_string_equal(phyr_fault_reason_name((enum phyr_fault_reason) - 1), "unknown");
}

/* What is free between two allocations is one part, holes and what lies outside included. */
static void trim_reclaims_what_is_free(void **state)
{
	uint64_t low = 0x40000000, high = 0xfff00000, small;
	struct phyr_iova_stats stats;
	struct phyr_iova *iova;

	assert_int_equal(phyr_domain_trim(w.domain), 0); /* there is no allocator */
	assert_int_equal(phyr_domain_attach(w.domain, SOURCE), 0);
	iova = phyr_domain_iova(w.domain);
	assert_int_equal(phyr_domain_trim(w.domain), 0);
	assert_int_equal(w.fake.reclaims, 1);
	assert_int_equal(w.fake.reclaimed[0].start, 0);
	assert_int_equal(w.fake.reclaimed[0].last, UINT64_MAX);

	/* In the last MiB no table's span can be empty, and what is cached is free. */
	w.fake.reclaims = 0;
	assert_int_equal(phyr_iova_alloc_at(iova, low, K), 0);
	assert_int_equal(phyr_iova_alloc_at(iova, high, K), 0);
	assert_int_equal(phyr_iova_alloc_at(iova, high + 0xff000, K), 0);
	assert_int_equal(phyr_iova_alloc(iova, K, NULL, &small), 0);
	phyr_iova_free(iova, small, K);
	assert_int_equal(phyr_domain_trim(w.domain), 0);
	assert_int_equal(w.fake.reclaims, 2);
	assert_int_equal(w.fake.reclaimed[0].start, 0);
	assert_int_equal(w.fake.reclaimed[0].last, low - 1);
	assert_int_equal(w.fake.reclaimed[1].start, low + K);
	assert_int_equal(w.fake.reclaimed[1].last, high - 1);
	assert_int_equal(w.fake.syncs, 0);
	phyr_iova_get_stats(iova, &stats);
	assert_int_equal(stats.live, 3);
	assert_int_equal(stats.live_bytes, 3 * K);
	assert_int_equal(stats.highest, high + 0xfffff);
	phyr_iova_free(iova, low, K);
	phyr_iova_free(iova, high, K);
	phyr_iova_free(iova, high + 0xff000, K);
	assert_int_equal(phyr_iova_alloc_at(iova, 0x1000, 0xfee00000 - K), 0);
	assert_int_equal(phyr_iova_alloc_at(iova, 0xfef00000, 0x1100000), 0);
	phyr_iova_free(iova, 0x1000, 0xfee00000 - K);
	phyr_iova_free(iova, 0xfef00000, 0x1100000);
}

static unsigned early_syncs;
static struct phyr_iommu_ops watched;

static void sync_while_reserved(void *ctx, struct phyr_gather *gather)
{
	early_syncs += phyr_domain_iova(w.domain)->reservations & 1;
	w.fake.iommu.ops->sync(ctx, gather);
}

/* Each part is synced before it can be allocated, and a part that is refused does not end it. */
static void trim_goes_on_after_an_error(void **state)
{
	struct phyr_domain_stats stats;

	assert_int_equal(phyr_domain_attach(w.domain, SOURCE), 0);
	assert_int_equal(phyr_iova_alloc_at(phyr_domain_iova(w.domain), 0x40000000, K), 0);
	w.fake.leaves = (struct phyr_gather){.start = 0x200000, .last = 0x3fffff};
	w.fake.reclaim_err = -EBUSY;
	watched = *w.fake.iommu.ops;
	watched.sync = sync_while_reserved;
	w.domain->ops = &watched;
	early_syncs = 0;
	assert_int_equal(phyr_domain_trim(w.domain), -EBUSY);
	assert_int_equal(w.fake.reclaims, 2);
	assert_int_equal(w.fake.syncs, 2);
	assert_int_equal(early_syncs, 2);
	w.domain->ops = w.fake.iommu.ops;
	phyr_domain_get_stats(w.domain, &stats);
	assert_int_equal(stats.invalidations, 2);
	assert_int_equal(stats.unmaps, 0);
	assert_int_equal(stats.iova_bytes, K);
	phyr_iova_free(phyr_domain_iova(w.domain), 0x40000000, K);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, init, fini)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(trim_reclaims_what_is_free),
		TEST(trim_goes_on_after_an_error),
		TEST(create_says_what_the_backend_says),
		TEST(first_attach_makes_the_allocator),
		TEST(attach_hands_errors_on),
		TEST(unusable_apertures),
		TEST(later_attach_finds_it_in_use),
		TEST(later_attach_takes_away),
		TEST(failed_map_is_settled),
		TEST(map_settles_replaced_tables),
		TEST(one_call_an_operation),
		TEST(failures_are_not_counted),
		TEST(statistics_add_all_slots),
		TEST(untranslated),
		TEST(faults_go_to_handler_or_report),
		TEST(fault_at_zero_says_so),
		TEST(iova_left_is_reported),
		TEST(nothing_left_is_not_reported),
		TEST(reasons_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
