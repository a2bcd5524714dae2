/* SPDX-License-Identifier: MIT */
/*
 * Rows of phyr io, run from within a test, on a controller that misbehaves as planned. The controller
 * is got hold of where phyr_open() makes it, and the driver where it opens it: link with
 * --wrap=phyr_sim_nvme_create and --wrap=phyr_nvme_open.
 */
#ifndef TESTS_TOOL_ROWS_H
#define TESTS_TOOL_ROWS_H

#include "io/io.h"

/* Set-up and tear-down of a test: a target of 4 MiB of zeroes. */
int rows_make_file(void **state);
int rows_remove_file(void **state);

/* Run one row with these options, words, under the plan. @return its exit status */
int rows_run(const char *options, const struct phyr_sim_nvme_fault *faults, unsigned nr,
	     struct io_row *row);

/* What the last row's driver was opened with. */
extern struct phyr_nvme_opts rows_nvme_opts;

/* Nothing was left over, and nothing blocked. */
void rows_check_clean(const struct io_row *row);

#endif
