/* SPDX-License-Identifier: MIT */
/* Finding devices in a sysfs of our own, which also says what cannot be. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <phyr/pci.h>

#include "lib/tenv.h"
#include "pci/sysfs.h"
#include "pci/tree.h"

#define DEVICE "0000:01:00.0"
#define SOURCE 0x100u

static struct tenv t;

static void plain(void **state)
{
	struct phyr_pci_info info;

	assert_int_equal(phyr_pci_find(&t.env, SOURCE, &info), 0);
	assert_int_equal(info.source, SOURCE);
	assert_int_equal(info.vendor, 0x1b36);
	assert_int_equal(info.device, 0x0010);
	assert_int_equal(info.subsystem_vendor, 0x1af4);
	assert_int_equal(info.subsystem_device, 0x1100);
	assert_int_equal(info.class_code, 0x010802);
	assert_int_equal(info.revision, 2);
	assert_false(info.bridge);
	assert_int_equal(info.group, -1);
	assert_int_equal(info.numa_node, -1);
	assert_string_equal(info.driver, "");
	assert_string_equal(info.cdev, "");
	assert_int_equal(t.reports, 0);
}

static void bound(void **state)
{
	struct phyr_pci_info info;

	tree_link(DEVICE, "iommu_group", "../../../../kernel/iommu_groups/12");
	tree_link(DEVICE, "driver", "../../../../bus/pci/drivers/vfio-pci");
	tree_folder(DEVICE, "vfio-dev");
	tree_folder(DEVICE, "vfio-dev/vfio3");
	tree_file(DEVICE, "vfio-dev/vfio3/dev", "510:3\n");
	tree_file(DEVICE, "numa_node", "1\n");
	assert_int_equal(phyr_pci_find(&t.env, SOURCE, &info), 0);
	assert_int_equal(info.group, 12);
	assert_int_equal(info.numa_node, 1);
	assert_string_equal(info.driver, "vfio-pci");
	assert_string_equal(info.cdev, "vfio3");
}

/* A kernel that makes no files for devices has the entry all the same. */
static void bound_without_file(void **state)
{
	struct phyr_pci_info info;

	tree_folder(DEVICE, "vfio-dev");
	tree_folder(DEVICE, "vfio-dev/vfio3");
	assert_int_equal(phyr_pci_find(&t.env, SOURCE, &info), 0);
	assert_string_equal(info.cdev, "");
}

static void bridges(void **state)
{
	struct phyr_pci_info info;

	tree_file(DEVICE, "class", "0x060400\n");
	assert_int_equal(phyr_pci_find(&t.env, SOURCE, &info), 0);
	assert_true(info.bridge);
}

/* No node is said without CONFIG_NUMA. */
static void no_node(void **state)
{
	struct phyr_pci_info info;

	tree_file(DEVICE, "numa_node", NULL);
	assert_int_equal(phyr_pci_find(&t.env, SOURCE, &info), 0);
	assert_int_equal(info.numa_node, -1);
}

static void fails(uint32_t source, int err)
{
	struct phyr_pci_info info, was;

	memset(&info, 0x5a, sizeof(info));
	was = info;
	tenv_restart(&t);
	assert_int_equal(phyr_pci_find(&t.env, source, &info), err);
	assert_memory_equal(&info, &was, sizeof(was));
	assert_int_equal(t.reports, 1);
	assert_int_equal(t.last.err, err);
	assert_int_equal(t.last.index, source);
	assert_string_equal(t.last.index_of, "device");
	assert_string_equal(t.last.call, "phyr_pci_find");
}

static void none(void **state)
{
	fails(0x200, -ENODEV);
}

static void nonsense_numbers(void **state)
{
	static const char *const bad[][2] = {
		{"vendor", "0x10000\n"},
		{"vendor", "-1\n"},
		{"vendor", ""},
		{"device", "0x0010 x\n"},
		{"device", "nvme\n"},
		{"class", "0x1000000\n"},
		{"revision", "0x100\n"},
		{"numa_node", "-2\n"},
		{"subsystem_device", "99999999999999999999\n"},
		{"vendor", "0x000000000000000000000000000000000000001b36\n"},
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		tree_pull(DEVICE);
		tree_device(DEVICE);
		tree_file(DEVICE, bad[i][0], bad[i][1]);
		fails(SOURCE, -EIO);
	}
}

static void nonsense_missing(void **state)
{
	tree_file(DEVICE, "class", NULL);
	fails(SOURCE, -EIO);
}

static void nonsense_links(void **state)
{
	static const char *const bad[][2] = {
		{"iommu_group", "../iommu_groups/12a"},
		{"iommu_group", "../iommu_groups/"},
		{"iommu_group", "../iommu_groups/-1"},
		{"iommu_group", "../iommu_groups/99999999999"},
		{"driver", "../drivers/a-name-that-is-longer-than-those-of-drivers"},
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		tree_pull(DEVICE);
		tree_device(DEVICE);
		tree_link(DEVICE, bad[i][0], bad[i][1]);
		fails(SOURCE, -EIO);
	}
	tree_file(DEVICE, "driver", NULL);
	tree_file(DEVICE, "driver", "not a link");
	fails(SOURCE, -EIO);
}

static void nonsense_cdev(void **state)
{
	tree_folder(DEVICE, "vfio-dev");
	tree_folder(DEVICE, "vfio-dev/vfio3x");
	fails(SOURCE, -EIO);
}

struct seen {
	uint32_t sources[8];
	unsigned nr;
	unsigned stop_at;
};

static int see(void *arg, const struct phyr_pci_info *info)
{
	struct seen *seen = arg;

	seen->sources[seen->nr++] = info->source;
	return seen->nr == seen->stop_at ? 42 : 0;
}

static void add_more(void)
{
	tree_device("0000:00:1f.3");
	tree_device("0001:00:00.0");
	tree_device("0000:00:02.0");
	tree_device("10000:00:00.0"); /* has no source id */
}

static void all(void **state)
{
	static const uint32_t want[] = {0x10, 0xfb, 0x100, 0x10000};
	struct seen seen = {.nr = 0};

	add_more();
	assert_int_equal(phyr_pci_each(&t.env, see, &seen), 0);
	assert_int_equal(seen.nr, 4);
	assert_memory_equal(seen.sources, want, sizeof(want));
	assert_false(tenv_live(&t));
}

static void stopped(void **state)
{
	struct seen seen = {.stop_at = 2};

	add_more();
	assert_int_equal(phyr_pci_each(&t.env, see, &seen), 42);
	assert_int_equal(seen.nr, 2);
	assert_int_equal(t.reports, 0);
	assert_false(tenv_live(&t));
}

static int pull(void *arg, const struct phyr_pci_info *info)
{
	if (info->source == 0x10)
		tree_pull("0000:00:1f.3");
	return see(arg, info);
}

static void vanishing(void **state)
{
	static const uint32_t want[] = {0x10, 0x100, 0x10000};
	struct seen seen = {.nr = 0};

	add_more();
	assert_int_equal(phyr_pci_each(&t.env, pull, &seen), 0);
	assert_int_equal(seen.nr, 3);
	assert_memory_equal(seen.sources, want, sizeof(want));
}

static void all_but_one_lies(void **state)
{
	struct seen seen = {.nr = 0};

	add_more();
	tree_file(DEVICE, "vendor", "?");
	assert_int_equal(phyr_pci_each(&t.env, see, &seen), -EIO);
	assert_int_equal(seen.nr, 2);
	assert_int_equal(t.reports, 1);
	assert_int_equal(t.last.index, SOURCE);
}

static void nobody(void **state)
{
	struct seen seen = {.nr = 0};

	tree_pull(DEVICE);
	assert_int_equal(phyr_pci_each(&t.env, see, &seen), 0);
	phyr_sysfs_devices = "/nonexistent";
	assert_int_equal(phyr_pci_each(&t.env, see, &seen), -ENOENT);
	assert_int_equal(t.last.err, -ENOENT);
	assert_int_equal(seen.nr, 0);
}

static void no_memory(void **state)
{
	struct seen seen = {.nr = 0};

	t.fail_at = 1;
	tenv_restart(&t);
	assert_int_equal(phyr_pci_each(&t.env, see, &seen), -ENOMEM);
	assert_int_equal(t.last.err, -ENOMEM);
	assert_int_equal(seen.nr, 0);
	t.fail_at = 0;
}

static void half_an_env(void **state)
{
	t.env.alloc = NULL;
	assert_int_equal(phyr_pci_each(&t.env, see, NULL), -EINVAL);
	assert_int_equal(t.last.err, -EINVAL);
}

/* Whatever this machine has; NULL stands for the hosted environment. */
static int count(void *arg, const struct phyr_pci_info *info)
{
	++*(unsigned *)arg;
	return 0;
}

static void of_this_machine(void **state)
{
	const char *was = phyr_sysfs_devices;
	unsigned nr = 0;
	int err;

	phyr_sysfs_devices = *state;
	err = phyr_pci_each(NULL, count, &nr);
	phyr_sysfs_devices = was;
	assert_true(err == 0 || (err == -ENOENT && !nr));
}

static const char *system_tree;

static int setup(void **state)
{
	*state = (void *)(uintptr_t)system_tree;
	tenv_init(&t, NULL);
	tree_make();
	tree_device(DEVICE);
	return 0;
}

static int teardown(void **state)
{
	tree_remove();
	tenv_fini(&t);
	return 0;
}

int main(void)
{
#define FIND(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		FIND(plain),
		FIND(bound),
		FIND(bound_without_file),
		FIND(bridges),
		FIND(no_node),
		FIND(none),
		FIND(nonsense_numbers),
		FIND(nonsense_missing),
		FIND(nonsense_links),
		FIND(nonsense_cdev),
		FIND(all),
		FIND(stopped),
		FIND(vanishing),
		FIND(all_but_one_lies),
		FIND(nobody),
		FIND(no_memory),
		FIND(half_an_env),
		FIND(of_this_machine),
	};

	system_tree = phyr_sysfs_devices;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
