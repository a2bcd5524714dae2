/* SPDX-License-Identifier: MIT */
/*
 * The IOMMU over tables of each format made by hand. A fresh machine's first 2 MiB block of table
 * memory, the arena, lies at 0x200000000000: tables from its start, data from its middle on, where each
 * word says where it is. So entries can be written down as literals.
 */
#include <string.h>

#include "sim/rig.h"

#define SOURCE 0x0100
#define DOMAIN 7
#define ARENA  (2 * MIB)
#define DATA   0x100000u

#define R  PHYR_READ
#define W  PHYR_WRITE
#define NP PHYR_FAULT_NOT_PRESENT

struct rig {
	struct phyr_sim *sim;
	struct phyr_soft_hw *hw;
	struct phyr_sim_dev *sdev;
	uint64_t *arena;
	struct phyr_fault fault;
	unsigned faults;
};

static void keep_fault(void *arg, const struct phyr_fault *fault)
{
	struct rig *rig = arg;

	rig->fault = *fault;
	rig->faults++;
}

/* An entry, or some in a row whose values are a step apart. */
struct set {
	uint32_t at; /* in the arena */
	uint64_t value;
	unsigned nr; /* 0: 1 */
	uint64_t step;
};

/* An access of 8 bytes. */
struct go {
	uint64_t iova;
	unsigned access; /* 0: no more */
	int reason;      /* 0: it leads ... */
	uint32_t to;     /* ... here in the arena */
};

#define E(where, entry)                         \
	{                                       \
		.at = (where), .value = (entry) \
	}
#define ROW(where, entry, n, by)                                         \
	{                                                                \
		.at = (where), .value = (entry), .nr = (n), .step = (by) \
	}

struct tables {
	const char *name;
	struct phyr_soft_table table;
	struct set set[12];
	struct go go[16];
	/* A large leaf, or one of several entries: the first of them, and iova in two ends of it. */
	struct set leaf;
	uint64_t ends[2];
	/* A leaf for writes, its entry before and after. */
	uint32_t dirty_at;
	uint64_t dirty_iova, clean, written;
};

#define AT(format_, levels_, ...)                                                            \
	{                                                                                    \
		.format = PHYR_PGTBL_##format_, .levels = (levels_), .root = 0x200000000000, \
		.domain = DOMAIN, __VA_ARGS__                                                \
	}

static const struct tables all[] = {
	{
		.name = "vtdss 5",
		.table = AT(VTDSS, 5, 0),
		.set = {E(0x0000, 0x0000200000001003), E(0x1000, 0x0000200000002003),
			E(0x2000, 0x0000200000003003), E(0x3008, 0x0000200000004003),
			E(0x3010, 0x0000200000000083), E(0x4008, 0x0000200000100003),
			E(0x4010, 0x0000200000101001)},
		.go = {{0x201000, R, 0, 0x100000},
		       {0x201ff8, W, 0, 0x100ff8},
		       {0x202000, R, 0, 0x101000},
		       {0x202000, W, PHYR_FAULT_PERMISSION, 0},
		       {0x5ff000, R, 0, 0x1ff000},
		       {0x203000, R, NP, 0},
		       {0x1fffffffffffff8, R, NP, 0},
		       {0x200000000000000, R, PHYR_FAULT_RANGE, 0}},
		.leaf = {0x3010, 0, 1, 0},
		.ends = {0x500000, 0x5ff000},
		.dirty_at = 0x4008,
		.dirty_iova = 0x201000,
		.clean = 0x0000200000100003,
		.written = 0x0000200000100303,
	},
	{
		.name = "x86_64 5",
		.table = AT(X86_64, 5, 0),
		.set = {E(0x0000, 0x0000200000001027), E(0x1000, 0x0000200000002027),
			E(0x2000, 0x0000200000003027), E(0x3008, 0x0000200000004027),
			E(0x3010, 0x00002000000000e7), E(0x4008, 0x0000200000100007),
			E(0x4010, 0x0000200000101065)},
		.go = {{0x201000, R, 0, 0x100000},
		       {0x202000, R, 0, 0x101000},
		       {0x202000, W, PHYR_FAULT_PERMISSION, 0},
		       {0x5ff000, R, 0, 0x1ff000},
		       {0xfffffffffffff8, R, NP, 0},
		       {0x100000000000000, R, PHYR_FAULT_RANGE, 0}},
		.leaf = {0x3010, 0, 1, 0},
		.ends = {0x500000, 0x5ff000},
		.dirty_at = 0x4008,
		.dirty_iova = 0x201000,
		.clean = 0x0000200000100007,
		.written = 0x0000200000100067,
	},
	{
		/* NextLevel 3, 2, 1; 64 KiB at iova 0x210000, and 4 MiB at 0x400000. */
		.name = "amdv1 4",
		.table = AT(AMDV1, 4, 0),
		.set = {E(0x0000, 0x6000200000001601), E(0x1000, 0x6000200000002401),
			E(0x2008, 0x6000200000003201), ROW(0x2010, 0x60002000001ffe01, 2, 0),
			E(0x3008, 0x6000200000100001), E(0x3010, 0x2000200000101001),
			ROW(0x3080, 0x6000200000117e01, 16, 0)},
		.go = {{0x201000, R, 0, 0x100000},
		       {0x201000, W, 0, 0x100000},
		       {0x202000, R, 0, 0x101000},
		       {0x202000, W, PHYR_FAULT_PERMISSION, 0},
		       {0x210000, R, 0, 0x110000},
		       {0x21fff8, R, 0, 0x11fff8},
		       {0x220000, R, NP, 0},
		       {0x5ff000, R, 0, 0x1ff000},
		       {0x600000, R, PHYR_FAULT_BAD_ADDRESS, 0},
		       {0x1000000000000, R, PHYR_FAULT_RANGE, 0}},
		.leaf = {0x3080, 0, 16, 0},
		.ends = {0x210000, 0x21f000},
		.dirty_at = 0x3008,
		.dirty_iova = 0x201000,
		.clean = 0x6000200000100001,
		.written = 0x6000200000100061,
	},
	{
		/* Level 6 leads to level 1 at once, and once more at the other end of iova. */
		.name = "amdv1 6",
		.table = AT(AMDV1, 6, 0),
		.set = {E(0x0000, 0x6000200000003201), E(0x03f8, 0x6000200000001a01),
			E(0x1ff8, 0x2000200000003201), E(0x3008, 0x6000200000100001),
			E(0x3010, 0x6000200000101001)},
		.go = {{0x1000, R, 0, 0x100000},
		       {0x201000, R, NP, 0},
		       {0x40001000, R, NP, 0},
		       {0x100000000001000, R, NP, 0},
		       {0xffff000000001000, R, 0, 0x100000},
		       {0xffff000000001000, W, PHYR_FAULT_PERMISSION, 0},
		       {0xffff000000201000, R, NP, 0},
		       {0xfffffffffffffff8, R, NP, 0}},
		.leaf = {0x3010, 0, 1, 0},
		.ends = {0x2000, 0x2800},
		.dirty_at = 0x3008,
		.dirty_iova = 0x1000,
		.clean = 0x6000200000100001,
		.written = 0x6000200000100061,
	},
	{
		/* Contiguous: 64 KiB at iova 0x210000; 2 MiB at 0x400000. */
		.name = "arm64 stage 1, 4K",
		.table = AT(ARM64_S1, 4, 0),
		.set = {E(0x0000, 0x0000200000001003), E(0x1000, 0x0000200000002003),
			E(0x2008, 0x0000200000003003), E(0x2010, 0x0000200000000741),
			E(0x3008, 0x0008200000100743), E(0x3010, 0x00002000001017c3),
			ROW(0x3080, 0x0010200000110743, 16, 0x1000)},
		.go = {{0x201000, R, 0, 0x100000},
		       {0x201000, W, 0, 0x100000},
		       {0x202000, R, 0, 0x101000},
		       {0x202000, W, PHYR_FAULT_PERMISSION, 0},
		       {0x210000, R, 0, 0x110000},
		       {0x217ff8, R, 0, 0x117ff8},
		       {0x21fff8, R, 0, 0x11fff8},
		       {0x220000, R, NP, 0},
		       {0x5ff000, R, 0, 0x1ff000},
		       {0x1000000000000, R, PHYR_FAULT_RANGE, 0}},
		.leaf = {0x3080, 0, 16, 0},
		.ends = {0x210000, 0x21f000},
		.dirty_at = 0x3008,
		.dirty_iova = 0x201000,
		.clean = 0x00082000001007c3,
		.written = 0x0008200000100743,
	},
	{
		/* Two top tables side by side (32 KiB): 48 bits. Contiguous 2 MiB need more than there is,
		 * so a page and a table at the far end. */
		.name = "arm64 stage 2, 16K",
		.table = AT(ARM64_S2, 3, .granule_lg2 = 14),
		.set = {E(0x0000, 0x0000200000008003), E(0x7ff8, 0x0000200000008003),
			E(0x8008, 0x000020000000c003), E(0xc008, 0x00082000001007ff),
			E(0xc010, 0x000020000010477f),
			ROW(0xc400, 0x00102000000007ff, 128, 0x4000)},
		.go = {{0x2004000, R, 0, 0x100000},
		       {0x2004000, W, 0, 0x100000},
		       {0x2008000, R, 0, 0x104000},
		       {0x2008000, W, PHYR_FAULT_PERMISSION, 0},
		       {0xfff002004000, R, 0, 0x100000},
		       {0x22fc000, R, 0, 0x0fc000},
		       {0x23fc000, R, 0, 0x1fc000},
		       {0x2400000, R, NP, 0},
		       {0x1000000000000, R, PHYR_FAULT_RANGE, 0}},
		.leaf = {0xc400, 0, 128, 0},
		.ends = {0x2300000, 0x23fc000},
		.dirty_at = 0xc008,
		.dirty_iova = 0x2004000,
		.clean = 0x000820000010077f,
		.written = 0x00082000001007ff,
	},
	{
		/* The top table has 64 entries; contiguous: 2 MiB of 32 pages. */
		.name = "arm64 stage 1, 64K",
		.table = AT(ARM64_S1, 3, .granule_lg2 = 16),
		.set = {E(0x000000, 0x0000200000010003), E(0x0001f8, 0x0000200000010003),
			E(0x010008, 0x0000200000020003), E(0x020008, 0x0008200000100743),
			E(0x020010, 0x00002000001107c3),
			ROW(0x020100, 0x0010200000000743, 32, 0x10000)},
		.go = {{0x20010000, R, 0, 0x100000},
		       {0x20020000, R, 0, 0x110000},
		       {0x20020000, W, PHYR_FAULT_PERMISSION, 0},
		       {0xfc0020010000, R, 0, 0x100000},
		       {0x203ffff8, R, 0, 0x1ffff8},
		       {0x20400000, R, NP, 0},
		       {0x1000000000000, R, PHYR_FAULT_RANGE, 0}},
		.leaf = {0x20100, 0, 32, 0},
		.ends = {0x20300000, 0x203f0000},
		.dirty_at = 0x20008,
		.dirty_iova = 0x20010000,
		.clean = 0x00082000001007c3,
		.written = 0x0008200000100743,
	},
	{
		/* Svnapot: 64 KiB at iova 0x210000; 2 MiB at 0x400000. */
		.name = "riscv64 Sv48",
		.table = AT(RISCV64, 4, 0),
		.set = {E(0x0000, 0x0000080000000401), E(0x1000, 0x0000080000000801),
			E(0x2008, 0x0000080000000c01), E(0x2010, 0x00000800000000d7),
			E(0x3008, 0x00000800000400d7), E(0x3010, 0x00000800000404d3),
			ROW(0x3080, 0x80000800000460d7, 16, 0)},
		.go = {{0x201000, R, 0, 0x100000},
		       {0x201000, W, 0, 0x100000},
		       {0x202000, R, 0, 0x101000},
		       {0x202000, W, PHYR_FAULT_PERMISSION, 0},
		       {0x210000, R, 0, 0x110000},
		       {0x21fff8, R, 0, 0x11fff8},
		       {0x220000, R, NP, 0},
		       {0x5ff000, R, 0, 0x1ff000},
		       {0x7ffffffffff8, R, NP, 0},
		       {0x800000000000, R, PHYR_FAULT_RANGE, 0}},
		.leaf = {0x3080, 0, 16, 0},
		.ends = {0x210000, 0x21f000},
		.dirty_at = 0x3008,
		.dirty_iova = 0x201000,
		.clean = 0x0000080000040057,
		.written = 0x00000800000400d7,
	},
};
#define NR (sizeof(all) / sizeof(all[0]))

static void put(struct rig *rig, const struct set *set)
{
	for (unsigned i = 0; i < (set->nr ? set->nr : 1); i++)
		rig->arena[set->at / 8 + i] = set->value + i * set->step;
}

static void flush(struct rig *rig, uint32_t at, uint32_t len)
{
	struct phyr_env *env = phyr_sim_env(rig->sim);

	env->flush_lines(env, (char *)rig->arena + at, len);
}

/* As much iova as there is, unless the config says otherwise. */
static struct rig make_rig(struct phyr_sim_config config, const struct tables *t)
{
	struct rig rig = {0};
	struct phyr_env *env;

	if (!config.aw_bits)
		config.aw_bits = 64;
	rig.sim = rig_create(&config);
	env = phyr_sim_env(rig.sim);
	rig.hw = phyr_sim_iommu(rig.sim);
	rig.sdev = rig_dev(rig.sim, SOURCE);
	rig.arena = env->alloc_pages(env, ARENA);
	assert_non_null(rig.arena);
	assert_int_equal((uintptr_t)rig.arena + env->phys_delta, 0x200000000000);
	for (uint64_t i = DATA; i < ARENA; i += 8)
		rig.arena[i / 8] = 0xda00000000000000 | i;
	for (unsigned i = 0; i < 12 && t->set[i].value; i++)
		put(&rig, &t->set[i]);
	return rig;
}

#define RIG(t, ...)                                                               \
	make_rig((struct phyr_sim_config){.size = sizeof(struct phyr_sim_config), \
					  .memory = MIB,                          \
					  .stepped = true,                        \
					  __VA_ARGS__},                           \
		 t)

static void end_rig(struct rig *rig)
{
	rig->hw->clear_table(rig->hw, SOURCE, DOMAIN);
	phyr_sim_dev_remove(rig->sdev);
	phyr_sim_destroy(rig->sim);
}

static int attach(struct rig *rig, const struct phyr_soft_table *table)
{
	return rig->hw->set_table(rig->hw, SOURCE, table, keep_fault, rig);
}

/* Reason 0: a read brings what is there, a write leaves it. */
static void expect(struct rig *rig, const char *name, const struct go *go)
{
	uint64_t v = 0xda00000000000000 | go->to;
	unsigned faults = rig->faults;
	int err;

	if (go->access == W)
		err = phyr_sim_dma_write(rig->sdev, go->iova, &v, sizeof(v));
	else
		err = phyr_sim_dma_read(rig->sdev, go->iova, &v, sizeof(v));
	if (!err != !go->reason || (!err && v != rig->arena[go->to / 8]) ||
	    (err && (rig->faults != faults + 1 || (int)rig->fault.reason != go->reason)))
		fail_msg("%s: iova %lx, access %u: %d, reason %u, %lx", name,
			 (unsigned long)go->iova, go->access, err, rig->fault.reason,
			 (unsigned long)v);
}

static void reads(struct rig *rig, const struct tables *t, uint64_t iova, int reason)
{
	uint64_t v;
	int err = phyr_sim_dma_read(rig->sdev, iova, &v, sizeof(v));

	if (!err != !reason || (err && (int)rig->fault.reason != reason))
		fail_msg("%s: iova %lx: %d, reason %u", t->name, (unsigned long)iova, err,
			 rig->fault.reason);
}

static void walks(void **state)
{
	for (const struct tables *t = all; t < all + NR; t++) {
		struct rig rig = RIG(t, .seed = 1);

		assert_int_equal(attach(&rig, &t->table), 0);
		/* Twice: what the caches serve is the same. */
		for (unsigned i = 0; i < 2; i++)
			for (const struct go *go = t->go; go->access; go++)
				expect(&rig, t->name, go);
		end_rig(&rig);
	}
}

/* A leaf is cached whole: it is served until an invalidation names any part of it. */
static void stale_until_told(void **state)
{
	for (const struct tables *t = all; t < all + NR; t++) {
		struct rig rig = RIG(t, .seed = 1);

		assert_int_equal(attach(&rig, &t->table), 0);
		reads(&rig, t, t->ends[0], 0);
		put(&rig, &t->leaf);
		reads(&rig, t, t->ends[0], 0);
		reads(&rig, t, t->ends[1], 0);
		rig.hw->invalidate(rig.hw, DOMAIN, t->ends[1], t->ends[1]);
		reads(&rig, t, t->ends[0], NP);
		end_rig(&rig);
	}
}

/* Entries that are one leaf and do not agree are nothing that hardware could go by. */
static void a_run_agrees(void **state)
{
	for (const struct tables *t = all; t < all + NR; t++) {
		struct rig rig = RIG(t, .seed = 1);
		uint64_t last = t->leaf.at / 8 + t->leaf.nr - 1;

		assert_int_equal(attach(&rig, &t->table), 0);
		if (t->leaf.nr > 1) {
			rig.arena[last] = 0;
			reads(&rig, t, t->ends[0], PHYR_FAULT_BAD_ENTRY);
			/* The entry before it, which maps another place and has not the same mark. */
			rig.arena[last] = rig.arena[last - 1] ^ 0x20000;
			reads(&rig, t, t->ends[0], PHYR_FAULT_BAD_ENTRY);
		}
		end_rig(&rig);
	}
}

/* One entry of a run that says otherwise in a bit; what does the device see? */
static void with_a_bit_changed(const struct tables *t, unsigned bbm, uint64_t bit, int reason)
{
	struct rig rig = RIG(t, .bbm = bbm);

	assert_int_equal(attach(&rig, &t->table), 0);
	rig.arena[0x3080 / 8 + 7] ^= bit;
	reads(&rig, t, 0x210000, reason);
	end_rig(&rig);
}

static void runs_agree_in_each_bit(void **state)
{
	const struct tables *amd = &all[2], *arm64 = &all[4];

	with_a_bit_changed(amd, 0, (uint64_t)1 << 60, PHYR_FAULT_BAD_ENTRY); /* FC */
	with_a_bit_changed(amd, 0, (uint64_t)1 << 62, PHYR_FAULT_BAD_ENTRY); /* IW */
	/* Cont, which may be missing while it is being changed, if that needs no break. */
	with_a_bit_changed(arm64, 0, (uint64_t)1 << 52, PHYR_FAULT_BAD_ENTRY);
	with_a_bit_changed(arm64, 1, (uint64_t)1 << 52, 0);
	with_a_bit_changed(arm64, 1, (uint64_t)1 << 7, PHYR_FAULT_BAD_ENTRY); /* AP[2] */
}

/* Small caches: what is evicted is walked for again, and finds the same. */
static void small_caches_evict(void **state)
{
	for (const struct tables *t = all; t < all + NR; t++) {
		struct rig rig = RIG(t, .iotlb_entries = 1);

		assert_int_equal(attach(&rig, &t->table), 0);
		for (unsigned i = 0; i < 8; i++)
			for (const struct go *go = t->go; go->access; go++)
				expect(&rig, t->name, go);
		end_rig(&rig);
	}
}

static void writes(struct rig *rig, const struct tables *t, uint64_t want)
{
	uint64_t v = 1;

	assert_int_equal(phyr_sim_dma_write(rig->sdev, t->dirty_iova, &v, sizeof(v)), 0);
	if (rig->arena[t->dirty_at / 8] != want)
		fail_msg("%s: entry %lx", t->name, (unsigned long)rig->arena[t->dirty_at / 8]);
}

/* A write marks its leaf, once: not again until what is cached of it is invalidated. */
static void writes_leave_marks(void **state)
{
	for (const struct tables *t = all; t < all + NR; t++) {
		struct rig rig = RIG(t, .seed = 1);
		struct phyr_soft_table table = t->table;
		uint64_t *entry = &rig.arena[t->dirty_at / 8];

		table.dirty = true;
		assert_int_equal(attach(&rig, &table), 0);
		*entry = t->clean;
		reads(&rig, t, t->dirty_iova, 0);
		/* A read marks nothing as written. */
		assert_int_not_equal(*entry, t->written);
		writes(&rig, t, t->written);
		*entry = t->clean;
		writes(&rig, t, t->clean);
		rig.hw->invalidate(rig.hw, DOMAIN, t->dirty_iova, t->dirty_iova);
		writes(&rig, t, t->written);
		end_rig(&rig);
	}
}

/*
 * Pages become one leaf of 64 KiB under a device's feet. The first write through a page that was cached
 * before comes to the leaf that another access has cached meanwhile; told once, all of it is forgotten.
 */
static void one_leaf_of_many_is_forgotten_at_once(void **state)
{
	static const struct set amd_pages = {0x3080, 0x6000200000110001, 16, 0x1000};
	static const struct set amd_run = {0x3080, 0x6000200000117e01, 16, 0};
	static const struct set none = {0x3080, 0, 16, 0};
	const struct tables *t = &all[2];
	struct rig rig = RIG(t, .seed = 1);
	struct phyr_soft_table table = t->table;

	table.dirty = true;
	assert_int_equal(attach(&rig, &table), 0);
	put(&rig, &amd_pages);
	reads(&rig, t, 0x210000, 0);
	put(&rig, &amd_run);
	reads(&rig, t, 0x211000, 0);
	expect(&rig, t->name, &(struct go){0x210000, W, 0, 0x110000});
	put(&rig, &none);
	rig.hw->invalidate(rig.hw, DOMAIN, 0x210000, 0x21ffff);
	reads(&rig, t, 0x210000, NP);
	reads(&rig, t, 0x211000, NP);
	end_rig(&rig);
}

/* Where a table does not say so, entries stay as they are, whoever writes. */
static void others_stay_as_they_are(void **state)
{
	for (const struct tables *t = all; t < all + NR; t++) {
		struct rig rig = RIG(t, .seed = 1);

		assert_int_equal(attach(&rig, &t->table), 0);
		rig.arena[t->dirty_at / 8] = t->written;
		writes(&rig, t, t->written);
		end_rig(&rig);
	}
}

/* A walker that does not snoop finds what was written back, when it was. */
static void sees_what_was_written_back(void **state)
{
	for (const struct tables *t = all; t < all + NR; t++) {
		struct rig rig = RIG(t, .noncoherent = true);
		struct phyr_soft_table table = t->table;
		struct phyr_env *env = phyr_sim_env(rig.sim);

		assert_int_equal(attach(&rig, &table), 0);
		reads(&rig, t, t->ends[0], PHYR_FAULT_BAD_ENTRY);
		flush(&rig, 0, DATA);
		reads(&rig, t, t->ends[0], 0);
		put(&rig, &t->leaf);
		rig.hw->invalidate(rig.hw, DOMAIN, 0, ~(uint64_t)0);
		reads(&rig, t, t->ends[0], 0);
		/* A byte brings its whole line, and none beside it. */
		flush(&rig, t->leaf.at - 64, 1);
		flush(&rig, (t->leaf.at + t->leaf.nr * 8 + 63) & ~63u, 1);
		rig.hw->invalidate(rig.hw, DOMAIN, 0, ~(uint64_t)0);
		reads(&rig, t, t->ends[0], 0);
		flush(&rig, t->leaf.at, t->leaf.nr * 8);
		rig.hw->invalidate(rig.hw, DOMAIN, 0, ~(uint64_t)0);
		reads(&rig, t, t->ends[0], NP);

		/* Given back and out again it is zero for the CPU alone. */
		rig.hw->clear_table(rig.hw, SOURCE, DOMAIN);
		env->free_pages(env, rig.arena, ARENA);
		rig.arena = env->alloc_pages(env, ARENA);
		assert_int_equal(rig.arena[t->set[0].at / 8], 0);
		assert_int_equal(attach(&rig, &table), 0);
		reads(&rig, t, t->dirty_iova, 0);
		rig.hw->clear_table(rig.hw, SOURCE, DOMAIN);
		table.dirty = true;
		assert_int_equal(attach(&rig, &table), -22);
		end_rig(&rig);
	}
}

static const struct tables *arm(void)
{
	return &all[4];
}

/* Two entries of 4 KiB where a contiguous 64 KiB was, or a table where a block was, and back. */
static const struct set pages = {0x3080, 0x0000200000110743, 16, 0x1000};
static const struct set run = {0x3080, 0x0010200000110743, 16, 0x1000};
static const struct set table_entry = {0x2010, 0x0000200000004003, 1, 0};
static const struct set block = {0x2010, 0x0000200000000741, 1, 0};
static const struct set pages_below = {0x4000, 0x0000200000000743, 512, 0x1000};

/* One change under a device's feet, without break-before-make; what does the device see? */
static void change(unsigned bbm, const struct set *from, const struct set *to, uint64_t iova,
		   uint64_t other, int reason)
{
	const struct tables *t = arm();
	struct rig rig = RIG(t, .bbm = bbm);

	assert_int_equal(attach(&rig, &t->table), 0);
	put(&rig, &pages_below);
	put(&rig, from);
	reads(&rig, t, iova, 0);
	put(&rig, to);
	reads(&rig, t, other, reason);
	/* With the invalidation it had missed all is well. */
	rig.hw->invalidate(rig.hw, DOMAIN, 0, ~(uint64_t)0);
	reads(&rig, t, other, 0);
	end_rig(&rig);
}

static void break_before_make(void **state)
{
	static const int bad = PHYR_FAULT_BAD_ENTRY;

	for (unsigned bbm = 0; bbm <= 2; bbm++) {
		int hint = bbm < 1 ? bad : 0, level = bbm < 2 ? bad : 0;

		/* The iova that is cached, and another of the leaf. */
		change(bbm, &pages, &run, 0x210000, 0x210000, hint);
		change(bbm, &pages, &run, 0x210000, 0x21f000, hint);
		change(bbm, &run, &pages, 0x210000, 0x21f000, hint);
		change(bbm, &block, &table_entry, 0x500000, 0x510000, level);
		change(bbm, &table_entry, &block, 0x500000, 0x500000, level);
		change(bbm, &table_entry, &block, 0x500000, 0x510000, level);
	}
}

/* Broken, invalidated and made, nothing is amiss; before the invalidation the old one is served. */
static void broken_and_made(void **state)
{
	const struct tables *t = arm();
	struct rig rig = RIG(t, .bbm = 0);
	const struct set none = {0x2010, 0, 1, 0};

	assert_int_equal(attach(&rig, &t->table), 0);
	put(&rig, &pages_below);
	reads(&rig, t, 0x500000, 0);
	put(&rig, &none);
	reads(&rig, t, 0x500000, 0);
	rig.hw->invalidate(rig.hw, DOMAIN, 0x400000, 0x5fffff);
	reads(&rig, t, 0x500000, NP);
	put(&rig, &table_entry);
	reads(&rig, t, 0x500000, 0);
	reads(&rig, t, 0x501000, 0);
	end_rig(&rig);
}

/* Wider tables than the hardware, and formats that it was told not to have. */
static void refuses_what_it_has_not(void **state)
{
	struct rig rig = RIG(arm(), .formats = 1u << PHYR_PGTBL_ARM64_S1);
	struct phyr_soft_table table = all[0].table;

	assert_int_equal(attach(&rig, &table), -22);
	table = arm()->table;
	table.oa_bits = 48;
	assert_int_equal(attach(&rig, &table), -22); /* it has 46 */
	table.oa_bits = 46;
	assert_int_equal(attach(&rig, &table), 0);
	end_rig(&rig);

	rig = RIG(arm(), .aw_bits = 39);
	assert_int_equal(attach(&rig, &all[3].table), -22);
	assert_int_equal(attach(&rig, &arm()->table), -22);
	table = arm()->table;
	table.levels = 3;
	assert_int_equal(attach(&rig, &table), 0);
	end_rig(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(walks),
		cmocka_unit_test(stale_until_told),
		cmocka_unit_test(a_run_agrees),
		cmocka_unit_test(runs_agree_in_each_bit),
		cmocka_unit_test(small_caches_evict),
		cmocka_unit_test(writes_leave_marks),
		cmocka_unit_test(one_leaf_of_many_is_forgotten_at_once),
		cmocka_unit_test(others_stay_as_they_are),
		cmocka_unit_test(sees_what_was_written_back),
		cmocka_unit_test(break_before_make),
		cmocka_unit_test(broken_and_made),
		cmocka_unit_test(refuses_what_it_has_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
