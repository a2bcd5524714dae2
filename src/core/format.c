/* SPDX-License-Identifier: MIT */
/* A report as one line of text. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/env.h"

struct line {
	char *buf;
	size_t size;
	size_t used; /* what the whole line needs, even where it is cut */
};

__attribute__((format(printf, 2, 3))) static void add(struct line *line, const char *format, ...)
{
	size_t at = line->used < line->size ? line->used : line->size;
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(at < line->size ? line->buf + at : NULL, line->size - at, format, ap);
	va_end(ap);
	line->used += n > 0 ? (size_t)n : 0;
}

static bool has_iova(const struct phyr_report *report)
{
	return report->has_iova || report->iova;
}

static bool index_is_of(const struct phyr_report *report, const char *what)
{
	return report->index_of && !strcmp(report->index_of, what);
}

/* Which of several, and where: "(range 3: 0x1000 + 0x200)", "(device 01:00.0)", "(command 9 of
 * queue 1)". */
static void add_place(struct line *line, const struct phyr_report *report)
{
	if (!report->len && !report->index_of)
		return;
	if (index_is_of(report, "device"))
		add(line, " (device %02" PRIx64 ":%02" PRIx64 ".%" PRIx64, report->index >> 8,
		    report->index >> 3 & 31, report->index & 7);
	else
		add(line, " (%s %" PRIu64, report->index_of ? report->index_of : "range",
		    report->index);
	if (index_is_of(report, "command"))
		add(line, " of queue %" PRIu64, report->of);
	if (report->len && has_iova(report) && !report->has_addr && !report->addr)
		add(line, ": 0x%" PRIx64 " bytes", report->len);
	else if (report->len)
		add(line, ": 0x%" PRIx64 " + 0x%" PRIx64, report->addr, report->len);
	add(line, ")");
}

int phyr_report_format(const struct phyr_report *report, char *buf, size_t size)
{
	struct line line = {buf, size, 0};

	add(&line, "%s: %s", report->call ? report->call : "phyr", strerror(-report->err));
	if (report->hint)
		add(&line, ": %s", report->hint);
	add_place(&line, report);
	if (has_iova(report))
		add(&line, " at iova 0x%" PRIx64, report->iova);
	if (report->limit)
		add(&line, ", limit 0x%" PRIx64, report->limit);
	return (int)line.used;
}
