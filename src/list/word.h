/* SPDX-License-Identifier: MIT */
/* One word of a list: a page address and a run length. */
#ifndef LIST_WORD_H
#define LIST_WORD_H

#include <phyr/types.h>

#include "core/bits.h"

/*
 * Codes, and the lengths in pages that they stand for:
 *
 *   0x000 … 0x7ff   1 … 2048, each one
 *   0x801 … 0x83f   65 << 5 … 127 << 5       (2080 … 4064)
 *   0x840 … 0x87f   64 << 6 … 127 << 6       (4096 … 8128)
 *   …
 *   0xfc0 … 0xfff   64 << 36 … 127 << 36
 *
 * What a piece leaves of a run is less than a 64th of it, so a few words code any length. A piece of
 * 2048 pages may be followed by one of up to 31: codes from CODE_MAY_GO_ON on need not end their run.
 */
#define CODE_MASK      0xfffu
#define CODE_EXACT_MAX 0x7ffu
#define CODE_MAY_GO_ON 0x7ffu
#define CODE_LONG      0x800u
#define EXACT_PAGES    2048u
#define PIECE_PAGES    ((uint64_t)127 << 36)

#define PAGE_MASK (PHYR_PAGE_SIZE - 1)

static inline uint64_t word_addr(uint64_t word)
{
	return word & ~(uint64_t)CODE_MASK;
}

static inline uint64_t word_pages(uint64_t word)
{
	unsigned code = word & CODE_MASK;

	if (likely(code <= CODE_EXACT_MAX))
		return code + 1;
	return (uint64_t)(64 + (code & 63)) << ((code >> 6 & 31) + 5);
}

static inline uint64_t word_len(uint64_t word)
{
	return word_pages(word) << PHYR_PAGE_LG2;
}

static inline bool word_may_go_on(uint64_t word)
{
	return (word & CODE_MASK) >= CODE_MAY_GO_ON;
}

/* The code of the largest piece that begins a run of @pages. */
static inline unsigned word_code(uint64_t pages)
{
	unsigned shift;

	if (likely(pages <= EXACT_PAGES))
		return (unsigned)pages - 1;
	if (pages >= PIECE_PAGES)
		return CODE_MASK;
	shift = lg2_u64(pages) - 6;
	/* 2049 to 2079: the largest code is that of 2048, which has an exact one. */
	if (pages >> shift == 64 && shift == 5)
		return CODE_EXACT_MAX;
	return CODE_LONG | (shift - 5) << 6 | ((unsigned)(pages >> shift) & 63);
}

/* Pages that [addr, addr + len) touches. */
static inline uint64_t pages_touched(uint64_t addr, uint64_t len)
{
	return ((addr + (len - 1)) >> PHYR_PAGE_LG2) - (addr >> PHYR_PAGE_LG2) + 1;
}

#endif
