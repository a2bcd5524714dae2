/* SPDX-License-Identifier: MIT */
/*
 * A table and its model, played with at random: where to, how much, from where; and what is there looked at
 * from both sides. Most goes on in a small zone, where calls meet; some in all of an area that has room for
 * large leaves.
 */
#ifndef TESTS_PGTBL_PLAY_H
#define TESTS_PGTBL_PLAY_H

#include "lib/rnd.h"
#include "pgtbl/model.h"
#include "pgtbl/rig.h"

#define MAX_RUNS   256
#define MAX_SLICES 8

struct play {
	struct rig rig;
	struct model m;
	struct rnd r;
	const struct pgtbl_case *c;
	uint64_t zone, zone_len; /* iova */
	uint64_t size;           /* one of the leaf sizes, for this operation */
	/* The map call that is being made, granules whole, and where its edges are in them. */
	struct phyr_range runs[MAX_RUNS];
	unsigned nr_runs;
	uint64_t skip, len; /* of the first granule not mapped; bytes asked for */
	bool sliced;        /* it comes in slices that do not join, though they lie together */
	bool unsure;        /* whether a promotion may have marked more than was written */
	bool broken;        /* whether each leaf that grew had to be synced first */
	uint64_t ops, checks, maps, clashes, unmaps, cuts, promoted, dirtied, reclaims, refused;
};

/* What a cursor goes over. */
struct source {
	struct phyr_list list;
	struct phyr_slice slices[MAX_SLICES];
	struct phyr_listv listv;
	struct phyr_range ranges[MAX_RUNS];
};

static inline uint64_t below(struct play *p, uint64_t n)
{
	return rnd_below(&p->r, n);
}

/* One time in n. */
static inline bool once(struct play *p, uint64_t n)
{
	return !below(p, n);
}

/* An area of at most so many granules, somewhere. */
void play_init(struct play *p, const struct pgtbl_case *c, uint64_t nr, struct rnd *r);
void play_fini(struct play *p);

/* A granule: in the zone, mostly, now and then where a leaf may begin. p->size is a leaf size, then. */
uint64_t play_iova(struct play *p);
/* Bytes, granules whole. */
uint64_t play_len(struct play *p);
/* Where so many bytes from start on end, in the area. */
uint64_t play_last(const struct play *p, uint64_t start, uint64_t len);
/* A granule that is mapped, if one is near. */
bool play_mapped(struct play *p, uint64_t *iova);
/* A map call for iova: fills runs, skip and len. */
void play_runs(struct play *p, uint64_t iova);
/* One run of so many bytes, by a cursor whose slices do not join: larger leaves could take their place. */
void play_sliced(struct play *p, uint64_t iova, uint64_t len);
/* A cursor over it, in one of the ways there are; where a listv cuts runs, p->runs are cut, too. */
void play_cursor(struct play *p, struct source *s, struct phyr_cursor *cur);

/* One granule as the table has it and as it should be. */
void play_check_at(struct play *p, uint64_t iova);
/* The ends of a stretch, their neighbours, and some of what lies between. */
void play_check(struct play *p, uint64_t start, uint64_t last);
/* All of the area: each leaf, and as many tables as can be reached. */
void play_check_all(struct play *p);

#endif
