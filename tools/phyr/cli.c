/* SPDX-License-Identifier: MIT */
/* What the subcommands share in talking to their user. */
#include "cli.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"

int cli_error(int status, const char *command, const char *format, ...)
{
	va_list ap;

	fprintf(stderr, "phyr %s: ", command);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
	return status;
}

int cli_bad_option(const char *command, int option, char **argv)
{
	const char *text = argv[optind - 1];

	if (option == ':')
		return cli_error(EXIT_USAGE, command, "%s: its value is missing", text);
	if (optopt && !strncmp(text, "--", 2) && strchr(text, '='))
		return cli_error(EXIT_USAGE, command, "%s: this option takes no value", text);
	if (optopt && strncmp(text, "--", 2))
		return cli_error(EXIT_USAGE, command,
				 "-%c: unknown option; 'phyr %s --help' lists them", optopt,
				 command);
	return cli_error(EXIT_USAGE, command, "%s: unknown option; 'phyr %s --help' lists them",
			 text, command);
}

static int unit_lg2(char c)
{
	static const char units[] = "bkmgt";
	const char *at = c ? strchr(units, tolower((unsigned char)c)) : units;

	return at ? (int)(at - units) * 10 : -EINVAL;
}

/* A size at *text, which is advanced past it. */
static int take_size(const char **text, uint64_t *out)
{
	char *end;
	uint64_t v;
	int lg2 = 0;

	if (!isdigit((unsigned char)**text))
		return -EINVAL;
	errno = 0;
	v = strtoull(*text, &end, 10);
	if (errno)
		return -EINVAL;
	if (*end && *end != '-') {
		lg2 = unit_lg2(*end++);
		if (lg2 < 0)
			return -EINVAL;
	}
	if (v > UINT64_MAX >> lg2)
		return -EINVAL;
	*out = v << lg2;
	*text = end;
	return 0;
}

int cli_parse_size(const char *text, uint64_t *out)
{
	uint64_t v;

	if (take_size(&text, &v) || *text)
		return -EINVAL;
	*out = v;
	return 0;
}

int cli_parse_size_range(const char *text, uint64_t *low, uint64_t *high)
{
	uint64_t a, b;

	if (take_size(&text, &a))
		return -EINVAL;
	b = a;
	if (*text == '-') {
		text++;
		if (take_size(&text, &b))
			return -EINVAL;
	}
	if (*text)
		return -EINVAL;
	*low = a;
	*high = b;
	return 0;
}

int cli_parse_number(const char *text, uint64_t *out)
{
	char *end;
	uint64_t v;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	v = strtoull(text, &end, text[0] == '0' && (text[1] | 32) == 'x' ? 16 : 10);
	if (errno || *end)
		return -EINVAL;
	*out = v;
	return 0;
}

int cli_bad_size(const char *command, const char *option, const char *text)
{
	return cli_error(EXIT_USAGE, command,
			 "--%s %s: not a size; digits and at most one unit of k, m, g, t", option,
			 text);
}

int cli_take_size(const char *command, const char *option, const char *text, uint64_t *out)
{
	return cli_parse_size(text, out) ? cli_bad_size(command, option, text) : 0;
}

int cli_take_number(const char *command, const char *option, const char *text, uint64_t low,
		    uint64_t high, uint64_t *out)
{
	if (cli_parse_number(text, out))
		return cli_error(EXIT_USAGE, command, "--%s %s: not a number", option, text);
	if (*out < low || *out > high)
		return cli_error(EXIT_USAGE, command, "--%s %s: not from %ju to %ju", option, text,
				 (uintmax_t)low, (uintmax_t)high);
	return 0;
}

/* Digits after a point, as nanoseconds; *text is advanced past them. */
static uint64_t take_fraction(const char **text)
{
	uint64_t ns = 0;

	for (uint64_t unit = 100000000; isdigit((unsigned char)**text); unit /= 10)
		ns += unit * (uint64_t)(*(*text)++ - '0');
	return ns;
}

int cli_parse_seconds(const char *text, uint64_t *ns)
{
	char *end;
	const char *at;
	uint64_t v, fraction = 0;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	v = strtoull(text, &end, 10);
	at = end;
	if (*at == '.' && isdigit((unsigned char)at[1])) {
		at++;
		fraction = take_fraction(&at);
	}
	if (errno || *at || v > CLI_SECONDS_MAX || (v == CLI_SECONDS_MAX && fraction))
		return -EINVAL;
	*ns = v * 1000000000 + fraction;
	return 0;
}

int cli_parse_choice(const char *text, const char *const *names)
{
	for (int i = 0; names[i]; i++)
		if (!strcmp(text, names[i]))
			return i;
	return -EINVAL;
}

const char *cli_join(const char *const *names, char *buf, size_t size)
{
	size_t used = 0;

	buf[0] = '\0';
	for (int i = 0; names[i] && used < size; i++)
		used += (size_t)snprintf(buf + used, size - used, "%s%s", i ? ", " : "", names[i]);
	return buf;
}

const char *cli_size(uint64_t bytes, char buf[32])
{
	static const char units[] = " kmgt";
	unsigned unit = 0;

	while (bytes && !(bytes & 1023) && unit < 4) {
		bytes >>= 10;
		unit++;
	}
	if (unit)
		snprintf(buf, 32, "%" PRIu64 "%c", bytes, units[unit]);
	else
		snprintf(buf, 32, "%" PRIu64, bytes);
	return buf;
}

/* Reports come from any thread: the device's own, and each that calls phyr. */
static pthread_mutex_t report_lock = PTHREAD_MUTEX_INITIALIZER;

static void take_report(struct cli_reports *reports, const struct phyr_report *report)
{
	if (report->call && !strcmp(report->call, "fault")) {
		reports->faults++;
		return;
	}
	if (report->call && !strcmp(report->call, "phyr_domain_destroy"))
		reports->iova_left += report->len;
	reports->last = *report;
	reports->any = true;
}

void cli_take_report(void *arg, const struct phyr_report *report)
{
	pthread_mutex_lock(&report_lock);
	take_report(arg, report);
	pthread_mutex_unlock(&report_lock);
}

const char *cli_why(const struct cli_reports *reports, int err)
{
	if (reports->any && reports->last.err == err && reports->last.hint)
		return reports->last.hint;
	return strerror(-err);
}
