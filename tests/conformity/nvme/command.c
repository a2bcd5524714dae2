/* SPDX-License-Identifier: MIT */
/* The checks' commands: built field by field as the text has them, and what comes back. */
#include <string.h>
#include <unistd.h>

#include "conformity/nvme/host.h"

static size_t whole_pages(size_t bytes)
{
	size_t size = PAGE;

	while (size < bytes)
		size *= 2;
	return size;
}

void host_cq_init(struct host *h, struct cq *cq, uint16_t id, uint16_t entries)
{
	*cq = (struct cq){
		host_mem(h, whole_pages(entries * sizeof(struct cqe))), id, entries, 0, 1, false};
}

void host_sq_init(struct host *h, struct sq *sq, uint16_t id, uint16_t entries)
{
	*sq = (struct sq){host_mem(h, whole_pages(entries * sizeof(struct sqe))), id, entries, 0};
}

/* base 5.4: QSIZE is 0's based; PC bit 0, IEN bit 1, IV 31:16. */
struct sqe create_cq(struct host *h, const struct cq *cq, bool irq, uint16_t vector)
{
	return sqe(.opc = CREATE_CQ, .prp1 = host_addr(h, cq->mem),
		   .cdw10 = (uint32_t)(cq->entries - 1) << 16 | cq->id,
		   .cdw11 = (uint32_t)vector << 16 | (irq ? 2u : 0) | 1);
}

/* base 5.5: PC bit 0, CQID 31:16. */
struct sqe create_sq(struct host *h, const struct sq *sq, uint16_t cqid)
{
	return sqe(.opc = CREATE_SQ, .prp1 = host_addr(h, sq->mem),
		   .cdw10 = (uint32_t)(sq->entries - 1) << 16 | sq->id,
		   .cdw11 = (uint32_t)cqid << 16 | 1);
}

struct sqe delete_sq(uint16_t id)
{
	return sqe(.opc = DELETE_SQ, .cdw10 = id);
}

struct sqe delete_cq(uint16_t id)
{
	return sqe(.opc = DELETE_CQ, .cdw10 = id);
}

void host_add_cq(struct host *h, struct cq *cq, uint16_t id, uint16_t entries)
{
	host_cq_init(h, cq, id, entries);
	assert_status(host_admin(h, create_cq(h, cq, false, 0)), SUCCESS);
}

void host_add_sq(struct host *h, struct sq *sq, uint16_t id, uint16_t entries, uint16_t cqid)
{
	host_sq_init(h, sq, id, entries);
	assert_status(host_admin(h, create_sq(h, sq, cqid)), SUCCESS);
}

/* base 3.3.3.2.1: SC 8:1, SCT 11:9 of the status word. */
unsigned status_of(struct cqe c)
{
	return c.status >> 1 & 0x7ff;
}

void check_status(struct cqe c, unsigned want, const char *file, int line)
{
	check_either(c, want, want, file, line);
}

void check_either(struct cqe c, unsigned a, unsigned b, const char *file, int line)
{
	if (status_of(c) == a || status_of(c) == b)
		return;
	print_error("status %03x, wanted %03x or %03x\n", status_of(c), a, b);
	_fail(file, line);
}

uint16_t le16(const void *p, size_t offset)
{
	const uint8_t *b = (const uint8_t *)p + offset;

	return (uint16_t)(b[0] | b[1] << 8);
}

uint32_t le32(const void *p, size_t offset)
{
	return le16(p, offset) | (uint32_t)le16(p, offset + 2) << 16;
}

uint64_t le64(const void *p, size_t offset)
{
	return le32(p, offset) | (uint64_t)le32(p, offset + 4) << 32;
}

struct sqe cmd_identify(struct host *h, void *buf, uint8_t cns, uint32_t nsid)
{
	return sqe(.opc = IDENTIFY, .nsid = nsid, .prp1 = host_addr(h, buf), .cdw10 = cns);
}

const uint8_t *identify(struct host *h, uint8_t cns, uint32_t nsid)
{
	uint8_t *buf = host_mem(h, PAGE);

	memset(buf, 0xee, PAGE); /* reserved bytes have to be written, too */
	assert_status(host_admin(h, cmd_identify(h, buf, cns, nsid)), SUCCESS);
	return buf;
}

/* base 5.16: NUMDL 31:16 of CDW10, NUMDU 15:0 of CDW11, together 0's based dwords. */
struct sqe cmd_log(struct host *h, void *buf, uint32_t lid, uint32_t nsid, size_t bytes)
{
	uint32_t dwords = (uint32_t)(bytes / 4 - 1);

	return sqe(.opc = GET_LOG, .nsid = nsid, .prp1 = host_addr(h, buf),
		   .cdw10 = dwords << 16 | lid, .cdw11 = dwords >> 16);
}

const uint8_t *get_log(struct host *h, uint8_t lid, uint32_t nsid, size_t bytes)
{
	uint8_t *buf = host_mem(h, PAGE);

	memset(buf, 0xee, PAGE);
	assert_status(host_admin(h, cmd_log(h, buf, lid, nsid, bytes)), SUCCESS);
	return buf;
}

struct sqe cmd_get(uint8_t fid, unsigned select, uint32_t nsid, uint32_t cdw11)
{
	return sqe(.opc = GET_FEATURES, .nsid = nsid, .cdw10 = select << 8 | fid, .cdw11 = cdw11);
}

struct sqe cmd_set(uint8_t fid, uint32_t nsid, uint32_t cdw11)
{
	return sqe(.opc = SET_FEATURES, .nsid = nsid, .cdw10 = fid, .cdw11 = cdw11);
}

uint32_t get_feature(struct host *h, uint8_t fid, unsigned select, uint32_t cdw11)
{
	struct cqe c = host_admin(h, cmd_get(fid, select, 0, cdw11));

	assert_status(c, SUCCESS);
	return c.dw0;
}

/* nvm 3.2.4, 3.2.6: NLB is 0's based. */
struct sqe cmd_rw(struct host *h, uint8_t opc, uint64_t slba, unsigned blocks, const void *buf)
{
	uint64_t addr = buf ? host_addr(h, buf) : 0;
	uint64_t next = (addr | (PAGE - 1)) + 1;
	bool crosses = addr + (uint64_t)blocks * h->block > next;

	return sqe(.opc = opc, .nsid = 1, .prp1 = addr, .prp2 = buf && crosses ? next : 0,
		   .cdw10 = (uint32_t)slba, .cdw11 = (uint32_t)(slba >> 32), .cdw12 = blocks - 1);
}

/* nvm 4.1.5.1: the LBA format is FLBAS 3:0, LBADS its bits 23:16. */
unsigned block_size(struct host *h, uint32_t nsid)
{
	const uint8_t *ns = identify(h, 0x00, nsid);

	return 1u << (le32(ns, NS_LBAF + (ns[NS_FLBAS] & 15u) * 4) >> 16 & 0xff);
}

void file_get(struct host *h, uint32_t nsid, uint64_t at, void *buf, size_t len)
{
	assert_int_equal(pread(h->fd[nsid - 1], buf, len, (off_t)at), len);
}

void file_put(struct host *h, uint32_t nsid, uint64_t at, const void *buf, size_t len)
{
	assert_int_equal(pwrite(h->fd[nsid - 1], buf, len, (off_t)at), len);
}

void fill(void *p, size_t len, unsigned seed)
{
	uint8_t *b = p;

	for (size_t i = 0; i < len; i++)
		b[i] = (uint8_t)((i * 2654435761u >> 8) + i + seed * 37);
}

void assert_all(const void *p, size_t len, uint8_t byte)
{
	const uint8_t *b = p;

	for (size_t i = 0; i < len; i++)
		if (b[i] != byte)
			fail_msg("byte %zu is %02x, wanted %02x", i, b[i], byte);
}
