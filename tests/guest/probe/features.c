/* SPDX-License-Identifier: MIT */
/* Questions of Get and Set Features: each identifier, for whom, which value, and saved. */
#include "probe.h"

#include <stdio.h>
#include <string.h>

static struct phyr_nvme_sqe get(struct probe *h, uint32_t fid, uint32_t sel, uint32_t nsid)
{
	return sqe(.opc = PHYR_NVME_ADMIN_GET_FEATURES, .nsid = nsid, .prp1 = h->buf_dma,
		   .cdw10 = PHYR_NVME_FEATURES_FID(fid) | PHYR_NVME_FEATURES_SEL(sel));
}

static struct phyr_nvme_sqe set(struct probe *h, uint32_t fid, uint32_t nsid, uint32_t cdw11)
{
	return sqe(.opc = PHYR_NVME_ADMIN_SET_FEATURES, .nsid = nsid, .prp1 = h->buf_dma,
		   .cdw10 = PHYR_NVME_FEATURES_FID(fid), .cdw11 = cdw11);
}

static const struct {
	const char *name;
	uint32_t nsid;
} who[] = {{"none", 0}, {"1", 1}, {"2", 2}, {"all", PHYR_NVME_NSID_ALL}};
#define NR_WHO (sizeof(who) / sizeof(who[0]))

/* What can be selected, and the current value of whom; the times a host gives are not looked at. */
void ask_features(struct probe *h)
{
	static const char *const sel[] = {"current", "default", "saved", "supported", "4"};

	host_on(h);
	for (uint32_t fid = 0; fid < 256; fid++) {
		struct answer a = ask(h, &h->admin, get(h, fid, PHYR_NVME_SEL_CURRENT, 0));
		struct answer b = ask(h, &h->admin, get(h, fid, PHYR_NVME_SEL_CURRENT, 1));

		say_name("get.%02x.nsid.none", fid);
		say_answer(a);
		say_name("get.%02x.nsid.1", fid);
		say_answer(b);
		if (a.status && b.status)
			continue;
		for (unsigned s = 0; s < 5; s++)
			tell(h, &h->admin, get(h, fid, s, a.status ? 1 : 0), "get.%02x.%s", fid,
			     sel[s]);
		for (size_t i = 2; i < NR_WHO; i++)
			tell(h, &h->admin, get(h, fid, 0, who[i].nsid), "get.%02x.nsid.%s", fid,
			     who[i].name);
	}
}

/* A value, for whom; what it is then. */
static void try_set(struct probe *h, const char *name, uint32_t fid, uint32_t cdw11)
{
	uint32_t of = fid == PHYR_NVME_FEAT_ERROR_RECOVERY || fid == PHYR_NVME_FEAT_WRITE_PROTECT;
	struct phyr_nvme_sqe back = get(h, fid, 0, of);

	tell(h, &h->admin, set(h, fid, of, cdw11), "set.%02x.%s", fid, name);
	if (fid == PHYR_NVME_FEAT_IRQ_CONFIG || fid == PHYR_NVME_FEAT_TEMPERATURE)
		back.cdw11 = cdw11;
	tell(h, &h->admin, back, "set.%02x.%s.then.get", fid, name);
}

static const struct {
	const char *name;
	uint32_t fid, cdw11;
} values[] = {
	{"burst.3", 0x01, 3},
	{"weights", 0x01, 0x11223303},
	{"reserved", 0x01, 0xf8},
	{"0", 0x02, 0},
	{"state.1", 0x02, 1},
	{"hint.1", 0x02, 0x20},
	{"hint.7", 0x02, 0xe0},
	{"over", 0x04, 0x160},
	{"under", 0x04, 0x100050},
	{"sensor.1", 0x04, 0x10150},
	{"sensor.all", 0x04, 0xf0160},
	{"sensor.10", 0x04, 0xa0150},
	{"kind.2", 0x04, 0x200150},
	{"tler", 0x05, 100},
	{"dulbe", 0x05, 0x10000},
	{"dulbe.off", 0x05, 0},
	{"off", 0x06, 0},
	{"on", 0x06, 1},
	{"reserved", 0x06, 2},
	{"one", 0x07, 0},
	{"2.and.4", 0x07, 0x00030001},
	{"most", 0x07, 0xfffefffe},
	{"ffff.sq", 0x07, 0x0000ffff},
	{"ffff.cq", 0x07, 0xffff0000},
	{"8", 0x08, 0x0a07},
	{"reserved", 0x08, 0x10000},
	{"off", 0x08, 0},
	{"vector.1", 0x09, 0x10001},
	{"vector.0", 0x09, 0x10000},
	{"vector.ffff", 0x09, 0xffff},
	{"vector.1.again", 0x09, 1},
	{"on", 0x0a, 1},
	{"off", 0x0a, 0},
	{"all", 0x0b, UINT32_MAX},
	{"smart", 0x0b, 0xff},
	{"ns", 0x0b, 0x100},
	{"fw", 0x0b, 0x200},
	{"none", 0x0b, 0},
	{"timestamp", 0x0e, 0},
	{"keep.alive", 0x0f, 10000},
	{"0", 0x10, 0},
	{"0", 0x11, 0},
	{"behavior", 0x16, 0},
	{"sanitize", 0x17, 0},
	{"profile.0", 0x19, 0},
	{"profile.1", 0x19, 1},
	{"progress", 0x80, 0},
	{"host.id", 0x81, 0},
	{"host.id.extended", 0x81, 1},
	{"protect", 0x84, 0},
	{"unknown", 0x7f, 0},
	{"vendor", 0xc0, 0},
	{"reserved", 0x00, 0},
};

/* The same value for all, for one that has it, that has it not, and to be kept. */
static void ask_scopes(struct probe *h)
{
	static const uint8_t fids[] = {0x01, 0x04, 0x05, 0x06, 0x07, 0x08,
				       0x0a, 0x0b, 0x0e, 0x0f, 0x16, 0x19};

	for (size_t i = 0; i < sizeof(fids); i++) {
		struct phyr_nvme_sqe cmd;

		for (size_t k = 0; k < NR_WHO; k++)
			tell(h, &h->admin, set(h, fids[i], who[k].nsid, 0), "set.%02x.nsid.%s",
			     fids[i], who[k].name);
		cmd = set(h, fids[i], fids[i] == 0x05, 0);
		cmd.cdw10 |= PHYR_NVME_FEATURES_SV;
		tell(h, &h->admin, cmd, "set.%02x.saved", fids[i]);
	}
}

void ask_set_features(struct probe *h)
{
	host_on(h);
	memset(h->buf, 0, PAGE);
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		try_set(h, values[i].name, values[i].fid, values[i].cdw11);
	ask_scopes(h);
	host_on(h);
	tell(h, &h->admin, get(h, PHYR_NVME_FEAT_ASYNC_EVENT, 0, 0), "set.0b.after.reset");
	tell(h, &h->admin, get(h, PHYR_NVME_FEAT_IRQ_COALESCING, 0, 0), "set.08.after.reset");
	tell(h, &h->admin, get(h, PHYR_NVME_FEAT_TEMPERATURE, 0, 0), "set.04.after.reset");
	tell(h, &h->admin, get(h, PHYR_NVME_FEAT_VOLATILE_CACHE, 0, 0), "set.06.after.reset");
	host_io(h);
	tell(h, &h->admin, set(h, PHYR_NVME_FEAT_NUM_QUEUES, 0, 0), "set.07.with.queues");
}
