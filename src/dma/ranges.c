/* SPDX-License-Identifier: MIT */
/*
 * A list mapped run by run: each has its own dma address, written down in a list of the same kind.
 *
 * Neighbours among those addresses join in the dma list, so its runs are not what was mapped. What
 * was mapped is found again by going through both lists at once: the lengths come from the runs of
 * the source, the addresses from the dma list.
 */
#include "dma/map.h"
#include "dma/phys.h"
#include "list/append.h"

/* Unmap the runs of the first m->list.len bytes. */
static void unmap_runs(struct phyr_dev *dev, struct phyr_dma_map *m)
{
	struct phyr_range run, dma = {0};
	struct phyr_cursor runs, dmas;

	phyr_cursor_init_at(&runs, m->src, 0, m->list.len);
	phyr_cursor_init(&dmas, &m->list);
	while (phyr_cursor_next(&runs, &run)) {
		if (!dma.len)
			phyr_cursor_next(&dmas, &dma);
		phyr_phys_unmap(dev, "phyr_dma_unmap", dma.addr, run.len);
		dma.addr += run.len;
		dma.len -= run.len;
	}
}

static int map_run(struct phyr_dev *dev, const struct dma_ask *ask, const struct phyr_range *run,
		   uint64_t index, struct phyr_list *list)
{
	struct dma_ask one = *ask;
	phyr_dma_addr_t dma;
	int err;

	one.addr = run->addr;
	one.len = run->len;
	err = phyr_phys_map(dev, &one, index, 0, &dma);
	if (err)
		return err;
	err = phyr_list_append_quietly(list, dma, run->len);
	if (!err)
		return 0;
	phyr_phys_unmap(dev, ask->call, dma, run->len);
	return env_fail(dev->env, .err = err, .call = ask->call, .index = index, .addr = run->addr,
			.len = run->len, .hint = "out of memory for the dma list");
}

int phyr_ranges_map(struct phyr_dev *dev, const struct dma_ask *ask, struct phyr_dma_map *m)
{
	struct phyr_range run;
	struct phyr_cursor cur;
	uint64_t index = 0;
	int err = 0;

	phyr_list_init(&m->list, dev->env, &phyr_dma_list_space);
	phyr_cursor_init(&cur, m->src);
	while (!err && phyr_cursor_next(&cur, &run))
		err = map_run(dev, ask, &run, index++, &m->list);
	if (err)
		phyr_ranges_unmap(dev, m);
	return err;
}

void phyr_ranges_unmap(struct phyr_dev *dev, struct phyr_dma_map *m)
{
	if (dev->translates && m->list.len)
		unmap_runs(dev, m);
	phyr_list_fini(&m->list);
	m->list.len = 0;
}
