/* SPDX-License-Identifier: MIT */
/*
 * The same memory as an array of ranges, as a list, and run by run: each format's tables come out the
 * same. The three go different ways inside: rows of pages, pages laid out, and leaf by leaf.
 */
#include "lib/rnd.h"
#include "pgtbl/setup.h"

#define MAX_RANGES 900

static const enum phyr_pgtbl_format formats[] = {
	PHYR_PGTBL_X86_64,   PHYR_PGTBL_VTDSS,    PHYR_PGTBL_AMDV1,
	PHYR_PGTBL_ARM64_S1, PHYR_PGTBL_ARM64_S2, PHYR_PGTBL_RISCV64,
};

enum way { BY_RANGES, BY_LIST, BY_RUN, WAYS };

struct ways {
	struct tenv t[WAYS];
	struct phyr_pgtbl *pt[WAYS];
	struct phyr_gather g[WAYS];
	struct phyr_range ranges[MAX_RANGES];
	size_t nr;
	struct phyr_list list;
	uint64_t iova;
};

static struct ways *ways_init(const struct phyr_pgtbl_config *config)
{
	struct ways *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	for (unsigned i = 0; i < WAYS; i++) {
		tenv_init(&w->t[i], NULL);
		w->t[i].env.phys_delta = TIB(64); /* more does not go into 48 bits */
		assert_int_equal(phyr_pgtbl_create(&w->t[i].env, config, &w->pt[i]), 0);
		phyr_gather_init(&w->g[i]);
	}
	phyr_list_init(&w->list, NULL, NULL);
	return w;
}

static void ways_fini(struct ways *w)
{
	for (unsigned i = 0; i < WAYS; i++) {
		phyr_pgtbl_free_gathered(w->pt[i], &w->g[i]);
		phyr_pgtbl_destroy(w->pt[i]);
		tenv_fini(&w->t[i]);
	}
	phyr_list_fini(&w->list);
	free(w);
}

/* Pages of a range: mostly one, as bio_vecs have, or a few; now and then many. */
static uint64_t random_pages(struct rnd *r, unsigned singles)
{
	if (rnd_below(r, 100) < singles)
		return 1;
	return rnd_below(r, 40) ? rnd_log(r, 1, 80) : rnd_log(r, 1, 2000);
}

/* Where the next range lies: anywhere, after the last one, or where a larger leaf could begin. */
static uint64_t random_addr(struct rnd *r, const struct ways *w, uint64_t iova)
{
	static const uint64_t sizes[] = {KIB(8), KIB(64), KIB(64), MIB(2)};
	const struct phyr_range *last = w->nr ? &w->ranges[w->nr - 1] : NULL;
	uint64_t addr = rnd_below(r, TIB(1)) & ~(uint64_t)(PAGE - 1), size;

	if (last && !rnd_below(r, 3))
		return last->addr + last->len;
	if (rnd_below(r, 3))
		return addr;
	size = sizes[rnd_below(r, 4)];
	return (addr & ~(size - 1)) | (iova & (size - 1));
}

static void random_ranges(struct rnd *r, struct ways *w)
{
	size_t nr = rnd_log(r, 1, MAX_RANGES);
	unsigned singles = (unsigned)rnd_below(r, 101);
	uint64_t len;

	phyr_list_reset(&w->list);
	w->iova = GIB(1) + (rnd_below(r, GIB(1)) & ~(uint64_t)(PAGE - 1));
	for (w->nr = 0; w->nr < nr; w->nr++) {
		uint64_t addr = random_addr(r, w, w->iova + w->list.len);

		len = random_pages(r, singles) * PAGE;
		w->ranges[w->nr] = (struct phyr_range){addr, len};
		assert_int_equal(phyr_list_append(&w->list, addr, len), 0);
	}
}

static int map_way(struct ways *w, enum way way)
{
	struct phyr_cursor all, one, *cur = &all;
	struct phyr_range run;
	uint64_t iova = w->iova;
	int err = 0;

	phyr_cursor_init(&all, &w->list);
	if (way == BY_RANGES)
		assert_int_equal(phyr_cursor_init_ranges(&all, w->ranges, w->nr), 0);
	if (way != BY_RUN) {
		err = phyr_pgtbl_map(w->pt[way], iova, cur, RW, &w->g[way]);
		assert_int_equal(cur->left, err ? w->list.len : 0);
		return err;
	}
	for (; !err && phyr_cursor_next(&all, &run); iova += run.len) {
		phyr_cursor_init_range(&one, run.addr, run.len);
		err = phyr_pgtbl_map(w->pt[way], iova, &one, RW, &w->g[way]);
	}
	return err;
}

static void same_everywhere(struct ways *w)
{
	struct phyr_translation a, b;

	for (uint64_t at = 0; at < w->list.len; at += a.leaf_size - (w->iova + at) % a.leaf_size) {
		assert_int_equal(phyr_pgtbl_translate(w->pt[BY_RUN], w->iova + at, &a), 0);
		for (unsigned i = 0; i < BY_RUN; i++) {
			assert_int_equal(phyr_pgtbl_translate(w->pt[i], w->iova + at, &b), 0);
			assert_int_equal(b.addr, a.addr);
			assert_int_equal(b.leaf_size, a.leaf_size);
			assert_int_equal(b.prot, a.prot);
		}
	}
	for (unsigned i = 0; i < WAYS; i++)
		assert_int_equal(w->g[i].entries, w->g[BY_RUN].entries);
}

static void unmap_all(struct ways *w)
{
	struct phyr_translation t;

	for (unsigned i = 0; i < WAYS; i++) {
		assert_int_equal(phyr_pgtbl_unmap(w->pt[i], w->iova, w->list.len, &w->g[i], NULL),
				 0);
		assert_int_equal(phyr_pgtbl_translate(w->pt[i], w->iova, &t), -ENOENT);
		assert_int_equal(phyr_pgtbl_translate(w->pt[i], w->iova + w->list.len - 1, &t),
				 -ENOENT);
		phyr_pgtbl_free_gathered(w->pt[i], &w->g[i]);
		phyr_gather_init(&w->g[i]);
	}
}

/* The run that has byte at of the list, as the list itself has runs. */
static struct phyr_range run_at(const struct ways *w, uint64_t at, uint64_t *index)
{
	struct phyr_range run = {0, 0};
	struct phyr_cursor cur;

	phyr_cursor_init(&cur, &w->list);
	for (*index = 0; phyr_cursor_next(&cur, &run) && run.len <= at; ++*index)
		at -= run.len;
	return run;
}

/* Something is in the way at one page: it is found, said, and nothing else is there afterwards. */
static void clash(struct rnd *r, struct ways *w)
{
	uint64_t at = rnd_below(r, w->list.len) & ~(uint64_t)(PAGE - 1), index;
	struct phyr_range run = run_at(w, at, &index);
	struct phyr_translation t;
	struct phyr_cursor cur;

	for (unsigned i = 0; i < BY_RUN; i++) {
		phyr_cursor_init_range(&cur, GIB(3), PAGE);
		assert_int_equal(phyr_pgtbl_map(w->pt[i], w->iova + at, &cur, RW, &w->g[i]), 0);
		assert_int_equal(map_way(w, (enum way)i), -EEXIST);
		assert_int_equal(w->t[i].last.err, -EEXIST);
		assert_int_equal(w->t[i].last.index, index);
		assert_int_equal(w->t[i].last.addr, run.addr);
		assert_int_equal(w->t[i].last.len, run.len);
		for (uint64_t k = 0; k < w->list.len; k += PAGE)
			assert_int_equal(phyr_pgtbl_translate(w->pt[i], w->iova + k, &t),
					 k == at ? 0 : -ENOENT);
		assert_int_equal(phyr_pgtbl_unmap(w->pt[i], w->iova + at, PAGE, &w->g[i], NULL), 0);
		phyr_pgtbl_free_gathered(w->pt[i], &w->g[i]);
		phyr_gather_init(&w->g[i]);
	}
}

/* A range that is wider than the entries: told by its number, nothing mapped. */
static void too_wide(struct rnd *r, struct ways *w)
{
	struct phyr_range *wide = &w->ranges[rnd_below(r, w->nr)], was = *wide;
	struct phyr_translation t;
	uint64_t at = 0, index;

	for (const struct phyr_range *p = w->ranges; p < wide; p++)
		at += p->len;
	wide->addr = TIB(512) + (rnd_below(r, TIB(1)) & ~(uint64_t)(PAGE - 1));
	phyr_list_reset(&w->list);
	assert_int_equal(phyr_list_append_ranges(&w->list, w->ranges, w->nr), 0);
	run_at(w, at, &index);
	for (unsigned i = 0; i < BY_RUN; i++) {
		assert_int_equal(map_way(w, (enum way)i), -ERANGE);
		assert_int_equal(w->t[i].last.err, -ERANGE);
		assert_int_equal(w->t[i].last.index, index);
		assert_int_equal(phyr_pgtbl_translate(w->pt[i], w->iova, &t), -ENOENT);
		phyr_pgtbl_free_gathered(w->pt[i], &w->g[i]);
		phyr_gather_init(&w->g[i]);
	}
	*wide = was;
}

static void rounds(const struct phyr_pgtbl_config *config, struct rnd *r)
{
	struct ways *w = ways_init(config);

	for (unsigned i = 0; i < ROUNDS(240); i++) {
		random_ranges(r, w);
		for (unsigned way = 0; way < WAYS; way++)
			assert_int_equal(map_way(w, (enum way)way), 0);
		same_everywhere(w);
		unmap_all(w);
		if (!(i % 8))
			clash(r, w);
		if (!(i % 8))
			too_wide(r, w);
	}
	ways_fini(w);
}

static void every_format(void **state)
{
	struct rnd r = rnd_start("pgtbl/ways");
	struct phyr_pgtbl_config config = {.size = sizeof(config), .oa_bits = 48};

	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		config.format = formats[i];
		config.page_sizes = 0;
		rounds(&config, &r);
		config.page_sizes = PAGE;
		rounds(&config, &r);
		config.page_sizes = PAGE | MIB(2);
		rounds(&config, &r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(every_format)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
