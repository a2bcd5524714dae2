/* SPDX-License-Identifier: MIT */
/*
 * What the simulated NVMe controller takes from the specifications, by their names.
 *
 * Base: NVM Express Base Specification 2.0; NVM: NVM Command Set Specification 1.0; PCIe: NVMe over
 * PCIe Transport Specification 1.0. Written for the simulation alone: the driver has its own.
 */
#ifndef SIM_NVME_SPEC_H
#define SIM_NVME_SPEC_H

/* Controller properties, byte offsets. Base 3.1.3; doorbells PCIe 3.1.2. */
enum nvme_property {
	NVME_CAP = 0x00,
	NVME_VS = 0x08,
	NVME_INTMS = 0x0c,
	NVME_INTMC = 0x10,
	NVME_CC = 0x14,
	NVME_CSTS = 0x1c,
	NVME_AQA = 0x24,
	NVME_ASQ = 0x28,
	NVME_ACQ = 0x30,
	NVME_CRTO = 0x68,
	NVME_DOORBELLS = 0x1000,
};

/* CAP, first bit of each field. Base 3.1.3.1. */
#define NVME_CAP_MQES   0
#define NVME_CAP_CQR    16
#define NVME_CAP_TO     24 /* in units of 500 ms */
#define NVME_CAP_DSTRD  32
#define NVME_CAP_CSS    37
#define NVME_CAP_MPSMIN 48
#define NVME_CAP_MPSMAX 52
#define NVME_CAP_CRWMS  59

/* VS: revision 2.0. Base 3.1.3.2. */
#define NVME_VS_2_0 0x00020000u

/* CC. Base 3.1.3.5. */
#define NVME_CC_EN         (1u << 0)
#define NVME_CC_WRITABLE   0x00fffff1u /* CRIME only where CAP.CRMS has CRIMS, which we lack */
#define NVME_CC_CSS(cc)    ((cc) >> 4 & 7)
#define NVME_CC_MPS(cc)    ((cc) >> 7 & 15)
#define NVME_CC_AMS(cc)    ((cc) >> 11 & 7)
#define NVME_CC_SHN(cc)    ((cc) >> 14 & 3)
#define NVME_CC_IOSQES(cc) ((cc) >> 16 & 15)
#define NVME_CC_IOCQES(cc) ((cc) >> 20 & 15)
#define NVME_SHN_NORMAL    1
#define NVME_SHN_ABRUPT    2

/* CSTS. Base 3.1.3.6. */
#define NVME_CSTS_RDY  (1u << 0)
#define NVME_CSTS_CFS  (1u << 1)
#define NVME_CSTS_SHST 2
enum nvme_shst { NVME_SHST_NORMAL = 0, NVME_SHST_OCCURRING = 1, NVME_SHST_COMPLETE = 2 };

/* AQA: entries less one. Base 3.1.3.8. */
#define NVME_AQA_WRITABLE  0x0fff0fffu
#define NVME_AQA_ASQS(aqa) ((aqa)&0xfff)
#define NVME_AQA_ACQS(aqa) ((aqa) >> 16 & 0xfff)

/* Queue entries: 2^6 and 2^4 bytes. Base 3.3.3. */
#define NVME_SQE_LG2 6
#define NVME_CQE_LG2 4

/* CDW0 of a submission queue entry. Base 3.3.3.1. */
#define NVME_CDW0_OPC(dw)  ((dw)&0xff)
#define NVME_CDW0_FUSE(dw) ((dw) >> 8 & 3)
#define NVME_CDW0_PSDT(dw) ((dw) >> 14 & 3)
#define NVME_CDW0_CID(dw)  ((dw) >> 16)

/*
 * The status field of a completion queue entry without its phase bit: SC 7:0, SCT 10:8, M 13,
 * DNR 14. Base 3.3.3.2.1; the codes at 80h and above NVM 3.1 (type 0) and Base (type 2).
 */
#define NVME_DNR                (1u << 14)
#define NVME_MORE               (1u << 13) /* in the error log */
#define NVME_STATUS(type, code) ((type) << 8 | (code))
enum nvme_status {
	NVME_SUCCESS = NVME_STATUS(0, 0x00),
	NVME_INVALID_OPCODE = NVME_STATUS(0, 0x01),
	NVME_INVALID_FIELD = NVME_STATUS(0, 0x02),
	NVME_DATA_TRANSFER_ERROR = NVME_STATUS(0, 0x04),
	NVME_INTERNAL_ERROR = NVME_STATUS(0, 0x06),
	NVME_ABORT_REQUESTED = NVME_STATUS(0, 0x07),
	NVME_ABORTED_SQ_DELETION = NVME_STATUS(0, 0x08),
	NVME_INVALID_NAMESPACE = NVME_STATUS(0, 0x0b),
	NVME_COMMAND_SEQUENCE_ERROR = NVME_STATUS(0, 0x0c),
	NVME_PRP_OFFSET_INVALID = NVME_STATUS(0, 0x13),
	NVME_WRITE_PROTECTED = NVME_STATUS(0, 0x20),
	NVME_LBA_OUT_OF_RANGE = NVME_STATUS(0, 0x80),
	NVME_CQ_INVALID = NVME_STATUS(1, 0x00),
	NVME_INVALID_QUEUE_ID = NVME_STATUS(1, 0x01),
	NVME_INVALID_QUEUE_SIZE = NVME_STATUS(1, 0x02),
	NVME_ABORT_LIMIT_EXCEEDED = NVME_STATUS(1, 0x03),
	NVME_EVENT_LIMIT_EXCEEDED = NVME_STATUS(1, 0x05),
	NVME_INVALID_VECTOR = NVME_STATUS(1, 0x08),
	NVME_INVALID_LOG_PAGE = NVME_STATUS(1, 0x09),
	NVME_INVALID_FORMAT = NVME_STATUS(1, 0x0a),
	NVME_INVALID_QUEUE_DELETION = NVME_STATUS(1, 0x0c),
	NVME_FEATURE_NOT_SAVEABLE = NVME_STATUS(1, 0x0d),
	NVME_FEATURE_NOT_NAMESPACE = NVME_STATUS(1, 0x0f),
	NVME_WRITE_FAULT = NVME_STATUS(2, 0x80),
	NVME_UNRECOVERED_READ = NVME_STATUS(2, 0x81),
	NVME_COMPARE_FAILURE = NVME_STATUS(2, 0x85),
};

/* Admin commands. Base 5. */
enum nvme_admin_opcode {
	NVME_DELETE_SQ = 0x00,
	NVME_CREATE_SQ = 0x01,
	NVME_GET_LOG_PAGE = 0x02,
	NVME_DELETE_CQ = 0x04,
	NVME_CREATE_CQ = 0x05,
	NVME_IDENTIFY = 0x06,
	NVME_ABORT = 0x08,
	NVME_SET_FEATURES = 0x09,
	NVME_GET_FEATURES = 0x0a,
	NVME_EVENT_REQUEST = 0x0c,
	NVME_FORMAT = 0x80,
};

/* I/O commands. NVM 3.2; Flush Base 7.1. */
enum nvme_io_opcode {
	NVME_FLUSH = 0x00,
	NVME_WRITE = 0x01,
	NVME_READ = 0x02,
	NVME_COMPARE = 0x05,
	NVME_WRITE_ZEROES = 0x08,
	NVME_DATASET_MANAGEMENT = 0x09,
};

/* Create and Delete I/O Completion Queue and I/O Submission Queue. Base 5.4 to 5.7. */
#define NVME_QUEUE_ID(dw10)     ((dw10)&0xffff)
#define NVME_CREATE_QSIZE(dw10) ((dw10) >> 16) /* entries less one */
#define NVME_CREATE_PC          (1u << 0)
#define NVME_CREATE_IEN         (1u << 1)
#define NVME_CREATE_IV(dw11)    ((dw11) >> 16)
#define NVME_CREATE_CQID(dw11)  ((dw11) >> 16)

/* Identify. Base 5.17. */
#define NVME_IDENTIFY_BYTES     4096u
#define NVME_IDENTIFY_CNS(dw10) ((dw10)&0xff)
#define NVME_IDENTIFY_CSI(dw11) ((dw11) >> 24)
#define NVME_CSI_NVM            0
enum nvme_cns {
	NVME_CNS_NAMESPACE = 0x00,
	NVME_CNS_CONTROLLER = 0x01,
	NVME_CNS_ACTIVE_LIST = 0x02,
	NVME_CNS_DESCRIPTORS = 0x03,
	NVME_CNS_COMMAND_SET_CONTROLLER = 0x06,
};
#define NVME_NIDT_UUID    3
#define NVME_NSID_ALL     0xffffffffu
#define NVME_NSID_HIGHEST 0xfffffffdu

/* Features. Base 5.15, 5.27; their identifiers and dword 11 Base 5.27.1, of 05h and 0Ah NVM 4.1.3. */
#define NVME_FEATURE_ID(dw10)     ((dw10)&0xff)
#define NVME_FEATURE_SELECT(dw10) ((dw10) >> 8 & 7)
#define NVME_FEATURE_SAVE         (1u << 31)
enum nvme_feature {
	NVME_FEATURE_ARBITRATION = 0x01,
	NVME_FEATURE_POWER = 0x02,
	NVME_FEATURE_TEMPERATURE = 0x04,
	NVME_FEATURE_ERROR_RECOVERY = 0x05,
	NVME_FEATURE_WRITE_CACHE = 0x06,
	NVME_FEATURE_QUEUES = 0x07,
	NVME_FEATURE_COALESCING = 0x08,
	NVME_FEATURE_VECTOR = 0x09,
	NVME_FEATURE_ATOMICITY = 0x0a,
	NVME_FEATURE_EVENTS = 0x0b,
};
enum nvme_select {
	NVME_SELECT_CURRENT = 0,
	NVME_SELECT_DEFAULT = 1,
	NVME_SELECT_SAVED = 2,
	NVME_SELECT_CAPABILITIES = 3,
};
#define NVME_CAPABILITY_NAMESPACE    (1u << 1)
#define NVME_CAPABILITY_CHANGEABLE   (1u << 2)
#define NVME_ARBITRATION_BURST(v)    ((v)&7) /* as a power of two */
#define NVME_ARBITRATION_NO_LIMIT    7
#define NVME_POWER_STATE(v)          ((v)&31)
#define NVME_POWER_FIELDS            0xffu
#define NVME_TEMPERATURE_VALUE(dw)   ((dw)&0xffff)
#define NVME_TEMPERATURE_SENSOR(dw)  ((dw) >> 16 & 15)
#define NVME_TEMPERATURE_ALL         15
#define NVME_TEMPERATURE_KIND(dw)    ((dw) >> 20 & 3) /* 0 over, 1 under */
#define NVME_RECOVERY_FIELDS         0xffffu
#define NVME_RECOVERY_DULBE          (1u << 16)
#define NVME_WCE                     (1u << 0)
#define NVME_COALESCING_THRESHOLD(v) ((v)&0xff) /* entries less one */
#define NVME_COALESCING_TIME(v)      ((v) >> 8 & 0xff)
#define NVME_COALESCING_FIELDS       0xffffu
#define NVME_VECTOR(dw11)            ((dw11)&0xffff)
#define NVME_VECTOR_ALONE            (1u << 16)
#define NVME_ATOMICITY_OFF           (1u << 0)
#define NVME_EVENTS_WARNINGS         0xffu
#define NVME_EVENTS_NAMESPACE        (1u << 8)

/* Asynchronous events: type, information. Base 5.2.1. */
enum nvme_event_type { NVME_EVENT_ERROR = 0, NVME_EVENT_HEALTH = 1, NVME_EVENT_NOTICE = 2 };
#define NVME_EVENT_TYPES          3
#define NVME_EVENT_DOORBELL       0 /* of Error: no such register */
#define NVME_EVENT_DOORBELL_VALUE 1
#define NVME_EVENT_TEMPERATURE    1 /* of Health */
#define NVME_EVENT_NS_CHANGED     0 /* of Notice */
#define NVME_EVENT(type, info, log) \
	((uint32_t)(type) | (uint32_t)(info) << 8 | (uint32_t)(log) << 16)

/* Get Log Page. Base 5.16. */
#define NVME_LOG_ID(dw10)     ((dw10)&0xff)
#define NVME_LOG_RETAIN(dw10) ((dw10) >> 15 & 1)
#define NVME_LOG_NUMDL(dw10)  ((dw10) >> 16)
#define NVME_LOG_NUMDU(dw11)  ((dw11)&0xffff)
#define NVME_LOG_BY_INDEX     (1u << 23) /* of dword 14: OT */
#define NVME_LOG_BYTES        4096u      /* of the largest */
enum nvme_log {
	NVME_LOG_SUPPORTED = 0x00,
	NVME_LOG_ERRORS = 0x01,
	NVME_LOG_HEALTH = 0x02,
	NVME_LOG_FIRMWARE = 0x03,
	NVME_LOG_CHANGED_NS = 0x04,
	NVME_LOG_COMMANDS = 0x05,
	NVME_LOG_FEATURES = 0x12,
	NVME_LOG_MI_COMMANDS = 0x13,
};
#define NVME_WARNING_TEMPERATURE (1u << 1)

/* What a command, a feature or a log page is, in the logs of these. Base 5.16.1.1, .6, .18. */
#define NVME_IS_SUPPORTED   (1u << 0)
#define NVME_CHANGES_BLOCKS (1u << 1)
#define NVME_CHANGES_NS     (1u << 2)
#define NVME_ALONE_IN_NS    (1u << 16)
#define NVME_OF_NAMESPACE   (1u << 20)
#define NVME_OF_CONTROLLER  (1u << 21)

/* Format NVM, dword 10. Base 5.14. */
#define NVME_FORMAT_LBAF(dw10) (((dw10)&15) | ((dw10) >> 12 & 3) << 4)
#define NVME_FORMAT_PI(dw10)   ((dw10) >> 5 & 7)
#define NVME_FORMAT_SES(dw10)  ((dw10) >> 9 & 7)
#define NVME_SES_USER_DATA     1

/* Abort: dword 10; completion dword 0: the command was not aborted. Base 5.1. */
#define NVME_ABORT_SQID(dw10) ((dw10)&0xffff)
#define NVME_ABORT_CID(dw10)  ((dw10) >> 16)
#define NVME_NOT_ABORTED      (1u << 0)

/* Read, Write, Compare, Write Zeroes, command dword 12. NVM 3.2.1, 3.2.4, 3.2.6, 3.2.8. */
#define NVME_RW_NLB(dw12)   (((dw12)&0xffff) + 1)
#define NVME_RW_DTYPE(dw12) ((dw12) >> 20 & 15)
#define NVME_RW_DEAC        (1u << 25)
#define NVME_RW_FUA         (1u << 30)

/* Dataset Management, dwords 10 and 11; a range. NVM 3.2.3. */
#define NVME_DSM_NR(dw10)   (((dw10)&0xff) + 1)
#define NVME_DSM_DEALLOCATE (1u << 2)
#define NVME_DSM_MAX_RANGES 256

#endif
