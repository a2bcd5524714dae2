/* SPDX-License-Identifier: MIT */
/* Pinning: each call, each error, each way of scattering. */
#include <string.h>
#include <sys/resource.h>

#include "lib/rnd.h"
#include "sim/rig.h"

static void create_refuses_bad_settings(void **state)
{
	const struct phyr_sim_config bad[] = {
		{.size = 1},
		{.size = sizeof(bad[0]), .memory = 4097},
		{.size = sizeof(bad[0]), .memory = (uint64_t)1 << 45},
		{.size = sizeof(bad[0]), .table_memory = 100},
		{.size = sizeof(bad[0]), .table_memory = (uint64_t)1 << 41},
		{.size = sizeof(bad[0]), .scatter = (enum phyr_sim_scatter)4},
		{.size = sizeof(bad[0]), .iotlb_entries = 1u << 25},
		{.size = sizeof(bad[0]), .aw_bits = 40},
		{.size = sizeof(bad[0]), .oa_bits = 39},
		{.size = sizeof(bad[0]), .oa_bits = 53},
		{.size = sizeof(bad[0]), .oa_bits = 40, .memory = (uint64_t)1 << 39},
		{.size = sizeof(bad[0]), .oa_bits = 40, .table_memory = (uint64_t)1 << 40},
		{.size = sizeof(bad[0]), .formats = 1},
		{.size = sizeof(bad[0]), .formats = 0x80},
		{.size = sizeof(bad[0]), .bbm = 3},
	};
	struct phyr_sim *sim = NULL;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(phyr_sim_create(&bad[i], &sim), -22);
	assert_null(sim);
	phyr_sim_destroy(NULL);
}

static void create_without_address_space_fails(void **state)
{
	struct phyr_sim_config c = {.size = sizeof(c)};
	struct phyr_sim *sim = NULL;
	struct rlimit old, low;

	if (rig_sanitized)
		skip(); /* whose shadow memory does not fit the limit */
	getrlimit(RLIMIT_AS, &old);
	low = (struct rlimit){(rlim_t)2 << 30, old.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_AS, &low), 0);
	assert_int_equal(phyr_sim_create(&c, &sim), -12);
	assert_null(sim);
	assert_int_equal(setrlimit(RLIMIT_AS, &old), 0);
}

static void space_and_env_are_the_machines(void **state)
{
	struct phyr_sim *sim = rig_sim(.memory = MIB);
	const struct phyr_space *space = phyr_sim_space(sim);
	struct phyr_env *env = phyr_sim_env(sim);
	uint64_t phys, len = 8192;
	uint64_t *table = rig_table(sim, &phys);

	assert_int_equal(space->kind, PHYR_KIND_RAM);
	assert_ptr_equal(space->to_cpu(space, phys + 8, &len), table + 1);
	assert_int_equal(len, 4088);
	env->free_pages(env, table, PAGE);
	assert_null(space->to_cpu(space, phys, &len));
	assert_int_equal(len, 4088);
	phyr_sim_destroy(sim);
}

static void pin_gives_exact_bytes(void **state)
{
	struct phyr_sim *sim = rig_sim(.memory = 4 * MIB, .seed = 3);
	const struct phyr_space *space = phyr_sim_space(sim);
	char *p = rig_map(MIB);
	struct phyr_list list;
	struct phyr_cursor cur;
	struct phyr_range r;
	uint64_t at = 0;

	assert_int_equal(rig_pin(sim, p + 100, 50000, &list), 0);
	assert_int_equal(list.len, 50000);
	assert_int_equal(rig_stats(sim).pinned_pages, 13);
	phyr_cursor_init(&cur, &list);
	while (phyr_cursor_next(&cur, &r)) {
		uint64_t len = r.len;

		assert_int_equal(rig_phys(sim, p + 100 + at), r.addr);
		assert_ptr_equal(space->to_cpu(space, r.addr, &len), p + 100 + at);
		assert_int_equal(len, r.len);
		at += r.len;
	}
	assert_int_equal(at, 50000);
	rig_unpin(sim, &list);
	assert_int_equal(rig_stats(sim).pinned_pages, 0);
	assert_int_equal(rig_stats(sim).map_bytes, 0);
	rig_unmap(p, MIB);
	phyr_sim_destroy(sim);
}

static void pin_counts_pages(void **state)
{
	struct phyr_sim *sim = rig_sim(.memory = 4 * MIB);
	char *p = rig_map(MIB);
	struct phyr_list a, b;
	uint64_t phys, again;

	assert_int_equal(rig_pin(sim, p, 3 * PAGE, &a), 0);
	phys = rig_phys(sim, p + 2 * PAGE);
	assert_int_equal(rig_pin(sim, p + 2 * PAGE, 3 * PAGE, &b), 0);
	assert_int_equal(rig_phys(sim, p + 2 * PAGE), phys);
	assert_int_equal(rig_stats(sim).pinned_pages, 5);
	rig_unpin(sim, &a);
	assert_int_equal(rig_stats(sim).pinned_pages, 3);
	assert_int_equal(rig_phys(sim, p + 2 * PAGE), phys);
	again = 77;
	assert_int_equal(phyr_sim_to_phys(sim, p, &again), -2);
	assert_int_equal(again, 77);
	rig_told(-2, "phyr_sim_to_phys");
	assert_int_equal(rig_report.addr, (uintptr_t)p);
	rig_unpin(sim, &b);
	assert_int_equal(rig_stats(sim).pinned_pages, 0);
	rig_unmap(p, MIB);
	phyr_sim_destroy(sim);
}

/* A buffer in pieces that meet inside a page is one list, and unpinned as one. */
static void pin_goes_on_inside_a_page(void **state)
{
	struct phyr_sim *sim = rig_sim(.memory = 4 * MIB);
	char *p = rig_map(MIB);
	struct phyr_list list;

	assert_int_equal(rig_pin(sim, p + 10, 1000, &list), 0);
	assert_int_equal(phyr_sim_pin(sim, p + 1010, 5000, &list), 0);
	assert_int_equal(phyr_sim_pin(sim, p + 6010, 2 * PAGE - 6010, &list), 0);
	assert_int_equal(phyr_sim_pin(sim, p, PAGE, &list), 0);
	assert_int_equal(list.len, 2 * PAGE - 10 + PAGE);
	assert_int_equal(rig_stats(sim).pinned_pages, 2);
	rig_unpin(sim, &list);
	assert_int_equal(rig_stats(sim).pinned_pages, 0);
	rig_unmap(p, MIB);
	phyr_sim_destroy(sim);
}

/* Pin in vain: the report says what, and neither list nor machine has changed. */
static void pin_fails(struct phyr_sim *sim, void *p, uint64_t len, struct phyr_list *list, int err)
{
	uint64_t pinned = rig_stats(sim).pinned_pages;
	struct phyr_list was = *list;

	rig_report = (struct phyr_report){0};
	assert_int_equal(phyr_sim_pin(sim, p, len, list), err);
	rig_told(err, "phyr_sim_pin");
	assert_int_equal(rig_report.addr, (uintptr_t)p);
	assert_int_equal(rig_report.len, len);
	assert_memory_equal(list, &was, sizeof(was));
	assert_int_equal(rig_stats(sim).pinned_pages, pinned);
}

static void pin_refuses(void **state)
{
	struct phyr_sim *sim = rig_sim(.memory = 8 * PAGE);
	char *p = rig_map(MIB);
	struct phyr_list list, other;

	phyr_list_init(&other, NULL, NULL);
	pin_fails(sim, p, PAGE, &other, -22);
	phyr_list_init(&list, NULL, phyr_sim_space(sim));
	pin_fails(sim, p, 0, &list, -22);
	pin_fails(sim, (void *)(uintptr_t)-PAGE, 2 * PAGE, &list, -22);
	pin_fails(sim, (void *)(uintptr_t)-PAGE, PAGE, &list, -22);
	pin_fails(sim, p, 9 * PAGE, &list, -12);
	assert_int_equal(rig_stats(sim).pinned_pages, 0);
	assert_int_equal(rig_stats(sim).map_bytes, 0);

	/* The list ends off a page: nothing but what follows there goes on. */
	assert_int_equal(rig_pin(sim, p, 100, &list), 0);
	pin_fails(sim, p + PAGE, PAGE, &list, -22);
	pin_fails(sim, p + 101, PAGE, &list, -22);
	assert_int_equal(rig_stats(sim).pinned_pages, 1);
	rig_unpin(sim, &list);

	/* What was pinned before stays so when a later pin fails. */
	assert_int_equal(rig_pin(sim, p, 8 * PAGE, &list), 0);
	pin_fails(sim, p, 9 * PAGE, &list, -12);
	assert_int_equal(rig_stats(sim).pinned_pages, 8);
	rig_unpin(sim, &list);
	assert_int_equal(rig_stats(sim).pinned_pages, 0);
	rig_unmap(p, MIB);
	phyr_sim_destroy(sim);
}

/* However many runs are not pinned, one report says so, with the first of them. */
static void unpin_of_many_strangers_is_one_report(void **state)
{
	struct phyr_sim *sim = rig_sim(.memory = MIB, .scatter = PHYR_SIM_SINGLE);
	char *p = rig_map(MIB);
	struct phyr_list list, first;
	struct phyr_range run;
	struct phyr_cursor cur;

	assert_int_equal(rig_pin(sim, p, 8 * PAGE, &list), 0);
	assert_true(list.nr_runs == 8);
	assert_int_equal(rig_pin(sim, p, 3 * PAGE, &first), 0);
	phyr_sim_unpin(sim, &list);
	assert_int_equal(rig_reports, 0);
	phyr_sim_unpin(sim, &list); /* its first three pages are pinned once more */
	assert_int_equal(rig_reports, 1);
	rig_told(-2, "phyr_sim_unpin");
	assert_int_equal(phyr_cursor_init_at(&cur, &list, 3 * PAGE, PAGE), 0);
	assert_true(phyr_cursor_next(&cur, &run));
	assert_int_equal(rig_report.index, 3);
	assert_int_equal(rig_report.addr, run.addr);
	assert_int_equal(rig_report.len, PAGE);
	assert_int_equal(rig_report.limit, 5);
	assert_int_equal(rig_stats(sim).pinned_pages, 0);
	phyr_list_fini(&list);
	phyr_list_fini(&first);
	rig_unmap(p, MIB);
	phyr_sim_destroy(sim);
}

static void unpin_twice_is_reported(void **state)
{
	struct phyr_sim *sim = rig_sim(.memory = MIB);
	char *p = rig_map(MIB);
	struct phyr_list list;

	assert_int_equal(rig_pin(sim, p, PAGE, &list), 0);
	phyr_sim_unpin(sim, &list);
	assert_int_equal(rig_report.err, 0);
	phyr_sim_unpin(sim, &list);
	rig_told(-2, "phyr_sim_unpin");
	assert_int_equal(rig_report.addr, list.open_addr);
	assert_int_equal(rig_report.len, PAGE);
	assert_int_equal(rig_report.limit, 1);
	phyr_list_fini(&list);
	rig_unmap(p, MIB);
	phyr_sim_destroy(sim);
}

static void same_seed_same_places(void **state)
{
	const enum phyr_sim_scatter scatter[] = {PHYR_SIM_MIXED, PHYR_SIM_SINGLE, PHYR_SIM_HUGE,
						 PHYR_SIM_LINEAR};

	for (unsigned s = 0; s < 4; s++) {
		struct phyr_sim *a = rig_sim(.scatter = scatter[s], .seed = 77);
		struct phyr_sim *b = rig_sim(.scatter = scatter[s], .seed = 77);
		char *p = rig_map(8 * MIB), *q = rig_map(8 * MIB);
		struct phyr_list la, lb;
		struct phyr_cursor ca, cb;
		struct phyr_range ra, rb;

		assert_int_equal(rig_pin(a, p, 8 * MIB, &la), 0);
		assert_int_equal(rig_pin(b, q, 8 * MIB, &lb), 0);
		phyr_cursor_init(&ca, &la);
		phyr_cursor_init(&cb, &lb);
		while (phyr_cursor_next(&ca, &ra)) {
			assert_true(phyr_cursor_next(&cb, &rb));
			assert_memory_equal(&ra, &rb, sizeof(ra));
		}
		rig_unpin(a, &la);
		rig_unpin(b, &lb);
		rig_unmap(p, 8 * MIB);
		rig_unmap(q, 8 * MIB);
		phyr_sim_destroy(a);
		phyr_sim_destroy(b);
	}
}

/* Run lengths of 512 MiB: the mean lies near 7 pages, most runs are single pages, some are long. */
static void mixed_is_like_anonymous_memory(void **state)
{
	struct phyr_sim *sim = rig_sim(.seed = 5);
	uint64_t len = 512 * MIB;
	char *p = rig_map(len);
	struct phyr_list list;
	struct phyr_list_stats stats;
	struct phyr_sim_stats cost;

	assert_int_equal(rig_pin(sim, p, len, &list), 0);
	phyr_list_stats(&list, &stats);
	assert_in_range(stats.pages / stats.runs, 6, 8);
	assert_true(stats.runs_by_lg2[0] * 2 > stats.runs);
	assert_in_range(stats.longest_pages, 256, 2048);
	for (unsigned i = 0; i < 7; i++)
		assert_true(stats.runs_by_lg2[i] > stats.runs_by_lg2[i + 1]);
	cost = rig_stats(sim);
	/* 20 bytes a page at the least, both ways; blocks are sparse, but not without measure. */
	assert_in_range(cost.map_bytes, 20 * stats.pages, 200 * stats.pages);
	rig_unpin(sim, &list);
	assert_int_equal(rig_stats(sim).map_bytes, 0);
	rig_unmap(p, len);
	phyr_sim_destroy(sim);
}

static void single_has_no_neighbours(void **state)
{
	/* Little more memory than is pinned, so that free pages lie in rows at the end. */
	struct phyr_sim *sim = rig_sim(.memory = 33 * MIB, .scatter = PHYR_SIM_SINGLE, .seed = 9);
	uint64_t pages = 8192, before = 0;
	char *p = rig_map(pages * PAGE);
	struct phyr_list a, b;

	/* Odd pages by themselves first, so that the others find neighbours on both sides. */
	phyr_list_init(&a, NULL, phyr_sim_space(sim));
	for (uint64_t i = 1; i < pages; i += 2)
		assert_int_equal(phyr_sim_pin(sim, p + i * PAGE, PAGE, &a), 0);
	assert_int_equal(rig_pin(sim, p, pages * PAGE, &b), 0);
	assert_int_equal(b.nr_runs, pages);
	for (uint64_t i = 0; i < pages; i++) {
		uint64_t phys = rig_phys(sim, p + i * PAGE);

		assert_true(phys != before + PAGE && phys + PAGE != before);
		before = phys;
	}
	rig_unpin(sim, &a);
	rig_unpin(sim, &b);
	assert_int_equal(rig_stats(sim).map_bytes, 0);
	rig_unmap(p, pages * PAGE);
	phyr_sim_destroy(sim);
}

static void huge_is_aligned(void **state)
{
	struct phyr_sim *sim = rig_sim(.scatter = PHYR_SIM_HUGE, .seed = 2);
	char *p = rig_map(20 * MIB);
	struct phyr_list list;
	uint64_t phys;

	assert_int_equal(rig_pin(sim, p + 3 * PAGE, 17 * MIB, &list), 0);
	for (uint64_t at = 2 * MIB; at + 2 * MIB <= 17 * MIB; at += 2 * MIB) {
		phys = rig_phys(sim, p + at);
		assert_int_equal(phys % (2 * MIB), 0);
		assert_int_equal(rig_phys(sim, p + at + 2 * MIB - PAGE), phys + 2 * MIB - PAGE);
	}
	assert_in_range(list.nr_runs, 2, 10);
	rig_unpin(sim, &list);
	rig_unmap(p, 20 * MIB);
	phyr_sim_destroy(sim);
}

/* Blocks that were broken up are whole again when what broke them is gone; one stays broken. */
static void huge_can_have_all_whole_blocks(void **state)
{
	struct phyr_sim *sim = rig_sim(.memory = 20 * MIB, .scatter = PHYR_SIM_HUGE, .seed = 4);
	char *p = rig_map(22 * MIB);
	struct phyr_list one, list;

	assert_int_equal(rig_pin(sim, p + 20 * MIB, PAGE, &one), 0);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(rig_pin(sim, p + PAGE, 19 * MIB, &list), 0);
		rig_unpin(sim, &list);
		assert_int_equal(rig_pin(sim, p, 18 * MIB, &list), 0);
		for (uint64_t at = 0; at < 18 * MIB; at += 2 * MIB)
			assert_int_equal(rig_phys(sim, p + at) % (2 * MIB), 0);
		rig_unpin(sim, &list);
	}
	rig_unpin(sim, &one);
	rig_unmap(p, 22 * MIB);
	phyr_sim_destroy(sim);
}

static void linear_is_one_run(void **state)
{
	struct phyr_sim *sim = rig_sim(.memory = 64 * MIB, .scatter = PHYR_SIM_LINEAR, .seed = 0);
	char *p = rig_map(64 * MIB);
	struct phyr_list list, rest;

	assert_int_equal(rig_pin(sim, p + 5 * PAGE, 20 * MIB, &list), 0);
	assert_int_equal(list.nr_runs, 1);
	/* What follows goes on behind it, also in a list of its own. */
	assert_int_equal(rig_pin(sim, p + 24 * MIB, 40 * MIB, &rest), 0);
	assert_int_equal(rest.nr_runs, 1);
	assert_int_equal(rig_phys(sim, p + 24 * MIB), rig_phys(sim, p + 5 * PAGE) + 20 * MIB);
	rig_unpin(sim, &list);
	rig_unpin(sim, &rest);
	rig_unmap(p, 64 * MIB);
	phyr_sim_destroy(sim);
}

/* However it is scattered, memory is full when its last frame is used, also one that ends oddly. */
static void all_memory_can_be_pinned(void **state)
{
	struct rnd r = rnd_start("all_memory_can_be_pinned");
	const uint64_t pages[] = {1, 2, 511, 513, 1024 + 77, 4096};

	for (unsigned i = 0; i < 24; i++) {
		uint64_t nr = pages[i / 4];
		struct phyr_sim *sim =
			rig_sim(.memory = nr * PAGE, .scatter = (enum phyr_sim_scatter)(i % 4),
				.seed = rnd_u64(&r));
		char *p = rig_map((nr + 1) * PAGE);
		struct phyr_list list, more;

		assert_int_equal(rig_pin(sim, p, nr * PAGE, &list), 0);
		assert_int_equal(rig_stats(sim).pinned_pages, nr);
		assert_int_equal(rig_pin(sim, p + nr * PAGE, 1, &more), -12);
		rig_unpin(sim, &list);
		assert_int_equal(rig_stats(sim).map_bytes, 0);
		rig_unmap(p, (nr + 1) * PAGE);
		phyr_sim_destroy(sim);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(create_refuses_bad_settings),
		cmocka_unit_test(create_without_address_space_fails),
		cmocka_unit_test(space_and_env_are_the_machines),
		cmocka_unit_test(pin_gives_exact_bytes),
		cmocka_unit_test(pin_counts_pages),
		cmocka_unit_test(pin_goes_on_inside_a_page),
		cmocka_unit_test(pin_refuses),
		cmocka_unit_test(unpin_twice_is_reported),
		cmocka_unit_test(unpin_of_many_strangers_is_one_report),
		cmocka_unit_test(same_seed_same_places),
		cmocka_unit_test(mixed_is_like_anonymous_memory),
		cmocka_unit_test(single_has_no_neighbours),
		cmocka_unit_test(huge_is_aligned),
		cmocka_unit_test(huge_can_have_all_whole_blocks),
		cmocka_unit_test(linear_is_one_run),
		cmocka_unit_test(all_memory_can_be_pinned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
