/* SPDX-License-Identifier: MIT */
/* What holds pinned memory: a buffer that is registered with a ring of io_uring. */
#ifndef SOURCE_RING_H
#define SOURCE_RING_H

#include <stddef.h>
#include <stdint.h>

#include "core/env.h"

/* Bytes. Linux, io_uring_register(2), IORING_REGISTER_BUFFERS: 2^14 pieces of 1 GiB. */
#define RING_PIECE    ((uint64_t)1 << 30)
#define RING_HOLD_MAX (RING_PIECE << 14)

struct ring;

/*
 * Make a ring. 0; -EPERM forbidden, -EOPNOTSUPP none in this kernel or this build, -EMFILE, -ENFILE,
 * -ENOMEM; then *hint says why.
 */
int phyr_ring_create(struct phyr_env *env, struct ring **out, const char **hint);
void phyr_ring_destroy(struct ring *ring);

/*
 * Hold the whole pages of [start, start + len), at most RING_HOLD_MAX; one such range at a time. 0;
 * -EFAULT memory that can't be pinned; -ENOMEM, also for RLIMIT_MEMLOCK.
 */
int phyr_ring_hold(struct ring *ring, uintptr_t start, size_t len);
void phyr_ring_release(struct ring *ring);

#endif
