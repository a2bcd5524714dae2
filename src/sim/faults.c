/* SPDX-License-Identifier: MIT */
/* The log of blocked accesses. */
#include "sim/faults.h"

#include "core/bits.h"
#include "sim/machine.h"

void phyr_sim_faults_init(struct sim_faults *log)
{
	pthread_mutex_init(&log->lock, NULL);
}

void phyr_sim_faults_fini(struct sim_faults *log)
{
	pthread_mutex_destroy(&log->lock);
}

void phyr_sim_faults_add(struct sim_faults *log, const struct phyr_fault *fault)
{
	pthread_mutex_lock(&log->lock);
	log->ring[log->nr++ % PHYR_SIM_FAULT_LOG] = *fault;
	pthread_mutex_unlock(&log->lock);
}

uint64_t phyr_sim_faults_count(struct sim_faults *log)
{
	uint64_t nr;

	pthread_mutex_lock(&log->lock);
	nr = log->nr;
	pthread_mutex_unlock(&log->lock);
	return nr;
}

uint64_t phyr_sim_read_faults(struct phyr_sim *sim, uint64_t from, struct phyr_fault *faults,
			      size_t max, size_t *nr)
{
	struct sim_faults *log = &sim->faults;
	size_t n = 0;

	pthread_mutex_lock(&log->lock);
	if (log->nr > PHYR_SIM_FAULT_LOG)
		from = max_u64(from, log->nr - PHYR_SIM_FAULT_LOG);
	while (n < max && from < log->nr)
		faults[n++] = log->ring[from++ % PHYR_SIM_FAULT_LOG];
	pthread_mutex_unlock(&log->lock);
	*nr = n;
	return from;
}
