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

/* What was found. */
struct verify_found {
	uint64_t wrong;     /* blocks */
	uint64_t unstamped; /* of these, those without a stamp that should have one */
};

int verify_init(struct verify *v, const struct io_opts *opts, uint64_t nr_blocks,
		uint32_t block_size);
void verify_fini(struct verify *v);
/* Stamp blocks that are about to be written, each with its next generation. */
void verify_fill(struct verify *v, void *buf, uint64_t lba, uint64_t len);
/* Blocks are about to be deallocated. */
void verify_trim(struct verify *v, uint64_t lba, uint64_t len);
/* Check blocks that were read and count in *found what is wrong. */
void verify_check(const struct verify *v, const void *buf, uint64_t lba, uint64_t len,
		  struct verify_found *found);

#endif
