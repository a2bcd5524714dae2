/* SPDX-License-Identifier: MIT */
/*
 * A driver of one's own for a real PCI device, by the front door: my_pci pci:0000:00:05.0
 *
 * The device is the one that QEMU has for teaching (`-device edu`; its registers are in QEMU's docs,
 * specs/edu): an engine that copies between memory and a buffer of its own, and interrupts.
 */
#include <errno.h>
#include <phyr/phyr.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Registers; those below 0x80 are 4 bytes wide. What CMD takes. Who IRQ_STATUS says it was. */
enum { ID = 0, IRQ_STATUS = 0x24, IRQ_ACK = 0x64 };
enum { FROM = 0x80, TO = 0x88, COUNT = 0x90, CMD = 0x98 };
enum { START = 1, TO_MEMORY = 2, INTERRUPT = 4, COPIED = 0x100 };
enum { BUFFER = 0x40000, LEN = 4000, MASK = (1 << 28) - 1, TIMEOUT_MS = 10000 };

struct driver {
	struct phyr_dev *dev;
	struct phyr_pci *pci;
	struct phyr_regs *regs;
	int irq; /* an eventfd: written when the device interrupts */
};

static int driver_open(struct driver *d, struct phyr *p)
{
	int err;

	*d = (struct driver){phyr_get_dev(p), phyr_get_pci(p), phyr_get_regs(p), -1};
	if (!d->pci || !d->regs || (phyr_regs_read(d->regs, ID, 4) & 0xffff) != 0xed)
		return -ENODEV;
	d->irq = eventfd(0, EFD_CLOEXEC);
	err = d->irq < 0 ? -errno : phyr_pci_set_vector_fd(d->pci, 0, d->irq);
	if (err && d->irq >= 0)
		close(d->irq);
	return err;
}

static void driver_close(struct driver *d)
{
	phyr_pci_set_vector_fd(d->pci, 0, -1);
	close(d->irq);
}

/* Sleep until the device interrupts, and see to what it wanted. */
static int await(struct driver *d)
{
	struct pollfd pfd = {.fd = d->irq, .events = POLLIN};
	uint64_t count, status;

	if (poll(&pfd, 1, TIMEOUT_MS) != 1 || read(d->irq, &count, sizeof(count)) != sizeof(count))
		return -ETIMEDOUT;
	status = phyr_regs_read(d->regs, IRQ_STATUS, 4);
	phyr_regs_write(d->regs, IRQ_ACK, status, 4);
	return status == COPIED ? 0 : -EIO; /* all ones: it is gone */
}

/* Memory to the device's buffer, or back. */
static int driver_copy(struct driver *d, void *buf, enum phyr_dma_dir dir)
{
	bool out = dir == PHYR_DMA_TO_DEVICE;
	phyr_dma_addr_t addr;
	int err = phyr_dma_map_phys(d->dev, phyr_space_user(), (uintptr_t)buf, LEN, dir, 0, &addr);

	if (err)
		return err;
	phyr_regs_write(d->regs, FROM, out ? addr : BUFFER, 8);
	phyr_regs_write(d->regs, TO, out ? BUFFER : addr, 8);
	phyr_regs_write(d->regs, COUNT, LEN, 8);
	phyr_regs_write(d->regs, CMD, START | INTERRUPT | (out ? 0 : TO_MEMORY), 8);
	err = await(d);
	phyr_dma_unmap_phys(d->dev, addr, LEN, dir, 0); /* if it is late, it reaches buf no more */
	return err;
}

static void on_report(void *arg, const struct phyr_report *report)
{
	char line[256];

	(void)arg;
	phyr_report_format(report, line, sizeof(line));
	fprintf(stderr, "%s\n", line);
}

int main(int argc, char **argv)
{
	static char out[LEN], in[LEN];
	struct phyr_limits limits = {.size = sizeof(limits), .dma_mask = MASK};
	struct phyr_opts opts = {.size = sizeof(opts), .limits = &limits, .report = on_report};
	struct driver d;
	struct phyr *p;
	int err;

	if (argc != 2)
		return fputs("usage: my_pci pci:ADDRESS, of QEMU's edu device\n", stderr), 2;
	err = phyr_open(argv[1], &opts, &p);
	if (err)
		return fprintf(stderr, "%s: %s\n", argv[1], strerror(-err)), 1;
	memset(out, 0x5a, LEN);
	err = driver_open(&d, p);
	if (!err) {
		err = driver_copy(&d, out, PHYR_DMA_TO_DEVICE);
		err = err ? err : driver_copy(&d, in, PHYR_DMA_FROM_DEVICE);
		driver_close(&d);
	}
	phyr_close(p);
	err = err || !memcmp(in, out, LEN) ? err : -EIO;
	puts(err ? strerror(-err) : "two interrupts, and the same bytes");
	return err != 0;
}
