/* SPDX-License-Identifier: MIT */
/* A list as a picture in the terminal. */
#include "draw.h"

#include <inttypes.h>

/* A walk over a list's runs that stops anywhere. */
struct walk {
	struct phyr_cursor cur;
	struct phyr_range run; /* what is left of the run */
	uint64_t nr;           /* runs begun */
};

static uint64_t pages_of(const struct phyr_range *run)
{
	return (run->addr + (run->len - 1)) / PHYR_PAGE_SIZE - run->addr / PHYR_PAGE_SIZE + 1;
}

uint64_t draw_scale(const struct phyr_list *list, unsigned rows)
{
	struct phyr_list_stats st;
	uint64_t scale = 1;

	phyr_list_stats(list, &st);
	while (st.pages > scale * rows * DRAW_ROW)
		scale *= 2;
	return scale;
}

static bool have_run(struct walk *w)
{
	if (w->run.len)
		return true;
	if (!phyr_cursor_next(&w->cur, &w->run))
		return false;
	w->nr++;
	return true;
}

static void take_pages(struct walk *w, uint64_t pages)
{
	uint64_t end = (w->run.addr / PHYR_PAGE_SIZE + pages) * PHYR_PAGE_SIZE;

	if (pages >= pages_of(&w->run)) {
		w->run.len = 0;
		return;
	}
	w->run.len -= end - w->run.addr;
	w->run.addr = end;
}

/* The next character's pages: how many runs they are of. */
static uint64_t take_cell(struct walk *w, uint64_t scale)
{
	uint64_t runs = 0;

	for (; scale && have_run(w); runs++) {
		uint64_t pages = pages_of(&w->run) < scale ? pages_of(&w->run) : scale;

		take_pages(w, pages);
		scale -= pages;
	}
	return runs;
}

static unsigned lg2(uint64_t v)
{
	return 63u - (unsigned)__builtin_clzll(v);
}

/* Several runs: the longer they are in the mean, the higher, from single pages up. */
static const char *height(uint64_t runs, uint64_t scale)
{
	static const char *const bars[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇"};

	return bars[6 * lg2((scale + runs - 1) / runs) / lg2(scale)];
}

static const char *cell_of(uint64_t runs, uint64_t nr, uint64_t scale)
{
	if (runs > 1)
		return height(runs, scale);
	if (nr & 1)
		return "█";
	return scale == 1 ? "░" : "▓";
}

void draw_list(FILE *to, const struct phyr_list *list, uint64_t scale)
{
	struct walk w = {.nr = 0};

	phyr_cursor_init(&w.cur, list);
	for (uint64_t cell = 0; have_run(&w); cell++) {
		uint64_t addr = w.run.addr, runs = take_cell(&w, scale);

		if (cell % DRAW_ROW == 0)
			fprintf(to, "%s  %#12" PRIx64 " ", cell ? "\n" : "", addr);
		fputs(cell_of(runs, w.nr, scale), to);
	}
	fputc('\n', to);
}
