/* SPDX-License-Identifier: MIT */
/*
 * Configuration space, by reading and writing its region.
 *
 * A device that is no more answers all ones. So may a register that is there; but not the class and
 * revision, which the kernel reads from the device, and not the vendor, which it remembers on some.
 */
#include <unistd.h>

#include "core/bits.h"
#include "pci/device.h"

static bool is_ones(uint32_t value, unsigned width)
{
	return value == (uint32_t)(((uint64_t)1 << width * 8) - 1);
}

static uint32_t from_le(const unsigned char *bytes, unsigned width)
{
	uint32_t value = 0;

	while (width--)
		value = value << 8 | bytes[width];
	return value;
}

static void to_le(uint32_t value, unsigned char *bytes, unsigned width)
{
	for (unsigned i = 0; i < width; i++)
		bytes[i] = (unsigned char)(value >> 8 * i);
}

/* What a transfer of width bytes returned, with its errno. */
static int transfer_error(struct phyr_pci *pci, ssize_t done, unsigned width, int error)
{
	if (done == (ssize_t)width)
		return 0;
	return done < 0 && error != EIO && error != ENODEV ? -EIO : pci_gone(pci);
}

static int read_one(struct phyr_pci *pci, uint64_t offset, unsigned width, uint32_t *value)
{
	unsigned char bytes[4];
	ssize_t done = pread(pci->fd, bytes, width, (off_t)(pci->config.offset + offset));
	int err = transfer_error(pci, done, width, errno);

	if (!err)
		*value = from_le(bytes, width);
	return err;
}

/* Something read all ones. */
static int look_for_device(struct phyr_pci *pci)
{
	uint32_t vendor, class_code;
	int err = read_one(pci, CONFIG_VENDOR, 2, &vendor);

	if (!err)
		err = read_one(pci, CONFIG_REVISION, 4, &class_code);
	if (err)
		return err;
	return is_ones(vendor, 2) || is_ones(class_code, 4) ? pci_gone(pci) : 0;
}

int phyr_config_get(struct phyr_pci *pci, uint64_t offset, unsigned width, uint32_t *value)
{
	uint32_t got;
	int err = load_relaxed(&pci->gone) ? -ENODEV : read_one(pci, offset, width, &got);

	if (!err && is_ones(got, width))
		err = look_for_device(pci);
	if (!err)
		*value = got;
	return err;
}

int phyr_config_put(struct phyr_pci *pci, uint64_t offset, unsigned width, uint32_t value)
{
	unsigned char bytes[4];
	ssize_t done;

	if (load_relaxed(&pci->gone))
		return -ENODEV;
	to_le(value, bytes, width);
	done = pwrite(pci->fd, bytes, width, (off_t)(pci->config.offset + offset));
	return transfer_error(pci, done, width, errno);
}

/* Whether an access is one: 0, or a reported error. */
static int check_access(struct phyr_pci *pci, const char *call, uint64_t offset, unsigned width)
{
	if ((width != 1 && width != 2 && width != 4) || offset & (width - 1))
		return pci_fail(pci, .err = -EINVAL, .call = call, .addr = offset, .len = width,
				.has_addr = true,
				.hint = "a width is 1, 2 or 4, an offset a multiple of it");
	if (offset >= pci->config.size)
		return pci_fail(pci, .err = -ERANGE, .call = call, .addr = offset, .len = width,
				.has_addr = true, .limit = pci->config.size,
				.hint = "configuration space ends before that");
	return 0;
}

static int config_fail(struct phyr_pci *pci, int err, const char *call, uint64_t offset,
		       unsigned width)
{
	return pci_fail(
		pci, .err = err, .call = call, .addr = offset, .len = width, .has_addr = true,
		.hint = err == -ENODEV ? PCI_HINT_GONE
				       : "the kernel refuses this access to configuration space");
}

int phyr_pci_config_read(struct phyr_pci *pci, uint64_t offset, unsigned width, uint32_t *value)
{
	static const char call[] = "phyr_pci_config_read";
	int err = check_access(pci, call, offset, width);

	if (err)
		return err;
	err = phyr_config_get(pci, offset, width, value);
	return err ? config_fail(pci, err, call, offset, width) : 0;
}

int phyr_pci_config_write(struct phyr_pci *pci, uint64_t offset, unsigned width, uint32_t value)
{
	static const char call[] = "phyr_pci_config_write";
	int err = check_access(pci, call, offset, width);

	if (err)
		return err;
	err = phyr_config_put(pci, offset, width, value);
	return err ? config_fail(pci, err, call, offset, width) : 0;
}

/* Follow the list. It lies behind the header, and holds at most as many as have room there. */
static int find_cap(struct phyr_pci *pci, unsigned id, unsigned *offset)
{
	uint32_t status, at = 0, head = 0;
	int err = phyr_config_get(pci, CONFIG_STATUS, 2, &status);

	if (err)
		return err;
	if (!(status & STATUS_CAPS))
		return -ENOENT;
	err = phyr_config_get(pci, CONFIG_CAPS, 1, &at);
	for (unsigned steps = 0; !err && steps < (256 - CONFIG_HEADER_END) / 4; steps++) {
		at &= ~3u; /* the low bits are reserved */
		if (at < CONFIG_HEADER_END)
			return -ENOENT;
		err = phyr_config_get(pci, at, 2, &head);
		if (!err && (head & 0xff) == id) {
			*offset = at;
			return 0;
		}
		at = head >> 8;
	}
	return err ? err : -ENOENT;
}

int phyr_pci_find_cap(struct phyr_pci *pci, unsigned id, unsigned *offset)
{
	int err = find_cap(pci, id, offset);

	return err && err != -ENOENT ? config_fail(pci, err, "phyr_pci_find_cap", 0, 0) : err;
}

int phyr_command_set(struct phyr_pci *pci, uint32_t clear, uint32_t set)
{
	uint32_t was, now;
	int err = phyr_config_get(pci, CONFIG_COMMAND, 2, &was);

	if (err)
		return err;
	now = (was & ~clear) | set;
	if (now == was)
		return 0;
	err = phyr_config_put(pci, CONFIG_COMMAND, 2, now);
	if (!err)
		err = phyr_config_get(pci, CONFIG_COMMAND, 2, &was);
	if (err)
		return err;
	return (was & (clear | set)) == set ? 0 : -EIO;
}

int phyr_pci_set_master(struct phyr_pci *pci, bool on)
{
	int err = on ? phyr_command_set(pci, 0, COMMAND_MASTER | COMMAND_MEMORY)
		     : phyr_command_set(pci, COMMAND_MASTER, 0);

	if (!err)
		return 0;
	return pci_fail(pci, .err = err, .call = "phyr_pci_set_master",
			.hint = err == -ENODEV ? PCI_HINT_GONE
					       : "the device's command register did not take it");
}
