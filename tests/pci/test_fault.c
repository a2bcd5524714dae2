/* SPDX-License-Identifier: MIT */
/* The n-th allocation, then the n-th system call fails, for every n: clean errors, nothing left behind. */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>
#include <phyr/pci.h>

#include "pci/fake.h"

static struct tenv t;
static int fds[2];

/* The calls of a driver's life, each of which may fail; what fails is reported once, as it returns. */
static int step(int err)
{
	assert_int_equal(t.reports, err ? 1 : 0);
	if (err) {
		assert_int_equal(t.last.err, err);
		assert_non_null(t.last.hint);
	}
	return err;
}

static int live(struct phyr_pci *pci)
{
	struct phyr_regs *regs;
	unsigned cap;
	uint32_t value;
	int err = step(phyr_pci_set_master(pci, true));

	if (!err)
		err = step(phyr_pci_map_bar(pci, 0, &regs));
	if (!err)
		err = step(phyr_pci_map_bar(pci, 6, &regs));
	if (!err)
		err = step(phyr_pci_find_cap(pci, 0x10, &cap));
	for (unsigned i = 0; i < 2 && !err; i++)
		err = step(phyr_pci_set_vector_fd(pci, i, fds[i]));
	if (!err)
		err = step(phyr_pci_set_request_fd(pci, fds[0]));
	if (!err)
		err = step(phyr_pci_reset(pci));
	if (!err)
		err = step(phyr_pci_config_read(pci, 0, 4, &value));
	if (!err)
		err = step(phyr_pci_config_write(pci, 0x3c, 1, 5));
	for (unsigned i = 0; i < 2 && !err; i++)
		err = step(phyr_pci_set_vector_fd(pci, i, -1));
	return err;
}

static int life(void)
{
	struct phyr_pci *pci;
	int err = step(phyr_pci_open(&t.env, fake.fd, 0x100, &pci));

	if (err)
		return err;
	err = live(pci);
	phyr_pci_close(pci);
	return err;
}

static unsigned count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static unsigned count_mappings(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[512];
	unsigned n = 0;

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps))
		n += !!strstr(line, "memfd:");
	fclose(maps);
	return n;
}

static void nothing_left(unsigned nr_fds)
{
	assert_false(tenv_live(&t));
	assert_int_equal(count_fds(), nr_fds);
	assert_int_equal(count_mappings(), 0);
	assert_int_equal(fake.irq_on, -1);
}

static void allocations(void **state)
{
	unsigned nr_fds = count_fds();

	for (t.fail_at = 1;; t.fail_at++) {
		int err;

		tenv_restart(&t);
		err = life();
		nothing_left(nr_fds);
		if (!t.failed) {
			assert_int_equal(err, 0);
			break;
		}
		assert_int_equal(err, -ENOMEM);
	}
	assert_true(t.fail_at > 3); /* the device, its vectors, its lock */
	t.fail_at = 0;
}

/* With the call that failed left out, close() may not have been able to switch things off. */
static void system_calls_with(int error)
{
	static const int listed[] = {-EBADF,  -ENOTTY, -EOPNOTSUPP, -ENODEV, -EIO,   -ENOMEM,
				     -EAGAIN, -ENOSPC, -EBUSY,      -EMFILE, -ENFILE};
	unsigned nr_fds = count_fds(), n;

	for (n = 1;; n++) {
		bool known = false;
		int err;

		fake_remove();
		fake_make();
		fake.fail_at = n;
		fake.fail_with = error;
		tenv_restart(&t);
		err = life();
		if (!fake.failed) {
			assert_int_equal(err, 0);
			break;
		}
		if (fake.irq_on >= 0) /* switching off is what failed */
			fake.irq_on = -1;
		nothing_left(nr_fds);
		for (size_t i = 0; i < sizeof(listed) / sizeof(listed[0]); i++)
			known |= err == listed[i];
		assert_true(known || !err);
	}
	assert_true(n > 30);
}

static void system_calls(void **state)
{
	static const int errors[] = {EIO, ENODEV, ENOMEM, EMFILE, EINVAL, EPERM, ENOSPC};

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		system_calls_with(errors[i]);
}

static int setup(void **state)
{
	tenv_init(&t, NULL);
	fake_make();
	for (unsigned i = 0; i < 2; i++)
		fds[i] = eventfd(0, EFD_CLOEXEC);
	return 0;
}

static int teardown(void **state)
{
	for (unsigned i = 0; i < 2; i++)
		close(fds[i]);
	fake_remove();
	tenv_fini(&t);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(allocations, setup, teardown),
		cmocka_unit_test_setup_teardown(system_calls, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
