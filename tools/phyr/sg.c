/* SPDX-License-Identifier: MIT */
/* A scatterlist as 64-bit Linux builds it. */
#include "sg.h"

#include <errno.h>
#include <stdlib.h>

_Static_assert(sizeof(struct sg_entry) == 32, "as on 64-bit Linux");

size_t sg_count(const struct phyr_list *list)
{
	struct phyr_cursor cur;
	struct phyr_range run;
	size_t nr = 0;

	phyr_cursor_init(&cur, list);
	while (phyr_cursor_next(&cur, &run))
		nr += (run.len - 1) / SG_MAX_SEGMENT + 1;
	return nr;
}

static struct sg_entry *chained(const struct sg_entry *sg)
{
	return (struct sg_entry *)(uintptr_t)(sg->page_link & ~(SG_CHAIN | SG_END));
}

int sg_alloc(struct sg_table *table, size_t nr)
{
	uint64_t *link = NULL;

	*table = (struct sg_table){.nr = nr};
	while (nr) {
		size_t slots = nr > SG_CHUNK ? SG_CHUNK : nr;
		struct sg_entry *chunk = calloc(slots, sizeof(*chunk));

		if (!chunk) {
			sg_free(table);
			return -ENOMEM;
		}
		if (link)
			*link = (uint64_t)(uintptr_t)chunk | SG_CHAIN;
		else
			table->first = chunk;
		link = &chunk[slots - 1].page_link;
		table->entries += slots;
		nr -= nr > SG_CHUNK ? SG_CHUNK - 1 : nr;
		*link = nr ? SG_CHAIN : SG_END;
	}
	return 0;
}

/* An entry that chains to nothing is that of a chunk that could not be had. */
void sg_free(struct sg_table *table)
{
	struct sg_entry *chunk = table->first;

	while (chunk) {
		struct sg_entry *last = chunk;

		while (!(last->page_link & (SG_CHAIN | SG_END)))
			last++;
		last = last->page_link & SG_CHAIN ? chained(last) : NULL;
		free(chunk);
		chunk = last;
	}
	*table = (struct sg_table){0};
}

struct sg_entry *sg_next(struct sg_entry *sg)
{
	if (sg->page_link & SG_END)
		return NULL;
	sg++;
	return sg->page_link & SG_CHAIN ? chained(sg) : sg;
}

static void fill_entry(struct sg_entry *sg, uint64_t addr, uint64_t len)
{
	uint64_t page = addr & ~(PHYR_PAGE_SIZE - 1);

	sg->page_link = page | (sg->page_link & SG_END);
	sg->offset = (uint32_t)(addr - page);
	sg->length = (uint32_t)len;
}

void sg_fill(struct sg_table *table, const struct phyr_list *list)
{
	struct sg_entry *sg = table->first;
	struct phyr_cursor cur;
	struct phyr_range run;

	phyr_cursor_init(&cur, list);
	while (phyr_cursor_next(&cur, &run))
		while (run.len) {
			uint64_t len = run.len < SG_MAX_SEGMENT ? run.len : SG_MAX_SEGMENT;

			fill_entry(sg, run.addr, len);
			sg = sg_next(sg);
			run.addr += len;
			run.len -= len;
		}
}
