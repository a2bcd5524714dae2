/* SPDX-License-Identifier: MIT */
/*
 * How many entries a page table needs that maps the memory as one window: it is mapped, and counted.
 *
 * A run can use a large leaf where its address and its iova are equal modulo the leaf's size. In one
 * window all runs' places follow from the first one's, so which remainder the window starts at decides
 * which runs get large leaves. The one that gains most is taken, size by size from small to large.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "layout/layout.h"

#define CLASSES_LG2 9u /* a table's 512 entries: 4k to 2m to 1g */
#define CLASSES     (1u << CLASSES_LG2)

/* Leaves of 2^lg2 bytes that a run can have at best. */
static uint64_t leaves_in(const struct phyr_range *run, unsigned lg2)
{
	uint64_t mask = ((uint64_t)1 << lg2) - 1, start = (run->addr + mask) & ~mask;
	uint64_t end = (run->addr + run->len) & ~mask;

	return end > start ? (end - start) >> lg2 : 0;
}

/* The remainder modulo 2^lg2 that gains most, given the one modulo the size below. */
static uint64_t best_skew(const struct phyr_list *list, unsigned lg2, uint64_t skew)
{
	unsigned below = lg2 - CLASSES_LG2, best = 0;
	uint64_t gain[CLASSES] = {0}, offset = 0;
	struct phyr_cursor cur;
	struct phyr_range run;

	phyr_cursor_init(&cur, list);
	for (; phyr_cursor_next(&cur, &run); offset += run.len) {
		uint64_t want = run.addr - offset;

		if (!((want ^ skew) & (((uint64_t)1 << below) - 1)))
			gain[want >> below & (CLASSES - 1)] += leaves_in(&run, lg2);
	}
	for (unsigned i = 1; i < CLASSES; i++)
		if (gain[i] > gain[best])
			best = i;
	return skew | (uint64_t)best << below;
}

static phyr_dma_addr_t choose_iova(const struct phyr_list *list, uint64_t page_sizes)
{
	uint64_t skew = phyr_list_first_addr(list) & (PHYR_PAGE_SIZE - 1), largest = 0;

	for (unsigned lg2 = PHYR_PAGE_LG2 + CLASSES_LG2; lg2 < 48; lg2 += CLASSES_LG2) {
		if (!(page_sizes >> lg2 & 1))
			continue;
		skew = best_skew(list, lg2, skew);
		largest = (uint64_t)1 << lg2;
	}
	return largest + skew; /* not at 0, which no device is given */
}

static void start_counts(struct leaves *out, uint64_t page_sizes)
{
	for (unsigned lg2 = 0; lg2 < 64 && out->nr_sizes < MAX_LEAF_SIZES; lg2++)
		if (page_sizes >> lg2 & 1)
			out->size[out->nr_sizes++] = (uint64_t)1 << lg2;
}

static int count(struct phyr_pgtbl *pt, uint64_t len, struct leaves *out)
{
	uint64_t at = out->iova, end = at + len;

	while (at < end) {
		struct phyr_translation t;
		int err = phyr_pgtbl_translate(pt, at, &t);

		if (err)
			return err;
		for (unsigned i = 0; i < out->nr_sizes; i++)
			out->entries[i] += out->size[i] == t.leaf_size;
		at = (at & ~(t.leaf_size - 1)) + t.leaf_size;
	}
	return 0;
}

int count_leaves(struct phyr_env *env, const struct phyr_list *list, struct leaves *out)
{
	struct phyr_pgtbl_config config = {.size = sizeof(config), .format = PHYR_PGTBL_VTDSS};
	struct phyr_gather gather;
	struct phyr_pgtbl *pt;
	struct phyr_cursor cur;
	int err = phyr_pgtbl_create(env, &config, &pt);

	if (err)
		return err;
	memset(out, 0, sizeof(*out));
	start_counts(out, phyr_pgtbl_page_sizes(pt));
	out->iova = choose_iova(list, phyr_pgtbl_page_sizes(pt));
	phyr_gather_init(&gather);
	phyr_cursor_init(&cur, list);
	err = phyr_pgtbl_map(pt, out->iova, &cur, PHYR_READ | PHYR_WRITE, &gather);
	err = err ? err : count(pt, list->len, out);
	out->tables = phyr_pgtbl_tables(pt);
	phyr_pgtbl_free_gathered(pt, &gather);
	phyr_pgtbl_destroy(pt);
	return err;
}
