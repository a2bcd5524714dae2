/* SPDX-License-Identifier: MIT */
/*
 * Rows of phyr io when memory or threads run out: the n-th allocation fails, for every n, and the n-th
 * thread. A row fails with one line or goes without; nothing is left over.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tool/rows.h"

void *__real_calloc(size_t nr, size_t size);
void *__wrap_calloc(size_t nr, size_t size);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *),
			  void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *),
			  void *arg);

/* Counts down to the one that fails; atomic. */
static int64_t allocs_left, threads_left;

static bool is_the_one(int64_t *left)
{
	return !__atomic_sub_fetch(left, 1, __ATOMIC_RELAXED);
}

void *__wrap_calloc(size_t nr, size_t size)
{
	return is_the_one(&allocs_left) ? NULL : __real_calloc(nr, size);
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *),
			  void *arg)
{
	return is_the_one(&threads_left) ? EAGAIN : __real_pthread_create(thread, attr, fn, arg);
}

static struct io_row row;

/* @return whether the n-th was reached */
static bool run(const char *options, int64_t *left, int64_t n)
{
	bool reached;
	int status;

	memset(&row, 0, sizeof(row));
	__atomic_store_n(left, n, __ATOMIC_RELAXED);
	status = rows_run(options, NULL, 0, &row);
	reached = __atomic_exchange_n(left, 0, __ATOMIC_RELAXED) <= 0;
	assert_true(status == EXIT_FAILED || !status);
	assert_true(reached || !status);
	assert_false(row_failed(&row));
	return reached;
}

static void memory(void **state)
{
	static const char *const options[] = {
		"--rw randrw --verify --bs 4k-64k --io-size 128k --threads 2 --map perpage",
		"--rw randrw --verify --bs 4k-64k --io-size 128k --iodepth 3 --map twostep",
		"--rw randrw --trim 50 --bs 4k-64k --io-size 128k --iodepth 3 --interrupt",
		"--rw read --iommu none --bs 64k --size 512k --checksum --map registered",
	};
	int64_t n;

	for (unsigned i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		for (n = 1; run(options[i], &allocs_left, n); n++)
			;
		assert_true(n > 20);
	}
}

static void threads(void **state)
{
	int64_t n = 1;

	while (run("--rw randrw --verify --io-size 64k --iodepth 3 --threads 4", &threads_left, n))
		n++;
	/* The machine's, four, and four again to read back. */
	assert_int_equal(n, 1 + 4 + 4 + 1);
}

#define fault_test(function) \
	cmocka_unit_test_setup_teardown(function, rows_make_file, rows_remove_file)

int main(void)
{
	const struct CMUnitTest tests[] = {fault_test(memory), fault_test(threads)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
