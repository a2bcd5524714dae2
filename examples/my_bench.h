/* SPDX-License-Identifier: MIT */
/* What the tests of any driver share: a machine, ears for reports, a look at what is left, failures. */
#ifndef MY_BENCH_H
#define MY_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> /* wants the four above */
#include <errno.h>
#include <phyr/phyr.h>
#include <phyr/sim.h>
#include <sched.h>
#include <string.h>

struct bench {
	struct phyr_opts opts; /* for phyr_open("sim:", …): add sim_ops and sim_priv */
	struct phyr_limits limits;
	bool stepped;
	uint64_t steps;      /* that devices had taken when the driver waited last */
	unsigned idle;       /* waits since the last step of a device */
	int expected;        /* what is made to happen: reports of it are no complaints */
	unsigned complaints; /* all other reports */
};

typedef int bench_life(struct bench *b); /* a driver from open to close: 0, or the first error */

static inline void bench_report(void *bench, const struct phyr_report *report)
{
	struct bench *b = bench;
	char line[256];

	if (report->err == b->expected)
		return;
	phyr_report_format(report, line, sizeof(line));
	print_message("phyr: %s\n", line);
	b->complaints++;
}

/* Give it back with phyr_sim_destroy(b->opts.sim). */
static inline void bench_init(struct bench *b, bool stepped)
{
	struct phyr_sim_config config = {.size = sizeof(config), .stepped = stepped};

	*b = (struct bench){.stepped = stepped, .limits = {.size = sizeof(b->limits)}};
	b->opts = (struct phyr_opts){.size = sizeof(b->opts), .limits = &b->limits};
	b->opts.report = bench_report, b->opts.report_arg = b;
	assert_int_equal(phyr_sim_create(&config, &b->opts.sim), 0);
}

/* For the driver to call while it waits. On a stepped machine, waiting for ever is found at once. */
static inline void bench_wait(void *bench)
{
	struct bench *b = bench;
	struct phyr_sim_stats s;

	if (!phyr_sim_step(b->opts.sim))
		sched_yield();
	phyr_sim_get_stats(b->opts.sim, &s);
	b->idle = s.steps == b->steps ? b->idle + 1 : 0;
	b->steps = s.steps;
	if (b->stepped && b->idle > 100)
		fail_msg("the driver waits for a device that has nothing to do");
}

static inline void bench_none(uint64_t nr, const char *what)
{
	if (nr)
		fail_msg("%s: %lu", what, (unsigned long)nr);
}

static inline void bench_error(int is, int wanted)
{
	if (is != wanted)
		fail_msg("the driver says: %s; it should: %s", strerror(-is), strerror(-wanted));
}

/* Live once: then nothing was blocked, nobody complained, nothing is left. */
static inline int bench_run(struct bench *b, bench_life *life)
{
	int err = life(b);
	struct phyr_sim_stats s;

	phyr_sim_get_stats(b->opts.sim, &s);
	bench_none(b->complaints, "phyr complained, see above");
	bench_none(s.faults, "accesses of the device were blocked");
	bench_none(s.pinned_pages, "pages still pinned; was a list not released?");
	bench_none(s.table_pages, "pages not given back; coherent memory, a list?");
	bench_none(s.objects + s.locks, "objects not given back; a pool, a domain?");
	return err;
}

/* Each allocation fails once: the driver's life then ends early, with -ENOMEM, and leaves nothing. */
static inline void bench_fail_allocations(struct bench *b, bench_life *life)
{
	bool failed = true;

	b->expected = -ENOMEM;
	for (uint64_t n = 1; failed; n++) {
		phyr_sim_fail_alloc(b->opts.sim, n);
		int err = bench_run(b, life);
		failed = phyr_sim_alloc_failed(b->opts.sim);
		phyr_sim_fail_alloc(b->opts.sim, 0);
		bench_error(err, failed ? -ENOMEM : 0);
	}
}

/* The device has few address bits, then more: mapping fails here, then there, and at last nowhere. */
static inline void bench_few_addresses(struct bench *b, bench_life *life)
{
	b->expected = -ENOSPC;
	for (uint64_t m = 0x1fff; b->limits.dma_mask = m, bench_run(b, life); m = 2 * m + 1)
		assert_true(m < UINT64_MAX); /* else it fails without a limit, too */
}

#endif
