/* SPDX-License-Identifier: MIT */
/* The slow, obvious list that lists are held against. */
#include "model.h"

#include <assert.h>
#include <stdlib.h>

#include "list/store.h"

#define PAGE 4096u

void model_init(struct model *m)
{
	*m = (struct model){0};
}

void model_fini(struct model *m)
{
	free(m->runs);
	*m = (struct model){0};
}

void model_add_run(struct model *m, phyr_addr_t addr, uint64_t len)
{
	if (m->nr == m->room) {
		m->room = m->room ? 2 * m->room : 64;
		m->runs = realloc(m->runs, m->room * sizeof(*m->runs));
		assert(m->runs);
	}
	m->runs[m->nr++] = (struct phyr_range){addr, len};
	m->len += len;
}

void model_append(struct model *m, phyr_addr_t addr, uint64_t len)
{
	struct phyr_range *last = m->nr ? &m->runs[m->nr - 1] : NULL;

	if (!last || !addr || last->addr + last->len != addr) {
		model_add_run(m, addr, len);
		return;
	}
	last->len += len;
	m->len += len;
}

void model_add_slice(struct model *m, const struct model *of, uint64_t offset, uint64_t len)
{
	for (size_t i = 0; i < of->nr && len; i++) {
		struct phyr_range run = of->runs[i];
		uint64_t part;

		if (offset >= run.len) {
			offset -= run.len;
			continue;
		}
		part = run.len - offset < len ? run.len - offset : len;
		model_add_run(m, run.addr + offset, part);
		len -= part;
		offset = 0;
	}
	assert(!len);
}

static uint64_t some_pages(struct rnd *r, const struct recipe *recipe)
{
	/* Around the lengths where codes change. */
	static const uint64_t odd[] = {2047, 2048, 2049, 2079, 2080, 2081, 4095, 4096, 4097};
	uint64_t pages;

	if (rnd_below(r, 256) < recipe->single_of_256)
		return 1;
	if (rnd_below(r, 4))
		return rnd_log(r, 1, recipe->max_pages);
	pages = odd[rnd_below(r, sizeof(odd) / sizeof(odd[0]))];
	return pages < recipe->max_pages ? pages : recipe->max_pages;
}

/* Where the next piece lies: mostly anywhere, sometimes right behind, low, or up against 2^64. */
static phyr_addr_t some_addr(struct rnd *r, const struct model *m, uint64_t len)
{
	phyr_addr_t end = m->nr ? m->runs[m->nr - 1].addr + m->runs[m->nr - 1].len : 0;

	switch (rnd_below(r, 16)) {
	case 0:
	case 1:
		if (end && end + len - 1 >= end)
			return end;
		return 0;
	case 2:
		return rnd_below(r, 64) * PAGE;
	case 3:
		return rnd_below(r, 64) ? PAGE : -len;
	default:
		return rnd_below(r, ((uint64_t)1 << 46)) & ~(uint64_t)(PAGE - 1);
	}
}

static void add_one(struct rnd *r, const struct recipe *recipe, struct phyr_list *list,
		    struct model *m)
{
	uint64_t len = some_pages(r, recipe) * PAGE;
	phyr_addr_t addr = some_addr(r, m, len);
	int err = len == PAGE && rnd_below(r, 2) ? phyr_list_append_page(list, addr)
						 : phyr_list_append(list, addr, len);

	assert(!err);
	model_append(m, addr, len);
}

/* Where a page lies that does not follow the one before: anywhere, or where a hasty look may err. */
static phyr_addr_t other_page(struct rnd *r, const struct model *m, phyr_addr_t prev)
{
	switch (rnd_below(r, 32)) {
	case 0:
		return prev + PAGE + ((uint64_t)1 << 32);
	case 1:
		return prev;
	case 2:
		return some_addr(r, m, PAGE);
	default:
		return rnd_below(r, (uint64_t)1 << 46) & ~(uint64_t)(PAGE - 1);
	}
}

/* Pages that never, sometimes, mostly or nearly always follow each other. */
static void add_pages(struct rnd *r, struct phyr_list *list, struct model *m)
{
	static const unsigned joins_of_1024[] = {0, 100, 700, 1023};
	unsigned joins = joins_of_1024[rnd_below(r, 4)];
	size_t nr = rnd_log(r, 1, 6000);
	phyr_addr_t prev = 0, *pages = malloc(nr * sizeof(*pages));
	int err;

	for (size_t i = 0; i < nr; i++) {
		bool join = i && prev != -(uint64_t)PAGE && rnd_below(r, 1024) < joins;

		pages[i] = prev = join ? prev + PAGE : other_page(r, m, prev);
		model_append(m, prev, PAGE);
	}
	err = phyr_list_append_pages(list, pages, nr);
	assert(!err);
	free(pages);
}

static void add_ranges(struct rnd *r, const struct recipe *recipe, struct phyr_list *list,
		       struct model *m)
{
	size_t nr = rnd_below(r, 40);
	struct phyr_range ranges[40];
	int err;

	for (size_t i = 0; i < nr; i++) {
		ranges[i].len = some_pages(r, recipe) * PAGE;
		ranges[i].addr = some_addr(r, m, ranges[i].len);
		model_append(m, ranges[i].addr, ranges[i].len);
	}
	err = phyr_list_append_ranges(list, ranges, nr);
	assert(!err);
}

/* A first range that starts, and perhaps an end that lies, inside a page. */
static void add_first(struct rnd *r, struct phyr_list *list, struct model *m)
{
	phyr_addr_t addr = rnd_below(r, (uint64_t)1 << 46);
	uint64_t len = ((addr | (PAGE - 1)) + 1) - addr + rnd_log(r, 1, 5000) / 2 * PAGE;

	if (phyr_list_append(list, addr, len))
		assert(!"first range");
	model_append(m, addr, len);
}

/* Pieces of bytes that follow each other. */
static void add_last(struct rnd *r, struct phyr_list *list, struct model *m)
{
	phyr_addr_t addr = rnd_below(r, (uint64_t)1 << 46) & ~(uint64_t)(PAGE - 1);

	for (unsigned i = 0; i < 3; i++) {
		uint64_t len = rnd_log(r, 1, 20000);

		if (phyr_list_append(list, addr, len))
			assert(!"last range");
		model_append(m, addr, len);
		addr += len;
	}
}

void model_build(struct rnd *r, const struct recipe *recipe, struct phyr_list *list,
		 struct model *m)
{
	if (rnd_below(r, 2))
		add_first(r, list, m);
	for (unsigned i = 0; i < recipe->nr_ops; i++) {
		switch (rnd_below(r, 8)) {
		case 0:
			add_pages(r, list, m);
			break;
		case 1:
			add_ranges(r, recipe, list, m);
			break;
		default:
			add_one(r, recipe, list, m);
		}
	}
	if (rnd_below(r, 2))
		add_last(r, list, m);
}

static bool words_same(const struct phyr_list *a, const struct phyr_list *b)
{
	const struct block *x = phyr_store_first(a), *y = phyr_store_first(b);
	const uint64_t *v = store_words(a, x), *w = store_words(b, y);

	for (uint64_t i = 0; i < a->nr_words; i++) {
		if (v == store_words_end(a, x)) {
			x = x->next;
			y = y->next;
			v = x->words;
			w = y->words;
		}
		if (*v++ != *w++)
			return false;
	}
	return true;
}

bool lists_same(const struct phyr_list *a, const struct phyr_list *b)
{
	return a->len == b->len && a->nr_runs == b->nr_runs && a->gap_mask == b->gap_mask &&
	       a->last == b->last && a->first_offset == b->first_offset &&
	       a->open_addr == b->open_addr && a->open_len == b->open_len &&
	       a->nr_words == b->nr_words && a->nr_blocks == b->nr_blocks && words_same(a, b);
}
