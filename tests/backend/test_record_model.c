/* SPDX-License-Identifier: MIT */
/*
 * Random calls on the record beside a sorted array, with allocations that fail; and the whole tree
 * walked now and then.
 *
 * Runs lie on a field of pages, so dense that overlaps, neighbours and edges inside runs are common.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/rnd.h"
#include "lib/tenv.h"
#include "record_check.h"

#define STEPS 200000

struct model {
	struct rnd r;
	struct tenv t;
	struct record rec;
	struct record_run *runs;
	uint64_t nr;
	uint64_t base;  /* bytes: where the field begins */
	uint64_t pages; /* of the field */
	uint64_t most;  /* runs */
	uint64_t next;  /* page of the window that is being filled in order */
	uint64_t inserted, failed, removed;
};

static uint64_t last_of(const struct record_run *run)
{
	return run->iova + (run->len - 1);
}

/* The index of the first run that ends at or after an iova. */
static uint64_t model_next(const struct model *m, uint64_t iova)
{
	uint64_t low = 0, high = m->nr;

	while (low < high) {
		uint64_t mid = (low + high) / 2;

		if (last_of(&m->runs[mid]) < iova)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static uint64_t page_in(struct model *m)
{
	return rnd_below(&m->r, m->pages);
}

static uint64_t iova_of(const struct model *m, uint64_t page)
{
	return m->base + (page << PHYR_PAGE_LG2);
}

/* Any byte of the field, or of the pages around it. */
static uint64_t any_iova(struct model *m)
{
	uint64_t page = rnd_below(&m->r, m->pages + 2);

	return m->base - (m->base ? PHYR_PAGE_SIZE : 0) + (page << PHYR_PAGE_LG2) +
	       rnd_below(&m->r, PHYR_PAGE_SIZE);
}

static void same(const struct record_run *a, const struct record_run *b)
{
	assert_int_equal(a->iova, b->iova);
	assert_int_equal(a->addr, b->addr);
	assert_int_equal(a->len, b->len);
	assert_int_equal(a->prot, b->prot);
	assert_int_equal(a->first, b->first);
	assert_int_equal(a->last, b->last);
}

static void all_there(struct model *m)
{
	uint64_t at = 0;
	struct record_run run;

	record_check(&m->rec);
	assert_int_equal(m->rec.nr, m->nr);
	for (uint64_t i = 0; i < m->nr; i++) {
		assert_true(phyr_record_next(&m->rec, at, &run));
		same(&run, &m->runs[i]);
		at = last_of(&run) + 1;
	}
	assert_false(phyr_record_next(&m->rec, at, &run));
}

static struct record_run random_run(struct model *m, uint64_t page)
{
	uint64_t pages = rnd_below(&m->r, 4) ? 1 : rnd_log(&m->r, 1, 8);

	return (struct record_run){
		.iova = iova_of(m, page),
		.addr = rnd_below(&m->r, ((uint64_t)1 << 45) - 8) << PHYR_PAGE_LG2,
		.len = pages << PHYR_PAGE_LG2,
		.prot = (unsigned)rnd_below(&m->r, 8),
		.first = rnd_below(&m->r, 2),
		.last = rnd_below(&m->r, 2),
	};
}

static void insert(struct model *m, uint64_t page)
{
	struct record_run run = random_run(m, page);
	uint64_t at = model_next(m, run.iova);
	bool taken = at < m->nr && m->runs[at].iova <= last_of(&run);
	uint64_t bytes = m->rec.bytes;
	int err;

	if (m->nr == m->most)
		return;
	tenv_restart(&m->t);
	m->t.fail_at = rnd_below(&m->r, 3) ? 0 : 1 + rnd_below(&m->r, 3);
	err = phyr_record_insert(&m->rec, &run);
	if (taken) {
		assert_int_equal(err, -EEXIST);
		assert_int_equal(m->rec.bytes, bytes);
		return;
	}
	assert_int_equal(err, m->t.failed ? -ENOMEM : 0);
	if (err) {
		m->failed++;
		if (m->nr < 1000)
			all_there(m);
		return;
	}
	memmove(m->runs + at + 1, m->runs + at, (m->nr - at) * sizeof(run));
	m->runs[at] = run;
	m->nr++;
	m->inserted++;
}

static void look(struct model *m)
{
	uint64_t iova = any_iova(m), at = model_next(m, iova);
	struct record_run run = {.iova = 1}, untouched = run;

	if (phyr_record_next(&m->rec, iova, &run)) {
		assert_true(at < m->nr);
		same(&run, &m->runs[at]);
	} else {
		assert_true(at == m->nr);
		same(&run, &untouched);
	}
	run = untouched;
	if (phyr_record_find(&m->rec, iova, &run)) {
		assert_true(at < m->nr && m->runs[at].iova <= iova);
		same(&run, &m->runs[at]);
	} else {
		assert_true(at == m->nr || m->runs[at].iova > iova);
		same(&run, &untouched);
	}
}

static void take_out(struct model *m, uint64_t start, uint64_t last)
{
	uint64_t from = model_next(m, start), to, allocs;

	if (from < m->nr && m->runs[from].iova < start)
		from++;
	for (to = from; to < m->nr && last_of(&m->runs[to]) <= last; to++)
		;
	tenv_restart(&m->t);
	allocs = m->t.allocs;
	assert_int_equal(phyr_record_remove(&m->rec, start, last), to - from);
	assert_int_equal(m->t.allocs, allocs);
	memmove(m->runs + from, m->runs + to, (m->nr - to) * sizeof(m->runs[0]));
	m->nr -= to - from;
	m->removed += to - from;
}

/* Mostly a few runs; a stretch of the field now and then, and all of it once in a while. */
static void take_some(struct model *m)
{
	uint64_t page = page_in(m), one_in = rnd_below(&m->r, 1000);
	uint64_t start = iova_of(m, page), len;

	if (one_in == 0 && m->nr > m->most / 2) {
		take_out(m, 0, rnd_below(&m->r, 2) ? UINT64_MAX : iova_of(m, m->pages));
		return;
	}
	len = rnd_log(&m->r, 1, one_in < 10 ? m->pages : 8) << PHYR_PAGE_LG2;
	if (!rnd_below(&m->r, 4)) /* an edge inside a page */
		start += rnd_below(&m->r, PHYR_PAGE_SIZE);
	take_out(m, start, start + len - 1 - (rnd_below(&m->r, 4) ? 0 : rnd_below(&m->r, len)));
}

/* A window is filled in order, as a link does it; then the next, somewhere else. */
static void fill(struct model *m)
{
	uint64_t nr = rnd_log(&m->r, 1, 600);

	m->next = page_in(m);
	while (nr-- && m->next < m->pages)
		insert(m, m->next++);
}

static void step(struct model *m, bool grows)
{
	uint64_t what = rnd_below(&m->r, 100);

	if (what < 30)
		look(m);
	else if (what == 30 && grows)
		fill(m);
	else if (what < (grows ? 90u : 50u))
		insert(m, page_in(m));
	else
		take_some(m);
}

static void run_model(const char *name, uint64_t base, uint64_t pages, uint64_t most)
{
	struct model m = {.r = rnd_start(name), .base = base, .pages = pages, .most = most};
	bool grows = true;

	tenv_init(&m.t, NULL);
	m.runs = calloc(most, sizeof(m.runs[0]));
	assert_non_null(m.runs);
	phyr_record_init(&m.rec, &m.t.env);
	for (unsigned i = 0; i < STEPS; i++) {
		if (m.nr < most / 20 || m.nr > most * 9 / 10)
			grows = m.nr < most / 20;
		step(&m, grows);
		if (i % 1024 == 0)
			all_there(&m);
	}
	all_there(&m);
	print_message("# inserted %llu, failed %llu, removed %llu, live %llu, levels %u\n",
		      (unsigned long long)m.inserted, (unsigned long long)m.failed,
		      (unsigned long long)m.removed, (unsigned long long)m.nr, m.rec.levels);
	phyr_record_fini(&m.rec);
	assert_int_equal(m.rec.bytes, 0);
	tenv_fini(&m.t);
	free(m.runs);
}

/* One leaf, two, a few: where nodes are made and go. */
static void test_few(void **state)
{
	run_model("few", 0, 900, 700);
}

static void test_some(void **state)
{
	run_model("some", ((uint64_t)1 << 57) - ((uint64_t)8008 << PHYR_PAGE_LG2), 8000, 4000);
}

static void test_many(void **state)
{
	run_model("many", (uint64_t)1 << 40, 150000, 70000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_few),
		cmocka_unit_test(test_some),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
