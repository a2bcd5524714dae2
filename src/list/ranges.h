/* SPDX-License-Identifier: MIT */
/* Checking an array of ranges. */
#ifndef LIST_RANGES_H
#define LIST_RANGES_H

#include <phyr/types.h>

#include "core/bits.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#define RANGES_ROW  ((size_t)4)
#define RANGES_SOME ((size_t)128)

/* The same as ranges_len(), one by one. */
static inline bool ranges_len_slow(const struct phyr_range *ranges, size_t nr, uint64_t *len)
{
	*len = 0;
	for (size_t i = 0; i < nr; i++) {
		if (range_is_bad(ranges[i].addr, ranges[i].len) || *len + ranges[i].len < *len)
			return false;
		*len += ranges[i].len;
	}
	return true;
}

/* What is known of many ranges at once. */
struct ranges_sum {
	uint64_t addrs; /* OR of them */
	uint64_t lens;  /* OR of lengths - 1 */
	uint64_t len;   /* together */
};

static inline void ranges_add(struct ranges_sum *sum, const struct phyr_range *r)
{
	sum->addrs |= r->addr;
	sum->lens |= r->len - 1;
	sum->len += r->len;
}

#if defined(__SSE2__)
/*
 * The same for rows of them. Mostly all lengths are one: then that is the OR of them and the AND, too,
 * and no sum is needed. False: they are not.
 */
static inline bool ranges_add_same(struct ranges_sum *sum, const struct phyr_range *ranges,
				   size_t nr)
{
	const __m128i *r = (const __m128i *)(const void *)ranges;
	__m128i any = _mm_setzero_si128(), all = _mm_set1_epi64x(-1);
	uint64_t any_bits[2], all_bits[2];

	for (size_t i = 0; i < nr; i += RANGES_ROW) {
		__m128i a = _mm_loadu_si128(r + i), b = _mm_loadu_si128(r + i + 1);
		__m128i c = _mm_loadu_si128(r + i + 2), d = _mm_loadu_si128(r + i + 3);

		any = _mm_or_si128(any, _mm_or_si128(_mm_or_si128(a, b), _mm_or_si128(c, d)));
		all = _mm_and_si128(all, _mm_and_si128(_mm_and_si128(a, b), _mm_and_si128(c, d)));
	}
	_mm_storeu_si128((__m128i *)(void *)any_bits, any);
	_mm_storeu_si128((__m128i *)(void *)all_bits, all);
	if (any_bits[1] != all_bits[1])
		return false;
	sum->addrs |= any_bits[0];
	sum->lens |= any_bits[1] - 1;
	sum->len += any_bits[1] * nr;
	return true;
}
#else
static inline bool ranges_add_same(struct ranges_sum *sum, const struct phyr_range *ranges,
				   size_t nr)
{
	return false;
}
#endif

/* Add what lies together in a cache at once. */
static inline void ranges_add_some(struct ranges_sum *sum, const struct phyr_range *ranges,
				   size_t nr)
{
	if (nr == RANGES_SOME && likely(ranges_add_same(sum, ranges, nr)))
		return;
	for (size_t i = 0; i < nr; i++)
		ranges_add(sum, ranges + i);
}

/*
 * Bytes of all ranges together. False: one is empty or passes 2^64, or all together do.
 *
 * Mostly all are far from that. Then the OR of addresses and of lengths - 1 shows it without a branch
 * a range: none of 2^62 or more, 0 among the lengths, which wraps.
 */
static inline bool ranges_len(const struct phyr_range *ranges, size_t nr, uint64_t *len)
{
	struct ranges_sum sum = {0, 0, 0};

	if (nr >> 22)
		return ranges_len_slow(ranges, nr, len);
	for (size_t i = 0; i < nr; i += RANGES_SOME)
		ranges_add_some(&sum, ranges + i, min_u64(nr - i, RANGES_SOME));
	*len = sum.len;
	return likely(!(sum.addrs >> 62 | sum.lens >> 40)) || ranges_len_slow(ranges, nr, len);
}

#endif
