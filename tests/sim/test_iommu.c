/* SPDX-License-Identifier: MIT */
/*
 * The IOMMU over tables made by hand. The first pages that a fresh machine gives out for tables
 * lie at 0x200000000000 onwards, which lets the entries be written down as literals.
 */
#include <string.h>

#include "sim/rig.h"

#define SOURCE 0x0100
#define DOMAIN 7

/*
 * One page of memory, reached at three iova:
 *
 *   0x000000201000  a page        T0[0] → T1[0] → T2[1] → T3[1] → page, read and write
 *   0x000000202000  a page        T0[0] → T1[0] → T2[1] → T3[2] → page, read only
 *   0x000000400000  2 MiB         T0[0] → T1[0] → T2[2] → the linear stretch, read and write
 *   0x0000c0000000  1 GiB         T0[0] → T1[3] → the linear stretch, read only
 */
struct rig {
	struct phyr_sim *sim;
	struct phyr_soft_hw *hw;
	struct phyr_sim_dev *sdev;
	uint64_t *t[5]; /* four tables, and a page of data */
	struct phyr_fault fault;
	unsigned faults;
};

static void keep_fault(void *arg, const struct phyr_fault *fault)
{
	struct rig *rig = arg;

	rig->fault = *fault;
	rig->faults++;
}

static void make_tables(struct rig *rig)
{
	uint64_t phys;

	for (unsigned i = 0; i < 5; i++) {
		rig->t[i] = rig_table(rig->sim, &phys);
		assert_int_equal(phys, 0x200000000000 + i * PAGE);
	}
}

static void fill_vtdss(struct rig *rig)
{
	rig->t[0][0] = 0x0000200000001003;
	rig->t[1][0] = 0x0000200000002003;
	rig->t[1][3] = 0x0000200000000081;
	rig->t[2][1] = 0x0000200000003003;
	rig->t[2][2] = 0x0000200000000083;
	rig->t[3][1] = 0x0000200000004003;
	rig->t[3][2] = 0x0000200000004001;
}

static void fill_x86(struct rig *rig)
{
	rig->t[0][0] = 0x0000200000001007;
	rig->t[1][0] = 0x0000200000002007;
	rig->t[1][3] = 0x0000200000000085;
	rig->t[2][1] = 0x0000200000003007;
	rig->t[2][2] = 0x0000200000000087;
	rig->t[3][1] = 0x0000200000004007;
	rig->t[3][2] = 0x8000200000004005;
}

static struct rig make_rig(enum phyr_pgtbl_format format)
{
	struct rig rig = {.sim = rig_sim(.memory = MIB, .stepped = true)};

	rig.hw = phyr_sim_iommu(rig.sim);
	rig.sdev = rig_dev(rig.sim, SOURCE);
	make_tables(&rig);
	if (format == PHYR_PGTBL_X86_64)
		fill_x86(&rig);
	else
		fill_vtdss(&rig);
	return rig;
}

static int attach(struct rig *rig, enum phyr_pgtbl_format format, unsigned levels, uint64_t root)
{
	struct phyr_soft_table table = {
		.format = format, .levels = levels, .root = root, .domain = DOMAIN};

	return rig->hw->set_table(rig->hw, SOURCE, &table, keep_fault, rig);
}

static void end_rig(struct rig *rig)
{
	rig->hw->clear_table(rig->hw, SOURCE, DOMAIN);
	phyr_sim_dev_remove(rig->sdev);
	phyr_sim_destroy(rig->sim);
}

static void expect_read(struct rig *rig, uint64_t iova, uint64_t value)
{
	uint64_t v = 0;

	assert_int_equal(phyr_sim_dma_read(rig->sdev, iova, &v, sizeof(v)), 0);
	assert_int_equal(v, value);
}

/* An access of 8 bytes is blocked, logged and told; memory and buffer stay as they are. */
static void expect_block(struct rig *rig, uint64_t iova, unsigned access,
			 enum phyr_fault_reason reason)
{
	unsigned before = rig->faults;
	uint64_t v = 0x1111111111111111, data = rig->t[4][1];
	struct phyr_fault logged;
	size_t nr;

	if (access == PHYR_WRITE)
		assert_int_equal(phyr_sim_dma_write(rig->sdev, iova, &v, sizeof(v)), -14);
	else
		assert_int_equal(phyr_sim_dma_read(rig->sdev, iova, &v, sizeof(v)), -14);
	assert_int_equal(v, 0x1111111111111111);
	assert_int_equal(rig->t[4][1], data);
	assert_int_equal(rig->faults, before + 1);
	assert_int_equal(rig->fault.iova, iova);
	assert_int_equal(rig->fault.access, access);
	assert_int_equal(rig->fault.reason, reason);
	assert_int_equal(rig->fault.source, SOURCE);
	phyr_sim_read_faults(rig->sim, rig_stats(rig->sim).faults - 1, &logged, 1, &nr);
	assert_int_equal(nr, 1);
	assert_memory_equal(&logged, &rig->fault, sizeof(logged));
}

#define ALL_FORMATS 0x7e

static struct phyr_soft_info info_of(const struct phyr_sim_config *config)
{
	struct phyr_sim *sim = rig_create(config);
	struct phyr_soft_info info;

	phyr_sim_iommu(sim)->get_info(phyr_sim_iommu(sim), &info);
	phyr_sim_destroy(sim);
	return info;
}

#define INFO(...) info_of(&(struct phyr_sim_config){sizeof(struct phyr_sim_config), __VA_ARGS__})

/* Where addresses are narrow, so are those of the memory that tables are made of. */
static void tables_within_reach(void **state)
{
	static const struct {
		unsigned oa_bits;
		uint64_t first;
	} of[] = {{40, 0x8000000000},
		  {44, 0x80000000000},
		  {45, 0x100000000000},
		  {46, 0x200000000000},
		  {52, 0x200000000000}};

	for (size_t i = 0; i < sizeof(of) / sizeof(of[0]); i++) {
		const struct phyr_sim_config c = {
			.size = sizeof(c), .stepped = true, .oa_bits = of[i].oa_bits};
		struct phyr_sim *sim = NULL;
		uint64_t phys, len = 8;
		uint64_t *table;

		assert_int_equal(phyr_sim_create(&c, &sim), 0);
		table = rig_table(sim, &phys);
		assert_int_equal(phys, of[i].first);
		assert_ptr_equal(phyr_sim_space(sim)->to_cpu(phyr_sim_space(sim), phys, &len),
				 table);
		phyr_sim_env(sim)->free_pages(phyr_sim_env(sim), table, PAGE);
		phyr_sim_destroy(sim);
	}
}

static void info_says_what_there_is(void **state)
{
	struct phyr_soft_info info = INFO(.memory = MIB, .stepped = true);

	assert_int_equal(info.formats, ALL_FORMATS);
	assert_int_equal(info.levels, 4);
	assert_int_equal(info.oa_bits, 46);
	assert_int_equal(info.granules, 0x15000);
	assert_int_equal(info.bbm, 0);
	assert_true(info.dirty && info.snoop && !info.noncoherent);
	assert_int_equal(info.aperture.start, 0);
	assert_int_equal(info.aperture.last, 0xffffffffffff);
	assert_int_equal(info.aperture.page_sizes, 0xfffffffffffff000);
	assert_int_equal(info.aperture.nr_holes, 1);
	assert_int_equal(info.aperture.holes[0].start, 0xfee00000);
	assert_int_equal(info.aperture.holes[0].last, 0xfeefffff);

	info = INFO(.memory = MIB, .aw_bits = 39);
	assert_int_equal(info.formats, ALL_FORMATS & ~(1u << PHYR_PGTBL_X86_64));
	assert_int_equal(info.levels, 3);
	assert_int_equal(info.aperture.last, 0x7fffffffff);
	info = INFO(.memory = MIB, .aw_bits = 57);
	assert_int_equal(info.levels, 5);
	assert_int_equal(info.aperture.last, 0x1ffffffffffffff);
	info = INFO(.memory = MIB, .aw_bits = 64, .oa_bits = 52, .bbm = 2, .noncoherent = true);
	assert_int_equal(info.levels, 6);
	assert_int_equal(info.aperture.last, ~(uint64_t)0);
	assert_int_equal(info.oa_bits, 52);
	assert_int_equal(info.bbm, 2);
	assert_true(info.noncoherent && !info.dirty);
	info = INFO(.memory = MIB, .formats = 1u << PHYR_PGTBL_VTDSS);
	assert_int_equal(info.formats, 1u << PHYR_PGTBL_VTDSS);
	assert_int_equal(info.aperture.page_sizes, 0x40201000);
}

static void set_table_refuses(void **state)
{
	struct rig rig = make_rig(PHYR_PGTBL_VTDSS);
	struct phyr_soft_table table = {
		.format = PHYR_PGTBL_VTDSS, .levels = 4, .root = 0x200000000000, .domain = DOMAIN};

	assert_int_equal(attach(&rig, PHYR_PGTBL_VTDSS, 5, 0x200000000000), -22);
	assert_int_equal(attach(&rig, PHYR_PGTBL_VTDSS, 2, 0x200000000000), -22);
	assert_int_equal(attach(&rig, PHYR_PGTBL_VTDSS, 4, 0x200000000008), -22);
	assert_int_equal(attach(&rig, PHYR_PGTBL_X86_64, 3, 0x200000000000), -22);
	assert_int_equal(attach(&rig, (enum phyr_pgtbl_format)9, 4, 0x200000000000), -22);
	assert_int_equal(rig.hw->set_table(rig.hw, SOURCE + 1, &table, NULL, NULL), -19);
	assert_int_equal(attach(&rig, PHYR_PGTBL_VTDSS, 4, 0x200000000000), 0);
	assert_int_equal(attach(&rig, PHYR_PGTBL_VTDSS, 4, 0x200000000000), -16);
	rig.hw->clear_table(rig.hw, SOURCE, DOMAIN);
	assert_int_equal(attach(&rig, PHYR_PGTBL_VTDSS, 4, 0x200000000000), 0);
	end_rig(&rig);
}

/* Both formats lead to the same places; see the picture at the top. */
static void walks(enum phyr_pgtbl_format format)
{
	struct rig rig = make_rig(format);
	uint64_t v = 0x5555;

	assert_int_equal(attach(&rig, format, 4, 0x200000000000), 0);
	rig.t[4][0] = 0xabcdef;
	expect_read(&rig, 0x201000, 0xabcdef);
	expect_read(&rig, 0x202000, 0xabcdef);
	expect_read(&rig, 0x404000, 0xabcdef);
	expect_read(&rig, 0xc0004000, 0xabcdef);
	assert_int_equal(phyr_sim_dma_write(rig.sdev, 0x201000, &v, 8), 0);
	assert_int_equal(rig.t[4][0], 0x5555);
	expect_block(&rig, 0x202000, PHYR_WRITE, PHYR_FAULT_PERMISSION);
	expect_block(&rig, 0xc0004000, PHYR_WRITE, PHYR_FAULT_PERMISSION);
	expect_block(&rig, 0x203000, PHYR_READ, PHYR_FAULT_NOT_PRESENT);
	expect_block(&rig, 0x600000, PHYR_READ, PHYR_FAULT_NOT_PRESENT);
	expect_block(&rig, 0x40000000, PHYR_WRITE, PHYR_FAULT_NOT_PRESENT);
	expect_block(&rig, 0x8000000000, PHYR_READ, PHYR_FAULT_NOT_PRESENT);
	/* The rest of the 2 MiB is memory that nobody was given. */
	expect_block(&rig, 0x405000, PHYR_READ, PHYR_FAULT_BAD_ADDRESS);
	end_rig(&rig);
}

static void walks_vtdss(void **state)
{
	walks(PHYR_PGTBL_VTDSS);
}

static void walks_x86(void **state)
{
	walks(PHYR_PGTBL_X86_64);
}

static void three_levels(void **state)
{
	struct rig rig = make_rig(PHYR_PGTBL_VTDSS);

	assert_int_equal(attach(&rig, PHYR_PGTBL_VTDSS, 3, 0x200000001000), 0);
	expect_read(&rig, 0x404000, 0);
	expect_block(&rig, 0x7fffffffff - 7, PHYR_READ, PHYR_FAULT_NOT_PRESENT);
	expect_block(&rig, 0x8000000000, PHYR_READ, PHYR_FAULT_RANGE);
	end_rig(&rig);
}

static void range_ends_with_the_table(void **state)
{
	struct rig rig = make_rig(PHYR_PGTBL_VTDSS);

	assert_int_equal(attach(&rig, PHYR_PGTBL_VTDSS, 4, 0x200000000000), 0);
	expect_block(&rig, 0xffffffffffff - 7, PHYR_READ, PHYR_FAULT_NOT_PRESENT);
	expect_block(&rig, 0x1000000000000, PHYR_READ, PHYR_FAULT_RANGE);
	expect_block(&rig, ~(uint64_t)7, PHYR_WRITE, PHYR_FAULT_RANGE);
	rig.hw->clear_table(rig.hw, SOURCE, DOMAIN);
	assert_int_equal(attach(&rig, PHYR_PGTBL_X86_64, 4, 0x200000000000), 0);
	expect_block(&rig, 0x7fffffffffff - 7, PHYR_READ, PHYR_FAULT_NOT_PRESENT);
	expect_block(&rig, 0x800000000000, PHYR_READ, PHYR_FAULT_RANGE);
	expect_block(&rig, 0xffff800000000000, PHYR_READ, PHYR_FAULT_RANGE);
	end_rig(&rig);
}

/* An access is allowed what all levels allow. */
static void permissions_add_up(void **state)
{
	struct rig rig = make_rig(PHYR_PGTBL_VTDSS);

	rig.t[1][0] = 0x0000200000002001;
	rig.t[3][2] = 0x0000200000004002;
	assert_int_equal(attach(&rig, PHYR_PGTBL_VTDSS, 4, 0x200000000000), 0);
	expect_read(&rig, 0x201000, 0);
	expect_block(&rig, 0x201000, PHYR_WRITE, PHYR_FAULT_PERMISSION);
	expect_block(&rig, 0x202000, PHYR_WRITE, PHYR_FAULT_PERMISSION);
	expect_block(&rig, 0x202000, PHYR_READ, PHYR_FAULT_PERMISSION);
	end_rig(&rig);

	/* x86: U/S and R/W at each level. */
	rig = make_rig(PHYR_PGTBL_X86_64);
	rig.t[0][0] = 0x0000200000001005;
	rig.t[2][2] = 0x0000200000000083;
	assert_int_equal(attach(&rig, PHYR_PGTBL_X86_64, 4, 0x200000000000), 0);
	expect_read(&rig, 0x201000, 0);
	expect_block(&rig, 0x201000, PHYR_WRITE, PHYR_FAULT_PERMISSION);
	expect_block(&rig, 0x404000, PHYR_READ, PHYR_FAULT_PERMISSION);
	end_rig(&rig);
}

static void bad_entries_and_addresses(void **state)
{
	struct rig rig = make_rig(PHYR_PGTBL_VTDSS);

	rig.t[3][3] = 0x4000200000004003; /* bit 62 */
	rig.t[3][4] = 0x0000000000001003; /* no memory there */
	rig.t[3][5] = 0x0000000100000003; /* memory, but not pinned */
	rig.t[2][3] = 0x0000000100001003; /* a table in memory that is not pinned */
	rig.t[2][4] = 0x0000200000005003; /* a table in a page that was not given out */
	assert_int_equal(attach(&rig, PHYR_PGTBL_VTDSS, 4, 0x200000000000), 0);
	expect_block(&rig, 0x203000, PHYR_READ, PHYR_FAULT_BAD_ENTRY);
	expect_block(&rig, 0x204000, PHYR_READ, PHYR_FAULT_BAD_ADDRESS);
	expect_block(&rig, 0x205008, PHYR_WRITE, PHYR_FAULT_BAD_ADDRESS);
	expect_block(&rig, 0x600000, PHYR_READ, PHYR_FAULT_BAD_ADDRESS);
	expect_block(&rig, 0x800000, PHYR_READ, PHYR_FAULT_BAD_ADDRESS);
	rig.hw->clear_table(rig.hw, SOURCE, DOMAIN);
	assert_int_equal(attach(&rig, PHYR_PGTBL_VTDSS, 4, 0x3f0000000000), 0);
	expect_block(&rig, 0x201000, PHYR_READ, PHYR_FAULT_BAD_ADDRESS);
	end_rig(&rig);
}

/* The window of interrupt messages is never translated, whatever the tables say. */
static void message_window_is_no_memory(void **state)
{
	struct rig rig = make_rig(PHYR_PGTBL_VTDSS);

	assert_int_equal(attach(&rig, PHYR_PGTBL_VTDSS, 4, 0x200000000000), 0);
	expect_block(&rig, 0xfee00000, PHYR_WRITE, PHYR_FAULT_BAD_ADDRESS);
	expect_block(&rig, 0xfeeffff8, PHYR_WRITE, PHYR_FAULT_BAD_ADDRESS);
	end_rig(&rig);
}

/* A leaf around it ends where it begins, and goes on behind it. */
static void message_window_cuts_a_leaf(void **state)
{
	struct rig rig = {
		.sim = rig_sim(.memory = MIB, .table_memory = 2048 * MIB, .stepped = true)};
	struct phyr_env *env = phyr_sim_env(rig.sim);
	char buf[512] = {0}, *gib;

	rig.hw = phyr_sim_iommu(rig.sim);
	rig.sdev = rig_dev(rig.sim, SOURCE);
	make_tables(&rig);
	fill_vtdss(&rig);
	gib = env->alloc_pages(env, 1024 * MIB);
	assert_int_equal((uintptr_t)gib + env->phys_delta, 0x200040000000);
	rig.t[1][3] = 0x0000200040000083;
	memset(gib + 0x3edfff00, 0x5a, 512);
	assert_int_equal(attach(&rig, PHYR_PGTBL_VTDSS, 4, 0x200000000000), 0);
	for (unsigned cached = 0; cached < 2; cached++) {
		assert_int_equal(phyr_sim_dma_read(rig.sdev, 0xfedfff00, buf, 512), -14);
		assert_int_equal(rig.fault.iova, 0xfee00000);
		assert_int_equal(rig.fault.reason, PHYR_FAULT_BAD_ADDRESS);
		assert_int_equal(buf[255], 0x5a);
		assert_int_equal(buf[256], 0);
	}
	assert_int_equal(phyr_sim_dma_read(rig.sdev, 0xfef00000, buf, 512), 0);
	end_rig(&rig);
}

static void no_table_no_access(void **state)
{
	struct rig rig = make_rig(PHYR_PGTBL_VTDSS);
	struct phyr_fault f;
	uint64_t v = 1;
	size_t nr;

	assert_int_equal(phyr_sim_dma_read(rig.sdev, 0x201000, &v, 8), -14);
	assert_int_equal(phyr_sim_read_faults(rig.sim, 0, &f, 1, &nr), 1);
	assert_int_equal(nr, 1);
	assert_int_equal(f.reason, PHYR_FAULT_NO_DOMAIN);
	assert_int_equal(f.source, SOURCE);
	assert_int_equal(rig.faults, 0);
	end_rig(&rig);
}

static void bypass_sees_physical_addresses(void **state)
{
	struct rig rig = make_rig(PHYR_PGTBL_VTDSS);
	uint64_t v = 0x77;

	phyr_sim_dev_set_iommu(rig.sdev, false);
	assert_int_equal(phyr_sim_dma_write(rig.sdev, 0x200000004000, &v, 8), 0);
	assert_int_equal(rig.t[4][0], 0x77);
	assert_int_equal(phyr_sim_dma_write(rig.sdev, 0x1000, &v, 8), -14);
	assert_int_equal(phyr_sim_dma_write(rig.sdev, ~(uint64_t)7, &v, 16), -14);
	assert_int_equal(rig_stats(rig.sim).faults, 2);
	assert_int_equal(rig_stats(rig.sim).iotlb_misses, 0);
	phyr_sim_dev_set_iommu(rig.sdev, true);
	assert_int_equal(phyr_sim_dma_write(rig.sdev, 0x200000004000, &v, 8), -14);
	end_rig(&rig);
}

static void stale_until_told(void **state)
{
	struct rig rig = make_rig(PHYR_PGTBL_VTDSS);
	uint64_t *other, phys;

	other = rig_table(rig.sim, &phys);
	rig.t[4][0] = 1;
	other[0] = 2;
	assert_int_equal(attach(&rig, PHYR_PGTBL_VTDSS, 4, 0x200000000000), 0);
	expect_read(&rig, 0x201000, 1);
	assert_int_equal(rig_stats(rig.sim).iotlb_misses, 1);
	rig.t[3][1] = phys | 3;
	expect_read(&rig, 0x201000, 1);
	assert_int_equal(rig_stats(rig.sim).iotlb_hits, 1);
	rig.hw->invalidate(rig.hw, DOMAIN + 1, 0x201000, 0x201fff); /* another domain's */
	rig.hw->invalidate(rig.hw, DOMAIN, 0x202000, 0x202fff);     /* its neighbour */
	rig.hw->invalidate(rig.hw, DOMAIN, 0x200000, 0x200fff);
	expect_read(&rig, 0x201000, 1);
	rig.hw->invalidate(rig.hw, DOMAIN, 0x201800, 0x201800);
	expect_read(&rig, 0x201000, 2);
	assert_int_equal(rig_stats(rig.sim).invalidations, 4);

	/* Unmapped, still reached; until it is told. */
	rig.t[3][1] = 0;
	expect_read(&rig, 0x201000, 2);
	rig.hw->invalidate(rig.hw, DOMAIN, 0, ~(uint64_t)0);
	expect_block(&rig, 0x201000, PHYR_READ, PHYR_FAULT_NOT_PRESENT);
	/* What is not present is not kept: mapping needs no invalidation. */
	rig.t[3][1] = phys | 3;
	expect_read(&rig, 0x201000, 2);
	end_rig(&rig);
}

static void stale_large_pages(void **state)
{
	struct rig rig = make_rig(PHYR_PGTBL_VTDSS);

	assert_int_equal(attach(&rig, PHYR_PGTBL_VTDSS, 4, 0x200000000000), 0);
	expect_read(&rig, 0x404000, 0);
	expect_read(&rig, 0xc0004000, 0);
	rig.t[2][2] = 0;
	rig.t[1][3] = 0;
	expect_read(&rig, 0x404000, 0);
	/* Any part of a large page drops all of it. */
	rig.hw->invalidate(rig.hw, DOMAIN, 0x5ff000, 0x5fffff);
	expect_block(&rig, 0x404000, PHYR_READ, PHYR_FAULT_NOT_PRESENT);
	expect_read(&rig, 0xc0004000, 0);
	rig.hw->invalidate(rig.hw, DOMAIN, 0xff000000, 0xff000fff);
	expect_block(&rig, 0xc0004000, PHYR_READ, PHYR_FAULT_NOT_PRESENT);
	end_rig(&rig);
}

/* A table that was taken out is walked on until its span is invalidated. */
static void stale_tables(void **state)
{
	struct rig rig = make_rig(PHYR_PGTBL_VTDSS);

	assert_int_equal(attach(&rig, PHYR_PGTBL_VTDSS, 4, 0x200000000000), 0);
	expect_read(&rig, 0x201000, 0);
	rig.t[2][1] = 0;
	rig.t[3][5] = 0x0000200000004003;
	expect_read(&rig, 0x205000, 0);
	rig.hw->invalidate(rig.hw, DOMAIN, 0x201000, 0x201fff);
	expect_block(&rig, 0x201000, PHYR_READ, PHYR_FAULT_NOT_PRESENT);
	expect_block(&rig, 0x206000, PHYR_READ, PHYR_FAULT_NOT_PRESENT);
	/* That leaf was cached by itself. */
	expect_read(&rig, 0x205000, 0);
	end_rig(&rig);
}

/* A table that is given back before it is invalidated is found out. */
static void freed_table_is_found_out(void **state)
{
	struct rig rig = make_rig(PHYR_PGTBL_VTDSS);
	struct phyr_env *env = phyr_sim_env(rig.sim);

	assert_int_equal(attach(&rig, PHYR_PGTBL_VTDSS, 4, 0x200000000000), 0);
	expect_read(&rig, 0x201000, 0);
	rig.t[2][1] = 0;
	env->free_pages(env, rig.t[3], PAGE);
	expect_block(&rig, 0x202000, PHYR_READ, PHYR_FAULT_BAD_ADDRESS);
	end_rig(&rig);
}

/* There are 65535 numbers for domains, each given once until it is put back. */
static void domain_numbers_run_out(void **state)
{
	struct phyr_sim *sim = rig_sim(.memory = MIB, .stepped = true);
	struct phyr_soft_hw *hw = phyr_sim_iommu(sim);
	static bool seen[65536];

	memset(seen, 0, sizeof(seen));
	for (unsigned i = 1; i < 65536; i++) {
		uint32_t domain = hw->get_domain(hw);

		assert_in_range(domain, 1, 65535);
		assert_false(seen[domain]);
		seen[domain] = true;
	}
	assert_int_equal(hw->get_domain(hw), 0);
	hw->put_domain(hw, 4711);
	hw->put_domain(hw, 70000); /* was never given: nothing changes */
	assert_int_equal(hw->get_domain(hw), 4711);
	assert_int_equal(hw->get_domain(hw), 0);
	phyr_sim_destroy(sim);
}

static void clear_table_forgets(void **state)
{
	struct rig rig = make_rig(PHYR_PGTBL_VTDSS);

	assert_int_equal(attach(&rig, PHYR_PGTBL_VTDSS, 4, 0x200000000000), 0);
	expect_read(&rig, 0x201000, 0);
	rig.hw->clear_table(rig.hw, SOURCE, DOMAIN + 1); /* not this device's */
	expect_read(&rig, 0x201000, 0);
	rig.hw->clear_table(rig.hw, SOURCE, DOMAIN);
	rig.hw->clear_table(rig.hw, SOURCE, DOMAIN);
	rig.hw->clear_table(rig.hw, SOURCE + 1, DOMAIN);
	rig.t[3][1] = 0;
	assert_int_equal(attach(&rig, PHYR_PGTBL_VTDSS, 4, 0x200000000000), 0);
	expect_block(&rig, 0x201000, PHYR_READ, PHYR_FAULT_NOT_PRESENT);
	end_rig(&rig);
}

/* A small cache evicts; what it translates stays right, and what it dropped may be new again. */
static void small_cache_evicts(void **state)
{
	struct phyr_sim *sim = rig_sim(.memory = 4 * MIB, .stepped = true, .iotlb_entries = 1);
	struct phyr_sim_dev *sdev = rig_dev(sim, SOURCE);
	struct phyr_soft_hw *hw = phyr_sim_iommu(sim);
	uint64_t *t[4], phys[4], v;

	for (unsigned i = 0; i < 4; i++) {
		t[i] = rig_table(sim, &phys[i]);
		if (i)
			t[i - 1][0] = phys[i] | 3;
	}
	for (unsigned i = 0; i < 4; i++) {
		t[3][i] = phys[i] | 3;
		t[i][511] = i;
	}
	assert_int_equal(hw->set_table(hw, SOURCE,
				       &(struct phyr_soft_table){.format = PHYR_PGTBL_VTDSS,
								 .levels = 4,
								 .root = phys[0],
								 .domain = 1},
				       NULL, NULL),
			 0);
	for (unsigned i = 0; i < 40; i++) {
		assert_int_equal(phyr_sim_dma_read(sdev, i % 4 * PAGE + 4088, &v, 8), 0);
		assert_int_equal(v, i % 4);
	}
	assert_int_equal(rig_stats(sim).iotlb_misses, 40);
	assert_int_equal(phyr_sim_dma_read(sdev, 3 * PAGE, &v, 8), 0);
	assert_int_equal(rig_stats(sim).iotlb_hits, 1);
	hw->invalidate(hw, 1, 0, ~(uint64_t)0);
	phyr_sim_destroy(sim);
}

static void blocked_transfer_stops_at_the_page(void **state)
{
	struct rig rig = make_rig(PHYR_PGTBL_VTDSS);
	char buf[2 * 4096];

	assert_int_equal(attach(&rig, PHYR_PGTBL_VTDSS, 4, 0x200000000000), 0);
	memset(buf, 0x5a, sizeof(buf));
	assert_int_equal(phyr_sim_dma_write(rig.sdev, 0x201100, buf, 4096), -14);
	assert_int_equal(rig.fault.iova, 0x202000);
	assert_int_equal(((unsigned char *)rig.t[4])[0xff], 0);
	assert_memory_equal((char *)rig.t[4] + 0x100, buf, 4096 - 0x100);
	assert_int_equal(rig_stats(rig.sim).dma_bytes, 4096 - 0x100);
	end_rig(&rig);
}

/* Faults are numbered from 0; the newest PHYR_SIM_FAULT_LOG are kept. */
static void fault_log_counts_and_wraps(void **state)
{
	struct rig rig = make_rig(PHYR_PGTBL_VTDSS);
	struct phyr_fault f[PHYR_SIM_FAULT_LOG + 8];
	uint64_t v, next;
	size_t nr;

	assert_int_equal(attach(&rig, PHYR_PGTBL_VTDSS, 4, 0x200000000000), 0);
	assert_int_equal(phyr_sim_read_faults(rig.sim, 0, f, 8, &nr), 0);
	assert_int_equal(nr, 0);
	for (uint64_t i = 0; i < 300; i++)
		phyr_sim_dma_read(rig.sdev, 0x1000000 + i * PAGE, &v, 8);
	assert_int_equal(rig_stats(rig.sim).faults, 300);
	next = phyr_sim_read_faults(rig.sim, 10, f, 5, &nr);
	assert_int_equal(nr, 5);
	assert_int_equal(next, 300 - PHYR_SIM_FAULT_LOG + 5); /* 10 to 43 were dropped */
	assert_int_equal(f[0].iova, 0x1000000 + (300 - PHYR_SIM_FAULT_LOG) * PAGE);
	next = phyr_sim_read_faults(rig.sim, next, f, 1000, &nr);
	assert_int_equal(nr, PHYR_SIM_FAULT_LOG - 5);
	assert_int_equal(next, 300);
	assert_int_equal(f[nr - 1].iova, 0x1000000 + 299 * PAGE);
	assert_int_equal(phyr_sim_read_faults(rig.sim, next, f, 8, &nr), 300);
	assert_int_equal(nr, 0);
	end_rig(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables_within_reach),
		cmocka_unit_test(info_says_what_there_is),
		cmocka_unit_test(set_table_refuses),
		cmocka_unit_test(walks_vtdss),
		cmocka_unit_test(walks_x86),
		cmocka_unit_test(three_levels),
		cmocka_unit_test(range_ends_with_the_table),
		cmocka_unit_test(permissions_add_up),
		cmocka_unit_test(bad_entries_and_addresses),
		cmocka_unit_test(message_window_is_no_memory),
		cmocka_unit_test(message_window_cuts_a_leaf),
		cmocka_unit_test(no_table_no_access),
		cmocka_unit_test(bypass_sees_physical_addresses),
		cmocka_unit_test(stale_until_told),
		cmocka_unit_test(stale_large_pages),
		cmocka_unit_test(stale_tables),
		cmocka_unit_test(freed_table_is_found_out),
		cmocka_unit_test(domain_numbers_run_out),
		cmocka_unit_test(clear_table_forgets),
		cmocka_unit_test(small_cache_evicts),
		cmocka_unit_test(blocked_transfer_stops_at_the_page),
		cmocka_unit_test(fault_log_counts_and_wraps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
