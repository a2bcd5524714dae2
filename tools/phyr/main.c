/* SPDX-License-Identifier: MIT */
/* phyr: memory to a device. Finds the subcommand. */
#include <stdio.h>
#include <string.h>

#include <phyr/phyr.h>

#include "cmd.h"

struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *purpose;
};

static const struct command commands[] = {
	{"demo", cmd_demo, "what phyr is about, in three seconds"},
	{"io", cmd_io, "read and write a target through the device, and verify"},
	{"layout", cmd_layout, "where memory lies, and what it costs to describe it"},
	{"bench", cmd_bench, "time each part against this machine's limits"},
};

static void print_usage(FILE *to)
{
	fprintf(to, "usage: phyr COMMAND [options]\n\n");
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		fprintf(to, "  %-8s%s\n", commands[i].name, commands[i].purpose);
	fprintf(to, "\n'phyr COMMAND --help' lists a command's options; 'phyr --version' the "
		    "version.\n");
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		print_usage(stderr);
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		print_usage(stdout);
		return 0;
	}
	if (!strcmp(argv[1], "--version")) {
		printf("phyr %s\n", phyr_version());
		return 0;
	}
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(argv[1], commands[i].name))
			return commands[i].run(argc - 1, argv + 1);
	fprintf(stderr, "phyr: unknown command '%s'; 'phyr --help' lists them\n", argv[1]);
	return EXIT_USAGE;
}
