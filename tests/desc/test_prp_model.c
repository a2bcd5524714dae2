/* SPDX-License-Identifier: MIT */
/* Build → decode over random buffers: what the decoder reads is what went in, or it was refused. */
#include "prp_rig.h"

#include "lib/rnd.h"

#define MAX_RANGES 3000

static struct phyr_range ranges[MAX_RANGES];

/* Whether the rules allow it: a dword's start, inner edges on the controller's page. */
static bool allowed(size_t nr, uint64_t page)
{
	if (ranges[0].addr % 4)
		return false;
	for (size_t i = 1; i < nr; i++) {
		uint64_t end = ranges[i - 1].addr + ranges[i - 1].len;

		if (end != ranges[i].addr && (end % page || ranges[i].addr % page))
			return false;
	}
	return true;
}

/* Pages that the transfer takes, by the slow way. */
static uint64_t pages_of(uint64_t addr, uint64_t len, uint64_t page)
{
	return (addr % page + len + page - 1) / page;
}

static uint64_t lists_of(uint64_t pages, uint64_t page)
{
	uint64_t entries = pages - 1, lists = 1;

	if (pages <= 2)
		return 0;
	for (; entries > page / 8; lists++)
		entries -= page / 8 - 1;
	return lists;
}

/* A buffer of whole controller pages but for its two ends; now and then a run goes on. */
static size_t make_good(struct rnd *rnd, uint64_t page)
{
	size_t nr = rnd_log(rnd, 1, MAX_RANGES);
	uint64_t cut;

	for (size_t i = 0; i < nr; i++) {
		uint64_t prev_end = i ? ranges[i - 1].addr + ranges[i - 1].len : 0;

		ranges[i].len = page * rnd_log(rnd, 1, nr > 100 ? 8 : 4000);
		ranges[i].addr = i && !rnd_below(rnd, 4) ? prev_end
							 : page * rnd_below(rnd, (uint64_t)1 << 30);
	}
	cut = 4 * rnd_below(rnd, page / 4);
	ranges[0].addr += cut;
	ranges[0].len -= cut;
	ranges[nr - 1].len -= rnd_below(rnd, nr == 1 ? page - cut : page);
	return nr;
}

/* Spoil one edge by a few bytes or a half page. */
static void spoil(struct rnd *rnd, size_t nr)
{
	struct phyr_range *r = &ranges[rnd_below(rnd, nr)];
	uint64_t by = rnd_below(rnd, 2) ? 1 + rnd_below(rnd, 8) : 2048;

	if (r->len <= by)
		return;
	if (rnd_below(rnd, 2))
		r->addr += by;
	r->len -= by;
}

static void one(struct prp_rig *r, struct rnd *rnd)
{
	uint64_t page = (uint64_t)1 << r->prp.page_lg2, lists;
	size_t nr = make_good(rnd, page);
	struct phyr_cursor cur, was;
	int err;

	if (!rnd_below(rnd, 4))
		spoil(rnd, nr);
	assert_int_equal(phyr_cursor_init_ranges(&cur, ranges, nr), 0);
	was = cur;
	lists = lists_of(pages_of(ranges[0].addr, cur.left, page), page);
	err = phyr_prp_build(&r->prp, &cur);
	if (err == -E2BIG) {
		assert_true(lists > PRP_RIG_LISTS);
	} else if (err) {
		assert_int_equal(err, -EINVAL);
		assert_false(allowed(nr, page));
	} else {
		assert_true(allowed(nr, page));
		prp_check(r, was);
		assert_int_equal(r->d.lists, lists);
		assert_true(lists <= phyr_prp_pages_needed(r->prp.page_lg2, was.left));
	}
}

static void ranges_come_back(void **state)
{
	struct rnd rnd = rnd_start("desc/prp_model ranges");

	for (unsigned lg2 = 12; lg2 <= 16; lg2++) {
		struct prp_rig r = {0};

		prp_init(&r, lg2);
		for (unsigned i = 0; i < 800; i++)
			one(&r, &rnd);
		prp_end(&r);
	}
}

/* Parts of packed lists: words, spans, blocks' edges, slices that start and end anywhere. */
static void list_parts_come_back(void **state)
{
	struct rnd rnd = rnd_start("desc/prp_model lists");
	struct prp_rig r = {0};

	prp_init(&r, 12);
	for (unsigned i = 0; i < 100; i++) {
		size_t nr = rnd_log(&rnd, 1, 3000);
		struct phyr_list list;

		phyr_list_init(&list, &r.rig.t.env, NULL);
		for (size_t j = 0; j < nr; j++) {
			uint64_t pages = rnd_below(&rnd, 8) ? 1 : rnd_log(&rnd, 1, 3000) / 100 + 1;
			uint64_t addr = rnd_below(&rnd, (uint64_t)1 << 40) << 12;

			assert_int_equal(phyr_list_append(&list, addr, pages << 12), 0);
		}
		for (unsigned k = 0; k < 20; k++) {
			uint64_t offset = rnd_below(&rnd, list.len) & ~(uint64_t)3;
			uint64_t most =
				list.len - offset < 60u << 20 ? list.len - offset : 60u << 20;
			struct phyr_cursor cur, was;

			assert_int_equal(
				phyr_cursor_init_at(&cur, &list, offset, rnd_log(&rnd, 1, most)),
				0);
			was = cur;
			assert_int_equal(phyr_prp_build(&r.prp, &cur), 0);
			assert_int_equal(cur.left, 0);
			prp_check(&r, was);
		}
		phyr_list_fini(&list);
	}
	prp_end(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges_come_back),
		cmocka_unit_test(list_parts_come_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
