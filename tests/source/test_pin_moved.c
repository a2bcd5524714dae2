/* SPDX-License-Identifier: MIT */
/*
 * Memory that moves between the look at its frames and the pin: it is noticed, and looked at again.
 * The registration is intercepted, and the page replaced just before it. So is the call that faults
 * memory in: kernels before 5.14 do not know it. And so are reads of the page map, to hide frames.
 */
#define _GNU_SOURCE
#include "source/rig.h"

#include <liburing.h>
#include <sys/mman.h>
#include <unistd.h>

int __real_io_uring_register_buffers(struct io_uring *ring, const struct iovec *iov, unsigned nr);
int __wrap_io_uring_register_buffers(struct io_uring *ring, const struct iovec *iov, unsigned nr);

int __real_madvise(void *addr, size_t len, int advice);
int __wrap_madvise(void *addr, size_t len, int advice);

ssize_t __real_pread64(int fd, void *buf, size_t len, off_t offset);
ssize_t __wrap_pread64(int fd, void *buf, size_t len, off_t offset);

static struct tenv t;
static char *page;
static unsigned moves, calls;
static bool old_kernel;
static unsigned reads, hidden_from;

int __wrap_madvise(void *addr, size_t len, int advice)
{
	if (!old_kernel || advice != MADV_POPULATE_WRITE)
		return __real_madvise(addr, len, advice);
	errno = EINVAL;
	return -1;
}

/* Another frame for the page: memory that lies elsewhere is moved over it. */
static void move(void)
{
	char *other = rig_map(PAGE, PAGE, true);
	uint64_t before = rig_phys(page);

	assert_true(mremap(other, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, page) == page);
	assert_int_not_equal(rig_phys(page), before);
}

int __wrap_io_uring_register_buffers(struct io_uring *ring, const struct iovec *iov, unsigned nr)
{
	calls++;
	if (moves) {
		moves--;
		move();
	}
	return __real_io_uring_register_buffers(ring, iov, nr);
}

/* From the n-th read on the kernel tells no frames; 0: it tells them all. */
ssize_t __wrap_pread64(int fd, void *buf, size_t len, off_t offset)
{
	ssize_t got = __real_pread64(fd, buf, len, offset);

	reads++;
	for (ssize_t i = 0; hidden_from && reads >= hidden_from && i < got / 8; i++)
		((uint64_t *)buf)[i] &= ~(((uint64_t)1 << 55) - 1);
	return got;
}

static int setup(void **state)
{
	tenv_init(&t, NULL);
	page = rig_map(PAGE, PAGE, true);
	calls = reads = hidden_from = 0;
	return 0;
}

static int teardown(void **state)
{
	munmap(page, PAGE);
	tenv_fini(&t);
	return 0;
}

static void moved_a_few_times(void **state)
{
	for (unsigned n = 0; n < 8; n++) {
		struct phyr_list list;
		struct phyr_pin *pin;

		calls = 0;
		moves = n;
		phyr_list_init(&list, &t.env, phyr_space_phys());
		assert_int_equal(phyr_source_pin(&list, page, PAGE, &pin), 0);
		assert_int_equal(calls, n + 1);
		assert_int_equal(phyr_list_first_addr(&list), rig_phys(page));
		assert_int_equal(list.len, PAGE);
		phyr_source_unpin(pin);
		phyr_list_fini(&list);
	}
}

static void moved_each_time(void **state)
{
	struct phyr_pin *pin = (void *)&t;
	struct phyr_list list, was;

	moves = 1000;
	phyr_list_init(&list, &t.env, phyr_space_phys());
	assert_int_equal(phyr_list_append(&list, 0x7000, PAGE), 0);
	was = list;
	assert_int_equal(phyr_source_pin(&list, page, PAGE, &pin), -EAGAIN);
	assert_int_equal(t.last.err, -EAGAIN);
	assert_string_equal(t.last.call, "phyr_source_pin");
	assert_int_equal(t.last.addr, (uintptr_t)page);
	assert_true(calls > 1 && calls < 100);
	assert_ptr_equal(pin, &t);
	assert_memory_equal(&list, &was, sizeof(list));
	phyr_list_fini(&list);
	assert_false(tenv_live(&t));
	moves = 0;
}

/* The first look finds nothing, but registering faults it in; the second one has what to compare. */
static void faulted_in_by_the_pin(void **state)
{
	char *buf = rig_map(8 * PAGE, PAGE, false);
	struct phyr_list list;
	struct phyr_pin *pin;
	uint64_t frames[8];

	old_kernel = true;
	phyr_list_init(&list, &t.env, phyr_space_phys());
	assert_int_equal(phyr_source_pin(&list, buf, 8 * PAGE, &pin), 0);
	assert_int_equal(calls, 2);
	assert_int_equal(list.len, 8 * PAGE);
	rig_all_phys(buf, 8, frames);
	assert_int_equal(phyr_list_first_addr(&list), frames[0]);
	phyr_source_unpin(pin);
	phyr_list_fini(&list);
	munmap(buf, 8 * PAGE);
	old_kernel = false;
}

/*
 * The first read is whether frames are hidden at all; what stands there may have been swapped out at
 * that moment. The second is the look before the registration, the third the one after it.
 */
static void hidden(void **state)
{
	for (unsigned n = 1; n <= 3; n++) {
		struct phyr_pin *pin = (void *)&t;
		struct phyr_list list;

		tenv_restart(&t);
		phyr_list_init(&list, &t.env, phyr_space_phys());
		reads = calls = 0;
		hidden_from = n;
		assert_int_equal(phyr_source_pin(&list, page, PAGE, &pin), -EPERM);
		assert_int_equal(reads, n);
		assert_int_equal(calls, n == 3);
		assert_ptr_equal(pin, &t);
		assert_int_equal(t.reports, 1);
		assert_int_equal(t.last.err, -EPERM);
		assert_int_equal(list.len, 0);
		assert_false(tenv_live(&t));
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(moved_a_few_times), TEST(moved_each_time),
					   TEST(faulted_in_by_the_pin), TEST(hidden)};
	int skipped = rig_may_pin();

	return skipped ? skipped : cmocka_run_group_tests(tests, NULL, NULL);
}
