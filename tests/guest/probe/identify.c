/* SPDX-License-Identifier: MIT */
/* Questions of Identify: which data there is, for whom, and every field of it. */
#include "probe.h"

#include <stdio.h>
#include <string.h>

static struct phyr_nvme_sqe identify(struct probe *h, uint32_t cns, uint32_t nsid)
{
	memset(h->buf, 0xee, PHYR_NVME_ID_SIZE);
	return sqe(.opc = PHYR_NVME_ADMIN_IDENTIFY, .nsid = nsid, .prp1 = h->buf_dma, .cdw10 = cns);
}

/* Fields that have no name of their own must be 0: where the first one that is not lies. */
static void say_zeroes(struct probe *h, const char *name, unsigned from, unsigned bytes)
{
	for (unsigned i = from; i < from + bytes; i++)
		if (h->buf[i]) {
			say("%s.%u-%u byte %u is %02x", name, from, from + bytes - 1, i, h->buf[i]);
			return;
		}
	say("%s.%u-%u 0", name, from, from + bytes - 1);
}

static void say_number(struct probe *h, const char *where, const char *name, unsigned offset,
		       unsigned bytes)
{
	say_name("%s.%s", where, name);
	while (bytes--)
		printf("%02x", h->buf[offset + bytes]);
	say("%s", "");
}

static void say_text(struct probe *h, const char *where, const char *name, unsigned offset,
		     unsigned bytes)
{
	say("%s.%s \"%.*s\"", where, name, (int)bytes, (const char *)h->buf + offset);
}

struct field {
	const char *name;
	unsigned offset, bytes;
};

#define FIELD(type, name)                                              \
	{                                                              \
#name, offsetof(type, name), sizeof(((type *)0)->name) \
	}
#define C(name) FIELD(struct phyr_nvme_id_ctrl, name)
#define N(name) FIELD(struct phyr_nvme_id_ns, name)

static const struct field ctrl_fields[] = {
	C(vid),          C(ssvid),     C(rab),    C(ieee),      C(cmic),         C(mdts),
	C(cntlid),       C(ver),       C(rtd3r),  C(rtd3e),     C(oaes),         C(ctratt),
	C(rrls),         C(cntrltype), C(fguid),  C(crdt1),     C(crdt2),        C(crdt3),
	C(nvmsr),        C(vwci),      C(mec),    C(oacs),      C(acl),          C(aerl),
	C(frmw),         C(lpa),       C(elpe),   C(npss),      C(avscc),        C(apsta),
	C(wctemp),       C(cctemp),    C(mtfa),   C(hmpre),     C(hmmin),        C(tnvmcap),
	C(unvmcap),      C(rpmbs),     C(edstt),  C(dsto),      C(fwug),         C(kas),
	C(hctma),        C(mntmt),     C(mxtmt),  C(sanicap),   C(hmminds),      C(hmmaxd),
	C(nsetidmax),    C(endgidmax), C(anatt),  C(anacap),    C(anagrpmax),    C(nanagrpid),
	C(pels),         C(domainid),  C(megcap), C(sqes),      C(cqes),         C(maxcmd),
	C(nn),           C(oncs),      C(fuses),  C(fna),       C(vwc),          C(awun),
	C(awupf),        C(icsvscc),   C(nwpc),   C(acwu),      C(cdfs),         C(sgls),
	C(mnan),         C(maxdna),    C(maxcna), C(psd[0].mp), C(psd[0].flags), C(psd[0].enlat),
	C(psd[0].exlat),
};

static const struct field ns_fields[] = {
	N(nsze),    N(ncap),     N(nuse),    N(nsfeat),   N(nlbaf),   N(flbas),   N(mc),
	N(dpc),     N(dps),      N(nmic),    N(rescap),   N(fpi),     N(dlfeat),  N(nawun),
	N(nawupf),  N(nacwu),    N(nabsn),   N(nabo),     N(nabspf),  N(noiob),   N(nvmcap),
	N(npwg),    N(npwa),     N(npdg),    N(npda),     N(nows),    N(mssrl),   N(mcl),
	N(msrc),    N(anagrpid), N(nsattr),  N(nvmsetid), N(endgid),  N(nguid),   N(eui64),
	N(lbaf[0]), N(lbaf[1]),  N(lbaf[2]), N(lbaf[3]),  N(lbaf[4]), N(lbaf[5]), N(lbaf[6]),
	N(lbaf[7]), N(lbaf[8]),
};

static void say_fields(struct probe *h, const char *where, const struct field *fields, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		say_number(h, where, fields[i].name, fields[i].offset, fields[i].bytes);
}

static void ask_ctrl_fields(struct probe *h)
{
	must(h, &h->admin, identify(h, PHYR_NVME_CNS_CTRL, 0));
	say_text(h, "ctrl", "sn", 4, 20);
	say_text(h, "ctrl", "mn", 24, 40);
	say_text(h, "ctrl", "fr", 64, 8);
	say_text(h, "ctrl", "subnqn", 768, 256);
	say_fields(h, "ctrl", ctrl_fields, sizeof(ctrl_fields) / sizeof(ctrl_fields[0]));
	say_zeroes(h, "ctrl", 102, 9);
	say_zeroes(h, "ctrl", 134, 119);
	say_zeroes(h, "ctrl", 358, 10);
	say_zeroes(h, "ctrl", 384, 128);
	say_zeroes(h, "ctrl", 564, 204);
	say_zeroes(h, "ctrl", 1024, 1024);
	say_zeroes(h, "ctrl", 3072, 1024);
}

static void ask_ns_fields(struct probe *h)
{
	must(h, &h->admin, identify(h, PHYR_NVME_CNS_NS, 1));
	say_fields(h, "ns", ns_fields, sizeof(ns_fields) / sizeof(ns_fields[0]));
	say_zeroes(h, "ns", 83, 9);
	say_zeroes(h, "ns", 96, 3);
	say_zeroes(h, "ns", 384, 3712);
}

/* Types and lengths; identifiers are each controller's own. */
static void ask_descriptors(struct probe *h)
{
	unsigned at = 0;

	must(h, &h->admin, identify(h, PHYR_NVME_CNS_NS_DESC, 1));
	for (; at + 4 <= PHYR_NVME_ID_SIZE && h->buf[at]; at += 4 + h->buf[at + 1])
		say("desc.type.%u length=%u reserved=%02x%02x", h->buf[at], h->buf[at + 1],
		    h->buf[at + 2], h->buf[at + 3]);
	say_zeroes(h, "desc.rest", 1024, 3072);
	must(h, &h->admin, identify(h, PHYR_NVME_CNS_ACTIVE_NS, 0));
	say("active.0 %u %u", h->buf[0], h->buf[4]);
	say_zeroes(h, "active.rest", 4, PHYR_NVME_ID_SIZE - 4);
}

static void ask_cns(struct probe *h, uint32_t cns)
{
	const struct {
		const char *name;
		uint32_t nsid;
	} who[] = {
		{"none", 0},
		{"1", 1},
		{"2", 2},
		{"over", h->nn + 1},
		{"all", PHYR_NVME_NSID_ALL},
		{"all-1", PHYR_NVME_NSID_ALL - 1},
	};

	for (size_t i = 0; i < sizeof(who) / sizeof(who[0]); i++)
		tell(h, &h->admin, identify(h, cns, who[i].nsid), "identify.%02x.nsid.%s", cns,
		     who[i].name);
}

static void ask_csi(struct probe *h)
{
	static const uint8_t cns[] = {0x05, 0x06, 0x07, 0x0a, 0x1a, 0x1b, 0x00, 0x01};
	static const uint8_t csi[] = {0, 1, 2, 0x30, 0xff};

	for (size_t k = 0; k < sizeof(cns); k++)
		for (size_t i = 0; i < sizeof(csi); i++) {
			bool of_ns = cns[k] == 0x05 || cns[k] == 0x07 || !cns[k];
			struct phyr_nvme_sqe cmd = identify(h, cns[k], of_ns);

			cmd.cdw11 = PHYR_NVME_CDW11_CSI(csi[i]);
			tell(h, &h->admin, cmd, "identify.%02x.csi.%02x", cns[k], csi[i]);
		}
}

void ask_identify(struct probe *h)
{
	struct phyr_nvme_sqe cmd;

	host_on(h);
	for (unsigned cns = 0; cns < 0x20; cns++)
		ask_cns(h, cns);
	ask_cns(h, 0x80);
	ask_cns(h, 0xff);
	ask_csi(h);
	cmd = identify(h, PHYR_NVME_CNS_CTRL, 0);
	cmd.cdw10 |= PHYR_NVME_CDW10_CNTID(1);
	tell(h, &h->admin, cmd, "identify.01.cntid.1");
	cmd.cdw10 = PHYR_NVME_CNS_CTRL | 0xff00;
	tell(h, &h->admin, cmd, "identify.01.reserved");
	cmd.cdw10 = PHYR_NVME_CNS_CTRL;
	cmd.cdw14 = 0x7f;
	tell(h, &h->admin, cmd, "identify.01.uuid.index");
}

void ask_controller_data(struct probe *h)
{
	host_on(h);
	ask_ctrl_fields(h);
	ask_ns_fields(h);
	ask_descriptors(h);
}
