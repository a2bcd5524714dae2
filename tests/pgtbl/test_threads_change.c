/* SPDX-License-Identifier: MIT */
/*
 * Threads that map, write, cut, promote, unmap and reclaim at once, each in iova of its own, in tables that
 * they share: pieces of leaf tables, and whole spans of leaf tables in tables of the next level.
 *
 *   level 1   [ 0 1 2 3 0 1 2 3 … ]      whose span it is
 *   level 0   [ 0000 1111 2222 3333 … ]  whose pieces
 */
#include <pthread.h>

#include "core/bits.h"
#include "lib/rnd.h"
#include "pgtbl/rig.h"

#define THREADS 4
#define PIECE   32 /* granules */

struct worker {
	pthread_t thread;
	struct rig *rig;
	struct phyr_gather g;
	struct rnd r;
	unsigned number;
	uint64_t granule, table; /* bytes that a leaf and a leaf table map */
	uint64_t failed;         /* line of the first check that did not hold */
};

/* cmocka's asserts are for one thread only. */
#define CHECK(w, what)                          \
	do {                                    \
		if (!(what) && !(w)->failed)    \
			(w)->failed = __LINE__; \
	} while (0)

static void sync(void *arg, struct phyr_gather *gather)
{
	struct worker *w = arg;

	phyr_pgtbl_free_gathered(w->rig->pt, gather);
	phyr_gather_init(gather);
}

static uint64_t granule_in(struct worker *w, uint64_t len)
{
	return rnd_below(&w->r, len / w->granule) * w->granule;
}

/* One call, in two slices that do not join. */
static void map(struct worker *w, uint64_t iova, uint64_t addr, uint64_t len)
{
	uint64_t at = w->granule + granule_in(w, len - w->granule);
	struct phyr_slice slices[2];
	struct phyr_listv listv = {slices, 2};
	struct phyr_list list;
	struct phyr_cursor cur;

	phyr_list_init(&list, NULL, NULL);
	CHECK(w, !phyr_list_append(&list, addr, len));
	CHECK(w, !phyr_slice_init(&slices[0], &list, 0, at));
	CHECK(w, !phyr_slice_init(&slices[1], &list, at, len - at));
	phyr_cursor_init_listv(&cur, &listv);
	CHECK(w, !phyr_pgtbl_map(w->rig->pt, iova, &cur, RW, &w->g));
	phyr_list_fini(&list);
}

static void check(struct worker *w, uint64_t iova, uint64_t addr, uint64_t len)
{
	struct phyr_translation tr = {0};
	uint64_t at = rnd_below(&w->r, len);

	CHECK(w, !phyr_pgtbl_translate(w->rig->pt, iova + at, &tr));
	CHECK(w, tr.addr == addr + at && tr.prot == RW);
}

static int mark(void *arg, const struct phyr_pgtbl_entry *e)
{
	const struct rig *rig = arg;

	if (e->leaf)
		case_set_dirty(rig->c, rig_entry(rig, e->table, e->index));
	return 0;
}

struct told {
	uint64_t first, last, len;
};

static void tell(void *arg, uint64_t iova, uint64_t len)
{
	struct told *t = arg;

	if (!t->len)
		t->first = iova;
	t->last = iova + len - 1;
	t->len += len;
}

static struct told dirty(struct worker *w, uint64_t iova, uint64_t len, bool clear)
{
	struct told t = {0};

	CHECK(w, !phyr_pgtbl_dirty(w->rig->pt, iova, len, clear, tell, &t, &w->g));
	return t;
}

/* The device writes: it is told, by cuts and promotions, too, until it was taken away. */
static void write_at(struct worker *w, uint64_t iova, uint64_t len, uint64_t at)
{
	struct told t;

	if (!w->rig->c->config.dirty)
		return;
	CHECK(w, !phyr_pgtbl_walk(w->rig->pt, iova + at, 1, mark, w->rig));
	t = dirty(w, iova, len, false);
	CHECK(w, t.len && t.first <= iova + at && t.last >= iova + at);
}

static void check_written(struct worker *w, uint64_t iova, uint64_t len, uint64_t at)
{
	struct told t;

	if (!w->rig->c->config.dirty)
		return;
	t = dirty(w, iova, len, true);
	CHECK(w, t.len && t.first <= iova + at && t.last >= iova + at);
	sync(w, &w->g);
	t = dirty(w, iova, len, true);
	CHECK(w, !t.len);
}

/* Everything with one stretch, which is nobody else's; nothing is left. */
static void use(struct worker *w, uint64_t iova, uint64_t len)
{
	struct phyr_pgtbl_idle idle = {sync, w};
	struct phyr_pgtbl *pt = w->rig->pt;
	uint64_t addr = (rnd_below(&w->r, 256) + 1) * (w->table << 4) + (iova & (w->table - 1));
	uint64_t edge = w->granule + granule_in(w, len - w->granule), at = granule_in(w, len);
	uint64_t leaves = 0;

	map(w, iova, addr, len);
	write_at(w, iova, len, at);
	check(w, iova, addr, len);
	/* An edge already: a neighbour's tables, which may go meanwhile, are not looked at. */
	CHECK(w, !phyr_pgtbl_cut(pt, iova, &idle, &w->g));
	CHECK(w, !phyr_pgtbl_promote(pt, iova, len, &idle, &w->g, &leaves));
	check(w, iova, addr, len);
	CHECK(w, !phyr_pgtbl_cut(pt, iova + edge, &idle, &w->g));
	check(w, iova, addr, len);
	check_written(w, iova, len, at);
	sync(w, &w->g);
	CHECK(w, !phyr_pgtbl_unmap(pt, iova + edge, len - edge, &w->g, NULL));
	check(w, iova, addr, edge);
	CHECK(w, !phyr_pgtbl_promote(pt, iova, edge, &idle, &w->g, NULL));
	CHECK(w, !phyr_pgtbl_unmap(pt, iova, edge, &w->g, NULL));
	CHECK(w, !phyr_pgtbl_reclaim(pt, iova, len, &w->g));
	if (rnd_below(&w->r, 4) == 0)
		sync(w, &w->g);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	uint64_t turn;

	for (unsigned i = 0; i < ROUNDS(6000); i++) {
		turn = rnd_below(&w->r, 64) * THREADS + w->number;
		use(w, 16 * w->table + turn * PIECE * w->granule, PIECE * w->granule);
		turn = rnd_below(&w->r, 4) * THREADS + w->number;
		use(w, 64 * w->table + turn * w->table, w->table);
	}
	sync(w, &w->g);
	return NULL;
}

static void run(const char *name, struct rnd *r)
{
	struct worker workers[THREADS];
	struct rig rig;

	rig_init(&rig, pgtbl_case(name));
	for (unsigned i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){.rig = &rig,
					     .r = {rnd_u64(r)},
					     .number = i,
					     .granule = (uint64_t)1 << rig.c->granule_lg2};
		workers[i].table = workers[i].granule << (rig.c->granule_lg2 - 3);
		phyr_gather_init(&workers[i].g);
		assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(workers[i].thread, NULL);
	for (unsigned i = 0; i < THREADS; i++)
		if (workers[i].failed)
			fail_msg("%s: line %u", name, (unsigned)workers[i].failed);
	assert_int_equal(phyr_pgtbl_tables(rig.pt),
			 rig_check_tables(&rig, 0, phyr_pgtbl_last(rig.pt)));
	assert_int_equal(phyr_pgtbl_reclaim(rig.pt, 0, phyr_pgtbl_last(rig.pt), &rig.g), 0);
	rig_sync(&rig);
	assert_int_equal(phyr_pgtbl_tables(rig.pt), 1);
	rig_fini(&rig);
}

static void threads_change_what_is_their_own(void **state)
{
	static const char *const names[] = {
		"x86_64",
		"vtdss-dirty",
		"vtdss-noncoherent",
		"amdv1-dirty",
		"riscv64-48",
		"riscv64-48-dirty",
		"arm64_s1-4k-dirty",
		"arm64_s1-4k-dirty-bbm0",
		"arm64_s1-16k",
		"arm64_s2-4k-noncoherent-bbm0",
	};
	struct rnd r = rnd_start("pgtbl/threads-change");

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		run(names[i], &r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads_change_what_is_their_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
