/* SPDX-License-Identifier: MIT */
/* Which lines cut, promote and reclaim write back: what they wrote, and no more. */
#include "core/bits.h"
#include "pgtbl/rig.h"

static void map_at(struct rig *rig, uint64_t iova, uint64_t addr, uint64_t len)
{
	struct phyr_cursor cur;

	phyr_cursor_init_range(&cur, addr, len);
	assert_int_equal(phyr_pgtbl_map(rig->pt, iova, &cur, RW, &rig->g), 0);
}

static void map_halves(struct rig *rig, uint64_t iova, uint64_t addr, uint64_t len)
{
	struct phyr_slice slices[2];
	struct phyr_listv listv = {slices, 2};
	struct phyr_list list;
	struct phyr_cursor cur;

	phyr_list_init(&list, NULL, NULL);
	assert_int_equal(phyr_list_append(&list, addr, len), 0);
	assert_int_equal(phyr_slice_init(&slices[0], &list, 0, len / 2), 0);
	assert_int_equal(phyr_slice_init(&slices[1], &list, len / 2, len / 2), 0);
	phyr_cursor_init_listv(&cur, &listv);
	assert_int_equal(phyr_pgtbl_map(rig->pt, iova, &cur, RW, &rig->g), 0);
	phyr_list_fini(&list);
}

/* Since it was asked last. */
static void assert_flushed(struct rig *rig, uint64_t flushes, uint64_t bytes)
{
	assert_int_equal(rig->flushes, flushes);
	assert_int_equal(rig->flushed, bytes);
	rig_check_tables(rig, 0, GIB(8));
	rig->flushes = 0;
	rig->flushed = 0;
}

static void cuts(void **state)
{
	struct rig rig;

	rig_init(&rig, pgtbl_case("vtdss-noncoherent"));
	map_at(&rig, GIB(1), GIB(1), MIB(4));
	rig.flushes = rig.flushed = 0;
	/* Between leaves: a mark each. */
	assert_int_equal(phyr_pgtbl_cut(rig.pt, GIB(1) + MIB(2), NULL, &rig.g), 0);
	assert_flushed(&rig, 2, 16);
	/* Inside one: the stand-in and a table as they came, zeroed; the stand-in's entry; both parts of the
	 * table; and then the leaf's own entry. */
	assert_int_equal(phyr_pgtbl_cut(rig.pt, GIB(1) + PAGE, NULL, &rig.g), 0);
	assert_flushed(&rig, 2 + 1 + 2 + 1, 2 * PAGE + 8 + PAGE + 8);
	/* Nothing to do, nothing to write. */
	assert_int_equal(phyr_pgtbl_cut(rig.pt, GIB(1) + PAGE, NULL, &rig.g), 0);
	assert_flushed(&rig, 0, 0);
	rig_fini(&rig);
}

/* Eight entries of one leaf become two of four: the stand-in's, then theirs. */
static void cuts_of_runs(void **state)
{
	struct rig rig;

	rig_init(&rig, pgtbl_case("amdv1-noncoherent"));
	map_at(&rig, GIB(1), GIB(1), KIB(32));
	rig.flushes = rig.flushed = 0;
	assert_int_equal(phyr_pgtbl_cut(rig.pt, GIB(1) + KIB(16), NULL, &rig.g), 0);
	assert_flushed(&rig, 1 + 2 + 1, PAGE + 64 + 64);
	rig_fini(&rig);
}

/* Taken away, written back, and once more with what they are to be. */
static void cuts_with_a_break(void **state)
{
	struct phyr_pgtbl_idle idle;
	struct rig rig;

	rig_init(&rig, pgtbl_case("arm64_s2-4k-noncoherent-bbm0"));
	idle = rig_idle(&rig);
	map_at(&rig, GIB(1), GIB(1), KIB(64));
	rig.flushes = rig.flushed = 0;
	assert_int_equal(phyr_pgtbl_cut(rig.pt, GIB(1) + KIB(16), &idle, &rig.g), 0);
	assert_int_equal(rig.syncs, 1);
	assert_flushed(&rig, 1 + 2 + 2, PAGE + 3 * 16 * 8);
	rig_fini(&rig);
}

static void promotions(void **state)
{
	uint64_t leaves;
	struct rig rig;

	rig_init(&rig, pgtbl_case("vtdss-noncoherent"));
	map_halves(&rig, GIB(1), GIB(1), MIB(2));
	rig.flushes = rig.flushed = 0;
	assert_int_equal(phyr_pgtbl_promote(rig.pt, GIB(1), MIB(2), NULL, &rig.g, &leaves), 0);
	assert_int_equal(leaves, 1);
	assert_flushed(&rig, 1, 8);
	assert_int_equal(phyr_pgtbl_promote(rig.pt, GIB(1), MIB(2), NULL, &rig.g, &leaves), 0);
	assert_int_equal(leaves, 0);
	assert_flushed(&rig, 0, 0);
	rig_fini(&rig);
	rig_init(&rig, pgtbl_case("riscv64-48-noncoherent"));
	map_halves(&rig, GIB(1), GIB(1), KIB(64));
	rig.flushes = rig.flushed = 0;
	assert_int_equal(phyr_pgtbl_promote(rig.pt, GIB(1), KIB(64), NULL, &rig.g, &leaves), 0);
	assert_int_equal(leaves, 1);
	assert_flushed(&rig, 1, 16 * 8);
	rig_fini(&rig);
}

/* Neighbours together: taken away, and then as they are to be. */
static void promotions_with_a_break(void **state)
{
	struct phyr_pgtbl_idle idle;
	uint64_t leaves;
	struct rig rig;

	rig_init(&rig, pgtbl_case("arm64_s2-4k-noncoherent-bbm0"));
	idle = rig_idle(&rig);
	map_halves(&rig, GIB(1), GIB(1), KIB(64));
	map_halves(&rig, GIB(1) + KIB(64), GIB(2), KIB(64));
	rig.flushes = rig.flushed = 0;
	assert_int_equal(phyr_pgtbl_promote(rig.pt, GIB(1), MIB(1), &idle, &rig.g, &leaves), 0);
	assert_int_equal(leaves, 2);
	assert_int_equal(rig.syncs, 1);
	assert_flushed(&rig, 2, 2 * 2 * 16 * 8);
	rig_fini(&rig);
}

/* Two neighbours in one go; what is shared stays untouched. */
static void reclaims(void **state)
{
	struct rig rig;

	rig_init(&rig, pgtbl_case("vtdss-noncoherent"));
	for (unsigned i = 0; i < 3; i++) {
		map_at(&rig, GIB(1) + i * MIB(2), GIB(1), PAGE);
		assert_int_equal(phyr_pgtbl_unmap(rig.pt, GIB(1) + i * MIB(2), PAGE, &rig.g, NULL),
				 0);
	}
	rig.flushes = rig.flushed = 0;
	assert_int_equal(phyr_pgtbl_reclaim(rig.pt, GIB(1), MIB(5), &rig.g), 0);
	assert_flushed(&rig, 1, 16);
	rig_fini(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cuts),
		cmocka_unit_test(cuts_of_runs),
		cmocka_unit_test(cuts_with_a_break),
		cmocka_unit_test(promotions),
		cmocka_unit_test(promotions_with_a_break),
		cmocka_unit_test(reclaims),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
