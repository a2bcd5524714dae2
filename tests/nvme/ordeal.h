/* SPDX-License-Identifier: MIT */
/*
 * The driver on a controller that lies: operations chosen by a whim, and what must hold whatever the
 * controller does.
 *
 *  - Each command that was taken ends once, before its queue is gone, with an errno of the list.
 *  - It ends well only when the controller said so; otherwise the controller was disabled before, or
 *    had answered: nobody uses memory that a device still writes to.
 *  - What a command points to is the caller's data, all of it and nothing else.
 *  - Nothing is touched outside of the driver's own memory and what was mapped (lib/fence.h).
 *  - Each call returns within a bounded number of steps; time is the test's own.
 *  - Nothing is left in the end.
 *
 * What breaks a rule is told on stderr and aborts.
 */
#ifndef TESTS_NVME_ORDEAL_H
#define TESTS_NVME_ORDEAL_H

#include <phyr/nvme.h>

#include "lib/fence.h"
#include "nvme/liar.h"

#define ORDEAL_QUEUES   3
#define ORDEAL_VECTORS  4
#define ORDEAL_REQUESTS 48
#define ORDEAL_CANARY   ((uint64_t)4096)

struct ordeal_request {
	struct ordeal *o;
	bool live, taken, told, answered;
	unsigned queue; /* index; ORDEAL_QUEUES: the admin queue */
	unsigned opc;
	uint16_t qid, cid; /* as the controller was told */
	uint64_t enables;
};

/* What happened, to be printed: that all of it was reached. */
struct ordeal_counts {
	uint64_t taken, well, failed, refused, full, opens, failed_opens, creates, resets, rescans,
		interrupts, nomem;
};

struct ordeal {
	struct fence fence;
	struct liar liar;
	struct whim whim;
	struct phyr_iommu *iommu;
	struct phyr_domain *domain;
	struct phyr_dev *dev;
	struct phyr_nvme *nvme;
	struct phyr_nvme_queue *queues[ORDEAL_QUEUES];
	struct ordeal_request reqs[ORDEAL_REQUESTS];
	struct ordeal_request *submitting;
	unsigned char *data; /* with canaries before and behind */
	uint64_t len;
	struct phyr_list list;
	struct phyr_dma_map map; /* of all of it */
	struct phyr_list small;  /* its first page */
	struct phyr_dma_map small_map;
	uint64_t expect_addr, expect_len; /* of the command being submitted */
	uint64_t now, patience;
	bool interrupts;
	int fds[ORDEAL_VECTORS]; /* connected; -1: none */
	unsigned nested;         /* calls from inside of a completion function */
	unsigned fails_in;       /* an allocation fails once in so many; 0: never */
	bool moody;              /* the functions submit and poll, too */
	uint64_t ended;          /* calls of completion functions, ever */
	struct ordeal_counts counts;
};

void ordeal_init(struct ordeal *o);
void ordeal_fini(struct ordeal *o);

/* One controller from open to close: operations until the whim is over, or it has made so many steps. */
void ordeal_run(struct ordeal *o, uint64_t steps);

/*
 * For ordeal_ops.c.
 */
void ordeal_blame(void *arg, const char *what);
#define ordeal_must(o, what) ((what) ? (void)0 : ordeal_blame(o, #what))
void ordeal_op(struct ordeal *o);
/* A command of some kind on a queue. */
void ordeal_submit(struct ordeal *o, unsigned queue);
void ordeal_destroy(struct ordeal *o, unsigned queue);

#endif
