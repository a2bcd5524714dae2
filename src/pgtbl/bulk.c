/* SPDX-License-Identifier: MIT */
/* Laying out short runs as pages; the same for all formats. */
#include "pgtbl/bulk.h"

#include "list/peek.h"
#include "pgtbl/coded.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/*
 * Stores come in rows without a branch between them, whether a run is as long or not: most runs end in
 * the first, nearly all others in one more.
 */
#define LAY_PAGES ((uint64_t)8)
#define LAY_FIRST (2 * LAY_PAGES)
#define LAY_MORE  (6 * LAY_PAGES)
_Static_assert(LAY_MORE <= BULK_TOO_MANY && LAY_FIRST <= BULK_TOO_MANY,
	       "what is too much has room");

/* What can be laid out. */
struct limits {
	uint64_t iova;         /* of the first page */
	uint64_t larger;       /* as in struct phyr_pgtbl */
	uint64_t larger_pages; /* the same in pages */
	uint64_t oa_last;
	uint64_t start_last; /* runs that start up to here end below oa_last */
	uint64_t pages;      /* at most so many */
	uint64_t coded;      /* as in struct phyr_pgtbl */
	uint64_t leaf_sizes;
	bool all_sizes; /* they and coded are what CODED_PAGES take */
};

/* Whether a run of n pages from addr on is short, and cannot be part of a larger leaf; at: its place. */
static inline bool takes(const struct limits *limits, uint64_t at, uint64_t addr, uint64_t n,
			 bool coded)
{
	if (unlikely(n > limits->pages - at || addr > limits->start_last))
		return false;
	if (coded || likely(n < limits->larger_pages))
		return true;
	return (addr ^ (limits->iova + (at << PHYR_PAGE_LG2))) & (limits->larger - 1);
}

#if defined(__SSE2__)
PGTBL_INLINE __m128i both(uint64_t v)
{
	return _mm_set1_epi64x((long long)v);
}

PGTBL_INLINE void put_two(uint64_t *to, __m128i v)
{
	_mm_storeu_si128((__m128i *)(void *)to, v);
}

/* The next pages, LAY_PAGES of them, from addr on. */
PGTBL_INLINE void lay_some(uint64_t *to, uint64_t addr)
{
	const __m128i second = _mm_set_epi64x((long long)PHYR_PAGE_SIZE, 0);
	__m128i v = _mm_add_epi64(both(addr), second);

	_Static_assert(LAY_PAGES == 8, "a line for two");
	put_two(to, v);
	put_two(to + 2, _mm_add_epi64(v, both(2 * PHYR_PAGE_SIZE)));
	put_two(to + 4, _mm_add_epi64(v, both(4 * PHYR_PAGE_SIZE)));
	put_two(to + 6, _mm_add_epi64(v, both(6 * PHYR_PAGE_SIZE)));
}

#else
PGTBL_INLINE void lay_some(uint64_t *to, uint64_t addr)
{
	for (unsigned k = 0; k < LAY_PAGES; k++)
		to[k] = addr + ((uint64_t)k << PHYR_PAGE_LG2);
}
#endif

/* Pages of a run, and up to BULK_TOO_MANY - 1 more. */
PGTBL_INLINE void lay(uint64_t *to, uint64_t addr, uint64_t n)
{
	lay_some(to, addr);
	lay_some(to + LAY_PAGES, addr + LAY_PAGES * PHYR_PAGE_SIZE);
	for (uint64_t i = LAY_FIRST; unlikely(i < n); i += LAY_MORE)
		for (uint64_t k = i; k < i + LAY_MORE; k += LAY_PAGES)
			lay_some(to + k, addr + (k << PHYR_PAGE_LG2));
}

/*
 * The same where a leaf's size is coded. A longer run whose leaves cannot have more than CODED_PAGES is
 * many short ones: no leaf lies across a multiple of that.
 */
PGTBL_INLINE void lay_coded(const struct limits *limits, uint64_t *to, uint64_t iova, uint64_t addr,
			    uint64_t n)
{
	uint64_t i;

	if (likely(n <= CODED_PAGES && limits->all_sizes)) {
		coded_lay_short(to, iova, addr, n);
		return;
	}
	if (unlikely(!((addr ^ iova) & CODED_INSIDE) || !limits->all_sizes)) {
		coded_lay_any(to, limits->leaf_sizes, limits->coded, iova, addr, n);
		return;
	}
	i = CODED_PAGES - (iova >> PHYR_PAGE_LG2 & (CODED_PAGES - 1));
	coded_lay_short(to, iova, addr, i);
	for (; i < n; i += CODED_PAGES)
		coded_lay_short(to + i, iova + (i << PHYR_PAGE_LG2), addr + (i << PHYR_PAGE_LG2),
				min_u64(n - i, CODED_PAGES));
}

/* Lay out words. Returns how many; *nr: their pages. */
PGTBL_INLINE size_t lay_words(uint64_t *to, const struct limits *limits, const uint64_t *words,
			      size_t nr_words, bool coded, uint64_t *nr)
{
	uint64_t at = 0;
	size_t i;

	for (i = 0; i < nr_words; i++) {
		uint64_t addr = word_addr(words[i]), n = (words[i] & CODE_MASK) + 1;
		uint64_t iova = limits->iova + (at << PHYR_PAGE_LG2);

		if (!takes(limits, at, addr, n, coded))
			break;
		if (coded)
			lay_coded(limits, to + at, iova, addr, n);
		else
			lay(to + at, addr, n);
		at += n;
	}
	*nr = at;
	return i;
}

/*
 * Whether a range may be laid out, as the at-th page and on. Ranges that follow each other are one run:
 * a larger leaf may begin in the first of them, if iova and address let one begin anywhere in it.
 */
static inline bool takes_range(const struct limits *limits, uint64_t at, const struct phyr_range *r)
{
	bool alone = r->len == PHYR_PAGE_SIZE && r[1].addr != r->addr + PHYR_PAGE_SIZE;
	uint64_t iova = limits->iova + (at << PHYR_PAGE_LG2);

	if ((r->addr | r->len) & PAGE_MASK ||
	    !takes(limits, at, r->addr, r->len >> PHYR_PAGE_LG2, false))
		return false;
	return alone || (r->addr ^ iova) & (limits->larger - 1);
}

/* Lay out ranges, but for the last. Returns how many; *nr: their pages. */
static size_t lay_ranges(uint64_t *to, const struct limits *limits, const struct phyr_range *r,
			 size_t nr_ranges, uint64_t *nr)
{
	uint64_t at = 0;
	size_t i;

	for (i = 0; i + 1 < nr_ranges && takes_range(limits, at, r + i); i++) {
		lay(to + at, r[i].addr, r[i].len >> PHYR_PAGE_LG2);
		at += r[i].len >> PHYR_PAGE_LG2;
	}
	*nr = at;
	return i;
}

/* Whether the first words are single pages, so many that they are better taken as they are. */
static inline bool words_are_flock(const uint64_t *words, size_t nr)
{
	uint64_t any = 0;

	if (nr < LAY_PAGES)
		return false;
	for (unsigned i = 0; i < LAY_PAGES; i++)
		any |= words[i];
	return !(any & CODE_MASK);
}

static inline bool ranges_are_flock(const struct phyr_range *ranges, size_t nr)
{
	uint64_t any = 0;

	if (nr <= LAY_PAGES)
		return false;
	for (unsigned i = 0; i < LAY_PAGES; i++)
		any |= ranges[i].len ^ PHYR_PAGE_SIZE;
	return !any;
}

/* Flocks of ranges are taken in rows; pages up to where one can begin. */
static inline uint64_t pages_to_row(uint64_t iova)
{
	return -(iova >> PHYR_PAGE_LG2) & (LAY_PAGES - 1);
}

unsigned phyr_pgtbl_bulk_take(struct pgtbl_bulk *b, const struct phyr_pgtbl *pt,
			      struct phyr_cursor *cur, uint64_t iova)
{
	struct limits limits = {
		.iova = iova,
		.larger = pt->larger,
		.larger_pages = pt->larger >> PHYR_PAGE_LG2,
		.oa_last = pt->oa_last,
		.start_last = pt->oa_last - min_u64(pt->oa_last, BULK_PAGES << PHYR_PAGE_LG2),
		.pages = min_u64(BULK_PAGES, cur->left >> PHYR_PAGE_LG2),
		.coded = pt->coded,
		.leaf_sizes = pt->leaf_sizes,
		.all_sizes = !(~pt->leaf_sizes & CODED_SIZES) && pt->coded == CODED_MARK,
	};
	const struct phyr_range *ranges;
	const uint64_t *words;
	size_t nr = cursor_words(cur, &words);
	uint64_t pages = 0;

	if (nr) {
		if (words_are_flock(words, nr))
			return 0;
		if (pt->coded)
			nr = lay_words(b->pages, &limits, words, nr, true, &pages);
		else
			nr = lay_words(b->pages, &limits, words, nr, false, &pages);
		cursor_take_words(cur, nr, pages);
	} else {
		nr = cursor_ranges(cur, &ranges);
		if (pt->wide && ranges_are_flock(ranges, nr))
			limits.pages = min_u64(limits.pages, pages_to_row(iova));
		nr = lay_ranges(b->pages, &limits, ranges, nr, &pages);
		if (nr)
			cursor_take_ranges(cur, nr, pages << PHYR_PAGE_LG2);
	}
	b->nr = (unsigned)pages;
	return b->nr;
}
