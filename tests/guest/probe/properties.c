/* SPDX-License-Identifier: MIT */
/* Questions about properties: what they say, what can be written, enabling, shutting down. */
#include "probe.h"

#include <inttypes.h>

static void say_cap(uint64_t cap)
{
	say("cap.mqes %u", PHYR_NVME_CAP_MQES(cap));
	say("cap.cqr %d", !!(cap & PHYR_NVME_CAP_CQR));
	say("cap.ams %u", PHYR_NVME_CAP_AMS(cap));
	say("cap.to %u", PHYR_NVME_CAP_TO(cap));
	say("cap.dstrd %u", PHYR_NVME_CAP_DSTRD(cap));
	say("cap.nssrs %d", !!(cap & PHYR_NVME_CAP_NSSRS));
	say("cap.css %02x", PHYR_NVME_CAP_CSS(cap));
	say("cap.bps %d", !!(cap & PHYR_NVME_CAP_BPS));
	say("cap.cps %u", PHYR_NVME_CAP_CPS(cap));
	say("cap.mpsmin %u", PHYR_NVME_CAP_MPSMIN(cap));
	say("cap.mpsmax %u", PHYR_NVME_CAP_MPSMAX(cap));
	say("cap.pmrs %d", !!(cap & PHYR_NVME_CAP_PMRS));
	say("cap.cmbs %d", !!(cap & PHYR_NVME_CAP_CMBS));
	say("cap.nsss %d", !!(cap & PHYR_NVME_CAP_NSSS));
	say("cap.crms %u", PHYR_NVME_CAP_CRMS(cap));
	say("cap.halves %s", cap >> 32 == (uint32_t)(cap >> 32) ? "agree" : "differ");
}

static const struct {
	const char *name;
	uint32_t offset;
} properties[] = {
	{"vs", PHYR_NVME_VS},
	{"intms", PHYR_NVME_INTMS},
	{"intmc", PHYR_NVME_INTMC},
	{"cc", PHYR_NVME_CC},
	{"csts", PHYR_NVME_CSTS},
	{"nssr", PHYR_NVME_NSSR},
	{"cmbloc", PHYR_NVME_CMBLOC},
	{"cmbsz", PHYR_NVME_CMBSZ},
	{"bpinfo", PHYR_NVME_BPINFO},
	{"bprsel", PHYR_NVME_BPRSEL},
	{"bpmbl", PHYR_NVME_BPMBL},
	{"cmbmsc", PHYR_NVME_CMBMSC},
	{"cmbsts", PHYR_NVME_CMBSTS},
	{"cmbebs", 0x5c},
	{"cmbswtp", 0x60},
	{"nssd", 0x64},
	{"crto", PHYR_NVME_CRTO},
	{"reserved.6c", 0x6c},
	{"reserved.100", 0x100},
	{"pmrcap", 0xe00},
	{"pmrctl", 0xe04},
	{"pmrsts", 0xe08},
	{"reserved.ffc", 0xffc},
	{"doorbell.sq0", 0x1000},
	{"doorbell.cq0", 0x1004},
	{"doorbell.sq1", 0x1008},
};

static void write_and_look(struct probe *h, const char *name, uint32_t offset, uint32_t value)
{
	uint32_t was = get32(h, offset);

	set32(h, offset, value);
	say("write.%s.%08x %08x", name, value, get32(h, offset));
	set32(h, offset, was);
}

static void ask_writes(struct probe *h)
{
	write_and_look(h, "cap", PHYR_NVME_CAP, 0);
	write_and_look(h, "vs", PHYR_NVME_VS, 0);
	write_and_look(h, "csts", PHYR_NVME_CSTS, UINT32_MAX);
	write_and_look(h, "aqa", PHYR_NVME_AQA, UINT32_MAX);
	write_and_look(h, "asq", PHYR_NVME_ASQ, 0x12345fff);
	write_and_look(h, "asq.high", PHYR_NVME_ASQ + 4, 0x00001234);
	write_and_look(h, "acq", PHYR_NVME_ACQ, 0x12345fff);
	write_and_look(h, "acq.high", PHYR_NVME_ACQ + 4, 0x00001234);
	write_and_look(h, "reserved.6c", 0x6c, UINT32_MAX);
	write_and_look(h, "nssr", PHYR_NVME_NSSR, PHYR_NVME_NSSR_NSSRC);
	write_and_look(h, "cc", PHYR_NVME_CC, GOOD_CC);
	write_and_look(h, "cc", PHYR_NVME_CC, 0xfe00000e);
	set64(h, PHYR_NVME_ASQ, UINT64_C(0x0000123456789fff));
	say("write.asq.whole %016" PRIx64, get64(h, PHYR_NVME_ASQ));
	set32(h, PHYR_NVME_INTMS, 0xf0);
	say("write.intms.f0 %08x", get32(h, PHYR_NVME_INTMS));
	set32(h, PHYR_NVME_INTMC, 0x30);
	say("write.intmc.30 %08x", get32(h, PHYR_NVME_INTMS));
	set32(h, PHYR_NVME_INTMC, UINT32_MAX);
}

void ask_properties(struct probe *h)
{
	host_off(h);
	say_cap(h->cap);
	for (size_t i = 0; i < sizeof(properties) / sizeof(properties[0]); i++)
		say("property.%s %08x", properties[i].name, get32(h, properties[i].offset));
	ask_writes(h);
}

/* What CC or the admin queues say wrong: whether it gets ready, or says that it has failed. */
static void try_enable(struct probe *h, const char *name, uint32_t cc)
{
	uint64_t end = now_ns() + h->quiet_ns;
	uint32_t csts = 0;

	set32(h, PHYR_NVME_CC, cc | PHYR_NVME_CC_EN);
	while (!csts && now_ns() < end) {
		relax(h);
		csts = get32(h, PHYR_NVME_CSTS);
	}
	say("enable.%s csts=%08x cc=%08x", name, csts, get32(h, PHYR_NVME_CC));
	set32(h, PHYR_NVME_CC, 0);
	reg_is(h, PHYR_NVME_CSTS, UINT32_MAX, 0);
	say("enable.%s.off csts=%08x cc=%08x", name, get32(h, PHYR_NVME_CSTS),
	    get32(h, PHYR_NVME_CC));
	host_off(h);
}

static void ask_bad_cc(struct probe *h)
{
	uint32_t mpsmax = PHYR_NVME_CAP_MPSMAX(h->cap);

	try_enable(h, "good", GOOD_CC);
	try_enable(h, "mps.max", GOOD_CC | PHYR_NVME_CC_MPS(mpsmax));
	try_enable(h, "mps.over", GOOD_CC | PHYR_NVME_CC_MPS(mpsmax + 1));
	try_enable(h, "mps.15", GOOD_CC | PHYR_NVME_CC_MPS(15));
	for (unsigned css = 1; css < 8; css++) {
		char name[] = "css.0";

		name[4] = (char)('0' + css);
		try_enable(h, name, GOOD_CC | PHYR_NVME_CC_CSS(css));
	}
	try_enable(h, "ams.1", GOOD_CC | PHYR_NVME_CC_AMS(1));
	try_enable(h, "ams.2", GOOD_CC | PHYR_NVME_CC_AMS(2));
	try_enable(h, "ams.7", GOOD_CC | PHYR_NVME_CC_AMS(7));
	try_enable(h, "sizes.0", 0);
	try_enable(h, "iosqes.5", PHYR_NVME_CC_IOSQES(5) | PHYR_NVME_CC_IOCQES(4));
	try_enable(h, "iosqes.15", PHYR_NVME_CC_IOSQES(15) | PHYR_NVME_CC_IOCQES(4));
	try_enable(h, "iocqes.15", PHYR_NVME_CC_IOSQES(6) | PHYR_NVME_CC_IOCQES(15));
	try_enable(h, "crime", GOOD_CC | PHYR_NVME_CC_CRIME);
	try_enable(h, "reserved", GOOD_CC | 0xfe00000e);
	try_enable(h, "shn.1", GOOD_CC | PHYR_NVME_CC_SHN(1));
}

static void ask_bad_queues(struct probe *h)
{
	set32(h, PHYR_NVME_AQA, 0);
	try_enable(h, "aqa.0", GOOD_CC);
	set32(h, PHYR_NVME_AQA, PHYR_NVME_AQA_ASQS(1) | PHYR_NVME_AQA_ACQS(1));
	try_enable(h, "aqa.2.entries", GOOD_CC);
	set32(h, PHYR_NVME_AQA, 0x0fff0fff);
	try_enable(h, "aqa.4096.entries", GOOD_CC);
	set64(h, PHYR_NVME_ASQ, 0);
	try_enable(h, "asq.0", GOOD_CC);
	set64(h, PHYR_NVME_ACQ, 0);
	try_enable(h, "acq.0", GOOD_CC);
	set64(h, PHYR_NVME_ASQ, h->admin.sq_dma + 0x800);
	try_enable(h, "asq.off.page", GOOD_CC);
}

static void say_queues(struct probe *h, const char *name)
{
	say("%s.aqa %08x", name, get32(h, PHYR_NVME_AQA));
	say("%s.asq %s", name, get64(h, PHYR_NVME_ASQ) == h->admin.sq_dma ? "kept" : "changed");
	say("%s.acq %s", name, get64(h, PHYR_NVME_ACQ) == h->admin.cq_dma ? "kept" : "changed");
}

/* What must be left alone while it is enabled, written all the same. */
static void ask_enabled(struct probe *h)
{
	host_on(h);
	set32(h, PHYR_NVME_AQA, 0x00030003);
	set64(h, PHYR_NVME_ASQ, 0x10000);
	set64(h, PHYR_NVME_ACQ, 0x20000);
	say_queues(h, "enabled.write");
	tell(h, &h->admin,
	     sqe(.opc = PHYR_NVME_ADMIN_GET_FEATURES, .cdw10 = PHYR_NVME_FEAT_ARBITRATION),
	     "enabled.write.then.command");
	host_on(h);
	set32(h, PHYR_NVME_CC, get32(h, PHYR_NVME_CC) | PHYR_NVME_CC_MPS(15) | PHYR_NVME_CC_CSS(7));
	say("enabled.cc.write cc=%08x csts=%08x", get32(h, PHYR_NVME_CC), get32(h, PHYR_NVME_CSTS));
	host_on(h);
	set32(h, PHYR_NVME_CC, 0);
	reg_is(h, PHYR_NVME_CSTS, UINT32_MAX, 0);
	say_queues(h, "disabled");
}

void ask_enable(struct probe *h)
{
	host_off(h);
	ask_bad_cc(h);
	ask_bad_queues(h);
	ask_enabled(h);
}

static uint32_t shut_down(struct probe *h, unsigned shn)
{
	set32(h, PHYR_NVME_CC,
	      (get32(h, PHYR_NVME_CC) & ~PHYR_NVME_CC_SHN(3)) | PHYR_NVME_CC_SHN(shn));
	reg_is(h, PHYR_NVME_CSTS, PHYR_NVME_CSTS_SHST(UINT32_MAX) << 2,
	       PHYR_NVME_CSTS_SHST_COMPLETE << 2);
	return get32(h, PHYR_NVME_CSTS);
}

void ask_shutdown(struct probe *h)
{
	const struct phyr_nvme_sqe get = {.opc = PHYR_NVME_ADMIN_GET_FEATURES,
					  .cdw10 = PHYR_NVME_FEAT_ARBITRATION};

	host_on(h);
	say("shutdown.normal csts=%08x", shut_down(h, PHYR_NVME_CC_SHN_NORMAL));
	say("shutdown.cc %08x", get32(h, PHYR_NVME_CC));
	tell(h, &h->admin, get, "shutdown.then.command");
	host_on(h);
	shut_down(h, PHYR_NVME_CC_SHN_NORMAL);
	set32(h, PHYR_NVME_CC, get32(h, PHYR_NVME_CC) & ~PHYR_NVME_CC_SHN(3));
	say("shutdown.shn.cleared csts=%08x", get32(h, PHYR_NVME_CSTS));
	tell(h, &h->admin, get, "shutdown.shn.cleared.then.command");
	host_on(h);
	shut_down(h, PHYR_NVME_CC_SHN_NORMAL);
	set32(h, PHYR_NVME_CC, 0);
	reg_is(h, PHYR_NVME_CSTS, PHYR_NVME_CSTS_RDY, 0);
	say("shutdown.disabled csts=%08x", get32(h, PHYR_NVME_CSTS));
	host_on(h);
	say("shutdown.abrupt csts=%08x", shut_down(h, PHYR_NVME_CC_SHN_ABRUPT));
	host_on(h);
	say("shutdown.enabled.again csts=%08x", get32(h, PHYR_NVME_CSTS));
	host_off(h);
	set32(h, PHYR_NVME_CC, PHYR_NVME_CC_SHN(PHYR_NVME_CC_SHN_NORMAL));
	relax(h);
	say("shutdown.while.disabled csts=%08x", get32(h, PHYR_NVME_CSTS));
}
