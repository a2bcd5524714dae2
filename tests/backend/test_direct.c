/* SPDX-License-Identifier: MIT */
/* No IOMMU: nothing is mapped, addresses lead to themselves, and devices are still kept apart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include <phyr/backend.h>

#include "core/env.h"
#include "lib/tenv.h"

static struct tenv t;
static struct phyr_iommu *iommu;
static struct phyr_domain *domain;

static int init(void **state)
{
	tenv_init(&t, NULL);
	return phyr_direct_create(&t.env, &iommu) || phyr_domain_create(iommu, &domain);
}

static int fini(void **state)
{
	phyr_domain_destroy(domain);
	phyr_iommu_destroy(iommu);
	tenv_fini(&t);
	return 0;
}

static void refused(int err, const char *call)
{
	assert_int_equal(err, -EOPNOTSUPP);
	assert_int_equal(t.last.err, -EOPNOTSUPP);
	assert_string_equal(t.last.call, call);
	assert_int_equal(t.last.iova, 0x5000);
	assert_int_equal(t.last.len, 0x1000);
}

static void mapping_is_refused(void **state)
{
	struct phyr_domain_stats stats;
	struct phyr_gather gather;
	struct phyr_cursor cur;

	phyr_cursor_init_range(&cur, 0x1000, 0x1000);
	phyr_gather_init(&gather);
	refused(phyr_domain_map(domain, 0x5000, NULL, &cur, PHYR_READ), "phyr_domain_map");
	assert_int_equal(cur.left, 0x1000);
	refused(phyr_domain_sync_map(domain, 0x5000, 0x1000), "phyr_domain_sync_map");
	refused(phyr_domain_unmap(domain, 0x5000, 0x1000, &gather), "phyr_domain_unmap");
	phyr_domain_sync(domain, &gather);
	phyr_domain_get_stats(domain, &stats);
	assert_int_equal(stats.maps + stats.unmaps + stats.entries + stats.map_syncs, 0);
	assert_int_equal(stats.invalidations + stats.tables + stats.iova_bytes, 0);
}

static void env_must_be_whole(void **state)
{
	struct phyr_iommu *other = NULL;
	struct tenv bad;

	tenv_init(&bad, NULL);
	bad.env.unlock = NULL;
	assert_int_equal(phyr_direct_create(&bad.env, &other), -EINVAL);
	assert_null(other);
	assert_string_equal(bad.last.call, "phyr_direct_create");
	assert_non_null(strstr(bad.last.hint, "unlock"));
}

static void null_env_is_hosted(void **state)
{
	struct phyr_iommu *other;

	assert_int_equal(phyr_direct_create(NULL, &other), 0);
	assert_ptr_equal(other->env, phyr_env_hosted());
	phyr_iommu_destroy(other);
}

static void every_slot_is_filled(void **state)
{
	struct phyr_aperture aperture;
	struct phyr_gather gather = {.start = 1, .last = 2};
	void *ctx;

	assert_int_equal(iommu->ops->domain_create(iommu, NULL, NULL, &ctx), 0);
	iommu->ops->aperture(ctx, &aperture);
	assert_int_equal(aperture.start, 0);
	assert_int_equal(aperture.last, ~0ull);
	assert_int_equal(aperture.page_sizes, 0);
	iommu->ops->sync(ctx, &gather);
	assert_true(gather.start > gather.last);
	iommu->ops->flush_all(ctx);
	iommu->ops->domain_destroy(ctx);
}

static void addresses_are_themselves(void **state)
{
	struct phyr_translation tr;

	assert_string_equal(iommu->caps->name, "direct");
	assert_false(iommu->caps->translates);
	assert_int_equal(iommu->caps->kinds, 1u << PHYR_KIND_RAM);
	assert_int_equal(phyr_domain_merge_boundary(domain), 0);
	assert_null(phyr_domain_iova(domain));
	assert_int_equal(phyr_domain_translate(domain, ~0ull - 5, &tr), 0);
	assert_int_equal(tr.addr, ~0ull - 5);
	assert_int_equal(tr.prot, PHYR_READ | PHYR_WRITE);
}

static void a_device_has_one_domain(void **state)
{
	struct phyr_domain *other;

	assert_int_equal(phyr_domain_create(iommu, &other), 0);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(phyr_domain_attach(domain, i), 0);
	assert_int_equal(phyr_domain_attach(other, 1), -EBUSY);
	assert_int_equal(t.last.err, -EBUSY);
	assert_string_equal(t.last.call, "phyr_domain_attach");
	assert_int_equal(t.last.index, 1);
	assert_int_equal(phyr_domain_attach(domain, 1), -EBUSY);
	/* Only its own domain lets a device go. */
	phyr_domain_detach(other, 1);
	assert_int_equal(phyr_domain_attach(other, 1), -EBUSY);
	phyr_domain_detach(domain, 1);
	assert_int_equal(phyr_domain_attach(other, 1), 0);
	phyr_domain_detach(other, 1);
	phyr_domain_detach(domain, 0);
	phyr_domain_detach(domain, 2);
	phyr_domain_destroy(other);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, init, fini)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(mapping_is_refused),       TEST(env_must_be_whole),
		TEST(null_env_is_hosted),       TEST(every_slot_is_filled),
		TEST(addresses_are_themselves), TEST(a_device_has_one_domain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
