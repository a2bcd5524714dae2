/* SPDX-License-Identifier: MIT */
/*
 * A cache of translations, set-associative, of any page size at once. What it holds it keeps until
 * it is told or needs the place: a stale entry goes on translating, as in hardware.
 *
 * The IOMMU has two: one of leaf entries, one of table entries (which table serves a span of iova).
 * Nothing that is not present is ever entered.
 *
 * Each entry says in which turn of a device it was last used, so that an invalidation waits for
 * just the accesses that it concerns.
 */
#ifndef SIM_IOTLB_H
#define SIM_IOTLB_H

#include <stdbool.h>
#include <stdint.h>

/* One translation: 2^lg2 bytes of iova, from tag << lg2 on, of a domain. */
struct sim_iotlb_entry {
	uint64_t tag;
	uint64_t addr; /* of the memory, or of the table */
	uint64_t turn; /* in which it was used last */
	uint32_t domain;
	uint8_t lg2;   /* 0: the entry is empty */
	uint8_t prot;  /* what all levels down to here allow */
	uint8_t level; /* of the table that the entry was in */
	bool dirty;    /* in memory it is marked as written */
};

#define SIM_IOTLB_SIZES 64

struct sim_iotlb {
	struct sim_iotlb_entry *entries;
	uint32_t sets;      /* a power of two */
	uint32_t ways;      /* likewise */
	uint32_t victim;    /* way that is evicted next */
	uint64_t lost_turn; /* turn in which an entry that it had used was last dropped */
	uint64_t sizes;     /* a bit for each lg2 of which there are any */
	uint32_t held[SIM_IOTLB_SIZES]; /* entries by lg2 */
};

/* @nr is rounded up to a power of two. 0 or -ENOMEM. */
int phyr_sim_iotlb_init(struct sim_iotlb *tlb, unsigned nr);
void phyr_sim_iotlb_fini(struct sim_iotlb *tlb);

/* The entry for an iova, the smallest size first, marked as used in @turn; NULL: a miss. */
struct sim_iotlb_entry *phyr_sim_iotlb_find(struct sim_iotlb *tlb, uint32_t domain, uint64_t iova,
					    uint64_t turn);

/* Forget an entry that phyr_sim_iotlb_find() found. */
void phyr_sim_iotlb_forget(struct sim_iotlb *tlb, struct sim_iotlb_entry *entry);

/*
 * Whether a leaf of another size is cached for part of what @entry translates, be it stale;
 * @same_level: one of the same level does not count.
 */
bool phyr_sim_iotlb_conflicts(struct sim_iotlb *tlb, const struct sim_iotlb_entry *entry,
			      bool same_level);

/* Enter a translation, in place of what is held for just that tag, size and domain. */
void phyr_sim_iotlb_insert(struct sim_iotlb *tlb, const struct sim_iotlb_entry *entry);

/*
 * Drop each entry of a domain that overlaps [start, last]. Returns whether accesses of @turn may
 * still use what was dropped.
 */
bool phyr_sim_iotlb_drop(struct sim_iotlb *tlb, uint32_t domain, uint64_t start, uint64_t last,
			 uint64_t turn);

#endif
