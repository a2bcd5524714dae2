/* SPDX-License-Identifier: MIT */
/*
 * The page of zeroes stands in a process's tables for memory that was read and never written. It is in
 * memory, so a page map shows it; but it belongs to nobody, so smaps does not count it.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "layout/layout.h"

/* Linux, Documentation/admin-guide/mm/pagemap.rst: 64 bits of flags a frame; 24: the zero page. */
#define FLAG_ZERO ((uint64_t)1 << 24)
#define AT_ONCE   512u

static int count_run(int fd, uint64_t page, const struct phyr_range *run, uint64_t *zero)
{
	uint64_t flags[AT_ONCE], frame = run->addr / page, last = (run->addr + run->len - 1) / page;

	while (frame <= last) {
		uint64_t want = last - frame + 1 < AT_ONCE ? last - frame + 1 : AT_ONCE;
		ssize_t got = pread(fd, flags, want * 8, (off_t)(frame * 8));

		if (got < 8)
			return -EIO;
		for (ssize_t i = 0; i < got / 8; i++)
			*zero += flags[i] & FLAG_ZERO ? page : 0;
		frame += (uint64_t)got / 8;
	}
	return 0;
}

int zero_bytes(const struct phyr_list *list, uint64_t *out)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), zero = 0;
	int fd = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC), err = 0;
	struct phyr_cursor cur;
	struct phyr_range run;

	if (fd < 0)
		return -errno;
	phyr_cursor_init(&cur, list);
	while (!err && phyr_cursor_next(&cur, &run))
		err = count_run(fd, page, &run, &zero);
	close(fd);
	if (!err)
		*out = zero;
	return err;
}
