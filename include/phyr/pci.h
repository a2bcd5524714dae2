/* SPDX-License-Identifier: MIT */
/*
 * PCI devices that Linux lends to a process: find them, their configuration, registers, interrupts.
 *
 * Finding reads sysfs and changes nothing. What is opened is a descriptor of VFIO, wherever it came from
 * (phyr_vfio_device_fd(), a broker), so these calls go with any backend and with none of phyr's. phyr_open()
 * makes them all; below it, they come in this order (examples/pci_layers.c):
 *
 *   phyr_dev_create(domain, source, NULL, &dev);     the device is attached: its file is open
 *   phyr_vfio_device_fd(iommu, source, &fd);         that file
 *   phyr_pci_open(env, fd, source, &pci);
 *   phyr_pci_set_master(pci, true);                  it reaches what is mapped for it, and may interrupt
 *   phyr_pci_map_bar(pci, 0, &regs);                 for phyr_nvme_open(), phyr_regs_read(), …
 *   phyr_pci_close(pci), phyr_dev_destroy(dev);      in this order, after what uses the registers
 *
 * A device is named by its source id, segment << 16 | bus << 8 | device << 3 | function, or by its address
 * as text, "0000:01:00.0".
 *
 * A device can be pulled out at any time. Its registers read all ones then, and other calls give
 * -ENODEV; a driver that looks for all ones needs no more. Mapped registers that the kernel takes
 * away (removal, a reset by somebody else, memory decoding switched off) would end the process with
 * SIGBUS: the first phyr_pci_map_bar() of a process installs a handler that puts pages of all ones in
 * their place, for good; SIGBUS elsewhere goes to whoever handled it before. What is written to such
 * pages stays in them, and reaches nobody. phyr_pci_is_gone() tells. Who installs a handler of his own
 * later hands on to the one before; a thread that blocks SIGBUS is not saved. An orderly removal waits for
 * the program: phyr_pci_set_request_fd() tells it.
 *
 * Threads: one device's calls are the caller's to order, but for phyr_pci_set_vector_fd() and
 * phyr_pci_is_gone(), which take any thread, and registers, which are memory.
 */
#ifndef PHYR_PCI_H
#define PHYR_PCI_H

#include <phyr/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Room for an address as text, "0000:01:00.0", and its terminator. */
#define PHYR_PCI_NAME 20

/**
 * Read an address: "0000:01:00.0", or "01:00.0" in segment 0; hexadecimal.
 *
 * Devices in segments of more than 16 bits, which Intel's VMD makes, have no source id: -EINVAL.
 *
 * @param text    nothing may follow the address
 * @param source  out: written on success only
 * @return 0; -EINVAL. There is no environment to report to.
 */
PHYR_API int phyr_pci_parse(const char *text, uint32_t *source);

/** Write an address as text, always with its segment. */
PHYR_API void phyr_pci_format(uint32_t source, char name[PHYR_PCI_NAME]);

/** What sysfs says of a device. */
struct phyr_pci_info {
	uint32_t source;
	uint16_t vendor;
	uint16_t device;
	uint16_t subsystem_vendor;
	uint16_t subsystem_device;
	uint32_t class_code; /**< class, subclass, interface: 0x010802 is NVMe */
	uint8_t revision;
	bool bridge;     /**< of the class of bridges, which are no one's to drive */
	int group;       /**< IOMMU group; -1: none, so no IOMMU */
	int numa_node;   /**< -1: not said */
	char driver[32]; /**< "nvme", "vfio-pci"; empty: none */
	char cdev[16]; /**< its file under /dev/vfio/devices; empty: none, as with no VFIO driver */
};

/**
 * Look a device up.
 *
 * @param env  NULL: the hosted one; reported to
 * @param out  written on success only
 * @return 0; -ENODEV no such device; -EIO sysfs says what cannot be; -EACCES, -EMFILE, … as open(2)
 *         says; -ENOMEM
 */
PHYR_API int phyr_pci_find(struct phyr_env *env, uint32_t source, struct phyr_pci_info *out);

/** Called for a device; the info is gone afterwards. @return 0: go on; else the walk ends with it */
typedef int phyr_pci_fn(void *arg, const struct phyr_pci_info *info);

/**
 * Go through all devices, in the order of their source ids. Those that vanish meanwhile are left out.
 *
 * @return 0; what fn returned; -EINVAL a member of the env is missing; -ENOENT there is no PCI in this
 *         system; -ENOMEM; as phyr_pci_find(), but for -ENODEV
 */
PHYR_API int phyr_pci_each(struct phyr_env *env, phyr_pci_fn *fn, void *arg);

/** An open device. */
struct phyr_pci;

/**
 * Open a device by its VFIO descriptor. Nothing of the device changes.
 *
 * @param env     NULL: the hosted one; borrowed until phyr_pci_close()
 * @param fd      borrowed until phyr_pci_close()
 * @param source  for messages
 * @param out     written on success only
 * @return 0; -EINVAL a member of the env is missing; -EBADF, -ENOTTY, -EOPNOTSUPP fd is no PCI device of
 *         VFIO, or not bound to its IOMMU yet; -ENODEV it is gone; -EIO the kernel says of it what
 *         cannot be; -ENOMEM
 */
PHYR_API int phyr_pci_open(struct phyr_env *env, int fd, uint32_t source, struct phyr_pci **out);

/**
 * Close it: interrupts are disconnected, bus mastering is switched off, mapped registers go. NULL is
 * fine.
 */
PHYR_API void phyr_pci_close(struct phyr_pci *pci);

/**
 * Read or write configuration space, as far as the kernel lets: it keeps BARs and some capabilities
 * for itself, and ignores writes there.
 *
 * @param width  1, 2 or 4; offset is a multiple of it
 * @param value  out: written on success only
 * @return 0; -EINVAL width or offset; -ERANGE past the end; -ENODEV it is gone; -EIO
 */
PHYR_API int phyr_pci_config_read(struct phyr_pci *pci, uint64_t offset, unsigned width,
				  uint32_t *value);
PHYR_API int phyr_pci_config_write(struct phyr_pci *pci, uint64_t offset, unsigned width,
				   uint32_t value);

/**
 * Find a capability by its id (PCI Local Bus 3.0, 6.7; ids of the PCI Code and ID Assignment).
 *
 * @param offset  out: where it begins in configuration space; written on success only
 * @return 0; -ENOENT it has none, or its list makes no sense; as phyr_pci_config_read(). Not reported
 *         when it is -ENOENT.
 */
PHYR_API int phyr_pci_find_cap(struct phyr_pci *pci, unsigned id, unsigned *offset);

/**
 * Let the device reach memory, or not (bus master enable; memory decoding is switched on, too).
 *
 * Off when VFIO gave the device out. phyr_pci_reset() switches it on again where it was.
 * @return 0; -ENODEV it is gone; -EIO it did not take
 */
PHYR_API int phyr_pci_set_master(struct phyr_pci *pci, bool on);

/**
 * The registers behind a BAR.
 *
 * Mapped where the kernel lets all of it be mapped: base is a pointer then, which may also be mapped
 * for other devices as memory of this process on backend vfio. Else read and write go through the
 * kernel, a system call an access, of width 1, 2, 4 or 8. Memory decoding is switched on. Mapped once; a
 * second call gives the same. Costs a descriptor a mapped BAR.
 *
 * @param bar  0 to 5, or 6: the expansion ROM, to read
 * @param out  valid until phyr_pci_close(); written on success only
 * @return 0; -EINVAL no such BAR; -ENODEV it has no size, or the device is gone; -EOPNOTSUPP I/O ports;
 *         -EBUSY another driver holds it; -EIO the kernel says what cannot be, or does not map what it
 *         said it would; -EMFILE, -ENFILE; -ENOMEM
 */
PHYR_API int phyr_pci_map_bar(struct phyr_pci *pci, unsigned bar, struct phyr_regs **out);

/**
 * Reset the function, and wait for it. Registers, interrupts and bus mastering are as they were before,
 * seen from outside; what the device itself knew is gone.
 *
 * @return 0; -EOPNOTSUPP it cannot be reset alone; -ENODEV it is gone; -EIO; -EAGAIN somebody holds it
 */
PHYR_API int phyr_pci_reset(struct phyr_pci *pci);

/** How many interrupt vectors it has: MSI-X, else MSI; 0: none of the two. */
PHYR_API unsigned phyr_pci_nr_vectors(const struct phyr_pci *pci);

/**
 * Connect a vector to an eventfd, which is written when the device raises it; fd -1: disconnect. As
 * phyr_nvme_opts.set_vector_fd wants it, with the device as its argument.
 *
 * The first one enables MSI-X or MSI with all vectors, or as many as the machine has, so that later ones
 * lose none meanwhile; the last one that is disconnected disables it. A vector that is connected already
 * changes over.
 *
 * @param pci  a struct phyr_pci
 * @param fd   the kernel holds on to it; kept open by the caller until the vector has another, so that
 *             a failure can put it back
 * @return 0; -EINVAL no such vector; -EBADF fd is no eventfd; -EOPNOTSUPP it has no vectors; -ENOSPC the
 *         machine has no interrupts left; -EBUSY somebody else who has the descriptor uses them; -ENODEV
 *         it is gone; -EIO; -ENOMEM
 */
PHYR_API int phyr_pci_set_vector_fd(void *pci, unsigned vector, int fd);

/**
 * Have the kernel say when it wants the device back: its driver is to be unbound, or the device to be
 * removed.
 *
 * The eventfd is written then, and again from time to time. Whoever wants the device waits, without end,
 * until its descriptor is closed everywhere: by phyr_close(), or phyr_pci_close() and phyr_dev_destroy().
 *
 * @param fd  the kernel holds on to it until the device is closed or another takes its place; -1: none
 * @return 0; -EBADF fd is no eventfd; -EOPNOTSUPP the device's driver does not tell; -ENODEV it is gone;
 *         -EIO. On failure the earlier one stays.
 */
PHYR_API int phyr_pci_set_request_fd(struct phyr_pci *pci, int fd);

/** Whether the device was seen to be gone: configuration read all ones, or a mapped register vanished. */
PHYR_API bool phyr_pci_is_gone(struct phyr_pci *pci);

#ifdef __cplusplus
}
#endif
#endif
