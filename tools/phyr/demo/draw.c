/* SPDX-License-Identifier: MIT */
/* A list as a picture: a character a page, runs in two shades by turns. */
#include <inttypes.h>

#include "demo/demo.h"

#define ROW_PAGES 64

static const char *shade(uint64_t run)
{
	return run & 1 ? "░" : "█";
}

void demo_draw(const struct phyr_list *list)
{
	struct phyr_cursor cur;
	struct phyr_range range;
	struct phyr_list_stats st;
	uint64_t page = 0, run = 0;

	phyr_list_stats(list, &st);
	printf("A buffer of 1 MiB, as its memory lies: %" PRIu64 " pages in %" PRIu64
	       " runs. A character a page, a shade a run:\n",
	       st.pages, st.runs);
	phyr_cursor_init(&cur, list);
	for (; phyr_cursor_next(&cur, &range); run++)
		for (uint64_t at = 0; at < range.len; at += PHYR_PAGE_SIZE, page++) {
			if (page % ROW_PAGES == 0)
				printf("\n  %#12" PRIx64 " ", range.addr + at);
			fputs(shade(run), stdout);
		}
	printf("\n\n");
}
