/* SPDX-License-Identifier: MIT */
/*
 * Attaching devices. What a domain may use is known only when a device is in it: the first one
 * brings the allocator, each later one can only take away.
 *
 *   first   start ├──────────────┤hole├──────────────────┤ last      iova is made
 *   later         ┊//├───────────┤hole├──┤hole├───────┤//┊           what is new is excluded
 *
 * A later device that takes away what is in use is not attached.
 */
#include "iommu/domain.h"

#include "core/mem.h"
#include "iova/iova.h"

#define CALL "phyr_domain_attach"

/* Make the allocator over the aperture. */
static int make_iova(struct phyr_domain *domain, const struct phyr_aperture *aperture)
{
	const struct phyr_iova_config config = {
		.size = sizeof(config),
		.start = aperture->start,
		.last = aperture->last,
		.granule_lg2 = low_bit_u64(aperture->page_sizes),
		.holes = aperture->holes,
		.nr_holes = aperture->nr_holes,
	};
	int err = phyr_iova_create(domain->env, &config, &domain->iova);

	if (err == -ENOMEM)
		return env_fail(domain->env, .err = err, .call = CALL, .iova = config.start,
				.has_iova = true, .limit = config.last,
				.hint = "no memory for the iova allocator");
	if (err)
		return err;
	domain->merge_boundary = ((uint64_t)1 << config.granule_lg2) - 1;
	return 0;
}

/* Exclude the holes of the aperture and what lies outside of it; all of that or nothing. */
static int narrow_iova(struct phyr_domain *domain, const struct phyr_aperture *aperture)
{
	struct phyr_iova_hole holes[PHYR_APERTURE_HOLES + 2];
	size_t nr = aperture->nr_holes;

	mem_copy(holes, aperture->holes, nr * sizeof(holes[0]));
	if (aperture->start)
		holes[nr++] = (struct phyr_iova_hole){0, aperture->start - 1};
	if (aperture->last != UINT64_MAX)
		holes[nr++] = (struct phyr_iova_hole){aperture->last + 1, UINT64_MAX};
	return phyr_iova_exclude_all(domain->iova, CALL, holes, nr);
}

/* Let the aperture hold for the allocator, old or new. */
static int apply(struct phyr_domain *domain, const struct phyr_aperture *aperture)
{
	if (aperture->nr_holes > PHYR_APERTURE_HOLES)
		return env_fail(domain->env, .err = -EOPNOTSUPP, .call = CALL,
				.index = aperture->nr_holes, .index_of = "holes",
				.limit = PHYR_APERTURE_HOLES,
				.hint = "the hardware's aperture has more holes than there is room "
					"for: join some");
	if (!aperture->page_sizes)
		return env_fail(domain->env, .err = -EOPNOTSUPP, .call = CALL,
				.hint = "hardware and table have no page size in common");
	if (!domain->iova)
		return make_iova(domain, aperture);
	if (low_bit_u64(aperture->page_sizes) > low_bit_u64(domain->merge_boundary + 1))
		return env_fail(domain->env, .err = -EBUSY, .call = CALL,
				.limit = aperture->page_sizes,
				.hint = "the device needs a larger granule than the domain has");
	return narrow_iova(domain, aperture);
}

/* Read the aperture and let it hold. */
static int take_aperture(struct phyr_domain *domain)
{
	struct phyr_aperture aperture;
	int err;

	mem_set(&aperture, 0, sizeof(aperture));
	domain->ops->aperture(domain->ctx, &aperture);
	err = apply(domain, &aperture);
	if (err == -EINVAL)
		return env_fail(domain->env, .err = -EOPNOTSUPP, .call = CALL,
				.iova = aperture.start, .has_iova = true, .limit = aperture.last,
				.hint = "hardware and table leave no iova to use, or no granule "
					"of 4 KiB to 1 GiB");
	return err;
}

int phyr_domain_attach(struct phyr_domain *domain, uint32_t source)
{
	int err = domain->ops->attach(domain->ctx, source);

	if (err || !domain_translates(domain))
		return err;
	err = take_aperture(domain);
	if (err)
		domain->ops->detach(domain->ctx, source);
	return err;
}

void phyr_domain_detach(struct phyr_domain *domain, uint32_t source)
{
	domain->ops->detach(domain->ctx, source);
}
