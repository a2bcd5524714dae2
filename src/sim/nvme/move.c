/* SPDX-License-Identifier: MIT */
/*
 * Data of Read, Write and Compare: straight between the file and the host's memory.
 *
 * The pieces that the PRP entries lead to are gathered into an iovec, each checked by the IOMMU when
 * its turn comes, and moved by one system call a batch. A blocked piece ends the command with the
 * batch that it would have been part of not moved: no page behind it is touched.
 */
#include "sim/nvme/nvme.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "core/bits.h"

#define BATCH_PIECES  256
#define COMPARE_BYTES 8192

struct batch {
	struct iovec pieces[BATCH_PIECES];
	int nr;
};

/* A command's data: its place in the file, and the piece of memory that is next. */
struct transfer {
	struct sim_nvme *n;
	int fd;
	enum sim_nvme_way way;
	uint64_t file_offset;
	uint64_t addr, len; /* of the current PRP entry, what is left */
	struct sim_nvme_prps prps;
};

/* Pieces that meet in the process's memory become one. @return false: no room */
static bool batch_add(struct batch *b, void *cpu, uint64_t len)
{
	struct iovec *last = b->nr ? &b->pieces[b->nr - 1] : NULL;

	if (last && (char *)last->iov_base + last->iov_len == cpu) {
		last->iov_len += len;
	} else {
		if (b->nr == BATCH_PIECES)
			return false;
		b->pieces[b->nr++] = (struct iovec){.iov_base = cpu, .iov_len = len};
	}
	return true;
}

/* What the host writes the device reads. */
static unsigned memory_access(enum sim_nvme_way way)
{
	return way == SIM_NVME_READ ? PHYR_WRITE : PHYR_READ;
}

/* The next piece that lies together; it stays the next until it is taken by advance(). */
static unsigned reach(struct transfer *t, void **cpu, uint64_t *len)
{
	unsigned status;
	int64_t got;

	if (!t->len) {
		status = phyr_sim_nvme_prps_next(&t->prps, &t->addr, &t->len);
		if (status)
			return status;
	}
	got = phyr_sim_dma_reach(t->n->sdev, t->addr, t->len, memory_access(t->way), cpu);
	if (got <= 0)
		return NVME_DATA_TRANSFER_ERROR;
	*len = (uint64_t)got;
	return NVME_SUCCESS;
}

static void advance(struct transfer *t, uint64_t len)
{
	t->addr += len;
	t->len -= len;
}

static unsigned batch_fill(struct transfer *t, struct batch *b)
{
	uint64_t len;
	void *cpu;

	b->nr = 0;
	while (t->prps.left || t->len) {
		unsigned status = reach(t, &cpu, &len);

		if (status)
			return status;
		if (!batch_add(b, cpu, len))
			break;
		advance(t, len);
	}
	return NVME_SUCCESS;
}

/* Drop the first @done bytes of a vector. */
static void skip(struct iovec **pieces, int *nr, uint64_t done)
{
	while (*nr && done >= (*pieces)->iov_len) {
		done -= (*pieces)->iov_len;
		(*pieces)++;
		(*nr)--;
	}
	if (*nr) {
		(*pieces)->iov_base = (char *)(*pieces)->iov_base + done;
		(*pieces)->iov_len -= done;
	}
}

/* The file ends where the namespace goes on (it was cut), or takes nothing: the media is bad. */
static unsigned move_pieces(struct transfer *t, struct iovec *pieces, int nr)
{
	bool write = t->way == SIM_NVME_WRITE;

	while (nr) {
		off_t offset = (off_t)t->file_offset;
		ssize_t done = write ? pwritev(t->fd, pieces, nr, offset)
				     : preadv(t->fd, pieces, nr, offset);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return phyr_sim_nvme_media_status(done ? errno : EIO, write);
		t->file_offset += (uint64_t)done;
		skip(&pieces, &nr, (uint64_t)done);
	}
	return NVME_SUCCESS;
}

static unsigned compare_piece(struct transfer *t, const char *memory, size_t len)
{
	char data[COMPARE_BYTES];

	while (len) {
		ssize_t got = pread(t->fd, data, min_u64(len, sizeof(data)), (off_t)t->file_offset);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return phyr_sim_nvme_media_status(got ? errno : EIO, false);
		if (memcmp(data, memory, (size_t)got))
			return NVME_COMPARE_FAILURE;
		t->file_offset += (uint64_t)got;
		memory += got;
		len -= (size_t)got;
	}
	return NVME_SUCCESS;
}

static unsigned compare_pieces(struct transfer *t, const struct iovec *pieces, int nr)
{
	unsigned status = NVME_SUCCESS;

	for (int i = 0; i < nr && !status; i++)
		status = compare_piece(t, pieces[i].iov_base, pieces[i].iov_len);
	return status;
}

unsigned phyr_sim_nvme_move(struct sim_nvme *n, const struct sim_nvme_cmd *cmd, int fd,
			    uint64_t offset, uint64_t len, enum sim_nvme_way way)
{
	struct transfer t = {.n = n, .fd = fd, .way = way, .file_offset = offset};
	struct batch b;
	unsigned status;

	phyr_sim_nvme_prps_init(&t.prps, n, cmd, len);
	while (t.prps.left || t.len) {
		status = batch_fill(&t, &b);
		if (!status && way == SIM_NVME_COMPARE)
			status = compare_pieces(&t, b.pieces, b.nr);
		else if (!status)
			status = move_pieces(&t, b.pieces, b.nr);
		if (status)
			return status;
	}
	return NVME_SUCCESS;
}
