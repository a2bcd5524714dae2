/* SPDX-License-Identifier: MIT */
/*
 * A page walker of the tests' own, written from the manuals: it shares nothing with src/pgtbl. It
 * checks reserved bits as it goes, and aborts when one is set.
 */
#ifndef TESTS_PGTBL_WALKER_H
#define TESTS_PGTBL_WALKER_H

#include <phyr/pgtbl.h>

struct walker {
	enum phyr_pgtbl_format format;
	unsigned levels;
	unsigned width; /* physical address width of the machine, bits */
	uint64_t root;  /* physical */
	/* The CPU's view of a physical page of a table. */
	const uint64_t *(*to_cpu)(void *arg, uint64_t phys);
	void *arg;
};

struct leaf {
	uint64_t iova;
	uint64_t addr;
	uint64_t size;
	uint64_t entry; /* as it is in memory */
	uint64_t prot;  /* 64 bits, so that leaves compare as bytes */
};

/* A walker over a table whose memory comes from env. */
void walker_init(struct walker *w, struct phyr_env *env, enum phyr_pgtbl_format format,
		 const struct phyr_pgtbl *pt);

/* Look one iova up; false: not mapped. */
bool walker_find(const struct walker *w, uint64_t iova, struct leaf *leaf);

/* Call back for each table, top first, and each leaf, in order of iova. Either may be NULL. */
void walker_all(const struct walker *w, void (*table)(void *arg, uint64_t phys, unsigned level),
		void (*leaf)(void *arg, const struct leaf *leaf), void *arg);

/* All leaves; free() the array. */
struct leaf *walker_dump(const struct walker *w, size_t *nr);

/* Tables that can be reached, the top one included. */
uint64_t walker_tables(const struct walker *w);

#endif
