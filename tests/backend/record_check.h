/* SPDX-License-Identifier: MIT */
/* Walks a whole record and holds it to what record_node.h says of its tree. */
#ifndef BACKEND_RECORD_CHECK_H
#define BACKEND_RECORD_CHECK_H

#include "backend/record.h"

/* Aborts, with what is wrong: order, overlaps, keys, empty nodes, depth, the counts of runs and bytes. */
void record_check(const struct record *rec);

/* A run of @pages pages, of a map call of its own, with both rights. */
struct record_run record_run_at(uint64_t iova, uint64_t addr, uint64_t pages);

#endif
