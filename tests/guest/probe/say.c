/* SPDX-License-Identifier: MIT */
/* The probe's lines: a question's name, what came back. */
#include "probe.h"

#include <stdarg.h>
#include <stdio.h>

static void say_v(const char *format, va_list args, char end)
{
	vprintf(format, args);
	putchar(end);
	if (end == '\n')
		fflush(stdout); /* what was asked last is seen when the machine stops */
}

void say_name(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say_v(format, args, ' ');
	va_end(args);
}

void say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say_v(format, args, '\n');
	va_end(args);
}

void say_answer(struct answer a)
{
	if (a.how != ANSWERED) {
		say("%s", a.how == FATAL ? "fatal" : "silence");
		return;
	}
	printf("%03x", PHYR_NVME_STATUS_CODE(a.status));
	if (a.status & PHYR_NVME_STATUS_DNR)
		printf(" dnr");
	if (a.status & PHYR_NVME_STATUS_M)
		printf(" more");
	if (PHYR_NVME_STATUS_CRD(a.status))
		printf(" crd=%u", PHYR_NVME_STATUS_CRD(a.status));
	if (a.dw0)
		printf(" dw0=%08x", a.dw0);
	say("%s", "");
}

struct answer tell_answer(struct probe *h, struct pair *q, struct phyr_nvme_sqe cmd)
{
	struct answer a = ask(h, q, cmd);

	say_answer(a);
	if (a.how != ANSWERED)
		host_io(h);
	return a;
}
