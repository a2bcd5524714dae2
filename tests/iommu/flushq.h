/* SPDX-License-Identifier: MIT */
/*
 * A domain for tests of the flush queue: over the fake backend, whose invalidations are looked at, in an
 * environment whose clock and slot the test sets.
 *
 * Each entry that is put has an iova that is asked for here, and on wish tables. What may have been
 * given back, and what may not yet, is checked in and after each invalidation.
 */
#ifndef TESTS_IOMMU_FLUSHQ_H
#define TESTS_IOMMU_FLUSHQ_H

#include "iommu/domain.h"
#include "iommu/fake.h"
#include "lib/tenv.h"

#define SLOTS       3
#define MAX_TRACKED 8192
#define PAGE        0x1000ull

/* An entry as the test knows it. */
struct tracked {
	uint64_t iova;
	uint64_t len;
	uint64_t start; /* of its gather */
	uint64_t last;
	uint64_t *table; /* NULL: it has none */
	bool invalidated;
};

struct fq {
	struct tenv t;
	struct fake fake;
	struct phyr_iommu_ops ops;
	struct phyr_domain *domain;
	struct phyr_flushq *q;
	unsigned slot;
	uint64_t now;
	unsigned syncs;
	unsigned flush_alls;
	uint64_t max_bytes; /* longer ones have an invalidation of their own */
	unsigned large;     /* so many had */

	struct tracked tracked[MAX_TRACKED]; /* those that wait, and one that is being put */
	unsigned nr;
	bool putting;
	uint64_t puts_before;
};

extern struct fq f;

/* entries and max_age_ns of the queue. */
void fq_init(unsigned entries, uint64_t max_age_ns);
/* The same with max_bytes, and the last iova there is; 0: the fake's own. */
void fq_init_bytes(unsigned entries, uint64_t max_age_ns, uint64_t max_bytes, uint64_t last);
/* Destroys the queue, and checks that all of it came back. */
void fq_fini(void);

/* Take pages of iova, and put them, with so many tables. */
void fq_put(uint64_t pages, unsigned tables);
/* Whether iova is given back. */
bool fq_is_free(uint64_t iova, uint64_t len);
/* What is invalidated is given back, all else is not. */
void fq_check(void);
struct phyr_flushq_stats fq_stats(void);

#endif
