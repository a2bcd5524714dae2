/* SPDX-License-Identifier: MIT */
/* A row's latencies as bars in the terminal, a power of two each. */
#include <inttypes.h>
#include <stdio.h>

#include "io/io.h"

#define BAR_CELLS 54

/* Three digits and a unit. */
static const char *time_text(double ns, char buf[32])
{
	static const char *const units[] = {"ns", "us", "ms", "s"};
	unsigned unit = 0;

	for (; ns >= 999.5 && unit < 3; unit++)
		ns /= 1000;
	snprintf(buf, 32, "%.*f %s",
		 unit && ns < 9.995   ? 2
		 : unit && ns < 99.95 ? 1
				      : 0,
		 ns, units[unit]);
	return buf;
}

/* share of BAR_CELLS, to an eighth of a cell; what is there at all shows. */
static void print_bar(double share)
{
	static const char *const eighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
	unsigned n = (unsigned)(share * BAR_CELLS * 8 + 0.5);

	n = n ? n : share > 0;
	for (unsigned i = 0; i < n / 8; i++)
		printf("█");
	printf("%s", eighths[n % 8]);
	for (unsigned i = (n + 7) / 8; i < BAR_CELLS; i++)
		printf(" ");
}

static void print_bucket(const struct hist_lg2 *lg2, unsigned i, uint64_t most, uint64_t all)
{
	uint64_t count = lg2->counts[i];
	double from = i ? (double)((uint64_t)1 << i) : 0;
	char low[32], high[32];

	printf("%8s - %-8s ", time_text(from, low), time_text((double)((uint64_t)2 << i), high));
	print_bar((double)count / (double)most);
	printf(" %11" PRIu64 " %6.2f %%\n", count, 100 * (double)count / (double)all);
}

void print_histogram(const struct io_row *row)
{
	const struct hist *hist = &row->result.latency;
	struct hist_lg2 lg2;
	uint64_t most = 0;

	hist_by_lg2(hist, &lg2);
	for (unsigned i = 0; i < lg2.nr; i++)
		if (lg2.counts[lg2.first + i] > most)
			most = lg2.counts[lg2.first + i];
	printf("\nlatencies, %s\n", io_map_names[row->map]);
	for (unsigned i = 0; i < lg2.nr; i++)
		print_bucket(&lg2, lg2.first + i, most, hist->count);
	if (!lg2.nr)
		printf("none\n");
}
