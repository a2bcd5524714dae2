/* SPDX-License-Identifier: MIT */
/* Threads that begin together, and the time that they take. */
#include "bench/bench.h"

#include <pthread.h>
#include <stdlib.h>

struct team {
	pthread_barrier_t start;
	void (*work)(void *arg, unsigned thread);
	void *arg;
};

struct member {
	struct team *team;
	unsigned nr;
	uint64_t start, end;
};

static void *member_run(void *arg)
{
	struct member *m = arg;

	pthread_barrier_wait(&m->team->start);
	m->start = now_ns();
	m->team->work(m->team->arg, m->nr);
	m->end = now_ns();
	return NULL;
}

uint64_t bench_threads(unsigned nr, void (*work)(void *arg, unsigned thread), void *arg)
{
	struct team team = {.work = work, .arg = arg};
	struct member members[BENCH_THREADS];
	pthread_t threads[BENCH_THREADS];
	uint64_t start = UINT64_MAX, end = 0;

	if (nr > BENCH_THREADS || pthread_barrier_init(&team.start, NULL, nr))
		abort();
	for (unsigned i = 0; i < nr; i++) {
		members[i] = (struct member){.team = &team, .nr = i};
		if (pthread_create(&threads[i], NULL, member_run, &members[i]))
			abort();
	}
	for (unsigned i = 0; i < nr; i++) {
		pthread_join(threads[i], NULL);
		start = members[i].start < start ? members[i].start : start;
		end = members[i].end > end ? members[i].end : end;
	}
	pthread_barrier_destroy(&team.start);
	return end - start;
}
