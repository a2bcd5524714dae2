/* SPDX-License-Identifier: MIT */
/*
 * What the checks need of the specifications, written down from their text alone: NVM Express Base
 * 2.0 (named base), NVM Command Set 1.0 (nvm), NVMe over PCIe Transport 1.0 (pcie). It shares nothing
 * with the layouts that the driver and the simulated controller use.
 */
#ifndef TESTS_CONFORMITY_SPEC_H
#define TESTS_CONFORMITY_SPEC_H

#include <stdint.h>

/* Properties, base 3.1.3. */
enum property {
	CAP = 0x00,
	VS = 0x08,
	INTMS = 0x0c,
	INTMC = 0x10,
	CC = 0x14,
	CSTS = 0x1c,
	NSSR = 0x20,
	AQA = 0x24,
	ASQ = 0x28,
	ACQ = 0x30,
	CMBLOC = 0x38,
	CMBSZ = 0x3c,
	BPINFO = 0x40,
	CRTO = 0x68,
	PMRCAP = 0xe00,
	DOORBELLS = 0x1000, /* pcie 3.1.2 */
};

/* CC, base 3.1.3.5. */
#define CC_EN         0x1u
#define CC_MPS(n)     ((uint32_t)(n) << 7)
#define CC_SHN_NORMAL (1u << 14)
#define CC_SHN_ABRUPT (2u << 14)
#define CC_IOSQES     (6u << 16)
#define CC_IOCQES     (4u << 20)

/* CSTS, base 3.1.3.6. */
#define CSTS_RDY        0x1u
#define CSTS_CFS        0x2u
#define CSTS_SHST(csts) ((csts) >> 2 & 3)

/* Submission queue entry, base 3.3.3.1. */
struct sqe {
	uint8_t opc;
	uint8_t flags; /* FUSE 1:0, PSDT 7:6 */
	uint16_t cid;
	uint32_t nsid;
	uint32_t cdw2, cdw3;
	uint64_t mptr, prp1, prp2;
	uint32_t cdw10, cdw11, cdw12, cdw13, cdw14, cdw15;
};
_Static_assert(sizeof(struct sqe) == 64, "base figure 87");

/* Completion queue entry, base 3.3.3.2: status holds the phase tag in bit 0, the Status field above. */
struct cqe {
	uint32_t dw0, dw1;
	uint16_t sqhd, sqid;
	uint16_t cid, status;
};
_Static_assert(sizeof(struct cqe) == 16, "base figure 88");

#define CQE_DNR 0x8000u
#define CQE_M   0x4000u
#define CQE_CRD 0x3000u

/* Admin opcodes, base 5. */
enum admin_opcode {
	DELETE_SQ = 0x00,
	CREATE_SQ = 0x01,
	GET_LOG = 0x02,
	DELETE_CQ = 0x04,
	CREATE_CQ = 0x05,
	IDENTIFY = 0x06,
	ABORT = 0x08,
	SET_FEATURES = 0x09,
	GET_FEATURES = 0x0a,
	ASYNC_EVENT = 0x0c,
	FORMAT = 0x80,
};

/* I/O opcodes, nvm 3.2. */
enum io_opcode {
	FLUSH = 0x00,
	WRITE = 0x01,
	READ = 0x02,
	COMPARE = 0x05,
	WRITE_ZEROES = 0x08,
	DSM = 0x09,
};

/* Status codes: type << 8 | code, base 3.3.3.2.1 and nvm 3.1.2. */
enum status {
	SUCCESS = 0x000,
	INVALID_OPCODE = 0x001,
	INVALID_FIELD = 0x002,
	DATA_TRANSFER_ERROR = 0x004,
	ABORT_REQUESTED = 0x007,
	SQ_DELETED = 0x008,
	MISSING_FUSED = 0x00a,
	INVALID_NAMESPACE = 0x00b,
	SEQUENCE_ERROR = 0x00c,
	PRP_OFFSET_INVALID = 0x013,
	WRITE_PROTECTED = 0x020,
	LBA_OUT_OF_RANGE = 0x080,
	CQ_INVALID = 0x100,
	INVALID_QID = 0x101,
	INVALID_QUEUE_SIZE = 0x102,
	ABORT_LIMIT = 0x103,
	EVENT_LIMIT = 0x105,
	INVALID_VECTOR = 0x108,
	INVALID_LOG = 0x109,
	INVALID_FORMAT = 0x10a,
	INVALID_DELETION = 0x10c,
	NOT_SAVEABLE = 0x10d,
	NOT_CHANGEABLE = 0x10e,
	NOT_NS_SPECIFIC = 0x10f,
	COMPARE_FAILURE = 0x285,
	UNREAD_BLOCK = 0x287,
};

/* Identify Controller, base 5.17.2.1: byte offsets. */
enum id_ctrl {
	ID_SN = 4,
	ID_MN = 24,
	ID_FR = 64,
	ID_MDTS = 77,
	ID_CNTLID = 78,
	ID_VER = 80,
	ID_OAES = 92,
	ID_CNTRLTYPE = 111,
	ID_OACS = 256,
	ID_ACL = 258,
	ID_AERL = 259,
	ID_FRMW = 260,
	ID_LPA = 261,
	ID_ELPE = 262,
	ID_NPSS = 263,
	ID_WCTEMP = 266,
	ID_CCTEMP = 268,
	ID_KAS = 320,
	ID_SANICAP = 328,
	ID_SQES = 512,
	ID_CQES = 513,
	ID_NN = 516,
	ID_ONCS = 520,
	ID_FUSES = 522,
	ID_FNA = 524,
	ID_VWC = 525,
	ID_SGLS = 536,
	ID_MNAN = 540,
	ID_SUBNQN = 768,
};

#define OACS_FORMAT     0x02
#define OACS_NS_MANAGE  0x08
#define ONCS_COMPARE    0x01
#define ONCS_DSM        0x04
#define ONCS_ZEROES     0x08
#define ONCS_SAVE       0x10
#define LPA_SMART_OF_NS 0x01
#define LPA_EFFECTS     0x02
#define LPA_EXTENDED    0x04
#define LPA_SUPPORTED   0x20

/* Identify Namespace, nvm 4.1.5.1: byte offsets. */
enum id_ns {
	NS_NSZE = 0,
	NS_NCAP = 8,
	NS_NUSE = 16,
	NS_NSFEAT = 24,
	NS_NLBAF = 25,
	NS_FLBAS = 26,
	NS_MC = 27,
	NS_DPC = 28,
	NS_DPS = 29,
	NS_DLFEAT = 33,
	NS_NSATTR = 99,
	NS_NGUID = 104,
	NS_EUI64 = 120,
	NS_LBAF = 128,
};

/* Identify Controller of the NVM Command Set, nvm 4.1.5: byte offsets; 0h: no limit told. */
enum id_limits {
	LIMIT_VSL = 0,
	LIMIT_WZSL = 1,
	LIMIT_WUSL = 2,
	LIMIT_DMRL = 3,
	LIMIT_DMRSL = 4,
	LIMIT_DMSL = 8,
};

/* Features, base 5.27.1. */
enum feature {
	F_ARBITRATION = 0x01,
	F_POWER = 0x02,
	F_TEMPERATURE = 0x04,
	F_ERROR_RECOVERY = 0x05,
	F_WRITE_CACHE = 0x06,
	F_QUEUES = 0x07,
	F_COALESCING = 0x08,
	F_VECTOR = 0x09,
	F_ATOMICITY = 0x0a,
	F_EVENTS = 0x0b,
};

/* Get Features, Select, base 5.15. */
enum select { CURRENT, DEFAULT, SAVED, CAPABILITIES };

/* Log pages, base 5.16.1. */
enum log_page {
	LOG_SUPPORTED = 0x00,
	LOG_ERRORS = 0x01,
	LOG_SMART = 0x02,
	LOG_FIRMWARE = 0x03,
	LOG_CHANGED = 0x04,
	LOG_EFFECTS = 0x05,
	LOG_FEATURES = 0x12,
};
#define LOG_RAE (1u << 15)

#define NSID_ALL 0xffffffffu

#endif
