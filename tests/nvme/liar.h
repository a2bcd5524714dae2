/* SPDX-License-Identifier: MIT */
/*
 * A controller that mixes right answers with every kind of wrong one, as a whim says.
 *
 * It is stepped, and works on the memory that the driver named by plain pointers: no machine is
 * simulated, so ten million steps take seconds. What the driver writes to its doorbells is looked at
 * when it is written, before the controller itself can spoil it; so whatever a command points to is
 * known to have been the driver's, and memory that was given up too early is found.
 */
#ifndef TESTS_NVME_LIAR_H
#define TESTS_NVME_LIAR_H

#include <phyr/types.h>

#include "nvme/whim.h"

#define LIAR_QUEUES  4
#define LIAR_ENTRIES 64
#define LIAR_HELD    32

struct liar_cmd {
	uint16_t qid;
	unsigned char sqe[64];
};

struct liar_queue {
	uint64_t sq, cq;
	uint32_t entries, cq_entries;
	uint32_t tail;    /* of the submission queue, as told */
	uint32_t cq_head; /* as told */
	uint32_t cq_tail;
	unsigned phase;
	bool sq_live, cq_live; /* as far as the controller is concerned */
	struct liar_cmd todo[LIAR_ENTRIES];
	unsigned first, nr_todo;
	unsigned answers
		[LIAR_ENTRIES]; /* completions that name an id, since it was last submitted */
};

struct liar {
	struct phyr_regs regs;
	struct whim *whim;
	unsigned temper; /* wrong once in so many steps; 0: never */
	/* Whether memory is the driver's: asked before each access. */
	bool (*owns)(void *arg, uint64_t addr, uint64_t len);
	/* A command was written to a queue, and is as the driver wrote it. @stale: the completion queue
	 * may hold an answer to it already. */
	void (*submitted)(void *arg, unsigned qid, const unsigned char *sqe, bool stale);
	/* A completion of an id was written, whatever else it says. */
	void (*answered)(void *arg, unsigned qid, uint16_t cid);
	/* Something was written to completion queues that may answer anything. */
	void (*scribbled_on)(void *arg);
	/* What was found that a driver must not do. Does not return. */
	void (*blame)(void *arg, const char *what);
	void *arg;

	uint64_t cap;
	unsigned stride_lg2; /* of doorbells, by CAP as it was read last */
	uint32_t cc, csts, aqa;
	uint64_t asq, acq;
	bool gone;                /* registers read all ones, writes are lost, for ever */
	bool stuck;               /* CSTS.RDY stays */
	bool deaf;                /* CSTS.RDY never comes */
	unsigned ones;            /* reads of registers that give all ones, still to come */
	unsigned char ctrl[4096]; /* identify data */
	unsigned char ns[4096];
	struct liar_queue queues[LIAR_QUEUES];
	struct liar_cmd held[LIAR_HELD];
	unsigned nr_held;
	bool lied;      /* since it was last enabled: it wrote what a good one would not */
	bool scribbled; /* and to a completion queue what may answer anything */
	uint64_t enables;
	uint64_t steps, lies; /* ever */
	uint64_t bad_doorbells;
};

/* A good controller; whim, temper and the functions are the caller's to set. */
void liar_init(struct liar *e, struct whim *whim, unsigned temper);
/* Spoil what it says of itself: registers, identify data. */
void liar_spoil(struct liar *e);
/* One step: at most one command taken, one ended, one lie told. */
void liar_step(struct liar *e);

/* Whether it works on memory now: enabled, or not to be stopped. */
bool liar_runs(const struct liar *e);

/*
 * For lies.c.
 */
void liar_end(struct liar *e, unsigned qid, uint16_t sqid, uint16_t cid, uint16_t status,
	      uint64_t result);
void liar_write(struct liar *e, uint64_t addr, const void *from, uint64_t len);
bool liar_take(struct liar *e, struct liar_cmd *cmd);
void liar_do(struct liar *e, const struct liar_cmd *cmd, uint16_t status);
uint32_t liar_get32(const unsigned char *sqe, unsigned offset);
uint64_t liar_get64(const unsigned char *sqe, unsigned offset);
void liar_scribbled(struct liar *e);
void liar_lie(struct liar *e);

#endif
