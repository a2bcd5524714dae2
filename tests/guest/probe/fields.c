/* SPDX-License-Identifier: MIT */
/* Questions about the parts that all commands have: opcode, namespace, FUSE, PSDT, reserved dwords. */
#include "probe.h"

#include <string.h>

/* Commands that would leave other questions without an answer, or change what they are about. */
static bool is_asked_elsewhere(unsigned opc)
{
	return opc == PHYR_NVME_ADMIN_ASYNC_EVENT || opc == PHYR_NVME_ADMIN_DOORBELL_BUFFER;
}

/* All fields 0 but for data; no namespace, so nothing is formatted. */
void ask_opcodes(struct probe *h)
{
	host_io(h);
	for (unsigned opc = 0; opc < 256; opc++)
		if (!is_asked_elsewhere(opc))
			tell(h, &h->admin, sqe(.opc = (uint8_t)opc, .prp1 = h->buf_dma),
			     "admin.%02x", opc);
	memset(h->buf, 0, PAGE);
	for (unsigned opc = 0; opc < 256; opc++)
		tell(h, &h->io, rw(h, (uint8_t)opc, 0, 1), "io.%02x", opc);
}

static struct phyr_nvme_sqe admin_cmd(struct probe *h, unsigned k, const char **name)
{
	static const char *const names[] = {"identify",     "get.features", "get.log",
					    "set.features", "abort",        "create.cq",
					    "create.sq",    "delete.sq",    "delete.cq"};
	struct pair free_pair = h->io;
	const struct phyr_nvme_sqe cmds[] = {
		sqe(.opc = PHYR_NVME_ADMIN_IDENTIFY, .cdw10 = PHYR_NVME_CNS_CTRL,
		    .prp1 = h->buf_dma),
		sqe(.opc = PHYR_NVME_ADMIN_GET_FEATURES, .cdw10 = PHYR_NVME_FEAT_ARBITRATION),
		sqe(.opc = PHYR_NVME_ADMIN_GET_LOG_PAGE, .prp1 = h->buf_dma,
		    .cdw10 = PHYR_NVME_LOG_CDW10(PHYR_NVME_LOG_SMART, 512)),
		sqe(.opc = PHYR_NVME_ADMIN_SET_FEATURES, .cdw10 = PHYR_NVME_FEAT_ARBITRATION),
		sqe(.opc = PHYR_NVME_ADMIN_ABORT, .cdw10 = PHYR_NVME_CDW10_ABORT(0, 0xffff)),
		create_cq(&free_pair),
		create_sq(&free_pair, 1),
		delete_queue(PHYR_NVME_ADMIN_DELETE_SQ, 1),
		delete_queue(PHYR_NVME_ADMIN_DELETE_CQ, 1),
	};

	*name = k < sizeof(cmds) / sizeof(cmds[0]) ? names[k] : NULL;
	return *name ? cmds[k] : cmds[0];
}

static struct phyr_nvme_sqe io_cmd(struct probe *h, unsigned k, const char **name)
{
	static const char *const names[] = {"flush", "write", "read", "compare", "zeroes", "dsm"};
	static const uint8_t opcodes[] = {PHYR_NVME_CMD_FLUSH,        PHYR_NVME_CMD_WRITE,
					  PHYR_NVME_CMD_READ,         PHYR_NVME_CMD_COMPARE,
					  PHYR_NVME_CMD_WRITE_ZEROES, PHYR_NVME_CMD_DSM};
	struct phyr_nvme_sqe cmd;

	*name = k < sizeof(opcodes) ? names[k] : NULL;
	cmd = rw(h, *name ? opcodes[k] : 0, 0, 1);
	if (*name && (opcodes[k] == PHYR_NVME_CMD_FLUSH || opcodes[k] == PHYR_NVME_CMD_DSM))
		cmd.cdw12 = 0;
	memset(h->buf, 0, PAGE); /* block 0 is zeroes, and so is a range of no blocks */
	return cmd;
}

typedef struct phyr_nvme_sqe cmd_fn(struct probe *h, unsigned k, const char **name);

static void ask_nsids(struct probe *h, struct pair *q, cmd_fn *cmd_of)
{
	const struct {
		const char *name;
		uint32_t nsid;
	} who[] = {{"none", 0},
		   {"1", 1},
		   {"2", 2},
		   {"last", h->nn},
		   {"over", h->nn + 1},
		   {"all", PHYR_NVME_NSID_ALL},
		   {"all-1", PHYR_NVME_NSID_ALL - 1}};
	const char *name;

	for (unsigned k = 0; cmd_of(h, k, &name), name; k++)
		for (size_t i = 0; i < sizeof(who) / sizeof(who[0]); i++) {
			struct phyr_nvme_sqe cmd = cmd_of(h, k, &name);

			host_io(h);
			cmd.nsid = who[i].nsid;
			tell(h, q, cmd, "nsid.%s.%s", name, who[i].name);
		}
}

static void ask_flags(struct probe *h, struct pair *q, cmd_fn *cmd_of)
{
	const char *name;

	for (unsigned k = 0; cmd_of(h, k, &name), name; k++)
		for (unsigned i = 0; i < 8; i++) {
			struct phyr_nvme_sqe cmd = cmd_of(h, k, &name);

			host_io(h);
			cmd.flags = (uint8_t)(1u << i);
			tell(h, q, cmd, "flags.%s.%02x", name, cmd.flags);
		}
}

static void ask_reserved(struct probe *h, struct pair *q, cmd_fn *cmd_of)
{
	const char *name;

	for (unsigned k = 0; cmd_of(h, k, &name), name; k++) {
		struct phyr_nvme_sqe cmd = cmd_of(h, k, &name);

		host_io(h);
		cmd.mptr = h->buf_dma;
		tell(h, q, cmd, "mptr.%s", name);
		cmd = cmd_of(h, k, &name);
		host_io(h);
		cmd.cdw2 = cmd.cdw3 = UINT32_MAX;
		tell(h, q, cmd, "cdw2.3.%s", name);
	}
}

void ask_fields(struct probe *h)
{
	host_io(h);
	must(h, &h->io, rw(h, PHYR_NVME_CMD_WRITE_ZEROES, 0, 1));
	ask_nsids(h, &h->admin, admin_cmd);
	ask_nsids(h, &h->io, io_cmd);
	ask_flags(h, &h->admin, admin_cmd);
	ask_flags(h, &h->io, io_cmd);
	ask_reserved(h, &h->admin, admin_cmd);
	ask_reserved(h, &h->io, io_cmd);
}
