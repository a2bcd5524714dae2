/* SPDX-License-Identifier: MIT */
/* Page blocks of an ordinary process. */
#ifndef CORE_PAGES_H
#define CORE_PAGES_H

#include <stddef.h>

/* Zeroed, aligned to its size, a power of two of at least 4096; NULL: no memory. Any thread. */
void *phyr_pages_alloc(size_t size);
void phyr_pages_free(void *pages, size_t size);

#endif
