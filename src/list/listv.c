/* SPDX-License-Identifier: MIT */
/* Slices, and arrays of them. */
#include <phyr/list.h>

#include "core/env.h"
#include "list/store.h"

int phyr_slice_init(struct phyr_slice *slice, const struct phyr_list *list, uint64_t offset,
		    uint64_t len)
{
	if (!len || offset > list->len || len > list->len - offset)
		return env_fail(list->env, .err = -EINVAL, .call = "phyr_slice_init",
				.addr = offset, .len = len, .limit = list->len,
				.hint = len ? "past the list's end" : "a slice has a length");
	*slice = (struct phyr_slice){list, offset, len};
	return 0;
}

uint64_t phyr_listv_len(const struct phyr_listv *listv)
{
	uint64_t len = 0;

	for (size_t i = 0; i < listv->nr; i++) {
		len += listv->slices[i].len;
		if (len < listv->slices[i].len)
			return UINT64_MAX;
	}
	return len;
}

/* The address of one byte of a list. */
static phyr_addr_t addr_at(const struct phyr_list *list, uint64_t offset)
{
	struct phyr_range byte = {0, 0};
	struct phyr_cursor cur;

	phyr_cursor_init_at(&cur, list, offset, 1);
	phyr_cursor_next(&cur, &byte);
	return byte.addr;
}

static phyr_addr_t slice_end(const struct phyr_slice *slice)
{
	const struct phyr_list *list = slice->list;

	if (slice->offset + slice->len == list->len)
		return list->open_addr + list->open_len;
	return addr_at(list, slice->offset + (slice->len - 1)) + 1;
}

uint64_t phyr_listv_gap_mask(const struct phyr_listv *listv)
{
	const struct phyr_slice *prev = NULL;
	uint64_t mask = 0;

	for (size_t i = 0; i < listv->nr; i++) {
		const struct phyr_slice *slice = &listv->slices[i];

		if (!slice->len)
			continue;
		mask |= slice->list->gap_mask;
		if (prev)
			mask |= slice_end(prev) | addr_at(slice->list, slice->offset);
		prev = slice;
	}
	return mask;
}
