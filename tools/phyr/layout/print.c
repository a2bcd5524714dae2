/* SPDX-License-Identifier: MIT */
/* phyr layout: what was found, for people. */
#include <inttypes.h>
#include <stdio.h>

#include "draw.h"
#include "layout/layout.h"

#define ROWS 16

static void print_bytes(uint64_t bytes)
{
	static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
	double v = (double)bytes;
	unsigned unit = 0;

	for (; v >= 1024 && unit < 4; unit++)
		v /= 1024;
	printf(unit && v < 100 ? "%.1f %s" : "%.0f %s", v, units[unit]);
}

static void print_whose(const struct layout *l)
{
	const struct layout_opts *o = l->opts;

	if (o->pid)
		printf("process %d", (int)o->pid);
	else
		fputs(o->file ? o->file : layout_backing_names[o->backing], stdout);
}

static void print_runs(const struct layout *l, const struct figures *f)
{
	if (f->stats.runs == 1) {
		printf(" in 1 run.\n");
		return;
	}
	printf(" in %" PRIu64 " runs; the longest ", f->stats.runs);
	print_bytes(f->stats.longest_pages * PHYR_PAGE_SIZE);
	printf(", the mean ");
	print_bytes(l->list.len / f->stats.runs);
	printf(".\n");
}

/* The first line says whether this is real. */
static void print_heading(const struct layout *l, const struct figures *f)
{
	if (l->memory == MEMORY_SIMULATED) {
		printf("SIMULATED memory, not this machine's: %s.\n", l->why);
		printf("In place of ");
		print_whose(l);
		printf(", seed %" PRIu64 ": ", l->opts->seed);
	} else {
		printf("Memory of this machine, %s: ",
		       l->memory == MEMORY_PINNED ? "pinned" : "looked at, not pinned");
		print_whose(l);
		printf(": ");
	}
	print_bytes(l->list.len);
	print_runs(l, f);
	if (l->memory == MEMORY_SEEN)
		printf("Not pinned: %s.\n", l->why);
}

static void print_part(const char *what, uint64_t bytes)
{
	if (!bytes)
		return;
	printf("  %-34s ", what);
	print_bytes(bytes);
	printf("\n");
}

/* Whether the page map and smaps say the same, if that can be told. */
static const char *agreement(const struct layout *l)
{
	if (!l->have_zero)
		return "";
	return l->smaps.rss + l->smaps.hugetlb == l->counts.present - l->zero
		       ? ": the same"
		       : "; it has changed meanwhile";
}

static void print_smaps(const struct layout *l)
{
	const struct smaps *s = &l->smaps;

	printf("  %-34s Rss ", "/proc/PID/smaps says");
	print_bytes(s->rss);
	if (s->hugetlb) {
		printf(", hugetlb ");
		print_bytes(s->hugetlb);
	}
	printf("%s\n", agreement(l));
	if (l->opts->backing == BACKING_THP || s->anon_huge) {
		printf("  %-34s ", "really huge (AnonHugePages)");
		print_bytes(s->anon_huge);
		printf("\n");
	}
	print_part("huge, shared (ShmemPmdMapped)", s->shmem_huge);
	print_part("huge, of files (FilePmdMapped)", s->file_huge);
}

static void print_counts(const struct layout *l)
{
	printf("\n");
	print_part("in memory", l->counts.present);
	print_part("  the page of zeroes", l->zero);
	print_part("swapped out", l->counts.swapped);
	print_part("not in memory", l->counts.absent);
	if (l->have_smaps && l->memory != MEMORY_SIMULATED)
		print_smaps(l);
}

static void print_picture(const struct layout *l)
{
	uint64_t scale = draw_scale(&l->list, ROWS);
	char size[32];

	if (scale == 1)
		printf("\nA character a page, a shade a run:\n\n");
	else
		printf("\nA character is %s: of one run █ ▓, or of several, from single pages ▁ to "
		       "longer ones ▇:\n\n",
		       cli_size(scale * PHYR_PAGE_SIZE, size));
	draw_list(stdout, &l->list, scale);
}

static void print_histogram(const struct layout *l, const struct figures *f)
{
	printf("\n  %-22s %10s %12s  %s\n", "length of a run", "runs", "bytes", "share of bytes");
	for (unsigned i = 0; i < 53; i++) {
		uint64_t runs = f->stats.runs_by_lg2[i], bytes = f->bytes_by_lg2[i];
		double share = (double)bytes / (double)l->list.len;
		char low[32], high[32];

		if (!runs)
			continue;
		printf("  %8s to %-10s %10" PRIu64 " %12" PRIu64 "  %5.1f%% ",
		       cli_size(PHYR_PAGE_SIZE << i, low),
		       cli_size((((uint64_t)2 << i) - 1) * PHYR_PAGE_SIZE, high), runs, bytes,
		       share * 100);
		for (unsigned bar = 0; bar < (unsigned)(share * 30 + 0.5); bar++)
			fputs("█", stdout);
		printf("\n");
	}
}

static void print_cost(const char *name, const struct cost *c, const struct cost *phyr)
{
	printf("  %-22s %10" PRIu64 " %12" PRIu64, name, c->entries, c->bytes);
	if (c != phyr)
		printf("  %9.1f x", (double)c->bytes / (double)phyr->bytes);
	printf("\n");
}

static void print_leaves(const struct leaves *leaves)
{
	char size[32];

	printf("\n  page-table entries of a mapping, its iova well chosen:");
	for (unsigned i = 0; i < leaves->nr_sizes; i++)
		printf("%s %" PRIu64 " of %s", i ? "," : "", leaves->entries[i],
		       cli_size(leaves->size[i], size));
	printf("; %" PRIu64 " tables\n", leaves->tables);
}

void layout_print(const struct layout *l, const struct figures *f)
{
	print_heading(l, f);
	print_counts(l);
	print_picture(l);
	print_histogram(l, f);
	printf("\n  %-22s %10s %12s  %s\n", "to describe it", "entries", "bytes", "to phyr's");
	print_cost("scatterlist", &f->sg, &f->list);
	print_cost("bio_vec", &f->bio_vec, &f->list);
	print_cost("NVMe PRPs", &f->prp, &f->list);
	print_cost("phyr list", &f->list, &f->list);
	print_leaves(&f->leaves);
}
