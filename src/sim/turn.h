/* SPDX-License-Identifier: MIT */
/*
 * Turns: whose device functions run. One at a time in the whole machine, numbered, so that others
 * can wait for the end of one without taking the lock.
 *
 * Register writes are posted, as on PCIe: they are queued and carried out in order, by the
 * machine's thread or by the next register read; the writer does not wait for a device that is
 * busy. A stepped machine has no thread; there the writer carries them out itself.
 */
#ifndef SIM_TURN_H
#define SIM_TURN_H

#include <phyr/sim.h>
#include <pthread.h>

#define SIM_POSTED 256

struct sim_posted {
	struct phyr_sim_dev *sdev;
	uint64_t offset;
	uint64_t value;
	unsigned width;
};

struct sim_turns {
	pthread_mutex_t lock; /* the turn */
	uint64_t seq;         /* odd: a turn is under way; written by its owner */
	unsigned waiting;     /* threads that want the turn; the machine's own lets them by */
	uint64_t steps;       /* that devices have taken; written in a turn */
	unsigned next;        /* device whose step is next; in a turn */
	bool stepped;         /* no thread */

	pthread_mutex_t queue_lock; /* taken last; guards what follows */
	pthread_cond_t wake;
	struct sim_posted posted[SIM_POSTED];
	unsigned head;
	unsigned nr; /* posted writes; a look at it needs no lock */
	bool kick;   /* there may be steps to take; likewise */
	bool asleep;
	bool stop;
	bool running; /* there is a thread to join */
	pthread_t thread;
};

/* What phyr_sim_turn_begin() hands to phyr_sim_turn_end(). */
struct sim_turn {
	struct phyr_sim *outer; /* whose turn the thread was in */
	bool mine;              /* false: the thread was in this machine's turn already */
};

void phyr_sim_turns_init(struct sim_turns *turns, bool stepped);
/* Stops the thread. */
void phyr_sim_turns_fini(struct sim_turns *turns);

/* Start the machine's thread unless it runs or there is to be none. 0 or -ENOMEM. */
int phyr_sim_turns_start(struct phyr_sim *sim);

/* Take the turn; nested calls of one thread are fine. */
struct sim_turn phyr_sim_turn_begin(struct phyr_sim *sim);
void phyr_sim_turn_end(struct phyr_sim *sim, struct sim_turn turn);

/* The present turn's number. */
uint64_t phyr_sim_turn_now(struct phyr_sim *sim);

/* Wait until turn @seq is over; not at all when it is the caller's own, or none. */
void phyr_sim_turn_wait(struct phyr_sim *sim, uint64_t seq);

/* Queue a register write. */
void phyr_sim_post(struct phyr_sim *sim, const struct sim_posted *write);

/* Carry out what is queued; in a turn. */
void phyr_sim_drain(struct phyr_sim *sim);

#endif
