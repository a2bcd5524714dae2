/* SPDX-License-Identifier: MIT */
/* A cache of translations. */
#include "sim/iotlb.h"

#include <stdlib.h>

#include "core/bits.h"
#include "core/err.h"

int phyr_sim_iotlb_init(struct sim_iotlb *tlb, unsigned nr)
{
	uint32_t entries = (uint32_t)pow2_at_least(nr);

	*tlb = (struct sim_iotlb){.ways = entries < 4 ? entries : 4};
	tlb->sets = entries / tlb->ways;
	tlb->entries = calloc(entries, sizeof(*tlb->entries));
	return tlb->entries ? 0 : -ENOMEM;
}

void phyr_sim_iotlb_fini(struct sim_iotlb *tlb)
{
	free(tlb->entries);
}

static struct sim_iotlb_entry *set_of(struct sim_iotlb *tlb, uint32_t domain, uint64_t tag,
				      unsigned lg2)
{
	/* The size counts low: leaves of many sizes over one iova are not to meet in one set. */
	uint64_t key = ((tag << 6 | lg2) ^ (uint64_t)domain << 40) * 0x9e3779b97f4a7c15u;

	return &tlb->entries[(key >> 32 & (tlb->sets - 1)) * tlb->ways];
}

static struct sim_iotlb_entry *probe(struct sim_iotlb *tlb, uint32_t domain, uint64_t tag,
				     unsigned lg2)
{
	struct sim_iotlb_entry *set = set_of(tlb, domain, tag, lg2);

	for (uint32_t i = 0; i < tlb->ways; i++)
		if (set[i].lg2 == lg2 && set[i].tag == tag && set[i].domain == domain)
			return &set[i];
	return NULL;
}

/* The size after @lg2 of which something is held; 0: none. */
static unsigned next_size(const struct sim_iotlb *tlb, unsigned lg2)
{
	uint64_t more = tlb->sizes & ~(uint64_t)1 << lg2;

	return more ? low_bit_u64(more) : 0;
}

struct sim_iotlb_entry *phyr_sim_iotlb_find(struct sim_iotlb *tlb, uint32_t domain, uint64_t iova,
					    uint64_t turn)
{
	for (unsigned lg2 = next_size(tlb, 0); lg2; lg2 = next_size(tlb, lg2)) {
		struct sim_iotlb_entry *e = probe(tlb, domain, iova >> lg2, lg2);

		if (!e)
			continue;
		e->turn = turn;
		return e;
	}
	return NULL;
}

static void drop(struct sim_iotlb *tlb, struct sim_iotlb_entry *e)
{
	tlb->lost_turn = max_u64(tlb->lost_turn, e->turn);
	if (!--tlb->held[e->lg2])
		tlb->sizes &= ~((uint64_t)1 << e->lg2);
	e->lg2 = 0;
}

void phyr_sim_iotlb_forget(struct sim_iotlb *tlb, struct sim_iotlb_entry *entry)
{
	drop(tlb, entry);
}

void phyr_sim_iotlb_insert(struct sim_iotlb *tlb, const struct sim_iotlb_entry *entry)
{
	struct sim_iotlb_entry *set = set_of(tlb, entry->domain, entry->tag, entry->lg2);
	struct sim_iotlb_entry *to = probe(tlb, entry->domain, entry->tag, entry->lg2);

	for (uint32_t i = 0; i < tlb->ways && !to; i++)
		if (!set[i].lg2)
			to = &set[i];
	if (!to)
		to = &set[tlb->victim++ & (tlb->ways - 1)];
	if (to->lg2)
		drop(tlb, to);
	*to = *entry;
	tlb->held[to->lg2]++;
	tlb->sizes |= (uint64_t)1 << to->lg2;
}

static bool overlaps(const struct sim_iotlb_entry *e, uint32_t domain, uint64_t start,
		     uint64_t last)
{
	return e->lg2 && e->domain == domain && e->tag >= start >> e->lg2 &&
	       e->tag <= last >> e->lg2;
}

bool phyr_sim_iotlb_conflicts(struct sim_iotlb *tlb, const struct sim_iotlb_entry *entry,
			      bool same_level)
{
	uint64_t start = entry->tag << entry->lg2, size = (uint64_t)1 << entry->lg2;

	if (!(tlb->sizes & ~size)) /* all that is held has this size */
		return false;
	for (uint32_t i = 0; i < tlb->sets * tlb->ways; i++) {
		const struct sim_iotlb_entry *e = &tlb->entries[i];

		if (overlaps(e, entry->domain, start, start + size - 1) && e->lg2 != entry->lg2 &&
		    !(same_level && e->level == entry->level))
			return true;
	}
	return false;
}

static void drop_all(struct sim_iotlb *tlb, uint32_t domain, uint64_t start, uint64_t last)
{
	for (uint32_t i = 0; i < tlb->sets * tlb->ways; i++)
		if (overlaps(&tlb->entries[i], domain, start, last))
			drop(tlb, &tlb->entries[i]);
}

/* Drop what is cached for each unit of one size in the range. */
static void drop_size(struct sim_iotlb *tlb, uint32_t domain, uint64_t start, uint64_t last,
		      unsigned lg2)
{
	for (uint64_t tag = start >> lg2; tag <= last >> lg2; tag++) {
		struct sim_iotlb_entry *e = probe(tlb, domain, tag, lg2);

		if (e)
			drop(tlb, e);
	}
}

bool phyr_sim_iotlb_drop(struct sim_iotlb *tlb, uint32_t domain, uint64_t start, uint64_t last,
			 uint64_t turn)
{
	if ((last >> 12) - (start >> 12) >= tlb->sets) {
		drop_all(tlb, domain, start, last);
		return tlb->lost_turn == turn;
	}
	for (unsigned lg2 = next_size(tlb, 0); lg2; lg2 = next_size(tlb, lg2))
		drop_size(tlb, domain, start, last, lg2);
	return tlb->lost_turn == turn;
}
