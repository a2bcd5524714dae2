/* SPDX-License-Identifier: MIT */
/* Pinned memory: the page maps both ways. */
#include "sim/memory.h"

#include <stdlib.h>

#include "core/bits.h"
#include "core/err.h"
#include "sim/layout.h"
#include "sim/scatter.h"

int phyr_sim_memory_init(struct sim_memory *mem, const struct phyr_sim_config *config)
{
	int err;

	*mem = (struct sim_memory){.scatter = config->scatter};
	err = phyr_sim_frames_init(&mem->frames, config->memory / SIM_PAGE);
	if (err)
		return err;
	phyr_sim_scatter_init(mem, config->seed);
	pthread_mutex_init(&mem->lock, NULL);
	return 0;
}

void phyr_sim_memory_fini(struct sim_memory *mem)
{
	phyr_sim_frames_fini(&mem->frames);
	phyr_sim_vmap_fini(&mem->vmap);
	pthread_mutex_destroy(&mem->lock);
}

static phyr_addr_t frame_addr(uint64_t frame)
{
	return SIM_PINNED_START + frame * SIM_PAGE;
}

static uint64_t addr_frame(phyr_addr_t addr)
{
	return (addr - SIM_PINNED_START) / SIM_PAGE;
}

static int grow(struct sim_runs *runs)
{
	size_t room = runs->room ? 2 * runs->room : 64;
	struct phyr_range *more = realloc(runs->runs, room * sizeof(*more));

	if (!more)
		return -ENOMEM;
	runs->runs = more;
	runs->room = room;
	return 0;
}

static int add_run(struct sim_runs *runs, phyr_addr_t addr, uint64_t len)
{
	struct phyr_range *last = runs->nr ? &runs->runs[runs->nr - 1] : NULL;

	if (last && last->addr + last->len == addr) {
		last->len += len;
		return 0;
	}
	if ((!runs->runs || runs->nr == runs->room) && grow(runs))
		return -ENOMEM;
	runs->runs[runs->nr++] = (struct phyr_range){addr, len};
	return 0;
}

/* Drop one count of a used frame, and its place in the map with the last. */
static void drop_frame(struct sim_memory *mem, uint64_t frame)
{
	uint64_t cpu;

	phyr_sim_frames_cpu(&mem->frames, frame, &cpu);
	if (phyr_sim_frames_drop(&mem->frames, frame))
		phyr_sim_vmap_remove(&mem->vmap, cpu / SIM_PAGE);
}

static void drop_pages(struct sim_memory *mem, uint64_t page, uint64_t nr)
{
	uint64_t frame;

	for (uint64_t i = 0; i < nr; i++)
		if (phyr_sim_vmap_find(&mem->vmap, page + i, &frame))
			drop_frame(mem, frame);
}

/* Enter frames just taken into the map; on failure all of them are free again. */
static int map_frames(struct sim_memory *mem, uint64_t page, uint64_t frame, uint64_t nr)
{
	for (uint64_t i = 0; i < nr; i++) {
		if (!phyr_sim_vmap_set(&mem->vmap, page + i, frame + i))
			continue;
		for (uint64_t j = i; j < nr; j++)
			phyr_sim_frames_drop(&mem->frames, frame + j);
		drop_pages(mem, page, i);
		return -ENOMEM;
	}
	return 0;
}

/* How many pages from @page on, up to @nr, have no frame. */
static uint64_t count_new(struct sim_memory *mem, uint64_t page, uint64_t nr)
{
	uint64_t n = 0, frame;

	while (n < nr && !phyr_sim_vmap_find(&mem->vmap, page + n, &frame))
		n++;
	return n;
}

/* Pin new pages; *done counts them as they are pinned, also when it fails. */
static int pin_new(struct sim_memory *mem, uint64_t page, uint64_t nr, struct sim_runs *runs,
		   uint64_t *done)
{
	struct sim_place place = {0};
	uint64_t end = *done + nr, frame, got;

	while (*done < end) {
		got = phyr_sim_scatter(mem, &place, page, end - *done, &frame);
		if (!got || map_frames(mem, page, frame, got))
			return -ENOMEM;
		page += got;
		*done += got;
		if (add_run(runs, frame_addr(frame), got * SIM_PAGE))
			return -ENOMEM;
	}
	return 0;
}

static int pin_old(struct sim_memory *mem, uint64_t frame, struct sim_runs *runs, uint64_t *done)
{
	if (!phyr_sim_frames_hold(&mem->frames, frame))
		return -ENOMEM;
	++*done;
	return add_run(runs, frame_addr(frame), SIM_PAGE);
}

static int pin_pages(struct sim_memory *mem, uint64_t page, uint64_t nr, struct sim_runs *runs,
		     uint64_t *done)
{
	uint64_t frame;
	int err = 0;

	while (!err && *done < nr) {
		if (phyr_sim_vmap_find(&mem->vmap, page + *done, &frame))
			err = pin_old(mem, frame, runs, done);
		else
			err = pin_new(mem, page + *done, count_new(mem, page + *done, nr - *done),
				      runs, done);
	}
	return err;
}

int phyr_sim_memory_pin(struct sim_memory *mem, uint64_t page, uint64_t nr, struct sim_runs *runs)
{
	uint64_t done = 0;
	int err;

	pthread_mutex_lock(&mem->lock);
	err = pin_pages(mem, page, nr, runs, &done);
	if (err)
		drop_pages(mem, page, done);
	pthread_mutex_unlock(&mem->lock);
	return err;
}

uint64_t phyr_sim_memory_unpin(struct sim_memory *mem, phyr_addr_t addr, uint64_t len)
{
	uint64_t first = addr_frame(addr), last = addr_frame(addr + (len - 1)), strangers = 0, cpu;

	pthread_mutex_lock(&mem->lock);
	for (uint64_t frame = first; frame <= last; frame++) {
		if (phyr_sim_frames_cpu(&mem->frames, frame, &cpu))
			drop_frame(mem, frame);
		else
			strangers++;
	}
	pthread_mutex_unlock(&mem->lock);
	return strangers;
}

/* Whether the page at @cpu + @have is the frame that follows. */
static bool goes_on(struct sim_memory *mem, phyr_addr_t addr, uint64_t cpu, uint64_t have)
{
	uint64_t next;

	return phyr_sim_frames_cpu(&mem->frames, addr_frame(addr + have), &next) &&
	       next == cpu + have;
}

void *phyr_sim_memory_to_cpu(struct sim_memory *mem, phyr_addr_t addr, uint64_t *len)
{
	uint64_t offset = addr & (SIM_PAGE - 1), have = SIM_PAGE - offset, cpu;
	bool found;

	if (addr < SIM_PINNED_START)
		return NULL;
	pthread_mutex_lock(&mem->lock);
	found = phyr_sim_frames_cpu(&mem->frames, addr_frame(addr), &cpu);
	if (found) {
		cpu += offset;
		while (have < *len && goes_on(mem, addr, cpu, have))
			have += SIM_PAGE;
		*len = min_u64(*len, have);
	}
	pthread_mutex_unlock(&mem->lock);
	return found ? (void *)(uintptr_t)cpu : NULL;
}

bool phyr_sim_memory_to_phys(struct sim_memory *mem, const void *ptr, phyr_addr_t *out)
{
	uint64_t cpu = (uint64_t)(uintptr_t)ptr, frame;
	bool found;

	pthread_mutex_lock(&mem->lock);
	found = phyr_sim_vmap_find(&mem->vmap, cpu / SIM_PAGE, &frame);
	pthread_mutex_unlock(&mem->lock);
	if (found)
		*out = frame_addr(frame) + (cpu & (SIM_PAGE - 1));
	return found;
}

void phyr_sim_memory_stats(struct sim_memory *mem, struct phyr_sim_stats *stats)
{
	pthread_mutex_lock(&mem->lock);
	stats->pinned_pages = mem->frames.nr_used;
	stats->map_bytes = mem->frames.live_blocks * sizeof(struct sim_block) +
			   mem->vmap.nr_nodes * sizeof(struct sim_vmap_node);
	pthread_mutex_unlock(&mem->lock);
}
