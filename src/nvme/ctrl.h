/* SPDX-License-Identifier: MIT */
/*
 * The driver inside: a controller and its queues.
 *
 *   controller --- admin queue    any thread, under the lock
 *        |
 *        +-- queue                each used by one thread, without a lock
 *        +-- queue
 *
 * A controller's life is a row of runs, told by one number whose low two bits say what it is doing:
 *
 *   run + RUNNING    the device is enabled; rings that were made in this run are good
 *   run + STOPPING   somebody found it broken and is disabling it
 *   run + QUIET      it is disabled, or being brought up again: it knows no I/O queue
 *   run + DEAD       it was given up, with an errno; it stays so
 *
 * Whoever moves the number from RUNNING to STOPPING does the whole reset. A queue compares it with the
 * number that its rings were made in; only past STOPPING may it tell anyone that a command has ended,
 * so a command that is told of its end is one that the device can't touch memory for any more.
 */
#ifndef NVME_CTRL_H
#define NVME_CTRL_H

#include "core/env.h"
#include "core/order.h"
#include "nvme/queue.h"

enum { NVME_RUNNING, NVME_STOPPING, NVME_QUIET, NVME_DEAD, NVME_RUN_STEP };

/* Calls that a report names from more than one file. */
#define NVME_POLL_CALL   "phyr_nvme_poll"
#define NVME_SUBMIT_CALL "phyr_nvme_submit"

#define NVME_ADMIN_DEPTH  31
#define NVME_ADMIN_OWN    7  /* slots of the admin queue that the driver takes, and no caller */
#define NVME_ADMIN_ABORTS 4  /* of those; nobody waits for them, so they must leave some */
#define NVME_ADMIN_EVENTS 16 /* that may wait for events */

/* The most that one command can say with blocks of 512 bytes; it bounds the PRP pages of a slot. */
#define NVME_MAX_TRANSFER ((uint64_t)1 << 25)

/* What a controller and its namespace say of themselves, checked. */
struct nvme_identity {
	struct phyr_nvme_info info; /* all but queues, max_depth and page_size */
	unsigned block_lg2;
	unsigned max_aborts;  /* Abort commands at once */
	uint64_t shutdown_ns; /* how long a shutdown may take */
};

struct phyr_nvme {
	struct phyr_dev *dev;
	struct phyr_env *env;
	struct phyr_regs *regs;
	uint32_t run;
	uint32_t resets_in_row;     /* since a command ended well */
	uint32_t in_line;           /* threads that a reset must not come before: wait.c */
	int dead;                   /* errno; written before run says so */
	struct phyr_nvme_opts opts; /* with the defaults filled in */
	struct phyr_nvme_info info;
	unsigned block_lg2;
	unsigned max_aborts;
	uint64_t shutdown_ns;
	uint64_t cap;
	uint64_t ready_ns;   /* what CAP.TO allows */
	unsigned stride_lg2; /* from one doorbell to the next */
	unsigned page_lg2;
	struct phyr_dma_pool *prp_pool;
	void *id_page; /* where the device writes identify data */
	phyr_dma_addr_t id_dma;
	unsigned max_queues; /* places in queues[] */

	struct phyr_lock lock; /* guards what follows */
	bool lock_made;
	struct phyr_nvme_queue admin;
	uint32_t admin_run;  /* run in which its ring is good; its own field says NVME_NO_RUN */
	const char *bad;     /* what is wrong with completions of this run; NULL: nothing */
	unsigned own_out;    /* commands of the driver's own in flight */
	unsigned aborts_out; /* those of them that are Abort commands */
	struct phyr_nvme_queue **queues; /* by queue id - 1; NULL: free */
	struct phyr_nvme_ctrl_stats stats;
};

static inline unsigned nvme_phase(uint32_t run)
{
	return run & (NVME_RUN_STEP - 1);
}

static inline bool nvme_under_way(uint32_t run)
{
	return nvme_phase(run) == NVME_STOPPING || nvme_phase(run) == NVME_QUIET;
}

/* Who asks for an admin command: the public call, and the run that it is meant for. */
struct nvme_ask {
	const char *call;
	uint32_t run;
};

/* ring.c */
int phyr_nvme_ring_init(struct phyr_nvme *nvme, struct nvme_ring *ring, unsigned qid,
			uint32_t entries, const char *call);
void phyr_nvme_ring_fini(struct phyr_nvme *nvme, struct nvme_ring *ring);
/* Back to the start, empty: the device does not know the ring. */
void phyr_nvme_ring_reset(struct nvme_ring *ring);
void phyr_nvme_ring_push(struct phyr_nvme *nvme, struct nvme_ring *ring,
			 const struct phyr_nvme_sqe *sqe);
bool phyr_nvme_ring_pop(struct nvme_ring *ring, struct nvme_completion *done);
void phyr_nvme_ring_tell(struct phyr_nvme *nvme, struct nvme_ring *ring);

/* ctrl.c: the registers. */

/* Read and check CAP; choose a page size. */
int phyr_nvme_read_cap(struct phyr_nvme *nvme, const char *call);
/* Queue pairs whose doorbells lie in the registers, the admin queue's among them. */
uint64_t phyr_nvme_doorbell_pairs(const struct phyr_nvme *nvme);
/* Both 0, -ENODEV, -ETIMEDOUT, enable also -EIO; not reported. */
int phyr_nvme_disable(struct phyr_nvme *nvme);
int phyr_nvme_enable(struct phyr_nvme *nvme);
/* What those errors say. */
const char *phyr_nvme_ready_hint(int err);
/* Shut it down as one does before power goes. 0, -ENODEV, -ETIMEDOUT; not reported. */
int phyr_nvme_shut_down(struct phyr_nvme *nvme);
/* What CSTS says of a controller that was enabled: 0; -ENODEV, -EIO, and @hint is why; not reported. */
int phyr_nvme_csts_trouble(struct phyr_nvme *nvme, const char **hint);
/* wait.c */

/* Let the device, or another thread, get on while there is nothing to do; sleep when it takes long.
 * @pauses counts those in a row, from 0. */
void phyr_nvme_pause(struct phyr_nvme *nvme, unsigned *pauses);

/* A command of the admin queue that is waited for: any thread may be the one that sees it end. */
struct nvme_waiter {
	struct phyr_nvme_done done;
	bool ended;
};

void phyr_nvme_waiter_ended(void *waiter, const struct phyr_nvme_done *done);
static inline bool nvme_waited(const struct nvme_waiter *w)
{
	/* Pairs with the release in phyr_nvme_waiter_ended(). */
	return load_acquire(&w->ended);
}

/* Wait for a reset that is under way. @return the number: RUNNING, DEAD, or that of a later reset */
uint32_t phyr_nvme_settle(struct phyr_nvme *nvme);

/* Tries to have the device know a queue, which resets come into. Zeroed at the start. */
struct nvme_try {
	uint32_t run; /* to try in: RUNNING, or DEAD */
	unsigned nr;
	bool in_line;
};

/* The next one. 0; -EAGAIN: resets came into all that there are, not reported */
int phyr_nvme_try(struct phyr_nvme *nvme, struct nvme_try *try);
void phyr_nvme_tried(struct phyr_nvme *nvme, const struct nvme_try *try);
/* Before a reset that is asked for. @return the number; what stood in line has had its turn */
uint32_t phyr_nvme_give_way(struct phyr_nvme *nvme);

/* reset.c */

/* Enable a controller that is disabled, ask what it is, have it grant queues. Reported. On failure it
 * may be enabled. */
int phyr_nvme_bring_up(struct phyr_nvme *nvme, const struct nvme_ask *ask, struct nvme_identity *id,
		       unsigned *granted);
/* What was run is found broken, as @why says: reset it, unless somebody else does. */
void phyr_nvme_restart(struct phyr_nvme *nvme, uint32_t run, const struct phyr_report *why);
/* The same, and not to be brought up again. */
void phyr_nvme_give_up(struct phyr_nvme *nvme, uint32_t run, const struct phyr_report *why);
/* The errno of a dead controller, reported for a place on the namespace. */
int phyr_nvme_say_dead(const struct phyr_nvme *nvme, const char *call, uint64_t offset,
		       uint64_t len);
void phyr_nvme_report_enabled(struct phyr_nvme *nvme, const char *call);

/* admin.c: the queue. */
int phyr_nvme_admin_init(struct phyr_nvme *nvme, const char *call);
void phyr_nvme_admin_fini(struct phyr_nvme *nvme);
/* The controller is disabled: what was in flight ends with @err; the ring is empty, and good in no
 * run. */
void phyr_nvme_admin_lose(struct phyr_nvme *nvme, int err);
/* From now on it is good in this run, which becomes the controller's. */
void phyr_nvme_admin_good(struct phyr_nvme *nvme, uint32_t run);
int phyr_nvme_admin_submit(struct phyr_nvme *nvme, struct phyr_nvme_sqe *sqe,
			   const struct phyr_dma_map *map, phyr_nvme_fn *fn, void *arg);
unsigned phyr_nvme_admin_poll(struct phyr_nvme *nvme);
/* Take completions without calling functions but the driver's own. @return what is wrong with them */
const char *phyr_nvme_admin_take(struct phyr_nvme *nvme);
/* Ask the controller to end a command of a queue, if it can be asked now. */
void phyr_nvme_abort(struct phyr_nvme *nvme, uint32_t run, uint16_t qid, uint16_t cid);
/* Send a command of the driver's own. 0; -EAGAIN no slot; -ECANCELED the run is over. */
int phyr_nvme_admin_send(struct phyr_nvme *nvme, const struct nvme_ask *ask,
			 struct phyr_nvme_sqe *sqe, phyr_nvme_fn *fn, void *arg);
/* Have @fn called at the end of such commands that have this argument. */
void phyr_nvme_admin_forget(struct phyr_nvme *nvme, const void *arg, phyr_nvme_fn *fn);
/* What is wrong with a run, by its admin queue and CSTS. What is late for the first time is aborted. */
bool phyr_nvme_admin_trouble(struct phyr_nvme *nvme, uint32_t run, const char *call,
			     struct phyr_report *why);

/* own.c */

/* One command of the driver's own, waited for. 0; -EIO its status, reported with @hint; -ETIMEDOUT;
 * -ECANCELED the run is over; in a run that is being brought up, also what is wrong with it. */
int phyr_nvme_admin(struct phyr_nvme *nvme, const struct nvme_ask *ask, struct phyr_nvme_sqe *sqe,
		    uint32_t *result, const char *hint);

/* command.c: what the driver has the admin queue do; errors as phyr_nvme_admin(). */
int phyr_nvme_set_queues(struct phyr_nvme *nvme, const struct nvme_ask *ask, unsigned wanted,
			 unsigned *granted);
int phyr_nvme_create_rings(struct phyr_nvme *nvme, const struct nvme_ask *ask,
			   const struct phyr_nvme_queue *queue);
int phyr_nvme_delete_rings(struct phyr_nvme *nvme, const struct nvme_ask *ask,
			   const struct phyr_nvme_queue *queue);

/* identify.c */
int phyr_nvme_identify(struct phyr_nvme *nvme, const struct nvme_ask *ask,
		       struct nvme_identity *out);
/* Take it over; what the controller granted stays. */
void phyr_nvme_adopt(struct phyr_nvme *nvme, const struct nvme_identity *id);

/* queue.c */

/* Have the device know the queue's rings again. 0, -ECANCELED another reset came, or dead. */
int phyr_nvme_revive(struct phyr_nvme_queue *queue, uint32_t run, const char *call);

/* submit.c */

/* Check a transfer's length and place on the namespace. 0, -EINVAL or -ERANGE, reported for @call. Place,
 * length and limit of a report are bytes. */
int phyr_nvme_check_range(const struct phyr_nvme *nvme, const char *call, uint64_t lba,
			  uint64_t len);
int phyr_nvme_range_error(const struct phyr_nvme *nvme, const char *call, int err, uint64_t lba,
			  uint64_t len, uint64_t limit, const char *hint);
/* Whether commands can be submitted to an I/O queue: 0, -EAGAIN, -EINVAL, or why it is dead. */
int phyr_nvme_ready_slow(struct phyr_nvme_queue *queue, const char *call, uint64_t offset,
			 uint64_t len);
static inline int nvme_ready(struct phyr_nvme_queue *queue, const char *call, uint64_t offset,
			     uint64_t len)
{
	if (__builtin_expect(load_relaxed(&queue->nvme->run) == queue->run, 1))
		return 0;
	return phyr_nvme_ready_slow(queue, call, offset, len);
}
/* Build the PRP entries of a command. Not reported. */
int phyr_nvme_build(struct phyr_nvme_queue *queue, struct nvme_slot *slot, struct phyr_cursor *data,
		    struct phyr_nvme_sqe *sqe);
const char *phyr_nvme_prp_hint(int err);
/* The same, of a whole map; reported for the slot's call. NULL: no data. */
int phyr_nvme_build_map(struct phyr_nvme_queue *queue, struct nvme_slot *slot,
			const struct phyr_dma_map *map, struct phyr_nvme_sqe *sqe);
/* Send it. The slot is the next one; its call, offset and len are set. */
void phyr_nvme_fly(struct phyr_nvme_queue *queue, struct nvme_slot *slot, struct phyr_nvme_sqe *sqe,
		   phyr_nvme_fn *fn, void *arg);
/* The same with one of the driver's own, on the admin queue, under the lock. */
void phyr_nvme_fly_own(struct phyr_nvme_queue *queue, struct nvme_slot *slot,
		       struct phyr_nvme_sqe *sqe, phyr_nvme_fn *fn, void *arg);

/* guard.c: a driver that was opened to read alone. */

/* Say that a command which writes is refused. @return -EROFS */
int phyr_nvme_refuse_write(const struct phyr_nvme *nvme, const char *call, uint64_t lba,
			   uint64_t len);
/* Whether a command that is passed through leaves all data as it is: 0, or -EROFS, reported. */
int phyr_nvme_check_harmless(const struct phyr_nvme_queue *queue, const struct phyr_nvme_sqe *sqe);

/* poll.c */

/* The slot that a completion names; NULL: none that is in flight. */
struct nvme_slot *phyr_nvme_slot_of(struct phyr_nvme_queue *queue,
				    const struct nvme_completion *done);
/* How it ended; a status is reported. */
struct phyr_nvme_done phyr_nvme_how_ended(const struct phyr_nvme_queue *queue,
					  const struct nvme_slot *slot,
					  const struct nvme_completion *completion);
/* A command is late. @return false: for the first time; it has more time now, and is to be aborted;
 * true: the controller must be reset, as @why says */
bool phyr_nvme_too_late(struct phyr_nvme_queue *queue, struct nvme_slot *slot, uint64_t now,
			struct phyr_report *why);

/* status.c: what a status means, in a line. */
const char *phyr_nvme_status_hint(uint16_t status);

#endif
