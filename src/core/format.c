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

int phyr_report_format(const struct phyr_report *report, char *buf, size_t size)
{
	struct line line = {buf, size, 0};

	add(&line, "%s: %s", report->call ? report->call : "phyr", strerror(-report->err));
	if (report->hint)
		add(&line, ": %s", report->hint);
	if (report->len)
		add(&line, " (range %" PRIu64 ": 0x%" PRIx64 " + 0x%" PRIx64 ")", report->index,
		    report->addr, report->len);
	if (report->iova)
		add(&line, " at iova 0x%" PRIx64, report->iova);
	if (report->limit)
		add(&line, ", limit 0x%" PRIx64, report->limit);
	return (int)line.used;
}
