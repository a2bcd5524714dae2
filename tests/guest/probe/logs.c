/* SPDX-License-Identifier: MIT */
/* Questions of Get Log Page: which pages there are, lengths, offsets, for whom; what is in them. */
#include "probe.h"

#include <stdio.h>
#include <string.h>

static struct phyr_nvme_sqe get_log(struct probe *h, uint32_t lid, uint32_t nsid, uint64_t offset,
				    uint32_t bytes)
{
	memset(h->buf, 0xee, 2 * PAGE);
	return sqe(.opc = PHYR_NVME_ADMIN_GET_LOG_PAGE, .nsid = nsid, .prp1 = h->buf_dma,
		   .prp2 = bytes > PAGE ? h->buf_dma + PAGE : 0,
		   .cdw10 = PHYR_NVME_LOG_CDW10(lid, bytes), .cdw11 = PHYR_NVME_LOG_CDW11(bytes),
		   .cdw12 = (uint32_t)offset, .cdw13 = (uint32_t)(offset >> 32));
}

static bool any_differs(const uint8_t *p, size_t len, uint8_t byte)
{
	for (size_t i = 0; i < len; i++)
		if (p[i] != byte)
			return true;
	return false;
}

/* How much of the buffer a page of so many bytes reaches, by what is left of what lay there. */
static void say_reach(struct probe *h, unsigned lid, unsigned bytes)
{
	unsigned end = 2 * PAGE;

	while (end && h->buf[end - 1] == 0xee)
		end--;
	say("log.%02x.length.%u.writes %u", lid, bytes, end);
}

static void ask_lengths(struct probe *h, unsigned lid)
{
	static const unsigned lengths[] = {4, 512, 516, 1024, 4096, 8192};

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct answer a;

		a = tell(h, &h->admin, get_log(h, lid, PHYR_NVME_NSID_ALL, 0, lengths[i]),
			 "log.%02x.length.%u", lid, lengths[i]);
		if (!a.status)
			say_reach(h, lid, lengths[i]);
	}
}

static void ask_offsets(struct probe *h, unsigned lid)
{
	static const uint64_t offsets[] = {1,
					   2,
					   3,
					   4,
					   64,
					   508,
					   512,
					   516,
					   1024,
					   4092,
					   4096,
					   4100,
					   UINT64_C(1) << 32,
					   UINT64_MAX - 3};

	for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++)
		tell(h, &h->admin, get_log(h, lid, PHYR_NVME_NSID_ALL, offsets[i], 64),
		     "log.%02x.offset.%llx", lid, (unsigned long long)offsets[i]);
}

static void ask_page(struct probe *h, unsigned lid)
{
	struct phyr_nvme_sqe cmd;

	ask_lengths(h, lid);
	ask_offsets(h, lid);
	tell(h, &h->admin, get_log(h, lid, 0, 0, 64), "log.%02x.nsid.none", lid);
	tell(h, &h->admin, get_log(h, lid, 1, 0, 64), "log.%02x.nsid.1", lid);
	tell(h, &h->admin, get_log(h, lid, 2, 0, 64), "log.%02x.nsid.2", lid);
	tell(h, &h->admin, get_log(h, lid, h->nn + 1, 0, 64), "log.%02x.nsid.over", lid);
	cmd = get_log(h, lid, PHYR_NVME_NSID_ALL, 0, 64);
	cmd.cdw10 |= PHYR_NVME_LOG_LSP(0x7f);
	tell(h, &h->admin, cmd, "log.%02x.lsp.7f", lid);
	cmd = get_log(h, lid, PHYR_NVME_NSID_ALL, 0, 64);
	cmd.cdw11 |= PHYR_NVME_LOG_LSI(1);
	tell(h, &h->admin, cmd, "log.%02x.lsi.1", lid);
	cmd = get_log(h, lid, PHYR_NVME_NSID_ALL, 0, 64);
	cmd.cdw14 = 1u << 23;
	tell(h, &h->admin, cmd, "log.%02x.offset.by.index", lid);
	cmd.cdw14 = 0x7f;
	tell(h, &h->admin, cmd, "log.%02x.uuid.index", lid);
	cmd.cdw14 = PHYR_NVME_CDW11_CSI(0x30);
	tell(h, &h->admin, cmd, "log.%02x.csi.30", lid);
}

static void ask_effects(struct probe *h)
{
	const struct phyr_nvme_effects_log *log = (const void *)h->buf;

	must(h, &h->admin, get_log(h, PHYR_NVME_LOG_EFFECTS, PHYR_NVME_NSID_ALL, 0, PAGE));
	for (unsigned i = 0; i < 256; i++) {
		if (log->acs[i])
			say("effects.admin.%02x %08x", i, log->acs[i]);
		if (log->iocs[i])
			say("effects.io.%02x %08x", i, log->iocs[i]);
	}
	say("effects.reserved %s", any_differs(log->bytes_2048, 2048, 0) ? "set" : "0");
}

static void ask_smart(struct probe *h)
{
	const struct phyr_nvme_smart_log *log = (const void *)h->buf;

	must(h, &h->admin, get_log(h, PHYR_NVME_LOG_SMART, PHYR_NVME_NSID_ALL, 0, 512));
	say("smart.warning %02x", log->critical_warning);
	say("smart.temperature %u", log->temperature[0] | log->temperature[1] << 8);
	say("smart.spare %u", log->available_spare);
	say("smart.spare.threshold %u", log->available_spare_threshold);
	say("smart.used %u", log->percentage_used);
	say("smart.sensors %s",
	    any_differs((const void *)log->temperature_sensor, 16, 0) ? "some" : "none");
	say("smart.reserved.7 %s", any_differs(log->bytes_7, 25, 0) ? "set" : "0");
	say("smart.reserved.232 %s", any_differs(log->bytes_232, 280, 0) ? "set" : "0");
}

static uint64_t smart_count(struct probe *h, size_t offset)
{
	uint64_t v;

	must(h, &h->admin, get_log(h, PHYR_NVME_LOG_SMART, PHYR_NVME_NSID_ALL, 0, 512));
	memcpy(&v, h->buf + offset, sizeof(v));
	return v;
}

/* What a read of past the end leaves in the logs. */
static void ask_errors(struct probe *h)
{
	const struct phyr_nvme_error_log *log = (const void *)h->buf;
	uint64_t errors = smart_count(h, offsetof(struct phyr_nvme_smart_log, error_log_entries));
	uint64_t reads = smart_count(h, offsetof(struct phyr_nvme_smart_log, host_read_commands));

	host_io(h);
	ask(h, &h->io, rw(h, PHYR_NVME_CMD_READ, h->blocks, 1));
	must(h, &h->io, rw(h, PHYR_NVME_CMD_READ, 0, 1));
	say("errors.counted %u",
	    (unsigned)(smart_count(h, offsetof(struct phyr_nvme_smart_log, error_log_entries)) -
		       errors));
	say("reads.counted %u",
	    (unsigned)(smart_count(h, offsetof(struct phyr_nvme_smart_log, host_read_commands)) -
		       reads));
	must(h, &h->admin, get_log(h, PHYR_NVME_LOG_ERROR, PHYR_NVME_NSID_ALL, 0, 64));
	say("errors.entry %s", log->error_count ? "there" : "none");
	if (log->error_count)
		say("errors.entry.is sqid=%u status=%04x lba=%s nsid=%u", log->sqid, log->status,
		    log->lba == h->blocks ? "right" : "wrong", log->nsid);
}

void ask_logs(struct probe *h)
{
	const struct phyr_nvme_fw_slot_log *fw = (const void *)h->buf;

	host_on(h);
	for (unsigned lid = 0; lid < 256; lid++) {
		struct answer a;

		a = tell(h, &h->admin, get_log(h, lid, PHYR_NVME_NSID_ALL, 0, 64), "log.%02x", lid);
		if (a.how == ANSWERED && !a.status)
			ask_page(h, lid);
	}
	ask_effects(h);
	ask_smart(h);
	must(h, &h->admin, get_log(h, PHYR_NVME_LOG_FW_SLOT, PHYR_NVME_NSID_ALL, 0, 512));
	say("firmware.afi %02x", fw->afi);
	say("firmware.slot.1 \"%.8s\"", fw->frs[0]);
	say("firmware.slot.2 %s", any_differs((const void *)fw->frs[1], 8, 0) ? "set" : "0");
	ask_errors(h);
}
