/* SPDX-License-Identifier: MIT */
/*
 * An even pace: so many units (bytes, or I/Os) a second, shared by a row's threads.
 *
 * What was missed by more than a moment is not made up for: a disturbance is followed by the pace
 * that was asked for, not by a burst.
 */
#ifndef IO_PACE_H
#define IO_PACE_H

#include <stdint.h>

/* How much of the past may be made up for at once. */
#define PACE_SLACK_NS UINT64_C(5000000)

struct pace {
	uint64_t rate;     /* units a second, of all parts together */
	unsigned parts;    /* that share the rate */
	uint64_t start_ns; /* when the first of units was due */
	uint64_t units;    /* begun since start_ns */
};

/* Part number part of parts; units: a typical I/O's, by which the parts' starts lie apart. */
void pace_init(struct pace *pace, uint64_t rate, unsigned parts, unsigned part, uint64_t units,
	       uint64_t now_ns);
/* How long from now until the next may begin, ns; 0: now. */
uint64_t pace_wait(struct pace *pace, uint64_t now_ns);
/* So many were begun. */
void pace_took(struct pace *pace, uint64_t units);

#endif
