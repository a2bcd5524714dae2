/* SPDX-License-Identifier: MIT */
/* A machine for tests of drivers: ears for reports, steps, waiting, and registers of a quick device. */
#ifndef MY_MACHINE_H
#define MY_MACHINE_H

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
#include <unistd.h>

struct bench {
	struct phyr_opts opts; /* for phyr_open("sim:", …): add sim_ops and sim_priv */
	struct phyr_limits limits;
	bool stepped;
	bool eager; /* what is stepped does all it can as soon as a register is written */
	unsigned condition;
	unsigned lives; /* that are worth living under these conditions */
	uint64_t steps; /* that devices had taken when the driver waited last */
	unsigned idle;  /* waits since the last step of a device */
	bool stepping;  /* a device's function may be running */
	struct phyr_regs *regs, eager_regs;
	int expected;        /* what is made to happen: reports of it are no complaints */
	unsigned complaints; /* all other reports */
};

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

/* Let each device take a step; whether there may be more. Not from within one: in an interrupt. */
static inline bool bench_step(struct bench *b)
{
	bool more;

	if (!b->stepped || b->stepping)
		return false;
	b->stepping = true;
	more = phyr_sim_step(b->opts.sim);
	b->stepping = false;
	return more;
}

/* For the driver to call while it waits. On a stepped machine, waiting for ever is found at once. */
static inline void bench_wait(void *bench)
{
	struct bench *b = bench;
	struct phyr_sim_stats s;

	if (!bench_step(b))
		sched_yield();
	phyr_sim_get_stats(b->opts.sim, &s);
	b->idle = s.steps == b->steps ? b->idle + 1 : 0;
	b->steps = s.steps;
	if (!b->stepped && b->idle > 1000)
		usleep(100); /* a device with a thread has ten seconds */
	if (b->idle > (b->stepped ? 100 : 100000))
		fail_msg("the driver waits for a device that has nothing to do");
}

static inline struct bench *bench_of(struct phyr_regs *eager)
{
	return (struct bench *)((char *)eager - offsetof(struct bench, eager_regs));
}

static inline uint64_t bench_read(struct phyr_regs *eager, uint64_t offset, unsigned width)
{
	struct phyr_regs *regs = bench_of(eager)->regs;

	return phyr_regs_read(regs, offset, width);
}

/* What is not ready when the doorbell rings is found not ready. A device that never ends is left. */
static inline void bench_write(struct phyr_regs *eager, uint64_t offset, uint64_t value,
			       unsigned width)
{
	struct bench *b = bench_of(eager);

	phyr_regs_write(b->regs, offset, value, width);
	for (unsigned n = 0; n < 100 && bench_step(b); n++)
		;
}

/* The registers for the driver, once phyr_open() has made them. */
static inline struct phyr_regs *bench_regs(struct bench *b, struct phyr *p)
{
	b->regs = phyr_get_regs(p);
	b->eager_regs = *b->regs;
	b->eager_regs.read = bench_read, b->eager_regs.write = bench_write;
	return b->stepped && b->eager ? &b->eager_regs : b->regs;
}

#endif
