/* SPDX-License-Identifier: MIT */
/* The kernel's log, and the lines of its VT-d driver. */
#include "kmsg.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/*
 * The driver's ratelimit: so many lines in such a time. It asks once an interrupt, once a fault, and once
 * more to find that there is none left, so a fault by itself takes three.
 */
#define LIMIT_LINES  10
#define LIMIT_US     5000000
#define FAULT_LINES  3
#define KERNEL_LINES 8      /* below: facility 0, lines of the kernel itself */
#define CLOCKS_APART 300000 /* the log's clock is not quite the monotonic one */

/* A record of the log, as the kernel's Documentation/ABI/testing/dev-kmsg has it. */
struct record {
	uint64_t us;
	bool kernel;
	char text[KMSG_LINE];
};

static uint64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

/* "00:05.0", and "0000:00:05.0" from newer kernels. The guests have segment 0 alone. */
static bool parse_device(const char *text, uint16_t *source)
{
	unsigned segment, bus, device, function;

	if (sscanf(text, "%x:%x:%x.%x]", &segment, &bus, &device, &function) != 4) {
		segment = 0;
		if (sscanf(text, "%x:%x.%x]", &bus, &device, &function) != 3)
			return false;
	}
	if (segment || bus > 0xff || device > 0x1f || function > 7)
		return false;
	*source = (uint16_t)(bus << 8 | device << 3 | function);
	return true;
}

bool kmsg_parse(const char *line, struct kmsg_fault *fault)
{
	const char *dma = strstr(line, "[DMA "), *request = strstr(line, "Request device [");
	const char *addr = strstr(line, "fault addr "), *reason = strstr(line, "fault reason ");

	if (!dma || !request || !addr || !reason)
		return false;
	if (!parse_device(request + strlen("Request device ["), &fault->source))
		return false;
	fault->write = strncmp(dma, "[DMA Write", 10) == 0;
	if (!fault->write && strncmp(dma, "[DMA Read", 9))
		return false;
	fault->addr = strtoull(addr + strlen("fault addr "), NULL, 16);
	fault->reason = (unsigned)strtoul(reason + strlen("fault reason "), NULL, 0);
	return true;
}

/* "priority,sequence,microseconds,flags;text", then lines that start with a space. */
static bool parse_record(char *raw, struct record *r)
{
	unsigned long long priority, us;
	char *text = strchr(raw, ';');

	if (!text || sscanf(raw, "%llu,%*u,%llu,", &priority, &us) != 2)
		return false;
	r->us = us;
	r->kernel = priority < KERNEL_LINES;
	text++;
	text[strcspn(text, "\n")] = '\0';
	snprintf(r->text, sizeof(r->text), "%s", text);
	return true;
}

/* The next record. 0; -EAGAIN none yet; another negative errno. Those that were overwritten are passed over. */
static int next(struct kmsg *k, struct record *r)
{
	char raw[8192];
	ssize_t n;

	do {
		n = read(k->fd, raw, sizeof(raw) - 1);
		if (n < 0 && errno != EPIPE && errno != EINTR)
			return -errno;
		raw[n < 0 ? 0 : n] = '\0';
	} while (n < 0 || !parse_record(raw, r));
	return 0;
}

/* What a line took of the driver's limit. */
static unsigned taken(const struct record *r)
{
	struct kmsg_fault fault;

	if (!r->kernel)
		return 0;
	if (strstr(r->text, "handling fault status"))
		return FAULT_LINES - 1;
	return kmsg_parse(r->text, &fault);
}

/* Reads to the log's end; says for how long from now the driver's limit may keep a fault back. */
static int read_to_end(struct kmsg *k, uint64_t *wait_us)
{
	const uint64_t now = now_us(), window = LIMIT_US + CLOCKS_APART;
	uint64_t last = 0;
	unsigned lines = 0;
	struct record r;
	int err;

	while ((err = next(k, &r)) == 0) {
		if (!taken(&r) || r.us + window < now)
			continue;
		lines += taken(&r);
		last = r.us;
	}
	*wait_us = lines + FAULT_LINES > LIMIT_LINES ? last + window - now : 0;
	return err == -EAGAIN ? 0 : err;
}

int kmsg_open(struct kmsg *k)
{
	uint64_t wait_us = 0;
	int err;

	k->fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (k->fd < 0)
		return -errno;
	err = read_to_end(k, &wait_us);
	if (!err && wait_us) {
		usleep((useconds_t)wait_us);
		err = lseek(k->fd, 0, SEEK_END) < 0 ? -errno : 0;
	}
	if (err)
		kmsg_close(k);
	return err;
}

void kmsg_close(struct kmsg *k)
{
	close(k->fd);
	k->fd = -1;
}

static bool same_page(uint64_t a, uint64_t b)
{
	return a >> 12 == b >> 12;
}

int kmsg_wait(struct kmsg *k, uint16_t source, bool write, uint64_t addr, unsigned timeout_ms,
	      struct kmsg_fault *fault, char line[KMSG_LINE])
{
	const uint64_t until = now_us() + (uint64_t)timeout_ms * 1000;
	struct record r;
	int err;

	for (;;) {
		while ((err = next(k, &r)) == 0) {
			if (!r.kernel || !kmsg_parse(r.text, fault) || fault->source != source ||
			    fault->write != write || !same_page(fault->addr, addr))
				continue;
			snprintf(line, KMSG_LINE, "%s", r.text);
			return 0;
		}
		if (err != -EAGAIN)
			return err;
		if (now_us() >= until)
			return -ETIMEDOUT;
		poll(&(struct pollfd){.fd = k->fd, .events = POLLIN}, 1, 20);
	}
}
