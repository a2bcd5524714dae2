/* SPDX-License-Identifier: MIT */
/*
 * The record of what a kernel has mapped: runs of iova, and the memory behind each.
 *
 * The kernel is told of mappings and does not tell them back, so a kernel backend keeps its own account:
 * translate answers from it, an unmap finds in it where map calls began and ended, and iova that is
 * taken is refused before the kernel is asked.
 *
 * A run is 16 bytes in a B+tree (record_node.h). With the tree that makes at most 24 bytes a run, from
 * 4,000 runs on, whether they come and go in order, at random or by windows; little over 16 for many
 * that came in order, up or down. Nothing is allocated while there is no run, 248 bytes for the first 15.
 *
 * Not thread safe: the caller holds a lock, also when it reads.
 */
#ifndef BACKEND_RECORD_H
#define BACKEND_RECORD_H

#include <phyr/types.h>

/* What a run's iova and address stay below, last byte included; and its longest length, bytes. */
#define RECORD_ADDR_LG2 57
#define RECORD_MAX_LEN  ((uint64_t)1 << 44)

/* Memory that one call into the kernel has mapped: whole granules, of 4 KiB at least. */
struct record_run {
	uint64_t iova;
	uint64_t
		addr; /* in the space that the caller mapped from: a user address, a file's offset */
	uint64_t len;  /* bytes */
	unsigned prot; /* OR of enum phyr_prot */
	bool first;    /* the first run of its map call */
	bool last;     /* and the last */
};

struct record_node;

struct record {
	struct phyr_env *env;
	struct record_node *root;
	unsigned levels; /* of the tree; 0: there is no root */
	uint64_t nr;     /* runs */
	uint64_t bytes;  /* of memory for them */
};

/* The env is borrowed. */
void phyr_record_init(struct record *rec, struct phyr_env *env);

/* Forget all runs, and free their memory. */
void phyr_record_fini(struct record *rec);

/*
 * Take a run in. O(log n).
 *
 * Returns 0; -EEXIST it overlaps one that is there; -ERANGE an edge that is not on 4 KiB, length 0 or
 * more than RECORD_MAX_LEN, iova or address beyond RECORD_ADDR_LG2 bits, a prot that is not enum
 * phyr_prot's; -ENOMEM. A failure changes no run, and reports nothing: the caller knows the call.
 */
int phyr_record_insert(struct record *rec, const struct record_run *run);

/* The run that covers @iova. O(log n). @run is written when there is one. */
bool phyr_record_find(const struct record *rec, uint64_t iova, struct record_run *run);

/* The first run whose last byte is at or after @iova. O(log n). @run is written when there is one. */
bool phyr_record_next(const struct record *rec, uint64_t iova, struct record_run *run);

/*
 * Take out the runs that lie in [start, last] as a whole; what reaches out of it stays. Returns how
 * many. O(log n), and a step for each 255 runs that go: their leaves are freed unread.
 */
uint64_t phyr_record_remove(struct record *rec, uint64_t start, uint64_t last);

#endif
