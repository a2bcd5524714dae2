/* SPDX-License-Identifier: MIT */
/* What can't be pinned, and what is said of it; nothing is left pinned, and the list as it was. */
#define _GNU_SOURCE
#include "source/rig.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/perf_event.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct tenv t;

static int setup(void **state)
{
	tenv_init(&t, NULL);
	return 0;
}

static int teardown(void **state)
{
	tenv_fini(&t);
	return 0;
}

/* @hint is part of what is said. */
static void fails_on(struct phyr_list *list, const void *ptr, size_t len, int err, const char *hint)
{
	struct phyr_list was = *list;
	struct phyr_pin *pin = (void *)&t;

	tenv_restart(&t);
	assert_int_equal(phyr_source_pin(list, (void *)ptr, len, &pin), err);
	assert_ptr_equal(pin, &t);
	assert_memory_equal(list, &was, sizeof(was));
	assert_int_equal(t.reports, 1);
	assert_int_equal(t.last.err, err);
	assert_string_equal(t.last.call, "phyr_source_pin");
	assert_int_equal(t.last.addr, (uintptr_t)ptr);
	assert_int_equal(t.last.len, len);
	assert_non_null(strstr(t.last.hint, hint));
}

static void fails(const void *ptr, size_t len, int err, const char *hint)
{
	struct phyr_list list;

	phyr_list_init(&list, &t.env, phyr_space_phys());
	fails_on(&list, ptr, len, err, hint);
	assert_false(tenv_live(&t));
	phyr_list_fini(&list);
}

static void wrong_arguments(void **state)
{
	char *buf = rig_map(2 * PAGE, PAGE, true);
	struct phyr_space other = {.kind = PHYR_KIND_RAM};
	struct phyr_list list;

	fails(buf, 0, -EINVAL, "length is 0");
	fails(buf, SIZE_MAX, -EINVAL, "wraps");
	fails(buf, (size_t) - (uintptr_t)buf, -EINVAL, "wraps");
	phyr_list_init(&list, &t.env, &other);
	fails_on(&list, buf, PAGE, -EINVAL, "phyr_space_phys()");
	phyr_list_init(&list, &t.env, phyr_space_user());
	fails_on(&list, buf, PAGE, -EINVAL, "phyr_space_phys()");
	munmap(buf, 2 * PAGE);
}

/* Said before anything is faulted in: nothing is mapped there, which would be the next to be said. */
static void too_much(void **state)
{
	const char *ptr = (const char *)(16 * PAGE);
	size_t max = (size_t)1 << 44;

	fails(ptr, max + 1, -E2BIG, "16 TiB");
	assert_int_equal(t.last.limit, max);
	fails(ptr + 1, max, -E2BIG, "16 TiB");
	fails(ptr, max, -EFAULT, "not all of it is mapped");
}

static void edges(void **state)
{
	char *buf = rig_map(2 * PAGE, PAGE, true);
	struct phyr_list list;

	phyr_list_init(&list, &t.env, phyr_space_phys());
	assert_int_equal(phyr_list_append(&list, 0x7000, PAGE), 0);
	fails_on(&list, buf + 8, 8, -EINVAL, "page");
	assert_int_equal(phyr_list_append(&list, 0x9000, 8), 0);
	fails_on(&list, buf, 8, -EINVAL, "page");
	phyr_list_fini(&list);
	munmap(buf, 2 * PAGE);
}

static void not_mapped(void **state)
{
	char *buf = rig_map(8 * PAGE, PAGE, true);

	munmap(buf + 3 * PAGE, PAGE);
	fails(buf, 4 * PAGE, -EFAULT, "not all of it is mapped");
	fails(buf + 3 * PAGE + 5, 1, -EFAULT, "not all of it is mapped");
	fails(NULL, 1, -EFAULT, "not all of it is mapped");
	munmap(buf, 8 * PAGE);
}

static void read_only(void **state)
{
	char *buf = rig_map(4 * PAGE, PAGE, true);

	mprotect(buf + 2 * PAGE, PAGE, PROT_READ);
	fails(buf, 4 * PAGE, -EACCES, "read-only");
	mprotect(buf + 2 * PAGE, PAGE, PROT_NONE);
	fails(buf, 4 * PAGE, -EACCES, "read-only");
	fails("text", 4, -EACCES, "read-only");
	munmap(buf, 4 * PAGE);
}

/* A file beside the program: build folders lie on a file system that keeps its pages to itself. */
static void files(void **state)
{
	char name[] = "pin-XXXXXX";
	int fd = mkstemp(name), mem = memfd_create("phyr", MFD_CLOEXEC);
	char *p;

	assert_true(fd >= 0);
	unlink(name);
	assert_int_equal(ftruncate(fd, 4 * PAGE), 0);
	p = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_true(p != MAP_FAILED);
	fails(p, 4 * PAGE, -EOPNOTSUPP, "a file system's");
	munmap(p, 4 * PAGE);
	close(fd);

	assert_int_equal(ftruncate(mem, 2 * PAGE), 0);
	p = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, mem, 0);
	assert_true(p != MAP_FAILED);
	fails(p, 4 * PAGE, -EFAULT, "past the end of its file");
	munmap(p, 4 * PAGE);
	close(mem);
}

/* The old video memory lies at the same place in each PC, and /dev/mem lets root map it. */
static void *map_video_memory(void)
{
	int fd = open("/dev/mem", O_RDWR | O_CLOEXEC);
	void *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0xa0000);

	if (fd >= 0)
		close(fd);
	return p;
}

/* A profiler's ring, which since Linux 6.13 is mapped as a device's memory is. */
static void *map_perf_ring(void)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE, .size = sizeof(attr), .config = PERF_COUNT_SW_DUMMY};
	int fd = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
	void *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (fd >= 0)
		close(fd);
	if (p != MAP_FAILED && !madvise(p, PAGE, MADV_POPULATE_WRITE)) {
		munmap(p, 2 * PAGE);
		return MAP_FAILED;
	}
	return p;
}

static void device_memory(void **state)
{
	void *p = map_video_memory();

	if (p == MAP_FAILED)
		p = map_perf_ring();
	if (p == MAP_FAILED) {
		print_message("SKIPPED: no device memory to be had\n");
		skip();
	}
	fails(p, PAGE, -EOPNOTSUPP, "cannot be pinned");
	munmap(p, 2 * PAGE);
}

/* From here on: a child takes a right away from itself, tries, and says whether all was as it should be. */
struct trial {
	void (*prepare)(void);
	int err;
	const char *hint;
	uint64_t limit;
};

static bool refused_rightly(const struct trial *trial, struct phyr_list *list, char *buf)
{
	struct phyr_pin *pin;
	int err = phyr_source_pin(list, buf, 64 * PAGE, &pin);

	if (err == trial->err && t.last.hint && strstr(t.last.hint, trial->hint) &&
	    t.last.limit == trial->limit && !list->len && !tenv_live(&t))
		return true;
	fprintf(stderr, "%d, hint: %s, limit %#lx\n", err, t.last.hint, (long)t.last.limit);
	return false;
}

static int try_it(void *arg)
{
	char *buf = rig_map(64 * PAGE, PAGE, true);
	const struct trial *trial = arg;
	struct phyr_list list;

	phyr_list_init(&list, &t.env, phyr_space_phys());
	tenv_restart(&t);
	trial->prepare();
	return !refused_rightly(trial, &list, buf);
}

static void no_sys_admin(void)
{
	rig_drop_cap(RIG_CAP_SYS_ADMIN);
}

#define LOCK_LIMIT ((uint64_t)16 * PAGE)

static void little_to_lock(void)
{
	struct rlimit rl = {LOCK_LIMIT, LOCK_LIMIT};

	if (setrlimit(RLIMIT_MEMLOCK, &rl))
		abort();
	rig_drop_cap(RIG_CAP_IPC_LOCK);
}

/* The same number of files that are open now, and one more for the page map. */
static void no_descriptors(void)
{
	int fd = dup(0);
	struct rlimit rl = {(rlim_t)fd + 1, (rlim_t)fd + 1};

	close(fd);
	if (setrlimit(RLIMIT_NOFILE, &rl))
		abort();
}

static void no_descriptor_at_all(void)
{
	no_descriptors();
	if (dup(0) < 0)
		abort();
}

/* io_uring_setup() fails with an errno, as container runtimes have it. */
static void forbid_io_uring(int err)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)err),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = {sizeof(code) / sizeof(code[0]), code};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog))
		abort();
}

static void seccomp_eperm(void)
{
	forbid_io_uring(EPERM);
}

static void seccomp_enosys(void)
{
	forbid_io_uring(ENOSYS);
}

static void rights(void **state)
{
	struct trial trials[] = {
		{no_sys_admin, -EPERM, "CAP_SYS_ADMIN", 0},
		{seccomp_eperm, -EPERM, "kernel.io_uring_disabled", 0},
		{seccomp_enosys, -EOPNOTSUPP, "no io_uring", 0},
		{little_to_lock, -ENOMEM, "ulimit -l", LOCK_LIMIT},
		{no_descriptors, -EMFILE, "for the pin", 0},
		{no_descriptor_at_all, -EMFILE, "for the page map", 0},
	};

	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(rig_in_child(try_it, &trials[i]), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(wrong_arguments), TEST(too_much), TEST(edges),  TEST(not_mapped),
		TEST(read_only),       TEST(files),    TEST(rights), TEST(device_memory),
	};
	int skipped = rig_may_pin();

	return skipped ? skipped : cmocka_run_group_tests(tests, NULL, NULL);
}
