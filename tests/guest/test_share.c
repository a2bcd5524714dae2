/* SPDX-License-Identifier: MIT */
/*
 * Devices of one domain share what is mapped in it, at the same dma address, and each keeps it when
 * another one goes; a device of another domain has none of it. And one device's memory, its BAR, as
 * memory of this process for another: VFIO maps it, iommufd refuses it.
 */
#include "guest/rig_kernel.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include <phyr/dma.h>
#include <phyr/source.h>

#include "guest/disk.h"
#include "guest/memory.h"

#define K   0x1000ull
#define LEN (4 * K)
#define RW  (PHYR_READ | PHYR_WRITE)

static struct rig r;

static int init(void **state)
{
	rig_init(&r, rig_kind(0));
	rig_attach(&r, r.domain, 0);
	return 0;
}

static int fini(void **state)
{
	rig_detach(&r, r.domain, 0);
	rig_fini(&r);
	return 0;
}

static void two_engines_share(void **state)
{
	struct phyr_domain *other;
	uint64_t iova;

	assert_int_equal(rig_map(&r, 0, K, RW, &iova), 0);
	rig_attach(&r, r.domain, 1);
	assert_int_equal(rig_write(&r, 0, iova, 1, 512), 0);
	assert_int_equal(rig_read(&r, 1, iova, 1, 512), 0);
	assert_int_equal(rig_write(&r, 1, iova, 2, 512), 0);
	assert_true(rig_holds(&r, 0, 2, 512));
	assert_int_equal(rig_read(&r, 0, iova, 2, 512), 0);
	rig_detach(&r, r.domain, 0);
	assert_int_equal(rig_write(&r, 1, iova, 3, 512), 0);
	assert_true(rig_holds(&r, 0, 3, 512));

	/* the first device, in another domain, does not see it; the second one still does */
	assert_int_equal(phyr_domain_create(r.iommu, &other), 0);
	rig_attach(&r, other, 0);
	rig_blocked(&r, 0, iova, 64, PHYR_WRITE, PHYR_FAULT_NOT_PRESENT);
	assert_true(rig_holds(&r, 0, 3, 512));
	assert_int_equal(rig_read(&r, 1, iova, 3, 512), 0);
	rig_detach(&r, other, 0);
	phyr_domain_destroy(other);
	rig_attach(&r, r.domain, 0);
	rig_detach(&r, r.domain, 1);
	assert_int_equal(rig_read(&r, 0, iova, 3, 512), 0);
	rig_unmap(&r, iova, K);
}

/* One mapping, two drives and an engine: what one drive reads, the other writes. Both are then as before. */
static void two_drives_share(void **state)
{
	static unsigned char was[LEN];
	struct disk first, second;
	uint64_t iova;

	assert_int_equal(rig_map(&r, 0, LEN, RW, &iova), 0);
	disk_open(&first, r.domain, rig_kernel_source("GUEST_NVME"));
	disk_open(&second, r.domain, rig_kernel_source("GUEST_NVME2"));
	assert_int_equal(disk_move(&second, 0, iova, LEN, PHYR_WRITE), 0);
	memcpy(was, r.memory, LEN);
	assert_int_equal(disk_move(&first, 64, iova, LEN, PHYR_WRITE), 0);
	assert_true(disk_is_pattern(r.memory, 64 * 512, LEN));
	assert_int_equal(disk_move(&second, 0, iova, LEN, PHYR_READ), 0);
	disk_close(&first);
	memset(r.memory, 0, LEN);
	assert_int_equal(disk_move(&second, 0, iova, LEN, PHYR_WRITE), 0);
	assert_true(disk_is_pattern(r.memory, 64 * 512, LEN));
	memcpy(r.memory, was, LEN);
	assert_int_equal(disk_move(&second, 0, iova, LEN, PHYR_READ), 0);
	disk_close(&second);
	assert_int_equal(rig_write(&r, 0, iova, 9, 512), 0);
	assert_true(rig_holds(&r, 0, 9, 512));
	rig_unmap(&r, iova, LEN);
}

static void bar_is_written(const struct phyr_list *list, unsigned char *bar)
{
	struct phyr_cursor cur;
	struct phyr_gather gather;
	uint64_t iova;

	memset(bar, 0, K);
	assert_int_equal(phyr_iova_alloc(phyr_domain_iova(r.domain), K, NULL, &iova), 0);
	phyr_cursor_init(&cur, list);
	assert_int_equal(phyr_domain_map(r.domain, iova, list->space, &cur, RW), 0);
	assert_int_equal(phyr_domain_sync_map(r.domain, iova, K), 0);
	assert_int_equal(rig_write(&r, 0, iova, 77, 512), 0);
	assert_int_equal(bar[0], 77);
	assert_int_equal(rig_read(&r, 0, iova, 77, 512), 0);
	phyr_gather_init(&gather);
	assert_int_equal(phyr_domain_unmap(r.domain, iova, K, &gather), 0);
	phyr_domain_sync(r.domain, &gather);
	phyr_iova_free(phyr_domain_iova(r.domain), iova, K);
}

static void bar_is_refused(const struct phyr_list *list)
{
	struct phyr_cursor cur;

	phyr_cursor_init(&cur, list);
	assert_int_equal(phyr_domain_map(r.domain, 16 * K, list->space, &cur, RW), -EFAULT);
	assert_int_equal(r.t.last.err, -EFAULT);
	assert_int_equal(r.t.last.addr, phyr_list_first_addr(list));
	assert_non_null(r.t.last.hint);
	print_message("# %s: %s\n", r.t.last.call, r.t.last.hint);
	assert_int_equal(cur.left, K);
}

static void bar_of_another_device(void **state)
{
	struct memory_bar bar;
	struct phyr_list list;

	memory_bar_open(&bar, r.iommu);
	phyr_list_init(&list, NULL, phyr_space_user());
	assert_int_equal(phyr_source_append(&list, (const void *)bar.regs->base, K), 0);
	if (rig_kernel_is_iommufd())
		bar_is_refused(&list);
	else
		bar_is_written(&list, (unsigned char *)bar.regs->base);
	phyr_list_fini(&list);
	memory_bar_close(&bar);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, init, fini)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(two_engines_share),
		TEST(two_drives_share),
		TEST(bar_of_another_device),
	};

	rig_kernel_is_iommufd();
	return cmocka_run_group_tests_name("share", tests, NULL, NULL);
}
