/* SPDX-License-Identifier: MIT */
/* Questions of I/O commands: ranges, limits, fields, and what happens to blocks. */
#include "probe.h"

#include <string.h>

static void try_range(struct probe *h, const char *name, uint64_t slba, uint32_t blocks)
{
	static const struct {
		const char *name;
		uint8_t opc;
	} cmds[] = {{"read", PHYR_NVME_CMD_READ},
		    {"write", PHYR_NVME_CMD_WRITE},
		    {"compare", PHYR_NVME_CMD_COMPARE},
		    {"zeroes", PHYR_NVME_CMD_WRITE_ZEROES}};

	for (size_t i = 0; i < sizeof(cmds) / sizeof(cmds[0]); i++) {
		memset(h->buf, 0, PAGE);
		tell(h, &h->io, rw(h, cmds[i].opc, slba, blocks), "range.%s.%s", cmds[i].name,
		     name);
	}
}

static void ask_ranges(struct probe *h)
{
	uint32_t most = (uint32_t)(h->max_transfer / h->block);

	say("range.most.blocks %u", most);
	try_range(h, "first", 0, 1);
	try_range(h, "last", h->blocks - 1, 1);
	try_range(h, "end", h->blocks, 1);
	try_range(h, "across.end", h->blocks - 1, 2);
	try_range(h, "far", UINT64_C(1) << 40, 1);
	try_range(h, "highest", UINT64_MAX, 1);
	try_range(h, "wrap", UINT64_MAX, 2);
	try_range(h, "byte.wrap", UINT64_C(1) << 55, 8);
	try_range(h, "most", 0, most);
	try_range(h, "over.most", 0, most + 1);
	try_range(h, "over.most.past.end", h->blocks, most + 1);
	try_range(h, "65536", 0, 65536);
}

static void try_cdw12(struct probe *h, const char *name, uint32_t cdw12, uint32_t cdw13)
{
	static const struct {
		const char *name;
		uint8_t opc;
	} cmds[] = {{"read", PHYR_NVME_CMD_READ},
		    {"write", PHYR_NVME_CMD_WRITE},
		    {"compare", PHYR_NVME_CMD_COMPARE},
		    {"zeroes", PHYR_NVME_CMD_WRITE_ZEROES}};

	for (size_t i = 0; i < sizeof(cmds) / sizeof(cmds[0]); i++) {
		struct phyr_nvme_sqe cmd = rw(h, cmds[i].opc, 0, 1);

		memset(h->buf, 0, PAGE);
		must(h, &h->io, rw(h, PHYR_NVME_CMD_WRITE_ZEROES, 0, 1));
		cmd.cdw12 |= cdw12;
		cmd.cdw13 = cdw13;
		cmd.cdw14 = cmd.cdw15 = cdw13;
		tell(h, &h->io, cmd, "cdw12.%s.%s", cmds[i].name, name);
	}
}

static void ask_cdw12(struct probe *h)
{
	try_cdw12(h, "fua", PHYR_NVME_CDW12_FUA, 0);
	try_cdw12(h, "lr", PHYR_NVME_CDW12_LR, 0);
	try_cdw12(h, "pract", PHYR_NVME_CDW12_PRINFO(8), 0);
	try_cdw12(h, "prchk", PHYR_NVME_CDW12_PRINFO(7), 0);
	try_cdw12(h, "stc", PHYR_NVME_CDW12_STC, 0);
	try_cdw12(h, "deac", PHYR_NVME_CDW12_DEAC, 0);
	try_cdw12(h, "dtype.1", PHYR_NVME_CDW12_DTYPE(1), 0);
	try_cdw12(h, "dtype.15", PHYR_NVME_CDW12_DTYPE(15), 0);
	try_cdw12(h, "reserved", 0x000f0000, 0);
	try_cdw12(h, "hints", 0, UINT32_MAX);
}

void ask_io(struct probe *h)
{
	host_io(h);
	ask_ranges(h);
	host_io(h);
	ask_cdw12(h);
	for (unsigned i = 0; i < 2; i++) {
		struct phyr_nvme_sqe cmd =
			sqe(.opc = PHYR_NVME_CMD_FLUSH, .nsid = i ? PHYR_NVME_NSID_ALL : 1,
			    .prp1 = h->nowhere.addr, .cdw10 = UINT32_MAX);

		tell(h, &h->io, cmd, "flush.reserved.%u", i);
	}
}

/* Blocks 0 to 15 hold a byte each that is not 0. */
static void write_marks(struct probe *h)
{
	for (unsigned i = 0; i < 16; i++)
		memset(h->buf + i * h->block, (int)(i + 1), h->block);
	must(h, &h->io, rw(h, PHYR_NVME_CMD_WRITE, 0, 16));
}

static void say_marks(struct probe *h, const char *name)
{
	char marks[17] = {0};

	memset(h->buf, 0xee, 16 * h->block);
	must(h, &h->io, rw(h, PHYR_NVME_CMD_READ, 0, 16));
	for (unsigned i = 0; i < 16; i++) {
		const uint8_t *b = h->buf + i * h->block;
		bool same = !memcmp(b, b + 1, h->block - 1);

		marks[i] = same && *b == i + 1 ? 'x' : same && !*b ? '0' : '?';
	}
	say("%s %s", name, marks);
}

static void ask_compare(struct probe *h)
{
	write_marks(h);
	tell(h, &h->io, rw(h, PHYR_NVME_CMD_COMPARE, 0, 16), "blocks.compare.same");
	h->buf[15 * h->block + 7]++;
	tell(h, &h->io, rw(h, PHYR_NVME_CMD_COMPARE, 0, 16), "blocks.compare.last.differs");
	h->buf[0]++;
	tell(h, &h->io, rw(h, PHYR_NVME_CMD_COMPARE, 0, 1), "blocks.compare.first.differs");
}

static void ask_zeroes(struct probe *h)
{
	struct phyr_nvme_sqe cmd;

	write_marks(h);
	tell(h, &h->io, rw(h, PHYR_NVME_CMD_WRITE_ZEROES, 3, 2), "blocks.zeroes");
	say_marks(h, "blocks.zeroes.then");
	write_marks(h);
	cmd = rw(h, PHYR_NVME_CMD_WRITE_ZEROES, 0, 16);
	cmd.cdw12 |= PHYR_NVME_CDW12_DEAC;
	tell(h, &h->io, cmd, "blocks.zeroes.deac");
	say_marks(h, "blocks.zeroes.deac.then");
}

/* What a refused command leaves. */
static void ask_untouched(struct probe *h)
{
	struct phyr_nvme_sqe cmd;

	write_marks(h);
	memset(h->buf, 0x99, 2 * h->block);
	cmd = rw(h, PHYR_NVME_CMD_WRITE, 0, 2);
	cmd.nsid = 0;
	tell(h, &h->io, cmd, "blocks.refused.write");
	say_marks(h, "blocks.refused.write.then");
	tell(h, &h->io, rw(h, PHYR_NVME_CMD_WRITE, 2, 1), "blocks.write");
	say_marks(h, "blocks.write.then");
}

void ask_blocks(struct probe *h)
{
	host_io(h);
	ask_compare(h);
	ask_zeroes(h);
	ask_untouched(h);
}

static struct phyr_nvme_dsm_range *ranges(struct probe *h)
{
	memset(h->buf, 0, PAGE);
	return (void *)h->buf;
}

static struct phyr_nvme_sqe dsm(struct probe *h, unsigned nr, uint32_t cdw11)
{
	return sqe(.opc = PHYR_NVME_CMD_DSM, .nsid = 1, .prp1 = h->buf_dma,
		   .cdw10 = PHYR_NVME_DSM_NR(nr), .cdw11 = cdw11);
}

static void ask_bad_ranges(struct probe *h)
{
	struct phyr_nvme_dsm_range *r;

	write_marks(h);
	r = ranges(h);
	r[0] = (struct phyr_nvme_dsm_range){.nlb = 1, .slba = h->blocks};
	tell(h, &h->io, dsm(h, 1, PHYR_NVME_DSM_AD), "dsm.end");
	tell(h, &h->io, dsm(h, 1, 0), "dsm.end.hint");
	r[0] = (struct phyr_nvme_dsm_range){.nlb = 2, .slba = h->blocks - 1};
	tell(h, &h->io, dsm(h, 1, PHYR_NVME_DSM_AD), "dsm.across.end");
	r[0] = (struct phyr_nvme_dsm_range){.nlb = 2, .slba = UINT64_MAX};
	tell(h, &h->io, dsm(h, 1, PHYR_NVME_DSM_AD), "dsm.wrap");
	r[0] = (struct phyr_nvme_dsm_range){.nlb = 0, .slba = h->blocks + 5};
	tell(h, &h->io, dsm(h, 1, PHYR_NVME_DSM_AD), "dsm.empty.past.end");
	r[0] = (struct phyr_nvme_dsm_range){.nlb = 8, .slba = 0};
	r[1] = (struct phyr_nvme_dsm_range){.nlb = 1, .slba = h->blocks};
	tell(h, &h->io, dsm(h, 2, PHYR_NVME_DSM_AD), "dsm.second.past.end");
	say_marks(h, "dsm.second.past.end.then");
}

void ask_dsm(struct probe *h)
{
	struct phyr_nvme_dsm_range *r;

	host_io(h);
	write_marks(h);
	r = ranges(h);
	r[0] = (struct phyr_nvme_dsm_range){.nlb = 8, .slba = 8};
	tell(h, &h->io, dsm(h, 1, PHYR_NVME_DSM_AD), "dsm.one");
	say_marks(h, "dsm.one.then");
	write_marks(h);
	r = ranges(h);
	for (unsigned i = 0; i < 256; i++)
		r[i] = (struct phyr_nvme_dsm_range){.nlb = i < 4, .slba = i * 2};
	tell(h, &h->io, dsm(h, 256, PHYR_NVME_DSM_AD), "dsm.256");
	say_marks(h, "dsm.256.then");
	write_marks(h);
	r = ranges(h);
	r[0] = (struct phyr_nvme_dsm_range){.nlb = 8, .slba = 0, .cattr = UINT32_MAX};
	tell(h, &h->io, dsm(h, 1, PHYR_NVME_DSM_IDR | PHYR_NVME_DSM_IDW), "dsm.hints");
	say_marks(h, "dsm.hints.then");
	r = ranges(h);
	tell(h, &h->io, dsm(h, 1, PHYR_NVME_DSM_AD), "dsm.empty");
	tell(h, &h->io, dsm(h, 1, 0xfffffff8), "dsm.reserved");
	ask_bad_ranges(h);
}
