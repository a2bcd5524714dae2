/* SPDX-License-Identifier: MIT */
/*
 * Kernel backends when something fails: the n-th system call, or the n-th allocation, for every n. What
 * failed changed nothing, and in the end nothing is open, mapped or allocated.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "backend/kernelrig.h"
#include "core/bits.h"
#include "core/err.h"

static struct krig r;
static int last_err;

/* Note an error, and whether the step is done. */
static bool ok(int err)
{
	if (err)
		last_err = err;
	return !err;
}

/* A step that maps or unmaps: when it fails, kernel and record are as they were. */
static bool unchanged_or_ok(int err, uint64_t maps_before, uint64_t pinned_before)
{
	if (!err)
		return true;
	last_err = err;
	assert_int_equal(fk_nr_maps(), maps_before);
	assert_int_equal(fk.pinned, pinned_before);
	assert_int_equal(krig_stats(&r).kernel_maps, maps_before);
	return false;
}

/* So many single pages at an iova, none beside another. */
static void map_pages(uint64_t iova, unsigned nr)
{
	struct phyr_range ranges[40];
	uint64_t maps = fk_nr_maps(), pinned = fk.pinned;

	for (unsigned i = 0; i < nr; i++)
		ranges[i] = (struct phyr_range){MEMORY + 2 * i * K, K};
	if (unchanged_or_ok(krig_map_ranges(&r, iova, ranges, nr), maps, pinned))
		krig_leads_to(&r, iova, MEMORY, K, RW);
}

static void unmap_pages(uint64_t iova, unsigned nr)
{
	uint64_t maps = fk_nr_maps(), pinned = fk.pinned;
	struct phyr_translation tr;

	if (phyr_domain_translate(r.domain, iova, &tr))
		return; /* it was not mapped */
	if (unchanged_or_ok(krig_unmap(&r, iova, nr * K), maps, pinned))
		assert_int_equal(phyr_domain_translate(r.domain, iova, &tr), -ENOENT);
	else
		krig_leads_to(&r, iova, MEMORY, K, RW);
}

/* Two devices that come and go over mappings. */
static void with_domain(void)
{
	bool first = ok(phyr_domain_attach(r.domain, DEV)), second;

	if (!first)
		return;
	map_pages(M, 5);
	map_pages(2 * M, 40);
	second = ok(phyr_domain_attach(r.domain, TWIN));
	unmap_pages(M, 5);
	phyr_domain_detach(r.domain, DEV);
	if (second)
		phyr_domain_detach(r.domain, TWIN);
	if (ok(phyr_domain_attach(r.domain, DEV))) {
		unmap_pages(2 * M, 40);
		map_pages(3 * M, 2);
		phyr_domain_detach(r.domain, DEV);
	}
}

static void scenario(void)
{
	last_err = 0;
	if (!ok(krig_make(&r)))
		return;
	if (ok(phyr_domain_create(r.iommu, &r.domain))) {
		with_domain();
		phyr_domain_destroy(r.domain);
	}
	phyr_iommu_destroy(r.iommu);
}

static void run(bool vfio, uint64_t fail_call, int err, uint64_t fail_alloc)
{
	memset(&r, 0, sizeof(r));
	r.vfio = vfio;
	tenv_init(&r.t, NULL);
	fk_init();
	fk.map_file = true;
	fk.fail_at = fail_call;
	fk.fail_err = err;
	r.t.fail_at = fail_alloc;
	scenario();
	fk_fini();
	tenv_fini(&r.t);
}

static void each_call(void **state)
{
	static const int errs[] = {ENOMEM, EIO, EBUSY, EPERM, ENODEV, EMFILE, EINVAL, ENOENT};
	unsigned n, told = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(errs); i++) {
		for (n = 1;; n++) {
			run(*state, n, errs[i], 0);
			if (!fk.failed)
				break;
			told += last_err != 0;
		}
		assert_true(n > 60);
	}
	/* All but a few (a detach, a look afterwards) have somebody to tell. */
	assert_true(told > ARRAY_SIZE(errs) * 50);
}

/* A signal is no failure. */
static void interrupted(void **state)
{
	unsigned n;

	for (n = 1;; n++) {
		run(*state, n, EINTR, 0);
		if (!fk.failed)
			break;
		assert_true(!last_err ||
			    last_err == -EINTR); /* the latter of phyr_pci_find() alone */
	}
	assert_true(n > 60);
}

static void each_allocation(void **state)
{
	unsigned n;

	for (n = 1;; n++) {
		run(*state, 0, 0, n);
		if (!r.t.failed)
			break;
		assert_int_equal(last_err, -ENOMEM);
	}
	assert_true(n > 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{"each_call vfio", each_call, NULL, NULL, (void *)1},
		{"each_call iommufd", each_call, NULL, NULL, NULL},
		{"interrupted vfio", interrupted, NULL, NULL, (void *)1},
		{"interrupted iommufd", interrupted, NULL, NULL, NULL},
		{"each_allocation vfio", each_allocation, NULL, NULL, (void *)1},
		{"each_allocation iommufd", each_allocation, NULL, NULL, NULL},
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
