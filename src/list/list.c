/* SPDX-License-Identifier: MIT */
/* A list's life, and what it is made of. */
#include <phyr/list.h>

#include "core/env.h"
#include "list/store.h"

_Static_assert(sizeof(struct phyr_list) == (15 + PHYR_LIST_INLINE_WORDS) * sizeof(uint64_t),
	       "as documented");
_Static_assert(sizeof(struct phyr_cursor) == 9 * sizeof(uint64_t), "small enough to copy");

void phyr_list_init(struct phyr_list *list, struct phyr_env *env, const struct phyr_space *space)
{
	*list = (struct phyr_list){
		.env = env_or_hosted(env), .space = space, .nr_room = PHYR_LIST_INLINE_WORDS};
}

void phyr_list_fini(struct phyr_list *list)
{
	phyr_list_reset(list);
}

void phyr_list_reset(struct phyr_list *list)
{
	phyr_store_shrink(list, 0, 0);
	phyr_list_init(list, list->env, list->space);
}

phyr_addr_t phyr_list_first_addr(const struct phyr_list *list)
{
	if (!list->nr_words)
		return list->open_addr;
	return word_addr(*store_words(list, phyr_store_first(list))) + list->first_offset;
}

static uint64_t open_words(const struct phyr_list *list)
{
	uint64_t pages = list->open_len ? pages_touched(list->open_addr, list->open_len) : 0;
	uint64_t words = 0;

	for (; pages; pages -= word_pages(word_code(pages)))
		words++;
	return words;
}

void phyr_list_stats(const struct phyr_list *list, struct phyr_list_stats *stats)
{
	struct phyr_list_stats s = {
		.runs = list->nr_runs,
		.words = list->nr_words + open_words(list),
		.bytes = phyr_store_bytes(list),
	};
	struct phyr_cursor cur;
	struct phyr_range run;

	phyr_cursor_init(&cur, list);
	while (phyr_cursor_next(&cur, &run)) {
		uint64_t pages = pages_touched(run.addr, run.len);

		s.pages += pages;
		s.longest_pages = max_u64(s.longest_pages, pages);
		s.runs_by_lg2[lg2_u64(pages)]++;
	}
	*stats = s;
}
