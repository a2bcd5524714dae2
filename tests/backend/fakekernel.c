/* SPDX-License-Identifier: MIT */
/* The fake kernel's files: what opens, closes, and is asked. */
#include "backend/fakekernel.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/kernel_abi.h"

struct fk fk;

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);
int __real_close(int fd);
int __wrap_close(int fd);
int __wrap_ioctl(int fd, unsigned long request, ...);
int __wrap_phyr_pci_find(struct phyr_env *env, uint32_t source, struct phyr_pci_info *out);

static void die(const char *what, long a)
{
	fprintf(stderr, "fake kernel: %s (%ld)\n", what, a);
	abort();
}

static struct fk_file *file_of(int fd)
{
	if (fd < FK_FIRST_FD || fd >= FK_FIRST_FD + FK_FILES)
		return NULL;
	return fk.files[fd - FK_FIRST_FD].kind ? &fk.files[fd - FK_FIRST_FD] : NULL;
}

static int new_file(enum fk_kind kind, struct fk_file **out)
{
	for (int i = 0; i < FK_FILES; i++) {
		if (fk.files[i].kind)
			continue;
		fk.files[i] = (struct fk_file){.kind = kind, .space = -1, .group = -1, .bound = -1};
		fk.open_files++;
		*out = &fk.files[i];
		return FK_FIRST_FD + i;
	}
	die("no descriptor left", FK_FILES);
	return -1;
}

static int new_space(void)
{
	for (int i = 0; i < FK_SPACES; i++) {
		if (fk.spaces[i].used)
			continue;
		fk.spaces[i] = (struct fk_space){.used = true};
		return i;
	}
	die("no space left", FK_SPACES);
	return -1;
}

static void free_space(int at)
{
	fk_forget(&fk.spaces[at]);
	fk.spaces[at].used = false;
}

/* Whether this call is one that fails; it sets errno then. */
static bool fails(unsigned long cmd, const char *path)
{
	bool now = ++fk.calls >= fk.fail_at && fk.calls <= fk.fail_at + fk.fail_for && fk.fail_at;

	now |= cmd && cmd == fk.fail_cmd;
	now |= path && fk.fail_path && !strcmp(path, fk.fail_path);
	if (!now)
		return false;
	fk.failed = true;
	errno = fk.fail_err;
	return true;
}

static const struct fk_file *find_file(enum fk_kind kind, int group, uint32_t source)
{
	for (int i = 0; i < FK_FILES; i++) {
		const struct fk_file *f = &fk.files[i];

		if (f->kind == kind && (group < 0 || f->group == group) &&
		    (!source || f->source == source))
			return f;
	}
	return NULL;
}

static const struct fk_dev *dev_by(const char *cdev, uint32_t source)
{
	for (unsigned i = 0; i < 4; i++) {
		if (cdev ? !strcmp(fk.devs[i].cdev, cdev) : fk.devs[i].source == source)
			return &fk.devs[i];
	}
	return NULL;
}

/* -1 with errno, as a system call. */
static int sys(int err)
{
	if (!err)
		return 0;
	errno = err;
	return -1;
}

static int open_group(int group)
{
	struct fk_file *f;
	bool there = false;
	int fd;

	for (unsigned i = 0; i < 4; i++)
		there |= fk.devs[i].group == group && fk.devs[i].driver[0];
	if (!there)
		return sys(ENOENT);
	if (find_file(FK_GROUP, group, 0))
		return sys(EBUSY);
	fd = new_file(FK_GROUP, &f);
	f->group = group;
	return fd;
}

static int open_cdev(const char *name)
{
	const struct fk_dev *dev = dev_by(name, 0);
	struct fk_file *f;
	int fd;

	if (!dev || !name[0])
		return sys(ENOENT);
	fd = new_file(FK_DEVICE, &f);
	f->source = dev->source;
	return fd;
}

static int open_file(const char *path)
{
	struct fk_file *f;
	int group, fd;

	if (!strcmp(path, "/dev/iommu"))
		return new_file(FK_IOMMUFD, &f);
	if (!strncmp(path, "/dev/vfio/devices/", 18))
		return open_cdev(path + 18);
	if (sscanf(path, "/dev/vfio/%d", &group) == 1)
		return open_group(group);
	if (strcmp(path, "/dev/vfio/vfio"))
		return sys(ENOENT);
	fd = new_file(FK_CONTAINER, &f);
	f->space = new_space();
	return fd;
}

int __wrap_open(const char *path, int flags, ...)
{
	va_list ap;
	int fd, mode;

	va_start(ap, flags);
	mode = va_arg(ap, int);
	va_end(ap);
	if (strncmp(path, "/dev/vfio", 9) && strcmp(path, "/dev/iommu"))
		return __real_open(path, flags, mode);
	if ((flags & (O_ACCMODE | O_CLOEXEC)) != (O_RDWR | O_CLOEXEC))
		die("not opened to read and write, closed on exec", flags);
	pthread_mutex_lock(&fk.mutex);
	fd = fails(0, path) ? -1 : open_file(path);
	pthread_mutex_unlock(&fk.mutex);
	return fd;
}

int __wrap_open64(const char *path, int flags, ...)
{
	return __wrap_open(path, flags, 0);
}

/* The container has lost a group. */
static void leave_container(int at)
{
	struct fk_space *space = &fk.spaces[at];

	if (!--space->users)
		fk_forget(space);
}

static void detach(struct fk_file *f)
{
	struct fk_space *space;

	if (f->space < 0)
		return;
	space = &fk.spaces[f->space];
	if (!--space->users)
		fk_unpin_all(space);
	f->space = -1;
}

static void close_iommufd(int fd)
{
	for (int i = 0; i < FK_FILES; i++) {
		if (fk.files[i].kind == FK_DEVICE && fk.files[i].bound == fd)
			die("iommufd closed before a device that is bound to it", fd);
	}
	/* There is one iommufd at a time, so all spaces are its own. */
	for (int i = 0; i < FK_SPACES; i++) {
		if (fk.spaces[i].used)
			free_space(i);
	}
}

int __wrap_close(int fd)
{
	struct fk_file *f;

	if (fd < FK_FIRST_FD)
		return __real_close(fd);
	pthread_mutex_lock(&fk.mutex);
	f = file_of(fd);
	if (!f)
		die("closed what is not open", fd);
	if (f->kind == FK_GROUP && find_file(FK_DEVICE, f->group, 0))
		die("group closed before its devices", f->group);
	if (f->kind == FK_GROUP && f->space >= 0)
		leave_container(f->space);
	if (f->kind == FK_CONTAINER && fk.spaces[f->space].users)
		die("container closed before its groups", fd);
	if (f->kind == FK_CONTAINER)
		free_space(f->space);
	if (f->kind == FK_DEVICE && f->group < 0)
		detach(f);
	if (f->kind == FK_IOMMUFD)
		close_iommufd(fd);
	f->kind = FK_FREE;
	fk.open_files--;
	pthread_mutex_unlock(&fk.mutex);
	return 0;
}

static void put(void *buf, uint32_t *at, const void *from, uint32_t len)
{
	memcpy((char *)buf + *at, from, len);
	*at += len;
}

/* The kernel's answer: the head, the entries left, the ranges. */
static int get_info(const struct fk_space *space, void *arg)
{
	struct vfio_iommu_type1_info head = {.flags =
						     VFIO_IOMMU_INFO_PGSIZES | VFIO_IOMMU_INFO_CAPS,
					     .iova_pgsizes = fk.page_sizes};
	struct vfio_iommu_type1_info_dma_avail left = {
		.header = {.id = VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL, .version = 1},
		.avail = (uint32_t)(fk.dma_entry_limit - space->nr)};
	struct vfio_iommu_type1_info_cap_iova_range ranges = {
		.header = {.id = VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE, .version = 1},
		.nr_iovas = fk.nr_ranges};
	uint32_t room = ((struct vfio_iommu_type1_info *)arg)->argsz, at = 0;

	head.argsz = (uint32_t)(sizeof(head) + FK_LEFT_BYTES + sizeof(ranges) +
				fk.nr_ranges * sizeof(fk.ranges[0]));
	if (head.argsz > room) {
		memcpy(arg, &head, sizeof(head) < room ? sizeof(head) : room);
		return 0;
	}
	head.cap_offset = sizeof(head);
	left.header.next = sizeof(head) + FK_LEFT_BYTES;
	put(arg, &at, &head, sizeof(head));
	put(arg, &at, &left, sizeof(left));
	at = left.header.next;
	put(arg, &at, &ranges, sizeof(ranges));
	put(arg, &at, fk.ranges, (uint32_t)(fk.nr_ranges * sizeof(fk.ranges[0])));
	if (fk.info)
		fk.info(arg, head.argsz);
	return 0;
}

static int map_dma(struct fk_space *space, const struct vfio_iommu_type1_dma_map *map)
{
	const struct fk_map m = {.iova = map->iova,
				 .addr = map->vaddr,
				 .len = map->size,
				 .prot = (map->flags & VFIO_DMA_MAP_FLAG_READ ? PHYR_READ : 0) |
					 (map->flags & VFIO_DMA_MAP_FLAG_WRITE ? PHYR_WRITE : 0)};

	if (map->argsz != sizeof(*map) || !m.prot)
		return EINVAL;
	return fk_map(space, &m, true);
}

static int unmap_dma(struct fk_space *space, struct vfio_iommu_type1_dma_unmap *unmap)
{
	uint64_t done = 0;
	int err = fk_unmap(space, unmap->iova, unmap->size, true, &done);

	unmap->size = done - fk.unmap_lie;
	return err;
}

static int container_ioctl(struct fk_file *f, unsigned long cmd, void *arg)
{
	struct fk_space *space = &fk.spaces[f->space];

	switch (cmd) {
	case VFIO_GET_API_VERSION:
		return fk.api_version;
	case VFIO_CHECK_EXTENSION:
		return (uintptr_t)arg == VFIO_TYPE1v2_IOMMU && !fk.no_type1;
	case VFIO_SET_IOMMU:
		if (!space->users || space->iommu || (uintptr_t)arg != VFIO_TYPE1v2_IOMMU)
			return sys(EINVAL);
		space->iommu = true;
		return 0;
	}
	if (!space->iommu)
		return sys(EINVAL);
	switch (cmd) {
	case VFIO_IOMMU_GET_INFO:
		return sys(get_info(space, arg));
	case VFIO_IOMMU_MAP_DMA:
		return sys(map_dma(space, arg));
	case VFIO_IOMMU_UNMAP_DMA:
		return sys(unmap_dma(space, arg));
	}
	return sys(ENOTTY);
}

static int get_device(const struct fk_file *group, const char *name)
{
	struct fk_file *f;
	uint32_t source;
	int fd;

	if (group->space < 0 || !fk.spaces[group->space].iommu)
		return sys(EINVAL);
	if (phyr_pci_parse(name, &source))
		die("no name of a device", 0);
	if (!dev_by(NULL, source) || dev_by(NULL, source)->group != group->group)
		return sys(ENODEV);
	fd = new_file(FK_DEVICE, &f);
	f->group = group->group;
	f->source = source;
	return fd;
}

static int group_ioctl(struct fk_file *f, unsigned long cmd, void *arg)
{
	struct vfio_group_status *status = arg;
	const struct fk_file *container;

	switch (cmd) {
	case VFIO_GROUP_GET_STATUS:
		status->flags = f->group == fk.unviable ? 0 : VFIO_GROUP_FLAGS_VIABLE;
		return 0;
	case VFIO_GROUP_SET_CONTAINER:
		container = file_of(*(int *)arg);
		if (!container || container->kind != FK_CONTAINER)
			return sys(EBADF);
		if (f->space >= 0 || !fk_allows_all(&fk.spaces[container->space]))
			return sys(EINVAL);
		f->space = container->space;
		fk.spaces[f->space].users++;
		return 0;
	case VFIO_GROUP_GET_DEVICE_FD:
		return get_device(f, arg);
	}
	return sys(ENOTTY);
}

static int attach(struct fk_file *f, uint32_t ioas)
{
	struct fk_space *space = &fk.spaces[ioas - 1];
	int err;

	if (f->bound < 0)
		return EINVAL;
	if (!ioas || ioas > FK_SPACES || !space->used)
		return ENOENT;
	if (f->space >= 0)
		return f->space == (int)ioas - 1 ? 0 : EBUSY;
	if (!fk_allows_all(space))
		return EADDRINUSE;
	err = space->users ? 0 : fk_pin_all(space);
	if (err)
		return err;
	space->users++;
	f->space = (int)ioas - 1;
	return 0;
}

static int bind_device(struct fk_file *f, const struct abi_device_bind *bind)
{
	for (int i = 0; i < FK_FILES; i++) {
		if (fk.files[i].kind == FK_DEVICE && fk.files[i].source == f->source &&
		    fk.files[i].bound >= 0)
			return EINVAL;
	}
	if (bind->argsz != sizeof(*bind) || !file_of(bind->iommufd))
		return EBADF;
	f->bound = bind->iommufd;
	return 0;
}

static int device_ioctl(struct fk_file *f, unsigned long cmd, void *arg)
{
	switch (cmd) {
	case ABI_DEVICE_BIND:
		return sys(bind_device(f, arg));
	case ABI_DEVICE_ATTACH:
		return sys(attach(f, ((struct abi_device_attach *)arg)->pt_id));
	case ABI_DEVICE_DETACH:
		detach(f);
		return 0;
	}
	return sys(ENOTTY);
}

static int get_ranges(const struct fk_space *space, struct abi_ioas_ranges *ask)
{
	uint32_t room = ask->nr;

	ask->alignment = space->users ? fk.page_sizes & -fk.page_sizes : 1;
	ask->nr = space->users ? fk.nr_ranges : 1;
	for (uint32_t i = 0; i < ask->nr && i < room; i++) {
		struct abi_range *to = (struct abi_range *)(uintptr_t)ask->ranges + i;

		*to = space->users ? (struct abi_range){fk.ranges[i].start, fk.ranges[i].last}
				   : (struct abi_range){0, UINT64_MAX};
	}
	if (ask->nr > room)
		return EMSGSIZE;
	if (fk.info)
		fk.info(ask, sizeof(*ask));
	return 0;
}

static int ioas_map(struct fk_space *space, const struct abi_ioas_map *map, bool file)
{
	const struct fk_map m = {.iova = map->iova,
				 .addr = map->addr,
				 .len = map->len,
				 .prot = (map->flags & ABI_MAP_READ ? PHYR_READ : 0) |
					 (map->flags & ABI_MAP_WRITE ? PHYR_WRITE : 0),
				 .file = file};

	if (map->flags & ~7u || map->size != sizeof(*map) || (!file && map->reserved))
		return EOPNOTSUPP;
	if (!(map->flags & ABI_MAP_FIXED) || !m.prot)
		return EINVAL;
	return fk_map(space, &m, false);
}

static int ioas_unmap(struct fk_space *space, struct abi_ioas_unmap *unmap)
{
	uint64_t done = 0;
	int err = fk_unmap(space, unmap->iova, unmap->len, false, &done);

	if (!err)
		unmap->len = done - fk.unmap_lie;
	return err;
}

/* Calls whose argument names an IOAS, in a place of its own each. */
static int ioas_ioctl(uint32_t ioas, unsigned long cmd, void *arg)
{
	struct fk_space *space = ioas && ioas <= FK_SPACES ? &fk.spaces[ioas - 1] : NULL;

	if (!space || !space->used)
		return ENOENT;
	switch (cmd) {
	case ABI_DESTROY:
		if (space->users)
			return EBUSY;
		free_space((int)ioas - 1);
		return 0;
	case ABI_IOAS_RANGES:
		return get_ranges(space, arg);
	case ABI_IOAS_MAP:
		return ioas_map(space, arg, false);
	case ABI_IOAS_MAP_FILE:
		return ioas_map(space, arg, true);
	case ABI_IOAS_UNMAP:
		return ioas_unmap(space, arg);
	}
	return ENOTTY;
}

static int iommufd_ioctl(unsigned long cmd, void *arg)
{
	const uint32_t *words = arg;

	if (cmd == ABI_IOAS_ALLOC) {
		((struct abi_ioas_alloc *)arg)->ioas = (uint32_t)new_space() + 1;
		return 0;
	}
	if (cmd == ABI_IOAS_MAP_FILE && !fk.map_file)
		return sys(ENOTTY);
	if (cmd == ABI_IOAS_MAP || cmd == ABI_IOAS_MAP_FILE)
		return sys(words[1] & ~7u ? EOPNOTSUPP : ioas_ioctl(words[2], cmd, arg));
	return sys(ioas_ioctl(words[1], cmd, arg));
}

static int file_ioctl(int fd, unsigned long cmd, void *arg)
{
	struct fk_file *f = file_of(fd);

	if (!f)
		return sys(EBADF);
	switch (f->kind) {
	case FK_CONTAINER:
		return container_ioctl(f, cmd, arg);
	case FK_GROUP:
		return group_ioctl(f, cmd, arg);
	case FK_DEVICE:
		return device_ioctl(f, cmd, arg);
	case FK_IOMMUFD:
		return cmd == VFIO_GET_API_VERSION ? sys(ENOTTY) : iommufd_ioctl(cmd, arg);
	default:
		return sys(EBADF);
	}
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	va_list ap;
	void *arg;
	int ret;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	pthread_mutex_lock(&fk.mutex);
	fk.ioctls++;
	ret = fails(request, NULL) ? -1 : file_ioctl(fd, request, arg);
	pthread_mutex_unlock(&fk.mutex);
	return ret;
}

int __wrap_phyr_pci_find(struct phyr_env *env, uint32_t source, struct phyr_pci_info *out)
{
	const struct fk_dev *dev = dev_by(NULL, source);
	bool now;

	pthread_mutex_lock(&fk.mutex);
	now = fails(0, NULL);
	pthread_mutex_unlock(&fk.mutex);
	if (now)
		return -fk.fail_err;
	if (!dev)
		return -ENODEV;
	*out = (struct phyr_pci_info){.source = source, .group = dev->group};
	strcpy(out->driver, dev->driver);
	strcpy(out->cdev, dev->cdev);
	return 0;
}

void fk_init(void)
{
	memset(&fk, 0, sizeof(fk));
	fk.devs[0] = (struct fk_dev){0x28, 1, "vfio0", "vfio-pci"};
	fk.devs[1] = (struct fk_dev){0x38, 2, "vfio1", "vfio-pci"};
	fk.devs[2] = (struct fk_dev){0x40, 3, "vfio2", "vfio-pci"};
	fk.devs[3] = (struct fk_dev){0x41, 3, "vfio3", "vfio-pci"};
	fk.page_sizes = 0x40201000;
	fk.ranges[0].last = 0xfedfffff;
	fk.ranges[1].start = 0xfef00000;
	fk.ranges[1].last = 0xffffffffffff;
	fk.nr_ranges = 2;
	fk.dma_entry_limit = 65535;
	fk.lock_limit = UINT64_MAX;
	fk.bad_start = UINT64_MAX;
	fk.unviable = -1;
	pthread_mutex_init(&fk.mutex, NULL);
}

void fk_fini(void)
{
	if (fk.open_files)
		die("descriptors left open", fk.open_files);
	if (fk_nr_maps() || fk.pinned)
		die("memory left mapped", (long)fk_nr_maps());
	pthread_mutex_destroy(&fk.mutex);
}

uint64_t fk_nr_maps(void)
{
	uint64_t nr = 0;

	for (unsigned i = 0; i < FK_SPACES; i++)
		nr += fk.spaces[i].nr;
	return nr;
}

int fk_only_space(void)
{
	int found = -1;

	for (int i = 0; i < FK_SPACES; i++) {
		if (!fk.spaces[i].used)
			continue;
		if (found >= 0)
			die("more than one space", i);
		found = i;
	}
	if (found < 0)
		die("no space", 0);
	return found;
}
