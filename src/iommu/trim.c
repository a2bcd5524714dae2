/* SPDX-License-Identifier: MIT */
/*
 * Giving back tables that map nothing. Only the allocator knows what iova is nobody's: what it has
 * free is reserved, so that nobody maps there until no walker has such a table cached any more.
 *
 *   reserve ─▶ reclaim ─▶ sync ─▶ unreserve ─▶ the next part
 */
#include "iommu/domain.h"
#include "iova/iova.h"

/* The least that any table spans: 512 entries of 4 KiB. Smaller parts have none that is whole. */
#define TABLE_SPAN ((uint64_t)512 << 12)

/* The root is always there. */
static bool has_tables(struct phyr_domain *domain)
{
	struct phyr_iommu_stats stats;

	domain->ops->get_stats(domain->ctx, &stats);
	return stats.tables > 1;
}

/* A part is reserved. Beyond the range's ends nothing is in use: tables may span that, too. */
static int trim(struct phyr_domain *domain, const struct phyr_iova_hole *part)
{
	const struct phyr_iova *iova = domain->iova;
	uint64_t start = part->start == iova->start ? 0 : part->start;
	uint64_t last = part->last == iova->last ? UINT64_MAX : part->last;
	struct phyr_gather gather;
	int err;

	gather_none(&gather);
	err = domain->ops->reclaim(domain->ctx, start, last, &gather);
	domain_sync(domain, &gather);
	return err;
}

int phyr_domain_trim(struct phyr_domain *domain)
{
	struct phyr_iova_hole part = {0, 0};
	int err = 0, failed;

	if (!domain->iova || !has_tables(domain))
		return 0;
	phyr_iova_drain(domain->iova, 0, UINT64_MAX);
	while (phyr_iova_reserve(domain->iova, TABLE_SPAN, &part)) {
		failed = trim(domain, &part);
		phyr_iova_unreserve(domain->iova, &part);
		err = err ? err : failed;
		part.start = part.last + 1;
	}
	return err;
}
