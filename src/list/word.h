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

/* So many words are looked at together, without a branch but for long runs. */
#define WORDS_TOGETHER 8u

static inline uint64_t words_any4(const uint64_t *w)
{
	return w[0] | w[1] | w[2] | w[3];
}

/* OR of WORDS_TOGETHER words. */
static inline uint64_t words_any(const uint64_t *words)
{
	return words_any4(words) | words_any4(words + 4);
}

static inline uint64_t words_codes4(const uint64_t *w)
{
	return (w[0] & CODE_MASK) + (w[1] & CODE_MASK) + (w[2] & CODE_MASK) + (w[3] & CODE_MASK);
}

/* Pages that they cover. */
static inline uint64_t words_together(const uint64_t *words)
{
	uint64_t pages = 0;

	if (likely(!(words_any(words) & CODE_LONG)))
		return words_codes4(words) + words_codes4(words + 4) + WORDS_TOGETHER;
	for (unsigned i = 0; i < WORDS_TOGETHER; i++)
		pages += word_pages(words[i]);
	return pages;
}

/* Pages that @nr words cover. */
static inline uint64_t words_pages(const uint64_t *words, size_t nr)
{
	uint64_t pages = 0;

	for (; nr >= WORDS_TOGETHER; nr -= WORDS_TOGETHER, words += WORDS_TOGETHER)
		pages += words_together(words);
	for (; nr; nr--)
		pages += word_pages(*words++);
	return pages;
}

/* How many of WORDS_TOGETHER words *pages cover whole, short runs all; their pages are taken off. */
static inline unsigned words_pass_short(const uint64_t *words, uint64_t *pages)
{
	uint64_t sum = 0, passed = 0;
	unsigned n = 0;

	for (unsigned i = 0; i < WORDS_TOGETHER; i++) {
		uint64_t whole;

		sum += (words[i] & CODE_MASK) + 1;
		whole = sum <= *pages;
		n += (unsigned)whole;
		passed = max_u64(passed, sum & -whole);
	}
	*pages -= passed;
	return n;
}

/* Pass over the words, up to @end, that *pages cover whole, and take their pages off. */
static inline const uint64_t *words_pass(const uint64_t *word, const uint64_t *end, uint64_t *pages)
{
	uint64_t n;

	for (; end - word >= (ptrdiff_t)WORDS_TOGETHER; word += WORDS_TOGETHER, *pages -= n) {
		n = words_together(word);
		if (n > *pages && !(words_any(word) & CODE_LONG))
			return word + words_pass_short(word, pages);
		if (n > *pages)
			break;
	}
	for (; word != end; word++, *pages -= n) {
		n = word_pages(*word);
		if (n > *pages)
			break;
	}
	return word;
}

/* Pages that [addr, addr + len) touches. */
static inline uint64_t pages_touched(uint64_t addr, uint64_t len)
{
	return ((addr + (len - 1)) >> PHYR_PAGE_LG2) - (addr >> PHYR_PAGE_LG2) + 1;
}

#endif
