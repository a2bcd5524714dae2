/* SPDX-License-Identifier: MIT */
/*
 * The linear stretch: page memory for tables, rings and coherent memory, and the environment that
 * gives it out, with the book of what it has given out.
 *
 * One mapping that costs nothing until it is touched, given out by a buddy allocator whose books
 * lie outside it. A page that was never used is zero already; one that was is cleared when it is
 * given out again, or by the kernel when it is taken back with 2 MiB of free neighbours.
 */
#ifndef SIM_TABLES_H
#define SIM_TABLES_H

#include <phyr/sim.h>
#include <pthread.h>

#include "sim/shadow.h"

#define SIM_TABLES_ORDERS 19 /* 4 KiB to 1 GiB */

struct sim_page;

/* What the environment has given out, and the one allocation that fails. Each without a lock. */
struct sim_book {
	uint64_t allocs;  /* asked for, ever: numbers them */
	uint64_t fail_at; /* the number of the one that fails; 0: none */
	bool failed;      /* it did */
	uint64_t objects;
	uint64_t object_bytes;
	uint64_t locks;
};

struct sim_tables {
	struct phyr_env env;
	struct sim_book book;
	pthread_mutex_t lock; /* taken last */
	uint64_t start;       /* physical address of the stretch */
	char *cpu;            /* the stretch, aligned to 1 GiB or its own size */
	uint64_t nr_pages;
	uint64_t used_pages;
	struct sim_page *pages;            /* one a page */
	uint16_t *dirty;                   /* pages of each 2 MiB that may not be zero */
	uint32_t heads[SIM_TABLES_ORDERS]; /* free blocks by order: first page + 1; 0: none */
	void *map;                         /* what was mapped, to give it back */
	size_t map_len;
	struct sim_shadow shadow; /* what an IOMMU that does not snoop sees of it */
};

/* @shadowed: with a shadow, and flush_lines that writes to it. 0 or -ENOMEM. */
int phyr_sim_tables_init(struct sim_tables *tables, uint64_t start, uint64_t size, bool shadowed);
void phyr_sim_tables_fini(struct sim_tables *tables);

/* As phyr_sim_memory_to_cpu(); NULL where nothing is given out. */
void *phyr_sim_tables_to_cpu(const struct sim_tables *tables, phyr_addr_t addr, uint64_t *len);

/*
 * Load 8 bytes at an address, a multiple of 8, as the IOMMU sees them; false: nothing is given out
 * there.
 */
bool phyr_sim_tables_read(const struct sim_tables *tables, phyr_addr_t addr, uint64_t *value);

/* Count one allocation; true: this is the one that fails. */
bool phyr_sim_tables_fails(struct sim_tables *tables);

void phyr_sim_tables_stats(struct sim_tables *tables, struct phyr_sim_stats *stats);

#endif
