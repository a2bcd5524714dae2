/* SPDX-License-Identifier: MIT */
/*
 * The depot: what the slots' caches overflow with, and where they refill. A stack for each length,
 * under the allocator's lock.
 *
 * Lengths from 2^i to 2^(i + 1) - 1 granules share a block of memory, made with the first allocation
 * of such a length when many are live, and a second one; with few the tree is as fast. All together hold an eighth of
 * the bytes that are out at most, and a quarter of the stretches: beyond that, and in turn, stretches
 * go back to the tree, so that lengths which nobody asks for any more do not stay.
 */
#ifndef IOVA_DEPOT_H
#define IOVA_DEPOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/bits.h"

#define DEPOT_OCTAVES   11
#define DEPOT_ROOM_LG2  12 /* stretches in an octave's first block */
#define DEPOT_MORE_LG2  15 /* and in its second one, made when very many are live */
#define DEPOT_MORE_FROM ((uint64_t)1 << 17)
#define DEPOT_SHARE_LG2 3 /* of the bytes that are out */
#define DEPOT_COUNT_LG2 2 /* of the stretches that are */

struct iova_depot {
	uint32_t *nr[DEPOT_OCTAVES]; /* stretches of each class; made with the first block */
	uint64_t *first[DEPOT_OCTAVES];
	uint64_t *second[DEPOT_OCTAVES];
	uint64_t granules;
	uint64_t count;
	unsigned hand;   /* class from which the next one goes back */
	unsigned octave; /* looked at next for a second block that is not needed */
};

/* Stretches of a class are those of granules - 1; an octave has all with the same number of bits. */
static inline unsigned depot_octave(uint64_t class)
{
	return lg2_u64(class + 1);
}

static inline uint64_t depot_index(uint64_t class)
{
	return class + 1 - ((uint64_t)1 << depot_octave(class));
}

/* How many stretches of the class there are; NULL: no memory for it. */
static inline uint32_t *depot_nr(const struct iova_depot *depot, uint64_t class)
{
	unsigned octave = depot_octave(class);

	if (!depot->nr[octave] || !depot->first[octave])
		return NULL;
	return &depot->nr[octave][depot_index(class)];
}

/* How many there can be. */
static inline uint64_t depot_room(const struct iova_depot *depot, uint64_t class)
{
	unsigned octave = depot_octave(class);
	uint64_t room = (uint64_t)1 << (DEPOT_ROOM_LG2 - octave);

	return depot->second[octave] ? room + ((uint64_t)1 << (DEPOT_MORE_LG2 - octave)) : room;
}

/* The i-th stretch of a class. */
static inline uint64_t *depot_at(const struct iova_depot *depot, uint64_t class, uint64_t i)
{
	unsigned octave = depot_octave(class);
	uint64_t room = (uint64_t)1 << (DEPOT_ROOM_LG2 - octave), index = depot_index(class);

	if (i < room)
		return &depot->first[octave][index * room + i];
	return &depot->second[octave][(index << (DEPOT_MORE_LG2 - octave)) + (i - room)];
}

/* Take the i-th one out; the last one takes its place. */
static inline uint64_t depot_pull(struct iova_depot *depot, uint64_t class, uint64_t i)
{
	uint64_t *at = depot_at(depot, class, i), start = *at;

	*at = *depot_at(depot, class, --*depot_nr(depot, class));
	depot->count--;
	depot->granules -= class + 1;
	return start;
}

static inline void depot_push(struct iova_depot *depot, uint64_t class, uint64_t start)
{
	uint32_t *nr = depot_nr(depot, class);

	*depot_at(depot, class, (*nr)++) = start;
	depot->count++;
	depot->granules += class + 1;
}

struct phyr_iova;
struct wish;

/* All under the allocator's lock, but for make, which is called before. */

/* Memory for a class's stretches, where it is worth it. 0 or -ENOMEM. */
int phyr_iova_depot_make(struct phyr_iova *iova, uint64_t class);

/* Take a stretch as wished; one of the few last ones is, or none. */
bool phyr_iova_depot_take(struct phyr_iova *iova, uint64_t class, const struct wish *wish,
			  uint64_t *out);

/* Whether a stretch is among the few last ones. */
bool phyr_iova_depot_holds(const struct phyr_iova *iova, uint64_t class, uint64_t start);

/* Put a stretch in; where it has no place here, into the tree. */
void phyr_iova_depot_put(struct phyr_iova *iova, uint64_t class, uint64_t start);

/* Back to the tree: what makes the depot too large, some at a time. */
void phyr_iova_depot_trim(struct phyr_iova *iova);

/* Memory for a block that is not needed any more, to be freed without the lock; NULL: there is none. */
void *phyr_iova_depot_close_one(struct phyr_iova *iova, size_t *size);

/* Bytes of memory that it uses. */
uint64_t phyr_iova_depot_meta(const struct phyr_iova *iova);
void phyr_iova_depot_fini(struct phyr_iova *iova);

#endif
