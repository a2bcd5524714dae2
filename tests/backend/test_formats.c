/* SPDX-License-Identifier: MIT */
/*
 * The soft backend on the simulated machine, with tables of every format and shape: what a device
 * reaches, and that the walker written from the manuals and the table's own lookup agree. On a
 * machine that does not snoop, and with one write-back of table memory left out, which must show.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include <phyr/sim.h>

#include "core/bits.h"
#include "lib/rnd.h"
#include "lib/tenv.h"
#include "sim/walk.h"

#define SOURCE 0x0100
#define MIB    (1ull << 20)
#define MEMORY (16 * MIB)
#define SLOTS  6u
#define SLOT   (8 * MIB) /* of iova each, at most */
#define ROUNDS 120u

static const struct kind {
	const char *name;
	enum phyr_pgtbl_format format;
	unsigned levels, granule_lg2, oa_bits, bbm;
	unsigned iova_bits; /* that it comes to */
} kinds[] = {
	{"vtdss 3", PHYR_PGTBL_VTDSS, 3, 12, 0, 0, 39},
	{"vtdss", PHYR_PGTBL_VTDSS, 0, 12, 0, 0, 48},
	{"vtdss 5, 52 bits", PHYR_PGTBL_VTDSS, 5, 12, 52, 0, 57},
	{"x86_64", PHYR_PGTBL_X86_64, 0, 12, 0, 0, 47},
	{"x86_64 5", PHYR_PGTBL_X86_64, 5, 12, 0, 0, 56},
	{"amdv1 3", PHYR_PGTBL_AMDV1, 3, 12, 0, 0, 39},
	{"amdv1", PHYR_PGTBL_AMDV1, 0, 12, 0, 0, 48},
	{"amdv1 6", PHYR_PGTBL_AMDV1, 6, 12, 52, 0, 64},
	{"arm64_s1 3", PHYR_PGTBL_ARM64_S1, 3, 12, 0, 0, 39},
	{"arm64_s1", PHYR_PGTBL_ARM64_S1, 0, 12, 0, 1, 48},
	{"arm64_s1 16K", PHYR_PGTBL_ARM64_S1, 0, 14, 0, 0, 48},
	{"arm64_s1 64K", PHYR_PGTBL_ARM64_S1, 0, 16, 0, 2, 48},
	{"arm64_s1, 52 bits", PHYR_PGTBL_ARM64_S1, 0, 12, 52, 0, 48},
	{"arm64_s1 16K, 52 bits", PHYR_PGTBL_ARM64_S1, 0, 14, 52, 0, 48},
	{"arm64_s1 64K, 52 bits", PHYR_PGTBL_ARM64_S1, 0, 16, 52, 0, 48},
	{"arm64_s2", PHYR_PGTBL_ARM64_S2, 0, 12, 0, 0, 48},
	{"arm64_s2 16K", PHYR_PGTBL_ARM64_S2, 0, 14, 0, 0, 48},
	{"arm64_s2 64K", PHYR_PGTBL_ARM64_S2, 0, 16, 0, 0, 48},
	{"arm64_s2 16K, 52 bits", PHYR_PGTBL_ARM64_S2, 0, 14, 52, 0, 48},
	{"riscv64 3", PHYR_PGTBL_RISCV64, 3, 12, 0, 0, 38},
	{"riscv64", PHYR_PGTBL_RISCV64, 0, 12, 0, 0, 47},
	{"riscv64 5", PHYR_PGTBL_RISCV64, 5, 12, 0, 0, 56},
};

/* The machine, and its IOMMU with an ear at what it is told of tables. */
struct rig {
	struct phyr_soft_hw hw; /* hands on to real */
	struct phyr_soft_hw *real;
	const struct kind *kind;
	struct phyr_sim *sim;
	struct phyr_sim_dev *sdev;
	struct tenv t;
	struct phyr_iommu *iommu;
	struct phyr_domain *domain;
	struct sim_regime regime;
	unsigned char *memory;
	struct phyr_list list;
	uint64_t granule, last;
	uint64_t flushes, drop_at; /* counted; the one that is left out, 0: none */
	struct phyr_fault fault;
	unsigned faults;
};

static struct rig r;
static unsigned char memory[MEMORY] __attribute__((aligned(2 * MIB)));

static void get_info(struct phyr_soft_hw *hw, struct phyr_soft_info *info)
{
	r.real->get_info(r.real, info);
}

static int set_table(struct phyr_soft_hw *hw, uint32_t source, const struct phyr_soft_table *table,
		     phyr_fault_fn *fault, void *arg)
{
	struct phyr_soft_info info;

	get_info(hw, &info);
	assert_int_equal(phyr_sim_regime_init(&r.regime, table, info.oa_bits, r.kind->bbm), 0);
	return r.real->set_table(r.real, source, table, fault, arg);
}

static void clear_table(struct phyr_soft_hw *hw, uint32_t source, uint32_t domain)
{
	r.real->clear_table(r.real, source, domain);
}

static void invalidate(struct phyr_soft_hw *hw, uint32_t domain, uint64_t start, uint64_t last)
{
	r.real->invalidate(r.real, domain, start, last);
}

static uint32_t get_domain(struct phyr_soft_hw *hw)
{
	return r.real->get_domain(r.real);
}

static void put_domain(struct phyr_soft_hw *hw, uint32_t domain)
{
	r.real->put_domain(r.real, domain);
}

static void flush(struct phyr_env *env, const void *p, size_t len)
{
	if (++r.flushes != r.drop_at)
		r.t.base->flush_lines(r.t.base, p, len);
}

static void on_fault(void *arg, const struct phyr_fault *fault)
{
	r.fault = *fault;
	r.faults++;
}

static void make_machine(const struct kind *kind, bool noncoherent)
{
	const struct phyr_sim_config config = {.size = sizeof(config),
					       .memory = 64 * MIB,
					       .table_memory = 64 * MIB,
					       .scatter = PHYR_SIM_HUGE,
					       .stepped = true,
					       .aw_bits = 64,
					       .oa_bits = kind->oa_bits,
					       .bbm = kind->bbm,
					       .noncoherent = noncoherent};
	static const struct phyr_sim_dev_ops ops;

	assert_int_equal(phyr_sim_create(&config, &r.sim), 0);
	assert_int_equal(phyr_sim_dev_add(r.sim, &ops, NULL, SOURCE, &r.sdev), 0);
	r.real = phyr_sim_iommu(r.sim);
	r.hw = (struct phyr_soft_hw){get_info,   set_table,  clear_table,
				     invalidate, get_domain, put_domain};
	r.memory = memory;
	phyr_list_init(&r.list, NULL, phyr_sim_space(r.sim));
	assert_int_equal(phyr_sim_pin(r.sim, r.memory, MEMORY, &r.list), 0);
	tenv_init(&r.t, phyr_sim_env(r.sim));
	if (noncoherent)
		r.t.env.flush_lines = flush;
}

struct choices {
	bool noncoherent, dirty, force_snoop;
};

static void begin_with(const struct kind *kind, struct choices c)
{
	const struct phyr_soft_config config = {.size = sizeof(config),
						.format = kind->format,
						.levels = kind->levels,
						.granule_lg2 = kind->granule_lg2,
						.dirty = c.dirty,
						.force_snoop = c.force_snoop};

	memset(&r, 0, sizeof(r));
	r.kind = kind;
	make_machine(kind, c.noncoherent);
	r.granule = 1ull << kind->granule_lg2;
	assert_int_equal(phyr_soft_create(&r.t.env, &r.hw, &config, &r.iommu), 0);
	assert_int_equal(phyr_domain_create(r.iommu, &r.domain), 0);
	phyr_domain_set_fault_handler(r.domain, on_fault, NULL);
	assert_int_equal(phyr_domain_attach(r.domain, SOURCE), 0);
	assert_int_equal(phyr_domain_merge_boundary(r.domain), r.granule - 1);
	r.last = phyr_sim_regime_last(&r.regime);
	assert_int_equal(r.last, ~0ull >> (64 - kind->iova_bits));
}

static void begin(const struct kind *kind, bool noncoherent)
{
	begin_with(kind, (struct choices){.noncoherent = noncoherent});
}

static void end(void)
{
	struct phyr_sim_stats stats;

	phyr_domain_detach(r.domain, SOURCE);
	phyr_domain_destroy(r.domain);
	phyr_iommu_destroy(r.iommu);
	tenv_fini(&r.t);
	phyr_sim_get_stats(r.sim, &stats);
	assert_int_equal(stats.table_pages, 0);
	phyr_sim_unpin(r.sim, &r.list);
	phyr_list_fini(&r.list);
	phyr_sim_dev_remove(r.sdev);
	phyr_sim_destroy(r.sim);
}

/* A part of the memory at an iova. */
struct slot {
	uint64_t iova, offset, len; /* len 0: nothing */
};

static uint64_t addr_of(uint64_t offset)
{
	phyr_addr_t addr;

	assert_int_equal(phyr_sim_to_phys(r.sim, r.memory + offset, &addr), 0);
	return addr;
}

static int map_for(const struct slot *slot, unsigned prot)
{
	struct phyr_cursor cur;

	assert_int_equal(phyr_cursor_init_at(&cur, &r.list, slot->offset, slot->len), 0);
	return phyr_domain_map(r.domain, slot->iova, r.list.space, &cur, prot);
}

static int map(const struct slot *slot)
{
	return map_for(slot, PHYR_READ | PHYR_WRITE);
}

static void unmap(struct slot *slot)
{
	struct phyr_gather gather;

	phyr_gather_init(&gather);
	assert_int_equal(phyr_domain_unmap(r.domain, slot->iova, slot->len, &gather), 0);
	phyr_domain_sync(r.domain, &gather);
}

static bool read_memory(void *arg, uint64_t addr, uint64_t *entry)
{
	const struct phyr_space *space = phyr_sim_space(r.sim);
	uint64_t len = 8;
	const uint64_t *cpu = space->to_cpu(space, addr, &len);

	if (cpu)
		*entry = __atomic_load_n(cpu, __ATOMIC_ACQUIRE);
	return cpu;
}

/* Both lookups agree, and lead where they should; offset -1: nowhere. */
static void check_lookup(uint64_t iova, uint64_t offset)
{
	const struct sim_view view = {read_memory, NULL};
	struct phyr_translation tr;
	struct sim_leaf leaf;
	int reason = phyr_sim_walk(&r.regime, &view, iova, &leaf);
	int err = phyr_domain_translate(r.domain, iova, &tr);

	if (offset == UINT64_MAX) {
		assert_int_equal(reason, PHYR_FAULT_NOT_PRESENT);
		assert_int_equal(err, -ENOENT);
		return;
	}
	if (reason || err)
		fail_msg("%s: iova %llx: reason %d, err %d", r.kind->name, (unsigned long long)iova,
			 reason, err);
	assert_int_equal(leaf.addr, addr_of(offset));
	assert_int_equal(tr.addr, leaf.addr);
	assert_int_equal(tr.leaf_size, leaf.size);
	assert_int_equal(leaf.prot, PHYR_READ | PHYR_WRITE);
	assert_int_equal(tr.prot, PHYR_READ | PHYR_WRITE);
}

/* The device reads and writes its way through; false: it was blocked somewhere. */
static bool reaches(const struct slot *slot)
{
	for (uint64_t at = 0; at < slot->len; at += r.granule) {
		uint64_t v = slot->iova + at, *cpu = (uint64_t *)(r.memory + slot->offset + at),
			 got;

		if (phyr_sim_dma_write(r.sdev, slot->iova + at, &v, sizeof(v)) ||
		    phyr_sim_dma_read(r.sdev, slot->iova + at, &got, sizeof(got)))
			return false;
		assert_int_equal(*cpu, v);
		assert_int_equal(got, v);
	}
	return true;
}

static void check_slot(const struct slot *slot)
{
	assert_true(reaches(slot));
	for (uint64_t at = 0; at < slot->len; at += r.granule)
		check_lookup(slot->iova + at + 8, slot->offset + at + 8);
}

static void check_empty(const struct slot *slot, uint64_t len)
{
	uint64_t v;

	for (uint64_t at = 0; at < len; at += r.granule) {
		check_lookup(slot->iova + at, UINT64_MAX);
		assert_int_equal(phyr_sim_dma_read(r.sdev, slot->iova + at, &v, 8), -EFAULT);
	}
}

/* Slots lie from 256 MiB on, and at the end of iova. */
static uint64_t slot_start(unsigned i)
{
	return i < SLOTS / 2 ? 256 * MIB + i * SLOT : r.last + 1 - (SLOTS - i) * SLOT;
}

/* Something of the memory, likely to be aligned as large leaves want it. */
static void choose(struct rnd *rnd, unsigned i, struct slot *slot)
{
	uint64_t align = rnd_below(rnd, 2) ? r.granule : rnd_below(rnd, 2) ? 64u << 10 : 2 * MIB;

	align = max_u64(align, r.granule);
	slot->len = rnd_log(rnd, 1, 4 * MIB / r.granule) * r.granule;
	slot->offset = rnd_below(rnd, MEMORY - slot->len) & ~(align - 1);
	slot->iova = slot_start(i) + (rnd_below(rnd, SLOT - slot->len) & ~(align - 1));
}

static void random_calls(struct rnd *rnd)
{
	struct slot slots[SLOTS] = {{0}};

	for (unsigned round = 0; round < ROUNDS; round++) {
		unsigned i = (unsigned)rnd_below(rnd, SLOTS);
		struct slot *slot = &slots[i];
		uint64_t len = slot->len;

		if (!len) {
			choose(rnd, i, slot);
			assert_int_equal(map(slot), 0);
			check_slot(slot);
		} else {
			check_slot(slot);
			unmap(slot);
			check_empty(slot, len);
			slot->len = 0;
		}
	}
	for (unsigned i = 0; i < SLOTS; i++)
		if (slots[i].len)
			unmap(&slots[i]);
}

static void devices_reach_what_is_mapped(void **state)
{
	struct rnd rnd = rnd_start("backend/formats");

	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
		begin(&kinds[i], false);
		random_calls(&rnd);
		end();
	}
}

static void without_snooping(void **state)
{
	struct rnd rnd = rnd_start("backend/formats_noncoherent");

	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
		begin(&kinds[i], true);
		random_calls(&rnd);
		end();
	}
}

static uint64_t entry_of(uint64_t iova)
{
	const struct sim_view view = {read_memory, NULL};
	struct sim_leaf leaf;

	assert_int_equal(phyr_sim_walk(&r.regime, &view, iova, &leaf), 0);
	return leaf.entry;
}

/* A write marks the leaf that it goes through, and no other; a read none, once it was used. */
static void check_marks(const struct slot *slot)
{
	uint64_t first = slot->iova, last = slot->iova + slot->len - r.granule, v = 1;
	uint64_t before[2], written;

	assert_int_equal(phyr_sim_dma_read(r.sdev, first, &v, sizeof(v)), 0);
	assert_int_equal(phyr_sim_dma_read(r.sdev, last, &v, sizeof(v)), 0);
	before[0] = entry_of(first);
	before[1] = entry_of(last);
	assert_int_equal(phyr_sim_dma_read(r.sdev, first + 8, &v, sizeof(v)), 0);
	assert_int_equal(entry_of(first), before[0]);
	assert_int_equal(phyr_sim_dma_write(r.sdev, first, &v, sizeof(v)), 0);
	written = entry_of(first);
	assert_int_not_equal(written, before[0]);
	assert_true(is_pow2(written ^ before[0]));
	assert_int_equal(entry_of(last), before[1]);
	assert_int_equal(phyr_sim_dma_write(r.sdev, first, &v, sizeof(v)), 0);
	assert_int_equal(entry_of(first), written);
}

static void writes_are_marked(void **state)
{
	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct slot slot = {512 * MIB - MIB, MIB, 6 * MIB};

		begin_with(&kinds[i], (struct choices){.dirty = true});
		assert_true(r.regime.table.dirty);
		assert_int_equal(map(&slot), 0);
		check_marks(&slot);
		check_slot(&slot);
		unmap(&slot);
		end();
	}
}

/* What a leaf says that was mapped for @prot, and what a device may do then. */
static void check_rights(unsigned prot, bool snoops)
{
	struct slot slot = {512 * MIB - MIB, MIB, 6 * MIB};
	const struct sim_view view = {read_memory, NULL};
	enum phyr_pgtbl_format format = r.kind->format;
	bool reads = format == PHYR_PGTBL_X86_64 || format == PHYR_PGTBL_ARM64_S1 ||
		     format == PHYR_PGTBL_RISCV64;
	bool uncached = format == PHYR_PGTBL_X86_64 || format == PHYR_PGTBL_ARM64_S1 ||
			format == PHYR_PGTBL_ARM64_S2;
	unsigned want = prot & ~(uncached ? 0u : PHYR_MMIO) & 7;
	struct phyr_translation tr;
	struct sim_leaf leaf;
	uint64_t v = 0;

	if (reads)
		want |= PHYR_READ;
	assert_int_equal(map_for(&slot, prot), 0);
	for (uint64_t at = 0; at < slot.len; at += MIB) {
		assert_int_equal(phyr_sim_walk(&r.regime, &view, slot.iova + at, &leaf), 0);
		assert_int_equal(phyr_domain_translate(r.domain, slot.iova + at, &tr), 0);
		assert_int_equal(leaf.prot, want);
		assert_int_equal(tr.prot & ~(unsigned)PHYR_MMIO, want & ~(unsigned)PHYR_MMIO);
		assert_int_equal(leaf.snoop, snoops && !(prot & PHYR_MMIO));
		assert_int_equal(!phyr_sim_dma_read(r.sdev, slot.iova + at, &v, 8),
				 !!(want & PHYR_READ));
		assert_int_equal(!phyr_sim_dma_write(r.sdev, slot.iova + at, &v, 8),
				 !!(want & PHYR_WRITE));
	}
	unmap(&slot);
}

static void rights_are_kept(void **state)
{
	static const unsigned prots[] = {PHYR_READ, PHYR_WRITE, PHYR_READ | PHYR_WRITE,
					 PHYR_READ | PHYR_MMIO, PHYR_READ | PHYR_WRITE | PHYR_MMIO};

	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
		bool snoops =
			kinds[i].format == PHYR_PGTBL_VTDSS || kinds[i].format == PHYR_PGTBL_AMDV1;

		for (unsigned dirty = 0; dirty < 2; dirty++) {
			begin_with(&kinds[i],
				   (struct choices){.dirty = dirty, .force_snoop = snoops});
			for (unsigned p = 0; p < ARRAY_SIZE(prots); p++)
				check_rights(prots[p], snoops);
			end();
		}
	}
}

/* Pages and larger leaves, in tables of which parts stay empty. */
static const struct slot four = {512 * MIB - MIB, MIB, 6 * MIB};

/* Whether the device finds nothing there, and that in order. */
static bool finds_nothing(uint64_t iova)
{
	uint64_t v;

	return phyr_sim_dma_read(r.sdev, iova, &v, sizeof(v)) &&
	       r.fault.reason == PHYR_FAULT_NOT_PRESENT;
}

/* Beside a slot, near and far: in each table that leads to it. */
static bool nothing_around(const struct slot *slot)
{
	bool nothing = finds_nothing(slot->iova - r.granule) &&
		       finds_nothing(slot->iova + slot->len) && finds_nothing(r.last - 7);

	for (uint64_t far = 16 * MIB; nothing && far && far < r.last - slot->iova; far *= 2)
		nothing = finds_nothing(slot->iova + far);
	return nothing;
}

/* Leave the n-th write-back of a map out. Returns whether the device noticed; *any: there was one. */
static bool dropped_in_map(const struct kind *kind, uint64_t n, bool *any)
{
	struct slot slot = four;
	bool seen;

	begin(kind, true);
	r.flushes = 0;
	r.drop_at = n;
	assert_int_equal(map(&slot), 0);
	*any = r.flushes >= n;
	r.drop_at = 0;
	seen = !reaches(&slot) || !nothing_around(&slot);
	unmap(&slot);
	end();
	return seen;
}

/* The same of an unmap: the device still gets through. */
static bool dropped_in_unmap(const struct kind *kind, uint64_t n, bool *any)
{
	struct slot slot = four;
	bool seen = false;
	uint64_t v;

	begin(kind, true);
	assert_int_equal(map(&slot), 0);
	r.flushes = 0;
	r.drop_at = n;
	unmap(&slot);
	*any = r.flushes >= n;
	for (uint64_t at = 0; at < slot.len && !seen; at += r.granule) {
		unsigned faults = r.faults;

		/* What it gets to is the old mapping, or a table that is free by now. */
		seen = !phyr_sim_dma_read(r.sdev, slot.iova + at, &v, 8);
		assert_int_equal(r.faults, faults + !seen);
	}
	end();
	return seen;
}

/* Each write-back counts, but for two that share a line: large leaves and the next table's entry. */
static void a_missing_flush_is_seen(void **state)
{
	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
		unsigned unseen = 0;
		bool any = true;

		for (uint64_t n = 1; any; n++)
			unseen += !dropped_in_map(&kinds[i], n, &any) && any;
		if (unseen > 2)
			fail_msg("%s: %u write-backs of a map", kinds[i].name, unseen);
		any = true;
		for (uint64_t n = 1; any; n++)
			if (!dropped_in_unmap(&kinds[i], n, &any) && any)
				fail_msg("%s: write-back %llu of an unmap", kinds[i].name,
					 (unsigned long long)n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(devices_reach_what_is_mapped),
		cmocka_unit_test(without_snooping),
		cmocka_unit_test(rights_are_kept),
		cmocka_unit_test(writes_are_marked),
		cmocka_unit_test(a_missing_flush_is_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
