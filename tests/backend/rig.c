/* SPDX-License-Identifier: MIT */
/* A machine, a backend, a domain and a device, for tests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backend/rig.h"

static uint64_t no_register(void *priv, uint64_t offset, unsigned width)
{
	return 0;
}

static void ignore_write(void *priv, uint64_t offset, uint64_t value, unsigned width)
{
}

static const struct phyr_sim_dev_ops dev_ops = {.mmio_read = no_register,
						.mmio_write = ignore_write};

static void on_fault(void *arg, const struct phyr_fault *fault)
{
	struct rig *rig = arg;

	rig->fault = *fault;
	rig->faults++;
}

static void make_machine(struct rig *rig)
{
	const struct phyr_sim_config config = {
		.size = sizeof(config), .scatter = rig->kind->scatter, .seed = 7, .stepped = true};

	assert_int_equal(phyr_sim_create(&config, &rig->sim), 0);
	for (uint32_t i = 0; i < RIG_DEVICES; i++) {
		assert_int_equal(
			phyr_sim_dev_add(rig->sim, &dev_ops, rig, RIG_SOURCE + i, &rig->devs[i]),
			0);
		phyr_sim_dev_set_iommu(rig->devs[i], rig->kind->translates);
	}
	rig->memory = aligned_alloc(2u << 20, RIG_MEMORY);
	memset(rig->memory, 0, RIG_MEMORY);
	phyr_list_init(&rig->list, NULL, phyr_sim_space(rig->sim));
	assert_int_equal(phyr_sim_pin(rig->sim, rig->memory, RIG_MEMORY, &rig->list), 0);
}

void rig_init(struct rig *rig, const struct rig_kind *kind)
{
	struct phyr_soft_config config = {.size = sizeof(config), .format = kind->format};

	memset(rig, 0, sizeof(*rig));
	rig->kind = kind;
	make_machine(rig);
	tenv_init(&rig->t, phyr_sim_env(rig->sim));
	if (kind->translates)
		assert_int_equal(phyr_soft_create(&rig->t.env, phyr_sim_iommu(rig->sim), &config,
						  &rig->iommu),
				 0);
	else
		assert_int_equal(phyr_direct_create(&rig->t.env, &rig->iommu), 0);
	assert_int_equal(phyr_domain_create(rig->iommu, &rig->domain), 0);
	phyr_domain_set_fault_handler(rig->domain, on_fault, rig);
}

void rig_fini(struct rig *rig)
{
	struct phyr_domain_stats stats;
	struct phyr_sim_stats sim;

	phyr_domain_get_stats(rig->domain, &stats);
	assert_int_equal(stats.iova_bytes, 0);
	assert_int_equal(stats.faults, rig->faults);
	phyr_domain_destroy(rig->domain);
	phyr_iommu_destroy(rig->iommu);
	tenv_fini(&rig->t);
	phyr_sim_get_stats(rig->sim, &sim);
	assert_int_equal(sim.table_pages, 0);
	for (unsigned i = 0; i < RIG_DEVICES; i++)
		phyr_sim_dev_remove(rig->devs[i]);
	phyr_sim_unpin(rig->sim, &rig->list);
	phyr_list_fini(&rig->list);
	phyr_sim_destroy(rig->sim);
	free(rig->memory);
}

int rig_map(struct rig *rig, uint64_t offset, uint64_t len, unsigned prot, uint64_t *iova)
{
	struct phyr_iova *space = phyr_domain_iova(rig->domain);
	struct phyr_iova_request request = {
		.size = sizeof(request), .align = 2u << 20, .prefer = true};
	struct phyr_cursor cur;
	uint64_t at;
	int err;

	assert_int_equal(phyr_cursor_init_at(&cur, &rig->list, offset, len), 0);
	request.skew = rig_phys(rig, offset) & ((2u << 20) - 0x1000);
	assert_int_equal(phyr_iova_alloc(space, (offset & 0xfff) + len, &request, &at), 0);
	err = phyr_domain_map(rig->domain, at + (offset & 0xfff), rig->list.space, &cur, prot);
	if (!err)
		err = phyr_domain_sync_map(rig->domain, at, len);
	if (err)
		phyr_iova_free(space, at, (offset & 0xfff) + len);
	else
		*iova = at + (offset & 0xfff);
	return err;
}

void rig_unmap(struct rig *rig, uint64_t iova, uint64_t len)
{
	struct phyr_gather gather;

	phyr_gather_init(&gather);
	assert_int_equal(phyr_domain_unmap(rig->domain, iova, len, &gather), 0);
	phyr_domain_sync(rig->domain, &gather);
	phyr_iova_free(phyr_domain_iova(rig->domain), iova & ~0xfffull, (iova & 0xfff) + len);
}

uint64_t rig_phys(struct rig *rig, uint64_t offset)
{
	phyr_addr_t addr = 0;

	assert_int_equal(phyr_sim_to_phys(rig->sim, rig->memory + offset, &addr), 0);
	return addr;
}

static unsigned char pattern(unsigned char first, uint64_t i)
{
	return (unsigned char)(first + i * 7 + (i >> 12) * 13);
}

int rig_write(struct rig *rig, uint64_t addr, unsigned char first, uint64_t len)
{
	unsigned char *buf = malloc(len);
	int err;

	for (uint64_t i = 0; i < len; i++)
		buf[i] = pattern(first, i);
	err = phyr_sim_dma_write(rig->devs[0], addr, buf, len);
	free(buf);
	return err;
}

int rig_read(struct rig *rig, uint64_t addr, unsigned char first, uint64_t len)
{
	unsigned char *buf = calloc(1, len);
	int err = phyr_sim_dma_read(rig->devs[0], addr, buf, len);

	for (uint64_t i = 0; !err && i < len; i++)
		assert_int_equal(buf[i], pattern(first, i));
	free(buf);
	return err;
}

bool rig_holds(const struct rig *rig, uint64_t offset, unsigned char first, uint64_t len)
{
	for (uint64_t i = 0; i < len; i++)
		if (rig->memory[offset + i] != pattern(first, i))
			return false;
	return true;
}
