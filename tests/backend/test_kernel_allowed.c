/* SPDX-License-Identifier: MIT */
/* Which iova the kernel's backends allow, on a fake kernel: as devices come and go, and as it is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <linux/vfio.h>

#include "backend/kernelrig.h"
#include "core/err.h"

#define ATTACH "phyr_domain_attach"

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

/* The first attach makes the allocator: all that it gives out can be mapped. */
static void allowed_iova(void **state)
{
	struct phyr_iova *iova = phyr_domain_iova(r.domain);
	struct phyr_aperture aperture;
	uint64_t at;
	void *ctx;

	assert_int_equal(phyr_domain_merge_boundary(r.domain), 0xfff);
	assert_int_equal(phyr_iova_alloc_at(iova, 0xfee00000, K), -ERANGE);
	assert_int_equal(phyr_iova_alloc_at(iova, 1ull << 48, K), -ERANGE);
	assert_int_equal(phyr_iova_alloc(iova, K, NULL, &at), 0);
	assert_int_equal(krig_map(&r, at, MEMORY, K), 0);
	assert_int_equal(krig_unmap(&r, at, K), 0);
	phyr_iova_free(iova, at, K);

	assert_int_equal(r.iommu->ops->domain_create(r.iommu, NULL, NULL, &ctx), 0);
	r.iommu->ops->aperture(ctx, &aperture);
	assert_int_equal(aperture.page_sizes, 0);
	assert_int_equal(r.iommu->ops->attach(ctx, DEV2), 0);
	r.iommu->ops->aperture(ctx, &aperture);
	assert_int_equal(aperture.start, 0);
	assert_int_equal(aperture.last, (1ull << 48) - 1);
	assert_int_equal(aperture.page_sizes, 0x40201000);
	assert_int_equal(aperture.nr_holes, 1);
	assert_int_equal(aperture.holes[0].start, 0xfee00000);
	assert_int_equal(aperture.holes[0].last, 0xfeefffff);

	/* It is read again when a device comes, and when one goes. */
	fk.ranges[0].start = 2 * M;
	assert_int_equal(r.iommu->ops->attach(ctx, TWIN), 0);
	r.iommu->ops->aperture(ctx, &aperture);
	assert_int_equal(aperture.start, 2 * M);
	fk.ranges[0].start = 0;
	r.iommu->ops->detach(ctx, TWIN);
	r.iommu->ops->aperture(ctx, &aperture);
	assert_int_equal(aperture.start, 0);
	r.iommu->ops->detach(ctx, DEV2);
	r.iommu->ops->domain_destroy(ctx);
}

/* Before the first device nothing is allowed. */
static void nothing_before_a_device(void **state)
{
	struct phyr_domain *was = r.domain, *other;
	struct phyr_translation tr;

	assert_int_equal(phyr_domain_create(r.iommu, &other), 0);
	r.domain = other;
	assert_int_equal(krig_map(&r, M, MEMORY, K), -ERANGE);
	krig_told(&r, -ERANGE, "phyr_domain_map");
	assert_int_equal(krig_unmap(&r, M, K), -ERANGE);
	assert_int_equal(krig_unmap(&r, 0, 1), -EINVAL);
	assert_int_equal(phyr_domain_translate(other, M, &tr), -ERANGE);
	r.domain = was;
	r.t.reports = 0;
	phyr_domain_destroy(other);
}

/* A second device takes iova away; as long as it is in use, it is not attached. */
static void second_device_takes_away(void **state)
{
	struct phyr_iova *iova = phyr_domain_iova(r.domain);

	assert_int_equal(phyr_iova_alloc_at(iova, M, K), 0);
	assert_int_equal(krig_map(&r, M, MEMORY, K), 0);
	fk.ranges[0].start = 2 * M;
	assert_int_equal(phyr_domain_attach(r.domain, DEV2), -EBUSY);
	fk.ranges[0].start = 0; /* the device is out again */
	r.t.reports = 0;
	assert_int_equal(krig_unmap(&r, M, K), 0);
	assert_int_equal(krig_map(&r, M + K, MEMORY, K), 0);
	assert_int_equal(krig_unmap(&r, M + K, K), 0);
	phyr_iova_free(iova, M, K);
	fk.ranges[0].start = 2 * M;
	assert_int_equal(phyr_domain_attach(r.domain, DEV2), 0);
	assert_int_equal(phyr_iova_alloc_at(iova, M, K), -ERANGE);
	phyr_domain_detach(r.domain, DEV2);
}

/*
 * A device that is not attached after all changes nothing of what is allowed: neither one that cannot reach
 * what is mapped, nor one whose iova somebody holds.
 */
static void refused_device_changes_nothing(void **state)
{
	struct phyr_iova *iova = phyr_domain_iova(r.domain);
	const uint64_t high = 1ull << 40;

	assert_int_equal(phyr_iova_alloc_at(iova, high, 2 * K), 0);
	assert_int_equal(krig_map(&r, high, MEMORY, K), 0);
	phyr_domain_detach(r.domain, DEV);
	fk.ranges[1].last = (1ull << 39) - 1;
	krig_attach_fails(&r, DEV2, -EBUSY);
	assert_int_equal(krig_unmap(&r, high, K), 0);

	assert_int_equal(phyr_domain_attach(r.domain, DEV2), -EBUSY);
	krig_told(&r, -EBUSY, ATTACH);
	assert_int_equal(krig_map(&r, high, MEMORY, 2 * K), 0);
	fk.ranges[1].last = (1ull << 48) - 1;
	assert_int_equal(phyr_domain_attach(r.domain, DEV), 0);
	krig_leads_to(&r, high, MEMORY, 2 * K, RW);
	assert_int_equal(krig_unmap(&r, high, 2 * K), 0);
	phyr_iova_free(iova, high, 2 * K);
}

/* What was mapped by a large granule is unmapped by it, though a smaller one would do now. */
static void granule_stays(void **state)
{
	const uint64_t at = M + 5 * K;

	krig_fini(&r);
	fk_init();
	tenv_init(&r.t, NULL);
	fk.page_sizes = 0x10000;
	assert_int_equal(krig_make(&r), 0);
	assert_int_equal(phyr_domain_create(r.iommu, &r.domain), 0);
	assert_int_equal(phyr_domain_attach(r.domain, DEV), 0);
	assert_int_equal(krig_map(&r, at, MEMORY + 5 * K, K), 0);
	assert_int_equal(krig_map(&r, 2 * M, MEMORY, K), 0);
	assert_int_equal(phyr_domain_attach(r.domain, DEV2), 0);
	fk.page_sizes = 0x40201000;
	phyr_domain_detach(r.domain, DEV2);
	assert_int_equal(krig_unmap(&r, at, K), 0);
	phyr_domain_detach(r.domain, DEV);
	assert_int_equal(krig_unmap(&r, 2 * M, K), 0);

	/* Nor is anything mapped meanwhile that the first device could not take. */
	assert_int_equal(krig_map(&r, at, MEMORY + 5 * K, K), 0);
	fk.page_sizes = 0x10000;
	assert_int_equal(phyr_domain_attach(r.domain, DEV), 0);
	krig_leads_to(&r, M, MEMORY, 16 * K, RW);
	assert_int_equal(krig_unmap(&r, at, K), 0);
}

/* Ranges that make no sense, or are more than an aperture can say. */
static void bad_ranges(void **state)
{
	fk.ranges[1].start = fk.ranges[0].last; /* overlaps */
	krig_attach_fails(&r, DEV2, -EOPNOTSUPP);
	fk.ranges[1].start = 1ull << 49; /* ends before it starts */
	krig_attach_fails(&r, DEV2, -EOPNOTSUPP);
	fk.nr_ranges = 0;
	krig_attach_fails(&r, DEV2, -EOPNOTSUPP);
	for (unsigned i = 0; i < FK_RANGES; i++) {
		fk.ranges[i].start = 2 * i * M;
		fk.ranges[i].last = 2 * i * M + K - 1;
	}
	fk.nr_ranges = 1; /* smaller than a granule */
	fk.ranges[0].last = 8;
	krig_attach_fails(&r, DEV2, -EOPNOTSUPP);
	fk.ranges[0].last = K - 1;
	fk.nr_ranges = PHYR_APERTURE_HOLES + 2;
	assert_int_equal(phyr_domain_attach(r.domain, DEV2), -EOPNOTSUPP);
	krig_told(&r, -EOPNOTSUPP, ATTACH);
	assert_int_equal(r.t.last.index, PHYR_APERTURE_HOLES + 1);
	fk.nr_ranges = FK_RANGES;
	assert_int_equal(phyr_domain_attach(r.domain, DEV2), -EOPNOTSUPP);
	krig_told(&r, -EOPNOTSUPP, ATTACH);
	fk.nr_ranges = 2;
	fk.page_sizes = 1ull << 40;
	krig_attach_fails(&r, DEV2, -EOPNOTSUPP);
	fk.page_sizes = 0x1000;
}

/* Answers that no kernel gives. */
static struct {
	uint32_t cap_offset, next, nr;
	uint16_t version;
	uint32_t argsz, flags;
} lie;

static void tell(void *buf, size_t size)
{
	struct vfio_iommu_type1_info *head = buf;
	struct vfio_info_cap_header *left = (void *)((char *)buf + sizeof(*head));
	struct vfio_iommu_type1_info_cap_iova_range *ranges =
		(void *)((char *)left + FK_LEFT_BYTES);

	if (lie.cap_offset)
		head->cap_offset = lie.cap_offset;
	if (lie.argsz)
		head->argsz = lie.argsz;
	if (lie.flags)
		head->flags &= ~lie.flags;
	if (lie.next)
		left->next = lie.next;
	if (lie.version)
		ranges->header.version = lie.version;
	if (lie.nr)
		ranges->nr_iovas = lie.nr;
}

#define LIE(...)                                          \
	do {                                              \
		lie = (__typeof__(lie)){__VA_ARGS__};     \
		krig_attach_fails(&r, DEV2, -EOPNOTSUPP); \
	} while (0)

static void broken_chain(void **state)
{
	fk.info = tell;
	LIE(.cap_offset = 8);
	LIE(.cap_offset = UINT32_MAX);
	LIE(.cap_offset = 4092);
	LIE(.next = 1);
	LIE(.next = sizeof(struct vfio_iommu_type1_info)); /* itself */
	LIE(.next = UINT32_MAX - 4);
	LIE(.nr = 3);
	LIE(.nr = UINT32_MAX);
	LIE(.version = 2);
	LIE(.argsz = UINT32_MAX);
	LIE(.argsz = 4097);
	LIE(.argsz = 8);
	LIE(.flags = VFIO_IOMMU_INFO_CAPS);
	LIE(.flags = VFIO_IOMMU_INFO_PGSIZES);
	fk.info = NULL;
}

#define VFIO(f)                                      \
	{                                            \
#f " vfio", f, init, fini, (void *)1 \
	}
#define IOMMUFD(f)                                 \
	{                                          \
#f " iommufd", f, init, fini, NULL \
	}
#define BOTH(f) VFIO(f), IOMMUFD(f)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(allowed_iova),
		BOTH(nothing_before_a_device),
		BOTH(second_device_takes_away),
		BOTH(refused_device_changes_nothing),
		BOTH(granule_stays),
		BOTH(bad_ranges),
		VFIO(broken_chain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
