/* SPDX-License-Identifier: MIT */
/*
 * Long random use of a domain: windows of all sizes come and go, through phyr_domain_* and the flush
 * queue, and through phyr_dma's two steps. Tables and the allocator's memory stay bounded, however
 * long it goes on; after a trim the tables are those that the windows need, and none but the top one
 * when there is no window.
 *
 * PHYR_TEST_SECONDS=60: each format for so long by the clock. An argument: the formats of that name.
 */
#include "backend/formats.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <phyr/dma.h>

#include "core/bits.h"
#include "lib/rnd.h"
#include "lib/sanitized.h"

#define PAGE       0x1000ull
#define LIVE       2000u
#define STEPS      (tests_sanitized ? 12000u : 120000u)
#define TRIM_EVERY 4000u
#define SOURCE     0x0100

/* Windows of two kinds; len 0: none. */
struct window {
	uint64_t iova, len, offset;
	bool dma;
	struct phyr_dma_iova_state state;
};

struct steady {
	struct rnd r;
	struct window windows[LIVE];
	struct phyr_dev *dev;
	struct phyr_flushq *q;
	uint64_t steps, live_bytes, trims;
	/* The most that was seen. */
	uint64_t live, bytes, tables, meta, highest, excess;
};

static struct steady s;

static struct phyr_iova *iova(void)
{
	return phyr_domain_iova(fmt.domain);
}

static uint64_t nr_tables(void)
{
	struct phyr_domain_stats stats;

	phyr_domain_get_stats(fmt.domain, &stats);
	return stats.tables;
}

static uint64_t cpu_of(const struct window *w, uint64_t at)
{
	uint64_t v;

	memcpy(&v, fmt.memory + w->offset + at, sizeof(v));
	return v;
}

/* The device gets at both ends. */
static void reach(const struct window *w)
{
	uint64_t ends[] = {0, w->len - PAGE}, v;

	for (unsigned i = 0; i < ARRAY_SIZE(ends); i++) {
		uint64_t tag = rnd_u64(&s.r);

		assert_int_equal(phyr_sim_dma_write(fmt.sdev, w->iova + ends[i], &tag, 8), 0);
		assert_int_equal(cpu_of(w, ends[i]), tag);
		assert_int_equal(phyr_sim_dma_read(fmt.sdev, w->iova + ends[i], &v, 8), 0);
		assert_int_equal(v, tag);
	}
}

static void map_by_hand(struct window *w, bool large)
{
	const struct phyr_iova_request request = {.size = sizeof(request),
						  .align = large ? 2 * FMT_MIB : 0};
	struct fmt_slot slot = {.offset = w->offset, .len = w->len};

	assert_int_equal(phyr_iova_alloc(iova(), w->len, large ? &request : NULL, &slot.iova), 0);
	assert_int_equal(fmt_map(&slot), 0);
	assert_int_equal(phyr_domain_sync_map(fmt.domain, slot.iova, slot.len), 0);
	w->iova = slot.iova;
}

static void map_by_dma(struct window *w)
{
	const enum phyr_dma_dir dir = PHYR_DMA_BIDIRECTIONAL;
	struct phyr_cursor cur;

	assert_int_equal(phyr_cursor_init_at(&cur, &fmt.list, w->offset, w->len), 0);
	assert_true(phyr_dma_iova_try_alloc(s.dev, &w->state, fmt_addr_of(w->offset), w->len));
	assert_int_equal(
		phyr_dma_iova_link_cursor(s.dev, &w->state, fmt.list.space, &cur, 0, dir, 0), 0);
	assert_int_equal(phyr_dma_iova_sync(s.dev, &w->state, 0, w->len), 0);
	w->iova = w->state.addr;
}

static void map(struct window *w)
{
	bool large = !rnd_below(&s.r, 16);
	uint64_t align = large ? 2 * FMT_MIB : PAGE;

	w->len = large ? (1 + rnd_below(&s.r, 4)) * 2 * FMT_MIB
		       : rnd_log(&s.r, 1, 8 * FMT_MIB / PAGE) * PAGE;
	w->offset = rnd_below(&s.r, FMT_MEMORY - w->len + 1) & ~(align - 1);
	w->dma = rnd_below(&s.r, 2);
	if (w->dma)
		map_by_dma(w);
	else
		map_by_hand(w, large);
	s.live_bytes += w->len;
	if (!rnd_below(&s.r, 16))
		reach(w);
}

static void unmap(struct window *w)
{
	struct phyr_gather gather;

	if (w->dma) {
		phyr_dma_iova_destroy(s.dev, &w->state, w->len, PHYR_DMA_BIDIRECTIONAL, 0);
	} else {
		phyr_gather_init(&gather);
		assert_int_equal(phyr_domain_unmap(fmt.domain, w->iova, w->len, &gather), 0);
		phyr_flushq_put(s.q, w->iova, w->len, &gather);
	}
	s.live_bytes -= w->len;
	w->len = 0;
}

static int by_iova(const void *a, const void *b)
{
	const struct window *x = *(const struct window *const *)a;
	const struct window *y = *(const struct window *const *)b;

	return x->iova < y->iova ? -1 : x->iova > y->iova;
}

/* Tables of one level, each of so many bytes of iova, that windows in order of iova lie in. */
static uint64_t spans(struct window *const *in_order, unsigned nr, unsigned lg2)
{
	uint64_t tables = 0, next = 0;

	for (unsigned i = 0; i < nr; i++) {
		uint64_t first = max_u64(in_order[i]->iova >> lg2, next);
		uint64_t end = ((in_order[i]->iova + in_order[i]->len - 1) >> lg2) + 1;

		tables += end > first ? end - first : 0;
		next = max_u64(next, end);
	}
	return tables;
}

/* The tables that all windows of now could need, but for large leaves. */
static uint64_t needed(unsigned *nr)
{
	static struct window *in_order[LIVE];
	uint64_t tables = 1;

	*nr = 0;
	for (unsigned i = 0; i < LIVE; i++)
		if (s.windows[i].len)
			in_order[(*nr)++] = &s.windows[i];
	qsort(in_order, *nr, sizeof(struct window *), by_iova);
	/* All of these formats have tables of 512 entries, and here four levels. */
	for (unsigned lg2 = 21; lg2 <= 39; lg2 += 9)
		tables += spans(in_order, *nr, lg2);
	return tables;
}

/* The tables of all iova up to the highest that was ever in use. */
static uint64_t bound(uint64_t highest)
{
	return (highest >> 21) + (highest >> 30) + (highest >> 39) + 4;
}

static void look(void)
{
	struct phyr_iova_stats stats;
	uint64_t tables = nr_tables();

	phyr_iova_get_stats(iova(), &stats);
	s.tables = max_u64(s.tables, tables);
	s.meta = max_u64(s.meta, stats.meta_bytes);
	s.live = max_u64(s.live, stats.live);
	s.bytes = max_u64(s.bytes, stats.live_bytes);
	s.highest = stats.highest;
	assert_true(stats.live_bytes >= s.live_bytes);
	assert_true(tables <= bound(stats.highest));
}

/* What is left is what the windows need, which the device still reaches. */
static void trim(void)
{
	uint64_t before = nr_tables(), ideal, after;
	unsigned nr;

	phyr_flushq_flush(s.q);
	assert_int_equal(phyr_domain_trim(fmt.domain), 0);
	ideal = needed(&nr);
	after = nr_tables();
	assert_true(after <= ideal && after <= before);
	s.excess = max_u64(s.excess, before * 100 / ideal);
	s.trims++;
	for (unsigned i = 0; i < LIVE; i += 1 + (unsigned)rnd_below(&s.r, 50))
		if (s.windows[i].len)
			reach(&s.windows[i]);
}

/* Of as many windows as there may be now: up, down, and up again. */
static void turn(void)
{
	unsigned most = s.steps / TRIM_EVERY % 4 == 3 ? LIVE / 20 : LIVE;
	struct window *w = &s.windows[rnd_below(&s.r, most)];

	if (most < LIVE && !rnd_below(&s.r, 2))
		w = &s.windows[most + rnd_below(&s.r, LIVE - most)];
	if (w->len)
		unmap(w);
	else if (w < &s.windows[most])
		map(w);
	if (++s.steps % 64 == 0)
		look();
	if (s.steps % TRIM_EVERY == 0)
		trim();
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void run(void)
{
	const char *given = getenv("PHYR_TEST_SECONDS");
	uint64_t end = given ? now_ns() + strtoull(given, NULL, 10) * 1000000000u : 0;

	while (given ? s.steps % 256 || now_ns() < end : s.steps < STEPS)
		turn();
}

static void print(uint64_t left)
{
	struct phyr_iova_stats stats;

	phyr_iova_get_stats(iova(), &stats);
	printf("# %s: %llu maps and unmaps, at most %llu live of %llu MiB, highest iova %llu MiB\n"
	       "#   tables: at most %llu (bound %llu; %llu.%02llu of what live windows need), %llu "
	       "after the last unmap",
	       fmt.kind->name, (unsigned long long)s.steps, (unsigned long long)s.live,
	       (unsigned long long)(s.bytes >> 20), (unsigned long long)(stats.highest >> 20),
	       (unsigned long long)s.tables, (unsigned long long)bound(stats.highest),
	       (unsigned long long)s.excess / 100, (unsigned long long)s.excess % 100,
	       (unsigned long long)left);
	printf(", %llu after a trim\n#   iova: at most %llu bytes, %llu for each live, %llu live "
	       "and %llu bytes after the last unmap\n",
	       (unsigned long long)nr_tables(), (unsigned long long)s.meta,
	       (unsigned long long)(s.meta / max_u64(s.live, 1)), (unsigned long long)stats.live,
	       (unsigned long long)stats.meta_bytes);
}

static void nothing_is_left(void)
{
	struct phyr_iova_stats stats;
	uint64_t left;

	for (unsigned i = 0; i < LIVE; i++)
		if (s.windows[i].len)
			unmap(&s.windows[i]);
	phyr_flushq_flush(s.q);
	left = nr_tables();
	assert_int_equal(phyr_domain_trim(fmt.domain), 0);
	print(left);
	assert_int_equal(nr_tables(), 1);
	phyr_iova_get_stats(iova(), &stats);
	assert_int_equal(stats.live, 0);
	assert_int_equal(stats.live_bytes, 0);
	assert_int_equal(stats.cached_bytes, 0);
	/* Low places first, and large ones aligned: it does not spread. */
	assert_true(stats.highest < 2 * s.bytes);
	assert_true(s.meta <= 2048 * s.live);
	assert_true(stats.meta_bytes <= s.meta);
}

static void tables_stay_bounded(void **state)
{
	const struct fmt_kind *kind = *state;

	memset(&s, 0, sizeof(s));
	s.r = rnd_start("backend/steady");
	fmt_begin(kind, (struct fmt_choices){0});
	phyr_domain_detach(fmt.domain, SOURCE);
	assert_int_equal(phyr_dev_create(fmt.domain, SOURCE, NULL, &s.dev), 0);
	assert_int_equal(phyr_flushq_create(fmt.domain, NULL, &s.q), 0);
	run();
	nothing_is_left();
	phyr_flushq_destroy(s.q);
	phyr_dev_destroy(s.dev);
	fmt_end();
}

int main(int argc, char **argv)
{
	static const char *const names[] = {"x86_64", "vtdss", "amdv1", "arm64_s1", "riscv64"};
	struct CMUnitTest tests[ARRAY_SIZE(names)];
	unsigned nr = 0;

	for (unsigned i = 0; i < fmt_nr_kinds; i++)
		for (unsigned n = 0; n < ARRAY_SIZE(names); n++)
			if (!strcmp(fmt_kinds[i].name, names[n]))
				tests[nr++] =
					(struct CMUnitTest){.name = names[n],
							    .test_func = tables_stay_bounded,
							    .initial_state = (void *)&fmt_kinds[i]};
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return _cmocka_run_group_tests("steady", tests, nr, NULL, NULL);
}
