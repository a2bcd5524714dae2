/* SPDX-License-Identifier: MIT */
/* phyr io: rows as JSON. Counts are totals of the row; ns are means of an I/O. */
#include "io/io.h"
#include "json_out.h"

static void add_us(struct json_object *to, const char *name, uint64_t ns)
{
	json_add_double(to, name, 3, (double)ns / 1e3);
}

static void add_latencies(struct json_object *to, const struct hist *lat)
{
	struct json_object *us = json_add_object(to, "lat_us");

	add_us(us, "p50", hist_quantile(lat, 0.5));
	add_us(us, "p99", hist_quantile(lat, 0.99));
	add_us(us, "p999", hist_quantile(lat, 0.999));
	add_us(us, "p9999", hist_quantile(lat, 0.9999));
	add_us(us, "max", lat->max);
}

/* Each bucket goes to the next one's start, twice its own. */
static void add_histogram(struct json_object *to, const struct hist *lat)
{
	struct json_object *array = json_add_array(to, "histogram");
	struct hist_lg2 lg2;

	hist_by_lg2(lat, &lg2);
	for (unsigned i = lg2.first; i < lg2.first + lg2.nr; i++) {
		struct json_object *bucket = json_object_new_object();

		json_add_number(bucket, "from_ns", i ? (uint64_t)1 << i : 0);
		json_add_number(bucket, "count", lg2.counts[i]);
		json_object_array_add(array, bucket);
	}
}

static void add_speed(struct json_object *to, const struct io_row *r)
{
	json_add_number(to, "ios", r->result.ios);
	json_add_number(to, "bytes", r->result.bytes);
	json_add_double(to, "seconds", 3, r->seconds);
	json_add_double(to, "iops", 3, r->iops);
	json_add_double(to, "mib_s", 3, r->mib_s);
	add_latencies(to, &r->result.latency);
	add_histogram(to, &r->result.latency);
	json_add_double(to, "map_ns_per_io", 3, r->map_ns);
	json_add_double(to, "unmap_ns_per_io", 3, r->unmap_ns);
	json_add_double(to, "desc_ns_per_io", 3, r->desc_ns);
}

/* How the run went besides: null for what was not asked for. */
static void add_course(struct json_object *to, const struct io_run *run, const struct io_row *r)
{
	const struct io_opts *o = run->opts;

	json_add_number(to, "trims", r->result.trims);
	json_add_number(to, "trim_bytes", r->result.trim_bytes);
	json_add_flag(to, "trims_verified", o->verify && run->verify.trims_zero && r->result.trims);
	json_add_number(to, "retries", r->result.retries);
	if (o->rate)
		json_add_double(to, "rate_share", 3, r->rate_share);
	else
		json_object_object_add(to, "rate_share", NULL);
	json_add_flag(to, "stopped", r->stopped);
	json_add_flag(to, "read_back", r->read_back);
}

static void add_wrong_blocks(struct json_object *to, const struct verify_found *found)
{
	static const char *const expected[] = {"anything", "zeroes", "generation", "stamp"};
	static const char *const held[] = {"zeroes",      "no_stamp",  "damaged",
					   "other_block", "other_run", "generation"};
	struct json_object *array = json_add_array(to, "wrong_blocks");

	for (unsigned i = 0; i < found->nr_first; i++) {
		const struct verify_wrong *w = &found->first[i];
		struct json_object *block = json_object_new_object();
		bool stamped = w->held >= HELD_OTHER_BLOCK;

		json_add_number(block, "lba", w->lba);
		json_add_text(block, "expected", expected[w->expected]);
		json_add_number_if(block, "generation", w->expected == EXPECT_GENERATION,
				   w->generation);
		json_add_text(block, "found", held[w->held]);
		json_add_number_if(block, "found_lba", stamped, w->held_lba);
		json_add_number_if(block, "found_generation", stamped, w->held_generation);
		json_object_array_add(array, block);
	}
}

/* What only a simulated machine tells is null on a real one. */
static void add_counts(struct json_object *to, const struct io_row *r, bool sim)
{
	struct json_object *part;

	json_add_number(to, "links", r->counts.links);
	json_add_number(to, "walks", r->counts.walks);
	json_add_number(to, "ptes", r->counts.ptes);
	json_add_number(to, "syncs", r->counts.syncs);
	json_add_number(to, "invalidations", r->counts.invalidations);
	json_add_number(to, "ioctls", r->counts.ioctls);
	json_add_number_if(to, "iotlb_hits", sim, r->counts.iotlb_hits);
	json_add_number_if(to, "iotlb_misses", sim, r->counts.iotlb_misses);
	json_add_number_if(to, "faults", sim, r->faults);
	json_add_number(to, "verify_errors", r->result.found.wrong);
	add_wrong_blocks(to, &r->result.found);
	part = json_add_object(to, "leaked");
	json_add_number(part, "iova", r->leaked_iova);
	json_add_number_if(part, "tables", sim, r->leaked_tables);
	json_add_number_if(part, "pages", sim, r->leaked_pages);
	part = json_add_object(to, "paths");
	for (unsigned i = 0; i < NR_PATHS; i++)
		json_add_number(part, io_path_names[i], r->result.paths[i]);
}

static struct json_object *row_object(const struct io_run *run, const struct io_row *r)
{
	struct json_object *row = json_object_new_object();

	json_add_text(row, "map", io_map_names[r->map]);
	json_add_text(row, "iommu", r->iommu);
	add_speed(row, r);
	add_counts(row, r, !run->opts->pci);
	add_course(row, run, r);
	json_add_text(row, "sha256", r->sha256[0] ? r->sha256 : NULL);
	return row;
}

static void add_opts(struct json_object *top, const struct io_opts *o)
{
	json_add_text(top, "target", o->target);
	json_add_text(top, "rw", io_rw_names[o->rw]);
	json_add_number(top, "bs_min", o->bs_min);
	json_add_number(top, "bs_max", o->bs_max);
	json_add_number(top, "iodepth", o->iodepth);
	json_add_number(top, "threads", o->threads);
	if (o->runtime_ns)
		json_add_double(top, "runtime_s", 3, (double)o->runtime_ns / 1e9);
	else
		json_object_object_add(top, "runtime_s", NULL);
	json_add_number_if(top, "rate_bytes_s", o->rate && !o->rate_iops, o->rate);
	json_add_number_if(top, "rate_iops", o->rate && o->rate_iops, o->rate);
	json_add_double(top, "timeout_s", 3, (double)o->timeout_ns / 1e9);
	json_add_number(top, "trim_percent", o->trim);
	json_add_flag(top, "interrupt", o->interrupt);
	json_add_text(top, "format",
		      o->format ? io_format_names[o->format - PHYR_PGTBL_X86_64] : NULL);
	json_add_text(top, "scatter", o->pci ? NULL : io_scatter_names[o->scatter]);
	json_add_number(top, "seed", o->seed);
}

void json_rows(const struct io_run *run, const struct io_row *rows, unsigned nr)
{
	struct json_object *top = json_object_new_object();
	struct json_object *array = json_object_new_array();
	bool stopped = nr < run->opts->nr_maps;

	json_add_text(top, "version", phyr_version());
	add_opts(top, run->opts);
	for (unsigned i = 0; i < nr; i++) {
		stopped |= rows[i].stopped;
		json_object_array_add(array, row_object(run, &rows[i]));
	}
	json_add_flag(top, "stopped", stopped);
	json_object_object_add(top, "rows", array);
	json_end(top);
}
