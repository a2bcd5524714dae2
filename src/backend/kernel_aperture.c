/* SPDX-License-Identifier: MIT */
/*
 * Allowed iova: the kernel lists what may be used, an aperture says what may not.
 *
 *   kernel    ├───────┤      ├──────────┤   ├────┤
 *   aperture  start   │ hole │          │ h │    last
 *
 * Its edges are rounded to the granule, so that what is allowed is whole granules.
 */
#include "backend/kernel.h"

#include "core/bits.h"

/* The smallest and the largest leaf that an aperture may name, and all between. */
#define LEAVES (((uint64_t)1 << 31) - ((uint64_t)1 << 12))

void phyr_kernel_aperture_begin(const struct kernel_domain *domain, struct phyr_aperture *aperture,
				uint64_t page_sizes)
{
	*aperture = (struct phyr_aperture){.start = 1, .page_sizes = page_sizes & LEAVES};
	if (aperture->page_sizes && kernel_granule(aperture) < domain->granule)
		aperture->page_sizes = (page_sizes & LEAVES & -domain->granule) | domain->granule;
}

static bool is_empty(const struct phyr_aperture *aperture)
{
	return aperture->start > aperture->last;
}

/* Holes past the room are counted, so that whoever takes the aperture sees that there are too many. */
static void add_hole(struct phyr_aperture *aperture, uint64_t start, uint64_t last)
{
	if (aperture->nr_holes < PHYR_APERTURE_HOLES)
		aperture->holes[aperture->nr_holes] = (struct phyr_iova_hole){start, last};
	aperture->nr_holes++;
}

bool phyr_kernel_aperture_add(struct phyr_aperture *aperture, uint64_t start, uint64_t last)
{
	const uint64_t mask = kernel_granule(aperture) - 1;

	if (start > last || (!is_empty(aperture) && start <= aperture->last))
		return false;
	if (start > KERNEL_LAST)
		return true;
	last = min_u64(last, KERNEL_LAST);
	start = round_up_mask(start, mask);
	/* In two steps: last + 1 may lie past a granule that starts at 0. */
	if (((last + 1) & ~mask) <= start)
		return true;
	last = ((last + 1) & ~mask) - 1;
	if (is_empty(aperture))
		aperture->start = start;
	else if (start > aperture->last + 1)
		add_hole(aperture, aperture->last + 1, start - 1);
	aperture->last = last;
	return true;
}

bool phyr_kernel_aperture_end(struct phyr_aperture *aperture)
{
	return aperture->page_sizes && !is_empty(aperture);
}

bool phyr_kernel_aperture_has(const struct phyr_aperture *aperture, uint64_t start, uint64_t last)
{
	if (start < aperture->start || last > aperture->last)
		return false;
	for (unsigned i = 0; i < aperture->nr_holes && i < PHYR_APERTURE_HOLES; i++) {
		if (start <= aperture->holes[i].last && last >= aperture->holes[i].start)
			return false;
	}
	return true;
}
