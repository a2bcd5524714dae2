/* SPDX-License-Identifier: MIT */
/* phyr io: rows as JSON. Counts are totals of the row; ns are means of an I/O. */
#include <json-c/json.h>
#include <stdio.h>

#include "io/io.h"

static void add_number(struct json_object *to, const char *name, uint64_t v)
{
	json_object_object_add(to, name, json_object_new_uint64(v));
}

static void add_double(struct json_object *to, const char *name, double v)
{
	char text[32];

	snprintf(text, sizeof(text), "%.3f", v);
	json_object_object_add(to, name, json_object_new_double_s(v, text));
}

static void add_text(struct json_object *to, const char *name, const char *text)
{
	json_object_object_add(to, name, json_object_new_string(text));
}

static struct json_object *add_object(struct json_object *to, const char *name)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(to, name, object);
	return object;
}

static void add_speed(struct json_object *to, const struct io_row *r)
{
	struct json_object *lat;

	add_number(to, "ios", r->ios);
	add_number(to, "bytes", r->bytes);
	add_double(to, "seconds", r->seconds);
	add_double(to, "iops", r->iops);
	add_double(to, "mib_s", r->mib_s);
	lat = add_object(to, "lat_us");
	add_double(lat, "p50", r->p50_us);
	add_double(lat, "p99", r->p99_us);
	add_double(lat, "p999", r->p999_us);
	add_double(to, "map_ns_per_io", r->map_ns);
	add_double(to, "unmap_ns_per_io", r->unmap_ns);
	add_double(to, "desc_ns_per_io", r->desc_ns);
}

static void add_counts(struct json_object *to, const struct io_row *r)
{
	struct json_object *part;

	add_number(to, "links", r->counts.links);
	add_number(to, "walks", r->counts.walks);
	add_number(to, "ptes", r->counts.ptes);
	add_number(to, "syncs", r->counts.syncs);
	add_number(to, "invalidations", r->counts.invalidations);
	add_number(to, "iotlb_hits", r->counts.iotlb_hits);
	add_number(to, "iotlb_misses", r->counts.iotlb_misses);
	add_number(to, "faults", r->faults);
	add_number(to, "verify_errors", r->verify_errors);
	part = add_object(to, "leaked");
	add_number(part, "iova", r->leaked_iova);
	add_number(part, "tables", r->leaked_tables);
	add_number(part, "pages", r->leaked_pages);
	part = add_object(to, "paths");
	for (unsigned i = 0; i < NR_PATHS; i++)
		add_number(part, io_path_names[i], r->paths[i]);
}

static struct json_object *row_object(const struct io_row *r)
{
	struct json_object *row = json_object_new_object();

	add_text(row, "map", io_map_names[r->map]);
	add_text(row, "iommu", io_iommu_names[r->iommu]);
	add_speed(row, r);
	add_counts(row, r);
	json_object_object_add(row, "sha256",
			       r->sha256[0] ? json_object_new_string(r->sha256) : NULL);
	return row;
}

void json_rows(const struct io_opts *opts, const struct io_row *rows, unsigned nr)
{
	struct json_object *top = json_object_new_object();
	struct json_object *array = json_object_new_array();

	add_text(top, "version", phyr_version());
	add_text(top, "target", opts->target);
	add_text(top, "rw", io_rw_names[opts->rw]);
	add_number(top, "bs_min", opts->bs_min);
	add_number(top, "bs_max", opts->bs_max);
	add_number(top, "iodepth", opts->iodepth);
	add_text(top, "scatter", io_scatter_names[opts->scatter]);
	add_number(top, "seed", opts->seed);
	json_object_object_add(top, "rows", array);
	for (unsigned i = 0; i < nr; i++)
		json_object_array_add(array, row_object(&rows[i]));
	puts(json_object_to_json_string_ext(top, JSON_C_TO_STRING_PRETTY |
							 JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(top);
}
