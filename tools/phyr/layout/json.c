/* SPDX-License-Identifier: MIT */
/* phyr layout: what was found, as JSON. Everything is bytes that does not say otherwise. */
#include "json_out.h"
#include "layout/layout.h"

static void add_source(struct json_object *to, const struct layout *l)
{
	const struct layout_opts *o = l->opts;

	json_add_text(to, "memory", layout_memory_names[l->memory]);
	json_add_text(to, "why", l->why);
	json_add_text(to, "backing",
		      o->pid                       ? NULL
		      : o->backing == BACKING_FILE ? "file"
						   : layout_backing_names[o->backing]);
	json_add_text(to, "file", o->file);
	json_add_number_if(to, "pid", o->pid, (uint64_t)o->pid);
	json_add_number_if(to, "seed", l->memory == MEMORY_SIMULATED, o->seed);
}

static void add_counts(struct json_object *to, const struct layout *l, const struct figures *f)
{
	json_add_number(to, "bytes", l->list.len);
	json_add_number(to, "absent", l->counts.absent);
	json_add_number(to, "swapped", l->counts.swapped);
	json_add_number_if(to, "zero", l->have_zero, l->zero);
	json_add_number(to, "runs", f->stats.runs);
	json_add_number(to, "pages", f->stats.pages);
	json_add_number(to, "longest_pages", f->stats.longest_pages);
	json_add_double(to, "mean_pages", 3, (double)f->stats.pages / (double)f->stats.runs);
}

static void add_histogram(struct json_object *to, const struct figures *f)
{
	struct json_object *array = json_add_array(to, "histogram");

	for (unsigned i = 0; i < 53; i++) {
		struct json_object *row;

		if (!f->stats.runs_by_lg2[i])
			continue;
		row = json_object_new_object();
		json_add_number(row, "from_pages", (uint64_t)1 << i);
		json_add_number(row, "to_pages", ((uint64_t)2 << i) - 1);
		json_add_number(row, "runs", f->stats.runs_by_lg2[i]);
		json_add_number(row, "bytes", f->bytes_by_lg2[i]);
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
	part = json_add_object(to, "smaps");
	json_add_number(part, "rss", l->smaps.rss);
	json_add_number(part, "hugetlb", l->smaps.hugetlb);
	json_add_number(part, "swap", l->smaps.swap);
	json_add_number(part, "anon_huge", l->smaps.anon_huge);
	json_add_number(part, "shmem_huge", l->smaps.shmem_huge);
	json_add_number(part, "file_huge", l->smaps.file_huge);
}

static void add_cost(struct json_object *to, const char *name, const struct cost *c)
{
	struct json_object *part = json_add_object(to, name);

	json_add_number(part, "entries", c->entries);
	json_add_number(part, "bytes", c->bytes);
}

static void add_leaves(struct json_object *to, const struct leaves *leaves)
{
	struct json_object *part = json_add_object(to, "mapping"), *array;

	json_add_number(part, "iova", leaves->iova);
	json_add_number(part, "tables", leaves->tables);
	array = json_add_array(part, "leaves");
	for (unsigned i = 0; i < leaves->nr_sizes; i++) {
		struct json_object *row = json_object_new_object();

		json_add_number(row, "size", leaves->size[i]);
		json_add_number(row, "entries", leaves->entries[i]);
		json_object_array_add(array, row);
	}
}

void layout_json(const struct layout *l, const struct figures *f)
{
	struct json_object *top = json_object_new_object(), *cost;

	json_add_text(top, "version", phyr_version());
	add_source(top, l);
	add_counts(top, l, f);
	add_histogram(top, f);
	add_smaps(top, l);
	cost = json_add_object(top, "cost");
	add_cost(cost, "scatterlist", &f->sg);
	add_cost(cost, "bio_vec", &f->bio_vec);
	add_cost(cost, "prp", &f->prp);
	add_cost(cost, "phyr_list", &f->list);
	add_leaves(top, &f->leaves);
	json_end(top);
}
