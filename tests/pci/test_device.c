/* SPDX-License-Identifier: MIT */
/* An open device: its configuration, bus mastering, reset; and a kernel that says what cannot be. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <phyr/pci.h>

#include "pci/fake.h"

static struct tenv t;

static void opens_not(int fd, int err)
{
	struct phyr_pci *const never = (void *)&t, *pci = never;

	tenv_restart(&t);
	assert_int_equal(phyr_pci_open(&t.env, fd, 0x100, &pci), err);
	assert_ptr_equal(pci, never);
	assert_int_equal(t.reports, 1);
	assert_int_equal(t.last.err, err);
	assert_string_equal(t.last.call, "phyr_pci_open");
	assert_false(tenv_live(&t));
}

static void open_and_close(void **state)
{
	struct phyr_pci *pci = fake_open(&t);

	assert_int_equal(fake_config_get(4, 2), 0x0001);
	assert_false(phyr_pci_is_gone(pci));
	phyr_pci_close(pci);
	phyr_pci_close(NULL);
	assert_int_equal(phyr_pci_open(NULL, fake.fd, 0x100, &pci), 0);
	phyr_pci_close(pci);
}

static void no_device(void **state)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	opens_not(-1, -EBADF);
	opens_not(null, -ENOTTY);
	close(null);
	fake.flags = VFIO_DEVICE_FLAGS_PLATFORM;
	opens_not(fake.fd, -EOPNOTSUPP);
	fake.flags = VFIO_DEVICE_FLAGS_PCI;
	fake.num_regions = 3;
	opens_not(fake.fd, -EOPNOTSUPP);
	t.env.free = NULL;
	opens_not(fake.fd, -EINVAL);
}

static void gone_before(void **state)
{
	fake_all_ones();
	opens_not(fake.fd, -ENODEV);
	fake_truncate();
	opens_not(fake.fd, -ENODEV);
}

static void bad_config(void **state)
{
	static const uint64_t sizes[] = {0, 60, 255, 8192, UINT64_MAX};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		fake.regions[7].size = sizes[i];
		opens_not(fake.fd, -EIO);
	}
	fake.regions[7].size = 4096;
	fake.offset_of_config = UINT64_MAX - 100;
	opens_not(fake.fd, -EIO);
	fake.offset_of_config = INT64_MAX;
	opens_not(fake.fd, -EIO);
	fake.offset_of_config = FAKE_CONFIG;
	fake.regions[7].flags = VFIO_REGION_INFO_FLAG_READ;
	opens_not(fake.fd, -EIO);
	fake.regions[7].flags |= VFIO_REGION_INFO_FLAG_WRITE;
	fake.short_argsz = 8;
	opens_not(fake.fd, -EIO);
}

static void bad_vectors(void **state)
{
	fake.nr_vectors[VFIO_PCI_MSIX_IRQ_INDEX] = 2049;
	opens_not(fake.fd, -EIO);
	fake.nr_vectors[VFIO_PCI_MSIX_IRQ_INDEX] = 0;
	fake.nr_vectors[VFIO_PCI_MSI_IRQ_INDEX] = 33;
	opens_not(fake.fd, -EIO);
	fake.nr_vectors[VFIO_PCI_MSI_IRQ_INDEX] = 32;
	fake.irq_flags = 0;
	opens_not(fake.fd, -EIO);
}

static void widths(void **state)
{
	struct phyr_pci *pci = fake_open(&t);
	uint32_t value;

	assert_int_equal(phyr_pci_config_read(pci, 0, 4, &value), 0);
	assert_int_equal(value, 0x00101b36);
	assert_int_equal(phyr_pci_config_read(pci, 2, 2, &value), 0);
	assert_int_equal(value, 0x0010);
	assert_int_equal(phyr_pci_config_read(pci, 1, 1, &value), 0);
	assert_int_equal(value, 0x1b);
	assert_int_equal(phyr_pci_config_write(pci, 0x100, 4, 0x11223344), 0);
	assert_int_equal(phyr_pci_config_write(pci, 0x102, 2, 0xaaaa5566), 0);
	assert_int_equal(phyr_pci_config_write(pci, 0x101, 1, 0x77), 0);
	assert_int_equal(phyr_pci_config_read(pci, 0x100, 4, &value), 0);
	assert_int_equal(value, 0x55667744);
	assert_int_equal(phyr_pci_config_read(pci, 4092, 4, &value), 0);
	phyr_pci_close(pci);
}

static void no_access(struct phyr_pci *pci, uint64_t offset, unsigned width, int err)
{
	uint32_t value = 77;

	tenv_restart(&t);
	assert_int_equal(phyr_pci_config_read(pci, offset, width, &value), err);
	assert_int_equal(value, 77);
	assert_int_equal(t.reports, 1);
	assert_int_equal(t.last.addr, offset);
	assert_int_equal(phyr_pci_config_write(pci, offset, width, 0), err);
	assert_int_equal(t.reports, 2);
	assert_int_equal(t.last.err, err);
}

static void no_widths(void **state)
{
	struct phyr_pci *pci = fake_open(&t);

	no_access(pci, 0, 0, -EINVAL);
	no_access(pci, 0, 3, -EINVAL);
	no_access(pci, 0, 8, -EINVAL);
	no_access(pci, 1, 2, -EINVAL);
	no_access(pci, 2, 4, -EINVAL);
	no_access(pci, 4096, 1, -ERANGE);
	no_access(pci, (uint64_t)1 << 40, 4, -ERANGE);
	assert_int_equal(t.last.limit, 4096);
	assert_false(phyr_pci_is_gone(pci));
	phyr_pci_close(pci);
}

/* A register may read all ones of a device that is there. */
static void ones(void **state)
{
	struct phyr_pci *pci = fake_open(&t);
	uint32_t value;

	fake_config(0x200, 4, 0xffffffff);
	assert_int_equal(phyr_pci_config_read(pci, 0x200, 4, &value), 0);
	assert_int_equal(value, 0xffffffff);
	assert_int_equal(phyr_pci_config_read(pci, 0x200, 1, &value), 0);
	assert_int_equal(value, 0xff);
	assert_false(phyr_pci_is_gone(pci));
	phyr_pci_close(pci);
}

static void everything_is_gone(struct phyr_pci *pci)
{
	struct phyr_regs *regs;
	unsigned cap;

	no_access(pci, 0x10, 4, -ENODEV);
	assert_true(phyr_pci_is_gone(pci));
	assert_int_equal(phyr_pci_find_cap(pci, 0x11, &cap), -ENODEV);
	assert_int_equal(phyr_pci_set_master(pci, true), -ENODEV);
	assert_int_equal(phyr_pci_reset(pci), -ENODEV);
	assert_int_equal(phyr_pci_map_bar(pci, 0, &regs), -ENODEV);
	assert_int_equal(phyr_pci_set_vector_fd(pci, 0, 0), -ENODEV);
	assert_int_equal(t.last.err, -ENODEV);
	phyr_pci_close(pci);
	assert_false(tenv_live(&t));
}

static void gone_by_ones(void **state)
{
	struct phyr_pci *pci = fake_open(&t);

	fake_all_ones();
	everything_is_gone(pci);
}

/* The kernel remembers the vendor. */
static void gone_but_for_vendor(void **state)
{
	struct phyr_pci *pci = fake_open(&t);

	fake_all_ones();
	fake_config(0, 4, 0x00101b36);
	everything_is_gone(pci);
}

static void gone_by_short_read(void **state)
{
	struct phyr_pci *pci = fake_open(&t);

	fake_truncate();
	everything_is_gone(pci);
}

static void gone_by_error(void **state)
{
	static const int errors[] = {EIO, ENODEV};

	for (size_t i = 0; i < 2; i++) {
		struct phyr_pci *pci = fake_open(&t);
		uint32_t value;

		fake.fail_at = fake.calls + 1;
		fake.fail_with = errors[i];
		assert_int_equal(phyr_pci_config_read(pci, 0, 4, &value), -ENODEV);
		assert_true(phyr_pci_is_gone(pci));
		everything_is_gone(pci);
	}
}

static void kernel_refuses(void **state)
{
	struct phyr_pci *pci = fake_open(&t);
	uint32_t value = 77;

	fake.fail_at = fake.calls + 1;
	fake.fail_with = EFAULT;
	assert_int_equal(phyr_pci_config_read(pci, 0, 4, &value), -EIO);
	assert_int_equal(value, 77);
	assert_false(phyr_pci_is_gone(pci));
	phyr_pci_close(pci);
}

static void caps(void **state)
{
	struct phyr_pci *pci = fake_open(&t);
	unsigned at = 77;

	assert_int_equal(phyr_pci_find_cap(pci, 0x11, &at), 0);
	assert_int_equal(at, 0x40);
	assert_int_equal(phyr_pci_find_cap(pci, 0x10, &at), 0);
	assert_int_equal(at, 0x60);
	tenv_restart(&t);
	assert_int_equal(phyr_pci_find_cap(pci, 0x05, &at), -ENOENT);
	assert_int_equal(at, 0x60);
	assert_int_equal(t.reports, 0);
	phyr_pci_close(pci);
}

static void caps_without_sense(void **state)
{
	static const uint8_t next[] = {0x40, 0x60, 0x3c, 0x04, 0x03};
	struct phyr_pci *pci = fake_open(&t);
	unsigned at = 77;

	for (size_t i = 0; i < sizeof(next); i++) { /* two loops, and into the header */
		fake_config(0x61, 1, next[i]);
		assert_int_equal(phyr_pci_find_cap(pci, 0x05, &at), -ENOENT);
	}
	fake_config(0x61, 1, 0xfc);
	fake_config(0xfc, 2, 0x0005); /* at the very end */
	assert_int_equal(phyr_pci_find_cap(pci, 0x05, &at), 0);
	assert_int_equal(at, 0xfc);
	fake_config(0x06, 2, 0); /* no list, says the status register */
	assert_int_equal(phyr_pci_find_cap(pci, 0x05, &at), -ENOENT);
	phyr_pci_close(pci);
}

static void master(void **state)
{
	struct phyr_pci *pci = fake_open(&t);

	assert_int_equal(phyr_pci_set_master(pci, true), 0);
	assert_int_equal(fake_config_get(4, 2), 0x0007);
	assert_int_equal(phyr_pci_set_master(pci, true), 0);
	assert_int_equal(phyr_pci_set_master(pci, false), 0);
	assert_int_equal(fake_config_get(4, 2), 0x0003);
	assert_int_equal(phyr_pci_set_master(pci, true), 0);
	phyr_pci_close(pci);
	assert_int_equal(fake_config_get(4, 2), 0x0003);
}

static void master_that_sticks(void **state)
{
	struct phyr_pci *pci = fake_open(&t);

	fake.stuck = 4;
	assert_int_equal(phyr_pci_set_master(pci, true), -EIO);
	assert_int_equal(t.last.err, -EIO);
	assert_false(phyr_pci_is_gone(pci));
	phyr_pci_close(pci);
}

static void reset(void **state)
{
	struct phyr_pci *pci = fake_open(&t);

	assert_int_equal(phyr_pci_reset(pci), 0);
	assert_int_equal(fake_config_get(4, 2), 0);
	assert_int_equal(phyr_pci_set_master(pci, true), 0);
	assert_int_equal(phyr_pci_reset(pci), 0);
	assert_int_equal(fake.resets, 2);
	assert_int_equal(fake_config_get(4, 2) & 6, 6);
	phyr_pci_close(pci);
}

static void no_reset(void **state)
{
	static const struct {
		int kernel, ours;
	} errors[] = {{EAGAIN, -EAGAIN},
		      {EINVAL, -EOPNOTSUPP},
		      {ENOTTY, -EOPNOTSUPP},
		      {ETIMEDOUT, -EIO},
		      {ENODEV, -ENODEV}};
	struct phyr_pci *pci = fake_open(&t);

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		fake.reset_error = errors[i].kernel;
		assert_int_equal(phyr_pci_reset(pci), errors[i].ours);
		assert_int_equal(t.last.err, errors[i].ours);
	}
	phyr_pci_close(pci);
	fake.flags = VFIO_DEVICE_FLAGS_PCI;
	fake.reset_error = 0;
	pci = fake_open(&t);
	assert_int_equal(phyr_pci_reset(pci), -EOPNOTSUPP);
	assert_int_equal(fake.resets, 0);
	phyr_pci_close(pci);
}

static int setup(void **state)
{
	tenv_init(&t, NULL);
	fake_make();
	return 0;
}

static int teardown(void **state)
{
	assert_false(tenv_live(&t));
	fake_remove();
	tenv_fini(&t);
	return 0;
}

int main(void)
{
#define DEVICE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		DEVICE(open_and_close),     DEVICE(no_device),
		DEVICE(gone_before),        DEVICE(bad_config),
		DEVICE(bad_vectors),        DEVICE(widths),
		DEVICE(no_widths),          DEVICE(ones),
		DEVICE(gone_by_ones),       DEVICE(gone_but_for_vendor),
		DEVICE(gone_by_short_read), DEVICE(gone_by_error),
		DEVICE(kernel_refuses),     DEVICE(caps),
		DEVICE(caps_without_sense), DEVICE(master),
		DEVICE(master_that_sticks), DEVICE(reset),
		DEVICE(no_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
