/* SPDX-License-Identifier: MIT */
/*
 * Read, Write and Flush: straight between the file and the host's memory.
 *
 * The pieces that the PRP entries lead to are gathered into an iovec, each checked by the IOMMU when
 * its turn comes, and moved by one system call a batch. A blocked piece ends the command with the
 * batch that it would have been part of not moved: no page behind it is touched.
 */
#include "sim/nvme.h"

#include <errno.h>
#include <sys/uio.h>
#include <unistd.h>

#define BATCH_PIECES 256

struct batch {
	struct iovec pieces[BATCH_PIECES];
	int nr;
};

/* A command's data: its place in the file, and the piece of memory that is next. */
struct transfer {
	struct sim_nvme *n;
	bool write; /* the host writes: the device reads memory */
	uint64_t file_offset;
	uint64_t addr, len; /* of the current PRP entry, what is left */
	struct sim_nvme_prps prps;
};

/* Base 3.3.3.2.1.3: the media failed. What else fails lies in the controller. */
static unsigned media_status(int err, bool write)
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
unsigned phyr_sim_nvme_sync_media(struct sim_nvme *n)
{
	while (!n->read_only && fdatasync(n->fd)) {
		if (errno != EINTR)
			return media_status(errno, true);
	}
	return NVME_SUCCESS;
}

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
	got = phyr_sim_dma_reach(t->n->sdev, t->addr, t->len, t->write ? PHYR_READ : PHYR_WRITE,
				 cpu);
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
static unsigned batch_move(struct transfer *t, struct batch *b)
{
	struct iovec *pieces = b->pieces;
	int nr = b->nr;

	while (nr) {
		off_t offset = (off_t)t->file_offset;
		ssize_t done = t->write ? pwritev(t->n->fd, pieces, nr, offset)
					: preadv(t->n->fd, pieces, nr, offset);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return media_status(done ? errno : EIO, t->write);
		t->file_offset += (uint64_t)done;
		skip(&pieces, &nr, (uint64_t)done);
	}
	return NVME_SUCCESS;
}

static unsigned move(struct sim_nvme *n, const struct sim_nvme_cmd *cmd, uint64_t file_offset,
		     uint64_t len, bool write)
{
	struct transfer t = {.n = n, .write = write, .file_offset = file_offset};
	struct batch b;
	unsigned status;

	phyr_sim_nvme_prps_init(&t.prps, n, cmd, len);
	while (t.prps.left || t.len) {
		status = batch_fill(&t, &b);
		if (!status)
			status = batch_move(&t, &b);
		if (status)
			return status;
	}
	return NVME_SUCCESS;
}

/* MDTS counts in the smallest page (Base 5.17.2.1); NLB alone can't pass 2^28 bytes. */
static bool exceeds_mdts(const struct sim_nvme *n, uint64_t bytes)
{
	return bytes > (uint64_t)1 << (n->mps_min_lg2 + n->mdts);
}

static unsigned check_range(const struct sim_nvme *n, uint64_t slba, uint64_t nr)
{
	if (exceeds_mdts(n, nr << n->block_lg2))
		return NVME_INVALID_FIELD;
	if (slba >= n->blocks || nr > n->blocks - slba)
		return NVME_LBA_OUT_OF_RANGE;
	return NVME_SUCCESS;
}

/* Force Unit Access: a write is durable before it completes; a read gives what is durable. */
static unsigned read_blocks(struct sim_nvme *n, const struct sim_nvme_cmd *cmd)
{
	uint64_t slba = sim_nvme_cmd_u64(cmd, 10), nr = NVME_RW_NLB(cmd->dw[12]);
	unsigned status = check_range(n, slba, nr);

	if (!status && cmd->dw[12] & NVME_RW_FUA)
		status = phyr_sim_nvme_sync_media(n);
	if (status)
		return status;
	return move(n, cmd, slba << n->block_lg2, nr << n->block_lg2, false);
}

/* No directive is supported (Base 8.7). */
static unsigned write_blocks(struct sim_nvme *n, const struct sim_nvme_cmd *cmd)
{
	uint64_t slba = sim_nvme_cmd_u64(cmd, 10), nr = NVME_RW_NLB(cmd->dw[12]);
	unsigned status;

	if (NVME_RW_DTYPE(cmd->dw[12]))
		return NVME_INVALID_FIELD;
	status = check_range(n, slba, nr);
	if (status)
		return status;
	if (n->read_only)
		return NVME_WRITE_PROTECTED;
	status = move(n, cmd, slba << n->block_lg2, nr << n->block_lg2, true);
	if (!status && (cmd->dw[12] & NVME_RW_FUA || !n->write_cache))
		status = phyr_sim_nvme_sync_media(n);
	return status;
}

/* Flush (Base 7.1) may name all namespaces (Identify: VWC). */
unsigned phyr_sim_nvme_io(struct sim_nvme *n, const struct sim_nvme_cmd *cmd)
{
	unsigned opcode = NVME_CDW0_OPC(cmd->dw[0]);
	uint32_t nsid = sim_nvme_cmd_nsid(cmd);

	if (opcode > NVME_READ)
		return NVME_INVALID_OPCODE;
	if (nsid != 1 && !(opcode == NVME_FLUSH && nsid == NVME_NSID_ALL))
		return NVME_INVALID_NAMESPACE;
	if (opcode == NVME_FLUSH)
		return phyr_sim_nvme_sync_media(n);
	return opcode == NVME_READ ? read_blocks(n, cmd) : write_blocks(n, cmd);
}
