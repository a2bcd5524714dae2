/* SPDX-License-Identifier: MIT */
/* phyr io TARGET: a row for each mapping mode. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/io.h"

/* Make the target's file, of zeroes; it must not be there. */
static int create_file(const struct io_opts *opts)
{
	int fd = open(opts->file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	int err = 0;

	if (fd < 0 && errno == EEXIST)
		return cli_error(EXIT_FAILED, COMMAND,
				 "--create: %s is there already; leave --create out, or remove it",
				 opts->file);
	if (fd < 0 || ftruncate(fd, (off_t)opts->create))
		err = cli_error(EXIT_FAILED, COMMAND, "--create: %s: %s", opts->file,
				strerror(errno));
	if (fd >= 0)
		close(fd);
	if (err && fd >= 0)
		unlink(opts->file);
	return err;
}

/* What a pair of clock reads costs: the least of many, which nothing disturbed. */
static uint64_t clock_cost(void)
{
	uint64_t least = UINT64_MAX;

	for (unsigned i = 0; i < 1000; i++) {
		uint64_t a = now_ns(), b = now_ns();

		if (b - a < least)
			least = b - a;
	}
	return least;
}

/* Different modes must read the same, where they have read all. */
static bool checksums_differ(const struct io_row *rows, unsigned nr)
{
	for (unsigned i = 1; i < nr; i++)
		if (rows[i].sha256[0] && strcmp(rows[i].sha256, rows[0].sha256))
			return true;
	return false;
}

/* What the rows found, as an exit status. */
static int judge(const struct io_row *rows, unsigned nr)
{
	uint64_t unstamped = 0;
	bool wrong = false;

	for (unsigned i = 0; i < nr; i++) {
		wrong |= row_failed(&rows[i]);
		unstamped += rows[i].result.found.unstamped;
	}
	if (checksums_differ(rows, nr))
		return cli_error(EXIT_FAILED, COMMAND, "the modes read different data");
	if (unstamped)
		return cli_error(EXIT_FAILED, COMMAND,
				 "%" PRIu64
				 " blocks carry no stamp: was all of it written with --verify?",
				 unstamped);
	if (wrong)
		return cli_error(EXIT_FAILED, COMMAND,
				 "wrong blocks, faults or leaks: see the rows");
	return 0;
}

static int run_rows(struct io_run *run, struct io_row *rows)
{
	const struct io_opts *opts = run->opts;
	int status = 0;
	unsigned nr = 0;

	while (!status && nr < opts->nr_maps && !stop_asked()) {
		status = row_run(run, opts->maps[nr], &rows[nr]);
		nr++;
	}
	if (status)
		return status;
	if (opts->json)
		json_rows(run, rows, nr);
	else
		print_rows(run, rows, nr);
	return judge(rows, nr);
}

int cmd_io(int argc, char **argv)
{
	struct io_opts opts;
	struct io_run run = {.opts = &opts, .clock_ns = clock_cost()};
	static struct io_row rows[NR_MAPS]; /* they hold histograms: large for a stack */
	bool help;
	int status = io_parse(argc, argv, &opts, &help);

	if (status || help)
		return status;
	stop_listen();
	if (opts.create)
		status = create_file(&opts);
	if (!status)
		status = run_rows(&run, rows);
	if (opts.create && status == EXIT_USAGE)
		unlink(opts.file); /* nothing was done to it yet, and the next try makes it again */
	if (run.verifying)
		verify_fini(&run.verify);
	return status;
}
