/* SPDX-License-Identifier: MIT */
/* How far a row is: one line on a terminal, renewed a few times a second. */
#define _GNU_SOURCE /* pthread_timedjoin_np() */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "io/io.h"

#define EVERY_NS UINT64_C(200000000)

struct totals {
	uint64_t ios, bytes;
	uint64_t wanted; /* bytes; UINT64_MAX: no limit */
};

bool progress_wanted(const struct io_opts *opts)
{
	return !opts->json && isatty(STDERR_FILENO);
}

static struct totals totals_of(const struct team *team)
{
	struct totals t = {0};

	for (unsigned i = 0; i < team->nr; i++) {
		const struct engine *e = &team->engines[i];

		t.ios += __atomic_load_n(&e->ended_ios, __ATOMIC_RELAXED);
		t.bytes += __atomic_load_n(&e->ended_bytes, __ATOMIC_RELAXED);
		if (e->io_size == UINT64_MAX || t.wanted == UINT64_MAX)
			t.wanted = UINT64_MAX;
		else
			t.wanted += e->io_size;
	}
	return t;
}

/* The share of the run that is done, 0 to 1: of its bytes or of its time, whichever is further. */
static double share_done(const struct team *team, const struct totals *t, uint64_t now)
{
	double share = 0, of_time;

	if (t->wanted != UINT64_MAX && t->wanted)
		share = (double)t->bytes / (double)t->wanted;
	if (team->deadline_ns) {
		of_time = (double)(now - team->start_ns) /
			  (double)(team->deadline_ns - team->start_ns);
		share = of_time > share ? of_time : share;
	}
	return share < 1 ? share : 1;
}

static void print_left(double seconds)
{
	uint64_t s = (uint64_t)(seconds + 0.5);

	if (s >= 3600)
		fprintf(stderr, "  %" PRIu64 ":%02" PRIu64 ":%02" PRIu64 " left", s / 3600,
			s / 60 % 60, s % 60);
	else
		fprintf(stderr, "  %" PRIu64 ":%02" PRIu64 " left", s / 60, s % 60);
}

static void show(struct progress *p)
{
	const struct team *team = p->team;
	struct totals t = totals_of(team);
	uint64_t now = now_ns();
	double share = share_done(team, &t, now), seconds = (double)(now - p->last_ns) / 1e9;

	fprintf(stderr, "\r%-10s %3.0f %%  %.0f MiB/s  %.0f IOPS", p->what, 100 * share,
		(double)(t.bytes - p->last_bytes) / 1048576 / seconds,
		(double)(t.ios - p->last_ios) / seconds);
	if (stop_asked())
		fprintf(stderr, "  stopping; Ctrl-C ends at once");
	else if (share > 0)
		print_left((double)(now - team->start_ns) / 1e9 * (1 / share - 1));
	fprintf(stderr, "\033[K");
	p->last_ns = now;
	p->last_ios = t.ios;
	p->last_bytes = t.bytes;
}

void progress_join(struct progress *progress, pthread_t thread)
{
	struct timespec until;

	for (;;) {
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += (long)EVERY_NS;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
		if (pthread_timedjoin_np(thread, NULL, &until) != ETIMEDOUT)
			return;
		show(progress);
	}
}

void progress_end(void)
{
	fprintf(stderr, "\r\033[K");
}
