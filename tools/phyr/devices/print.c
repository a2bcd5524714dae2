/* SPDX-License-Identifier: MIT */
/* phyr devices: what was found, for people. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "devices/devices.h"

static const char *or_dash(const char *text)
{
	return text[0] ? text : "-";
}

/* Which IOMMU; of some the kernel gives no name. */
static const char *iommu_of(const struct device *d)
{
	return d->info.group < 0 ? "no" : d->iommu[0] ? d->iommu : "yes";
}

static void print_row(const struct device *d, const struct ways *ways)
{
	const struct way *w = ways_first(ways);
	char class[16], group[16] = "-";

	if (d->info.group >= 0)
		snprintf(group, sizeof(group), "%d", d->info.group);
	printf("%-12s  %-13s  %04x:%04x  %5s  %-14s  %-8s  %s\n", d->name,
	       class_word(d->info.class_code, class), d->info.vendor, d->info.device, group,
	       or_dash(d->info.driver), iommu_of(d), w ? w->text : "ready");
}

static void print_files(const struct machine *m, const struct device *d)
{
	bool any = false;

	for (size_t i = 0; i < m->nr_nodes; i++) {
		if (m->nodes[i].group >= 0 || m->nodes[i].owner != d->info.source)
			continue;
		printf(any ? " /dev/%s" : "  files      /dev/%s", m->nodes[i].name);
		any = true;
	}
	if (any)
		printf("\n");
}

static void print_commands(const char *commands)
{
	while (*commands) {
		size_t len = strcspn(commands, "\n");

		printf("    %.*s\n", (int)len, commands);
		commands += len + (commands[len] == '\n');
	}
}

static void print_ways(const struct ways *ways)
{
	bool any = false;

	for (size_t i = 0; i < ways->nr; i++) {
		const struct way *w = &ways->at[i];

		printf("  %-10s %s%s%s\n", w->only_noted ? "note" : "in the way", w->text,
		       w->help[0] ? ": " : "", w->help);
		any |= w->commands[0] != '\0';
	}
	if (any)
		printf("  as root, in this order:\n");
	for (size_t i = 0; i < ways->nr; i++)
		print_commands(ways->at[i].commands);
	if (!ways_first(ways))
		printf("  ready\n");
}

static void print_details(const struct machine *m, const struct device *d, const struct ways *ways)
{
	char class[16];

	printf("%s\n", d->name);
	printf("  %-10s %s, %04x:%04x, revision %02x, of %04x:%04x\n", "device",
	       class_word(d->info.class_code, class), d->info.vendor, d->info.device,
	       d->info.revision, d->info.subsystem_vendor, d->info.subsystem_device);
	printf("  %-10s %s\n", "driver", or_dash(d->info.driver));
	if (d->info.group >= 0)
		printf("  %-10s %s, group %d\n", "IOMMU", iommu_of(d), d->info.group);
	else
		printf("  %-10s no\n", "IOMMU");
	print_files(m, d);
	print_ways(ways);
}

int devices_print(const struct machine *m, const struct devices_opts *opts)
{
	bool details = opts->verbose || opts->nr_sources;
	bool lost = false;

	if (!details)
		printf("%-12s  %-13s  %-9s  %5s  %-14s  %-8s  %s\n", "address", "class", "id",
		       "group", "driver", "IOMMU", "state");
	for (size_t i = 0; i < m->nr_devices; i++) {
		const struct device *d = &m->devices[i];
		struct ways ways;

		if (!devices_is_shown(opts, d))
			continue;
		ways_find(m, d, &ways);
		if (details)
			print_details(m, d, &ways);
		else
			print_row(d, &ways);
		lost |= ways.lost;
		ways_release(&ways);
	}
	if (!details && !m->iommus[0])
		printf("\nNo IOMMU is at work: 'phyr devices ADDRESS' says what to do.\n");
	return lost ? cli_error(EXIT_FAILED, COMMAND, "%s", strerror(ENOMEM)) : 0;
}
