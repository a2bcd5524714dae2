/* SPDX-License-Identifier: MIT */
/*
 * Writing entries in a row, none of them ever half seen.
 *
 * The table is live: a walker may read any entry at any time. So entries are stored by 8-byte atomic
 * stores, or by 16-byte aligned SSE2 stores where those are atomic, too. For 8 aligned bytes every
 * 64-bit processor guarantees that. For 16, Intel (SDM volume 3A, "Guaranteed Atomic Operations",
 * 9.1.1) gives the guarantee for aligned MOVDQA and MOVAPS on processors that enumerate AVX in
 * CPUID.01H:ECX[28]; AMD (APM volume 2, "Access Atomicity", 7.3.2) gives it for aligned 16-byte
 * accesses to cacheable memory on processors that do. Nothing in them needs AVX to be in use or
 * switched on; pgtbl_wide_stores() asks once, at create. memcpy and memset promise nothing, and are
 * never used on a live table; nor may the compiler make one of a loop here, or another instruction
 * of a store, so the stores are volatile.
 *
 * Mapping looks at each old entry before it is replaced, eight entries at a time, which is a cache
 * line; a batch with one that is not 0 is left to the loop that goes one by one, which finds it.
 */
#ifndef PGTBL_FILL_H
#define PGTBL_FILL_H

#include "pgtbl/desc.h"

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define FILL_TSAN 1
#endif
#endif

#if defined(__SSE2__) && !defined(__SANITIZE_THREAD__) && !defined(FILL_TSAN)
#define FILL_WIDE 1
#include <cpuid.h>
#include <emmintrin.h>
#else
#define FILL_WIDE 0
#endif

/* Entries that are looked at together. */
#define FILL_BATCH 8

#if FILL_WIDE
static inline bool pgtbl_wide_stores(void)
{
	unsigned eax, ebx, ecx, edx;

	return __get_cpuid(1, &eax, &ebx, &ecx, &edx) && ecx & bit_AVX;
}

PGTBL_INLINE bool fill_all_zero(__m128i v)
{
	return _mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_setzero_si128())) == 0xffff;
}

PGTBL_INLINE void fill_store(__m128i *p, __m128i v)
{
	*(volatile __m128i *)p = v;
}

/* OR of the batch of old entries. */
PGTBL_INLINE __m128i fill_old(const __m128i *p)
{
	return _mm_or_si128(_mm_or_si128(_mm_load_si128(p), _mm_load_si128(p + 1)),
			    _mm_or_si128(_mm_load_si128(p + 2), _mm_load_si128(p + 3)));
}

/* As desc_encode(), two at once. */
PGTBL_INLINE __m128i fill_encode(const struct pgtbl_desc *d, __m128i addr)
{
	const uint64_t below = ((uint64_t)1 << d->fold_from) - 1;

	if (d->fold_from) {
		__m128i high = _mm_srli_epi64(addr, (int)d->fold_from);

		addr = _mm_and_si128(addr, _mm_set1_epi64x((long long)below));
		addr = _mm_or_si128(addr, _mm_slli_epi64(high, (int)d->fold_to));
	}
	return d->addr_shift ? _mm_srli_epi64(addr, (int)d->addr_shift) : addr;
}

/* A batch of page addresses with flags; false: nothing was written. */
PGTBL_INLINE bool fill_words_batch(const struct pgtbl_desc *d, uint64_t *to, const uint64_t *words,
				   uint64_t flags, uint64_t over)
{
	__m128i *p = (__m128i *)to;
	const __m128i *w = (const __m128i *)words;
	__m128i a = _mm_loadu_si128(w), b = _mm_loadu_si128(w + 1);
	__m128i c = _mm_loadu_si128(w + 2), e = _mm_loadu_si128(w + 3);
	__m128i any = _mm_or_si128(_mm_or_si128(a, b), _mm_or_si128(c, e));
	__m128i f = _mm_set1_epi64x((long long)flags);

	any = _mm_and_si128(any, _mm_set1_epi64x((long long)over));
	if (unlikely(!fill_all_zero(_mm_or_si128(any, fill_old(p)))))
		return false;
	fill_store(p, _mm_or_si128(fill_encode(d, a), f));
	fill_store(p + 1, _mm_or_si128(fill_encode(d, b), f));
	fill_store(p + 2, _mm_or_si128(fill_encode(d, c), f));
	fill_store(p + 3, _mm_or_si128(fill_encode(d, e), f));
	return true;
}

/* A batch that counts upwards; false: nothing was written. */
PGTBL_INLINE bool fill_run_batch(uint64_t *to, __m128i *value, __m128i step2)
{
	__m128i *p = (__m128i *)to;
	__m128i b = _mm_add_epi64(*value, step2), c = _mm_add_epi64(b, step2);
	__m128i d = _mm_add_epi64(c, step2);

	if (unlikely(!fill_all_zero(fill_old(p))))
		return false;
	fill_store(p, *value);
	fill_store(p + 1, b);
	fill_store(p + 2, c);
	fill_store(p + 3, d);
	*value = _mm_add_epi64(d, step2);
	return true;
}

/* A batch of ranges, if each is a page; false: nothing was written. */
PGTBL_INLINE bool fill_ranges_batch(const struct pgtbl_desc *d, uint64_t *to,
				    const struct phyr_range *ranges, uint64_t flags, uint64_t over)
{
	__m128i *p = (__m128i *)to;
	const __m128i *r = (const __m128i *)(const void *)ranges;
	const __m128i len = _mm_set_epi64x((long long)PHYR_PAGE_SIZE, 0);
	__m128i a = _mm_loadu_si128(r), b = _mm_loadu_si128(r + 1), c = _mm_loadu_si128(r + 2);
	__m128i e = _mm_loadu_si128(r + 3), g = _mm_loadu_si128(r + 4), h = _mm_loadu_si128(r + 5);
	__m128i i = _mm_loadu_si128(r + 6), j = _mm_loadu_si128(r + 7);
	__m128i any = _mm_or_si128(_mm_or_si128(_mm_or_si128(a, b), _mm_or_si128(c, e)),
				   _mm_or_si128(_mm_or_si128(g, h), _mm_or_si128(i, j)));
	__m128i f = _mm_set1_epi64x((long long)flags);

	/* No length is 0: each has the one bit that their OR has. */
	any = _mm_and_si128(any, _mm_set_epi64x(-1, (long long)over));
	if (unlikely(!fill_all_zero(_mm_or_si128(_mm_xor_si128(any, len), fill_old(p)))))
		return false;
	fill_store(p, _mm_or_si128(fill_encode(d, _mm_unpacklo_epi64(a, b)), f));
	fill_store(p + 1, _mm_or_si128(fill_encode(d, _mm_unpacklo_epi64(c, e)), f));
	fill_store(p + 2, _mm_or_si128(fill_encode(d, _mm_unpacklo_epi64(g, h)), f));
	fill_store(p + 3, _mm_or_si128(fill_encode(d, _mm_unpacklo_epi64(i, j)), f));
	return true;
}

/* The lower halves of four addresses. */
PGTBL_INLINE __m128 fill_four_low(const struct phyr_range *ranges)
{
	const __m128i *r = (const __m128i *)(const void *)ranges;
	__m128i a = _mm_unpacklo_epi64(_mm_loadu_si128(r), _mm_loadu_si128(r + 1));
	__m128i b = _mm_unpacklo_epi64(_mm_loadu_si128(r + 2), _mm_loadu_si128(r + 3));

	return _mm_shuffle_ps(_mm_castsi128_ps(a), _mm_castsi128_ps(b), _MM_SHUFFLE(2, 0, 2, 0));
}

/*
 * Whether one of the pairs in a batch of ranges, each a page, may be neighbours in memory. Only the lower
 * halves of addresses are looked at: that no more than the upper ones differ is rare, and yes is always
 * safe to say.
 */
PGTBL_INLINE bool fill_ranges_pair(const struct phyr_range *r)
{
	const __m128i page = _mm_set1_epi32((int)PHYR_PAGE_SIZE);
	__m128 a = fill_four_low(r), b = fill_four_low(r + 4);
	__m128 even = _mm_shuffle_ps(a, b, _MM_SHUFFLE(2, 0, 2, 0));
	__m128 odd = _mm_shuffle_ps(a, b, _MM_SHUFFLE(3, 1, 3, 1));
	__m128i next = _mm_add_epi32(_mm_castps_si128(even), page);

	return _mm_movemask_epi8(_mm_cmpeq_epi32(next, _mm_castps_si128(odd)));
}

PGTBL_INLINE void fill_zero_batch(uint64_t *to)
{
	__m128i *p = (__m128i *)to;

	for (unsigned i = 0; i < FILL_BATCH / 2; i++)
		fill_store(p + i, _mm_setzero_si128());
}
#else
static inline bool pgtbl_wide_stores(void)
{
	return false;
}

PGTBL_INLINE bool fill_ranges_batch(const struct pgtbl_desc *d, uint64_t *to,
				    const struct phyr_range *ranges, uint64_t flags, uint64_t over)
{
	return false;
}

PGTBL_INLINE bool fill_ranges_pair(const struct phyr_range *r)
{
	return true;
}
#endif

/* One entry, if there is none; false: there is. */
PGTBL_INLINE bool fill_one(uint64_t *p, uint64_t value)
{
	if (unlikely(load_relaxed(p)))
		return false;
	store_relaxed(p, value);
	return true;
}

/*
 * Write words[i], coded, | flags over n empty entries. A word with a bit of over stops it, and so does an
 * entry that is not empty.
 *
 * Returns how many were written.
 */
PGTBL_INLINE unsigned fill_words(const struct pgtbl_desc *d, bool wide, uint64_t *p,
				 const uint64_t *words, unsigned n, uint64_t flags, uint64_t over)
{
	unsigned i = 0;

#if FILL_WIDE
	if (wide && n >= FILL_BATCH) {
		if ((uintptr_t)p & 8 && !(words[0] & over) &&
		    fill_one(p, desc_encode(d, words[0]) | flags))
			i = 1;
		if (!((uintptr_t)(p + i) & 8))
			while (n - i >= FILL_BATCH &&
			       fill_words_batch(d, p + i, words + i, flags, over))
				i += FILL_BATCH;
	}
#endif
	while (i < n && !(words[i] & over) && fill_one(p + i, desc_encode(d, words[i]) | flags))
		i++;
	return i;
}

/* Write value, value + step, … over n empty entries. Returns how many were written. */
PGTBL_INLINE unsigned fill_run(bool wide, uint64_t *p, unsigned n, uint64_t value, uint64_t step)
{
	unsigned i = 0;

#if FILL_WIDE
	if (wide && n >= FILL_BATCH) {
		__m128i v, step2 = _mm_set1_epi64x((long long)(2 * step));

		if ((uintptr_t)p & 8 && fill_one(p, value))
			i = 1;
		v = _mm_set_epi64x((long long)(value + (i + 1) * step),
				   (long long)(value + i * step));
		if (!((uintptr_t)(p + i) & 8))
			while (n - i >= FILL_BATCH && fill_run_batch(p + i, &v, step2))
				i += FILL_BATCH;
	}
#endif
	while (i < n && fill_one(p + i, value + i * step))
		i++;
	return i;
}

/* Empty n entries. */
PGTBL_INLINE void fill_zero(bool wide, uint64_t *p, unsigned n)
{
	unsigned i = 0;

#if FILL_WIDE
	if (wide && n >= FILL_BATCH) {
		if ((uintptr_t)p & 8)
			store_relaxed(p + i++, 0);
		for (; n - i >= FILL_BATCH; i += FILL_BATCH)
			fill_zero_batch(p + i);
	}
#endif
	for (; i < n; i++)
		store_relaxed(p + i, 0);
}

#endif
