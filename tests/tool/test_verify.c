/* SPDX-License-Identifier: MIT */
/* Stamps of phyr io --verify: each kind of damage is seen, what is right or not known is let be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "io/verify.h"

#define BLOCK 512
#define NR    8

static uint64_t disk[NR][BLOCK / 8];
static struct verify v;

static void start(enum io_rw rw, uint64_t create, bool trims_zero)
{
	const struct io_opts opts = {.rw = rw, .create = create, .seed = 3};

	assert_int_equal(verify_init(&v, &opts, NR, BLOCK), 0);
	v.trims_zero = trims_zero;
	memset(disk, create ? 0 : 0x5a, sizeof(disk));
}

static struct verify_found look(void)
{
	struct verify_found found = {0};

	verify_check(&v, disk, 0, sizeof(disk), &found);
	return found;
}

static int teardown(void **state)
{
	verify_fini(&v);
	return 0;
}

static void damage_is_seen(void **state)
{
	uint64_t block[BLOCK / 8];

	start(RW_WRITE, sizeof(disk), true);
	verify_fill(&v, disk, 0, sizeof(disk));
	assert_int_equal(look().wrong, 0);
	for (unsigned bit = 0; bit < 8 * BLOCK; bit++) {
		disk[3][bit / 64] ^= UINT64_C(1) << bit % 64;
		assert_int_equal(look().wrong, 1);
		disk[3][bit / 64] ^= UINT64_C(1) << bit % 64;
	}
	/* Another block's data, and an older write's. */
	memcpy(block, disk[3], BLOCK);
	memcpy(disk[3], disk[4], BLOCK);
	assert_int_equal(look().wrong, 1);
	memcpy(disk[3], block, BLOCK);
	verify_fill(&v, disk[3], 3, BLOCK);
	assert_int_equal(look().wrong, 0);
	memcpy(disk[3], block, BLOCK);
	assert_int_equal(look().wrong, 1);
	assert_int_equal(look().unstamped, 0);
}

static struct verify_wrong the_one(void)
{
	struct verify_found found = look();

	assert_int_equal(found.wrong, 1);
	assert_int_equal(found.nr_first, 1);
	return found.first[0];
}

static void check_one(uint64_t lba, enum verify_expected expected, uint32_t generation,
		      enum verify_held held, uint64_t held_lba, uint64_t held_generation)
{
	struct verify_wrong w = the_one();

	assert_int_equal(w.lba, lba);
	assert_int_equal(w.expected, expected);
	assert_int_equal(w.generation, generation);
	assert_int_equal(w.held, held);
	assert_int_equal(w.held_lba, held_lba);
	assert_int_equal(w.held_generation, held_generation);
}

/* Which block, what it should be, and what it is instead. */
static void wrong_is_told(void **state)
{
	uint64_t old[BLOCK / 8];

	start(RW_WRITE, sizeof(disk), true);
	disk[6][1] = 1;
	check_one(6, EXPECT_ZEROES, 0, HELD_NO_STAMP, 0, 0);
	verify_fill(&v, disk, 0, sizeof(disk));
	memcpy(old, disk[3], BLOCK);
	verify_fill(&v, disk[3], 3, BLOCK);
	memcpy(disk[3], old, BLOCK);
	check_one(3, EXPECT_GENERATION, 2, HELD_GENERATION, 3, 1);
	memcpy(disk[3], disk[4], BLOCK);
	check_one(3, EXPECT_GENERATION, 2, HELD_OTHER_BLOCK, 4, 1);
	memcpy(disk[3], old, BLOCK);
	disk[3][20] ^= 1;
	check_one(3, EXPECT_GENERATION, 2, HELD_DAMAGED, 0, 0);
	memset(disk[3], 0, BLOCK);
	check_one(3, EXPECT_GENERATION, 2, HELD_ZEROES, 0, 0);
	assert_int_equal(look().unstamped, 1);
	v.seed++;
	verify_fill(&v, disk[3], 3, BLOCK);
	v.seed--;
	assert_int_equal(v.generation[3], 3);
	check_one(3, EXPECT_GENERATION, 3, HELD_OTHER_RUN, 3, 3);
	memcpy(disk[3], old, BLOCK);
	verify_trim(&v, 3, BLOCK);
	check_one(3, EXPECT_ZEROES, 0, HELD_GENERATION, 3, 1);
}

/* A block that is read wrong twice counts twice and is told of once. */
static void found_together(void **state)
{
	struct verify_found sum = {0}, all, one;

	start(RW_READ, 0, true);
	disk[1][0] = 7;
	one = (struct verify_found){0};
	verify_check(&v, disk[1], 1, BLOCK, &one);
	all = look();
	verify_merge(&sum, &one);
	verify_merge(&sum, &all);
	verify_merge(&sum, &all);
	assert_int_equal(sum.wrong, 2 * NR + 1);
	assert_int_equal(sum.unstamped, 2 * NR + 1);
	assert_int_equal(sum.nr_first, NR);
	assert_int_equal(sum.first[0].lba, 1);
	assert_int_equal(sum.first[1].lba, 0);
	assert_int_equal(sum.first[2].lba, 2);
}

static void unwritten(void **state)
{
	start(RW_WRITE, 0, true);
	assert_int_equal(look().wrong, 0);
	teardown(state);
	start(RW_WRITE, sizeof(disk), true);
	assert_int_equal(look().wrong, 0);
	disk[5][63] = 1;
	assert_int_equal(look().wrong, 1);
	teardown(state);
	/* Who only reads expects stamps everywhere. */
	start(RW_READ, 0, true);
	assert_int_equal(look().wrong, NR);
	assert_int_equal(look().unstamped, NR);
}

static void deallocated(void **state)
{
	start(RW_WRITE, 0, true);
	verify_fill(&v, disk, 0, sizeof(disk));
	verify_trim(&v, 2, 2 * BLOCK);
	assert_int_equal(look().wrong, 2);
	memset(disk[2], 0, 2 * sizeof(disk[2]));
	assert_int_equal(look().wrong, 0);
	disk[3][0] = 1;
	assert_int_equal(look().wrong, 1);
	/* Written again it is as any other, with a generation of its own. */
	verify_fill(&v, disk[3], 3, BLOCK);
	assert_int_equal(look().wrong, 0);
	assert_int_equal(v.generation[3], 2);
	verify_trim(&v, 3, BLOCK);
	assert_int_equal(look().wrong, 1);
}

/* A device that does not say what deallocated blocks read as may give anything. */
static void deallocated_unknown(void **state)
{
	start(RW_WRITE, sizeof(disk), false);
	verify_trim(&v, 0, sizeof(disk));
	memset(disk, 0xff, sizeof(disk));
	assert_int_equal(look().wrong, 0);
	verify_fill(&v, disk, 0, sizeof(disk));
	disk[0][9] ^= 1;
	assert_int_equal(look().wrong, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(damage_is_seen, teardown),
		cmocka_unit_test_teardown(wrong_is_told, teardown),
		cmocka_unit_test_teardown(found_together, teardown),
		cmocka_unit_test_teardown(unwritten, teardown),
		cmocka_unit_test_teardown(deallocated, teardown),
		cmocka_unit_test_teardown(deallocated_unknown, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
