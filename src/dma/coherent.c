/* SPDX-License-Identifier: MIT */
/* Memory that CPU and device share, from the environment's pages. */
#include "dma/phys.h"

/* The largest size that is taken seriously: its power of two is still one. */
#define MOST ((uint64_t)1 << 62)

static const char alloc_call[] = "phyr_dma_alloc";

/* The block that @size bytes get: whole granules, so that nothing else lies under the mapping. */
static uint64_t block_size(const struct phyr_dev *dev, uint64_t size)
{
	return pow2_at_least(max_u64(max_u64(size, PHYR_PAGE_SIZE), dev->granule_mask + 1));
}

/* Pages of the environment, as long as @ask says; NULL: reported. */
static void *take_pages(struct phyr_dev *dev, const struct dma_ask *ask)
{
	void *cpu = ask->len <= SIZE_MAX ? env_alloc_pages(dev->env, ask->len) : NULL;

	if (!cpu)
		env_fail(dev->env, .err = -ENOMEM, .call = alloc_call, .len = ask->len,
			 .hint = "no pages left");
	return cpu;
}

/* What the environment's memory is to this device. */
static const struct phyr_space *pages_space(const struct phyr_dev *dev)
{
	return dev->domain->iommu->caps->pages;
}

/* The address of such memory in that space. */
static phyr_addr_t pages_addr(const struct phyr_dev *dev, const void *cpu)
{
	return pages_space(dev) ? (uintptr_t)cpu : env_to_phys(dev->env, cpu);
}

/* Whether memory of this size may be asked for at all; else it is reported. */
static bool ask_is_good(struct phyr_dev *dev, const struct dma_ask *ask)
{
	if (!ask->len || ask->len > MOST)
		env_fail(dev->env, .err = -EINVAL, .call = alloc_call, .len = ask->len,
			 .limit = MOST, .hint = "a size is 1 byte to 2^62");
	else if (!dev_takes(dev, ask->space))
		phyr_dev_refuse(dev, ask);
	else
		return true;
	return false;
}

void *phyr_dma_alloc(struct phyr_dev *dev, uint64_t size, phyr_dma_addr_t *addr)
{
	struct dma_ask ask = {.call = alloc_call,
			      .space = pages_space(dev),
			      .len = size,
			      .dir = PHYR_DMA_BIDIRECTIONAL};
	void *cpu;

	if (!ask_is_good(dev, &ask))
		return NULL;
	ask.len = block_size(dev, size);
	cpu = take_pages(dev, &ask);
	if (!cpu)
		return NULL;
	ask.addr = pages_addr(dev, cpu);
	if (!phyr_phys_map(dev, &ask, 0, ask.len, addr))
		return cpu;
	env_free_pages(dev->env, cpu, ask.len);
	return NULL;
}

void phyr_dma_free(struct phyr_dev *dev, uint64_t size, void *cpu, phyr_dma_addr_t addr)
{
	static const char call[] = "phyr_dma_free";
	uint64_t block;

	if (!cpu)
		return;
	if (size > MOST) {
		env_fail(dev->env, .err = -EINVAL, .call = call, .len = size, .iova = addr,
			 .has_iova = true, .limit = MOST,
			 .hint = "nothing of this size was given out");
		return;
	}
	block = block_size(dev, size);
	if (phyr_phys_unmap(dev, call, addr, block))
		env_free_pages(dev->env, cpu, block);
}
