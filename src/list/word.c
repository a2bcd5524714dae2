/* SPDX-License-Identifier: MIT */
/* Words, for those who read or write them outside a list. */
#include "list/word.h"

#include <phyr/list.h>

uint64_t phyr_word_pages(uint64_t word)
{
	return word_pages(word);
}

unsigned phyr_word_encode(phyr_addr_t addr, uint64_t pages, uint64_t *words)
{
	unsigned nr = 0;

	while (pages) {
		uint64_t word = addr | word_code(pages);

		words[nr++] = word;
		addr += word_len(word);
		pages -= word_pages(word);
	}
	return nr;
}
