/* SPDX-License-Identifier: MIT */
/*
 * phyr io: the parts and what they hand to each other.
 *
 *   opts ─▶ row (one mapping mode: machine, target) ─▶ team ─▶ engine (submit, complete), one a thread
 *                                                       │        │
 *                                             progress ◀┘  place ┼─ pace     what next, and when
 *                                                map (four modes)┼─ verify   stamps
 *                                                                └─ hist     latencies
 *   rows ─▶ print | json                           stop: Ctrl-C
 */
#ifndef IO_IO_H
#define IO_IO_H

#include "cli.h"
#include "clock.h"
#include "cmd.h"
#include "io/engine.h"
#include "stats.h"

#define COMMAND "io"

/* From now on the first SIGINT asks to stop; a second one ends the process. */
void stop_listen(void);
/* Whether the user has asked to stop. Any thread. */
bool stop_asked(void);
/* Ask as the user would. Any thread. */
void stop_ask(void);

/* Listens for the kernel, which may want a real device back; zeroed: not yet. */
struct wanted {
	const char *target;
	pthread_t thread;
	int fd;
	bool listens;
	bool ending; /* atomic */
};

/* From now on that asks to stop; on a simulated device nothing does. */
void wanted_begin(struct wanted *w, struct phyr *p, const char *target);
/* When the target is closed. */
void wanted_end(struct wanted *w);

/* The line on a terminal while a team runs. */
struct progress {
	const struct team *team;
	const char *what;
	uint64_t last_ns, last_ios, last_bytes;
};

/* Wait for an engine's thread, showing how far the team is. */
void progress_join(struct progress *progress, pthread_t thread);
/* Clear the line. */
void progress_end(void);
/* Whether it is wanted: stderr is a terminal, and stdout is for people. */
bool progress_wanted(const struct io_opts *opts);

/* A mode's line in the table. */
struct io_row {
	enum io_map map;
	char iommu[16]; /* as it was opened */
	double seconds, iops, mib_s;
	double rate_share;                /* of the rate that was asked for */
	double map_ns, unmap_ns, desc_ns; /* an I/O */
	struct engine_result result;      /* the run's; verify's finds with the last read-back */
	struct counts counts;
	/* From the start to the end, the last read-back included; a real machine's are in the kernel's log,
	 * and its tables and pins the kernel's. */
	uint64_t faults;
	uint64_t leaked_iova, leaked_tables, leaked_pages;
	bool stopped;    /* the user asked for it before all was done */
	bool reread;     /* reading all once more was begun */
	bool read_back;  /* and done */
	char sha256[65]; /* "" without --checksum, or when not all was read */
};

/* What stays the same from row to row. */
struct io_run {
	const struct io_opts *opts;
	struct verify verify;
	bool verifying;
	uint64_t clock_ns; /* what a pair of clock reads costs */
};

/* 0, or an exit status after a line was printed. */
int row_run(struct io_run *run, enum io_map map, struct io_row *row);
/* Whether the row found something wrong: blocks, faults, leaks. */
bool row_failed(const struct io_row *row);

void print_rows(const struct io_run *run, const struct io_row *rows, unsigned nr);
void print_histogram(const struct io_row *row);
void json_rows(const struct io_run *run, const struct io_row *rows, unsigned nr);

#endif
