/* SPDX-License-Identifier: MIT */
/*
 * NVMe's physical region pages (NVM Express Base 2.0, section 4.1.1).
 *
 *   PRP1 ─▶ first page, from an offset on
 *   PRP2 ─▶ second page, when there are two
 *        ─▶ list page, when there are more:  | e | e | … | e |          as many as are left, or
 *                                            | e | e | … | ─▶ next |    one less, then a list page
 *
 * A list page whose entries just fill it has no pointer to a next one. All pages and list pages but
 * the first have offset 0. Where the controller's page is 4 KiB, the word of a single page in a list
 * is its entry, so scattered pages are copied.
 */
#include <phyr/desc.h>

#include "core/bits.h"
#include "core/env.h"
#include "core/mem.h"
#include "dma/pool.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "entries are little-endian");

/* Entries of a list page. */
static inline uint64_t page_entries(unsigned page_lg2)
{
	return (uint64_t)1 << (page_lg2 - 3);
}

/* Pages that @len bytes touch when they start @offset bytes into one. */
static uint64_t pages_touched(unsigned page_lg2, uint64_t offset, uint64_t len)
{
	uint64_t mask = ((uint64_t)1 << page_lg2) - 1;

	return (len >> page_lg2) + ((offset + (len & mask) + mask) >> page_lg2);
}

/* List pages for a transfer of so many pages. PRP1, or PRP1 and PRP2, need none. */
static uint64_t lists_for(unsigned page_lg2, uint64_t pages)
{
	uint64_t chained = page_entries(page_lg2) - 1;

	if (pages <= 2)
		return 0;
	if (pages - 2 <= chained) /* one list page: no division on a request's way */
		return 1;
	/* pages - 1 entries; the last list page holds one more than those that point on. */
	return (pages - 2 + chained - 1) / chained;
}

unsigned phyr_prp_pages_needed(unsigned page_lg2, uint64_t len)
{
	uint64_t worst = ((uint64_t)1 << page_lg2) - 4;
	uint64_t n = lists_for(page_lg2, pages_touched(page_lg2, worst, len));

	return n > UINT32_MAX ? UINT32_MAX : (unsigned)n;
}

void phyr_prp_init(struct phyr_prp *prp, unsigned page_lg2, struct phyr_dma_pool *pool,
		   struct phyr_prp_page *pages, unsigned max_pages)
{
	*prp = (struct phyr_prp){
		.pool = pool,
		.pages = pages,
		.max_pages = pool ? max_pages : 0,
		.page_lg2 = page_lg2,
	};
}

void phyr_prp_fini(struct phyr_prp *prp)
{
	while (prp->nr_pages) {
		struct phyr_prp_page *page = &prp->pages[--prp->nr_pages];

		phyr_dma_pool_free(prp->pool, page->cpu, page->dma);
	}
}

/* Told to the pool's environment; a builder without a pool has nobody to tell. */
static __attribute__((noinline)) int refuse(const struct phyr_prp *prp, struct phyr_report report)
{
	report.call = "phyr_prp_build";
	return prp->pool ? phyr_env_report(phyr_dma_pool_env(prp->pool), &report) : report.err;
}

/* Find the run that has an inner edge off the controller's page. */
static __attribute__((noinline)) int refuse_edge(const struct phyr_prp *prp, struct phyr_cursor cur)
{
	uint64_t mask = ((uint64_t)1 << prp->page_lg2) - 1;
	struct phyr_report r = {.err = -EINVAL,
				.limit = mask + 1,
				.hint = "an inner edge lies off the controller's page"};
	struct phyr_range run;

	for (bool first = true; phyr_cursor_next(&cur, &run); first = false, r.index++) {
		r.addr = run.addr;
		r.len = run.len;
		if ((!first && run.addr & mask) || (cur.left && (run.addr + run.len) & mask))
			break;
	}
	return refuse(prp, r);
}

/* Have as many list pages as the transfer takes; those of earlier ones are used again. */
static int take_lists(struct phyr_prp *prp, uint64_t need)
{
	uint64_t page = (uint64_t)1 << prp->page_lg2;

	if (unlikely(need > prp->max_pages))
		return refuse(prp, (struct phyr_report){
					   .err = -E2BIG,
					   .len = need,
					   .limit = prp->max_pages,
					   .hint = "more list pages than there is room for"});
	while (prp->nr_pages < need) {
		struct phyr_prp_page *p = &prp->pages[prp->nr_pages];

		if (!phyr_dma_pool_fits(prp->pool, page))
			return refuse(prp,
				      (struct phyr_report){
					      .err = -EINVAL,
					      .limit = page,
					      .hint = "the pool's blocks are no controller pages"});
		p->cpu = phyr_dma_pool_alloc(prp->pool, &p->dma);
		if (!p->cpu)
			return refuse(prp, (struct phyr_report){.err = -ENOMEM,
								.len = page,
								.hint = "no list page left"});
		prp->nr_pages++;
	}
	return 0;
}

/* Where entries go: into PRP2, or through the list pages. */
struct fill {
	const struct phyr_prp *prp;
	uint64_t *at;
	uint64_t room;  /* entries that fit there, the pointer to the next list page left out */
	uint64_t left;  /* entries still to write, those in room too */
	uint32_t lists; /* list pages begun */
};

static __attribute__((noinline)) void next_list(struct fill *fill)
{
	const struct phyr_prp_page *page = &fill->prp->pages[fill->lists++];
	uint64_t entries = page_entries(fill->prp->page_lg2);

	*fill->at = page->dma; /* the last entry of the list page before, or PRP2 */
	fill->at = page->cpu;
	fill->room = fill->left <= entries ? fill->left : entries - 1;
}

static inline void wrote(struct fill *fill, uint64_t n)
{
	fill->at += n;
	fill->room -= n;
	fill->left -= n;
}

/* Entries of @n pages that lie together. */
static void fill_run(struct fill *fill, phyr_dma_addr_t addr, uint64_t n)
{
	unsigned lg2 = fill->prp->page_lg2;

	while (n) {
		uint64_t k, *at;

		if (!fill->room)
			next_list(fill);
		k = min_u64(n, fill->room);
		at = fill->at;
		for (uint64_t i = 0; i < k; i++)
			at[i] = addr + (i << lg2);
		addr += k << lg2;
		n -= k;
		wrote(fill, k);
	}
}

/* Copy the words of single pages that come next. */
static void fill_spans(struct fill *fill, struct phyr_cursor *cur)
{
	const uint64_t *words;
	size_t n;

	while (fill->left) {
		if (!fill->room)
			next_list(fill);
		n = phyr_cursor_span(cur, fill->room, &words);
		if (!n)
			return;
		mem_copy(fill->at, words, n * sizeof(*words));
		wrote(fill, n);
	}
}

/* All pages after the first: @rest of its run, then what @cur has left. False: a bad edge. */
static bool fill_all(struct fill *fill, struct phyr_range rest, struct phyr_cursor *cur)
{
	uint64_t mask = ((uint64_t)1 << fill->prp->page_lg2) - 1;

	do {
		if (unlikely(rest.len && (rest.addr & mask || (cur->left && rest.len & mask))))
			return false;
		fill_run(fill, rest.addr, (rest.len + mask) >> fill->prp->page_lg2);
		if (fill->prp->page_lg2 == PHYR_PAGE_LG2)
			fill_spans(fill, cur);
	} while (phyr_cursor_next(cur, &rest));
	return true;
}

/* Take the first page from @cur: its address, and what remains of its run. */
static int first_page(const struct phyr_prp *prp, struct phyr_cursor *cur, uint64_t *prp1,
		      struct phyr_range *rest)
{
	uint64_t mask = ((uint64_t)1 << prp->page_lg2) - 1, len = cur->left, head;
	struct phyr_cursor start = *cur;

	if (unlikely(!phyr_cursor_next(cur, rest)))
		return refuse(prp, (struct phyr_report){.err = -EINVAL, .hint = "nothing left"});
	if (unlikely(rest->addr & 3))
		return refuse(prp, (struct phyr_report){.err = -EINVAL,
							.addr = rest->addr,
							.len = rest->len,
							.limit = 4,
							.hint = "the start is off a dword"});
	head = min_u64(mask + 1 - (rest->addr & mask), len);
	if (unlikely(rest->len < head))
		return refuse_edge(prp, start);
	*prp1 = rest->addr;
	rest->addr += head;
	rest->len -= head;
	return 0;
}

int phyr_prp_build(struct phyr_prp *prp, struct phyr_cursor *cur)
{
	uint64_t mask = ((uint64_t)1 << prp->page_lg2) - 1, prp1 = 0, prp2 = 0, pages;
	struct fill fill = {.prp = prp, .at = &prp2};
	struct phyr_cursor c = *cur;
	struct phyr_range rest;
	int err = first_page(prp, &c, &prp1, &rest);

	if (unlikely(err))
		return err;
	pages = pages_touched(prp->page_lg2, prp1 & mask, cur->left);
	err = take_lists(prp, lists_for(prp->page_lg2, pages));
	if (unlikely(err))
		return err;
	fill.left = pages - 1;
	fill.room = pages == 2; /* PRP2 is the second page's own entry */
	if (unlikely(!fill_all(&fill, rest, &c)))
		return refuse_edge(prp, *cur);
	prp->prp1 = prp1;
	prp->prp2 = prp2;
	*cur = c;
	return 0;
}
