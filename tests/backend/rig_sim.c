/* SPDX-License-Identifier: MIT */
/* The simulated machine for tests of backends: direct, or soft with each format. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backend/rig_sim.h"
#include "core/bits.h"

#define FIRST_SOURCE 0x0100
#define DATA         ((4ull << 20) + 77)

struct machine {
	struct phyr_sim *sim;
	struct phyr_sim_dev *devs[RIG_DEVICES];
};

static struct machine *of(struct rig *rig)
{
	return rig->machine;
}

struct phyr_sim_dev *rig_sim_dev(struct rig *rig, unsigned dev)
{
	return of(rig)->devs[dev];
}

static uint64_t no_register(void *priv, uint64_t offset, unsigned width)
{
	return 0;
}

static void ignore_write(void *priv, uint64_t offset, uint64_t value, unsigned width)
{
}

static const struct phyr_sim_dev_ops dev_ops = {.mmio_read = no_register,
						.mmio_write = ignore_write};

static void add_device(struct rig *rig, unsigned dev)
{
	struct machine *m = of(rig);

	rig->source[dev] = FIRST_SOURCE + dev;
	assert_int_equal(phyr_sim_dev_add(m->sim, &dev_ops, rig, rig->source[dev], &m->devs[dev]),
			 0);
	phyr_sim_dev_set_iommu(m->devs[dev], rig->kind->translates);
}

static void sim_init(struct rig *rig)
{
	const struct phyr_sim_config config = {
		.size = sizeof(config), .scatter = rig->kind->scatter, .seed = 7, .stepped = true};
	struct machine *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	rig->machine = m;
	assert_int_equal(phyr_sim_create(&config, &m->sim), 0);
	for (unsigned i = 0; i < RIG_DEVICES; i++)
		add_device(rig, i);
	rig->size = RIG_SIM_MEMORY;
	rig->memory = aligned_alloc(2u << 20, rig->size);
	assert_non_null(rig->memory);
	memset(rig->memory, 0, rig->size);
	phyr_list_init(&rig->list, NULL, phyr_sim_space(m->sim));
	assert_int_equal(phyr_sim_pin(m->sim, rig->memory, rig->size, &rig->list), 0);
	tenv_init(&rig->t, phyr_sim_env(m->sim));
}

static void sim_fini(struct rig *rig)
{
	struct machine *m = of(rig);
	struct phyr_sim_stats stats;

	phyr_sim_get_stats(m->sim, &stats);
	assert_int_equal(stats.table_pages, 0);
	for (unsigned i = 0; i < RIG_DEVICES; i++)
		phyr_sim_dev_remove(m->devs[i]);
	phyr_sim_unpin(m->sim, &rig->list);
	phyr_list_fini(&rig->list);
	phyr_sim_destroy(m->sim);
	free(rig->memory);
	free(m);
}

static int sim_backend(struct rig *rig, struct phyr_iommu **out)
{
	struct phyr_soft_config config = {.size = sizeof(config), .format = rig->kind->format};

	if (!rig->kind->translates)
		return phyr_direct_create(&rig->t.env, out);
	return phyr_soft_create(&rig->t.env, phyr_sim_iommu(of(rig)->sim), &config, out);
}

/* There are no registers. */
static void sim_attached(struct rig *rig, struct phyr_domain *domain, unsigned dev)
{
}

static void sim_detaching(struct rig *rig, struct phyr_domain *domain, unsigned dev)
{
}

static int sim_access(struct rig *rig, unsigned dev, uint64_t addr, void *buf, uint64_t len,
		      unsigned access)
{
	struct phyr_sim_dev *device = of(rig)->devs[dev];

	if (access == PHYR_WRITE)
		return phyr_sim_dma_write(device, addr, buf, len);
	return phyr_sim_dma_read(device, addr, buf, len);
}

/* The handler is told; where a domain has none, the environment. */
static void sim_blocked(struct rig *rig, unsigned dev, uint64_t addr, uint64_t len, unsigned access,
			struct phyr_fault *fault)
{
	uint64_t reports = rig->t.reports;
	unsigned faults = rig->faults;
	unsigned char *buf = calloc(1, len);

	assert_non_null(buf);
	assert_int_equal(sim_access(rig, dev, addr, buf, len, access), -EFAULT);
	free(buf);
	if (rig->faults != faults) {
		assert_int_equal(rig->faults, faults + 1);
		*fault = rig->fault;
		return;
	}
	assert_int_equal(rig->t.reports, reports + 1);
	assert_string_equal(rig->t.last.call, "fault");
	*fault = (struct phyr_fault){
		.source = (uint32_t)rig->t.last.index, .access = access, .iova = rig->t.last.iova};
}

/* Without a domain there is nobody to tell. */
static void sim_outside(struct rig *rig, unsigned dev, uint64_t addr, uint64_t len)
{
	unsigned faults = rig->faults;

	assert_int_equal(rig_write(rig, dev, addr, 0xee, len), -EFAULT);
	assert_int_equal(rig->faults, faults);
}

const struct rig_machine rig_sim_machine = {
	.init = sim_init,
	.fini = sim_fini,
	.backend = sim_backend,
	.attached = sim_attached,
	.detaching = sim_detaching,
	.access = sim_access,
	.blocked = sim_blocked,
	.outside = sim_outside,
};

/* Others cannot forbid reading what may be written. */
#define HAS_WRITE_ONLY(pgtbl)                                          \
	((pgtbl) == PHYR_PGTBL_VTDSS || (pgtbl) == PHYR_PGTBL_AMDV1 || \
	 (pgtbl) == PHYR_PGTBL_ARM64_S2)

#define SOFT(title, pgtbl, scattered)                                                    \
	{                                                                                \
		.name = (title), .machine = &rig_sim_machine, .translates = true,        \
		.write_only = HAS_WRITE_ONLY(pgtbl), .data = DATA, .device_last = ~0ull, \
		.format = (pgtbl), .scatter = (scattered)                                \
	}

static const struct rig_kind kinds[] = {
	SOFT("soft vtdss mixed", PHYR_PGTBL_VTDSS, PHYR_SIM_MIXED),
	SOFT("soft vtdss huge", PHYR_PGTBL_VTDSS, PHYR_SIM_HUGE),
	SOFT("soft x86_64 single", PHYR_PGTBL_X86_64, PHYR_SIM_SINGLE),
	SOFT("soft x86_64 linear", PHYR_PGTBL_X86_64, PHYR_SIM_LINEAR),
	SOFT("soft amdv1 mixed", PHYR_PGTBL_AMDV1, PHYR_SIM_MIXED),
	SOFT("soft amdv1 linear", PHYR_PGTBL_AMDV1, PHYR_SIM_LINEAR),
	SOFT("soft arm64_s1 huge", PHYR_PGTBL_ARM64_S1, PHYR_SIM_HUGE),
	SOFT("soft arm64_s2 mixed", PHYR_PGTBL_ARM64_S2, PHYR_SIM_MIXED),
	SOFT("soft riscv64 linear", PHYR_PGTBL_RISCV64, PHYR_SIM_LINEAR),
	{.name = "direct",
	 .machine = &rig_sim_machine,
	 .data = DATA,
	 .device_last = ~0ull,
	 .scatter = PHYR_SIM_MIXED},
};

_Static_assert(ARRAY_SIZE(kinds) <= RIG_MAX_KINDS, "a suite has room for all");

const struct rig_kind *rig_kind(unsigned i)
{
	return i < ARRAY_SIZE(kinds) ? &kinds[i] : NULL;
}
