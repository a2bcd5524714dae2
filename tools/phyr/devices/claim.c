/* SPDX-License-Identifier: MIT */
/*
 * phyr devices: disks claimed for the moment in which their driver goes.
 *
 * What mounts a disk or makes it part of another claims it, and the kernel grants one claim: a partition's
 * keeps others from the whole disk, and the whole disk's from all partitions. So a claim of the whole
 * disk finds every such use, those that show nowhere else as well, and lets no new one begin.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devices/devices.h"

/* A descriptor, or a negative errno. */
static int claim(const struct node *n)
{
	char path[80] = "/dev/";
	struct stat st;
	int fd;

	copy_text(path + 5, sizeof(path) - 5, n->name);
	fd = open(path, O_RDONLY | O_EXCL | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (!fstat(fd, &st) && S_ISBLK(st.st_mode) && st.st_rdev == n->dev)
		return fd;
	close(fd);
	return -ENODEV;
}

static int refuse(const struct device *d, const struct node *n, int err)
{
	if (err == -EBUSY)
		return cli_error(EXIT_FAILED, COMMAND,
				 "%s: /dev/%s or a part of it is claimed by somebody (ZFS, a file "
				 "system of several disks, …); nothing was changed",
				 d->name, n->name);
	return cli_error(EXIT_FAILED, COMMAND,
			 "%s: whether /dev/%s is in use can't be told: %s; nothing was changed",
			 d->name, n->name,
			 err == -ENODEV ? "another device has its name" : strerror(-err));
}

static int keep(struct claims *claims, int fd)
{
	int *at = array_add(&claims->fds, &claims->nr, sizeof(*at));

	if (at) {
		*at = fd;
		return 0;
	}
	close(fd);
	return -ENOMEM;
}

int claims_take(const struct machine *m, const struct device *d, struct claims *out)
{
	*out = (struct claims){0};
	for (size_t i = 0; i < m->nr_nodes; i++) {
		const struct node *n = &m->nodes[i];
		int fd;

		if (!n->block || n->partition || n->owner != d->info.source)
			continue;
		fd = claim(n);
		if (fd == -ENOMEDIUM || fd == -ENXIO) /* an empty drive */
			continue;
		fd = fd < 0 ? fd : keep(out, fd);
		if (fd >= 0)
			continue;
		claims_release(out);
		return refuse(d, n, fd);
	}
	return 0;
}

void claims_release(struct claims *claims)
{
	for (size_t i = 0; i < claims->nr; i++)
		close(claims->fds[i]);
	free(claims->fds);
	*claims = (struct claims){0};
}
