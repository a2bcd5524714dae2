/* SPDX-License-Identifier: MIT */
/* phyr layout: where memory lies, and what it costs to describe it. */
#ifndef LAYOUT_LAYOUT_H
#define LAYOUT_LAYOUT_H

#include <sys/types.h>

#include <phyr/phyr.h>
#include <phyr/sim.h>
#include <phyr/source.h>

#include "cli.h"
#include "cmd.h"

#define COMMAND "layout"

/* What is behind memory of one's own. */
enum backing {
	BACKING_ANON,
	BACKING_THP,
	BACKING_HUGETLB,
	BACKING_MEMFD,
	BACKING_FILE,
};

extern const char *const layout_backing_names[];

struct layout_opts {
	uint64_t size; /* bytes; 0: of a file, all of it */
	enum backing backing;
	const char *file;
	pid_t pid; /* 0: memory of our own */
	uint64_t start, end;
	uint64_t seed;
	bool json;
};

/* How the memory that is shown was come by. */
enum memory {
	MEMORY_PINNED,
	MEMORY_SEEN,      /* looked at, not held */
	MEMORY_SIMULATED, /* the simulated machine's */
};

extern const char *const layout_memory_names[];

/* What /proc/PID/smaps says of memory, bytes. */
struct smaps {
	uint64_t rss; /* without hugetlb */
	uint64_t hugetlb;
	uint64_t swap;
	uint64_t anon_huge, shmem_huge, file_huge; /* mapped by huge entries; part of rss */
};

/* A mapping of a process. */
struct mapping {
	uint64_t start, end;
	struct smaps smaps;
};

/* Memory, described in one way. */
struct cost {
	uint64_t entries, bytes;
};

#define MAX_LEAF_SIZES 8

/* The entries of a page table that maps it. */
struct leaves {
	phyr_dma_addr_t iova;
	uint64_t tables;
	unsigned nr_sizes;
	uint64_t size[MAX_LEAF_SIZES], entries[MAX_LEAF_SIZES];
};

struct layout {
	struct phyr_env env; /* first: its report finds the rest */
	struct cli_reports reports;
	const struct layout_opts *opts;
	enum memory memory;
	const char *why; /* it is not pinned; static or the library's, NULL: it is */

	struct phyr_list list;
	struct phyr_pagemap_counts counts;
	struct smaps smaps;
	bool have_smaps;
	uint64_t zero; /* bytes that are the page of zeroes */
	bool have_zero;

	/* What keeps it there. */
	char *area, *reserved;
	uint64_t area_len, reserved_len;
	struct phyr_pin *pin;
	struct phyr_sim *sim;
};

/* What is computed from the list. */
struct figures {
	struct phyr_list_stats stats;
	uint64_t bytes_by_lg2[53];
	struct cost sg, bio_vec, prp, list;
	struct leaves leaves;
};

/* All of these return an exit status, having said what is wrong. */

/* *help: it was printed, and that is all. */
int layout_parse(int argc, char **argv, struct layout_opts *opts, bool *help);

/* Memory of our own, written to, in layout->area; it need not be real when @dry. */
int layout_map_backing(struct layout *l, bool dry);
/* The list of it: pinned, or seen, or simulated. */
int layout_take_own(struct layout *l);
/* The list of another process's memory. */
int layout_take_process(struct layout *l);
/* The list of @len bytes of the simulated machine's memory, because of @why. */
int layout_simulate(struct layout *l, uint64_t len, const char *why);
/* Whether the kernel says where pages lie; if not, *why. */
bool layout_may_look(struct layout *l, const char **why);
void layout_release(struct layout *l);

int layout_figures(struct layout *l, struct figures *f);

/* These return 0 or a negative errno. */

/* A process's mappings; 0: our own. *out is the caller's to free. */
int smaps_read(pid_t pid, struct mapping **out, size_t *nr);
/* What smaps says of [start, end), if no mapping lies across an edge: whether that is so. */
bool smaps_total(const struct mapping *mappings, size_t nr, uint64_t start, uint64_t end,
		 struct smaps *out);
/* Bytes of the list that are the page of zeroes, large or small; as /proc/kpageflags says. */
int zero_bytes(const struct phyr_list *list, uint64_t *out);
/* Each builds what it counts. */
int cost_sg(const struct phyr_list *list, struct cost *out);
int cost_bio_vec(const struct phyr_list *list, struct cost *out);
int cost_prp(const struct phyr_list *list, struct cost *out);
void cost_list(const struct phyr_list *list, struct cost *out);
int count_leaves(struct phyr_env *env, const struct phyr_list *list, struct leaves *out);

void layout_print(const struct layout *l, const struct figures *f);
void layout_json(const struct layout *l, const struct figures *f);

#endif
