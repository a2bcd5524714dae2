/* SPDX-License-Identifier: MIT */
/* The bitmap against one bool a bit. */
#include <stdlib.h>

#include "lib/rnd.h"
#include "sim/bitmap.h"
#include "sim/rig.h"

static uint64_t slow_next(const bool *set, uint64_t nr, uint64_t from)
{
	while (from < nr && set[from])
		from++;
	return from < nr ? from : nr;
}

static void check_next(const struct sim_bitmap *map, const bool *set, uint64_t from)
{
	uint64_t next = slow_next(set, map->nr, from);

	assert_int_equal(phyr_sim_bitmap_next_clear(map, from), next);
	if (next == map->nr)
		next = slow_next(set, map->nr, 0);
	assert_int_equal(phyr_sim_bitmap_next_clear_wrap(map, from), next);
}

/* Set or clear a stretch, so that words of all levels fill up and empty. */
static void change(struct sim_bitmap *map, bool *set, struct rnd *r)
{
	uint64_t first = rnd_below(r, map->nr), len = rnd_log(r, 1, map->nr);
	bool on = rnd_below(r, 5) < 3;

	for (uint64_t i = first; i < map->nr && i < first + len; i++) {
		if (on)
			phyr_sim_bitmap_set(map, i);
		else
			phyr_sim_bitmap_clear(map, i);
		set[i] = on;
	}
}

static void run(struct rnd *r, uint64_t nr)
{
	struct sim_bitmap map;
	bool *set = calloc(nr, sizeof(*set));

	assert_int_equal(phyr_sim_bitmap_init(&map, nr), 0);
	for (unsigned step = 0; step < 200; step++) {
		change(&map, set, r);
		check_next(&map, set, 0);
		for (unsigned i = 0; i < 8; i++)
			check_next(&map, set, rnd_below(r, nr));
		check_next(&map, set, nr - 1);
	}
	for (uint64_t i = 0; i < nr; i++)
		phyr_sim_bitmap_set(&map, i);
	assert_int_equal(phyr_sim_bitmap_next_clear_wrap(&map, nr / 2), nr);
	phyr_sim_bitmap_clear(&map, nr / 3);
	assert_int_equal(phyr_sim_bitmap_next_clear_wrap(&map, nr / 2), nr / 3);
	phyr_sim_bitmap_fini(&map);
	free(set);
}

static void finds_what_a_scan_finds(void **state)
{
	const uint64_t nr[] = {1, 2, 63, 64, 65, 128, 4095, 4096, 4097, 20000};
	struct rnd r = rnd_start("finds_what_a_scan_finds");

	for (size_t i = 0; i < sizeof(nr) / sizeof(nr[0]); i++)
		run(&r, nr[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(finds_what_a_scan_finds)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
