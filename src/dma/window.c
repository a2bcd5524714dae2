/* SPDX-License-Identifier: MIT */
/* Windows: iova whose first byte lies as deep in its granule as the memory's does. */
#include "dma/window.h"

#include "iova/iova.h"

uint64_t phyr_window_leaf_slow(const struct phyr_dev *dev, phyr_addr_t addr, uint64_t size,
			       uint64_t nr_runs)
{
	for (uint64_t left = dev->leaves; left;) {
		unsigned lg2 = lg2_u64(left);
		uint64_t leaf = (uint64_t)1 << lg2, head = -addr & (leaf - 1);
		/* Head and tail may lie apart; in between, half of the runs at least fill a leaf. */
		bool rare = nr_runs > 2 && nr_runs - 2 > size >> (lg2 - 1);

		if (leaf <= size && head <= size - leaf && !rare)
			return leaf;
		left -= leaf;
	}
	return 1;
}

int phyr_window_alloc(struct phyr_dev *dev, const struct window_want *want,
		      struct phyr_dma_iova_state *state)
{
	uint64_t offset = want->addr & dev->granule_mask, iova;
	struct phyr_iova_request request = {
		.size = sizeof(request),
		.limit = dev->mask == UINT64_MAX ? 0 : dev->mask,
		.align = want->align,
		.skew = want->addr & (want->align - 1) & ~dev->granule_mask,
		.prefer = !want->must,
	};
	int err;

	if (want->size > UINT64_MAX - dev->granule_mask - offset)
		return -ENOSPC;
	err = phyr_iova_try_alloc(dev->domain->iova, offset + want->size, &request, &iova);
	if (err)
		return err;
	state->addr = iova + offset;
	state->size = want->size;
	return 0;
}

void phyr_window_free(struct phyr_dev *dev, const struct phyr_dma_iova_state *state)
{
	uint64_t offset = state->addr & dev->granule_mask;

	phyr_iova_free(dev->domain->iova, state->addr - offset, offset + state->size);
}

int phyr_window_unmap(struct phyr_dev *dev, phyr_dma_addr_t addr, uint64_t len)
{
	struct phyr_gather gather;
	int err;

	gather_none(&gather);
	err = domain_unmap(dev->domain, addr, len, &gather);
	domain_sync(dev->domain, &gather);
	return err;
}

/* Give back a window in which a map failed, unless the kernel did not undo the part that it had mapped. */
static __attribute__((noinline)) void free_unfilled(struct phyr_dev *dev,
						    const struct phyr_dma_iova_state *window)
{
	struct phyr_translation at;

	if (phyr_domain_translate(dev->domain, window->addr, &at))
		phyr_window_free(dev, window);
}

int phyr_window_fill(struct phyr_dev *dev, const struct phyr_dma_iova_state *window,
		     const struct window_fill *fill)
{
	int err = domain_map(dev->domain, window->addr, fill->space, fill->cur, fill->prot);

	if (likely(!err)) {
		err = domain_sync_map(dev->domain, window->addr, window->size);
		if (likely(!err)) {
			count_add(&dev_counts(dev)->links, 1);
			return 0;
		}
		phyr_window_unmap(dev, window->addr, window->size);
	}
	free_unfilled(dev, window);
	return err;
}

const char *phyr_window_unmap_hint(int err, const char *edge)
{
	return err == -EIO
		       ? "the kernel did not unmap it: the device may still reach the memory, and "
			 "its iova stays taken"
		       : edge;
}

bool phyr_window_has_link(struct phyr_dev *dev, const char *call,
			  const struct phyr_dma_iova_state *state, uint64_t offset)
{
	struct phyr_translation at;

	if (likely(phyr_domain_translate(dev->domain, state->addr + offset, &at)))
		return false;
	env_fail(dev->env, .err = -EBUSY, .call = call, .iova = state->addr + offset,
		 .has_iova = true, .len = state->size - offset,
		 .hint = "a link is still in the window, which is kept: unlink it, or destroy all");
	return true;
}

bool phyr_window_close(struct phyr_dev *dev, const char *call,
		       const struct phyr_dma_iova_state *state, uint64_t mapped_len)
{
	int err = phyr_window_unmap(dev, state->addr, mapped_len);

	if (likely(!err)) {
		if (unlikely(mapped_len < state->size) &&
		    phyr_window_has_link(dev, call, state, mapped_len))
			return false;
		phyr_window_free(dev, state);
		return true;
	}
	env_fail(dev->env, .err = err, .call = call, .iova = state->addr, .has_iova = true,
		 .len = mapped_len,
		 .hint = phyr_window_unmap_hint(err, "this is not what was mapped: it stays "
						     "mapped, and keeps its iova"));
	return false;
}
