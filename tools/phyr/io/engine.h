/* SPDX-License-Identifier: MIT */
/*
 * A row's I/O: a team of engines, each with a thread, a queue and a part of the target of its own.
 *
 *   team ── engine 0: thread, queue, slots ── blocks [0, n)
 *        ── engine 1: thread, queue, slots ── blocks [n, 2n)
 *
 * No two engines touch the same block, so that what each reads is known exactly. They share nothing
 * that is written while they run but the stop flag; there is no lock on the way of an I/O.
 */
#ifndef IO_ENGINE_H
#define IO_ENGINE_H

#include <nettle/sha2.h>
#include <pthread.h>

#include "io/hist.h"
#include "io/opts.h"
#include "io/pace.h"
#include "io/verify.h"

/* What an I/O's mapping turned out to be. */
enum io_path { PATH_PAGES, PATH_TWOSTEP, PATH_SAME, PATH_WINDOW, PATH_RANGES, NR_PATHS };

extern const char *const io_path_names[NR_PATHS];

enum io_kind { IO_READ, IO_WRITE, IO_TRIM };

/* One I/O of the user, in flight or not: a buffer, its list, its mapping, its commands. */
struct io_slot {
	void *buf;                /* bs_max bytes */
	struct phyr_list memory;  /* all of buf */
	struct phyr_dma_map kept; /* registered: mapped before the run */

	struct phyr_list part; /* what this I/O uses of it */
	struct phyr_dma_map map;
	struct phyr_dma_iova_state window;
	bool in_window;
	struct phyr_range *pages; /* per page: dma addresses */
	size_t nr_pages;

	struct phyr_cursor whole; /* all of the I/O's dma addresses */
	struct phyr_cursor data;  /* what is still to be submitted of them */
	struct engine *engine;
	uint64_t start_ns;
	uint64_t offset, len; /* bytes, in the target and of the I/O */
	uint64_t sent;        /* bytes submitted */
	unsigned commands;    /* in flight */
	unsigned retries;
	int err;
	enum io_kind kind;
	bool busy, done;
};

/* What an engine, or a team, has measured. */
struct engine_result {
	uint64_t ios, bytes;        /* reads and writes */
	uint64_t trims, trim_bytes; /* deallocates */
	uint64_t retries;           /* I/Os submitted again after a reset took them */
	uint64_t map_ns, unmap_ns;  /* sums, with the clock's own cost in them */
	uint64_t timed;             /* pairs of clock reads in each sum */
	uint64_t paths[NR_PATHS];   /* mappings made, by what they turned out to be */
	struct verify_found found;
	struct hist latency;
};

/* What a row's engines have in common; read-only while they run, but for stop. */
struct team {
	const struct io_opts *opts;
	enum io_map map;
	struct phyr *p;
	const struct phyr_nvme_info *info;
	struct verify *verify;  /* NULL: no verifying */
	struct sha256_ctx *sha; /* NULL: no checksum; one engine then */
	enum io_rw rw;          /* of the present run */
	uint64_t start_ns;
	uint64_t deadline_ns; /* nothing is begun any more; 0: none */
	bool paced;
	bool stop; /* atomic: an engine has failed */
	struct engine *engines;
	unsigned nr;
};

struct engine {
	struct team *team;
	pthread_t thread;
	struct phyr_nvme_queue *queue;
	int fd;               /* readable when something may have ended; -1: poll the queue */
	uint64_t first, size; /* bytes: its part of the target */
	uint64_t io_size;     /* bytes to move; UINT64_MAX: no limit */
	uint64_t rng;
	struct pace pace;

	struct io_slot *slots;
	unsigned nr_slots;
	uint64_t position; /* in its part: next offset of a sequential run */
	uint64_t next_len; /* bytes of the I/O that waits for its pace or place; 0: not chosen */
	uint64_t started;  /* I/Os */
	uint64_t hashed;   /* I/Os whose data went into the checksum, in order */
	uint64_t begun_bytes;
	unsigned in_flight; /* I/Os */
	bool blocked;       /* no place is left that nothing in flight meets */
	unsigned unsent;    /* of these, those with commands that the queue did not take yet */
	int err;            /* the first error: no more I/O is started */
	uint64_t ended_ios; /* for whoever looks on; atomic, as ended_bytes */
	uint64_t ended_bytes;
	struct engine_result result;
};

/*
 * Make engines for an open target, with queues, buffers and mappings; *why names what failed. After
 * a failure team_fini() is called too. opts, p, map, verify and sha are the caller's to set before.
 */
int team_init(struct team *team, const char **why);
void team_fini(struct team *team);
/*
 * As the options say, in a thread each, until all is done or stopped. 0, or the first error, and
 * *why names what failed.
 */
int team_run(struct team *team, const char **why);
/* Read all of the target once, in order, as fast as it goes. */
int team_read_back(struct team *team, const char **why);
/* Whether it ended before all was done because the user wanted that. */
bool team_was_stopped(const struct team *team);
/* All engines' results together. */
void team_result(const struct team *team, struct engine_result *sum);

/* Most commands at once that an engine's queue should take. */
static inline uint64_t io_queue_depth(const struct io_opts *opts)
{
	return opts->iodepth * (opts->bs_max / (1 << 20) + 1);
}

/* Run one engine until nothing is left to begin and nothing in flight. */
int engine_run(struct engine *e);

/* Bytes of the next I/O, the same until it is begun. */
uint64_t place_next_len(struct engine *e);
/* Choose what a slot does next. @return false: nothing that would not meet another I/O in flight */
bool place_choose(struct engine *e, struct io_slot *slot);

/* The four ways to map an I/O; by mode. */
int map_slot_init(struct engine *e, struct io_slot *slot, uint64_t misalign);
void map_slot_fini(struct engine *e, struct io_slot *slot);
/* Map the first slot->len bytes of the buffer and set slot->whole over the dma addresses. */
int map_begin(struct engine *e, struct io_slot *slot);
void map_end(struct engine *e, struct io_slot *slot);

#endif
