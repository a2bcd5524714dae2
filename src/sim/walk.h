/* SPDX-License-Identifier: MIT */
/*
 * Page tables as hardware reads them: what one entry says, by format, and the walk from entry to
 * entry. All of it is written from the specifications; each walk_*.c names its own.
 *
 *   sim_regime   what the hardware is told of a table, and the geometry that follows from it
 *   sim_view     how it reads memory
 *   sim_step     a walk under way, an entry at a time
 *
 * Nothing here changes memory or caches anything: the IOMMU does (iommu.c), and tests need neither.
 * Levels count from 0, whose entries map the granule.
 */
#ifndef SIM_WALK_H
#define SIM_WALK_H

#include <phyr/backend.h>

struct sim_regime;

/* An entry that is there, decoded. */
struct sim_entry {
	bool leaf;
	/* Of the first byte that a leaf maps, be it one of several entries that are one leaf; else of
	 * the next table. */
	uint64_t addr;
	unsigned
		lg2; /* leaf: bytes that it maps; more than the entry's span: it is one of several */
	unsigned next; /* table: its level */
	unsigned prot; /* PHYR_READ, PHYR_WRITE: what this entry allows */
	bool device;   /* leaf: PHYR_MMIO, the memory is device memory or uncached */
	bool snoop;    /* leaf: every access snoops */
	/* The entry as hardware leaves it after it was used, and after a write went through it. */
	uint64_t used;
	uint64_t written;
};

/* How a format is read. */
struct sim_format {
	/* Fill in a regime's geometry from its table; false: there are no such tables. */
	bool (*shape)(struct sim_regime *regime);
	/*
	 * Decode an entry, the index-th of a table of a level. 0, PHYR_FAULT_NOT_PRESENT or
	 * PHYR_FAULT_BAD_ENTRY. Without an access flag, where hardware wants one, a leaf allows nothing.
	 */
	int (*decode)(const struct sim_regime *regime, unsigned level, uint64_t index, uint64_t raw,
		      struct sim_entry *out);
};

extern const struct sim_format phyr_sim_x86_64;
extern const struct sim_format phyr_sim_vtdss;
extern const struct sim_format phyr_sim_amdv1;
extern const struct sim_format phyr_sim_arm64;
extern const struct sim_format phyr_sim_riscv64;

/* A table, and how it is read. */
struct sim_regime {
	struct phyr_soft_table table;
	const struct sim_format *format;
	unsigned oa_bits;     /* physical addresses, as wide as entries may hold */
	unsigned bbm;         /* Arm: FEAT_BBM's level */
	unsigned granule_lg2; /* the smallest page, and a table's size */
	unsigned index_lg2;   /* iova bits that a level resolves */
	unsigned ia_bits;     /* iova below 2^ia_bits is translated */
	unsigned width;       /* iova bits that hardware must have for it */
	unsigned root_lg2;    /* bytes of the top table, which is aligned to them */
};

/*
 * The regime of a table on hardware with @oa_bits of physical address (Arm: that may tell tables so;
 * their own say counts) and FEAT_BBM @bbm. 0; -EINVAL there are no such tables.
 */
int phyr_sim_regime_init(struct sim_regime *regime, const struct phyr_soft_table *table,
			 unsigned oa_bits, unsigned bbm);

/* The highest iova that it translates. */
uint64_t phyr_sim_regime_last(const struct sim_regime *regime);

/* Log2 of the iova that one entry of a level covers. */
static inline unsigned sim_span_lg2(const struct sim_regime *regime, unsigned level)
{
	return regime->granule_lg2 + regime->index_lg2 * level;
}

/* Memory as the walker reads it. */
struct sim_view {
	/* Load the entry at a physical address, whole and with acquire order; false: no memory. */
	bool (*read)(void *arg, uint64_t addr, uint64_t *entry);
	void *arg;
};

/* A walk under way. */
struct sim_step {
	unsigned level; /* of the table, in which the next entry is */
	uint64_t table;
	unsigned prot; /* what all levels so far allow */
	/* The entry that was read last. */
	uint64_t where;
	uint64_t raw;
	struct sim_entry entry;
};

/* Stand at the root. */
void phyr_sim_step_begin(const struct sim_regime *regime, struct sim_step *step);

/*
 * Read and decode the table's entry for an iova (not past the regime's last). 0, or the reason why it
 * leads nowhere. Where several entries are one leaf they must agree on what they map.
 */
int phyr_sim_step_read(const struct sim_regime *regime, const struct sim_view *view, uint64_t iova,
		       struct sim_step *step);

/* Go on to the table that the entry leads to. */
static inline void sim_step_down(struct sim_step *step)
{
	step->level = step->entry.next;
	step->table = step->entry.addr;
}

/* Where an iova leads. */
struct sim_leaf {
	uint64_t addr; /* of the very byte */
	uint64_t size; /* of the leaf, bytes */
	unsigned prot; /* enum phyr_prot, what all levels allow; PHYR_MMIO as in struct sim_entry */
	bool snoop;
	unsigned level; /* of the table that the leaf is in */
	uint64_t where; /* physical address of the entry for the iova, */
	uint64_t entry; /* and the entry */
};

/*
 * Walk a table for one iova. 0 or enum phyr_fault_reason: PHYR_FAULT_RANGE past the last iova,
 * PHYR_FAULT_BAD_ADDRESS a table is not in memory, and what an entry says. What the leaf allows is in
 * prot: an access that is not allowed is the caller's to find.
 */
int phyr_sim_walk(const struct sim_regime *regime, const struct sim_view *view, uint64_t iova,
		  struct sim_leaf *out);

#endif
