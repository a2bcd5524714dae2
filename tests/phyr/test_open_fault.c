/* SPDX-License-Identifier: MIT */
/*
 * Every allocation on the way through the front door fails once. The linker puts what follows in
 * front of the allocator (--wrap), for the machine and the hosted environment take from there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <phyr/phyr.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static struct {
	uint64_t calls;
	uint64_t fail_at; /* 0: none */
	bool failed;
	int64_t live;   /* blocks out */
	int64_t mapped; /* bytes of mmap() out */
} heap;

static bool fails(void)
{
	if (__atomic_add_fetch(&heap.calls, 1, __ATOMIC_RELAXED) != heap.fail_at)
		return false;
	heap.failed = true;
	errno = ENOMEM;
	return true;
}

static void *out(void *p)
{
	if (p)
		__atomic_add_fetch(&heap.live, 1, __ATOMIC_RELAXED);
	return p;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t nr, size_t size);
void *__real_realloc(void *p, size_t size);
void *__real_aligned_alloc(size_t align, size_t size);
void __real_free(void *p);
void *__real_mmap64(void *at, size_t len, int prot, int flags, int fd, off_t offset);
int __real_munmap(void *at, size_t len);

void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : out(__real_malloc(size));
}

void *__wrap_calloc(size_t nr, size_t size);
void *__wrap_calloc(size_t nr, size_t size)
{
	return fails() ? NULL : out(__real_calloc(nr, size));
}

void *__wrap_realloc(void *p, size_t size);
void *__wrap_realloc(void *p, size_t size)
{
	if (fails())
		return NULL;
	return p ? __real_realloc(p, size) : out(__real_realloc(p, size));
}

void *__wrap_aligned_alloc(size_t align, size_t size);
void *__wrap_aligned_alloc(size_t align, size_t size)
{
	return fails() ? NULL : out(__real_aligned_alloc(align, size));
}

void __wrap_free(void *p);
void __wrap_free(void *p)
{
	if (p)
		__atomic_sub_fetch(&heap.live, 1, __ATOMIC_RELAXED);
	__real_free(p);
}

void *__wrap_mmap64(void *at, size_t len, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap64(void *at, size_t len, int prot, int flags, int fd, off_t offset)
{
	void *p = fails() ? MAP_FAILED : __real_mmap64(at, len, prot, flags, fd, offset);

	if (p != MAP_FAILED)
		__atomic_add_fetch(&heap.mapped, (int64_t)len, __ATOMIC_RELAXED);
	return p;
}

int __wrap_munmap(void *at, size_t len);
int __wrap_munmap(void *at, size_t len)
{
	__atomic_sub_fetch(&heap.mapped, (int64_t)len, __ATOMIC_RELAXED);
	return __real_munmap(at, len);
}

static unsigned open_files(void)
{
	unsigned nr = 0;

	for (int fd = 0; fd < 256; fd++)
		nr += lseek(fd, 0, SEEK_CUR) >= 0 || errno != EBADF;
	return nr;
}

struct heard {
	struct phyr_report last;
	unsigned nr;
};

static void hear(void *arg, const struct phyr_report *report)
{
	struct heard *heard = arg;

	heard->last = *report;
	heard->nr++;
}

static unsigned char buf[100 * 4096];

static void told(const struct heard *heard, const char *const *calls)
{
	assert_non_null(heard->last.call);
	while (*calls && strcmp(*calls, heard->last.call))
		calls++;
	if (!*calls)
		fail_msg("told by %s", heard->last.call);
}

/* Open, read, close; @heard tells who failed. */
static int run(const char *target, const struct phyr_opts *opts, const struct heard *heard)
{
	struct phyr_list list;
	struct phyr_dma_map map;
	struct phyr *p;
	int err = phyr_open(target, opts, &p);

	if (err) {
		told(heard,
		     (const char *const[]){"phyr_open", "phyr_domain_create", "phyr_dev_create",
					   "phyr_domain_attach", "phyr_nvme_open",
					   "phyr_nvme_queue_create", NULL});
		return err;
	}
	err = phyr_list_from_user(p, buf, sizeof(buf), &list);
	if (err)
		told(heard, (const char *const[]){"phyr_list_from_user", NULL});
	if (!err) {
		err = phyr_dma_map(phyr_get_dev(p), &list, PHYR_DMA_FROM_DEVICE, 0, &map);
		if (!err) {
			err = phyr_get_queue(p) ? phyr_nvme_read_sync(phyr_get_queue(p), 0, &map)
						: 0;
			phyr_dma_unmap(phyr_get_dev(p), &map);
		}
		phyr_list_release(p, &list);
	}
	phyr_close(p);
	return err;
}

static void sweep_target(const char *target, enum phyr_iommu_choice iommu)
{
	struct heard heard = {.nr = 0};
	struct phyr_opts opts = {
		.size = sizeof(opts), .iommu = iommu, .report = hear, .report_arg = &heard};
	unsigned files = open_files(), failures = 0;
	int err;

	memset(&heap, 0, sizeof(heap));
	for (uint64_t n = 1;; n++, failures++) {
		heap.calls = 0;
		heap.failed = false;
		heap.fail_at = n;
		heard.nr = 0;
		err = run(target, &opts, &heard);
		heap.fail_at = 0;
		assert_int_equal(heap.live, 0);
		assert_int_equal(heap.mapped, 0);
		assert_int_equal(open_files(), files);
		if (!heap.failed)
			break;
		/* The machine itself may do without what it could not get. */
		if (err) {
			assert_int_equal(err, -ENOMEM);
			assert_true(heard.nr >= 1);
			assert_int_equal(heard.last.err, -ENOMEM);
		}
	}
	assert_int_equal(err, 0);
	assert_int_equal(heard.nr, 0);
	assert_true(failures > 20);
}

static void sweep(enum phyr_iommu_choice iommu)
{
	char target[] = "sim:/tmp/phyr-open-XXXXXX";
	int fd = mkstemp(target + 4);

	assert_int_equal(ftruncate(fd, 1 << 20), 0);
	sweep_target(target, iommu);
	close(fd);
	unlink(target + 4);
}

static void with_a_device_of_ones_own(void **state)
{
	sweep_target("sim:", PHYR_IOMMU_SOFT);
	sweep_target("sim:", PHYR_IOMMU_NONE);
}

static void with_an_iommu(void **state)
{
	sweep(PHYR_IOMMU_SOFT);
}

static void without_an_iommu(void **state)
{
	sweep(PHYR_IOMMU_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(with_an_iommu),
		cmocka_unit_test(without_an_iommu),
		cmocka_unit_test(with_a_device_of_ones_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
