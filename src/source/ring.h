/* SPDX-License-Identifier: MIT */
/* What holds pinned memory: a buffer that is registered with a ring of io_uring. */
#ifndef SOURCE_RING_H
#define SOURCE_RING_H

#include <stddef.h>

#include "core/env.h"

struct ring;

/*
 * Make a ring. 0; -EPERM forbidden, -EOPNOTSUPP none in this kernel or this build, -EMFILE, -ENFILE,
 * -ENOMEM; then *hint says why.
 */
int phyr_ring_create(struct phyr_env *env, struct ring **out, const char **hint);
void phyr_ring_destroy(struct ring *ring);

/*
 * Hold the whole pages of [start, start + len); one such range at a time. 0; -EFAULT memory that
 * can't be pinned; -ENOMEM, also for RLIMIT_MEMLOCK; -E2BIG too many pieces.
 */
int phyr_ring_hold(struct ring *ring, uintptr_t start, size_t len);
void phyr_ring_release(struct ring *ring);

#endif
