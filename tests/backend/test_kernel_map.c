/* SPDX-License-Identifier: MIT */
/* Backends vfio and iommufd on a fake kernel: mapping, unmapping, looking up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <linux/vfio.h>
#include <string.h>
#include <sys/resource.h>

#include "backend/kernel_abi.h"
#include "backend/kernelrig.h"
#include "core/bits.h"
#include "core/err.h"

#define MAP   "phyr_domain_map"
#define UNMAP "phyr_domain_unmap"

static struct krig r;

static int init(void **state)
{
	krig_init(&r, *state);
	return 0;
}

static int fini(void **state)
{
	krig_fini(&r);
	return 0;
}

/* The ioctl that maps, or unmaps. */
static unsigned long map_cmd(void)
{
	return r.vfio ? VFIO_IOMMU_MAP_DMA : ABI_IOAS_MAP;
}

static unsigned long unmap_cmd(void)
{
	return r.vfio ? VFIO_IOMMU_UNMAP_DMA : ABI_IOAS_UNMAP;
}

/* Runs that follow each other in memory are one call, whatever they came from. */
static void neighbours_are_one_call(void **state)
{
	const struct phyr_range ranges[] = {{MEMORY, 2 * K},
					    {MEMORY + 2 * K, K},
					    {MEMORY + 9 * K, K},
					    {MEMORY + 10 * K, K + 5}};
	uint64_t before = krig_stats(&r).ioctls;
	struct phyr_domain_stats stats;

	assert_int_equal(krig_map_ranges(&r, M, ranges, ARRAY_SIZE(ranges)), 0);
	stats = krig_stats(&r);
	assert_int_equal(stats.ioctls - before, 2);
	assert_int_equal(stats.entries, 2);
	assert_int_equal(stats.kernel_maps, 2);
	assert_int_equal(fk_nr_maps(), 2);
	assert_true(stats.record_bytes > 0);
	assert_int_equal(stats.kernel_maps_left, r.vfio ? 65533 : UINT64_MAX);
	krig_leads_to(&r, M, MEMORY, 3 * K, RW);
	krig_leads_to(&r, M + 3 * K, MEMORY + 9 * K, 3 * K, RW); /* the last page is whole */
	assert_int_equal(krig_unmap(&r, M, 5 * K + 5), 0);
	assert_int_equal(krig_stats(&r).ioctls - before, 3);
	assert_int_equal(fk_nr_maps(), 0);
	assert_int_equal(krig_stats(&r).record_bytes, 0);
}

/* Slices of lists are not joined by their cursor, but here. */
static void slices_are_joined(void **state)
{
	struct phyr_list list;
	struct phyr_slice slices[2];
	struct phyr_listv listv = {slices, 2};
	struct phyr_cursor cur;

	phyr_list_init(&list, &r.t.env, phyr_space_user());
	assert_int_equal(phyr_list_append(&list, MEMORY, 8 * K), 0);
	assert_int_equal(phyr_slice_init(&slices[0], &list, 0, 4 * K), 0);
	assert_int_equal(phyr_slice_init(&slices[1], &list, 4 * K, 4 * K), 0);
	phyr_cursor_init_listv(&cur, &listv);
	assert_int_equal(phyr_domain_map(r.domain, M, phyr_space_user(), &cur, PHYR_READ), 0);
	assert_int_equal(cur.left, 0);
	assert_int_equal(fk_nr_maps(), 1);
	krig_leads_to(&r, M, MEMORY, 8 * K, PHYR_READ);
	assert_int_equal(krig_unmap(&r, M, 8 * K), 0);
	phyr_list_fini(&list);
}

/* A first offset inside a page, and translate by the byte. */
static void bytes_are_exact(void **state)
{
	struct phyr_translation tr;

	assert_int_equal(krig_map(&r, 2 * M + 0x123, 4 * M + 0x123, 2 * M), 0);
	assert_int_equal(phyr_domain_translate(r.domain, 2 * M + 0x777, &tr), 0);
	assert_int_equal(tr.addr, 4 * M + 0x777);
	assert_int_equal(tr.leaf_size, 2 * M);
	assert_int_equal(phyr_domain_translate(r.domain, 4 * M + 9, &tr), 0);
	assert_int_equal(tr.addr, 6 * M + 9);
	assert_int_equal(tr.leaf_size, K);
	assert_int_equal(phyr_domain_translate(r.domain, 4 * M + K, &tr), -ENOENT);
	assert_int_equal(phyr_domain_translate(r.domain, 1ull << 48, &tr), -ERANGE);
	assert_int_equal(phyr_domain_translate(r.domain, UINT64_MAX, &tr), -ERANGE);
	assert_int_equal(r.t.reports, 0);
	assert_int_equal(krig_unmap(&r, 2 * M + 0x123, 2 * M), 0);

	/* Memory that does not lie as the iova does has smaller leaves. */
	assert_int_equal(krig_map(&r, 4 * M, 5 * M, 4 * M), 0);
	assert_int_equal(phyr_domain_translate(r.domain, 6 * M, &tr), 0);
	assert_int_equal(tr.leaf_size, M);
	assert_int_equal(krig_unmap(&r, 4 * M, 4 * M), 0);
}

/* A run longer than one mapping may be is several, and one map call. */
static void long_run(void **state)
{
	const uint64_t len = (1ull << 44) + 3 * K;

	assert_int_equal(krig_map(&r, 1ull << 40, 1ull << 45, len), 0);
	assert_int_equal(fk_nr_maps(), 3);
	assert_int_equal(krig_unmap(&r, 1ull << 40, 1ull << 43), -EINVAL);
	krig_told(&r, -EINVAL, UNMAP);
	assert_int_equal(krig_unmap(&r, 1ull << 40, len), 0);
}

static void expect_map(int want, uint64_t iova, uint64_t addr, uint64_t len)
{
	uint64_t maps = fk_nr_maps(), pinned = fk.pinned;

	assert_int_equal(krig_map(&r, iova, addr, len), want);
	krig_told(&r, want, MAP);
	assert_true(r.t.last.has_iova);
	assert_int_equal(fk_nr_maps(), maps);
	assert_int_equal(fk.pinned, pinned);
}

static void bad_arguments(void **state)
{
	const struct phyr_range inner[] = {{MEMORY, K}, {MEMORY + 8 * K + 1, K}};
	const struct phyr_range end[] = {{MEMORY, K - 1}, {MEMORY + 8 * K, K}};
	struct phyr_cursor cur;

	expect_map(-EINVAL, M, MEMORY + 1, K);
	expect_map(-EINVAL, M, MEMORY, 0);
	assert_int_equal(krig_map_ranges(&r, M, inner, 2), -EINVAL);
	krig_told(&r, -EINVAL, MAP);
	assert_int_equal(r.t.last.index, 1);
	assert_int_equal(r.t.last.addr, MEMORY + 8 * K + 1);
	assert_int_equal(r.t.last.iova, M + K);
	assert_int_equal(krig_map_ranges(&r, M, end, 2), -EINVAL);
	krig_told(&r, -EINVAL, MAP);
	assert_int_equal(r.t.last.index, 0);
	for (unsigned prot = 0; prot < 16; prot += 4) {
		phyr_cursor_init_range(&cur, MEMORY, K);
		assert_int_equal(phyr_domain_map(r.domain, M, phyr_space_user(), &cur, prot),
				 -EINVAL);
		krig_told(&r, -EINVAL, MAP);
		assert_int_equal(cur.left, K);
	}
	phyr_cursor_init_range(&cur, MEMORY, K);
	assert_int_equal(phyr_domain_map(r.domain, M, NULL, &cur, RW), -EOPNOTSUPP);
	assert_non_null(strstr(r.t.last.hint, "is phyr_space_user()"));
	krig_told(&r, -EOPNOTSUPP, MAP);
	assert_int_equal(fk_nr_maps(), 0);
}

static void not_allowed(void **state)
{
	uint64_t before = krig_stats(&r).ioctls;

	expect_map(-ERANGE, 0xfee00000, MEMORY, K);
	expect_map(-ERANGE, 0xfedff000, MEMORY, 2 * K);
	expect_map(-ERANGE, 1ull << 48, MEMORY, K);
	expect_map(-ERANGE, (1ull << 48) - K, MEMORY, 2 * K);
	assert_int_equal(r.t.last.limit, (1ull << 48) - 1);
	expect_map(-ERANGE, UINT64_MAX - K + 1, MEMORY, K);
	expect_map(-ERANGE, M, 1ull << 57, K);
	expect_map(-ERANGE, M, -K, K);
	assert_int_equal(krig_stats(&r).ioctls, before); /* the kernel was not asked */
	assert_int_equal(krig_map(&r, (1ull << 48) - K, MEMORY, K), 0);
	assert_int_equal(krig_unmap(&r, (1ull << 48) - K, K), 0);
}

/* What the kernel allows may have changed since it was asked. */
static void kernel_changed_its_mind(void **state)
{
	fk.ranges[0].last = 16 * M;
	expect_map(-ERANGE, 32 * M, MEMORY, K);
	assert_int_equal(r.t.last.iova, 32 * M);
}

static void mapped_twice(void **state)
{
	const struct phyr_range ranges[] = {{MEMORY, K}, {MEMORY + 8 * K, K}};
	uint64_t before;

	assert_int_equal(krig_map(&r, M + K, MEMORY, 2 * K), 0);
	before = krig_stats(&r).ioctls;
	expect_map(-EEXIST, M + 2 * K, MEMORY, K);
	assert_int_equal(r.t.last.iova, M + 2 * K);
	assert_int_equal(krig_map_ranges(&r, M, ranges, 2), -EEXIST); /* the second of them */
	krig_told(&r, -EEXIST, MAP);
	assert_int_equal(r.t.last.index, 1);
	assert_int_equal(r.t.last.addr, MEMORY + 8 * K);
	assert_int_equal(krig_stats(&r).ioctls, before); /* the kernel was not asked */
	krig_leads_to(&r, M + K, MEMORY, 2 * K, RW);
	assert_int_equal(krig_unmap(&r, M + K, 2 * K), 0);
}

/* The third of three mappings fails: the two before it are undone by one call, and no other goes. */
static void no_memory_there(void **state)
{
	const struct phyr_range ranges[] = {
		{MEMORY, K}, {MEMORY + 2 * K, K}, {MEMORY + 8 * K, 4 * K}};
	uint64_t before;

	assert_int_equal(krig_map(&r, M - K, MEMORY, K), 0);
	assert_int_equal(krig_map(&r, M + 6 * K, MEMORY, K), 0);
	fk.bad_start = fk.bad_last = MEMORY + 9 * K;
	before = krig_stats(&r).ioctls;
	assert_int_equal(krig_map_ranges(&r, M, ranges, 3), -EFAULT);
	krig_told(&r, -EFAULT, MAP);
	assert_non_null(strstr(r.t.last.hint, "no memory in part of it"));
	assert_int_equal(r.t.last.index, 2);
	assert_int_equal(r.t.last.addr, MEMORY + 8 * K);
	assert_int_equal(r.t.last.len, 4 * K);
	assert_int_equal(r.t.last.iova, M + 2 * K);
	assert_int_equal(krig_stats(&r).ioctls - before, 4);
	assert_int_equal(fk_nr_maps(), 2);
	assert_int_equal(krig_stats(&r).kernel_maps, 2);
	fk.bad_start = UINT64_MAX;
	assert_int_equal(krig_map_ranges(&r, M, ranges, 3), 0);
	assert_int_equal(krig_unmap(&r, M - K, 8 * K), 0);
	assert_int_equal(fk_nr_maps(), 0);
}

/* Even the undoing fails: what the kernel still has keeps its iova. */
static void undoing_fails(void **state)
{
	const struct phyr_range ranges[] = {{MEMORY, K}, {MEMORY + 8 * K, K}};

	fk.bad_start = fk.bad_last = MEMORY + 8 * K;
	fk.fail_cmd = unmap_cmd();
	fk.fail_err = EBUSY;
	assert_int_equal(krig_map_ranges(&r, M, ranges, 2), -EFAULT);
	assert_int_equal(r.t.reports, 2);
	r.t.reports = 0;
	fk.fail_cmd = 0;
	assert_int_equal(fk_nr_maps(), 1);
	krig_leads_to(&r, M, MEMORY, K, RW);
	expect_map(-EEXIST, M, MEMORY, K);
	assert_int_equal(krig_map(&r, M + K, MEMORY, K), 0);
	assert_int_equal(krig_unmap(&r, M + K, K), 0);
}

/* Root is not limited, so the limit is said only to others. */
static void locked_memory_is_limited(void **state)
{
	fk.lock_limit = 4 * K;
	expect_map(-ENOMEM, M, MEMORY, 5 * K);
	assert_int_equal(r.t.last.len, 5 * K);
	assert_int_equal(krig_map(&r, M, MEMORY, 4 * K), 0);
	assert_int_equal(krig_unmap(&r, M, 4 * K), 0);
}

/* An errno that maps have no word for. */
static void kernel_says_something_else(void **state)
{
	fk.fail_cmd = map_cmd();
	fk.fail_err = EPERM;
	expect_map(-EIO, M, MEMORY, K);
	assert_int_equal(r.t.last.limit, EPERM);
	fk.fail_err = ENOSPC;
	expect_map(-ENOSPC, M, MEMORY, K);
	fk.fail_err = EOVERFLOW;
	expect_map(-ERANGE, M, MEMORY, K);
	fk.fail_cmd = 0;
}

static void unmap_errors(void **state)
{
	const struct phyr_range ranges[] = {{MEMORY, K}, {MEMORY + 8 * K, K}, {MEMORY, K}};
	static const struct {
		uint64_t start, len, told;
	} bad[] = {
		{M, 0, M},
		{M, 2 * K, M + 2 * K - 1},
		{M + K, 2 * K, M + K},
		{M - K, 4 * K, M - K},
		{M, 4 * K, M + 4 * K - 1},
		{9 * M, K, 9 * M},
	};

	assert_int_equal(krig_map_ranges(&r, M, ranges, 3), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(krig_unmap(&r, bad[i].start, bad[i].len), -EINVAL);
		krig_told(&r, -EINVAL, UNMAP);
		assert_int_equal(r.t.last.iova, bad[i].told);
		assert_int_equal(fk_nr_maps(), 3);
	}
	assert_int_equal(krig_unmap(&r, M, 1ull << 63), -ERANGE);
	krig_told(&r, -ERANGE, UNMAP);
	assert_int_equal(krig_unmap(&r, 1ull << 48, K), -ERANGE);
	krig_told(&r, -ERANGE, UNMAP);
	assert_int_equal(krig_unmap(&r, M, 3 * K), 0);
}

/* Several map calls, and holes between them, go by one call. */
static void holes_are_passed_over(void **state)
{
	uint64_t before;

	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(krig_map(&r, M + 3 * i * K, MEMORY, K), 0);
	before = krig_stats(&r).ioctls;
	assert_int_equal(krig_unmap(&r, M, 28 * K), 0);
	assert_int_equal(krig_stats(&r).ioctls - before, 1);
	assert_int_equal(fk_nr_maps(), 0);
}

/* The kernel fails, or says that it unmapped less: nothing is forgotten. */
static void kernel_does_not_unmap(void **state)
{
	assert_int_equal(krig_map(&r, M, MEMORY, K), 0);
	assert_int_equal(krig_map(&r, M + 2 * K, MEMORY, K), 0);
	fk.fail_cmd = unmap_cmd();
	fk.fail_err = EBUSY;
	assert_int_equal(krig_unmap(&r, M, 3 * K), -EIO);
	krig_told(&r, -EIO, UNMAP);
	assert_int_equal(r.t.last.limit, EBUSY);
	fk.fail_cmd = 0;
	krig_leads_to(&r, M, MEMORY, K, RW);
	fk.unmap_lie = K;
	assert_int_equal(krig_unmap(&r, M, 3 * K), -EIO);
	krig_told(&r, -EIO, UNMAP);
	fk.unmap_lie = 0;
	expect_map(-EEXIST, M, MEMORY, K);
}

/* More mappings than a container takes are refused before the first, and fewer are fine. */
static void entry_limit(void **state)
{
	static struct phyr_range ranges[70000];
	uint64_t before;

	for (unsigned i = 0; i < ARRAY_SIZE(ranges); i++)
		ranges[i] = (struct phyr_range){MEMORY + 2 * i * K, K};
	assert_int_equal(krig_map(&r, M, MEMORY, K), 0);
	before = krig_stats(&r).ioctls;
	if (r.vfio) {
		assert_int_equal(krig_map_ranges(&r, 16 * M, ranges, 65535), -ENOSPC);
		krig_told(&r, -ENOSPC, MAP);
		assert_int_equal(r.t.last.limit, 65535);
		assert_int_equal(r.t.last.index, 65534);
		assert_int_equal(krig_stats(&r).ioctls, before);
	} else {
		assert_int_equal(krig_map_ranges(&r, 16 * M, ranges, 70000), 0);
		assert_int_equal(krig_unmap(&r, 16 * M, 70000 * K), 0);
	}
	assert_int_equal(krig_map_ranges(&r, 16 * M, ranges, 65534), 0);
	assert_int_equal(krig_stats(&r).kernel_maps_left, r.vfio ? 0 : UINT64_MAX);
	assert_true(krig_stats(&r).record_bytes <= 24 * 65535);
	assert_int_equal(krig_unmap(&r, 16 * M, 65534 * K), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(ranges); i++)
		ranges[i].addr = MEMORY + i * K;
	assert_int_equal(krig_map_ranges(&r, 16 * M, ranges, ARRAY_SIZE(ranges)), 0);
	assert_int_equal(krig_stats(&r).kernel_maps, 2);
	assert_int_equal(krig_unmap(&r, 16 * M, 70000 * K), 0);
	assert_int_equal(krig_unmap(&r, M, K), 0);
}

/* An IOMMU of larger granules. */
static void larger_granule(void **state)
{
	krig_fini(&r);
	fk_init();
	fk.page_sizes = 0x20010000;
	tenv_init(&r.t, NULL);
	assert_int_equal(krig_make(&r), 0);
	assert_int_equal(phyr_domain_create(r.iommu, &r.domain), 0);
	assert_int_equal(phyr_domain_attach(r.domain, DEV), 0);
	assert_int_equal(phyr_domain_merge_boundary(r.domain), 0xffff);
	expect_map(-EINVAL, M, MEMORY + K, K);
	assert_int_equal(krig_map(&r, M + K, MEMORY + K, K), 0);
	krig_leads_to(&r, M, MEMORY, 16 * K, RW);
	assert_int_equal(krig_unmap(&r, M + K, K), 0);
}

#define BOTH(f)                                    \
	{#f " vfio", f, init, fini, (void *)1},    \
	{                                          \
#f " iommufd", f, init, fini, NULL \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(neighbours_are_one_call),
		BOTH(slices_are_joined),
		BOTH(bytes_are_exact),
		BOTH(long_run),
		BOTH(bad_arguments),
		BOTH(not_allowed),
		BOTH(kernel_changed_its_mind),
		BOTH(mapped_twice),
		BOTH(no_memory_there),
		BOTH(undoing_fails),
		BOTH(locked_memory_is_limited),
		BOTH(kernel_says_something_else),
		BOTH(unmap_errors),
		BOTH(holes_are_passed_over),
		BOTH(kernel_does_not_unmap),
		BOTH(entry_limit),
		BOTH(larger_granule),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
