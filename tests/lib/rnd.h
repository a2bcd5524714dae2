/* SPDX-License-Identifier: MIT */
/* Random numbers for tests: one seed, printed, and taken from PHYR_TEST_SEED when it is set. */
#ifndef TESTS_RND_H
#define TESTS_RND_H

#include <stdint.h>

struct rnd {
	uint64_t s;
};

/* Seed from PHYR_TEST_SEED, or the clock; prints the seed with the test's name. */
struct rnd rnd_start(const char *test);

/* splitmix64 */
static inline uint64_t rnd_u64(struct rnd *r)
{
	uint64_t z = (r->s += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/* Uniform below n, n > 0. */
static inline uint64_t rnd_below(struct rnd *r, uint64_t n)
{
	return (uint64_t)(((unsigned __int128)rnd_u64(r) * n) >> 64);
}

/* Between low and high inclusive, its magnitude uniform in the logarithm. */
uint64_t rnd_log(struct rnd *r, uint64_t low, uint64_t high);

#endif
