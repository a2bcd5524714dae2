/* SPDX-License-Identifier: MIT */
/* A device by its VFIO descriptor: opened, reset, closed. */
#include <sys/ioctl.h>

#include "core/bits.h"
#include "pci/device.h"

/* The least and the most that configuration space can be: PCI Express 3.0, 7.2. */
#define CONFIG_MIN 64
#define CONFIG_MAX 4096

static int get_info(struct phyr_pci *pci)
{
	struct vfio_device_info info = {.argsz = sizeof(info)};

	if (ioctl(pci->fd, VFIO_DEVICE_GET_INFO, &info) < 0)
		return -errno;
	if (!(info.flags & VFIO_DEVICE_FLAGS_PCI) ||
	    info.num_regions <= VFIO_PCI_CONFIG_REGION_INDEX ||
	    info.num_irqs <= VFIO_PCI_MSIX_IRQ_INDEX)
		return -EOPNOTSUPP;
	pci->has_request = info.num_irqs > VFIO_PCI_REQ_IRQ_INDEX;
	pci->can_reset = info.flags & VFIO_DEVICE_FLAGS_RESET;
	return 0;
}

static int get_config(struct phyr_pci *pci)
{
	struct region *config = &pci->config;
	int err = phyr_region_get(pci->fd, VFIO_PCI_CONFIG_REGION_INDEX, config);
	uint32_t vendor;

	if (err)
		return err;
	if (config->size < CONFIG_MIN || config->size > CONFIG_MAX || config->size & 3 ||
	    !config->readable || !config->writable)
		return -EIO;
	return phyr_config_get(pci, CONFIG_VENDOR, 2, &vendor);
}

static int init(struct phyr_pci *pci)
{
	int err = get_info(pci);

	if (!err)
		err = get_config(pci);
	if (!err)
		err = phyr_vectors_init(pci);
	if (err)
		return err;
	err = env_lock_init(pci->env, &pci->lock);
	if (err)
		phyr_vectors_fini(pci);
	return err;
}

static int open_fail(struct phyr_env *env, int err, uint32_t source)
{
	const char *hint = "the kernel says of the device what cannot be";

	if (err == -EINVAL) /* a device has no such question, so this is none */
		err = -ENOTTY;
	if (err == -EBADF || err == -ENOTTY || err == -EOPNOTSUPP)
		hint = "the descriptor is not that of a PCI device of VFIO, or is not bound to its "
		       "IOMMU yet: get one with phyr_vfio_device_fd()";
	else if (err == -ENODEV)
		hint = PCI_HINT_GONE;
	else if (err == -ENOMEM)
		hint = "no memory for the device";
	else
		err = -EIO;
	return env_fail(env, .err = err, .call = "phyr_pci_open", .index = source,
			.index_of = "device", .hint = hint);
}

int phyr_pci_open(struct phyr_env *env, int fd, uint32_t source, struct phyr_pci **out)
{
	struct phyr_pci *pci;
	int err;

	env = env_or_hosted(env);
	err = phyr_env_check(env, "phyr_pci_open");
	if (err)
		return err;
	pci = env_alloc(env, sizeof(*pci));
	if (!pci)
		return open_fail(env, -ENOMEM, source);
	*pci = (struct phyr_pci){.env = env, .fd = fd, .source = source};
	err = init(pci);
	if (err) {
		env_free(env, pci, sizeof(*pci));
		return open_fail(env, err, source);
	}
	*out = pci;
	return 0;
}

/* A device whose registers vanished may be there all the same, and is left as quiet as can be. */
void phyr_pci_close(struct phyr_pci *pci)
{
	if (!pci)
		return;
	store_relaxed(&pci->gone, false);
	phyr_command_set(pci, COMMAND_MASTER, 0);
	phyr_vectors_fini(pci);
	phyr_bars_release(pci);
	env_lock_fini(pci->env, &pci->lock);
	env_free(pci->env, pci, sizeof(*pci));
}

bool phyr_pci_is_gone(struct phyr_pci *pci)
{
	return load_relaxed(&pci->gone);
}

/* The kernel keeps a device's configuration over a reset, MSI and MSI-X with it; but not all kernels keep
 * bus mastering. */
static int reset(struct phyr_pci *pci)
{
	uint32_t command;
	int err = phyr_config_get(pci, CONFIG_COMMAND, 2, &command);

	if (err)
		return err;
	if (!pci->can_reset)
		return -EOPNOTSUPP;
	if (ioctl(pci->fd, VFIO_DEVICE_RESET) < 0)
		return pci_kernel_error(pci, errno);
	command &= COMMAND_MASTER | COMMAND_MEMORY;
	return phyr_command_set(pci, (COMMAND_MASTER | COMMAND_MEMORY) & ~command, command);
}

int phyr_pci_reset(struct phyr_pci *pci)
{
	const char *hint = "the kernel could not reset the device";
	int err = reset(pci);

	if (!err)
		return 0;
	if (err == -EINVAL || err == -ENOTTY)
		err = -EOPNOTSUPP;
	if (err == -EOPNOTSUPP)
		hint = "the device has no reset that leaves its neighbours alone";
	else if (err == -EAGAIN)
		hint = "another part of the kernel holds the device: try again";
	else if (err == -ENODEV)
		hint = PCI_HINT_GONE;
	else
		err = -EIO;
	return pci_fail(pci, .err = err, .call = "phyr_pci_reset", .hint = hint);
}
