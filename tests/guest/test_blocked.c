/* SPDX-License-Identifier: MIT */
/*
 * An access to nothing is blocked, and the kernel's log says so, as kmsg.h reads it. By the system's own
 * calls, without the library: what the other checks go by is seen to first.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kmsg.h"

/* QEMU's docs/specs/edu.txt */
#define EDU_ID      0x010000edu
#define EDU_SOURCE  0x80
#define EDU_TARGET  0x88
#define EDU_COUNT   0x90
#define EDU_COMMAND 0x98
#define EDU_START   1u
#define EDU_TO_RAM  2u
#define EDU_BUFFER  0x40000u

struct edu {
	int container, group, device;
	volatile uint64_t *bar;
	size_t bar_size;
	uint16_t source;
};

static int open_group(const char *bdf)
{
	char path[PATH_MAX], target[PATH_MAX];
	ssize_t n;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group", bdf);
	n = readlink(path, target, sizeof(target) - 1);
	assert_true(n > 0);
	target[n] = '\0';
	snprintf(path, sizeof(path), "/dev/vfio/%.20s", basename(target));
	return open(path, O_RDWR | O_CLOEXEC);
}

static void set_bus_master(int device)
{
	struct vfio_region_info config = {.argsz = sizeof(config),
					  .index = VFIO_PCI_CONFIG_REGION_INDEX};
	uint16_t command;

	assert_int_equal(ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &config), 0);
	assert_int_equal(pread(device, &command, 2, (off_t)config.offset + PCI_COMMAND), 2);
	command |= PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	assert_int_equal(pwrite(device, &command, 2, (off_t)config.offset + PCI_COMMAND), 2);
}

static int setup(void **state)
{
	static struct edu edu;
	struct vfio_region_info bar = {.argsz = sizeof(bar), .index = VFIO_PCI_BAR0_REGION_INDEX};
	const char *bdf = getenv("GUEST_EDU");
	unsigned bus, device;

	assert_non_null(bdf);
	assert_int_equal(sscanf(bdf, "%*x:%x:%x", &bus, &device), 2);
	edu.source = (uint16_t)(bus << 8 | device << 3);
	edu.container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	edu.group = open_group(bdf);
	assert_int_equal(ioctl(edu.group, VFIO_GROUP_SET_CONTAINER, &edu.container), 0);
	assert_int_equal(ioctl(edu.container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU), 0);
	edu.device = ioctl(edu.group, VFIO_GROUP_GET_DEVICE_FD, bdf);
	assert_true(edu.device >= 0);
	set_bus_master(edu.device);
	assert_int_equal(ioctl(edu.device, VFIO_DEVICE_GET_REGION_INFO, &bar), 0);
	edu.bar_size = bar.size;
	edu.bar = mmap(NULL, bar.size, PROT_READ | PROT_WRITE, MAP_SHARED, edu.device,
		       (off_t)bar.offset);
	assert_ptr_not_equal(edu.bar, MAP_FAILED);
	assert_int_equal(*(volatile uint32_t *)edu.bar, EDU_ID);
	*state = &edu;
	return 0;
}

static int teardown(void **state)
{
	struct edu *edu = *state;

	munmap((void *)edu->bar, edu->bar_size);
	close(edu->device);
	close(edu->group);
	close(edu->container);
	return 0;
}

/* One transfer of a few bytes between edu's buffer and an address, to its end. */
static void transfer(const struct edu *edu, uint64_t addr, unsigned direction)
{
	edu->bar[EDU_SOURCE / 8] = direction == EDU_TO_RAM ? EDU_BUFFER : addr;
	edu->bar[EDU_TARGET / 8] = direction == EDU_TO_RAM ? addr : EDU_BUFFER;
	edu->bar[EDU_COUNT / 8] = 64;
	edu->bar[EDU_COMMAND / 8] = EDU_START | direction;
	while (edu->bar[EDU_COMMAND / 8] & EDU_START)
		usleep(1000);
}

static void expect_blocked(const struct edu *edu, uint64_t addr, unsigned direction)
{
	struct kmsg_fault fault;
	char line[KMSG_LINE];
	struct kmsg k;

	assert_int_equal(kmsg_open(&k), 0);
	transfer(edu, addr, direction);
	assert_int_equal(
		kmsg_wait(&k, edu->source, direction == EDU_TO_RAM, addr, 2000, &fault, line), 0);
	kmsg_close(&k);
	printf("# %s\n", line);
}

static void test_write_is_told(void **state)
{
	expect_blocked(*state, 0x12345678, EDU_TO_RAM);
}

static void test_read_is_told(void **state)
{
	expect_blocked(*state, 0xfffffff000, 0);
}

/* More than the kernel tells in five seconds without a wait between. */
static void test_many_are_told(void **state)
{
	for (uint64_t i = 1; i <= 4; i++)
		expect_blocked(*state, i << 20, i % 2 ? EDU_TO_RAM : 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_write_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(test_read_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_are_told, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
