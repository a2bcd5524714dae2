/* SPDX-License-Identifier: MIT */
/*
 * Words of scattered pages. When no page follows the one before it in memory, the word of each is its
 * address; so the words are the pages, and all that is left to do is to see that none follows, and to
 * note the edges and the highest page.
 */
#ifndef LIST_SCATTER_H
#define LIST_SCATTER_H

#include "list/word.h"

/* So many pages at once. */
#define STEP 8

struct scatter {
	uint64_t gap;  /* OR of the edges between runs */
	uint64_t high; /* the highest page */
};

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SCATTER_NO_VECTORS
#endif
#endif

#if defined(__SSE2__) && !defined(__SANITIZE_THREAD__) && !defined(SCATTER_NO_VECTORS)
#include <emmintrin.h>

struct scatter_vectors {
	__m128i gap;
	__m128d high; /* page numbers, see page_number() */
	__m128i follow;
};

static inline __m128i load2(const uint64_t *p)
{
	return _mm_loadu_si128((const __m128i *)p);
}

/* The lower halves of four addresses. */
static inline __m128i low_halves(__m128i a, __m128i b)
{
	return _mm_castps_si128(
		_mm_shuffle_ps(_mm_castsi128_ps(a), _mm_castsi128_ps(b), _MM_SHUFFLE(2, 0, 2, 0)));
}

/* Page numbers as doubles from 2^52 to 2^53: SSE2 has no other maximum of 64 bits. */
static inline __m128d page_number(__m128i page)
{
	const __m128i exponent = _mm_set1_epi64x((int64_t)0x433 << 52);

	return _mm_castsi128_pd(_mm_or_si128(_mm_srli_epi64(page, PHYR_PAGE_LG2), exponent));
}

/* Four pages. One counts as following already when the lower halves say so. */
static inline void scatter4(struct scatter_vectors *v, uint64_t *words, const phyr_addr_t *pages)
{
	const __m128i size = _mm_set1_epi64x(PHYR_PAGE_SIZE);
	__m128i prev0 = load2(pages - 1), page0 = load2(pages);
	__m128i prev1 = load2(pages + 1), page1 = load2(pages + 2);
	__m128i end0 = _mm_add_epi64(prev0, size), end1 = _mm_add_epi64(prev1, size);
	__m128i edges0 = _mm_or_si128(page0, end0), edges1 = _mm_or_si128(page1, end1);

	_mm_storeu_si128((__m128i *)words, prev0);
	_mm_storeu_si128((__m128i *)(words + 2), prev1);
	v->gap = _mm_or_si128(v->gap, _mm_or_si128(edges0, edges1));
	v->high = _mm_max_pd(v->high, _mm_max_pd(page_number(page0), page_number(page1)));
	v->follow = _mm_or_si128(v->follow,
				 _mm_cmpeq_epi32(low_halves(page0, page1), low_halves(end0, end1)));
}

static inline struct scatter_vectors scatter_load(const struct scatter *s)
{
	return (struct scatter_vectors){
		.gap = _mm_set1_epi64x((int64_t)s->gap),
		.high = page_number(_mm_set1_epi64x((int64_t)s->high)),
		.follow = _mm_setzero_si128(),
	};
}

static inline void scatter_store(struct scatter *s, const struct scatter_vectors *v)
{
	uint64_t gap[2], high[2];

	_mm_storeu_si128((__m128i *)gap, v->gap);
	_mm_storeu_si128((__m128i *)high, _mm_castpd_si128(v->high));
	s->gap = gap[0] | gap[1];
	s->high = max_u64(high[0], high[1]) << PHYR_PAGE_LG2;
}

static inline bool scatter_follows(const struct scatter_vectors *v)
{
	return _mm_movemask_epi8(v->follow);
}

#else

struct scatter_vectors {
	uint64_t gap, high;
	bool follow;
};

static inline void scatter4(struct scatter_vectors *v, uint64_t *words, const phyr_addr_t *pages)
{
	for (const phyr_addr_t *p = pages; p < pages + 4; p++) {
		uint64_t end = p[-1] + PHYR_PAGE_SIZE;

		*words++ = p[-1];
		v->gap |= *p | end;
		v->high = max_u64(v->high, *p);
		v->follow |= *p == end;
	}
}

static inline struct scatter_vectors scatter_load(const struct scatter *s)
{
	return (struct scatter_vectors){s->gap, s->high, false};
}

static inline void scatter_store(struct scatter *s, const struct scatter_vectors *v)
{
	*s = (struct scatter){v->gap, v->high};
}

static inline bool scatter_follows(const struct scatter_vectors *v)
{
	return v->follow;
}

#endif

/*
 * Write the words of pages[-1] to pages[n - 2], n as large as steps before one with a page that
 * follows allow, and at most @nr. Words up to @nr may be written in vain.
 */
static inline size_t scatter_pages(struct scatter *s, uint64_t *words, const phyr_addr_t *pages,
				   size_t nr)
{
	struct scatter_vectors done = scatter_load(s);
	size_t n;

	for (n = 0; n + STEP <= nr; n += STEP) {
		struct scatter_vectors v = done;

		scatter4(&v, words + n, pages + n);
		scatter4(&v, words + n + 4, pages + n + 4);
		if (unlikely(scatter_follows(&v)))
			break;
		done = v;
	}
	scatter_store(s, &done);
	return n;
}

#endif
