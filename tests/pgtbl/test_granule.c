/* SPDX-License-Identifier: MIT */
/* Tables whose smallest page is several entries: what is less than a granule is mapped whole. */
#include "core/bits.h"
#include "pgtbl/setup.h"

#define FROM(bytes) (~((uint64_t)(bytes)-1))

static const struct phyr_pgtbl_config configs[] = {
	{.size = sizeof(configs[0]), .format = PHYR_PGTBL_AMDV1, .page_sizes = FROM(KIB(16))},
	{.size = sizeof(configs[0]), .format = PHYR_PGTBL_RISCV64, .page_sizes = FROM(KIB(64))},
	{.size = sizeof(configs[0]), .format = PHYR_PGTBL_ARM64_S1, .page_sizes = FROM(KIB(64))},
	{.size = sizeof(configs[0]), .format = PHYR_PGTBL_VTDSS, .page_sizes = FROM(MIB(2))},
};

struct table {
	struct tenv t;
	struct phyr_pgtbl *pt;
	struct phyr_gather g;
	uint64_t granule;
};

static void table_init(struct table *s, const struct phyr_pgtbl_config *config)
{
	tenv_init(&s->t, NULL);
	assert_int_equal(phyr_pgtbl_create(&s->t.env, config, &s->pt), 0);
	phyr_gather_init(&s->g);
	s->granule = phyr_pgtbl_page_sizes(s->pt) & -phyr_pgtbl_page_sizes(s->pt);
	assert_int_equal(s->granule, config->page_sizes & -config->page_sizes);
}

static void table_fini(struct table *s)
{
	phyr_pgtbl_free_gathered(s->pt, &s->g);
	phyr_pgtbl_destroy(s->pt);
	tenv_fini(&s->t);
}

static int map_at(struct table *s, uint64_t iova, uint64_t addr, uint64_t len)
{
	struct phyr_cursor cur;

	phyr_cursor_init_range(&cur, addr, len);
	return phyr_pgtbl_map(s->pt, iova, &cur, RW, &s->g);
}

static void assert_granule(struct table *s, uint64_t iova, uint64_t addr)
{
	struct phyr_translation tr = {0};

	for (uint64_t at = 0; at < s->granule; at += PAGE) {
		assert_int_equal(phyr_pgtbl_translate(s->pt, iova + at, &tr), 0);
		assert_int_equal(tr.addr, addr + at);
		assert_int_equal(tr.leaf_size, s->granule);
	}
	assert_int_equal(phyr_pgtbl_translate(s->pt, iova + s->granule, &tr), -ENOENT);
	assert_int_equal(phyr_pgtbl_translate(s->pt, iova - 1, &tr), -ENOENT);
}

/* A page in the midst of a granule, once with no table there, once with one. */
static void a_page_maps_its_granule(void **state)
{
	for (unsigned i = 0; i < ARRAY_SIZE(configs); i++) {
		struct phyr_translation tr;
		struct table s;

		table_init(&s, &configs[i]);
		for (unsigned round = 0; round < 2; round++) {
			assert_int_equal(map_at(&s, MIB(2) + PAGE, MIB(8) + PAGE, PAGE), 0);
			assert_granule(&s, MIB(2), MIB(8));
			assert_int_equal(map_at(&s, MIB(2), MIB(64), PAGE), -EEXIST);
			assert_granule(&s, MIB(2), MIB(8));
			assert_int_equal(phyr_pgtbl_unmap(s.pt, MIB(2) + PAGE, PAGE, &s.g, NULL),
					 0);
			assert_int_equal(phyr_pgtbl_translate(s.pt, MIB(2), &tr), -ENOENT);
		}
		table_fini(&s);
	}
}

/* What only a smaller granule could take is refused, with and without a table there. */
static void offsets_are_the_granules(void **state)
{
	for (unsigned i = 0; i < ARRAY_SIZE(configs); i++) {
		struct phyr_translation tr;
		struct table s;

		table_init(&s, &configs[i]);
		for (unsigned round = 0; round < 2; round++) {
			assert_int_equal(map_at(&s, MIB(4), MIB(8) + PAGE, PAGE), -EINVAL);
			assert_int_equal(map_at(&s, MIB(4) + PAGE, MIB(8), PAGE), -EINVAL);
			assert_int_equal(map_at(&s, MIB(4), MIB(8) + PAGE, MIB(8)), -EINVAL);
			assert_int_equal(phyr_pgtbl_translate(s.pt, MIB(4), &tr), -ENOENT);
			assert_int_equal(phyr_pgtbl_translate(s.pt, MIB(4) + PAGE, &tr), -ENOENT);
			assert_int_equal(phyr_pgtbl_cut(s.pt, MIB(4) + PAGE, NULL, &s.g), -EINVAL);
			if (!round)
				assert_int_equal(map_at(&s, MIB(2), MIB(2), PAGE), 0);
		}
		table_fini(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_page_maps_its_granule),
		cmocka_unit_test(offsets_are_the_granules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
