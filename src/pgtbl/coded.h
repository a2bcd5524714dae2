/* SPDX-License-Identifier: MIT */
/*
 * Laying out runs where a leaf's size is coded in the address bits below it (struct pgtbl_desc,
 * cluster_coded): leaves as large as they can be, all entries of each alike.
 *
 * Short runs come from a table, eight pages at once whatever their leaves are: how much more each
 * entry is than its page's address.
 *
 * Which leaf is page p of a run [s, e) in, when it has 2^k pages? Neither s - 1 nor e is one of them, so
 * 2^k is at most the highest bit in which p differs from either. And it is at most the lowest bit in which
 * iova and address differ. As masks, 2^k - 1, the least of the three is their AND. The leaf's entries hold
 * its own address, and 2^(k - 1) - 1 pages more as its code:
 *
 *   p        5  6  7  8  9 10 11 12       s = 5, e = 13, iova and address differ from bit 2 up: k <= 2
 *   leaf    [5][6  7][8  9 10 11][12]
 *   more     0  0 -1  1  0 -1 -2  0       pages, and the mark of coded sizes
 */
#ifndef PGTBL_CODED_H
#define PGTBL_CODED_H

#include "pgtbl/desc.h"

#define CODED_PAGES 8u
/* Where iova and address differ in one of these bits, leaves have so many pages at most. */
#define CODED_INSIDE ((uint64_t)0xf << PHYR_PAGE_LG2)
/* What the table takes for granted: the mark of coded sizes, and that there are all up to 8 pages. */
#define CODED_MARK  ((uint64_t)0xe00)
#define CODED_SIZES ((uint64_t)0xf << PHYR_PAGE_LG2)

/* Leaves one by one, of sizes that there are. */
static inline void coded_lay_any(uint64_t *to, uint64_t sizes, uint64_t mark, uint64_t iova,
				 uint64_t addr, uint64_t n)
{
	while (n) {
		uint64_t aligned = (iova | addr) & -(iova | addr);
		uint64_t fits =
			((aligned << 1) - 1) & (((uint64_t)2 << (lg2_u64(n) + PHYR_PAGE_LG2)) - 1);
		uint64_t size = (uint64_t)1 << lg2_u64(sizes & fits);
		uint64_t pages = size >> PHYR_PAGE_LG2, value = addr;

		if (pages > 1)
			value |= (size / 2 - PHYR_PAGE_SIZE) | mark;
		for (uint64_t i = 0; i < pages; i++)
			to[i] = value;
		to += pages;
		iova += size;
		addr += size;
		n -= pages;
	}
}

#if defined(__SSE2__)
#include <emmintrin.h>

/* In steps of 256 bytes, 16 of which are a page; CODED_LEAST pages more, so that none is negative. */
#define CODED_LEAST 7
#define BELOW(x)    ((x) & ~7 ? 7 : (x)&4 ? 3 : (x)&2 ? 1 : 0)
#define LEAF(k, s, n, i)                                                                 \
	((i) < (n) ? BELOW((8 + (s) + (i)) ^ (7 + (s))) &                                \
			     BELOW((8 + (s) + (i)) ^ (8 + (s) + (n))) & ((1 << (k)) - 1) \
		   : 0)
#define MORE(leaf, p)       (16 * (CODED_LEAST + ((leaf) >> 1) - ((p) & (leaf))) + ((leaf) ? 14 : 0))
#define PAGE_OF(k, s, n, i) MORE(LEAF(k, s, n, i), (s) + (i))
#define RUN(k, s, n)                                                                   \
	{                                                                              \
		PAGE_OF(k, s, n, 0), PAGE_OF(k, s, n, 1), PAGE_OF(k, s, n, 2),         \
			PAGE_OF(k, s, n, 3), PAGE_OF(k, s, n, 4), PAGE_OF(k, s, n, 5), \
			PAGE_OF(k, s, n, 6), PAGE_OF(k, s, n, 7)                       \
	}
#define LENGTHS(k, s)                                                                 \
	{                                                                             \
		RUN(k, s, 1), RUN(k, s, 2), RUN(k, s, 3), RUN(k, s, 4), RUN(k, s, 5), \
			RUN(k, s, 6), RUN(k, s, 7), RUN(k, s, 8)                      \
	}
#define STARTS(k)                                                                          \
	{                                                                                  \
		LENGTHS(k, 0), LENGTHS(k, 1), LENGTHS(k, 2), LENGTHS(k, 3), LENGTHS(k, 4), \
			LENGTHS(k, 5), LENGTHS(k, 6), LENGTHS(k, 7)                        \
	}

/* By k, by the first page's number modulo 8, by length - 1. */
static const uint8_t coded_more[4][8][8][CODED_PAGES] = {STARTS(0), STARTS(1), STARTS(2),
							 STARTS(3)};

/* A run of up to CODED_PAGES pages, and what is too much. */
PGTBL_INLINE void coded_lay_short(uint64_t *to, uint64_t iova, uint64_t addr, uint64_t n)
{
	const uint64_t page = iova >> PHYR_PAGE_LG2;
	const unsigned k = low_bit_u64((addr >> PHYR_PAGE_LG2 ^ page) | 8);
	const uint8_t *more = coded_more[k][page & 7][n - 1];
	const __m128i zero = _mm_setzero_si128();
	const __m128i two = _mm_set1_epi64x((long long)(2 * PHYR_PAGE_SIZE));
	uint64_t from = addr - CODED_LEAST * PHYR_PAGE_SIZE;
	__m128i v = _mm_set_epi64x((long long)(from + PHYR_PAGE_SIZE), (long long)from);
	__m128i m = _mm_unpacklo_epi8(zero, _mm_loadl_epi64((const __m128i *)(const void *)more));
	__m128i low = _mm_unpacklo_epi16(m, zero), high = _mm_unpackhi_epi16(m, zero);
	__m128i *p = (__m128i *)(void *)to;

	_mm_storeu_si128(p, _mm_add_epi64(v, _mm_unpacklo_epi32(low, zero)));
	v = _mm_add_epi64(v, two);
	_mm_storeu_si128(p + 1, _mm_add_epi64(v, _mm_unpackhi_epi32(low, zero)));
	v = _mm_add_epi64(v, two);
	_mm_storeu_si128(p + 2, _mm_add_epi64(v, _mm_unpacklo_epi32(high, zero)));
	v = _mm_add_epi64(v, two);
	_mm_storeu_si128(p + 3, _mm_add_epi64(v, _mm_unpackhi_epi32(high, zero)));
}

#undef BELOW
#undef LEAF
#undef MORE
#undef PAGE_OF
#undef RUN
#undef LENGTHS
#undef STARTS
#else
PGTBL_INLINE void coded_lay_short(uint64_t *to, uint64_t iova, uint64_t addr, uint64_t n)
{
	coded_lay_any(to, CODED_SIZES, CODED_MARK, iova, addr, n);
}
#endif

#endif
