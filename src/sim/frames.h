/* SPDX-License-Identifier: MIT */
/*
 * Physical frames of pinned memory: which are used, how often each is pinned, and the page of this
 * process behind it (the page map from physical to CPU).
 *
 * Frames are kept in blocks of 512 (2 MiB). A block's record exists while one of its frames is
 * used, so cost follows what is pinned: 6 KiB a block, never more than that a page. Two bitmaps
 * over blocks find a free frame, or a whole free block, in O(log n) however full memory is.
 */
#ifndef SIM_FRAMES_H
#define SIM_FRAMES_H

#include "sim/bitmap.h"

#define SIM_BLOCK_FRAMES 512
#define SIM_NO_FRAME     (~(uint64_t)0)

struct sim_block {
	uint64_t used[SIM_BLOCK_FRAMES / 64];
	uint32_t nr_used;
	uint32_t refs[SIM_BLOCK_FRAMES];
	uint64_t cpu[SIM_BLOCK_FRAMES]; /* address of the page in this process */
};

struct sim_frames {
	uint64_t nr;
	uint64_t nr_used;
	uint64_t nr_blocks;   /* of memory */
	uint64_t live_blocks; /* with a record */
	struct sim_block **blocks;
	struct sim_bitmap full;    /* blocks with no free frame */
	struct sim_bitmap touched; /* blocks with a used frame, or cut short by the end of memory */
};

int phyr_sim_frames_init(struct sim_frames *frames, uint64_t nr);
void phyr_sim_frames_fini(struct sim_frames *frames);

/* The first free frame at or after @from, else the first of all; SIM_NO_FRAME: memory is full. */
uint64_t phyr_sim_frames_find(const struct sim_frames *frames, uint64_t from);

/* The first frame of a wholly free block, the first such at or after the one that holds @from. */
uint64_t phyr_sim_frames_find_block(const struct sim_frames *frames, uint64_t from);

/* How many of the @want frames from @first on are free before the first that is not. */
uint64_t phyr_sim_frames_extent(const struct sim_frames *frames, uint64_t first, uint64_t want);

/*
 * Take frames from @first on, up to @want, as long as they are free, with one count each.
 * @cpu is the address of the first one's page. Returns how many; 0: not free, or no memory.
 */
uint64_t phyr_sim_frames_take(struct sim_frames *frames, uint64_t first, uint64_t want,
			      uint64_t cpu);

/* Count a used frame once more; false: it can't be counted further. */
bool phyr_sim_frames_hold(struct sim_frames *frames, uint64_t frame);

/* Drop a count of a used frame; true: that was the last one, the frame is free. */
bool phyr_sim_frames_drop(struct sim_frames *frames, uint64_t frame);

/* The CPU address of a frame; false: it is not used. */
bool phyr_sim_frames_cpu(const struct sim_frames *frames, uint64_t frame, uint64_t *cpu);

#endif
