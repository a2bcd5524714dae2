/* SPDX-License-Identifier: MIT */
/* Going through a mapping: cursors, and vectors within the segment limits. */
#include "rig.h"

#include <string.h>

static void cursors_over_each_answer(void **state)
{
	struct rig_config shifted = {.limits = RIG_LIMITS(.bus_offset = 0x10000)};
	const struct rig_config *configs[] = {&rig_direct, &rig_vtdss, &rig_large, &shifted};

	for (unsigned i = 0; i < 4; i++) {
		struct phyr_cursor cur = {.left = 77};
		struct phyr_dma_map m = {0};
		struct phyr_range run;
		struct phyr_list list;
		uint64_t total = 0;
		struct rig r;

		rig_init(&r, configs[i]);
		rig_list(&r, &list, rig_mixed, 4);
		assert_int_equal(phyr_dma_map_cursor(&m, 0, 1, &cur), -EINVAL);
		assert_int_equal(phyr_dma_map(r.dev, &list, 0, 0, &m), 0);
		assert_int_equal(phyr_dma_map_cursor(&m, 0, list.len + 1, &cur), -EINVAL);
		assert_int_equal(phyr_dma_map_cursor(&m, list.len, 1, &cur), -EINVAL);
		assert_int_equal(phyr_dma_map_cursor(&m, UINT64_MAX, 2, &cur), -EINVAL);
		assert_int_equal(phyr_dma_map_cursor(&m, 1, 0, &cur), -EINVAL);
		assert_int_equal(cur.left, 77);
		assert_int_equal(r.t.reports, 0);
		assert_int_equal(phyr_dma_map_cursor(&m, 0x300, 0x2000, &cur), 0);
		while (phyr_cursor_next(&cur, &run)) {
			if (i == 1 || i == 2)
				assert_int_equal(rig_walk(&r, run.addr),
						 total ? 0x20000 + total - 0x1f00 : 0x30100);
			total += run.len;
		}
		assert_int_equal(total, 0x2000);
		phyr_dma_unmap(r.dev, &m);
		phyr_list_fini(&list);
		rig_fini(&r);
	}
}

/* Cut a mapping into vectors, and compare with a slow cutter. */
static void check_vecs(struct rig *r, const struct phyr_dma_map *m, const struct phyr_list *dma,
		       const struct phyr_limits *l)
{
	struct phyr_dma_iter iter = {0};
	struct phyr_dma_vec vec;
	struct phyr_cursor cur;
	struct phyr_range run;

	phyr_cursor_init(&cur, dma);
	while (phyr_cursor_next(&cur, &run)) {
		uint64_t end = run.addr + run.len, at = run.addr;

		while (at < end) {
			assert_int_equal(phyr_dma_map_next(r->dev, m, &iter, &vec), 1);
			assert_int_equal(vec.addr, at);
			assert_true(vec.len && vec.len <= end - at);
			if (l->max_seg_size)
				assert_true(vec.len <= l->max_seg_size);
			if (l->seg_boundary)
				assert_int_equal(vec.addr / l->seg_boundary,
						 (vec.addr + vec.len - 1) / l->seg_boundary);
			at += vec.len;
			/* as long as the limits allow */
			assert_true(at == end || vec.len == l->max_seg_size ||
				    (l->seg_boundary && at % l->seg_boundary == 0));
		}
	}
	assert_int_equal(phyr_dma_map_next(r->dev, m, &iter, &vec), 0);
	assert_int_equal(phyr_dma_map_next(r->dev, m, &iter, &vec), 0);
}

static void segments(void **state)
{
	static const struct phyr_limits limits[] = {
		RIG_LIMITS(.dma_mask = 0),
		RIG_LIMITS(.max_seg_size = 0x1000),
		RIG_LIMITS(.max_seg_size = 0xfff),
		RIG_LIMITS(.seg_boundary = 0x800),
		RIG_LIMITS(.seg_boundary = 0x4000),
		RIG_LIMITS(.seg_boundary = 0x2000, .max_seg_size = 0x1800),
		RIG_LIMITS(.seg_boundary = 0x10000, .bus_offset = 0x7000),
	};

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		for (unsigned soft = 0; soft < 2; soft++) {
			struct rig_config c = {.format = soft ? PHYR_PGTBL_VTDSS : 0,
					       .limits = limits[i]};
			struct phyr_dma_map m;
			struct phyr_list list;
			struct rig r;

			rig_init(&r, &c);
			rig_list(&r, &list, rig_mixed, 4);
			assert_int_equal(phyr_dma_map(r.dev, &list, 0, 0, &m), 0);
			check_vecs(&r, &m, phyr_dma_map_list(&m), &limits[i]);
			phyr_dma_unmap(r.dev, &m);
			phyr_list_fini(&list);
			rig_fini(&r);
		}
	}
}

static void too_many_segments(void **state)
{
	struct rig_config c = {.limits = RIG_LIMITS(.max_segments = 3)};
	struct phyr_dma_vec vec = {1, 2};
	struct phyr_dma_iter iter = {0};
	struct phyr_dma_map m = {0};
	struct phyr_list list;
	struct rig r;

	rig_init(&r, &c);
	assert_int_equal(phyr_dma_map_next(r.dev, &m, &iter, &vec), 0);
	rig_list(&r, &list, rig_mixed, 4);
	assert_int_equal(phyr_dma_map(r.dev, &list, 0, 0, &m), 0);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(phyr_dma_map_next(r.dev, &m, &iter, &vec), 1);
	vec = (struct phyr_dma_vec){1, 2};
	assert_int_equal(phyr_dma_map_next(r.dev, &m, &iter, &vec), -E2BIG);
	assert_int_equal(r.t.last.index, 3);
	assert_int_equal(r.t.last.limit, 3);
	assert_report(&r, -E2BIG, "phyr_dma_map_next", 0x8000000, 0x800);
	assert_int_equal(vec.addr, 1);
	assert_int_equal(vec.len, 2);
	phyr_dma_unmap(r.dev, &m);
	phyr_list_fini(&list);
	rig_fini(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cursors_over_each_answer),
		cmocka_unit_test(segments),
		cmocka_unit_test(too_many_segments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
