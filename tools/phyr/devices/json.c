/* SPDX-License-Identifier: MIT */
/* phyr devices: what was found, as JSON. */
#include <errno.h>
#include <string.h>

#include "devices/devices.h"
#include "json_out.h"

static const char *or_null(const char *text)
{
	return text[0] ? text : NULL;
}

static void add_system(struct json_object *top, const struct machine *m)
{
	json_add_text(top, "version", phyr_version());
	json_add_text(top, "iommus", or_null(m->iommus));
	json_add_flag(top, "vfio", m->has_vfio);
	json_add_flag(top, "iommufd", m->has_iommufd);
	json_add_flag(top, "vfio_pci", m->has_vfio_pci);
	json_add_number_if(top, "memlock", m->memlock != UINT64_MAX && !m->may_lock, m->memlock);
}

static void add_info(struct json_object *row, const struct device *d)
{
	const struct phyr_pci_info *info = &d->info;
	char class[16];

	json_add_text(row, "address", d->name);
	json_add_text(row, "class", class_word(info->class_code, class));
	json_add_number(row, "class_code", info->class_code);
	json_add_number(row, "vendor", info->vendor);
	json_add_number(row, "device", info->device);
	json_add_number(row, "subsystem_vendor", info->subsystem_vendor);
	json_add_number(row, "subsystem_device", info->subsystem_device);
	json_add_number(row, "revision", info->revision);
	json_add_flag(row, "bridge", info->bridge);
	json_add_number_if(row, "group", info->group >= 0, (uint64_t)info->group);
	json_add_text(row, "iommu", or_null(d->iommu));
	json_add_number_if(row, "numa_node", info->numa_node >= 0, (uint64_t)info->numa_node);
	json_add_text(row, "driver", or_null(info->driver));
	json_add_text(row, "cdev", or_null(info->cdev));
}

static void add_files(struct json_object *row, const struct machine *m, const struct device *d)
{
	struct json_object *array = json_add_array(row, "files");

	for (size_t i = 0; i < m->nr_nodes; i++)
		if (m->nodes[i].group < 0 && m->nodes[i].owner == d->info.source)
			json_object_array_add(array, json_object_new_string(m->nodes[i].name));
}

static bool add_use(void *array, enum use_kind kind, const char *what, const char *by)
{
	struct json_object *use = json_object_new_object();

	json_add_text(use, "what", what);
	json_add_text(use, "how", devices_use_names[kind]);
	json_add_text(use, "by", or_null(by));
	json_object_array_add(array, use);
	return true;
}

static void add_commands(struct json_object *way, const char *commands)
{
	struct json_object *array = json_add_array(way, "commands");

	while (*commands) {
		int len = (int)strcspn(commands, "\n");

		json_object_array_add(array, json_object_new_string_len(commands, len));
		commands += len + (commands[len] == '\n');
	}
}

static void add_ways(struct json_object *row, const struct ways *ways)
{
	struct json_object *array;

	json_add_flag(row, "ready", !ways_first(ways));
	array = json_add_array(row, "in_the_way");
	for (size_t i = 0; i < ways->nr; i++) {
		const struct way *w = &ways->at[i];
		struct json_object *way = json_object_new_object();

		json_add_text(way, "kind", devices_way_names[w->kind]);
		json_add_flag(way, "only_noted", w->only_noted);
		json_add_text(way, "text", w->text);
		json_add_text(way, "help", or_null(w->help));
		add_commands(way, w->commands);
		json_object_array_add(array, way);
	}
}

static bool add_device(struct json_object *array, const struct machine *m, const struct device *d)
{
	struct json_object *row = json_object_new_object();
	struct ways ways;

	ways_find(m, d, &ways);
	add_info(row, d);
	add_files(row, m, d);
	uses_each(m, d, add_use, json_add_array(row, "uses"));
	add_ways(row, &ways);
	json_object_array_add(array, row);
	ways_release(&ways);
	return !ways.lost;
}

int devices_json(const struct machine *m, const struct devices_opts *opts)
{
	struct json_object *top = json_object_new_object(), *array;
	bool whole = true;

	add_system(top, m);
	array = json_add_array(top, "devices");
	for (size_t i = 0; i < m->nr_devices; i++)
		if (devices_is_shown(opts, &m->devices[i]))
			whole &= add_device(array, m, &m->devices[i]);
	json_end(top);
	return whole ? 0 : cli_error(EXIT_FAILED, COMMAND, "%s", strerror(ENOMEM));
}
