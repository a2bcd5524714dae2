/* SPDX-License-Identifier: MIT */
/* A reader of PRP entries, from the specification alone. */
#include "decode.h"

static void add(struct decoded *out, uint64_t addr, uint64_t len)
{
	out->pieces[out->nr++] = (struct piece){addr, len};
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/*
 * "If more than one page boundary is crossed, PRP2 is a PRP List pointer": the entries from there to
 * the end of that memory page are PRPs, but the last of them points to the next list when more
 * data is left than that one PRP can hold.
 */
static void decode_list(uint64_t at, uint64_t len, uint64_t page_size,
			uint64_t (*read)(void *arg, uint64_t addr), void *arg, struct decoded *out)
{
	out->lists = 1;
	while (len) {
		bool last_slot = (at + 8) % page_size == 0;
		uint64_t entry;

		if (at % 8) {
			out->wrong = "a list pointer is a qword's address";
			return;
		}
		entry = read(arg, at);
		if (entry % page_size) {
			out->wrong = "an entry of a list, or a pointer to the next, has an offset";
			return;
		}
		if (last_slot && len > page_size) {
			at = entry;
			out->lists++;
			continue;
		}
		add(out, entry, least(len, page_size));
		len -= least(len, page_size);
		at += 8;
	}
}

void decode_prp(uint64_t prp1, uint64_t prp2, uint64_t len, uint64_t page_size,
		uint64_t (*read)(void *arg, uint64_t addr), void *arg, struct decoded *out)
{
	uint64_t first = least(len, page_size - prp1 % page_size);

	out->nr = out->lists = 0;
	out->wrong = NULL;
	if (prp1 % 4) {
		out->wrong = "PRP1's offset is no dword's";
		return;
	}
	add(out, prp1, first);
	len -= first;
	if (!len) {
		if (prp2)
			out->wrong = "PRP2 is reserved when one page holds all";
	} else if (len <= page_size) {
		if (prp2 % page_size)
			out->wrong = "PRP2 has an offset";
		add(out, prp2, len);
	} else {
		decode_list(prp2, len, page_size, read, arg, out);
	}
}
