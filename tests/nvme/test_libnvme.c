/* SPDX-License-Identifier: MIT */
/*
 * The layouts beside libnvme's, which others wrote: one program that includes both, built as C and as
 * C++, compares every size, offset and value. What libnvme lacks is beside the specification's number.
 */
#include <libnvme.h>
#include <phyr/nvme_spec.h>

#include <stdio.h>

#include "nvme/libnvme_names.h"

static unsigned compared, wrong;

static void equal(const char *what, unsigned long long ours, unsigned long long theirs)
{
	compared++;
	if (ours == theirs)
		return;
	wrong++;
	fprintf(stderr, "%s is 0x%llx, not 0x%llx\n", what, ours, theirs);
}

#define EQ(ours, theirs)   equal(#ours, (unsigned long long)(ours), (unsigned long long)(theirs))
#define SIZE(ours, theirs) EQ(sizeof(struct phyr_nvme_##ours), sizeof(struct nvme_##theirs))
/* One field, named alike or not: where it is and how long. */
#define FIELD(ours, theirs, field, its)                                                          \
	do {                                                                                     \
		equal(#ours "." #field " (offset)", offsetof(struct phyr_nvme_##ours, field),    \
		      offsetof(struct nvme_##theirs, its));                                      \
		equal(#ours "." #field " (size)", sizeof(((struct phyr_nvme_##ours *)0)->field), \
		      sizeof(((struct nvme_##theirs *)0)->its));                                 \
	} while (0)
#define VALUE(ours, theirs) EQ(PHYR_NVME_##ours, theirs);
#define STATUS(ours, type, theirs) \
	EQ(PHYR_NVME_##ours, NVME_SCT_##type << NVME_SCT_SHIFT | NVME_SC_##theirs);
/* A getter of a register's field, on values that have each bit set and clear. */
#define GET(ours, theirs)                             \
	do {                                          \
		EQ(ours(pattern), theirs(pattern));   \
		EQ(ours(~pattern), theirs(~pattern)); \
	} while (0)
/* A bit of a register. */
#define BIT(ours, theirs) EQ(ours, (unsigned long long)theirs##_MASK << theirs##_SHIFT)
/* A value put in a field. */
#define PUT(ours, theirs) EQ(ours(1), 1u << theirs##_SHIFT)

/* No libnvme layout: the specification's offset and length. */
#define AT(ours, field, offset, bytes)                                                           \
	do {                                                                                     \
		equal(#ours "." #field " (offset)", offsetof(struct phyr_nvme_##ours, field),    \
		      offset);                                                                   \
		equal(#ours "." #field " (size)", sizeof(((struct phyr_nvme_##ours *)0)->field), \
		      bytes);                                                                    \
	} while (0)

static void registers(void)
{
	REGISTERS(VALUE)
	EQ(PHYR_NVME_DOORBELLS, 0x1000);
	EQ(PHYR_NVME_SQTDBL(0, 2), 0x1000);
	EQ(PHYR_NVME_CQHDBL(0, 2), 0x1004);
	EQ(PHYR_NVME_SQTDBL(3, 2), 0x1018);
	EQ(PHYR_NVME_CQHDBL(3, 2), 0x101c);
	EQ(PHYR_NVME_SQTDBL(65535, 17), 0x1000 + 131070ull * 131072);
	EQ(PHYR_NVME_CQHDBL(1, 5), 0x1060);
}

static void capabilities(void)
{
	const unsigned long long pattern = 0x5a96c3f00f3c695aull;

	GET(PHYR_NVME_CAP_MQES, NVME_CAP_MQES);
	GET(PHYR_NVME_CAP_AMS, NVME_CAP_AMS);
	GET(PHYR_NVME_CAP_TO, NVME_CAP_TO);
	GET(PHYR_NVME_CAP_DSTRD, NVME_CAP_DSTRD);
	GET(PHYR_NVME_CAP_CSS, NVME_CAP_CSS);
	GET(PHYR_NVME_CAP_MPSMIN, NVME_CAP_MPSMIN);
	GET(PHYR_NVME_CAP_MPSMAX, NVME_CAP_MPSMAX);
	GET(PHYR_NVME_CAP_CRMS, NVME_CAP_CRMS);
	BIT(PHYR_NVME_CAP_CQR, NVME_CAP_CQR);
	BIT(PHYR_NVME_CAP_NSSRS, NVME_CAP_NSSRC);
	BIT(PHYR_NVME_CAP_BPS, NVME_CAP_BPS);
	BIT(PHYR_NVME_CAP_PMRS, NVME_CAP_PMRS);
	BIT(PHYR_NVME_CAP_CMBS, NVME_CAP_CMBS);
	EQ(PHYR_NVME_CAP_CSS(PHYR_NVME_CAP_CSS_NVM), NVME_CAP_CSS_NVM);
	EQ(PHYR_NVME_CAP_CSS(PHYR_NVME_CAP_CSS_IOCSS), NVME_CAP_CSS_CSI);
	EQ(PHYR_NVME_CAP_CSS(PHYR_NVME_CAP_CSS_NOIOCSS), NVME_CAP_CSS_ADMIN);
	EQ(PHYR_NVME_CAP_CPS(pattern), pattern >> 46 & 3);
	EQ(PHYR_NVME_CAP_NSSS, 1ull << 58);
	GET(PHYR_NVME_VS_TER, NVME_VS_TER);
	GET(PHYR_NVME_VS_MNR, NVME_VS_MNR);
	EQ(PHYR_NVME_VS_MJR(0x00020001u), NVME_VS_MJR(0x00020001u));
}

static void configuration(void)
{
	const unsigned pattern = 0x0f3c695a;

	BIT(PHYR_NVME_CC_EN, NVME_CC_EN);
	BIT(PHYR_NVME_CC_CRIME, NVME_CC_CRIME);
	PUT(PHYR_NVME_CC_CSS, NVME_CC_CSS);
	PUT(PHYR_NVME_CC_MPS, NVME_CC_MPS);
	PUT(PHYR_NVME_CC_AMS, NVME_CC_AMS);
	PUT(PHYR_NVME_CC_SHN, NVME_CC_SHN);
	PUT(PHYR_NVME_CC_IOSQES, NVME_CC_IOSQES);
	PUT(PHYR_NVME_CC_IOCQES, NVME_CC_IOCQES);
	CC_VALUES(VALUE)
	BIT(PHYR_NVME_CSTS_RDY, NVME_CSTS_RDY);
	BIT(PHYR_NVME_CSTS_CFS, NVME_CSTS_CFS);
	BIT(PHYR_NVME_CSTS_NSSRO, NVME_CSTS_NSSRO);
	BIT(PHYR_NVME_CSTS_PP, NVME_CSTS_PP);
	GET(PHYR_NVME_CSTS_SHST, NVME_CSTS_SHST);
	VALUE(CSTS_SHST_NORMAL, NVME_CSTS_SHST_NORMAL)
	VALUE(CSTS_SHST_OCCURRING, NVME_CSTS_SHST_OCCUR)
	VALUE(CSTS_SHST_COMPLETE, NVME_CSTS_SHST_CMPLT)
	EQ(PHYR_NVME_CSTS_ST, 1u << 6);
	EQ(PHYR_NVME_NSSR_NSSRC, 0x4e564d65);
	PUT(PHYR_NVME_AQA_ASQS, NVME_AQA_ASQS);
	PUT(PHYR_NVME_AQA_ACQS, NVME_AQA_ACQS);
}

/* libnvme has the entry as the kernel's passthrough command, whose address is PRP1 and what follows PRP2. */
static void entries(void)
{
#define F(field, its) FIELD(sqe, passthru_cmd, field, its);
	SQE_FIELDS(F)
#undef F
	AT(sqe, prp2, 32, 8);
	EQ(sizeof(struct phyr_nvme_sqe), 1u << PHYR_NVME_SQES);
	EQ(PHYR_NVME_SQES, 6);
	EQ(PHYR_NVME_SQE_FUSE(0xc2), 2);
	EQ(PHYR_NVME_SQE_PSDT(0x41), 1);
	VALUE(NSID_ALL, NVME_NSID_ALL)
	EQ(sizeof(struct phyr_nvme_cqe), 1u << PHYR_NVME_CQES);
	EQ(PHYR_NVME_CQES, 4);
	AT(cqe, dw0_1, 0, 8);
	AT(cqe, dw2_3, 8, 8);
	EQ(PHYR_NVME_CQE_SQHD(0x0123456789abcdefull), 0xcdef);
	EQ(PHYR_NVME_CQE_SQID(0x0123456789abcdefull), 0x89ab);
	EQ(PHYR_NVME_CQE_CID(0x0123456789abcdefull), 0x4567);
	EQ(PHYR_NVME_CQE_P(0x0123456789abcdefull), 1);
	EQ(PHYR_NVME_CQE_STATUS(0x0123456789abcdefull), 0x91);
}

static void statuses(void)
{
	STATUSES(STATUS)
	VALUE(SCT_GENERIC, NVME_SCT_GENERIC)
	VALUE(SCT_SPECIFIC, NVME_SCT_CMD_SPECIFIC)
	VALUE(SCT_MEDIA, NVME_SCT_MEDIA)
	VALUE(SCT_PATH, NVME_SCT_PATH)
	VALUE(SCT_VENDOR, NVME_SCT_VS)
	EQ(PHYR_NVME_STATUS(NVME_SCT_MEDIA, 0x85), 0x285);
	EQ(PHYR_NVME_STATUS_CODE(0x7fff), NVME_SCT_MASK << NVME_SCT_SHIFT | NVME_SC_MASK);
	EQ(PHYR_NVME_STATUS_SC(0x7285), 0x85);
	EQ(PHYR_NVME_STATUS_SCT(0x7285), 2);
	EQ(PHYR_NVME_STATUS_CRD(NVME_SC_CRD), 3);
	VALUE(STATUS_M, NVME_SC_MORE)
	VALUE(STATUS_DNR, NVME_SC_DNR)
}

static void opcodes(void)
{
	OPCODES(VALUE)
}

static void commands(void)
{
	EQ(PHYR_NVME_CDW10_ABORT(2, 7), 0x00070002);
	EQ(PHYR_NVME_ABORT_NOT_ABORTED, 1);
	EQ(PHYR_NVME_CDW10_QUEUE(3, 63), 0x003f0003);
	EQ(PHYR_NVME_CDW11_PC, 1);
	EQ(PHYR_NVME_CDW11_IEN, 2);
	EQ(PHYR_NVME_CDW11_IV(5), 0x00050000);
	EQ(PHYR_NVME_CDW11_QPRIO(3), 6);
	EQ(PHYR_NVME_CDW11_CQID(3), 0x00030000);
	EQ(PHYR_NVME_FORMAT_LBAF(0x2b), 0x200b);
	EQ(PHYR_NVME_FORMAT_MSET, NVME_FORMAT_MSET_EXTENDED << 4);
	EQ(PHYR_NVME_FORMAT_PI(NVME_FORMAT_PI_TYPE3), 0x60);
	EQ(PHYR_NVME_FORMAT_PIL, NVME_FORMAT_PIL_FIRST << 8);
	EQ(PHYR_NVME_FORMAT_SES(2), 0x400);
	VALUE(FORMAT_SES_NONE, NVME_FORMAT_SES_NONE)
	VALUE(FORMAT_SES_USER_DATA, NVME_FORMAT_SES_USER_DATA_ERASE)
	VALUE(FORMAT_SES_CRYPTO, NVME_FORMAT_SES_CRYPTO_ERASE)
	EQ(PHYR_NVME_CDW12_NLB(65536), 0xffff);
	EQ(PHYR_NVME_CDW12_DTYPE(1), (unsigned)NVME_IO_DTYPE_STREAMS << 16);
	EQ(PHYR_NVME_CDW12_STC, (unsigned)NVME_IO_STC << 16);
	EQ(PHYR_NVME_CDW12_DEAC, (unsigned)NVME_IO_DEAC << 16);
	EQ(PHYR_NVME_CDW12_PRINFO(1), (unsigned)NVME_IO_PRINFO_PRCHK_REF << 16);
	EQ(PHYR_NVME_CDW12_PRINFO(8), (unsigned)NVME_IO_PRINFO_PRACT << 16);
	EQ(PHYR_NVME_CDW12_FUA, (unsigned)NVME_IO_FUA << 16);
	EQ(PHYR_NVME_CDW12_LR, (unsigned)NVME_IO_LR << 16);
	EQ(PHYR_NVME_DSM_NR(256), 255);
	EQ(PHYR_NVME_DSM_NR_MAX, 256);
	VALUE(DSM_IDR, NVME_DSMGMT_IDR)
	VALUE(DSM_IDW, NVME_DSMGMT_IDW)
	VALUE(DSM_AD, NVME_DSMGMT_AD)
	SIZE(dsm_range, dsm_range);
	FIELD(dsm_range, dsm_range, cattr, cattr);
	FIELD(dsm_range, dsm_range, nlb, nlb);
	FIELD(dsm_range, dsm_range, slba, slba);
}

static void features(void)
{
	EQ(PHYR_NVME_FEATURES_FID(0x84), 0x84);
	EQ(PHYR_NVME_FEATURES_SEL(NVME_GET_FEATURES_SEL_SUPPORTED), 0x300);
	EQ(PHYR_NVME_FEATURES_SV, 0x80000000u);
	VALUE(SEL_CURRENT, NVME_GET_FEATURES_SEL_CURRENT)
	VALUE(SEL_DEFAULT, NVME_GET_FEATURES_SEL_DEFAULT)
	VALUE(SEL_SAVED, NVME_GET_FEATURES_SEL_SAVED)
	VALUE(SEL_SUPPORTED, NVME_GET_FEATURES_SEL_SUPPORTED)
	EQ(PHYR_NVME_FEATURE_SAVEABLE, 1);
	EQ(PHYR_NVME_FEATURE_PER_NS, 2);
	EQ(PHYR_NVME_FEATURE_CHANGEABLE, 4);
	FEATURES(VALUE)
	PUT(PHYR_NVME_ARBITRATION_AB, NVME_FEAT_ARBITRATION_BURST);
	PUT(PHYR_NVME_ARBITRATION_LPW, NVME_FEAT_ARBITRATION_LPW);
	PUT(PHYR_NVME_ARBITRATION_MPW, NVME_FEAT_ARBITRATION_MPW);
	PUT(PHYR_NVME_ARBITRATION_HPW, NVME_FEAT_ARBITRATION_HPW);
	PUT(PHYR_NVME_POWER_PS, NVME_FEAT_PWRMGMT_PS);
	PUT(PHYR_NVME_POWER_WH, NVME_FEAT_PWRMGMT_WH);
	PUT(PHYR_NVME_TEMPERATURE_TMPTH, NVME_FEAT_TT_TMPTH);
	PUT(PHYR_NVME_TEMPERATURE_TMPSEL, NVME_FEAT_TT_TMPSEL);
	PUT(PHYR_NVME_COALESCING_TIME, NVME_FEAT_IRQC_TIME);
	PUT(PHYR_NVME_IRQ_CONFIG_IV, NVME_FEAT_ICFG_IV);
	PUT(PHYR_NVME_ERROR_RECOVERY_TLER, NVME_FEAT_ERROR_RECOVERY_TLER);
	EQ(PHYR_NVME_TEMPERATURE_OVER,
	   NVME_FEATURE_TEMPTHRESH_THSEL_OVER << NVME_FEAT_TT_THSEL_SHIFT);
	EQ(PHYR_NVME_TEMPERATURE_UNDER,
	   NVME_FEATURE_TEMPTHRESH_THSEL_UNDER << NVME_FEAT_TT_THSEL_SHIFT);
	BIT(PHYR_NVME_VOLATILE_CACHE_WCE, NVME_FEAT_VWC_WCE);
	EQ(PHYR_NVME_NUM_QUEUES(7),
	   7 << NVME_FEAT_NRQS_NSQR_SHIFT | 7 << NVME_FEAT_NRQS_NCQR_SHIFT);
	EQ(PHYR_NVME_NSQA(0x00050003), 3);
	EQ(PHYR_NVME_NCQA(0x00050003), 5);
	EQ(PHYR_NVME_COALESCING_THR(8), 7 << NVME_FEAT_IRQC_THR_SHIFT);
	BIT(PHYR_NVME_IRQ_CONFIG_CD, NVME_FEAT_ICFG_CD);
	BIT(PHYR_NVME_ERROR_RECOVERY_DULBE, NVME_FEAT_ERROR_RECOVERY_DULBE);
	BIT(PHYR_NVME_WRITE_ATOMICITY_DN, NVME_FEAT_WA_DN);
	VALUE(ASYNC_NAN, NVME_FEATURE_AENCFG_NOTICE_NAMESPACE_ATTRIBUTES)
	VALUE(ASYNC_FAN, NVME_FEATURE_AENCFG_NOTICE_FIRMWARE_ACTIVATION)
	VALUE(ASYNC_TLN, NVME_FEATURE_AENCFG_NOTICE_TELEMETRY_LOG)
	VALUE(ASYNC_ANACN, NVME_FEATURE_AENCFG_NOTICE_ANA_CHANGE)
}

static void events(void)
{
	const unsigned dw0 = 0x00c3a5fe;

	EQ(PHYR_NVME_AER_TYPE(dw0), 6);
	EQ(PHYR_NVME_AER_INFO(dw0), 0xa5);
	EQ(PHYR_NVME_AER_LOG(dw0), 0xc3);
	EVENTS(VALUE)
	EQ(PHYR_NVME_AER_IMMEDIATE, 3);
}

static void logs(void)
{
	EQ(PHYR_NVME_LOG_CDW10(NVME_LOG_LID_SMART, 512), 0x007f0002);
	EQ(PHYR_NVME_LOG_CDW10(1, 0x80000), 0xffff0001u);
	EQ(PHYR_NVME_LOG_CDW11(0x80000), 1);
	EQ(PHYR_NVME_LOG_CDW11(0x40000), 0);
	EQ(PHYR_NVME_LOG_LSP(1), 0x100);
	EQ(PHYR_NVME_LOG_RAE, 0x8000);
	EQ(PHYR_NVME_LOG_LSI(1), 0x10000);
	LOG_VALUES(VALUE)
	EQ(PHYR_NVME_EFFECTS_CSE(NVME_CMD_EFFECTS_CSE_MASK), 3);
}

static void log_fields(void)
{
	SIZE(error_log, error_log_page);
#define F(field, its) FIELD(error_log, error_log_page, field, its);
	ERROR_LOG_FIELDS(F)
#undef F
	SIZE(smart_log, smart_log);
#define F(field, its) FIELD(smart_log, smart_log, field, its);
	SMART_LOG_FIELDS(F)
#undef F
	SIZE(fw_slot_log, firmware_slot);
	FIELD(fw_slot_log, firmware_slot, afi, afi);
	FIELD(fw_slot_log, firmware_slot, bytes_1, rsvd1);
	FIELD(fw_slot_log, firmware_slot, frs, frs);
	FIELD(fw_slot_log, firmware_slot, bytes_64, rsvd2);
	SIZE(changed_ns_log, ns_list);
	FIELD(changed_ns_log, ns_list, nsid, ns);
	SIZE(effects_log, cmd_effects_log);
	FIELD(effects_log, cmd_effects_log, acs, acs);
	FIELD(effects_log, cmd_effects_log, iocs, iocs);
	FIELD(effects_log, cmd_effects_log, bytes_2048, rsvd);
}

static void identify(void)
{
	VALUE(ID_SIZE, NVME_IDENTIFY_DATA_SIZE)
	EQ(PHYR_NVME_CDW10_CNTID(1), 0x10000);
	EQ(PHYR_NVME_CDW11_CSI(NVME_CSI_ZNS), 0x02000000);
	ID_VALUES(VALUE)
	SIZE(id_ns_desc, ns_id_desc);
	FIELD(id_ns_desc, ns_id_desc, nidt, nidt);
	FIELD(id_ns_desc, ns_id_desc, nidl, nidl);
	FIELD(id_ns_desc, ns_id_desc, bytes_2, rsvd);
	SIZE(id_independent_ns, id_independent_id_ns);
#define F(field, its) FIELD(id_independent_ns, id_independent_id_ns, field, its);
	INDEPENDENT_NS_FIELDS(F)
#undef F
	SIZE(psd, id_psd);
#define F(field, its) FIELD(psd, id_psd, field, its);
	PSD_FIELDS(F)
#undef F
}

static void id_ctrl(void)
{
	SIZE(id_ctrl, id_ctrl);
#define F(field, its) FIELD(id_ctrl, id_ctrl, field, its);
	ID_CTRL_FIELDS(F)
#undef F
}

static void id_ctrl_bits(void)
{
	ID_CTRL_BITS(VALUE)
	EQ(PHYR_NVME_FRMW_SLOTS(0x17), 3);
	ID_CTRL_BITS_2(VALUE)
	EQ(PHYR_NVME_VWC_FLUSH_ALL(NVME_CTRL_VWC_FLUSH), 3);
}

static void id_ns(void)
{
	SIZE(lbaf, lbaf);
	FIELD(lbaf, lbaf, ms, ms);
	FIELD(lbaf, lbaf, lbads, ds);
	FIELD(lbaf, lbaf, rp, rp);
	SIZE(id_ns, id_ns);
#define F(field, its) FIELD(id_ns, id_ns, field, its);
	ID_NS_FIELDS(F)
#undef F
	AT(id_ns, vs, 384, 3712);
}

static void id_ns_bits(void)
{
	EQ(PHYR_NVME_LBADS_MIN, 9);
	EQ(PHYR_NVME_FLBAS_FORMAT(0x6f, 63),
	   NVME_NS_FLBAS_HIGHER_MASK >> 1 | NVME_NS_FLBAS_LOWER_MASK);
	EQ(PHYR_NVME_FLBAS_FORMAT(0x6f, 15), NVME_NS_FLBAS_LOWER_MASK);
	VALUE(FLBAS_EXTENDED, NVME_NS_FLBAS_META_EXT)
	VALUE(NSFEAT_THIN, NVME_NS_FEAT_THIN)
	VALUE(NSFEAT_ATOMIC, NVME_NS_FEAT_NATOMIC)
	VALUE(NSFEAT_DULBE, NVME_NS_FEAT_DULBE)
	VALUE(NSFEAT_NO_REUSE, NVME_NS_FEAT_ID_REUSE)
	VALUE(NSFEAT_OPTPERF, NVME_NS_FEAT_IO_OPT)
	EQ(PHYR_NVME_DLFEAT_READ(0xff), NVME_NS_DLFEAT_RB);
	VALUE(DLFEAT_UNKNOWN, NVME_NS_DLFEAT_RB_NR)
	VALUE(DLFEAT_ZEROES, NVME_NS_DLFEAT_RB_ALL_0S)
	VALUE(DLFEAT_ONES, NVME_NS_DLFEAT_RB_ALL_FS)
	VALUE(DLFEAT_DEAC, NVME_NS_DLFEAT_WRITE_ZEROES)
	VALUE(NMIC_SHARED, NVME_NS_NMIC_SHARED)
	VALUE(NSATTR_WRITE_PROTECTED, NVME_NS_NSATTR_WRITE_PROTECTED)
}

int main(void)
{
	registers();
	capabilities();
	configuration();
	entries();
	statuses();
	opcodes();
	commands();
	features();
	events();
	logs();
	log_fields();
	identify();
	id_ctrl();
	id_ctrl_bits();
	id_ns();
	id_ns_bits();
	printf("%u sizes, offsets and values compared, %u wrong\n", compared, wrong);
	return wrong || !compared;
}
