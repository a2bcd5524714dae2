/* SPDX-License-Identifier: MIT */
/* Registers: mapped where all of a BAR can be, else by the kernel. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <phyr/pci.h>

#include "pci/fake.h"

static struct tenv t;

static void bar_put(uint64_t at, uint64_t value)
{
	assert_int_equal(pwrite(fake.fd, &value, sizeof(value), (off_t)at), sizeof(value));
}

static uint64_t bar_get(uint64_t at)
{
	uint64_t value;

	assert_int_equal(pread(fake.fd, &value, sizeof(value), (off_t)at), sizeof(value));
	return value;
}

static void mapped(void **state)
{
	struct phyr_pci *pci = fake_open(&t);
	struct phyr_regs *regs, *again;

	bar_put(0x1008, 0x1122334455667788);
	assert_int_equal(phyr_pci_map_bar(pci, 0, &regs), 0);
	assert_int_equal(regs->size, 16384);
	assert_non_null(regs->base);
	assert_null(regs->read);
	assert_null(regs->write);
	assert_int_equal(*(volatile uint32_t *)((char *)(uintptr_t)regs->base + 0x1008),
			 0x55667788);
	*(volatile uint64_t *)((char *)(uintptr_t)regs->base + 16376) = 42;
	assert_int_equal(bar_get(16376), 42);
	assert_int_equal(phyr_pci_map_bar(pci, 0, &again), 0);
	assert_ptr_equal(again, regs);
	assert_int_equal(fake_config_get(4, 2) & 2, 2); /* memory decoding */
	phyr_pci_close(pci);
}

/* A BAR of less than a page has the page to itself, where it can be mapped. */
static void small(void **state)
{
	struct phyr_pci *pci;
	struct phyr_regs *regs;

	fake.regions[0].size = 128;
	pci = fake_open(&t);
	assert_int_equal(phyr_pci_map_bar(pci, 0, &regs), 0);
	assert_int_equal(regs->size, 128);
	assert_non_null(regs->base);
	phyr_pci_close(pci);
}

static void by_kernel(struct phyr_regs *regs)
{
	assert_null(regs->base);
	assert_non_null(regs->read);
	assert_non_null(regs->write);
	bar_put(8, 0x1122334455667788);
	assert_int_equal(regs->read(regs, 8, 8), 0x1122334455667788);
	assert_int_equal(regs->read(regs, 12, 4), 0x11223344);
	assert_int_equal(regs->read(regs, 10, 2), 0x5566);
	assert_int_equal(regs->read(regs, 15, 1), 0x11);
	regs->write(regs, 8, 0xaabbccdd, 4);
	assert_int_equal(bar_get(8), 0x11223344aabbccdd);
	regs->write(regs, 8, 0x0102030405060708, 8);
	assert_int_equal(bar_get(8), 0x0102030405060708);
}

/* What is no access does nothing, and is no sign of a device that is gone. */
static void no_access(struct phyr_pci *pci, struct phyr_regs *regs)
{
	bar_put(16384, 0);
	assert_true(regs->read(regs, 16384, 4) == UINT64_MAX);
	assert_true(regs->read(regs, 2, 4) == UINT64_MAX);
	assert_true(regs->read(regs, 0, 3) == UINT64_MAX);
	assert_true(regs->read(regs, 0, 16) == UINT64_MAX);
	regs->write(regs, 16384, 1, 8);
	assert_int_equal(bar_get(16384), 0);
	assert_false(phyr_pci_is_gone(pci));
}

static void unmappable(void **state)
{
	struct phyr_pci *pci;
	struct phyr_regs *regs;

	fake.regions[0].flags &= ~(uint32_t)VFIO_REGION_INFO_FLAG_MMAP;
	pci = fake_open(&t);
	assert_int_equal(phyr_pci_map_bar(pci, 0, &regs), 0);
	by_kernel(regs);
	no_access(pci, regs);
	fake_truncate();
	assert_true(regs->read(regs, 8, 8) == UINT64_MAX);
	assert_true(phyr_pci_is_gone(pci));
	regs->write(regs, 8, 1, 8);
	assert_true(regs->read(regs, 8, 8) == UINT64_MAX);
	phyr_pci_close(pci);
}

static void write_to_nobody(void **state)
{
	struct phyr_pci *pci;
	struct phyr_regs *regs;

	fake.regions[0].flags &= ~(uint32_t)VFIO_REGION_INFO_FLAG_MMAP;
	pci = fake_open(&t);
	assert_int_equal(phyr_pci_map_bar(pci, 0, &regs), 0);
	fake.fail_at = fake.calls + 1;
	regs->write(regs, 0, 1, 4);
	assert_true(phyr_pci_is_gone(pci));
	phyr_pci_close(pci);
}

struct areas {
	struct vfio_region_sparse_mmap_area areas[4];
	uint32_t nr;
	bool whole;
};

static void sparse(void **state)
{
	static const struct areas all[] = {
		{{{0, 16384}}, 1, true},
		{{{8192, 8192}, {0, 8192}}, 2, true},
		{{{4096, 8192}, {8192, 8192}, {0, 4096}}, 3, true},
		{{{0, 8192}, {12288, 4096}}, 2, false}, /* as of an MSI-X table */
		{{{4096, 12288}}, 1, false},
		{{{0, 16383}}, 1, false},
		{{{0, 0}}, 1, false},
		{{{4096, UINT64_MAX}, {0, 4096}}, 2, false}, /* wraps */
		{{{0, 0}}, 0, false},
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct phyr_pci *pci;
		struct phyr_regs *regs;

		fake_areas(0, all[i].areas, all[i].nr);
		pci = fake_open(&t);
		assert_int_equal(phyr_pci_map_bar(pci, 0, &regs), 0);
		if (all[i].whole)
			assert_non_null(regs->base);
		else
			by_kernel(regs);
		phyr_pci_close(pci);
	}
}

static bool is_mapped(void)
{
	struct phyr_pci *pci = fake_open(&t);
	struct phyr_regs *regs;
	bool has_base;

	assert_int_equal(phyr_pci_map_bar(pci, 0, &regs), 0);
	has_base = regs->base;
	phyr_pci_close(pci);
	return has_base;
}

/* A chain that leads nowhere has no areas: then the kernel means all of it. */
static void chain_without_sense(void **state)
{
	static const uint32_t nexts[] = {32, 33, 40, 4090, 4096, 70000, UINT32_MAX};
	struct fake_region *r = &fake.regions[0];
	struct vfio_info_cap_header *head = (void *)r->caps;

	r->flags |= VFIO_REGION_INFO_FLAG_CAPS;
	r->caps_len = 64;
	for (size_t i = 0; i < sizeof(nexts) / sizeof(nexts[0]); i++) {
		memset(r->caps, 0, sizeof(r->caps));
		head->id = 77;
		head->next = nexts[i];
		assert_true(is_mapped());
		head->next = 0;
		r->cap_offset = nexts[i];
		assert_true(is_mapped());
		r->cap_offset = 0;
	}
}

/* More areas than were answered, or an answer that did not fit: not all of it can be mapped then. */
static void areas_that_are_not_there(void **state)
{
	const struct vfio_region_sparse_mmap_area area = {0, 16384};
	struct fake_region *r = &fake.regions[0];
	uint32_t nr[] = {255, 300, 5000, UINT32_MAX};

	for (size_t i = 0; i < sizeof(nr) / sizeof(nr[0]); i++) {
		fake_areas(0, &area, 1);
		memcpy(r->caps + offsetof(struct vfio_region_info_cap_sparse_mmap, nr_areas),
		       &nr[i], sizeof(nr[i]));
		assert_false(is_mapped());
	}
	r->caps_len = 5000;
	assert_false(is_mapped());
}

static void fails(struct phyr_pci *pci, unsigned bar, int err)
{
	struct phyr_regs *const never = (void *)&t, *regs = never;

	tenv_restart(&t);
	assert_int_equal(phyr_pci_map_bar(pci, bar, &regs), err);
	assert_ptr_equal(regs, never);
	assert_int_equal(t.reports, 1);
	assert_int_equal(t.last.err, err);
}

static void no_bar(void **state)
{
	struct phyr_pci *pci = fake_open(&t);

	fails(pci, 1, -ENODEV); /* the upper half */
	fails(pci, 2, -EOPNOTSUPP);
	fails(pci, 7, -EINVAL);
	fails(pci, UINT32_MAX, -EINVAL);
	assert_false(phyr_pci_is_gone(pci));
	phyr_pci_close(pci);
}

static void lies(void **state)
{
	struct phyr_pci *pci = fake_open(&t);

	fake.regions[0].size = UINT64_MAX;
	fails(pci, 0, -EIO);
	fake.regions[0].size = (uint64_t)1 << 62;
	fails(pci, 0, -EIO);
	fake.regions[0].size = 16384;
	fake.short_argsz = 31;
	fails(pci, 0, -EIO);
	fake.short_argsz = 0;
	fake.stuck = 2; /* memory decoding */
	fails(pci, 0, -EIO);
	phyr_pci_close(pci);
}

static void not_mapped(void **state)
{
	static const struct {
		int kernel, ours;
	} errors[] = {{ENOMEM, -ENOMEM}, {EAGAIN, -ENOMEM}, {EBUSY, -EBUSY},
		      {EINVAL, -EIO},    {EPERM, -EIO},     {ENODEV, -ENODEV}};
	struct phyr_pci *pci;
	struct phyr_regs *regs;
	unsigned before;

	pci = fake_open(&t);
	fake.calls = 0;
	assert_int_equal(phyr_pci_map_bar(pci, 0, &regs), 0);
	before = fake.calls - 2; /* mmap, memfd_create, ftruncate */
	phyr_pci_close(pci);
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		pci = fake_open(&t);
		fake_config(4, 2, 1);
		fake.calls = 0;
		fake.fail_at = before;
		fake.fail_with = errors[i].kernel;
		fails(pci, 0, errors[i].ours);
		phyr_pci_close(pci);
	}
}

static void no_descriptor(void **state)
{
	static const int errors[] = {EMFILE, ENFILE, ENOMEM};
	struct phyr_pci *pci = fake_open(&t);
	struct phyr_regs *regs;

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		fake_config(4, 2, 3);
		fake.calls = 0;
		fake.fail_at = 5; /* region, BAR, command, mmap */
		fake.fail_with = errors[i];
		fails(pci, 0, -errors[i]);
	}
	fake.fail_at = 0;
	assert_int_equal(phyr_pci_map_bar(pci, 0, &regs), 0);
	phyr_pci_close(pci);
}

static void rom(void **state)
{
	struct phyr_pci *pci = fake_open(&t);
	struct phyr_regs *regs;

	bar_put(6 * FAKE_STRIDE, 0xaa55);
	assert_int_equal(phyr_pci_map_bar(pci, 6, &regs), 0);
	assert_int_equal(regs->size, 65536);
	assert_int_equal(regs->read(regs, 0, 2), 0xaa55);
	regs->write(regs, 0, 0, 2);
	assert_int_equal(regs->read(regs, 0, 2), 0xaa55);
	assert_false(phyr_pci_is_gone(pci));
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
#define BAR(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		BAR(mapped),     BAR(small),
		BAR(unmappable), BAR(write_to_nobody),
		BAR(sparse),     BAR(chain_without_sense),
		BAR(no_bar),     BAR(areas_that_are_not_there),
		BAR(lies),       BAR(not_mapped),
		BAR(rom),        BAR(no_descriptor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
