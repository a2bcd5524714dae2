/* SPDX-License-Identifier: MIT */
/* phyr devices: what the user asks for, and what of it makes no sense. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devices/devices.h"

static const char usage[] =
	"usage: phyr devices [--all] [--verbose] [--json] [ADDRESS…]\n"
	"       phyr devices --bind ADDRESS [--driver NAME]\n"
	"       phyr devices --unbind ADDRESS\n"
	"\n"
	"Shows the PCI devices that a program could be lent, and what is in the way; with an "
	"ADDRESS\n"
	"(as 0000:01:00.0) the commands that clear it. Looking changes nothing.\n"
	"\n"
	"  --all                bridges, too\n"
	"  --verbose            of each device all that is known\n"
	"  --json               as JSON\n"
	"  --bind ADDRESS       give a device to VFIO; refused while it is in use\n"
	"  --driver NAME        to this driver of VFIO (vfio-pci)\n"
	"  --unbind ADDRESS     give it back to the kernel's own driver\n"
	"\n"
	"Exit status: 0; 1 failed or refused; 2 wrong usage.\n";

enum { OPT_ALL = 1, OPT_VERBOSE, OPT_JSON, OPT_BIND, OPT_DRIVER, OPT_UNBIND, OPT_HELP };

static const struct option long_options[] = {
	{"all", no_argument, NULL, OPT_ALL},
	{"verbose", no_argument, NULL, OPT_VERBOSE},
	{"json", no_argument, NULL, OPT_JSON},
	{"bind", required_argument, NULL, OPT_BIND},
	{"driver", required_argument, NULL, OPT_DRIVER},
	{"unbind", required_argument, NULL, OPT_UNBIND},
	{"help", no_argument, NULL, OPT_HELP},
	{NULL, 0, NULL, 0},
};

static int parse_address(const char *text, uint32_t *source)
{
	if (!phyr_pci_parse(text, source))
		return 0;
	if (strspn(text, "0123456789abcdefABCDEF") > 4 && strchr(text, '.'))
		return cli_error(
			EXIT_USAGE, COMMAND,
			"'%s': behind Intel's VMD no device can be lent alone: switch VMD off "
			"in the firmware",
			text);
	return cli_error(EXIT_USAGE, COMMAND, "'%s': not a PCI address, as 0000:01:00.0", text);
}

static int take_action(enum devices_action action, const char *text, struct devices_opts *opts)
{
	if (opts->action != ACTION_SHOW)
		return cli_error(EXIT_USAGE, COMMAND, "--bind and --unbind: one at a time");
	opts->action = action;
	return parse_address(text, &opts->source);
}

static int take_driver(const char *text, struct devices_opts *opts)
{
	if (!is_vfio(text) || strlen(text) > 31 || strpbrk(text, "/ \n"))
		return cli_error(EXIT_USAGE, COMMAND,
				 "--driver %s: not a driver of VFIO, as vfio-pci", text);
	opts->driver = text;
	return 0;
}

static int take_option(int option, const char *arg, struct devices_opts *opts)
{
	switch (option) {
	case OPT_BIND:
		return take_action(ACTION_BIND, arg, opts);
	case OPT_UNBIND:
		return take_action(ACTION_UNBIND, arg, opts);
	case OPT_DRIVER:
		return take_driver(arg, opts);
	case OPT_ALL:
		opts->all = true;
		return 0;
	case OPT_VERBOSE:
		opts->verbose = true;
		return 0;
	default:
		opts->json = true;
		return 0;
	}
}

static int take_addresses(int argc, char **argv, struct devices_opts *opts)
{
	int status = 0;

	for (int i = optind; i < argc && !status; i++) {
		uint32_t *source = array_add(&opts->sources, &opts->nr_sources, sizeof(*source));

		if (!source)
			return cli_error(EXIT_FAILED, COMMAND, "%s", strerror(ENOMEM));
		status = parse_address(argv[i], source);
	}
	return status;
}

static int check(int argc, char **argv, struct devices_opts *opts)
{
	if (opts->driver && opts->action != ACTION_BIND)
		return cli_error(EXIT_USAGE, COMMAND, "--driver needs --bind");
	if (opts->action == ACTION_SHOW)
		return take_addresses(argc, argv, opts);
	if (optind < argc)
		return cli_error(EXIT_USAGE, COMMAND, "'%s': one address with --bind or --unbind",
				 argv[optind]);
	if (opts->all || opts->verbose || opts->json)
		return cli_error(EXIT_USAGE, COMMAND,
				 "--all, --verbose and --json show; leave them out with --bind or "
				 "--unbind");
	opts->driver = opts->driver ? opts->driver : "vfio-pci";
	return 0;
}

int devices_parse(int argc, char **argv, struct devices_opts *opts, bool *help)
{
	int option, status = 0;

	*opts = (struct devices_opts){0};
	*help = false;
	opterr = 0;
	while (!status && (option = getopt_long(argc, argv, ":h", long_options, NULL)) != -1) {
		if (option == OPT_HELP || option == 'h') {
			*help = true;
			fputs(usage, stdout);
			return 0;
		}
		status = option == ':' || option == '?' ? cli_bad_option(COMMAND, option, argv)
							: take_option(option, optarg, opts);
	}
	return status ? status : check(argc, argv, opts);
}
