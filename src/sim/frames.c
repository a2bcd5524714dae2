/* SPDX-License-Identifier: MIT */
/* Physical frames of pinned memory. */
#include "sim/frames.h"

#include <stdlib.h>
#include <string.h>

#include "core/bits.h"
#include "core/err.h"
#include "sim/layout.h"

static uint64_t frames_in(const struct sim_frames *frames, uint64_t b)
{
	return min_u64(SIM_BLOCK_FRAMES, frames->nr - b * SIM_BLOCK_FRAMES);
}

int phyr_sim_frames_init(struct sim_frames *frames, uint64_t nr)
{
	*frames = (struct sim_frames){.nr = nr};
	frames->nr_blocks = (nr + SIM_BLOCK_FRAMES - 1) / SIM_BLOCK_FRAMES;
	frames->blocks = calloc(frames->nr_blocks, sizeof(void *));
	if (!frames->blocks || phyr_sim_bitmap_init(&frames->full, frames->nr_blocks) ||
	    phyr_sim_bitmap_init(&frames->touched, frames->nr_blocks)) {
		phyr_sim_frames_fini(frames);
		return -ENOMEM;
	}
	if (nr % SIM_BLOCK_FRAMES)
		phyr_sim_bitmap_set(&frames->touched, frames->nr_blocks - 1);
	return 0;
}

void phyr_sim_frames_fini(struct sim_frames *frames)
{
	for (uint64_t b = 0; frames->blocks && b < frames->nr_blocks && frames->live_blocks; b++) {
		frames->live_blocks -= frames->blocks[b] != NULL;
		free(frames->blocks[b]);
	}
	free(frames->blocks);
	phyr_sim_bitmap_fini(&frames->full);
	phyr_sim_bitmap_fini(&frames->touched);
}

/* The first free frame of block @b from its @i-th on; SIM_BLOCK_FRAMES or more: none. */
static uint64_t find_in_block(const struct sim_frames *frames, uint64_t b, uint64_t i)
{
	const struct sim_block *block = frames->blocks[b];
	uint64_t clear;

	if (!block)
		return i < frames_in(frames, b) ? i : SIM_BLOCK_FRAMES;
	for (; i < SIM_BLOCK_FRAMES; i = (i | 63) + 1) {
		clear = ~block->used[i / 64] & ~(uint64_t)0 << (i & 63);
		if (clear)
			return (i & ~(uint64_t)63) + low_bit_u64(clear);
	}
	return SIM_BLOCK_FRAMES;
}

uint64_t phyr_sim_frames_find(const struct sim_frames *frames, uint64_t from)
{
	uint64_t b = from / SIM_BLOCK_FRAMES, i;

	if (from >= frames->nr)
		return phyr_sim_frames_find(frames, 0);
	i = find_in_block(frames, b, from % SIM_BLOCK_FRAMES);
	if (i < SIM_BLOCK_FRAMES)
		return b * SIM_BLOCK_FRAMES + i;
	b = phyr_sim_bitmap_next_clear_wrap(&frames->full, b + 1);
	if (b == frames->nr_blocks)
		return SIM_NO_FRAME;
	return b * SIM_BLOCK_FRAMES + find_in_block(frames, b, 0);
}

uint64_t phyr_sim_frames_find_block(const struct sim_frames *frames, uint64_t from)
{
	uint64_t b = phyr_sim_bitmap_next_clear_wrap(&frames->touched, from / SIM_BLOCK_FRAMES);

	return b < frames->nr_blocks ? b * SIM_BLOCK_FRAMES : SIM_NO_FRAME;
}

static bool is_used(const struct sim_block *block, uint64_t i)
{
	return block && block->used[i / 64] >> (i & 63) & 1;
}

uint64_t phyr_sim_frames_extent(const struct sim_frames *frames, uint64_t first, uint64_t want)
{
	uint64_t n;

	for (n = 0; n < want && first + n < frames->nr; n++)
		if (is_used(frames->blocks[(first + n) / SIM_BLOCK_FRAMES],
			    (first + n) % SIM_BLOCK_FRAMES))
			break;
	return n;
}

/* The record of a block, made when there is none; frames past the end of memory count as used. */
static struct sim_block *get_block(struct sim_frames *frames, uint64_t b)
{
	struct sim_block *block = frames->blocks[b];

	if (block)
		return block;
	block = malloc(sizeof(*block));
	if (!block)
		return NULL;
	block->nr_used = 0;
	memset(block->used, 0, sizeof(block->used));
	for (uint64_t i = frames_in(frames, b); i < SIM_BLOCK_FRAMES; i++)
		block->used[i / 64] |= (uint64_t)1 << (i & 63);
	frames->blocks[b] = block;
	frames->live_blocks++;
	phyr_sim_bitmap_set(&frames->touched, b);
	return block;
}

static void put_empty_block(struct sim_frames *frames, uint64_t b)
{
	free(frames->blocks[b]);
	frames->blocks[b] = NULL;
	frames->live_blocks--;
	if (frames_in(frames, b) == SIM_BLOCK_FRAMES)
		phyr_sim_bitmap_clear(&frames->touched, b);
}

static void take_one(struct sim_frames *frames, struct sim_block *block, uint64_t frame,
		     uint64_t cpu)
{
	uint64_t b = frame / SIM_BLOCK_FRAMES, i = frame % SIM_BLOCK_FRAMES;

	block->used[i / 64] |= (uint64_t)1 << (i & 63);
	block->refs[i] = 1;
	block->cpu[i] = cpu;
	frames->nr_used++;
	if (++block->nr_used == frames_in(frames, b))
		phyr_sim_bitmap_set(&frames->full, b);
}

uint64_t phyr_sim_frames_take(struct sim_frames *frames, uint64_t first, uint64_t want,
			      uint64_t cpu)
{
	uint64_t n;

	for (n = 0; n < want && first + n < frames->nr; n++) {
		struct sim_block *block = get_block(frames, (first + n) / SIM_BLOCK_FRAMES);

		if (!block || is_used(block, (first + n) % SIM_BLOCK_FRAMES))
			break;
		take_one(frames, block, first + n, cpu + n * SIM_PAGE);
	}
	return n;
}

bool phyr_sim_frames_hold(struct sim_frames *frames, uint64_t frame)
{
	uint32_t *refs = &frames->blocks[frame / SIM_BLOCK_FRAMES]->refs[frame % SIM_BLOCK_FRAMES];

	if (*refs == UINT32_MAX)
		return false;
	++*refs;
	return true;
}

bool phyr_sim_frames_drop(struct sim_frames *frames, uint64_t frame)
{
	uint64_t b = frame / SIM_BLOCK_FRAMES, i = frame % SIM_BLOCK_FRAMES;
	struct sim_block *block = frames->blocks[b];

	if (--block->refs[i])
		return false;
	block->used[i / 64] &= ~((uint64_t)1 << (i & 63));
	frames->nr_used--;
	phyr_sim_bitmap_clear(&frames->full, b);
	if (!--block->nr_used)
		put_empty_block(frames, b);
	return true;
}

bool phyr_sim_frames_cpu(const struct sim_frames *frames, uint64_t frame, uint64_t *cpu)
{
	const struct sim_block *block;

	if (frame >= frames->nr)
		return false;
	block = frames->blocks[frame / SIM_BLOCK_FRAMES];
	if (!is_used(block, frame % SIM_BLOCK_FRAMES))
		return false;
	*cpu = block->cpu[frame % SIM_BLOCK_FRAMES];
	return true;
}
