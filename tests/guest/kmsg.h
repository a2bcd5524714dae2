/* SPDX-License-Identifier: MIT */
/* The kernel's log in a guest: waits for the line that says that the IOMMU has blocked an access. */
#ifndef TESTS_GUEST_KMSG_H
#define TESTS_GUEST_KMSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KMSG_LINE 512

/* An access that the IOMMU has blocked, as VT-d's driver tells it. */
struct kmsg_fault {
	uint16_t source; /* bus << 8 | device << 3 | function */
	bool write;
	uint64_t addr;   /* the page; a device's faults in one go are told as one, by the first */
	unsigned reason; /* VT-d's; 5: no right to write, 6: no right to read */
};

struct kmsg {
	int fd;
};

/*
 * Opens the log at its end: what comes from now on is seen. The kernel counts its lines of faults and
 * writes ten in five seconds, where a fault takes three; so this first waits, five seconds at most, until it
 * will write the next one. One fault between two opens is always told, three without a wait.
 * 0 or a negative errno.
 */
int kmsg_open(struct kmsg *k);
void kmsg_close(struct kmsg *k);

/*
 * Waits for a fault of this source and direction whose page is that of addr; others go by. The line,
 * without its time, is for the check to print.
 * 0; -ETIMEDOUT; another negative errno
 */
int kmsg_wait(struct kmsg *k, uint16_t source, bool write, uint64_t addr, unsigned timeout_ms,
	      struct kmsg_fault *fault, char line[KMSG_LINE]);

/* What a line says, if it is one of a blocked access. */
bool kmsg_parse(const char *line, struct kmsg_fault *fault);

#endif
