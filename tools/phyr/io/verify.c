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

static enum verify_expected expected(const struct verify *v, uint64_t lba)
{
	if (v->generation[lba] & VERIFY_TRIMMED)
		return v->trims_zero ? EXPECT_ZEROES : EXPECT_ANYTHING;
	if (v->generation[lba])
		return EXPECT_GENERATION;
	if (v->stamped)
		return EXPECT_STAMP;
	return v->starts_zeroed ? EXPECT_ZEROES : EXPECT_ANYTHING;
}

static bool block_is_right(const struct verify *v, const uint64_t *words, uint64_t lba)
{
	enum verify_expected what = expected(v, lba);
	size_t nr = v->block_size / 8;
	struct stamp stamp;

	if (what == EXPECT_ANYTHING || what == EXPECT_ZEROES)
		return what == EXPECT_ANYTHING || block_is_zero(words, nr);
	memcpy(&stamp, words, sizeof(stamp));
	if (stamp.magic != MAGIC || stamp.lba != lba)
		return false;
	if (what == EXPECT_GENERATION &&
	    (stamp.generation != v->generation[lba] || stamp.seed != v->seed))
		return false;
	return block_is_whole(words, nr, &stamp);
}

/*
 * What is wrong.
 */

static enum verify_held what_it_holds(const struct verify *v, const uint64_t *words, uint64_t lba,
				      const struct stamp *stamp)
{
	size_t nr = v->block_size / 8;

	if (block_is_zero(words, nr))
		return HELD_ZEROES;
	if (stamp->magic != MAGIC)
		return HELD_NO_STAMP;
	if (!block_is_whole(words, nr, stamp))
		return HELD_DAMAGED;
	if (stamp->lba != lba)
		return HELD_OTHER_BLOCK;
	return stamp->seed == v->seed ? HELD_GENERATION : HELD_OTHER_RUN;
}

static void remember(struct verify_found *found, const struct verify_wrong *wrong)
{
	for (unsigned i = 0; i < found->nr_first; i++)
		if (found->first[i].lba == wrong->lba)
			return;
	if (found->nr_first < VERIFY_FIRST)
		found->first[found->nr_first++] = *wrong;
}

static __attribute__((noinline)) void take_wrong(const struct verify *v, const uint64_t *words,
						 uint64_t lba, struct verify_found *found)
{
	struct verify_wrong wrong = {.lba = lba, .expected = expected(v, lba)};
	struct stamp stamp;

	memcpy(&stamp, words, sizeof(stamp));
	wrong.held = what_it_holds(v, words, lba, &stamp);
	if (wrong.expected == EXPECT_GENERATION)
		wrong.generation = v->generation[lba];
	if (wrong.held >= HELD_OTHER_BLOCK) {
		wrong.held_lba = stamp.lba;
		wrong.held_generation = stamp.generation;
	}
	found->wrong++;
	found->unstamped += wrong.expected != EXPECT_ZEROES && wrong.held <= HELD_NO_STAMP;
	remember(found, &wrong);
}

void verify_check(const struct verify *v, const void *buf, uint64_t lba, uint64_t len,
		  struct verify_found *found)
{
	const char *at = buf;

	for (const char *end = at + len; at < end; at += v->block_size, lba++)
		if (!block_is_right(v, (const uint64_t *)at, lba))
			take_wrong(v, (const uint64_t *)at, lba, found);
}

void verify_merge(struct verify_found *to, const struct verify_found *from)
{
	to->wrong += from->wrong;
	to->unstamped += from->unstamped;
	for (unsigned i = 0; i < from->nr_first; i++)
		remember(to, &from->first[i]);
}
