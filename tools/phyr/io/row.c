/* SPDX-License-Identifier: MIT */
/* One row: a target, on a machine of its own where that is simulated; buffers, a run in one mapping mode,
 * and what is left at the end. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/io.h"

#define CLASS_NVME 0x010802 /* PCI Code and ID Assignment 1.11, 1.2 */

/* All that a row holds while it runs. */
struct trial {
	struct io_run *run;
	struct phyr_sim *sim;
	struct phyr *p;
	struct cli_reports reports;
	struct team team;
	struct wanted wanted;
	struct sha256_ctx sha;
};

static int failed(const struct trial *s, const char *what, int err)
{
	return cli_error(EXIT_FAILED, COMMAND, "%s: %s: %s", s->run->opts->target, what,
			 cli_why(&s->reports, err));
}

static int make_machine(struct trial *s)
{
	const struct io_opts *o = s->run->opts;
	/* Narrow addresses, that tables of each format can hold. */
	struct phyr_sim_config config = {
		.size = sizeof(config), .scatter = o->scatter, .seed = o->seed, .oa_bits = 40};
	int err = o->pci ? 0 : phyr_sim_create(&config, &s->sim);

	return err ? failed(s, "simulated machine", err) : 0;
}

/* What the target is behind, in the words of --iommu. */
static void name_iommu(struct trial *s, struct io_row *row)
{
	struct phyr_domain *domain = phyr_dev_domain(phyr_get_dev(s->p));
	const struct phyr_iommu_caps *caps = phyr_domain_iommu(domain)->caps;

	snprintf(row->iommu, sizeof(row->iommu), "%s", caps->translates ? caps->name : "none");
}

/* Said here in the user's words; what else is wrong with an address is phyr_open()'s to say. */
static int check_class(const struct trial *s)
{
	const struct io_opts *o = s->run->opts;
	struct phyr_pci_info info;
	struct phyr_env quiet = *phyr_env_hosted();
	uint32_t source;

	quiet.report = NULL;
	if (!o->pci || phyr_pci_parse(o->file, &source) || phyr_pci_find(&quiet, source, &info) ||
	    info.class_code == CLASS_NVME)
		return 0;
	return cli_error(EXIT_FAILED, COMMAND, "%s: not an NVMe controller", o->target);
}

static int open_target(struct trial *s, struct io_row *row)
{
	const struct io_opts *o = s->run->opts;
	struct phyr_opts opts = {.size = sizeof(opts),
				 .iommu = o->iommu,
				 .format = o->format,
				 .writable = rw_writes(o->rw),
				 .sim = s->sim,
				 .report = cli_take_report,
				 .report_arg = &s->reports};
	int err = check_class(s);

	if (err)
		return err;
	opts.depth = (unsigned)io_queue_depth(o);
	opts.nvme = (struct phyr_nvme_opts){.size = sizeof(opts.nvme),
					    .queues = (unsigned)o->threads,
					    .timeout_ns = o->timeout_ns,
					    .interrupts = o->interrupt};
	err = phyr_open(o->target, &opts, &s->p);
	if (err)
		return failed(s, "open", err);
	name_iommu(s, row);
	wanted_begin(&s->wanted, s->p, o->target);
	return 0;
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
	if (o->io_size && o->io_size < o->bs_max)
		return cli_error(EXIT_USAGE, COMMAND,
				 "--io-size %" PRIu64 " is less than an I/O of --bs", o->io_size);
	return 0;
}

static int start_verify(struct trial *s)
{
	const struct phyr_nvme_info *info = phyr_nvme_get_info(phyr_get_nvme(s->p));
	const struct io_opts *o = s->run->opts;
	uint64_t blocks = o->size ? o->size / info->block_size : info->nr_blocks;
	int err = 0;

	if (!o->verify)
		return 0;
	if (!s->run->verifying)
		err = verify_init(&s->run->verify, o, blocks, info->block_size);
	if (err)
		return failed(s, "verify", err);
	s->run->verifying = true;
	s->run->verify.trims_zero = info->zeroes_deallocated;
	s->team.verify = &s->run->verify;
	return 0;
}

static int check_trim(struct trial *s)
{
	const struct phyr_nvme_info *info = phyr_nvme_get_info(phyr_get_nvme(s->p));

	if (s->run->opts->trim && !info->deallocate)
		return cli_error(EXIT_USAGE, COMMAND,
				 "--trim: the device has no deallocate (Dataset Management)");
	return 0;
}

static int check_threads(struct trial *s)
{
	const struct io_opts *o = s->run->opts;
	const struct phyr_nvme_info *info = phyr_nvme_get_info(phyr_get_nvme(s->p));
	uint64_t blocks = o->size ? o->size / info->block_size : info->nr_blocks;
	uint64_t part = blocks / o->threads * info->block_size;
	char bs[32];

	if (o->threads > info->queues)
		return cli_error(
			EXIT_USAGE, COMMAND,
			"--threads %" PRIu64 ": the device has queues for %u%s", o->threads,
			info->queues,
			o->interrupt ? " with --interrupt: one of its vectors is the admin queue's"
				     : "");
	if (part < o->bs_max)
		return cli_error(EXIT_USAGE, COMMAND,
				 "--bs %s: a thread's part of what is used is only %" PRIu64
				 " bytes; a smaller --bs%s",
				 cli_size(o->bs_max, bs), part,
				 o->threads > 1 ? ", or fewer threads" : "");
	return 0;
}

static int make_team(struct trial *s, enum io_map map)
{
	const char *why;
	int err;

	s->team.opts = s->run->opts;
	s->team.map = map;
	s->team.p = s->p;
	if (s->run->opts->checksum) {
		sha256_init(&s->sha);
		s->team.sha = &s->sha;
	}
	err = team_init(&s->team, &why);
	return err ? failed(s, why, err) : 0;
}

static double per_io(const struct engine_result *r, uint64_t sum_ns, uint64_t pairs,
		     uint64_t clock_ns)
{
	uint64_t clock = pairs * clock_ns;

	if (!r->ios || sum_ns < clock)
		return 0;
	return (double)(sum_ns - clock) / (double)r->ios;
}

static double desc_ns(struct trial *s, const struct engine_result *r)
{
	uint64_t sum = 0, commands = 0;
	struct phyr_nvme_stats nvme;

	for (unsigned i = 0; i < s->team.nr; i++) {
		phyr_nvme_queue_get_stats(s->team.engines[i].queue, &nvme);
		sum += nvme.desc_ns;
		commands += nvme.submitted;
	}
	/* Deallocates have no PRPs, and are not timed. */
	return per_io(r, sum, commands - r->trims, s->run->clock_ns);
}

/* What was reached of what was asked for; deallocates count as what they free. */
static double rate_share(const struct io_opts *o, const struct engine_result *r, double seconds)
{
	uint64_t units = o->rate_iops ? r->ios + r->trims : r->bytes + r->trim_bytes;

	return o->rate ? (double)units / seconds / (double)o->rate : 0;
}

static void measure(struct trial *s, struct io_row *row, uint64_t ns)
{
	struct engine_result *r = &row->result;
	uint64_t clock_ns = s->run->clock_ns;

	team_result(&s->team, r);
	row->seconds = (double)ns / 1e9;
	row->iops = (double)r->ios / row->seconds;
	row->mib_s = (double)r->bytes / 1048576 / row->seconds;
	row->rate_share = rate_share(s->run->opts, r, row->seconds);
	row->map_ns = per_io(r, r->map_ns, r->timed, clock_ns);
	row->unmap_ns = per_io(r, r->unmap_ns, r->timed, clock_ns);
	row->desc_ns = desc_ns(s, r);
}

static void write_sha(struct trial *s, struct io_row *row)
{
	uint8_t digest[SHA256_DIGEST_SIZE];

	if (!s->team.sha || row->stopped)
		return;
	sha256_digest(&s->sha, sizeof(digest), digest);
	for (unsigned i = 0; i < sizeof(digest); i++)
		snprintf(row->sha256 + 2 * (size_t)i, 3, "%02x", digest[i]);
}

/* After a verified run with writes: read all of the target once more. */
static int read_back(struct trial *s, struct io_row *row, const char **why)
{
	struct engine_result r;
	int err;

	if (!s->team.verify || !rw_writes(s->run->opts->rw) || row->stopped)
		return 0;
	row->reread = true;
	err = team_read_back(&s->team, why);
	team_result(&s->team, &r);
	verify_merge(&row->result.found, &r.found);
	row->result.retries += r.retries;
	row->stopped = team_was_stopped(&s->team);
	row->read_back = !err && !row->stopped;
	return err;
}

static int run_team(struct trial *s, struct io_row *row)
{
	struct counts before = counts_now(s->p), after;
	uint64_t start = now_ns();
	const char *why = NULL;
	int err = team_run(&s->team, &why);

	measure(s, row, now_ns() - start);
	after = counts_now(s->p);
	row->counts = counts_since(&before, &after);
	row->stopped = team_was_stopped(&s->team);
	write_sha(s, row);
	err = err ? err : read_back(s, row, &why);
	return err ? failed(s, why, err) : 0;
}

/* Give all back, then see what is still there. */
static void end_trial(struct trial *s, struct io_row *row)
{
	struct phyr_sim_stats left;

	team_fini(&s->team);
	phyr_close(s->p);
	wanted_end(&s->wanted);
	row->leaked_iova = s->reports.iova_left;
	if (s->sim) {
		phyr_sim_get_stats(s->sim, &left);
		row->faults = left.faults;
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
	*row = (struct io_row){.map = map};
	err = make_machine(s);
	err = err ? err : open_target(s, row);
	err = err ? err : check_sizes(s);
	err = err ? err : check_threads(s);
	err = err ? err : check_trim(s);
	err = err ? err : start_verify(s);
	err = err ? err : make_team(s, map);
	err = err ? err : run_team(s, row);
	end_trial(s, row);
	free(s);
	return err;
}

bool row_failed(const struct io_row *row)
{
	return row->result.found.wrong || row->faults || row->leaked_iova || row->leaked_tables ||
	       row->leaked_pages;
}
