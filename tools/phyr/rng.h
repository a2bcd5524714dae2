/* SPDX-License-Identifier: MIT */
/* Random numbers that a seed determines (splitmix64). */
#ifndef RNG_H
#define RNG_H

#include <stdint.h>

static inline uint64_t rng_mix(uint64_t z)
{
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static inline uint64_t rng_next(uint64_t *state)
{
	return rng_mix(*state += 0x9e3779b97f4a7c15u);
}

/* Uniform below n, n > 0. */
static inline uint64_t rng_below(uint64_t *state, uint64_t n)
{
	return (uint64_t)(((unsigned __int128)rng_next(state) * n) >> 64);
}

#endif
