/* SPDX-License-Identifier: MIT */
/*
 * A broker: root opens a drive's files by <linux/vfio.h>, and a child without rights uses the descriptors
 * by phyr, to read: broker ADDRESS UID >first-64k
 *
 * Here the child has them by fork(2); any process may have them by a socket (SCM_RIGHTS). What it reaches by
 * them is this device, and of its own memory as much as RLIMIT_MEMLOCK lets it map.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/vfio.h>
#include <phyr/phyr.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

struct opened {
	int container;            /* with the device's group in it, and its kind of IOMMU set */
	struct phyr_vfio_dev dev; /* the device's source id, and its descriptor */
};

/* What the broker does: plain system calls. */
static int open_files(const char *name, int group_number, struct opened *o)
{
	char path[64];
	int group;

	snprintf(path, sizeof(path), "/dev/vfio/%d", group_number);
	o->container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	group = open(path, O_RDWR | O_CLOEXEC);
	if (o->container < 0 || group < 0 ||
	    ioctl(group, VFIO_GROUP_SET_CONTAINER, &o->container) ||
	    ioctl(o->container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU))
		return -errno;
	o->dev.fd = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, name);
	if (o->dev.fd < 0)
		return -errno;
	close(group); /* the device's descriptor holds it */
	return 0;
}

static int read_start(struct phyr_dev *dev, struct phyr_nvme_queue *queue)
{
	static char buf[65536];
	struct phyr_dma_map map;
	struct phyr_list list;
	int err;

	phyr_list_init(&list, NULL, phyr_space_user());
	err = phyr_source_append(&list, buf, sizeof(buf));
	err = err ? err : phyr_dma_map(dev, &list, PHYR_DMA_FROM_DEVICE, 0, &map);
	if (!err) {
		err = phyr_nvme_read_sync(queue, 0, &map);
		phyr_dma_unmap(dev, &map);
	}
	phyr_list_fini(&list);
	return err ? err : fwrite(buf, sizeof(buf), 1, stdout) && !fflush(stdout) ? 0 : -EIO;
}

/* What the child does: a backend on the descriptors, and all above it as ever. */
static int use(const struct opened *o)
{
	struct phyr_vfio_fds fds = {sizeof(fds), o->container, &o->dev, 1};
	struct phyr_nvme_opts opts = {.size = sizeof(opts), .read_only = true};
	struct phyr_nvme_queue *queue = NULL;
	struct phyr_domain *domain = NULL;
	struct phyr_iommu *iommu = NULL;
	struct phyr_nvme *nvme = NULL;
	struct phyr_dev *dev = NULL;
	struct phyr_pci *pci = NULL;
	struct phyr_regs *regs;
	int err;

	err = phyr_vfio_from_fds(NULL, &fds, &iommu);
	err = err ? err : phyr_domain_create(iommu, &domain);
	err = err ? err : phyr_dev_create(domain, o->dev.source, NULL, &dev);
	err = err ? err : phyr_pci_open(NULL, o->dev.fd, o->dev.source, &pci);
	err = err ? err : phyr_pci_set_master(pci, true);
	err = err ? err : phyr_pci_map_bar(pci, 0, &regs);
	err = err ? err : phyr_nvme_open(dev, regs, &opts, &nvme);
	err = err ? err : phyr_nvme_queue_create(nvme, 8, &queue);
	err = err ? err : read_start(dev, queue);
	phyr_nvme_queue_destroy(queue);
	phyr_nvme_close(nvme);
	phyr_pci_close(pci);
	phyr_dev_destroy(dev);
	phyr_domain_destroy(domain);
	phyr_iommu_destroy(iommu);
	return err;
}

int main(int argc, char **argv)
{
	uid_t uid = argc == 3 ? (uid_t)strtoul(argv[2], NULL, 10) : 0;
	struct phyr_pci_info info;
	char name[PHYR_PCI_NAME];
	struct opened o;
	int status, err;

	if (!uid)
		return fputs("usage: broker ADDRESS UID, as root; UID is not root's\n", stderr), 2;
	err = phyr_pci_parse(argv[1], &o.dev.source);
	err = err ? err : phyr_pci_find(NULL, o.dev.source, &info);
	if (!err) {
		phyr_pci_format(o.dev.source, name);
		err = open_files(name, info.group, &o);
	}
	if (!err && !fork()) {
		err = setgroups(0, NULL) || setgid(uid) || setuid(uid) ? -errno : use(&o);
		_exit(err ? fprintf(stderr, "child: %s\n", strerror(-err)), 1 : 0);
	}
	if (err)
		return fprintf(stderr, "broker: %s\n", strerror(-err)), 1;
	return wait(&status) < 0 || status != 0;
}
