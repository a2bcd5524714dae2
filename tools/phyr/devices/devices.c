/* SPDX-License-Identifier: MIT */
/* phyr devices: which PCI devices there are to hand over, what is in the way, and handing them over. */
#include "devices/devices.h"

#include <stdio.h>
#include <stdlib.h>

bool devices_is_shown(const struct devices_opts *opts, const struct device *d)
{
	if (!opts->nr_sources)
		return opts->all || !d->info.bridge;
	for (size_t i = 0; i < opts->nr_sources; i++)
		if (opts->sources[i] == d->info.source)
			return true;
	return false;
}

static int not_there(uint32_t source)
{
	char name[PHYR_PCI_NAME];

	phyr_pci_format(source, name);
	return cli_error(EXIT_FAILED, COMMAND,
			 "%s: no such device; 'phyr devices --all' lists them", name);
}

static int show(struct machine *m, const struct devices_opts *opts)
{
	for (size_t i = 0; i < opts->nr_sources; i++)
		if (!machine_find(m, opts->sources[i]))
			return not_there(opts->sources[i]);
	return opts->json ? devices_json(m, opts) : devices_print(m, opts);
}

static int act(struct machine *m, const struct devices_opts *opts)
{
	struct device *d;

	if (opts->action == ACTION_SHOW)
		return show(m, opts);
	d = machine_find(m, opts->source);
	if (!d)
		return not_there(opts->source);
	return opts->action == ACTION_BIND ? devices_bind(m, d, opts->driver)
					   : devices_unbind(m, d);
}

static int run(const struct devices_opts *opts)
{
	struct machine m;
	int status = machine_read(&m);

	status = status ? status : act(&m, opts);
	machine_release(&m);
	return status;
}

int cmd_devices(int argc, char **argv)
{
	struct devices_opts opts;
	bool help;
	int status = devices_parse(argc, argv, &opts, &help);

	status = status || help ? status : run(&opts);
	free(opts.sources);
	return status;
}
