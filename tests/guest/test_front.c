/* SPDX-License-Identifier: MIT */
/*
 * The front door on devices that are not simulated: what opens, what does not, that nothing is written
 * without leave, and that nothing is left behind: no descriptor, no pinned page, no device that is held.
 * Allocations and ioctls on the way fail once each (--wrap).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <phyr/nvme_data.h>
#include <phyr/nvme_spec.h>
#include <phyr/phyr.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define BLOCKS (64u << 11) /* of the first drive */
#define LBA    (BLOCKS - 8)

/*
 * What fails, and what is held.
 */

struct point {
	unsigned calls, fail_at; /* 0: none */
	bool failed;
};

static struct point allocs, ioctls;

static bool fails(struct point *p, int error)
{
	if (++p->calls != p->fail_at)
		return false;
	p->failed = true;
	errno = error;
	return true;
}

void *__real_calloc(size_t nr, size_t size);
void *__wrap_calloc(size_t nr, size_t size);
void *__wrap_calloc(size_t nr, size_t size)
{
	return fails(&allocs, ENOMEM) ? NULL : __real_calloc(nr, size);
}

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size)
{
	return fails(&allocs, ENOMEM) ? NULL : __real_malloc(size);
}

void *__real_aligned_alloc(size_t align, size_t size);
void *__wrap_aligned_alloc(size_t align, size_t size);
void *__wrap_aligned_alloc(size_t align, size_t size)
{
	return fails(&allocs, ENOMEM) ? NULL : __real_aligned_alloc(align, size);
}

void *__real_mmap64(void *at, size_t len, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap64(void *at, size_t len, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap64(void *at, size_t len, int prot, int flags, int fd, off_t offset)
{
	return fails(&allocs, ENOMEM) ? MAP_FAILED
				      : __real_mmap64(at, len, prot, flags, fd, offset);
}

int __real_ioctl(int fd, unsigned long request, void *arg);
int __wrap_ioctl(int fd, unsigned long request, void *arg);
int __wrap_ioctl(int fd, unsigned long request, void *arg)
{
	return fails(&ioctls, EIO) ? -1 : __real_ioctl(fd, request, arg);
}

/* What this process holds. */
struct held {
	unsigned fds;
	unsigned long locked, pinned; /* KiB */
};

static unsigned long status_of(const char *name)
{
	unsigned long value = 0;
	char line[128];
	FILE *f = fopen("/proc/self/status", "r");

	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, name, strlen(name)))
			value = strtoul(line + strlen(name) + 1, NULL, 10);
	fclose(f);
	return value;
}

static struct held held_now(void)
{
	struct held held = {.locked = status_of("VmLck"), .pinned = status_of("VmPin")};
	DIR *dir = opendir("/proc/self/fd");

	assert_non_null(dir);
	while (readdir(dir))
		held.fds++;
	closedir(dir);
	return held;
}

static void nothing_more(const struct held *before)
{
	struct held now = held_now();

	assert_int_equal(now.fds, before->fds);
	assert_int_equal(now.locked, before->locked);
	assert_int_equal(now.pinned, before->pinned);
}

/*
 * Targets.
 */

static struct phyr_report last;
static unsigned reports;

static void hear(void *arg, const struct phyr_report *report)
{
	last = *report;
	reports++;
}

/* A device by the variable that names it, with the guest's IOMMU. */
static int open_named(const char *variable, struct phyr_opts *opts, struct phyr **p)
{
	const char *name = getenv(variable), *iommu = getenv("GUEST_IOMMU");
	char target[64];

	if (!name || !iommu)
		skip();
	snprintf(target, sizeof(target), "pci:%s", name);
	opts->size = sizeof(*opts);
	opts->report = hear;
	if (!opts->iommu)
		opts->iommu = strcmp(iommu, "vfio") ? PHYR_IOMMU_IOMMUFD : PHYR_IOMMU_VFIO;
	return phyr_open(target, opts, p);
}

static struct phyr *drive(bool writable)
{
	struct phyr_opts opts = {.writable = writable};
	struct phyr *p = NULL;

	assert_int_equal(open_named("GUEST_NVME", &opts, &p), 0);
	return p;
}

/* Move one block. */
static int move(struct phyr *p, unsigned char *block, bool write)
{
	enum phyr_dma_dir dir = write ? PHYR_DMA_TO_DEVICE : PHYR_DMA_FROM_DEVICE;
	struct phyr_dma_map map;
	struct phyr_list list;
	int err;

	assert_int_equal(phyr_list_from_user(p, block, 512, &list), 0);
	assert_int_equal(phyr_dma_map(phyr_get_dev(p), &list, dir, 0, &map), 0);
	err = write ? phyr_nvme_write_sync(phyr_get_queue(p), LBA, &map)
		    : phyr_nvme_read_sync(phyr_get_queue(p), LBA, &map);
	phyr_dma_unmap(phyr_get_dev(p), &map);
	phyr_list_release(p, &list);
	return err;
}

static void identify(void **state)
{
	const struct phyr_nvme_info *info;
	struct held before = held_now();
	struct phyr *p = drive(false);
	const char *iommu = phyr_domain_iommu(phyr_dev_domain(phyr_get_dev(p)))->caps->name;

	info = phyr_nvme_get_info(phyr_get_nvme(p));
	print_message("# %s, serial %s, firmware %s, %u queues, behind %s\n", info->model,
		      info->serial, info->firmware, info->queues, iommu);
	assert_string_equal(iommu, getenv("GUEST_IOMMU"));
	assert_string_equal(info->serial, "phyr0001");
	assert_non_null(strstr(info->model, "QEMU NVMe"));
	assert_int_equal(info->block_size, 512);
	assert_int_equal(info->nr_blocks, BLOCKS);
	assert_non_null(phyr_get_pci(p));
	assert_null(phyr_get_sim(p));
	assert_null(phyr_get_sim_dev(p));
	phyr_close(p);
	nothing_more(&before);
}

static void the_default_is_the_newer(void **state)
{
	struct phyr_opts opts = {.size = sizeof(opts)};
	char target[64];
	struct phyr *p;

	snprintf(target, sizeof(target), "pci:%s", getenv("GUEST_NVME"));
	assert_int_equal(phyr_open(target, NULL, &p), 0);
	assert_string_equal(phyr_domain_iommu(phyr_dev_domain(phyr_get_dev(p)))->caps->name,
			    getenv("GUEST_IOMMU"));
	phyr_close(p);
}

/* Format, write, write zeroes, and a feature that stays: refused by the library, and the block is as it
 * was. What asks is let through. */
static void nothing_is_written_without_leave(void **state)
{
	static const unsigned char admin[] = {PHYR_NVME_ADMIN_FORMAT_NVM, PHYR_NVME_ADMIN_SANITIZE,
					      PHYR_NVME_ADMIN_FW_DOWNLOAD};
	unsigned char before[512], after[512], sqe[64] = {0};
	struct phyr *p = drive(false);

	assert_int_equal(move(p, before, false), 0);
	memset(after, 0x5a, sizeof(after));
	assert_int_equal(move(p, after, true), -EROFS);
	sqe[4] = 1;
	sqe[0] = PHYR_NVME_CMD_WRITE_ZEROES;
	assert_int_equal(phyr_nvme_submit_sync(phyr_get_queue(p), sqe, NULL, NULL), -EROFS);
	for (size_t i = 0; i < sizeof(admin); i++) {
		sqe[0] = admin[i];
		assert_int_equal(phyr_nvme_submit_sync(phyr_nvme_admin_queue(phyr_get_nvme(p)), sqe,
						       NULL, NULL),
				 -EROFS);
	}
	sqe[0] = PHYR_NVME_ADMIN_GET_FEATURES;
	sqe[40] = PHYR_NVME_FEAT_TEMPERATURE;
	assert_int_equal(
		phyr_nvme_submit_sync(phyr_nvme_admin_queue(phyr_get_nvme(p)), sqe, NULL, NULL), 0);
	assert_int_equal(move(p, after, false), 0);
	assert_memory_equal(before, after, sizeof(before));
	phyr_close(p);
}

static void and_is_with_it(void **state)
{
	unsigned char before[512], block[512];
	struct phyr *p = drive(true);

	assert_int_equal(move(p, before, false), 0);
	for (unsigned i = 0; i < sizeof(block); i++)
		block[i] = (unsigned char)(i * 7 ^ before[i]);
	assert_int_equal(move(p, block, true), 0);
	phyr_close(p);
	p = drive(true);
	memset(block, 0, sizeof(block));
	assert_int_equal(move(p, block, false), 0);
	for (unsigned i = 0; i < sizeof(block); i++)
		assert_int_equal(block[i], (unsigned char)(i * 7 ^ before[i]));
	assert_int_equal(move(p, before, true), 0);
	assert_int_equal(phyr_nvme_flush_sync(phyr_get_queue(p)), 0);
	phyr_close(p);
}

static void a_reset_is_survived(void **state)
{
	unsigned char before[512], after[512];
	struct phyr *p = drive(false);

	assert_int_equal(move(p, before, false), 0);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(phyr_nvme_reset(phyr_get_nvme(p)), 0);
		memset(after, 0, sizeof(after));
		assert_int_equal(move(p, after, false), 0);
		assert_memory_equal(before, after, sizeof(before));
	}
	phyr_close(p);
}

/* The vectors of MSI-X are connected; a queue sleeps until it is told. */
static void interrupts_are_connected(void **state)
{
	struct phyr_opts opts = {
		.nvme = {.size = sizeof(opts.nvme), .interrupts = true, .queues = 3}};
	struct held before = held_now();
	struct phyr_nvme_queue *queue;
	unsigned char block[512];
	struct pollfd pfd;
	struct phyr *p;

	assert_int_equal(open_named("GUEST_NVME", &opts, &p), 0);
	assert_int_equal(phyr_nvme_get_info(phyr_get_nvme(p))->queues, 3);
	pfd = (struct pollfd){.fd = phyr_nvme_queue_fd(phyr_get_queue(p)), .events = POLLIN};
	assert_true(pfd.fd >= 0);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(move(p, block, false), 0);
	assert_int_equal(phyr_nvme_queue_create(phyr_get_nvme(p), 4, &queue), 0);
	phyr_nvme_queue_destroy(queue);
	assert_int_equal(phyr_nvme_reset(phyr_get_nvme(p)), 0);
	assert_int_equal(move(p, block, false), 0);
	phyr_close(p);
	nothing_more(&before);
}

/* No controller: its registers and its configuration are a driver's to use. */
static void a_device_of_ones_own(void **state)
{
	struct held before = held_now();
	struct phyr_opts opts = {0};
	struct phyr_regs *regs;
	uint32_t id = 0;
	struct phyr *p;

	assert_int_equal(open_named("GUEST_EDU", &opts, &p), 0);
	assert_null(phyr_get_nvme(p));
	assert_null(phyr_get_queue(p));
	regs = phyr_get_regs(p);
	assert_non_null(regs);
	id = (uint32_t)phyr_regs_read(regs, 0, 4);
	assert_int_equal(id & 0xff, 0xed); /* QEMU docs/specs/edu: version, then 00ed */
	assert_int_equal(phyr_pci_config_read(phyr_get_pci(p), 0, 4, &id), 0);
	assert_int_equal(id, 0x11e81234);
	phyr_close(p);
	nothing_more(&before);
	opts.writable = true;
	assert_int_equal(open_named("GUEST_EDU", &opts, &p), -EINVAL);
	opts = (struct phyr_opts){.depth = 3};
	assert_int_equal(open_named("GUEST_EDU", &opts, &p), -EINVAL);
	opts = (struct phyr_opts){.iommu = PHYR_IOMMU_NONE};
	assert_int_equal(open_named("GUEST_EDU", &opts, &p), -EOPNOTSUPP);
	nothing_more(&before);
}

static void one_at_a_time(void **state)
{
	struct phyr_opts opts = {0};
	struct phyr *p = drive(false), *second = NULL;
	struct held before = held_now();

	assert_int_equal(open_named("GUEST_NVME", &opts, &second), -EBUSY);
	assert_non_null(last.hint);
	print_message("# %s: %s\n", last.call, last.hint);
	nothing_more(&before);
	phyr_close(p);
	phyr_close(drive(false));
}

/* An address that is nobody's is found out by the mapping, which leaves nothing. */
static void memory_that_is_not_there(void **state)
{
	struct phyr *p = drive(false);
	struct held before;
	struct phyr_dma_map map;
	struct phyr_list list;
	char *hole =
		mmap(NULL, 3 << 12, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(hole, MAP_FAILED);
	assert_int_equal(munmap(hole + 4096, 4096), 0);
	before = held_now();
	assert_int_equal(phyr_list_from_user(p, hole, 3 << 12, &list), 0);
	assert_int_equal(phyr_dma_map(phyr_get_dev(p), &list, PHYR_DMA_FROM_DEVICE, 0, &map),
			 -EFAULT);
	phyr_list_release(p, &list);
	nothing_more(&before);
	munmap(hole, 4096);
	munmap(hole + 8192, 4096);
	phyr_close(p);
}

/* What nobody unmapped is told, and let go of all the same. */
static void what_is_left_is_told(void **state)
{
	struct held before = held_now();
	static char memory[1 << 20];
	struct phyr *p = drive(false);
	struct phyr_dma_map map;
	struct phyr_list list;

	assert_int_equal(phyr_list_from_user(p, memory, sizeof(memory), &list), 0);
	assert_int_equal(phyr_dma_map(phyr_get_dev(p), &list, PHYR_DMA_FROM_DEVICE, 0, &map), 0);
	reports = 0;
	phyr_close(p);
	assert_int_equal(reports, 2); /* the list, the iova */
	assert_string_equal(last.call, "phyr_domain_destroy");
	nothing_more(&before);
}

/* @return whether p's call failed */
static bool open_with(struct point *point, unsigned fail_at)
{
	struct phyr_opts opts = {.nvme = {.size = sizeof(opts.nvme), .interrupts = true}};
	struct held before = held_now();
	struct phyr *p = NULL;
	bool failed;
	int err;

	memset(&allocs, 0, sizeof(allocs));
	memset(&ioctls, 0, sizeof(ioctls));
	reports = 0;
	point->fail_at = fail_at;
	err = open_named("GUEST_NVME", &opts, &p);
	point->fail_at = 0;
	failed = point->failed;
	assert_true(err <= 0);
	if (err)
		assert_true(failed && !p && reports);
	phyr_close(p);
	nothing_more(&before);
	return failed;
}

static void each_allocation_fails(void **state)
{
	unsigned n = 1;

	while (open_with(&allocs, n))
		n++;
	print_message("# %u allocations\n", n - 1);
	assert_true(n > 10);
}

static void each_ioctl_fails(void **state)
{
	unsigned n = 1;

	while (open_with(&ioctls, n))
		n++;
	print_message("# %u ioctls\n", n - 1);
	assert_true(n > 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(identify),
		cmocka_unit_test(the_default_is_the_newer),
		cmocka_unit_test(nothing_is_written_without_leave),
		cmocka_unit_test(and_is_with_it),
		cmocka_unit_test(a_reset_is_survived),
		cmocka_unit_test(interrupts_are_connected),
		cmocka_unit_test(a_device_of_ones_own),
		cmocka_unit_test(one_at_a_time),
		cmocka_unit_test(memory_that_is_not_there),
		cmocka_unit_test(what_is_left_is_told),
		cmocka_unit_test(each_allocation_fails),
		cmocka_unit_test(each_ioctl_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
