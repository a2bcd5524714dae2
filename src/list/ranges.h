/* SPDX-License-Identifier: MIT */
/* Checking an array of ranges. */
#ifndef LIST_RANGES_H
#define LIST_RANGES_H

#include <phyr/types.h>

#include "core/bits.h"

#define RANGES_ROW ((size_t)4)

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

/*
 * Bytes of all ranges together. False: one is empty or passes 2^64, or all together do.
 *
 * Mostly all are far from that. Then the OR of addresses and of lengths - 1 shows it without a branch
 * a range: none of 2^62 or more, 0 among the lengths, which wraps.
 */
static inline bool ranges_len(const struct phyr_range *ranges, size_t nr, uint64_t *len)
{
	const size_t rows = nr / RANGES_ROW * RANGES_ROW;
	uint64_t addrs = 0, lens = 0, sum = 0;

	if (nr >> 22)
		return ranges_len_slow(ranges, nr, len);
	for (size_t i = 0; i < rows; i += RANGES_ROW) {
		const struct phyr_range *r = ranges + i;

		addrs |= r[0].addr | r[1].addr | r[2].addr | r[3].addr;
		lens |= (r[0].len - 1) | (r[1].len - 1) | (r[2].len - 1) | (r[3].len - 1);
		sum += r[0].len + r[1].len + r[2].len + r[3].len;
	}
	for (size_t i = rows; i < nr; i++) {
		addrs |= ranges[i].addr;
		lens |= ranges[i].len - 1;
		sum += ranges[i].len;
	}
	*len = sum;
	return likely(!(addrs >> 62 | lens >> 40)) || ranges_len_slow(ranges, nr, len);
}

#endif
