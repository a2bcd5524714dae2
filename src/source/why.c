/* SPDX-License-Identifier: MIT */
/* Why memory of this process can't be pinned. Asked only when it could not: maps are slow to read. */
#include "source/why.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

struct mapping {
	uint64_t start, end;
	bool writable;
	bool file;
};

static bool next_mapping(FILE *maps, struct mapping *m)
{
	char line[512], perms[5], *cut;
	uint64_t inode;

	if (!fgets(line, sizeof(line), maps))
		return false;
	/* A name may be longer than the line; the rest of it is not wanted. */
	for (cut = line; *cut && *cut != '\n'; cut++)
		;
	if (!*cut)
		while (!feof(maps) && fgetc(maps) != '\n')
			;
	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %*x %*s %" SCNu64, &m->start, &m->end, perms,
		   &inode) != 4)
		return false;
	m->writable = perms[1] == 'w';
	m->file = inode;
	return true;
}

static int check(FILE *maps, uint64_t at, uint64_t end, const char **hint)
{
	struct mapping m;
	bool file = false;

	while (at < end && next_mapping(maps, &m)) {
		if (m.end <= at)
			continue;
		if (m.start > at)
			break;
		if (!m.writable) {
			*hint = "memory that is mapped read-only is not pinned: a device may "
				"write to what is";
			return -EACCES;
		}
		file |= m.file;
		at = m.end;
	}
	if (at < end) {
		*hint = "not all of it is mapped";
		return -EFAULT;
	}
	if (!file)
		return 0;
	*hint = "a file system's memory cannot be pinned: copy it to anonymous memory or a memfd";
	return -EOPNOTSUPP;
}

int phyr_why_not(uint64_t start, uint64_t end, const char **hint)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	int err;

	if (!maps)
		return 0;
	err = check(maps, start, end, hint);
	fclose(maps);
	return err;
}
