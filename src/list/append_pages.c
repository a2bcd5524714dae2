/* SPDX-License-Identifier: MIT */
/*
 * Appending pages. Scattered pages become words at the speed of a copy: fill() keeps the open run and
 * the place of the next word in registers, takes steps of several pages that all follow each other,
 * or all do not, or do now and then, and leaves to phyr_list_append_quietly() what is rare.
 */
#include "core/env.h"
#include "list/append.h"
#include "list/scatter.h"
#include "list/store.h"

static const char hint_page[] = "the address is not a multiple of 4 KiB";

static int page_fail(const struct phyr_list *list, int err, const char *call, uint64_t index,
		     phyr_addr_t page)
{
	if (page & PAGE_MASK)
		return env_fail(list->env, .err = err, .call = call, .index = index, .addr = page,
				.len = PHYR_PAGE_SIZE, .hint = hint_page);
	return phyr_list_append_fail(list, err, call, index, page, PHYR_PAGE_SIZE);
}

static int append_page(struct phyr_list *list, phyr_addr_t page)
{
	return page & PAGE_MASK ? -EINVAL : phyr_list_append_quietly(list, page, PHYR_PAGE_SIZE);
}

static __attribute__((noinline)) int append_page_slow(struct phyr_list *list, phyr_addr_t page)
{
	int err = append_page(list, page);

	return likely(!err) ? 0 : page_fail(list, err, "phyr_list_append_page", 0, page);
}

int phyr_list_append_page(struct phyr_list *list, phyr_addr_t page)
{
	uint64_t end = list->open_addr + list->open_len;

	/* One page is open, neither it nor this one is anything special, and this one lies elsewhere. */
	if (list->open_len != PHYR_PAGE_SIZE || (end | page) & PAGE_MASK || page == end ||
	    store_full(list) || list->len + PHYR_PAGE_SIZE < PHYR_PAGE_SIZE)
		return append_page_slow(list, page);
	*store_put(list) = list->open_addr;
	list->nr_words++;
	list->gap_mask |= end | page;
	list->open_addr = page;
	list->len += PHYR_PAGE_SIZE;
	list->nr_runs++;
	list->last = max_u64(list->last, page + PAGE_MASK);
	return 0;
}

/* What fill() keeps in registers. */
struct filling {
	struct scatter edges;
	uint64_t start; /* of the open run, from its page's edge */
	uint64_t end;
	uint64_t *put; /* where the next word goes */
	uint64_t *put_end;
};

static inline uint64_t open_word(const struct filling *f)
{
	return f->start + ((f->end - f->start) >> PHYR_PAGE_LG2) - 1;
}

/* A page that follows the open run or ends it. False: not without phyr_list_append_quietly(). */
static inline bool fill_one(struct filling *f, uint64_t page)
{
	if (page != f->end || !page) {
		if (f->put == f->put_end || f->end - f->start > EXACT_PAGES << PHYR_PAGE_LG2)
			return false;
		*f->put++ = open_word(f);
		f->edges.gap |= f->end | page;
		f->start = page;
	}
	f->end = page + PHYR_PAGE_SIZE;
	f->edges.high = max_u64(f->edges.high, page);
	return true;
}

/* A step of pages that all follow the open run. False: they don't. */
static inline bool fill_following(struct filling *f, const phyr_addr_t *pages)
{
	uint64_t last = f->end + (STEP - 1) * PHYR_PAGE_SIZE, off = 0;

	if (pages[STEP - 1] != last || last < f->end || !f->end)
		return false;
	for (unsigned i = 0; i < STEP; i++)
		off |= pages[i] ^ (f->end + i * PHYR_PAGE_SIZE);
	if (off)
		return false;
	f->end = last + PHYR_PAGE_SIZE;
	f->edges.high = max_u64(f->edges.high, last);
	return true;
}

/* Pages that are a run each, after an open run of one page; how many. */
static inline size_t fill_scattered(struct filling *f, const phyr_addr_t *pages, size_t nr)
{
	size_t n;

	if (f->end - f->start != PHYR_PAGE_SIZE)
		return 0;
	nr = min_u64(nr, (uint64_t)(f->put_end - f->put));
	n = scatter_pages(&f->edges, f->put, pages, nr);
	if (n) {
		f->put += n;
		f->start = pages[n - 1];
		f->end = f->start + PHYR_PAGE_SIZE;
	}
	return n;
}

/* One of any pages, with no branch to guess wrong. */
static inline void fill_any(struct filling *f, uint64_t page)
{
	uint64_t other = (page != f->end) | !page, ends = -other;

	*f->put = open_word(f);
	f->put += other;
	f->edges.gap |= (f->end | page) & ends;
	f->start ^= (f->start ^ page) & ends;
	f->end = page + PHYR_PAGE_SIZE;
	f->edges.high = max_u64(f->edges.high, page);
}

static inline void fill_mixed(struct filling *f, const phyr_addr_t *pages)
{
	for (const phyr_addr_t *p = pages; p < pages + STEP; p += 4) {
		fill_any(f, p[0]);
		fill_any(f, p[1]);
		fill_any(f, p[2]);
		fill_any(f, p[3]);
	}
}

/* Whether a step of any pages has room, and makes no run that needs a second word. */
static inline bool step_is_safe(const struct filling *f)
{
	return f->put_end - f->put >= STEP && f->end - f->start <= (EXACT_PAGES - STEP)
									   << PHYR_PAGE_LG2;
}

/* The next pages, by what they turn out to be; how many, 0: not without phyr_list_append_quietly(). */
static inline size_t fill_next(struct filling *f, const phyr_addr_t *pages, size_t nr)
{
	size_t n;

	if (nr < STEP)
		return fill_one(f, pages[0]);
	if (fill_following(f, pages))
		return STEP;
	if (!step_is_safe(f))
		return fill_one(f, pages[0]);
	n = fill_scattered(f, pages, nr);
	if (n)
		return n;
	fill_mixed(f, pages);
	return STEP;
}

/*
 * Append pages while there is room for words and their runs take one word each; how many. The list
 * ends with pages[-1]. Addresses off a page show in gap_mask; the list is void then.
 */
static size_t fill(struct phyr_list *list, const phyr_addr_t *pages, size_t nr)
{
	uint64_t *put = store_put(list);
	struct filling f = {
		.edges = {.gap = list->gap_mask, .high = word_addr(list->last)},
		.start = word_addr(list->open_addr),
		.end = list->open_addr + list->open_len,
		.put = put,
		.put_end = put + (list->nr_room - list->nr_words),
	};
	size_t done = 0, n;

	for (; done < nr; done += n) {
		n = fill_next(&f, pages + done, nr - done);
		if (!n)
			break;
	}
	list->gap_mask = f.edges.gap;
	list->last = f.edges.high + PAGE_MASK;
	list->len += done << PHYR_PAGE_LG2;
	list->nr_words += (uint64_t)(f.put - put);
	list->nr_runs += (uint64_t)(f.put - put);
	if (f.put != put)
		list->open_addr = f.start;
	list->open_len = f.end - list->open_addr;
	return done;
}

/*
 * Append one page or more of those from *nr_done on, and count them there. On failure *nr_done is the
 * bad one, and the list is void.
 */
static int append_some(struct phyr_list *list, const phyr_addr_t *pages, size_t nr, size_t *nr_done)
{
	size_t first = *nr_done;
	int err = append_page(list, pages[first]);

	if (err)
		return err;
	*nr_done = ++first;
	*nr_done += fill(list, pages + first, nr - first);
	if (likely(!(list->gap_mask & PAGE_MASK)))
		return 0;
	while (!(pages[first] & PAGE_MASK))
		first++;
	*nr_done = first;
	return -EINVAL;
}

int phyr_list_append_pages(struct phyr_list *list, const phyr_addr_t *pages, size_t nr)
{
	static const char call[] = "phyr_list_append_pages";
	uint64_t most = (UINT64_MAX - list->len) >> PHYR_PAGE_LG2;
	struct phyr_list was = *list;
	size_t nr_done = 0;

	if (nr > most)
		return env_fail(list->env, .err = -EINVAL, .call = call, .index = most,
				.addr = pages[most], .len = PHYR_PAGE_SIZE,
				.hint = "the list would come to 2^64 bytes or more");
	while (nr_done < nr) {
		int err = append_some(list, pages, nr, &nr_done);

		if (unlikely(err)) {
			page_fail(list, err, call, nr_done, pages[nr_done]);
			phyr_list_rollback(list, &was);
			return err;
		}
	}
	return 0;
}
