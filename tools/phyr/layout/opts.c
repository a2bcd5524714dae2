/* SPDX-License-Identifier: MIT */
/* phyr layout: what the user asks for, and what of it makes no sense. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "layout/layout.h"

#define DEFAULT_SIZE ((uint64_t)64 << 20)

const char *const layout_backing_names[] = {"anon", "thp", "hugetlb", "memfd", "file:PATH", NULL};

static const char usage[] =
	"usage: phyr layout [--size SIZE] [--backing WHAT] [options]\n"
	"       phyr layout --pid PID [--range START-END] [options]\n"
	"\n"
	"Shows where memory lies physically, in which runs, and what it costs to describe it.\n"
	"Real memory is shown to root; to others the simulated machine's. Sizes take k, m, g, t.\n"
	"\n"
	"  --size SIZE          memory to take and pin (64m; of a file, all of it)\n"
	"  --backing WHAT       anon, thp, hugetlb, memfd, or file:PATH (anon)\n"
	"  --pid PID            look at a process's memory instead\n"
	"  --range START-END    only these addresses of it, hexadecimal as in /proc/PID/maps\n"
	"  --seed N             of the simulated machine's scattering (1)\n"
	"  --json               as JSON\n"
	"\n"
	"Exit status: 0; 1 failed; 2 wrong usage.\n";

enum { OPT_SIZE = 1, OPT_BACKING, OPT_PID, OPT_RANGE, OPT_SEED, OPT_JSON, OPT_HELP };

static const struct option long_options[] = {
	{"size", required_argument, NULL, OPT_SIZE},
	{"backing", required_argument, NULL, OPT_BACKING},
	{"pid", required_argument, NULL, OPT_PID},
	{"range", required_argument, NULL, OPT_RANGE},
	{"seed", required_argument, NULL, OPT_SEED},
	{"json", no_argument, NULL, OPT_JSON},
	{"help", no_argument, NULL, OPT_HELP},
	{NULL, 0, NULL, 0},
};

/* What was said, beside what it means: which options go together. */
struct said {
	bool size, backing, range;
};

static int parse_size(const char *text, struct layout_opts *opts)
{
	if (cli_take_size(COMMAND, "size", text, &opts->size))
		return EXIT_USAGE;
	if (!opts->size || opts->size % PHYR_PAGE_SIZE)
		return cli_error(EXIT_USAGE, COMMAND, "--size %s: whole pages of 4k, at least one",
				 text);
	return 0;
}

static int parse_backing(const char *text, struct layout_opts *opts)
{
	static const char *const plain[] = {"anon", "thp", "hugetlb", "memfd", NULL};
	char all[64];
	int i = cli_parse_choice(text, plain);

	if (!strncmp(text, "file:", 5) && text[5]) {
		opts->file = text + 5;
		i = BACKING_FILE;
	}
	if (i < 0)
		return cli_error(EXIT_USAGE, COMMAND, "--backing %s: one of %s", text,
				 cli_join(layout_backing_names, all, sizeof(all)));
	opts->backing = (enum backing)i;
	return 0;
}

static int parse_pid(const char *text, struct layout_opts *opts)
{
	uint64_t v;

	if (cli_parse_number(text, &v) || !v || v > INT_MAX)
		return cli_error(EXIT_USAGE, COMMAND, "--pid %s: not a process's number", text);
	opts->pid = (pid_t)v;
	return 0;
}

/* A hexadecimal address, and nothing before it; *text goes past it. */
static bool take_address(const char **text, uint64_t *out)
{
	char *end;

	if (!isxdigit((unsigned char)**text))
		return false;
	errno = 0;
	*out = strtoull(*text, &end, 16);
	*text = end;
	return !errno;
}

static int parse_range(const char *text, struct layout_opts *opts)
{
	const char *at = text;

	if (!take_address(&at, &opts->start) || *at++ != '-' || !take_address(&at, &opts->end) ||
	    *at)
		return cli_error(EXIT_USAGE, COMMAND,
				 "--range %s: two hexadecimal addresses with a dash, as in "
				 "/proc/PID/maps",
				 text);
	if (opts->start >= opts->end || (opts->start | opts->end) % PHYR_PAGE_SIZE)
		return cli_error(EXIT_USAGE, COMMAND,
				 "--range %s: whole pages of 4k, the lower address first", text);
	return 0;
}

static int take_option(int option, const char *arg, struct layout_opts *opts, struct said *said)
{
	switch (option) {
	case OPT_SIZE:
		said->size = true;
		return parse_size(arg, opts);
	case OPT_BACKING:
		said->backing = true;
		return parse_backing(arg, opts);
	case OPT_PID:
		return parse_pid(arg, opts);
	case OPT_RANGE:
		said->range = true;
		return parse_range(arg, opts);
	case OPT_SEED:
		return cli_take_number(COMMAND, "seed", arg, 0, UINT64_MAX, &opts->seed);
	default:
		opts->json = true;
		return 0;
	}
}

static int check(int argc, char **argv, struct layout_opts *opts, const struct said *said)
{
	if (optind < argc)
		return cli_error(EXIT_USAGE, COMMAND, "'%s': takes options only", argv[optind]);
	if (opts->pid && (said->size || said->backing))
		return cli_error(EXIT_USAGE, COMMAND,
				 "--pid looks at memory that is there; leave --size and --backing "
				 "out");
	if (said->range && !opts->pid)
		return cli_error(EXIT_USAGE, COMMAND, "--range needs --pid");
	if (!said->size && opts->backing != BACKING_FILE)
		opts->size = DEFAULT_SIZE;
	if (!said->range)
		opts->end = UINT64_MAX;
	return 0;
}

int layout_parse(int argc, char **argv, struct layout_opts *opts, bool *help)
{
	struct said said = {false, false, false};
	int option, status = 0;

	*opts = (struct layout_opts){.seed = 1};
	*help = false;
	opterr = 0;
	while (!status && (option = getopt_long(argc, argv, ":h", long_options, NULL)) != -1) {
		if (option == OPT_HELP || option == 'h') {
			*help = true;
			fputs(usage, stdout);
			return 0;
		}
		status = option == ':' || option == '?' ? cli_bad_option(COMMAND, option, argv)
							: take_option(option, optarg, opts, &said);
	}
	return status ? status : check(argc, argv, opts, &said);
}
