/* SPDX-License-Identifier: MIT */
/* A simulated machine with a device that moves data. */
#include "simrig.h"

#include <string.h>

#define SOURCE 0x300

enum { REG_ADDR = 0, REG_LEN = 8, REG_COMMAND = 16, REG_STATUS = 24 };

static uint64_t engine_read(void *priv, uint64_t offset, unsigned width)
{
	struct engine *e = priv;

	return offset == REG_STATUS ? (uint64_t)e->status : 0;
}

static void engine_write(void *priv, uint64_t offset, uint64_t value, unsigned width)
{
	struct engine *e = priv;

	if (offset == REG_ADDR)
		e->addr = value;
	else if (offset == REG_LEN)
		e->len = value;
	else if (offset == REG_COMMAND)
		e->command = value;
}

static bool engine_step(void *priv)
{
	struct engine *e = priv;

	if (e->command == PHYR_READ)
		e->status = phyr_sim_dma_read(e->sdev, e->addr, e->buf, e->len);
	else if (e->command == PHYR_WRITE)
		e->status = phyr_sim_dma_write(e->sdev, e->addr, e->buf, e->len);
	e->command = 0;
	return false;
}

static const struct phyr_sim_dev_ops engine_ops = {engine_read, engine_write, engine_step};

static void take_fault(void *arg, const struct phyr_fault *fault)
{
	struct simrig *r = arg;

	r->faults++;
	r->fault = *fault;
}

static void make_backend(struct simrig *r, const struct simrig_config *config)
{
	struct phyr_soft_config soft = {
		.size = sizeof(soft), .format = config->format, .page_sizes = config->page_sizes};

	if (config->format)
		assert_int_equal(
			phyr_soft_create(&r->t.env, phyr_sim_iommu(r->sim), &soft, &r->iommu), 0);
	else
		assert_int_equal(phyr_direct_create(&r->t.env, &r->iommu), 0);
}

void simrig_init(struct simrig *r, const struct simrig_config *config)
{
	const struct phyr_sim_config machine = {.size = sizeof(machine),
						.scatter = config->scatter,
						.seed = config->seed,
						.stepped = true};
	const struct phyr_limits limits = {.size = sizeof(limits),
					   .bus_offset = config->bus_offset};

	memset(r, 0, sizeof(*r));
	r->bus_offset = config->format ? 0 : config->bus_offset;
	assert_int_equal(phyr_sim_create(&machine, &r->sim), 0);
	tenv_init(&r->t, phyr_sim_env(r->sim));
	make_backend(r, config);
	assert_int_equal(phyr_domain_create(r->iommu, &r->domain), 0);
	phyr_domain_set_fault_handler(r->domain, take_fault, r);
	assert_int_equal(phyr_sim_dev_add(r->sim, &engine_ops, &r->engine, SOURCE, &r->engine.sdev),
			 0);
	phyr_sim_dev_set_iommu(r->engine.sdev, config->format != 0);
	r->regs = phyr_sim_dev_regs(r->engine.sdev);
	assert_int_equal(phyr_dev_create(r->domain, SOURCE, &limits, &r->dev), 0);
}

void simrig_fini(struct simrig *r)
{
	struct phyr_domain_stats stats;
	struct phyr_sim_stats sim;

	phyr_domain_get_stats(r->domain, &stats);
	assert_int_equal(stats.iova_bytes, 0);
	phyr_dev_destroy(r->dev);
	phyr_domain_destroy(r->domain);
	phyr_iommu_destroy(r->iommu);
	phyr_sim_dev_remove(r->engine.sdev);
	phyr_sim_get_stats(r->sim, &sim);
	assert_int_equal(sim.pinned_pages, 0);
	assert_int_equal(sim.table_pages, 0);
	tenv_fini(&r->t);
	phyr_sim_destroy(r->sim);
}

void simrig_pin(struct simrig *r, void *ptr, uint64_t len, struct phyr_list *list)
{
	phyr_list_init(list, &r->t.env, phyr_sim_space(r->sim));
	assert_int_equal(phyr_sim_pin(r->sim, ptr, len, list), 0);
}

void simrig_unpin(struct simrig *r, struct phyr_list *list)
{
	phyr_sim_unpin(r->sim, list);
	phyr_list_fini(list);
}

int engine_run(struct simrig *r, uint64_t addr, uint64_t len, unsigned command)
{
	r->regs->write(r->regs, REG_ADDR, addr - r->bus_offset, 8);
	r->regs->write(r->regs, REG_LEN, len, 8);
	r->regs->write(r->regs, REG_COMMAND, command, 8);
	while (phyr_sim_step(r->sim))
		;
	return (int)(int64_t)r->regs->read(r->regs, REG_STATUS, 8);
}
