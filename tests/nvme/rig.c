/* SPDX-License-Identifier: MIT */
/* What a test of the driver stands on. */
#include "nvme/rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void rig_init(struct rig *rig, bool stepped)
{
	rig_init_scattered(rig, stepped, PHYR_SIM_MIXED);
}

void rig_init_scattered(struct rig *rig, bool stepped, enum phyr_sim_scatter scatter)
{
	struct phyr_sim_config config = {
		.size = sizeof(config), .stepped = stepped, .scatter = scatter};

	memset(rig, 0, sizeof(*rig));
	rig->fd = -1;
	rig->stepped = stepped;
	assert_int_equal(phyr_sim_create(&config, &rig->sim), 0);
	tenv_init(&rig->tenv, phyr_sim_env(rig->sim));
}

void rig_attach(struct rig *rig, bool iommu)
{
	struct phyr_env *env = &rig->tenv.env;

	if (iommu)
		assert_int_equal(phyr_soft_create(env, phyr_sim_iommu(rig->sim), NULL, &rig->iommu),
				 0);
	else
		assert_int_equal(phyr_direct_create(env, &rig->iommu), 0);
	assert_int_equal(phyr_domain_create(rig->iommu, &rig->domain), 0);
	assert_int_equal(phyr_dev_create(rig->domain, RIG_SOURCE, NULL, &rig->dev), 0);
}

void rig_detach(struct rig *rig)
{
	phyr_dev_destroy(rig->dev);
	phyr_domain_destroy(rig->domain);
	phyr_iommu_destroy(rig->iommu);
}

void rig_fini(struct rig *rig)
{
	struct phyr_sim_stats stats;

	phyr_nvme_close(rig->nvme);
	rig_detach(rig);
	if (rig->sdev)
		phyr_sim_nvme_destroy(rig->sdev);
	tenv_fini(&rig->tenv);
	phyr_sim_get_stats(rig->sim, &stats);
	assert_int_equal(stats.pinned_pages, 0);
	phyr_sim_destroy(rig->sim);
	if (rig->fd >= 0)
		close(rig->fd);
}

static uint64_t fast_clock(struct phyr_env *env)
{
	static uint64_t now;

	return __atomic_add_fetch(&now, 1000000, __ATOMIC_RELAXED);
}

void rig_fast_clock(struct rig *rig)
{
	rig->tenv.env.now_ns = fast_clock;
}

static void step(void *sim)
{
	phyr_sim_step(sim);
}

struct phyr_nvme_opts rig_opts(struct rig *rig)
{
	struct phyr_nvme_opts opts = {.size = sizeof(opts)};

	if (rig->stepped) {
		opts.wait = step;
		opts.wait_arg = rig->sim;
	}
	return opts;
}

void rig_disk(struct rig *rig, uint64_t bytes, struct phyr_sim_nvme_config *config, bool iommu)
{
	struct phyr_sim_nvme_config defaults = {.size = sizeof(defaults)};
	char name[] = "/tmp/phyr-nvme-XXXXXX";

	config = config ? config : &defaults;
	rig->fd = mkstemp(name);
	assert_true(rig->fd >= 0);
	unlink(name);
	assert_int_equal(ftruncate(rig->fd, (off_t)bytes), 0);
	config->fd = rig->fd;
	assert_int_equal(phyr_sim_nvme_create(rig->sim, RIG_SOURCE, config, &rig->sdev), 0);
	if (!iommu)
		phyr_sim_dev_set_iommu(rig->sdev, false);
	rig_attach(rig, iommu);
}

void rig_open(struct rig *rig, const struct phyr_nvme_opts *opts)
{
	struct phyr_nvme_opts defaults = rig_opts(rig);

	assert_int_equal(phyr_nvme_open(rig->dev, phyr_sim_dev_regs(rig->sdev),
					opts ? opts : &defaults, &rig->nvme),
			 0);
}

void mem_init(struct rig *rig, struct mem *mem, uint64_t len, uint64_t offset,
	      enum phyr_dma_dir dir)
{
	uint64_t room = (offset + len + 4095) / 4096 * 4096;

	mem->len = len;
	mem->cpu = (unsigned char *)aligned_alloc(4096, room) + offset;
	memset(mem->cpu - offset, 0xa5, room);
	phyr_list_init(&mem->list, &rig->tenv.env, phyr_sim_space(rig->sim));
	assert_int_equal(phyr_sim_pin(rig->sim, mem->cpu, len, &mem->list), 0);
	assert_int_equal(phyr_dma_map(rig->dev, &mem->list, dir, 0, &mem->map), 0);
}

void mem_fini(struct rig *rig, struct mem *mem)
{
	phyr_dma_unmap(rig->dev, &mem->map);
	phyr_sim_unpin(rig->sim, &mem->list);
	phyr_list_fini(&mem->list);
	free((void *)((uintptr_t)mem->cpu & ~(uintptr_t)4095));
}

struct phyr_cursor mem_cursor(struct mem *mem, uint64_t offset, uint64_t len)
{
	struct phyr_cursor cur;

	assert_int_equal(phyr_dma_map_cursor(&mem->map, offset, len, &cur), 0);
	return cur;
}

void ended_fn(void *arg, const struct phyr_nvme_done *done)
{
	struct ended *ended = arg;

	ended->times++;
	ended->err = done->err;
	ended->status = done->status;
	ended->result = done->result;
}

void poll_all(struct phyr_nvme_queue *queue)
{
	while (phyr_nvme_in_flight(queue))
		if (!phyr_nvme_poll(queue))
			sched_yield();
}
