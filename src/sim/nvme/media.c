/* SPDX-License-Identifier: MIT */
/* A namespace's file as media: what its errors mean, keeping what was written, zeroing. */
#define _GNU_SOURCE
#include "sim/nvme/nvme.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "core/bits.h"

#define ZEROES 65536u

/* Base 3.3.3.2.1.3: the media failed. What else fails lies in the controller. */
unsigned phyr_sim_nvme_media_status(int err, bool write)
{
	switch (err) {
	case EIO:
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
		return write ? NVME_WRITE_FAULT : NVME_UNRECOVERED_READ;
	case EFAULT:
		return NVME_DATA_TRANSFER_ERROR;
	default:
		return NVME_INTERNAL_ERROR;
	}
}

/* Where nothing may be written, nothing was. */
unsigned phyr_sim_nvme_sync_ns(const struct sim_nvme_ns *ns)
{
	while (!ns->read_only && fdatasync(ns->fd)) {
		if (errno != EINTR)
			return phyr_sim_nvme_media_status(errno, true);
	}
	return NVME_SUCCESS;
}

unsigned phyr_sim_nvme_sync_all(const struct sim_nvme *n)
{
	unsigned status = NVME_SUCCESS;

	for (uint32_t i = 0; i < n->nr_ns && !status; i++) {
		if (n->ns[i].fd >= 0)
			status = phyr_sim_nvme_sync_ns(&n->ns[i]);
	}
	return status;
}

/* @return 0; EOPNOTSUPP the file system can't; another errno */
static int allocate(int fd, int mode, uint64_t offset, uint64_t len)
{
	while (fallocate(fd, mode, (off_t)offset, (off_t)len)) {
		if (errno != EINTR)
			return errno == ENOSYS ? EOPNOTSUPP : errno;
	}
	return 0;
}

static unsigned write_zeroes(int fd, uint64_t offset, uint64_t len)
{
	static const char zeroes[ZEROES];

	while (len) {
		ssize_t done = pwrite(fd, zeroes, min_u64(len, ZEROES), (off_t)offset);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return phyr_sim_nvme_media_status(done ? errno : EIO, true);
		offset += (uint64_t)done;
		len -= (uint64_t)done;
	}
	return NVME_SUCCESS;
}

/* A hole where it may be one, else zeroed space, else zeroes: whichever the file system can. */
unsigned phyr_sim_nvme_zero(const struct sim_nvme_ns *ns, uint64_t offset, uint64_t len,
			    bool deallocate)
{
	int err = EOPNOTSUPP;

	if (deallocate)
		err = allocate(ns->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, len);
	if (err == EOPNOTSUPP)
		err = allocate(ns->fd, FALLOC_FL_ZERO_RANGE, offset, len);
	if (err == EOPNOTSUPP)
		return write_zeroes(ns->fd, offset, len);
	return err ? phyr_sim_nvme_media_status(err, true) : NVME_SUCCESS;
}
