/* SPDX-License-Identifier: MIT */
/*
 * phyr io: the parts and what they hand to each other.
 *
 *   opts ─▶ row (one mapping mode: machine, target, buffers) ─▶ engine (submit, complete)
 *                                                                │
 *                                            map (four modes) ◀──┼──▶ verify (stamps)
 *                                                                └──▶ hist (latencies)
 *   rows ─▶ print | json
 */
#ifndef IO_IO_H
#define IO_IO_H

#include <nettle/sha2.h>
#include <stdbool.h>
#include <stdint.h>

#include <phyr/phyr.h>
#include <phyr/sim.h>

#include "cli.h"
#include "clock.h"
#include "cmd.h"
#include "stats.h"

#define COMMAND "io"

enum io_rw { RW_READ, RW_WRITE, RW_RANDREAD, RW_RANDWRITE, RW_RANDRW };
enum io_map { MAP_PERPAGE, MAP_ONESHOT, MAP_TWOSTEP, MAP_REGISTERED, NR_MAPS };

/* What an I/O's mapping turned out to be. */
enum io_path { PATH_PAGES, PATH_TWOSTEP, PATH_SAME, PATH_WINDOW, PATH_RANGES, NR_PATHS };

extern const char *const io_path_names[NR_PATHS];
extern const char *const io_rw_names[];
extern const char *const io_map_names[];
extern const char *const io_iommu_names[];
extern const char *const io_scatter_names[];

/* What the user asked for. */
struct io_opts {
	const char *target; /* as given, "sim:FILE" */
	const char *file;   /* FILE */
	enum io_rw rw;
	uint64_t bs_min, bs_max; /* bytes of an I/O */
	uint64_t iodepth;
	uint64_t size;    /* bytes of the target that are used, from its start; 0: all */
	uint64_t io_size; /* bytes to move; 0: size */
	enum phyr_iommu_choice iommu;
	enum io_map maps[NR_MAPS];
	unsigned nr_maps;
	enum phyr_sim_scatter scatter;
	uint64_t seed;
	uint64_t create; /* bytes of a target to make; 0: it is there */
	bool verify, checksum, json, destroy_data;
};

/* 0, or an exit status after a line was printed; *help: the usage was asked for and printed. */
int io_parse(int argc, char **argv, struct io_opts *opts, bool *help);

static inline bool rw_writes(enum io_rw rw)
{
	return rw == RW_WRITE || rw == RW_RANDWRITE || rw == RW_RANDRW;
}

static inline bool rw_random(enum io_rw rw)
{
	return rw >= RW_RANDREAD;
}

/* Latencies, ns, by their two leading parts: 64 steps to each power of two. */
#define HIST_STEPS   64
#define HIST_BUCKETS (60 * HIST_STEPS)

struct hist {
	uint64_t count;
	uint64_t buckets[HIST_BUCKETS];
};

void hist_add(struct hist *hist, uint64_t ns);
/* The value below which this share (0 to 1) of all lies, ns. */
uint64_t hist_quantile(const struct hist *hist, double share);

/* What each block holds by now, as far as this run knows; kept from row to row. */
struct verify {
	uint32_t *generation; /* of each block; 0: never written by this run */
	uint32_t block_size;
	uint64_t seed;
	bool starts_zeroed; /* unwritten blocks are zero: this run made the file */
	bool stamped;       /* unwritten blocks carry stamps of an earlier run */
	uint64_t unstamped; /* blocks found without a stamp that should have one */
};

int verify_init(struct verify *v, const struct io_opts *opts, uint64_t nr_blocks,
		uint32_t block_size);
void verify_fini(struct verify *v);
/* Stamp blocks that are about to be written, each with its next generation. */
void verify_fill(struct verify *v, void *buf, uint64_t lba, uint64_t len);
/* Check blocks that were read. @return how many are wrong */
uint64_t verify_check(struct verify *v, const void *buf, uint64_t lba, uint64_t len);

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

	struct phyr_cursor data; /* what is still to be submitted */
	struct engine *engine;
	uint64_t start_ns;
	uint64_t offset, len; /* bytes, in the target and of the I/O */
	uint64_t sent;        /* bytes submitted */
	unsigned commands;    /* in flight */
	int err;
	bool write, busy, done;
};

/* What an engine has measured. */
struct engine_result {
	uint64_t ios, bytes, ns;
	uint64_t map_ns, unmap_ns; /* sums, with the clock's own cost in them */
	uint64_t timed;            /* pairs of clock reads in each sum */
	uint64_t verify_errors;
	struct hist latency;
};

/* Runs I/O of one kind on an open target. */
struct engine {
	const struct io_opts *opts;
	enum io_map map;
	struct phyr *p;
	struct phyr_nvme_queue *queue;
	const struct phyr_nvme_info *info;
	struct verify *verify;  /* NULL: no verifying */
	struct sha256_ctx *sha; /* NULL: no checksum */
	enum io_rw rw;
	uint64_t size, io_size; /* bytes */
	uint64_t rng;

	struct io_slot *slots;
	unsigned nr_slots;
	uint64_t position; /* next offset of a sequential run */
	uint64_t started;  /* I/Os */
	uint64_t hashed;   /* I/Os whose data went into the checksum, in order */
	uint64_t begun_bytes;
	unsigned in_flight;
	uint64_t paths[NR_PATHS]; /* mappings made, by what they turned out to be */
	int err;                  /* the first error: no more I/O is started */
	struct engine_result result;
};

int engine_run(struct engine *e);

/* The four ways to map an I/O; by mode. */
int map_slot_init(struct engine *e, struct io_slot *slot, uint64_t misalign);
void map_slot_fini(struct engine *e, struct io_slot *slot);
/* Map the first slot->len bytes of the buffer and set slot->data over the dma addresses. */
int map_begin(struct engine *e, struct io_slot *slot);
void map_end(struct engine *e, struct io_slot *slot);

/* A mode's line in the table. */
struct io_row {
	enum io_map map;
	enum phyr_iommu_choice iommu;
	double seconds, iops, mib_s;
	double p50_us, p99_us, p999_us;
	double map_ns, unmap_ns, desc_ns; /* an I/O */
	uint64_t ios, bytes;
	struct counts counts;
	uint64_t paths[NR_PATHS]; /* mappings, by what they turned out to be */
	uint64_t faults;          /* from the start to the end, the last read-back included */
	uint64_t verify_errors;
	uint64_t leaked_iova, leaked_tables, leaked_pages;
	char sha256[65]; /* "" without --checksum */
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

void print_rows(const struct io_opts *opts, const struct io_row *rows, unsigned nr);
void json_rows(const struct io_opts *opts, const struct io_row *rows, unsigned nr);

#endif
