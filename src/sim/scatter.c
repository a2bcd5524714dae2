/* SPDX-License-Identifier: MIT */
/*
 * Where newly pinned pages are put.
 *
 * Positions are drawn in a window that grows with what is pinned, not over all of memory: then the
 * page maps stay as small as what they describe. MIXED gives each magnitude of run a zone of its
 * own, one window each, so that single pages do not break up the places where long runs could lie:
 *
 *     base    zone 0: single pages   zone 1: 2-3   zone 2: 4-7   …   zone 8: 256-511
 *     |-----------window-----------|------------|------------|-----|-------------|
 *
 * Zones wrap around and overlap when memory is short. When no place fits, the next free frame is
 * taken with what lies free behind it: a pin fails when no frame is left, and not before.
 */
#include "sim/scatter.h"

#include "core/bits.h"
#include "sim/layout.h"
#include "sim/mix.h"

#define ZONES        9
#define WINDOW_LEAST ((uint64_t)16384) /* frames: 64 MiB */
#define TRIES        8

/* Of 65536: a run of MIXED is a single page; and it is no longer than its present magnitude. */
#define MIXED_SINGLE 43200
#define MIXED_STOP   29500

/* splitmix64 */
static uint64_t draw(struct sim_memory *mem)
{
	return sim_mix(mem->rnd += 0x9e3779b97f4a7c15u);
}

static uint64_t draw_below(struct sim_memory *mem, uint64_t n)
{
	return (uint64_t)((unsigned __int128)draw(mem) * n >> 64);
}

void phyr_sim_scatter_init(struct sim_memory *mem, uint64_t seed)
{
	mem->rnd = seed;
	/* LINEAR starts at the first frame, so that all of memory can be one run. */
	if (mem->scatter != PHYR_SIM_LINEAR)
		mem->base = round_down_mask(draw_below(mem, mem->frames.nr), SIM_BLOCK_FRAMES - 1);
	mem->linear_next = mem->base;
}

/* A place in the window of one of so many zones, @nr pages being about to be pinned. */
static uint64_t draw_place(struct sim_memory *mem, unsigned zone, unsigned zones, uint64_t nr)
{
	const struct sim_frames *frames = &mem->frames;
	uint64_t window = max_u64(2 * (frames->nr_used + nr), WINDOW_LEAST);

	window = max_u64(min_u64(window, frames->nr / zones), 1);
	return (mem->base + zone * window + draw_below(mem, window)) % frames->nr;
}

/*
 * The length of the next run of MIXED: two of three are single pages, the others double with odds
 * that make all magnitudes hold about the same number of pages; 7 pages in the mean, 511 at most.
 */
static uint64_t draw_length(struct sim_memory *mem)
{
	unsigned lg2 = 1;

	if ((draw(mem) & 0xffff) < MIXED_SINGLE)
		return 1;
	while (lg2 < ZONES - 1 && (draw(mem) & 0xffff) >= MIXED_STOP)
		lg2++;
	return ((uint64_t)1 << lg2) + draw_below(mem, (uint64_t)1 << lg2);
}

/* Room for @want frames: a free slot of the next power of two in their zone, or any free frame. */
static uint64_t find_room(struct sim_memory *mem, uint64_t want, uint64_t nr)
{
	unsigned zone = lg2_u64(want);
	uint64_t slot = want > 1 ? (uint64_t)2 << zone : 1;

	for (unsigned i = 0; i < TRIES; i++) {
		uint64_t at = round_down_mask(draw_place(mem, zone, ZONES, nr), slot - 1);

		if (phyr_sim_frames_extent(&mem->frames, at, want) == want)
			return at;
	}
	return phyr_sim_frames_find(&mem->frames, draw_place(mem, zone, ZONES, nr));
}

/* Whether the pages before and after @page would lie beside @frame. */
static bool has_neighbour(struct sim_memory *mem, uint64_t page, uint64_t frame)
{
	uint64_t other;

	if (phyr_sim_vmap_find(&mem->vmap, page - 1, &other) &&
	    (other + 1 == frame || frame + 1 == other))
		return true;
	return phyr_sim_vmap_find(&mem->vmap, page + 1, &other) &&
	       (other + 1 == frame || frame + 1 == other);
}

/* Two pages rule out four frames, so the fifth free one fits, if there are so many. */
static uint64_t find_apart(struct sim_memory *mem, uint64_t page, uint64_t nr)
{
	uint64_t frame = phyr_sim_frames_find(&mem->frames, draw_place(mem, 0, 1, nr));

	for (unsigned i = 0; i < 4 && frame != SIM_NO_FRAME && has_neighbour(mem, page, frame); i++)
		frame = phyr_sim_frames_find(&mem->frames, frame + 1);
	return frame;
}

/* Take what lies free from @first on, up to @nr. */
static uint64_t take(struct sim_memory *mem, uint64_t page, uint64_t first, uint64_t nr,
		     uint64_t *frame)
{
	*frame = first;
	if (first == SIM_NO_FRAME)
		return 0;
	return phyr_sim_frames_take(&mem->frames, first, nr, page * SIM_PAGE);
}

static uint64_t put_single(struct sim_memory *mem, uint64_t page, uint64_t nr, uint64_t *frame)
{
	return take(mem, page, find_apart(mem, page, nr), 1, frame);
}

static uint64_t put_linear(struct sim_memory *mem, uint64_t page, uint64_t nr, uint64_t *frame)
{
	uint64_t got;

	if (!mem->frames.nr_used)
		mem->linear_next = mem->base;
	got = take(mem, page, phyr_sim_frames_find(&mem->frames, mem->linear_next), nr, frame);
	if (got)
		mem->linear_next = *frame + got;
	return got;
}

static uint64_t put_huge(struct sim_memory *mem, uint64_t page, uint64_t nr, uint64_t *frame)
{
	uint64_t to_edge = SIM_BLOCK_FRAMES - page % SIM_BLOCK_FRAMES, block;

	if (to_edge == SIM_BLOCK_FRAMES && nr >= SIM_BLOCK_FRAMES) {
		block = phyr_sim_frames_find_block(&mem->frames, draw_place(mem, 0, 1, nr));
		if (block != SIM_NO_FRAME)
			return take(mem, page, block, SIM_BLOCK_FRAMES, frame);
	}
	return put_linear(mem, page, min_u64(nr, to_edge), frame);
}

static uint64_t put_mixed(struct sim_memory *mem, struct sim_place *place, uint64_t page,
			  uint64_t nr, uint64_t *frame)
{
	uint64_t got = 0;

	if (place->left)
		got = take(mem, page, place->next, min_u64(nr, place->left), frame);
	if (!got) {
		place->left = min_u64(draw_length(mem), nr);
		got = take(mem, page, find_room(mem, place->left, nr), place->left, frame);
	}
	place->left -= got;
	place->next = *frame + got;
	return got;
}

uint64_t phyr_sim_scatter(struct sim_memory *mem, struct sim_place *place, uint64_t page,
			  uint64_t nr, uint64_t *frame)
{
	switch (mem->scatter) {
	case PHYR_SIM_SINGLE:
		return put_single(mem, page, nr, frame);
	case PHYR_SIM_LINEAR:
		return put_linear(mem, page, nr, frame);
	case PHYR_SIM_HUGE:
		return put_huge(mem, page, nr, frame);
	default:
		return put_mixed(mem, place, page, nr, frame);
	}
}
