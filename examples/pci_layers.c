/* SPDX-License-Identifier: MIT */
/*
 * Two NVMe drives in one domain, by the layers below phyr_open(): what one drive reads into memory, the
 * other one compares with its blocks, or writes. One mapping serves both: pci_layers iommufd FROM TO
 */
#include <phyr/phyr.h>
#include <stdio.h>
#include <string.h>

enum { LEN = 65536 };

struct drive {
	struct phyr_dev *dev;
	struct phyr_pci *pci;
	struct phyr_regs *regs;
	struct phyr_nvme *nvme;
	struct phyr_nvme_queue *queue;
};

static void on_report(struct phyr_env *env, const struct phyr_report *report)
{
	char line[256];

	(void)env;
	phyr_report_format(report, line, sizeof(line));
	fprintf(stderr, "%s\n", line);
}

/* Attached, opened, a bus master, its registers mapped: then its driver. In this order. */
static int drive_open(struct drive *d, struct phyr_domain *domain, const char *name, bool read_only)
{
	struct phyr_nvme_opts opts = {.size = sizeof(opts), .read_only = read_only};
	struct phyr_iommu *iommu = phyr_domain_iommu(domain);
	uint32_t source;
	int fd, err = phyr_pci_parse(name, &source);

	err = err ? err : phyr_dev_create(domain, source, NULL, &d->dev);
	err = err ? err : phyr_vfio_device_fd(iommu, source, &fd);
	err = err ? err : phyr_pci_open(iommu->env, fd, source, &d->pci);
	err = err ? err : phyr_pci_set_master(d->pci, true);
	err = err ? err : phyr_pci_map_bar(d->pci, 0, &d->regs);
	err = err ? err : phyr_nvme_open(d->dev, d->regs, &opts, &d->nvme);
	return err ? err : phyr_nvme_queue_create(d->nvme, 8, &d->queue);
}

static void drive_close(struct drive *d)
{
	phyr_nvme_queue_destroy(d->queue);
	phyr_nvme_close(d->nvme);
	phyr_pci_close(d->pci);
	phyr_dev_destroy(d->dev);
}

static void ended(void *how, const struct phyr_nvme_done *done)
{
	*(int *)how = done->err;
}

/* The drive reads the memory and says whether its blocks hold the same: 0, or -EILSEQ. */
static int compare(struct drive *d, const struct phyr_dma_map *map)
{
	struct phyr_cursor cur;
	int how = 1, err = phyr_dma_map_cursor(map, 0, LEN, &cur);

	err = err ? err : phyr_nvme_compare(d->queue, 0, &cur, ended, &how);
	while (!err && how > 0)
		phyr_nvme_poll(d->queue);
	return err ? err : how;
}

/* The map is of the domain: made for one of its devices, it is all of theirs. */
static int move(struct drive *from, struct drive *to, struct phyr_list *list, bool write)
{
	struct phyr_dma_map map;
	int err = phyr_dma_map(from->dev, list, PHYR_DMA_BIDIRECTIONAL, 0, &map);

	if (err)
		return err;
	err = phyr_nvme_read_sync(from->queue, 0, &map);
	if (!err && write)
		err = phyr_nvme_write_sync(to->queue, 0, &map);
	err = err ? err : compare(to, &map);
	phyr_dma_unmap(from->dev, &map);
	return err;
}

int main(int argc, char **argv)
{
	static char buf[LEN];
	struct phyr_env env = *phyr_env_hosted();
	struct drive from = {0}, to = {0};
	struct phyr_domain *domain = NULL;
	struct phyr_iommu *iommu = NULL;
	struct phyr_list list;
	bool write = argc == 5 && !strcmp(argv[4], "--destroy-data");
	int err;

	if (argc != 4 + write || (strcmp(argv[1], "vfio") && strcmp(argv[1], "iommufd")))
		return fputs("usage: pci_layers vfio|iommufd FROM TO [--destroy-data]\n", stderr),
		       2;
	env.report = on_report;
	phyr_list_init(&list, &env, phyr_space_user());
	err = (strcmp(argv[1], "vfio") ? phyr_iommufd_create : phyr_vfio_create)(&env, &iommu);
	err = err ? err : phyr_domain_create(iommu, &domain);
	err = err ? err : drive_open(&from, domain, argv[2], true);
	err = err ? err : drive_open(&to, domain, argv[3], !write);
	err = err ? err : phyr_source_append(&list, buf, LEN);
	err = err ? err : move(&from, &to, &list, write);
	puts(err ? strerror(-err) : "the same");
	drive_close(&to);
	drive_close(&from);
	phyr_list_fini(&list);
	phyr_domain_destroy(domain);
	phyr_iommu_destroy(iommu);
	return err != 0;
}
