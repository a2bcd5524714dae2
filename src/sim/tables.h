/* SPDX-License-Identifier: MIT */
/*
 * The linear stretch: page memory for tables, rings and coherent memory, and the environment that
 * gives it out.
 *
 * One mapping that costs nothing until it is touched, given out by a buddy allocator whose books
 * lie outside it. A page that was never used is zero already; one that was is cleared when it is
 * given out again, or by the kernel when it is taken back with 2 MiB of free neighbours.
 */
#ifndef SIM_TABLES_H
#define SIM_TABLES_H

#include <phyr/sim.h>
#include <pthread.h>

#define SIM_TABLES_ORDERS 19 /* 4 KiB to 1 GiB */

struct sim_page;

struct sim_tables {
	struct phyr_env env;
	pthread_mutex_t lock; /* taken last */
	char *cpu;            /* the stretch, aligned to 1 GiB or its own size */
	uint64_t nr_pages;
	uint64_t used_pages;
	struct sim_page *pages;            /* one a page */
	uint16_t *dirty;                   /* pages of each 2 MiB that may not be zero */
	uint32_t heads[SIM_TABLES_ORDERS]; /* free blocks by order: first page + 1; 0: none */
	void *map;                         /* what was mapped, to give it back */
	size_t map_len;
};

int phyr_sim_tables_init(struct sim_tables *tables, uint64_t size);
void phyr_sim_tables_fini(struct sim_tables *tables);

/* As phyr_sim_memory_to_cpu(); NULL where nothing is given out. */
void *phyr_sim_tables_to_cpu(const struct sim_tables *tables, phyr_addr_t addr, uint64_t *len);

uint64_t phyr_sim_tables_used(struct sim_tables *tables);

#endif
