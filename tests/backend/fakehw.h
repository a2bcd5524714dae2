/* SPDX-License-Identifier: MIT */
/*
 * Hardware for the soft backend that walks nothing: it says what a test wants and keeps what it is
 * told.
 */
#ifndef TESTS_BACKEND_FAKEHW_H
#define TESTS_BACKEND_FAKEHW_H

#include <phyr/backend.h>

#define FAKEHW_DEVICES 8  /* source ids 0 to 7 exist */
#define FAKEHW_DOMAINS 16 /* domains it has numbers for */

struct fakehw_device {
	bool set;
	struct phyr_soft_table table;
	phyr_fault_fn *fault;
	void *arg;
};

struct fakehw {
	struct phyr_soft_hw hw;
	struct phyr_soft_info info;
	int set_err; /* what set_table returns when it is not 0 */
	struct fakehw_device devices[FAKEHW_DEVICES];
	bool domains[FAKEHW_DOMAINS + 1]; /* numbers in use, from 1 */
	unsigned invalidations;
	uint32_t domain; /* the last invalidation */
	uint64_t start;
	uint64_t last;
	struct phyr_domain *watch; /* its tables when the last invalidation came */
	uint64_t tables_seen;
};

/* Both formats, 4 levels, 46 bits, all addresses but 1 MiB of message interrupts. */
void fakehw_init(struct fakehw *fake);

#endif
