/* SPDX-License-Identifier: MIT */
/* PRP entries: the cases that the specification names, and each error. */
#include "prp_rig.h"

#include <string.h>

static void one_and_two_pages(void **state)
{
	struct prp_rig r = {0};
	struct phyr_range one = {0x10000, 4096}, in = {0x10ffc, 4}, over = {0x10ffc, 8};
	struct phyr_range two[] = {{0x30200, 0xe00}, {0x70000, 0x200}};

	prp_init(&r, 12);
	prp_round_trip(&r, &one, 1);
	assert_int_equal(r.prp.prp1, 0x10000);
	assert_int_equal(r.prp.prp2, 0);
	prp_round_trip(&r, &in, 1);
	assert_int_equal(r.prp.prp1, 0x10ffc);
	assert_int_equal(r.prp.prp2, 0);
	prp_round_trip(&r, &over, 1);
	assert_int_equal(r.prp.prp1, 0x10ffc);
	assert_int_equal(r.prp.prp2, 0x11000);
	prp_round_trip(&r, two, 2);
	assert_int_equal(r.prp.prp1, 0x30200);
	assert_int_equal(r.prp.prp2, 0x70000);
	assert_int_equal(r.prp.nr_pages, 0);
	prp_end(&r);
}

/* A first offset turns a transfer of two pages' length into three entries, and so into a list. */
static void offset_makes_a_list(void **state)
{
	struct prp_rig r = {0};
	struct phyr_range even = {0x10000, 8192}, odd = {0x10200, 8192};

	prp_init(&r, 12);
	prp_round_trip(&r, &even, 1);
	assert_int_equal(r.prp.nr_pages, 0);
	assert_int_equal(r.prp.prp2, 0x11000);
	prp_round_trip(&r, &odd, 1);
	assert_int_equal(r.prp.nr_pages, 1);
	assert_int_equal(r.prp.prp2, r.pages[0].dma);
	assert_int_equal(r.pages[0].cpu[0], 0x11000);
	assert_int_equal(r.pages[0].cpu[1], 0x12000);
	prp_end(&r);
}

static void ends_on_a_page_edge(void **state)
{
	struct prp_rig r = {0};
	struct phyr_range range = {0x10800, 0x800 + 4096};

	prp_init(&r, 12);
	prp_round_trip(&r, &range, 1);
	assert_int_equal(r.prp.prp2, 0x11000);
	assert_int_equal(r.prp.nr_pages, 0);
	range.len += 1;
	prp_round_trip(&r, &range, 1);
	assert_int_equal(r.prp.nr_pages, 1);
	assert_int_equal(r.d.lists, 1);
	assert_int_equal(r.d.nr, 3);
	prp_end(&r);
}

/* A list page that is exactly full is not chained; one entry more makes its last a pointer. */
static void full_list_page(void **state)
{
	for (unsigned lg2 = 12; lg2 <= 16; lg2++) {
		uint64_t page = (uint64_t)1 << lg2, n = page / 8;
		struct phyr_range range = {(uint64_t)1 << 32, (n + 1) * page};
		struct prp_rig r = {0};

		prp_init(&r, lg2);
		prp_round_trip(&r, &range, 1);
		assert_int_equal(r.d.lists, 1);
		assert_int_equal(r.prp.nr_pages, 1);
		assert_int_equal(r.pages[0].cpu[n - 1], range.addr + n * page);
		range.len += 4;
		prp_round_trip(&r, &range, 1);
		assert_int_equal(r.d.lists, 2);
		assert_int_equal(r.pages[0].cpu[n - 1], r.pages[1].dma);
		assert_int_equal(r.pages[1].cpu[0], range.addr + n * page);
		assert_int_equal(r.pages[1].cpu[1], range.addr + (n + 1) * page);
		range.len = 2 * n * page; /* and both full */
		prp_round_trip(&r, &range, 1);
		assert_int_equal(r.d.lists, 2);
		range.len += page;
		prp_round_trip(&r, &range, 1);
		assert_int_equal(r.d.lists, 3);
		prp_end(&r);
	}
}

/* Single pages in a packed list go by span; they fill list pages over blocks and chain alike. */
static void scattered_pages(void **state)
{
	struct prp_rig r = {0};
	struct phyr_list list;
	struct phyr_cursor cur;

	prp_init(&r, 12);
	phyr_list_init(&list, &r.rig.t.env, NULL);
	for (uint64_t i = 0; i < 1500; i++)
		assert_int_equal(phyr_list_append_page(&list, (i * 2 + 1) << 12), 0);
	phyr_cursor_init(&cur, &list);
	assert_int_equal(phyr_prp_build(&r.prp, &cur), 0);
	decode_prp(r.prp.prp1, r.prp.prp2, list.len, 4096, prp_read, NULL, &r.d);
	assert_null(r.d.wrong);
	assert_int_equal(r.d.nr, 1500);
	assert_int_equal(r.d.lists, 3);
	for (uint64_t i = 0; i < 1500; i++)
		assert_int_equal(r.d.pieces[i].addr, (i * 2 + 1) << 12);
	phyr_list_fini(&list);
	prp_end(&r);
}

/* The next request uses the list pages of the one before. */
static void list_pages_are_kept(void **state)
{
	struct prp_rig r = {0};
	struct phyr_range big = {0x100000, 600 * 4096}, small = {0x100000, 12288};
	struct phyr_prp_page was[2];

	prp_init(&r, 12);
	prp_round_trip(&r, &big, 1);
	assert_int_equal(r.prp.nr_pages, 2);
	memcpy(was, r.pages, sizeof(was));
	tenv_restart(&r.rig.t);
	prp_round_trip(&r, &small, 1);
	prp_round_trip(&r, &big, 1);
	assert_int_equal(r.rig.t.allocs, 0);
	assert_memory_equal(was, r.pages, sizeof(was));
	phyr_prp_fini(&r.prp);
	assert_int_equal(r.prp.nr_pages, 0);
	prp_end(&r);
}

/* Build, and see that a failure changed nothing. */
static void fails(struct prp_rig *r, const struct phyr_range *ranges, size_t nr, int err)
{
	struct phyr_cursor cur, was;

	assert_int_equal(phyr_cursor_init_ranges(&cur, ranges, nr), 0);
	memcpy(&was, &cur, sizeof(was));
	r->prp.prp1 = 0x1111;
	r->prp.prp2 = 0x2222;
	assert_int_equal(phyr_prp_build(&r->prp, &cur), err);
	assert_memory_equal(&cur, &was, sizeof(was));
	assert_int_equal(r->prp.prp1, 0x1111);
	assert_int_equal(r->prp.prp2, 0x2222);
}

static void dword_rule(void **state)
{
	struct prp_rig r = {0};
	struct phyr_range range = {0x10002, 512};

	prp_init(&r, 12);
	for (range.addr = 0x10001; range.addr < 0x10004; range.addr++) {
		fails(&r, &range, 1, -EINVAL);
		assert_report(&r.rig, -EINVAL, "phyr_prp_build", range.addr, 512);
	}
	range.len = 511; /* the end may lie anywhere */
	prp_round_trip(&r, &range, 1);
	prp_end(&r);
}

static void inner_edges(void **state)
{
	struct prp_rig r = {0};
	struct phyr_range start[] = {{0x10000, 0x1000}, {0x30800, 0x800}, {0x40000, 0x1000}};
	struct phyr_range end[] = {
		{0x10000, 0x1000}, {0x30000, 0x1000}, {0x40000, 0x800}, {0x50000, 0x1000}};
	struct phyr_range head[] = {{0x10200, 0x400}, {0x30000, 0x1000}};
	struct phyr_range small[] = {{0x10000, 0x10000}, {0x31000, 0x1000}, {0x40000, 0x1000}};

	prp_init(&r, 12);
	fails(&r, start, 3, -EINVAL);
	assert_int_equal(r.rig.t.last.index, 1);
	assert_report(&r.rig, -EINVAL, "phyr_prp_build", 0x30800, 0x800);
	fails(&r, end, 4, -EINVAL);
	assert_int_equal(r.rig.t.last.index, 2);
	assert_report(&r.rig, -EINVAL, "phyr_prp_build", 0x40000, 0x800);
	fails(&r, head, 2, -EINVAL);
	assert_int_equal(r.rig.t.last.index, 0);
	assert_report(&r.rig, -EINVAL, "phyr_prp_build", 0x10200, 0x400);
	prp_round_trip(&r, small, 3);
	prp_end(&r);
	prp_init(&r, 16); /* pages of 4 KiB are none of a controller that has 64 KiB */
	fails(&r, small, 3, -EINVAL);
	assert_int_equal(r.rig.t.last.index, 1);
	assert_report(&r.rig, -EINVAL, "phyr_prp_build", 0x31000, 0x1000);
	prp_end(&r);
}

/* Words of single pages are entries only where the controller's page is theirs. */
static void small_pages_of_a_list(void **state)
{
	for (unsigned lg2 = 13; lg2 <= 16; lg2++) {
		struct prp_rig r = {0};
		struct phyr_list list;
		struct phyr_cursor cur;

		prp_init(&r, lg2);
		phyr_list_init(&list, &r.rig.t.env, NULL);
		assert_int_equal(phyr_list_append(&list, 0x100000, 0x30000), 0);
		for (uint64_t i = 0; i < 20; i++)
			assert_int_equal(phyr_list_append_page(&list, (i + 8) << 20), 0);
		phyr_cursor_init(&cur, &list);
		assert_int_equal(phyr_prp_build(&r.prp, &cur), -EINVAL);
		assert_int_equal(r.rig.t.last.index, 1);
		assert_int_equal(r.rig.t.last.limit, 1u << lg2);
		assert_report(&r.rig, -EINVAL, "phyr_prp_build", 8 << 20, 4096);
		assert_int_equal(cur.left, list.len);
		phyr_list_fini(&list);
		prp_end(&r);
	}
}

static void nothing_left(void **state)
{
	struct prp_rig r = {0};

	prp_init(&r, 12);
	fails(&r, NULL, 0, -EINVAL);
	assert_report(&r.rig, -EINVAL, "phyr_prp_build", 0, 0);
	prp_end(&r);
}

static void too_big(void **state)
{
	struct phyr_range range = {0x100000, (511 + 512 + 1) * 4096}; /* two list pages, full */
	struct phyr_range two = {0x100000, 8192};
	struct prp_rig r = {0};
	struct phyr_prp bare;

	prp_init(&r, 12);
	r.prp.max_pages = 2;
	prp_round_trip(&r, &range, 1);
	range.len += 1;
	fails(&r, &range, 1, -E2BIG);
	assert_int_equal(r.rig.t.last.limit, 2);
	assert_report(&r.rig, -E2BIG, "phyr_prp_build", 0, 3);
	range.len = UINT64_MAX - range.addr;
	fails(&r, &range, 1, -E2BIG);
	tenv_restart(&r.rig.t);

	bare = r.prp; /* without a pool: two pages and no more */
	phyr_prp_init(&r.prp, 12, NULL, NULL, 0);
	prp_round_trip(&r, &two, 1);
	two.len += 1;
	fails(&r, &two, 1, -E2BIG);
	two.addr += 1;
	fails(&r, &two, 1, -EINVAL);
	assert_int_equal(r.rig.t.reports, 0); /* nobody to tell */
	r.prp = bare;
	prp_end(&r);
}

/* The n-th allocation of the pool's fails, for every n; list pages that were had are kept. */
static void pool_empty(void **state)
{
	struct phyr_range range = {0x100000, 3000 * 4096};
	struct prp_rig r = {0};
	uint64_t n = 0;

	prp_init(&r, 12);
	do {
		phyr_prp_fini(&r.prp);
		phyr_dma_pool_destroy(r.pool);
		r.rig.t.fail_at = 0;
		assert_int_equal(phyr_dma_pool_create(r.rig.dev, 4096, 4096, &r.pool), 0);
		r.prp.pool = r.pool;
		tenv_restart(&r.rig.t);
		r.rig.t.fail_at = ++n;
		if (n <= 4) {
			fails(&r, &range, 1, -ENOMEM);
			assert_true(r.rig.t.failed);
			assert_int_equal(r.rig.t.reports, 2); /* the pool's own comes first */
			assert_report(&r.rig, -ENOMEM, "phyr_prp_build", 0, 4096);
		} else {
			prp_round_trip(&r, &range, 1);
			assert_false(r.rig.t.failed);
		}
	} while (n <= 4); /* two chunks, each of them memory and its slips */
	prp_end(&r);
}

static void pool_of_other_blocks(void **state)
{
	struct phyr_range range = {0x100000, 1 << 20};
	struct prp_rig r = {0};
	struct phyr_dma_pool *other, *was;

	prp_init(&r, 12);
	was = r.pool;
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(
			phyr_dma_pool_create(r.rig.dev, i ? 4096 : 2048, i ? 64 : 2048, &other), 0);
		r.prp.pool = other;
		fails(&r, &range, 1, -EINVAL);
		assert_int_equal(r.rig.t.last.limit, 4096);
		assert_report(&r.rig, -EINVAL, "phyr_prp_build", 0, 0);
		phyr_dma_pool_destroy(other);
	}
	r.prp.pool = was;
	prp_end(&r);
}

/* Against counting, for lengths around each edge. */
static void pages_needed(void **state)
{
	for (unsigned lg2 = 12; lg2 <= 16; lg2++) {
		uint64_t page = (uint64_t)1 << lg2, n = page / 8;

		for (uint64_t pages = 1; pages < 4 * n; pages += pages < 5 ? 1 : n / 8 - 1) {
			for (int d = -1; d <= 1; d++) {
				uint64_t len = pages * page + (uint64_t)d;
				/* the worst start: the last dword of a page */
				uint64_t entries = 1 + (len - 4 + page - 1) / page, lists = 0;

				if (entries > 2)
					for (entries--, lists = 1; entries > n; lists++)
						entries -= n - 1;
				assert_int_equal(phyr_prp_pages_needed(lg2, len), lists);
			}
		}
		assert_int_equal(phyr_prp_pages_needed(lg2, 1), 0);
	}
	assert_int_equal(phyr_prp_pages_needed(12, UINT64_MAX), UINT32_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_and_two_pages),
		cmocka_unit_test(offset_makes_a_list),
		cmocka_unit_test(ends_on_a_page_edge),
		cmocka_unit_test(full_list_page),
		cmocka_unit_test(scattered_pages),
		cmocka_unit_test(list_pages_are_kept),
		cmocka_unit_test(dword_rule),
		cmocka_unit_test(inner_edges),
		cmocka_unit_test(small_pages_of_a_list),
		cmocka_unit_test(nothing_left),
		cmocka_unit_test(too_big),
		cmocka_unit_test(pool_empty),
		cmocka_unit_test(pool_of_other_blocks),
		cmocka_unit_test(pages_needed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
