/* SPDX-License-Identifier: MIT */
/*
 * A scatterlist as 64-bit Linux builds it: 32 bytes an entry, in chunks of a page at most, of which
 * each but the last gives its last entry to a pointer to the next. An entry holds what lies together,
 * up to 4 GiB less a page.
 */
#ifndef SG_H
#define SG_H

#include <phyr/list.h>

/* CPU and device address in one. */
struct sg_entry {
	uint64_t page_link; /* the page's address, or the next chunk's; and SG_CHAIN, SG_END */
	uint32_t offset;
	uint32_t length;
	uint64_t dma_address;
	uint32_t dma_length;
	uint32_t dma_flags;
};

#define SG_CHAIN       ((uint64_t)1)
#define SG_END         ((uint64_t)2)
#define SG_CHUNK       128u
#define SG_MAX_SEGMENT (UINT64_C(0xfffff000))

struct sg_table {
	struct sg_entry *first;
	size_t nr;      /* entries that hold memory */
	size_t entries; /* all, those that chain included */
};

/* Entries that a list's memory needs. */
size_t sg_count(const struct phyr_list *list);
/* Make a table of nr entries, at least 1. 0 or -ENOMEM. */
int sg_alloc(struct sg_table *table, size_t nr);
void sg_free(struct sg_table *table);
/* Write a list's memory into a table of sg_count() entries. */
void sg_fill(struct sg_table *table, const struct phyr_list *list);
/* The entry after this one; NULL at the end. */
struct sg_entry *sg_next(struct sg_entry *sg);

/* The address of a byte of an entry. */
static inline uint64_t sg_addr(const struct sg_entry *sg, uint64_t at)
{
	return (sg->page_link & ~(SG_CHAIN | SG_END)) + sg->offset + at;
}

#endif
