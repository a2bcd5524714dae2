/* SPDX-License-Identifier: MIT */
/*
 * A file as memory for a device: kind FD, whose addresses are offsets. Where the kernel maps files, in one
 * call and in two steps, moved by a device both ways and looked at through the file; otherwise refused before
 * anything changes.
 */
#define _GNU_SOURCE
#include "guest/rig_kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <phyr/dma.h>

#include "guest/memory.h"

#define K     0x1000ull
#define PAGES 16
#define SIZE  (PAGES * K)
#define HUGE  0x200000ull
#define LEN   512
#define BOTH  PHYR_DMA_BIDIRECTIONAL

struct fixture {
	struct rig rig;
	struct phyr_dev *dev;
	struct phyr_space space; /* the file */
	struct phyr_list list;   /* of it */
	unsigned char *view;
};

static struct fixture f;

static int init(void **state)
{
	memset(&f, 0, sizeof(f));
	rig_init(&f.rig, rig_kind(0));
	assert_int_equal(phyr_dev_create(f.rig.domain, f.rig.source[0], NULL, &f.dev), 0);
	f.rig.kind->machine->attached(&f.rig, f.rig.domain, 0);
	f.space = (struct phyr_space){.kind = PHYR_KIND_FD, .fd = memory_memfd(SIZE, 0)};
	assert_true(f.space.fd >= 0);
	f.view = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, f.space.fd, 0);
	assert_ptr_not_equal(f.view, MAP_FAILED);
	phyr_list_init(&f.list, NULL, &f.space);
	return 0;
}

static int fini(void **state)
{
	f.rig.kind->machine->detaching(&f.rig, f.rig.domain, 0);
	phyr_dev_destroy(f.dev);
	phyr_list_fini(&f.list);
	munmap(f.view, SIZE);
	close(f.space.fd);
	rig_fini(&f.rig);
	return 0;
}

static void append(uint64_t offset, uint64_t len)
{
	assert_int_equal(phyr_list_append(&f.list, offset, len), 0);
}

/* Pages from the file's end to its start: each a run. */
static void append_backwards(void)
{
	for (unsigned i = PAGES; i-- > 0;)
		append(i * K, K);
}

static struct phyr_domain_stats stats(void)
{
	struct phyr_domain_stats s;

	phyr_domain_get_stats(f.rig.domain, &s);
	return s;
}

static void device(uint64_t iova, void *buf, unsigned access)
{
	const struct rig_machine *machine = f.rig.kind->machine;

	assert_int_equal(machine->access(&f.rig, 0, iova, buf, LEN, access), 0);
}

/* What the device writes is in the file at an offset, and what is put there it reads. */
static void is_moved(uint64_t iova, unsigned char *at, unsigned char byte)
{
	unsigned char buf[LEN];

	memset(buf, byte, LEN);
	device(iova, buf, PHYR_WRITE);
	assert_memory_equal(at, buf, LEN);
	memset(at, ~byte, LEN);
	device(iova, buf, PHYR_READ);
	assert_memory_equal(at, buf, LEN);
}

static void says_what_it_takes(void **state)
{
	unsigned kinds = f.rig.iommu->caps->kinds;

	assert_int_equal(kinds >> PHYR_KIND_FD & 1, memory_files_are_mapped());
	assert_true(kinds >> PHYR_KIND_USER & 1);
}

static void is_refused(int err, int got)
{
	assert_int_equal(got, err);
	assert_int_equal(f.rig.t.last.err, err);
	assert_non_null(f.rig.t.last.hint);
	print_message("# %s: %s\n", f.rig.t.last.call, f.rig.t.last.hint);
}

/* By each way, and without a call into the kernel. */
static void refused_where_not_taken(void **state)
{
	struct phyr_domain_stats before = stats();
	struct phyr_dma_iova_state s;
	struct phyr_dma_map m;
	phyr_dma_addr_t dma;

	append(0, SIZE);
	is_refused(-EOPNOTSUPP, phyr_dma_map(f.dev, &f.list, BOTH, 0, &m));
	assert_int_equal(m.how, PHYR_DMA_NONE);
	is_refused(-EOPNOTSUPP, phyr_dma_map_phys(f.dev, &f.space, 0, K, BOTH, 0, &dma));
	assert_true(phyr_dma_iova_try_alloc(f.dev, &s, 0, SIZE));
	is_refused(-EOPNOTSUPP, phyr_dma_iova_link_list(f.dev, &s, &f.list, 0, BOTH, 0));
	is_refused(-EOPNOTSUPP, phyr_dma_iova_link(f.dev, &s, &f.space, 0, 0, K, BOTH, 0));
	phyr_dma_iova_free(f.dev, &s);
	assert_int_equal(stats().ioctls, before.ioctls);
	assert_int_equal(stats().kernel_maps, before.kernel_maps);
}

static void one_call(void **state)
{
	uint64_t maps = stats().kernel_maps;
	struct phyr_dma_map m;

	append_backwards();
	assert_int_equal(phyr_dma_map(f.dev, &f.list, BOTH, 0, &m), 0);
	assert_int_equal(m.how, PHYR_DMA_WINDOW);
	assert_int_equal(stats().kernel_maps, maps + PAGES);
	is_moved(m.state.addr, f.view + SIZE - K, 1);
	is_moved(m.state.addr + SIZE - K, f.view, 2);
	phyr_dma_unmap(f.dev, &m);
	assert_int_equal(stats().kernel_maps, maps);
}

static void two_steps(void **state)
{
	struct phyr_dma_iova_state s;

	append_backwards();
	assert_true(phyr_dma_iova_try_alloc(f.dev, &s, SIZE - K, 2 * SIZE));
	assert_int_equal(phyr_dma_iova_link_list(f.dev, &s, &f.list, 0, BOTH, 0), 0);
	assert_int_equal(phyr_dma_iova_link(f.dev, &s, &f.space, 0, SIZE, SIZE, BOTH, 0), 0);
	assert_int_equal(phyr_dma_iova_sync(f.dev, &s, 0, 2 * SIZE), 0);
	is_moved(s.addr + 3 * K, f.view + SIZE - 4 * K, 3);
	is_moved(s.addr + SIZE + 3 * K, f.view + 3 * K, 4);
	assert_int_equal(phyr_dma_iova_unlink(f.dev, &s, 0, SIZE, BOTH, 0), 0);
	is_moved(s.addr + SIZE + 3 * K, f.view + 3 * K, 5);
	phyr_dma_iova_unlink(f.dev, &s, SIZE, SIZE, BOTH, 0);
	phyr_dma_iova_free(f.dev, &s);
}

static void holds(unsigned char byte)
{
	for (unsigned i = 0; i < SIZE; i++)
		assert_int_equal(f.view[i], byte);
}

/* Blocked, by the kernel's log; and the file stays as it is. */
static void after_unmap(void **state)
{
	struct phyr_dma_map m;
	uint64_t iova;

	append(0, SIZE);
	assert_int_equal(phyr_dma_map(f.dev, &f.list, BOTH, 0, &m), 0);
	iova = m.state.addr;
	is_moved(iova + K, f.view + K, 6);
	phyr_dma_unmap(f.dev, &m);
	memset(f.view, 0x11, SIZE);
	rig_blocked(&f.rig, 0, iova + K, 64, PHYR_WRITE, 0);
	holds(0x11);
}

/* QEMU's IOMMU blocks, but does not tell of, a write to a page that it has just read. */
static void to_read_only(void **state)
{
	unsigned char buf[LEN];
	struct phyr_dma_map m;

	append(0, SIZE);
	memset(f.view, 0x77, SIZE);
	assert_int_equal(phyr_dma_map(f.dev, &f.list, PHYR_DMA_TO_DEVICE, 0, &m), 0);
	device(m.state.addr, buf, PHYR_READ);
	assert_memory_equal(f.view, buf, LEN);
	rig_blocked(&f.rig, 0, m.state.addr + K, 64, PHYR_WRITE, PHYR_FAULT_PERMISSION);
	memset(buf, 0x88, LEN);
	device(m.state.addr, buf, PHYR_WRITE);
	holds(0x77);
	phyr_dma_unmap(f.dev, &m);
}

/* The kernel would let a device write by a descriptor that is for reading. */
static void descriptor_to_read(void **state)
{
	struct phyr_dma_map m;
	char path[32];
	int was = f.space.fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", was);
	f.space.fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(f.space.fd >= 0);
	append(0, K);
	is_refused(-EFAULT, phyr_dma_map(f.dev, &f.list, PHYR_DMA_FROM_DEVICE, 0, &m));
	assert_int_equal(phyr_dma_map(f.dev, &f.list, PHYR_DMA_TO_DEVICE, 0, &m), 0);
	phyr_dma_unmap(f.dev, &m);
	close(f.space.fd);
	f.space.fd = was;
}

/* A list may start and end inside of a page, and bends on pages alone. */
static void off_a_page(void **state)
{
	struct phyr_cursor cur;
	struct phyr_dma_map m;

	append(5 * K + 0x123, K - 0x123);
	append(2 * K, 0x345);
	assert_int_equal(phyr_list_append(&f.list, 9 * K, K), -EINVAL);
	assert_int_equal(phyr_dma_map(f.dev, &f.list, BOTH, 0, &m), 0);
	assert_int_equal(m.state.addr & (K - 1), 0x123);
	is_moved(m.state.addr, f.view + 5 * K + 0x123, 7);
	is_moved(m.state.addr + (K - 0x123), f.view + 2 * K, 8);
	phyr_dma_unmap(f.dev, &m);
	phyr_cursor_init_range(&cur, 0x200, K);
	is_refused(-EINVAL, phyr_domain_map(f.rig.domain, K, &f.space, &cur, PHYR_READ));
}

static void past_the_end(void **state)
{
	uint64_t maps = stats().kernel_maps;
	struct phyr_dma_map m;

	append(SIZE - K, 2 * K);
	is_refused(-EFAULT, phyr_dma_map(f.dev, &f.list, BOTH, 0, &m));
	phyr_list_fini(&f.list);
	phyr_list_init(&f.list, NULL, &f.space);
	append(0, K); /* which is mapped, and taken back */
	append(1ull << 40, K);
	is_refused(-EFAULT, phyr_dma_map(f.dev, &f.list, BOTH, 0, &m));
	assert_int_equal(f.rig.t.last.index, 1);
	assert_int_equal(f.rig.t.last.addr, 1ull << 40);
	assert_int_equal(stats().kernel_maps, maps);
}

/* Mapped pages stay the device's, and are the file's no more. */
static void cut_below_a_mapping(void **state)
{
	unsigned char buf[LEN];
	struct phyr_dma_map m;

	append(0, SIZE);
	assert_int_equal(phyr_dma_map(f.dev, &f.list, BOTH, 0, &m), 0);
	memset(f.view, 0x22, SIZE);
	assert_int_equal(ftruncate(f.space.fd, 0), 0);
	assert_int_equal(ftruncate(f.space.fd, SIZE), 0);
	device(m.state.addr, buf, PHYR_READ);
	for (unsigned i = 0; i < LEN; i++)
		assert_int_equal(buf[i], 0x22);
	device(m.state.addr + K, buf, PHYR_WRITE);
	holds(0);
	phyr_dma_unmap(f.dev, &m);
	assert_int_equal(phyr_dma_map(f.dev, &f.list, BOTH, 0, &m), 0);
	is_moved(m.state.addr, f.view, 9);
	phyr_dma_unmap(f.dev, &m);
}

static void not_a_file_of_memory(void **state)
{
	const int was = f.space.fd;
	struct phyr_dma_map m;
	int ends[2];

	append(0, K);
	assert_int_equal(pipe(ends), 0);
	f.space.fd = ends[1];
	is_refused(-EFAULT, phyr_dma_map(f.dev, &f.list, BOTH, 0, &m));
	close(ends[0]);
	close(ends[1]);
	is_refused(-EFAULT, phyr_dma_map(f.dev, &f.list, BOTH, 0, &m));
	f.space.fd = was;
}

/* The list goes on when the descriptor is closed: the kernel holds the pages. */
static void descriptor_closed(void **state)
{
	struct phyr_dma_map m;
	int was = f.space.fd;

	append(0, SIZE);
	f.space.fd = dup(was);
	assert_int_equal(phyr_dma_map(f.dev, &f.list, BOTH, 0, &m), 0);
	close(f.space.fd);
	is_moved(m.state.addr, f.view, 10);
	phyr_dma_unmap(f.dev, &m);
	f.space.fd = was;
}

/* A device's memory as a file is the device's: what takes it away, takes the mapping, too. */
static void bar_goes_away(void **state)
{
	const int was = f.space.fd;
	struct memory_bar bar;
	struct phyr_dma_map m;
	uint64_t iova;

	if (!memory_bars_are_files())
		skip();
	memory_bar_open(&bar, f.rig.iommu);
	f.space.fd = memory_bar_file(&bar, SIZE);
	assert_true(f.space.fd >= 0);
	append(0, SIZE);
	assert_int_equal(phyr_dma_map(f.dev, &f.list, BOTH, 0, &m), 0);
	iova = m.state.addr;
	is_moved(iova + K, (unsigned char *)bar.regs->base + K, 11);
	memory_bar_close(&bar);
	rig_blocked(&f.rig, 0, iova + K, 64, PHYR_WRITE, 0);
	phyr_dma_unmap(f.dev, &m);
	is_refused(-EFAULT, phyr_dma_map(f.dev, &f.list, BOTH, 0, &m));
	close(f.space.fd);
	f.space.fd = was;
}

/* By one entry of 2 MiB, if iova and memory allow it; here that the data is there. */
static void huge_pages(void **state)
{
	const struct phyr_space huge = {.kind = PHYR_KIND_FD,
					.fd = memory_memfd(HUGE, MFD_HUGETLB)};
	unsigned char *view = mmap(NULL, HUGE, PROT_READ | PROT_WRITE, MAP_SHARED, huge.fd, 0);
	struct phyr_dma_map m;
	struct phyr_list list;

	assert_ptr_not_equal(view, MAP_FAILED);
	phyr_list_init(&list, NULL, &huge);
	assert_int_equal(phyr_list_append(&list, 0, HUGE), 0);
	assert_int_equal(phyr_dma_map(f.dev, &list, BOTH, 0, &m), 0);
	is_moved(m.state.addr, view, 12);
	is_moved(m.state.addr + HUGE - K, view + HUGE - K, 13);
	phyr_dma_unmap(f.dev, &m);
	phyr_list_fini(&list);
	munmap(view, HUGE);
	close(huge.fd);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, init, fini)

int main(void)
{
	const struct CMUnitTest refused[] = {
		TEST(says_what_it_takes),
		TEST(refused_where_not_taken),
	};
	const struct CMUnitTest mapped[] = {
		TEST(says_what_it_takes),   TEST(one_call),          TEST(two_steps),
		TEST(after_unmap),          TEST(to_read_only),      TEST(descriptor_to_read),
		TEST(off_a_page),           TEST(past_the_end),      TEST(cut_below_a_mapping),
		TEST(not_a_file_of_memory), TEST(descriptor_closed), TEST(bar_goes_away),
		TEST(huge_pages),
	};

	if (memory_files_are_mapped())
		return cmocka_run_group_tests_name("file", mapped, NULL, NULL);
	return cmocka_run_group_tests_name("file", refused, NULL, NULL);
}
