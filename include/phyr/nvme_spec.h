/* SPDX-License-Identifier: MIT */
/*
 * Layouts of NVM Express, by the specification's own names behind phyr_nvme_ and PHYR_NVME_, so that
 * a program can include other headers of such layouts too. For commands that are passed through.
 *
 * "Base" is NVM Express Base Specification 2.0, "NVM" is NVM Command Set Specification 1.0, "PCIe"
 * is NVMe over PCIe Transport Specification 1.0. All of it is little-endian.
 */
#ifndef PHYR_NVME_SPEC_H
#define PHYR_NVME_SPEC_H

#include <stddef.h>
#include <stdint.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the layouts below are read and written as they lie: a little-endian CPU is needed"
#endif

#ifdef __cplusplus
#define PHYR_NVME_ASSERT(what, text) static_assert(what, text)
#else
#define PHYR_NVME_ASSERT(what, text) _Static_assert(what, text)
#endif

/* Controller properties, by offset: Base 3.1.3. */
#define PHYR_NVME_CAP  0x00 /* 8 bytes */
#define PHYR_NVME_CC   0x14
#define PHYR_NVME_CSTS 0x1c
#define PHYR_NVME_AQA  0x24
#define PHYR_NVME_ASQ  0x28 /* 8 bytes */
#define PHYR_NVME_ACQ  0x30 /* 8 bytes */

/* Doorbells: PCIe 3.1.2. Tail of submission queue y, then head of completion queue y. */
#define PHYR_NVME_DOORBELLS 0x1000
#define PHYR_NVME_SQTDBL(qid, stride_lg2) \
	(PHYR_NVME_DOORBELLS + ((2 * (uint64_t)(qid)) << (stride_lg2)))
#define PHYR_NVME_CQHDBL(qid, stride_lg2) \
	(PHYR_NVME_DOORBELLS + ((2 * (uint64_t)(qid) + 1) << (stride_lg2)))

/* CAP, controller capabilities: Base 3.1.3.1. */
#define PHYR_NVME_CAP_MQES(cap) ((uint32_t)(cap)&0xffff)         /* entries of a queue, less 1 */
#define PHYR_NVME_CAP_TO(cap)   ((uint32_t)((cap) >> 24) & 0xff) /* time to get ready, 500 ms */
#define PHYR_NVME_CAP_DSTRD(cap) \
	((uint32_t)((cap) >> 32) & 0xf)               /* doorbells are 4 << DSTRD apart */
#define PHYR_NVME_CAP_CSS_NVM     (UINT64_C(1) << 37) /* has the NVM command set */
#define PHYR_NVME_CAP_MPSMIN(cap) ((uint32_t)((cap) >> 48) & 0xf) /* page: 2^(12 + MPSMIN) */
#define PHYR_NVME_CAP_MPSMAX(cap) ((uint32_t)((cap) >> 52) & 0xf)

/* CC, controller configuration: Base 3.1.3.5. CSS 0: NVM command set; AMS 0: round robin. */
#define PHYR_NVME_CC_EN        UINT32_C(1)
#define PHYR_NVME_CC_MPS(v)    ((uint32_t)(v) << 7)
#define PHYR_NVME_CC_IOSQES(v) ((uint32_t)(v) << 16)
#define PHYR_NVME_CC_IOCQES(v) ((uint32_t)(v) << 20)

/* CSTS, controller status: Base 3.1.3.6. */
#define PHYR_NVME_CSTS_RDY UINT32_C(1)
#define PHYR_NVME_CSTS_CFS UINT32_C(2)

/* AQA, admin queue attributes: Base 3.1.3.8. Both sizes in entries, less 1. */
#define PHYR_NVME_AQA_ASQS(v) ((uint32_t)(v))
#define PHYR_NVME_AQA_ACQS(v) ((uint32_t)(v) << 16)

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

#define PHYR_NVME_CQE_SQID(w)   ((uint16_t)((w) >> 16))
#define PHYR_NVME_CQE_CID(w)    ((uint16_t)((w) >> 32))
#define PHYR_NVME_CQE_P(w)      ((unsigned)((w) >> 48) & 1)
#define PHYR_NVME_CQE_STATUS(w) ((uint16_t)((w) >> 49))

/* Status field: Base 3.3.3.2.1. Code in 7:0, type in 10:8; then retry delay, More, Do Not Retry. */
#define PHYR_NVME_STATUS(sct, sc) ((sct) << 8 | (sc))
#define PHYR_NVME_STATUS_CODE(sf) ((uint16_t)((sf)&0x7ff))

/** Opcodes: Base figures 138 and 390 (admin, flush), NVM figure 21. */
enum {
	PHYR_NVME_ADMIN_DELETE_SQ = 0x00,
	PHYR_NVME_ADMIN_CREATE_SQ = 0x01,
	PHYR_NVME_ADMIN_DELETE_CQ = 0x04,
	PHYR_NVME_ADMIN_CREATE_CQ = 0x05,
	PHYR_NVME_ADMIN_IDENTIFY = 0x06,
	PHYR_NVME_ADMIN_SET_FEATURES = 0x09,
	PHYR_NVME_CMD_FLUSH = 0x00,
	PHYR_NVME_CMD_WRITE = 0x01,
	PHYR_NVME_CMD_READ = 0x02,
};

/* Create I/O completion and submission queue: Base 5.4 and 5.5. */
#define PHYR_NVME_CDW10_QUEUE(qid, qsize) ((uint32_t)(qid) | (uint32_t)(qsize) << 16)
#define PHYR_NVME_CDW11_PC                UINT32_C(1)
#define PHYR_NVME_CDW11_CQID(qid)         ((uint32_t)(qid) << 16)

/* Set Features, Number of Queues: Base 5.27.1.5. Counts less 1, wanted and, in DW0, allocated. */
#define PHYR_NVME_FEAT_NUM_QUEUES 0x07
#define PHYR_NVME_NUM_QUEUES(v)   ((uint32_t)(v) | (uint32_t)(v) << 16)
#define PHYR_NVME_NSQA(dw0)       ((uint32_t)(dw0)&0xffff)
#define PHYR_NVME_NCQA(dw0)       ((uint32_t)(dw0) >> 16)

/* Identify: Base 5.17, figure 273. */
#define PHYR_NVME_CNS_NS   0x00
#define PHYR_NVME_CNS_CTRL 0x01
#define PHYR_NVME_ID_SIZE  4096

/** Identify Controller: Base 5.17.2.1, figure 275. What is used of it. */
struct phyr_nvme_id_ctrl {
	uint16_t vid;
	uint16_t ssvid;
	char sn[20];
	char mn[40];
	char fr[8];
	uint8_t rab;
	uint8_t ieee[3];
	uint8_t cmic;
	uint8_t mdts; /* 2^MDTS smallest pages; 0: no limit */
	uint8_t bytes_78[434];
	uint8_t sqes; /* smallest in 3:0, largest in 7:4 */
	uint8_t cqes;
	uint16_t maxcmd;
	uint32_t nn; /* number of namespaces: the highest NSID */
	uint16_t oncs;
	uint16_t fuses;
	uint8_t fna;
	uint8_t vwc;
	uint8_t bytes_526[3570];
};
PHYR_NVME_ASSERT(sizeof(struct phyr_nvme_id_ctrl) == PHYR_NVME_ID_SIZE,
		 "identify data is 4096 bytes");
PHYR_NVME_ASSERT(offsetof(struct phyr_nvme_id_ctrl, sn) == 4, "SN");
PHYR_NVME_ASSERT(offsetof(struct phyr_nvme_id_ctrl, mdts) == 77, "MDTS");
PHYR_NVME_ASSERT(offsetof(struct phyr_nvme_id_ctrl, sqes) == 512, "SQES");
PHYR_NVME_ASSERT(offsetof(struct phyr_nvme_id_ctrl, nn) == 516, "NN");
PHYR_NVME_ASSERT(offsetof(struct phyr_nvme_id_ctrl, vwc) == 525, "VWC");
#define PHYR_NVME_VWC_PRESENT 1

/** LBA format: NVM 4.1.5.1, figure 98. */
struct phyr_nvme_lbaf {
	uint16_t ms;   /* metadata bytes of a block */
	uint8_t lbads; /* block: 2^LBADS bytes; 0: the format is not there, 1 to 8 are not allowed */
	uint8_t rp;
};

/** Identify Namespace: NVM 4.1.5.1, figure 97. What is used of it. */
struct phyr_nvme_id_ns {
	uint64_t nsze;
	uint64_t ncap;
	uint64_t nuse;
	uint8_t nsfeat;
	uint8_t nlbaf; /* formats, less 1 */
	uint8_t flbas; /* format in use: low bits 3:0, high bits 6:5 when there are more than 16 */
	uint8_t bytes_27[101];
	struct phyr_nvme_lbaf lbaf[64];
	uint8_t bytes_384[3712];
};
PHYR_NVME_ASSERT(sizeof(struct phyr_nvme_id_ns) == PHYR_NVME_ID_SIZE,
		 "identify data is 4096 bytes");
PHYR_NVME_ASSERT(offsetof(struct phyr_nvme_id_ns, nlbaf) == 25, "NLBAF");
PHYR_NVME_ASSERT(offsetof(struct phyr_nvme_id_ns, lbaf) == 128, "LBAF0");
#define PHYR_NVME_FLBAS_FORMAT(flbas, nlbaf) \
	(((flbas)&0xf) | ((nlbaf) > 15 ? ((flbas) >> 5 & 3) << 4 : 0))
#define PHYR_NVME_LBADS_MIN 9

#endif
