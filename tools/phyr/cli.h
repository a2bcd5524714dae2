/* SPDX-License-Identifier: MIT */
/* What the subcommands share in talking to their user: errors, sizes, choices, numbers. */
#ifndef CLI_H
#define CLI_H

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <phyr/phyr.h>

/* One line on stderr, "phyr io: …"; returns status. */
int cli_error(int status, const char *command, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Says what is wrong when getopt_long(), told ":…", gave ':' or '?'. Returns EXIT_USAGE. */
int cli_bad_option(const char *command, int option, char **argv);

/* A size: digits and one of b k m g t (powers of 1024, upper or lower case). 0 or -EINVAL. */
int cli_parse_size(const char *text, uint64_t *out);
/* A size, or two of them with a dash; the first may be the larger. */
int cli_parse_size_range(const char *text, uint64_t *low, uint64_t *high);
/* A whole number, decimal or 0x…. */
int cli_parse_number(const char *text, uint64_t *out);
/* Seconds, with a fraction if there is one, as nanoseconds; up to CLI_SECONDS_MAX. 0 or -EINVAL. */
int cli_parse_seconds(const char *text, uint64_t *ns);
#define CLI_SECONDS_MAX UINT64_C(31536000)
/* The same for the value of an option: what is wrong with it is said. 0 or EXIT_USAGE. */
int cli_take_size(const char *command, const char *option, const char *text, uint64_t *out);
int cli_bad_size(const char *command, const char *option, const char *text);
/* From low to high, both included. */
int cli_take_number(const char *command, const char *option, const char *text, uint64_t low,
		    uint64_t high, uint64_t *out);
/* The index of text in a NULL-ended array of names, or -EINVAL. */
int cli_parse_choice(const char *text, const char *const *names);
/* Names joined with commas, for messages. */
const char *cli_join(const char *const *names, char *buf, size_t size);
/* A size as people write it: 4k, 1m, 300. */
const char *cli_size(uint64_t bytes, char buf[32]);

/*
 * Keeps the last report of the library, to print it with the error it belongs to. Reports come from
 * any thread; what they left is read when no more can come.
 */
struct cli_reports {
	struct phyr_report last;
	uint64_t faults;    /* blocked accesses told of */
	uint64_t iova_left; /* bytes of iova that a domain still had when it was destroyed */
	bool any;
};

void cli_take_report(void *arg, const struct phyr_report *report);
/* The last report's hint, or the errno's text. */
const char *cli_why(const struct cli_reports *reports, int err);

#endif
