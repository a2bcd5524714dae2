/* SPDX-License-Identifier: MIT */
/* The memory of another process, looked at mapping by mapping. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "layout/layout.h"

static int process_error(const struct layout *l, int err)
{
	switch (err) {
	case -ENOENT:
	case -ESRCH:
		return cli_error(EXIT_FAILED, COMMAND,
				 "process %d: there is none, or it has no memory of its own",
				 (int)l->opts->pid);
	case -EACCES:
	case -EPERM:
		return cli_error(
			EXIT_FAILED, COMMAND,
			"process %d: no right to look into it: run as its user, or as root with "
			"CAP_SYS_PTRACE",
			(int)l->opts->pid);
	default:
		return cli_error(EXIT_FAILED, COMMAND, "process %d: %s", (int)l->opts->pid,
				 cli_why(&l->reports, err));
	}
}

/* The kernel's own mapping at the top of each process is no part of it. */
static bool clip(const struct layout *l, const struct mapping *m, uint64_t *start, uint64_t *end)
{
	*start = m->start > l->opts->start ? m->start : l->opts->start;
	*end = m->end < l->opts->end ? m->end : l->opts->end;
	return *start < *end && !(m->start >> 63);
}

static int look_at(struct layout *l, struct phyr_pagemap *pm, const struct mapping *m)
{
	struct phyr_pagemap_counts n;
	uint64_t start, end;
	int err;

	if (!clip(l, m, &start, &end))
		return 0;
	err = phyr_pagemap_read(pm, start, end - start, &l->list, &n);
	if (err)
		return err;
	l->counts.present += n.present;
	l->counts.swapped += n.swapped;
	l->counts.absent += n.absent;
	return 0;
}

static int look_at_all(struct layout *l, const struct mapping *mappings, size_t nr)
{
	struct phyr_pagemap *pm;
	int err = phyr_pagemap_open(l->opts->pid, &l->env, &pm);

	if (err)
		return process_error(l, err);
	for (size_t i = 0; i < nr && !err; i++)
		err = look_at(l, pm, &mappings[i]);
	phyr_pagemap_close(pm);
	l->have_zero = !err && !zero_bytes(&l->list, &l->zero);
	return err ? process_error(l, err) : 0;
}

/* As much as the kernel says is in memory. */
static int simulate(struct layout *l, const char *why)
{
	uint64_t len = l->smaps.rss + l->smaps.hugetlb;

	if (!l->have_smaps)
		return cli_error(EXIT_FAILED, COMMAND,
				 "--range: cuts a mapping, and %s; give it from edge to edge", why);
	if (!len)
		return 0;
	l->reserved =
		mmap(NULL, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (l->reserved == MAP_FAILED) {
		l->reserved = NULL;
		return cli_error(EXIT_FAILED, COMMAND, "no room for so many addresses");
	}
	l->area = l->reserved;
	l->reserved_len = len;
	return layout_simulate(l, len, why);
}

int layout_take_process(struct layout *l)
{
	const char *why = "it is another process's memory";
	bool real = layout_may_look(l, &why);
	struct mapping *mappings;
	int status, err;
	size_t nr;

	err = smaps_read(l->opts->pid, &mappings, &nr);
	if (err)
		return process_error(l, err);
	l->why = why;
	l->have_smaps = smaps_total(mappings, nr, l->opts->start, l->opts->end, &l->smaps);
	status = real ? look_at_all(l, mappings, nr) : simulate(l, why);
	free(mappings);
	return status;
}
