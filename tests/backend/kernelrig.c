/* SPDX-License-Identifier: MIT */
/* A kernel backend on the fake kernel. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "backend/kernelrig.h"
#include "core/err.h"

int krig_make(struct krig *r)
{
	return r->vfio ? phyr_vfio_create(&r->t.env, &r->iommu)
		       : phyr_iommufd_create(&r->t.env, &r->iommu);
}

void krig_init(struct krig *r, bool vfio)
{
	memset(r, 0, sizeof(*r));
	r->vfio = vfio;
	tenv_init(&r->t, NULL);
	fk_init();
	assert_int_equal(krig_make(r), 0);
	assert_int_equal(phyr_domain_create(r->iommu, &r->domain), 0);
	assert_int_equal(phyr_domain_attach(r->domain, DEV), 0);
}

void krig_fini(struct krig *r)
{
	phyr_domain_detach(r->domain, DEV);
	phyr_domain_destroy(r->domain);
	phyr_iommu_destroy(r->iommu);
	fk_fini();
	tenv_fini(&r->t);
}

int krig_map(struct krig *r, uint64_t iova, uint64_t addr, uint64_t len)
{
	struct phyr_cursor cur;
	int err;

	phyr_cursor_init_range(&cur, addr, len);
	err = phyr_domain_map(r->domain, iova, phyr_space_user(), &cur, RW);
	assert_int_equal(cur.left, err ? len : 0);
	return err;
}

int krig_map_ranges(struct krig *r, uint64_t iova, const struct phyr_range *ranges, size_t nr)
{
	struct phyr_cursor cur;

	assert_int_equal(phyr_cursor_init_ranges(&cur, ranges, nr), 0);
	return phyr_domain_map(r->domain, iova, phyr_space_user(), &cur, RW);
}

int krig_unmap(struct krig *r, uint64_t iova, uint64_t len)
{
	struct phyr_gather gather;
	int err;

	phyr_gather_init(&gather);
	err = phyr_domain_unmap(r->domain, iova, len, &gather);
	assert_true(gather.start > gather.last);
	assert_int_equal(gather.tables, 0);
	return err;
}

struct phyr_domain_stats krig_stats(struct krig *r)
{
	struct phyr_domain_stats stats;

	phyr_domain_get_stats(r->domain, &stats);
	return stats;
}

void krig_told(struct krig *r, int err, const char *call)
{
	assert_int_equal(r->t.last.err, err);
	assert_string_equal(r->t.last.call, call);
	assert_non_null(r->t.last.hint);
	assert_int_equal(r->t.reports, 1);
	r->t.reports = 0;
}

void krig_attach_fails(struct krig *r, uint32_t source, int want)
{
	int fd = 7;

	assert_int_equal(phyr_domain_attach(r->domain, source), want);
	krig_told(r, want, "phyr_domain_attach");
	assert_int_equal(r->t.last.index, source);
	assert_int_equal(phyr_vfio_device_fd(r->iommu, source, &fd), -ENODEV);
	krig_told(r, -ENODEV, "phyr_vfio_device_fd");
	assert_int_equal(fd, 7);
}

void krig_leads_to(struct krig *r, uint64_t iova, uint64_t addr, uint64_t len, unsigned prot)
{
	for (uint64_t at = 0; at < len; at += K) {
		const struct fk_map *map = fk_find(fk_only_space(), iova + at);
		struct phyr_translation tr;

		assert_int_equal(phyr_domain_translate(r->domain, iova + at, &tr), 0);
		assert_int_equal(tr.addr, addr + at);
		assert_int_equal(tr.prot, prot);
		assert_non_null(map);
		assert_int_equal(map->addr + (iova + at - map->iova), addr + at);
		assert_int_equal(map->prot, prot);
	}
}
