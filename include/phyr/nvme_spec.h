/* SPDX-License-Identifier: MIT */
/*
 * Layouts of NVM Express, by the specification's own names behind phyr_nvme_ and PHYR_NVME_, so that
 * a program can include other headers of such layouts too. For commands that are passed through.
 * Registers, queue entries and commands; nvme_data.h has the data that commands move.
 *
 * "Base" is NVM Express Base Specification 2.0, "NVM" is NVM Command Set Specification 1.0, "PCIe"
 * is NVMe over PCIe Transport Specification 1.0. All of it is little-endian.
 */
#ifndef PHYR_NVME_SPEC_H
#define PHYR_NVME_SPEC_H

#include <phyr/nvme_data.h>

/*
 * Registers.
 */

/* Controller properties, by offset: Base 3.1.3. */
#define PHYR_NVME_CAP    0x00 /* 8 bytes */
#define PHYR_NVME_VS     0x08
#define PHYR_NVME_INTMS  0x0c
#define PHYR_NVME_INTMC  0x10
#define PHYR_NVME_CC     0x14
#define PHYR_NVME_CSTS   0x1c
#define PHYR_NVME_NSSR   0x20
#define PHYR_NVME_AQA    0x24
#define PHYR_NVME_ASQ    0x28 /* 8 bytes */
#define PHYR_NVME_ACQ    0x30 /* 8 bytes */
#define PHYR_NVME_CMBLOC 0x38
#define PHYR_NVME_CMBSZ  0x3c
#define PHYR_NVME_BPINFO 0x40
#define PHYR_NVME_BPRSEL 0x44
#define PHYR_NVME_BPMBL  0x48 /* 8 bytes */
#define PHYR_NVME_CMBMSC 0x50 /* 8 bytes */
#define PHYR_NVME_CMBSTS 0x58
#define PHYR_NVME_CRTO   0x68

/* Doorbells: PCIe 3.1.2. Tail of submission queue y, then head of completion queue y. */
#define PHYR_NVME_DOORBELLS 0x1000
#define PHYR_NVME_SQTDBL(qid, stride_lg2) \
	(PHYR_NVME_DOORBELLS + ((2 * (uint64_t)(qid)) << (stride_lg2)))
#define PHYR_NVME_CQHDBL(qid, stride_lg2) \
	(PHYR_NVME_DOORBELLS + ((2 * (uint64_t)(qid) + 1) << (stride_lg2)))

/* CAP, controller capabilities: Base 3.1.3.1. */
#define PHYR_NVME_CAP_MQES(cap) ((uint32_t)(cap)&0xffff) /* entries of a queue, less 1 */
#define PHYR_NVME_CAP_CQR       (UINT64_C(1) << 16)      /* queues must be contiguous */
#define PHYR_NVME_CAP_AMS(cap)  ((uint32_t)((cap) >> 17) & 3)
#define PHYR_NVME_CAP_TO(cap)   ((uint32_t)((cap) >> 24) & 0xff) /* time to get ready, 500 ms */
#define PHYR_NVME_CAP_DSTRD(cap) \
	((uint32_t)((cap) >> 32) & 0xf)               /* doorbells are 4 << DSTRD apart */
#define PHYR_NVME_CAP_NSSRS       (UINT64_C(1) << 36) /* NSSR resets the subsystem */
#define PHYR_NVME_CAP_CSS(cap)    ((uint32_t)((cap) >> 37) & 0xff)
#define PHYR_NVME_CAP_CSS_NVM     (UINT64_C(1) << 37) /* has the NVM command set */
#define PHYR_NVME_CAP_CSS_IOCSS   (UINT64_C(1) << 43) /* has several I/O command sets */
#define PHYR_NVME_CAP_CSS_NOIOCSS (UINT64_C(1) << 44) /* has no I/O command set */
#define PHYR_NVME_CAP_BPS         (UINT64_C(1) << 45)
#define PHYR_NVME_CAP_CPS(cap)    ((uint32_t)((cap) >> 46) & 3)
#define PHYR_NVME_CAP_MPSMIN(cap) ((uint32_t)((cap) >> 48) & 0xf) /* page: 2^(12 + MPSMIN) */
#define PHYR_NVME_CAP_MPSMAX(cap) ((uint32_t)((cap) >> 52) & 0xf)
#define PHYR_NVME_CAP_PMRS        (UINT64_C(1) << 56)
#define PHYR_NVME_CAP_CMBS        (UINT64_C(1) << 57)
#define PHYR_NVME_CAP_NSSS        (UINT64_C(1) << 58)
#define PHYR_NVME_CAP_CRMS(cap)   ((uint32_t)((cap) >> 59) & 3)

/* VS, version: Base 3.1.3.2. Also VER of identify data. */
#define PHYR_NVME_VS_TER(vs) ((uint32_t)(vs)&0xff)
#define PHYR_NVME_VS_MNR(vs) ((uint32_t)(vs) >> 8 & 0xff)
#define PHYR_NVME_VS_MJR(vs) ((uint32_t)(vs) >> 16)

/* CC, controller configuration: Base 3.1.3.5. CSS 0: NVM command set; AMS 0: round robin. */
#define PHYR_NVME_CC_EN        UINT32_C(1)
#define PHYR_NVME_CC_CSS(v)    ((uint32_t)(v) << 4)
#define PHYR_NVME_CC_MPS(v)    ((uint32_t)(v) << 7)
#define PHYR_NVME_CC_AMS(v)    ((uint32_t)(v) << 11)
#define PHYR_NVME_CC_SHN(v)    ((uint32_t)(v) << 14)
#define PHYR_NVME_CC_IOSQES(v) ((uint32_t)(v) << 16)
#define PHYR_NVME_CC_IOCQES(v) ((uint32_t)(v) << 20)
#define PHYR_NVME_CC_CRIME     (UINT32_C(1) << 24)

/* Values of CC's fields. */
#define PHYR_NVME_CC_CSS_NVM    0
#define PHYR_NVME_CC_CSS_IOCSS  6
#define PHYR_NVME_CC_CSS_ADMIN  7
#define PHYR_NVME_CC_AMS_RR     0
#define PHYR_NVME_CC_AMS_WRRU   1
#define PHYR_NVME_CC_AMS_VS     7
#define PHYR_NVME_CC_SHN_NONE   0
#define PHYR_NVME_CC_SHN_NORMAL 1
#define PHYR_NVME_CC_SHN_ABRUPT 2

/* CSTS, controller status: Base 3.1.3.6. */
#define PHYR_NVME_CSTS_RDY            UINT32_C(1)
#define PHYR_NVME_CSTS_CFS            UINT32_C(2)
#define PHYR_NVME_CSTS_SHST(csts)     ((uint32_t)(csts) >> 2 & 3)
#define PHYR_NVME_CSTS_SHST_NORMAL    0
#define PHYR_NVME_CSTS_SHST_OCCURRING 1
#define PHYR_NVME_CSTS_SHST_COMPLETE  2
#define PHYR_NVME_CSTS_NSSRO          (UINT32_C(1) << 4)
#define PHYR_NVME_CSTS_PP             (UINT32_C(1) << 5)
#define PHYR_NVME_CSTS_ST             (UINT32_C(1) << 6)

/* NSSR, subsystem reset: Base 3.1.3.7. What is written to reset it: "NVMe". */
#define PHYR_NVME_NSSR_NSSRC UINT32_C(0x4e564d65)

/* AQA, admin queue attributes: Base 3.1.3.8. Both sizes in entries, less 1. */
#define PHYR_NVME_AQA_ASQS(v) ((uint32_t)(v))
#define PHYR_NVME_AQA_ACQS(v) ((uint32_t)(v) << 16)

/*
 * Queue entries.
 */

/** Submission queue entry: Base 3.3.3.1, figure 87. FUSE 0, PSDT 0: PRPs. */
struct phyr_nvme_sqe {
	uint8_t opc;
	uint8_t flags;
	uint16_t cid;
	uint32_t nsid;
	uint32_t cdw2;
	uint32_t cdw3;
	uint64_t mptr;
	uint64_t prp1;
	uint64_t prp2;
	uint32_t cdw10;
	uint32_t cdw11;
	uint32_t cdw12;
	uint32_t cdw13;
	uint32_t cdw14;
	uint32_t cdw15;
};
#define PHYR_NVME_SQES 6
PHYR_NVME_ASSERT(sizeof(struct phyr_nvme_sqe) == 1 << PHYR_NVME_SQES,
		 "a submission entry is 64 bytes");

/* The flags of an entry: Base 3.3.3.1, figure 86. */
#define PHYR_NVME_SQE_FUSE(flags) ((flags)&3u)
#define PHYR_NVME_SQE_PSDT(flags) ((unsigned)(flags) >> 6)

/* NSID: all namespaces, where a command takes that. Base 3.2.1.2. */
#define PHYR_NVME_NSID_ALL UINT32_C(0xffffffff)

/**
 * Completion queue entry: Base 3.3.3.2, figure 89. Two words of 8 bytes, because that is how they are
 * read: the second has the phase, so it comes first.
 */
struct phyr_nvme_cqe {
	uint64_t dw0_1; /* DW0: command specific */
	uint64_t dw2_3; /* SQHD, SQID, CID, P, status */
};
#define PHYR_NVME_CQES 4
PHYR_NVME_ASSERT(sizeof(struct phyr_nvme_cqe) == 1 << PHYR_NVME_CQES,
		 "a completion entry is 16 bytes");

#define PHYR_NVME_CQE_SQHD(w)   ((uint16_t)(w))
#define PHYR_NVME_CQE_SQID(w)   ((uint16_t)((w) >> 16))
#define PHYR_NVME_CQE_CID(w)    ((uint16_t)((w) >> 32))
#define PHYR_NVME_CQE_P(w)      ((unsigned)((w) >> 48) & 1)
#define PHYR_NVME_CQE_STATUS(w) ((uint16_t)((w) >> 49))

/* Status field: Base 3.3.3.2.1. Code in 7:0, type in 10:8; then retry delay, More, Do Not Retry. */
#define PHYR_NVME_STATUS(sct, sc) ((sct) << 8 | (sc))
#define PHYR_NVME_STATUS_CODE(sf) ((uint16_t)((sf)&0x7ff))
#define PHYR_NVME_STATUS_SC(sf)   ((uint8_t)(sf))
#define PHYR_NVME_STATUS_SCT(sf)  ((uint8_t)((sf) >> 8 & 7))
#define PHYR_NVME_STATUS_CRD(sf)  ((uint8_t)((sf) >> 11 & 3)) /* which of CRDT1 to 3 */
#define PHYR_NVME_STATUS_M        0x2000                      /* the error log says more */
#define PHYR_NVME_STATUS_DNR      0x4000                      /* it would fail again */

/** Status code types: Base 3.3.3.2.1, figure 93. */
enum {
	PHYR_NVME_SCT_GENERIC = 0,
	PHYR_NVME_SCT_SPECIFIC = 1, /* of the command: its opcode says what the code means */
	PHYR_NVME_SCT_MEDIA = 2,
	PHYR_NVME_SCT_PATH = 3,
	PHYR_NVME_SCT_VENDOR = 7,
};

/** Statuses, type << 8 | code. Generic: Base 3.3.3.2.1.1 (80h on: NVM 3.1). */
enum {
	PHYR_NVME_SC_SUCCESS = PHYR_NVME_STATUS(0, 0x00),
	PHYR_NVME_SC_INVALID_OPCODE = PHYR_NVME_STATUS(0, 0x01),
	PHYR_NVME_SC_INVALID_FIELD = PHYR_NVME_STATUS(0, 0x02),
	PHYR_NVME_SC_CID_CONFLICT = PHYR_NVME_STATUS(0, 0x03),
	PHYR_NVME_SC_DATA_TRANSFER = PHYR_NVME_STATUS(0, 0x04),
	PHYR_NVME_SC_POWER_LOSS = PHYR_NVME_STATUS(0, 0x05),
	PHYR_NVME_SC_INTERNAL = PHYR_NVME_STATUS(0, 0x06),
	PHYR_NVME_SC_ABORT_REQUESTED = PHYR_NVME_STATUS(0, 0x07),
	PHYR_NVME_SC_ABORT_SQ_DELETED = PHYR_NVME_STATUS(0, 0x08),
	PHYR_NVME_SC_FUSED_FAILED = PHYR_NVME_STATUS(0, 0x09),
	PHYR_NVME_SC_FUSED_MISSING = PHYR_NVME_STATUS(0, 0x0a),
	PHYR_NVME_SC_INVALID_NS = PHYR_NVME_STATUS(0, 0x0b),
	PHYR_NVME_SC_COMMAND_SEQUENCE = PHYR_NVME_STATUS(0, 0x0c),
	PHYR_NVME_SC_SGL_INVALID_LAST = PHYR_NVME_STATUS(0, 0x0d),
	PHYR_NVME_SC_SGL_INVALID_COUNT = PHYR_NVME_STATUS(0, 0x0e),
	PHYR_NVME_SC_SGL_INVALID_DATA = PHYR_NVME_STATUS(0, 0x0f),
	PHYR_NVME_SC_SGL_INVALID_METADATA = PHYR_NVME_STATUS(0, 0x10),
	PHYR_NVME_SC_SGL_INVALID_TYPE = PHYR_NVME_STATUS(0, 0x11),
	PHYR_NVME_SC_CMB_INVALID_USE = PHYR_NVME_STATUS(0, 0x12),
	PHYR_NVME_SC_PRP_INVALID_OFFSET = PHYR_NVME_STATUS(0, 0x13),
	PHYR_NVME_SC_ATOMIC_EXCEEDED = PHYR_NVME_STATUS(0, 0x14),
	PHYR_NVME_SC_DENIED = PHYR_NVME_STATUS(0, 0x15),
	PHYR_NVME_SC_SGL_INVALID_OFFSET = PHYR_NVME_STATUS(0, 0x16),
	PHYR_NVME_SC_HOST_ID_FORMAT = PHYR_NVME_STATUS(0, 0x18),
	PHYR_NVME_SC_KEEP_ALIVE_EXPIRED = PHYR_NVME_STATUS(0, 0x19),
	PHYR_NVME_SC_KEEP_ALIVE_INVALID = PHYR_NVME_STATUS(0, 0x1a),
	PHYR_NVME_SC_ABORT_PREEMPTED = PHYR_NVME_STATUS(0, 0x1b),
	PHYR_NVME_SC_SANITIZE_FAILED = PHYR_NVME_STATUS(0, 0x1c),
	PHYR_NVME_SC_SANITIZE_IN_PROGRESS = PHYR_NVME_STATUS(0, 0x1d),
	PHYR_NVME_SC_SGL_INVALID_GRANULARITY = PHYR_NVME_STATUS(0, 0x1e),
	PHYR_NVME_SC_CMB_QUEUE_UNSUPPORTED = PHYR_NVME_STATUS(0, 0x1f),
	PHYR_NVME_SC_NS_WRITE_PROTECTED = PHYR_NVME_STATUS(0, 0x20),
	PHYR_NVME_SC_INTERRUPTED = PHYR_NVME_STATUS(0, 0x21),
	PHYR_NVME_SC_TRANSPORT_TRANSIENT = PHYR_NVME_STATUS(0, 0x22),
	PHYR_NVME_SC_PROHIBITED = PHYR_NVME_STATUS(0, 0x23),
	PHYR_NVME_SC_MEDIA_NOT_READY = PHYR_NVME_STATUS(0, 0x24),
	PHYR_NVME_SC_LBA_RANGE = PHYR_NVME_STATUS(0, 0x80),
	PHYR_NVME_SC_CAPACITY_EXCEEDED = PHYR_NVME_STATUS(0, 0x81),
	PHYR_NVME_SC_NS_NOT_READY = PHYR_NVME_STATUS(0, 0x82),
	PHYR_NVME_SC_RESERVATION_CONFLICT = PHYR_NVME_STATUS(0, 0x83),
	PHYR_NVME_SC_FORMAT_IN_PROGRESS = PHYR_NVME_STATUS(0, 0x84),
};

/** Statuses, type << 8 | code. Of commands: Base 3.3.3.2.1.2 (80h on: NVM 3.1). */
enum {
	PHYR_NVME_SC_CQ_INVALID = PHYR_NVME_STATUS(1, 0x00),
	PHYR_NVME_SC_QID_INVALID = PHYR_NVME_STATUS(1, 0x01),
	PHYR_NVME_SC_QUEUE_SIZE = PHYR_NVME_STATUS(1, 0x02),
	PHYR_NVME_SC_ABORT_LIMIT = PHYR_NVME_STATUS(1, 0x03),
	PHYR_NVME_SC_ASYNC_LIMIT = PHYR_NVME_STATUS(1, 0x05),
	PHYR_NVME_SC_FW_SLOT = PHYR_NVME_STATUS(1, 0x06),
	PHYR_NVME_SC_FW_IMAGE = PHYR_NVME_STATUS(1, 0x07),
	PHYR_NVME_SC_INVALID_VECTOR = PHYR_NVME_STATUS(1, 0x08),
	PHYR_NVME_SC_INVALID_LOG_PAGE = PHYR_NVME_STATUS(1, 0x09),
	PHYR_NVME_SC_INVALID_FORMAT = PHYR_NVME_STATUS(1, 0x0a),
	PHYR_NVME_SC_FW_NEEDS_CONVENTIONAL_RESET = PHYR_NVME_STATUS(1, 0x0b),
	PHYR_NVME_SC_INVALID_QUEUE_DELETION = PHYR_NVME_STATUS(1, 0x0c),
	PHYR_NVME_SC_FEATURE_NOT_SAVEABLE = PHYR_NVME_STATUS(1, 0x0d),
	PHYR_NVME_SC_FEATURE_NOT_CHANGEABLE = PHYR_NVME_STATUS(1, 0x0e),
	PHYR_NVME_SC_FEATURE_NOT_PER_NS = PHYR_NVME_STATUS(1, 0x0f),
	PHYR_NVME_SC_FW_NEEDS_SUBSYSTEM_RESET = PHYR_NVME_STATUS(1, 0x10),
	PHYR_NVME_SC_FW_NEEDS_RESET = PHYR_NVME_STATUS(1, 0x11),
	PHYR_NVME_SC_FW_NEEDS_TIME = PHYR_NVME_STATUS(1, 0x12),
	PHYR_NVME_SC_FW_PROHIBITED = PHYR_NVME_STATUS(1, 0x13),
	PHYR_NVME_SC_OVERLAPPING_RANGE = PHYR_NVME_STATUS(1, 0x14),
	PHYR_NVME_SC_NS_INSUFFICIENT_CAPACITY = PHYR_NVME_STATUS(1, 0x15),
	PHYR_NVME_SC_NS_ID_UNAVAILABLE = PHYR_NVME_STATUS(1, 0x16),
	PHYR_NVME_SC_NS_ALREADY_ATTACHED = PHYR_NVME_STATUS(1, 0x18),
	PHYR_NVME_SC_NS_IS_PRIVATE = PHYR_NVME_STATUS(1, 0x19),
	PHYR_NVME_SC_NS_NOT_ATTACHED = PHYR_NVME_STATUS(1, 0x1a),
	PHYR_NVME_SC_THIN_UNSUPPORTED = PHYR_NVME_STATUS(1, 0x1b),
	PHYR_NVME_SC_CTRL_LIST_INVALID = PHYR_NVME_STATUS(1, 0x1c),
	PHYR_NVME_SC_SELF_TEST_IN_PROGRESS = PHYR_NVME_STATUS(1, 0x1d),
	PHYR_NVME_SC_BOOT_WRITE_PROHIBITED = PHYR_NVME_STATUS(1, 0x1e),
	PHYR_NVME_SC_INVALID_CTRL_ID = PHYR_NVME_STATUS(1, 0x1f),
	PHYR_NVME_SC_INVALID_SECONDARY_STATE = PHYR_NVME_STATUS(1, 0x20),
	PHYR_NVME_SC_INVALID_CTRL_RESOURCES = PHYR_NVME_STATUS(1, 0x21),
	PHYR_NVME_SC_INVALID_RESOURCE_ID = PHYR_NVME_STATUS(1, 0x22),
	PHYR_NVME_SC_IOCS_UNSUPPORTED = PHYR_NVME_STATUS(1, 0x29),
	PHYR_NVME_SC_IOCS_NOT_ENABLED = PHYR_NVME_STATUS(1, 0x2a),
	PHYR_NVME_SC_IOCS_REJECTED = PHYR_NVME_STATUS(1, 0x2b),
	PHYR_NVME_SC_INVALID_IOCS = PHYR_NVME_STATUS(1, 0x2c),
	PHYR_NVME_SC_ID_UNAVAILABLE = PHYR_NVME_STATUS(1, 0x2d),
	PHYR_NVME_SC_CONFLICTING_ATTRIBUTES = PHYR_NVME_STATUS(1, 0x80),
	PHYR_NVME_SC_INVALID_PROTECTION = PHYR_NVME_STATUS(1, 0x81),
	PHYR_NVME_SC_READ_ONLY = PHYR_NVME_STATUS(1, 0x82),
	PHYR_NVME_SC_COMMAND_SIZE = PHYR_NVME_STATUS(1, 0x83),
};

/** Statuses, type << 8 | code. Media: Base 3.3.3.2.1.3, NVM 3.1. Path: Base 3.3.3.2.1.4. */
enum {
	PHYR_NVME_SC_WRITE_FAULT = PHYR_NVME_STATUS(2, 0x80),
	PHYR_NVME_SC_READ_ERROR = PHYR_NVME_STATUS(2, 0x81),
	PHYR_NVME_SC_GUARD_CHECK = PHYR_NVME_STATUS(2, 0x82),
	PHYR_NVME_SC_APP_TAG_CHECK = PHYR_NVME_STATUS(2, 0x83),
	PHYR_NVME_SC_REF_TAG_CHECK = PHYR_NVME_STATUS(2, 0x84),
	PHYR_NVME_SC_COMPARE_FAILURE = PHYR_NVME_STATUS(2, 0x85),
	PHYR_NVME_SC_ACCESS_DENIED = PHYR_NVME_STATUS(2, 0x86),
	PHYR_NVME_SC_UNWRITTEN_BLOCK = PHYR_NVME_STATUS(2, 0x87),
	PHYR_NVME_SC_INTERNAL_PATH = PHYR_NVME_STATUS(3, 0x00),
	PHYR_NVME_SC_ANA_PERSISTENT_LOSS = PHYR_NVME_STATUS(3, 0x01),
	PHYR_NVME_SC_ANA_INACCESSIBLE = PHYR_NVME_STATUS(3, 0x02),
	PHYR_NVME_SC_ANA_TRANSITION = PHYR_NVME_STATUS(3, 0x03),
	PHYR_NVME_SC_CTRL_PATH = PHYR_NVME_STATUS(3, 0x60),
	PHYR_NVME_SC_HOST_PATH = PHYR_NVME_STATUS(3, 0x70),
	PHYR_NVME_SC_ABORTED_BY_HOST = PHYR_NVME_STATUS(3, 0x71),
};

/*
 * Commands.
 */

/** Admin opcodes: Base 5, figure 138; NVM 4.1. */
enum {
	PHYR_NVME_ADMIN_DELETE_SQ = 0x00,
	PHYR_NVME_ADMIN_CREATE_SQ = 0x01,
	PHYR_NVME_ADMIN_GET_LOG_PAGE = 0x02,
	PHYR_NVME_ADMIN_DELETE_CQ = 0x04,
	PHYR_NVME_ADMIN_CREATE_CQ = 0x05,
	PHYR_NVME_ADMIN_IDENTIFY = 0x06,
	PHYR_NVME_ADMIN_ABORT = 0x08,
	PHYR_NVME_ADMIN_SET_FEATURES = 0x09,
	PHYR_NVME_ADMIN_GET_FEATURES = 0x0a,
	PHYR_NVME_ADMIN_ASYNC_EVENT = 0x0c,
	PHYR_NVME_ADMIN_NS_MANAGEMENT = 0x0d,
	PHYR_NVME_ADMIN_FW_COMMIT = 0x10,
	PHYR_NVME_ADMIN_FW_DOWNLOAD = 0x11,
	PHYR_NVME_ADMIN_SELF_TEST = 0x14,
	PHYR_NVME_ADMIN_NS_ATTACHMENT = 0x15,
	PHYR_NVME_ADMIN_KEEP_ALIVE = 0x18,
	PHYR_NVME_ADMIN_DIRECTIVE_SEND = 0x19,
	PHYR_NVME_ADMIN_DIRECTIVE_RECEIVE = 0x1a,
	PHYR_NVME_ADMIN_VIRT_MANAGEMENT = 0x1c,
	PHYR_NVME_ADMIN_MI_SEND = 0x1d,
	PHYR_NVME_ADMIN_MI_RECEIVE = 0x1e,
	PHYR_NVME_ADMIN_CAPACITY_MANAGEMENT = 0x20,
	PHYR_NVME_ADMIN_LOCKDOWN = 0x24,
	PHYR_NVME_ADMIN_DOORBELL_BUFFER = 0x7c,
	PHYR_NVME_ADMIN_FABRICS = 0x7f,
	PHYR_NVME_ADMIN_FORMAT_NVM = 0x80,
	PHYR_NVME_ADMIN_SECURITY_SEND = 0x81,
	PHYR_NVME_ADMIN_SECURITY_RECEIVE = 0x82,
	PHYR_NVME_ADMIN_SANITIZE = 0x84,
	PHYR_NVME_ADMIN_GET_LBA_STATUS = 0x86,
};

/** I/O opcodes: Base figure 390 (flush, reservations), NVM 3.2, figure 21. */
enum {
	PHYR_NVME_CMD_FLUSH = 0x00,
	PHYR_NVME_CMD_WRITE = 0x01,
	PHYR_NVME_CMD_READ = 0x02,
	PHYR_NVME_CMD_WRITE_UNCORRECTABLE = 0x04,
	PHYR_NVME_CMD_COMPARE = 0x05,
	PHYR_NVME_CMD_WRITE_ZEROES = 0x08,
	PHYR_NVME_CMD_DSM = 0x09,
	PHYR_NVME_CMD_VERIFY = 0x0c,
	PHYR_NVME_CMD_RESERVATION_REGISTER = 0x0d,
	PHYR_NVME_CMD_RESERVATION_REPORT = 0x0e,
	PHYR_NVME_CMD_RESERVATION_ACQUIRE = 0x11,
	PHYR_NVME_CMD_RESERVATION_RELEASE = 0x15,
	PHYR_NVME_CMD_COPY = 0x19,
};

/* Abort: Base 5.1. In DW0 of its completion: the command was not aborted. */
#define PHYR_NVME_CDW10_ABORT(sqid, cid) ((uint32_t)(sqid) | (uint32_t)(cid) << 16)
#define PHYR_NVME_ABORT_NOT_ABORTED      UINT32_C(1)

/* Create I/O completion and submission queue: Base 5.4 and 5.5. */
#define PHYR_NVME_CDW10_QUEUE(qid, qsize) ((uint32_t)(qid) | (uint32_t)(qsize) << 16)
#define PHYR_NVME_CDW11_PC                UINT32_C(1)
#define PHYR_NVME_CDW11_IEN               UINT32_C(2)
#define PHYR_NVME_CDW11_IV(vector)        ((uint32_t)(vector) << 16)
#define PHYR_NVME_CDW11_QPRIO(prio)       ((uint32_t)(prio) << 1)
#define PHYR_NVME_CDW11_CQID(qid)         ((uint32_t)(qid) << 16)

/* Format NVM: Base 5.14, CDW10. */
#define PHYR_NVME_FORMAT_LBAF(format) \
	(((uint32_t)(format)&0xf) | ((uint32_t)(format) >> 4 & 3) << 12)
#define PHYR_NVME_FORMAT_MSET          (UINT32_C(1) << 4)
#define PHYR_NVME_FORMAT_PI(type)      ((uint32_t)(type) << 5)
#define PHYR_NVME_FORMAT_PIL           (UINT32_C(1) << 8)
#define PHYR_NVME_FORMAT_SES(ses)      ((uint32_t)(ses) << 9)
#define PHYR_NVME_FORMAT_SES_NONE      0
#define PHYR_NVME_FORMAT_SES_USER_DATA 1
#define PHYR_NVME_FORMAT_SES_CRYPTO    2

/* Read, write, compare, write zeroes: NVM 3.2, CDW12. NLB is less 1. */
#define PHYR_NVME_CDW12_NLB(nr)     ((uint32_t)(nr)-1)
#define PHYR_NVME_CDW12_DTYPE(type) ((uint32_t)(type) << 20)
#define PHYR_NVME_CDW12_STC         (UINT32_C(1) << 24)
#define PHYR_NVME_CDW12_DEAC        (UINT32_C(1) << 25) /* of write zeroes */
#define PHYR_NVME_CDW12_PRINFO(v)   ((uint32_t)(v) << 26)
#define PHYR_NVME_CDW12_FUA         (UINT32_C(1) << 30)
#define PHYR_NVME_CDW12_LR          (UINT32_C(1) << 31)

/* Dataset Management: NVM 3.2.3, CDW10 (ranges, less 1) and CDW11. */
#define PHYR_NVME_DSM_NR(nr) ((uint32_t)(nr)-1)
#define PHYR_NVME_DSM_NR_MAX 256
#define PHYR_NVME_DSM_IDR    UINT32_C(1)
#define PHYR_NVME_DSM_IDW    UINT32_C(2)
#define PHYR_NVME_DSM_AD     UINT32_C(4)

/** A range of Dataset Management: NVM 3.2.3, figure 44. */
struct phyr_nvme_dsm_range {
	uint32_t cattr;
	uint32_t nlb; /* blocks, not less 1 */
	uint64_t slba;
};
PHYR_NVME_ASSERT(sizeof(struct phyr_nvme_dsm_range) == 16, "a range is 16 bytes");

/*
 * Features.
 */

/* Set and Get Features: Base 5.27 and 5.15, CDW10. */
#define PHYR_NVME_FEATURES_FID(fid) ((uint32_t)(fid))
#define PHYR_NVME_FEATURES_SEL(sel) ((uint32_t)(sel) << 8)
#define PHYR_NVME_FEATURES_SV       (UINT32_C(1) << 31)
#define PHYR_NVME_SEL_CURRENT       0
#define PHYR_NVME_SEL_DEFAULT       1
#define PHYR_NVME_SEL_SAVED         2
#define PHYR_NVME_SEL_SUPPORTED     3

/* What Get Features says with PHYR_NVME_SEL_SUPPORTED: Base 5.15.1, DW0. */
#define PHYR_NVME_FEATURE_SAVEABLE   UINT32_C(1)
#define PHYR_NVME_FEATURE_PER_NS     UINT32_C(2)
#define PHYR_NVME_FEATURE_CHANGEABLE UINT32_C(4)

/** Feature identifiers: Base 5.27.1, figure 317; NVM 4.1.3. */
enum {
	PHYR_NVME_FEAT_ARBITRATION = 0x01,
	PHYR_NVME_FEAT_POWER_MANAGEMENT = 0x02,
	PHYR_NVME_FEAT_LBA_RANGE_TYPE = 0x03,
	PHYR_NVME_FEAT_TEMPERATURE = 0x04,
	PHYR_NVME_FEAT_ERROR_RECOVERY = 0x05,
	PHYR_NVME_FEAT_VOLATILE_CACHE = 0x06,
	PHYR_NVME_FEAT_NUM_QUEUES = 0x07,
	PHYR_NVME_FEAT_IRQ_COALESCING = 0x08,
	PHYR_NVME_FEAT_IRQ_CONFIG = 0x09,
	PHYR_NVME_FEAT_WRITE_ATOMICITY = 0x0a,
	PHYR_NVME_FEAT_ASYNC_EVENT = 0x0b,
	PHYR_NVME_FEAT_APST = 0x0c,
	PHYR_NVME_FEAT_HOST_MEM_BUFFER = 0x0d,
	PHYR_NVME_FEAT_TIMESTAMP = 0x0e,
	PHYR_NVME_FEAT_KEEP_ALIVE = 0x0f,
	PHYR_NVME_FEAT_HOST_THERMAL = 0x10,
	PHYR_NVME_FEAT_NON_OPERATIONAL_POWER = 0x11,
	PHYR_NVME_FEAT_READ_RECOVERY_LEVEL = 0x12,
	PHYR_NVME_FEAT_HOST_BEHAVIOR = 0x16,
	PHYR_NVME_FEAT_SANITIZE = 0x17,
	PHYR_NVME_FEAT_IOCS_PROFILE = 0x19,
	PHYR_NVME_FEAT_SOFTWARE_PROGRESS = 0x80,
	PHYR_NVME_FEAT_HOST_ID = 0x81,
	PHYR_NVME_FEAT_RESERVATION_MASK = 0x82,
	PHYR_NVME_FEAT_RESERVATION_PERSIST = 0x83,
	PHYR_NVME_FEAT_WRITE_PROTECT = 0x84,
};

/* Arbitration: Base 5.27.1.1. */
#define PHYR_NVME_ARBITRATION_AB(v)  ((uint32_t)(v))
#define PHYR_NVME_ARBITRATION_LPW(v) ((uint32_t)(v) << 8)
#define PHYR_NVME_ARBITRATION_MPW(v) ((uint32_t)(v) << 16)
#define PHYR_NVME_ARBITRATION_HPW(v) ((uint32_t)(v) << 24)

/* Power Management: Base 5.27.1.2. */
#define PHYR_NVME_POWER_PS(v) ((uint32_t)(v))
#define PHYR_NVME_POWER_WH(v) ((uint32_t)(v) << 5)

/* Temperature Threshold: Base 5.27.1.3. Kelvin; sensor 0: the composite one. */
#define PHYR_NVME_TEMPERATURE_TMPTH(kelvin)  ((uint32_t)(kelvin))
#define PHYR_NVME_TEMPERATURE_TMPSEL(sensor) ((uint32_t)(sensor) << 16)
#define PHYR_NVME_TEMPERATURE_OVER           0
#define PHYR_NVME_TEMPERATURE_UNDER          (UINT32_C(1) << 20)

/* Volatile Write Cache: Base 5.27.1.4. */
#define PHYR_NVME_VOLATILE_CACHE_WCE UINT32_C(1)

/* Number of Queues: Base 5.27.1.5. Counts less 1, wanted and, in DW0, allocated. */
#define PHYR_NVME_NUM_QUEUES(v) ((uint32_t)(v) | (uint32_t)(v) << 16)
#define PHYR_NVME_NSQA(dw0)     ((uint32_t)(dw0)&0xffff)
#define PHYR_NVME_NCQA(dw0)     ((uint32_t)(dw0) >> 16)

/* Interrupt Coalescing and Interrupt Vector Configuration: Base 5.27.1.6 and 5.27.1.7. */
#define PHYR_NVME_COALESCING_THR(entries) ((uint32_t)(entries)-1)
#define PHYR_NVME_COALESCING_TIME(us_100) ((uint32_t)(us_100) << 8)
#define PHYR_NVME_IRQ_CONFIG_IV(vector)   ((uint32_t)(vector))
#define PHYR_NVME_IRQ_CONFIG_CD           (UINT32_C(1) << 16) /* coalescing disabled */

/* Error Recovery and Write Atomicity Normal: NVM 4.1.3.2 and 4.1.3.3. */
#define PHYR_NVME_ERROR_RECOVERY_TLER(ms_100) ((uint32_t)(ms_100))
#define PHYR_NVME_ERROR_RECOVERY_DULBE        (UINT32_C(1) << 16)
#define PHYR_NVME_WRITE_ATOMICITY_DN          UINT32_C(1)

/* Asynchronous Event Configuration: Base 5.27.1.8. 7:0: the bits of SMART's critical warning. */
#define PHYR_NVME_ASYNC_NAN   (UINT32_C(1) << 8)  /* namespace attribute notices */
#define PHYR_NVME_ASYNC_FAN   (UINT32_C(1) << 9)  /* firmware activation notices */
#define PHYR_NVME_ASYNC_TLN   (UINT32_C(1) << 10) /* telemetry log notices */
#define PHYR_NVME_ASYNC_ANACN (UINT32_C(1) << 11) /* asymmetric access change notices */

/*
 * Asynchronous events: Base 5.2.1, DW0 of the completion.
 */

#define PHYR_NVME_AER_TYPE(dw0) ((uint8_t)((dw0)&7))
#define PHYR_NVME_AER_INFO(dw0) ((uint8_t)((dw0) >> 8))
#define PHYR_NVME_AER_LOG(dw0)  ((uint8_t)((dw0) >> 16)) /* reading it clears the event */

/** Types of events: Base 5.2.1, figure 146. */
enum {
	PHYR_NVME_AER_ERROR = 0,
	PHYR_NVME_AER_SMART = 1,
	PHYR_NVME_AER_NOTICE = 2,
	PHYR_NVME_AER_IMMEDIATE = 3,
	PHYR_NVME_AER_IOCS = 6,
	PHYR_NVME_AER_VENDOR = 7,
};

/** What happened, by type: Base 5.2.1, figures 147 to 151. */
enum {
	PHYR_NVME_AER_ERROR_DOORBELL_REGISTER = 0x00, /* a write to the doorbell of no queue */
	PHYR_NVME_AER_ERROR_DOORBELL_VALUE = 0x01,
	PHYR_NVME_AER_ERROR_DIAGNOSTIC = 0x02,
	PHYR_NVME_AER_ERROR_PERSISTENT = 0x03,
	PHYR_NVME_AER_ERROR_TRANSIENT = 0x04,
	PHYR_NVME_AER_ERROR_FW_LOAD = 0x05,
	PHYR_NVME_AER_SMART_RELIABILITY = 0x00,
	PHYR_NVME_AER_SMART_TEMPERATURE = 0x01,
	PHYR_NVME_AER_SMART_SPARE = 0x02,
	PHYR_NVME_AER_NOTICE_NS_CHANGED = 0x00,
	PHYR_NVME_AER_NOTICE_FW_ACTIVATION = 0x01,
	PHYR_NVME_AER_NOTICE_TELEMETRY = 0x02,
	PHYR_NVME_AER_NOTICE_ANA_CHANGE = 0x03,
	PHYR_NVME_AER_IOCS_RESERVATION = 0x00,
	PHYR_NVME_AER_IOCS_SANITIZE_DONE = 0x01,
};

#endif
