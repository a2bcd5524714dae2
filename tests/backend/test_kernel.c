/* SPDX-License-Identifier: MIT */
/* Backends vfio and iommufd on a fake kernel: making them, devices and groups. */
#define _GNU_SOURCE /* memfd_create */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <linux/vfio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "backend/kernel_abi.h"
#include "backend/kernelrig.h"
#include "core/bits.h"
#include "core/err.h"

#define ATTACH  "phyr_domain_attach"
#define NO_FILE 4000 /* a descriptor of nothing, which the fake kernel does not look at */

static struct krig r;

static int init(void **state)
{
	krig_init(&r, *state);
	return 0;
}

static int fini(void **state)
{
	krig_fini(&r);
	return 0;
}

/* A fake kernel, and nothing on it. */
static int init_bare(void **state)
{
	memset(&r, 0, sizeof(r));
	r.vfio = *state;
	tenv_init(&r.t, NULL);
	fk_init();
	return 0;
}

static int fini_bare(void **state)
{
	fk_fini();
	tenv_fini(&r.t);
	return 0;
}

static const char *create_call(void)
{
	return r.vfio ? "phyr_vfio_create" : "phyr_iommufd_create";
}

static void create_fails(int err, int want)
{
	struct phyr_iommu *was = r.iommu;

	fk.fail_path = r.vfio ? "/dev/vfio/vfio" : "/dev/iommu";
	fk.fail_err = err;
	errno = 77;
	assert_int_equal(krig_make(&r), want);
	assert_int_equal(errno, 77);
	assert_ptr_equal(r.iommu, was);
	krig_told(&r, want, create_call());
	fk.fail_path = NULL;
}

static void create_errors(void **state)
{
	create_fails(ENOENT, -ENOENT);
	create_fails(ENODEV, -ENOENT);
	create_fails(EACCES, -EACCES);
	create_fails(EMFILE, -EMFILE);
	create_fails(ENFILE, -ENFILE);
	create_fails(ENOMEM, -ENOMEM);
	r.t.env.lock = NULL;
	assert_int_equal(krig_make(&r), -EINVAL);
	krig_told(&r, -EINVAL, create_call());
}

static void no_type1v2(void **state)
{
	fk.no_type1 = true;
	assert_int_equal(krig_make(&r), -EOPNOTSUPP);
	krig_told(&r, -EOPNOTSUPP, create_call());
	fk.no_type1 = false;
	fk.api_version = 1;
	assert_int_equal(krig_make(&r), -EOPNOTSUPP);
	krig_told(&r, -EOPNOTSUPP, create_call());
}

static void caps(void **state)
{
	assert_string_equal(r.iommu->caps->name, r.vfio ? "vfio" : "iommufd");
	assert_int_equal(r.iommu->caps->kinds, 1 << PHYR_KIND_USER);
	assert_true(r.iommu->caps->translates);
	assert_ptr_equal(r.iommu->caps->pages, phyr_space_user());
}

static void domain_errors(void **state)
{
	struct phyr_domain *domain;
	int want = r.vfio ? -EMFILE : -EOPNOTSUPP;

	if (r.vfio)
		fk.fail_path = "/dev/vfio/vfio";
	else
		fk.fail_cmd = ABI_IOAS_ALLOC;
	fk.fail_err = EMFILE;
	assert_int_equal(phyr_domain_create(r.iommu, &domain), want);
	krig_told(&r, want, "phyr_domain_create");
	fk.fail_cmd = 0;
	fk.fail_path = NULL;
}

static void call_fails(unsigned long cmd, int err, int want)
{
	fk.fail_cmd = cmd;
	fk.fail_err = err;
	krig_attach_fails(&r, DEV2, want);
	fk.fail_cmd = 0;
}

static void open_fails(const char *path, int err, int want)
{
	fk.fail_path = path;
	fk.fail_err = err;
	krig_attach_fails(&r, DEV2, want);
	fk.fail_path = NULL;
}

static void vfio_attach_errors(void **state)
{
	krig_attach_fails(&r, 0x99, -ENODEV);
	open_fails("/dev/vfio/2", ENOENT, -ENOENT);
	open_fails("/dev/vfio/2", EACCES, -EACCES);
	open_fails("/dev/vfio/2", EBUSY, -EBUSY);
	open_fails("/dev/vfio/2", EMFILE, -EMFILE);
	call_fails(VFIO_GROUP_GET_STATUS, EIO, -EOPNOTSUPP);
	call_fails(VFIO_GROUP_SET_CONTAINER, EINVAL, -EBUSY);
	call_fails(VFIO_GROUP_SET_CONTAINER, ENOMEM, -ENOMEM);
	call_fails(VFIO_GROUP_GET_DEVICE_FD, ENODEV, -ENODEV);
	call_fails(VFIO_GROUP_GET_DEVICE_FD, EPERM, -EOPNOTSUPP);
	call_fails(VFIO_GROUP_GET_DEVICE_FD, EMFILE, -EMFILE);
	call_fails(VFIO_IOMMU_GET_INFO, ENOMEM, -ENOMEM);
	call_fails(VFIO_IOMMU_GET_INFO, EIO, -EOPNOTSUPP);
	fk.unviable = 2;
	krig_attach_fails(&r, DEV2, -EBUSY);
	fk.unviable = -1;
	fk.devs[1].group = -1;
	krig_attach_fails(&r, DEV2, -EOPNOTSUPP);
	fk.devs[1].group = 2;
	phyr_domain_detach(r.domain, DEV);
	call_fails(VFIO_SET_IOMMU, EPERM, -EOPNOTSUPP);
	call_fails(VFIO_SET_IOMMU, ENODEV, -ENODEV);
}

/* Linux says EINVAL of a device that is open, EBUSY of its group. */
static void who_has_it_is_told_apart(void **state)
{
	fk.fail_cmd = ABI_DEVICE_BIND;
	fk.fail_err = EBUSY;
	assert_int_equal(phyr_domain_attach(r.domain, DEV2), -EBUSY);
	assert_non_null(strstr(r.t.last.hint, "somebody else has its group"));
	krig_told(&r, -EBUSY, ATTACH);
	fk.fail_err = EINVAL;
	assert_int_equal(phyr_domain_attach(r.domain, DEV2), -EBUSY);
	assert_non_null(strstr(r.t.last.hint, "somebody else has it open"));
	krig_told(&r, -EBUSY, ATTACH);
	fk.fail_cmd = 0;
}

static void iommufd_attach_errors(void **state)
{
	krig_attach_fails(&r, 0x99, -ENODEV);
	open_fails("/dev/vfio/devices/vfio1", ENOENT, -ENOENT);
	open_fails("/dev/vfio/devices/vfio1", EACCES, -EACCES);
	open_fails("/dev/vfio/devices/vfio1", ENFILE, -ENFILE);
	call_fails(ABI_DEVICE_BIND, EBUSY, -EBUSY);
	call_fails(ABI_DEVICE_BIND, EINVAL, -EBUSY);
	call_fails(ABI_DEVICE_BIND, EPERM, -EOPNOTSUPP);
	call_fails(ABI_DEVICE_BIND, ENOMEM, -ENOMEM);
	call_fails(ABI_DEVICE_ATTACH, EADDRINUSE, -EBUSY);
	call_fails(ABI_DEVICE_ATTACH, EINVAL, -EOPNOTSUPP);
	call_fails(ABI_DEVICE_ATTACH, ENOMEM, -ENOMEM);
	call_fails(ABI_IOAS_RANGES, ENOMEM, -ENOMEM);
	call_fails(ABI_IOAS_RANGES, EIO, -EOPNOTSUPP);
	fk.devs[1].cdev[0] = 0;
	krig_attach_fails(&r, DEV2, -ENOENT);
}

/* A device is in one domain, and its descriptor is there while it is. */
static void one_domain_each(void **state)
{
	struct phyr_domain *other;
	int fd = 0, again = 0;

	assert_int_equal(phyr_domain_create(r.iommu, &other), 0);
	assert_int_equal(phyr_domain_attach(r.domain, DEV), -EBUSY);
	krig_told(&r, -EBUSY, ATTACH);
	assert_int_equal(phyr_domain_attach(other, DEV), -EBUSY);
	krig_told(&r, -EBUSY, ATTACH);
	phyr_domain_detach(other, DEV); /* which does not have it: nothing changes */
	assert_int_equal(phyr_vfio_device_fd(r.iommu, DEV, &fd), 0);
	assert_true(fd >= FK_FIRST_FD);
	assert_int_equal(fk.files[fd - FK_FIRST_FD].source, DEV);
	assert_int_equal(phyr_domain_attach(other, DEV2), 0);
	assert_int_equal(phyr_vfio_device_fd(r.iommu, DEV2, &again), 0);
	assert_int_equal(fk.files[again - FK_FIRST_FD].source, DEV2);
	phyr_domain_detach(other, DEV2);
	phyr_domain_detach(r.domain, DEV);
	assert_int_equal(phyr_domain_attach(other, DEV), 0);
	phyr_domain_detach(other, DEV);
	phyr_domain_destroy(other);
}

/* Devices of one group go together, and the group is open until the last of them goes. */
static void groups(void **state)
{
	struct phyr_domain *other;
	unsigned before = fk.open_files;

	assert_int_equal(phyr_domain_create(r.iommu, &other), 0);
	assert_int_equal(phyr_domain_attach(r.domain, TWIN), 0);
	assert_int_equal(phyr_domain_attach(other, TWIN2), -EBUSY);
	krig_told(&r, -EBUSY, ATTACH);
	assert_int_equal(phyr_domain_attach(r.domain, TWIN2), 0);
	assert_int_equal(fk.open_files - before, 4); /* container, group, two devices */
	phyr_domain_detach(r.domain, TWIN);
	assert_int_equal(phyr_domain_attach(other, TWIN), -EBUSY);
	r.t.reports = 0;
	assert_int_equal(phyr_domain_attach(r.domain, TWIN), 0);
	phyr_domain_detach(r.domain, TWIN2);
	phyr_domain_detach(r.domain, TWIN);
	assert_int_equal(phyr_domain_attach(other, TWIN2), 0);
	phyr_domain_detach(other, TWIN2);
	phyr_domain_destroy(other);
}

/* What is mapped outlives the devices, in a container too. */
static void mappings_outlive_devices(void **state)
{
	const struct phyr_range ranges[] = {{MEMORY, K}, {MEMORY + 8 * K, 2 * K}};

	assert_int_equal(krig_map_ranges(&r, M, ranges, 2), 0);
	phyr_domain_detach(r.domain, DEV);
	assert_int_equal(fk.pinned, 0);
	assert_int_equal(krig_map(&r, 2 * M, MEMORY, K), 0);
	assert_int_equal(krig_map(&r, 3 * M, MEMORY, K), 0);
	assert_int_equal(krig_map(&r, 3 * M, MEMORY, K), -EEXIST);
	assert_int_equal(krig_unmap(&r, 2 * M, K), 0);
	r.t.reports = 0;
	assert_int_equal(krig_stats(&r).kernel_maps, r.vfio ? 0 : 3);
	assert_int_equal(phyr_domain_attach(r.domain, DEV2), 0);
	krig_leads_to(&r, M, MEMORY, K, RW);
	krig_leads_to(&r, M + K, MEMORY + 8 * K, 2 * K, RW);
	krig_leads_to(&r, 3 * M, MEMORY, K, RW);
	assert_int_equal(fk_nr_maps(), 3);
	assert_int_equal(krig_stats(&r).kernel_maps, 3);
	assert_int_equal(krig_stats(&r).kernel_maps_left, r.vfio ? 65532 : UINT64_MAX);
	phyr_domain_detach(r.domain, DEV2);

	/* Its memory is gone: a device does not come back to it. */
	fk.bad_start = fk.bad_last = MEMORY + 9 * K;
	krig_attach_fails(&r, DEV, -EBUSY);
	fk.bad_start = UINT64_MAX;
	fk.lock_limit = K;
	krig_attach_fails(&r, DEV, -ENOMEM);
	fk.lock_limit = UINT64_MAX;
	assert_int_equal(phyr_domain_attach(r.domain, DEV), 0);
	assert_int_equal(krig_unmap(&r, M, 2 * M + K), 0);
	assert_int_equal(fk_nr_maps(), 0);
}

/* Another backend's devices have no descriptors. */
static void not_the_kernels(void **state)
{
	struct phyr_iommu *direct;
	int fd = 3;

	assert_int_equal(phyr_direct_create(&r.t.env, &direct), 0);
	assert_int_equal(phyr_vfio_device_fd(direct, DEV, &fd), -EOPNOTSUPP);
	krig_told(&r, -EOPNOTSUPP, "phyr_vfio_device_fd");
	assert_int_equal(fd, 3);
	phyr_iommu_destroy(direct);
}

/* A kernel that maps files. */
static int init_files(void **state)
{
	init_bare(state);
	fk.map_file = true;
	assert_int_equal(krig_make(&r), 0);
	assert_int_equal(phyr_domain_create(r.iommu, &r.domain), 0);
	return phyr_domain_attach(r.domain, DEV);
}

static int map_file(int fd, uint64_t iova, unsigned prot)
{
	const struct phyr_space file = {.kind = PHYR_KIND_FD, .fd = fd};
	struct phyr_cursor cur;

	phyr_cursor_init_range(&cur, 0, K);
	return phyr_domain_map(r.domain, iova, &file, &cur, prot);
}

/* To read yes, to write no: and the kernel, which would do it, is not asked. */
static void only_to_read(int fd)
{
	uint64_t ioctls = krig_stats(&r).ioctls;

	assert_int_equal(map_file(fd, 2 * M, RW), -EFAULT);
	krig_told(&r, -EFAULT, "phyr_domain_map");
	assert_int_equal(map_file(fd, 2 * M, PHYR_WRITE), -EFAULT);
	krig_told(&r, -EFAULT, "phyr_domain_map");
	assert_int_equal(krig_stats(&r).ioctls, ioctls);
	assert_int_equal(map_file(fd, 2 * M, PHYR_READ), 0);
	assert_int_equal(krig_unmap(&r, 2 * M, K), 0);
}

static void files_to_read(void **state)
{
	const int seals[] = {F_SEAL_FUTURE_WRITE, F_SEAL_WRITE};
	int fd = open("/dev/null", O_RDONLY);

	only_to_read(fd);
	close(fd);
	for (unsigned i = 0; i < ARRAY_SIZE(seals); i++) {
		fd = memfd_create("sealed", MFD_ALLOW_SEALING);
		assert_int_equal(map_file(fd, 2 * M, RW), 0);
		assert_int_equal(krig_unmap(&r, 2 * M, K), 0);
		assert_int_equal(fcntl(fd, F_ADD_SEALS, seals[i]), 0);
		only_to_read(fd);
		close(fd);
	}
}

/* Offsets into a file, where the kernel has that. */
static void files_are_mapped(void **state)
{
	const struct phyr_space file = {.kind = PHYR_KIND_FD, .fd = NO_FILE};
	struct phyr_cursor cur;

	assert_int_equal(r.iommu->caps->kinds, 1 << PHYR_KIND_USER | 1 << PHYR_KIND_FD);
	phyr_cursor_init_range(&cur, 3 * K, 2 * K);
	assert_int_equal(phyr_domain_map(r.domain, M, &file, &cur, RW), 0);
	krig_leads_to(&r, M, 3 * K, 2 * K, RW);
	assert_true(fk_find(fk_only_space(), M)->file);
	fk.fail_cmd = ABI_IOAS_MAP_FILE;
	for (unsigned i = 0; i < 4; i++) {
		fk.fail_err = (const int[]){EINVAL, EBADF, EOPNOTSUPP, ENODEV}[i];
		assert_int_equal(map_file(NO_FILE, 2 * M, RW), -EFAULT);
		krig_told(&r, -EFAULT, "phyr_domain_map");
	}
	fk.fail_cmd = 0;
	assert_int_equal(krig_unmap(&r, M, 2 * K), 0);
}

#define VFIO(f)                                      \
	{                                            \
#f " vfio", f, init, fini, (void *)1 \
	}
#define IOMMUFD(f)                                 \
	{                                          \
#f " iommufd", f, init, fini, NULL \
	}
#define BOTH(f) VFIO(f), IOMMUFD(f)

int main(void)
{
	const struct CMUnitTest tests[] = {
		{"create_errors vfio", create_errors, init_bare, fini_bare, (void *)1},
		{"create_errors iommufd", create_errors, init_bare, fini_bare, NULL},
		{"no_type1v2", no_type1v2, init_bare, fini_bare, (void *)1},
		BOTH(caps),
		BOTH(domain_errors),
		VFIO(vfio_attach_errors),
		IOMMUFD(iommufd_attach_errors),
		IOMMUFD(who_has_it_is_told_apart),
		BOTH(one_domain_each),
		VFIO(groups),
		BOTH(mappings_outlive_devices),
		BOTH(not_the_kernels),
		{"files_are_mapped", files_are_mapped, init_files, fini, NULL},
		{"files_to_read", files_to_read, init_files, fini, NULL},
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
