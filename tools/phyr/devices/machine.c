/* SPDX-License-Identifier: MIT */
/* phyr devices: the machine as it is found: devices, their files, what is used, what VFIO needs. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "devices/devices.h"

#define CAP_IPC_LOCK 14 /* linux/capability.h */

static void take_report(struct phyr_env *env, const struct phyr_report *report)
{
	cli_take_report(&((struct machine *)env)->reports, report);
}

/* Its drivers are vfio-pci and those made of it, which say so in their names. */
bool is_vfio(const char *driver)
{
	return strstr(driver, "vfio") != NULL;
}

static int take_device(void *arg, const struct phyr_pci_info *info)
{
	struct machine *m = arg;
	struct device *d = array_add(&m->devices, &m->nr_devices, sizeof(*d));

	if (!d)
		return -ENOMEM;
	d->info = *info;
	phyr_pci_format(info->source, d->name);
	if (link_name(d->iommu, sizeof(d->iommu), "/sys/bus/pci/devices/%s/iommu", d->name))
		d->iommu[0] = '\0';
	return 0;
}

static void take_iommu(void *arg, const char *name)
{
	struct machine *m = arg;
	size_t used = strlen(m->iommus);

	snprintf(m->iommus + used, sizeof(m->iommus) - used, "%s%s", used ? " " : "", name);
}

/* Whether memory may be pinned beyond RLIMIT_MEMLOCK; root mostly may. */
static bool read_may_lock(void)
{
	FILE *file = fopen("/proc/self/status", "re");
	uint64_t caps = 0;
	char line[256];

	if (!file)
		return !geteuid();
	while (fgets(line, sizeof(line), file))
		sscanf(line, "CapEff: %" SCNx64, &caps);
	fclose(file);
	return caps >> CAP_IPC_LOCK & 1;
}

static void read_system(struct machine *m)
{
	struct rlimit limit;

	dir_each("/sys/class/iommu", take_iommu, m);
	m->has_vfio = !access("/dev/vfio/vfio", F_OK);
	m->has_iommufd = !access("/dev/iommu", F_OK);
	m->has_vfio_pci = !access("/sys/bus/pci/drivers/vfio-pci", F_OK);
	m->may_lock = read_may_lock();
	m->memlock = getrlimit(RLIMIT_MEMLOCK, &limit) || limit.rlim_cur == RLIM_INFINITY
			     ? UINT64_MAX
			     : limit.rlim_cur;
}

int machine_read(struct machine *m)
{
	int err;

	*m = (struct machine){.env = *phyr_env_hosted()};
	m->env.report = take_report;
	err = phyr_pci_each(&m->env, take_device, m);
	if (err)
		return cli_error(EXIT_FAILED, COMMAND, "PCI devices: %s",
				 cli_why(&m->reports, err));
	read_system(m);
	nodes_read(m);
	signs_read(m);
	return m->lost ? cli_error(EXIT_FAILED, COMMAND, "%s", strerror(ENOMEM)) : 0;
}

void machine_release(struct machine *m)
{
	free(m->devices);
	free(m->nodes);
	free(m->signs);
}

struct device *machine_find(struct machine *m, uint32_t source)
{
	for (size_t i = 0; i < m->nr_devices; i++)
		if (m->devices[i].info.source == source)
			return &m->devices[i];
	return NULL;
}
