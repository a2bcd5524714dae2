/* SPDX-License-Identifier: MIT */
/* phyr io: rows as two tables, of speed and of counts. */
#include <inttypes.h>
#include <stdio.h>

#include "io/io.h"

static void print_heading(const struct io_opts *o)
{
	char low[32], high[32];

	printf("%s  %s  bs %s", o->target, io_rw_names[o->rw], cli_size(o->bs_min, low));
	if (o->bs_max != o->bs_min)
		printf("-%s", cli_size(o->bs_max, high));
	printf("  iodepth %" PRIu64 "  iommu %s  scatter %s  seed %" PRIu64 "%s\n\n", o->iodepth,
	       io_iommu_names[o->iommu], io_scatter_names[o->scatter], o->seed,
	       o->verify ? "  verified" : "");
}

static void print_speed(const struct io_row *rows, unsigned nr)
{
	printf("%-10s %9s %8s   %29s   %28s\n", "", "", "", "latency, us          ",
	       "ns an I/O          ");
	printf("%-10s %9s %8s   %9s %9s %9s   %8s %9s %9s\n", "map", "IOPS", "MiB/s", "p50", "p99",
	       "p99.9", "mapping", "unmapping", "desc");
	for (unsigned i = 0; i < nr; i++) {
		const struct io_row *r = &rows[i];

		printf("%-10s %9.0f %8.0f   %9.1f %9.1f %9.1f   %8.0f %9.0f %9.0f\n",
		       io_map_names[r->map], r->iops, r->mib_s, r->p50_us, r->p99_us, r->p999_us,
		       r->map_ns, r->unmap_ns, r->desc_ns);
	}
}

static double per(const struct io_row *r, uint64_t count)
{
	return r->ios ? (double)count / (double)r->ios : 0;
}

/* What the mappings turned out to be. */
static void print_paths(const struct io_row *r)
{
	const char *between = "";

	for (unsigned i = 0; i < NR_PATHS; i++) {
		if (!r->paths[i])
			continue;
		printf("%s%s", between, io_path_names[i]);
		between = ",";
	}
	printf("\n");
}

static void print_counts(const struct io_row *rows, unsigned nr)
{
	printf("\n%-10s %6s %6s %7s %6s %6s %8s %7s   %6s %5s %6s  %s\n", "an I/O", "links",
	       "walks", "entries", "syncs", "inval.", "TLB hits", "misses", "faults", "wrong",
	       "leaked", "paths");
	for (unsigned i = 0; i < nr; i++) {
		const struct io_row *r = &rows[i];
		const struct counts *c = &r->counts;

		printf("%-10s %6.2f %6.2f %7.2f %6.2f %6.2f %8.2f %7.2f   %6" PRIu64 " %5" PRIu64
		       " %6" PRIu64 "  ",
		       io_map_names[r->map], per(r, c->links), per(r, c->walks), per(r, c->ptes),
		       per(r, c->syncs), per(r, c->invalidations), per(r, c->iotlb_hits),
		       per(r, c->iotlb_misses), r->faults, r->verify_errors,
		       r->leaked_iova + r->leaked_tables + r->leaked_pages);
		print_paths(r);
	}
}

void print_rows(const struct io_opts *opts, const struct io_row *rows, unsigned nr)
{
	print_heading(opts);
	print_speed(rows, nr);
	print_counts(rows, nr);
	for (unsigned i = 0; i < nr; i++)
		if (rows[i].sha256[0])
			printf("%ssha256 %s  %s\n", i ? "" : "\n", rows[i].sha256,
			       io_map_names[rows[i].map]);
}
