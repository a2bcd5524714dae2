/* SPDX-License-Identifier: MIT */
/* What the tests of any driver share: its lives, a look at what they leave, and failures to live with. */
#ifndef MY_BENCH_H
#define MY_BENCH_H

#include "my_machine.h"

typedef int bench_life(struct bench *b); /* a driver from open to close: 0, or the first error */

/*
 * Conditions to live under, even ones with an IOMMU and odd ones without: 0 and 1 in steps, 2 and 3
 * with an eager device, all in pieces of a page; 4 and 5 with a thread, often.
 */
static inline void bench_init(struct bench *b, unsigned condition)
{
	struct phyr_sim_config config = {.size = sizeof(config), .stepped = condition < 4};

	*b = (struct bench){.stepped = config.stepped, .condition = condition};
	b->lives = b->stepped ? 1 : 20;
	b->eager = condition / 2 == 1;
	b->limits = (struct phyr_limits){.size = sizeof(b->limits)};
	b->limits.max_seg_size = b->stepped ? 4096 : 0;
	b->opts = (struct phyr_opts){.size = sizeof(b->opts), .limits = &b->limits};
	b->opts.iommu = condition % 2 ? PHYR_IOMMU_NONE : PHYR_IOMMU_SOFT;
	b->opts.report = bench_report, b->opts.report_arg = b;
	assert_int_equal(phyr_sim_create(&config, &b->opts.sim), 0);
}
#define BENCH_CONDITIONS 6

/* For cmocka: the state is a bench, or begins with one. */
static inline int bench_tear_down(void **state)
{
	struct bench *b = *state;

	phyr_sim_destroy(b->opts.sim);
	return 0;
}

/* A test, before and after which set_up() and that run. */
#define bench_test(test) cmocka_unit_test_setup_teardown(test, set_up, bench_tear_down)

static inline void bench_none(uint64_t nr, const char *what)
{
	if (nr)
		fail_msg("%s: %lu", what, (unsigned long)nr);
}

/* What a life went wrong under, for whoever reads its failure. */
static inline void bench_tell(const struct bench *b)
{
	print_message("in condition %u, address mask 0x%lx, %d expected\n", b->condition,
		      (unsigned long)b->limits.dma_mask, b->expected);
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
	if (b->complaints || s.faults || s.pinned_pages || s.table_pages || s.objects + s.locks)
		bench_tell(b);
	bench_none(b->complaints, "phyr complained, see above");
	bench_none(s.faults, "accesses of the device were blocked");
	bench_none(s.pinned_pages, "pages still pinned; was a list not released?");
	bench_none(s.table_pages, "pages not given back; coherent memory, a list?");
	bench_none(s.objects + s.locks, "objects not given back; a pool, a domain?");
	return err;
}

/* Live well under all conditions. */
static inline void bench_conditions(struct bench *b, bench_life *life)
{
	for (unsigned i = 0; i < BENCH_CONDITIONS; i++) {
		phyr_sim_destroy(b->opts.sim);
		bench_init(b, i);
		for (unsigned n = b->lives; n; n--) {
			int err = bench_run(b, life);
			if (err)
				bench_tell(b);
			bench_error(err, 0);
		}
	}
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
