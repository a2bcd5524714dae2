/* SPDX-License-Identifier: MIT */
/* phyr bench: a case is a piece of work in units; the frame times it beside a limit of the machine. */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <stddef.h>
#include <stdint.h>

#include <phyr/phyr.h>
#include <phyr/sim.h>

#include "clock.h"
#include "rng.h"

/* What the machine can do at best; a case is given as a multiple of one of them. */
enum limit {
	LIMIT_MEMSET, /* 8 bytes of a memset of 2 MiB in cache */
	LIMIT_COPY,   /* 8 bytes of a memcpy of 2 MiB in cache */
	LIMIT_L1,     /* a load that the next one waits for, in L1 */
	LIMIT_ATOMIC, /* an atomic add */
	LIMIT_CLOCK,  /* a read of the clock */
	NR_LIMITS,
	LIMIT_ONE_THREAD =
		NR_LIMITS /* none of the machine: the row's ratio is over one thread's speed */
};

extern const char *const limit_names[NR_LIMITS + 1];

/* Before the first sample. 0 or -ENOMEM. */
int limits_init(void);
void limits_fini(void);
/* One sample of a limit, ns. */
double limit_sample(enum limit limit);

struct bench_case {
	const char *name;
	const char *per; /* a unit: "page", "call" */
	enum limit limit;
	uintptr_t arg;  /* what setup makes of it is its own matter */
	uint64_t units; /* in a round */
	/* NULL: that is said, and the run ends. */
	void *(*setup)(const struct bench_case *c);
	void (*prepare)(void *state); /* before each round, not timed; may be NULL */
	void (*round)(void *state);
	void (*teardown)(void *state);
};

/*
 * From a row's teardown, or a round: tell a figure beside its time, which replaces an earlier one of
 * the same name. name is static, in the form that JSON keys have.
 */
void bench_note(const char *name, double value);
/* From each round of a row whose limit is LIMIT_ONE_THREAD: its own time, ns a unit, and its ratio. */
void bench_sample(double ns, double ratio);

/* The cases of each part, ended by one without a name. */
extern const struct bench_case bench_list[], bench_iova[], bench_pgtbl[], bench_iommu[],
	bench_dma[], bench_desc[];

/* Pages of a GiB, scattered: no two neighbours lie together. */
#define GIB_PAGES ((size_t)262144)
void bench_scatter(phyr_addr_t *pages, size_t nr);
/* Pages in runs as anonymous memory has them: most single, about 7 pages in the mean. */
void bench_mix(phyr_addr_t *pages, size_t nr);

/*
 * A device for rows that map: behind phyr's own tables and an IOMMU whose invalidation costs nothing,
 * so that what is timed is phyr alone, or in front of none.
 */
struct bench_device {
	struct phyr_soft_hw hw;
	struct phyr_iommu *iommu;
	struct phyr_domain *domain;
	struct phyr_dev *dev;
	struct phyr_dma_pool *pool; /* of PRP list pages */
};

/*
 * Have so many threads do work at once, each told its number. Returns the ns from when all are there
 * to when the last is done.
 */
#define BENCH_THREADS 2
uint64_t bench_threads(unsigned nr, void (*work)(void *arg, unsigned thread), void *arg);

int bench_device_start(struct bench_device *d, bool direct);
void bench_device_stop(struct bench_device *d);

/* Keeps the compiler from leaving work out. */
static inline void bench_use(uint64_t v)
{
	__asm__ volatile("" : : "r"(v) : "memory");
}

#endif
