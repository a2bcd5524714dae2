/* SPDX-License-Identifier: MIT */
/* System calls: a negative errno is what they return, and errno itself is left alone. */
#define _GNU_SOURCE /* F_GET_SEALS */
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "backend/kernel.h"
#include "core/bits.h"
#include "core/err.h"
#include "core/order.h"

int phyr_kernel_open(const char *path)
{
	int was = errno, fd;

	do
		fd = open(path, O_RDWR | O_CLOEXEC);
	while (fd < 0 && errno == EINTR);
	if (fd < 0)
		fd = -errno;
	errno = was;
	return fd;
}

void phyr_kernel_close(int fd)
{
	int was = errno;

	if (fd >= 0)
		close(fd);
	errno = was;
}

int phyr_kernel_ioctl(int fd, unsigned long request, void *arg)
{
	int was = errno, ret;

	do
		ret = ioctl(fd, request, arg);
	while (ret < 0 && errno == EINTR);
	if (ret < 0)
		ret = -errno;
	errno = was;
	return ret;
}

int phyr_kernel_call(struct kernel_domain *domain, int fd, unsigned long request, void *arg)
{
	atomic_count_add(&domain->ioctls, 1);
	return phyr_kernel_ioctl(fd, request, arg);
}

bool phyr_kernel_may_write(int fd)
{
	const int sealed = F_SEAL_WRITE | F_SEAL_FUTURE_WRITE;
	int was = errno, mode = fcntl(fd, F_GETFL), seals = fcntl(fd, F_GET_SEALS);

	errno = was;
	return mode < 0 || ((mode & O_ACCMODE) != O_RDONLY && (seals < 0 || !(seals & sealed)));
}

/* CAP_IPC_LOCK frees from the limit; it is in the first of the two words. */
static bool may_lock_any(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{0}};

	return !syscall(SYS_capget, &head, data) && data[0].effective >> CAP_IPC_LOCK & 1;
}

bool phyr_kernel_memlock(uint64_t *limit)
{
	struct rlimit most;
	int was = errno;
	bool is_limited = !may_lock_any() && !getrlimit(RLIMIT_MEMLOCK, &most) &&
			  most.rlim_cur != RLIM_INFINITY;

	errno = was;
	if (is_limited)
		*limit = most.rlim_cur;
	return is_limited;
}
