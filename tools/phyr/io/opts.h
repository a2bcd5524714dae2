/* SPDX-License-Identifier: MIT */
/* What the user asked for. */
#ifndef IO_OPTS_H
#define IO_OPTS_H

#include <stdbool.h>
#include <stdint.h>

#include <phyr/phyr.h>
#include <phyr/sim.h>

enum io_rw { RW_READ, RW_WRITE, RW_RANDREAD, RW_RANDWRITE, RW_RANDRW };
enum io_map { MAP_PERPAGE, MAP_ONESHOT, MAP_TWOSTEP, MAP_REGISTERED, NR_MAPS };

extern const char *const io_rw_names[];
extern const char *const io_map_names[];
extern const char *const io_iommu_names[];
extern const char *const io_scatter_names[];
/* By enum phyr_pgtbl_format, less 1. */
extern const char *const io_format_names[];

struct io_opts {
	const char *target; /* as given, "sim:FILE" or "pci:ADDRESS" */
	const char *file;   /* FILE or ADDRESS */
	bool pci;           /* a real device */
	enum io_rw rw;
	uint64_t bs_min, bs_max; /* bytes of an I/O */
	uint64_t iodepth;        /* of each thread */
	uint64_t threads;
	uint64_t size;       /* bytes of the target that are used, from its start; 0: all */
	uint64_t io_size;    /* bytes to move; 0: size, or no limit with runtime_ns */
	uint64_t runtime_ns; /* 0: until io_size is moved */
	uint64_t rate;       /* bytes or I/Os a second, of all threads; 0: no limit */
	bool rate_iops;      /* rate is I/Os */
	uint64_t timeout_ns; /* of a command */
	uint64_t trim;       /* percent of writes that deallocate */
	enum phyr_iommu_choice iommu;
	enum phyr_pgtbl_format format; /* 0: not chosen */
	enum io_map maps[NR_MAPS];
	unsigned nr_maps;
	enum phyr_sim_scatter scatter;
	bool scatter_given;
	uint64_t seed;
	uint64_t create; /* bytes of a target to make; 0: it is there */
	bool verify, checksum, interrupt, histogram, json, destroy_data;
};

/* 0, or an exit status after a line was printed; *help: the usage was asked for and printed. */
int io_parse(int argc, char **argv, struct io_opts *opts, bool *help);
/* What must fit together, and what follows from the target. The same. */
int io_check(struct io_opts *opts);

static inline bool rw_writes(enum io_rw rw)
{
	return rw == RW_WRITE || rw == RW_RANDWRITE || rw == RW_RANDRW;
}

static inline bool rw_random(enum io_rw rw)
{
	return rw >= RW_RANDREAD;
}

#endif
