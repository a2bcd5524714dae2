/* SPDX-License-Identifier: MIT */
/* Rows of phyr io on a controller with a plan. */
#define _GNU_SOURCE /* mkostemp() */
#include "tool/rows.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

int __real_phyr_sim_nvme_create(struct phyr_sim *sim, uint32_t source,
				const struct phyr_sim_nvme_config *config,
				struct phyr_sim_dev **out);
int __wrap_phyr_sim_nvme_create(struct phyr_sim *sim, uint32_t source,
				const struct phyr_sim_nvme_config *config,
				struct phyr_sim_dev **out);

static const struct phyr_sim_nvme_fault *plan;
static unsigned plan_nr;
static char target[64];

int __wrap_phyr_sim_nvme_create(struct phyr_sim *sim, uint32_t source,
				const struct phyr_sim_nvme_config *config,
				struct phyr_sim_dev **out)
{
	int err = __real_phyr_sim_nvme_create(sim, source, config, out);

	if (!err)
		err = phyr_sim_nvme_plan(*out, plan, plan_nr);
	return err;
}

int __real_phyr_nvme_open(struct phyr_dev *dev, struct phyr_regs *regs,
			  const struct phyr_nvme_opts *opts, struct phyr_nvme **out);
int __wrap_phyr_nvme_open(struct phyr_dev *dev, struct phyr_regs *regs,
			  const struct phyr_nvme_opts *opts, struct phyr_nvme **out);

struct phyr_nvme_opts rows_nvme_opts;

int __wrap_phyr_nvme_open(struct phyr_dev *dev, struct phyr_regs *regs,
			  const struct phyr_nvme_opts *opts, struct phyr_nvme **out)
{
	rows_nvme_opts = *opts;
	return __real_phyr_nvme_open(dev, regs, opts, out);
}

int rows_make_file(void **state)
{
	int fd;

	strcpy(target, "sim:/tmp/phyr-row-XXXXXX");
	fd = mkostemp(target + 4, O_CLOEXEC);
	if (fd < 0 || ftruncate(fd, 4 << 20))
		return -1;
	return close(fd);
}

int rows_remove_file(void **state)
{
	return unlink(target + 4);
}

int rows_run(const char *options, const struct phyr_sim_nvme_fault *faults, unsigned nr,
	     struct io_row *row)
{
	char *argv[32] = {"io", target, "--destroy-data"}, *save = NULL, words[128];
	struct io_opts opts;
	struct io_run run = {.opts = &opts};
	int argc = 3, status;
	bool help;

	snprintf(words, sizeof(words), "%s", options);
	for (char *word = strtok_r(words, " ", &save); word; word = strtok_r(NULL, " ", &save))
		argv[argc++] = word;
	optind = 0; /* getopt_long() starts afresh */
	assert_int_equal(io_parse(argc, argv, &opts, &help), 0);
	plan = faults;
	plan_nr = nr;
	status = row_run(&run, opts.maps[0], row);
	if (run.verifying)
		verify_fini(&run.verify);
	return status;
}

void rows_check_clean(const struct io_row *row)
{
	assert_int_equal(row->faults, 0);
	assert_int_equal(row->leaked_iova, 0);
	assert_int_equal(row->leaked_tables, 0);
	assert_int_equal(row->leaked_pages, 0);
}
