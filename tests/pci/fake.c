/* SPDX-License-Identifier: MIT */
/* A VFIO device that is a memfd. */
#define _GNU_SOURCE
#include "pci/fake.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>
#include <phyr/pci.h>

struct fake fake = {.fd = -1};

int __real_ioctl(int fd, unsigned long request, ...);
ssize_t __real_pread64(int fd, void *buf, size_t size, off_t at);
ssize_t __real_pwrite64(int fd, const void *buf, size_t size, off_t at);
void *__real_mmap64(void *at, size_t len, int prot, int flags, int fd, off_t offset);
int __real_memfd_create(const char *name, unsigned flags);
int __real_ftruncate64(int fd, off_t size);

int __wrap_ioctl(int fd, unsigned long request, ...);
ssize_t __wrap_pread64(int fd, void *buf, size_t size, off_t at);
ssize_t __wrap_pwrite64(int fd, const void *buf, size_t size, off_t at);
void *__wrap_mmap64(void *at, size_t len, int prot, int flags, int fd, off_t offset);
int __wrap_memfd_create(const char *name, unsigned flags);
int __wrap_ftruncate64(int fd, off_t size);

static bool fails(void)
{
	if (++fake.calls != fake.fail_at)
		return false;
	fake.failed = true;
	errno = fake.fail_with;
	return true;
}

static int answer(int err)
{
	errno = err;
	return err ? -1 : 0;
}

static int get_info(struct vfio_device_info *info)
{
	assert_true(info->argsz >= 16);
	info->flags = fake.flags;
	info->num_regions = fake.num_regions;
	info->num_irqs = fake.num_irqs;
	return 0;
}

static int get_region(struct vfio_region_info *info)
{
	const struct fake_region *region = &fake.regions[info->index];
	uint32_t whole = (uint32_t)sizeof(*info) + region->caps_len;

	assert_true(info->argsz >= sizeof(*info));
	assert_true(info->index < VFIO_PCI_NUM_REGIONS);
	info->flags = region->flags;
	info->size = region->size;
	info->offset = info->index * FAKE_STRIDE;
	if (info->index == VFIO_PCI_CONFIG_REGION_INDEX)
		info->offset = fake.offset_of_config;
	if (region->caps_len && info->argsz >= whole) {
		info->cap_offset = region->cap_offset ? region->cap_offset : sizeof(*info);
		memcpy(info + 1, region->caps, region->caps_len);
	} else if (region->caps_len) {
		info->argsz = whole;
	}
	if (fake.short_argsz)
		info->argsz = fake.short_argsz;
	return 0;
}

static int get_irq(struct vfio_irq_info *info)
{
	assert_int_equal(info->argsz, sizeof(*info));
	assert_true(info->index < VFIO_PCI_NUM_IRQS);
	info->flags = fake.irq_flags;
	info->count = fake.nr_vectors[info->index];
	return 0;
}

static bool is_eventfd(int fd)
{
	uint64_t never = UINT64_MAX;

	return write(fd, &never, sizeof(never)) < 0 && errno == EINVAL;
}

/* As the kernel: what was connected is let go first. */
static int connect_one(unsigned vector, int32_t fd)
{
	fake.fds[vector] = -1;
	if (fd < 0)
		return 0;
	if (!is_eventfd(fd))
		return errno == EBADF ? EBADF : EINVAL;
	fake.fds[vector] = fd;
	return 0;
}

static void irq_off(void)
{
	fake.irq_on = -1;
	fake.irq_enabled = 0;
	memset(fake.fds, 0xff, sizeof(fake.fds));
}

static int set_request(const struct vfio_irq_set *set)
{
	int32_t fd = *(const int32_t *)set->data;

	assert_int_equal(set->flags, VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER);
	assert_int_equal(set->argsz, sizeof(*set) + sizeof(fd));
	assert_int_equal(set->count, 1);
	if (fd >= 0 && !is_eventfd(fd))
		return answer(errno == EBADF ? EBADF : EINVAL);
	fake.request = fd;
	return 0;
}

static int set_irqs(const struct vfio_irq_set *set)
{
	const int32_t *fds = (const int32_t *)set->data;
	bool on = fake.irq_on == (int)set->index;

	assert_true(set->argsz >= sizeof(*set));
	assert_true(set->index < VFIO_PCI_NUM_IRQS);
	if (set->start + set->count > fake.nr_vectors[set->index])
		return answer(EINVAL);
	if (set->index == VFIO_PCI_REQ_IRQ_INDEX)
		return set_request(set);
	if (set->flags == (VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER)) {
		assert_int_equal(set->count, 0);
		assert_true(on);
		irq_off();
		return 0;
	}
	assert_int_equal(set->flags, VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER);
	assert_int_equal(set->argsz, sizeof(*set) + set->count * sizeof(*fds));
	if (!on && fake.irq_on >= 0)
		return answer(EINVAL);
	if (!on && set->start + set->count > fake.machine_vectors)
		return fake.machine_vectors ? (int)fake.machine_vectors : answer(ENOSPC);
	if (on && set->start + set->count > fake.irq_enabled)
		return answer(EINVAL);
	if (!on) {
		fake.irq_on = (int)set->index;
		fake.irq_enabled = set->count;
	}
	for (unsigned i = 0; i < set->count; i++) {
		int err = connect_one(set->start + i, fds[i]);

		if (err && !on)
			irq_off();
		if (err)
			return answer(err);
	}
	return 0;
}

/* A failure to connect a vector comes when its earlier eventfd has been let go. */
static void let_go(const struct vfio_irq_set *set)
{
	if (fake.irq_on == (int)set->index && set->count == 1 && *(const int32_t *)set->data >= 0)
		fake.fds[set->start] = -1;
}

static int reset(void)
{
	if (fake.reset_error)
		return answer(fake.reset_error);
	fake_config(4, 2, 0);
	fake.resets++;
	return 0;
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	if (fd != fake.fd || fd < 0)
		return __real_ioctl(fd, request, arg);
	if (fails()) {
		if (request == VFIO_DEVICE_SET_IRQS)
			let_go(arg);
		return -1;
	}
	switch (request) {
	case VFIO_DEVICE_GET_INFO:
		return get_info(arg);
	case VFIO_DEVICE_GET_REGION_INFO:
		return get_region(arg);
	case VFIO_DEVICE_GET_IRQ_INFO:
		return get_irq(arg);
	case VFIO_DEVICE_SET_IRQS:
		return set_irqs(arg);
	case VFIO_DEVICE_RESET:
		return reset();
	default:
		return answer(ENOTTY);
	}
}

ssize_t __wrap_pread64(int fd, void *buf, size_t size, off_t at)
{
	return fd == fake.fd && fails() ? -1 : __real_pread64(fd, buf, size, at);
}

ssize_t __wrap_pwrite64(int fd, const void *buf, size_t size, off_t at)
{
	uint32_t was = fake_config_get(4, 2), now;
	ssize_t done;

	if (fd != fake.fd)
		return __real_pwrite64(fd, buf, size, at);
	if (fails())
		return -1;
	done = __real_pwrite64(fd, buf, size, at);
	now = fake_config_get(4, 2);
	if (done > 0 && (was ^ now) & fake.stuck)
		fake_config(4, 2, (now & ~fake.stuck) | (was & fake.stuck));
	return done;
}

void *__wrap_mmap64(void *at, size_t len, int prot, int flags, int fd, off_t offset)
{
	return fd == fake.fd && fd >= 0 && fails()
		       ? MAP_FAILED
		       : __real_mmap64(at, len, prot, flags, fd, offset);
}

int __wrap_memfd_create(const char *name, unsigned flags)
{
	return fails() ? -1 : __real_memfd_create(name, flags);
}

int __wrap_ftruncate64(int fd, off_t size)
{
	return fails() ? -1 : __real_ftruncate64(fd, size);
}

void fake_config(uint64_t offset, unsigned width, uint32_t value)
{
	assert_int_equal(__real_pwrite64(fake.fd, &value, width, (off_t)(FAKE_CONFIG + offset)),
			 width);
}

uint32_t fake_config_get(uint64_t offset, unsigned width)
{
	uint32_t value = 0;

	if (__real_pread64(fake.fd, &value, width, (off_t)(FAKE_CONFIG + offset)) < 0)
		return 0;
	return value;
}

void fake_areas(unsigned region, const struct vfio_region_sparse_mmap_area *areas, uint32_t nr)
{
	struct fake_region *r = &fake.regions[region];
	struct vfio_region_info_cap_sparse_mmap cap = {
		.header = {.id = VFIO_REGION_INFO_CAP_SPARSE_MMAP, .version = 1},
		.nr_areas = nr,
	};

	memcpy(r->caps, &cap, sizeof(cap));
	memcpy(r->caps + sizeof(cap), areas, nr * sizeof(*areas));
	r->caps_len = (uint32_t)(sizeof(cap) + nr * sizeof(*areas));
	r->flags |= VFIO_REGION_INFO_FLAG_CAPS;
}

static void fill_config(void)
{
	fake_config(0x00, 4, 0x00101b36);
	fake_config(0x04, 2, 0x0001);
	fake_config(0x06, 2, 0x0010);
	fake_config(0x08, 4, 0x01080202);
	fake_config(0x10, 4, 0xfe000004);
	fake_config(0x18, 4, 0x0000c001);
	fake_config(0x34, 1, 0x40);
	fake_config(0x40, 4, 0x00006011); /* MSI-X, then */
	fake_config(0x60, 4, 0x00000010); /* PCI Express */
}

void fake_make(void)
{
	const uint32_t rw = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;

	fake = (struct fake){
		.fd = __real_memfd_create("fake", MFD_CLOEXEC),
		.flags = VFIO_DEVICE_FLAGS_PCI | VFIO_DEVICE_FLAGS_RESET,
		.num_regions = VFIO_PCI_NUM_REGIONS,
		.num_irqs = VFIO_PCI_NUM_IRQS,
		.regions = {[0] = {.size = 16384, .flags = rw | VFIO_REGION_INFO_FLAG_MMAP},
			    [2] = {.size = 32, .flags = rw},
			    [6] = {.size = 65536, .flags = VFIO_REGION_INFO_FLAG_READ},
			    [7] = {.size = 4096, .flags = rw}},
		.offset_of_config = FAKE_CONFIG,
		.nr_vectors = {[VFIO_PCI_MSI_IRQ_INDEX] = 8,
			       [VFIO_PCI_MSIX_IRQ_INDEX] = 5,
			       [VFIO_PCI_REQ_IRQ_INDEX] = 1},
		.request = -1,
		.irq_flags = VFIO_IRQ_INFO_EVENTFD,
		.machine_vectors = FAKE_VECTORS,
		.fail_with = EIO,
	};
	assert_true(fake.fd >= 0);
	assert_int_equal(__real_ftruncate64(fake.fd, VFIO_PCI_NUM_REGIONS * FAKE_STRIDE), 0);
	irq_off();
	fill_config();
}

void fake_remove(void)
{
	close(fake.fd);
	fake.fd = -1;
}

void fake_all_ones(void)
{
	char ones[4096];

	memset(ones, 0xff, sizeof(ones));
	assert_int_equal(__real_pwrite64(fake.fd, ones, sizeof(ones), FAKE_CONFIG), sizeof(ones));
}

void fake_truncate(void)
{
	assert_int_equal(__real_ftruncate64(fake.fd, 0), 0);
}

struct phyr_pci *fake_open(struct tenv *t)
{
	struct phyr_pci *pci;

	assert_int_equal(phyr_pci_open(&t->env, fake.fd, 0x100, &pci), 0);
	return pci;
}
