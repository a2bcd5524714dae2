/* SPDX-License-Identifier: MIT */
/* The machine: made of its parts, and taken apart. */
#include "sim/machine.h"

#include <stdlib.h>

#include "core/bits.h"
#include "core/env.h"
#include "core/order.h"
#include "sim/layout.h"

#define DEFAULT_MEMORY ((uint64_t)64 << 30)
#define DEFAULT_TABLES ((uint64_t)4 << 30)
#define IOTLB_MAX      (1u << 24)

/* Why settings won't do; NULL: they will. */
static const char *check(const struct phyr_sim_config *c)
{
	const char *hint = phyr_sim_iommu_check(c);
	uint64_t start;

	if (hint)
		return hint;
	start = sim_tables_start(c->oa_bits);
	if (c->memory % SIM_PAGE || c->memory > start / 2)
		return "memory: whole pages, 16 TiB at most; less where oa_bits is below 46";
	if (c->table_memory % SIM_PAGE || c->table_memory > min_u64(start, SIM_TABLES_MAX))
		return "table_memory: whole pages, 1 TiB at most; less where oa_bits is 40";
	if ((unsigned)c->scatter > PHYR_SIM_LINEAR)
		return "scatter: no such setting";
	if (c->iotlb_entries > IOTLB_MAX)
		return "iotlb_entries: 2^24 at most";
	return NULL;
}

static int make_parts(struct phyr_sim *sim, const struct phyr_sim_config *config)
{
	if (phyr_sim_memory_init(&sim->memory, config))
		return -ENOMEM;
	if (phyr_sim_tables_init(&sim->tables, sim_tables_start(config->oa_bits),
				 config->table_memory, config->noncoherent))
		goto no_tables;
	if (phyr_sim_iommu_init(&sim->iommu, config))
		goto no_iommu;
	phyr_sim_faults_init(&sim->faults);
	phyr_sim_turns_init(&sim->turns, config->stepped);
	return 0;
no_iommu:
	phyr_sim_tables_fini(&sim->tables);
no_tables:
	phyr_sim_memory_fini(&sim->memory);
	return -ENOMEM;
}

void *phyr_sim_to_cpu(struct phyr_sim *sim, phyr_addr_t addr, uint64_t *len)
{
	if (addr >= sim->tables.start)
		return phyr_sim_tables_to_cpu(&sim->tables, addr, len);
	return phyr_sim_memory_to_cpu(&sim->memory, addr, len);
}

static void *space_to_cpu(const struct phyr_space *space, phyr_addr_t addr, uint64_t *len)
{
	/* The machine is not const; only its space is handed out as such. */
	return phyr_sim_to_cpu(
		container_of((struct phyr_space *)(uintptr_t)space, struct phyr_sim, space), addr,
		len);
}

int phyr_sim_create(const struct phyr_sim_config *config, struct phyr_sim **out)
{
	static const struct phyr_sim_config defaults = {.size = sizeof(defaults)};
	struct phyr_sim_config c = config ? *config : defaults;
	const char *hint = c.size == sizeof(c) ? check(&c) : "size: unknown";
	struct phyr_sim *sim;

	if (hint)
		return env_fail(phyr_env_hosted(), .err = -EINVAL, .call = "phyr_sim_create",
				.hint = hint);
	c.memory = c.memory ? c.memory : DEFAULT_MEMORY;
	c.table_memory = c.table_memory ? c.table_memory : DEFAULT_TABLES;
	sim = calloc(1, sizeof(*sim));
	if (!sim || make_parts(sim, &c)) {
		free(sim);
		return env_fail(phyr_env_hosted(), .err = -ENOMEM, .call = "phyr_sim_create",
				.hint = "no memory, or no address space, for the machine");
	}
	sim->space = (struct phyr_space){.kind = PHYR_KIND_RAM, .to_cpu = space_to_cpu};
	*out = sim;
	return 0;
}

void phyr_sim_destroy(struct phyr_sim *sim)
{
	if (!sim)
		return;
	phyr_sim_turns_fini(&sim->turns);
	for (unsigned i = 0; i < sim->nr_devs; i++)
		free(sim->devs[i]);
	free(sim->devs);
	phyr_sim_iommu_fini(&sim->iommu);
	phyr_sim_faults_fini(&sim->faults);
	phyr_sim_tables_fini(&sim->tables);
	phyr_sim_memory_fini(&sim->memory);
	free(sim);
}

struct phyr_env *phyr_sim_env(struct phyr_sim *sim)
{
	return &sim->tables.env;
}

const struct phyr_space *phyr_sim_space(struct phyr_sim *sim)
{
	return &sim->space;
}

struct phyr_soft_hw *phyr_sim_iommu(struct phyr_sim *sim)
{
	return &sim->iommu.hw;
}

void phyr_sim_fail_alloc(struct phyr_sim *sim, uint64_t nth)
{
	struct sim_book *book = &sim->tables.book;

	store_relaxed(&book->failed, false);
	store_relaxed(&book->fail_at, nth ? load_relaxed(&book->allocs) + nth : 0);
}

bool phyr_sim_alloc_failed(struct phyr_sim *sim)
{
	return load_relaxed(&sim->tables.book.failed);
}

void phyr_sim_get_stats(struct phyr_sim *sim, struct phyr_sim_stats *stats)
{
	phyr_sim_memory_stats(&sim->memory, stats);
	phyr_sim_iommu_stats(&sim->iommu, stats);
	phyr_sim_tables_stats(&sim->tables, stats);
	stats->steps = load_relaxed(&sim->turns.steps);
	stats->devices = phyr_sim_nr_devs(sim);
	stats->faults = phyr_sim_faults_count(&sim->faults);
	stats->dma_bytes = load_relaxed(&sim->dma_bytes);
}
