/* SPDX-License-Identifier: MIT */
/* Tests of pins: whether this machine lets them be, where pages lie, and children to try things in. */
#ifndef TESTS_SOURCE_RIG_H
#define TESTS_SOURCE_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <phyr/source.h>

#include "core/err.h"
#include "lib/tenv.h"

#define PAGE ((size_t)4096)
#define HUGE ((size_t)2 << 20)

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25 /* Linux 6.1 */
#endif

/* 0, or 77 for main() to return, having said loudly why nothing is tested. */
int rig_may_pin(void);
/* The same for looking at frames alone. */
int rig_may_look(void);

/* Anonymous memory, aligned to @align, written to when @touched; asserts. */
char *rig_map(size_t len, size_t align, bool touched);

/*
 * The physical address of a page of this process, read without the library; 0: not in memory. A page
 * that is being moved at that moment is waited for.
 */
uint64_t rig_phys(const void *ptr);
void rig_all_phys(const void *ptr, size_t pages, uint64_t *out);

/* A child process that runs fn and exits with what it returns. Asserts that it ended by itself. */
int rig_in_child(int (*fn)(void *arg), void *arg);

/* A child that runs fn, if there is one, and waits until rig_end_child(). */
pid_t rig_start_child(void (*fn)(void *arg), void *arg);
void rig_end_child(pid_t pid);

/* Take a capability out of this thread's effective set. */
void rig_drop_cap(unsigned cap);
#define RIG_CAP_IPC_LOCK  14
#define RIG_CAP_SYS_ADMIN 21

#endif
