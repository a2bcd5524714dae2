/* SPDX-License-Identifier: MIT */
/* The simulated machine with tables of any format. */
#include "backend/formats.h"

#include <string.h>

#include "core/bits.h"

#define SOURCE 0x0100

const struct fmt_kind fmt_kinds[] = {
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

const unsigned fmt_nr_kinds = ARRAY_SIZE(fmt_kinds);

struct fmt_rig fmt;
static unsigned char memory[FMT_MEMORY] __attribute__((aligned(2 * FMT_MIB)));

static void get_info(struct phyr_soft_hw *hw, struct phyr_soft_info *info)
{
	fmt.real->get_info(fmt.real, info);
}

static int set_table(struct phyr_soft_hw *hw, uint32_t source, const struct phyr_soft_table *table,
		     phyr_fault_fn *fault, void *arg)
{
	struct phyr_soft_info info;

	get_info(hw, &info);
	assert_int_equal(phyr_sim_regime_init(&fmt.regime, table, info.oa_bits, fmt.kind->bbm), 0);
	return fmt.real->set_table(fmt.real, source, table, fault, arg);
}

static void clear_table(struct phyr_soft_hw *hw, uint32_t source, uint32_t domain)
{
	fmt.real->clear_table(fmt.real, source, domain);
}

static void invalidate(struct phyr_soft_hw *hw, uint32_t domain, uint64_t start, uint64_t last)
{
	fmt.real->invalidate(fmt.real, domain, start, last);
}

static uint32_t get_domain(struct phyr_soft_hw *hw)
{
	return fmt.real->get_domain(fmt.real);
}

static void put_domain(struct phyr_soft_hw *hw, uint32_t domain)
{
	fmt.real->put_domain(fmt.real, domain);
}

static void flush(struct phyr_env *env, const void *p, size_t len)
{
	if (++fmt.flushes != fmt.drop_at)
		fmt.t.base->flush_lines(fmt.t.base, p, len);
}

static void on_fault(void *arg, const struct phyr_fault *fault)
{
	fmt.fault = *fault;
	fmt.faults++;
}

static void make_machine(const struct fmt_kind *kind, bool noncoherent)
{
	const struct phyr_sim_config config = {.size = sizeof(config),
					       .memory = 64 * FMT_MIB,
					       .table_memory = 64 * FMT_MIB,
					       .scatter = PHYR_SIM_HUGE,
					       .stepped = true,
					       .aw_bits = 64,
					       .oa_bits = kind->oa_bits,
					       .bbm = kind->bbm,
					       .noncoherent = noncoherent};
	static const struct phyr_sim_dev_ops ops;

	assert_int_equal(phyr_sim_create(&config, &fmt.sim), 0);
	assert_int_equal(phyr_sim_dev_add(fmt.sim, &ops, NULL, SOURCE, &fmt.sdev), 0);
	fmt.real = phyr_sim_iommu(fmt.sim);
	fmt.hw = (struct phyr_soft_hw){get_info,   set_table,  clear_table,
				       invalidate, get_domain, put_domain};
	fmt.memory = memory;
	phyr_list_init(&fmt.list, NULL, phyr_sim_space(fmt.sim));
	assert_int_equal(phyr_sim_pin(fmt.sim, fmt.memory, FMT_MEMORY, &fmt.list), 0);
	tenv_init(&fmt.t, phyr_sim_env(fmt.sim));
	if (noncoherent)
		fmt.t.env.flush_lines = flush;
}

void fmt_begin(const struct fmt_kind *kind, struct fmt_choices c)
{
	const struct phyr_soft_config config = {.size = sizeof(config),
						.format = kind->format,
						.levels = kind->levels,
						.granule_lg2 = kind->granule_lg2,
						.dirty = c.dirty,
						.force_snoop = c.force_snoop};

	memset(&fmt, 0, sizeof(fmt));
	fmt.kind = kind;
	make_machine(kind, c.noncoherent);
	fmt.granule = 1ull << kind->granule_lg2;
	assert_int_equal(phyr_soft_create(&fmt.t.env, &fmt.hw, &config, &fmt.iommu), 0);
	assert_int_equal(phyr_domain_create(fmt.iommu, &fmt.domain), 0);
	phyr_domain_set_fault_handler(fmt.domain, on_fault, NULL);
	assert_int_equal(phyr_domain_attach(fmt.domain, SOURCE), 0);
	assert_int_equal(phyr_domain_merge_boundary(fmt.domain), fmt.granule - 1);
	fmt.last = phyr_sim_regime_last(&fmt.regime);
	assert_int_equal(fmt.last, ~0ull >> (64 - kind->iova_bits));
}

void fmt_end(void)
{
	struct phyr_sim_stats stats;

	phyr_domain_detach(fmt.domain, SOURCE);
	phyr_domain_destroy(fmt.domain);
	phyr_iommu_destroy(fmt.iommu);
	tenv_fini(&fmt.t);
	phyr_sim_get_stats(fmt.sim, &stats);
	assert_int_equal(stats.table_pages, 0);
	phyr_sim_unpin(fmt.sim, &fmt.list);
	phyr_list_fini(&fmt.list);
	phyr_sim_dev_remove(fmt.sdev);
	phyr_sim_destroy(fmt.sim);
}

uint64_t fmt_addr_of(uint64_t offset)
{
	phyr_addr_t addr;

	assert_int_equal(phyr_sim_to_phys(fmt.sim, fmt.memory + offset, &addr), 0);
	return addr;
}

int fmt_map_for(const struct fmt_slot *slot, unsigned prot)
{
	struct phyr_cursor cur;

	assert_int_equal(phyr_cursor_init_at(&cur, &fmt.list, slot->offset, slot->len), 0);
	return phyr_domain_map(fmt.domain, slot->iova, fmt.list.space, &cur, prot);
}

int fmt_map(const struct fmt_slot *slot)
{
	return fmt_map_for(slot, PHYR_READ | PHYR_WRITE);
}

void fmt_unmap(struct fmt_slot *slot)
{
	struct phyr_gather gather;

	phyr_gather_init(&gather);
	assert_int_equal(phyr_domain_unmap(fmt.domain, slot->iova, slot->len, &gather), 0);
	phyr_domain_sync(fmt.domain, &gather);
}

bool fmt_read_memory(void *arg, uint64_t addr, uint64_t *entry)
{
	const struct phyr_space *space = phyr_sim_space(fmt.sim);
	uint64_t len = 8;
	const uint64_t *cpu = space->to_cpu(space, addr, &len);

	if (cpu)
		*entry = __atomic_load_n(cpu, __ATOMIC_ACQUIRE);
	return cpu;
}

bool fmt_reaches(const struct fmt_slot *slot)
{
	for (uint64_t at = 0; at < slot->len; at += fmt.granule) {
		uint64_t v = slot->iova + at, *cpu = (uint64_t *)(fmt.memory + slot->offset + at),
			 got;

		if (phyr_sim_dma_write(fmt.sdev, slot->iova + at, &v, sizeof(v)) ||
		    phyr_sim_dma_read(fmt.sdev, slot->iova + at, &got, sizeof(got)))
			return false;
		assert_int_equal(*cpu, v);
		assert_int_equal(got, v);
	}
	return true;
}
