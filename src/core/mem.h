/* SPDX-License-Identifier: MIT */
/* The mem* functions, which even a freestanding compiler may call on its own. */
#ifndef CORE_MEM_H
#define CORE_MEM_H

#include <stddef.h>

#define mem_copy(to, from, n) __builtin_memcpy(to, from, n)
#define mem_move(to, from, n) __builtin_memmove(to, from, n)
#define mem_set(to, byte, n)  __builtin_memset(to, byte, n)

#endif
