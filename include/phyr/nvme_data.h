/* SPDX-License-Identifier: MIT */
/*
 * Data that NVM Express commands move: log pages and identify data. A part of nvme_spec.h, which says
 * how things are named and which specifications are meant.
 */
#ifndef PHYR_NVME_DATA_H
#define PHYR_NVME_DATA_H

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

/*
 * Log pages.
 */

/* Get Log Page: Base 5.16, CDW10 and CDW11. A count of dwords, less 1, in two halves. */
#define PHYR_NVME_LOG_CDW10(lid, bytes) \
	((uint32_t)(lid) | ((uint32_t)((bytes) / 4 - 1) & 0xffff) << 16)
#define PHYR_NVME_LOG_CDW11(bytes) ((uint32_t)((bytes) / 4 - 1) >> 16)
#define PHYR_NVME_LOG_LSP(lsp)     ((uint32_t)(lsp) << 8)
#define PHYR_NVME_LOG_RAE          (UINT32_C(1) << 15) /* keep the event */
#define PHYR_NVME_LOG_LSI(lsi)     ((uint32_t)(lsi) << 16)

/** Log page identifiers: Base 5.16.1, figure 202. */
enum {
	PHYR_NVME_LOG_SUPPORTED = 0x00,
	PHYR_NVME_LOG_ERROR = 0x01,
	PHYR_NVME_LOG_SMART = 0x02,
	PHYR_NVME_LOG_FW_SLOT = 0x03,
	PHYR_NVME_LOG_CHANGED_NS = 0x04,
	PHYR_NVME_LOG_EFFECTS = 0x05,
	PHYR_NVME_LOG_SELF_TEST = 0x06,
	PHYR_NVME_LOG_TELEMETRY_HOST = 0x07,
	PHYR_NVME_LOG_TELEMETRY_CTRL = 0x08,
	PHYR_NVME_LOG_ENDURANCE_GROUP = 0x09,
	PHYR_NVME_LOG_ANA = 0x0c,
	PHYR_NVME_LOG_PERSISTENT_EVENT = 0x0d,
	PHYR_NVME_LOG_LBA_STATUS = 0x0e,
	PHYR_NVME_LOG_RESERVATION = 0x80,
	PHYR_NVME_LOG_SANITIZE = 0x81,
};

/** An entry of the error information log: Base 5.16.1.2. */
struct phyr_nvme_error_log {
	uint64_t error_count; /* 0: not an entry */
	uint16_t sqid;
	uint16_t cid;
	uint16_t status;                   /* phase in bit 0, the status field above */
	uint16_t parameter_error_location; /* byte in 7:0, bit in 10:8 */
	uint64_t lba;
	uint32_t nsid;
	uint8_t vendor_log; /* LID of a log that says more; 0: none */
	uint8_t trtype;
	uint8_t bytes_30[2];
	uint64_t command_specific;
	uint16_t transport_specific;
	uint8_t bytes_42[22];
};
PHYR_NVME_ASSERT(sizeof(struct phyr_nvme_error_log) == 64, "an error log entry is 64 bytes");

/**
 * SMART / health information: Base 5.16.1.3. Numbers of 16 bytes are little-endian, too. NSID ffffffffh
 * asks for the controller's; 0h does so in revision 2.0 only.
 */
struct phyr_nvme_smart_log {
	uint8_t critical_warning;
	uint8_t temperature[2];  /* composite, kelvin */
	uint8_t available_spare; /* percent */
	uint8_t available_spare_threshold;
	uint8_t percentage_used;
	uint8_t endurance_critical_warning;
	uint8_t bytes_7[25];
	uint8_t data_units_read[16]; /* thousands of 512 bytes, rounded up */
	uint8_t data_units_written[16];
	uint8_t host_read_commands[16];
	uint8_t host_write_commands[16];
	uint8_t controller_busy_time[16]; /* minutes */
	uint8_t power_cycles[16];
	uint8_t power_on_hours[16];
	uint8_t unsafe_shutdowns[16];
	uint8_t media_errors[16];
	uint8_t error_log_entries[16];     /* over the controller's life */
	uint32_t warning_temperature_time; /* minutes */
	uint32_t critical_temperature_time;
	uint16_t temperature_sensor[8]; /* kelvin; 0: there is none */
	uint32_t thermal_1_transitions;
	uint32_t thermal_2_transitions;
	uint32_t thermal_1_time; /* seconds */
	uint32_t thermal_2_time;
	uint8_t bytes_232[280];
};
PHYR_NVME_ASSERT(sizeof(struct phyr_nvme_smart_log) == 512, "the SMART log is 512 bytes");

/* SMART, critical warning: Base 5.16.1.3. */
#define PHYR_NVME_WARNING_SPARE           0x01
#define PHYR_NVME_WARNING_TEMPERATURE     0x02
#define PHYR_NVME_WARNING_RELIABILITY     0x04
#define PHYR_NVME_WARNING_READ_ONLY       0x08
#define PHYR_NVME_WARNING_VOLATILE_BACKUP 0x10
#define PHYR_NVME_WARNING_PMR             0x20

/** Firmware slot information: Base 5.16.1.4. */
struct phyr_nvme_fw_slot_log {
	uint8_t afi; /* active slot in 2:0, after the next reset in 6:4 */
	uint8_t bytes_1[7];
	char frs[7][8];
	uint8_t bytes_64[448];
};
PHYR_NVME_ASSERT(sizeof(struct phyr_nvme_fw_slot_log) == 512, "the slot log is 512 bytes");

/** Changed namespaces: Base 5.16.1.5. Ascending, 0 after the last; the first ~0: more than fit. */
struct phyr_nvme_changed_ns_log {
	uint32_t nsid[1024];
};

/** Commands supported and their effects, by opcode: Base 5.16.1.6. */
struct phyr_nvme_effects_log {
	uint32_t acs[256];
	uint32_t iocs[256];
	uint8_t bytes_2048[2048];
};
PHYR_NVME_ASSERT(sizeof(struct phyr_nvme_effects_log) == 4096, "the effects log is 4096 bytes");

/* Effects of a command: Base 5.16.1.6. */
#define PHYR_NVME_EFFECTS_CSUPP        (UINT32_C(1) << 0) /* the command is there */
#define PHYR_NVME_EFFECTS_LBCC         (UINT32_C(1) << 1) /* it changes blocks */
#define PHYR_NVME_EFFECTS_NCC          (UINT32_C(1) << 2) /* what a namespace can */
#define PHYR_NVME_EFFECTS_NIC          (UINT32_C(1) << 3) /* which namespaces there are */
#define PHYR_NVME_EFFECTS_CCC          (UINT32_C(1) << 4) /* what the controller can */
#define PHYR_NVME_EFFECTS_CSE(effects) ((uint32_t)(effects) >> 16 & 7)
#define PHYR_NVME_EFFECTS_UUID         (UINT32_C(1) << 19)

/*
 * Identify.
 */

/* Identify: Base 5.17. All of it is 4096 bytes. */
#define PHYR_NVME_ID_SIZE            4096
#define PHYR_NVME_CDW10_CNTID(cntid) ((uint32_t)(cntid) << 16)
#define PHYR_NVME_CDW11_CSI(csi)     ((uint32_t)(csi) << 24)

/** What to identify: Base 5.17, figure 273. */
enum {
	PHYR_NVME_CNS_NS = 0x00,
	PHYR_NVME_CNS_CTRL = 0x01,
	PHYR_NVME_CNS_ACTIVE_NS = 0x02, /* a list of NSIDs above CDW1's */
	PHYR_NVME_CNS_NS_DESC = 0x03,
	PHYR_NVME_CNS_NVM_SETS = 0x04,
	PHYR_NVME_CNS_CSI_NS = 0x05,
	PHYR_NVME_CNS_CSI_CTRL = 0x06,
	PHYR_NVME_CNS_CSI_ACTIVE_NS = 0x07,
	PHYR_NVME_CNS_INDEPENDENT_NS = 0x08,
	PHYR_NVME_CNS_ALLOCATED_NSIDS = 0x10,
	PHYR_NVME_CNS_ALLOCATED_NS = 0x11,
	PHYR_NVME_CNS_NS_CTRLS = 0x12,
	PHYR_NVME_CNS_CTRLS = 0x13,
	PHYR_NVME_CNS_PRIMARY_CAPS = 0x14,
	PHYR_NVME_CNS_SECONDARY_CTRLS = 0x15,
	PHYR_NVME_CNS_NS_GRANULARITY = 0x16,
	PHYR_NVME_CNS_UUIDS = 0x17,
	PHYR_NVME_CNS_COMMAND_SETS = 0x1c,
};

/** Command set identifiers: Base 5.17.1, figure 274. */
enum { PHYR_NVME_CSI_NVM = 0, PHYR_NVME_CSI_KV = 1, PHYR_NVME_CSI_ZNS = 2 };

/** A power state: Base 5.17.2.1, figure 276. */
struct phyr_nvme_psd {
	uint16_t mp; /* 10 mW, or 0.1 mW with MXPS */
	uint8_t bytes_2;
	uint8_t flags;  /* MXPS in bit 0, NOPS in bit 1 */
	uint32_t enlat; /* us */
	uint32_t exlat;
	uint8_t rrt;
	uint8_t rrl;
	uint8_t rwt;
	uint8_t rwl;
	uint16_t idlp;
	uint8_t ips;
	uint8_t bytes_19;
	uint16_t actp;
	uint8_t apws;
	uint8_t bytes_23[9];
};
PHYR_NVME_ASSERT(sizeof(struct phyr_nvme_psd) == 32, "a power state is 32 bytes");

/** Identify Controller: Base 5.17.2.1, figure 275. */
struct phyr_nvme_id_ctrl {
	uint16_t vid;
	uint16_t ssvid;
	char sn[20]; /* text is ASCII, padded with blanks */
	char mn[40];
	char fr[8];
	uint8_t rab;
	uint8_t ieee[3];
	uint8_t cmic;
	uint8_t mdts; /* 2^MDTS smallest pages; 0: no limit */
	uint16_t cntlid;
	uint32_t ver;   /* as VS */
	uint32_t rtd3r; /* us */
	uint32_t rtd3e; /* us: how long a shutdown may take */
	uint32_t oaes;
	uint32_t ctratt;
	uint16_t rrls;
	uint8_t bytes_102[9];
	uint8_t cntrltype;
	uint8_t fguid[16];
	uint16_t crdt1; /* retry delays, 100 ms */
	uint16_t crdt2;
	uint16_t crdt3;
	uint8_t bytes_134[119];
	uint8_t nvmsr;
	uint8_t vwci;
	uint8_t mec;
	uint16_t oacs;
	uint8_t acl;  /* aborts at once, less 1 */
	uint8_t aerl; /* event requests at once, less 1 */
	uint8_t frmw;
	uint8_t lpa;
	uint8_t elpe; /* error log entries, less 1 */
	uint8_t npss; /* power states, less 1 */
	uint8_t avscc;
	uint8_t apsta;
	uint16_t wctemp; /* kelvin */
	uint16_t cctemp;
	uint16_t mtfa;
	uint32_t hmpre;
	uint32_t hmmin;
	uint8_t tnvmcap[16]; /* bytes */
	uint8_t unvmcap[16];
	uint32_t rpmbs;
	uint16_t edstt;
	uint8_t dsto;
	uint8_t fwug;
	uint16_t kas;
	uint16_t hctma;
	uint16_t mntmt;
	uint16_t mxtmt;
	uint32_t sanicap;
	uint32_t hmminds;
	uint16_t hmmaxd;
	uint16_t nsetidmax;
	uint16_t endgidmax;
	uint8_t anatt;
	uint8_t anacap;
	uint32_t anagrpmax;
	uint32_t nanagrpid;
	uint32_t pels;
	uint16_t domainid;
	uint8_t bytes_358[10];
	uint8_t megcap[16];
	uint8_t bytes_384[128];
	uint8_t sqes; /* smallest in 3:0, largest in 7:4 */
	uint8_t cqes;
	uint16_t maxcmd;
	uint32_t nn; /* number of namespaces: the highest NSID */
	uint16_t oncs;
	uint16_t fuses;
	uint8_t fna;
	uint8_t vwc;
	uint16_t awun; /* blocks, less 1 */
	uint16_t awupf;
	uint8_t icsvscc;
	uint8_t nwpc;
	uint16_t acwu;
	uint16_t cdfs; /* copy descriptor formats */
	uint32_t sgls;
	uint32_t mnan; /* namespaces at most; 0: NN */
	uint8_t maxdna[16];
	uint32_t maxcna;
	uint8_t bytes_564[204];
	char subnqn[256]; /* UTF-8, ends with a 0 */
	uint8_t bytes_1024[768];
	uint32_t ioccsz; /* this one to dctype: NVMe over Fabrics */
	uint32_t iorcsz;
	uint16_t icdoff;
	uint8_t fcatt;
	uint8_t msdbd;
	uint16_t ofcs;
	uint8_t dctype;
	uint8_t bytes_1807[241];
	struct phyr_nvme_psd psd[32];
	uint8_t vs[1024]; /* the vendor's own */
};
PHYR_NVME_ASSERT(sizeof(struct phyr_nvme_id_ctrl) == PHYR_NVME_ID_SIZE,
		 "identify data is 4096 bytes");
PHYR_NVME_ASSERT(offsetof(struct phyr_nvme_id_ctrl, sn) == 4, "SN");
PHYR_NVME_ASSERT(offsetof(struct phyr_nvme_id_ctrl, mdts) == 77, "MDTS");
PHYR_NVME_ASSERT(offsetof(struct phyr_nvme_id_ctrl, oacs) == 256, "OACS");
PHYR_NVME_ASSERT(offsetof(struct phyr_nvme_id_ctrl, sqes) == 512, "SQES");
PHYR_NVME_ASSERT(offsetof(struct phyr_nvme_id_ctrl, nn) == 516, "NN");
PHYR_NVME_ASSERT(offsetof(struct phyr_nvme_id_ctrl, vwc) == 525, "VWC");
PHYR_NVME_ASSERT(offsetof(struct phyr_nvme_id_ctrl, subnqn) == 768, "SUBNQN");
PHYR_NVME_ASSERT(offsetof(struct phyr_nvme_id_ctrl, psd) == 2048, "PSD0");

/* Identify Controller, CNTRLTYPE. */
#define PHYR_NVME_CNTRLTYPE_IO        1
#define PHYR_NVME_CNTRLTYPE_DISCOVERY 2
#define PHYR_NVME_CNTRLTYPE_ADMIN     3

/* Identify Controller, OAES: events that it has beyond those that every controller has. */
#define PHYR_NVME_OAES_NS_ATTRIBUTE  (UINT32_C(1) << 8)
#define PHYR_NVME_OAES_FW_ACTIVATION (UINT32_C(1) << 9)
#define PHYR_NVME_OAES_ANA_CHANGE    (UINT32_C(1) << 11)

/* Identify Controller, OACS: optional admin commands. */
#define PHYR_NVME_OACS_SECURITY        0x0001
#define PHYR_NVME_OACS_FORMAT          0x0002
#define PHYR_NVME_OACS_FIRMWARE        0x0004
#define PHYR_NVME_OACS_NS_MANAGEMENT   0x0008
#define PHYR_NVME_OACS_SELF_TEST       0x0010
#define PHYR_NVME_OACS_DIRECTIVES      0x0020
#define PHYR_NVME_OACS_MI              0x0040
#define PHYR_NVME_OACS_VIRT_MANAGEMENT 0x0080
#define PHYR_NVME_OACS_DOORBELL_BUFFER 0x0100
#define PHYR_NVME_OACS_LBA_STATUS      0x0200
#define PHYR_NVME_OACS_LOCKDOWN        0x0400

/* Identify Controller, FRMW: first slot read-only, number of slots, activation without a reset. */
#define PHYR_NVME_FRMW_SLOT_1_RO   0x01
#define PHYR_NVME_FRMW_SLOTS(frmw) ((unsigned)(frmw) >> 1 & 7)
#define PHYR_NVME_FRMW_NO_RESET    0x10

/* Identify Controller, LPA: what log pages can. */
#define PHYR_NVME_LPA_SMART_PER_NS 0x01
#define PHYR_NVME_LPA_EFFECTS      0x02
#define PHYR_NVME_LPA_EXTENDED     0x04 /* NUMDU, LPOL, LPOU */
#define PHYR_NVME_LPA_TELEMETRY    0x08
#define PHYR_NVME_LPA_PERSISTENT   0x10

/* Identify Controller, ONCS: optional I/O commands. */
#define PHYR_NVME_ONCS_COMPARE             0x0001
#define PHYR_NVME_ONCS_WRITE_UNCORRECTABLE 0x0002
#define PHYR_NVME_ONCS_DSM                 0x0004
#define PHYR_NVME_ONCS_WRITE_ZEROES        0x0008
#define PHYR_NVME_ONCS_SAVE                0x0010 /* features can be saved, and selected */
#define PHYR_NVME_ONCS_RESERVATIONS        0x0020
#define PHYR_NVME_ONCS_TIMESTAMP           0x0040
#define PHYR_NVME_ONCS_VERIFY              0x0080
#define PHYR_NVME_ONCS_COPY                0x0100

/* Identify Controller, FNA: Format NVM is of all namespaces, whichever was named. */
#define PHYR_NVME_FNA_FORMAT_ALL   0x01
#define PHYR_NVME_FNA_ERASE_ALL    0x02
#define PHYR_NVME_FNA_CRYPTO_ERASE 0x04
#define PHYR_NVME_FNA_NO_BROADCAST 0x08

/* Identify Controller, VWC. Flush of all namespaces: 2 it fails, 3 it works. */
#define PHYR_NVME_VWC_PRESENT        1
#define PHYR_NVME_VWC_FLUSH_ALL(vwc) ((unsigned)(vwc) >> 1 & 3)

/** LBA format: NVM 4.1.5.1, figure 98. */
struct phyr_nvme_lbaf {
	uint16_t ms;   /* metadata bytes of a block */
	uint8_t lbads; /* block: 2^LBADS bytes; 0: the format is not there, 1 to 8 are not allowed */
	uint8_t rp;    /* 1:0: 0 the best performance, 3 degraded */
};
#define PHYR_NVME_LBADS_MIN 9

/** Identify Namespace: NVM 4.1.5.1, figure 97. */
struct phyr_nvme_id_ns {
	uint64_t nsze; /* blocks */
	uint64_t ncap;
	uint64_t nuse;
	uint8_t nsfeat;
	uint8_t nlbaf; /* formats, less 1 */
	uint8_t flbas; /* format in use: low bits 3:0, high bits 6:5 when there are more than 16 */
	uint8_t mc;
	uint8_t dpc;
	uint8_t dps;
	uint8_t nmic;
	uint8_t rescap;
	uint8_t fpi; /* percent of a format that remains in 6:0; bit 7: it is told */
	uint8_t dlfeat;
	uint16_t nawun; /* blocks, less 1 */
	uint16_t nawupf;
	uint16_t nacwu;
	uint16_t nabsn;
	uint16_t nabo;
	uint16_t nabspf;
	uint16_t noiob;     /* blocks; 0: no boundary */
	uint8_t nvmcap[16]; /* bytes */
	uint16_t npwg;      /* blocks, less 1 */
	uint16_t npwa;
	uint16_t npdg;
	uint16_t npda;
	uint16_t nows;
	uint16_t mssrl;
	uint32_t mcl;
	uint8_t msrc;
	uint8_t bytes_81;
	uint8_t nulbaf;
	uint8_t bytes_83[9];
	uint32_t anagrpid;
	uint8_t bytes_96[3];
	uint8_t nsattr;
	uint16_t nvmsetid;
	uint16_t endgid;
	uint8_t nguid[16]; /* big-endian, as is EUI64 */
	uint8_t eui64[8];
	struct phyr_nvme_lbaf lbaf[64];
	uint8_t vs[3712]; /* the vendor's own */
};
PHYR_NVME_ASSERT(sizeof(struct phyr_nvme_id_ns) == PHYR_NVME_ID_SIZE,
		 "identify data is 4096 bytes");
PHYR_NVME_ASSERT(offsetof(struct phyr_nvme_id_ns, nlbaf) == 25, "NLBAF");
PHYR_NVME_ASSERT(offsetof(struct phyr_nvme_id_ns, nvmcap) == 48, "NVMCAP");
PHYR_NVME_ASSERT(offsetof(struct phyr_nvme_id_ns, nguid) == 104, "NGUID");
PHYR_NVME_ASSERT(offsetof(struct phyr_nvme_id_ns, lbaf) == 128, "LBAF0");
#define PHYR_NVME_FLBAS_FORMAT(flbas, nlbaf) \
	(((flbas)&0xf) | ((nlbaf) > 15 ? ((flbas) >> 5 & 3) << 4 : 0))
#define PHYR_NVME_FLBAS_EXTENDED 0x10 /* metadata follows its block */

/* Identify Namespace, NSFEAT. */
#define PHYR_NVME_NSFEAT_THIN     0x01
#define PHYR_NVME_NSFEAT_ATOMIC   0x02 /* NAWUN, NAWUPF, NACWU are defined */
#define PHYR_NVME_NSFEAT_DULBE    0x04 /* reads of deallocated blocks can be made errors */
#define PHYR_NVME_NSFEAT_NO_REUSE 0x08
#define PHYR_NVME_NSFEAT_OPTPERF  0x10 /* NPWG to NOWS are defined */

/* Identify Namespace, DLFEAT: what deallocated blocks read as, and whether write zeroes may. */
#define PHYR_NVME_DLFEAT_READ(dlfeat) ((dlfeat)&7u)
#define PHYR_NVME_DLFEAT_UNKNOWN      0
#define PHYR_NVME_DLFEAT_ZEROES       1
#define PHYR_NVME_DLFEAT_ONES         2
#define PHYR_NVME_DLFEAT_DEAC         0x08

/* Identify Namespace, NMIC and NSATTR. */
#define PHYR_NVME_NMIC_SHARED            0x01
#define PHYR_NVME_NSATTR_WRITE_PROTECTED 0x01

/** Namespace, whatever its command set: Base 5.17.2.8. */
struct phyr_nvme_id_independent_ns {
	uint8_t nsfeat;
	uint8_t nmic;
	uint8_t rescap;
	uint8_t fpi;
	uint32_t anagrpid;
	uint8_t nsattr;
	uint8_t bytes_9;
	uint16_t nvmsetid;
	uint16_t endgid;
	uint8_t nstat; /* bit 0: ready */
	uint8_t bytes_15[4081];
};
PHYR_NVME_ASSERT(sizeof(struct phyr_nvme_id_independent_ns) == PHYR_NVME_ID_SIZE,
		 "identify data is 4096 bytes");

/** Head of a namespace identification descriptor, NIDL bytes follow: Base 5.17.2.3. */
struct phyr_nvme_id_ns_desc {
	uint8_t nidt; /* 0: the list ends */
	uint8_t nidl;
	uint8_t bytes_2[2];
};
PHYR_NVME_ASSERT(sizeof(struct phyr_nvme_id_ns_desc) == 4, "a descriptor's head is 4 bytes");

/** Types of namespace identification descriptors, and their lengths: Base 5.17.2.3. */
enum {
	PHYR_NVME_NIDT_EUI64 = 1,
	PHYR_NVME_NIDT_NGUID = 2,
	PHYR_NVME_NIDT_UUID = 3,
	PHYR_NVME_NIDT_CSI = 4,
	PHYR_NVME_NIDL_EUI64 = 8,
	PHYR_NVME_NIDL_NGUID = 16,
	PHYR_NVME_NIDL_UUID = 16,
	PHYR_NVME_NIDL_CSI = 1,
};

#endif
