/* SPDX-License-Identifier: MIT */
/* What it costs to describe memory, in each way: built, and counted. */
#include <errno.h>
#include <stdlib.h>

#include "layout/layout.h"
#include "sg.h"

int cost_sg(const struct phyr_list *list, struct cost *out)
{
	struct sg_table table;
	int err = sg_alloc(&table, sg_count(list));

	if (err)
		return err;
	sg_fill(&table, list);
	*out = (struct cost){table.entries, table.entries * sizeof(struct sg_entry)};
	sg_free(&table);
	return 0;
}

/* As in 64-bit Linux: a page, and a length and an offset that may reach over following pages. */
struct bio_vec {
	uint64_t page;
	uint32_t len, offset;
};

_Static_assert(sizeof(struct bio_vec) == 16, "as in 64-bit Linux");

/* What a bio_vec holds at most is what an entry of a scatterlist does. */
static void fill_bio_vec(struct bio_vec *bv, const struct phyr_list *list)
{
	struct phyr_cursor cur;
	struct phyr_range run;

	phyr_cursor_init(&cur, list);
	while (phyr_cursor_next(&cur, &run))
		for (; run.len; bv++) {
			uint64_t len = run.len < SG_MAX_SEGMENT ? run.len : SG_MAX_SEGMENT;

			bv->page = run.addr & ~(PHYR_PAGE_SIZE - 1);
			bv->offset = (uint32_t)(run.addr - bv->page);
			bv->len = (uint32_t)len;
			run.addr += len;
			run.len -= len;
		}
}

int cost_bio_vec(const struct phyr_list *list, struct cost *out)
{
	size_t nr = sg_count(list);
	struct bio_vec *bv = calloc(nr, sizeof(*bv));

	if (!bv)
		return -ENOMEM;
	fill_bio_vec(bv, list);
	*out = (struct cost){nr, nr * sizeof(*bv)};
	free(bv);
	return 0;
}

/*
 * The PRPs of one transfer, NVM Express Base Specification 2.0, 4.1.1: the command holds two; further
 * ones lie in list pages, of which each but the last gives its last entry to the next.
 */
struct prps {
	uint64_t command[2];
	uint64_t **pages;
	size_t nr_pages, in_page; /* the last page's entries */
	struct cost cost;
};

#define PRPS_A_PAGE (PHYR_PAGE_SIZE / sizeof(uint64_t))

static int new_page(struct prps *p)
{
	uint64_t *page = calloc(PRPS_A_PAGE, sizeof(*page)), last;

	if (!page)
		return -ENOMEM;
	if (p->nr_pages) { /* the entry that would have been the last one makes room */
		last = p->pages[p->nr_pages - 1][PRPS_A_PAGE - 1];
		p->pages[p->nr_pages - 1][PRPS_A_PAGE - 1] = (uintptr_t)page;
		page[0] = last;
	}
	p->pages[p->nr_pages++] = page;
	p->in_page = p->nr_pages > 1;
	p->cost.bytes += PHYR_PAGE_SIZE;
	p->cost.entries++;
	return 0;
}

static int put_prp(struct prps *p, uint64_t nr, uint64_t addr)
{
	int err = 0;

	p->cost.entries++;
	if (nr < 2) {
		p->command[nr] = addr;
		return 0;
	}
	if (!p->nr_pages) { /* the second entry of the command becomes the list's address */
		err = new_page(p);
		if (err)
			return err;
		p->pages[0][p->in_page++] = p->command[1];
		p->command[1] = (uintptr_t)p->pages[0];
	}
	if (p->in_page == PRPS_A_PAGE)
		err = new_page(p);
	if (!err)
		p->pages[p->nr_pages - 1][p->in_page++] = addr;
	return err;
}

static int put_all(struct prps *p, const struct phyr_list *list)
{
	struct phyr_cursor cur;
	struct phyr_range run;
	uint64_t nr = 0;
	int err = 0;

	phyr_cursor_init(&cur, list);
	while (!err && phyr_cursor_next(&cur, &run))
		for (uint64_t at = 0; !err && at < run.len; at += PHYR_PAGE_SIZE)
			err = put_prp(p, nr++, run.addr + at);
	return err;
}

int cost_prp(const struct phyr_list *list, struct cost *out)
{
	struct prps p = {.cost.bytes = sizeof(p.command)};
	int err;

	p.pages = calloc(list->len / PHYR_PAGE_SIZE / (PRPS_A_PAGE - 1) + 2, sizeof(*p.pages));
	err = p.pages ? put_all(&p, list) : -ENOMEM;
	for (size_t i = 0; i < p.nr_pages; i++)
		free(p.pages[i]);
	free(p.pages);
	if (!err)
		*out = p.cost;
	return err;
}

/* The list that was built to show all this: its words and index, and its header. */
void cost_list(const struct phyr_list *list, struct cost *out)
{
	struct phyr_list_stats st;

	phyr_list_stats(list, &st);
	*out = (struct cost){st.words, st.bytes + sizeof(*list)};
}
