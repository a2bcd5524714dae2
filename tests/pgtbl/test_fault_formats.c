/* SPDX-License-Identifier: MIT */
/*
 * Each allocation of a map and of a cut fails once, on every format in every configuration: nothing has
 * changed, nothing is leaked, and with memory the same call succeeds. A promotion allocates nothing.
 */
#include "core/bits.h"
#include "pgtbl/rig.h"

/* All entries that there are. */
struct dump {
	struct phyr_pgtbl_entry *e;
	size_t nr, room;
};

static int keep(void *arg, const struct phyr_pgtbl_entry *entry)
{
	struct dump *d = arg;

	if (d->nr == d->room) {
		d->room = d->room ? 2 * d->room : 64;
		d->e = realloc(d->e, d->room * sizeof(*d->e));
		assert_non_null(d->e);
	}
	d->e[d->nr++] = *entry;
	return 0;
}

static struct dump dump(struct rig *rig)
{
	uint64_t last = phyr_pgtbl_last(rig->pt);
	struct dump d = {0};

	assert_int_equal(phyr_pgtbl_walk(rig->pt, 0, last + 1 ? last + 1 : last, keep, &d), 0);
	return d;
}

/* The leaves are what they were; tables may have come. Frees both. */
static void assert_same_leaves(struct dump *was, struct dump *now)
{
	size_t i = 0, j = 0;

	for (;; i++, j++) {
		while (i < was->nr && !was->e[i].leaf)
			i++;
		while (j < now->nr && !now->e[j].leaf)
			j++;
		if (i == was->nr || j == now->nr)
			break;
		assert_int_equal(was->e[i].iova, now->e[j].iova);
		assert_int_equal(was->e[i].entry, now->e[j].entry);
		assert_int_equal(was->e[i].table, now->e[j].table);
		assert_int_equal(was->e[i].index, now->e[j].index);
	}
	assert_true(i == was->nr && j == now->nr);
	free(was->e);
	free(now->e);
}

static int map_list(struct rig *rig, uint64_t iova, struct phyr_list *list)
{
	struct phyr_cursor cur;
	int err;

	phyr_cursor_init(&cur, list);
	err = phyr_pgtbl_map(rig->pt, iova, &cur, RW, &rig->g);
	assert_int_equal(cur.left, err ? list->len : 0);
	return err;
}

/* Granules over the edge of two leaf tables, and a run that takes each size below a top one. */
static uint64_t fill(const struct pgtbl_case *c, struct phyr_list *list)
{
	uint64_t granule = (uint64_t)1 << c->granule_lg2, table = granule << (c->granule_lg2 - 3);
	uint64_t room = UINT64_MAX >> (64 - c->iova_bits);

	for (uint64_t i = 0; i < table / granule / 2; i++)
		assert_int_equal(phyr_list_append(list, (2 * i + 1) * granule, granule), 0);
	if (room / 4 > 2 * table)
		assert_int_equal(phyr_list_append(list, 8 * table, 2 * table + 5 * granule), 0);
	return room < 4 * table ? 0 : (room / 4 + 1) - table / 4;
}

/* Whether there were so many allocations. */
static bool map_fails(const struct pgtbl_case *c, uint64_t n)
{
	struct dump was, now;
	struct phyr_list list;
	uint64_t iova;
	struct rig rig;
	int err;

	rig_init(&rig, c);
	phyr_list_init(&list, NULL, NULL);
	iova = fill(c, &list);
	was = dump(&rig);
	tenv_restart(&rig.t);
	rig.t.fail_at = n;
	err = map_list(&rig, iova, &list);
	assert_int_equal(err, rig.t.failed ? -ENOMEM : 0);
	if (err) {
		now = dump(&rig);
		assert_same_leaves(&was, &now);
		rig_sync(&rig);
		rig_check_tables(&rig, 0, phyr_pgtbl_last(rig.pt));
		rig.t.fail_at = 0;
		assert_int_equal(map_list(&rig, iova, &list), 0);
	} else {
		free(was.e);
	}
	assert_int_equal(phyr_pgtbl_unmap(rig.pt, iova, list.len, &rig.g, NULL), 0);
	phyr_list_fini(&list);
	rig_fini(&rig);
	return err;
}

/* Cut a leaf of that size some way in, without the n-th allocation. Whether there were so many. */
static bool cut_fails(const struct pgtbl_case *c, uint64_t size, uint64_t at, uint64_t n)
{
	struct phyr_pgtbl_idle idle;
	struct phyr_cursor cur;
	struct dump was, now;
	struct rig rig;
	int err;

	rig_init(&rig, c);
	idle = rig_idle(&rig);
	phyr_cursor_init_range(&cur, size, size);
	assert_int_equal(phyr_pgtbl_map(rig.pt, size, &cur, RW, &rig.g), 0);
	was = dump(&rig);
	tenv_restart(&rig.t);
	rig.t.fail_at = n;
	err = phyr_pgtbl_cut(rig.pt, size + at, &idle, &rig.g);
	assert_int_equal(err, rig.t.failed ? -ENOMEM : 0);
	if (err) {
		assert_string_equal(rig.t.last.call, "phyr_pgtbl_cut");
		assert_true(rig.g.start > rig.g.last && !rig.g.tables && !rig.syncs);
		now = dump(&rig);
		assert_int_equal(was.nr, now.nr);
		assert_same_leaves(&was, &now);
		assert_int_equal(phyr_pgtbl_tables(rig.pt), rig_check_tables(&rig, size, 2 * size));
		rig.t.fail_at = 0;
		assert_int_equal(phyr_pgtbl_cut(rig.pt, size + at, &idle, &rig.g), 0);
	} else {
		free(was.e);
	}
	assert_int_equal(phyr_pgtbl_tables(rig.pt), rig_check_tables(&rig, size, 2 * size));
	assert_int_equal(phyr_pgtbl_unmap(rig.pt, size, at, &rig.g, NULL), 0);
	assert_int_equal(phyr_pgtbl_unmap(rig.pt, size + at, size - at, &rig.g, NULL), 0);
	rig_fini(&rig);
	return err;
}

/* Each of the first, which differ; of hundreds of tables in a row some. */
static uint64_t next(uint64_t n)
{
	return n + 1 + (n > 20 ? n / 4 : 0);
}

static void map_without_memory(void **state)
{
	for (unsigned i = 0; i < pgtbl_nr_cases; i++) {
		uint64_t n = 1;

		while (map_fails(&pgtbl_cases[i], n))
			n = next(n);
		assert_true(pgtbl_cases[i].config.levels == 1 || n > 2);
	}
}

static void cut_without_memory(void **state)
{
	for (unsigned i = 0; i < pgtbl_nr_cases; i++) {
		const struct pgtbl_case *c = &pgtbl_cases[i];
		uint64_t granule = (uint64_t)1 << c->granule_lg2, size, n;

		for (size = granule << 1; size < CASE_SIZES_BELOW; size <<= 1) {
			if (!(c->sizes & size) || size >> (c->iova_bits - 2))
				continue;
			for (n = 1; cut_fails(c, size, granule, n);)
				n = next(n);
			assert_true(n > 1);
			for (n = 1; cut_fails(c, size, size / 2, n);)
				n = next(n);
		}
	}
}

static void promotion_needs_none(void **state)
{
	for (unsigned i = 0; i < pgtbl_nr_cases; i++) {
		const struct pgtbl_case *c = &pgtbl_cases[i];
		uint64_t granule = (uint64_t)1 << c->granule_lg2, leaves = 0;
		uint64_t above = c->sizes & ~granule, size = above & -above;
		struct phyr_slice slices[2];
		struct phyr_listv listv = {slices, 2};
		struct phyr_pgtbl_idle idle;
		struct phyr_list list;
		struct phyr_cursor cur;
		struct rig rig;

		if (!above || size > MIB(2))
			continue;
		rig_init(&rig, c);
		idle = rig_idle(&rig);
		phyr_list_init(&list, NULL, NULL);
		assert_int_equal(phyr_list_append(&list, size, size), 0);
		assert_int_equal(phyr_slice_init(&slices[0], &list, 0, granule), 0);
		assert_int_equal(phyr_slice_init(&slices[1], &list, granule, size - granule), 0);
		phyr_cursor_init_listv(&cur, &listv);
		assert_int_equal(phyr_pgtbl_map(rig.pt, size, &cur, RW, &rig.g), 0);
		tenv_restart(&rig.t);
		rig.t.fail_at = 1;
		assert_int_equal(phyr_pgtbl_promote(rig.pt, size, size, &idle, &rig.g, &leaves), 0);
		assert_int_equal(leaves, 1);
		assert_int_equal(rig.t.allocs, 0);
		phyr_list_fini(&list);
		rig_fini(&rig);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(map_without_memory),
		cmocka_unit_test(cut_without_memory),
		cmocka_unit_test(promotion_needs_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
