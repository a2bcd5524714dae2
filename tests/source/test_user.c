/* SPDX-License-Identifier: MIT */
/* Lists of this process's own addresses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <phyr/source.h>

#include "core/err.h"
#include "lib/tenv.h"

#define PAGE 4096u

static struct tenv t;
static char *buf; /* 16 pages */

static int setup(void **state)
{
	tenv_init(&t, NULL);
	buf = aligned_alloc(PAGE, 16 * PAGE);
	return !buf;
}

static int teardown(void **state)
{
	free(buf);
	tenv_fini(&t);
	return 0;
}

static void assert_report(int err, const char *call, uint64_t index, const void *ptr, uint64_t len)
{
	assert_int_equal(t.reports, 1);
	assert_int_equal(t.last.err, err);
	assert_string_equal(t.last.call, call);
	assert_int_equal(t.last.index, index);
	assert_int_equal(t.last.addr, (uintptr_t)ptr);
	assert_int_equal(t.last.len, len);
	assert_non_null(t.last.hint);
	tenv_restart(&t);
}

static void addresses_are_pointers(void **state)
{
	const struct phyr_space *user = phyr_space_user();
	uint64_t len = 100;

	assert_int_equal(user->kind, PHYR_KIND_USER);
	assert_ptr_equal(user, phyr_space_user());
	assert_ptr_equal(user->to_cpu(user, (uintptr_t)buf, &len), buf);
	assert_int_equal(len, 100);
	assert_ptr_equal(user->to_cpu(user, -(uint64_t)16, &len), (void *)-(uintptr_t)16);
	assert_int_equal(len, 16);
	assert_null(user->to_cpu(user, 0, &len));
	assert_int_equal(len, 16);
}

static void a_buffer_there_and_back(void **state)
{
	struct phyr_cursor cur;
	struct phyr_list list;
	struct iovec got[2];
	size_t nr;

	phyr_list_init(&list, &t.env, phyr_space_user());
	assert_int_equal(phyr_source_append(&list, buf + 100, 3 * PAGE - 100), 0);
	assert_int_equal(phyr_source_append(&list, buf + 5 * PAGE, 17), 0);
	phyr_cursor_init(&cur, &list);
	assert_int_equal(phyr_source_to_iovec(&cur, got, 2, &nr), 0);
	assert_int_equal(nr, 2);
	assert_ptr_equal(got[0].iov_base, buf + 100);
	assert_int_equal(got[0].iov_len, 3 * PAGE - 100);
	assert_ptr_equal(got[1].iov_base, buf + 5 * PAGE);
	assert_int_equal(got[1].iov_len, 17);
	assert_int_equal(cur.left, 0);
	phyr_list_fini(&list);
}

static void iovec_passes_over_empty_pieces(void **state)
{
	struct iovec iov[] = {{NULL, 0},          {buf + 100, PAGE - 100},    {buf + 3, 0},
			      {buf + PAGE, PAGE}, {buf + 4 * PAGE, PAGE + 7}, {buf, 0}};
	struct phyr_cursor cur, was;
	struct phyr_list list;
	struct iovec got[2];
	size_t nr = 55;

	phyr_list_init(&list, &t.env, phyr_space_user());
	assert_int_equal(phyr_source_append_iovec(&list, NULL, 0), 0);
	assert_int_equal(phyr_source_append_iovec(&list, iov, 6), 0);
	assert_int_equal(list.nr_runs, 2);
	assert_int_equal(list.len, 2 * PAGE - 100 + PAGE + 7);

	phyr_cursor_init(&cur, &list);
	was = cur;
	assert_int_equal(phyr_source_to_iovec(&cur, got, 1, &nr), -E2BIG);
	assert_int_equal(nr, 55);
	assert_memory_equal(&cur, &was, sizeof(cur));
	assert_int_equal(phyr_source_to_iovec(&cur, got, 2, &nr), 0);
	assert_ptr_equal(got[0].iov_base, buf + 100);
	assert_int_equal(got[0].iov_len, 2 * PAGE - 100);
	assert_ptr_equal(got[1].iov_base, buf + 4 * PAGE);
	phyr_list_fini(&list);
}

static void errors(void **state)
{
	struct iovec iov[] = {{buf, PAGE}, {NULL, 0}, {buf + 2 * PAGE + 1, 5}, {buf, 1}};
	struct phyr_list list, ram;

	phyr_list_init(&ram, &t.env, NULL);
	assert_int_equal(phyr_source_append(&ram, buf, PAGE), -EINVAL);
	assert_report(-EINVAL, "phyr_source_append", 0, NULL, 0);
	assert_int_equal(phyr_source_append_iovec(&ram, iov, 1), -EINVAL);
	assert_report(-EINVAL, "phyr_source_append_iovec", 0, NULL, 0);
	assert_int_equal(ram.len, 0);
	phyr_list_fini(&ram);

	phyr_list_init(&list, &t.env, phyr_space_user());
	assert_int_equal(phyr_source_append(&list, buf, 0), -EINVAL);
	assert_report(-EINVAL, "phyr_source_append", 0, buf, 0);
	assert_int_equal(phyr_source_append(&list, buf, SIZE_MAX), -EINVAL);
	assert_report(-EINVAL, "phyr_source_append", 0, buf, SIZE_MAX);
	assert_int_equal(phyr_source_append_iovec(&list, iov, 4), -EINVAL);
	assert_report(-EINVAL, "phyr_source_append_iovec", 2, iov[2].iov_base, 5);
	assert_int_equal(list.len, 0);
	iov[2].iov_base = buf + 2 * PAGE;
	assert_int_equal(phyr_source_append_iovec(&list, iov, 4), -EINVAL);
	assert_report(-EINVAL, "phyr_source_append_iovec", 3, iov[3].iov_base, 1);
	assert_int_equal(list.len, 0);
	phyr_list_fini(&list);
}

/* Pages of the buffer in an order in which none follows another. */
static void out_of_memory(void **state)
{
	struct phyr_list list, was;
	struct iovec iov[16];

	for (unsigned i = 0; i < 16; i++)
		iov[i] = (struct iovec){buf + (i * 7 % 16) * PAGE, PAGE};
	phyr_list_init(&list, &t.env, phyr_space_user());
	assert_int_equal(phyr_source_append_iovec(&list, iov, 3), 0);
	was = list;
	t.fail_at = 1;
	tenv_restart(&t);
	assert_int_equal(phyr_source_append_iovec(&list, iov + 3, 13), -ENOMEM);
	assert_report(-ENOMEM, "phyr_source_append_iovec", 6, iov[9].iov_base, PAGE);
	assert_memory_equal(&list, &was, sizeof(list));
	assert_false(tenv_live(&t));

	t.fail_at = 0;
	assert_int_equal(phyr_source_append_iovec(&list, iov + 3, 6), 0);
	was = list;
	t.fail_at = 1;
	tenv_restart(&t);
	assert_int_equal(phyr_source_append(&list, iov[9].iov_base, PAGE), -ENOMEM);
	assert_report(-ENOMEM, "phyr_source_append", 0, iov[9].iov_base, PAGE);
	assert_memory_equal(&list, &was, sizeof(list));
	t.fail_at = 0;
	assert_int_equal(phyr_source_append(&list, iov[9].iov_base, PAGE), 0);
	assert_int_equal(list.nr_runs, 10);
	phyr_list_fini(&list);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(addresses_are_pointers),
		TEST(a_buffer_there_and_back),
		TEST(iovec_passes_over_empty_pieces),
		TEST(errors),
		TEST(out_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
