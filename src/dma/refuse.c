/* SPDX-License-Identifier: MIT */
/* Why a mapping call says no. */
#include "dma/refuse.h"

#include "iommu/refuse.h"

static const char *dir_hint(enum phyr_dma_dir dir)
{
	return (unsigned)dir > PHYR_DMA_FROM_DEVICE ? "no such direction"
						    : "attrs must be 0 in this version";
}

int phyr_dev_refuse_dir(struct phyr_dev *dev, const char *call, enum phyr_dma_dir dir,
			phyr_dma_addr_t addr, uint64_t len)
{
	return env_fail(dev->env, .err = -EINVAL, .call = call, .len = len, .iova = addr,
			.has_iova = true, .hint = dir_hint(dir));
}

int phyr_dev_refuse(struct phyr_dev *dev, const struct dma_ask *ask)
{
	struct phyr_report r = {.call = ask->call, .addr = ask->addr, .len = ask->len};

	if (!dir_is_good(ask->dir, ask->attrs)) {
		r.err = -EINVAL;
		r.hint = dir_hint(ask->dir);
	} else if (ask->space == &phyr_dma_list_space) {
		r.err = -EINVAL;
		r.hint = "these are dma addresses: the memory is mapped already";
	} else if (ask->space && ask->space->kind == PHYR_KIND_SEEN) {
		r.err = -EOPNOTSUPP;
		r.hint = "this memory was seen and is not held: pin it with phyr_source_pin()";
	} else {
		r.err = -EOPNOTSUPP;
		r.hint = phyr_iommu_kind_hint(ask->space, dev->kinds);
	}
	return phyr_env_report(dev->env, &r);
}

int phyr_dev_refuse_range(struct phyr_dev *dev, const struct dma_ask *ask)
{
	return env_fail(dev->env, .err = -EINVAL, .call = ask->call, .addr = ask->addr,
			.len = ask->len,
			.hint = ask->len ? "the range runs past 2^64" : "length 0");
}

int phyr_dev_refuse_reach(struct phyr_dev *dev, const struct dma_ask *ask,
			  const struct phyr_range *run, uint64_t index)
{
	return env_fail(dev->env, .err = -EOPNOTSUPP, .call = ask->call, .index = index,
			.addr = run->addr, .len = run->len, .limit = dev->mask,
			.hint = "out of the device's reach: a bounce would be needed");
}

static const char *map_hint(int err)
{
	switch (err) {
	case -ENOSPC:
		return "the kernel's table of mappings is full: unmap something first";
	case -ENOMEM:
		return "out of memory for tables, or of memory that may be locked";
	case -ERANGE:
		return "the page table cannot hold this address";
	case -EFAULT:
		return "memory that is not there, or may not be written";
	default:
		return "the IOMMU refused it";
	}
}

int phyr_dev_no_window(struct phyr_dev *dev, const struct dma_ask *ask, uint64_t index, int err)
{
	return env_fail(dev->env, .err = err, .call = ask->call, .index = index, .addr = ask->addr,
			.len = ask->len, .limit = err == -ENOSPC ? dev->mask : 0,
			.hint = err == -ENOSPC ? "no iova left that the device reaches"
					       : "out of memory for iova");
}

int phyr_dev_map_failed(struct phyr_dev *dev, const struct dma_ask *ask, uint64_t index, int err)
{
	return env_fail(dev->env, .err = err, .call = ask->call, .index = index, .addr = ask->addr,
			.len = ask->len, .hint = map_hint(err));
}
