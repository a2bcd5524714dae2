/* SPDX-License-Identifier: MIT */
/* Each error of each call's list: what it says, and that nothing has changed. */
#include "core/bits.h"
#include "pgtbl/setup.h"

static void create_refuses(struct tenv *t, struct phyr_pgtbl_config c)
{
	struct phyr_pgtbl *pt = (struct phyr_pgtbl *)t;

	tenv_restart(t);
	assert_int_equal(phyr_pgtbl_create(&t->env, &c, &pt), -EINVAL);
	assert_ptr_equal(pt, t);
	assert_false(tenv_live(t));
	assert_int_equal(t->reports, 1);
	assert_string_equal(t->last.call, "phyr_pgtbl_create");
	assert_int_equal(t->last.err, -EINVAL);
	assert_non_null(t->last.hint);
}

static void create_errors(void **state)
{
	const struct phyr_pgtbl_config good = {.size = sizeof(good), .format = PHYR_PGTBL_VTDSS};
	struct phyr_pgtbl_config c;
	struct phyr_pgtbl *pt = NULL;
	struct tenv t;

	tenv_init(&t, NULL);
	c = good, c.size = 0;
	create_refuses(&t, c);
	c = good, c.size = sizeof(c) + 8;
	create_refuses(&t, c);
	c = good, c.format = (enum phyr_pgtbl_format)0;
	create_refuses(&t, c);
	c = good, c.format = (enum phyr_pgtbl_format)99;
	create_refuses(&t, c);
	c = good, c.levels = 2;
	create_refuses(&t, c);
	c = good, c.levels = 6;
	create_refuses(&t, c);
	c = good, c.format = PHYR_PGTBL_X86_64, c.levels = 3;
	create_refuses(&t, c);
	c = good, c.oa_bits = 53;
	create_refuses(&t, c);
	c = good, c.oa_bits = 11;
	create_refuses(&t, c);
	c = good, c.page_sizes = KIB(8) | GIB(512);
	create_refuses(&t, c);
	assert_int_equal(phyr_pgtbl_create(&t.env, NULL, &pt), -EINVAL);
	for (t.fail_at = 1; t.fail_at <= 2; t.fail_at++) {
		tenv_restart(&t);
		assert_int_equal(phyr_pgtbl_create(&t.env, &good, &pt), -ENOMEM);
		assert_false(tenv_live(&t));
		assert_null(pt);
		assert_int_equal(t.reports, 1);
		assert_int_equal(t.last.err, -ENOMEM);
		assert_string_equal(t.last.call, "phyr_pgtbl_create");
	}
	t.env.slot = NULL;
	create_refuses(&t, good);
	assert_non_null(strstr(t.last.hint, "slot"));
	tenv_fini(&t);
}

static void null_env_is_hosted(void **state)
{
	const struct phyr_pgtbl_config c = {.size = sizeof(c), .format = PHYR_PGTBL_X86_64};
	struct phyr_pgtbl *pt = NULL;

	assert_int_equal(phyr_pgtbl_create(NULL, &c, &pt), 0);
	assert_int_equal(phyr_pgtbl_tables(pt), 1);
	phyr_pgtbl_destroy(pt);
	phyr_pgtbl_destroy(NULL);
}

/* Table memory that entries cannot lead to is as good as none. */
static void create_out_of_reach(void **state)
{
	struct phyr_pgtbl_config c = {.size = sizeof(c), .format = PHYR_PGTBL_VTDSS, .oa_bits = 40};
	struct phyr_pgtbl *pt = NULL;
	struct tenv t;

	tenv_init(&t, NULL);
	t.env.phys_delta = TIB(2);
	assert_int_equal(phyr_pgtbl_create(&t.env, &c, &pt), -ENOMEM);
	assert_null(pt);
	assert_int_equal(t.last.err, -ENOMEM);
	assert_string_equal(t.last.call, "phyr_pgtbl_create");
	assert_true(t.last.addr >= TIB(2));
	assert_int_equal(t.last.limit, TIB(1) - 1);
	assert_non_null(strstr(t.last.hint, "oa_bits"));
	tenv_fini(&t);
}

/* A map call that fails, and all that must be as before. */
static void map_refuses(struct setup *s, uint64_t iova, struct phyr_cursor *cur, unsigned prot,
			int err)
{
	struct picture was = picture_take(s);
	struct phyr_cursor before = *cur;
	uint64_t entries = s->g.entries;

	tenv_restart(&s->t);
	assert_int_equal(phyr_pgtbl_map(s->pt, iova, cur, prot, &s->g), err);
	assert_memory_equal(cur, &before, sizeof(before));
	assert_int_equal(s->g.entries, entries);
	picture_same(s, &was);
	assert_int_equal(s->t.reports, 1);
	assert_int_equal(s->t.last.err, err);
	assert_string_equal(s->t.last.call, "phyr_pgtbl_map");
	assert_non_null(s->t.last.hint);
}

static void range_refused(struct setup *s, uint64_t iova, uint64_t addr, uint64_t len, int err)
{
	struct phyr_cursor cur;

	phyr_cursor_init_range(&cur, addr, len);
	map_refuses(s, iova, &cur, RW, err);
	assert_true(s->t.last.has_iova);
	assert_int_equal(s->t.last.iova, iova);
	assert_int_equal(s->t.last.len, len);
	/* Of a mapping past the table's end, it is the iova that are wrong. */
	if (s->t.last.limit != phyr_pgtbl_last(s->pt))
		assert_int_equal(s->t.last.addr, addr);
}

static void map_arguments(void **state)
{
	struct phyr_cursor cur;
	struct phyr_range r;
	struct setup s;

	setup_format(&s, PHYR_PGTBL_VTDSS);
	assert_int_equal(map_range(&s, MIB(4), MIB(4), MIB(4)), 0);
	phyr_cursor_init_range(&cur, 0x1000, PAGE);
	map_refuses(&s, 0x1000, &cur, 0, -EINVAL);
	map_refuses(&s, 0x1000, &cur, PHYR_MMIO, -EINVAL);
	map_refuses(&s, 0x1000, &cur, RW | 8, -EINVAL);
	map_refuses(&s, 0x1000, &cur, 1u << 31, -EINVAL);
	assert_int_equal(s.t.last.iova, 0x1000);
	assert_true(phyr_cursor_next(&cur, &r));
	map_refuses(&s, 0x1000, &cur, RW, -EINVAL);
	assert_int_equal(s.t.last.iova, 0x1000);
	range_refused(&s, 0x1000, 0x1200, PAGE, -EINVAL);
	range_refused(&s, 0x1200, 0x1000, MIB(2), -EINVAL);
	setup_fini(&s);
}

static void map_past_the_end(void **state)
{
	struct setup s;

	setup_format(&s, PHYR_PGTBL_X86_64);
	range_refused(&s, phyr_pgtbl_last(s.pt) + 1, 0x1000, PAGE, -ERANGE);
	assert_int_equal(s.t.last.limit, phyr_pgtbl_last(s.pt));
	range_refused(&s, phyr_pgtbl_last(s.pt) + 1 - PAGE, 0x1000, PAGE + 1, -ERANGE);
	range_refused(&s, PAGE, 0, UINT64_MAX, -ERANGE);
	range_refused(&s, UINT64_MAX - PAGE + 1, 0x1000, PAGE, -ERANGE);
	range_refused(&s, UINT64_MAX - PAGE + 1, 0x1000, 2 * PAGE, -ERANGE);
	setup_fini(&s);
}

/* Addresses past oa_bits, by the fast path, as a run, as a range across the edge, in a span. */
static void map_wide_addresses(void **state)
{
	struct phyr_pgtbl_config c = {.size = sizeof(c), .format = PHYR_PGTBL_VTDSS, .oa_bits = 51};
	struct phyr_list list;
	struct phyr_cursor cur;
	struct setup s;

	setup_config(&s, &c);
	assert_int_equal(map_range(&s, 0, 0, PAGE), 0);
	range_refused(&s, 0, 0, PAGE, -EEXIST);
	assert_true(s.t.last.has_addr);
	range_refused(&s, PAGE, UINT64_C(1) << 51, PAGE, -ERANGE);
	assert_int_equal(s.t.last.limit, (UINT64_C(1) << 51) - 1);
	range_refused(&s, PAGE, UINT64_C(1) << 51, MIB(4), -ERANGE);
	range_refused(&s, PAGE, (UINT64_C(1) << 51) - PAGE, 2 * PAGE, -ERANGE);
	range_refused(&s, PAGE, UINT64_MAX - PAGE + 1, PAGE, -ERANGE);
	phyr_list_init(&list, &s.t.env, NULL);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(phyr_list_append_page(&list, (uint64_t)(2 * i + 2) * PAGE), 0);
	assert_int_equal(phyr_list_append_page(&list, UINT64_C(1) << 51), 0);
	for (unsigned i = 0; i < 50; i++)
		assert_int_equal(phyr_list_append_page(&list, (uint64_t)(2 * i + 2) * PAGE), 0);
	phyr_cursor_init(&cur, &list);
	map_refuses(&s, PAGE, &cur, RW, -ERANGE);
	assert_int_equal(s.t.last.index, 100);
	assert_int_equal(s.t.last.addr, UINT64_C(1) << 51);
	assert_int_equal(s.t.last.iova, 101 * PAGE);
	assert_int_equal(s.g.start, PAGE);
	assert_int_equal(s.g.last, 101 * PAGE - 1);
	phyr_list_fini(&list);
	setup_fini(&s);
}

/* Edges between ranges lie on the granule: 4 KiB, or more where there are no such leaves. */
static void map_inner_edges(void **state)
{
	const struct phyr_range bad_end[] = {{0x1200, 0xe00}, {0x9000, 0x800}, {0xb000, 0x1000}};
	const struct phyr_range bad_start[] = {{0x1200, 0xe00}, {0x9000, 0x1000}, {0xb010, 0x1000}};
	const struct phyr_range pages[] = {{MIB(2), MIB(2)}, {MIB(8), PAGE}, {MIB(16), MIB(2)}};
	struct phyr_pgtbl_config c = {.size = sizeof(c), .format = PHYR_PGTBL_VTDSS};
	struct phyr_cursor cur;
	struct setup s;

	setup_config(&s, &c);
	assert_int_equal(phyr_cursor_init_ranges(&cur, bad_end, 3), 0);
	map_refuses(&s, 0x5200, &cur, RW, -EINVAL);
	assert_int_equal(s.t.last.index, 1);
	assert_int_equal(s.t.last.addr, 0x9000);
	assert_int_equal(s.t.last.len, 0x800);
	assert_int_equal(s.t.last.iova, 0x6000);
	assert_int_equal(phyr_cursor_init_ranges(&cur, bad_start, 3), 0);
	map_refuses(&s, 0x5200, &cur, RW, -EINVAL);
	assert_int_equal(s.t.last.index, 2);
	assert_int_equal(s.t.last.addr, 0xb010);
	assert_int_equal(s.g.start, 0x5000);
	assert_int_equal(s.g.last, 0x6fff);
	setup_fini(&s);
	c.page_sizes = MIB(2);
	setup_config(&s, &c);
	assert_int_equal(phyr_cursor_init_ranges(&cur, pages, 3), 0);
	map_refuses(&s, 0, &cur, RW, -EINVAL);
	assert_int_equal(s.t.last.index, 1);
	setup_fini(&s);
}

/* Something is mapped at iova already: new page, run, large leaf and span there must fail. */
static void taken(struct setup *s, uint64_t iova)
{
	uint64_t base = iova & ~(MIB(2) - 1);
	struct phyr_list list;
	struct phyr_cursor cur;

	range_refused(s, iova & ~(uint64_t)(PAGE - 1), GIB(8), PAGE, -EEXIST);
	phyr_cursor_init_range(&cur, GIB(8) + PAGE, MIB(4));
	map_refuses(s, base - MIB(1), &cur, RW, -EEXIST);
	phyr_cursor_init_range(&cur, GIB(8), MIB(4));
	map_refuses(s, base - MIB(2), &cur, RW, -EEXIST);
	phyr_cursor_init_range(&cur, GIB(8), GIB(2));
	map_refuses(s, base & ~(GIB(1) - 1), &cur, RW, -EEXIST);
	phyr_list_init(&list, &s->t.env, NULL);
	for (unsigned i = 0; i < 1100; i++)
		assert_int_equal(phyr_list_append_page(&list, (uint64_t)(2 * i + 2) * PAGE), 0);
	phyr_cursor_init(&cur, &list);
	map_refuses(s, base - 500 * PAGE, &cur, RW, -EEXIST);
	assert_in_range(s->t.last.index, 1, 1099);
	assert_int_equal(s->t.last.addr, (2 * s->t.last.index + 2) * PAGE);
	assert_int_equal(s->t.last.len, PAGE);
	assert_int_equal(s->t.last.iova, base + (s->t.last.index - 500) * PAGE);
	phyr_list_fini(&list);
}

static void map_exists(void **state)
{
	const uint64_t lens[] = {PAGE, 9 * PAGE, MIB(2), GIB(1)};
	const uint64_t iovas[] = {GIB(5) + MIB(6) + 7 * PAGE, GIB(5) + MIB(8) - PAGE,
				  GIB(5) + MIB(6), GIB(5)};
	struct setup s;

	for (unsigned i = 0; i < ARRAY_SIZE(lens); i++) {
		setup_format(&s, i & 1 ? PHYR_PGTBL_X86_64 : PHYR_PGTBL_VTDSS);
		assert_int_equal(map_range(&s, iovas[i], GIB(64), lens[i]), 0);
		taken(&s, iovas[i]);
		assert_int_equal(s.t.last.err, -EEXIST);
		setup_fini(&s);
	}
}

/* A run in a table that is there meets a page of another: what was written before it goes again. */
static void map_exists_within_a_table(void **state)
{
	struct setup s;

	setup_format(&s, PHYR_PGTBL_VTDSS);
	assert_int_equal(map_range(&s, GIB(1) + 40 * PAGE, GIB(8), PAGE), 0);
	for (uint64_t first = 1; first <= 40; first++) {
		struct phyr_cursor cur;

		phyr_cursor_init_range(&cur, GIB(8), 60 * PAGE);
		map_refuses(&s, GIB(1) + first * PAGE, &cur, RW, -EEXIST);
		assert_int_equal(s.t.last.iova, GIB(1) + 40 * PAGE);
		assert_int_equal(s.t.last.addr, GIB(8));
		assert_int_equal(s.t.last.len, 60 * PAGE);
		assert_int_equal(s.g.start <= s.g.last, first < 40);
		assert_true(first == 40 || (s.g.start == GIB(1) + first * PAGE &&
					    s.g.last == GIB(1) + 40 * PAGE - 1));
		phyr_gather_init(&s.g);
	}
	setup_fini(&s);
}

static void unmap_refuses(struct setup *s, uint64_t iova, uint64_t len, struct phyr_list *out,
			  int err)
{
	struct picture was = picture_take(s);
	struct phyr_gather g = s->g;

	tenv_restart(&s->t);
	assert_int_equal(phyr_pgtbl_unmap(s->pt, iova, len, &s->g, out), err);
	assert_memory_equal(&g, &s->g, sizeof(g));
	picture_same(s, &was);
	assert_int_equal(s->t.reports, 1);
	assert_int_equal(s->t.last.err, err);
	assert_string_equal(s->t.last.call, "phyr_pgtbl_unmap");
}

static void unmap_edges(void **state)
{
	struct setup s;

	setup_format(&s, PHYR_PGTBL_VTDSS);
	assert_int_equal(map_range(&s, 0x10000, 0x10000, 4 * PAGE), 0);
	assert_int_equal(map_range(&s, 0x14000, 0x20000, 4 * PAGE), 0);
	assert_int_equal(map_range(&s, MIB(4), MIB(4), MIB(4)), 0);
	assert_int_equal(map_range(&s, GIB(1), GIB(1), GIB(1)), 0);
	unmap_refuses(&s, 0x10000, 0, NULL, -EINVAL);
	unmap_refuses(&s, 0x11000, 3 * PAGE, NULL, -EINVAL);
	assert_int_equal(s.t.last.iova, 0x11000);
	unmap_refuses(&s, 0x10000, 3 * PAGE, NULL, -EINVAL);
	assert_int_equal(s.t.last.iova, 0x12fff);
	unmap_refuses(&s, 0x10000, PAGE, NULL, -EINVAL);
	unmap_refuses(&s, 0x10000, 4 * PAGE + 1, NULL, -EINVAL);
	unmap_refuses(&s, 0xf000, 5 * PAGE, NULL, -EINVAL);
	unmap_refuses(&s, 0x10000, 9 * PAGE, NULL, -EINVAL);
	unmap_refuses(&s, 0x100000, PAGE, NULL, -EINVAL);
	unmap_refuses(&s, MIB(4), MIB(2), NULL, -EINVAL);
	unmap_refuses(&s, MIB(6), MIB(2), NULL, -EINVAL);
	unmap_refuses(&s, MIB(4) + PAGE, MIB(4) - PAGE, NULL, -EINVAL);
	unmap_refuses(&s, MIB(4), MIB(4) - PAGE, NULL, -EINVAL);
	unmap_refuses(&s, GIB(1), PAGE, NULL, -EINVAL);
	unmap_refuses(&s, GIB(1) + MIB(2), GIB(1) - MIB(2), NULL, -EINVAL);
	unmap_refuses(&s, 0, MIB(8), NULL, -EINVAL);
	unmap_refuses(&s, phyr_pgtbl_last(s.pt) + 1, PAGE, NULL, -ERANGE);
	assert_int_equal(s.t.last.iova, phyr_pgtbl_last(s.pt) + 1);
	assert_int_equal(s.t.last.len, PAGE);
	assert_int_equal(s.t.last.limit, phyr_pgtbl_last(s.pt));
	unmap_refuses(&s, 0x10000, UINT64_MAX, NULL, -ERANGE);
	unmap_refuses(&s, 0x10000, phyr_pgtbl_last(s.pt), NULL, -ERANGE);
	setup_fini(&s);
}

/* With a list to append to: no memory, and a list that ends inside a page. */
static void unmap_to_a_list(void **state)
{
	struct phyr_list pages, out;
	struct phyr_cursor cur;
	struct setup s;

	setup_format(&s, PHYR_PGTBL_VTDSS);
	phyr_list_init(&pages, &s.t.env, NULL);
	phyr_list_init(&out, &s.t.env, NULL);
	for (unsigned i = 0; i < 700; i++)
		assert_int_equal(phyr_list_append_page(&pages, (uint64_t)(2 * i + 2) * PAGE), 0);
	phyr_cursor_init(&cur, &pages);
	assert_int_equal(phyr_pgtbl_map(s.pt, 0x5000, &cur, RW, &s.g), 0);
	assert_int_equal(phyr_list_append(&out, 0x7000, 0x1800), 0);
	unmap_refuses(&s, 0x5000, 700 * PAGE, &out, -EINVAL);
	assert_int_equal(s.t.last.addr, 2 * PAGE);
	assert_int_equal(s.t.last.len, PAGE);
	assert_int_equal(out.len, 0x1800);
	phyr_list_reset(&out);
	/* So long that it takes two pages more, and no third. */
	assert_int_equal(phyr_list_append(&out, 3 * PAGE, -(uint64_t)3 * PAGE), 0);
	unmap_refuses(&s, 0x5000, 700 * PAGE, &out, -EINVAL);
	assert_int_equal(s.t.last.addr, 6 * PAGE);
	assert_int_equal(out.len, -(uint64_t)3 * PAGE);
	assert_int_equal(out.nr_runs, 1);
	phyr_list_reset(&out);
	assert_int_equal(phyr_list_append(&out, 0x7200, 0xe00), 0);
	for (s.t.fail_at = 1; s.t.fail_at <= 2; s.t.fail_at++) {
		unmap_refuses(&s, 0x5000, 700 * PAGE, &out, -ENOMEM);
		assert_in_range(s.t.last.addr, 2 * PAGE, 1400 * PAGE);
		assert_int_equal(s.t.last.len, PAGE);
		assert_int_equal(out.len, 0xe00);
		assert_int_equal(out.nr_runs, 1);
	}
	s.t.fail_at = 0;
	assert_int_equal(phyr_pgtbl_unmap(s.pt, 0x5000, 700 * PAGE, &s.g, &out), 0);
	assert_int_equal(out.len, 0xe00 + 700 * PAGE);
	assert_int_equal(out.nr_runs, 701);
	phyr_list_fini(&pages);
	phyr_list_fini(&out);
	setup_fini(&s);
}

static void translate_errors(void **state)
{
	struct phyr_translation tr = {7, 8, 9}, was = tr;
	struct setup s;

	setup_format(&s, PHYR_PGTBL_X86_64);
	assert_int_equal(map_range(&s, 0x5000, 0x5000, PAGE), 0);
	assert_int_equal(phyr_pgtbl_translate(s.pt, 0x4fff, &tr), -ENOENT);
	assert_int_equal(phyr_pgtbl_translate(s.pt, 0x6000, &tr), -ENOENT);
	assert_int_equal(phyr_pgtbl_translate(s.pt, GIB(600), &tr), -ENOENT);
	assert_int_equal(phyr_pgtbl_translate(s.pt, phyr_pgtbl_last(s.pt) + 1, &tr), -ERANGE);
	assert_int_equal(phyr_pgtbl_translate(s.pt, UINT64_MAX, &tr), -ERANGE);
	assert_memory_equal(&tr, &was, sizeof(tr));
	assert_int_equal(s.t.reports, 0);
	setup_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(create_errors),
		cmocka_unit_test(create_out_of_reach),
		cmocka_unit_test(null_env_is_hosted),
		cmocka_unit_test(map_arguments),
		cmocka_unit_test(map_past_the_end),
		cmocka_unit_test(map_wide_addresses),
		cmocka_unit_test(map_inner_edges),
		cmocka_unit_test(map_exists),
		cmocka_unit_test(map_exists_within_a_table),
		cmocka_unit_test(unmap_edges),
		cmocka_unit_test(unmap_to_a_list),
		cmocka_unit_test(translate_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
