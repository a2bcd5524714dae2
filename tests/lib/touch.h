/* SPDX-License-Identifier: MIT */
/*
 * Which pages of 4 KiB a call touches. All memory of the environment lies in one arena, an object a
 * page or more; before the call nothing of the arena may be accessed, and each page that the call
 * reads or writes is opened, and counted, by a signal handler.
 *
 *   struct touch t;
 *   touch_init(&t, bytes);
 *   ... t.env as an environment ...
 *   touch_start(&t);
 *   the_call();
 *   pages = touch_stop(&t);                     all of the arena may be accessed again
 *   touch_fini(&t);
 *
 * One arena at a time, one thread. What is given back is not used again.
 */
#ifndef TESTS_TOUCH_H
#define TESTS_TOUCH_H

#include <phyr/types.h>

struct touch {
	struct phyr_env env; /* pass &t.env: the hosted one, but for its memory */
	char *base;
	size_t size;
	size_t used;
	volatile unsigned opened;
};

/* An arena of so many bytes; fails the test when there is none. */
void touch_init(struct touch *t, size_t size);
void touch_start(struct touch *t);
/* The pages touched since the start. */
unsigned touch_stop(struct touch *t);
void touch_fini(struct touch *t);

#endif
