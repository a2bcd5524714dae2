/* SPDX-License-Identifier: MIT */
/*
 * Table memory as an IOMMU sees it that does not snoop: a copy, which lines are written back to.
 *
 * Memory that was never written back is all ones: a table there is no empty one. What is given back
 * and out again keeps what was last written back to it.
 */
#ifndef SIM_SHADOW_H
#define SIM_SHADOW_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct sim_shadow {
	pthread_mutex_t lock; /* of two who write a line back, the second brings the newer one */
	char *copy;           /* NULL: there is none */
	uint64_t size;
};

/* A copy of @size bytes, a multiple of 4096; nothing costs memory until it is written to. 0 or -ENOMEM */
int phyr_sim_shadow_init(struct sim_shadow *shadow, uint64_t size);
/* One that was zeroed and not initialised is fine, too. */
void phyr_sim_shadow_fini(struct sim_shadow *shadow);

/* Write back the lines of memory[at, at + len). */
void phyr_sim_shadow_flush(struct sim_shadow *shadow, const char *memory, uint64_t at,
			   uint64_t len);

/* The 8 bytes at @at, a multiple of 8, as last written back. */
uint64_t phyr_sim_shadow_read(const struct sim_shadow *shadow, uint64_t at);

#endif
