/* SPDX-License-Identifier: MIT */
/*
 * Choices, from a random number or from bytes that a fuzzer gives. Choice 0 is the harmless one, and
 * the only one when the bytes are used up.
 */
#ifndef TESTS_NVME_WHIM_H
#define TESTS_NVME_WHIM_H

#include <stdbool.h>

#include "lib/rnd.h"

struct whim {
	const uint8_t *at, *end; /* NULL: random */
	struct rnd rnd;
};

static inline unsigned whim_byte(struct whim *w)
{
	if (!w->at)
		return (unsigned)(rnd_u64(&w->rnd) & 0xff);
	return w->at < w->end ? *w->at++ : 0;
}

static inline uint64_t whim_u64(struct whim *w)
{
	uint64_t v = 0;

	if (!w->at)
		return rnd_u64(&w->rnd);
	for (unsigned i = 0; i < 8; i++)
		v |= (uint64_t)whim_byte(w) << 8 * i;
	return v;
}

/* Below n; n is at most 65536. */
static inline unsigned whim_below(struct whim *w, unsigned n)
{
	unsigned v;

	if (!w->at)
		return (unsigned)rnd_below(&w->rnd, n);
	v = whim_byte(w);
	if (n > 256)
		v |= whim_byte(w) << 8;
	return v % n;
}

/* True once in n times. */
static inline bool whim_one_in(struct whim *w, unsigned n)
{
	return whim_below(w, n) == n - 1 && n > 1;
}

/* Whether there is nothing left to choose by. */
static inline bool whim_over(const struct whim *w)
{
	return w->at && w->at == w->end;
}

#endif
