/* SPDX-License-Identifier: MIT */
/*
 * Random maps and unmaps against an array with a word a page, which knows what every page leads to
 * and how large its leaf must be. The manuals' walker reads the result.
 */
#include <stdio.h>

#include "core/bits.h"
#include "lib/rnd.h"
#include "pgtbl/setup.h"

#define AREA_PAGES  (4u << 18) /* 4 GiB of iova */
#define MAX_CALLS   256
#define MAX_RANGES  600
#define MODEL_LEVEL 3u /* in bits 1:0 of a page's word: level of its leaf */
#define MODEL_READ  4u
#define MODEL_WRITE 8u

/* One successful map call that is still there. */
struct call {
	uint64_t iova;
	uint64_t len;
};

struct model {
	struct setup s;
	struct rnd r;
	enum phyr_pgtbl_format format;
	uint64_t sizes;
	uint64_t base;  /* iova of the area */
	uint64_t *page; /* what each page leads to: address, leaf level, prot; 0: nothing */
	struct call calls[MAX_CALLS];
	unsigned nr_calls;
	struct phyr_range ranges[MAX_RANGES];
	size_t nr_ranges;
	uint64_t len;
	uint64_t clashes, maps, unmaps, pages;
};

static uint64_t *page_of(struct model *m, uint64_t iova)
{
	return &m->page[(iova - m->base) >> 12];
}

/* Whether anything is mapped in the granules of [iova, iova + len). */
static bool occupied(struct model *m, uint64_t iova, uint64_t len)
{
	uint64_t *p = page_of(m, iova), *end = page_of(m, iova + len - 1) + 1;

	while (p < end)
		if (*p++)
			return true;
	return false;
}

static uint64_t random_address(struct model *m, uint64_t align)
{
	return rnd_below(&m->r, TIB(1024)) & ~(align - 1);
}

/* Mostly flocks of single pages, some longer runs, now and then huge ones that can be large leaves. */
static uint64_t random_len(struct model *m)
{
	switch (rnd_below(&m->r, 16)) {
	case 0:
		return rnd_log(&m->r, 1, 700) * PAGE;
	case 1:
		return rnd_below(&m->r, 40) ? rnd_log(&m->r, 1, 3) * MIB(2) : GIB(1);
	default:
		return PAGE;
	}
}

/* A buffer: ranges whose inner edges lie on pages; iova is where it will go. */
static void random_ranges(struct model *m, uint64_t iova)
{
	size_t nr = rnd_log(&m->r, 1, rnd_below(&m->r, 8) ? 16 : MAX_RANGES);
	uint64_t offset = iova & (PAGE - 1), at = iova;

	m->len = 0;
	for (size_t i = 0; i < nr; i++) {
		struct phyr_range *r = &m->ranges[i];

		r->len = random_len(m) - offset;
		r->addr = random_address(m, PAGE) + offset;
		if (rnd_below(&m->r, 2)) /* where large leaves are possible */
			r->addr = (r->addr & ~(GIB(1) - 1)) + (at & (GIB(1) - 1));
		if (i + 1 == nr && r->len > 1)
			r->len -= rnd_below(&m->r, min_u64(r->len, PAGE));
		offset = 0;
		at += r->len;
		m->len += r->len;
	}
	m->nr_ranges = nr;
}

/* The rule, spelt out: the largest size that the iova, the address and what is left allow. */
static void model_map_run(struct model *m, uint64_t iova, uint64_t addr, uint64_t len,
			  unsigned prot)
{
	while (len) {
		unsigned level = 2;
		uint64_t size;

		for (;; level--) {
			size = (uint64_t)PAGE << (9 * level);
			if (m->sizes & size && iova % size == 0 && addr % size == 0 && len >= size)
				break;
		}
		for (uint64_t i = 0; i < size; i += PAGE)
			*page_of(m, iova + i) = (addr + i) | level |
						(prot & PHYR_READ ? MODEL_READ : 0) |
						(prot & PHYR_WRITE ? MODEL_WRITE : 0);
		iova += size;
		addr += size;
		len -= size;
	}
}

/* Ranges that follow each other in memory are one run. */
static void model_map(struct model *m, uint64_t iova, unsigned prot)
{
	for (size_t i = 0; i < m->nr_ranges; i++) {
		uint64_t start = m->ranges[i].addr & ~(uint64_t)(PAGE - 1);
		uint64_t end = m->ranges[i].addr + m->ranges[i].len;

		while (i + 1 < m->nr_ranges && m->ranges[i + 1].addr == end)
			end += m->ranges[++i].len;
		end = (end + PAGE - 1) & ~(uint64_t)(PAGE - 1);
		model_map_run(m, iova & ~(uint64_t)(PAGE - 1), start, end - start, prot);
		iova = (iova & ~(uint64_t)(PAGE - 1)) + (end - start);
	}
}

static void check_page(struct model *m, uint64_t iova)
{
	uint64_t want = *page_of(m, iova);
	struct phyr_translation tr;
	struct leaf leaf;
	bool found = walker_find(&m->s.w, iova, &leaf);

	assert_int_equal(phyr_pgtbl_translate(m->s.pt, iova, &tr), want ? 0 : -ENOENT);
	assert_int_equal(found, want != 0);
	if (!want)
		return;
	assert_int_equal(leaf.addr + (iova & (leaf.size - 1) & ~(uint64_t)(PAGE - 1)),
			 want & ~(uint64_t)(PAGE - 1));
	assert_int_equal(leaf.size, (uint64_t)PAGE << (9 * (want & MODEL_LEVEL)));
	assert_int_equal(leaf.prot, (want & MODEL_READ ? PHYR_READ : 0) |
					    (want & MODEL_WRITE ? PHYR_WRITE : 0));
	assert_int_equal(tr.addr, leaf.addr + (iova & (leaf.size - 1)));
	assert_int_equal(tr.leaf_size, leaf.size);
	assert_int_equal(tr.prot, leaf.prot);
}

/* Some pages of a stretch, its ends and their neighbours among them. */
static void check_some(struct model *m, uint64_t iova, uint64_t len)
{
	uint64_t end = iova + len - 1, area_last = m->base + ((uint64_t)AREA_PAGES << 12) - 1;

	check_page(m, iova);
	check_page(m, end);
	if (iova - m->base >= PAGE)
		check_page(m, iova - PAGE);
	if (end + PAGE <= area_last)
		check_page(m, end + PAGE);
	for (unsigned i = 0; i < 3; i++)
		check_page(m, iova + rnd_below(&m->r, len));
}

/* A cursor over the ranges in one of the ways there are; it may need the list. */
static void start_cursor(struct model *m, struct phyr_cursor *cur, struct phyr_list *list)
{
	switch (rnd_below(&m->r, 3)) {
	case 0:
		assert_int_equal(phyr_cursor_init_ranges(cur, m->ranges, m->nr_ranges), 0);
		return;
	case 1:
		if (m->nr_ranges == 1) {
			phyr_cursor_init_range(cur, m->ranges[0].addr, m->ranges[0].len);
			return;
		}
	}
	assert_int_equal(phyr_list_append_ranges(list, m->ranges, m->nr_ranges), 0);
	phyr_cursor_init(cur, list);
}

static void do_map(struct model *m)
{
	static const unsigned prots[] = {PHYR_READ, PHYR_WRITE, RW, RW};
	uint64_t iova, area = (uint64_t)AREA_PAGES << 12;
	unsigned prot = prots[rnd_below(&m->r, 4)];
	struct phyr_list list;
	struct phyr_cursor cur;
	int err, want;

	iova = m->base + rnd_below(&m->r, AREA_PAGES) * PAGE;
	if (!rnd_below(&m->r, 4))
		iova = m->base + ((iova - m->base) & ~(MIB(2) - 1));
	if (!rnd_below(&m->r, 3))
		iova += rnd_below(&m->r, PAGE);
	random_ranges(m, iova);
	if (m->nr_calls == MAX_CALLS || m->len > area - (iova - m->base))
		return;
	want = occupied(m, iova, m->len) ? -EEXIST : 0;
	phyr_list_init(&list, &m->s.t.env, NULL);
	start_cursor(m, &cur, &list);
	err = phyr_pgtbl_map(m->s.pt, iova, &cur, prot, &m->s.g);
	assert_int_equal(err, want);
	assert_int_equal(cur.left, err ? m->len : 0);
	phyr_list_fini(&list);
	if (err) {
		m->clashes++;
	} else {
		if (m->format == PHYR_PGTBL_X86_64)
			prot |= PHYR_READ;
		model_map(m, iova, prot);
		m->calls[m->nr_calls++] = (struct call){iova, m->len};
		m->maps++;
		m->pages += m->len >> 12;
	}
	check_some(m, iova, m->len);
}

/* What a list of unmapped memory must be: the pages of the model, in order. */
static void check_out(struct model *m, struct phyr_list *out, uint64_t iova, uint64_t last)
{
	struct phyr_cursor cur;
	struct phyr_range r;

	phyr_cursor_init(&cur, out);
	for (iova &= ~(uint64_t)(PAGE - 1); phyr_cursor_next(&cur, &r);)
		for (uint64_t i = 0; i < r.len; i += PAGE, iova += PAGE) {
			while (!*page_of(m, iova))
				iova += PAGE;
			assert_int_equal(*page_of(m, iova) & ~(uint64_t)(PAGE - 1), r.addr + i);
		}
	for (; iova <= last; iova += PAGE)
		assert_int_equal(*page_of(m, iova), 0);
}

static void forget_calls(struct model *m, uint64_t iova, uint64_t last)
{
	for (unsigned i = 0; i < m->nr_calls;)
		if (m->calls[i].iova >= iova && m->calls[i].iova <= last)
			m->calls[i] = m->calls[--m->nr_calls];
		else
			i++;
}

/* From the first edge of one call to the last of another: holes and other calls lie between. */
static void do_unmap(struct model *m)
{
	struct call a, b;
	struct phyr_list out;
	bool want_out = !rnd_below(&m->r, 4);
	uint64_t last;

	if (!m->nr_calls)
		return;
	a = b = m->calls[rnd_below(&m->r, m->nr_calls)];
	if (!rnd_below(&m->r, 32))
		b = m->calls[rnd_below(&m->r, m->nr_calls)];
	if (b.iova < a.iova)
		b = a;
	last = (b.iova + b.len - 1) | (PAGE - 1);
	phyr_list_init(&out, &m->s.t.env, NULL);
	assert_int_equal(phyr_pgtbl_unmap(m->s.pt, a.iova, b.iova + b.len - a.iova, &m->s.g,
					  want_out ? &out : NULL),
			 0);
	assert_true(m->s.g.start <= a.iova && m->s.g.last >= last);
	if (want_out)
		check_out(m, &out, a.iova, last);
	phyr_list_fini(&out);
	memset(page_of(m, a.iova), 0,
	       (size_t)((last >> 12) - (a.iova >> 12) + 1) * sizeof(*m->page));
	forget_calls(m, a.iova, last);
	m->unmaps++;
	check_some(m, a.iova, b.iova + b.len - a.iova);
}

/* An edge moved by some pages is no edge, but where another call happens to have one. */
static void do_bad_unmap(struct model *m)
{
	struct call c;

	if (!m->nr_calls)
		return;
	c = m->calls[rnd_below(&m->r, m->nr_calls)];
	if ((c.iova & (PAGE - 1)) + c.len <= PAGE)
		return;
	if (rnd_below(&m->r, 2))
		assert_int_equal(phyr_pgtbl_unmap(m->s.pt, c.iova + PAGE, c.len - PAGE + PAGE - 1,
						  &m->s.g, NULL),
				 -EINVAL);
	else
		assert_int_equal(phyr_pgtbl_unmap(m->s.pt, c.iova, 1, &m->s.g, NULL), -EINVAL);
	check_some(m, c.iova, c.len);
}

static void check_leaf(void *arg, const struct leaf *leaf)
{
	struct model *m = arg;

	for (uint64_t i = 0; i < leaf->size; i += PAGE) {
		uint64_t want = *page_of(m, leaf->iova + i);

		assert_int_equal(want & ~(uint64_t)(PAGE - 1), leaf->addr + i);
		m->pages--;
	}
}

/* All of it, both ways: every leaf is in the model, and no page of the model is left over. */
static void check_all(struct model *m)
{
	m->pages = 0;
	for (unsigned i = 0; i < AREA_PAGES; i++)
		m->pages += m->page[i] != 0;
	walker_all(&m->s.w, NULL, check_leaf, m);
	assert_int_equal(m->pages, 0);
}

static void sync(struct model *m)
{
	phyr_pgtbl_free_gathered(m->s.pt, &m->s.g);
	phyr_gather_init(&m->s.g);
	assert_int_equal(phyr_pgtbl_tables(m->s.pt), walker_tables(&m->s.w));
}

static void run_model(enum phyr_pgtbl_format format, unsigned levels, uint64_t sizes,
		      unsigned nr_ops)
{
	struct phyr_pgtbl_config c = {
		.size = sizeof(c), .format = format, .levels = levels, .page_sizes = sizes};
	struct model *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	m->page = calloc(AREA_PAGES, sizeof(*m->page));
	assert_non_null(m->page);
	m->r = rnd_start("pgtbl/model");
	m->format = format;
	m->sizes = sizes ? sizes : PAGE | MIB(2) | GIB(1);
	setup_config(&m->s, &c);
	m->base = rnd_below(&m->r, (phyr_pgtbl_last(m->s.pt) >> 30) - 3) << 30;
	for (unsigned op = 0; op < ROUNDS(nr_ops); op++) {
		unsigned what = (unsigned)rnd_below(&m->r, 16);

		if (what < 8)
			do_map(m);
		else if (what < 15)
			do_unmap(m);
		else
			do_bad_unmap(m);
		if (!rnd_below(&m->r, 4096))
			sync(m);
	}
	printf("%llu maps, %llu clashes, %llu unmaps, %llu tables\n", (unsigned long long)m->maps,
	       (unsigned long long)m->clashes, (unsigned long long)m->unmaps,
	       (unsigned long long)phyr_pgtbl_tables(m->s.pt));
	sync(m);
	check_all(m);
	while (m->nr_calls)
		do_unmap(m);
	check_all(m);
	setup_fini(&m->s);
	free(m->page);
	free(m);
}

static void second_stage(void **state)
{
	run_model(PHYR_PGTBL_VTDSS, 4, 0, 60000);
}

static void second_stage_three_levels(void **state)
{
	run_model(PHYR_PGTBL_VTDSS, 3, PAGE | MIB(2), 40000);
}

static void long_mode(void **state)
{
	run_model(PHYR_PGTBL_X86_64, 4, 0, 60000);
}

static void small_pages_only(void **state)
{
	run_model(PHYR_PGTBL_X86_64, 4, PAGE, 20000);
}

static void no_middle_size(void **state)
{
	run_model(PHYR_PGTBL_VTDSS, 4, PAGE | GIB(1), 20000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(second_stage),   cmocka_unit_test(second_stage_three_levels),
		cmocka_unit_test(long_mode),      cmocka_unit_test(small_pages_only),
		cmocka_unit_test(no_middle_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
