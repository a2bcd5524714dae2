/* SPDX-License-Identifier: MIT */
/*
 * Interrupt vectors and eventfds.
 *
 * Enabling MSI-X or MSI sets up the whole of it, so the first vector takes all of them along,
 * unconnected; each that follows is connected alone, without a moment in which another is lost. The last
 * one that is disconnected switches them off.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "pci/device.h"

/* PCI Local Bus 3.0, 6.8.1.3 and 6.8.2.3. */
#define MSI_MAX  32
#define MSIX_MAX 2048

#define REQUEST_MAX 1 /* linux/vfio.h: one for the device */

static int count_vectors(struct phyr_pci *pci, uint32_t index, unsigned most, unsigned *nr)
{
	struct vfio_irq_info info = {.argsz = sizeof(info), .index = index};

	if (ioctl(pci->fd, VFIO_DEVICE_GET_IRQ_INFO, &info) < 0)
		return pci_kernel_error(pci, errno);
	if (info.count > most || (info.count && !(info.flags & VFIO_IRQ_INFO_EVENTFD)))
		return -EIO;
	*nr = info.count;
	return 0;
}

int phyr_vectors_init(struct phyr_pci *pci)
{
	struct vectors *v = &pci->vectors;
	int err;

	v->index = VFIO_PCI_MSIX_IRQ_INDEX;
	err = count_vectors(pci, v->index, MSIX_MAX, &v->nr);
	if (!err && !v->nr) {
		v->index = VFIO_PCI_MSI_IRQ_INDEX;
		err = count_vectors(pci, v->index, MSI_MAX, &v->nr);
	}
	if (err || !v->nr)
		return err;
	v->size = sizeof(*v->set) + v->nr * sizeof(*v->fds);
	v->set = env_alloc(pci->env, v->size);
	if (!v->set)
		return -ENOMEM;
	v->fds = (int32_t *)v->set->data;
	memset(v->fds, 0xff, v->nr * sizeof(*v->fds));
	return 0;
}

/* 0, a negative errno, or how many there can be where that is less than were asked for. */
static int set_all(struct phyr_pci *pci, unsigned nr)
{
	struct vectors *v = &pci->vectors;
	int got;

	*v->set = (struct vfio_irq_set){
		.argsz = (uint32_t)(sizeof(*v->set) + nr * sizeof(*v->fds)),
		.flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
		.index = v->index,
		.count = nr,
	};
	got = ioctl(pci->fd, VFIO_DEVICE_SET_IRQS, v->set);
	return got < 0 ? pci_kernel_error(pci, errno) : got;
}

static int set_one(struct phyr_pci *pci, uint32_t index, unsigned vector, int32_t fd)
{
	union {
		struct vfio_irq_set set;
		char room[sizeof(struct vfio_irq_set) + sizeof(fd)];
	} one = {.set = {
			 .argsz = sizeof(one),
			 .flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
			 .index = index,
			 .start = vector,
			 .count = 1,
		 }};

	memcpy(one.room + offsetof(struct vfio_irq_set, data), &fd, sizeof(fd));
	if (ioctl(pci->fd, VFIO_DEVICE_SET_IRQS, &one) < 0)
		return pci_kernel_error(pci, errno);
	return 0;
}

static void disable(struct phyr_pci *pci)
{
	struct vfio_irq_set set = {
		.argsz = sizeof(set),
		.flags = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER,
		.index = pci->vectors.index,
	};

	ioctl(pci->fd, VFIO_DEVICE_SET_IRQS, &set);
	pci->vectors.enabled = 0;
}

/* A machine may have fewer than the device: then those, if this one is among them. */
static int enable_with(struct phyr_pci *pci, unsigned vector, int32_t fd)
{
	struct vectors *v = &pci->vectors;
	unsigned nr = v->nr;
	int got;

	v->fds[vector] = fd;
	got = set_all(pci, nr);
	if (got > 0 && (unsigned)got < nr && (unsigned)got > vector) {
		nr = (unsigned)got;
		got = set_all(pci, nr);
	}
	if (got) {
		v->fds[vector] = -1;
		return got < 0 ? got : -ENOSPC;
	}
	v->enabled = nr;
	v->connected = 1;
	return 0;
}

/* The kernel lets go of the earlier eventfd before it looks at the new one: a failure puts it back. */
static int exchange(struct phyr_pci *pci, unsigned vector, int32_t fd)
{
	struct vectors *v = &pci->vectors;
	int32_t was = v->fds[vector];
	int err;

	if (vector >= v->enabled)
		return -ENOSPC;
	err = set_one(pci, v->index, vector, fd);
	if (err) {
		if (was >= 0 && set_one(pci, v->index, vector, was)) {
			v->fds[vector] = -1; /* its owner closed it, or the device is gone */
			v->connected--;
		}
		return err;
	}
	v->fds[vector] = fd;
	v->connected += was < 0;
	return 0;
}

static int disconnect(struct phyr_pci *pci, unsigned vector)
{
	struct vectors *v = &pci->vectors;
	int err = 0;

	if (v->fds[vector] < 0)
		return 0;
	if (v->connected > 1)
		err = set_one(pci, v->index, vector, -1);
	else
		disable(pci);
	if (err)
		return err == -EINVAL ? -EIO : err;
	v->fds[vector] = -1;
	v->connected--;
	return 0;
}

/* Asked first, so that a wrong one does not cost the right one its vector. 1: /proc does not tell. */
static int check_eventfd(int fd)
{
	static const char want[] = "anon_inode:[eventfd]";
	char path[32], is[sizeof(want)];
	ssize_t len;

	if (fcntl(fd, F_GETFD) < 0)
		return -EBADF;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	len = readlink(path, is, sizeof(is));
	if (len < 0)
		return 1;
	return len == sizeof(want) - 1 && !memcmp(is, want, sizeof(want) - 1) ? 0 : -EBADF;
}

static int connect_vector(struct phyr_pci *pci, unsigned vector, int fd)
{
	int known = check_eventfd(fd), err;

	if (known < 0)
		return known;
	err = pci->vectors.enabled ? exchange(pci, vector, fd) : enable_with(pci, vector, fd);
	if (err == -EINVAL)
		err = known ? -EBADF : -EBUSY;
	return err;
}

static const char *vector_hint(int err)
{
	switch (err) {
	case -EINVAL:
		return "the device has fewer vectors than that";
	case -EBADF:
		return "the descriptor is not that of an eventfd";
	case -EOPNOTSUPP:
		return "the device has neither MSI-X nor MSI";
	case -ENOSPC:
		return "the machine has no interrupt left for it: use fewer queues, or polling";
	case -EBUSY:
		return "somebody else who has the descriptor uses the device's interrupts";
	case -ENODEV:
		return PCI_HINT_GONE;
	case -ENOMEM:
		return "the kernel has no memory for the interrupt";
	default:
		return "the kernel refuses the interrupt";
	}
}

static int vector_fail(struct phyr_pci *pci, int err, unsigned vector)
{
	static const int listed[] = {-EINVAL, -EBADF,  -EOPNOTSUPP, -ENOSPC,
				     -EBUSY,  -ENODEV, -ENOMEM};
	bool known = false;

	for (size_t i = 0; i < sizeof(listed) / sizeof(listed[0]); i++)
		known |= err == listed[i];
	err = known ? err : -EIO;
	return env_fail(pci->env, .err = err, .call = "phyr_pci_set_vector_fd", .index = vector,
			.index_of = "vector", .limit = err == -EINVAL ? pci->vectors.nr : 0,
			.hint = vector_hint(err));
}

int phyr_pci_set_vector_fd(void *arg, unsigned vector, int fd)
{
	struct phyr_pci *pci = arg;
	int err;

	if (!pci->vectors.nr)
		return vector_fail(pci, -EOPNOTSUPP, vector);
	if (vector >= pci->vectors.nr)
		return vector_fail(pci, -EINVAL, vector);
	if (fd >= 0 && load_relaxed(&pci->gone))
		return vector_fail(pci, -ENODEV, vector);
	env_lock(pci->env, &pci->lock);
	err = fd < 0 ? disconnect(pci, vector) : connect_vector(pci, vector, fd);
	env_unlock(pci->env, &pci->lock);
	return err ? vector_fail(pci, err, vector) : 0;
}

unsigned phyr_pci_nr_vectors(const struct phyr_pci *pci)
{
	return pci->vectors.nr;
}

/*
 * The kernel asks for the device back: an interrupt of VFIO's own.
 */

static int has_request(struct phyr_pci *pci)
{
	unsigned nr = 0;
	int err =
		pci->has_request ? count_vectors(pci, VFIO_PCI_REQ_IRQ_INDEX, REQUEST_MAX, &nr) : 0;

	/* A driver of VFIO may answer that it has no such question. */
	return err && err != -EINVAL ? err : nr ? 0 : -EOPNOTSUPP;
}

static int set_request(struct phyr_pci *pci, int fd)
{
	int err = has_request(pci), known = 0;

	if (!err && fd >= 0)
		known = check_eventfd(fd);
	if (err || known < 0)
		return err ? err : known;
	err = set_one(pci, VFIO_PCI_REQ_IRQ_INDEX, 0, fd < 0 ? -1 : fd);
	if (!err)
		pci->request_on = fd >= 0;
	return err == -EINVAL && known ? -EBADF : err;
}

int phyr_pci_set_request_fd(struct phyr_pci *pci, int fd)
{
	const char *hint = "the kernel refuses to tell";
	int err = fd >= 0 && load_relaxed(&pci->gone) ? -ENODEV : 0;

	if (!err && (fd >= 0 || pci->request_on))
		err = set_request(pci, fd);
	if (!err)
		return 0;
	if (err == -EBADF || err == -ENODEV)
		hint = vector_hint(err);
	else if (err == -EOPNOTSUPP)
		hint = "this kernel's driver does not tell when it wants the device back";
	else
		err = -EIO;
	return pci_fail(pci, .err = err, .call = "phyr_pci_set_request_fd", .hint = hint);
}

void phyr_vectors_fini(struct phyr_pci *pci)
{
	if (pci->request_on)
		set_one(pci, VFIO_PCI_REQ_IRQ_INDEX, 0, -1);
	if (pci->vectors.enabled)
		disable(pci);
	env_free(pci->env, pci->vectors.set, pci->vectors.size);
}
