/* SPDX-License-Identifier: MIT */
/*
 * phyr bench: times each case and prints it beside the machine's limits.
 *
 * A sample is a limit and then, at once, the case, for some ms; of a row's samples the median is
 * given, and the median of the ratios pair by pair, which holds when the machine's speed drifts.
 * With several runs a row is set up as often, and the median run is given.
 */
#include "bench/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "cmd.h"
#include "json_out.h"

#define SAMPLES   15u
#define SAMPLE_NS 2000000

#define MAX_RUNS 99u

#define MAX_NOTES 4u

struct note {
	const char *name;
	double value;
};

struct result {
	const struct bench_case *c;
	double ns, min_ns, ratio;
	unsigned nr_notes;
	struct note notes[MAX_NOTES];
};

static unsigned nr_runs = 1;

/* What the row that runs now has told by itself. */
static struct {
	double ns, ratio;
	unsigned nr_notes;
	struct note notes[MAX_NOTES];
} told;

static const struct bench_case *const parts[] = {bench_list,  bench_iova, bench_pgtbl,
						 bench_iommu, bench_dma,  bench_desc};

/* All samples of each limit, to give their medians. */
static struct {
	double *v;
	size_t nr, room;
} limits[NR_LIMITS];

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(double *v, size_t nr)
{
	qsort(v, nr, sizeof(*v), by_value);
	return nr ? v[nr / 2] : 0;
}

static double take_limit(enum limit limit)
{
	double ns = limit_sample(limit);

	if (limits[limit].nr == limits[limit].room) {
		size_t room = limits[limit].room * 2 + 64;
		double *v = realloc(limits[limit].v, room * sizeof(*v));

		if (!v)
			return ns;
		limits[limit].v = v;
		limits[limit].room = room;
	}
	limits[limit].v[limits[limit].nr++] = ns;
	return ns;
}

/* Time of some rounds, ns. With prepare each is timed alone, else all together. */
static uint64_t time_rounds(const struct bench_case *c, void *state, uint64_t rounds)
{
	uint64_t sum = 0, start = now_ns();

	if (!c->prepare) {
		for (uint64_t i = 0; i < rounds; i++)
			c->round(state);
		return now_ns() - start;
	}
	for (uint64_t i = 0; i < rounds; i++) {
		c->prepare(state);
		start = now_ns();
		c->round(state);
		sum += now_ns() - start;
	}
	return sum;
}

static uint64_t rounds_for_sample(const struct bench_case *c, void *state)
{
	uint64_t rounds = 1;

	while (time_rounds(c, state, rounds) < SAMPLE_NS / 2 && rounds < (uint64_t)1 << 24)
		rounds *= 2;
	return rounds;
}

void bench_note(const char *name, double value)
{
	unsigned i = 0;

	while (i < told.nr_notes && strcmp(told.notes[i].name, name))
		i++;
	if (i == MAX_NOTES)
		abort();
	told.notes[i] = (struct note){name, value};
	told.nr_notes += i == told.nr_notes;
}

void bench_sample(double ns, double ratio)
{
	told.ns = ns;
	told.ratio = ratio;
}

/* One sample: ns a unit, and how many times that is what it is held against. */
static double take_sample(const struct bench_case *c, void *state, uint64_t rounds, double *ratio)
{
	double limit, ns;

	if (c->limit == LIMIT_ONE_THREAD) {
		c->round(state);
		*ratio = told.ratio;
		return told.ns;
	}
	limit = take_limit(c->limit);
	ns = (double)time_rounds(c, state, rounds) / (double)(rounds * c->units);
	*ratio = ns / limit;
	return ns;
}

static bool run_case(const struct bench_case *c, struct result *r)
{
	double ns[SAMPLES], ratio[SAMPLES];
	void *state;
	uint64_t rounds;

	told.nr_notes = 0;
	state = c->setup(c);
	if (!state) {
		cli_error(0, "bench", "%s: could not be set up", c->name);
		return false;
	}
	rounds = c->limit == LIMIT_ONE_THREAD ? 0 : rounds_for_sample(c, state);
	for (unsigned i = 0; i < SAMPLES; i++)
		ns[i] = take_sample(c, state, rounds, &ratio[i]);
	c->teardown(state);
	*r = (struct result){.c = c, .nr_notes = told.nr_notes};
	memcpy(r->notes, told.notes, sizeof(r->notes));
	r->ns = median(ns, SAMPLES);
	r->min_ns = ns[0];
	r->ratio = median(ratio, SAMPLES);
	return true;
}

/* Time a case as often as was asked for; of several runs the medians, and the last one's notes. */
static bool run_often(const struct bench_case *c, struct result *r)
{
	double ns[MAX_RUNS], ratio[MAX_RUNS], least = 0;
	unsigned i = 0;

	do {
		if (!run_case(c, r))
			return false;
		ns[i] = r->ns;
		ratio[i] = r->ratio;
		least = i && least < r->min_ns ? least : r->min_ns;
	} while (++i < nr_runs);
	r->ns = median(ns, i);
	r->min_ns = least;
	r->ratio = median(ratio, i);
	return true;
}

static void print_row(const struct result *r)
{
	printf("%-34s %10.3f %10.3f  %-6s %8.2f %s", r->c->name, r->ns, r->min_ns, r->c->per,
	       r->ratio, limit_names[r->c->limit]);
	for (unsigned i = 0; i < r->nr_notes; i++)
		printf("%s%s %.4g", i ? ", " : "  ", r->notes[i].name, r->notes[i].value);
	putchar('\n');
	fflush(stdout);
}

static struct json_object *json_row(const struct result *r)
{
	struct json_object *row = json_object_new_object(), *notes;

	json_add_text(row, "name", r->c->name);
	json_add_double(row, "ns", 4, r->ns);
	json_add_double(row, "min_ns", 4, r->min_ns);
	json_add_text(row, "per", r->c->per);
	json_add_double(row, "ratio", 4, r->ratio);
	json_add_text(row, "limit", limit_names[r->c->limit]);
	notes = json_add_object(row, "notes");
	for (unsigned i = 0; i < r->nr_notes; i++)
		json_add_double(notes, r->notes[i].name, 4, r->notes[i].value);
	return row;
}

static void print_json(struct json_object *rows)
{
	struct json_object *top = json_object_new_object(), *l;

	json_add_text(top, "version", phyr_version());
	json_add_text(top, "compiler", PHYR_BUILD_COMPILER);
	json_add_text(top, "flags", PHYR_BUILD_FLAGS);
	l = json_add_object(top, "limits");
	for (unsigned i = 0; i < NR_LIMITS; i++) {
		char name[32];

		snprintf(name, sizeof(name), "%s_ns", limit_names[i]);
		json_add_double(l, name, 4, median(limits[i].v, limits[i].nr));
	}
	json_object_object_add(top, "rows", rows);
	json_end(top);
}

static void print_limits(void)
{
	printf("\nlimits, ns:");
	for (unsigned i = 0; i < NR_LIMITS; i++)
		printf("  %s %.3f", limit_names[i], median(limits[i].v, limits[i].nr));
	printf("\nns: median of %u samples; ratio: of each sample to the limit just before it\n",
	       SAMPLES);
	if (nr_runs > 1)
		printf("each row: median of %u runs\n", nr_runs);
}

/* Call fn for each case whose name has the filter in it, until one fails; how many there were. */
static int each_case(const char *filter, bool (*fn)(const struct bench_case *c, void *arg),
		     void *arg)
{
	int nr = 0;

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		for (const struct bench_case *c = parts[i]; c->name; c++) {
			if (filter && !strstr(c->name, filter))
				continue;
			if (!fn(c, arg))
				return -1;
			nr++;
		}
	return nr;
}

static bool exists(const struct bench_case *c, void *arg)
{
	return true;
}

static bool print_case(const struct bench_case *c, void *arg)
{
	struct result r;

	if (!run_often(c, &r))
		return false;
	print_row(&r);
	return true;
}

static bool add_case(const struct bench_case *c, void *rows)
{
	struct result r;

	if (!run_often(c, &r))
		return false;
	json_object_array_add(rows, json_row(&r));
	return true;
}

static int bench_json(const char *filter)
{
	struct json_object *rows = json_object_new_array();

	if (each_case(filter, add_case, rows) < 0) {
		json_object_put(rows);
		return EXIT_FAILED;
	}
	print_json(rows);
	return 0;
}

static int bench_text(const char *filter)
{
	printf("phyr %s, %s, %s\n\n%-34s %10s %10s  %-6s %8s\n", phyr_version(),
	       PHYR_BUILD_COMPILER, PHYR_BUILD_FLAGS, "", "ns", "least", "per", "ratio");
	if (each_case(filter, print_case, NULL) < 0)
		return EXIT_FAILED;
	print_limits();
	return 0;
}

static int bench(const char *filter, bool json)
{
	if (!each_case(filter, exists, NULL))
		return cli_error(EXIT_USAGE, "bench", "--filter %s: no row's name has it", filter);
	for (unsigned i = 0; i < NR_LIMITS; i++)
		take_limit((enum limit)i);
	return json ? bench_json(filter) : bench_text(filter);
}

#define USAGE "usage: phyr bench [--filter PART-OF-A-NAME] [--runs N] [--json]"

static const struct option long_options[] = {
	{"json", no_argument, NULL, 'j'},
	{"filter", required_argument, NULL, 'f'},
	{"runs", required_argument, NULL, 'r'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static bool take_runs(const char *text)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (end == text || *end || n < 1 || n > (long)MAX_RUNS)
		return false;
	nr_runs = (unsigned)n;
	return true;
}

int cmd_bench(int argc, char **argv)
{
	const char *filter = NULL;
	bool json = false;
	int option, status;

	opterr = 0;
	while ((option = getopt_long(argc, argv, ":h", long_options, NULL)) != -1) {
		if (option == 'j')
			json = true;
		else if (option == 'f')
			filter = optarg;
		else if (option == 'r' && !take_runs(optarg))
			return cli_error(EXIT_USAGE, "bench", "--runs %s: 1 to %u", optarg,
					 MAX_RUNS);
		else if (option == 'h')
			return puts(USAGE) < 0;
		else if (option == 'r')
			continue;
		else
			return cli_bad_option("bench", option, argv);
	}
	if (optind < argc)
		return cli_error(EXIT_USAGE, "bench", "'%s': rows are chosen by --filter %s",
				 argv[optind], argv[optind]);
	if (limits_init())
		return cli_error(EXIT_FAILED, "bench", "no memory");
	status = bench(filter, json);
	for (unsigned i = 0; i < NR_LIMITS; i++)
		free(limits[i].v);
	limits_fini();
	return status;
}
