/* SPDX-License-Identifier: MIT */
/* Alignment and powers of two on 64-bit values. */
#ifndef CORE_BITS_H
#define CORE_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
#define ARRAY_SIZE(a)                   (sizeof(a) / sizeof((a)[0]))
#define likely(x)                       __builtin_expect(!!(x), 1)
#define unlikely(x)                     __builtin_expect(!!(x), 0)
/* For the compiler, and who reads for errors: this can't be. */
#define never(x)                                 \
	do {                                     \
		if (x)                           \
			__builtin_unreachable(); \
	} while (0)

static inline uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t max_u64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* @mask is a power of two minus 1. */
static inline uint64_t round_down_mask(uint64_t v, uint64_t mask)
{
	return v & ~mask;
}

static inline uint64_t round_up_mask(uint64_t v, uint64_t mask)
{
	return (v + mask) & ~mask;
}

static inline bool is_pow2(uint64_t v)
{
	return v && !(v & (v - 1));
}

/* Index of the highest bit set; @v is not 0. */
static inline unsigned lg2_u64(uint64_t v)
{
	return 63u - (unsigned)__builtin_clzll(v);
}

/* Index of the lowest bit set; @v is not 0. */
static inline unsigned low_bit_u64(uint64_t v)
{
	return (unsigned)__builtin_ctzll(v);
}

/* The smallest power of two at or above @v, which is at least 1 and at most 2^63. */
static inline uint64_t pow2_at_least(uint64_t v)
{
	return v <= 1 ? 1 : (uint64_t)1 << (lg2_u64(v - 1) + 1);
}

/* Whether [addr, addr + len) is empty or passes 2^64; ending exactly there is fine. */
static inline bool range_is_bad(uint64_t addr, uint64_t len)
{
	return !len || addr + (len - 1) < addr;
}

#endif
