/* SPDX-License-Identifier: MIT */
/* What the kernel counts of a process's mappings: /proc/PID/smaps. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "layout/layout.h"

/* A mapping's numbers by their names; the two kinds of hugetlb are one here. */
static void take_field(const char *line, struct smaps *s)
{
	const struct {
		const char *name;
		uint64_t *to;
	} fields[] = {
		{"Rss", &s->rss},
		{"Swap", &s->swap},
		{"Shared_Hugetlb", &s->hugetlb},
		{"Private_Hugetlb", &s->hugetlb},
		{"AnonHugePages", &s->anon_huge},
		{"ShmemPmdMapped", &s->shmem_huge},
		{"FilePmdMapped", &s->file_huge},
	};
	size_t len = strcspn(line, ":");
	uint64_t kib;

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (strlen(fields[i].name) == len && !strncmp(line, fields[i].name, len) &&
		    sscanf(line + len + 1, "%" SCNu64, &kib) == 1)
			*fields[i].to += kib << 10;
}

static struct mapping *add_mapping(struct mapping **all, size_t *nr, size_t *room)
{
	struct mapping *more;

	if (*nr == *room) {
		more = realloc(*all, (*room * 2 + 64) * sizeof(**all));
		if (!more)
			return NULL;
		*all = more;
		*room = *room * 2 + 64;
	}
	memset(&(*all)[*nr], 0, sizeof(**all));
	return &(*all)[(*nr)++];
}

static int take_line(const char *line, struct mapping **all, size_t *nr, size_t *room)
{
	struct mapping *m = *nr ? &(*all)[*nr - 1] : NULL;
	uint64_t start, end;

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " ", &start, &end) == 2) {
		m = add_mapping(all, nr, room);
		if (!m)
			return -ENOMEM;
		m->start = start;
		m->end = end;
	} else if (m) {
		take_field(line, &m->smaps);
	}
	return 0;
}

int smaps_read(pid_t pid, struct mapping **out, size_t *nr)
{
	char path[64] = "/proc/self/smaps", *line = NULL;
	size_t room = 0, line_room = 0;
	struct mapping *all = NULL;
	FILE *file;
	int err = 0;

	if (pid)
		snprintf(path, sizeof(path), "/proc/%ld/smaps", (long)pid);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	*nr = 0;
	errno = 0;
	while (!err && getline(&line, &line_room, file) >= 0)
		err = take_line(line, &all, nr, &room);
	if (!err && ferror(file))
		err = errno ? -errno : -EIO;
	free(line);
	fclose(file);
	if (err)
		free(all);
	else
		*out = all;
	return err;
}

static void add(struct smaps *to, const struct smaps *more)
{
	to->rss += more->rss;
	to->hugetlb += more->hugetlb;
	to->swap += more->swap;
	to->anon_huge += more->anon_huge;
	to->shmem_huge += more->shmem_huge;
	to->file_huge += more->file_huge;
}

bool smaps_total(const struct mapping *mappings, size_t nr, uint64_t start, uint64_t end,
		 struct smaps *out)
{
	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < nr; i++) {
		const struct mapping *m = &mappings[i];

		if (m->end <= start || m->start >= end)
			continue;
		if (m->start < start || m->end > end)
			return false;
		add(out, &m->smaps);
	}
	return true;
}
