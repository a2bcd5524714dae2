/* SPDX-License-Identifier: MIT */
/* What the subcommands share in talking to their user. */
#include "cli.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
	v = strtoull(text, &end, 0);
	if (errno || *end)
		return -EINVAL;
	*out = v;
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

void cli_take_report(void *arg, const struct phyr_report *report)
{
	struct cli_reports *reports = arg;

	/* Faults come from the device's thread, while others read the count. */
	if (report->call && !strcmp(report->call, "fault")) {
		__atomic_fetch_add(&reports->faults, 1, __ATOMIC_RELAXED);
		return;
	}
	if (report->call && !strcmp(report->call, "phyr_domain_destroy"))
		reports->iova_left += report->len;
	reports->last = *report;
	reports->any = true;
}

const char *cli_why(const struct cli_reports *reports, int err)
{
	if (reports->any && reports->last.err == err && reports->last.hint)
		return reports->last.hint;
	return strerror(-err);
}
