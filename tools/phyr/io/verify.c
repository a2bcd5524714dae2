/* SPDX-License-Identifier: MIT */
/*
 * Stamps: each block says which block it is, which time it was written, and proves its content.
 *
 *   | magic | lba | generation | seed | a stream of words that these four determine … | checksum |
 *
 * The words are each different, so that data shifted by any amount, or mixed of two writes, shows.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "io/verify.h"
#include "rng.h"

#define MAGIC 0x7079686b636f6c62u

struct stamp {
	uint64_t magic;
	uint64_t lba;
	uint64_t generation;
	uint64_t seed;
};

int verify_init(struct verify *v, const struct io_opts *opts, uint64_t nr_blocks,
		uint32_t block_size)
{
	*v = (struct verify){
		.generation = calloc(nr_blocks, sizeof(*v->generation)),
		.block_size = block_size,
		.seed = opts->seed,
		.starts_zeroed = opts->create,
		.stamped = !rw_writes(opts->rw) && !opts->create,
	};
	return v->generation ? 0 : -ENOMEM;
}

void verify_fini(struct verify *v)
{
	free(v->generation);
	v->generation = NULL;
}

/* The stream's n-th word: cheap, and different for each block, generation and place. */
static inline uint64_t stream_word(uint64_t key, uint64_t n)
{
	uint64_t z = key + n * 0x9e3779b97f4a7c15u;

	return z ^ (z >> 29);
}

static uint64_t stream_key(const struct stamp *stamp)
{
	return rng_mix(stamp->lba ^ rng_mix(stamp->generation ^ rng_mix(stamp->seed)));
}

static uint64_t sum_step(uint64_t sum, uint64_t word)
{
	return (sum ^ word) * 0x100000001b3u;
}

static void fill_block(uint64_t *words, size_t nr, const struct stamp *stamp)
{
	uint64_t key = stream_key(stamp), sum = key;

	memcpy(words, stamp, sizeof(*stamp));
	for (size_t i = sizeof(*stamp) / 8; i < nr - 1; i++) {
		words[i] = stream_word(key, i);
		sum = sum_step(sum, words[i]);
	}
	words[nr - 1] = sum;
}

/* Whether the block is what its own stamp says. */
static bool block_is_whole(const uint64_t *words, size_t nr, const struct stamp *stamp)
{
	uint64_t key = stream_key(stamp), sum = key, wrong = 0;

	for (size_t i = sizeof(*stamp) / 8; i < nr - 1; i++) {
		wrong |= words[i] ^ stream_word(key, i);
		sum = sum_step(sum, words[i]);
	}
	return !wrong && words[nr - 1] == sum;
}

static bool block_is_zero(const uint64_t *words, size_t nr)
{
	uint64_t any = 0;

	for (size_t i = 0; i < nr; i++)
		any |= words[i];
	return !any;
}

void verify_fill(struct verify *v, void *buf, uint64_t lba, uint64_t len)
{
	for (uint64_t at = 0; at < len; at += v->block_size, lba++) {
		uint32_t generation = (v->generation[lba] & ~VERIFY_TRIMMED) + 1;
		struct stamp stamp = {MAGIC, lba, generation, v->seed};

		v->generation[lba] = generation;
		fill_block((uint64_t *)((char *)buf + at), v->block_size / 8, &stamp);
	}
}

void verify_trim(struct verify *v, uint64_t lba, uint64_t len)
{
	for (uint64_t at = 0; at < len; at += v->block_size, lba++)
		v->generation[lba] |= VERIFY_TRIMMED;
}

enum expectation { ANYTHING, ZEROES, STAMP };

static enum expectation expected(const struct verify *v, uint64_t lba)
{
	if (v->generation[lba] & VERIFY_TRIMMED)
		return v->trims_zero ? ZEROES : ANYTHING;
	if (v->generation[lba] || v->stamped)
		return STAMP;
	return v->starts_zeroed ? ZEROES : ANYTHING;
}

static bool stamp_is_right(const struct verify *v, const struct stamp *stamp, uint64_t lba)
{
	uint32_t generation = v->generation[lba];

	if (stamp->lba != lba)
		return false;
	return !generation || (stamp->generation == generation && stamp->seed == v->seed);
}

static bool block_is_right(const struct verify *v, const uint64_t *words, uint64_t lba,
			   struct verify_found *found)
{
	enum expectation what = expected(v, lba);
	size_t nr = v->block_size / 8;
	struct stamp stamp;

	if (what != STAMP)
		return what == ANYTHING || block_is_zero(words, nr);
	memcpy(&stamp, words, sizeof(stamp));
	if (stamp.magic != MAGIC) {
		found->unstamped++;
		return false;
	}
	return stamp_is_right(v, &stamp, lba) && block_is_whole(words, nr, &stamp);
}

void verify_check(const struct verify *v, const void *buf, uint64_t lba, uint64_t len,
		  struct verify_found *found)
{
	const char *at = buf;

	for (const char *end = at + len; at < end; at += v->block_size, lba++)
		found->wrong += !block_is_right(v, (const uint64_t *)at, lba, found);
}
