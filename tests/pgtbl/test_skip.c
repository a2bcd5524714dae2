/* SPDX-License-Identifier: MIT */
/*
 * Levels that AMD's tables skip: the entry that does, how it grows, who is told, and what stays.
 *
 * AMD I/O Virtualization Technology (IOMMU) Specification, 48882, 2.2.3: Next Level, bits 11:9, may be less
 * than the level of the entry by more than one; iova bits of the levels between are 0 then.
 */
#include <pthread.h>

#include "core/bits.h"
#include "core/order.h"
#include "lib/rnd.h"
#include "pgtbl/rig.h"

#define PT_FLAGS  UINT64_C(0x6000000000000001) /* IW, IR, PR */
#define NEXT(n)   (PT_FLAGS | (uint64_t)(n) << 9)
#define ADDRESS   UINT64_C(0x000ffffffffff000)
#define IGNORED   UINT64_C(0x800000000000019e)
#define ENTRY0_6  ((UINT64_C(1) << 57) - 1) /* the last iova of entry 0 with 6 levels */
#define RIG_OF(c) pgtbl_case("amdv1-" c)

static uint64_t entry0(const struct rig *rig, uint64_t table)
{
	return load_acquire(rig_entry(rig, table, 0)) & ~IGNORED;
}

static unsigned next_level(uint64_t e)
{
	return (unsigned)(e >> 9) & 7;
}

static int map_at(struct rig *rig, uint64_t iova, uint64_t addr, uint64_t len,
		  struct phyr_gather *g)
{
	struct phyr_cursor cur;

	phyr_cursor_init_range(&cur, addr, len);
	return phyr_pgtbl_map(rig->pt, iova, &cur, RW, g);
}

static void leads(const struct rig *rig, uint64_t iova, uint64_t addr)
{
	struct phyr_translation tr, other;

	assert_int_equal(phyr_pgtbl_translate(rig->pt, iova, &tr), 0);
	assert_int_equal(tr.addr, addr);
	if (rig_walker) {
		assert_int_equal(rig_walker(rig, iova, &other), 0);
		assert_int_equal(other.addr, addr);
	}
}

static void leads_nowhere(const struct rig *rig, uint64_t iova)
{
	struct phyr_translation tr;

	assert_int_equal(phyr_pgtbl_translate(rig->pt, iova, &tr), -ENOENT);
	if (rig_walker)
		assert_int_equal(rig_walker(rig, iova, &tr), -ENOENT);
}

/* Six levels: the first page needs one table below the top; each next one of these a level more. */
static void entries_bit_by_bit(void **state)
{
	static const uint64_t at[] = {0x5000, MIB(3), GIB(5), TIB(7), TIB(300)};
	struct rig rig;
	uint64_t root, low[6], e;

	rig_init(&rig, RIG_OF("6-skip"));
	root = phyr_pgtbl_root(rig.pt);
	for (unsigned i = 0; i < ARRAY_SIZE(at); i++) {
		leads_nowhere(&rig, at[i]);
		assert_int_equal(map_at(&rig, at[i], (i + 1) * PAGE, PAGE, &rig.g), 0);
		e = entry0(&rig, root);
		assert_int_equal(e & ~ADDRESS, NEXT(i + 1));
		low[i] = e & ADDRESS;
		for (unsigned j = i; j; j--)
			assert_int_equal(entry0(&rig, low[j]), NEXT(j) | low[j - 1]);
		for (unsigned j = 0; j <= i; j++)
			leads(&rig, at[j] + 5, (j + 1) * PAGE + 5);
		rig_sync(&rig);
	}
	/* 5 low tables, and below those of levels 2 to 5, for these pages, 1 to 4 others. */
	assert_int_equal(phyr_pgtbl_tables(rig.pt), 1 + 5 + 1 + 2 + 3 + 4);
	assert_int_equal(rig_check_tables(&rig, 0, UINT64_MAX), phyr_pgtbl_tables(rig.pt));
	rig_fini(&rig);
}

/* High iova first, and beyond entry 0: nothing is skipped there, nor is anything in the way. */
static void high_first(void **state)
{
	struct rig rig;

	rig_init(&rig, RIG_OF("6-skip"));
	assert_int_equal(map_at(&rig, UINT64_MAX - (PAGE - 1), PAGE, PAGE, &rig.g), 0);
	assert_int_equal(phyr_pgtbl_tables(rig.pt), 6);
	assert_int_equal(map_at(&rig, ENTRY0_6 - (PAGE - 1), 2 * PAGE, 2 * PAGE, &rig.g), 0);
	assert_int_equal(phyr_pgtbl_tables(rig.pt), 16);
	assert_int_equal(map_at(&rig, 0, 4 * PAGE, PAGE, &rig.g), 0);
	assert_true(rig.g.start > rig.g.last && !rig.g.tables);
	leads(&rig, UINT64_MAX, 2 * PAGE - 1);
	leads(&rig, ENTRY0_6, 3 * PAGE - 1);
	leads(&rig, ENTRY0_6 + 1, 3 * PAGE);
	leads(&rig, 0, 4 * PAGE);
	rig_fini(&rig);
}

static void only_if_told_to(void **state)
{
	struct phyr_pgtbl_config config = RIG_OF("6-skip")->config;
	struct phyr_pgtbl *pt = NULL;
	struct rig rig;

	rig_init(&rig, RIG_OF("6"));
	assert_int_equal(map_at(&rig, 0, PAGE, PAGE, &rig.g), 0);
	assert_int_equal(phyr_pgtbl_tables(rig.pt), 6);
	assert_int_equal(entry0(&rig, phyr_pgtbl_root(rig.pt)) & ~ADDRESS, NEXT(5));
	config.levels = 4;
	for (unsigned f = PHYR_PGTBL_X86_64; f <= PHYR_PGTBL_RISCV64; f++) {
		config.format = (enum phyr_pgtbl_format)f;
		if (f == PHYR_PGTBL_AMDV1)
			continue;
		if (f == PHYR_PGTBL_ARM64_S1 || f == PHYR_PGTBL_ARM64_S2)
			config.oa_bits = 48;
		assert_int_equal(phyr_pgtbl_create(&rig.t.env, &config, &pt), -EINVAL);
		assert_non_null(strstr(rig.t.last.hint, "skip_levels"));
	}
	rig_fini(&rig);
}

static bool has_span(const struct phyr_gather *g)
{
	return !g->start && g->last >= ENTRY0_6;
}

static void give_back(struct rig *rig, struct phyr_gather *g)
{
	phyr_pgtbl_free_gathered(rig->pt, g);
	phyr_gather_init(g);
}

/* Until those who grew the table have synced, whoever maps below its entry has to, too. */
static void others_are_told(void **state)
{
	struct phyr_gather first, second, other;
	struct rig rig;

	rig_init(&rig, RIG_OF("6-skip"));
	phyr_gather_init(&first);
	phyr_gather_init(&second);
	phyr_gather_init(&other);
	assert_int_equal(map_at(&rig, 0, PAGE, PAGE, &other), 0);
	assert_int_equal(map_at(&rig, PAGE, PAGE, PAGE, &other), 0);
	assert_true(other.start > other.last && !other.tables);
	assert_int_equal(map_at(&rig, MIB(2), PAGE, PAGE, &first), 0);
	assert_true(has_span(&first) && first.tables);
	assert_int_equal(map_at(&rig, GIB(1), PAGE, PAGE, &second), 0);
	assert_true(has_span(&second) && second.tables);
	for (unsigned i = 0; i < 4; i++) {
		if (i == 2)
			give_back(&rig, i & 1 ? &first : &second);
		assert_int_equal(map_at(&rig, MIB(8) + i * PAGE, PAGE, PAGE, &other), 0);
		assert_true(has_span(&other) && !other.tables);
		phyr_gather_init(&other);
	}
	give_back(&rig, &first);
	assert_int_equal(map_at(&rig, MIB(9), PAGE, PAGE, &other), 0);
	assert_int_equal(map_at(&rig, GIB(2), PAGE, 3 * PAGE, &other), 0);
	assert_true(other.start > other.last && !other.tables);
	rig_fini(&rig);
}

/* Unmaps and reclaims of less than entry 0's span leave the low table; all of it is all of it. */
static void what_stays(void **state)
{
	struct rig rig;

	rig_init(&rig, RIG_OF("6-skip"));
	assert_int_equal(map_at(&rig, 0, GIB(8), MIB(2) - PAGE, &rig.g), 0);
	assert_int_equal(map_at(&rig, MIB(2) - PAGE, PAGE, PAGE, &rig.g), 0);
	assert_int_equal(phyr_pgtbl_tables(rig.pt), 2);
	assert_int_equal(phyr_pgtbl_unmap(rig.pt, 0, MIB(2), &rig.g, NULL), 0);
	assert_int_equal(phyr_pgtbl_reclaim(rig.pt, 0, ENTRY0_6 - PAGE, &rig.g), 0);
	assert_int_equal(phyr_pgtbl_reclaim(rig.pt, MIB(2), ENTRY0_6, &rig.g), 0);
	rig_sync(&rig);
	assert_int_equal(phyr_pgtbl_tables(rig.pt), 2);
	assert_int_equal(map_at(&rig, ENTRY0_6 + 1, PAGE, PAGE, &rig.g), 0);
	assert_int_equal(map_at(&rig, 0, PAGE, PAGE, &rig.g), 0);
	/* What lies between is not there, and does no harm. */
	assert_int_equal(phyr_pgtbl_unmap(rig.pt, 0, ENTRY0_6 + 1 + PAGE, &rig.g, NULL), 0);
	rig_sync(&rig);
	assert_int_equal(phyr_pgtbl_tables(rig.pt), 6);
	assert_int_equal(phyr_pgtbl_reclaim(rig.pt, 0, UINT64_MAX, &rig.g), 0);
	rig_sync(&rig);
	assert_int_equal(phyr_pgtbl_tables(rig.pt), 1);
	rig_fini(&rig);
}

/* A part is unmapped that begins in the low table and ends beyond: the low table is not cut off. */
static void out_of_the_low_table(void **state)
{
	struct rig rig;

	rig_init(&rig, RIG_OF("6-skip"));
	assert_int_equal(map_at(&rig, 0, PAGE, PAGE, &rig.g), 0);
	assert_int_equal(map_at(&rig, PAGE, 4 * PAGE, PAGE, &rig.g), 0);
	assert_int_equal(map_at(&rig, ENTRY0_6 + 1, 8 * PAGE, PAGE, &rig.g), 0);
	assert_int_equal(phyr_pgtbl_unmap(rig.pt, PAGE, ENTRY0_6 + 1, &rig.g, NULL), 0);
	leads(&rig, 0, PAGE);
	leads_nowhere(&rig, PAGE);
	leads_nowhere(&rig, ENTRY0_6 + 1);
	rig_fini(&rig);
}

static int map_sliced(struct rig *rig, uint64_t iova, uint64_t addr, uint64_t len)
{
	struct phyr_slice slices[2];
	struct phyr_listv listv = {slices, 2};
	struct phyr_list list;
	struct phyr_cursor cur;
	int err;

	phyr_list_init(&list, NULL, NULL);
	assert_int_equal(phyr_list_append(&list, addr, len), 0);
	assert_int_equal(phyr_slice_init(&slices[0], &list, 0, PAGE), 0);
	assert_int_equal(phyr_slice_init(&slices[1], &list, PAGE, len - PAGE), 0);
	phyr_cursor_init_listv(&cur, &listv);
	err = phyr_pgtbl_map(rig->pt, iova, &cur, RW, &rig->g);
	phyr_list_fini(&list);
	return err;
}

/* A leaf that grows to all of the low table's reach needs the table above; without memory it stays small. */
static void promotion_grows(void **state)
{
	struct phyr_translation tr;
	uint64_t leaves;
	struct rig rig;

	rig_init(&rig, RIG_OF("6-skip"));
	assert_int_equal(map_sliced(&rig, 0, MIB(2), MIB(2)), 0);
	assert_int_equal(phyr_pgtbl_tables(rig.pt), 2);
	for (unsigned n = 1; n <= 3; n++) {
		tenv_restart(&rig.t);
		rig.t.fail_at = n;
		assert_int_equal(phyr_pgtbl_promote(rig.pt, 0, MIB(2), NULL, &rig.g, &leaves), 0);
		assert_int_equal(phyr_pgtbl_translate(rig.pt, 0, &tr), 0);
		assert_int_equal(tr.leaf_size, n < 3 ? MIB(1) : MIB(2));
		leads(&rig, MIB(1), MIB(3));
	}
	rig.t.fail_at = 0;
	rig_sync(&rig);
	assert_int_equal(phyr_pgtbl_tables(rig.pt), 2);
	assert_int_equal(entry0(&rig, phyr_pgtbl_root(rig.pt)) & ~ADDRESS, NEXT(2));
	rig_fini(&rig);
}

/* A leaf of the top table takes entry 0's place, where a low table was left empty; and back, by a cut. */
static void a_top_leaf(void **state)
{
	struct rig rig;

	rig_init(&rig, RIG_OF("4-skip"));
	assert_int_equal(map_at(&rig, PAGE, PAGE, PAGE, &rig.g), 0);
	assert_int_equal(map_at(&rig, 0, 0, GIB(512), &rig.g), -EEXIST);
	leads(&rig, PAGE, PAGE);
	assert_int_equal(phyr_pgtbl_unmap(rig.pt, PAGE, PAGE, &rig.g, NULL), 0);
	assert_int_equal(map_at(&rig, 0, GIB(512), GIB(512), &rig.g), 0);
	assert_true(!rig.g.start && rig.g.last >= GIB(512) - 1);
	rig_sync(&rig);
	assert_int_equal(phyr_pgtbl_tables(rig.pt), 1);
	assert_int_equal(map_at(&rig, MIB(2), PAGE, PAGE, &rig.g), -EEXIST);
	leads(&rig, GIB(511), GIB(512) + GIB(511));
	assert_int_equal(phyr_pgtbl_cut(rig.pt, PAGE, NULL, &rig.g), 0);
	leads(&rig, PAGE, GIB(512) + PAGE);
	assert_int_equal(phyr_pgtbl_unmap(rig.pt, 0, PAGE, &rig.g, NULL), 0);
	leads(&rig, 2 * PAGE, GIB(512) + 2 * PAGE);
	rig_fini(&rig);
}

/* Growth at several levels at once, without the n-th allocation. */
static bool growth_fails(const char *name, uint64_t iova, uint64_t n)
{
	struct rig rig;
	int err;

	rig_init(&rig, pgtbl_case(name));
	assert_int_equal(map_at(&rig, 3 * PAGE, PAGE, PAGE, &rig.g), 0);
	tenv_restart(&rig.t);
	rig.t.fail_at = n;
	err = map_at(&rig, iova, 5 * PAGE, 2 * PAGE, &rig.g);
	assert_int_equal(err, rig.t.failed ? -ENOMEM : 0);
	leads(&rig, 3 * PAGE, PAGE);
	if (err) {
		leads_nowhere(&rig, iova);
		rig_check_tables(&rig, 0, UINT64_MAX);
		rig_sync(&rig);
		rig.t.fail_at = 0;
		assert_int_equal(map_at(&rig, iova, 5 * PAGE, 2 * PAGE, &rig.g), 0);
	}
	leads(&rig, iova + PAGE, 6 * PAGE);
	rig_sync(&rig);
	assert_int_equal(rig_check_tables(&rig, 0, UINT64_MAX), phyr_pgtbl_tables(rig.pt));
	rig_fini(&rig);
	return err;
}

static void growth_without_memory(void **state)
{
	static const char *const names[] = {"amdv1-6-skip", "amdv1-6-skip-noncoherent"};
	unsigned n;

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		for (uint64_t iova = MIB(2) - PAGE; iova < ENTRY0_6; iova = (iova << 9) | PAGE) {
			for (n = 1; growth_fails(names[i], iova & ~(uint64_t)(PAGE - 1), n);)
				n++;
			assert_true(n > 2);
		}
}

/*
 * Threads, and what a walker may have cached of entry 0 all the while. It is renewed by a sync whose gather
 * has all of the span, and must always reach what a map call has returned and synced.
 */
#define THREADS 4

struct race {
	struct rig rig;
	pthread_mutex_t lock;
	uint64_t cached; /* 0: nothing */
	uint64_t *entry;
};

struct racer {
	pthread_t thread;
	struct race *race;
	struct rnd r;
	struct phyr_gather g;
	unsigned number;
	unsigned failed;
};

#define CHECK(w, what)                          \
	do {                                    \
		if (!(what) && !(w)->failed)    \
			(w)->failed = __LINE__; \
	} while (0)

/* The device walks. */
static void cache(struct race *race)
{
	pthread_mutex_lock(&race->lock);
	if (!race->cached)
		race->cached = load_acquire(race->entry);
	pthread_mutex_unlock(&race->lock);
}

static void invalidate(struct racer *w)
{
	struct race *race = w->race;

	pthread_mutex_lock(&race->lock);
	if (has_span(&w->g))
		race->cached = 0;
	pthread_mutex_unlock(&race->lock);
	give_back(&race->rig, &w->g);
}

/* Device's access to iova by what it has cached. */
static bool reached(struct race *race, uint64_t iova)
{
	unsigned next;

	pthread_mutex_lock(&race->lock);
	next = next_level(race->cached);
	pthread_mutex_unlock(&race->lock);
	return !next || !(iova >> (12 + 9 * next));
}

static void *run_race(void *arg)
{
	struct racer *w = arg;
	struct race *race = w->race;

	for (unsigned level = 0; level < 5; level++) {
		uint64_t size = UINT64_C(1) << (12 + 9 * level);
		uint64_t iova = size + w->number * PAGE, addr = (level * 16 + w->number + 1) * PAGE;
		struct phyr_translation tr = {0};

		cache(race);
		CHECK(w, !map_at(&race->rig, iova, addr, PAGE, &w->g));
		cache(race);
		if (w->g.start <= w->g.last)
			invalidate(w);
		CHECK(w, reached(race, iova));
		cache(race);
		CHECK(w, reached(race, iova));
		CHECK(w, !phyr_pgtbl_translate(race->rig.pt, iova, &tr) && tr.addr == addr);
		if (rnd_below(&w->r, 2))
			continue;
		CHECK(w, !phyr_pgtbl_unmap(race->rig.pt, iova, PAGE, &w->g, NULL));
		if (rnd_below(&w->r, 2))
			invalidate(w);
	}
	invalidate(w);
	return NULL;
}

static void race_once(const char *name, struct rnd *r)
{
	struct racer w[THREADS];
	struct race race;
	uint64_t left;

	rig_init(&race.rig, pgtbl_case(name));
	race.entry = rig_entry(&race.rig, phyr_pgtbl_root(race.rig.pt), 0);
	race.cached = 0;
	pthread_mutex_init(&race.lock, NULL);
	for (unsigned i = 0; i < THREADS; i++) {
		w[i] = (struct racer){.race = &race, .r = {rnd_u64(r)}, .number = i};
		phyr_gather_init(&w[i].g);
		assert_int_equal(pthread_create(&w[i].thread, NULL, run_race, &w[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(w[i].thread, NULL);
	for (unsigned i = 0; i < THREADS; i++)
		if (w[i].failed)
			fail_msg("%s: line %u", name, w[i].failed);
	left = rig_check_tables(&race.rig, 0, UINT64_MAX);
	assert_int_equal(phyr_pgtbl_tables(race.rig.pt), left);
	assert_int_equal(load_relaxed(race.entry) & 0x1e, 0); /* all was synced: no mark is left */
	pthread_mutex_destroy(&race.lock);
	rig_fini(&race.rig);
}

static void threads_grow_it(void **state)
{
	struct rnd r = rnd_start("pgtbl/skip");

	for (unsigned i = 0; i < ROUNDS(2000); i++) {
		race_once("amdv1-6-skip", &r);
		race_once("amdv1-6-skip-noncoherent", &r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_bit_by_bit),
		cmocka_unit_test(high_first),
		cmocka_unit_test(only_if_told_to),
		cmocka_unit_test(others_are_told),
		cmocka_unit_test(what_stays),
		cmocka_unit_test(out_of_the_low_table),
		cmocka_unit_test(promotion_grows),
		cmocka_unit_test(a_top_leaf),
		cmocka_unit_test(growth_without_memory),
		cmocka_unit_test(threads_grow_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
