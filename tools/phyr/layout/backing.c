/* SPDX-License-Identifier: MIT */
/*
 * Memory of our own to look at, of the kind that was asked for. It lies between pages that nobody may
 * touch, so that the kernel joins it with no other mapping and smaps tells of it alone.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "layout/layout.h"

#define ALIGN ((uint64_t)2 << 20)

/* A line of /proc/meminfo, in its own unit; 0 when there is none. */
static uint64_t meminfo(const char *name)
{
	FILE *file = fopen("/proc/meminfo", "re");
	size_t len = strlen(name);
	uint64_t v = 0;
	char line[128];

	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, name, len) && line[len] == ':')
			sscanf(line + len + 1, "%" SCNu64, &v);
	if (file)
		fclose(file);
	return v;
}

static int check_hugetlb(const struct layout *l)
{
	uint64_t page = meminfo("Hugepagesize") << 10, want;
	uint64_t free = meminfo("HugePages_Free"), taken = meminfo("HugePages_Rsvd");
	char size[32];

	if (!page)
		return cli_error(EXIT_FAILED, COMMAND, "this kernel has no hugetlb pages");
	if (l->opts->size % page)
		return cli_error(EXIT_USAGE, COMMAND, "--size: whole hugetlb pages of %s",
				 cli_size(page, size));
	want = l->opts->size / page;
	if (free - taken < want)
		return cli_error(EXIT_FAILED, COMMAND,
				 "hugetlb: %" PRIu64 " pages of %s are needed, %" PRIu64
				 " are free; as root: echo %" PRIu64 " >/proc/sys/vm/nr_hugepages",
				 want, cli_size(page, size), free - taken,
				 meminfo("HugePages_Total") + want - (free - taken));
	return 0;
}

static int check_memory(const struct layout *l)
{
	uint64_t available = meminfo("MemAvailable") << 10;

	if (l->opts->backing == BACKING_HUGETLB)
		return check_hugetlb(l);
	if (l->opts->backing != BACKING_FILE && l->opts->size > available)
		return cli_error(EXIT_FAILED, COMMAND,
				 "--size: %" PRIu64 " MiB are wanted and %" PRIu64
				 " MiB are available",
				 l->opts->size >> 20, available >> 20);
	return 0;
}

static int open_file(struct layout *l, int *fd)
{
	const char *path = l->opts->file;
	struct stat st;

	*fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (*fd < 0 || fstat(*fd, &st))
		return cli_error(EXIT_FAILED, COMMAND, "%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return cli_error(EXIT_FAILED, COMMAND, "%s: not a regular file", path);
	if (!st.st_size)
		return cli_error(EXIT_FAILED, COMMAND, "%s: the file is empty", path);
	if (l->opts->size > (uint64_t)st.st_size)
		return cli_error(EXIT_FAILED, COMMAND, "%s: --size is more than the file has",
				 path);
	if (!l->area_len)
		l->area_len = ((uint64_t)st.st_size + PHYR_PAGE_SIZE - 1) & ~(PHYR_PAGE_SIZE - 1);
	return 0;
}

static int open_memfd(struct layout *l, int *fd)
{
	*fd = memfd_create("phyr-layout", MFD_CLOEXEC);
	if (*fd < 0 || ftruncate(*fd, (off_t)l->area_len))
		return cli_error(EXIT_FAILED, COMMAND, "memfd: %s", strerror(errno));
	return 0;
}

/* A mapping of hugetlb pages lies on one of them, and they may be of 1 GiB. */
static uint64_t alignment(const struct layout *l)
{
	uint64_t page = l->opts->backing == BACKING_HUGETLB ? meminfo("Hugepagesize") << 10 : 0;

	return page > ALIGN ? page : ALIGN;
}

static int reserve(struct layout *l)
{
	uint64_t align = alignment(l), len = l->area_len + 2 * align;
	char *p = mmap(NULL, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (len < l->area_len || p == MAP_FAILED)
		return cli_error(EXIT_FAILED, COMMAND, "--size: no room for so many addresses");
	l->reserved = p;
	l->reserved_len = len;
	l->area = p + align - ((uintptr_t)p & (align - 1));
	return 0;
}

static int map_area(struct layout *l, int fd)
{
	int prot = PROT_READ | PROT_WRITE, flags = MAP_FIXED;
	enum backing backing = l->opts->backing;

	flags |= fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
	if (backing == BACKING_HUGETLB)
		flags |= MAP_HUGETLB;
	if (backing == BACKING_FILE) { /* it is not to be written to: the kernel faults it in */
		prot = PROT_READ;
		flags |= MAP_POPULATE;
	}
	if (mmap(l->area, l->area_len, prot, flags, fd, 0) == MAP_FAILED)
		return cli_error(EXIT_FAILED, COMMAND, "%s: %s", layout_backing_names[backing],
				 strerror(errno));
	if (backing == BACKING_THP && madvise(l->area, l->area_len, MADV_HUGEPAGE))
		return cli_error(EXIT_FAILED, COMMAND, "thp: this kernel has no huge pages");
	for (uint64_t at = 0; backing != BACKING_FILE && at < l->area_len; at += PHYR_PAGE_SIZE)
		((volatile char *)l->area)[at] = 1;
	return 0;
}

int layout_map_backing(struct layout *l, bool dry)
{
	int fd = -1, status = dry ? 0 : check_memory(l);

	l->area_len = l->opts->size;
	if (!status && l->opts->backing == BACKING_FILE)
		status = open_file(l, &fd);
	if (!status && !dry && l->opts->backing == BACKING_MEMFD)
		status = open_memfd(l, &fd);
	status = status ? status : reserve(l);
	if (!status && !dry)
		status = map_area(l, fd);
	if (fd >= 0)
		close(fd);
	return status;
}
