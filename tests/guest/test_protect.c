/* SPDX-License-Identifier: MIT */
/*
 * What a real device behind a real kernel's IOMMU cannot do: touch a page past its window, write what
 * it may only read, use a mapping after it was unmapped or unlinked, or after it was detached. Proved
 * each time by memory, and by the kernel's log, whose line must name the device, the direction and the
 * very page; it is printed.
 *
 * edu puts any address on the bus. The NVMe drive shows why memory has to be looked at: its commands
 * succeed, blocked or not.
 */
#include "guest/rig_kernel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <phyr/dma.h>
#include <phyr/source.h>

#include "guest/disk.h"

#define K      0x1000ull
#define PAGES  16
#define LEN    (PAGES * K)
#define SECRET 0x11
#define OTHER  0xee

struct fixture {
	struct rig rig;
	struct phyr_dev *dev;
	struct phyr_list list; /* all of the memory */
	unsigned char *memory; /* LEN bytes of SECRET */
	unsigned char *page;   /* where the device's buffer is loaded from and shown */
	phyr_dma_addr_t page_dma;
};

static struct fixture f;

static unsigned char *map_memory(uint64_t len)
{
	unsigned char *p =
		mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(p, MAP_FAILED);
	return p;
}

static int init(void **state)
{
	memset(&f, 0, sizeof(f));
	rig_init(&f.rig, rig_kind(0));
	assert_int_equal(phyr_dev_create(f.rig.domain, f.rig.source[0], NULL, &f.dev), 0);
	f.rig.kind->machine->attached(&f.rig, f.rig.domain, 0);
	f.memory = map_memory(LEN);
	memset(f.memory, SECRET, LEN);
	phyr_list_init(&f.list, NULL, phyr_space_user());
	assert_int_equal(phyr_source_append(&f.list, f.memory, LEN), 0);
	f.page = phyr_dma_alloc(f.dev, K, &f.page_dma);
	assert_non_null(f.page);
	return 0;
}

static int fini(void **state)
{
	phyr_dma_free(f.dev, K, f.page, f.page_dma);
	f.rig.kind->machine->detaching(&f.rig, f.rig.domain, 0);
	phyr_dev_destroy(f.dev);
	phyr_list_fini(&f.list);
	munmap(f.memory, LEN);
	rig_fini(&f.rig);
	return 0;
}

static struct edu *edu(void)
{
	return rig_kernel_edu(&f.rig, 0);
}

/* Fill the device's buffer, and see that it holds nothing but one of two bytes. */
static void load(unsigned char byte)
{
	memset(f.page, byte, EDU_MAX);
	assert_true(edu_run(edu(), f.page_dma, EDU_MAX, PHYR_READ));
}

static bool buffer_is(unsigned char byte, uint64_t len)
{
	memset(f.page, ~byte, EDU_MAX);
	assert_true(edu_run(edu(), f.page_dma, EDU_MAX, PHYR_WRITE));
	for (uint64_t i = 0; i < len; i++)
		if (f.page[i] != byte)
			return false;
	return true;
}

/* The device did not get to see the secret. */
static bool buffer_has_no_secret(uint64_t len)
{
	assert_true(edu_run(edu(), f.page_dma, EDU_MAX, PHYR_WRITE));
	return !memchr(f.page, SECRET, len);
}

static void untouched(uint64_t from, uint64_t to)
{
	for (uint64_t i = from; i < to; i++)
		assert_int_equal(f.memory[i], SECRET);
}

static void write_is_blocked(uint64_t iova, uint64_t len)
{
	rig_blocked(&f.rig, 0, iova, len, PHYR_WRITE, 0);
	untouched(0, LEN);
}

static void read_is_blocked(uint64_t iova, uint64_t len)
{
	rig_blocked(&f.rig, 0, iova, len, PHYR_READ, 0);
	assert_true(buffer_has_no_secret(len));
}

/* Half of the memory is mapped; the pages behind it in memory are not the device's. */
static void page_past_the_window(void **state)
{
	struct phyr_list half;
	struct phyr_dma_map m;

	phyr_list_init(&half, NULL, phyr_space_user());
	assert_int_equal(phyr_source_append(&half, f.memory, LEN / 2), 0);
	assert_int_equal(phyr_dma_map(f.dev, &half, PHYR_DMA_BIDIRECTIONAL, 0, &m), 0);
	write_is_blocked(m.state.addr + LEN / 2, 64);
	read_is_blocked(m.state.addr + LEN / 2 + 8, 64);
	/* and the device goes on */
	load(OTHER);
	assert_true(edu_run(edu(), m.state.addr + LEN / 2 - 100, 100, PHYR_WRITE));
	untouched(0, LEN / 2 - 100);
	assert_int_equal(f.memory[LEN / 2 - 100], OTHER);
	assert_int_equal(f.memory[LEN / 2 - 1], OTHER);
	untouched(LEN / 2, LEN);
	phyr_dma_unmap(f.dev, &m);
	phyr_list_fini(&half);
}

static void read_only_window(void **state)
{
	struct phyr_dma_map m;

	assert_int_equal(phyr_dma_map(f.dev, &f.list, PHYR_DMA_TO_DEVICE, 0, &m), 0);
	write_is_blocked(m.state.addr + 0x2008, 8);
	assert_true(edu_run(edu(), m.state.addr + 0x2000, 512, PHYR_READ));
	assert_true(buffer_is(SECRET, 512));
	phyr_dma_unmap(f.dev, &m);
}

/* The IOTLB has the page when its mapping goes. */
static void after_unmap(void **state)
{
	struct phyr_dma_map m;
	uint64_t iova;

	assert_int_equal(phyr_dma_map(f.dev, &f.list, PHYR_DMA_BIDIRECTIONAL, 0, &m), 0);
	iova = m.state.addr;
	assert_true(edu_run(edu(), iova, 64, PHYR_READ));
	assert_true(buffer_is(SECRET, 64));
	phyr_dma_unmap(f.dev, &m);
	write_is_blocked(iova, 64);
	read_is_blocked(iova + K, 64);
}

/* One link of two goes; the rest of the window stays in use. */
static void after_unlink(void **state)
{
	struct phyr_dma_iova_state s;
	const struct phyr_space *user = phyr_space_user();
	uint64_t at = (uintptr_t)f.memory;

	assert_true(phyr_dma_iova_try_alloc(f.dev, &s, at, LEN));
	for (uint64_t half = 0; half < 2; half++)
		assert_int_equal(phyr_dma_iova_link(f.dev, &s, user, at + half * LEN / 2,
						    half * LEN / 2, LEN / 2, PHYR_DMA_BIDIRECTIONAL,
						    0),
				 0);
	assert_int_equal(phyr_dma_iova_sync(f.dev, &s, 0, LEN), 0);
	assert_true(edu_run(edu(), s.addr, 64, PHYR_READ));
	assert_true(buffer_is(SECRET, 64));
	assert_int_equal(phyr_dma_iova_unlink(f.dev, &s, 0, LEN / 2, PHYR_DMA_BIDIRECTIONAL, 0), 0);
	write_is_blocked(s.addr, 64);
	load(OTHER);
	assert_true(edu_run(edu(), s.addr + LEN / 2, 64, PHYR_WRITE));
	untouched(0, LEN / 2);
	assert_int_equal(f.memory[LEN / 2], OTHER);
	assert_int_equal(
		phyr_dma_iova_unlink(f.dev, &s, LEN / 2, LEN / 2, PHYR_DMA_BIDIRECTIONAL, 0), 0);
	phyr_dma_iova_free(f.dev, &s);
}

/* Coherent memory is the device's until it is freed. */
static void after_free(void **state)
{
	phyr_dma_addr_t dma;
	unsigned char *p = phyr_dma_alloc(f.dev, K, &dma);

	assert_non_null(p);
	memset(p, SECRET, K);
	assert_true(edu_run(edu(), dma, 64, PHYR_READ));
	assert_true(buffer_is(SECRET, 64));
	phyr_dma_free(f.dev, K, p, dma);
	read_is_blocked(dma, 64);
}

/* Detach the device and attach it to an empty domain. */
static void move_away(struct phyr_domain *other)
{
	phyr_dma_free(f.dev, K, f.page, f.page_dma);
	f.rig.kind->machine->detaching(&f.rig, f.rig.domain, 0);
	phyr_dev_destroy(f.dev);
	nanosleep(&(struct timespec){.tv_nsec = 300000000}, NULL);
	untouched(0, LEN);
	assert_int_equal(phyr_dev_create(other, f.rig.source[0], NULL, &f.dev), 0);
	f.rig.kind->machine->attached(&f.rig, other, 0);
	f.page = phyr_dma_alloc(f.dev, K, &f.page_dma);
	assert_non_null(f.page);
}

static void come_back(struct phyr_domain *other)
{
	phyr_dma_free(f.dev, K, f.page, f.page_dma);
	f.rig.kind->machine->detaching(&f.rig, other, 0);
	phyr_dev_destroy(f.dev);
	assert_int_equal(phyr_dev_create(f.rig.domain, f.rig.source[0], NULL, &f.dev), 0);
	f.rig.kind->machine->attached(&f.rig, f.rig.domain, 0);
	f.page = phyr_dma_alloc(f.dev, K, &f.page_dma);
	assert_non_null(f.page);
}

/*
 * The device is detached with a transfer under way, while what it is aimed at stays mapped: nothing
 * arrives. Without its registers nobody can start another one; in a domain of its own that is seen to
 * be blocked at the same iova, although the first domain still maps it.
 */
static void after_detach(void **state)
{
	struct phyr_domain *other;
	uint64_t iova;

	assert_int_equal(rig_map(&f.rig, 0, K, PHYR_READ | PHYR_WRITE, &iova), 0);
	memset(f.rig.memory, SECRET, K);
	assert_int_equal(phyr_domain_create(f.rig.iommu, &other), 0);
	load(OTHER);
	edu_start(edu(), iova, 64, PHYR_WRITE);
	move_away(other);
	for (uint64_t i = 0; i < K; i++)
		assert_int_equal(f.rig.memory[i], SECRET);
	write_is_blocked(iova, 64);
	for (uint64_t i = 0; i < K; i++)
		assert_int_equal(f.rig.memory[i], SECRET);
	come_back(other);
	phyr_domain_destroy(other);
	load(OTHER);
	assert_true(edu_run(edu(), iova, 64, PHYR_WRITE));
	assert_int_equal(f.rig.memory[63], OTHER);
	rig_unmap(&f.rig, iova, K);
}

/*
 * Somebody else holds the device's file, as the child of a fork does, and has its registers mapped: it
 * can be told to go on after it was detached, and nothing arrives. On vfio the kernel does not tell of
 * it: the device is no bus master any more.
 */
static void after_detach_by_who_else_has_it(void **state)
{
	uint32_t source = f.rig.source[1];
	struct edu second;
	uint64_t iova;
	int fd, held;

	assert_int_equal(rig_map(&f.rig, 0, K, PHYR_READ | PHYR_WRITE, &iova), 0);
	memset(f.rig.memory, OTHER, K);
	assert_int_equal(phyr_domain_attach(f.rig.domain, source), 0);
	assert_int_equal(phyr_vfio_device_fd(f.rig.iommu, source, &fd), 0);
	held = dup(fd);
	assert_true(held >= 0);
	assert_int_equal(edu_open_fd(&second, &f.rig.t.env, held, source), 0);
	assert_true(edu_run(&second, iova, 64, PHYR_READ));
	memset(f.rig.memory, 0, K);
	assert_true(edu_run(&second, iova, 64, PHYR_WRITE));
	assert_int_equal(f.rig.memory[63], OTHER);
	phyr_domain_detach(f.rig.domain, source);
	memset(f.rig.memory, SECRET, K);
	assert_true(edu_run(&second, iova, 64, PHYR_WRITE));
	for (uint64_t i = 0; i < K; i++)
		assert_int_equal(f.rig.memory[i], SECRET);
	edu_close(&second);
	close(held);
	rig_unmap(&f.rig, iova, K);
}

/* A drive reads its blocks into memory that it may not write. That it reports success is QEMU's answer. */
static void command_is_blocked(struct disk *disk, uint32_t source, uint64_t iova)
{
	struct kmsg kmsg;

	assert_int_equal(kmsg_open(&kmsg), 0);
	print_message("# the drive's command ends with %d\n",
		      disk_move(disk, 1, iova, K, PHYR_WRITE));
	assert_true(rig_kernel_told(&kmsg, source, iova, PHYR_WRITE));
	kmsg_close(&kmsg);
	untouched(0, LEN);
}

static void drive_after_unmap(void **state)
{
	uint32_t source = rig_kernel_source("GUEST_NVME");
	struct phyr_dma_map m;
	struct disk disk;
	uint64_t iova;

	disk_open(&disk, f.rig.domain, source);
	assert_int_equal(phyr_dma_map(disk.dev, &f.list, PHYR_DMA_FROM_DEVICE, 0, &m), 0);
	iova = m.state.addr;
	assert_int_equal(disk_move(&disk, 0, iova, 2 * K, PHYR_WRITE), 0);
	assert_true(disk_is_pattern(f.memory, 0, 2 * K));
	memset(f.memory, SECRET, LEN);
	phyr_dma_unmap(disk.dev, &m);
	command_is_blocked(&disk, source, iova);
	disk_close(&disk);
}

static void drive_and_read_only_window(void **state)
{
	uint32_t source = rig_kernel_source("GUEST_NVME");
	struct phyr_dma_map m;
	struct disk disk;

	disk_open(&disk, f.rig.domain, source);
	assert_int_equal(phyr_dma_map(disk.dev, &f.list, PHYR_DMA_TO_DEVICE, 0, &m), 0);
	command_is_blocked(&disk, source, m.state.addr);
	phyr_dma_unmap(disk.dev, &m);
	disk_close(&disk);
}

/* A drive that reaches nothing fails at its first command: what may be missing is said. */
static void drive_without_bus_mastering(void **state)
{
	uint32_t source = rig_kernel_source("GUEST_NVME");
	struct phyr_nvme *nvme = NULL;
	struct phyr_regs *regs;
	struct phyr_pci *pci;
	struct phyr_dev *dev;
	struct disk disk;
	int fd;

	assert_int_equal(phyr_dev_create(f.rig.domain, source, NULL, &dev), 0);
	assert_int_equal(phyr_vfio_device_fd(f.rig.iommu, source, &fd), 0);
	assert_int_equal(phyr_pci_open(&f.rig.t.env, fd, source, &pci), 0);
	assert_int_equal(phyr_pci_map_bar(pci, 0, &regs), 0);
	assert_int_equal(phyr_nvme_open(dev, regs, NULL, &nvme), -EIO);
	assert_non_null(strstr(f.rig.t.last.hint, "phyr_pci_set_master()"));
	assert_null(nvme);
	phyr_pci_close(pci);
	phyr_dev_destroy(dev);
	disk_open(&disk, f.rig.domain, source);
	disk_close(&disk);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, init, fini)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(page_past_the_window),
		TEST(read_only_window),

		TEST(after_unmap),
		TEST(after_unlink),
		TEST(after_free),
		TEST(after_detach),
		TEST(after_detach_by_who_else_has_it),
		TEST(drive_after_unmap),
		TEST(drive_and_read_only_window),
		TEST(drive_without_bus_mastering),
	};

	rig_kernel_is_iommufd();
	return cmocka_run_group_tests_name("protect", tests, NULL, NULL);
}
