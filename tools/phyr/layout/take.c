/* SPDX-License-Identifier: MIT */
/* The memory that is shown: pinned where that is possible, else looked at, else simulated. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "layout/layout.h"

const char *const layout_memory_names[] = {"pinned", "seen", "simulated", NULL};

static void start_list(struct layout *l, const struct phyr_space *space, enum memory memory,
		       const char *why)
{
	phyr_list_fini(&l->list);
	phyr_list_init(&l->list, &l->env, space);
	l->memory = memory;
	l->why = why;
}

static int library_error(const struct layout *l, const char *what, int err)
{
	return cli_error(EXIT_FAILED, COMMAND, "%s: %s", what, cli_why(&l->reports, err));
}

/* By a page that is there: that of a variable. */
bool layout_may_look(struct layout *l, const char **why)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), at = (uintptr_t)&page & ~(page - 1);
	struct phyr_pagemap *pm;
	int err = phyr_pagemap_open(0, &l->env, &pm);

	start_list(l, phyr_space_seen(), MEMORY_SEEN, NULL);
	if (!err) {
		err = phyr_pagemap_read(pm, at, page, &l->list, NULL);
		phyr_pagemap_close(pm);
	}
	if (err)
		*why = cli_why(&l->reports, err);
	phyr_list_reset(&l->list);
	return !err;
}

static enum phyr_sim_scatter scatter_of(enum backing backing)
{
	return backing == BACKING_THP || backing == BACKING_HUGETLB ? PHYR_SIM_HUGE
								    : PHYR_SIM_MIXED;
}

/* So much is shown within seconds; no more can be learnt of the simulated machine from more. */
#define SIMULATED_MAX ((uint64_t)16 << 30)

static int too_much(uint64_t len, const char *why)
{
	char asked[32], max[32];

	return cli_error(EXIT_FAILED, COMMAND,
			 "%s of simulated memory, of which at most %s is shown: %s",
			 cli_size(len, asked), cli_size(SIMULATED_MAX, max), why);
}

int layout_simulate(struct layout *l, uint64_t len, const char *why)
{
	struct phyr_sim_config config = {.size = sizeof(config),
					 .seed = l->opts->seed,
					 .scatter = scatter_of(l->opts->backing),
					 .stepped = true};
	int err;

	if (len > SIMULATED_MAX)
		return too_much(len, why);
	err = phyr_sim_create(&config, &l->sim);
	if (err)
		return library_error(l, "the simulated machine", err);
	start_list(l, phyr_sim_space(l->sim), MEMORY_SIMULATED, why);
	err = phyr_sim_pin(l->sim, l->area, len, &l->list);
	if (err)
		return library_error(l, "the simulated machine", err);
	l->counts = (struct phyr_pagemap_counts){.present = len};
	return 0;
}

static int look(struct layout *l, const char *why)
{
	struct phyr_pagemap *pm;
	int err = phyr_pagemap_open(0, &l->env, &pm);

	start_list(l, phyr_space_seen(), MEMORY_SEEN, why);
	if (!err) {
		err = phyr_pagemap_read(pm, (uintptr_t)l->area, l->area_len, &l->list, &l->counts);
		phyr_pagemap_close(pm);
	}
	return err ? library_error(l, "looking", err) : 0;
}

static int pin(struct layout *l)
{
	int err;

	start_list(l, phyr_space_phys(), MEMORY_PINNED, NULL);
	err = phyr_source_pin(&l->list, l->area, l->area_len, &l->pin);
	if (err)
		return look(l, cli_why(&l->reports, err));
	l->counts = (struct phyr_pagemap_counts){.present = l->area_len};
	return 0;
}

static void read_own_smaps(struct layout *l)
{
	uint64_t start = (uintptr_t)l->area;
	struct mapping *mappings;
	size_t nr;

	if (smaps_read(0, &mappings, &nr))
		return;
	l->have_smaps = smaps_total(mappings, nr, start, start + l->area_len, &l->smaps);
	l->have_zero = true; /* all was written to, or is a file's */
	free(mappings);
}

int layout_take_own(struct layout *l)
{
	const char *why = NULL;
	bool real = layout_may_look(l, &why);
	int status = layout_map_backing(l, !real);

	if (status)
		return status;
	if (!real)
		return layout_simulate(l, l->area_len, why);
	status = l->opts->backing == BACKING_FILE
			 ? look(l, "a file's pages cannot be pinned, only looked at")
			 : pin(l);
	if (!status)
		read_own_smaps(l);
	return status;
}

void layout_release(struct layout *l)
{
	phyr_source_unpin(l->pin);
	if (l->sim)
		phyr_sim_unpin(l->sim, &l->list);
	phyr_list_fini(&l->list);
	phyr_sim_destroy(l->sim);
	if (l->reserved)
		munmap(l->reserved, l->reserved_len);
}
