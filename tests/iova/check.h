/* SPDX-License-Identifier: MIT */
/* A full walk over an allocator: everything that must hold between two calls. */
#ifndef TESTS_IOVA_CHECK_H
#define TESTS_IOVA_CHECK_H

#include "iova/iova.h"

/* Walks the whole tree, in O(live); fails the test at the first thing that does not hold. */
void iova_check(struct phyr_iova *iova);

#endif
