/* SPDX-License-Identifier: MIT */
/* The driver on a device that does what it is told to do wrong, in a time of its own. */
#ifndef TESTS_NVME_EVIL_H
#define TESTS_NVME_EVIL_H

#include "nvme/fake.h"
#include "nvme/rig.h"

struct evil {
	struct rig rig;
	struct fake fake;
	struct phyr_nvme *nvme;
	struct phyr_nvme_queue *queue;
};

/* A machine with the device, and a fast clock. */
void evil_init(struct evil *e);
void evil_fini(struct evil *e);
int evil_open(struct evil *e);
/* A driver that came up on a good device, with a queue of depth 8. */
void evil_up(struct evil *e);
/* A command goes well. */
void evil_works(struct evil *e);
struct phyr_nvme_ctrl_stats evil_stats(struct evil *e);

/* A command whose function checks that the device was disabled before it is told that it was given
 * up: its memory may be used again. */
struct watched {
	struct ended ended;
	const struct fake *fake;
	unsigned disables; /* when it was submitted */
};
void watch(struct watched *w, const struct fake *fake);
void watched_fn(void *arg, const struct phyr_nvme_done *done);
/* So many flushes in flight, up to the queue's depth. */
void evil_fill(struct evil *e, struct watched *w, unsigned nr);
/* Each has ended once, with this errno. */
void watched_ended(const struct watched *w, unsigned nr, int err);

#endif
