/* SPDX-License-Identifier: MIT */
/* The registers behind a BAR: mapped, or read and written by the kernel. */
#include <sys/mman.h>
#include <unistd.h>

#include "core/bits.h"
#include "pci/device.h"

#define ALL_ONES (~(uint64_t)0)

static struct bar *bar_of(struct phyr_regs *regs)
{
	return container_of(regs, struct bar, regs);
}

static bool is_access(const struct phyr_regs *regs, uint64_t offset, unsigned width)
{
	return is_pow2(width) && width <= 8 && !(offset & (width - 1)) && offset < regs->size;
}

/* An access that fails is one to a device that is gone, as it is with mapped registers. */
static uint64_t kernel_read(struct phyr_regs *regs, uint64_t offset, unsigned width)
{
	struct bar *bar = bar_of(regs);
	unsigned char bytes[8];
	uint64_t value = 0;

	if (!is_access(regs, offset, width) || load_relaxed(&bar->pci->gone))
		return ALL_ONES;
	if (pread(bar->pci->fd, bytes, width, (off_t)(bar->offset + offset)) != (ssize_t)width) {
		pci_gone(bar->pci);
		return ALL_ONES;
	}
	while (width--)
		value = value << 8 | bytes[width];
	return value;
}

static void kernel_write(struct phyr_regs *regs, uint64_t offset, uint64_t value, unsigned width)
{
	struct bar *bar = bar_of(regs);
	unsigned char bytes[8];

	if (!is_access(regs, offset, width) || load_relaxed(&bar->pci->gone))
		return;
	for (unsigned i = 0; i < width; i++)
		bytes[i] = (unsigned char)(value >> 8 * i);
	if (pwrite(bar->pci->fd, bytes, width, (off_t)(bar->offset + offset)) != (ssize_t)width)
		pci_gone(bar->pci);
}

static void no_write(struct phyr_regs *regs, uint64_t offset, uint64_t value, unsigned width)
{
}

static int map(struct phyr_pci *pci, struct bar *bar, const struct region *region)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	size_t len = round_up_mask(region->size, page - 1);
	void *base =
		mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, pci->fd, (off_t)region->offset);
	int err;

	if (base == MAP_FAILED)
		return pci_kernel_error(pci, errno == EAGAIN ? ENOMEM : errno);
	err = phyr_guard_add(&bar->guard, base, len, &pci->gone);
	if (err) {
		munmap(base, len);
		return err;
	}
	bar->mapped = len;
	bar->regs.base = base;
	return 0;
}

static void by_kernel(struct bar *bar, const struct region *region)
{
	bar->offset = region->offset;
	bar->regs.read = kernel_read;
	bar->regs.write = region->writable ? kernel_write : no_write;
}

/* Bit 0 of a BAR tells ports from memory; the upper half of a long one has no region. */
static int check_bar(struct phyr_pci *pci, unsigned n, const struct region *region)
{
	uint32_t value = 0;
	int err = 0;

	if (!region->size || !region->readable)
		return -ENXIO;
	if (n != BAR_ROM)
		err = phyr_config_get(pci, CONFIG_BAR + 4 * n, 4, &value);
	if (err)
		return err;
	return value & BAR_IO ? -EOPNOTSUPP : 0;
}

static int make(struct phyr_pci *pci, unsigned n, struct bar *bar)
{
	struct region region;
	int err = load_relaxed(&pci->gone) ? -ENODEV : phyr_region_get(pci->fd, n, &region);

	if (!err)
		err = check_bar(pci, n, &region);
	if (!err)
		err = phyr_command_set(pci, 0, COMMAND_MEMORY);
	if (err)
		return err;
	*bar = (struct bar){.pci = pci, .regs.size = region.size};
	if (region.mappable && region.writable)
		err = map(pci, bar, &region);
	else
		by_kernel(bar, &region);
	bar->made = !err;
	return err;
}

static int bar_fail(struct phyr_pci *pci, int err)
{
	const char *hint = "the kernel does not give the BAR as it says it would";

	switch (err) {
	case -EINVAL:
		hint = "BARs are 0 to 5; 6 is the expansion ROM";
		break;
	case -ENXIO:
		err = -ENODEV;
		hint = "the device has no such BAR, or it is the upper half of the one before";
		break;
	case -ENODEV:
		hint = PCI_HINT_GONE;
		break;
	case -EOPNOTSUPP:
		hint = "the BAR holds I/O ports, which are not mapped";
		break;
	case -EBUSY:
		hint = "another driver in the kernel holds the BAR";
		break;
	case -ENOMEM:
	case -EMFILE:
	case -ENFILE:
		hint = "no memory or descriptor for the mapping";
		break;
	default:
		err = -EIO;
	}
	return pci_fail(pci, .err = err, .call = "phyr_pci_map_bar", .hint = hint);
}

int phyr_pci_map_bar(struct phyr_pci *pci, unsigned bar, struct phyr_regs **out)
{
	int err;

	if (bar >= NR_BARS)
		return bar_fail(pci, -EINVAL);
	if (!pci->bars[bar].made) {
		err = make(pci, bar, &pci->bars[bar]);
		if (err == -EINVAL) /* of the kernel */
			err = -EIO;
		if (err)
			return bar_fail(pci, err);
	}
	*out = &pci->bars[bar].regs;
	return 0;
}

void phyr_bars_release(struct phyr_pci *pci)
{
	for (unsigned n = 0; n < NR_BARS; n++) {
		struct bar *bar = &pci->bars[n];

		if (!bar->mapped)
			continue;
		phyr_guard_remove(&bar->guard);
		munmap((void *)(uintptr_t)bar->regs.base, bar->mapped);
	}
}
