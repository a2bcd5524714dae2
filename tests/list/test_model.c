/* SPDX-License-Identifier: MIT */
/* Random lists, slices, seeks and spans against an array of ranges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "core/bits.h"
#include "core/err.h"
#include "lib/tenv.h"
#include "list/store.h"
#include "model.h"

#define PAGE 4096u

static struct recipe some_recipe(struct rnd *r)
{
	return (struct recipe){
		.nr_ops = (unsigned)rnd_log(r, 1, 400),
		.single_of_256 = (unsigned)rnd_below(r, 257),
		.max_pages = rnd_log(r, 1, (uint64_t)1 << rnd_below(r, 33)),
	};
}

/* What the header says, from the model. */
static void check_header(const struct phyr_list *list, const struct model *m)
{
	uint64_t gap = 0, last = 0;

	for (size_t i = 0; i < m->nr; i++) {
		uint64_t end = m->runs[i].addr + m->runs[i].len;

		last = max_u64(last, end - 1);
		if (i + 1 < m->nr)
			gap |= end | m->runs[i + 1].addr;
	}
	assert_int_equal(list->len, m->len);
	assert_int_equal(list->nr_runs, m->nr);
	assert_int_equal(list->gap_mask, gap);
	assert_int_equal(list->last, last);
}

/* The words, from the model: all runs but the last. */
static void check_words(const struct phyr_list *list, const struct model *m)
{
	const struct block *block = phyr_store_first(list);
	const uint64_t *word = store_words(list, block);
	uint64_t nr = 0;

	for (size_t i = 0; i + 1 < m->nr; i++) {
		uint64_t addr = m->runs[i].addr & ~(uint64_t)(PAGE - 1);
		uint64_t end = m->runs[i].addr + m->runs[i].len, words[PHYR_WORDS_PER_RUN];
		unsigned n = phyr_word_encode(addr, (end - addr) / PAGE, words);

		for (unsigned k = 0; k < n; k++, nr++) {
			if (word == store_words_end(list, block)) {
				block = block->next;
				word = block->words;
			}
			assert_int_equal(*word++, words[k]);
		}
	}
	assert_int_equal(list->nr_words, nr);
}

/* Spans as the model has them: whole single pages. */
static size_t check_span(struct phyr_cursor *cur, const struct model *m, size_t at, size_t max,
			 bool listv)
{
	uint64_t left = cur->left;
	const uint64_t *words = NULL;
	size_t nr = phyr_cursor_span(cur, max, &words);

	assert_true(nr <= max);
	assert_int_equal(cur->left, left - nr * PAGE);
	for (size_t i = 0; i < nr; i++) {
		assert_true(at + i < m->nr);
		assert_int_equal(m->runs[at + i].addr, words[i]);
		assert_int_equal(m->runs[at + i].len, PAGE);
	}
	/* Nothing may be missed but the last page of a run that was entered there, and an open run. */
	if (!nr && max && !listv && at && at + 1 < m->nr)
		assert_false(m->runs[at].len == PAGE && !(m->runs[at].addr & (PAGE - 1)));
	return at + nr;
}

/* All that a cursor gives, by single runs and spans in turn. */
static void check_cursor(struct rnd *r, struct phyr_cursor *cur, const struct model *m, bool listv)
{
	unsigned spans = (unsigned)rnd_below(r, 3);
	uint64_t left = m->len;
	struct phyr_range run;
	size_t at = 0;

	assert_int_equal(cur->left, left);
	while (at < m->nr) {
		if (spans && (spans == 2 || rnd_below(r, 2)))
			at = check_span(cur, m, at, rnd_log(r, 1, 1000) - 1, listv);
		if (at == m->nr)
			break;
		left = cur->left;
		assert_true(phyr_cursor_next(cur, &run));
		assert_int_equal(run.addr, m->runs[at].addr);
		assert_int_equal(run.len, m->runs[at].len);
		assert_int_equal(cur->left, left - run.len);
		at++;
	}
	assert_int_equal(cur->left, 0);
	assert_false(phyr_cursor_next(cur, &run));
	assert_int_equal(phyr_cursor_span(cur, 1, &(const uint64_t *){NULL}), 0);
	assert_false(phyr_cursor_next_range(cur, &run));
}

/* Cut all that a cursor gives into random pieces, each of them a cursor. */
static void check_splits(struct rnd *r, struct phyr_cursor *cur, const struct model *m, bool listv)
{
	uint64_t at = 0;

	while (at < m->len) {
		struct phyr_cursor head, was = *cur;
		uint64_t left = m->len - at, len;
		struct model part;

		assert_int_equal(phyr_cursor_split(cur, left + 1, &head), -EINVAL);
		assert_memory_equal(cur, &was, sizeof(was));
		len = rnd_log(r, 1, left + 1) - 1;
		if (rnd_below(r, 2))
			len = round_down_mask(len, PAGE - 1);
		model_init(&part);
		model_add_slice(&part, m, at, len);
		assert_int_equal(phyr_cursor_split(cur, len, &head), 0);
		assert_int_equal(cur->left, left - len);
		check_cursor(r, &head, &part, listv);
		model_fini(&part);
		at += len;
	}
	check_cursor(r, cur, &(struct model){0}, listv);
}

/* A random part: by bytes, by the edges of runs, or up to the end. */
static void some_part(struct rnd *r, const struct model *m, uint64_t *offset, uint64_t *len)
{
	uint64_t first = rnd_below(r, m->nr), before = 0;

	for (size_t i = 0; i < first; i++)
		before += m->runs[i].len;
	*offset = rnd_below(r, 2) ? rnd_below(r, m->len) : before;
	*len = rnd_below(r, 3) ? rnd_log(r, 1, m->len - *offset) : m->len - *offset;
}

static void check_parts(struct rnd *r, const struct phyr_list *list, const struct model *m)
{
	for (unsigned i = 0; i < 20; i++) {
		struct phyr_cursor cur;
		struct model part;
		uint64_t offset, len;

		model_init(&part);
		some_part(r, m, &offset, &len);
		model_add_slice(&part, m, offset, len);
		assert_int_equal(phyr_cursor_init_at(&cur, list, offset, len), 0);
		check_cursor(r, &cur, &part, false);
		phyr_cursor_init_at(&cur, list, offset, len);
		check_splits(r, &cur, &part, false);
		model_fini(&part);
	}
}

static void whole_lists_and_parts(void **state)
{
	struct rnd r = rnd_start("list/model: whole lists and parts");
	struct tenv t;

	tenv_init(&t, NULL);
	for (unsigned i = 0; i < 200; i++) {
		struct recipe recipe = some_recipe(&r);
		struct phyr_cursor cur;
		struct phyr_list list;
		struct model m;

		model_init(&m);
		phyr_list_init(&list, &t.env, NULL);
		model_build(&r, &recipe, &list, &m);
		check_header(&list, &m);
		check_words(&list, &m);
		phyr_cursor_init(&cur, &list);
		check_cursor(&r, &cur, &m, false);
		if (m.nr)
			check_parts(&r, &list, &m);
		phyr_list_fini(&list);
		model_fini(&m);
	}
	tenv_fini(&t);
}

/* The pages of a buffer, one by one, make the same words as its runs. */
static void same_words_however_built(void **state)
{
	struct rnd r = rnd_start("list/model: same words however built");

	for (unsigned i = 0; i < 200; i++) {
		struct recipe recipe = {.nr_ops = 60, .single_of_256 = 200, .max_pages = 10000};
		struct phyr_list a, b;
		struct model m;

		model_init(&m);
		phyr_list_init(&a, NULL, NULL);
		phyr_list_init(&b, NULL, NULL);
		model_build(&r, &recipe, &a, &m);
		for (size_t k = 0; k < m.nr; k++) {
			uint64_t addr = m.runs[k].addr, left = m.runs[k].len;

			while (left) {
				uint64_t n = min_u64(PAGE - (addr & (PAGE - 1)), left);

				assert_int_equal(phyr_list_append(&b, addr, n), 0);
				addr += n;
				left -= n;
			}
		}
		check_header(&b, &m);
		check_words(&b, &m);
		assert_true(lists_same(&a, &b));
		phyr_list_fini(&a);
		phyr_list_fini(&b);
		model_fini(&m);
	}
}

#define NR_LISTS  3
#define NR_SLICES 40

static uint64_t gap_of(const struct phyr_slice *slices, const struct model *parts, size_t nr)
{
	const struct model *prev = NULL;
	uint64_t mask = 0;

	for (size_t i = 0; i < nr; i++) {
		const struct model *p = &parts[i];

		mask |= slices[i].list->gap_mask;
		if (prev)
			mask |= p->runs[0].addr |
				(prev->runs[prev->nr - 1].addr + prev->runs[prev->nr - 1].len);
		prev = p;
	}
	return mask;
}

static void check_listv(struct rnd *r, const struct phyr_list *lists, const struct model *models)
{
	struct phyr_slice slices[NR_SLICES];
	struct phyr_listv listv = {slices, rnd_below(r, NR_SLICES)};
	struct model all, parts[NR_SLICES];
	struct phyr_cursor cur;

	model_init(&all);
	for (size_t i = 0; i < listv.nr; i++) {
		unsigned k = (unsigned)rnd_below(r, NR_LISTS);
		uint64_t offset, len;

		some_part(r, &models[k], &offset, &len);
		assert_int_equal(phyr_slice_init(&slices[i], &lists[k], offset, len), 0);
		model_init(&parts[i]);
		model_add_slice(&parts[i], &models[k], offset, len);
		model_add_slice(&all, &models[k], offset, len);
	}
	assert_int_equal(phyr_listv_len(&listv), all.len);
	assert_int_equal(phyr_listv_gap_mask(&listv), gap_of(slices, parts, listv.nr));
	phyr_cursor_init_listv(&cur, &listv);
	check_cursor(r, &cur, &all, true);
	phyr_cursor_init_listv(&cur, &listv);
	check_splits(r, &cur, &all, true);
	for (size_t i = 0; i < listv.nr; i++)
		model_fini(&parts[i]);
	model_fini(&all);
}

static void listvs(void **state)
{
	struct rnd r = rnd_start("list/model: listvs");

	for (unsigned i = 0; i < 150; i++) {
		struct phyr_list lists[NR_LISTS];
		struct model models[NR_LISTS];

		for (unsigned k = 0; k < NR_LISTS; k++) {
			struct recipe recipe = some_recipe(&r);

			model_init(&models[k]);
			phyr_list_init(&lists[k], NULL, NULL);
			recipe.max_pages = min_u64(recipe.max_pages, 1 << 20);
			recipe.nr_ops = min_u64(recipe.nr_ops, 100);
			model_build(&r, &recipe, &lists[k], &models[k]);
			if (!models[k].nr) {
				assert_int_equal(phyr_list_append(&lists[k], 77, 7), 0);
				model_append(&models[k], 77, 7);
			}
		}
		for (unsigned k = 0; k < 5; k++)
			check_listv(&r, lists, models);
		for (unsigned k = 0; k < NR_LISTS; k++) {
			phyr_list_fini(&lists[k]);
			model_fini(&models[k]);
		}
	}
}

static void range_arrays(void **state)
{
	struct rnd r = rnd_start("list/model: range arrays");

	for (unsigned i = 0; i < 300; i++) {
		size_t nr = rnd_below(&r, 50);
		struct phyr_range ranges[50];
		struct phyr_cursor cur;
		struct model m;

		model_init(&m);
		for (size_t k = 0; k < nr; k++) {
			uint64_t end = k ? ranges[k - 1].addr + ranges[k - 1].len : 0;

			ranges[k].len = rnd_log(&r, 1, 1 << 20);
			ranges[k].addr = rnd_below(&r, 3) ? rnd_below(&r, (uint64_t)1 << 40) : end;
			model_append(&m, ranges[k].addr, ranges[k].len);
		}
		assert_int_equal(phyr_cursor_init_ranges(&cur, ranges, nr), 0);
		check_cursor(&r, &cur, &m, true);
		phyr_cursor_init_ranges(&cur, ranges, nr);
		check_splits(&r, &cur, &m, true);
		model_fini(&m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_lists_and_parts),
		cmocka_unit_test(same_words_however_built),
		cmocka_unit_test(listvs),
		cmocka_unit_test(range_arrays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
