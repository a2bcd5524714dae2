/* SPDX-License-Identifier: MIT */
/* phyr io: what the user asks for. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "io/io.h"

const char *const io_rw_names[] = {"read", "write", "randread", "randwrite", "randrw", NULL};
const char *const io_map_names[] = {"perpage", "oneshot", "twostep", "registered", NULL};
const char *const io_iommu_names[] = {"default", "none", "soft", "vfio", "iommufd", NULL};
const char *const io_format_names[] = {"x86_64",   "vtdss",   "amdv1", "arm64_s1",
				       "arm64_s2", "riscv64", NULL};
const char *const io_scatter_names[] = {"mixed", "single", "huge", "linear", NULL};

static const char usage[] =
	"usage: phyr io TARGET [options]\n"
	"\n"
	"Reads or writes TARGET through its device. TARGET is sim:FILE: a simulated machine\n"
	"with an NVMe controller over FILE; or pci:ADDRESS, as in pci:0000:01:00.0: an NVMe\n"
	"drive that is bound to vfio-pci (phyr devices). Sizes take k, m, g, t (powers of 1024).\n"
	"\n"
	"  --rw read|write|randread|randwrite|randrw   what to do (read)\n"
	"  --bs SIZE|MIN-MAX    bytes of an I/O, 512 to 8m (4k); beyond the device's limit it is "
	"split\n"
	"  --iodepth N          I/Os in flight of each thread, 1 to 1024 (32)\n"
	"  --threads N          each with a queue and a part of the target of its own, 1 to 64 "
	"(1);\n"
	"                       63 with --interrupt, which takes a vector a queue\n"
	"  --size SIZE          use only the first SIZE bytes of the target\n"
	"  --io-size SIZE       bytes to move (the size used)\n"
	"  --runtime SECONDS    go on until then, from the start again; with --io-size until the "
	"first\n"
	"  --rate SIZE|Niops    at most so many bytes or I/Os a second, evenly, of all threads\n"
	"  --trim PERCENT       so much of the writes deallocates instead, 1 to 100\n"
	"  --timeout SECONDS    of a command, before it is aborted and submitted again (10)\n"
	"  --interrupt          sleep until the queue's interrupt instead of polling\n"
	"  --map MODE[,MODE…]   perpage, oneshot, twostep, registered (oneshot); a row each\n"
	"  --iommu WHICH        sim: soft (phyr's page tables, a simulated IOMMU) or none (soft);\n"
	"                       pci: vfio or iommufd (default: iommufd where it is there)\n"
	"  --format NAME        sim: of the page tables: vtdss, x86_64, amdv1, arm64_s1, "
	"arm64_s2,\n"
	"                       riscv64 (vtdss)\n"
	"  --scatter HOW        sim: how memory lies: mixed, single, huge, linear (mixed)\n"
	"  --verify             stamp each block with LBA, generation, checksum; check what is "
	"read\n"
	"  --checksum           SHA-256 of what a sequential read gives\n"
	"  --seed N             of all that is random (1)\n"
	"  --create SIZE        sim: make FILE first, of zeroes; it must not exist\n"
	"  --destroy-data       allow writes to a target that this run did not create\n"
	"  --histogram          latencies by powers of two; in JSON they always are\n"
	"  --json               rows as JSON\n"
	"\n"
	"Ctrl-C begins no more I/O, waits for what is in flight and prints what was found until "
	"then;\n"
	"the second one ends at once.\n"
	"\n"
	"Exit status: 0; 1 failed, wrong blocks, faults or leaks; 2 wrong usage.\n";

enum {
	OPT_RW = 1,
	OPT_BS,
	OPT_IODEPTH,
	OPT_THREADS,
	OPT_SIZE,
	OPT_IO_SIZE,
	OPT_RUNTIME,
	OPT_RATE,
	OPT_TIMEOUT,
	OPT_TRIM,
	OPT_INTERRUPT,
	OPT_MAP,
	OPT_IOMMU,
	OPT_FORMAT,
	OPT_SCATTER,
	OPT_VERIFY,
	OPT_CHECKSUM,
	OPT_SEED,
	OPT_CREATE,
	OPT_DESTROY,
	OPT_HISTOGRAM,
	OPT_JSON,
	OPT_HELP
};

static const struct option long_options[] = {
	{"rw", required_argument, NULL, OPT_RW},
	{"bs", required_argument, NULL, OPT_BS},
	{"iodepth", required_argument, NULL, OPT_IODEPTH},
	{"threads", required_argument, NULL, OPT_THREADS},
	{"size", required_argument, NULL, OPT_SIZE},
	{"io-size", required_argument, NULL, OPT_IO_SIZE},
	{"runtime", required_argument, NULL, OPT_RUNTIME},
	{"rate", required_argument, NULL, OPT_RATE},
	{"timeout", required_argument, NULL, OPT_TIMEOUT},
	{"trim", required_argument, NULL, OPT_TRIM},
	{"interrupt", no_argument, NULL, OPT_INTERRUPT},
	{"map", required_argument, NULL, OPT_MAP},
	{"iommu", required_argument, NULL, OPT_IOMMU},
	{"format", required_argument, NULL, OPT_FORMAT},
	{"scatter", required_argument, NULL, OPT_SCATTER},
	{"verify", no_argument, NULL, OPT_VERIFY},
	{"checksum", no_argument, NULL, OPT_CHECKSUM},
	{"seed", required_argument, NULL, OPT_SEED},
	{"create", required_argument, NULL, OPT_CREATE},
	{"destroy-data", no_argument, NULL, OPT_DESTROY},
	{"histogram", no_argument, NULL, OPT_HISTOGRAM},
	{"json", no_argument, NULL, OPT_JSON},
	{"help", no_argument, NULL, OPT_HELP},
	{NULL, 0, NULL, 0},
};

static int parse_size(const char *option, const char *text, uint64_t *out)
{
	if (cli_take_size(COMMAND, option, text, out))
		return EXIT_USAGE;
	return *out ? 0 : cli_error(EXIT_USAGE, COMMAND, "--%s 0: nothing to do", option);
}

static int parse_bs(const char *text, struct io_opts *opts)
{
	if (cli_parse_size_range(text, &opts->bs_min, &opts->bs_max))
		return cli_bad_size(COMMAND, "bs", text);
	if (opts->bs_min > opts->bs_max)
		return cli_error(EXIT_USAGE, COMMAND, "--bs %s: the first size is the larger",
				 text);
	if (opts->bs_min < 512 || opts->bs_max > 8 << 20)
		return cli_error(EXIT_USAGE, COMMAND, "--bs %s: from 512 bytes to 8m", text);
	if (opts->bs_min % 512 || opts->bs_max % 512)
		return cli_error(EXIT_USAGE, COMMAND, "--bs %s: multiples of 512 bytes", text);
	return 0;
}

static int parse_seconds(const char *option, const char *text, uint64_t *ns)
{
	if (cli_parse_seconds(text, ns))
		return cli_error(EXIT_USAGE, COMMAND,
				 "--%s %s: not seconds; as in 10 or 0.5, a year at most", option,
				 text);
	if (!*ns)
		return cli_error(EXIT_USAGE, COMMAND, "--%s %s: no time to do anything", option,
				 text);
	return 0;
}

/* Digits and "iops": their number; -1: something else. */
static int take_iops(const char *text, uint64_t *out)
{
	size_t len = strlen(text);
	char digits[24];

	if (len < 5 || len - 4 >= sizeof(digits) || strcasecmp(text + len - 4, "iops"))
		return -1;
	memcpy(digits, text, len - 4);
	digits[len - 4] = '\0';
	return cli_parse_number(digits, out);
}

static int parse_rate(const char *text, struct io_opts *opts)
{
	opts->rate_iops = !take_iops(text, &opts->rate);
	if (!opts->rate_iops && cli_parse_size(text, &opts->rate))
		return cli_error(EXIT_USAGE, COMMAND,
				 "--rate %s: neither bytes a second, as in 100m, nor I/Os, as in "
				 "5000iops",
				 text);
	return opts->rate ? 0 : cli_error(EXIT_USAGE, COMMAND, "--rate %s: nothing to do", text);
}

static int parse_choice(const char *option, const char *text, const char *const *names, int *out)
{
	char all[128];
	int i = cli_parse_choice(text, names);

	if (i < 0)
		return cli_error(EXIT_USAGE, COMMAND, "--%s %s: one of %s", option, text,
				 cli_join(names, all, sizeof(all)));
	*out = i;
	return 0;
}

static int parse_maps(const char *text, struct io_opts *opts)
{
	char *copy = strdup(text), *save = NULL;
	int err = copy ? 0 : cli_error(EXIT_FAILED, COMMAND, "no memory");
	int mode = 0;

	opts->nr_maps = 0;
	for (char *name = copy ? strtok_r(copy, ",", &save) : NULL; name && !err;
	     name = strtok_r(NULL, ",", &save)) {
		if (opts->nr_maps == NR_MAPS)
			err = cli_error(EXIT_USAGE, COMMAND, "--map %s: more than four modes",
					text);
		else
			err = parse_choice("map", name, io_map_names, &mode);
		if (!err)
			opts->maps[opts->nr_maps++] = (enum io_map)mode;
	}
	free(copy);
	if (!err && !opts->nr_maps)
		err = cli_error(EXIT_USAGE, COMMAND, "--map: no mode given");
	return err;
}

static int take_choice(int option, const char *arg, struct io_opts *opts)
{
	int i = 0, err;

	if (option == OPT_RW) {
		err = parse_choice("rw", arg, io_rw_names, &i);
		opts->rw = (enum io_rw)i;
	} else if (option == OPT_IOMMU) {
		err = parse_choice("iommu", arg, io_iommu_names, &i);
		opts->iommu = (enum phyr_iommu_choice)i;
	} else if (option == OPT_FORMAT) {
		err = parse_choice("format", arg, io_format_names, &i);
		opts->format = (enum phyr_pgtbl_format)(i + PHYR_PGTBL_X86_64);
	} else {
		err = parse_choice("scatter", arg, io_scatter_names, &i);
		opts->scatter = (enum phyr_sim_scatter)i;
		opts->scatter_given = true;
	}
	return err;
}

static int take_flag(int option, struct io_opts *opts)
{
	if (option == OPT_VERIFY)
		opts->verify = true;
	else if (option == OPT_CHECKSUM)
		opts->checksum = true;
	else if (option == OPT_DESTROY)
		opts->destroy_data = true;
	else if (option == OPT_INTERRUPT)
		opts->interrupt = true;
	else if (option == OPT_HISTOGRAM)
		opts->histogram = true;
	else
		opts->json = true;
	return 0;
}

static int take_option(int option, const char *arg, struct io_opts *opts)
{
	switch (option) {
	case OPT_BS:
		return parse_bs(arg, opts);
	case OPT_IODEPTH:
		return cli_take_number(COMMAND, "iodepth", arg, 1, 1024, &opts->iodepth);
	case OPT_THREADS:
		return cli_take_number(COMMAND, "threads", arg, 1, 64, &opts->threads);
	case OPT_TRIM:
		return cli_take_number(COMMAND, "trim", arg, 1, 100, &opts->trim);
	case OPT_RUNTIME:
		return parse_seconds("runtime", arg, &opts->runtime_ns);
	case OPT_TIMEOUT:
		return parse_seconds("timeout", arg, &opts->timeout_ns);
	case OPT_RATE:
		return parse_rate(arg, opts);
	case OPT_SIZE:
		return parse_size("size", arg, &opts->size);
	case OPT_IO_SIZE:
		return parse_size("io-size", arg, &opts->io_size);
	case OPT_CREATE:
		return parse_size("create", arg, &opts->create);
	case OPT_SEED:
		return cli_take_number(COMMAND, "seed", arg, 0, UINT64_MAX, &opts->seed);
	case OPT_MAP:
		return parse_maps(arg, opts);
	case OPT_RW:
	case OPT_IOMMU:
	case OPT_FORMAT:
	case OPT_SCATTER:
		return take_choice(option, arg, opts);
	default:
		return take_flag(option, opts);
	}
}

static int take_target(int argc, char **argv, struct io_opts *opts)
{
	if (optind < argc - 1)
		return cli_error(EXIT_USAGE, COMMAND, "'%s': one target only", argv[optind + 1]);
	if (optind < argc) {
		opts->target = argv[optind];
		opts->file = strchr(argv[optind], ':') ? strchr(argv[optind], ':') + 1 : "";
		opts->pci = !strncmp(argv[optind], "pci:", 4);
	}
	return 0;
}

int io_parse(int argc, char **argv, struct io_opts *opts, bool *help)
{
	int option, err = 0;

	*opts = (struct io_opts){.bs_min = 4096,
				 .bs_max = 4096,
				 .iodepth = 32,
				 .threads = 1,
				 .timeout_ns = 10000000000,
				 .seed = 1,
				 .maps = {MAP_ONESHOT},
				 .nr_maps = 1};
	*help = false;
	opterr = 0;
	while (!err && (option = getopt_long(argc, argv, ":h", long_options, NULL)) != -1) {
		/* getopt takes any beginning of an option; what destroys is said whole. */
		if (option == OPT_DESTROY && strcmp(argv[optind - 1], "--destroy-data"))
			return cli_error(EXIT_USAGE, COMMAND, "%s: say --destroy-data in full",
					 argv[optind - 1]);
		if (option == OPT_HELP || option == 'h') {
			*help = true;
			fputs(usage, stdout);
			return 0;
		}
		err = option == ':' || option == '?' ? cli_bad_option(COMMAND, option, argv)
						     : take_option(option, optarg, opts);
	}
	if (!err)
		err = take_target(argc, argv, opts);
	return err ? err : io_check(opts);
}
