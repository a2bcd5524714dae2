/* SPDX-License-Identifier: MIT */
/*
 * A controller of the test's own, which does what NVMe asks as long as it is told to, and whatever
 * else a broken or hostile device might do when it is not.
 */
#ifndef TESTS_NVME_FAKE_H
#define TESTS_NVME_FAKE_H

#include <phyr/sim.h>

enum fake_way {
	FAKE_GOOD,
	FAKE_SILENT,      /* takes commands and never ends them */
	FAKE_HELD,        /* takes commands and ends them only when they are aborted */
	FAKE_SLOW,        /* likewise, but ends them well then */
	FAKE_UNKNOWN_CID, /* ends commands that never were: ids past the queue */
	FAKE_IDLE_CID,    /* ends commands that are not in flight */
	FAKE_DOUBLE,      /* ends the first command twice */
	FAKE_AGAIN, /* ends the first command again with the second, when its slot is in use anew */
	FAKE_OVERRUN,    /* ends each command twice, past the room in the completion queue */
	FAKE_OTHER_SQ,   /* names another submission queue */
	FAKE_BAD_HEAD,   /* ends commands well, with a submission head out of its range */
	FAKE_LAST_FIRST, /* ends what it has taken in one go, the newest first */
	FAKE_STATUS,     /* ends commands with a status */
	FAKE_REFUSE,     /* likewise, and does not do them (the others of this list do) */
	FAKE_CFS,        /* says Controller Fatal Status at the first command, and stops */
	FAKE_GONE,       /* reads all ones from the first command on, and stops */
};

#define FAKE_QUEUES 16

struct fake_queue {
	uint64_t sq, cq;
	uint32_t entries;
	uint32_t head, tail; /* of the submission queue */
	uint32_t cq_tail;
	uint32_t cq_head; /* as the driver told */
	unsigned phase;
	bool live;
	bool interrupts;
	unsigned vector;
	unsigned nr_held;
	uint16_t held[64]; /* ids of commands that wait to be aborted */
};

struct fake {
	struct phyr_sim *sim;
	struct phyr_sim_dev *sdev;
	uint64_t cap;
	uint32_t cc, csts, aqa;
	uint64_t asq, acq;
	bool never_ready;  /* CSTS.RDY does not follow CC.EN */
	bool stuck_ready;  /* CSTS.RDY stays once it is set */
	bool fatal_enable; /* CSTS.CFS instead of RDY */
	bool never_shut;   /* CSTS.SHST does not follow CC.SHN */
	bool gone;         /* all registers read all ones */
	enum fake_way admin_way;
	enum fake_way way; /* of the I/O queues */
	bool way_once;     /* it is good when it is enabled again */
	unsigned good;     /* I/O commands that are done well before way counts */
	/* Called when it is enabled. */
	void (*enabled)(struct fake *fake);
	unsigned admin_good;      /* admin commands that are done well before admin_way counts */
	unsigned admin_bad;       /* then so many go that way, and the rest well; 0: all */
	uint16_t status;          /* of FAKE_STATUS: type << 8 | code */
	uint32_t granted;         /* DW0 of Set Features, Number of Queues */
	unsigned char ctrl[4096]; /* identify data */
	unsigned char ns[4096];
	struct fake_queue queues[FAKE_QUEUES];
	unsigned io_commands;     /* taken, ever */
	uint16_t first_cid;       /* of FAKE_AGAIN */
	unsigned char last[64];   /* the last of them */
	unsigned char data[4096]; /* what it read of its first page, of those that have data out */
	unsigned bad_doorbells;   /* writes of the value that was there, or out of range */
	unsigned enables;
	unsigned disables;
	unsigned shutdowns;
	unsigned aborts;
	unsigned events; /* asynchronous event requests that wait */
	uint16_t event_cids[64];
};

/* Post a completion that nobody asked for. */
void fake_stray(struct fake *fake, unsigned queue, uint16_t cid);
/* End an asynchronous event request that waits with a result. */
void fake_event(struct fake *fake, uint32_t result);

/* A good controller: 1 MiB per command, 4 KiB to 64 KiB pages, 1000 blocks of 512 bytes, 2 queues. */
void fake_init(struct fake *fake, struct phyr_sim *sim, uint32_t source);
void fake_fini(struct fake *fake);

/* Stores of a field of identify data. */
void fake_put(unsigned char *data, unsigned offset, unsigned width, uint64_t value);

#endif
