/* SPDX-License-Identifier: MIT */
/*
 * Single entries against the specifications, by literal bits: VT-d rev. 4.x section 9.8; Intel SDM
 * vol. 3A section 4.5; AMD 48882 section 2.2.3; Arm DDI 0487 section D8.3; RISC-V privileged
 * architecture, "Sv39", "Svnapot", "Svpbmt".
 */
#include "sim/rig.h"
#include "sim/walk.h"

#define R  PHYR_READ
#define W  PHYR_WRITE
#define RW (PHYR_READ | PHYR_WRITE)

/* What an entry says: with reason 0 the address, and log2 of a leaf's size; 0: it leads to a table of
 * level next. */
struct golden {
	uint64_t entry;
	unsigned level;
	int reason;
	unsigned lg2;
	uint64_t addr;
	unsigned prot; /* with PHYR_MMIO where the memory is a device's */
	unsigned index;
	unsigned next;
};

/* The insides of a row. */
#define NONE(e, l)      .entry = (e), .level = (l), .reason = PHYR_FAULT_NOT_PRESENT
#define BAD_AT(e, l, i) .entry = (e), .level = (l), .reason = PHYR_FAULT_BAD_ENTRY, .index = (i)
#define BAD(e, l)       BAD_AT(e, l, 0)
#define LEAF_AT(e, l, size, a, p, i) \
	.entry = (e), .level = (l), .lg2 = (size), .addr = (a), .prot = (p), .index = (i)
#define LEAF(e, l, size, a, p)  LEAF_AT(e, l, size, a, p, 0)
#define TABLE_AT(e, l, a, p, n) .entry = (e), .level = (l), .addr = (a), .prot = (p), .next = (n)
#define TABLE(e, l, a, p)       TABLE_AT(e, l, a, p, (l)-1)

static const struct golden vtdss[] = {
	/* Not present: nothing else counts, not even reserved bits. */
	{NONE(0x0000000000000000, 0)},
	{NONE(0x4fff3ffffffff8f8, 0)},
	{NONE(0x0000000000000004, 3)},
	{NONE(0x7fffffffffffffa0, 3)},
	/* SS-PTE */
	{LEAF(0x0000000123456001, 0, 12, 0x123456000, R)},
	{LEAF(0x0000000123456002, 0, 12, 0x123456000, W)},
	{LEAF(0x0000000123456003, 0, 12, 0x123456000, RW)},
	{LEAF(0x00003ffffffff003, 0, 12, 0x3ffffffff000, RW)},
	{LEAF(0xbff0000123456fff, 0, 12, 0x123456000, RW)}, /* all that is ignored, and SNP */
	{BAD(0x0000400123456003, 0)},                       /* wider than physical addresses */
	{BAD(0x0008000123456003, 0)},
	{BAD(0x4000000123456003, 0)}, /* bit 62 */
	/* SS-PDE */
	{TABLE(0x0000000123456003, 1, 0x123456000, RW)},
	{TABLE(0xbff0000123456679, 1, 0x123456000, R)},
	{BAD(0x0000000123456803, 1)}, /* SNP leads nowhere but from leaves */
	{LEAF(0x0000000123400083, 1, 21, 0x123400000, RW)},
	{LEAF(0x0000000123400883, 1, 21, 0x123400000, RW)},
	{BAD(0x0000000123401083, 1)}, /* bits 20:12 of a 2 MiB page */
	{BAD(0x0000000123500083, 1)},
	/* SS-PDPE */
	{TABLE(0x0000000123456001, 2, 0x123456000, R)},
	{LEAF(0x0000000140000082, 2, 30, 0x140000000, W)},
	{BAD(0x0000000140200083, 2)}, /* bits 29:12 of a 1 GiB page */
	{BAD(0x0000000160000083, 2)},
	{BAD(0x0000000140001083, 2)},
	/* SS-PML4E */
	{TABLE(0x0000000123456003, 3, 0x123456000, RW)},
	{BAD(0x0000000123456083, 3)}, /* bit 7 */
	{BAD(0x0000000123456803, 3)},
	{BAD(0x0000400123456003, 3)},
};

static const struct golden x86[] = {
	{NONE(0x0000000000000000, 0)},
	{NONE(0xfffffffffffffffe, 3)},
	/* PTE */
	{LEAF(0x0000000123456007, 0, 12, 0x123456000, RW)},
	{LEAF(0x0000000123456005, 0, 12, 0x123456000, R)},
	{LEAF(0x0000000123456003, 0, 12, 0x123456000, 0)}, /* a supervisor's page */
	{LEAF(0x0000000123456001, 0, 12, 0x123456000, 0)},
	{LEAF(0xfff0000123456fff, 0, 12, 0x123456000, RW)}, /* XD, keys, PAT, G, A, D, ignored */
	{LEAF(0x00003ffffffff007, 0, 12, 0x3ffffffff000, RW)},
	{BAD(0x0000400123456007, 0)},
	{BAD(0x0008000123456007, 0)},
	/* PDE */
	{TABLE(0x0000000123456067, 1, 0x123456000, RW)},
	{LEAF(0x00000001234000e7, 1, 21, 0x123400000, RW)},
	{LEAF(0x0000000123401087, 1, 21, 0x123400000, RW)}, /* bit 12 is PAT */
	{BAD(0x0000000123402087, 1)},                       /* bits 20:13 */
	{BAD(0x0000000123500087, 1)},
	/* PDPTE */
	{TABLE(0x0000000123456005, 2, 0x123456000, R)},
	{LEAF(0x0000000140001087, 2, 30, 0x140000000, RW)},
	{BAD(0x0000000140002087, 2)}, /* bits 29:13 */
	{BAD(0x0000000160000087, 2)},
	/* PML4E */
	{TABLE(0x0000000123456f27, 3, 0x123456000, RW)},
	{BAD(0x0000000123456087, 3)}, /* bit 7 */
	{BAD(0x0000400123456007, 3)},
};

/* The 5-level top of both. */
static const struct golden vtdss5[] = {
	{TABLE(0x0000000123456003, 4, 0x123456000, RW)},
	{BAD(0x0000000123456083, 4)}, /* bit 7 of an SS-PML5E */
	{BAD(0x0000000123456803, 4)},
};

static const struct golden x86_5[] = {
	{TABLE(0x0000000123456027, 4, 0x123456000, RW)},
	{BAD(0x00000001234560a7, 4)},                                   /* bit 7 of a PML5E */
	{LEAF(0x000000012345601f, 0, 12, 0x123456000, RW | PHYR_MMIO)}, /* PCD, PWT */
	{LEAF(0x000000012345609f, 0, 12, 0x123456000, RW)},             /* and PAT: entry 7 */
	{LEAF(0x000000012340009f, 1, 21, 0x123400000, RW | PHYR_MMIO)},
	{LEAF(0x000000012340109f, 1, 21, 0x123400000, RW)},
};

static const struct golden amdv1[] = {
	{NONE(0x0000000000000000, 0)},
	{NONE(0xfffffffffffffffe, 5)},
	/* PTE, NextLevel 0 */
	{LEAF(0x6000000123456001, 0, 12, 0x123456000, RW)},
	{LEAF(0x2000000123456001, 0, 12, 0x123456000, R)},
	{LEAF(0x4000000123456001, 0, 12, 0x123456000, W)},
	{LEAF(0x0000000123456001, 0, 12, 0x123456000, 0)},
	{LEAF(0xf8000001234561ff, 0, 12, 0x123456000, RW)}, /* U, FC, A, D, all that is ignored */
	{LEAF(0x6000000123400001, 1, 21, 0x123400000, RW)},
	{LEAF(0x6000000140000001, 2, 30, 0x140000000, RW)},
	{LEAF(0x6000008000000001, 3, 39, 0x8000000000, RW)},
	{LEAF(0x6000000000000001, 4, 48, 0, RW)},
	{BAD(0x6000000000000001, 5)}, /* no leaf in level 6 */
	{BAD(0x6000000123401001, 1)}, /* inside of it */
	{BAD(0x6000000123500001, 1)},
	{BAD(0x6010000123456001, 0)}, /* bits 58:52 */
	{BAD(0x6400000123456001, 0)},
	/* NextLevel 7: the lowest 0 from bit 12 up is half of the size. */
	{LEAF(0x6000000123456e01, 0, 13, 0x123456000, RW)},
	{LEAF(0x6000000123451e01, 0, 14, 0x123450000, RW)},
	{LEAF(0x6000000123457e01, 0, 16, 0x123450000, RW)},
	{LEAF(0x600000012347fe01, 0, 20, 0x123400000, RW)},
	{BAD(0x60000001234ffe01, 0)}, /* 2 MiB is the next level's own */
	{BAD(0x6000000123456e01, 1)}, /* 8 KiB there */
	{BAD(0x60000001234ffe01, 1)}, /* its own, but by the encoding */
	{LEAF(0x60000001239ffe01, 1, 22, 0x123800000, RW)},
	{LEAF(0x60000001203ffe01, 1, 23, 0x120000000, RW)},
	{BAD(0x60000001200ffe01, 1)},
	{LEAF(0x600000010ffffe01, 1, 29, 0x100000000, RW)},
	{BAD(0x600000011ffffe01, 1)}, /* 1 GiB */
	{BAD(0x6000007ffffffe01, 2)},
	{LEAF(0x6000001ffffffe01, 2, 38, 0, RW)},
	{BAD(0x6000003ffffffe01, 2)},
	/* PDE */
	{TABLE(0x6000000123456201, 1, 0x123456000, RW)},
	{TABLE(0xe0000001234563ff, 1, 0x123456000, RW)}, /* A, all that is ignored */
	{TABLE(0x2000000123456401, 2, 0x123456000, R)},
	{TABLE(0x6000000123456a01, 5, 0x123456000, RW)},
	{TABLE_AT(0x6000000123456201, 5, 0x123456000, RW, 0)}, /* skips levels 5 to 2 */
	{BAD(0x6000000123456401, 1)},                          /* its own level */
	{BAD(0x6000000123456601, 1)},                          /* one above */
	{BAD(0x6000000123456201, 0)},
	{BAD(0x7000000123456201, 1)}, /* bit 60: FC is a PTE's */
	{BAD(0x6800000123456201, 1)}, /* bit 59 */
	{BAD(0x6010000123456201, 1)},
	{BAD(0x6000400123456201, 1)}, /* wider than physical addresses */
};

/* Stage 1, 4K: valid, AF, SH inner, AP[1]: 0x743. */
static const struct golden s1_4k[] = {
	{NONE(0x0000000000000000, 0)},
	{NONE(0xfffffffffffffffe, 3)},
	{LEAF(0x0000000123456743, 0, 12, 0x123456000, RW)},
	{LEAF(0x00000001234567c3, 0, 12, 0x123456000, R)},              /* AP[2] */
	{LEAF(0x0000000123456703, 0, 12, 0x123456000, 0)},              /* privileged only */
	{LEAF(0x0000000123456343, 0, 12, 0x123456000, 0)},              /* AF 0 */
	{LEAF(0x0000000123456747, 0, 12, 0x123456000, RW | PHYR_MMIO)}, /* AttrIndx 1 */
	{LEAF(0x0000000123456743, 0, 12, 0x123456000, RW)},
	{LEAF(0xffe8000123456e43, 0, 12, 0x123456000, RW)}, /* all that is ignored, XN, nG, DBM */
	{LEAF(0x00080001234567c3, 0, 12, 0x123456000, R)},  /* DBM, but nobody updates */
	{BAD(0x0000000123456741, 0)},                       /* a block at the last level */
	{BAD(0x0000000123456543, 0)},                       /* SH 01 */
	{BAD(0x0000000123456763, 0)},                       /* NS */
	{BAD(0x0001000123456743, 0)},                       /* 49:48 are no address */
	{BAD(0x0002000123456743, 0)},
	{BAD(0x0004000123456743, 0)}, /* GP */
	{BAD(0x0000800123456743, 0)}, /* past 46 bits of output */
	/* Contiguous: 16, by their place. */
	{LEAF(0x0010000123450743, 0, 16, 0x123450000, RW)},
	{LEAF_AT(0x0010000123457743, 0, 16, 0x123450000, RW, 0x37)},
	{BAD_AT(0x0010000123457743, 0, 0x36)},
	{BAD(0x0010000123456743, 0)},
	/* Level 2, blocks */
	{LEAF(0x0000000123400741, 1, 21, 0x123400000, RW)},
	{LEAF_AT(0x0010000122600741, 1, 25, 0x122000000, RW, 3)},
	{BAD_AT(0x0010000122600741, 1, 4)},
	{BAD(0x0000000123500741, 1)}, /* bits 20:12 */
	{BAD(0x0000000123401741, 1)},
	{BAD(0x0000000123410741, 1)}, /* nT */
	/* Level 1 */
	{LEAF(0x0000000140000741, 2, 30, 0x140000000, RW)},
	{LEAF_AT(0x0010000440000741, 2, 34, 0x400000000, RW, 1)},
	{BAD(0x0000000160000741, 2)},
	/* Level 0 */
	{BAD(0x0000000000000741, 3)}, /* no block of 512 GiB in 48 bits */
	/* Tables */
	{TABLE(0x0000000123456003, 1, 0x123456000, RW)},
	{TABLE(0x07f8000123456fff, 3, 0x123456000, RW)}, /* all that is ignored */
	{TABLE(0x9800000123456003, 2, 0x123456000, RW)}, /* NS, XN, PXN */
	{TABLE(0x2000000123456003, 2, 0x123456000, 0)},  /* APTable[0] */
	{TABLE(0x4000000123456003, 2, 0x123456000, R)},  /* APTable[1] */
	{BAD(0x0001000123456003, 2)},
	{BAD(0x0004000123456003, 2)},
	{BAD(0x0000400123456003, 2)},
};

/* Hardware updates flags: AF, and AP[2] of a leaf with DBM. */
static const struct golden s1_dirty[] = {
	{LEAF(0x0000000123456343, 0, 12, 0x123456000, RW)},
	{LEAF(0x00080001234567c3, 0, 12, 0x123456000, RW)},
	{LEAF(0x00000001234567c3, 0, 12, 0x123456000, R)},
};

/* Stage 2, 4K: MemAttr 1111, S2AP 11, SH inner, AF: 0x7ff. */
static const struct golden s2_4k[] = {
	{LEAF(0x00000001234567ff, 0, 12, 0x123456000, RW)},
	{LEAF(0x000000012345677f, 0, 12, 0x123456000, R)},
	{LEAF(0x00000001234567bf, 0, 12, 0x123456000, W)},
	{LEAF(0x000000012345673f, 0, 12, 0x123456000, 0)},
	{LEAF(0x00000001234563ff, 0, 12, 0x123456000, 0)},              /* AF */
	{LEAF(0x00000001234567c7, 0, 12, 0x123456000, RW | PHYR_MMIO)}, /* nGnRE */
	{LEAF(0xffe80001234567ff, 0, 12, 0x123456000, RW)},
	{BAD(0x00000001234567d3, 0)}, /* MemAttr 0100 */
	{BAD(0x00000001234567e3, 0)}, /* MemAttr 1000 */
	{BAD(0x00000001234567f3, 0)}, /* MemAttr 1100 */
	{BAD(0x0000000123456fff, 0)}, /* bit 11 */
	{BAD(0x00000001234565ff, 0)}, /* SH 01 */
	{LEAF_AT(0x00100001234577ff, 0, 16, 0x123450000, RW, 0x17)},
	{TABLE(0x0000000123456003, 2, 0x123456000, RW)},
	{BAD(0x2000000123456003, 2)}, /* no APTable */
	{BAD(0x8000000123456003, 2)},
};

static const struct golden s2_dirty[] = {
	{LEAF(0x000800012345677f, 0, 12, 0x123456000, RW)},
	{LEAF(0x000000012345677f, 0, 12, 0x123456000, R)},
	{LEAF(0x000800012345673f, 0, 12, 0x123456000, W)},
};

static const struct golden s1_16k[] = {
	{LEAF(0x0000000123454743, 0, 14, 0x123454000, RW)},
	{BAD(0x0000000123455743, 0)}, /* 13:12 */
	{LEAF_AT(0x0010000123404743, 0, 21, 0x123400000, RW, 0x81)},
	{BAD_AT(0x0010000123404743, 0, 0x82)},
	{LEAF(0x0000000122000741, 1, 25, 0x122000000, RW)},
	{LEAF_AT(0x0010000142000741, 1, 30, 0x140000000, RW, 1)},
	{BAD(0x0000000000000741, 2)}, /* 64 GiB */
	{TABLE(0x0000000123454003, 1, 0x123454000, RW)},
	{BAD(0x0000000123455003, 1)},
};

static const struct golden s1_64k[] = {
	{LEAF(0x0000000123450743, 0, 16, 0x123450000, RW)},
	{BAD(0x0000000123451743, 0)}, /* 15:12 without LPA */
	{LEAF_AT(0x0010000123410743, 0, 21, 0x123400000, RW, 0x21)},
	{LEAF(0x0000000120000741, 1, 29, 0x120000000, RW)},
	{LEAF_AT(0x0010000420000741, 1, 34, 0x400000000, RW, 1)},
	{BAD(0x0000000000000741, 2)},
	{TABLE(0x0000000123450003, 1, 0x123450000, RW)},
	{BAD(0x0000000123451003, 1)},
};

/* 52 bits of output. Granules of 4K and 16K: 49:g, and 51:50 in 9:8. */
static const struct golden s1_4k_ds[] = {
	{LEAF(0x0003800123456743, 0, 12, 0xf800123456000, RW)},
	{LEAF(0x0002000123456443, 0, 12, 0x2000123456000, RW)},
	{LEAF(0x0000000123456543, 0, 12, 0x4000123456000, RW)}, /* no SH: 01 is an address */
	{LEAF(0x0000008000000641, 3, 39, 0x8008000000000, RW)},
	{LEAF(0x0001008000000741, 3, 39, 0xd008000000000, RW)},
	{TABLE(0x0003000123456303, 3, 0xf000123456000, RW)},
	{BAD(0x0004000123456743, 0)},
	{BAD(0x0010008000000641, 3)}, /* no contiguous hint for 512 GiB */
};

static const struct golden s2_16k_ds[] = {
	{LEAF(0x00038001234545ff, 0, 14, 0x7800123454000, RW)},
	{LEAF(0x0000001000000741, 2, 36, 0xc001000000000, R | PHYR_MMIO)},
};

static const struct golden s1_64k_lpa[] = {
	{LEAF(0x000080012345f743, 0, 16, 0xf800123450000, RW)},
	{LEAF(0x000000012345a743, 0, 16, 0xa000123450000, RW)},
	{BAD(0x0001000123450743, 0)}, /* 49:48 are reserved still */
	{LEAF(0x000000012000a741, 1, 29, 0xa000120000000, RW)},
	{LEAF(0x000004000000a741, 2, 42, 0xa040000000000, RW)},
	{TABLE(0x0000000123457003, 1, 0x7000123450000, RW)},
	{BAD(0x0000000123450543, 0)}, /* SH is still there */
};

/* V R W U A D: 0xd7; PPN 0x123456 is 0x48d15800. */
static const struct golden riscv[] = {
	{NONE(0x0000000000000000, 0)},
	{NONE(0xfffffffffffffffe, 3)},
	{LEAF(0x0000000048d158d7, 0, 12, 0x123456000, RW)},
	{LEAF(0x0000000048d158d3, 0, 12, 0x123456000, R)},
	{LEAF(0x0000000048d15853, 0, 12, 0x123456000, R)},
	{LEAF(0x0000000048d158df, 0, 12, 0x123456000, RW)}, /* X */
	{LEAF(0x0000000048d158d9, 0, 12, 0x123456000, 0)},  /* X alone */
	{LEAF(0x0000000048d15bf7, 0, 12, 0x123456000, RW)}, /* G, RSW */
	{LEAF(0x0000000048d158c7, 0, 12, 0x123456000, 0)},  /* no U */
	{LEAF(0x0000000048d15897, 0, 12, 0x123456000, 0)},  /* no A */
	{LEAF(0x0000000048d15857, 0, 12, 0x123456000, R)},  /* no D */
	{BAD(0x0000000048d158d5, 0)},                       /* W without R */
	{BAD(0x0000000048d158dd, 0)},
	{BAD(0x0040000048d158d7, 0)}, /* 60:54 */
	{BAD(0x1000000048d158d7, 0)},
	{LEAF(0x2000000048d158d7, 0, 12, 0x123456000, RW)},             /* PBMT NC */
	{LEAF(0x4000000048d158d7, 0, 12, 0x123456000, RW | PHYR_MMIO)}, /* PBMT IO */
	{BAD(0x6000000048d158d7, 0)},
	{LEAF(0x003ffffffffffcd7, 0, 12, 0xfffffffffff000, RW)},
	/* Svnapot */
	{LEAF(0x8000000048d160d7, 0, 16, 0x123450000, RW)}, /* PPN 0x123458 */
	{BAD(0x8000000048d158d7, 0)},                       /* PPN[3:0] 6 */
	{BAD(0x8000000048d150d7, 0)},                       /* 4 */
	{BAD(0x8000000048d140d7, 0)},                       /* 0 */
	{BAD(0x8000000048d000d7, 1)},
	/* Superpages */
	{LEAF(0x0000000048d000d7, 1, 21, 0x123400000, RW)},
	{BAD(0x0000000048d004d7, 1)}, /* misaligned */
	{BAD(0x0000000048d400d7, 1)},
	{LEAF(0x00000000500000d7, 2, 30, 0x140000000, RW)},
	{BAD(0x00000000500800d7, 2)},
	{LEAF(0x00000020000000d7, 3, 39, 0x8000000000, RW)},
	/* Tables */
	{TABLE(0x0000000048d15801, 1, 0x123456000, RW)},
	{TABLE(0x0000000048d15b21, 3, 0x123456000, RW)}, /* G, RSW */
	{BAD(0x0000000048d15801, 0)},
	{BAD(0x0000000048d15811, 1)}, /* U, A, D, PBMT, N */
	{BAD(0x0000000048d15841, 1)},
	{BAD(0x0000000048d15881, 1)},
	{BAD(0x2000000048d15801, 1)},
	{BAD(0x8000000048d16001, 1)},
	{BAD(0x0040000048d15801, 1)},
};

/* Hardware updates A and D. */
static const struct golden riscv_dirty[] = {
	{LEAF(0x0000000048d15817, 0, 12, 0x123456000, RW)},
	{LEAF(0x0000000048d15857, 0, 12, 0x123456000, RW)},
};

/* Tables, and entries of theirs. */
static const struct {
	const char *name;
	struct phyr_soft_table table;
	const struct golden *golden;
	size_t nr;
} formats[] = {
#define FORMAT(entries, fmt, ...)                                     \
	{                                                             \
#entries, {.format = PHYR_PGTBL_##fmt, __VA_ARGS__ }, \
			   entries,                                   \
			   sizeof(entries) / sizeof(entries[0])       \
	}
	FORMAT(vtdss, VTDSS, .levels = 4),
	FORMAT(vtdss5, VTDSS, .levels = 5),
	FORMAT(x86, X86_64, .levels = 4),
	FORMAT(x86_5, X86_64, .levels = 5),
	FORMAT(amdv1, AMDV1, .levels = 6),
	FORMAT(s1_4k, ARM64_S1, .levels = 4),
	FORMAT(s1_dirty, ARM64_S1, .levels = 4, .dirty = true),
	FORMAT(s2_4k, ARM64_S2, .levels = 4),
	FORMAT(s2_dirty, ARM64_S2, .levels = 4, .dirty = true),
	FORMAT(s1_16k, ARM64_S1, .levels = 4, .granule_lg2 = 14),
	FORMAT(s1_64k, ARM64_S1, .levels = 3, .granule_lg2 = 16),
	FORMAT(s1_4k_ds, ARM64_S1, .levels = 4, .oa_bits = 52),
	FORMAT(s2_16k_ds, ARM64_S2, .levels = 3, .granule_lg2 = 14, .oa_bits = 52),
	FORMAT(s1_64k_lpa, ARM64_S1, .levels = 3, .granule_lg2 = 16, .oa_bits = 52),
	FORMAT(riscv, RISCV64, .levels = 4),
	FORMAT(riscv_dirty, RISCV64, .levels = 4, .dirty = true),
};
#define NR_FORMATS (sizeof(formats) / sizeof(formats[0]))

static void check(unsigned f, const struct golden *g)
{
	struct sim_regime regime;
	struct sim_entry out = {0};
	int reason;

	assert_int_equal(phyr_sim_regime_init(&regime, &formats[f].table, 46, 0), 0);
	reason = regime.format->decode(&regime, g->level, g->index, g->entry, &out);
	if (reason != g->reason)
		fail_msg("%s: %016lx level %u: %d", formats[f].name, (unsigned long)g->entry,
			 g->level, reason);
	if (reason)
		return;
	if (out.leaf != !!g->lg2 || out.addr != g->addr || (out.leaf && out.lg2 != g->lg2) ||
	    (out.prot | (out.device ? PHYR_MMIO : 0)) != g->prot)
		fail_msg("%s: %016lx level %u: %lx, 2^%u, prot %u", formats[f].name,
			 (unsigned long)g->entry, g->level, (unsigned long)out.addr, out.lg2,
			 out.prot);
	if (!out.leaf)
		assert_int_equal(out.next, g->next);
}

static void entries_say_what_the_manuals_say(void **state)
{
	for (unsigned f = 0; f < NR_FORMATS; f++)
		for (size_t i = 0; i < formats[f].nr; i++)
			check(f, &formats[f].golden[i]);
}

/* Bits that are reserved: each alone makes an entry bad. */
static const struct {
	struct phyr_soft_table table;
	unsigned level;
	uint64_t entry, reserved;
} reserved[] = {
	{{.format = PHYR_PGTBL_VTDSS, .levels = 5}, 0, 0x123456003, 0x400fc00000000000},
	{{.format = PHYR_PGTBL_VTDSS, .levels = 5}, 1, 0x123400083, 0x400fc000001ff000},
	{{.format = PHYR_PGTBL_VTDSS, .levels = 5}, 2, 0x140000083, 0x400fc0003ffff000},
	{{.format = PHYR_PGTBL_VTDSS, .levels = 5}, 2, 0x123456003, 0x400fc00000000800},
	{{.format = PHYR_PGTBL_VTDSS, .levels = 5}, 4, 0x123456003, 0x400fc00000000880},
	{{.format = PHYR_PGTBL_X86_64, .levels = 5}, 0, 0x123456007, 0x000fc00000000000},
	{{.format = PHYR_PGTBL_X86_64, .levels = 5}, 1, 0x123400087, 0x000fc000001fe000},
	{{.format = PHYR_PGTBL_X86_64, .levels = 5}, 2, 0x140000087, 0x000fc0003fffe000},
	{{.format = PHYR_PGTBL_X86_64, .levels = 5}, 4, 0x123456007, 0x000fc00000000080},
	{{.format = PHYR_PGTBL_AMDV1, .levels = 6}, 0, 0x6000000123456001, 0x07ffc00000000000},
	{{.format = PHYR_PGTBL_AMDV1, .levels = 6}, 1, 0x6000000123400001, 0x07ffc000001ff000},
	{{.format = PHYR_PGTBL_AMDV1, .levels = 6}, 1, 0x6000000123456201, 0x1fffc00000000000},
	{{.format = PHYR_PGTBL_ARM64_S1, .levels = 4}, 0, 0x123456743, 0x0007c00000000020},
	{{.format = PHYR_PGTBL_ARM64_S1, .levels = 4}, 1, 0x123400741, 0x0007c000001ff020},
	{{.format = PHYR_PGTBL_ARM64_S1, .levels = 4}, 2, 0x140000741, 0x0007c0003ffff020},
	{{.format = PHYR_PGTBL_ARM64_S1, .levels = 4}, 3, 0x123456003, 0x0007c00000000000},
	{{.format = PHYR_PGTBL_ARM64_S2, .levels = 4}, 0, 0x1234567ff, 0x0007c00000000800},
	{{.format = PHYR_PGTBL_ARM64_S2, .levels = 4}, 3, 0x123456003, 0xf807c00000000000},
	{{.format = PHYR_PGTBL_ARM64_S1, .levels = 4, .granule_lg2 = 14},
	 1,
	 0x122000741,
	 0x0007c00001fff020},
	{{.format = PHYR_PGTBL_ARM64_S1, .levels = 3, .granule_lg2 = 16},
	 0,
	 0x123450743,
	 0x0007c0000000f020},
	{{.format = PHYR_PGTBL_ARM64_S1, .levels = 4, .oa_bits = 52},
	 1,
	 0x123400741,
	 0x00040000001ff020},
	{{.format = PHYR_PGTBL_ARM64_S1, .levels = 3, .granule_lg2 = 16, .oa_bits = 52},
	 1,
	 0x120000741,
	 0x000700001fff0020},
	{{.format = PHYR_PGTBL_RISCV64, .levels = 4}, 0, 0x48d158d7, 0x9fc0000000000000},
	{{.format = PHYR_PGTBL_RISCV64, .levels = 4}, 1, 0x48d000d7, 0x9fc000000007fc00},
	{{.format = PHYR_PGTBL_RISCV64, .levels = 4}, 2, 0x500000d7, 0x9fc000000ffffc00},
	{{.format = PHYR_PGTBL_RISCV64, .levels = 4}, 1, 0x48d15801, 0xffc00000000000d0},
};

static void reserved_bits_are_refused(void **state)
{
	for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++) {
		struct sim_regime regime;
		struct sim_entry out;

		assert_int_equal(phyr_sim_regime_init(&regime, &reserved[i].table, 46, 0), 0);
		for (unsigned bit = 0; bit < 64; bit++) {
			uint64_t b = (uint64_t)1 << bit & reserved[i].reserved;
			int reason = regime.format->decode(&regime, reserved[i].level, 0,
							   reserved[i].entry ^ b, &out);

			if (reason != (b ? PHYR_FAULT_BAD_ENTRY : 0))
				fail_msg("row %zu, bit %u: %d", i, bit, reason);
		}
	}
}

/* What hardware leaves in an entry: after a read, and after a write. */
static const struct {
	struct phyr_soft_table table;
	unsigned level;
	uint64_t entry, used, written;
} marks[] = {
	{{.format = PHYR_PGTBL_VTDSS, .levels = 4, .dirty = true}, 0, 0x5003, 0x5103, 0x5303},
	{{.format = PHYR_PGTBL_VTDSS, .levels = 4, .dirty = true}, 1, 0x5003, 0x5103, 0x5303},
	{{.format = PHYR_PGTBL_VTDSS, .levels = 4}, 0, 0x5003, 0x5003, 0x5003},
	{{.format = PHYR_PGTBL_X86_64, .levels = 4, .dirty = true}, 0, 0x5007, 0x5027, 0x5067},
	{{.format = PHYR_PGTBL_X86_64, .levels = 4}, 0, 0x5007, 0x5007, 0x5007},
	{{.format = PHYR_PGTBL_AMDV1, .levels = 4, .dirty = true},
	 0,
	 0x6000000000005001,
	 0x6000000000005021,
	 0x6000000000005061},
	{{.format = PHYR_PGTBL_AMDV1, .levels = 4},
	 0,
	 0x6000000000005001,
	 0x6000000000005001,
	 0x6000000000005001},
	{{.format = PHYR_PGTBL_ARM64_S1, .levels = 4, .dirty = true},
	 0,
	 0x00080000000053c3,
	 0x00080000000057c3,
	 0x0008000000005743},
	{{.format = PHYR_PGTBL_ARM64_S1, .levels = 4, .dirty = true},
	 0,
	 0x00000000000057c3,
	 0x00000000000057c3,
	 0x00000000000057c3},
	{{.format = PHYR_PGTBL_ARM64_S1, .levels = 4},
	 0,
	 0x00080000000057c3,
	 0x00080000000057c3,
	 0x00080000000057c3},
	{{.format = PHYR_PGTBL_ARM64_S2, .levels = 4, .dirty = true},
	 0,
	 0x000800000000577f,
	 0x000800000000577f,
	 0x00080000000057ff},
	{{.format = PHYR_PGTBL_RISCV64, .levels = 4, .dirty = true}, 0, 0x1417, 0x1457, 0x14d7},
	{{.format = PHYR_PGTBL_RISCV64, .levels = 4}, 0, 0x1457, 0x1457, 0x1457},
};

static void hardware_leaves_marks(void **state)
{
	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
		struct sim_regime regime;
		struct sim_entry out;

		assert_int_equal(phyr_sim_regime_init(&regime, &marks[i].table, 46, 0), 0);
		assert_int_equal(
			regime.format->decode(&regime, marks[i].level, 0, marks[i].entry, &out), 0);
		assert_int_equal(out.used, marks[i].used);
		assert_int_equal(out.written, marks[i].written);
	}
}

/* Levels, granules and widths that there are, and what iova they come to; 0: there are none such. */
static const struct {
	struct phyr_soft_table table;
	uint64_t last;
} shapes[] = {
	{{.format = PHYR_PGTBL_VTDSS, .levels = 2}, 0},
	{{.format = PHYR_PGTBL_VTDSS, .levels = 3}, 0x7fffffffff},
	{{.format = PHYR_PGTBL_VTDSS, .levels = 4}, 0xffffffffffff},
	{{.format = PHYR_PGTBL_VTDSS, .levels = 5}, 0x1ffffffffffffff},
	{{.format = PHYR_PGTBL_VTDSS, .levels = 6}, 0},
	{{.format = PHYR_PGTBL_VTDSS, .levels = 4, .root = 0x1800}, 0},
	{{.format = PHYR_PGTBL_VTDSS, .levels = 4, .granule_lg2 = 14}, 0},
	{{.format = PHYR_PGTBL_VTDSS, .levels = 4, .ia_bits = 49}, 0},
	{{.format = PHYR_PGTBL_VTDSS, .levels = 4, .ia_bits = 40}, 0xffffffffff},
	{{.format = PHYR_PGTBL_VTDSS, .levels = 4, .ia_bits = 39}, 0},
	{{.format = PHYR_PGTBL_X86_64, .levels = 3}, 0},
	{{.format = PHYR_PGTBL_X86_64, .levels = 4}, 0x7fffffffffff},
	{{.format = PHYR_PGTBL_X86_64, .levels = 5}, 0xffffffffffffff},
	{{.format = PHYR_PGTBL_AMDV1, .levels = 0}, 0},
	{{.format = PHYR_PGTBL_AMDV1, .levels = 1}, 0x1fffff},
	{{.format = PHYR_PGTBL_AMDV1, .levels = 3}, 0x7fffffffff},
	{{.format = PHYR_PGTBL_AMDV1, .levels = 5}, 0x1ffffffffffffff},
	{{.format = PHYR_PGTBL_AMDV1, .levels = 6}, 0xffffffffffffffff},
	{{.format = PHYR_PGTBL_AMDV1, .levels = 7}, 0},
	{{.format = PHYR_PGTBL_ARM64_S1, .levels = 1}, 0},
	{{.format = PHYR_PGTBL_ARM64_S1, .levels = 3}, 0x7fffffffff},
	{{.format = PHYR_PGTBL_ARM64_S1, .levels = 4}, 0xffffffffffff},
	{{.format = PHYR_PGTBL_ARM64_S1, .levels = 5}, 0},
	{{.format = PHYR_PGTBL_ARM64_S1, .levels = 4, .granule_lg2 = 13}, 0},
	{{.format = PHYR_PGTBL_ARM64_S1, .levels = 3, .granule_lg2 = 14}, 0x7fffffffffff},
	{{.format = PHYR_PGTBL_ARM64_S1, .levels = 3, .granule_lg2 = 14, .ia_bits = 48}, 0},
	{{.format = PHYR_PGTBL_ARM64_S1, .levels = 4, .granule_lg2 = 14}, 0xffffffffffff},
	{{.format = PHYR_PGTBL_ARM64_S1, .levels = 2, .granule_lg2 = 16}, 0x3ffffffffff},
	{{.format = PHYR_PGTBL_ARM64_S1, .levels = 3, .granule_lg2 = 16}, 0xffffffffffff},
	{{.format = PHYR_PGTBL_ARM64_S1, .levels = 4, .granule_lg2 = 16}, 0},
	{{.format = PHYR_PGTBL_ARM64_S1, .levels = 4, .oa_bits = 53}, 0},
	{{.format = PHYR_PGTBL_ARM64_S2, .levels = 3, .granule_lg2 = 14}, 0xffffffffffff},
	{{.format = PHYR_PGTBL_ARM64_S2, .levels = 3, .granule_lg2 = 14, .root = 0x4000},
	 0}, /* 32 KiB of top */
	{{.format = PHYR_PGTBL_ARM64_S2,
	  .levels = 3,
	  .granule_lg2 = 14,
	  .ia_bits = 47,
	  .root = 0x4000},
	 0x7fffffffffff},
	{{.format = PHYR_PGTBL_ARM64_S2, .levels = 4, .granule_lg2 = 14}, 0},
	{{.format = PHYR_PGTBL_ARM64_S2, .levels = 3, .ia_bits = 43},
	 0x7ffffffffff}, /* 16 side by side */
	{{.format = PHYR_PGTBL_ARM64_S2, .levels = 3, .ia_bits = 44}, 0},
	{{.format = PHYR_PGTBL_RISCV64, .levels = 2}, 0},
	{{.format = PHYR_PGTBL_RISCV64, .levels = 3}, 0x3fffffffff},
	{{.format = PHYR_PGTBL_RISCV64, .levels = 4}, 0x7fffffffffff},
	{{.format = PHYR_PGTBL_RISCV64, .levels = 5}, 0xffffffffffffff},
	{{.format = PHYR_PGTBL_RISCV64, .levels = 6}, 0},
	{{.format = (enum phyr_pgtbl_format)0, .levels = 4}, 0},
	{{.format = (enum phyr_pgtbl_format)7, .levels = 4}, 0},
};

static void tables_come_in_these_shapes(void **state)
{
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		struct sim_regime regime;
		int err = phyr_sim_regime_init(&regime, &shapes[i].table, 46, 0);

		if (!err != !!shapes[i].last)
			fail_msg("shape %zu: %d", i, err);
		if (!err)
			assert_int_equal(phyr_sim_regime_last(&regime), shapes[i].last);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_say_what_the_manuals_say),
		cmocka_unit_test(reserved_bits_are_refused),
		cmocka_unit_test(hardware_leaves_marks),
		cmocka_unit_test(tables_come_in_these_shapes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
