/* SPDX-License-Identifier: MIT */
/* Pinning memory into lists, and back. */
#include <stdlib.h>

#include "core/bits.h"
#include "core/env.h"
#include "sim/layout.h"
#include "sim/machine.h"

static int fail_pin(struct phyr_sim *sim, int err, const void *ptr, uint64_t len, const char *hint)
{
	return env_fail(&sim->tables.env, .err = err, .call = "phyr_sim_pin",
			.addr = (uint64_t)(uintptr_t)ptr, .len = len, .hint = hint);
}

/* Cut whole pages down to the bytes of [ptr, ptr + len). */
static void cut(struct sim_runs *runs, const void *ptr, uint64_t len)
{
	uint64_t head = (uintptr_t)ptr & (SIM_PAGE - 1),
		 tail = -((uintptr_t)ptr + len) & (SIM_PAGE - 1);

	runs->runs[0].addr += head;
	runs->runs[0].len -= head;
	runs->runs[runs->nr - 1].len -= tail;
}

/* What an unpin came across that is not pinned: one report says all of it. */
struct strangers {
	struct phyr_range first; /* the first run that has any */
	uint64_t index;          /* its place in the list */
	uint64_t pages;
};

static void unpin_range(struct phyr_sim *sim, const struct phyr_range *range, uint64_t index,
			struct strangers *strangers)
{
	uint64_t pages = phyr_sim_memory_unpin(&sim->memory, range->addr, range->len);

	if (pages && !strangers->pages) {
		strangers->first = *range;
		strangers->index = index;
	}
	strangers->pages += pages;
}

static void report_strangers(struct phyr_sim *sim, const struct strangers *strangers)
{
	if (strangers->pages)
		env_fail(&sim->tables.env, .err = -ENOENT, .call = "phyr_sim_unpin",
			 .index = strangers->index, .addr = strangers->first.addr,
			 .len = strangers->first.len, .limit = strangers->pages,
			 .hint = "from this range on, pages (limit: how many) are not pinned: "
				 "unpinned twice, or a list that was not pinned");
}

/* Devices that had found the memory before it was unpinned are done with it after this. */
static void wait_for_devices(struct phyr_sim *sim)
{
	phyr_sim_turn_wait(sim, phyr_sim_turn_now(sim));
}

/* Undo a pin that was made a moment ago. */
static void unpin_runs(struct phyr_sim *sim, const struct sim_runs *runs)
{
	for (size_t i = 0; i < runs->nr; i++)
		phyr_sim_memory_unpin(&sim->memory, runs->runs[i].addr, runs->runs[i].len);
	wait_for_devices(sim);
}

/*
 * A buffer that goes on in the middle of a page goes on in the list's last page, or the list would
 * not take it: that page is the list's already, and unpinning the list drops one count of it.
 */
static void drop_shared_page(struct phyr_sim *sim, const struct sim_runs *runs)
{
	if (runs->runs[0].addr & (SIM_PAGE - 1))
		phyr_sim_memory_unpin(&sim->memory, runs->runs[0].addr, 1);
}

static int append(struct phyr_sim *sim, const struct sim_runs *runs, struct phyr_list *list)
{
	bool goes_on = list->len > 0;
	int err = phyr_list_append_ranges(list, runs->runs, runs->nr);

	if (err)
		unpin_runs(sim, runs);
	else if (goes_on)
		drop_shared_page(sim, runs);
	return err;
}

int phyr_sim_pin(struct phyr_sim *sim, void *ptr, uint64_t len, struct phyr_list *list)
{
	uint64_t addr = (uint64_t)(uintptr_t)ptr;
	struct sim_runs runs = {0};
	int err = -ENOMEM;

	if (list->space != &sim->space)
		return fail_pin(sim, -EINVAL, ptr, len, "the list is of another space");
	if (range_is_bad(addr, len) || (addr + (len - 1)) >> (SIM_PAGE_LG2 + SIM_VMAP_BITS))
		return fail_pin(sim, -EINVAL, ptr, len, "no length, or past the end of memory");
	if (!phyr_sim_tables_fails(&sim->tables))
		err = phyr_sim_memory_pin(&sim->memory, addr / SIM_PAGE,
					  (addr + (len - 1)) / SIM_PAGE - addr / SIM_PAGE + 1,
					  &runs);
	if (err) {
		free(runs.runs);
		return fail_pin(sim, err, ptr, len,
				"the machine has no memory left: give it more, or unpin some");
	}
	cut(&runs, ptr, len);
	err = append(sim, &runs, list);
	free(runs.runs);
	if (!err)
		return 0;
	return fail_pin(sim, err, ptr, len,
			err == -ENOMEM ? "no memory for the list's words"
				       : "the list does not take the buffer at its end");
}

void phyr_sim_unpin(struct phyr_sim *sim, const struct phyr_list *list)
{
	struct strangers strangers = {0};
	struct phyr_cursor cur;
	struct phyr_range range;

	phyr_cursor_init(&cur, list);
	for (uint64_t i = 0; phyr_cursor_next(&cur, &range); i++)
		unpin_range(sim, &range, i, &strangers);
	wait_for_devices(sim);
	report_strangers(sim, &strangers);
}

int phyr_sim_to_phys(struct phyr_sim *sim, const void *ptr, phyr_addr_t *out)
{
	if (phyr_sim_memory_to_phys(&sim->memory, ptr, out))
		return 0;
	return env_fail(&sim->tables.env, .err = -ENOENT, .call = "phyr_sim_to_phys",
			.addr = (uint64_t)(uintptr_t)ptr, .hint = "the page is not pinned");
}
