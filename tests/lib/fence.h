/* SPDX-License-Identifier: MIT */
/*
 * An environment whose memory is fenced: an access past a block's end faults at once, in every kind of
 * build; one to a block that was freed is found by the address sanitizer, or, if it was a write, when
 * the block is given out again or at the end.
 *
 *   | ~ ~ ~ block | no access | ~ block | no access | …    one reservation
 *
 * A small object ends where its pages end, but for its alignment; pages start where theirs do. What
 * is live is counted and can be asked for by address, so that a device of the test's own can see
 * whether the addresses that it is given are still memory. For one thread.
 */
#ifndef TESTS_FENCE_H
#define TESTS_FENCE_H

#include <phyr/types.h>

#define FENCE_BLOCKS 1024

struct fence_block {
	uint64_t start, size; /* what was asked for */
	uint64_t base, room;  /* whole pages */
};

struct fence {
	struct phyr_env env; /* pass &fence.env */
	unsigned char *arena;
	uint64_t used;
	struct fence_block blocks[FENCE_BLOCKS]; /* live, in no order */
	unsigned nr_blocks;
	struct fence_block freed[FENCE_BLOCKS]; /* the oldest first */
	unsigned nr_freed;
	unsigned live_locks;
	struct phyr_report last;
	uint64_t reports;
	bool (*fails)(void *arg); /* whether this allocation is to fail; NULL: none */
	void (*freeing)(void *arg, uint64_t start,
			uint64_t size); /* a block is about to go; or NULL */
	void *arg;
};

/* Reserve; fence.env.now_ns is the caller's to set. */
void fence_init(struct fence *fence);
/* Nothing may be live. */
void fence_fini(struct fence *fence);
/* Nothing may be live; what was freed is looked at. */
void fence_restart(struct fence *fence);
/* Whether [addr, addr + len) lies in one live block. */
bool fence_owns(const struct fence *fence, uint64_t addr, uint64_t len);

#endif
