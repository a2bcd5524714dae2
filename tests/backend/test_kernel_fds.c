/* SPDX-License-Identifier: MIT */
/* Kernel backends on descriptors from outside: a container or an IOAS that others use, too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "backend/kernel_abi.h"
#include "backend/kernelrig.h"
#include "core/bits.h"

#define THEIRS (8 * M)

/* What the owner of the descriptors has. */
static struct {
	int container, group, iommufd;
	uint32_t ioas;
	struct phyr_vfio_dev devs[2];
	unsigned nr_devs;
} own;

static struct krig r;

static void own_container(void)
{
	char name[] = "0000:00:05.0";

	own.container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	own.group = open("/dev/vfio/1", O_RDWR | O_CLOEXEC);
	assert_int_equal(ioctl(own.group, VFIO_GROUP_SET_CONTAINER, &own.container), 0);
	assert_int_equal(ioctl(own.container, VFIO_SET_IOMMU, (void *)VFIO_TYPE1v2_IOMMU), 0);
	own.devs[0].fd = ioctl(own.group, VFIO_GROUP_GET_DEVICE_FD, name);
	own.devs[0].source = DEV;
	own.nr_devs = 1;
}

static void own_ioas(void)
{
	static const char *const paths[] = {"/dev/vfio/devices/vfio0", "/dev/vfio/devices/vfio1"};
	struct abi_ioas_alloc alloc = {.size = sizeof(alloc)};

	own.iommufd = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	assert_int_equal(ioctl(own.iommufd, ABI_IOAS_ALLOC, &alloc), 0);
	own.ioas = alloc.ioas;
	for (unsigned i = 0; i < 2; i++) {
		struct abi_device_bind bind = {.argsz = sizeof(bind), .iommufd = own.iommufd};

		own.devs[i].fd = open(paths[i], O_RDWR | O_CLOEXEC);
		own.devs[i].source = i ? DEV2 : DEV;
		assert_int_equal(ioctl(own.devs[i].fd, ABI_DEVICE_BIND, &bind), 0);
	}
	own.nr_devs = 2;
}

static int make(void)
{
	const struct phyr_vfio_fds vfio = {.size = sizeof(vfio),
					   .container = own.container,
					   .devs = own.devs,
					   .nr_devs = own.nr_devs};
	const struct phyr_iommufd_fds iommufd = {.size = sizeof(iommufd),
						 .iommufd = own.iommufd,
						 .ioas = own.ioas,
						 .devs = own.devs,
						 .nr_devs = own.nr_devs};

	return r.vfio ? phyr_vfio_from_fds(&r.t.env, &vfio, &r.iommu)
		      : phyr_iommufd_from_fds(&r.t.env, &iommufd, &r.iommu);
}

/* The owner maps a page. */
static void they_map(uint64_t iova)
{
	struct vfio_iommu_type1_dma_map dma = {.argsz = sizeof(dma),
					       .flags = VFIO_DMA_MAP_FLAG_READ,
					       .vaddr = THEIRS,
					       .iova = iova,
					       .size = K};
	struct abi_ioas_map map = {.size = sizeof(map),
				   .flags = ABI_MAP_FIXED | ABI_MAP_READ,
				   .ioas = own.ioas,
				   .addr = THEIRS,
				   .iova = iova,
				   .len = K};

	if (r.vfio)
		assert_int_equal(ioctl(own.container, VFIO_IOMMU_MAP_DMA, &dma), 0);
	else
		assert_int_equal(ioctl(own.iommufd, ABI_IOAS_MAP, &map), 0);
}

static void they_unmap(uint64_t iova)
{
	struct vfio_iommu_type1_dma_unmap dma = {.argsz = sizeof(dma), .iova = iova, .size = K};
	struct abi_ioas_unmap unmap = {
		.size = sizeof(unmap), .ioas = own.ioas, .iova = iova, .len = K};

	if (r.vfio)
		assert_int_equal(ioctl(own.container, VFIO_IOMMU_UNMAP_DMA, &dma), 0);
	else
		assert_int_equal(ioctl(own.iommufd, ABI_IOAS_UNMAP, &unmap), 0);
}

static int init(void **state)
{
	memset(&r, 0, sizeof(r));
	memset(&own, -1, sizeof(own));
	r.vfio = *state;
	tenv_init(&r.t, NULL);
	fk_init();
	if (r.vfio)
		own_container();
	else
		own_ioas();
	assert_int_equal(make(), 0);
	assert_int_equal(phyr_domain_create(r.iommu, &r.domain), 0);
	assert_int_equal(phyr_domain_attach(r.domain, DEV), 0);
	return 0;
}

/* Nothing of the owner's was closed: it can. */
static int fini(void **state)
{
	phyr_domain_detach(r.domain, DEV);
	phyr_domain_destroy(r.domain);
	phyr_iommu_destroy(r.iommu);
	assert_int_equal(fk_nr_maps(), 0);
	for (unsigned i = 0; i < own.nr_devs; i++)
		assert_int_equal(close(own.devs[i].fd), 0);
	if (r.vfio) {
		close(own.group);
		close(own.container);
	} else {
		close(own.iommufd);
	}
	fk_fini();
	tenv_fini(&r.t);
	return 0;
}

static void create_fails(int want)
{
	const char *call = r.vfio ? "phyr_vfio_from_fds" : "phyr_iommufd_from_fds";
	struct phyr_iommu *was = r.iommu;

	assert_int_equal(make(), want);
	krig_told(&r, want, call);
	assert_ptr_equal(r.iommu, was);
}

static void create_errors(void **state)
{
	int *fd = r.vfio ? &own.container : &own.iommufd, was = *fd;
	const struct phyr_vfio_fds no_vfio = {0};
	const struct phyr_iommufd_fds no_iommufd = {0};
	struct phyr_iommu *out;

	*fd = -1;
	create_fails(-EBADF);
	*fd = FK_FIRST_FD + FK_FILES - 1;
	create_fails(-EBADF);
	*fd = own.devs[0].fd;
	create_fails(-ENOTTY);
	*fd = was;
	assert_int_equal(r.vfio ? phyr_vfio_from_fds(&r.t.env, &no_vfio, &out)
				: phyr_iommufd_from_fds(&r.t.env, &no_iommufd, &out),
			 -EINVAL);
	r.t.reports = 0;
	for (r.t.fail_at = 1;; r.t.fail_at++) {
		struct phyr_iommu *iommu = r.iommu;
		int err;

		tenv_restart(&r.t);
		err = make();
		if (!err)
			phyr_iommu_destroy(r.iommu);
		r.iommu = iommu;
		if (!r.t.failed)
			break;
		assert_int_equal(err, -ENOMEM);
	}
	r.t.fail_at = 0;
	tenv_restart(&r.t);
}

static void no_such_ioas(void **state)
{
	own.ioas++;
	create_fails(-ENOENT);
	own.ioas--;
}

/* A container without a group has no IOMMU; one of another type is no container for us. */
static void no_iommu(void **state)
{
	int was = own.container;

	own.container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	create_fails(-ENOTTY);
	close(own.container);
	own.container = was;
	fk.no_type1 = true;
	create_fails(-EOPNOTSUPP);
	fk.no_type1 = false;
}

static void one_domain(void **state)
{
	struct phyr_domain *other;

	assert_int_equal(phyr_domain_create(r.iommu, &other), -ENOSPC);
	krig_told(&r, -ENOSPC, "phyr_domain_create");
	phyr_domain_detach(r.domain, DEV);
	phyr_domain_destroy(r.domain);
	tenv_restart(&r.t);
	for (r.t.fail_at = 1; r.t.fail_at < 4; r.t.fail_at++) {
		assert_int_equal(phyr_domain_create(r.iommu, &other), -ENOMEM);
		tenv_restart(&r.t);
	}
	r.t.fail_at = 0;
	assert_int_equal(phyr_domain_create(r.iommu, &r.domain), 0);
	assert_int_equal(phyr_domain_attach(r.domain, DEV), 0);
}

static void devices_are_those_given(void **state)
{
	int fd;

	assert_int_equal(phyr_vfio_device_fd(r.iommu, DEV, &fd), 0);
	assert_int_equal(fd, own.devs[0].fd);
	assert_int_equal(phyr_domain_attach(r.domain, TWIN), -ENODEV);
	krig_told(&r, -ENODEV, "phyr_domain_attach");
	assert_int_equal(phyr_domain_attach(r.domain, DEV), -EBUSY);
	krig_told(&r, -EBUSY, "phyr_domain_attach");
	if (r.vfio)
		return;
	assert_int_equal(phyr_domain_attach(r.domain, DEV2), 0);
	phyr_domain_detach(r.domain, DEV2);

	/* One that is not attached after all is not left in the IOAS. */
	fk.fail_cmd = ABI_IOAS_RANGES;
	fk.fail_err = EIO;
	assert_int_equal(phyr_domain_attach(r.domain, DEV2), -EOPNOTSUPP);
	krig_told(&r, -EOPNOTSUPP, "phyr_domain_attach");
	fk.fail_cmd = 0;
	assert_int_equal(fk.spaces[fk_only_space()].users, 1);
}

/* What others have mapped is met, and left alone: by maps, by their undoing, by unmaps over it. */
static void theirs_is_left_alone(void **state)
{
	const struct phyr_range ranges[] = {{MEMORY, K}, {MEMORY + 8 * K, K}};

	they_map(M + K);
	assert_int_equal(krig_map(&r, M + K, MEMORY, K), -EEXIST);
	krig_told(&r, -EEXIST, "phyr_domain_map");
	assert_int_equal(r.t.last.iova, M + K);
	assert_int_equal(krig_map_ranges(&r, M, ranges, 2), -EEXIST); /* the second of them */
	krig_told(&r, -EEXIST, "phyr_domain_map");
	assert_int_equal(fk_nr_maps(), 1);
	assert_int_equal(krig_stats(&r).kernel_maps, 0);

	assert_int_equal(krig_map(&r, M, MEMORY, K), 0);
	assert_int_equal(krig_map_ranges(&r, M + 2 * K, ranges, 2), 0);
	assert_int_equal(krig_unmap(&r, M, 4 * K), 0);
	assert_int_equal(fk_nr_maps(), 1);
	assert_int_equal(fk_find(fk_only_space(), M + K)->addr, THEIRS);
	they_unmap(M + K);
}

/* The kernel says that it unmapped less. */
static void kernel_unmaps_less(void **state)
{
	assert_int_equal(krig_map(&r, M, MEMORY, 2 * K), 0);
	fk.unmap_lie = K;
	assert_int_equal(krig_unmap(&r, M, 2 * K), -EIO);
	krig_told(&r, -EIO, "phyr_domain_unmap");
	fk.unmap_lie = 0;
	assert_int_equal(krig_map(&r, M, MEMORY, K), -EEXIST);
	assert_int_equal(krig_map(&r, 2 * M, MEMORY, K), 0);
	assert_int_equal(krig_unmap(&r, 2 * M, K), 0);
	r.t.reports = 0;
}

/* Destroying the domain leaves nothing of it behind, and what others have. */
static void nothing_stays(void **state)
{
	they_map(M + K);
	assert_int_equal(krig_map(&r, M, MEMORY, K), 0);
	assert_int_equal(krig_map(&r, M + 2 * K, MEMORY, K), 0);
	phyr_domain_detach(r.domain, DEV);
	phyr_domain_destroy(r.domain);
	assert_int_equal(fk_nr_maps(), 1);
	assert_int_equal(phyr_domain_create(r.iommu, &r.domain), 0);
	assert_int_equal(phyr_domain_attach(r.domain, DEV), 0);
	assert_int_equal(krig_stats(&r).kernel_maps_left, r.vfio ? 65534 : UINT64_MAX);
	they_unmap(M + K);
}

/* How many mappings others have changes meanwhile: the kernel's word counts, not what it said once. */
static void entries_are_shared(void **state)
{
	const struct phyr_range apart[] = {{MEMORY, K}, {MEMORY + 8 * K, K}};

	phyr_domain_detach(r.domain, DEV);
	fk.dma_entry_limit = 3;
	they_map(M);
	they_map(M + K);
	assert_int_equal(phyr_domain_attach(r.domain, DEV), 0);
	assert_int_equal(krig_stats(&r).kernel_maps_left, 1);
	assert_int_equal(krig_map_ranges(&r, 2 * M, apart, 2), -ENOSPC);
	krig_told(&r, -ENOSPC, "phyr_domain_map");
	assert_non_null(strstr(r.t.last.hint, "somebody else"));
	assert_int_equal(fk_nr_maps(), 2);
	they_unmap(M);
	they_unmap(M + K);
	assert_int_equal(krig_map_ranges(&r, 2 * M, apart, 2), 0);
	assert_int_equal(krig_unmap(&r, 2 * M, 2 * K), 0);
}

/* One part that the kernel does not unmap, or that the owner has unmapped, keeps no other. */
static void one_part_fails(void **state)
{
	const struct phyr_range apart[] = {{MEMORY, K}, {MEMORY + 8 * K, K}};

	assert_int_equal(krig_map(&r, M, MEMORY, K), 0);
	assert_int_equal(krig_map(&r, 2 * M, MEMORY, K), 0);
	assert_int_equal(krig_map_ranges(&r, 3 * M, apart, 2), 0);
	they_unmap(M);
	assert_int_equal(krig_unmap(&r, M, M + K), -EIO);
	krig_told(&r, -EIO, "phyr_domain_unmap");
	assert_int_equal(fk_nr_maps(), 2);
	assert_int_equal(krig_map(&r, M, MEMORY, K), -EEXIST); /* its iova stays taken */
	krig_told(&r, -EEXIST, "phyr_domain_map");
	phyr_domain_detach(r.domain, DEV);
	phyr_domain_destroy(r.domain);
	assert_int_equal(fk_nr_maps(), 0);
	assert_int_equal(phyr_domain_create(r.iommu, &r.domain), 0);
	assert_int_equal(phyr_domain_attach(r.domain, DEV), 0);
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
		BOTH(create_errors),      IOMMUFD(no_such_ioas),         VFIO(no_iommu),
		BOTH(one_domain),         BOTH(devices_are_those_given), BOTH(theirs_is_left_alone),
		BOTH(kernel_unmaps_less), BOTH(nothing_stays),           BOTH(one_part_fails),
		VFIO(entries_are_shared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
