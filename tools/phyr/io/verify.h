/* SPDX-License-Identifier: MIT */
/* What each block holds by now, as far as this run knows; kept from row to row. */
#ifndef IO_VERIFY_H
#define IO_VERIFY_H

#include "io/opts.h"

/* Threads check and fill different blocks at once; the rest is only read meanwhile. */
struct verify {
	uint32_t *generation; /* of each block: 0: never written by this run; VERIFY_TRIMMED */
	uint32_t block_size;
	uint64_t seed;
	bool starts_zeroed; /* unwritten blocks are zero: this run made the file */
	bool stamped;       /* unwritten blocks carry stamps of an earlier run */
	bool trims_zero;    /* deallocated blocks read as zeroes */
};

/* The block was deallocated after its last write. */
#define VERIFY_TRIMMED UINT32_C(0x80000000)

/* What a block should have held. */
enum verify_expected {
	EXPECT_ANYTHING,
	EXPECT_ZEROES,
	EXPECT_GENERATION, /* of this run */
	EXPECT_STAMP,      /* of an earlier run, of whatever generation */
};

/* What a wrong block held, as far as it can be told. */
enum verify_held {
	HELD_ZEROES,
	HELD_NO_STAMP,
	HELD_DAMAGED, /* a stamp, and not the data that belongs to it */
	HELD_OTHER_BLOCK,
	HELD_OTHER_RUN, /* this block as a run with another seed wrote it */
	HELD_GENERATION,
};

struct verify_wrong {
	uint64_t lba;
	enum verify_expected expected;
	enum verify_held held;
	uint32_t generation;                /* of EXPECT_GENERATION */
	uint64_t held_lba, held_generation; /* what the last three say of themselves */
};

/* So many wrong blocks are remembered, each once. */
#define VERIFY_FIRST 8u

/* What was found. */
struct verify_found {
	uint64_t wrong;     /* blocks, as often as they were read */
	uint64_t unstamped; /* of these, those without a stamp that should have one */
	unsigned nr_first;
	struct verify_wrong first[VERIFY_FIRST];
};

int verify_init(struct verify *v, const struct io_opts *opts, uint64_t nr_blocks,
		uint32_t block_size);
void verify_fini(struct verify *v);
/* Stamp blocks that are about to be written, each with its next generation. */
void verify_fill(struct verify *v, void *buf, uint64_t lba, uint64_t len);
/* Blocks are about to be deallocated. */
void verify_trim(struct verify *v, uint64_t lba, uint64_t len);
/* Check blocks that were read; *found tells what is wrong. */
void verify_check(const struct verify *v, const void *buf, uint64_t lba, uint64_t len,
		  struct verify_found *found);
/* Add what another one found. */
void verify_merge(struct verify_found *to, const struct verify_found *from);

#endif
