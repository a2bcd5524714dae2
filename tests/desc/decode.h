/* SPDX-License-Identifier: MIT */
/*
 * A reader of PRP entries for tests, written from NVM Express Base 2.0, section 4.1.1, alone. It
 * shares nothing with the builder.
 */
#ifndef TESTS_DESC_DECODE_H
#define TESTS_DESC_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One page's share of the data. */
struct piece {
	uint64_t addr;
	uint64_t len;
};

struct decoded {
	struct piece *pieces;
	size_t nr;
	size_t lists;      /* list pages read */
	const char *wrong; /* rule that was broken; NULL: none */
};

/*
 * Read the entries of a transfer of @len bytes. @read gives an entry of list memory by its address.
 * @out->pieces has room for all pages of the transfer.
 */
void decode_prp(uint64_t prp1, uint64_t prp2, uint64_t len, uint64_t page_size,
		uint64_t (*read)(void *arg, uint64_t addr), void *arg, struct decoded *out);

#endif
