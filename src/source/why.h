/* SPDX-License-Identifier: MIT */
/* Why memory of this process can't be pinned. */
#ifndef SOURCE_WHY_H
#define SOURCE_WHY_H

#include <stdint.h>

/*
 * What stands against pinning [start, end) for writing, by /proc/self/maps: -EFAULT, -EACCES or
 * -EOPNOTSUPP, and in words; 0, *hint untouched, when maps show nothing.
 */
int phyr_why_not(uint64_t start, uint64_t end, const char **hint);

#endif
