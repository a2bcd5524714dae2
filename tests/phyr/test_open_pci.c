/* SPDX-License-Identifier: MIT */
/*
 * "pci:" without a device: the linker puts what follows in front of sysfs, the kernel backends and the
 * device's file (--wrap). Each step is noted by a letter and can fail; undoing is noted, too.
 *
 *   f find  v vfio, i iommufd  (domain and attach are the fake backend's)
 *   d the device's descriptor  o open  m bus master on  c configuration  b BAR  n the driver
 *   O the device closed  X the backend destroyed
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <phyr/phyr.h>
#include <phyr/sim.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "iommu/fake.h"

#define SOURCE 0x12345
#define TARGET "pci:0001:23:08.5"
#define CLASS  0x010802

static struct {
	char steps[32];
	char fails; /* the step that fails, with err */
	int err;
	struct phyr_pci_info info;
	struct fake backend;
	uint32_t config[6]; /* of BARs */
	unsigned bar;
	const char *files;  /* those that may be opened */
	const char *locked; /* those that are there, and may not; others are not there */
	struct phyr_nvme_opts nvme;
	struct phyr_regs regs;
	char pci;
} world;

static int step(char letter)
{
	world.steps[strlen(world.steps)] = letter;
	return letter == world.fails ? world.err : 0;
}

int __wrap_phyr_pci_parse(const char *text, uint32_t *source);
int __wrap_phyr_pci_parse(const char *text, uint32_t *source)
{
	if (strcmp(text, &TARGET[4]))
		return -EINVAL;
	*source = SOURCE;
	return 0;
}

int __wrap_phyr_pci_find(struct phyr_env *env, uint32_t source, struct phyr_pci_info *out);
int __wrap_phyr_pci_find(struct phyr_env *env, uint32_t source, struct phyr_pci_info *out)
{
	assert_int_equal(source, SOURCE);
	*out = world.info;
	return step('f');
}

static int make(struct phyr_env *env, struct phyr_iommu **out, char letter)
{
	int attach_err = world.backend.attach_err;
	int create_err = world.backend.create_err;

	if (step(letter))
		return world.err;
	fake_init(&world.backend, env, true);
	world.backend.caps.kinds = 1u << PHYR_KIND_USER;
	world.backend.attach_err = attach_err;
	world.backend.create_err = create_err;
	*out = &world.backend.iommu;
	return 0;
}

int __wrap_phyr_vfio_create(struct phyr_env *env, struct phyr_iommu **out);
int __wrap_phyr_vfio_create(struct phyr_env *env, struct phyr_iommu **out)
{
	return make(env, out, 'v');
}

int __wrap_phyr_iommufd_create(struct phyr_env *env, struct phyr_iommu **out);
int __wrap_phyr_iommufd_create(struct phyr_env *env, struct phyr_iommu **out)
{
	return make(env, out, 'i');
}

int __wrap_phyr_vfio_device_fd(struct phyr_iommu *iommu, uint32_t source, int *fd);
int __wrap_phyr_vfio_device_fd(struct phyr_iommu *iommu, uint32_t source, int *fd)
{
	assert_ptr_equal(iommu, &world.backend.iommu);
	assert_int_equal(source, SOURCE);
	assert_int_equal(world.backend.attached, 1);
	*fd = 77;
	return step('d');
}

int __wrap_phyr_pci_open(struct phyr_env *env, int fd, uint32_t source, struct phyr_pci **out);
int __wrap_phyr_pci_open(struct phyr_env *env, int fd, uint32_t source, struct phyr_pci **out)
{
	assert_int_equal(fd, 77);
	if (step('o'))
		return world.err;
	*out = (struct phyr_pci *)&world.pci;
	return 0;
}

/* The descriptor is the backend's: the device must still be attached. */
void __wrap_phyr_pci_close(struct phyr_pci *pci);
void __wrap_phyr_pci_close(struct phyr_pci *pci)
{
	assert_int_equal(world.backend.attached, 1);
	if (pci)
		step('O');
}

int __wrap_phyr_pci_set_master(struct phyr_pci *pci, bool on);
int __wrap_phyr_pci_set_master(struct phyr_pci *pci, bool on)
{
	assert_true(on);
	return step('m');
}

int __wrap_phyr_pci_config_read(struct phyr_pci *pci, uint64_t offset, unsigned width,
				uint32_t *value);
int __wrap_phyr_pci_config_read(struct phyr_pci *pci, uint64_t offset, unsigned width,
				uint32_t *value)
{
	assert_true(offset >= 0x10 && offset <= 0x24 && width == 4);
	*value = world.config[(offset - 0x10) / 4];
	return step('c');
}

int __wrap_phyr_pci_map_bar(struct phyr_pci *pci, unsigned bar, struct phyr_regs **out);
int __wrap_phyr_pci_map_bar(struct phyr_pci *pci, unsigned bar, struct phyr_regs **out)
{
	world.bar = bar;
	if (step('b'))
		return world.err;
	*out = &world.regs;
	return 0;
}

unsigned __wrap_phyr_pci_nr_vectors(const struct phyr_pci *pci);
unsigned __wrap_phyr_pci_nr_vectors(const struct phyr_pci *pci)
{
	return 9;
}

/* No controller comes up here. */
int __wrap_phyr_nvme_open(struct phyr_dev *dev, struct phyr_regs *regs,
			  const struct phyr_nvme_opts *opts, struct phyr_nvme **out);
int __wrap_phyr_nvme_open(struct phyr_dev *dev, struct phyr_regs *regs,
			  const struct phyr_nvme_opts *opts, struct phyr_nvme **out)
{
	assert_ptr_equal(regs, &world.regs);
	world.nvme = *opts;
	return step('n') ? world.err : -ENODEV;
}

int __wrap_faccessat(int dir, const char *path, int mode, int flags);
int __wrap_faccessat(int dir, const char *path, int mode, int flags)
{
	assert_int_equal(mode, R_OK | W_OK);
	if (strstr(world.files, path))
		return 0;
	errno = strstr(world.locked, path) ? EACCES : ENOENT;
	return -1;
}

static struct phyr_report last;
static unsigned reports;

static void hear(void *arg, const struct phyr_report *report)
{
	last = *report;
	reports++;
}

/* A controller that is bound to vfio-pci. */
static struct phyr_opts anew(void)
{
	memset(&world, 0, sizeof(world));
	world.info = (struct phyr_pci_info){
		.source = SOURCE, .class_code = CLASS, .group = 3, .driver = "vfio-pci"};
	world.files = "";
	world.locked = "";
	reports = 0;
	return (struct phyr_opts){.size = sizeof(struct phyr_opts), .report = hear};
}

/* It fails so, after these steps, and nothing is left. */
static void fails(const struct phyr_opts *opts, int err, const char *steps)
{
	struct phyr *p = (struct phyr *)&world;

	assert_int_equal(phyr_open(TARGET, opts, &p), err);
	assert_ptr_equal(p, &world);
	assert_int_equal(world.backend.attached, 0);
	assert_int_equal(world.backend.domains, 0);
	if (world.backend.iommu.ops)
		assert_int_equal(world.backend.calls, 1000); /* it was destroyed */
	assert_string_equal(world.steps, steps);
}

/* And the front door itself says why. */
static void refused(const struct phyr_opts *opts, int err, const char *steps, const char *hint)
{
	fails(opts, err, steps);
	assert_int_equal(reports, 1);
	assert_int_equal(last.err, err);
	assert_string_equal(last.call, "phyr_open");
	assert_int_equal(last.index, SOURCE);
	assert_string_equal(last.index_of, "device");
	if (!strstr(last.hint, hint))
		fail_msg("no '%s' in '%s'", hint, last.hint);
}

static void options_are_checked(void **state)
{
	static const struct phyr_sim_dev_ops ops;
	struct phyr_opts opts;

	opts = anew(), opts.iommu = PHYR_IOMMU_NONE;
	refused(&opts, -EOPNOTSUPP, "", "default, vfio or iommufd");
	opts = anew(), opts.iommu = PHYR_IOMMU_SOFT;
	refused(&opts, -EOPNOTSUPP, "", "default, vfio or iommufd");
	opts = anew(), opts.sim = (struct phyr_sim *)&world;
	refused(&opts, -EINVAL, "", "sim:");
	opts = anew(), opts.sim_ops = &ops;
	refused(&opts, -EINVAL, "", "sim:");
	opts = anew(), opts.sim_priv = &world;
	refused(&opts, -EINVAL, "", "sim:");
	opts = anew(), opts.format = PHYR_PGTBL_X86_64;
	refused(&opts, -EINVAL, "", "format");
	for (unsigned i = 0; i < 3; i++) {
		opts = anew();
		world.info.class_code = 0x020000;
		opts.nvme.size = i == 0 ? sizeof(opts.nvme) : 0;
		opts.depth = i == 1;
		opts.writable = i == 2;
		refused(&opts, -EINVAL, "f", "controller");
	}
}

static void devices_are_checked(void **state)
{
	static const char *const bad[] = {"", "0", "0001:23:08.5 ", "1:23"};
	struct phyr_opts opts = anew();
	char target[64];
	struct phyr *p;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(target, sizeof(target), "pci:%s", bad[i]);
		assert_int_equal(phyr_open(target, &opts, &p), -EINVAL);
		assert_string_equal(last.call, "phyr_open");
	}
	opts = anew(), world.info.bridge = true;
	refused(&opts, -EOPNOTSUPP, "f", "bridge");
	opts = anew(), world.info.group = -1;
	refused(&opts, -EOPNOTSUPP, "f", "intel_iommu=on");
	opts = anew(), strcpy(world.info.driver, "nvme");
	refused(&opts, -EBUSY, "f", "phyr devices --bind");
	opts = anew(), world.info.driver[0] = '\0';
	refused(&opts, -EBUSY, "f", "phyr devices --bind");
}

/* What each step that fails has undone, in the order of its making from the end. */
static void each_step_fails(void **state)
{
	static const struct {
		char step;
		const char *steps;
	} ways[] = {
		{'f', "f"},      {'v', "fv"},      {'d', "fvd"},      {'o', "fvdo"},
		{'m', "fvdomO"}, {'b', "fvdombO"}, {'n', "fvdombnO"},
	};
	struct phyr_opts opts;

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		opts = anew();
		world.fails = ways[i].step;
		world.err = -E2BIG;
		fails(&opts, -E2BIG, ways[i].steps);
	}
	opts = anew(), world.backend.create_err = -ENOSPC;
	fails(&opts, -ENOSPC, "fv");
	opts = anew(), world.backend.attach_err = -EBUSY;
	fails(&opts, -EBUSY, "fv");
	opts = anew(), world.info.class_code = 0x00ff00, world.fails = 'c', world.err = -EIO;
	fails(&opts, -EIO, "fvdomcO");
}

static void the_newer_is_taken(void **state)
{
	static const char both[] = "/dev/iommu /dev/vfio/devices/vfio4";
	struct phyr_opts opts;

	opts = anew(), world.files = both;
	fails(&opts, -ENODEV, "fvdombnO"); /* the device has no file of its own */
	opts = anew(), world.files = both, strcpy(world.info.cdev, "vfio4");
	fails(&opts, -ENODEV, "fidombnO");
	opts = anew(), world.files = "/dev/iommu", strcpy(world.info.cdev, "vfio4");
	fails(&opts, -ENODEV, "fvdombnO");
	opts = anew(), world.files = both + strlen("/dev/iommu "), strcpy(world.info.cdev, "vfio4");
	fails(&opts, -ENODEV, "fvdombnO");
	opts = anew(), world.files = both, strcpy(world.info.cdev, "vfio4");
	opts.iommu = PHYR_IOMMU_VFIO;
	fails(&opts, -ENODEV, "fvdombnO");
	opts = anew(), opts.iommu = PHYR_IOMMU_IOMMUFD; /* asked for: its own error says why not */
	fails(&opts, -ENODEV, "fidombnO");
	/* A driver of another name, that is VFIO's. */
	opts = anew(), strcpy(world.info.driver, "mlx5_vfio_pci");
	fails(&opts, -ENODEV, "fvdombnO");
}

/* What may be opened, and what is there and may not, of a device with a file of its own. */
static struct phyr_opts rights(const char *files, const char *locked)
{
	struct phyr_opts opts = anew();

	world.files = files;
	world.locked = locked;
	strcpy(world.info.cdev, "vfio4");
	return opts;
}

#define IOMMU "/dev/iommu "
#define CDEV  "/dev/vfio/devices/vfio4 "
#define VFIO  "/dev/vfio/vfio "
#define GROUP "/dev/vfio/3 "

static void rights_that_are_missing(void **state)
{
	static const char both[] = "nor its group's under /dev/vfio: 'phyr devices";
	struct phyr_opts opts;

	opts = rights(VFIO, IOMMU CDEV GROUP);
	refused(&opts, -EACCES, "f", both);
	opts = rights(IOMMU VFIO, CDEV GROUP);
	refused(&opts, -EACCES, "f", both);
	opts = rights(CDEV GROUP, IOMMU VFIO);
	refused(&opts, -EACCES, "f", both);
	/* What is left is taken. */
	opts = rights(VFIO GROUP, IOMMU CDEV);
	fails(&opts, -ENODEV, "fvdombnO");
	opts = rights(IOMMU CDEV, VFIO GROUP);
	fails(&opts, -ENODEV, "fidombnO");
	/* There is one way alone: its backend says what is in it. */
	opts = rights("", IOMMU CDEV);
	fails(&opts, -ENODEV, "fidombnO");
	opts = rights("", IOMMU CDEV VFIO);
	fails(&opts, -ENODEV, "fidombnO");
	opts = rights(VFIO, CDEV GROUP);
	fails(&opts, -ENODEV, "fvdombnO");
	opts = rights(VFIO, IOMMU GROUP);
	fails(&opts, -ENODEV, "fvdombnO");
	/* So does the one that was asked for. */
	opts = rights(VFIO, IOMMU CDEV GROUP), opts.iommu = PHYR_IOMMU_VFIO;
	fails(&opts, -ENODEV, "fvdombnO");
	opts = rights(VFIO, IOMMU CDEV GROUP), opts.iommu = PHYR_IOMMU_IOMMUFD;
	fails(&opts, -ENODEV, "fidombnO");
}

static int no_vectors(void *arg, unsigned vector, int fd)
{
	return 0;
}

static void the_driver_is_told(void **state)
{
	struct phyr_opts opts = anew();

	fails(&opts, -ENODEV, "fvdombnO");
	assert_int_equal(world.bar, 0);
	assert_true(world.nvme.read_only);
	assert_null(world.nvme.set_vector_fd);
	opts = anew(), opts.writable = true;
	opts.nvme = (struct phyr_nvme_opts){.size = sizeof(opts.nvme), .interrupts = true};
	fails(&opts, -ENODEV, "fvdombnO");
	assert_false(world.nvme.read_only);
	assert_ptr_equal(world.nvme.set_vector_fd, phyr_pci_set_vector_fd);
	assert_ptr_equal(world.nvme.vector_arg, &world.pci);
	assert_int_equal(world.nvme.nr_vectors, 9);
	opts = anew();
	opts.nvme = (struct phyr_nvme_opts){
		.size = sizeof(opts.nvme), .interrupts = true, .nr_vectors = 3};
	fails(&opts, -ENODEV, "fvdombnO");
	assert_int_equal(world.nvme.nr_vectors, 3);
	opts = anew();
	opts.nvme = (struct phyr_nvme_opts){.size = sizeof(opts.nvme),
					    .interrupts = true,
					    .nr_vectors = 2,
					    .set_vector_fd = no_vectors,
					    .vector_arg = &opts};
	fails(&opts, -ENODEV, "fvdombnO");
	assert_ptr_equal(world.nvme.set_vector_fd, no_vectors);
	assert_ptr_equal(world.nvme.vector_arg, &opts);
}

/* Which BAR is a device's of no class that is known. */
static void the_first_bar_that_is_memory(void **state)
{
	static const struct {
		uint32_t config[6];
		unsigned bar; /* 6: none */
	} ways[] = {
		{{0xfe000000}, 0},       {{0xe001, 0xfe00000c, 0x20}, 1}, /* ports, then 64 bits */
		{{0, 0, 0xfe000008}, 2}, {{0xc001, 0xc101, 0, 0, 0, 0xfd000000}, 5},
		{{0xc001}, 6},           {{0}, 6},
	};
	struct phyr *p;

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		struct phyr_opts opts = anew();

		world.info.class_code = 0x00ff00;
		memcpy(world.config, ways[i].config, sizeof(world.config));
		world.bar = 6;
		assert_int_equal(phyr_open(TARGET, &opts, &p), 0);
		assert_int_equal(world.bar, ways[i].bar);
		assert_ptr_equal(phyr_get_regs(p), ways[i].bar < 6 ? &world.regs : NULL);
		phyr_close(p);
	}
}

static void a_device_of_ones_own(void **state)
{
	struct phyr_opts opts = anew();
	struct phyr_list list;
	char buf[5000];
	struct phyr *p;

	world.info.class_code = 0x00ff00;
	world.config[0] = 0xfe000000;
	assert_int_equal(phyr_open(TARGET, &opts, &p), 0);
	assert_ptr_equal(phyr_get_pci(p), &world.pci);
	assert_null(phyr_get_nvme(p));
	assert_null(phyr_get_queue(p));
	assert_null(phyr_get_sim(p));
	assert_null(phyr_get_sim_dev(p));
	assert_non_null(phyr_get_dev(p));
	assert_int_equal(phyr_list_from_user(p, buf, sizeof(buf), &list), 0);
	assert_ptr_equal(list.space, phyr_space_user());
	assert_int_equal(phyr_list_first_addr(&list), (uintptr_t)buf);
	assert_int_equal(list.len, sizeof(buf));
	phyr_list_release(p, &list);
	assert_int_equal(phyr_list_from_user(p, buf, 0, &list), -EINVAL);
	assert_int_equal(reports, 1);
	phyr_list_release(p, &list);
	phyr_close(p);
	assert_string_equal(world.steps, "fvdomcbO");
	assert_int_equal(world.backend.calls, 1000);
	assert_int_equal(reports, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_are_checked),
		cmocka_unit_test(devices_are_checked),
		cmocka_unit_test(each_step_fails),
		cmocka_unit_test(the_newer_is_taken),
		cmocka_unit_test(rights_that_are_missing),
		cmocka_unit_test(the_driver_is_told),
		cmocka_unit_test(the_first_bar_that_is_memory),
		cmocka_unit_test(a_device_of_ones_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
