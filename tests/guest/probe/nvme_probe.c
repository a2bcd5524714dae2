/* SPDX-License-Identifier: MIT */
/*
 * Ask an NVMe controller some thousand questions, right and wrong ones, and print a line for each:
 *
 *   nvme_probe --destroy-data TARGET [GROUP...]        sim:FILE, pci:0000:00:04.0
 *
 * What is on the namespace is lost. Two controllers' answers are compared with diff(1).
 */
#include "probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct group {
	const char *name;
	void (*ask)(struct probe *h);
} groups[] = {
	{"properties", ask_properties},
	{"enable", ask_enable},
	{"shutdown", ask_shutdown},
	{"identify", ask_identify},
	{"controller", ask_controller_data},
	{"features", ask_features},
	{"set", ask_set_features},
	{"logs", ask_logs},
	{"opcodes", ask_opcodes},
	{"fields", ask_fields},
	{"queues", ask_queues},
	{"doorbells", ask_doorbells},
	{"events", ask_events},
	{"abort", ask_abort},
	{"io", ask_io},
	{"blocks", ask_blocks},
	{"dsm", ask_dsm},
	{"prp", ask_prp},
	{"completions", ask_completions},
	{"unmapped", ask_unmapped},
	{"destroying", ask_destroying},
};
#define NR_GROUPS (sizeof(groups) / sizeof(groups[0]))

static void print_report(void *arg, const struct phyr_report *report)
{
	char line[512];

	phyr_report_format(report, line, sizeof(line));
	fprintf(stderr, "nvme_probe: %s\n", line);
}

static enum phyr_iommu_choice choose_iommu(const char *target)
{
	const char *iommu = strncmp(target, "pci:", 4) ? NULL : getenv("GUEST_IOMMU");

	if (!iommu)
		return PHYR_IOMMU_DEFAULT;
	return strcmp(iommu, "vfio") ? PHYR_IOMMU_IOMMUFD : PHYR_IOMMU_VFIO;
}

/* The library's driver says what the namespace is like; then the controller is ours. */
static void open_target(struct probe *h, const char *target)
{
	struct phyr_opts opts = {.size = sizeof(opts),
				 .iommu = choose_iommu(target),
				 .writable = true,
				 .report = print_report};
	const struct phyr_nvme_info *info;
	int err = phyr_open(target, &opts, &h->p);

	if (err || !phyr_get_nvme(h->p))
		give_up(target, err ? err : -ENODEV);
	h->dev = phyr_get_dev(h->p);
	h->regs = phyr_get_regs(h->p);
	info = phyr_nvme_get_info(phyr_get_nvme(h->p));
	h->block = info->block_size;
	h->blocks = info->nr_blocks;
	h->nn = info->nr_namespaces;
	h->max_transfer = info->max_transfer;
	h->cap = get64(h, PHYR_NVME_CAP);
	h->quiet_ns = 250 * MS;
}

static void take_memory(struct probe *h)
{
	pair_make(h, &h->admin, 0, ADMIN_SIZE);
	pair_make(h, &h->io, 1, IO_SIZE);
	h->buf = phyr_dma_alloc(h->dev, BUF_BYTES, &h->buf_dma);
	h->list = phyr_dma_alloc(h->dev, 2 * PAGE, &h->list_dma);
	if (!h->buf || !h->list || !phyr_dma_iova_try_alloc(h->dev, &h->nowhere, 0, 16 * PAGE))
		give_up("memory", -ENOMEM);
}

static bool wanted(const char *name, char **names)
{
	for (char **n = names; *n; n++)
		if (!strcmp(*n, name))
			return true;
	return !*names;
}

/* The driver has its controller again, as it had it. */
static void close_target(struct probe *h)
{
	int err;

	host_off(h);
	err = phyr_nvme_reset(phyr_get_nvme(h->p));
	say("driver.reset %s", err ? strerror(-err) : "works");
	phyr_dma_iova_free(h->dev, &h->nowhere);
	phyr_dma_free(h->dev, 2 * PAGE, h->list, h->list_dma);
	phyr_dma_free(h->dev, BUF_BYTES, h->buf, h->buf_dma);
	pair_free(h, &h->io);
	pair_free(h, &h->admin);
	phyr_close(h->p);
}

int main(int argc, char **argv)
{
	static struct probe h;

	if (argc < 3 || strcmp(argv[1], "--destroy-data")) {
		fprintf(stderr, "usage: nvme_probe --destroy-data TARGET [GROUP...]\n");
		return 2;
	}
	open_target(&h, argv[2]);
	take_memory(&h);
	for (size_t i = 0; i < NR_GROUPS; i++)
		if (wanted(groups[i].name, argv + 3))
			groups[i].ask(&h);
	close_target(&h);
	return 0;
}
