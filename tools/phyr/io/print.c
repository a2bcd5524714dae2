/* SPDX-License-Identifier: MIT */
/* phyr io: rows as two tables, of speed and of counts. */
#include <inttypes.h>
#include <stdio.h>

#include "io/io.h"

static void print_rate(const struct io_opts *o)
{
	char size[32];

	if (o->rate_iops)
		printf("  rate %" PRIu64 " IOPS", o->rate);
	else if (o->rate)
		printf("  rate %s/s", cli_size(o->rate, size));
}

/* What only some runs have: a line of its own. */
static void print_choices(const struct io_opts *o)
{
	printf("threads %" PRIu64, o->threads);
	if (o->runtime_ns)
		printf("  runtime %g s", (double)o->runtime_ns / 1e9);
	print_rate(o);
	if (o->trim)
		printf("  trim %" PRIu64 " %%", o->trim);
	printf("%s\n", o->interrupt ? "  interrupts" : "");
}

static void print_heading(const struct io_opts *o, const char *iommu)
{
	char low[32], high[32];

	printf("%s  %s  bs %s", o->target, io_rw_names[o->rw], cli_size(o->bs_min, low));
	if (o->bs_max != o->bs_min)
		printf("-%s", cli_size(o->bs_max, high));
	printf("  iodepth %" PRIu64 "  iommu %s", o->iodepth, iommu);
	if (o->format)
		printf("  format %s", io_format_names[o->format - PHYR_PGTBL_X86_64]);
	if (!o->pci)
		printf("  scatter %s", io_scatter_names[o->scatter]);
	printf("  seed %" PRIu64 "%s\n", o->seed, o->verify ? "  verified" : "");
	if (o->threads > 1 || o->runtime_ns || o->rate || o->trim || o->interrupt)
		print_choices(o);
	printf("\n");
}

/* A mean over no I/O is none. */
static void print_mean(const struct io_row *r, int width, int decimals, double v)
{
	if (r->result.ios)
		printf(" %*.*f", width, decimals, v);
	else
		printf(" %*s", width, "-");
}

/* A latency in us, with a decimal as long as there is room for it. */
static void print_us(const struct io_row *r, uint64_t ns)
{
	print_mean(r, 8, ns < 100000000 ? 1 : 0, (double)ns / 1e3);
}

static void print_latencies(const struct io_row *r)
{
	static const double quantiles[] = {0.5, 0.99, 0.999, 0.9999};

	for (unsigned i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++)
		print_us(r, hist_quantile(&r->result.latency, quantiles[i]));
	print_us(r, r->result.latency.max);
}

static void print_speed(const struct io_row *rows, unsigned nr)
{
	printf("%-10s %8s %6s  %45s  %23s\n", "", "", "", "latency, us               ",
	       "ns an I/O       ");
	printf("%-10s %8s %6s  %8s %8s %8s %8s %8s  %7s %8s %6s\n", "map", "IOPS", "MiB/s", "p50",
	       "p99", "p99.9", "p99.99", "max", "mapping", "unmapp.", "desc");
	for (unsigned i = 0; i < nr; i++) {
		const struct io_row *r = &rows[i];

		printf("%-10s %8.0f %6.0f ", io_map_names[r->map], r->iops, r->mib_s);
		print_latencies(r);
		print_mean(r, 8, 0, r->map_ns);
		print_mean(r, 8, 0, r->unmap_ns);
		print_mean(r, 6, 0, r->desc_ns);
		printf("\n");
	}
}

static void print_per_io(const struct io_row *r, int width, uint64_t count)
{
	print_mean(r, width, 2, r->result.ios ? (double)count / (double)r->result.ios : 0);
}

/* What the mappings turned out to be. */
static void print_paths(const struct io_row *r)
{
	const char *between = "";

	for (unsigned i = 0; i < NR_PATHS; i++) {
		if (!r->result.paths[i])
			continue;
		printf("%s%s", between, io_path_names[i]);
		between = ",";
	}
	printf("%s\n", *between ? "" : "-");
}

/* A simulated machine's IOTLB and faults are known; a real one's IOMMU costs calls into the kernel. */
static void print_count_names(bool sim)
{
	printf("\n%-10s %6s %6s %7s %6s %6s", "an I/O", "links", "walks", "entries", "syncs",
	       "inval.");
	if (sim)
		printf(" %8s %7s", "TLB hits", "misses");
	else
		printf(" %8s", "ioctls");
	printf("   %6s %5s %6s  %s\n", "faults", "wrong", "leaked", "paths");
}

static void print_count_row(const struct io_row *r, bool sim)
{
	const struct counts *c = &r->counts;

	printf("%-10s", io_map_names[r->map]);
	print_per_io(r, 6, c->links);
	print_per_io(r, 6, c->walks);
	print_per_io(r, 7, c->ptes);
	print_per_io(r, 6, c->syncs);
	print_per_io(r, 6, c->invalidations);
	print_per_io(r, 8, sim ? c->iotlb_hits : c->ioctls);
	if (sim) {
		print_per_io(r, 7, c->iotlb_misses);
		printf("   %6" PRIu64, r->faults);
	} else {
		printf("   %6s", "-");
	}
	printf(" %5" PRIu64 " %6" PRIu64 "  ", r->result.found.wrong,
	       r->leaked_iova + r->leaked_tables + r->leaked_pages);
	print_paths(r);
}

static void print_counts(const struct io_row *rows, unsigned nr, bool sim)
{
	print_count_names(sim);
	for (unsigned i = 0; i < nr; i++)
		print_count_row(&rows[i], sim);
}

static const char *trim_text(const struct io_run *run)
{
	if (!run->opts->verify)
		return "not verified";
	return run->verify.trims_zero ? "verified to read as zeroes"
				      : "not verified: the device does not say what they read as";
}

static const char *stop_text(const struct io_opts *o, const struct io_row *r)
{
	if (!o->verify || !rw_writes(o->rw))
		return "";
	return r->reread ? " and a part of reading all of it back"
			 : "; what was written was not read back";
}

static void print_wrong(const char *name, const struct verify_wrong *w)
{
	printf("%s: wrong block %" PRIu64 ": expected ", name, w->lba);
	if (w->expected == EXPECT_GENERATION)
		printf("generation %" PRIu32, w->generation);
	else
		printf(w->expected == EXPECT_ZEROES ? "zeroes" : "a stamp of an earlier run");
	printf("; found ");
	if (w->held == HELD_OTHER_BLOCK)
		printf("block %" PRIu64 ", ", w->held_lba);
	if (w->held >= HELD_OTHER_BLOCK)
		printf("generation %" PRIu64 "%s\n", w->held_generation,
		       w->held == HELD_OTHER_RUN ? " of another run" : "");
	else
		puts(w->held == HELD_ZEROES    ? "zeroes"
		     : w->held == HELD_DAMAGED ? "a stamp with damaged data"
					       : "no stamp");
}

static void print_found(const char *name, const struct verify_found *found)
{
	for (unsigned i = 0; i < found->nr_first; i++)
		print_wrong(name, &found->first[i]);
	if (found->nr_first == VERIFY_FIRST)
		printf("%s: these are the first %u; a block counts as wrong whenever it is read "
		       "so\n",
		       name, VERIFY_FIRST);
}

static bool nothing_begun(const struct io_row *r)
{
	return !r->result.ios && !r->result.trims;
}

/* What is said of a row only when there is something to say. */
static void print_notes(const struct io_run *run, const struct io_row *r)
{
	const struct io_opts *o = run->opts;
	const struct engine_result *sum = &r->result;
	const char *name = io_map_names[r->map];

	if (o->rate)
		printf("%s: %.1f %% of the rate asked for\n", name, 100 * r->rate_share);
	if (nothing_begun(r))
		printf("%s: no I/O was begun%s\n", name, o->runtime_ns ? " in the run time" : "");
	if (sum->trims)
		printf("%s: %" PRIu64 " deallocates, %.1f MiB, %s\n", name, sum->trims,
		       (double)sum->trim_bytes / 1048576, trim_text(run));
	if (sum->retries)
		printf("%s: %" PRIu64 " I/Os submitted again after a reset of the controller\n",
		       name, sum->retries);
	print_found(name, &sum->found);
	if (r->stopped)
		printf("%s: stopped after %.1f s%s\n", name, r->seconds, stop_text(o, r));
	if (r->sha256[0])
		printf("sha256 %s  %s\n", r->sha256, name);
	else if (o->checksum)
		printf("%s: no sha256, not all was read\n", name);
}

static bool has_notes(const struct io_opts *o, const struct io_row *r)
{
	return nothing_begun(r) || o->rate || o->checksum || r->result.trims || r->result.retries ||
	       r->stopped || r->result.found.nr_first;
}

void print_rows(const struct io_run *run, const struct io_row *rows, unsigned nr)
{
	const struct io_opts *o = run->opts;
	bool notes = nr < o->nr_maps;

	print_heading(o, nr ? rows[0].iommu : io_iommu_names[o->iommu]);
	print_speed(rows, nr);
	print_counts(rows, nr, !o->pci);
	for (unsigned i = 0; i < nr; i++)
		notes |= has_notes(o, &rows[i]);
	if (notes)
		printf("\n");
	for (unsigned i = 0; i < nr; i++)
		print_notes(run, &rows[i]);
	for (unsigned i = nr; i < o->nr_maps; i++)
		printf("%s: stopped before it began\n", io_map_names[o->maps[i]]);
	for (unsigned i = 0; o->histogram && i < nr; i++)
		print_histogram(&rows[i]);
}
