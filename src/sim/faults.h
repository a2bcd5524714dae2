/* SPDX-License-Identifier: MIT */
/* The log of blocked accesses: a ring of the newest, numbered from 0 since the start. */
#ifndef SIM_FAULTS_H
#define SIM_FAULTS_H

#include <phyr/sim.h>
#include <pthread.h>

struct sim_faults {
	pthread_mutex_t lock; /* taken last */
	uint64_t nr;          /* ever; the next one's number */
	struct phyr_fault ring[PHYR_SIM_FAULT_LOG];
};

void phyr_sim_faults_init(struct sim_faults *log);
void phyr_sim_faults_fini(struct sim_faults *log);
void phyr_sim_faults_add(struct sim_faults *log, const struct phyr_fault *fault);
uint64_t phyr_sim_faults_count(struct sim_faults *log);

#endif
