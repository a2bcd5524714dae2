/* SPDX-License-Identifier: MIT */
/*
 * Random maps, unmaps and look-ups on the kernel's backends, beside a plain array that has a page's
 * address for each page of iova; now and then a device goes and comes, and memory is not there. After
 * each step the record, and the fake kernel, are as the array says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "backend/kernelrig.h"
#include "core/bits.h"
#include "core/err.h"
#include "lib/rnd.h"
#include "lib/sanitized.h"

#define PAGES 512
#define BASE  (16 * M)
#define POOL  64 /* pages of memory, so that addresses often follow each other */

struct page {
	uint64_t addr; /* 0: not mapped */
	unsigned prot;
	unsigned call; /* which map call */
};

static struct krig r;
static struct page pages[PAGES];
static struct rnd rnd;
static unsigned calls;
static bool attached;

/* The model's answer to a map. */
static int may_map(unsigned at, const uint64_t *addrs, unsigned nr)
{
	for (unsigned i = 0; i < nr; i++) {
		if (pages[at + i].addr)
			return -EEXIST;
	}
	for (unsigned i = 0; i < nr && (attached); i++) {
		if (addrs[i] >= fk.bad_start && addrs[i] <= fk.bad_last)
			return -EFAULT;
	}
	return 0;
}

/* Pages of the pool, in stretches, as ranges of a random cut. */
static unsigned pick(uint64_t *addrs, unsigned nr, struct phyr_range *ranges)
{
	unsigned nr_ranges = 0;

	for (unsigned i = 0; i < nr; i++) {
		bool follows = i && rnd_below(&rnd, 4) && addrs[i - 1] < MEMORY + (POOL - 1) * K;

		addrs[i] = follows ? addrs[i - 1] + K : MEMORY + rnd_below(&rnd, POOL) * K;
		if (follows && rnd_below(&rnd, 2))
			ranges[nr_ranges - 1].len += K;
		else
			ranges[nr_ranges++] = (struct phyr_range){addrs[i], K};
	}
	return nr_ranges;
}

static uint64_t count_calls(const uint64_t *addrs, unsigned nr)
{
	uint64_t n = 1;

	for (unsigned i = 1; i < nr; i++)
		n += addrs[i] != addrs[i - 1] + K;
	return n;
}

static void map_some(void)
{
	unsigned nr = 1 + (unsigned)rnd_below(&rnd, 24), at = (unsigned)rnd_below(&rnd, PAGES - nr);
	unsigned prot = 1 + (unsigned)rnd_below(&rnd, 3), nr_ranges;
	struct phyr_range ranges[24];
	struct phyr_cursor cur;
	uint64_t addrs[24], ioctls = krig_stats(&r).ioctls;
	int want, err;

	nr_ranges = pick(addrs, nr, ranges);
	want = may_map(at, addrs, nr);
	assert_int_equal(phyr_cursor_init_ranges(&cur, ranges, nr_ranges), 0);
	err = phyr_domain_map(r.domain, BASE + at * K, phyr_space_user(), &cur, prot);
	assert_int_equal(err, want);
	assert_int_equal(cur.left, want ? nr * K : 0);
	if (want)
		return;
	if (attached || !r.vfio)
		assert_int_equal(krig_stats(&r).ioctls - ioctls, count_calls(addrs, nr));
	calls++;
	for (unsigned i = 0; i < nr; i++)
		pages[at + i] = (struct page){addrs[i], prot, calls};
}

static bool is_edge(unsigned at, unsigned before)
{
	return pages[at].addr && (before >= PAGES || pages[at].call != pages[before].call);
}

static void unmap_some(void)
{
	unsigned nr = 1 + (unsigned)rnd_below(&rnd, 60), at = (unsigned)rnd_below(&rnd, PAGES - nr);
	bool fits;

	/* Mostly at an edge, for there are few. */
	while (rnd_below(&rnd, 20) && at + nr < PAGES && !is_edge(at, at - 1))
		at++;
	while (rnd_below(&rnd, 20) && nr > 1 && !is_edge(at + nr - 1, at + nr))
		nr--;
	fits = is_edge(at, at - 1) && is_edge(at + nr - 1, at + nr);
	assert_int_equal(krig_unmap(&r, BASE + at * K, nr * K), fits ? 0 : -EINVAL);
	if (fits)
		memset(pages + at, 0, nr * sizeof(pages[0]));
}

/* The device goes, or comes back; it does not to memory that is not there. */
static void come_or_go(void)
{
	bool bad = false;

	if (attached) {
		phyr_domain_detach(r.domain, DEV);
		attached = false;
		return;
	}
	for (unsigned i = 0; i < PAGES; i++)
		bad |= pages[i].addr && pages[i].addr >= fk.bad_start &&
		       pages[i].addr <= fk.bad_last;
	assert_int_equal(phyr_domain_attach(r.domain, DEV), bad ? -EBUSY : 0);
	attached = !bad;
}

static void check_page(unsigned at)
{
	uint64_t iova = BASE + at * K + rnd_below(&rnd, K);
	bool in_kernel = attached || !r.vfio;
	const struct fk_map *map = fk_find(fk_only_space(), iova);
	struct phyr_translation tr;
	int err = phyr_domain_translate(r.domain, iova, &tr);

	assert_int_equal(map != NULL, in_kernel && pages[at].addr);
	if (!pages[at].addr) {
		assert_int_equal(err, -ENOENT);
		return;
	}
	assert_int_equal(err, 0);
	assert_int_equal(tr.addr, pages[at].addr + (iova & (K - 1)));
	assert_int_equal(tr.prot, pages[at].prot);
	for (uint64_t i = 0; i < tr.leaf_size / K; i++) {
		uint64_t n = (at & ~(tr.leaf_size / K - 1)) + i; /* BASE has more alignment */

		assert_true(n < PAGES && pages[n].call == pages[at].call);
		assert_int_equal(pages[n].addr - pages[at].addr, (n - at) * K);
	}
	if (map)
		assert_int_equal(map->addr + (iova - map->iova), tr.addr);
}

static void step(void)
{
	switch (rnd_below(&rnd, 40)) {
	case 0:
		come_or_go();
		break;
	case 1:
		fk.bad_start = MEMORY + rnd_below(&rnd, POOL) * K;
		fk.bad_last = fk.bad_start + K - 1;
		if (rnd_below(&rnd, 2))
			fk.bad_start = UINT64_MAX;
		break;
	default:
		if (rnd_below(&rnd, 2))
			map_some();
		else
			unmap_some();
	}
}

static void model(void **state)
{
	const unsigned steps = tests_sanitized ? 5000 : 40000;

	rnd = rnd_start("kernel_model");
	krig_init(&r, *state);
	attached = true;
	memset(pages, 0, sizeof(pages));
	for (unsigned n = 0; n < steps; n++) {
		step();
		for (unsigned i = 0; i < 16; i++)
			check_page((unsigned)rnd_below(&rnd, PAGES));
		if (n % 64 == 0) {
			for (unsigned i = 0; i < PAGES; i++)
				check_page(i);
		}
	}
	fk.bad_start = UINT64_MAX;
	for (unsigned at = 0, end; at < PAGES; at = end) {
		for (end = at + 1; end < PAGES && pages[at].addr && !is_edge(end - 1, end);)
			end++;
		if (pages[at].addr)
			assert_int_equal(krig_unmap(&r, BASE + at * K, (end - at) * K), 0);
	}
	assert_int_equal(krig_stats(&r).record_bytes, 0);
	krig_fini(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{"model vfio", model, NULL, NULL, (void *)1},
		{"model iommufd", model, NULL, NULL, NULL},
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
