/* SPDX-License-Identifier: MIT */
/* A device that does DMA: its limits, its domain, its counters, and what may be asked of it. */
#include "dma/dev.h"

#include "core/mem.h"

/* Kinds of memory that this layer can map: the others need more than a domain that takes them. */
#define DMA_KINDS (1u << PHYR_KIND_RAM | 1u << PHYR_KIND_USER | 1u << PHYR_KIND_FD)

const struct phyr_space phyr_dma_list_space = {.kind = PHYR_KIND_RAM};

static int bad_limit(struct phyr_domain *domain, uint64_t value, const char *hint)
{
	return env_fail(domain->env, .err = -EINVAL, .call = "phyr_dev_create", .limit = value,
			.hint = hint);
}

static int check_limits(struct phyr_domain *domain, const struct phyr_limits *l)
{
	if (l->size != sizeof(*l))
		return bad_limit(domain, l->size, "limits: size is not that of struct phyr_limits");
	if (l->dma_mask & (l->dma_mask + 1))
		return bad_limit(domain, l->dma_mask,
				 "limits: dma_mask is no power of two minus 1");
	if (l->dma_mask && l->dma_mask < PHYR_PAGE_SIZE - 1)
		return bad_limit(domain, l->dma_mask, "limits: dma_mask leaves less than a page");
	if (l->seg_boundary && !is_pow2(l->seg_boundary))
		return bad_limit(domain, l->seg_boundary,
				 "limits: seg_boundary is no power of two");
	if (l->bus_offset & (PHYR_PAGE_SIZE - 1))
		return bad_limit(domain, l->bus_offset,
				 "limits: bus_offset is no multiple of 4096");
	return 0;
}

/* The end of the stretch without holes that starts at @start; below it when that lies in a hole. */
static uint64_t stretch_last(const struct phyr_aperture *ap, uint64_t start, uint64_t last)
{
	for (unsigned i = 0; i < ap->nr_holes; i++)
		if (ap->holes[i].last >= start && ap->holes[i].start <= last)
			last = ap->holes[i].start > start ? ap->holes[i].start - 1 : start - 1;
	return last;
}

/* Bytes in the longest stretch of granules below the mask. Address 0 and ~0 are never given out. */
static uint64_t longest_stretch(const struct phyr_dev *dev, const struct phyr_aperture *ap)
{
	uint64_t first = max_u64(ap->start, 1);
	uint64_t last = min_u64(min_u64(ap->last, dev->mask), UINT64_MAX - 1);
	uint64_t longest = 0;

	/* A stretch starts where the aperture does, or behind a hole in it. */
	for (unsigned i = 0; i <= ap->nr_holes; i++) {
		uint64_t start = i ? ap->holes[i - 1].last + 1 : first, end;

		if (start < first || start > UINT64_MAX - dev->granule_mask)
			continue;
		start = round_up_mask(start, dev->granule_mask);
		end = start <= last ? stretch_last(ap, start, last) + 1 : 0;
		end = round_down_mask(end, dev->granule_mask);
		if (end > start)
			longest = max_u64(longest, end - start);
	}
	return longest;
}

/* Take over what the domain has become by the attach. */
static void read_domain(struct phyr_dev *dev)
{
	const struct phyr_domain *domain = dev->domain;
	struct phyr_aperture ap;

	dev->translates = domain_translates(domain);
	dev->kinds = domain->iommu->caps->kinds & DMA_KINDS;
	if (!dev->translates) {
		dev->bus_offset = dev->limits.bus_offset;
		dev->longest = dev->mask == UINT64_MAX ? UINT64_MAX : dev->mask + 1;
		return;
	}
	domain->ops->aperture(domain->ctx, &ap);
	dev->granule_mask = domain->merge_boundary;
	dev->leaves = ap.page_sizes & ~(dev->granule_mask | (dev->granule_mask + 1));
	dev->longest = longest_stretch(dev, &ap);
}

static void dev_free(struct phyr_dev *dev)
{
	struct phyr_env *env = dev->env;

	slots_free(env, dev->counts_mem);
	env_free(env, dev, sizeof(*dev));
}

static struct phyr_dev *dev_new(struct phyr_domain *domain, const struct phyr_limits *limits)
{
	struct phyr_env *env = domain->env;
	struct phyr_dev *dev = env_alloc(env, sizeof(*dev));

	if (!dev)
		return NULL;
	dev->domain = domain;
	dev->env = env;
	if (limits)
		dev->limits = *limits;
	dev->limits.size = sizeof(dev->limits);
	dev->mask = dev->limits.dma_mask ? dev->limits.dma_mask : UINT64_MAX;
	dev->counts_mem = slots_alloc(env);
	if (!dev->counts_mem) {
		dev_free(dev);
		return NULL;
	}
	dev->counts = slots_lines(dev->counts_mem);
	return dev;
}

int phyr_dev_create(struct phyr_domain *domain, uint32_t source, const struct phyr_limits *limits,
		    struct phyr_dev **out)
{
	int err = limits ? check_limits(domain, limits) : 0;
	struct phyr_dev *dev;

	if (err)
		return err;
	dev = dev_new(domain, limits);
	if (!dev)
		return env_fail(domain->env, .err = -ENOMEM, .call = "phyr_dev_create",
				.hint = "out of memory");
	dev->source = source;
	err = phyr_domain_attach(domain, source);
	if (err) {
		dev_free(dev);
		return err;
	}
	read_domain(dev);
	*out = dev;
	return 0;
}

void phyr_dev_destroy(struct phyr_dev *dev)
{
	if (!dev)
		return;
	phyr_domain_detach(dev->domain, dev->source);
	dev_free(dev);
}

const struct phyr_limits *phyr_dev_limits(const struct phyr_dev *dev)
{
	return &dev->limits;
}

struct phyr_domain *phyr_dev_domain(struct phyr_dev *dev)
{
	return dev->domain;
}

struct phyr_env *phyr_dev_env(struct phyr_dev *dev)
{
	return dev->env;
}

uint64_t phyr_dma_get_merge_boundary(const struct phyr_dev *dev)
{
	return dev->granule_mask;
}

uint64_t phyr_dma_max_mapping_size(const struct phyr_dev *dev)
{
	return dev->longest;
}

uint64_t phyr_dma_opt_mapping_size(const struct phyr_dev *dev)
{
	return dev->longest;
}

bool phyr_dma_need_unmap(const struct phyr_dev *dev)
{
	return dev->translates || dev->bus_offset;
}

void phyr_dev_get_stats(struct phyr_dev *dev, struct phyr_dev_stats *stats)
{
	mem_set(stats, 0, sizeof(*stats));
	for (unsigned i = 0; i < dev->env->nr_slots; i++) {
		const struct dev_counts *c = &dev->counts[i];

		stats->links += load_relaxed(&c->links);
		stats->mapped_phys += load_relaxed(&c->mapped_phys);
		stats->syncs += load_relaxed(&c->syncs);
		for (unsigned h = 0; h < ARRAY_SIZE(c->how); h++)
			stats->how[h] += load_relaxed(&c->how[h]);
	}
}
