/* SPDX-License-Identifier: MIT */
/* phyr: memory to a device. Finds the subcommand. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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
	{"devices", cmd_devices, "PCI devices: what is in the way of using them, bind, unbind"},
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

/*
 * Who closes a standard descriptor must not have a target opened in its place, and a table written
 * into it. What is written to these fails.
 */
static void fill_standard_fds(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

static int run(int argc, char **argv)
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

/* What could not be printed is no success. */
static int end(int status)
{
	bool lost = ferror(stdout);

	errno = 0;
	lost |= fclose(stdout) != 0;
	if (!lost)
		return status;
	fprintf(stderr, "phyr: standard output: %s\n",
		errno ? strerror(errno) : "not all could be written");
	return status ? status : EXIT_FAILED;
}

int main(int argc, char **argv)
{
	fill_standard_fds();
	return end(run(argc, argv));
}
