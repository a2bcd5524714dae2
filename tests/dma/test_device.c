/* SPDX-License-Identifier: MIT */
/* Devices: limits, attach, queries. */
#include "rig.h"

static const struct rig_config direct = {0};
static const struct rig_config vtdss = {.format = PHYR_PGTBL_VTDSS};

#define LIMITS(...)                                     \
	{                                               \
		sizeof(struct phyr_limits), __VA_ARGS__ \
	}

static void limits_that_cannot_be(void **state)
{
	static const struct {
		struct phyr_limits limits;
		uint64_t told;
	} bad[] = {
		{{.size = 8}, 8},
		{LIMITS(.dma_mask = 0xfffe), 0xfffe},
		{LIMITS(.dma_mask = 0xfff0ffff), 0xfff0ffff},
		{LIMITS(.dma_mask = 0x7ff), 0x7ff},
		{LIMITS(.seg_boundary = 0xffff), 0xffff},
		{LIMITS(.bus_offset = 0x800), 0x800},
	};
	struct phyr_dev *dev = (void *)8;
	struct rig r;

	rig_init_domain(&r, &direct);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(phyr_dev_create(r.domain, 1, &bad[i].limits, &dev), -EINVAL);
		assert_int_equal(r.t.last.limit, bad[i].told);
		assert_report(&r, -EINVAL, "phyr_dev_create", 0, 0);
		assert_ptr_equal(dev, (void *)8);
	}
	rig_fini(&r);
}

static void limits_are_kept(void **state)
{
	struct rig_config c = {.limits = LIMITS(.dma_mask = UINT32_MAX, .max_seg_size = 65536,
						.seg_boundary = 1 << 20, .max_segments = 7,
						.bus_offset = 0x10000)};
	struct rig r;

	rig_init(&r, &c);
	assert_memory_equal(phyr_dev_limits(r.dev), &c.limits, sizeof(c.limits));
	assert_ptr_equal(phyr_dev_domain(r.dev), r.domain);
	assert_ptr_equal(phyr_dev_env(r.dev), &r.t.env);
	assert_true(phyr_dma_need_unmap(r.dev));
	assert_int_equal(phyr_dma_max_mapping_size(r.dev), (uint64_t)1 << 32);
	rig_fini(&r);
	rig_init(&r, &direct);
	assert_int_equal(phyr_dev_limits(r.dev)->size, sizeof(struct phyr_limits));
	assert_int_equal(phyr_dev_limits(r.dev)->dma_mask, 0);
	rig_fini(&r);
}

static void attach_that_fails(void **state)
{
	struct phyr_dev *dev = NULL;
	struct rig r;

	rig_init(&r, &direct);
	assert_int_equal(phyr_dev_create(r.domain, 0x100, NULL, &dev), -EBUSY);
	assert_int_equal(r.t.last.index, 0x100);
	assert_report(&r, -EBUSY, "phyr_domain_attach", 0, 0);
	assert_null(dev);
	assert_int_equal(r.t.live_objects, r.objects);
	rig_fini(&r);

	rig_init_domain(&r, &vtdss);
	r.hw.attach_err = -ENODEV;
	assert_int_equal(phyr_dev_create(r.domain, 0x101, NULL, &dev), -ENODEV);
	assert_int_equal(r.t.last.index, 0x101);
	assert_report(&r, -ENODEV, "phyr_domain_attach", 0, 0);
	assert_null(dev);
	rig_fini(&r);
}

static void create_without_memory(void **state)
{
	const struct rig_config *configs[] = {&direct, &vtdss};

	for (unsigned i = 0; i < 2; i++) {
		struct rig r;
		int64_t objects, pages;
		uint64_t n = 0;

		rig_init_domain(&r, configs[i]);
		objects = r.t.live_objects;
		pages = r.t.live_pages;
		for (;;) {
			int err;

			tenv_restart(&r.t);
			r.t.fail_at = ++n;
			err = phyr_dev_create(r.domain, 1, NULL, &r.dev);
			if (!r.t.failed)
				break;
			assert_int_equal(err, -ENOMEM);
			assert_int_equal(r.t.last.err, -ENOMEM);
			/* The device itself is two allocations; then it is attached. */
			assert_string_equal(r.t.last.call,
					    n <= 2 ? "phyr_dev_create" : "phyr_domain_attach");
			assert_null(r.dev);
			assert_true(r.t.live_objects <= objects + 64); /* iova may stay */
			assert_true(r.t.live_pages <= pages + 64);
		}
		assert_true(n > 3);
		rig_fini(&r); /* asserts that nothing leaked at last */
	}
}

static void queries(void **state)
{
	struct rig_config c = {.format = PHYR_PGTBL_VTDSS, .page_sizes = M2 | G1};
	struct rig r;

	rig_init(&r, &direct);
	assert_int_equal(phyr_dma_get_merge_boundary(r.dev), 0);
	assert_int_equal(phyr_dma_max_mapping_size(r.dev), UINT64_MAX);
	assert_false(phyr_dma_need_unmap(r.dev));
	rig_fini(&r);
	rig_init(&r, &vtdss);
	assert_int_equal(phyr_dma_get_merge_boundary(r.dev), 4095);
	/* above the hole of message interrupts */
	assert_int_equal(phyr_dma_max_mapping_size(r.dev), ((uint64_t)1 << 48) - 0xfef00000);
	assert_int_equal(phyr_dma_opt_mapping_size(r.dev), phyr_dma_max_mapping_size(r.dev));
	assert_true(phyr_dma_need_unmap(r.dev));
	rig_fini(&r);
	rig_init(&r, &c);
	assert_int_equal(phyr_dma_get_merge_boundary(r.dev), M2 - 1);
	rig_fini(&r);
}

/* What max_mapping_size says can be had, and a granule more can not. */
static void longest_mapping(void **state)
{
	static const struct rig_config configs[] = {
		{.format = PHYR_PGTBL_VTDSS},
		{.format = PHYR_PGTBL_X86_64, .last = ((uint64_t)1 << 39) - 1},
		{.format = PHYR_PGTBL_VTDSS, .limits = LIMITS(.dma_mask = UINT32_MAX)},
		{.format = PHYR_PGTBL_VTDSS, .limits = LIMITS(.dma_mask = 0xffffff)},
		{.format = PHYR_PGTBL_VTDSS, .start = 0xfee80000, .last = 0xfeffffff},
		{.format = PHYR_PGTBL_VTDSS, .page_sizes = M2, .last = 0xffffffff},
		{.format = PHYR_PGTBL_VTDSS, .start = 0x100000000, .last = 0x1ffffffff},
	};

	for (size_t i = 0; i < sizeof(configs) / sizeof(configs[0]); i++) {
		struct phyr_dma_iova_state s;
		uint64_t size;
		struct rig r;

		rig_init(&r, &configs[i]);
		size = phyr_dma_max_mapping_size(r.dev);
		assert_true(phyr_dma_iova_try_alloc(r.dev, &s, 0, size));
		phyr_dma_iova_free(r.dev, &s);
		assert_false(phyr_dma_iova_try_alloc(r.dev, &s, 0, size + 1));
		rig_fini(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(limits_that_cannot_be),
		cmocka_unit_test(limits_are_kept),
		cmocka_unit_test(attach_that_fails),
		cmocka_unit_test(create_without_memory),
		cmocka_unit_test(queries),
		cmocka_unit_test(longest_mapping),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
