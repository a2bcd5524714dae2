/* SPDX-License-Identifier: MIT */
/*
 * Random pins and unpins against a count for each page. After each step: what is pinned is what the
 * model says, each page has one frame and each frame one page, a page keeps its frame, and a list's
 * bytes are the buffer's, in order.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/rnd.h"
#include "sim/rig.h"

#define PAGES  1500
#define FRAMES 1100
#define LISTS  40
#define STEPS  1500

struct model {
	struct phyr_sim *sim;
	char *base;
	uint64_t pinned;
	unsigned count[PAGES];
	uint64_t phys[PAGES];
	struct {
		struct phyr_list list;
		uint64_t at, len; /* of the buffer, bytes from base */
		bool live;
	} lists[LISTS];
};

static void count_pages(struct model *m, uint64_t at, uint64_t len, int by)
{
	for (uint64_t page = at / PAGE; page <= (at + len - 1) / PAGE; page++) {
		m->pinned += !m->count[page] && by > 0;
		m->count[page] += (unsigned)by;
		m->pinned -= !m->count[page] && by < 0;
		m->phys[page] = m->count[page] ? m->phys[page] : 0;
	}
}

/* How many more pages a buffer takes. */
static uint64_t wants(const struct model *m, uint64_t at, uint64_t len)
{
	uint64_t n = 0;

	for (uint64_t page = at / PAGE; page <= (at + len - 1) / PAGE; page++)
		n += !m->count[page];
	return n;
}

static void check_list(struct model *m, unsigned i)
{
	const struct phyr_space *space = phyr_sim_space(m->sim);
	struct phyr_cursor cur;
	struct phyr_range r;
	uint64_t at = m->lists[i].at;

	phyr_cursor_init(&cur, &m->lists[i].list);
	while (phyr_cursor_next(&cur, &r)) {
		while (r.len) {
			uint64_t len = r.len;

			assert_ptr_equal(space->to_cpu(space, r.addr, &len), m->base + at);
			assert_true(len > 0 && len <= r.len);
			at += len;
			r.addr += len;
			r.len -= len;
		}
	}
	assert_int_equal(at, m->lists[i].at + m->lists[i].len);
}

static int by_addr(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void check_frames(const uint64_t *all, uint64_t nr)
{
	uint64_t sorted[PAGES];

	memcpy(sorted, all, nr * sizeof(*all));
	qsort(sorted, nr, sizeof(*sorted), by_addr);
	for (uint64_t i = 0; i + 1 < nr; i++)
		assert_true(sorted[i] + PAGE <= sorted[i + 1]);
}

static void check_pages(struct model *m)
{
	uint64_t all[PAGES], nr = 0, phys;

	for (unsigned page = 0; page < PAGES; page++) {
		int err = phyr_sim_to_phys(m->sim, m->base + page * PAGE, &phys);

		assert_int_equal(err, m->count[page] ? 0 : -2);
		if (err) {
			m->phys[page] = 0;
			continue;
		}
		assert_true(!m->phys[page] || m->phys[page] == phys);
		m->phys[page] = phys;
		all[nr++] = phys;
	}
	assert_int_equal(nr, m->pinned);
	assert_int_equal(rig_stats(m->sim).pinned_pages, nr);
	check_frames(all, nr);
}

static void random_pin(struct model *m, struct rnd *r, unsigned i)
{
	uint64_t at = rnd_below(r, PAGES * PAGE), len = rnd_log(r, 1, 300 * PAGE);
	int err;

	if (at + len > PAGES * PAGE)
		len = PAGES * PAGE - at;
	err = rig_pin(m->sim, m->base + at, len, &m->lists[i].list);
	assert_int_equal(err, m->pinned + wants(m, at, len) > FRAMES ? -12 : 0);
	if (err) {
		assert_int_equal(m->lists[i].list.len, 0);
		return;
	}
	count_pages(m, at, len, 1);
	m->lists[i].at = at;
	m->lists[i].len = len;
	m->lists[i].live = true;
}

/* The buffer goes on for a bit, from wherever it ends. */
static void random_more(struct model *m, struct rnd *r, unsigned i)
{
	uint64_t end = m->lists[i].at + m->lists[i].len, more = rnd_log(r, 1, 3 * PAGE);
	uint64_t fresh = (end + PAGE - 1) / PAGE * PAGE, need;
	int err;

	if (end + more > PAGES * PAGE)
		return;
	need = fresh < end + more ? wants(m, fresh, end + more - fresh) : 0;
	err = phyr_sim_pin(m->sim, m->base + end, more, &m->lists[i].list);
	assert_int_equal(err, m->pinned + need > FRAMES ? -12 : 0);
	if (err)
		return;
	if (fresh < end + more)
		count_pages(m, fresh, end + more - fresh, 1);
	m->lists[i].len += more;
}

static void unpin(struct model *m, unsigned i)
{
	rig_unpin(m->sim, &m->lists[i].list);
	count_pages(m, m->lists[i].at, m->lists[i].len, -1);
	m->lists[i].live = false;
}

static void run(struct rnd *r, enum phyr_sim_scatter scatter)
{
	struct model *m = calloc(1, sizeof(*m));

	m->sim = rig_sim(.memory = FRAMES * PAGE, .scatter = scatter, .seed = rnd_u64(r));
	m->base = rig_map(PAGES * PAGE);
	for (unsigned step = 0; step < STEPS; step++) {
		unsigned i = (unsigned)rnd_below(r, LISTS);

		if (!m->lists[i].live)
			random_pin(m, r, i);
		else if (rnd_below(r, 3))
			unpin(m, i);
		else
			random_more(m, r, i);
		if (m->lists[i].live)
			check_list(m, i);
		if (step % 16 == 0)
			check_pages(m);
	}
	for (unsigned i = 0; i < LISTS; i++)
		if (m->lists[i].live)
			unpin(m, i);
	assert_int_equal(m->pinned, 0);
	check_pages(m);
	assert_int_equal(rig_stats(m->sim).map_bytes, 0);
	rig_unmap(m->base, PAGES * PAGE);
	phyr_sim_destroy(m->sim);
	free(m);
}

static void pins_agree_with_the_model(void **state)
{
	struct rnd r = rnd_start("pins_agree_with_the_model");

	for (unsigned scatter = PHYR_SIM_MIXED; scatter <= PHYR_SIM_LINEAR; scatter++)
		run(&r, (enum phyr_sim_scatter)scatter);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(pins_agree_with_the_model)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
