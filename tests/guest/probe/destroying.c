/* SPDX-License-Identifier: MIT */
/* Questions about commands that change a namespace as a whole: Format NVM and those beside it. */
#include "probe.h"

#include <string.h>

#define FORMAT(nr, format) sqe(.opc = PHYR_NVME_ADMIN_FORMAT_NVM, .nsid = (nr), .cdw10 = (format))

static void try_format(struct probe *h, const char *name, uint32_t nsid, uint32_t cdw10)
{
	uint64_t quiet = h->quiet_ns;

	h->quiet_ns = 5000 * MS; /* it takes its time */
	tell(h, &h->admin, FORMAT(nsid, cdw10), "format.%s", name);
	h->quiet_ns = quiet;
}

static unsigned in_use(struct probe *h)
{
	const struct phyr_nvme_id_ns *ns = (const void *)h->buf;

	must(h, &h->admin,
	     sqe(.opc = PHYR_NVME_ADMIN_IDENTIFY, .nsid = 1, .prp1 = h->buf_dma,
		 .cdw10 = PHYR_NVME_CNS_NS));
	return ns->flbas;
}

static void ask_format(struct probe *h)
{
	uint32_t now;

	host_io(h);
	now = in_use(h) & 0xf;
	memset(h->buf, 0x55, h->block);
	must(h, &h->io, rw(h, PHYR_NVME_CMD_WRITE, 0, 1));
	try_format(h, "none", 0, now);
	try_format(h, "2", 2, now);
	try_format(h, "over", h->nn + 1, now);
	try_format(h, "format.15", 1, 15);
	try_format(h, "format.63", 1, PHYR_NVME_FORMAT_LBAF(63));
	try_format(h, "pi.1", 1, now | PHYR_NVME_FORMAT_PI(1));
	try_format(h, "pi.7", 1, now | PHYR_NVME_FORMAT_PI(7));
	try_format(h, "metadata.set", 1, now | PHYR_NVME_FORMAT_MSET);
	try_format(h, "crypto", 1, now | PHYR_NVME_FORMAT_SES(PHYR_NVME_FORMAT_SES_CRYPTO));
	try_format(h, "ses.7", 1, now | PHYR_NVME_FORMAT_SES(7));
	try_format(h, "reserved", 1, now | 0xffffc000);
	try_format(h, "same", 1, now);
	try_format(h, "erase", 1, now | PHYR_NVME_FORMAT_SES(PHYR_NVME_FORMAT_SES_USER_DATA));
	try_format(h, "all", PHYR_NVME_NSID_ALL, now);
	say("format.flbas %s", (in_use(h) & 0xf) == now ? "as before" : "another");
	host_io(h);
	must(h, &h->io, rw(h, PHYR_NVME_CMD_READ, 0, 1));
	say("format.then %02x", h->buf[0]);
}

static void ask_others(struct probe *h)
{
	static const struct {
		const char *name;
		uint8_t opc;
		uint32_t cdw10;
	} cmds[] = {
		{"sanitize.block", PHYR_NVME_ADMIN_SANITIZE, 2},
		{"ns.create", PHYR_NVME_ADMIN_NS_MANAGEMENT, 0},
		{"ns.delete", PHYR_NVME_ADMIN_NS_MANAGEMENT, 1},
		{"ns.attach", PHYR_NVME_ADMIN_NS_ATTACHMENT, 0},
		{"ns.detach", PHYR_NVME_ADMIN_NS_ATTACHMENT, 1},
		{"ns.attachment.2", PHYR_NVME_ADMIN_NS_ATTACHMENT, 2},
		{"self.test", PHYR_NVME_ADMIN_SELF_TEST, 1},
		{"fw.commit", PHYR_NVME_ADMIN_FW_COMMIT, 0},
		{"keep.alive", PHYR_NVME_ADMIN_KEEP_ALIVE, 0},
		{"directive", PHYR_NVME_ADMIN_DIRECTIVE_RECEIVE, 0},
		{"virt", PHYR_NVME_ADMIN_VIRT_MANAGEMENT, 0},
		{"security", PHYR_NVME_ADMIN_SECURITY_RECEIVE, 0},
		{"lba.status", PHYR_NVME_ADMIN_GET_LBA_STATUS, 0},
	};

	for (size_t i = 0; i < sizeof(cmds) / sizeof(cmds[0]); i++) {
		host_on(h);
		memset(h->buf, 0, PAGE); /* an empty list of controllers */
		tell(h, &h->admin,
		     sqe(.opc = cmds[i].opc, .nsid = 1, .prp1 = h->buf_dma, .cdw10 = cmds[i].cdw10),
		     "do.%s", cmds[i].name);
	}
}

/* Doorbells that lie in memory: off a page first, then where they can be. */
static void ask_doorbell_buffer(struct probe *h)
{
	struct phyr_nvme_sqe cmd = sqe(.opc = PHYR_NVME_ADMIN_DOORBELL_BUFFER,
				       .prp1 = h->buf_dma + 0x800, .prp2 = h->buf_dma + PAGE);

	host_on(h);
	tell(h, &h->admin, cmd, "do.doorbell.buffer.off.page");
	host_on(h);
	memset(h->buf, 0, 2 * PAGE);
	cmd.prp1 = h->buf_dma;
	tell(h, &h->admin, cmd, "do.doorbell.buffer");
	host_on(h);
}

void ask_destroying(struct probe *h)
{
	ask_format(h);
	ask_others(h);
	ask_doorbell_buffer(h);
}
