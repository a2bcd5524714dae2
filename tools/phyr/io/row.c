/* SPDX-License-Identifier: MIT */
/* One row: a machine, its target, buffers, a run in one mapping mode, and what is left at the end. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/io.h"

/* All that a row holds while it runs. */
struct trial {
	struct io_run *run;
	struct phyr_sim *sim;
	struct phyr *p;
	struct cli_reports reports;
	struct engine engine;
	struct sha256_ctx sha;
};

static int failed(const struct trial *s, const char *what, int err)
{
	return cli_error(EXIT_FAILED, COMMAND, "%s: %s: %s", s->run->opts->target, what,
			 cli_why(&s->reports, err));
}

static int open_target(struct trial *s)
{
	const struct io_opts *o = s->run->opts;
	struct phyr_sim_config config = {
		.size = sizeof(config), .scatter = o->scatter, .seed = o->seed};
	struct phyr_opts opts = {.size = sizeof(opts),
				 .iommu = o->iommu,
				 .writable = rw_writes(o->rw),
				 .report = cli_take_report,
				 .report_arg = &s->reports};
	int err = phyr_sim_create(&config, &s->sim);

	if (err)
		return failed(s, "simulated machine", err);
	opts.sim = s->sim;
	opts.depth = (unsigned)(o->iodepth * (o->bs_max / (1 << 20) + 1));
	err = phyr_open(o->target, &opts, &s->p);
	return err ? failed(s, "open", err) : 0;
}

static int off_block(const char *option, const struct phyr_nvme_info *info)
{
	return cli_error(EXIT_USAGE, COMMAND, "--%s: multiples of the block, %u bytes", option,
			 info->block_size);
}

/* What the target's own size and block say about the options. */
static int check_sizes(struct trial *s)
{
	const struct io_opts *o = s->run->opts;
	const struct phyr_nvme_info *info = phyr_nvme_get_info(phyr_get_nvme(s->p));
	uint64_t bytes = info->nr_blocks * info->block_size;
	uint64_t size = o->size ? o->size : bytes;

	if (size > bytes)
		return cli_error(EXIT_USAGE, COMMAND,
				 "--size %" PRIu64 " is beyond %s (%" PRIu64 " bytes)", size,
				 o->target, bytes);
	if (size % info->block_size)
		return off_block("size", info);
	if (o->io_size % info->block_size)
		return off_block("io-size", info);
	if (o->bs_min % info->block_size || o->bs_max % info->block_size)
		return off_block("bs", info);
	return 0;
}

static int start_verify(struct trial *s)
{
	const struct phyr_nvme_info *info = phyr_nvme_get_info(phyr_get_nvme(s->p));
	int err = 0;

	if (!s->run->opts->verify)
		return 0;
	if (!s->run->verifying)
		err = verify_init(&s->run->verify, s->run->opts, info->nr_blocks, info->block_size);
	if (err)
		return failed(s, "verify", err);
	s->run->verifying = true;
	s->engine.verify = &s->run->verify;
	return 0;
}

static int make_slots(struct trial *s)
{
	struct engine *e = &s->engine;
	int err = 0;

	e->slots = calloc(s->run->opts->iodepth, sizeof(*e->slots));
	if (!e->slots)
		return failed(s, "buffers", -ENOMEM);
	/* Buffers start at different offsets of a page: first entries are not always aligned. */
	for (size_t i = 0; !err && i < s->run->opts->iodepth; i++) {
		err = map_slot_init(e, &e->slots[i], i % 2 * 512 * (i / 2 % 8));
		e->nr_slots += !err;
	}
	return err ? failed(s, "buffers", err) : 0;
}

static void make_engine(struct trial *s, enum io_map map)
{
	const struct io_opts *o = s->run->opts;
	const struct phyr_nvme_info *info = phyr_nvme_get_info(phyr_get_nvme(s->p));
	uint64_t size = o->size ? o->size : info->nr_blocks * info->block_size;

	s->engine.opts = o;
	s->engine.map = map;
	s->engine.p = s->p;
	s->engine.queue = phyr_get_queue(s->p);
	s->engine.info = info;
	s->engine.rw = o->rw;
	s->engine.size = size;
	s->engine.io_size = o->io_size ? o->io_size : size;
	s->engine.rng = o->seed * NR_MAPS + map;
	if (o->checksum) {
		sha256_init(&s->sha);
		s->engine.sha = &s->sha;
	}
}

/* After a verified run with writes: read all of the target once more. */
static int read_all_back(struct trial *s)
{
	struct engine *e = &s->engine;
	uint64_t errors = e->result.verify_errors;
	int err;

	memset(&e->result, 0, sizeof(e->result));
	e->rw = RW_READ;
	e->io_size = e->size;
	e->position = 0;
	e->begun_bytes = 0;
	err = engine_run(e);
	e->result.verify_errors += errors;
	return err;
}

static double per_io(const struct engine_result *r, uint64_t sum_ns, uint64_t pairs,
		     uint64_t clock_ns)
{
	uint64_t clock = pairs * clock_ns;

	if (!r->ios || sum_ns < clock)
		return 0;
	return (double)(sum_ns - clock) / (double)r->ios;
}

static void measure(struct trial *s, struct io_row *row, uint64_t desc_ns, uint64_t commands)
{
	const struct engine_result *r = &s->engine.result;
	uint64_t clock_ns = s->run->clock_ns;

	row->ios = r->ios;
	row->bytes = r->bytes;
	row->seconds = (double)r->ns / 1e9;
	row->iops = (double)r->ios / row->seconds;
	row->mib_s = (double)r->bytes / 1048576 / row->seconds;
	row->p50_us = (double)hist_quantile(&r->latency, 0.5) / 1e3;
	row->p99_us = (double)hist_quantile(&r->latency, 0.99) / 1e3;
	row->p999_us = (double)hist_quantile(&r->latency, 0.999) / 1e3;
	row->map_ns = per_io(r, r->map_ns, r->timed, clock_ns);
	row->unmap_ns = per_io(r, r->unmap_ns, r->timed, clock_ns);
	row->desc_ns = per_io(r, desc_ns, commands, clock_ns);
}

static void write_sha(struct trial *s, struct io_row *row)
{
	uint8_t digest[SHA256_DIGEST_SIZE];

	if (!s->engine.sha)
		return;
	sha256_digest(&s->sha, sizeof(digest), digest);
	for (unsigned i = 0; i < sizeof(digest); i++)
		snprintf(row->sha256 + 2 * (size_t)i, 3, "%02x", digest[i]);
}

static int run_engine(struct trial *s, struct io_row *row)
{
	struct phyr_nvme_stats nvme;
	struct counts before = counts_now(s->p), after;
	int err;

	phyr_nvme_queue_set_timing(s->engine.queue, true);
	err = engine_run(&s->engine);
	after = counts_now(s->p);
	phyr_nvme_queue_get_stats(s->engine.queue, &nvme);
	row->counts = counts_since(&before, &after);
	measure(s, row, nvme.desc_ns, nvme.submitted);
	memcpy(row->paths, s->engine.paths, sizeof(row->paths));
	write_sha(s, row);
	if (!err && s->engine.verify && rw_writes(s->engine.opts->rw)) {
		s->engine.sha = NULL;
		err = read_all_back(s);
	}
	row->verify_errors = s->engine.result.verify_errors;
	return err ? failed(s, "I/O", err) : 0;
}

/* Give all back, then see what is still there. */
static void end_trial(struct trial *s, struct io_row *row)
{
	struct phyr_sim_stats left;

	for (unsigned i = 0; i < s->engine.nr_slots; i++)
		map_slot_fini(&s->engine, &s->engine.slots[i]);
	free(s->engine.slots);
	phyr_close(s->p);
	if (s->sim) {
		phyr_sim_get_stats(s->sim, &left);
		row->faults = left.faults;
		row->leaked_iova = s->reports.iova_left;
		row->leaked_tables = left.table_pages;
		row->leaked_pages = left.pinned_pages;
	}
	phyr_sim_destroy(s->sim);
}

int row_run(struct io_run *run, enum io_map map, struct io_row *row)
{
	struct trial *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return cli_error(EXIT_FAILED, COMMAND, "no memory");
	s->run = run;
	*row = (struct io_row){.map = map, .iommu = run->opts->iommu};
	err = open_target(s);
	err = err ? err : check_sizes(s);
	if (!err) {
		make_engine(s, map);
		err = start_verify(s);
	}
	err = err ? err : make_slots(s);
	err = err ? err : run_engine(s, row);
	end_trial(s, row);
	free(s);
	return err;
}

bool row_failed(const struct io_row *row)
{
	return row->verify_errors || row->faults || row->leaked_iova || row->leaked_tables ||
	       row->leaked_pages;
}
