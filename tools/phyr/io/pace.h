/* SPDX-License-Identifier: MIT */
/*
 * An even pace: so many units (bytes, or I/Os) a second, shared by a row's threads.
 *
 * Units are begun once they are due: the first I/O waits for as long as all of it takes at the rate. So
 * no run, however short, is faster than what was asked for.
 *
 * What was missed by more than a moment is not made up for: a disturbance is followed by the pace
 * that was asked for, not by a burst.
 */
#ifndef IO_PACE_H
#define IO_PACE_H

#include <stdint.h>

/* How much of the past may be made up for at once. */
#define PACE_SLACK_NS INT64_C(5000000)

struct pace {
	uint64_t rate;    /* units a second, of all parts together */
	unsigned parts;   /* that share the rate */
	int64_t start_ns; /* since when units become due */
	uint64_t units;   /* begun since start_ns */
};

/*
 * Part number part of parts. units: each I/O's, so that the parts' I/Os lie evenly between each other;
 * 0: they differ.
 */
void pace_init(struct pace *pace, uint64_t rate, unsigned parts, unsigned part, uint64_t units,
	       uint64_t now_ns);
/* How long from now until an I/O of so many units may begin, ns; 0: now. */
uint64_t pace_wait(struct pace *pace, uint64_t units, uint64_t now_ns);
/* So many were begun. */
void pace_took(struct pace *pace, uint64_t units);

#endif
