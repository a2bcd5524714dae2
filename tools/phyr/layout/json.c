/* SPDX-License-Identifier: MIT */
/* phyr layout: what was found, as JSON. Everything is bytes that does not say otherwise. */
#include <json-c/json.h>
#include <stdio.h>

#include "layout/layout.h"

static void add_number(struct json_object *to, const char *name, uint64_t v)
{
	json_object_object_add(to, name, json_object_new_uint64(v));
}

static void add_text(struct json_object *to, const char *name, const char *text)
{
	json_object_object_add(to, name, text ? json_object_new_string(text) : NULL);
}

static struct json_object *add_object(struct json_object *to, const char *name)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(to, name, object);
	return object;
}

static void add_source(struct json_object *to, const struct layout *l)
{
	const struct layout_opts *o = l->opts;

	add_text(to, "memory", layout_memory_names[l->memory]);
	add_text(to, "why", l->why);
	add_text(to, "backing",
		 o->pid                       ? NULL
		 : o->backing == BACKING_FILE ? "file"
					      : layout_backing_names[o->backing]);
	add_text(to, "file", o->file);
	json_object_object_add(to, "pid", o->pid ? json_object_new_int(o->pid) : NULL);
	json_object_object_add(
		to, "seed", l->memory == MEMORY_SIMULATED ? json_object_new_uint64(o->seed) : NULL);
}

static void add_counts(struct json_object *to, const struct layout *l, const struct figures *f)
{
	char text[32];

	add_number(to, "bytes", l->list.len);
	add_number(to, "absent", l->counts.absent);
	add_number(to, "swapped", l->counts.swapped);
	json_object_object_add(to, "zero", l->have_zero ? json_object_new_uint64(l->zero) : NULL);
	add_number(to, "runs", f->stats.runs);
	add_number(to, "pages", f->stats.pages);
	add_number(to, "longest_pages", f->stats.longest_pages);
	snprintf(text, sizeof(text), "%.3f", (double)f->stats.pages / (double)f->stats.runs);
	json_object_object_add(
		to, "mean_pages",
		json_object_new_double_s((double)f->stats.pages / (double)f->stats.runs, text));
}

static void add_histogram(struct json_object *to, const struct figures *f)
{
	struct json_object *array = json_object_new_array();

	json_object_object_add(to, "histogram", array);
	for (unsigned i = 0; i < 53; i++) {
		struct json_object *row;

		if (!f->stats.runs_by_lg2[i])
			continue;
		row = json_object_new_object();
		add_number(row, "from_pages", (uint64_t)1 << i);
		add_number(row, "to_pages", ((uint64_t)2 << i) - 1);
		add_number(row, "runs", f->stats.runs_by_lg2[i]);
		add_number(row, "bytes", f->bytes_by_lg2[i]);
		json_object_array_add(array, row);
	}
}

static void add_smaps(struct json_object *to, const struct layout *l)
{
	struct json_object *part;

	if (!l->have_smaps) {
		json_object_object_add(to, "smaps", NULL);
		return;
	}
	part = add_object(to, "smaps");
	add_number(part, "rss", l->smaps.rss);
	add_number(part, "hugetlb", l->smaps.hugetlb);
	add_number(part, "swap", l->smaps.swap);
	add_number(part, "anon_huge", l->smaps.anon_huge);
	add_number(part, "shmem_huge", l->smaps.shmem_huge);
	add_number(part, "file_huge", l->smaps.file_huge);
}

static void add_cost(struct json_object *to, const char *name, const struct cost *c)
{
	struct json_object *part = add_object(to, name);

	add_number(part, "entries", c->entries);
	add_number(part, "bytes", c->bytes);
}

static void add_leaves(struct json_object *to, const struct leaves *leaves)
{
	struct json_object *part = add_object(to, "mapping"), *array = json_object_new_array();

	add_number(part, "iova", leaves->iova);
	add_number(part, "tables", leaves->tables);
	json_object_object_add(part, "leaves", array);
	for (unsigned i = 0; i < leaves->nr_sizes; i++) {
		struct json_object *row = json_object_new_object();

		add_number(row, "size", leaves->size[i]);
		add_number(row, "entries", leaves->entries[i]);
		json_object_array_add(array, row);
	}
}

void layout_json(const struct layout *l, const struct figures *f)
{
	struct json_object *top = json_object_new_object(), *cost;

	add_text(top, "version", phyr_version());
	add_source(top, l);
	add_counts(top, l, f);
	add_histogram(top, f);
	add_smaps(top, l);
	cost = add_object(top, "cost");
	add_cost(cost, "scatterlist", &f->sg);
	add_cost(cost, "bio_vec", &f->bio_vec);
	add_cost(cost, "prp", &f->prp);
	add_cost(cost, "phyr_list", &f->list);
	add_leaves(top, &f->leaves);
	puts(json_object_to_json_string_ext(top, JSON_C_TO_STRING_PRETTY |
							 JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(top);
}
