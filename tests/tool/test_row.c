/* SPDX-License-Identifier: MIT */
/* Rows of phyr io on a controller that misbehaves as planned. */
#define _GNU_SOURCE /* ppoll() */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tool/rows.h"

#define WRITE 1
#define READ  2
#define DSM   9

#define ABORTED  0x07 /* Command Abort Requested: gives -ECANCELED, as a reset does */
#define INTERNAL 0x06

int __real_ppoll(struct pollfd *fds, nfds_t nr, const struct timespec *timeout,
		 const sigset_t *mask);
int __wrap_ppoll(struct pollfd *fds, nfds_t nr, const struct timespec *timeout,
		 const sigset_t *mask);

/* Sleeps that ended because there was something, not for their time. */
static unsigned woken;

int __wrap_ppoll(struct pollfd *fds, nfds_t nr, const struct timespec *timeout,
		 const sigset_t *mask)
{
	int ready = __real_ppoll(fds, nr, timeout, mask);

	__atomic_add_fetch(&woken, ready > 0, __ATOMIC_RELAXED);
	return ready;
}

static struct io_row row;

static void nothing_wrong(void **state)
{
	const char *options = "--rw randrw --verify --bs 512-32k --io-size 8m --threads 2";

	assert_int_equal(rows_run(options, NULL, 0, &row), 0);
	assert_int_equal(row.result.retries, 0);
	assert_int_equal(row.result.bytes, 8 << 20);
	assert_true(row.read_back);
	assert_false(row_failed(&row));
}

/* What was aborted is done again, a write with the data that it had. */
static void aborted_again(void **state)
{
	static const struct phyr_sim_nvme_fault faults[] = {
		{.kind = PHYR_SIM_NVME_STATUS,
		 .queue = PHYR_SIM_NVME_ANY_IO,
		 .opcode = WRITE,
		 .after = 20,
		 .count = 2,
		 .status = ABORTED},
		{.kind = PHYR_SIM_NVME_STATUS,
		 .queue = PHYR_SIM_NVME_ANY_IO,
		 .opcode = READ,
		 .after = 30,
		 .count = 3,
		 .status = ABORTED},
	};
	const char *options = "--rw randrw --verify --bs 512-32k --io-size 8m --threads 2";

	assert_int_equal(rows_run(options, faults, 2, &row), 0);
	assert_int_equal(row.result.retries, 5);
	assert_int_equal(row.result.bytes, 8 << 20);
	assert_true(row.read_back);
	assert_false(row_failed(&row));
}

/* An I/O of several commands is done again whole, and counts once. */
static void split_again(void **state)
{
	static const struct phyr_sim_nvme_fault faults[] = {{.kind = PHYR_SIM_NVME_STATUS,
							     .queue = PHYR_SIM_NVME_ANY_IO,
							     .opcode = WRITE,
							     .count = 4,
							     .status = ABORTED}};
	const char *options = "--rw write --verify --bs 4m --iodepth 1 --map twostep";

	assert_int_equal(rows_run(options, faults, 1, &row), 0);
	assert_int_equal(row.result.retries, 1);
	assert_int_equal(row.result.ios, 1);
	assert_false(row_failed(&row));
}

static void three_times_at_most(void **state)
{
	static const struct phyr_sim_nvme_fault faults[] = {{.kind = PHYR_SIM_NVME_STATUS,
							     .queue = PHYR_SIM_NVME_ANY_IO,
							     .opcode = PHYR_SIM_NVME_ANY,
							     .after = 10,
							     .count = UINT64_MAX,
							     .status = ABORTED}};
	const char *options = "--rw randrw --bs 4k --iodepth 1";
	const char *again = "--rw randread --bs 4k --iodepth 16 --threads 3";

	assert_int_equal(rows_run(options, faults, 1, &row), EXIT_FAILED);
	assert_int_equal(row.result.ios, 10);
	assert_int_equal(row.result.retries, 3);
	rows_check_clean(&row);
	assert_int_equal(rows_run(again, faults, 1, &row), EXIT_FAILED);
	assert_int_equal(row.result.ios, 10);
	rows_check_clean(&row);
}

static void other_errors_are_final(void **state)
{
	static const struct phyr_sim_nvme_fault faults[] = {{.kind = PHYR_SIM_NVME_STATUS,
							     .queue = PHYR_SIM_NVME_ANY_IO,
							     .opcode = PHYR_SIM_NVME_ANY,
							     .after = 100,
							     .status = INTERNAL}};
	const char *options = "--rw randrw --bs 4k --threads 2";

	assert_int_equal(rows_run(options, faults, 1, &row), EXIT_FAILED);
	assert_int_equal(row.result.retries, 0);
	rows_check_clean(&row);
}

/* A controller that says that it wrote, and did not. */
static void lies_are_seen(void **state)
{
	static const struct phyr_sim_nvme_fault faults[] = {{.kind = PHYR_SIM_NVME_STATUS,
							     .queue = PHYR_SIM_NVME_ANY_IO,
							     .opcode = WRITE,
							     .after = 100,
							     .count = 3,
							     .status = 0}};
	const char *options = "--rw write --bs 4k --verify --map registered --threads 2";

	assert_int_equal(rows_run(options, faults, 1, &row), 0);
	assert_int_equal(row.result.found.wrong, 3 * 8);
	assert_int_equal(row.result.found.nr_first, VERIFY_FIRST);
	for (unsigned i = 0; i < VERIFY_FIRST; i++) {
		assert_int_equal(row.result.found.first[i].expected, EXPECT_GENERATION);
		assert_int_equal(row.result.found.first[i].held, HELD_ZEROES);
	}
	assert_true(row_failed(&row));
	rows_check_clean(&row);
}

/* So one that says that it deallocated. */
static void kept_blocks_are_seen(void **state)
{
	static const struct phyr_sim_nvme_fault faults[] = {{.kind = PHYR_SIM_NVME_STATUS,
							     .queue = PHYR_SIM_NVME_ANY_IO,
							     .opcode = DSM,
							     .after = 20,
							     .count = UINT64_MAX,
							     .status = 0}};
	const char *fill = "--rw write --bs 1m --verify";
	const char *options = "--rw write --bs 4k --verify --trim 50";

	assert_int_equal(rows_run(fill, NULL, 0, &row), 0);
	assert_int_equal(rows_run(options, faults, 1, &row), 0);
	assert_true(row.result.trims > 20);
	assert_int_equal(row.result.trim_bytes, row.result.trims * 4096);
	assert_int_equal(row.result.ios + row.result.trims, 1024);
	assert_int_equal(row.result.found.wrong, (row.result.trims - 20) * 8);
	assert_int_equal(row.result.found.first[0].expected, EXPECT_ZEROES);
	assert_int_equal(row.result.found.first[0].held, HELD_GENERATION);
	rows_check_clean(&row);
}

static void aborted_trims_again(void **state)
{
	static const struct phyr_sim_nvme_fault faults[] = {{.kind = PHYR_SIM_NVME_STATUS,
							     .queue = PHYR_SIM_NVME_ANY_IO,
							     .opcode = DSM,
							     .after = 5,
							     .count = 3,
							     .status = ABORTED}};
	const char *options = "--rw randrw --bs 4k-64k --verify --trim 50 --interrupt --threads 2";

	assert_int_equal(rows_run(options, faults, 1, &row), 0);
	assert_int_equal(row.result.retries, 3);
	assert_true(row.read_back);
	assert_false(row_failed(&row));
}

/* With a device that takes its time it waits in ppoll(2), and is woken there. */
static void interrupts_wake(void **state)
{
	static const struct phyr_sim_nvme_fault faults[] = {{.kind = PHYR_SIM_NVME_DELAY,
							     .queue = PHYR_SIM_NVME_ANY_IO,
							     .opcode = PHYR_SIM_NVME_ANY,
							     .count = 10,
							     .steps = 100000}};
	const char *options = "--rw randrw --bs 4k --verify --interrupt --iodepth 1 --io-size 1m";

	woken = 0;
	assert_int_equal(rows_run(options, faults, 1, &row), 0);
	assert_true(woken > 0);
	assert_false(row_failed(&row));
}

static void late_and_out_of_order(void **state)
{
	static const struct phyr_sim_nvme_fault faults[] = {
		{.kind = PHYR_SIM_NVME_REORDER,
		 .queue = PHYR_SIM_NVME_ANY_IO,
		 .opcode = PHYR_SIM_NVME_ANY,
		 .after = 5,
		 .count = 200},
		{.kind = PHYR_SIM_NVME_DELAY,
		 .queue = PHYR_SIM_NVME_ANY_IO,
		 .opcode = PHYR_SIM_NVME_ANY,
		 .count = UINT64_MAX,
		 .steps = 7},
	};
	const char *options = "--rw randrw --verify --bs 512-32k --io-size 4m --threads 2";

	assert_int_equal(rows_run(options, faults, 2, &row), 0);
	assert_int_equal(row.result.retries, 0);
	assert_false(row_failed(&row));
}

/* The controller fails now and again: what each reset took of all threads is done again. */
static void resets_are_survived(void **state)
{
	static const struct phyr_sim_nvme_fault faults[] = {
		{.kind = PHYR_SIM_NVME_FATAL,
		 .queue = PHYR_SIM_NVME_ANY_IO,
		 .opcode = WRITE,
		 .after = 100},
		{.kind = PHYR_SIM_NVME_FATAL,
		 .queue = PHYR_SIM_NVME_ANY_IO,
		 .opcode = READ,
		 .after = 600},
	};
	static const char *const options[] = {
		"--rw randrw --verify --bs 512-32k --io-size 16m --threads 2",
		"--rw randrw --verify --bs 512-2m --iodepth 4 --io-size 400m --map perpage",
		"--rw randrw --verify --bs 512-32k --io-size 16m --threads 3 --interrupt --trim 20",
	};

	for (unsigned i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		assert_int_equal(rows_run(options[i], faults, 2, &row), 0);
		assert_true(row.result.retries > 0);
		assert_true(row.read_back);
		assert_false(row_failed(&row));
	}
}

/* Commands that never end are waited for as long as the user said, and done again. */
static void lost_commands_are_done_again(void **state)
{
	static const struct phyr_sim_nvme_fault faults[] = {{.kind = PHYR_SIM_NVME_DROP,
							     .queue = PHYR_SIM_NVME_ANY_IO,
							     .opcode = WRITE,
							     .after = 20,
							     .count = 2}};
	const char *options = "--rw randrw --verify --bs 4k --io-size 2m --timeout 0.05";
	const char *asleep = "--rw randrw --verify --bs 4k --io-size 2m --timeout 0.05 --interrupt";

	assert_int_equal(rows_run(options, faults, 1, &row), 0);
	assert_int_equal(rows_nvme_opts.timeout_ns, 50000000);
	assert_true(row.result.retries >= 2);
	assert_true(row.read_back);
	assert_false(row_failed(&row));
	assert_int_equal(rows_run(asleep, faults, 1, &row), 0);
	assert_true(row.result.retries >= 2);
	assert_false(row_failed(&row));
}

static void pulled_out(void **state)
{
	static const struct phyr_sim_nvme_fault faults[] = {{.kind = PHYR_SIM_NVME_GONE,
							     .queue = PHYR_SIM_NVME_ANY_IO,
							     .opcode = PHYR_SIM_NVME_ANY,
							     .after = 300}};
	static const char *const options[] = {
		"--rw randrw --verify --bs 4k-32k --io-size 32m --threads 2",
		"--rw randrw --bs 4k-32k --io-size 32m --interrupt --threads 3 --map registered",
		"--rw read --bs 4k --iodepth 64 --iommu none",
	};

	for (unsigned i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		assert_int_equal(rows_run(options[i], faults, 1, &row), EXIT_FAILED);
		rows_check_clean(&row);
	}
}

#define row_test(function) \
	cmocka_unit_test_setup_teardown(function, rows_make_file, rows_remove_file)

int main(void)
{
	const struct CMUnitTest tests[] = {
		row_test(nothing_wrong),
		row_test(aborted_again),
		row_test(split_again),
		row_test(three_times_at_most),
		row_test(other_errors_are_final),
		row_test(lies_are_seen),
		row_test(kept_blocks_are_seen),
		row_test(aborted_trims_again),
		row_test(interrupts_wake),
		row_test(late_and_out_of_order),
		row_test(resets_are_survived),
		row_test(lost_commands_are_done_again),
		row_test(pulled_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
